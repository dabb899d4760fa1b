"""The course of a fit, against what its parts are when they are computed at its networks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN
from sklearn.metrics import log_loss

from skc2c import C2CClassifier, C2CRegressor
from skc2c.inspection import jacobian

each_solver = pytest.mark.parametrize("solver", ["adam", "lbfgs"])
ONE = {**PLAIN, "hidden_layer_sizes": (6,), "tol": 0.0, "random_state": 0, "max_iter": 8}
SEVERAL = {"hidden_layer_sizes": (6,), "random_state": 0, "max_iter": 30, "batch_size": 10}
SHORT = SEVERAL | {"max_iter": 8, "batch_size": 15}


@pytest.fixture
def rows(rng):
    X = rng.normal(size=(60, 3))
    return X, np.where(X[:, 0] * X[:, 1] > 0, "yes", "no")


def summed(history):
    return np.sum([history[name] for name in ("loss", "penalty", "l2")], axis=0)


@pytest.mark.filterwarnings("ignore:penalty=.* learns nothing from rows")
@each_solver
@pytest.mark.parametrize("settings", [ONE, SHORT], ids=["one", "several"])
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("penalty", ["c2c", "vat", "noise", None])
def test_the_parts_sum_to_the_objective(rows, rng, solver, settings, pool, penalty):
    X, y = rows
    pool = {"X_unlabeled": rng.normal(size=(30, 3))} if pool else {}
    clf = C2CClassifier(**settings | {"solver": solver, "penalty": penalty}).fit(X, y, **pool)
    history = clf.history_
    assert_array_equal(history["objective"][: clf.n_iter_], clf.loss_curve_)
    assert_allclose(summed(history), history["objective"], rtol=1e-6)  # float32 in part
    assert min(history["loss"]) > 0
    assert min(history["l2"]) > 0
    if penalty in ("noise", None):
        assert_array_equal(history["penalty"], 0.0)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_the_parts_are_those_of_the_fitted_network(rows, is_weighted):
    """L-BFGS: at the end of an iteration, over all rows."""
    X, y = rows
    weight = np.linspace(0.5, 2.0, len(y)) if is_weighted else None
    # Exact, so that nothing is drawn.
    settings = {"solver": "lbfgs", "penalty": "jacobian", "alpha": 0.7, "l2": 0.3}
    clf = C2CClassifier(**ONE | settings)
    clf.fit(X, y, sample_weight=weight)
    last = {name: values[-1] for name, values in clf.history_.items()}
    assert_allclose(last["loss"], log_loss(y, clf.predict_proba(X), sample_weight=weight))
    squares = sum(np.sum(kernel**2) for kernel in clf.coefs_)
    total = len(y) if weight is None else weight.sum()
    assert_allclose(last["l2"], 0.3 / 2 / total * squares)
    J = jacobian(clf, X)
    rough = clf.epsilon_**2 * np.average(np.sum(J**2, axis=(1, 2)), weights=weight)
    assert_allclose(last["penalty"], 0.7 * rough)


def test_an_epoch_is_the_mean_of_its_batches(rows):
    """At a rate of nearly zero it is that over all rows, also if batches differ in size."""
    X, y = rows
    settings = ONE | {"learning_rate_init": 1e-12, "batch_size": 25, "penalty": None, "max_iter": 1}
    clf = C2CClassifier(**settings).fit(X, y)
    assert_allclose(clf.history_["loss"], [log_loss(y, clf.predict_proba(X))])


def test_validation_scores_are_there(rows):
    X, y = rows
    clf = C2CClassifier(**ONE, early_stopping=True).fit(X, y)
    assert clf.history_["validation_score"] == clf.validation_scores_


@each_solver
def test_the_out_of_fold_loss_is_noted_at_the_ends_of_cycles(rows, solver):
    X, y = rows
    clf = C2CClassifier(**SEVERAL | {"solver": solver, "penalty": None}, numeric_embedding=None)
    clf.fit(X, y)
    oob = np.array(clf.history_["oob_loss"])
    assert len(oob) == len(clf.history_["objective"]) >= clf.n_iter_
    measured = oob[np.isfinite(oob)]
    assert 1 < len(measured) < len(oob)
    assert np.isfinite(oob[clf.n_iter_ - 1])
    # The mix is at least as good as each of its parts.
    assert log_loss(y, clf.oob_decision_function_) <= measured.min() + 1e-12


def test_an_incremental_fit_goes_on(rows):
    X, _ = rows
    reg = C2CRegressor(**ONE)
    for n in (1, 2, 3):
        reg.partial_fit(X, X[:, 0])
        assert {len(values) for values in reg.history_.values()} == {n}
    assert_array_equal(reg.history_["objective"], reg.loss_curve_)
