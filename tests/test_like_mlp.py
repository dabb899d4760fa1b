"""From the same weights, epochs are those of scikit-learn's MLPClassifier and MLPRegressor."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from oracles import PLAIN
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skc2c import C2CClassifier, C2CRegressor

rng = np.random.default_rng(0)
N = 90
X = rng.normal(size=(N, 4))
NOISY = X[:, 0] + np.sin(X[:, 1]) + 0.3 * rng.normal(size=N)
TARGETS = {
    "two classes": (NOISY > 0).astype(int),
    "three classes": np.digitize(NOISY, [-0.5, 0.5]),
    "labels": np.column_stack([NOISY > 0, X[:, 2] > 0, X[:, 1] > 0.3]).astype(int),
    # Ours trains on targets of mean zero and variance one.
    "real": (NOISY - NOISY.mean()) / NOISY.std(),
}
SHARED = {
    "hidden_layer_sizes": (7, 5),
    "activation": "tanh",
    "learning_rate_init": 0.02,
    "shuffle": False,
    "random_state": 0,
    "tol": 0.0,
    "n_iter_no_change": 1000,
}
tasks = pytest.mark.parametrize("task", TARGETS)


def pair(task, l2, batch_size):
    """An MLP and one of ours."""
    ours, theirs = C2CClassifier, MLPClassifier
    if task == "real":
        ours, theirs = C2CRegressor, MLPRegressor
    settings = SHARED | {"batch_size": batch_size}
    own = PLAIN | {"penalty": None, "l2": l2, "dtype": "float64"} | settings
    return theirs(alpha=l2, **settings), ours(**own)


def announced(task):
    return {"classes": np.unique(TARGETS[task])} if "classes" in task else {}


def with_weights_of(mlp, model, task):
    """The MLP before its first step, with the initial weights of ours."""
    y = TARGETS[task]
    still = clone(model).set_params(learning_rate_init=1e-300)
    still.partial_fit(X, y, **announced(task))
    labels = {"classes": np.arange(3)} if task == "labels" else announced(task)
    mlp.partial_fit(X, y, **labels)
    for name in ("coefs_", "intercepts_"):
        setattr(mlp, name, [part.copy() for part in getattr(still, name)])
    mlp.t_, mlp.loss_curve_, mlp.best_loss_ = 0, [], np.inf
    del mlp._optimizer
    return mlp


def assert_same(model, mlp):
    for name in ("coefs_", "intercepts_"):
        for one, other in zip(getattr(model, name), getattr(mlp, name), strict=True):
            assert_allclose(one, other, rtol=1e-7, atol=1e-9)


@tasks
@pytest.mark.parametrize(("batch_size", "l2"), [(N, 3.0), (20, 0.0)])
def test_calls_are_steps_of_the_mlp(task, batch_size, l2):
    """The MLP divides its decay by the size of a batch, so that it is tried with all rows."""
    y = TARGETS[task]
    mlp, model = pair(task, l2, batch_size)
    with_weights_of(mlp, model, task)
    for _ in range(8):
        mlp.partial_fit(X, y)
        model.partial_fit(X, y, **announced(task))
    assert_same(model, mlp)
    assert_allclose(model.loss_curve_, mlp.loss_curve_, rtol=1e-7)
    assert model.t_ == mlp.t_ == 8 * N
    assert_allclose(model.best_loss_, min(mlp.loss_curve_))
    for name in ("n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(model, name) == getattr(mlp, name)
    if task != "real":
        assert_allclose(model.predict_proba(X), mlp.predict_proba(X), rtol=1e-6)


@tasks
def test_epochs_of_a_fit_are_steps_of_the_mlp(task):
    y = TARGETS[task]
    mlp, model = pair(task, 0.0, 20)
    with_weights_of(mlp, model, task)
    for _ in range(8):
        mlp.partial_fit(X, y)
    assert_same(model.set_params(max_iter=8).fit(X, y), mlp)


@tasks
def test_chunks_of_other_lengths_are_steps_of_the_mlp(task):
    """The moments of Adam and its count of steps go on, in both."""
    y = TARGETS[task]
    mlp, model = pair(task, 0.0, 16)
    with_weights_of(mlp, model, task)
    # The first call of ours decides on the units of y: it sees all rows, in a step of no length.
    rate = model.learning_rate_init
    if task == "real":
        model.set_params(learning_rate_init=1e-300).partial_fit(X, y)
        model.set_params(learning_rate_init=rate)
        model._state["solver"] = None
    for start, stop in ((0, 40), (40, 65), (65, 90), (10, 33)):
        rows = slice(start, stop)
        mlp.partial_fit(X[rows], y[rows])
        model.partial_fit(X[rows], y[rows], **announced(task))
    assert_same(model, mlp)


def test_curves_count_on_with_a_warm_start_as_those_of_the_mlp():
    y = TARGETS["real"]
    mlp, model = pair("real", 0.0, 20)
    for early_stopping in (False, True):
        settings = {"warm_start": True, "max_iter": 3, "early_stopping": early_stopping}
        found = [clone(one).set_params(**settings) for one in (mlp, model)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for one in found * 2:
                one.fit(X, y)
        for count in (
            lambda one: one.n_iter_,
            lambda one: one.t_,
            lambda one: len(one.loss_curve_),
            lambda one: one.best_loss_ is None,
            lambda one: one.validation_scores_ and len(one.validation_scores_),
            lambda one: one.best_validation_score_ is None,
        ):
            assert count(found[0]) == count(found[1])
