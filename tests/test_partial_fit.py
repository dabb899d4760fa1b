"""Incremental fits: epoch by epoch, on all rows or on a part of them."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.metrics import accuracy_score

from skc2c import C2CClassifier, C2CRegressor
from skc2c.estimators.regressor import LOSSES
from skc2c.penalties import PENALTIES

both = pytest.mark.parametrize("cls", [C2CClassifier, C2CRegressor])
each_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=str)


def quick(cls=C2CClassifier, **parameters):
    """One small network on the rows as they are."""
    small = {"hidden_layer_sizes": (8,), "random_state": 0, "learning_rate_init": 0.01}
    small |= {"tol": 0.0, "n_iter_no_change": np.inf, "batch_size": 20}
    return cls(**PLAIN | small | parameters)


def draw(cls, n=90):
    X, y = make_classification(
        n, n_features=4, n_informative=4, n_redundant=0, n_classes=3, random_state=0
    )
    return X, y if cls is C2CClassifier else 50.0 + 7.0 * y + X[:, 0]


def announced(cls):
    return {"classes": [0, 1, 2]} if cls is C2CClassifier else {}


def parts_of(model):
    return [*model.coefs_, *model.intercepts_, model.penalty_parameters_]


# ---------------------------------------------------------------------- epoch after epoch


@both
@each_penalty
@pytest.mark.parametrize("shuffle", [True, False])
def test_epochs_one_by_one_are_those_of_a_fit(cls, penalty, shuffle):
    """To the last bit where y has no unit, in which parameters are stored."""
    X, y = draw(cls)
    model = quick(cls, penalty=penalty, shuffle=shuffle, max_iter=5)
    whole = clone(model).fit(X, y)
    for _ in range(5):
        model.partial_fit(X, y, **announced(cls))
    for one, other in zip(parts_of(model), parts_of(whole), strict=True):
        if cls is C2CClassifier:
            assert_array_equal(one, other)
        else:
            assert_allclose(one, other, rtol=1e-3, atol=1e-3)
    assert_allclose(model.loss_curve_, whole.loss_curve_, rtol=1e-4)
    for name in ("n_iter_", "t_"):
        assert getattr(model, name) == getattr(whole, name)


@both
@each_penalty
def test_an_incremental_fit_goes_on_after_a_fit(cls, penalty):
    X, y = draw(cls)
    model = quick(cls, penalty=penalty, max_iter=3).fit(X, y)
    whole = quick(cls, penalty=penalty, max_iter=5).fit(X, y)
    for _ in range(2):
        model.partial_fit(X, y)
    assert_allclose(model.loss_curve_, whole.loss_curve_, rtol=1e-4)
    assert_allclose(model.coefs_[0], whole.coefs_[0], rtol=1e-3, atol=1e-3)


@both
def test_it_goes_on_after_it_has_been_pickled(cls):
    X, y = draw(cls)
    model = quick(cls).partial_fit(X, y, **announced(cls))
    copy = pickle.loads(pickle.dumps(model))
    for one, other in zip(
        parts_of(model.partial_fit(X, y)), parts_of(copy.partial_fit(X, y)), strict=True
    ):
        assert_array_equal(one, other)


@both
def test_rows_that_come_in_parts_are_learned(cls):
    """Thirty passes over five parts, one after the other."""
    X, y = draw(cls, n=300)
    model = quick(cls)
    for _ in range(30):
        for start in range(0, 300, 60):
            part = slice(start, start + 60)
            model.partial_fit(X[part], y[part], **announced(cls))
    assert model.n_iter_ == len(model.loss_curve_) == 150
    assert model.t_ == 30 * 300
    assert model.score(X, y) > quick(cls, max_iter=1).fit(X, y).score(X, y) + 0.2


@both
def test_max_iter_and_folds_play_no_part(cls):
    X, y = draw(cls)
    usual = quick(cls).partial_fit(X, y, **announced(cls))
    other = quick(cls, max_iter=77, cv=4)
    other.partial_fit(X, y, **announced(cls))
    for one, expected in zip(parts_of(other), parts_of(usual), strict=True):
        assert_array_equal(one, expected)


# ------------------------------------------------------------------------------- the first call


def test_the_first_call_decides_on_the_classes():
    X, y = draw(C2CClassifier)
    model = quick().partial_fit(X[:30], np.zeros(30, int), classes=[2, 0, 1])
    assert_array_equal(model.classes_, [0, 1, 2])
    for _ in range(100):
        model.partial_fit(X, y)
    assert accuracy_score(y, model.predict(X)) > 0.6


def test_classes_may_be_words_or_several():
    X, y = draw(C2CClassifier)
    names = np.array(["a", "b", "c"])
    model = quick().partial_fit(X, names[y], classes=names)
    assert set(model.predict(X)) <= set(names)
    several = quick().partial_fit(X, np.eye(3, dtype=int)[y])
    assert several.partial_fit(X, np.eye(3, dtype=int)[y]).predict(X).shape == (90, 3)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_first_call_decides_on_the_units_of_y(loss):
    """Later targets that are far from the first ones stay where they are."""
    X, y = draw(C2CRegressor)
    model = quick(C2CRegressor, loss=loss).partial_fit(X, y)
    before = model.predict(X)
    still = model.set_params(learning_rate_init=1e-300, dtype="float64")
    assert_allclose(still.partial_fit(X, y + 1000.0).predict(X), before, rtol=1e-5)


@both
def test_the_first_call_decides_on_the_scaling_of_the_inputs(cls):
    X, y = draw(cls)
    model = quick(cls, input_scaling="robust").partial_fit(X, y, **announced(cls))
    center, scale = model.input_center_, model.input_scale_
    model.partial_fit(X + 100.0, y)
    assert_array_equal(model.input_center_, center)
    assert_array_equal(model.input_scale_, scale)


@both
def test_rows_without_a_label_may_come_along(cls):
    X, y = draw(cls)
    model = quick(cls, alpha=1.0)
    alone = clone(model).partial_fit(X[:30], y[:30], **announced(cls))
    found = clone(model).partial_fit(X[:30], y[:30], X_unlabeled=X[30:], **announced(cls))
    assert abs(found.coefs_[0] - alone.coefs_[0]).max() > 1e-4
    whole = clone(model).set_params(max_iter=1).fit(X[:30], y[:30], X_unlabeled=X[30:])
    assert_allclose(found.coefs_[0], whole.coefs_[0], rtol=1e-5, atol=1e-6)


@both
def test_weights_count(cls):
    X, y = draw(cls)
    weight = np.linspace(0.1, 3.0, 90)
    found = quick(cls).partial_fit(X, y, sample_weight=weight, **announced(cls))
    whole = quick(cls, max_iter=1).fit(X, y, weight)
    assert_allclose(found.coefs_[0], whole.coefs_[0], rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "classes must be passed on the first call"),
        ({"classes": [0, 1]}, "labels that are in classes"),
    ],
)
def test_bad_first_calls_are_refused(arguments, message):
    X, y = draw(C2CClassifier)
    model = quick()
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, y, **arguments)
    assert not hasattr(model, "coefs_")


def test_bad_further_calls_leave_the_model_as_it_was():
    X, y = draw(C2CClassifier)
    model = quick().partial_fit(X, y, classes=[0, 1, 2])
    before = dict(vars(model))
    for arguments, message in [
        ((X, y + 5), "labels that are in classes"),
        ((X, y, [0, 1, 2, 3]), "not the same as in the first call"),
        ((X[:, :2], y), "features"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.partial_fit(*arguments)
        assert vars(model).keys() == before.keys()
        for name, value in before.items():
            assert vars(model)[name] is value, name


def test_balanced_weights_need_all_rows():
    X, y = draw(C2CClassifier)
    with pytest.raises(ValueError, match="class_weight='balanced' is not defined for partial_fit"):
        quick(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])
    weights = {0: 1.0, 1: 5.0, 2: 0.5}
    found = quick(class_weight=weights).partial_fit(X, y, classes=[0, 1, 2])
    whole = quick(class_weight=weights, max_iter=1).fit(X, y)
    assert_array_equal(found.coefs_[0], whole.coefs_[0])
