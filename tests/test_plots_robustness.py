"""Scores of perturbed rows, against closed forms of linear models and scores computed by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, make_scorer, max_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skc2c import C2CAutoencoder, C2CClassifier, C2CRegressor
from skc2c.inspection import jacobian
from skc2c.plots import RobustnessDisplay, moved_rows
from skc2c.plots.moved_rows import attacked

pytestmark = pytest.mark.usefixtures("pyplot")
LINEAR = PLAIN | {"hidden_layer_sizes": (), "penalty": None, "max_iter": 50, "random_state": 0}
DEEP = LINEAR | {"hidden_layer_sizes": (20,), "learning_rate_init": 0.01}
SIZES = [0.0, 0.1, 0.5, 2.0]


class Witness(ClassifierMixin, BaseEstimator):
    """A fitted classifier that keeps the rows that it is asked about."""

    def __init__(self, seen):
        self.seen = seen
        self.classes_ = np.array([0, 1])

    def fit(self, X, y):
        return self

    def predict(self, X):
        self.seen.append(X)
        return np.zeros(len(X), dtype=int)


def seen_rows(X, **settings):
    seen = []
    y = np.zeros(len(X), dtype=int)
    RobustnessDisplay.from_estimator(Witness(seen), X, y, random_state=0, **settings)
    return seen


@pytest.mark.parametrize("scale", ["std", None, [3.0, 0.0]], ids=str)
def test_noise_has_the_standard_deviation_asked_for(scale):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(20_000, 2)) * [5.0, 0.1]
    clean, *moved = seen_rows(X, epsilons=[0.0, 0.5, 2.0], scale=scale, n_repeats=1)
    unit = {"std": X.std(axis=0), "None": np.ones(2)}.get(str(scale), scale)
    assert_array_equal(clean, X)
    for rows, epsilon in zip(moved, (0.5, 2.0), strict=True):
        assert_allclose((rows - X).std(axis=0), epsilon * np.array(unit), rtol=0.02)
    # The same noise in two strengths
    assert_allclose(moved[1] - X, 4 * (moved[0] - X), atol=1e-12)


def test_draws_differ_and_random_state_decides():
    X = load_iris().data
    settings = {"epsilons": [1.0], "n_repeats": 3}
    first, again = seen_rows(X, **settings), seen_rows(X, **settings)
    assert len(first) == 3
    assert_array_equal(first, again)
    assert not np.allclose(first[0], first[1])


def test_of_a_frame_numeric_columns_are_perturbed():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(
        {"n": [1, 2, 3, 4], "word": list("abab"), "z": [0.5, 1, 2, 8]}, index=[4, 3, 2, 1]
    )
    before = X.copy()
    (moved,) = seen_rows(X, epsilons=[0.5], n_repeats=1)
    pd.testing.assert_frame_equal(X, before)
    assert list(moved.columns) == ["n", "word", "z"]
    assert_array_equal(moved.index, X.index)
    assert list(moved["word"]) == list("abab")
    assert (moved[["n", "z"]] != X[["n", "z"]]).all(axis=None)
    (moved,) = seen_rows(X, epsilons=[0.5], scale=[0.0, 1.0], n_repeats=1)
    assert_array_equal(moved["n"], X["n"])


def test_single_precision_and_sparse_rows():
    X = load_iris().data
    (moved,) = seen_rows(X.astype(np.float32), epsilons=[0.1], n_repeats=1)
    assert moved.dtype == np.float32
    clf = C2CClassifier(**DEEP).fit(X, load_iris().target)
    dense, from_sparse = (
        RobustnessDisplay.from_estimator(clf, rows, load_iris().target, random_state=0).scores
        for rows in (X, sparse.csr_array(X))
    )
    assert_array_equal(dense, from_sparse)


@pytest.mark.parametrize("n_steps", [1, 10])
def test_attacks_on_a_linear_classifier_are_as_bad_as_can_be(n_steps):
    """A row falls if its margin is less than the norm of the weights times epsilon."""
    X, y = load_breast_cancer(return_X_y=True)
    names = np.array(["bad", "good"])[y]
    clf = C2CClassifier(**LINEAR).fit(StandardScaler().fit_transform(X) * [3.0] * 30, names)
    X = StandardScaler().fit_transform(X) * 3.0
    display = RobustnessDisplay.from_estimator(
        clf, X, names, kind="adversarial", epsilons=SIZES, n_steps=n_steps
    )
    weights = clf.coefs_[0][:, 0] * 3.0  # per standard deviation
    margin = (2 * y - 1) * clf.decision_function(X)
    expected = [np.mean(margin > size * np.linalg.norm(weights)) for size in SIZES]
    assert_allclose(display.scores[:, 0], expected, atol=1e-12)
    assert len(set(expected)) == len(SIZES)  # which shows something


def test_attacks_on_a_linear_regressor_are_as_bad_as_can_be():
    """The residual grows by the norm of the weights times epsilon."""
    X, y = load_diabetes(return_X_y=True)
    reg = C2CRegressor(**LINEAR).fit(X, y)
    scale = np.linspace(0.0, 1.0, 10) * X.std(axis=0)
    display = RobustnessDisplay.from_estimator(
        reg, X, y, kind="adversarial", epsilons=SIZES, scale=scale, scoring="neg_mean_squared_error"
    )
    slope = np.linalg.norm(jacobian(reg, X)[0, 0] * scale)
    residual = abs(y - reg.predict(X))
    expected = [-np.mean((residual + size * slope) ** 2) for size in SIZES]
    assert_allclose(display.scores[:, 0], expected)
    assert display.score_name == "Negative mean squared error"


def test_attacks_stay_within_the_radius_and_steps_help():
    X, y = load_iris(return_X_y=True)
    clf = C2CClassifier(**DEEP).fit(X, y)
    scale = X.std(axis=0)
    losses = {}
    for n_steps in (1, 10):
        moved = attacked(clf, X, y, 0.7, scale, n_steps)
        length = np.linalg.norm((moved - X) / scale, axis=1)
        assert length.max() <= 0.7 * (1 + 1e-12)
        losses[n_steps] = log_loss(y, clf.predict_proba(moved))
    assert_allclose(length, 0.7)
    rng = np.random.default_rng(0)
    directions = rng.normal(size=X.shape)
    directions *= 0.7 / np.linalg.norm(directions, axis=1, keepdims=True)
    at_random = log_loss(y, clf.predict_proba(X + scale * directions))
    assert log_loss(y, clf.predict_proba(X)) < at_random < losses[1] < losses[10]


def test_steps_of_an_attack_have_their_length(monkeypatch):
    """2.5 of the four quarters of the radius, along two gradients in turn."""
    gradients = iter([[3.0, 0.0], [0.0, 5.0], [0.0, 0.0], [0.0, 0.0]])
    monkeypatch.setattr(
        moved_rows, "loss_gradient", lambda estimator, X, y: np.array([next(gradients)])
    )
    moved = attacked(None, np.zeros((1, 2)), [1], 0.8, np.array([1.0, 10.0]), 4)
    assert_allclose(moved, [[0.5, 5.0]])


def test_a_frame_can_be_attacked():
    pytest.importorskip("pandas")
    X, y = load_iris(return_X_y=True, as_frame=True)
    clf = C2CClassifier(**DEEP).fit(X, y)
    settings = {"kind": "adversarial", "epsilons": SIZES}
    of_frame = RobustnessDisplay.from_estimator(clf, X, y, **settings)
    clf = C2CClassifier(**DEEP).fit(X.to_numpy(), y)
    of_array = RobustnessDisplay.from_estimator(clf, X.to_numpy(), y, **settings)
    assert_array_equal(of_frame.scores, of_array.scores)
    assert of_frame.scores[0, 0] == clf.score(X.to_numpy(), y)


def test_an_attack_leaves_truth_values_as_they_are():
    pd = pytest.importorskip("pandas")
    X, y = load_iris(return_X_y=True)
    X = pd.DataFrame({"width": X[:, 3], "long": X[:, 2] > 4, "n": (10 * X[:, 0]).astype(int)})
    clf = C2CClassifier(**DEEP).fit(X, y)
    moved = attacked(clf, X, y, 0.5, np.array([1.0, 2.0]), 5)
    assert_array_equal(moved["long"], X["long"])
    length = np.hypot(moved["width"] - X["width"], (moved["n"] - X["n"]) / 2)
    assert_allclose(length, 0.5)


OTHERS = (
    RandomForestClassifier(10, random_state=0),
    make_pipeline(StandardScaler(), LogisticRegression()),
)


@pytest.mark.parametrize("estimator", OTHERS, ids=["forest", "pipeline"])
def test_any_estimator_is_scored_on_noisy_rows(estimator):
    X, y = load_iris(return_X_y=True)
    estimator.fit(X, y)
    weight = np.where(y == 2, 2.0, 1.0)
    display = RobustnessDisplay.from_estimator(
        estimator, X, y, epsilons=[0.0, 0.4], n_repeats=4, random_state=0, sample_weight=weight
    )
    assert display.scores.shape == (2, 4)
    assert_allclose(display.scores[0], estimator.score(X, y, weight))
    noise = seen_rows(X, epsilons=[0.4], n_repeats=4)
    assert_allclose(display.scores[1], [estimator.score(rows, y, weight) for rows in noise])
    assert_allclose(display.line_.get_ydata(), display.scores.mean(axis=1))
    corners = display.band_.get_paths()[0].vertices
    mean, spread = display.scores.mean(axis=1), display.scores.std(axis=1)
    for size, low, high in zip((0.0, 0.4), mean - spread, mean + spread, strict=True):
        at_size = corners[corners[:, 0] == size, 1]
        assert_allclose([at_size.min(), at_size.max()], [low, high])


@pytest.mark.parametrize(
    ("scoring", "name"),
    [
        (None, "R2"),
        ("r2", "R2"),
        ("neg_root_mean_squared_error", "Negative root mean squared error"),
        (make_scorer(max_error), "Score"),
    ],
)
def test_the_score_has_a_name(scoring, name):
    X, y = load_diabetes(return_X_y=True)
    ridge = Ridge().fit(X, y)
    settings = {"scoring": scoring, "epsilons": [0.0, 1.0], "n_repeats": 1}
    display = RobustnessDisplay.from_estimator(ridge, X, y, **settings)
    assert display.ax_.get_ylabel() == name
    assert display.band_ is None
    display = RobustnessDisplay.from_estimator(ridge, X, y, score_name="ours", **settings)
    assert display.ax_.get_ylabel() == "ours"


def test_several_models_and_both_kinds_share_axes():
    X, y = load_iris(return_X_y=True)
    clf = C2CClassifier(**DEEP).fit(X, y)
    settings = {"epsilons": [0.0, 1.0], "n_repeats": 1}
    first = RobustnessDisplay.from_estimator(clf, X, y, **settings)
    ax = first.ax_
    assert ax.get_xlabel().startswith("Std of the noise")
    assert "std of the feature" in ax.get_xlabel()
    RobustnessDisplay.from_estimator(OTHERS[0].fit(X, y), X, y, ax=ax, name="forest", **settings)
    assert ax.get_xlabel() == first.ax_.get_xlabel()
    attack = RobustnessDisplay.from_estimator(clf, X, y, kind="adversarial", ax=ax, **settings)
    assert ax.get_xlabel().startswith("Size of the perturbation")
    assert attack.plot(ax=ax, name="again", color="k").line_.get_color() == "k"
    assert [line.get_label() for line in ax.lines] == [
        "C2CClassifier (random)",
        "forest (random)",
        "C2CClassifier (adversarial)",
        "again (adversarial)",
    ]
    raw = RobustnessDisplay.from_estimator(clf, X, y, scale=None, **settings)
    assert "std of the feature" not in raw.ax_.get_xlabel()


def test_a_score_without_targets():
    X = load_iris().data
    auto = C2CAutoencoder(2, max_iter=5, random_state=0).fit(X)
    display = RobustnessDisplay.from_estimator(auto, X, epsilons=[0.0, 2.0], n_repeats=1)
    assert_allclose(display.scores[0], auto.score(X))
    assert display.score_name == "Score"


def test_the_default_sizes_go_from_zero_to_one():
    X, y = load_iris(return_X_y=True)
    display = RobustnessDisplay.from_estimator(OTHERS[0].fit(X, y), X, y, n_repeats=1)
    assert_allclose(display.epsilons, np.arange(11) / 10)


def test_bad_input_is_refused():
    X, y = load_iris(return_X_y=True)
    clf, forest = C2CClassifier(**DEEP).fit(X, y), OTHERS[0].fit(X, y)
    draw = RobustnessDisplay.from_estimator
    for kind in ("random", "adversarial"):
        with pytest.raises(NotFittedError):
            draw(C2CClassifier(), X, y, kind=kind)
    with pytest.raises(NotFittedError):
        draw(RandomForestClassifier(), X, y)
    for other in (forest, make_pipeline(StandardScaler(), clf), C2CAutoencoder(max_iter=2).fit(X)):
        with pytest.raises(TypeError, match="'adversarial' needs derivatives.*'random' takes any"):
            draw(other, X, y, kind="adversarial")
    with pytest.raises(ValueError, match="kind must be 'random' or 'adversarial'. Got 'vat'"):
        draw(clf, X, y, kind="vat")
    for epsilons in ([], [-1.0], [np.nan], [[1.0]], "all", 1.0):
        with pytest.raises(ValueError, match="epsilons must be a list of finite numbers"):
            draw(clf, X, y, epsilons=epsilons)
    for name in ("n_repeats", "n_steps"):
        for count in (0, 1.5):
            with pytest.raises(ValueError, match=f"{name} must be a positive integer. Got {count}"):
                draw(clf, X, y, **{name: count})
    with pytest.raises(ValueError, match="scale must be"):
        draw(forest, X, y, scale=[1.0])
