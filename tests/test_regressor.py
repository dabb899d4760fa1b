"""The regressor: targets in any unit in, predictions in that unit out."""

from math import ceil

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN
from scipy.optimize import minimize
from sklearn.datasets import load_diabetes
from sklearn.linear_model import PoissonRegressor, Ridge
from sklearn.preprocessing import StandardScaler

from skc2c import C2CRegressor
from skc2c.estimators.regressor import LOSSES
from skc2c.penalties import PENALTIES
from skc2c.solvers import SOLVERS, Adam

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
        solver=Adam(schedule="cosine"),
        max_iter=600 // ceil(len(y) / batch_size),
        n_iter_no_change=np.inf,
        learning_rate_init=0.02,
    ).fit(X, y)
    assert np.std(ours.predict(X) - expected) < 0.01 * np.std(expected)


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


# ------------------------------------------------------------------------- counts, variances


def counts():
    X, _ = patients()
    rate = np.exp(0.5 + 0.4 * X[:, 2] - 0.3 * X[:, 8])
    return X, np.random.default_rng(0).poisson(rate).astype(float)


@pytest.mark.parametrize("l2", [0.5, 50.0])
def test_linear_model_of_counts_is_poisson_regression(l2):
    """The same objective: alpha is l2 / n."""
    X, y = counts()
    weight = np.linspace(0.5, 2.0, len(y))
    ours = exact_linear(penalty=None, loss="poisson", l2=l2).fit(X, y, weight)
    theirs = PoissonRegressor(alpha=l2 / weight.sum(), tol=1e-12, max_iter=1000)
    assert_allclose(ours.predict(X), theirs.fit(X, y, weight).predict(X), rtol=1e-5)


@pytest.mark.parametrize("penalty", [None, "jacobian"])
def test_linear_model_with_a_variance_is_the_best_of_its_kind(penalty):
    """Against scipy on the negative log-likelihood of standardised y, written out."""
    X, y = patients()
    X = X[:, :3]
    z = (y - y.mean()) / y.std()
    l2 = 5.0
    decay = l2 / (2 * len(y)) + (0.3 * 0.7**2 if penalty else 0.0)

    def outputs(parameters):
        return X @ parameters[:6].reshape(3, 2) + parameters[6:]

    def objective(parameters):
        mean, log_variance = outputs(parameters).T
        nll = 0.5 * (log_variance + (z - mean) ** 2 * np.exp(-log_variance))
        return nll.mean() + decay * (parameters[:6] ** 2).sum()

    mean, log_variance = outputs(minimize(objective, np.zeros(8), tol=1e-10).x).T
    settings = {"penalty": penalty, "alpha": 0.3, "epsilon": 0.7, "l2": l2}
    ours = exact_linear(loss="gaussian_nll", **settings).fit(X, y)
    found_mean, found_std = ours.predict(X, return_std=True)
    assert_allclose(found_mean, mean * y.std() + y.mean(), rtol=1e-4)
    assert_allclose(found_std, np.exp(log_variance / 2) * y.std(), rtol=1e-4)


@each_solver
@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
def test_unit_of_y_does_not_matter_to_a_predicted_variance(solver, penalty):
    X, y = patients()
    reg = quick(solver=solver, penalty=penalty, loss="gaussian_nll", max_iter=20)
    usual = reg.fit(X, y).predict(X, return_std=True)
    scaled = reg.fit(X, 1024 * y + 4096).predict(X, return_std=True)
    tolerance = 1e-3 if solver == "adam" else 1e-5
    assert_allclose(scaled[0], 1024 * usual[0] + 4096, rtol=tolerance)
    assert_allclose(scaled[1], 1024 * usual[1], rtol=tolerance)


@each_solver
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("cv", [None, 3])
def test_every_loss_learns_one_output_or_several(solver, loss, cv):
    X, y = counts()
    Y = np.stack([y, y[::-1] + 1.0], axis=1)
    reg = quick(solver=solver, loss=loss, cv=cv, max_iter=30, learning_rate_init=0.04)
    assert reg.fit(X, y).score(X, y) > 0.1
    assert reg.predict(X).shape == (442,)
    assert reg.fit(X, Y).predict(X).shape == (442, 2)
    assert (reg.predict(X) > 0.0).all() or loss != "poisson"
    if loss == "gaussian_nll":
        assert reg.predict(X, return_std=True)[1].shape == (442, 2)
    else:
        with pytest.raises(ValueError, match=f"return_std=True needs.*loss='{loss}'"):
            reg.predict(X, return_std=True)


def test_a_variance_that_differs_is_found():
    X, _ = patients()
    spread = np.exp(X[:, 0])
    y = 10.0 + spread * np.random.default_rng(0).normal(size=442)
    reg = quick(loss="gaussian_nll", solver="lbfgs").fit(X, y)
    _, std = reg.predict(X, return_std=True)
    assert np.corrcoef(np.log(std), X[:, 0])[0, 1] > 0.9


@pytest.mark.parametrize(
    ("y", "message"), [(-np.ones(442), "not negative. Got -1"), (np.zeros(442), "zero everywhere")]
)
def test_what_are_no_counts_is_refused(y, message):
    X, _ = patients()
    reg = quick(loss="poisson")
    with pytest.raises(ValueError, match=message):
        reg.fit(X, y)
    assert not hasattr(reg, "coefs_")
