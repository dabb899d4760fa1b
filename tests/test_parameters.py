"""What the parameters and the attributes of one network mean."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN
from single import both, draw, each_solver, quick
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skc2c import C2C, VAT, C2CClassifier, C2CRegressor
from skc2c.inspection import penalty_value


def as_ours(mlp, ours, X, y):
    """Our estimator with the parameters of a fitted MLP."""
    ours.fit(X, y)
    ours.coefs_, ours.intercepts_ = mlp.coefs_, mlp.intercepts_
    return ours


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_same_parameters_same_predictions_as_scikit_learn(activation):
    X, y = draw(C2CClassifier)
    labels = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
    multilabel = (X[:, :3] > 0).astype(int)
    settings = {"hidden_layer_sizes": (6, 5), "activation": activation, "max_iter": 5}
    for target in (y, labels, multilabel):
        mlp = MLPClassifier(**settings, random_state=0).fit(X, target)
        ours = as_ours(mlp, C2CClassifier(**PLAIN | settings), X, target)
        assert ours.out_activation_ == mlp.out_activation_
        assert_allclose(ours.predict_proba(X), mlp.predict_proba(X), rtol=1e-6)
        assert_allclose(ours.predict_log_proba(X), mlp.predict_log_proba(X), rtol=1e-6)
        assert_array_equal(ours.predict(X), mlp.predict(X))
    for target in (X[:, 0], X[:, :2]):
        mlp = MLPRegressor(**settings, random_state=0).fit(X, target)
        assert_allclose(
            as_ours(mlp, C2CRegressor(**PLAIN | settings), X, target).predict(X), mlp.predict(X)
        )


@both
def test_attributes_of_scikit_learns_mlp_are_there(cls):
    X, y = draw(cls)
    mlp = (MLPClassifier if cls is C2CClassifier else MLPRegressor)(
        hidden_layer_sizes=(8,), max_iter=15
    ).fit(X, y)
    ours = quick(cls).fit(X, y)
    for name in vars(mlp):
        if name.endswith("_") and not name.startswith("_"):
            assert hasattr(ours, name), name
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_"):
        assert getattr(ours, name) == getattr(mlp, name), name


@both
@each_solver
def test_alpha_zero_is_no_penalty(cls, solver):
    X, y = draw(cls)
    plain = quick(cls, penalty=None, solver=solver).fit(X, y)
    for penalty in ("jacobian", "c2c", "vat"):
        fitted = quick(cls, penalty=penalty, alpha=0.0, solver=solver).fit(X, y)
        assert_allclose(fitted.coefs_[0], plain.coefs_[0], rtol=1e-3, atol=1e-5)


@both
@each_solver
@pytest.mark.parametrize("penalty", ["c2c", "jacobian", "vat"])
def test_more_alpha_is_smoother(cls, solver, penalty):
    X, y = draw(cls)
    values = []
    settings = {"epsilon": 0.5, "solver": solver, "max_iter": 40, "learning_rate_init": 0.005}
    for alpha in (0.0, 1.0, 10.0):
        estimator = quick(cls, penalty=penalty, alpha=alpha, **settings)
        values.append(penalty_value(estimator.fit(X, y), X, "jacobian", 1.0))
    assert values[0] > values[1] > values[2]


@both
@each_solver
def test_no_hidden_layer_is_a_linear_model(cls, solver):
    X, y = draw(cls)
    estimator = quick(cls, hidden_layer_sizes=(), solver=solver).fit(X, y)
    assert [coef.shape for coef in estimator.coefs_] == [(4, 1)]
    assert estimator.n_layers_ == 2


@both
def test_hidden_layer_sizes_may_be_an_int_or_any_sequence(cls):
    X, y = draw(cls)
    for sizes, shape in ((5, (4, 5)), ([5], (4, 5)), (np.array([5, 3]), (4, 5))):
        assert quick(cls, hidden_layer_sizes=sizes).fit(X, y).coefs_[0].shape == shape


@both
def test_activation_of_a_fitted_model_does_not_change_with_the_parameter(cls):
    X, y = draw(cls)
    estimator = quick(cls, activation="tanh").fit(X, y)
    before = estimator.predict(X)
    assert_array_equal(estimator.set_params(activation="relu").predict(X), before)


@both
@each_solver
@pytest.mark.parametrize("size", [1e-50, 1e50])
def test_only_the_relative_size_of_weights_matters_without_l2(cls, solver, size):
    X, y = draw(cls)
    estimator = quick(cls, solver=solver, l2=0.0)
    usual = clone(estimator).fit(X, y, np.linspace(1, 2, 80))
    scaled = clone(estimator).fit(X, y, size * np.linspace(1, 2, 80))
    assert_allclose(scaled.predict(X), usual.predict(X), rtol=1e-3)


@both
@pytest.mark.parametrize(
    ("penalty", "epsilon"), [(C2C("adversarial"), 0.3), (VAT(), 0.3), (VAT(), 1)]
)
def test_lbfgs_does_as_well_as_adam_on_adversarial_penalties(cls, penalty, epsilon):
    """With a direction that follows theta in the line search it does much worse."""
    X, y = draw(cls)
    settings = {
        "penalty": penalty,
        "alpha": 1.0,
        "epsilon": epsilon,
        "activation": "tanh",
        "dtype": "float64",
        "batch_size": 80,
    }
    ours = quick(cls, solver="lbfgs", max_iter=200, **settings).fit(X, y)
    adam = quick(cls, max_iter=2000, tol=0.0, learning_rate_init=0.01, **settings).fit(X, y)
    assert ours.loss_ < 1.03 * np.mean(adam.loss_curve_[-50:])
