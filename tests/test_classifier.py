"""The classifier: labels of every kind in, probabilities out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris, make_blobs, make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from skc2c import C2CClassifier
from skc2c.penalties import PENALTIES
from skc2c.solvers import SOLVERS

each_solver = pytest.mark.parametrize("solver", SOLVERS)


def quick(**parameters):
    """One small network on the rows as they are."""
    small = {"hidden_layer_sizes": (30,), "random_state": 0}
    return C2CClassifier(**PLAIN | small | parameters)


def flowers():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


LABELS = {
    "int": np.array([0, 1, 2]),
    "gaps": np.array([-7, 3, 40]),
    "str": np.array(["setosa", "versicolor", "virginica"]),
    "object": np.array(["setosa", "versicolor", "virginica"], dtype=object),
    "float": np.array([0.0, 1.0, 2.0]),
}


@each_solver
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_of_any_kind(labels, solver):
    X, y = flowers()
    clf = quick(solver=solver).fit(X, labels[y])
    assert_array_equal(clf.classes_, labels)
    assert clf.predict(X).dtype == labels.dtype
    assert clf.score(X, labels[y]) > 0.9
    assert clf.predict_proba(X).shape == (150, 3)
    assert_allclose(clf.predict_proba(X).sum(axis=1), 1.0)


@pytest.mark.parametrize(
    "labels", [[False, True], [-1, 1], [0, 1], ["no", "yes"], [True, False]], ids=str
)
def test_two_classes(labels):
    X, y = make_blobs(200, centers=2, random_state=0)
    labels = np.sort(np.array(labels))
    clf = quick().fit(X, labels[y])
    assert_array_equal(clf.classes_, labels)
    assert clf.out_activation_ == "logistic"
    h = clf.decision_function(X)
    assert h.shape == (200,)
    assert_array_equal(clf.predict(X), labels[(h > 0).astype(int)])
    proba = clf.predict_proba(X)
    assert_allclose(proba[:, 1], 1 / (1 + np.exp(-h)))
    assert clf.predict(X).dtype == labels.dtype
    assert clf.score(X, labels[y]) > 0.9


@each_solver
@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
def test_multilabel(solver, penalty):
    X, y = make_multilabel_classification(100, n_labels=2, n_classes=3, random_state=0)
    X = StandardScaler().fit_transform(X)
    clf = quick(solver=solver, penalty=penalty, max_iter=50, learning_rate_init=0.01)
    from_sparse = clone(clf).fit(X, sparse.csr_array(y))
    clf.fit(X, y)
    assert clf.out_activation_ == "logistic"
    assert_array_equal(clf.classes_, np.arange(3))
    assert clf.predict(X).shape == clf.predict_proba(X).shape == (100, 3)
    assert_array_equal(clf.predict(X), clf.predict_proba(X) > 0.5)
    assert (clf.predict(X) == y).mean() > 0.9
    assert_array_equal(from_sparse.predict(X), clf.predict(X))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("C", [0.1, 10.0])
def test_linear_model_is_logistic_regression(n_classes, C):
    """An independent optimum of the same objective: l2 = 1 / C, intercepts free."""
    X, y = flowers()
    X, y = X[y < n_classes], y[y < n_classes]
    weight = np.linspace(0.5, 2.0, len(y))
    settings = {"penalty": None, "solver": "lbfgs", "tol": 1e-9, "max_iter": 2000}
    ours = quick(hidden_layer_sizes=(), l2=1 / C, **settings)
    theirs = LogisticRegression(C=C, tol=1e-10, max_iter=2000)
    proba = ours.fit(X, y, weight).predict_proba(X)
    assert_allclose(proba, theirs.fit(X, y, weight).predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_log_proba_is_finite_where_proba_is_not_a_float(n_classes):
    X, y = make_blobs(60, centers=n_classes, random_state=1)
    clf = quick(penalty=None, l2=0.0).fit(X, y)
    clf.coefs_[-1] = clf.coefs_[-1] * 1e4
    log_proba = clf.predict_log_proba(X)
    assert log_proba.min() < -1000
    assert np.isfinite(log_proba).all()
    proba = clf.predict_proba(X)
    assert ((proba > 0) & (proba < 1)).all()
    assert_array_equal(proba.argmax(axis=1), log_proba.argmax(axis=1))
    h = clf.decision_function(X)
    if n_classes == 2:
        h = np.stack([np.zeros_like(h), h], axis=1)
    assert_allclose(log_proba, h - np.logaddexp.reduce(h, axis=1)[:, None], rtol=1e-12)


def test_early_stopping_watches_the_loss_or_any_score():
    """Of fifteen rows with a name for a label; log(3) is what a guess costs."""
    X, y = flowers()
    names = np.array(["a", "b", "c"])[y]
    clf = quick(early_stopping=True).fit(X, names)
    assert -np.log(3) < clf.best_validation_score_ < 0.0
    clf = quick(early_stopping=True, scoring="accuracy").fit(X, names)
    hits = np.array(clf.validation_scores_) * 15
    assert_allclose(hits, hits.round(), atol=1e-9)
    assert 8 < hits.max() <= 15


def test_class_weight_is_a_weight_of_rows():
    X, y = flowers()
    factors = {0: 1.0, 1: 5.0, 2: 0.5}
    rows = np.array([factors[label] for label in y])
    weight = np.linspace(1, 2, 150)
    by_class = quick(class_weight=factors, solver="lbfgs").fit(X, y, weight)
    by_row = quick(solver="lbfgs").fit(X, y, weight * rows)
    assert_array_equal(by_class.coefs_[0], by_row.coefs_[0])
    partial = quick(class_weight={1: 5.0}, solver="lbfgs").fit(X, y)
    by_row = quick(solver="lbfgs").fit(X, y, np.where(y == 1, 5.0, 1.0))
    assert_array_equal(partial.coefs_[0], by_row.coefs_[0])


def test_balanced_class_weight_makes_classes_equal():
    X, y = flowers()
    keep = np.r_[0:50, 50:60, 100:150]
    X, y = X[keep], y[keep]
    balanced = quick(class_weight="balanced", penalty=None).fit(X, y)
    plain = quick(penalty=None).fit(X, y)
    assert balanced.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean() + 0.02
    weight = 110 / (3 * np.bincount(y)[y])
    by_row = quick(penalty=None).fit(X, y, weight)
    assert_allclose(balanced.coefs_[0], by_row.coefs_[0], rtol=1e-4, atol=1e-5)


def test_zero_weight_is_no_row():
    X, y = flowers()
    weight = np.ones(150)
    weight[::7] = 0
    for solver in ("adam", "lbfgs"):
        weighted = quick(solver=solver).fit(X, y, weight)
        removed = quick(solver=solver).fit(X[weight > 0], y[weight > 0])
        assert_array_equal(weighted.coefs_[0], removed.coefs_[0])


@pytest.mark.parametrize(
    ("y", "parameters", "weight", "message"),
    [
        (np.linspace(0, 1, 150), {}, None, "continuous"),
        (np.ones((150, 2)) * 3, {}, None, "[Mm]ulti.?output"),
        (np.arange(150) % 2, {"class_weight": {5: 1.0}}, None, "class_weight.*5"),
        (np.arange(150) % 2, {"class_weight": {1: -1.0}}, None, r"class_weight.*-1\.0"),
        (np.arange(150) % 2, {"class_weight": "even"}, None, "class_weight.*'even'"),
        (
            np.eye(3, dtype=int)[np.arange(150) % 3],
            {"class_weight": "balanced"},
            None,
            "multilabel",
        ),
        (np.arange(150) % 2, {"class_weight": {0: 0, 1: 0}}, None, "no class"),
        (np.array([None, "a"] * 75, dtype=object), {}, None, "[Uu]nknown|NaN|label"),
    ],
)
def test_bad_targets_are_refused(y, parameters, weight, message):
    X, _ = flowers()
    clf = quick(**parameters)
    with pytest.raises((ValueError, TypeError), match=message):
        clf.fit(X, y, weight)
    assert not hasattr(clf, "classes_")


def test_warm_start_needs_the_same_classes():
    X, y = flowers()
    clf = quick(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="classes of the previous fit"):
        clf.fit(X, y + 1)
    assert clf.fit(X[:100], y[:100]).predict_proba(X).shape == (150, 3)


def test_warm_start_needs_the_same_kind_of_target():
    X, y = flowers()
    indicator = np.eye(3, dtype=int)[y]
    for first, second in ((y, indicator), (indicator, y)):
        clf = quick(warm_start=True).fit(X, first)
        with pytest.raises(ValueError, match="warm_start=True needs"):
            clf.fit(X, second)
        assert clf.fit(X, first).score(X, first) > 0.5


def test_column_of_labels_warns_as_scikit_learn_does():
    X, y = flowers()
    with pytest.warns(UserWarning, match="column-vector"):
        quick().fit(X, y[:, None])


@each_solver
def test_penalty_improves_the_probabilities_of_an_overfitting_network(solver):
    """On held-out rows with noisy labels."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5))
    y = (X[:, 0] + rng.logistic(size=400) > 0).astype(int)
    losses = {}
    for penalty in (None, "c2c"):
        settings = {"alpha": 0.3, "epsilon": 1.0, "l2": 0.0, "learning_rate_init": 0.01}
        clf = quick(hidden_layer_sizes=(100,), penalty=penalty, solver=solver, **settings)
        losses[penalty] = log_loss(y[200:], clf.fit(X[:200], y[:200]).predict_proba(X[200:]))
    assert losses["c2c"] < losses[None] - 0.05
