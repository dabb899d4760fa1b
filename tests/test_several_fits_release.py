"""A candidate that the penalty holds back goes on without it."""

import pickle
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from cross_plans import WAVES, each_solver, make_plan, train
from numpy.testing import assert_array_equal

from skc2c import C2C, VAT, C2CClassifier, Ladder
from skc2c.fitting import Candidate, cross_fit, several
from skc2c.fitting.ends import End
from skc2c.fitting.runs import OneByOne, SideBySide, runs_of

PLAIN, HELD_BACK = Candidate((), 0.0), Candidate(WAVES, 100.0, max_steps=60)
FREE = replace(HELD_BACK, alpha=0.0)
ENDS = [20, 60, 180, 400]


def learnable_plan(solver="adam", candidates=(PLAIN, HELD_BACK), **changes):
    """Targets without noise, which a network with a strong penalty cannot follow."""
    settings = {"patience": 0.06, "behind": 0.02, "l2": 0.0, "ends": ENDS, **changes}
    plan = make_plan(solver, candidates=list(candidates), **settings)
    y = np.column_stack([np.sin(plan.rows.X[:, 0]), plan.rows.X[:, 1]]).astype(plan.rows.y.dtype)
    return replace(plan, rows=replace(plan.rows, y=y))


def steps(found, candidate):
    return [end.n_steps for end in found.ends if end.candidate == candidate]


def test_it_has_further_ends_without_the_penalty():
    candidate = replace(HELD_BACK, max_steps=np.inf)
    found = cross_fit(learnable_plan(candidates=[PLAIN, candidate]))
    with_penalty, without = steps(found, candidate), steps(found, replace(candidate, alpha=0.0))
    assert with_penalty == ENDS[: len(with_penalty)]
    assert with_penalty + without == ENDS[: len(with_penalty) + len(without)]
    assert len(with_penalty) >= 2
    assert without
    losses = {end.n_steps: end.loss for end in found.ends if end.candidate.front}
    assert losses[without[-1]] < 0.1 * losses[with_penalty[-1]]


def test_it_goes_on_while_that_helps():
    """The end before the first one without the penalty is the last one with it."""
    candidate = replace(HELD_BACK, max_steps=np.inf)
    free = replace(candidate, alpha=0.0)

    def end(candidate, n_steps, loss):
        return End(candidate, n_steps, [], None, loss, [])

    plan, before = learnable_plan(), [end(candidate, 20, 1.0), end(candidate, 40, 0.8)]
    for loss, expected in ((0.1, True), (0.79, False)):
        first = end(free, 80, loss)
        assert several._still_improves(first, [*before, first], plan) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"candidates": [PLAIN, HELD_BACK]},  # its steps are used up
        {"candidates": [PLAIN, replace(FREE, max_steps=np.inf), Candidate(WAVES, 100.0)]},
        {"candidates": [replace(PLAIN, max_steps=60), Candidate(WAVES, 100.0)]},  # nor others go on
        {"candidates": [Candidate((), 1e-3), Candidate(WAVES, 100.0)]},  # it was asked for
        {"candidates": [PLAIN, Candidate(WAVES, 1e-4)]},  # it is not far behind
        {"candidates": [PLAIN, Candidate(WAVES, 0.0)]},
    ],
    ids=["at its end", "without it from the start", "alone", "asked for", "near", "no penalty"],
)
def test_others_are_not_released(changes):
    plan = learnable_plan(**changes)
    found = cross_fit(plan)
    assert {end.candidate for end in found.ends} == set(plan.candidates)


@pytest.mark.parametrize("loss", ["log_loss", "squared_error"])
@pytest.mark.parametrize(("gap", "expected"), [(0.45, False), (0.55, True)])
def test_it_is_far_behind_the_best(gap, expected, loss):
    """By half in log error: the logarithm of a loss, or of the root of a squared one."""
    candidate = replace(HELD_BACK, max_steps=np.inf)
    plan = learnable_plan(candidates=[PLAIN, candidate], loss=loss)
    times = np.exp(gap if loss == "log_loss" else 2.0 * gap)
    ahead = [End(PLAIN, 60, [], None, 0.2, []), End(candidate, 60, [], None, 0.2 * times, [])]
    run = SideBySide(plan, [candidate], [0, 1])
    run.advance(1)
    released = several._released([run], ahead, [PLAIN], ahead, plan)
    assert [r.candidates for r in released] == [[replace(candidate, alpha=0.0)]] * expected


@pytest.mark.parametrize(
    ("loss", "going_on", "others", "expected"),
    [
        (2.0, [PLAIN], [], 1),
        (np.inf, [PLAIN], [], 0),
        (2.0, [PLAIN, HELD_BACK], [], 0),
        (2.0, [], [], 0),
        (2.0, [PLAIN], [FREE], 0),
    ],
    ids=["held back", "diverged", "goes on", "the last", "twin"],
)
def test_who_is_released(loss, going_on, others, expected):
    plan = learnable_plan(candidates=[PLAIN, HELD_BACK, *others])
    ahead = [End(PLAIN, 20, [], None, 0.2, []), End(HELD_BACK, 20, [], None, loss, [])]
    run = SideBySide(plan, [HELD_BACK], [0, 1])
    run.advance(1)
    assert len(several._released([run], ahead, going_on, ahead, plan)) == expected


@each_solver
def test_one_that_diverges_is_not_released(solver):
    wild = Candidate(WAVES, np.inf)
    found = cross_fit(learnable_plan(solver, candidates=[PLAIN, wild]))
    assert {end.candidate for end in found.ends} == {PLAIN}


@pytest.mark.parametrize("penalty", [C2C(), VAT(), Ladder()], ids=str)
@pytest.mark.parametrize("n_pool", [0, 15])
@pytest.mark.parametrize("kind", [SideBySide, OneByOne])
@pytest.mark.parametrize("is_alone", [False, True])
def test_a_released_run_is_one_without_the_penalty_that_starts_there(
    kind, n_pool, penalty, is_alone
):
    """And it leaves the run that it comes from as it was."""
    solver = "adam" if kind is SideBySide else "lbfgs"
    candidates = [HELD_BACK] if is_alone else [HELD_BACK, replace(HELD_BACK, alpha=0.3)]
    plan = make_plan(solver, candidates=candidates, n_pool=n_pool, penalty=penalty)
    run, plain = kind(plan, candidates, [0, 1]), kind(plan, [FREE], [0, 1])
    run.advance(7)
    released = run.released(HELD_BACK)
    assert released.members == [(FREE, 0), (FREE, 1)]
    for member in released.members:
        before = run.curves[HELD_BACK, member[1]]
        assert released.curves[member] == before
        assert released.curves[member] is not before
    if kind is SideBySide:
        plain.theta = run.network.pick(run.theta, [0, 1])
        plain.solver_state = {
            name: run.network.pick(value, [0, 1]) if isinstance(value, np.ndarray) else value
            for name, value in run.solver_state.items()
        }
        plain.orders = [deepcopy(orders[:2]) for orders in run.orders]
        plain._prepare()
    else:
        plain.thetas = [theta.copy() for theta in run.thetas[:2]]
    plain.n_steps = plain.cycle_start = 7
    left, found = pickle.dumps(run), train(released, 19)
    for member, expected in train(plain, 19).items():
        assert_array_equal(found[member].theta, expected.theta)
        assert_array_equal(found[member].outputs, expected.outputs)
        assert found[member].curve == run.curves[HELD_BACK, member[1]] + expected.curve
    same, expected = train(run, 19), train(pickle.loads(left), 19)
    for member in run.members:
        assert_array_equal(same[member].theta, expected[member].theta)


@each_solver
def test_the_number_of_shares_makes_no_difference(solver):
    candidate = replace(HELD_BACK, max_steps=np.inf)
    plan = learnable_plan(solver, candidates=[PLAIN, candidate])
    first, second = (cross_fit(plan, n_shares=n) for n in (1, 3))
    assert [end.candidate for end in first.ends] == [end.candidate for end in second.ends]
    assert_array_equal(first.outputs, second.outputs)


def test_it_finds_what_the_penalty_hides():
    """Which arm of a balance sinks, by the products of weights and distances."""
    grid = np.stack(np.meshgrid(*[np.arange(1.0, 6.0)] * 4), axis=-1).reshape(-1, 4)
    torque = grid[:, 0] * grid[:, 1] - grid[:, 2] * grid[:, 3]
    train = np.random.default_rng(0).permutation(len(grid)) < 417
    X, y = grid, np.sign(torque)
    both, without = (
        C2CClassifier(random_state=0, alpha=alpha).fit(X[train], y[train]) for alpha in ("auto", 0)
    )
    assert both.oob_score_ > 0.97
    assert both.score(X[~train], y[~train]) > without.score(X[~train], y[~train]) - 0.02


def test_plans_stay_as_they_are():
    plan = learnable_plan(candidates=[PLAIN, replace(HELD_BACK, max_steps=np.inf)])
    cross_fit(plan)
    assert plan.candidates == [PLAIN, replace(HELD_BACK, max_steps=np.inf)]
    assert len(runs_of(plan)) == 2
