"""The study of `benchmarks/study.py`: its contestants and its run."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tiny_sets import cells, write_sets

from skc2c import C2CClassifier

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def study(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    import study

    return study


@pytest.fixture
def models(study, monkeypatch, brief_by_default):
    """The contestants, with few epochs and inner folds."""
    import study_models

    monkeypatch.setitem(study_models.SINGLE, "max_iter", 3)
    monkeypatch.setattr(study_models, "INNER_FOLDS", 2)
    original = study_models.mlp
    monkeypatch.setattr(study_models, "mlp", lambda _, *args, **kw: original(3, *args, **kw))
    return study_models


@pytest.fixture
def folder(tmp_path, rng):
    return write_sets(tmp_path / "data", rng)


@pytest.fixture
def run(study, folder, capsys):
    """A run of the script on two tiny sets; what it prints."""

    def run(*arguments):
        place = ["--data", str(folder), "--results", str(folder.parent / "study.jsonl")]
        study.main([*place, "--folds", "2", "--rows", "50", *arguments])
        return capsys.readouterr().out

    return run


def lines(folder):
    return [json.loads(line) for line in (folder.parent / "study.jsonl").read_text().splitlines()]


def records(folder):
    return [line for line in lines(folder) if "run" not in line]


# ----------------------------------------------------------------------------- contestants


@pytest.fixture
def four(models):
    """Regression on four features."""
    return models.Task(is_regression=True, n_features=4, seed=0)


def test_grids_have_as_many_points(models, four):
    """A grid of more points has more chances."""
    for name in models.PENALTIES:
        assert len(ParameterGrid(models.grid_of(name, four))) == 7
    assert len(models.DECAYS) == len(models.MLP_DECAYS) + 1 == 7
    assert models.SINGLE["l2"] in models.DECAYS  # the plain network, as in the other grids


def test_radii_are_the_same_length_for_random_and_adversarial_perturbations(models, four, rng):
    """In 4 features: noise of half the size in each has the length of an adversarial one."""
    radii = {name: models.grid_of(name, four)[1]["epsilon"] for name in models.PENALTIES}
    assert radii["vat"] == radii["c2c-adv"] == [0.5, 2.0]
    for name in ("c2c", "kl-random"):
        dx = rng.normal(size=(100_000, 4)) * radii[name][1]
        assert np.sqrt(np.mean(np.sum(dx**2, axis=1))) == pytest.approx(2.0, rel=0.01)


def test_the_strengths_of_the_jacobian_penalty_span_those_of_c2c(models, four):
    """To first order both are alpha epsilon^2 times the same."""
    products = {}
    for name in ("c2c", "jacobian"):
        points = ParameterGrid(models.grid_of(name, four)[1])
        products[name] = sorted(p["alpha"] * p["epsilon"] ** 2 for p in points)
    assert products["jacobian"][0] == pytest.approx(products["c2c"][0])
    assert products["jacobian"][-1] == pytest.approx(products["c2c"][-1])


def test_strengths_of_divergences_are_those_of_distances(models, four):
    """The divergence of two normal outputs of unit variance is half of their squared distance."""
    alphas = {name: models.grid_of(name, four)[1]["alpha"] for name in ("c2c", "kl-random", "vat")}
    assert alphas["kl-random"] == alphas["vat"] == [2.0 * alpha for alpha in alphas["c2c"]]


def test_the_divergence_with_both_branches_is_half_of_c2c_in_regression(models, rng):
    """At twice the strength the same network comes out; with the clean branch held, another."""
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    outputs = {}
    for name in ("c2c", "kl-random both", "kl-random"):
        settings = {"penalty": models.PENALTIES[name], "alpha": 1.0 + (name != "c2c")}
        model = models.seeded(models.single(settings, models.Task(True, 3, 0)), 0)
        outputs[name] = model.fit(X, y).predict(X)
    np.testing.assert_allclose(outputs["kl-random both"], outputs["c2c"], rtol=1e-9)
    assert np.abs(outputs["kl-random"] - outputs["c2c"]).max() > 1e-6


def test_a_seed_reaches_all_that_is_random(models):
    for contestant in models.CONTESTANTS:
        for is_regression in (True, False):
            model = models.make(contestant, models.Task(is_regression, 3, seed=5))
            found = {v for k, v in model.get_params().items() if k.endswith("random_state")}
            assert found <= {5}, contestant
            assert found or contestant == "linear"
            if isinstance(model, GridSearchCV):
                assert model.cv.random_state == 5


@pytest.mark.parametrize("name", ["tuned kl-random", "tuned c2c and l2"])
def test_what_a_grid_chose_is_recorded(models, rng, name):
    X, y = rng.normal(size=(40, 3)), rng.integers(2, size=40)
    model = models.make(name, models.Task(False, 3, 0)).fit(X, y)
    chosen = models.choice(model)
    net = model.best_estimator_[-1]
    for key, value in chosen.items():
        assert value == pytest.approx(getattr(net, key), rel=0.01)
    if name == "tuned kl-random":
        assert (set(chosen) == set()) == (net.penalty is None)


def test_the_choice_of_a_fit_that_tunes_itself(models, rng):
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    model = models.make("untuned c2c", models.Task(True, 3, 0)).fit(X, y)
    assert models.choice(model) == {"alpha": model.alpha_}
    assert models.choice(models.make("hgb", models.Task(True, 3, 0)).fit(X, y)) == {}


# --------------------------------------------------------------------------------- the run


def test_first_folds_come_first_and_what_is_done_is_skipped(run, folder):
    out = run("--contestants", "linear", "--sets", "binary_set")
    assert out.count("binary_set, linear") == 2
    out = run("--contestants", "linear,hgb", "--seeds", "2")
    assert "[1/14]" in out  # of sixteen
    order = [(r["seed"], r["fold"]) for r in records(folder)[2:]]
    assert order == sorted(order)
    assert run("--contestants", "linear,hgb", "--seeds", "2") == ""
    keys = [(r["seed"], r["fold"], r["set"], r["contestant"]) for r in records(folder)]
    assert len(keys) == len(set(keys)) == 16
    headers = [line["run"] for line in lines(folder) if "run" in line]
    assert len(headers) == 2
    assert all("scikit-learn" in header["environment"] for header in headers)


def test_other_settings_are_measured_anew(run, folder):
    run("--contestants", "linear", "--sets", "regression_set")
    run("--contestants", "linear", "--sets", "regression_set", "--rows", "40")
    assert run("--contestants", "linear", "--sets", "regression_set") == ""
    assert [r["n"] for r in records(folder)] == [25, 25, 20, 20]


def test_every_kind_of_contestant_is_measured_and_reported(run, models, folder):
    kinds = ["untuned none", "untuned c2c", "single none", "single paper", "tuned l2"]
    kinds += ["tuned c2c", "tuned noise", "mlp", "mlp tuned", "linear", "hgb"]
    run("--contestants", ",".join(kinds))
    picture = folder.parent / "study.png"
    report = run("--contestants", ",".join(kinds), "--report", "--picture", str(picture))
    assert "2 sets of at most 50 rows; 2 of 2 rounds complete" in report
    ranks = cells(report.split("## Summary\n\n")[1].split("\n\n")[0])
    assert set(ranks) == {"", "---", *kinds}
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_record_holds_what_the_protocol_says(run, models, folder):
    """The log-loss of VAT with random directions, chosen from its grid, computed here once more."""
    run("--contestants", "tuned kl-random", "--sets", "binary_set")
    with np.load(folder / "binary_set.npz") as archive:
        X, y = archive["X"], archive["y"]
    rows = np.random.default_rng(1).permutation(60)[:50]
    X, y = X[rows], y[rows]
    train, test = next(StratifiedKFold(2, shuffle=True, random_state=0).split(X, y))
    grid = [
        {"net__penalty": [None]},
        {
            "net__penalty": [models.VAT(perturbation="random")],
            "net__alpha": [0.8, 8.0, 80.0],
            "net__epsilon": [0.5 / np.sqrt(3), 2.0 / np.sqrt(3)],
        },
    ]
    net = C2CClassifier(**models.SINGLE, alpha=0.0)
    pipeline = make_pipeline(StandardScaler(), net)
    pipeline.steps[1] = ("net", net)
    inner = StratifiedKFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(pipeline, grid, scoring="neg_log_loss", cv=inner)
    expected = log_loss(y[test], search.fit(X[train], y[train]).predict_proba(X[test]))
    assert records(folder)[0]["loss"] == pytest.approx(expected, rel=1e-4)  # of five digits


def test_a_failure_does_not_end_the_run(run, models, folder, monkeypatch):
    def fail(task):
        raise ValueError("no such model")

    monkeypatch.setitem(models.CONTESTANTS, "mlp", fail)
    with pytest.raises(SystemExit, match="2 measurements failed"):
        run("--contestants", "mlp,linear", "--sets", "regression_set")
    assert {r["contestant"] for r in records(folder)} == {"linear"}


def test_unknown_contestants_are_refused(run, capsys):
    with pytest.raises(SystemExit):
        run("--contestants", "hgb,nobody")
    assert "no contestant 'nobody'" in capsys.readouterr().err
