"""The contract of a solver, for every one in the table."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skc2c.solvers import SOLVERS, Adam, DivergenceError, Monitor, Solver, make_solver

each_solver = pytest.mark.parametrize("name", SOLVERS)
CURVATURE = np.array([1.0, 10.0, 100.0])


def bowl(theta):
    return 0.5 * (CURVATURE * (theta - 1) ** 2).sum(), CURVATURE * (theta - 1)


class Problem:
    """A function of theta, as solvers of either kind see it."""

    follows_theta = False
    n_batches = 1

    def __init__(self, function=bowl):
        self.function = function

    def epoch(self):
        yield slice(0, 10), 10

    def on_batch(self, theta, batch):
        return self.function(theta)

    def hold(self, theta):
        return self.function


def noted(stop_after=np.inf):
    """A hook, and the list of the parameters and losses that it is shown."""
    seen = []

    def hook(theta, loss):
        seen.append((theta.copy(), loss))
        return len(seen) >= stop_after

    return hook, seen


def run(name, function=bowl, theta=None, hook=None, **settings):
    theta = np.zeros(3) if theta is None else theta
    hook = noted()[0] if hook is None else hook
    settings = {"learning_rate": 0.1, "max_iter": 500, "tol": 1e-8, **settings}
    return SOLVERS[name]().minimize(Problem(function), theta, hook, **settings)


# -------------------------------------------------------------------------------- descending


@each_solver
def test_finds_the_bottom_of_a_bowl(name):
    hook, seen = noted()
    descent = run(name, hook=hook)
    assert_allclose(descent.theta, 1.0, atol=1e-3)
    assert_array_equal(seen[-1][0], descent.theta)
    assert seen[-1][1] == descent.loss
    assert not descent.interrupted


@each_solver
def test_losses_are_those_of_the_iterations(name):
    """Of Adam those along the way, of L-BFGS those at the end of the step."""
    hook, seen = noted()
    run(name, hook=hook, max_iter=20)
    losses = [loss for _, loss in seen]
    before = [np.zeros(3)] + [theta for theta, _ in seen]
    expected = before[:-1] if SOLVERS[name]().is_stochastic else before[1:]
    assert_allclose(losses, [bowl(theta)[0] for theta in expected])


@each_solver
def test_leaves_its_start_alone(name):
    theta = np.zeros(3)
    run(name, theta=theta)
    assert_array_equal(theta, 0.0)


@each_solver
def test_it_holds_no_state(name):
    """One object serves many fits."""
    solver = SOLVERS[name]()
    before = pickle.dumps(vars(solver))
    settings = {"learning_rate": 0.1, "max_iter": 10, "tol": 0.0}
    found = [solver.minimize(Problem(), np.zeros(3), noted()[0], **settings) for _ in range(2)]
    assert_array_equal(found[0].theta, found[1].theta)
    assert pickle.dumps(vars(solver)) == before


@each_solver
def test_says_when_it_has_not_converged(name):
    hook, seen = noted()
    descent = run(name, hook=hook, max_iter=2)
    assert len(seen) == 2
    assert "max_iter=2" in descent.message


@each_solver
@pytest.mark.parametrize("after", [1, 3])
def test_stops_when_the_hook_says_so(name, after):
    hook, seen = noted(stop_after=after)
    descent = run(name, hook=hook)
    assert len(seen) == after
    assert_array_equal(descent.theta, seen[-1][0])
    assert descent.loss == seen[-1][1]
    assert descent.message is None


@each_solver
def test_stopping_in_the_last_iteration_is_not_a_lack_of_iterations(name):
    assert run(name, hook=noted(stop_after=2)[0], max_iter=2).message is None


@each_solver
def test_its_dtype_is_that_of_its_attribute(name):
    """The default of training; solvers keep what they are given."""
    solver = SOLVERS[name]()
    assert np.dtype(solver.dtype) in (np.dtype("float32"), np.dtype("float64"))

    def typed(theta):
        assert theta.dtype == solver.dtype
        value, gradient = bowl(theta)
        return value, gradient.astype(solver.dtype)

    descent = run(name, typed, np.zeros(3, solver.dtype), max_iter=5)
    assert descent.theta.dtype == solver.dtype


@each_solver
def test_the_state_is_a_plain_record(name):
    state = run(name, max_iter=3).state
    assert isinstance(state, dict)
    for key, value in state.items():
        assert isinstance(key, str)
        assert isinstance(value, (np.ndarray, int, float, str)), key


# ------------------------------------------------------------------------- what goes wrong


@each_solver
def test_ctrl_c_keeps_the_last_finished_iteration(name):
    hook, seen = noted()
    calls = []

    def interrupted(theta):
        calls.append(None)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return bowl(theta)

    descent = run(name, interrupted, hook=hook)
    assert descent.interrupted
    assert_array_equal(descent.theta, seen[-1][0])
    assert bowl(descent.theta)[0] < bowl(np.zeros(3))[0]


@each_solver
def test_ctrl_c_in_the_hook_keeps_what_it_was_shown_or_what_was_before(name):
    seen = []

    def hook(theta, loss):
        seen.append(theta.copy())
        if len(seen) == 4:
            raise KeyboardInterrupt
        return False

    descent = run(name, hook=hook)
    assert descent.interrupted
    assert any(np.array_equal(descent.theta, theta) for theta in seen[-2:])


@each_solver
def test_ctrl_c_before_the_first_iteration_keeps_the_start(name):
    def interrupted(theta):
        raise KeyboardInterrupt

    descent = run(name, interrupted)
    assert descent.interrupted
    assert_array_equal(descent.theta, 0.0)
    assert np.isnan(descent.loss)


@each_solver
def test_a_loss_that_is_not_finite_is_an_error(name):
    """Found by the monitor, which watches every iteration, or by the solver itself."""
    hook = Monitor(tol=0.0, n_iter_no_change=np.inf)
    with pytest.raises(DivergenceError, match="the loss became nan"):
        run(name, lambda theta: (np.nan, np.zeros(3)), hook=hook)


@pytest.mark.parametrize("name", [name for name, cls in SOLVERS.items() if cls.is_stochastic])
def test_parameters_that_are_not_finite_are_an_error(name):
    """Of a solver that takes every step; a line search takes none that goes nowhere."""
    hook = Monitor(tol=0.0, n_iter_no_change=np.inf)
    with pytest.raises(DivergenceError, match="the parameters became infinite in iteration 1"):
        run(name, lambda theta: (1.0, np.full(3, np.nan)), hook=hook, max_iter=1)


# ------------------------------------------------------------------------ names and settings


@each_solver
def test_a_name_stands_for_the_default_object(name):
    assert type(make_solver(name)) is SOLVERS[name]
    assert make_solver(name).get_params() == SOLVERS[name]().get_params()


def test_an_object_is_taken_as_it_is():
    solver = Adam(beta_1=0.5)
    assert make_solver(solver) is solver


@each_solver
def test_solvers_clone_and_print(name):
    solver = SOLVERS[name]()
    assert clone(solver).get_params() == solver.get_params()
    assert type(solver).__name__ in repr(solver)


@each_solver
def test_a_rate_for_every_progress(name):
    for solver in (SOLVERS[name](), SOLVERS[name]().annealed(), SOLVERS[name]().in_cycles()):
        rate = solver.rates(0.01)
        assert all(0.0 <= rate(progress) <= 0.01 for progress in np.linspace(0, 1, 9))


def test_a_solver_has_to_descend():
    class Unfinished(Solver):
        pass

    for cls in (Solver, Unfinished):
        with pytest.raises(TypeError, match="abstract.*minimize"):
            cls()


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        ("sgd", "'solver' parameter.*'adam', 'lbfgs'.*'sgd'"),
        (3, "'solver'.*3"),
        (Adam, "'solver'.*Adam"),
        (Adam(beta_1=1.0), "'beta_1' parameter of Adam.*1.0"),
        (Adam(beta_2=-0.1), "'beta_2' parameter of Adam.*-0.1"),
        (Adam(beta_2="default"), "'beta_2' parameter of Adam.*'auto'.*'default'"),
        (Adam(epsilon=0.0), "'epsilon' parameter of Adam.*0.0"),
        (Adam(schedule="stepwise"), "'schedule' parameter of Adam.*'stepwise'"),
    ],
)
def test_bad_solvers_are_named(solver, message):
    with pytest.raises(ValueError, match=message):
        make_solver(solver)
