"""One random state, one result: in threads, in another process, whatever the order of rows."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from oracles import run_in_threads
from single import assert_same_fit, both, draw, each_penalty, each_solver, quick
from sklearn.base import clone

from skc2c import C2CClassifier


@both
@each_penalty
@each_solver
def test_same_random_state_same_result(cls, penalty, solver):
    X, y = draw(cls)
    estimator = quick(cls, penalty=penalty, solver=solver, max_iter=5)
    first = clone(estimator).fit(X, y)
    assert_same_fit(first, clone(estimator).fit(X, y))
    assert_same_fit(first, estimator.fit(X, y).fit(X, y))
    other = clone(estimator).set_params(random_state=1).fit(X, y)
    assert (other.coefs_[0] != first.coefs_[0]).any()


@both
def test_same_random_state_same_result_in_another_process(cls, in_another_process):
    estimator, rows = quick(cls, penalty="vat"), draw(cls)
    there = in_another_process(estimator.fit, *rows)
    assert_same_fit(estimator.fit(*rows), there)


@both
@each_penalty
@each_solver
def test_fits_in_threads_equal_fits_in_sequence(cls, penalty, solver):
    X, y = draw(cls)
    estimators = [
        quick(
            cls,
            penalty=penalty,
            solver=solver,
            random_state=seed,
            hidden_layer_sizes=(8, 6),
            max_iter=8,
        )
        for seed in (1, 2)
    ]
    in_sequence = [clone(estimator).fit(X, y) for estimator in estimators]
    run_in_threads(*(lambda e=estimator: e.fit(X, y) for estimator in estimators))
    for left, right in zip(in_sequence, estimators, strict=True):
        assert_same_fit(left, right)


@both
@each_solver
@pytest.mark.parametrize("random_state", [None, 0])
def test_fit_changes_nothing_but_the_estimator(cls, solver, random_state):
    X, y = draw(cls)
    weight = np.arange(80.0)
    hidden, epsilon = [8], np.array([0.1, 0.0, 0.2, 0.3])
    copies = [array.copy() for array in (X, y, weight, epsilon)]
    estimator = quick(
        cls,
        solver=solver,
        random_state=random_state,
        epsilon=epsilon,
        hidden_layer_sizes=hidden,
        early_stopping=True,
    )
    parameters = dict(estimator.get_params())
    before = np.random.get_state()
    estimator.fit(X, y, weight).predict(X)
    after = np.random.get_state()
    assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]
    for name, value in estimator.get_params().items():
        assert value is parameters[name], name
    for array, copy in zip((X, y, weight, epsilon), copies, strict=True):
        assert_array_equal(array, copy)


def test_random_state_instance_is_advanced():
    X, y = draw(C2CClassifier)
    draws = np.random.RandomState(0)
    first, second = (quick(C2CClassifier, random_state=draws).fit(X, y) for _ in range(2))
    assert (first.coefs_[0] != second.coefs_[0]).any()


@both
@each_penalty
def test_lbfgs_does_not_depend_on_the_order_or_repetition_of_rows(cls, penalty, rng):
    X, y = draw(cls)
    weight = rng.integers(0, 4, size=80)
    repeated = rng.permutation(np.repeat(np.arange(80), weight))
    estimator = quick(cls, penalty=penalty, solver="lbfgs", max_iter=50)
    weighted = clone(estimator).fit(X, y, weight)
    assert_same_fit(weighted, clone(estimator).fit(X[repeated], y[repeated]))
