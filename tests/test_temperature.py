"""Probabilities, variances and quantiles are as certain as rows left out bear out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq
from scipy.stats import norm
from sklearn.base import clone
from sklearn.metrics import log_loss, mean_pinball_loss
from tuned import as_trained, draw, link, loss, make, spy_on_cross_fit

from skc2c.estimators.targets import reals
from skc2c.estimators.targets.class_calibration import certainty
from skc2c.estimators.targets.reals import QuantileTargets, SpreadTargets
from skc2c.likelihoods.classes import Bernoulli, Categorical

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
def test_no_other_temperature_or_shift_suits_the_rows_left_out_better(task, monkeypatch):
    seen = spy_on_cross_fit(monkeypatch)
    X, y = draw_noisy(task)
    weight = np.random.default_rng(1).uniform(0.5, 2.0, size=len(X))
    estimator = make_overfitted(task).fit(X, y, sample_weight=weight)
    ((plan, found),) = seen

    def objective(temperature, shift):
        outputs = found.outputs / temperature + shift
        return weight @ loss(task, plan.rows.y, outputs) + 5.0 * np.sum(shift**2)

    temperature, shift = estimator.temperature_, estimator.logit_shift_
    assert temperature > 1.1
    assert shift.shape == (estimator.n_outputs_,)
    assert np.abs(shift).max() > 0.01
    best = objective(temperature, shift)
    assert best < min(objective(temperature / 1.02, shift), objective(temperature * 1.02, shift))
    for step in 0.02 * np.eye(len(shift)):
        assert best < min(
            objective(temperature, shift - step), objective(temperature, shift + step)
        )


@each_task
def test_all_outputs_are_divided_and_shifted(task, monkeypatch):
    X, y = draw_noisy(task)
    estimator = make_overfitted(task).fit(X, y)
    plain = as_trained(monkeypatch, lambda: make_overfitted(task).fit(X, y))
    assert plain.temperature_ == 1.0
    assert_array_equal(plain.logit_shift_, np.zeros(plain.n_outputs_))
    expected = link(plain, X) / estimator.temperature_ + estimator.logit_shift_
    assert_allclose(link(estimator, X), expected, rtol=1e-6, atol=1e-9)
    given = [np.clip(e.oob_decision_function_, 1e-12, 1 - 1e-12) for e in (estimator, plain)]
    if task == "multiclass":
        logits, bare = (np.log(p) - np.log(p).mean(axis=1, keepdims=True) for p in given)
        shift = estimator.logit_shift_ - estimator.logit_shift_.mean()
    else:
        logits, bare = (np.log(p / (1 - p)) for p in given)
        shift = estimator.logit_shift_
        if task == "binary":
            shift = np.append(-shift, shift)
    assert_allclose(logits, bare / estimator.temperature_ + shift, rtol=1e-5, atol=1e-5)


FAMILIES = {"binary": Bernoulli(), "multilabel": Bernoulli(), "multiclass": Categorical()}


@each_task
def test_outputs_that_say_nothing_become_frequencies(task, rng):
    """Drawn a little towards zero: ``n (mean(b) - frequency) + 10 b = 0``, n the sum of weights."""
    n, K = 40, 1 if task == "binary" else 3
    y = (rng.random((n, K)) < [0.7, 0.2, 0.1][:K]).astype(float)
    if task == "multiclass":
        y = np.eye(3)[rng.choice(3, n, p=[0.7, 0.2, 0.1])]
    weight = rng.uniform(0.5, 2.0, n)
    _, shift = certainty(FAMILIES[task], np.zeros((n, K)), y, weight)
    frequency = np.average(y, axis=0, weights=weight)
    mean = FAMILIES[task].mean(shift[None])[0]
    assert_allclose(mean - frequency + 10.0 * shift / weight.sum(), 0.0, atol=1e-5)
    assert np.abs(mean - frequency).max() > 0.02


@each_task
def test_certainty_counts_weights_as_rows_in_any_precision_and_unit(task, rng):
    n, K = 60, 1 if task == "binary" else 3
    h = 3.0 * rng.normal(size=(n, K))
    noisy = 0.3 * h + rng.logistic(size=(n, K))
    y = np.eye(3)[noisy.argmax(axis=1)] if task == "multiclass" else 1.0 * (noisy > 0.0)
    weight = rng.integers(1, 4, n)
    factor, shift = certainty(FAMILIES[task], h, y, weight.astype(float))
    assert 0.01 < factor < 0.9
    repeated = (np.repeat(values, weight, axis=0).astype(np.float32) for values in (h, y))
    again = certainty(FAMILIES[task], *repeated, np.ones(weight.sum(), np.float32))
    assert_allclose(again[0], factor, rtol=1e-4)
    assert_allclose(again[1], shift, rtol=1e-4, atol=1e-5)
    large = certainty(FAMILIES[task], 50.0 * h, y, weight)
    assert_allclose(large[0], max(factor / 50.0, np.exp(-4.6)), rtol=1e-3)


def test_a_class_that_is_predicted_too_seldom_is_predicted_more_often(rng):
    """As the networks of folds say; new rows gain by it."""
    y = rng.choice(3, 4000, p=[0.6, 0.3, 0.1])
    h = np.eye(3)[y] + rng.normal(size=(4000, 3))  # without the log-odds of the classes
    known, new = slice(0, 1000), slice(1000, None)
    factor, shift = certainty(Categorical(), h[known], np.eye(3)[y[known]], np.ones(1000))
    assert factor == pytest.approx(1.0, abs=0.1)
    truth = np.log([0.6, 0.3, 0.1])
    assert_allclose(shift - shift.mean(), truth - truth.mean(), atol=0.2)
    losses = [
        loss("multiclass", np.eye(3)[y[new]], outputs).mean()
        for outputs in (h[new], h[new] + shift)
    ]
    assert losses[1] < 0.9 * losses[0]


def test_where_all_rows_are_right_outputs_are_made_a_little_more_certain():
    """No factor would be too large: the prior says how far the rows bear it out."""
    y = np.arange(60) % 2
    h = np.where(y, 2.0, -2.0)[:, None]
    factor, shift = certainty(Bernoulli(), h, y[:, None], np.ones(60))
    # The derivative of ``60 log(1 + exp(-2 a)) + 20 (log a)^2`` is zero.
    root = brentq(lambda a: -120.0 / (1.0 + np.exp(2.0 * a)) + 40.0 * np.log(a) / a, 1.0, 10.0)
    assert_allclose(factor, root, rtol=1e-4)
    assert 1.1 < factor < 1.5
    assert_allclose(shift, 0.0, atol=1e-6)
    once_more, _ = certainty(Bernoulli(), 10.0 * h, y[:, None], np.ones(60))
    assert 1.0 <= once_more < 1.01  # there is nothing to be gained


@pytest.mark.parametrize("size", [1e-6, 1e-3, 1.0, 1e3])
def test_a_factor_is_a_hundredfold_at_most(size):
    """Whatever the outputs are, all on the right side or all on the wrong one."""
    y = (np.arange(60) % 2)[:, None]
    for sign in (-1.0, 1.0):
        h = sign * size * np.where(y, 1.0, -1.0)
        factor, shift = certainty(Bernoulli(), h, y, np.full(60, 1e6))
        assert (np.exp(-4.61) < factor <= 1.0) if sign < 0.0 else (1.0 <= factor < np.exp(4.61))
        assert np.isfinite(shift).all()


def test_few_rows_change_little(rng):
    h, y = rng.normal(size=(4, 3)), np.eye(3)[[0, 0, 1, 0]]
    factor, shift = certainty(Categorical(), h, y, np.ones(4))
    assert np.abs(shift).max() < 0.25
    assert factor < 1.2


@pytest.mark.parametrize("settings", [{"cv": None}, {"early_stopping": True}], ids=str)
def test_without_folds_outputs_stay_as_they_are(settings):
    X, y = draw_noisy("binary")
    clf = make("binary", alpha=0.1, **settings).fit(X, y)
    assert clf.temperature_ == 1.0
    assert_array_equal(clf.logit_shift_, [0.0])


def test_regressors_have_none():
    reg = make("real").fit(*draw("real"))
    assert not hasattr(reg, "temperature_")
    assert not hasattr(reg, "logit_shift_")


def test_an_incremental_fit_goes_on_from_outputs_as_they_are():
    """Training sees them undivided from then on."""
    X, y = draw_noisy("binary")
    estimator = make_overfitted("binary").fit(X, y)
    assert estimator.temperature_ > 1.1
    before = link(estimator, X)
    estimator.set_params(learning_rate_init=1e-12).partial_fit(X, y)
    assert estimator.temperature_ == 1.0
    assert_array_equal(estimator.logit_shift_, [0.0])
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
