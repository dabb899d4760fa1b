"""Counts and predicted variances, against what is known of the data or of the optimum."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from oracles import PLAIN
from sklearn.linear_model import PoissonRegressor
from tuned import TUNED

from skc2c import C2CRegressor
from skc2c.estimators.regressor import LOSSES


def quick(**parameters):
    """One small network on the rows as they are."""
    return C2CRegressor(**PLAIN | {"hidden_layer_sizes": (8,), "random_state": 0} | parameters)


def exact_linear(**parameters):
    exact = {"hidden_layer_sizes": (), "solver": "lbfgs", "tol": 1e-13, "max_iter": 5000}
    return quick(penalty=None, **exact, **parameters)


def draw(n=3000, seed=0):
    """Rows, targets, and the mean and the standard deviation that they were drawn with."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    mean, std = 10.0 + 2.0 * X[:, 1], 0.5 * np.exp(0.6 * X[:, 0])
    return X, mean + std * rng.normal(size=n), mean, std


@pytest.mark.parametrize("alpha", [1e-3, 0.1, 1.0])
def test_counts_without_a_hidden_layer_are_poisson_regression(alpha):
    """The same objective where l2 is alpha n: half the deviance is the loss but for a constant."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = rng.poisson(np.exp(0.5 + X @ [0.4, -0.3, 0.2, 0.0])).astype(float)
    theirs = PoissonRegressor(alpha=alpha, tol=1e-14, solver="newton-cholesky").fit(X, y)
    ours = exact_linear(loss="poisson", l2=300 * alpha).fit(X, y)
    assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-6)
    assert_allclose(ours.coefs_[0][:, 0], theirs.coef_, rtol=1e-5, atol=1e-6)
    assert_allclose(ours.intercepts_[0], theirs.intercept_, rtol=1e-5)


def test_a_linear_model_finds_the_formula_of_the_variance():
    """log(variance) = 2 log(0.5) + 1.2 x: within four standard errors, sqrt(2 / n) each."""
    X, y, _, _ = draw()
    reg = exact_linear(loss="gaussian_nll", l2=0.0).fit(X, y)
    error = 4 * np.sqrt(2 / len(y))
    assert_allclose(reg.coefs_[0][:, 1], [1.2, 0.0, 0.0], atol=error)
    assert_allclose(reg.intercepts_[0][1], 2 * np.log(0.5), atol=error)
    # Means of rows with a small variance count more: they are known to a hundredth.
    assert_allclose(reg.coefs_[0][:, 0], [0.0, 2.0, 0.0], atol=0.03)


@pytest.mark.parametrize("settings", [PLAIN, TUNED | {"max_iter": 20}], ids=["plain", "tuned"])
def test_a_predicted_variance_is_right_on_new_rows(settings):
    X, y, mean, std = draw()
    settings = settings | {"hidden_layer_sizes": (16,), "learning_rate_init": 0.01}
    settings |= {"batch_size": 100, "random_state": 0, "penalty": None}
    reg = C2CRegressor(loss="gaussian_nll", **settings | {"max_iter": 20}).fit(X, y)
    X, y, mean, std = draw(seed=1)
    found_mean, found_std = reg.predict(X, return_std=True)
    assert np.sqrt(np.mean(np.log(found_std / std) ** 2)) < 0.15
    assert np.sqrt(np.mean(((found_mean - mean) / std) ** 2)) < 0.3
    z = (y - found_mean) / found_std
    assert 0.9 < np.mean(z**2) < 1.2
    assert 0.64 < np.mean(abs(z) < 1.0) < 0.72  # 0.683 of a normal distribution


@pytest.mark.parametrize("loss", LOSSES)
def test_targets_without_a_hidden_layer_do_not_know_of_each_other(loss):
    """So each is predicted as if it were alone, in whatever unit it is."""
    X, y, _, _ = draw(n=200)
    units = 1.0 if loss == "poisson" else [1.0, 1000.0, 0.01]  # counts have none
    Y = np.stack([y, (y + X[:, 0]) ** 2 / 10, np.exp(X[:, 2])], axis=1) * units
    joint = exact_linear(loss=loss).fit(X, Y)
    return_std = {"return_std": True} if loss == "gaussian_nll" else {}
    together = np.reshape(joint.predict(X, **return_std), (-1, 200, 3))
    for k in range(3):
        alone = np.array(exact_linear(loss=loss).fit(X, Y[:, k]).predict(X, **return_std))
        error = abs(together[:, :, k] - alone.reshape(-1, 200)).max()
        # L-BFGS ends close to the kinks of a quantile's loss, not at them.
        assert error < (0.02 if loss == "quantile" else 1e-4) * Y[:, k].std()


@pytest.mark.parametrize("settings", [PLAIN, TUNED], ids=["plain", "tuned"])
def test_each_target_has_a_unit_of_its_own(settings):
    """Powers of two, so that nothing but the unit differs; several targets at once."""
    X, y, _, _ = draw(n=200)
    Y = np.stack([y, y[::-1] + X[:, 0]], axis=1)
    units, shifts = np.array([1024.0, 2.0**-10]), np.array([0.0, 0.0])
    small = {"hidden_layer_sizes": (8,), "random_state": 0, "max_iter": 5}
    reg = C2CRegressor(loss="gaussian_nll", **settings | small)
    usual = reg.fit(X, Y).predict(X, return_std=True)
    scaled = reg.fit(X, units * Y + shifts).predict(X, return_std=True)
    assert_allclose(scaled[0], units * usual[0] + shifts, rtol=1e-4)
    assert_allclose(scaled[1], units * usual[1], rtol=1e-4)
    assert_allclose(reg.target_scale_, units * Y.std(axis=0), rtol=1e-6)


@pytest.mark.parametrize("loss", LOSSES[:2])
def test_only_a_predicted_variance_has_a_standard_deviation(loss):
    X, y, _, _ = draw(n=60)
    reg = quick(loss=loss, max_iter=2).fit(X, abs(y))
    with pytest.raises(ValueError, match=f"return_std=True needs.*loss='{loss}'"):
        reg.predict(X, return_std=True)
    # It is the loss of the fit that counts.
    with pytest.raises(ValueError, match="return_std"):
        reg.set_params(loss="gaussian_nll").predict(X, return_std=True)
    reg.fit(X, abs(y))
    mean, std = reg.set_params(loss=loss).predict(X, return_std=True)
    assert mean.shape == std.shape == (60,)
    assert (std > 0).all()


@pytest.mark.parametrize("cv", [None, 3])
def test_negative_counts_are_refused_among_others(cv):
    X, y, _, _ = draw(n=60)
    y = abs(y).round()
    y[17] = -1.0
    reg = quick(loss="poisson", cv=cv)
    with pytest.raises(ValueError, match=r"loss='poisson' needs y that is not negative. Got -1"):
        reg.fit(X, y)
    assert not hasattr(reg, "coefs_")
