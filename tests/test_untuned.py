"""The comparison of `benchmarks/untuned.py`, on two tiny sets: run, continued and reported."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tiny_sets import cells, write_sets

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def untuned(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    import untuned

    return untuned


@pytest.fixture
def folder(tmp_path, rng):
    return write_sets(tmp_path / "data", rng)


@pytest.fixture
def run(untuned, folder, tmp_path, capsys, brief_by_default):
    """A run of the script on these sets; what it prints."""

    def run(*arguments):
        protocol = ["--data", str(folder), "--folds", "2", "--rows", "50"]
        untuned.main([*protocol, "--results", str(tmp_path / "results.jsonl"), *arguments])
        return capsys.readouterr().out

    return run


def records(folder):
    return [json.loads(line) for line in (folder.parent / "results.jsonl").read_text().splitlines()]


def section(text, title):
    """The cells of a table of the report, by its first column."""
    return cells(text.split(f"## {title}\n\n")[1].split("\n\n")[0])


def test_run_continue_and_report(run, folder):
    first = run("--contestants", "mlp-200", "--sets", "binary_set")
    assert first.count("binary_set, mlp-200, fold") == 2
    assert "[1/6]" in run("--contestants", "skc2c,mlp-200")  # of eight, two are done
    assert run("--contestants", "skc2c,mlp-200") == ""
    assert len(records(folder)) == 8

    report = run("--report")
    losses = section(report, "Loss")
    assert set(losses) == {"set", "---", "binary_set", "regression_set"}
    for name in ("binary_set", "regression_set"):
        for contestant in ("skc2c", "mlp-200"):
            folds = [
                r for r in records(folder) if (r["set"], r["contestant"]) == (name, contestant)
            ]
            assert losses[name][contestant] == f"{np.mean([r['loss'] for r in folds]):.4f}"
    assert section(report, "Summary")["skc2c"]["sets"] == "2"
    assert section(report, "Out of fold")["skc2c"]["sets"] == "2"
    assert section(report, "Expected calibration error")["mlp-200"]["sets"] == "1"
    assert "skc2c: " in report.split("## Measured with")[1]


def test_a_record_holds_what_the_protocol_says(run, folder):
    """The MLP's log-loss in the first fold, computed here once more."""
    run("--contestants", "mlp-200", "--sets", "binary_set")
    with np.load(folder / "binary_set.npz") as archive:
        X, y = archive["X"], archive["y"]
    rows = np.random.default_rng(1).permutation(60)[:50]
    X, y = X[rows], y[rows]
    train, test = next(StratifiedKFold(2, shuffle=True, random_state=1).split(X, y))
    mlp = make_pipeline(StandardScaler(), MLPClassifier(random_state=0)).fit(X[train], y[train])
    expected = log_loss(y[test], mlp.predict_proba(X[test]))
    record = records(folder)[0]
    assert record["fold"] == 0
    assert record["loss"] == pytest.approx(expected, rel=1e-9)
    assert record["score"] == pytest.approx(mlp.score(X[test], y[test]))
    assert "scikit-learn" in record["environment"]


def test_other_settings_are_measured_anew(run, folder):
    run("--contestants", "hgb", "--sets", "regression_set")
    run("--contestants", "hgb", "--sets", "regression_set", "--rows", "40")
    assert [r["rows"] for r in records(folder)] == [50, 50, 40, 40]


def test_a_failure_does_not_end_the_run(run, untuned, folder, monkeypatch, capsys):
    def fail(is_regression, threads):
        raise ValueError("no such model")

    monkeypatch.setitem(untuned.CONTESTANTS, "mlp", untuned.Contestant(fail))
    with pytest.raises(SystemExit, match="2 measurements failed"):
        run("--contestants", "mlp,hgb", "--sets", "regression_set")
    assert "failed: ValueError('no such model')" in capsys.readouterr().out
    assert {r["contestant"] for r in records(folder)} == {"hgb"}


def test_unknown_contestants_are_refused(run, capsys):
    with pytest.raises(SystemExit):
        run("--contestants", "skc2c,nobody")
    assert "no contestant 'nobody'" in capsys.readouterr().err


def test_calibration_error_of_two_bins(untuned):
    """Four rows at 0.6, one of them right; two at 1.0, both right: (4/6) |0.25 - 0.6|."""
    proba = np.array([[0.6, 0.4]] * 4 + [[0.0, 1.0]] * 2)
    bins = untuned.calibration_bins(np.array([0, 1, 1, 1, 1, 1]), proba)
    assert bins.shape == (15, 3)
    assert untuned.calibration_error(bins) == pytest.approx(4 / 6 * 0.35)


@pytest.mark.parametrize("name", ["iris", "hastie", "diabetes", "friedman1"])
def test_sets_without_a_folder(untuned, name):
    X, y, is_regression = untuned.sources(None)[name]()
    assert len(X) == len(y) > 100
    assert is_regression == (name in ("diabetes", "friedman1"))
