"""L-BFGS, and its rounds on objectives that follow it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import rosen, rosen_der

from skc2c.solvers import LBFGS, DivergenceError
from skc2c.solvers.lbfgs import STEPS_PER_ROUND, _Rounds


class Problem:
    def __init__(self, hold, follows_theta=False):
        self.hold, self.follows_theta = hold, follows_theta


def minimize(hold, theta, hook=lambda theta, loss: False, follows_theta=False, **settings):
    settings = {"tol": 1e-8, "max_iter": 500, **settings}
    return LBFGS().minimize(Problem(hold, follows_theta), theta, hook, **settings)


def square(centre):
    return lambda theta: (0.5 * ((theta - centre) ** 2).sum(), theta - centre)


def counted():
    losses = []
    return lambda theta, loss: losses.append(loss), losses


def test_finds_the_bottom_of_a_valley():
    descent = minimize(lambda held: lambda theta: (rosen(theta), rosen_der(theta)), np.zeros(5))
    assert_allclose(descent.theta, 1.0, atol=1e-5)
    assert descent.message is None


def test_starting_at_the_bottom_it_reports_the_loss_there():
    hook, losses = counted()
    descent = minimize(lambda held: square(1.0), np.ones(3), hook)
    assert losses == []
    assert descent.loss == 0.0
    assert descent.message is None


def test_it_stops_when_the_gradient_is_small():
    rough = minimize(lambda held: lambda t: (rosen(t), rosen_der(t)), np.zeros(5), tol=1e-1)
    fine = minimize(lambda held: lambda t: (rosen(t), rosen_der(t)), np.zeros(5), tol=1e-6)
    assert abs(rosen_der(rough.theta)).max() <= 1e-1
    assert abs(rosen_der(fine.theta)).max() <= 1e-6
    assert rosen(fine.theta) < rosen(rough.theta)


def test_it_follows_an_objective_that_moves():
    """Each round sees one bowl; its centre is 1 + held / 2, so that the rounds end at 2."""
    seen = []

    def hold(held):
        seen.append(held.copy())
        return square(1 + held.copy() / 2)

    hook, losses = counted()
    descent = minimize(hold, np.zeros(3), hook, follows_theta=True)
    assert_allclose(descent.theta, 2.0, atol=1e-6)
    assert descent.message is None
    assert len(seen) > 10
    assert len(losses) >= len(seen) - 1
    assert_allclose(minimize(hold, np.zeros(3)).theta, 1.0)


def test_a_round_has_no_more_steps_than_it_should():
    """The held point is renewed every so many steps."""
    steps = [0]

    def hold(held):
        steps.append(0)
        return lambda theta: (rosen(theta), rosen_der(theta))

    def hook(theta, loss):
        steps[-1] += 1
        return False

    minimize(hold, np.full(30, -1.2), hook, follows_theta=True, max_iter=100)
    assert steps == [0, *[STEPS_PER_ROUND] * 5, 0]


def test_a_round_that_leads_up_is_undone():
    """What is returned is the best start of a round, with its loss there."""
    helds, (hook, losses) = [], counted()

    def hold(held):
        """The bottom runs away, and the faster the further it is."""
        helds.append(held)
        return square(held + 1.0 + held @ held)

    descent = minimize(hold, np.zeros(3), hook, True)
    assert_array_equal(descent.theta, 0.0)
    assert descent.loss == 1.5
    assert min(losses) < 1e-12  # with the bottom held, these are low
    assert "no step lowers the loss" in descent.message
    assert len(helds) == 1 + len([20, 10, 5, 2, 1])


def test_rounds_get_shorter_until_they_lead_down():
    """Where twenty steps overshoot, one does not."""
    lengths = []

    def hold(held):
        lengths.append(0)
        bottom = -1.5 * held
        scales = np.array([1.0, 30.0, 900.0])
        return lambda t: (0.5 * (scales * (t - bottom) ** 2).sum(), scales * (t - bottom))

    def hook(theta, loss):
        lengths[-1] += 1
        return False

    descent = minimize(hold, np.ones(3), hook, follows_theta=True)
    assert descent.loss < 0.1 * hold(np.ones(3))(np.ones(3))[0]
    # Halved while they lead up, and doubled again while they lead down.
    assert lengths[1:8] == [10, 5, 2, 1, 2, 4, 7]
    assert max(lengths) == STEPS_PER_ROUND


def test_a_start_is_evaluated_once():
    seen = []

    def hold(held):
        seen.append([])

        def function(theta):
            seen[-1].append(tuple(theta))
            return square(1 + held / 2)(theta)

        return function

    minimize(hold, np.zeros(3), follows_theta=True)
    assert len(seen) > 10
    for thetas in seen:
        assert len(set(thetas)) == len(thetas)


def test_rounds_together_keep_to_max_iter():
    hook, losses = counted()
    descent = minimize(lambda held: square(-held), np.ones(3), hook, follows_theta=True, max_iter=7)
    assert len(losses) == 7
    assert "max_iter=7" in descent.message


def test_rounds_together_keep_to_max_fun():
    """The line search that is under way is ended."""
    calls = []

    def hold(held):
        def function(theta):
            calls.append(theta)
            return rosen(theta + 0.1 * held), rosen_der(theta + 0.1 * held)

        return function

    n, problem = 300, Problem(hold, follows_theta=True)
    settings = {"max_iter": 1000, "tol": 1e-8}
    descent = LBFGS(max_fun=n).minimize(problem, np.zeros(30), lambda *_: False, **settings)
    assert f"max_fun={n}" in descent.message
    assert n <= len(calls) < n + 20


@pytest.mark.parametrize(("n_evaluations", "is_used_up"), [(4, False), (5, True)])
def test_the_last_evaluation_is_the_last(n_evaluations, is_used_up):
    run = _Rounds(None, np.zeros(3), None, max_iter=10, max_fun=5)
    run.n_evaluations = n_evaluations
    assert run.is_used_up == is_used_up


def test_stopping_by_the_hook_ends_all_rounds():
    descent = minimize(
        lambda held: square(-held), np.ones(3), lambda theta, loss: True, follows_theta=True
    )
    assert descent.message is None


def test_a_kink_is_named():
    """A line search that finds no lower point, where the gradient says that there is one."""
    descent = minimize(
        lambda held: lambda theta: (np.abs(theta).sum(), np.sign(theta - 1e-9)), np.zeros(3)
    )
    assert "found no lower point" in descent.message
    assert "kink" in descent.message


def test_it_goes_on_without_a_state():
    """What it knows of the curvature it learns anew."""
    assert minimize(lambda held: square(1.0), np.zeros(3)).state == {}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_infinite_objective_is_an_error(value):
    with pytest.raises(DivergenceError, match=f"the loss became {value} in iteration 1$"):
        minimize(lambda held: lambda theta: (value, np.zeros(3)), np.zeros(3))
