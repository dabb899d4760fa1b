"""The regressor: targets in any unit in, predictions in that unit out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from skc2c import C2CRegressor
from skc2c.penalties import PENALTIES
from skc2c.solvers import SOLVERS

each_solver = pytest.mark.parametrize("solver", SOLVERS)


def quick(**parameters):
    """One small network on the rows as they are."""
    return C2CRegressor(**PLAIN | {"hidden_layer_sizes": (8,), "random_state": 0} | parameters)


def patients():
    X, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def exact_linear(**parameters):
    exact = {"hidden_layer_sizes": (), "solver": "lbfgs", "tol": 1e-10, "max_iter": 5000}
    return quick(**exact, **parameters)


def ridge_on_standard_y(alpha, X, y, weight):
    """Predictions of Ridge, which has the same objective in standardised y."""
    scaler = StandardScaler().fit(y.reshape(len(y), -1), sample_weight=weight)
    model = Ridge(alpha=alpha).fit(X, scaler.transform(y.reshape(len(y), -1)), weight)
    return scaler.inverse_transform(model.predict(X).reshape(len(y), -1)).reshape(y.shape)


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("l2", [0.5, 50.0])
def test_linear_model_is_ridge(l2, n_outputs):
    X, y = patients()
    y = y if n_outputs == 1 else np.stack([y, X[:, 0] + 1e3 * y**2], axis=1)
    weight = np.linspace(0.5, 2.0, len(y))
    ours = exact_linear(penalty=None, l2=l2).fit(X, y, weight).predict(X)
    error = ours - ridge_on_standard_y(l2, X, y, weight)
    assert (abs(error).max(axis=0) < 1e-5 * y.std(axis=0)).all()


def test_jacobian_penalty_of_a_linear_model_is_weight_decay():
    """Section 3.1: alpha eps^2 ||W||^2, that is Ridge with 2 n alpha eps^2."""
    X, y = patients()
    alpha, epsilon = 0.3, 0.7
    decay = 2 * len(y) * alpha * epsilon**2
    ours = exact_linear(penalty="jacobian", alpha=alpha, epsilon=epsilon, l2=0.0).fit(X, y)
    assert_allclose(ours.predict(X), ridge_on_standard_y(decay, X, y, None), rtol=1e-4)


@pytest.mark.parametrize("batch_size", [50, 442])
@pytest.mark.parametrize("penalty", ["jacobian", "c2c"])
def test_alpha_and_l2_mean_the_same_for_adam_at_any_batch_size(batch_size, penalty):
    X, y = patients()
    alpha, epsilon, l2 = 0.3, 0.7, 20.0
    decay = 2 * len(y) * alpha * epsilon**2 + l2
    expected = ridge_on_standard_y(decay, X, y, None)
    ours = quick(
        hidden_layer_sizes=(),
        penalty=penalty,
        alpha=alpha,
        epsilon=epsilon,
        l2=l2,
        batch_size=batch_size,
        max_iter=20 * batch_size,
        n_iter_no_change=np.inf,
        learning_rate_init=0.002,
    ).fit(X, y)
    tolerance = 0.02 if penalty == "jacobian" else 0.06
    assert np.std(ours.predict(X) - expected) < tolerance * np.std(expected)


@each_solver
@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
def test_unit_of_y_does_not_matter(solver, penalty):
    X, y = patients()
    reg = quick(solver=solver, penalty=penalty, max_iter=30)
    usual = reg.fit(X, y).predict(X)
    scaled = reg.fit(X, 1024 * y + 4096).predict(X)
    tolerance = 1e-3 if solver == "adam" else 1e-6
    assert_allclose(scaled, 1024 * usual + 4096, rtol=tolerance)


@each_solver
def test_several_outputs(solver):
    X, y = patients()
    Y = np.stack([y, -3 * y + 1, X[:, 0]], axis=1)
    reg = quick(solver=solver, max_iter=500, learning_rate_init=0.01).fit(X, Y)
    assert reg.predict(X).shape == (442, 3)
    assert reg.score(X, Y) > 0.4
    assert reg.n_outputs_ == 3
    assert quick(solver=solver).fit(X, y).predict(X).shape == (442,)


@each_solver
@pytest.mark.parametrize("constant", [0.0, 7.0, -1e-6, 1e12])
def test_constant_target_is_predicted(solver, constant):
    X, _ = patients()
    Y = np.stack([np.full(442, constant), X[:, 0]], axis=1)
    reg = quick(solver=solver, max_iter=20, warm_start=True)
    for _ in range(2):
        assert_allclose(reg.fit(X, Y).predict(X)[:, 0], constant, rtol=1e-12)


@each_solver
@pytest.mark.parametrize("unit", [1e-200, 1e-30, 1e30, 1e160])
def test_extreme_units_of_y(solver, unit):
    X, y = patients()
    reg = quick(solver=solver, penalty="jacobian", max_iter=20)
    usual = reg.fit(X, y).predict(X)
    assert_allclose(reg.fit(X, unit * y).predict(X) / unit, usual, rtol=1e-3)


def test_integer_target():
    X, y = patients()
    reg = quick(max_iter=20)
    assert_array_equal(reg.fit(X, y.astype(int)).predict(X), reg.fit(X, y).predict(X))


def test_column_target_warns_as_scikit_learn_does():
    X, y = patients()
    with pytest.warns(UserWarning, match="column-vector"):
        reg = quick(max_iter=5).fit(X, y[:, None])
    assert reg.predict(X).shape == (442,)


def test_early_stopping_watches_the_loss_or_any_score():
    """Half the squared error of standardised y: 0.5 is what a guess costs."""
    X, y = patients()
    settings = {"early_stopping": True, "max_iter": 500, "learning_rate_init": 0.01}
    assert -0.4 < quick(**settings).fit(X, y).best_validation_score_ < -0.1
    assert 0.2 < quick(scoring="r2", **settings).fit(X, y).best_validation_score_ < 0.8


def test_words_are_not_targets():
    X, _ = patients()
    with pytest.raises(ValueError, match="could not convert string to float"):
        quick().fit(X, np.array(["a"] * 442))
