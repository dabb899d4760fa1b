"""Incremental fits of a linear model against the formulas of Adam, written out."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import make_classification, make_multilabel_classification

from skc2c import C2CClassifier, C2CRegressor
from skc2c.penalties import PENALTIES
from skc2c.solvers import Adam

RATE, BETA_1, BETA_2, EPSILON = 0.05, 0.8, 0.99, 1e-3
L2, ALPHA, RADIUS, BATCH = 3.0, 0.3, 0.7, 20
LINEAR = {
    "hidden_layer_sizes": (),
    "penalty": "jacobian",
    "alpha": ALPHA,
    "epsilon": RADIUS,
    "l2": L2,
    "solver": Adam(BETA_1, BETA_2, EPSILON),
    "learning_rate_init": RATE,
    "batch_size": BATCH,
    "shuffle": False,
    "dtype": "float64",
    "random_state": 0,
}


def linear(cls, **changes):
    return cls(**PLAIN | LINEAR | changes)


def start_of(model, X, y, **announced):
    """Kernel and bias before the first step."""
    still = clone(model).set_params(learning_rate_init=1e-300)
    still.partial_fit(X, y, **announced)
    return still.coefs_[0], still.intercepts_[0]


class ByHand:
    """Adam on the mean loss of a batch, the Jacobian penalty and l2 of a linear model.

    `residual` is the gradient of the loss of each row with respect to its output.
    """

    def __init__(self, W, b, residual):
        self.parameters, self.residual = [W.copy(), b.copy()], residual
        self.first, self.second = ([np.zeros_like(p) for p in (W, b)] for _ in range(2))
        self.t = 0

    def epoch(self, X, y):
        n = len(X)
        for start in range(0, n, BATCH):
            rows = slice(start, start + BATCH)
            W, b = self.parameters
            r = self.residual(X[rows] @ W + b, y[rows])
            decay = L2 / n + 2 * ALPHA * RADIUS**2
            self._step([X[rows].T @ r / len(r) + decay * W, r.mean(axis=0)])

    def _step(self, gradients):
        self.t += 1
        for i, g in enumerate(gradients):
            self.first[i] = BETA_1 * self.first[i] + (1 - BETA_1) * g
            self.second[i] = BETA_2 * self.second[i] + (1 - BETA_2) * g**2
            # In the order of the end of section 2 of the paper, where epsilon is not corrected.
            rate = RATE * np.sqrt(1 - BETA_2**self.t) / (1 - BETA_1**self.t)
            step = rate * self.first[i] / (np.sqrt(self.second[i]) + EPSILON)
            self.parameters[i] = self.parameters[i] - step


def log_loss_residual(h, y):
    return softmax(h, axis=1) - np.eye(3)[y]


@pytest.mark.parametrize("is_pickled", [False, True])
def test_a_classifier_whose_calls_have_one_class_each(is_pickled):
    """One class a call, calls of several lengths: t and the moments go on all the same."""
    X, y = make_classification(
        180, n_features=4, n_informative=4, n_redundant=0, n_classes=3, random_state=0
    )
    chunks = [np.flatnonzero(y == k)[:size] for k, size in ((0, 40), (1, 20), (2, 30))]
    model = linear(C2CClassifier)
    start = start_of(model, X[chunks[0]], y[chunks[0]], classes=[0, 1, 2])
    by_hand = ByHand(*start, log_loss_residual)
    for rows in chunks * 5:
        model.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
        model = pickle.loads(pickle.dumps(model)) if is_pickled else model
        by_hand.epoch(X[rows], y[rows])
        assert_allclose(model.coefs_[0], by_hand.parameters[0], rtol=1e-9, atol=1e-12)
        assert_allclose(model.intercepts_[0], by_hand.parameters[1], rtol=1e-9, atol=1e-12)
    assert by_hand.t == 5 * (2 + 1 + 2)
    assert model.n_iter_ == 15
    assert model.t_ == 5 * 90
    assert set(model.predict(X)) == {0, 1, 2}


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_a_regressor_in_the_units_of_its_first_call(n_outputs):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    y = 50.0 + 7.0 * X[:, :n_outputs] + rng.normal(size=(100, n_outputs))
    y[60:] += 30.0  # further targets are elsewhere
    given = y[:, 0] if n_outputs == 1 else y
    center, scale = y[:60].mean(axis=0), y[:60].std(axis=0)
    model = linear(C2CRegressor)
    W, b = start_of(model, X[:60], given[:60])
    by_hand = ByHand(W / scale, (b - center) / scale, lambda h, z: h - z)
    for rows in [slice(0, 60), slice(60, 100)] * 6:
        model.partial_fit(X[rows], given[rows])
        by_hand.epoch(X[rows], (y[rows] - center) / scale)
        W, b = by_hand.parameters
        assert_allclose(model.coefs_[0], W * scale, rtol=1e-8, atol=1e-10)
        assert_allclose(model.intercepts_[0], b * scale + center, rtol=1e-8)


def test_moments_of_a_fit_are_gone_on_with():
    """As after as many incremental calls, not from zero."""
    X, y = make_classification(80, n_features=4, random_state=0)
    settings = {"tol": 0.0, "n_iter_no_change": np.inf, "max_iter": 4}
    fitted = linear(C2CClassifier, **settings).fit(X, y)
    called = linear(C2CClassifier)
    for _ in range(4):
        called.partial_fit(X, y, classes=[0, 1])
    assert_array_equal(fitted.partial_fit(X, y).coefs_[0], called.partial_fit(X, y).coefs_[0])
    warm = linear(C2CClassifier, warm_start=True, **settings | {"max_iter": 1})
    for _ in range(5):
        warm.fit(X, y)
    assert_array_equal(warm.coefs_[0], called.coefs_[0])


def test_a_fit_that_is_not_warm_forgets_the_calls_before():
    X, y = make_classification(80, n_features=4, random_state=0)
    model = linear(C2CClassifier, max_iter=2)
    alone = clone(model).fit(X, y)
    again = model.partial_fit(X, y, classes=[0, 1]).fit(X, y)
    assert_array_equal(again.coefs_[0], alone.coefs_[0])
    assert (again.n_iter_, again.t_, len(again.loss_curve_)) == (2, 160, 2)


def test_a_call_is_a_step_of_a_full_batch_solver():
    X, y = make_classification(80, n_features=4, random_state=0)
    model = linear(C2CClassifier, solver="lbfgs")
    for _ in range(10):
        model.partial_fit(X, y, classes=[0, 1])
    assert model.n_iter_ == 10
    assert (np.diff(model.loss_curve_) <= 0.0).all()
    best = linear(C2CClassifier, solver="lbfgs", tol=1e-12).fit(X, y)
    assert model.loss_ < best.loss_ + 0.01


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
def test_epochs_of_several_labels_are_those_of_a_fit(penalty):
    X, Y = make_multilabel_classification(90, n_features=4, n_classes=3, random_state=0)
    settings = {"hidden_layer_sizes": (8,), "penalty": penalty, "shuffle": True}
    settings |= {"tol": 0.0, "n_iter_no_change": np.inf, "max_iter": 4}
    model = linear(C2CClassifier, **settings)
    whole = clone(model).fit(X, Y)
    for _ in range(4):
        model.partial_fit(X, Y)
    for one, other in zip(model.coefs_, whole.coefs_, strict=True):
        assert_array_equal(one, other)
    assert_array_equal(model.predict_proba(X), whole.predict_proba(X))
