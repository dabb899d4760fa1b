import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import rosen, rosen_der

from skc2c.solvers import DivergenceError, Monitor, adam, batches, lbfgs

CURVATURE = np.array([1.0, 10.0, 100.0])


def bowl(theta, batch=None):
    return 0.5 * (CURVATURE * (theta - 1) ** 2).sum(), CURVATURE * (theta - 1)


def one_batch():
    return [slice(0, 10)]


def patient(**kwargs):
    return Monitor(tol=0.0, n_iter_no_change=np.inf, **kwargs)


def run_adam(function=bowl, theta=None, **kwargs):
    theta = np.zeros(3) if theta is None else theta
    settings = {"learning_rate": 0.1, "max_iter": 500, "monitor": patient(), **kwargs}
    return adam(function, theta, one_batch, **settings)


def run_lbfgs(function=bowl, theta=None, **kwargs):
    theta = np.zeros(3) if theta is None else theta
    settings = {"tol": 1e-8, "max_iter": 200, "monitor": patient(), **kwargs}
    return lbfgs(lambda held: function, theta, **settings)


both = pytest.mark.parametrize("run", [run_adam, run_lbfgs], ids=["adam", "lbfgs"])


@both
def test_finds_the_bottom_of_a_bowl(run):
    solution = run()
    assert_allclose(solution.theta, 1.0, atol=1e-3)
    assert solution.n_iter == len(solution.loss_curve)
    assert solution.loss == solution.loss_curve[-1]
    assert solution.best_loss == min(solution.loss_curve)


def test_lbfgs_finds_the_bottom_of_a_valley():
    solution = run_lbfgs(lambda theta: (rosen(theta), rosen_der(theta)), np.zeros(5))
    assert_allclose(solution.theta, 1.0, atol=1e-5)
    assert solution.message is None


def test_adam_follows_the_formulas_of_its_paper(rng):
    """Algorithm 1 of Kingma & Ba, written out naively."""
    gradients = rng.normal(size=(20, 3))
    supply = iter(gradients)
    solution = run_adam(lambda theta, batch: (1.0, next(supply)), max_iter=20)
    theta, m, v = np.zeros(3), np.zeros(3), np.zeros(3)
    for t, g in enumerate(gradients, start=1):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        theta = theta - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    assert_allclose(solution.theta, theta, rtol=1e-5)


@both
def test_leaves_its_start_alone(run):
    theta = np.zeros(3)
    run(theta=theta)
    assert_array_equal(theta, 0.0)


def test_adam_keeps_float32():
    def single(theta, batch):
        assert theta.dtype == np.float32
        value, gradient = bowl(theta)
        return value, gradient.astype(np.float32)

    assert run_adam(single, np.zeros(3, np.float32)).theta.dtype == np.float32


@both
def test_says_when_it_has_not_converged(run):
    solution = run(max_iter=2)
    assert solution.n_iter == 2
    assert solution.message is not None


@both
def test_keeps_the_best_parameters_on_validation(run):
    """The score peaks on the way; the solver stops after it and returns the peak."""
    visited = []

    def score(theta):
        visited.append(theta.copy())
        return -abs(theta[0] - 0.5)

    solution = run(monitor=Monitor(tol=0.0, n_iter_no_change=2, score=score))
    best = int(np.argmax(solution.validation_scores))
    assert_array_equal(solution.theta, visited[best])
    assert solution.best_validation_score == solution.validation_scores[best]
    assert solution.message is None
    assert len(visited) - 1 - best <= 3


def test_adam_stops_when_the_loss_no_longer_falls():
    solution = run_adam(monitor=Monitor(tol=1e-4, n_iter_no_change=5), max_iter=5000)
    assert solution.n_iter < 1000
    assert solution.message is None


@both
def test_a_loss_that_is_not_finite_is_an_error(run):
    with pytest.raises(DivergenceError, match="the loss became nan"):
        run(lambda theta, batch=None: (np.nan, np.zeros(3)))


@both
def test_ctrl_c_keeps_what_there_is(run):
    calls = []

    def interrupted(theta, batch=None):
        calls.append(theta.copy())
        if len(calls) == 6:
            raise KeyboardInterrupt
        return bowl(theta)

    with pytest.warns(UserWarning, match="interrupted"):
        solution = run(interrupted)
    assert bowl(solution.theta)[0] < bowl(np.zeros(3))[0]
    assert solution.n_iter >= 1


@both
def test_ctrl_c_before_the_first_iteration_keeps_the_start(run):
    def interrupted(theta, batch=None):
        raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted"):
        solution = run(interrupted)
    assert_array_equal(solution.theta, 0.0)
    assert solution.n_iter == 0
    assert np.isnan(solution.loss)


@both
def test_verbose_prints_every_iteration(run, capsys):
    solution = run(max_iter=3, monitor=patient(verbose=True, score=lambda theta: 0.5))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Iteration 1, loss = {solution.loss_curve[0]:.8f}"
    assert lines.count("Validation score: 0.500000") == 3


@pytest.mark.parametrize("size", [1, 3, 10])
def test_batches_cover_the_rows_once(rng, size):
    for draws in (None, rng):
        parts = [np.arange(10)[batch] for batch in batches(10, size, draws)]
        assert_array_equal(np.sort(np.concatenate(parts)), np.arange(10))
        assert {len(part) for part in parts[:-1]} <= {size}


def test_batches_are_shuffled_anew(rng):
    first, second = (np.concatenate(list(batches(100, 7, rng))) for _ in range(2))
    assert (first != second).any()


def test_lbfgs_that_starts_at_the_bottom_reports_its_loss():
    solution = run_lbfgs(theta=np.ones(3))
    assert solution.n_iter == 0
    assert solution.loss == solution.best_loss == 0.0


def test_lbfgs_follows_an_objective_that_moves():
    """Each round sees one bowl; its centre is 1 + held / 2, so that the rounds end at 2."""
    seen = []

    def hold(held):
        centre = 1 + held.copy() / 2
        seen.append(centre)
        return lambda theta: (0.5 * ((theta - centre) ** 2).sum(), theta - centre)

    solution = lbfgs(hold, np.zeros(3), tol=1e-8, max_iter=500, monitor=patient(), moves=True)
    assert_allclose(solution.theta, 2.0, atol=1e-6)
    assert solution.message is None
    assert len(seen) > 10
    assert solution.n_iter == len(solution.loss_curve)
    once = lbfgs(hold, np.zeros(3), tol=1e-8, max_iter=500, monitor=patient())
    assert_allclose(once.theta, 1.0)


def test_rounds_together_keep_to_max_iter():
    def hold(held):
        centre = -held
        return lambda theta: (0.5 * ((theta - centre) ** 2).sum(), theta - centre)

    solution = lbfgs(hold, np.ones(3), tol=1e-8, max_iter=7, monitor=patient(), moves=True)
    assert solution.n_iter == 7
    assert "max_iter=7" in solution.message


def test_parameters_that_are_not_finite_are_an_error():
    with pytest.raises(DivergenceError, match="parameters became"):
        run_adam(lambda theta, batch: (1.0, np.full(3, np.nan)), max_iter=1)


def test_adam_does_not_take_a_lucky_loss_for_the_best(rng):
    """A noisy loss that still falls: one low draw early on must not end the fit."""
    state = {"k": 0}

    def noisy(theta, batch):
        state["k"] += 1
        luck = -0.2 if state["k"] == 5 else 0.02 * rng.normal()
        return 2.0 - 0.01 * state["k"] + luck, np.zeros(3)

    monitor = Monitor(tol=1e-4, n_iter_no_change=10)
    assert run_adam(noisy, monitor=monitor, max_iter=100).n_iter == 100
