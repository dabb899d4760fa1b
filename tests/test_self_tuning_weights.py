"""Weights of rows and classes in fits of several networks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import KFold
from tuned import TASKS, N, as_trained, assert_same_function, draw, make, spy_on_cross_fit

each_task = pytest.mark.parametrize("task", TASKS)
each_solver = pytest.mark.parametrize("solver", ["adam", "lbfgs"])


def weights(seed=1):
    """A third of the rows weigh nothing."""
    return np.random.default_rng(seed).integers(0, 3, size=N).astype(float)


@each_task
@each_solver
@pytest.mark.parametrize("input_scaling", ["robust", None])
def test_a_row_of_zero_weight_is_absent(task, solver, input_scaling):
    X, y = draw(task)
    weight = weights()
    used = weight > 0
    settings = {"solver": solver, "input_scaling": input_scaling, "max_iter": 3}
    estimator = make(task, **settings).fit(X, y, sample_weight=weight)
    X[~used] = 1e6
    without = make(task, **settings).fit(X[used], y[used], sample_weight=weight[used])
    assert_same_function(estimator, without)
    assert estimator.oob_score_ == without.oob_score_
    assert estimator.alpha_ == without.alpha_
    assert_array_equal(estimator.epsilon_, without.epsilon_)


@pytest.mark.parametrize("task", ["binary", "real"])
def test_unlabelled_rows_of_zero_weight_are_absent(task):
    X, y = draw(task)
    mark = "?" if task == "binary" else np.nan
    marked = np.where(np.arange(N) % 3 == 0, mark, y)
    weight = weights()
    used = weight > 0
    estimator = make(task, missing_label=mark).fit(X, marked, sample_weight=weight)
    without = make(task, missing_label=mark).fit(X[used], marked[used], sample_weight=weight[used])
    assert_same_function(estimator, without)


@each_solver
def test_a_splitter_counts_rows_of_zero_weight(solver, monkeypatch):
    """Its indices refer to the labelled rows as they were given."""
    seen = spy_on_cross_fit(monkeypatch)
    X, y = draw("binary")
    weight = weights()
    used = np.flatnonzero(weight)
    make("binary", cv=KFold(3), solver=solver).fit(X, y, sample_weight=weight)
    ((plan, _),) = seen
    for (train, test), expected in zip(plan.folds, KFold(3).split(X), strict=True):
        assert_array_equal(used[train], np.intersect1d(expected[0], used))
        assert_array_equal(used[test], np.intersect1d(expected[1], used))


@each_solver
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_weights_of_classes_multiply_those_of_rows(task, solver):
    X, y = draw(task)
    classes, codes = np.unique(y, return_inverse=True)
    factors = np.linspace(0.5, 2.0, len(classes))
    by_class = make(task, solver=solver, class_weight=dict(zip(classes, factors, strict=True)))
    by_row = make(task, solver=solver)
    weight = weights()
    by_class.fit(X, y, sample_weight=weight)
    by_row.fit(X, y, sample_weight=weight * factors[codes])
    assert_same_function(by_class, by_row)


def test_balanced_classes_count_alike_out_of_fold(monkeypatch):
    seen = spy_on_cross_fit(monkeypatch)
    X, _ = draw("binary")
    y = (np.arange(N) < 10).astype(int)
    estimator = make("binary", class_weight="balanced").fit(X, y)
    ((_, found),) = seen
    given = estimator.oob_decision_function_
    logit = np.log(given[:, 1] / given[:, 0])
    logit = (logit - estimator.logit_shift_) * estimator.temperature_  # as training left it
    nll = np.logaddexp(0.0, logit) - y * logit
    means = [nll[y == c].mean() for c in (0, 1)]
    assert_allclose(found.loss, np.mean(means), rtol=1e-5)


@each_solver
def test_heavy_rows_are_predicted_better_out_of_fold(solver):
    """Where two halves of the rows contradict each other, the heavier half wins."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 1))
    y = np.where(np.arange(80) < 40, 1.0, -1.0) * X[:, 0]
    settings = {"solver": solver, "max_iter": 60}
    for heavy in (np.arange(80) < 40, np.arange(80) >= 40):
        weight = np.where(heavy, 1.0, 0.02)
        estimator = make("real", **settings).fit(X, y, sample_weight=weight)
        error = (estimator.oob_prediction_ - y) ** 2
        assert error[heavy].mean() < 0.3 * error[~heavy].mean()
        assert estimator.oob_score_ > 0.6


@pytest.mark.parametrize("task", ["multiclass", "real"])
def test_a_common_factor_of_the_weights_only_changes_l2(task, monkeypatch):
    """And what rows say against a prior in the adjustment after training."""
    X, y = draw(task)
    weight = weights() + 0.5
    first, second = (
        as_trained(
            monkeypatch,
            lambda n=n: make(task, l2=0.1 * n).fit(X, y, sample_weight=n * weight),
        )
        for n in (1, 4)
    )
    assert_allclose(first.coefs_[0], second.coefs_[0], rtol=1e-3, atol=1e-4)
    assert_allclose(first.oob_score_, second.oob_score_, rtol=1e-3)


@pytest.mark.parametrize("task", ["binary", "real"])
def test_repeated_rows_scale_like_weighted_ones(task):
    X, y = draw(task)
    counts = weights().astype(int)
    weighted = make(task).fit(X, y, sample_weight=counts)
    repeated = make(task).fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    assert_array_equal(weighted.input_center_, repeated.input_center_)
    assert_array_equal(weighted.input_scale_, repeated.input_scale_)
