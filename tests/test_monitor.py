"""What is noted of each iteration, and when to stop."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skc2c.solvers import DivergenceError, Monitor, check_finite

THETA = np.zeros(3)


def watch(monitor, figures):
    """After how many iterations it says to stop; None if it never does."""
    for n, figure in enumerate(figures, start=1):
        if monitor(np.full(3, n), figure):
            return n
    return None


def test_it_notes_every_loss():
    monitor = Monitor(tol=0.0, n_iter_no_change=np.inf)
    assert watch(monitor, [3.0, 1.0, 2.0]) is None
    assert monitor.loss_curve == [3.0, 1.0, 2.0]
    assert monitor.validation_scores is None
    assert monitor.best_validation_score is None
    assert monitor.best_theta is None


@pytest.mark.parametrize("patience", [1, 3, 10])
def test_it_waits_for_so_many_iterations_and_one_more(patience):
    monitor = Monitor(tol=0.0, n_iter_no_change=patience)
    falling = [5.0 - 0.1 * i for i in range(20)]
    # The mean of the last ones stands still when all of them are at the end.
    assert watch(monitor, falling + [10.0] * 100) == 20 + patience + 1


def test_an_improvement_of_less_than_tol_is_none():
    losses = [1.0 - 0.01 * i for i in range(100)]
    assert watch(Monitor(tol=0.009, n_iter_no_change=5), losses) is None
    assert watch(Monitor(tol=0.5, n_iter_no_change=5), losses) == 7


def test_an_infinite_patience_never_stops():
    assert watch(Monitor(tol=0.1, n_iter_no_change=np.inf), [1.0] * 300) is None


def test_the_mean_of_the_last_losses_is_watched_not_a_lucky_one():
    losses = [2.0 - 0.01 * i for i in range(100)]
    losses[5] -= 0.2
    assert watch(Monitor(tol=1e-4, n_iter_no_change=10), losses) is None


def test_a_score_is_watched_instead_of_the_loss():
    scores = iter([0.1, 0.5, 0.4, 0.3, 0.2, 0.6])
    monitor = Monitor(tol=0.0, n_iter_no_change=2, score=lambda theta: next(scores))
    assert watch(monitor, [9.0, 8.0, 7.0, 6.0, 5.0, 4.0]) == 5
    assert monitor.validation_scores == [0.1, 0.5, 0.4, 0.3, 0.2]
    assert monitor.best_validation_score == 0.5
    assert_array_equal(monitor.best_theta, np.full(3, 2))


def test_the_best_parameters_are_those_of_the_best_score_even_by_less_than_tol():
    scores = iter([0.5, 0.505, 0.50])
    monitor = Monitor(tol=0.1, n_iter_no_change=10, score=lambda theta: next(scores))
    watch(monitor, [1.0] * 3)
    assert_array_equal(monitor.best_theta, np.full(3, 2))


def test_the_best_parameters_are_a_copy():
    """A solver changes its own in place."""
    theta = np.ones(3)
    monitor = Monitor(tol=0.0, n_iter_no_change=5, score=lambda theta: 1.0)
    monitor(theta, 1.0)
    theta += 1.0
    assert_array_equal(monitor.best_theta, 1.0)


def test_verbose_prints_every_iteration(capsys):
    monitor = Monitor(tol=0.0, n_iter_no_change=np.inf, score=lambda theta: 0.5, verbose=True)
    watch(monitor, [0.25, 0.125])
    lines = capsys.readouterr().out.splitlines()
    assert lines[::2] == ["Iteration 1, loss = 0.25000000", "Iteration 2, loss = 0.12500000"]
    assert lines[1::2] == ["Validation score: 0.500000"] * 2
    watch(Monitor(tol=0.0, n_iter_no_change=np.inf), [0.25])
    assert capsys.readouterr().out == ""


def test_what_is_not_finite_is_an_error_with_its_iteration():
    monitor = Monitor(tol=0.0, n_iter_no_change=np.inf)
    monitor(THETA, 1.0)
    with pytest.raises(DivergenceError, match="the loss became inf in iteration 2"):
        monitor(THETA, np.inf)
    with pytest.raises(DivergenceError, match="the parameters became infinite in iteration 2"):
        monitor(np.array([0.0, np.nan]), 1.0)
    check_finite(THETA, 1.0, 1)


@pytest.mark.parametrize("tol", [0.0, 0.5])
def test_an_improvement_by_tol_itself_is_one(tol):
    """As in scikit-learn's MLP, which goes on while a loss stays the same if tol is zero."""
    watching = Monitor(tol=tol, n_iter_no_change=3, score=lambda theta: tol * theta[0])
    assert watch(watching, [1.0] * 20) is None


def test_of_equal_scores_the_first_is_the_best():
    monitor = Monitor(tol=0.0, n_iter_no_change=np.inf, score=lambda theta: 0.7)
    watch(monitor, [1.0] * 4)
    assert_array_equal(monitor.best_theta, np.ones(3))
