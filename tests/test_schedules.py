"""How the learning rate changes, for every schedule in the table."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from skc2c.solvers import SCHEDULES, Constant, Cosine, Cycles, Schedule
from skc2c.solvers.schedules import make_schedule

each_schedule = pytest.mark.parametrize("name", SCHEDULES)


@each_schedule
def test_factors_lie_between_zero_and_one(name):
    factors = [SCHEDULES[name]().factor(progress) for progress in np.linspace(0, 1, 501)]
    assert min(factors) >= 0.0
    assert max(factors) == pytest.approx(1.0, abs=1e-3)


@each_schedule
@pytest.mark.parametrize("n_steps", [1, 15, 100, 12345])
def test_ends_rise_to_the_last_step(name, n_steps):
    ends = SCHEDULES[name]().ends(n_steps)
    assert ends == sorted(ends)
    assert ends[-1] == n_steps
    assert all(isinstance(end, int) for end in ends)


@each_schedule
def test_the_rate_is_zero_at_every_end_or_never(name):
    """An end is where the network is annealed; a constant rate anneals nothing."""
    schedule = SCHEDULES[name]()
    at_ends = [schedule.factor(end / 1500) for end in schedule.ends(1500)]
    assert_allclose(at_ends, 1.0 if isinstance(schedule, Constant) else 0.0, atol=1e-12)


@each_schedule
def test_a_name_stands_for_the_default_object(name):
    made = make_schedule(name)
    assert type(made) is SCHEDULES[name]
    assert clone(made).get_params() == SCHEDULES[name]().get_params()


def test_cosine_falls_all_the_way():
    factors = [Cosine().factor(progress) for progress in np.linspace(0, 1, 101)]
    assert_allclose(factors, (1 + np.cos(np.pi * np.linspace(0, 1, 101))) / 2)
    assert (np.diff(factors) < 0).all()


@pytest.mark.parametrize("n_cycles", [1, 2, 4, 6])
def test_each_cycle_is_twice_as_long_and_rises_and_falls_once(n_cycles):
    schedule, n_steps = Cycles(n_cycles), 100 * (2**n_cycles - 1)
    ends = schedule.ends(n_steps)
    lengths = np.diff([0, *ends])
    assert lengths.tolist() == [100 * 2**j for j in range(n_cycles)]
    for start, end in zip([0, *ends], ends, strict=False):
        factors = [schedule.factor(step / n_steps) for step in range(start, end + 1)]
        top = int(np.argmax(factors))
        assert factors[top] > 0.999
        assert (np.diff(factors[: top + 1]) > 0).all()
        assert (np.diff(factors[top:]) < 0).all()


def test_cycles_are_those_of_realmlp():
    progress = np.linspace(0, 1, 77)
    expected = 0.5 * (1 - np.cos(2 * np.pi * np.log2(1 + 15 * progress)))
    assert_allclose([Cycles().factor(p) for p in progress], expected, atol=1e-12)


def test_an_object_is_taken_as_it_is():
    schedule = Cycles(n_cycles=2)
    assert make_schedule(schedule) is schedule


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("stepwise", "'schedule' parameter.*'constant', 'cosine'.*'cycles'.*'stepwise'"),
        (0.1, "'schedule'.*0.1"),
        (Cycles(n_cycles=0), "'n_cycles' parameter of Cycles.*0"),
        (Cycles(n_cycles=1.5), "'n_cycles' parameter of Cycles.*1.5"),
    ],
)
def test_bad_schedules_are_named(schedule, message):
    with pytest.raises(ValueError, match=message):
        make_schedule(schedule)


def test_a_schedule_has_to_have_a_factor():
    with pytest.raises(TypeError, match="abstract.*factor"):
        Schedule()


def test_one_cycle_is_enough():
    assert make_schedule(Cycles(n_cycles=1)).ends(10) == [10]
