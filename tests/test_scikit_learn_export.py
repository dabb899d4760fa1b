"""Fitted estimators as scikit-learn's own: the same predictions without this package."""

import pickle

import numpy as np
import pandas as pd
import pytest
from exported import (
    KINDS,
    LABELS,
    TARGETS,
    assert_agree,
    each_classifier,
    each_regressor,
    fitted_classifier,
    fitted_regressor,
)
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline

from skc2c import C2CClassifier, C2CRegressor
from skc2c.estimators.regressor import LOSSES
from skc2c.network import ACTIVATIONS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:skc2c")
each_kind = pytest.mark.parametrize("kind", KINDS)
HAS_LOSSES = "loss" in MLPRegressor().get_params()  # from scikit-learn 1.7 on


@each_classifier
def test_classifiers_agree(kind, dtype, labels):
    clf, X = fitted_classifier(labels, dtype, **KINDS[kind])
    exported = clf.to_sklearn()
    assert_agree(clf.predict_proba(X), exported.predict_proba(X), dtype)
    np.testing.assert_array_equal(exported.predict(X), clf.predict(X))
    np.testing.assert_array_equal(exported.classes_, clf.classes_)


@each_regressor
def test_regressors_agree(kind, dtype, targets):
    reg, X = fitted_regressor(targets, dtype, **KINDS[kind])
    exported = reg.to_sklearn()
    assert_agree(reg.predict(X), exported.predict(X), dtype)


def test_what_is_returned():
    """A network where nothing is in front of it, else a pipeline that ends with one."""
    plain = KINDS["one plain network"]
    clf, reg = fitted_classifier(**plain)[0].to_sklearn(), fitted_regressor(**plain)[0].to_sklearn()
    assert type(clf) is MLPClassifier
    assert type(reg) is MLPRegressor
    piped = fitted_classifier()[0].to_sklearn()
    assert type(piped) is Pipeline
    assert list(piped.named_steps)[-1] == "mlp"


@each_kind
def test_nothing_of_this_package_is_left(kind):
    clf, X = fitted_classifier(**KINDS[kind])
    data = pickle.dumps(clf.to_sklearn())
    assert b"skc2c" not in data
    np.testing.assert_array_equal(
        pickle.loads(data).predict_proba(X), clf.to_sklearn().predict_proba(X)
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_agree_or_are_refused(name):
    clf, X = fitted_classifier(activation=name)
    if name in ("identity", "logistic", "tanh", "relu"):
        assert_agree(clf.predict_proba(X), clf.to_sklearn().predict_proba(X), X.dtype)
    else:
        with pytest.raises(ValueError, match=f"activation='{name}'.*MLPClassifier has.*tanh"):
            clf.to_sklearn()


def test_an_activation_that_is_not_used_does_not_matter():
    clf, X = fitted_classifier(activation="gelu", hidden_layer_sizes=(), cv=None)
    assert_agree(clf.predict_proba(X), clf.to_sklearn().predict_proba(X), X.dtype)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("targets", TARGETS)
def test_losses_agree_or_are_refused(loss, targets):
    reg, X = fitted_regressor(targets, loss=loss, max_iter=6)
    if loss == "squared_error" or (loss == "poisson" and HAS_LOSSES):
        assert_agree(reg.predict(X), reg.to_sklearn().predict(X), X.dtype)
    else:
        with pytest.raises(ValueError, match=f"loss='{loss}'.*'squared_error'"):
            reg.to_sklearn()


@pytest.mark.parametrize("kind", ["all that is default", "scaled", "one plain network"])
def test_sparse_rows(kind):
    X, y = np.eye(20)[:, :7] * np.arange(1.0, 8.0), np.arange(20) % 2
    parameters = {"hidden_layer_sizes": (6,), "max_iter": 3, "random_state": 0}
    clf = C2CClassifier(**parameters | KINDS[kind]).fit(sparse.csr_matrix(X), y)
    exported = clf.to_sklearn()
    for rows in (sparse.csr_matrix(X), X):
        assert_agree(clf.predict_proba(X), exported.predict_proba(rows), X.dtype)


def test_sparse_rows_are_refused_where_columns_are_centred():
    clf, X = fitted_classifier()
    with pytest.raises(ValueError, match="Cannot center sparse"):
        clf.to_sklearn().predict(sparse.csr_matrix(X))


def test_constant_columns_and_far_values():
    X = np.random.default_rng(0).normal(size=(30, 3))
    X[:, 1] = 5.0
    parameters = {"max_iter": 3, "random_state": 0, "numeric_embedding": "fourier"}
    clf = C2CClassifier(**parameters).fit(X, X[:, 0] > 0)
    far = np.array([[1e300, 5.0, -1e300], [1e8, 7.0, 0.0], [0.0, -1e300, 1e-300]])
    assert_agree(clf.predict_proba(far), clf.to_sklearn().predict_proba(far), X.dtype)


@pytest.mark.parametrize("kind", ["all that is default", "one plain network"])
def test_names_of_columns(kind):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 2)), columns=["a", "b"])
    reg = C2CRegressor(max_iter=3, random_state=0, **KINDS[kind]).fit(frame, frame["a"])
    exported = reg.to_sklearn()
    assert_agree(reg.predict(frame), exported.predict(frame), np.float64)
    assert exported.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="feature names"):
        exported.predict(frame[["b", "a"]])


def test_parameters_are_valid_and_those_of_the_network():
    reg, X = fitted_regressor(l2=0.3, hidden_layer_sizes=(5, 4), cv=2, activation="tanh")
    mlp = reg.to_sklearn()[-1]
    assert mlp.hidden_layer_sizes == tuple(len(bias) for bias in reg.intercepts_[:-1])
    assert (mlp.activation, mlp.alpha, mlp.solver) == ("tanh", 0.3, "adam")
    assert mlp.loss_curve_ == reg.loss_curve_
    clone(mlp).set_params(max_iter=2, hidden_layer_sizes=(3,)).fit(X, X[:, 0])


def test_training_goes_on_in_scikit_learn():
    clf, X = fitted_classifier()
    exported, y = clf.to_sklearn(), LABELS["integers"]
    before, inputs = log_loss(y, exported.predict_proba(X)), exported[:-1].transform(X)
    for _ in range(20):
        exported[-1].partial_fit(inputs, y)
    assert log_loss(y, exported.predict_proba(X)) < before


def test_the_estimator_keeps_its_parameters():
    clf, X = fitted_classifier(**KINDS["one plain network"])
    before, exported = clf.predict_proba(X), clf.to_sklearn()
    for array in (*exported.coefs_, *exported.intercepts_):
        array += 1.0
    np.testing.assert_array_equal(clf.predict_proba(X), before)


@pytest.mark.parametrize("cls", [C2CClassifier, C2CRegressor])
def test_what_is_not_fitted_is_not_exported(cls):
    with pytest.raises(NotFittedError):
        cls().to_sklearn()


def test_the_global_random_state_is_left_alone():
    clf, _ = fitted_classifier()
    before = pickle.dumps(np.random.get_state())
    clf.to_sklearn()
    assert pickle.dumps(np.random.get_state()) == before
