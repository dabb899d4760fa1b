"""Predictions of numbers vary as much as rows left out bear out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.stats import norm, poisson
from sklearn.metrics import r2_score
from tuned import as_trained, make, spy_on_cross_fit

from skc2c.estimators.targets.reals import CountTargets, QuantileTargets, RealTargets, SpreadTargets
from skc2c.estimators.targets.shrinkage import factor_of_deviations
from skc2c.likelihoods import LIKELIHOODS

SQUARES = LIKELIHOODS["squared_error"]()


def overfitted(**changes):
    """Without the candidates that would see that there is nothing to learn."""
    settings = {"hidden_layer_sizes": (50, 50), "numeric_embedding": "fourier", "alpha": 0.0}
    return make("real", learning_rate_init=0.03, max_iter=80, **settings | changes)


def draw_noise(n=100, seed=0):
    """Rows that tell nothing of y."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)), 1e3 + 20.0 * rng.normal(size=n)


def sample(n=400, slope=0.4, seed=0):
    """Outputs, targets of which they tell as much as the slope says, and weights."""
    rng = np.random.default_rng(seed)
    h = rng.normal(size=(n, 1))
    noise = rng.normal(size=(n, 1)) * (0.5 + np.abs(h))
    return h, slope * h + noise, rng.uniform(0.5, 2.0, size=n)


# ------------------------------------------------------------------------------- the factor


def test_it_is_the_slope_of_least_squares_and_its_robust_standard_error():
    h, y, weight = sample()
    root = np.sqrt(weight)[:, None]
    (slope,), *_ = np.linalg.lstsq(root * h, root * y)
    # White's standard error: bread, meat, bread.
    bread = 1.0 / (weight @ h**2)
    meat = weight**2 @ ((y - slope * h) * h) ** 2
    expected = slope + np.sqrt(bread * meat * bread)
    assert expected < 0.7
    assert_allclose(factor_of_deviations(SQUARES, 0.0, h, y, weight), expected, rtol=1e-10)
    of_larger = factor_of_deviations(SQUARES, 0.0, h, y, 50.0 * weight)
    assert_allclose(of_larger, expected, rtol=1e-10)


def test_the_standard_error_is_the_spread_over_samples():
    def draws(n):
        for seed in range(400):
            h, y, _ = sample(n, seed=seed)
            best = (h * y).sum() / (h**2).sum()
            yield best, factor_of_deviations(SQUARES, 0.0, h, y, np.ones(n))[0] - best

    best, error = np.array(list(draws(300))).T
    assert_allclose(error.mean(), best.std(), rtol=0.08)


@pytest.mark.parametrize(("slope", "n"), [(1.0, 400), (1.5, 400), (0.9, 20)])
def test_outputs_that_may_be_right_stay(slope, n):
    h, y, weight = sample(n, slope)
    assert_array_equal(factor_of_deviations(SQUARES, 0.0, h, y, weight), [1.0])


def test_outputs_that_mislead_do_not_change_sign():
    h, y, weight = sample(slope=-1.0)
    (factor,) = factor_of_deviations(SQUARES, 0.0, h, y, weight)
    assert 0.0 < factor < 0.3


def test_targets_have_factors_of_their_own():
    (h, y, weight), (_, noise, _) = sample(slope=1.0), sample(slope=0.0, seed=1)
    both = RealTargets("squared_error", 2).adjustment(
        np.hstack([h, h]), np.hstack([y, noise]), weight
    )
    factors = [factor_of_deviations(SQUARES, 0.0, h, of_one, weight)[0] for of_one in (y, noise)]
    assert_allclose(both[0], factors)
    assert factors[0] == 1.0
    assert factors[1] < 0.3


def largest_within_one_error(nll, score, information):
    """Minimise a function of the factor, and add the robust standard error."""
    best = minimize_scalar(nll, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-10}).x
    return best + np.sqrt((score(best) ** 2).sum()) / information(best)


def test_rates_are_drawn_towards_their_mean():
    """The logarithms of rates, to the mean of y: outputs of an average row are right."""
    rng = np.random.default_rng(0)
    log_rate, weight = 1.5 + 0.8 * rng.normal(size=(300, 1)), rng.uniform(0.5, 2.0, size=300)
    y = rng.poisson(np.exp(1.5 + 0.4 * (log_rate - 1.5))).astype(float)
    factor, shift = CountTargets("poisson", 1).adjustment(log_rate, y, weight)
    origin = np.log(np.average(y[:, 0], weights=weight))
    a, (y,) = log_rate[:, 0] - origin, y.T

    def rate(f):
        return np.exp(origin + f * a)

    expected = largest_within_one_error(
        lambda f: -weight @ poisson.logpmf(y, rate(f)),
        lambda f: weight * (rate(f) - y) * a,
        lambda f: weight @ (a**2 * rate(f)),
    )
    assert 0.3 < expected < 0.6
    assert_allclose(factor, expected, rtol=1e-5)
    assert_allclose(factor * origin + shift, origin)


def test_means_with_a_variance_count_by_their_precision():
    h, y, weight = sample()
    log_variance = 2.0 * np.log(0.5 + np.abs(h))
    factor, shift = SpreadTargets("gaussian_nll", 1).adjustment(
        np.hstack([h, log_variance]), y, weight
    )
    (m,), (z,), (sigma,) = h.T, y.T, np.exp(0.5 * log_variance).T
    expected = largest_within_one_error(
        lambda f: -weight @ norm.logpdf(z, f * m, sigma),
        lambda f: weight * (f * m - z) * m / sigma**2,
        lambda f: weight @ (m / sigma) ** 2,
    )
    assert expected < 0.7
    assert_allclose(factor, [expected, 1.0], rtol=1e-6)
    errors = ((z - expected * m) / sigma) ** 2
    assert_allclose(shift, [0.0, np.log(max(np.average(errors, weights=weight), 1.0))])


def test_quantiles_keep_their_spread():
    h, y, weight = sample(slope=0.0)
    assert QuantileTargets("quantile", 1).adjustment(h, y, weight)[0] == 1.0


# ---------------------------------------------------------------------------------- the fit


def test_counts_are_drawn_to_their_mean_on_the_scale_of_the_network(monkeypatch):
    X, _ = draw_noise()
    rng = np.random.default_rng(2)
    y = rng.poisson(50.0 * np.exp(rng.normal(size=len(X)))).astype(float)
    reg = overfitted(loss="poisson", dtype="float64").fit(X, y)
    bare = as_trained(monkeypatch, lambda: overfitted(loss="poisson", dtype="float64").fit(X, y))
    factor, origin = 1.0 - reg.shrinkage_, np.log(y.mean())
    assert 0.05 < factor < 0.9
    expected = np.exp(origin + factor * (np.log(bare.predict(X)) - origin))
    assert_allclose(reg.predict(X), expected, rtol=1e-9)


@pytest.mark.parametrize("loss", ["squared_error", "gaussian_nll"])
def test_predictions_and_their_errors_are_all_drawn_in(loss, monkeypatch):
    seen = spy_on_cross_fit(monkeypatch)
    X, y = draw_noise()
    weight = np.random.default_rng(1).uniform(0.5, 2.0, size=len(X))
    reg = overfitted(loss=loss, dtype="float64").fit(X, y, sample_weight=weight)
    bare = as_trained(
        monkeypatch, lambda: overfitted(loss=loss, dtype="float64").fit(X, y, sample_weight=weight)
    )
    plan, found = seen[0]
    targets = SpreadTargets if loss == "gaussian_nll" else RealTargets
    factor, _ = targets(loss, 1).adjustment(found.outputs, plan.rows.y, weight)
    assert factor[0] < 0.5
    assert (reg.shrinkage_, bare.shrinkage_) == (pytest.approx(1.0 - factor[0]), 0.0)
    mean = np.average(y, weights=weight)
    for drawn, plain in [
        (reg.predict(X), bare.predict(X)),
        (reg.oob_prediction_, bare.oob_prediction_),
    ]:
        assert_allclose(drawn, mean + factor[0] * (plain - mean), rtol=1e-9)
    assert_allclose(reg.oob_score_, r2_score(y, reg.oob_prediction_, sample_weight=weight))


def test_predictions_from_noise_are_hardly_worse_than_the_mean(monkeypatch):
    scores = []
    for seed in range(4):
        X, y = draw_noise(400, seed)

        def fit(X=X[:100], y=y[:100]):
            return overfitted().fit(X, y)

        pair = fit(), as_trained(monkeypatch, fit)
        scores.append([reg.score(X[100:], y[100:]) for reg in pair])
    drawn, plain = np.mean(scores, axis=0)
    assert plain < -0.1
    assert drawn > 0.3 * plain


def test_intervals_hold_what_they_say_of_noise():
    X, y = draw_noise(500)
    lower, upper = overfitted().fit(X[:100], y[:100]).predict_interval(X[100:], coverage=0.8)
    assert 0.75 < ((lower <= y[100:]) & (y[100:] <= upper)).mean() < 0.87


@pytest.mark.parametrize("settings", [{"cv": None}, {"early_stopping": True}], ids=str)
def test_without_folds_there_is_none(settings):
    X, y = draw_noise()
    assert overfitted(alpha=0.1, **settings).fit(X, y).shrinkage_ == 0.0


def test_each_target_has_its_own():
    X, noise = draw_noise()
    reg = overfitted().fit(X, np.column_stack([X[:, 0], noise]))
    assert reg.shrinkage_.shape == (2,)
    assert reg.shrinkage_[0] < 0.1 < reg.shrinkage_[1]


def test_an_incremental_fit_goes_on_from_outputs_as_they_are():
    X, y = draw_noise()
    reg = overfitted().fit(X, y)
    assert reg.shrinkage_ > 0.3
    before = reg.predict(X)
    reg.set_params(learning_rate_init=1e-12).partial_fit(X, y)
    assert reg.shrinkage_ == 0.0
    assert_allclose(reg.predict(X), before, rtol=1e-5)


def test_a_constant_target_stays_constant():
    X, _ = draw_noise()
    reg = overfitted().fit(X, np.full(100, 7.0))
    assert_array_equal(reg.predict(X), np.full(100, 7.0))
