"""Which candidates go on, which mix is selected, and what ends several fits."""

import numpy as np
import pytest
from cross_plans import WAVES, each_solver, make_plan
from numpy.testing import assert_allclose
from oracles import LIKELIHOODS, negative_log_likelihood

from skc2c.fitting import Candidate, End, cross_fit, loss_of, several
from skc2c.penalties import Jacobian
from skc2c.solvers import DivergenceError

PLAIN = Candidate((), 0.0)


def hand_made(losses, candidate=PLAIN):
    """Ends of one candidate with given losses."""
    return [End(candidate, 10 * 2**i, [], None, loss, []) for i, loss in enumerate(losses)]


def goes_on(ends, others=(), patience=0.06, loss="log_loss"):
    plan = make_plan(patience=patience, behind=0.02, loss=loss)
    return bool(several._still_improves(ends[-1], [*others, *ends], plan))


# -------------------------------------------------------------------------------- the own clock


@pytest.mark.parametrize("loss", ["log_loss", "squared_error"])
@pytest.mark.parametrize("patience", [0.06, 0.2])
def test_a_candidate_goes_on_while_its_error_falls_by_enough(loss, patience):
    # The logarithm of the error: of the log-loss itself, of the root of a squared error.
    power = 2 if loss == "squared_error" else 1
    for fall, expected in ((0.9 * patience, False), (1.1 * patience, True), (-0.1, False)):
        ends = hand_made([0.8, 0.8 * np.exp(-power * fall)])
        assert goes_on(ends, patience=patience, loss=loss) is expected


def test_the_first_end_decides_nothing():
    assert goes_on(hand_made([0.8]))
    assert goes_on(hand_made([0.8]), others=hand_made([1e-5], Candidate((), 0.1)))


def test_a_candidate_far_behind_the_best_stops():
    best = hand_made([0.4], Candidate((), 0.1))
    near, far = (hand_made([b * np.exp(0.1), b]) for b in (0.4 * np.exp(0.11), 0.4 * np.exp(0.13)))
    assert goes_on(near, others=best)  # another gain of 0.1 leaves it 0.01 behind
    assert not goes_on(far, others=best)


def test_only_the_end_before_counts():
    assert not goes_on(hand_made([0.9, 0.5, 0.49]))
    assert goes_on(hand_made([0.7, 0.9, 0.75]))


@pytest.mark.parametrize("n_steps", [19, 20, 21])
def test_a_candidate_stops_at_its_most_steps(n_steps):
    ends = hand_made([0.8, 0.4], Candidate((), 0.0, max_steps=n_steps))
    assert goes_on(ends) is (n_steps > 20)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_candidate_without_a_finite_loss_stops(value):
    assert not goes_on(hand_made([0.8, value]))


@each_solver
def test_ends_ascend_and_stop_at_the_most_steps(solver):
    candidates = [
        Candidate((), 0.0, max_steps=3),
        Candidate(WAVES, 0.0, max_steps=11),
        Candidate(WAVES, 0.1),
    ]
    found = cross_fit(make_plan(solver, candidates=candidates, ends=[3, 10, 25, 40]))
    steps = [[end.n_steps for end in found.ends if end.candidate == c] for c in candidates]
    assert steps == [[3], [3, 10, 25], [3, 10, 25, 40]]
    assert [end.n_steps for end in found.ends] == sorted(end.n_steps for end in found.ends)


def test_nothing_goes_on_without_patience():
    found = cross_fit(make_plan(patience=np.inf))
    assert {end.n_steps for end in found.ends} == {3, 10}  # the second end is where it shows


def test_candidates_have_names_that_tell_them_apart():
    names = [str(c) for c in make_plan().candidates]
    assert names == [
        "plain, alpha = 0",
        "FourierFeatures, alpha = 0",
        "FourierFeatures, alpha = 0.1",
    ]
    assert str(Candidate((), 0.0, "batch")) == "plain, normalised, alpha = 0"


@each_solver
def test_verbose_prints_every_end(solver, capsys):
    plan = make_plan(solver, verbose=True)
    found = cross_fit(plan)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"Step {end.n_steps}, {end.candidate}: out-of-fold loss = {end.loss:.6f}"
        for end in found.ends
    ]


# ---------------------------------------------------------------------------------- the mix


def greedy(plan, ends):
    """Twelve rounds, each of which adds the end that makes the mean best."""
    picked = []
    for _ in range(12):
        losses = [plain_loss(plan, [*picked, end]) for end in ends]
        picked.append(ends[int(np.argmin(losses))])
    return picked


def plain_loss(plan, ends):
    h = np.mean([end.outputs for end in ends], axis=0)
    nll = negative_log_likelihood(plan.likelihood.loss, plan.rows.y, h)
    return np.average(nll, weights=plan.rows.weight)


@pytest.mark.parametrize("loss", ["squared_error", "log_loss", "binary_log_loss", "poisson"])
def test_the_mix_is_selected_greedily(loss):
    plan = make_plan(loss=loss)
    found = cross_fit(plan)
    best = greedy(plan, found.ends)
    expected = [sum(end is other for other in best) / 12 for end in found.ends]
    assert_allclose(found.weights, expected)
    assert_allclose(found.loss, plain_loss(plan, best), rtol=1e-6)
    assert_allclose(found.outputs, np.mean([end.outputs for end in best], axis=0), rtol=1e-6)
    assert_allclose(found.loss, loss_of(plan, found.outputs))


@pytest.mark.parametrize("loss", LIKELIHOODS)
@pytest.mark.parametrize("n_left_out", [0, 1, 41])
def test_losses_are_the_same_in_one_pass_and_in_several(loss, n_left_out, rng, monkeypatch):
    """Of some ends that are very wrong, too, and of one that is infinite."""
    fold = np.arange(41)
    plan = make_plan(loss=loss, folds=[(fold, fold[:n_left_out])], n_folds=1)
    of_ends = [size * rng.normal(size=(41, plan.n_outputs)) for size in (0.1, 1.0, 1.0, 1e4)]
    of_ends.append(np.full((41, plan.n_outputs), np.inf))
    ends = [End(PLAIN, 10, [], outputs, 0.0, []) for outputs in of_ends]
    total = rng.normal(size=(41, plan.n_outputs))
    expected = [loss_of(plan, (total + outputs) / 3) for outputs in of_ends]
    for largest in (5 * n_left_out, 5 * n_left_out - 1):
        monkeypatch.setattr("skc2c.fitting.ends._IN_ONE_PASS", largest)
        assert list(several.losses_of_mixes(plan, total, ends, 3)) == expected


# ---------------------------------------------------------------------------------- divergence


TOO_MUCH = {"adam": 1e38, "lbfgs": 1e300}


def wild_plan(solver, *alphas):
    """A plan with a penalty that may be too strong to be computed."""
    candidates = [Candidate((), alpha) for alpha in alphas]
    return make_plan(solver, candidates=candidates, penalty=Jacobian(), epsilon=1e9)


@each_solver
def test_a_candidate_that_diverges_does_not_spoil_the_others(solver):
    found = cross_fit(wild_plan(solver, TOO_MUCH[solver], 0.1))
    alone = cross_fit(wild_plan(solver, 0.1))
    assert {end.candidate.alpha for end in found.ends} == {0.1}
    assert found.loss == alone.loss


@each_solver
def test_divergence_of_all_is_an_error(solver):
    with pytest.raises(DivergenceError, match="infinite in iteration 3"):
        cross_fit(wild_plan(solver, TOO_MUCH[solver]))


# ---------------------------------------------------------------------------------- interruption


def interrupted_at(call):
    """A map over shares that is interrupted at a call."""
    n_calls = iter(range(1000))

    def over_shares(function, shares):
        if next(n_calls) == call:
            raise KeyboardInterrupt
        return list(map(function, shares))

    return over_shares


@each_solver
def test_an_interrupt_after_the_first_end_keeps_what_there_is(solver):
    plan = make_plan(solver)
    found = cross_fit(plan, interrupted_at(2))
    assert found.interrupted
    assert {end.n_steps for end in found.ends} == {3, 10}
    shorter = cross_fit(make_plan(solver, ends=[3, 10]))
    assert not shorter.interrupted
    assert shorter.loss == found.loss


@each_solver
def test_an_interrupt_before_the_first_end_goes_on_to_the_caller(solver):
    with pytest.raises(KeyboardInterrupt):
        cross_fit(make_plan(solver), interrupted_at(0))
