"""What an incremental fit makes of y: its kind is that of the first call."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from oracles import PLAIN
from tuned import TASKS, draw, make

from skc2c import C2CClassifier, C2CRegressor
from skc2c.estimators.regressor import LOSSES

SMALL = {"hidden_layer_sizes": (8,), "random_state": 0, "max_iter": 3, "batch_size": 20}


def quick(cls=C2CClassifier, **parameters):
    """One small network on the rows as they are."""
    return cls(**PLAIN | SMALL | parameters)


X = np.random.default_rng(0).normal(size=(90, 4))
CODES = np.digitize(X[:, 0], [-0.5, 0.5])
INDICATOR = np.eye(3, dtype=int)[CODES]
REAL = 10.0 + 3.0 * X[:, 0]
REALS = np.stack([REAL, -REAL], axis=1)


def assert_refused_and_unchanged(model, arguments, message):
    before = dict(vars(model))
    with pytest.raises(ValueError, match=message):
        model.partial_fit(*arguments)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())


# ---------------------------------------------------------------- y of another kind


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        (INDICATOR, CODES, "kind of the first call.*matrix.*Got one label"),
        (INDICATOR, CODES % 2, "kind of the first call.*matrix.*Got one label"),
        (INDICATOR, INDICATOR[:, :2], r"labels of the first call, 3 columns.*\(90, 2\)"),
        (CODES, INDICATOR, "kind of the first call.*one label.*Got a 0/1 indicator"),
        (CODES, INDICATOR[:, :2], "kind of the first call"),
        (CODES % 2, INDICATOR[:, :2], "kind of the first call"),
    ],
)
@pytest.mark.parametrize("fits", [False, True])
def test_a_classifier_refuses_labels_of_another_kind(first, then, message, fits):
    model = quick()
    if fits:
        model.fit(X, first)
    else:
        model.partial_fit(X, first, classes=None if first.ndim == 2 else np.unique(first))
    assert_refused_and_unchanged(model, (X, then), message)


@pytest.mark.parametrize(
    ("first", "then"), [(REAL, REALS), (REALS, REAL), (REALS, np.column_stack([REALS, REAL]))]
)
def test_a_regressor_refuses_another_number_of_targets(first, then):
    model = quick(C2CRegressor).partial_fit(X, first)
    assert_refused_and_unchanged(model, (X, then), "partial_fit needs.*number of targets")


@pytest.mark.parametrize("before", LOSSES)
@pytest.mark.parametrize("now", LOSSES)
def test_the_loss_stays_what_it_was(before, now):
    """Also where the networks of both losses look alike."""
    model = quick(C2CRegressor, loss=before, warm_start=True).partial_fit(X, abs(REAL))
    model.set_params(loss=now)
    if now == before:
        assert model.partial_fit(X, abs(REAL)).n_iter_ == 2
        return
    message = f"needs the loss.*'{before}' and 1. Got '{now}'"
    assert_refused_and_unchanged(model, (X, abs(REAL)), f"partial_fit {message}")
    with pytest.raises(ValueError, match=f"warm_start=True {message}"):
        model.fit(X, abs(REAL))


def test_a_warm_start_needs_the_same_targets():
    """One mean and one variance are as many outputs as two means."""
    reg = quick(C2CRegressor, loss="gaussian_nll", warm_start=True).fit(X, REAL)
    with pytest.raises(ValueError, match="warm_start=True needs the loss.*number of targets"):
        reg.set_params(loss="squared_error").fit(X, REALS)
    clf = quick(warm_start=True).fit(X, INDICATOR)
    with pytest.raises(ValueError, match="warm_start=True needs the classes.*3 columns"):
        clf.fit(X, INDICATOR[:, :2])


@pytest.mark.parametrize(
    ("cls", "y", "y_val", "message"),
    [
        (C2CRegressor, REAL, REALS, "y_val needs as many columns as y, 1. Got 2"),
        (C2CRegressor, REALS, REAL, "y_val needs as many columns as y, 2. Got 1"),
        (C2CClassifier, INDICATOR, INDICATOR[:, :2], r"y_val needs.*3 columns.*\(90, 2\)"),
        (C2CClassifier, INDICATOR, CODES % 2, r"y_val needs.*3 columns.*\(90,\)"),
        (C2CClassifier, CODES, INDICATOR, "1d array"),
    ],
)
def test_validation_targets_of_another_shape_are_refused(cls, y, y_val, message):
    model = quick(cls, early_stopping=True)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, X_val=X, y_val=y_val)
    assert not hasattr(model, "coefs_")


@pytest.mark.parametrize("classes", [[0], [0, 0], []])
def test_one_class_is_too_few_to_announce(classes):
    with pytest.raises(ValueError, match="at least two classes"):
        quick().partial_fit(X, np.zeros(90, int), classes=classes)


# ------------------------------------------------------------- a first call that says little


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n_first", [1, 20])
def test_targets_that_are_constant_at_first_need_not_stay_so(loss, n_first):
    settings = {"learning_rate_init": 0.05, "batch_size": "auto"}
    reg = quick(C2CRegressor, loss=loss, **settings)
    reg.partial_fit(X[:n_first], np.full(n_first, 8.0))
    for _ in range(70):
        reg.partial_fit(X, abs(REAL))
    assert reg.score(X, abs(REAL)) > 0.9


def test_targets_of_a_fit_that_were_constant_need_not_stay_so():
    reg = quick(C2CRegressor, learning_rate_init=0.05).fit(X, np.full(90, 8.0))
    assert_allclose(reg.predict(X), 8.0)
    for _ in range(100):
        reg.partial_fit(X, REAL)
    assert reg.score(X, REAL) > 0.9


def test_a_part_of_the_counts_may_be_zero():
    y = np.random.default_rng(0).poisson(np.exp(0.5 * X[:, 0])).astype(float)
    reg = quick(C2CRegressor, loss="poisson").partial_fit(X, y)
    before = reg.predict(X).mean()
    for _ in range(5):
        reg.partial_fit(X, np.zeros(90))
    assert reg.predict(X).mean() < before
    quick(C2CRegressor, loss="poisson").partial_fit(X, np.zeros(90)).partial_fit(X, y)
    with pytest.raises(ValueError, match="not negative"):
        reg.partial_fit(X, -y - 1.0)
    settings = {"loss": "poisson", "early_stopping": True}
    quick(C2CRegressor, **settings).fit(X, y, X_val=X[:3], y_val=np.zeros(3))


# ----------------------------------------------------------------- after several networks


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("hidden", [(8,), (8, 6)])
def test_several_networks_are_gone_on_with_as_one(task, hidden):
    rows, y = draw(task)
    model = make(task, hidden_layer_sizes=hidden, penalty="ladder").fit(rows, y)
    outputs = model.predict if task.startswith("real") else model.predict_proba
    before, n_before = outputs(rows), len(model.loss_curve_)
    score, width = model.score(rows, y), model.coefs_[0].shape[1]
    assert model.n_networks_ > 1
    model.set_params(learning_rate_init=1e-30).partial_fit(rows, y)
    assert_allclose(outputs(rows), before, rtol=1e-4, atol=1e-5 * abs(before).max())
    assert model.n_networks_ == 1
    assert model.coefs_[0].shape[1] == width
    assert model.n_iter_ == len(model.loss_curve_) == n_before + 1
    for name in ("oob_score_", "oob_prediction_", "oob_decision_function_"):
        assert not hasattr(model, name)
    model.set_params(learning_rate_init=0.05)
    for _ in range(10):
        model.partial_fit(rows, y)
    assert model.loss_curve_[-1] < model.loss_curve_[n_before] - 0.03
    assert model.score(rows, y) > score
