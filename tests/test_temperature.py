"""Probabilities, variances and quantiles are as certain as rows left out bear out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm
from sklearn.base import clone
from sklearn.metrics import log_loss, mean_pinball_loss
from tuned import as_trained, draw, link, loss, make, spy_on_cross_fit

from skc2c.estimators.targets import reals
from skc2c.estimators.targets.reals import QuantileTargets, SpreadTargets

each_task = pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])


def draw_noisy(task, n=60, seed=0):
    """Rows that tell nothing of many of the labels."""
    X, y = draw(task, n, seed)
    rng = np.random.default_rng(seed + 100)
    is_random = rng.random(n) < 0.5
    return X, np.where(is_random if y.ndim == 1 else is_random[:, None], rng.permutation(y), y)


def make_overfitted(task, **changes):
    settings = {"hidden_layer_sizes": (50,), "l2": 0.0, "learning_rate_init": 0.03, "max_iter": 80}
    return make(task, **settings | changes)


@each_task
def test_no_other_temperature_suits_the_rows_left_out_better(task, monkeypatch):
    seen = spy_on_cross_fit(monkeypatch)
    X, y = draw_noisy(task)
    weight = np.random.default_rng(1).uniform(0.5, 2.0, size=len(X))
    estimator = make_overfitted(task).fit(X, y, sample_weight=weight)
    ((plan, found),) = seen

    def mean_loss(temperature):
        return np.average(loss(task, plan.rows.y, found.outputs / temperature), weights=weight)

    best = estimator.temperature_
    assert best > 1.1
    assert mean_loss(best) < min(mean_loss(best / 1.02), mean_loss(best * 1.02))


@each_task
def test_all_outputs_are_divided_by_it(task, monkeypatch):
    X, y = draw_noisy(task)
    estimator = make_overfitted(task).fit(X, y)
    plain = as_trained(monkeypatch, lambda: make_overfitted(task).fit(X, y))
    assert plain.temperature_ == 1.0
    assert_allclose(link(estimator, X) * estimator.temperature_, link(plain, X), rtol=1e-6)
    assert_array_equal(estimator.predict(X), plain.predict(X))
    assert estimator.oob_score_ == plain.oob_score_
    given = [np.clip(e.oob_decision_function_, 1e-9, 1 - 1e-9) for e in (estimator, plain)]
    logits = [np.log(p / (1 - p)) for p in given]
    if task != "multiclass":
        assert_allclose(logits[0] * estimator.temperature_, logits[1], rtol=1e-5, atol=1e-6)


def test_outputs_are_not_made_more_certain():
    """Where every row left out is on the right side, no factor would be too large."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.normal(size=(60, 3)) + 8.0 * y[:, None]
    estimator = make("binary", max_iter=20).fit(X, y)
    assert estimator.oob_score_ == 1.0
    assert estimator.temperature_ == 1.0


@pytest.mark.parametrize("settings", [{"cv": None}, {"early_stopping": True}], ids=str)
def test_without_folds_it_is_one(settings):
    X, y = draw_noisy("binary")
    assert make("binary", alpha=0.1, **settings).fit(X, y).temperature_ == 1.0


def test_regressors_have_none():
    assert not hasattr(make("real").fit(*draw("real")), "temperature_")


def test_an_incremental_fit_goes_on_from_outputs_as_they_are():
    """Training sees them undivided from then on."""
    X, y = draw_noisy("binary")
    estimator = make_overfitted("binary").fit(X, y)
    assert estimator.temperature_ > 1.1
    before = link(estimator, X)
    estimator.set_params(learning_rate_init=1e-12).partial_fit(X, y)
    assert estimator.temperature_ == 1.0
    assert_allclose(link(estimator, X), before, rtol=1e-5, atol=1e-6)
    mean = log_loss(y, estimator.predict_proba(X))
    assert estimator.history_["loss"][-1] == pytest.approx(mean, rel=1e-4)


def test_probabilities_of_new_rows_gain_by_it(monkeypatch):
    losses = []
    for seed in range(4):
        X, y = draw_noisy("multiclass", 300, seed)

        def fit(X=X[:50], y=y[:50]):
            return make_overfitted("multiclass").fit(X, y)

        pair = fit(), as_trained(monkeypatch, fit)
        losses.append([log_loss(y[50:], e.predict_proba(X[50:])) for e in pair])
    tempered, plain = np.mean(losses, axis=0)
    assert tempered < 0.98 * plain


# ------------------------------------------------------------------------- predicted variances


def draw_spread(n=60):
    """Two targets, the second only noise, and of another unit."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3))
    return X, np.column_stack([X[:, 0] + rng.normal(size=n), 50.0 * rng.normal(size=n)])


def test_no_other_factor_suits_the_rows_left_out_better(monkeypatch):
    seen = spy_on_cross_fit(monkeypatch)
    X, y = draw_spread()
    weight = np.random.default_rng(1).uniform(0.5, 2.0, size=len(X))
    reg = make_overfitted("reals", loss="gaussian_nll", max_iter=400)
    bare = as_trained(monkeypatch, lambda: clone(reg).fit(X, y, sample_weight=weight))
    reg.fit(X, y, sample_weight=weight)
    (_, std), (_, bare_std) = (one.predict(X, return_std=True) for one in (reg, bare))
    factors = (std / bare_std)[0]
    assert_allclose(std, factors * bare_std)
    assert (factors > 1.1).all()
    plan, found = seen[-1]

    def mean_loss(target, factor):
        h, y = found.outputs, plan.rows.y[:, target]
        mean = (1.0 - reg.shrinkage_[target]) * h[:, target]
        sigma = factor * np.exp(0.5 * h[:, 2 + target])
        return np.average(-norm.logpdf(y, mean, sigma), weights=weight)

    for target, best in enumerate(factors):
        nearby = mean_loss(target, best / 1.02), mean_loss(target, best * 1.02)
        assert mean_loss(target, best) < min(nearby)


def test_variances_are_not_made_smaller():
    _, y = draw_spread()
    wide = SpreadTargets("gaussian_nll", 2)
    h = np.hstack([np.zeros((60, 2)), np.tile([2.0, -2.0], (60, 1))])
    _, shift = wide.adjustment(h, y / y.std(axis=0), np.ones(60))
    assert_array_equal(shift[:3], np.zeros(3))
    squares = np.mean((y[:, 1] / y[:, 1].std()) ** 2) * np.exp(2.0)
    assert_allclose(shift[3], np.log(squares))


def test_intervals_do_not_depend_on_the_factor(monkeypatch):
    X, y = draw_spread()
    reg = make_overfitted("reals", loss="gaussian_nll")
    bare = as_trained(monkeypatch, lambda: clone(reg).fit(X, y))
    monkeypatch.setattr(reals, "factor_of_deviations", lambda *_: 1.0)
    reg.fit(X, y)
    std, bare_std = (one.predict(X, return_std=True)[1] for one in (reg, bare))
    assert (std[:, 1] > 1.1 * bare_std[:, 1]).all()
    bounds = (one.predict_interval(X) for one in (reg, bare))
    for one, other in zip(*bounds, strict=True):
        assert_allclose(one, other)


# ------------------------------------------------------------------------------------ quantiles


@pytest.mark.parametrize("quantile", [0.1, 0.8])
def test_a_quantile_has_its_part_of_the_rows_left_out_below_it(quantile, monkeypatch):
    X, y = draw_spread()
    weight = np.random.default_rng(1).integers(1, 4, size=len(X)).astype(float)
    reg = make_overfitted("reals", loss="quantile", quantile=quantile, max_iter=400)
    bare = as_trained(monkeypatch, lambda: clone(reg).fit(X, y, sample_weight=weight))
    reg.fit(X, y, sample_weight=weight)
    shift = (reg.predict(X) - bare.predict(X))[0]
    assert_allclose(reg.predict(X), bare.predict(X) + shift)
    assert (np.sign(shift) == np.sign(quantile - 0.5)).all()
    for target in range(2):
        errors = y[:, target] - reg.oob_prediction_[:, target]
        tolerance = 1e-6 * y[:, target].std()
        below, up_to = (weight[errors < side].sum() for side in (-tolerance, tolerance))
        assert below <= quantile * weight.sum() <= up_to

        step = 0.05 * y[:, target].std()
        losses = [
            mean_pinball_loss(errors, np.full(60, moved), sample_weight=weight, alpha=quantile)
            for moved in (0.0, -step, step)
        ]
        assert losses[0] == min(losses)


@pytest.mark.parametrize(("quantile", "sign"), [(0.1, 1.0), (0.8, -1.0), (0.5, 1.0)])
def test_quantiles_are_not_moved_towards_the_median(quantile, sign):
    """All errors are on the side of the median."""
    targets = QuantileTargets("quantile", 1, quantile)
    y = sign * np.linspace(1.0, 2.0, 9)[:, None]
    factor, shift = targets.adjustment(np.zeros((9, 1)), y, np.ones(9))
    assert (factor, shift) == (1.0, 0.0)


def test_intervals_of_a_quantile_lie_around_it():
    """With one fold that leaves all rows out, they are the prediction, less and plus an error."""
    X, y = draw_spread()
    cv = [(np.arange(60), np.arange(60))]
    reg = make_overfitted("reals", loss="quantile", quantile=0.8, cv=cv).fit(X, y)
    lower, upper = reg.predict_interval(X, coverage=0.5)
    assert_allclose((lower + upper) / 2.0, reg.predict(X), rtol=1e-5, atol=1e-5)
