"""Prediction intervals of the regressor, against the definition of CV+ and their coverage."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, ShuffleSplit
from tuned import (
    adjusted,
    draw,
    make,
    network_by_hand,
    selected,
    spy_on_cross_fit,
    squashed,
    standardization,
)

from skc2c import C2CClassifier, C2CRegressor
from skc2c.estimators.regressor import LOSSES


def functions_of_folds(plan, found, Z):
    """Outputs of each fold's own mix of networks, in units of training, (n_folds, n, K)."""
    total = np.zeros((len(plan.folds), len(Z), plan.layer_units[-1]))
    for network, theta, fold, w in selected(plan, found):
        total[fold] += w * len(plan.folds) * network_by_hand(network, theta, Z)
    return total


def cv_plus(predictions, predictions_left_out, y, new, coverage, scale=None):
    """Barber et al. (2021), equation 11, row by row: of one target and one network a row.

    ``predictions[i]`` are those of new rows by the networks not trained on row i.
    """
    n = len(y)
    residuals = np.abs(y - predictions_left_out)
    rank = int(np.ceil(coverage * (n + 1) - 1e-9))
    lower, upper = np.empty((2, new))
    for j in range(new):
        width = residuals if scale is None else residuals * scale[:, j]
        below, above = sorted(predictions[:, j] - width), sorted(predictions[:, j] + width)
        lower[j], upper[j] = below[n - rank], above[rank - 1]
    return lower, upper


@pytest.mark.parametrize("task", ["real", "reals"])
@pytest.mark.parametrize("hidden", [(), (8,), (8, 5)], ids=str)
@pytest.mark.parametrize("cv", [4, ShuffleSplit(5, test_size=0.3, random_state=0)], ids=str)
def test_intervals_are_those_of_the_definition(monkeypatch, task, hidden, cv):
    """Also where a row is left out by several networks, or by none."""
    X, y = draw(task)
    seen = spy_on_cross_fit(monkeypatch)
    reg = make(task, hidden_layer_sizes=hidden, cv=cv, dtype="float64").fit(X, y)
    ((plan, found),) = seen
    new = draw(task, n=7, seed=1)[0]
    center, scale = standardization(y)
    of_folds, of_new = (
        adjusted(reg, functions_of_folds(plan, found, squashed(rows, X))) * scale + center
        for rows in (X, new)
    )
    Y = y.reshape(len(y), -1)
    left_out = np.array([[i in test for _, test in plan.folds] for i in range(len(y))])
    rows = np.flatnonzero(left_out.any(axis=1))
    for t, (lower, upper) in enumerate(
        zip(*(bound.reshape(7, -1).T for bound in reg.predict_interval(new, 0.8)), strict=True)
    ):
        own = np.array([of_folds[left_out[i], i, t].mean() for i in rows])
        shifted = np.array([of_new[left_out[i], :, t].mean(axis=0) for i in rows])
        expected = cv_plus(shifted, own, Y[rows, t], 7, 0.8)
        assert_allclose([lower, upper], expected, rtol=1e-6, atol=1e-6 * scale[t])
        assert_allclose(own, reg.oob_prediction_.reshape(len(y), -1)[rows, t], rtol=1e-6)


def test_a_linear_network_without_decay_gives_the_intervals_of_least_squares():
    """Leave-one-out and all: the jackknife+ of LinearRegression."""
    rng = np.random.default_rng(0)
    X, new = rng.normal(size=(24, 2)), rng.normal(size=(9, 2))
    y = 3.0 * X[:, 0] + rng.normal(size=24)
    exact = {"hidden_layer_sizes": (), "solver": "lbfgs", "tol": 1e-12, "max_iter": 2000, "l2": 0.0}
    reg = C2CRegressor(**PLAIN | exact | {"penalty": None, "cv": KFold(24)}).fit(X, y)
    fits = [LinearRegression().fit(np.delete(X, i, 0), np.delete(y, i)) for i in range(24)]
    own = np.array([fit.predict(X[[i]])[0] for i, fit in enumerate(fits)])
    expected = cv_plus(np.array([fit.predict(new) for fit in fits]), own, y, 9, 0.9)
    assert_allclose(reg.predict_interval(new), expected, rtol=1e-4)


def test_errors_are_measured_in_predicted_standard_deviations(monkeypatch):
    X, y = draw("real")
    seen = spy_on_cross_fit(monkeypatch)
    reg = make("real", loss="gaussian_nll", dtype="float64").fit(X, y)
    ((plan, found),) = seen
    new = draw("real", n=7, seed=1)[0]
    (center,), (scale,) = standardization(y)
    of_folds, of_new = (functions_of_folds(plan, found, squashed(rows, X)) for rows in (X, new))
    fold = np.array([next(f for f, (_, te) in enumerate(plan.folds) if i in te) for i in range(60)])
    own, near = of_folds[fold, np.arange(60)], of_new[fold]
    z = (y - center) / scale
    z_scores = own[:, 0] + (z - own[:, 0]) / np.exp(own[:, 1] / 2)
    spread = np.exp(near[:, :, 1] / 2)
    expected = cv_plus(near[:, :, 0], own[:, 0], z_scores, 7, 0.9, scale=spread)
    assert_allclose(
        reg.predict_interval(new), np.array(expected) * scale + center, rtol=1e-5, atol=1e-4
    )


def noisy(n, rng):
    """Noise that grows with the first column."""
    X = rng.uniform(-1.0, 1.0, size=(n, 2))
    return X, np.sin(3 * X[:, 0]) + 0.2 * np.exp(X[:, 0]) * rng.normal(size=n)


@cache
def fitted_to_noise(loss):
    """A regressor, which no test changes, and further rows."""
    rng = np.random.default_rng(0)
    X, y = noisy(400, rng)
    return make("real", loss=loss, batch_size=64, max_iter=40).fit(X, y), noisy(5000, rng)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss != "poisson"])
def test_intervals_hold_as_many_new_targets_as_they_should(loss, coverage):
    """Within four standard errors of the calibration rows' own, and of the networks' choice."""
    reg, (X, y) = fitted_to_noise(loss)
    lower, upper = reg.predict_interval(X, coverage)
    assert abs(np.mean((lower <= y) & (y <= upper)) - coverage) < 4 * np.sqrt(
        coverage * (1 - coverage) / 400
    )


def test_a_predicted_variance_makes_intervals_as_wide_as_the_noise():
    rng = np.random.default_rng(0)
    X, y = noisy(800, rng)
    reg = make("real", loss="gaussian_nll", batch_size=64, max_iter=60).fit(X, y)
    X, y = noisy(20_000, rng)
    lower, upper = reg.predict_interval(X, 0.9)
    # Intervals of one width hold all of the quiet part, and three quarters of the other.
    for part in (X[:, 0] < -0.5, X[:, 0] > 0.5):
        assert 0.85 < np.mean(((lower <= y) & (y <= upper))[part]) < 0.97
    widths = (upper - lower)[X[:, 0] > 0.8].mean() / (upper - lower)[X[:, 0] < -0.8].mean()
    # The noise is exp(1.8) = 6 times as wide; short training of few units makes it out in part.
    assert 2.5 < widths < 8.0


def test_bounds_widen_with_the_coverage_and_are_infinite_in_the_end():
    X, y = draw("real")
    reg = make("real").fit(X, y)
    bounds = [reg.predict_interval(X, coverage) for coverage in (0.1, 0.5, 0.9, 60 / 61)]
    for (lower, upper), (lower_next, upper_next) in pairwise(bounds):
        assert (lower_next < lower).all()
        assert (upper < upper_next).all()
    assert np.isfinite(bounds[-1]).all()
    lower, upper = reg.predict_interval(X, 0.99)
    assert_array_equal(lower, -np.inf)
    assert_array_equal(upper, np.inf)


def test_an_interval_has_the_units_of_y_and_does_not_depend_on_blocks(monkeypatch):
    X, y = draw("reals")
    reg = make("reals")
    usual = np.array(reg.fit(X, y).predict_interval(X))
    assert usual.shape == (2, *y.shape)
    monkeypatch.setattr("skc2c.estimators.intervals._BLOCK", 7 * 16)
    assert_array_equal(reg.predict_interval(X), usual)
    units = np.array([1024.0, 2.0**-10])
    assert_allclose(reg.fit(X, y * units).predict_interval(X), usual * units, rtol=1e-4)


def test_unlabelled_rows_and_rows_of_zero_weight_have_no_error():
    X, y = draw("real")
    weight = np.ones(60)
    weight[::7] = 0.0
    marked = np.where(np.arange(60) % 5 == 0, np.nan, y)
    reg = make("real", missing_label=np.nan).fit(X, marked, sample_weight=weight)
    errors = np.abs(marked - reg.oob_prediction_)
    known = errors[np.isfinite(errors)]
    assert len(known) == np.sum((weight > 0) & np.isfinite(marked))
    assert_allclose(np.sort(reg._conformal["scores"][:, 0]), np.sort(known), rtol=1e-6)


@pytest.mark.parametrize(
    "settings", [{"cv": None}, {"early_stopping": True}, {"warm_start": True}], ids=str
)
def test_a_fit_without_folds_has_no_intervals(settings):
    X, y = draw("real")
    with pytest.raises(ValueError, match="predict_interval needs a fit with folds"):
        make("real", **settings).fit(X, y).predict_interval(X)


def test_counts_have_intervals_of_what_is_not_negative():
    X, y = draw("real")
    counts = np.random.default_rng(0).poisson(np.exp(0.2 * X[:, 0]))
    lower, upper = make("real", loss="poisson").fit(X, counts).predict_interval(X, 0.95)
    assert lower.min() == 0.0
    assert (upper > lower).all()
    assert make("real").fit(X, y).predict_interval(X, 0.95)[0].min() < 0.0


def test_a_few_rows_have_no_intervals_and_it_is_said_why():
    X, y = draw("real")
    with pytest.raises(ValueError, match="at least six labelled rows"):
        make("real", batch_size="auto").fit(X[:5], y[:5]).predict_interval(X)


@pytest.mark.parametrize("coverage", [0.0, 1.0, -1.0, np.nan, [0.8, 0.9], None])
def test_coverage_is_between_zero_and_one(coverage):
    X, y = draw("real")
    with pytest.raises(ValueError, match="coverage must be between 0 and 1"):
        make("real").fit(X, y).predict_interval(X, coverage)


@pytest.mark.parametrize("way", ["partial_fit", "fit"])
def test_a_further_fit_of_one_network_forgets_the_folds(way):
    X, y = draw("real")
    reg = make("real").fit(X, y).set_params(cv=None)
    getattr(reg, way)(X, y)
    with pytest.raises(ValueError, match="partial_fit"):
        reg.predict_interval(X)


def test_classes_have_no_intervals():
    assert not hasattr(C2CClassifier, "predict_interval")
    X, y = draw("binary")
    assert make("binary").fit(X, y)._conformal is None


def test_the_intervals_of_mapie_around_the_regressor():
    """It is the same method, with a fit for each fold."""
    mapie = pytest.importorskip("mapie.regression")
    rng = np.random.default_rng(0)
    X, y = noisy(400, rng)
    reg = make("real", batch_size=64, max_iter=40)
    theirs = mapie.CrossConformalRegressor(reg, confidence_level=0.9, cv=4).fit_conformalize(X, y)
    X_test, y_test = noisy(5000, rng)
    _, bounds = theirs.predict_interval(X_test)
    lower, upper = bounds[:, :, 0].T
    assert abs(np.mean((lower <= y_test) & (y_test <= upper)) - 0.9) < 0.06
    ours = np.subtract(*reg.fit(X, y).predict_interval(X_test)[::-1])
    assert_allclose(ours.mean(), np.mean(upper - lower), rtol=0.2)
