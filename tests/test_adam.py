"""Adam against its paper, its learning rate, and its state."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skc2c.solvers import SCHEDULES, Adam, Cycles, Monitor, Schedule
from skc2c.solvers.adam import _FLUSH_EVERY

N_BATCHES = 3


class Noisy:
    """Gradients that are given, batch by batch; losses that are given too."""

    n_batches = N_BATCHES

    def __init__(self, gradients, losses=None):
        self.gradients = iter(gradients)
        self.losses = iter(np.ones(len(gradients)) if losses is None else losses)

    def epoch(self):
        for size in (10, 10, 4):
            yield slice(0, size), size

    def on_batch(self, theta, batch):
        return next(self.losses), next(self.gradients).astype(theta.dtype)


def minimize(solver, problem, theta, hook=lambda theta, loss: False, **settings):
    settings = {"learning_rate": 0.1, "max_iter": 4, **settings}
    return solver.minimize(problem, theta, hook, **settings)


def by_the_paper(theta, gradients, rates, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    """Algorithm 1 of Kingma & Ba with the lines that end their section 2, written out naively."""
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        rate_t = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        theta = theta - rate_t * m / (np.sqrt(v) + epsilon)
    return theta


@pytest.mark.parametrize(
    "settings",
    [{}, {"beta_1": 0.0}, {"beta_2": 0.9}, {"epsilon": 0.5}, {"beta_1": 0.5, "beta_2": 0.0}],
    ids=str,
)
def test_follows_the_formulas_of_its_paper(rng, settings):
    gradients, theta = rng.normal(size=(12, 3)), rng.normal(size=3)
    found = minimize(Adam(**settings), Noisy(gradients), theta).theta
    assert_allclose(found, by_the_paper(theta, gradients, [0.1] * 12, **settings), rtol=1e-5)


class Halving(Schedule):
    def factor(self, progress):
        return 0.5**progress


@pytest.mark.parametrize("schedule", [*SCHEDULES, Halving()], ids=str)
def test_the_rate_follows_the_schedule_step_by_step(rng, schedule):
    gradients, theta = rng.normal(size=(12, 3)), rng.normal(size=3)
    made = SCHEDULES[schedule]() if isinstance(schedule, str) else schedule
    rates = [0.1 * made.factor(step / 12) for step in range(12)]
    found = minimize(Adam(schedule=schedule), Noisy(gradients), theta).theta
    assert_allclose(found, by_the_paper(theta, gradients, rates), rtol=1e-5)


def test_what_is_left_to_the_fit_depends_on_its_kind():
    def rates(solver):
        rate = solver.rates(0.1)
        return [rate(0.0), rate(0.5), rate(1.0)]

    assert rates(Adam()) == [0.1, 0.1, 0.1]
    assert_allclose(rates(Adam().annealed()), [0.1, 0.05, 0.0], atol=1e-12)
    assert Adam().annealed().beta_2 == "auto"
    cycle = Cycles(n_cycles=1).factor(0.5)
    assert_allclose(rates(Adam().in_cycles()), [0.0, 0.1 * cycle, 0.0], atol=1e-12)
    assert Adam().in_cycles().beta_2 == 0.95


def test_what_is_given_does_not():
    given = Adam(beta_2=0.9, schedule="constant")
    assert given.in_cycles() is given
    assert given.annealed() is given
    assert Adam(schedule="cosine").in_cycles().get_params() == {
        **Adam(schedule="cosine").get_params(),
        "beta_2": 0.95,
    }
    assert Adam(0.8, 0.9).in_cycles().get_params(deep=False)["beta_1"] == 0.8


def test_a_loss_is_the_mean_over_the_rows_of_an_epoch():
    seen = []
    losses = np.arange(12.0)
    minimize(
        Adam(), Noisy(np.ones((12, 3)), losses), np.zeros(3), lambda theta, loss: seen.append(loss)
    )
    expected = np.average(losses.reshape(4, 3), axis=1, weights=[10, 10, 4])
    assert_allclose(seen, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_four_epochs_are_one_and_then_three_from_the_state(rng, dtype):
    gradients, theta = rng.normal(size=(12, 3)), rng.normal(size=3).astype(dtype)
    whole = minimize(Adam(), Noisy(gradients), theta)
    first = minimize(Adam(), Noisy(gradients[:3]), theta, max_iter=1)
    state = pickle.loads(pickle.dumps(first.state))
    before = pickle.dumps(state)
    second = minimize(Adam(), Noisy(gradients[3:]), first.theta, max_iter=3, state=state)
    assert_array_equal(second.theta, whole.theta)
    assert second.theta.dtype == dtype
    assert pickle.dumps(state) == before
    for name, value in whole.state.items():
        assert_array_equal(second.state[name], value)


def test_a_state_of_another_network_is_not_gone_on_from(rng):
    gradients = rng.normal(size=(12, 3))
    of_another = minimize(Adam(), Noisy(rng.normal(size=(12, 5))), np.zeros(5)).state
    found = minimize(Adam(), Noisy(gradients), np.zeros(3), state=of_another)
    assert_array_equal(found.theta, minimize(Adam(), Noisy(gradients), np.zeros(3)).theta)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_subnormal_numbers_are_flushed(dtype):
    """A unit that is no longer active leaves them behind, and they are slow."""
    tiny = np.finfo(dtype).tiny
    theta = np.array([tiny / 4, 1.0, -tiny / 4], dtype=dtype)
    step = Adam().stepper(theta)
    for _ in range(_FLUSH_EVERY - 1):
        step(theta, np.zeros(3, dtype), 0.1)
    assert_array_equal(theta, np.array([tiny / 4, 1.0, -tiny / 4], dtype=dtype))
    step(theta, np.zeros(3, dtype), 0.1)
    assert_array_equal(theta, [0.0, 1.0, 0.0])


def test_moments_are_flushed_too():
    theta = np.zeros(2, np.float32)
    step = Adam().stepper(theta)
    step(theta, np.array([1e-30, 1.0], np.float32), 0.0)
    for _ in range(6 * _FLUSH_EVERY - 1):
        step(theta, np.zeros(2, np.float32), 0.0)
    first = step.state()["first"]
    assert first[0] == 0.0
    assert first[1] > 0.0


def test_a_lucky_loss_is_not_taken_for_the_best(rng):
    """A noisy loss that still falls: one low draw early on must not end the fit."""
    falling = 2.0 - 0.01 * np.arange(100)
    luck = 0.02 * rng.normal(size=100)
    luck[5] = -0.2
    losses = np.repeat(falling + luck, N_BATCHES)
    monitor = Monitor(tol=1e-4, n_iter_no_change=10)
    minimize(Adam(), Noisy(np.zeros((300, 3)), losses), np.zeros(3), monitor, max_iter=100)
    assert len(monitor.loss_curve) == 100


def test_the_schedule_starts_anew_where_a_fit_goes_on_from_a_state(rng):
    """Progress is that of this fit; the moments are those of both."""
    seen = []

    class Noting(Schedule):
        def factor(self, progress):
            seen.append(progress)
            return 1.0

    theta, solver = np.ones(3), Adam(schedule=Noting())
    first = minimize(solver, Noisy(rng.normal(size=(12, 3))), theta)
    minimize(solver, Noisy(rng.normal(size=(12, 3))), first.theta, state=first.state)
    assert seen[12:] == seen[:12]
    assert max(seen) <= 1.0
