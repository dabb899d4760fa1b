"""Several fits side by side: their training, their ends, and the mix that is selected."""

import pickle
from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest
from cross_plans import SOLVERS, WAVES, each_solver, make_plan, train
from numpy.testing import assert_allclose, assert_array_equal
from oracles import negative_log_likelihood

from skc2c import C2C, VAT, Jacobian, Ladder, Noise
from skc2c.data.rows import Rows
from skc2c.fitting import Candidate, cross_fit, loss_of, out_of_fold, shares
from skc2c.fitting.advance import advance
from skc2c.fitting.runs import OneByOne, SideBySide, runs_of
from skc2c.network.fourier_features import FourierFeatures


def assert_same_ends(first, second):
    assert [end[:2] for end in first] == [end[:2] for end in second]
    for a, b in zip(first, second, strict=True):
        for (_, theta), (_, other) in zip(a.networks, b.networks, strict=True):
            assert_array_equal(theta, other)
        assert_array_equal(a.outputs, b.outputs)
        assert (a.loss, a.curve) == (b.loss, b.curve)


def assert_same_members(found, expected):
    assert list(found) == list(expected)
    for member in found:
        assert_array_equal(found[member].theta, expected[member].theta)
        assert found[member].curve == expected[member].curve


# ------------------------------------------------------------------------------ the training


@pytest.fixture
def nothing_takes_time_to_send(monkeypatch):
    """So that runs are divided and handed over however short the cycles are."""
    monkeypatch.setattr(shares, "_SENDING", 0.0)
    monkeypatch.setattr(shares, "_FEWEST_STEPS", 1)


SHAPES = {
    "folds that differ in size": {},
    "unlabelled rows": {"n_pool": 15},
    "candidates that stop": {"patience": 0.05},
    "own longest clock": {
        "candidates": [
            Candidate((), 0.0, max_steps=10),
            Candidate((), 0.1, max_steps=3),
            Candidate((), 0.3),
        ]
    },
    "ladder": {"penalty": Ladder()},
    "ladder and unlabelled rows": {"penalty": Ladder(), "n_pool": 15},
    "adversarial": {"penalty": VAT(), "loss": "log_loss"},
    "jacobian": {"penalty": Jacobian(), "batch_size": 50},
    "noise": {"penalty": Noise(), "candidates": [Candidate((), 1.0), Candidate(WAVES, 1.0)]},
    "in order": {"shuffle": False, "n_folds": 5},
    "six folds": {"n_folds": 6, "n": 50},
    "linear": {"layer_units": (3, 2)},
    "one output": {"layer_units": (3, 20, 1), "loss": "poisson", "n": 300, "batch_size": 64},
}


def shaped_plan(solver, changes):
    plan = make_plan(solver, ends=[1, 2, 4], **changes)
    rows = plan.rows
    return replace(plan, rows=Rows(rows.X, rows.y[:, : plan.n_outputs], rows.weight))


@pytest.mark.usefixtures("nothing_takes_time_to_send")
@pytest.mark.parametrize("changes", SHAPES.values(), ids=SHAPES)
@each_solver
def test_the_result_does_not_depend_on_how_many_shares_there_are(changes, solver):
    expected = cross_fit(shaped_plan(solver, changes))
    for n in (2, 3, 50):
        found = cross_fit(shaped_plan(solver, changes), n_shares=n)
        assert_same_ends(found.ends, expected.ends)
        assert_array_equal(found.weights, expected.weights)
        assert found.loss == expected.loss


class Copies:
    """Pieces of work on copies, as other processes do them."""

    def __init__(self):
        self.sent, self.back = [], []

    def __call__(self, function, shares, relay=None):
        results = [self._away(function, share) for share in shares]
        if relay is not None:
            results.append(relay.end(self._away(relay.begin, relay.piece)))
        return results

    def _away(self, function, piece):
        self.sent.append(pickle.dumps(piece))
        self.back.append(pickle.dumps(function(pickle.loads(self.sent[-1]))))
        return pickle.loads(self.back[-1])


@pytest.mark.usefixtures("nothing_takes_time_to_send")
@pytest.mark.parametrize("changes", SHAPES.values(), ids=SHAPES)
@each_solver
def test_other_processes_get_copies_and_send_back_no_rows(changes, solver):
    plan = shaped_plan(solver, changes)
    expected = cross_fit(plan).ends
    for n in (2, 3):
        over_shares = Copies()
        assert_same_ends(cross_fit(plan, over_shares, n).ends, expected)
        rows = plan.rows.X.tobytes()
        assert all(rows in sent for sent in over_shares.sent)
        assert not any(rows in back for back in over_shares.back)


WIDE = (FourierFeatures(n_features=3, columns=(0, 1, 2), frequencies=(0.3, 0.7, 1.1, 1.7)),)


def test_features_and_curves_are_not_sent():
    """Features are made anew, and of curves only what is new is sent back."""
    (run,) = runs_of(make_plan(candidates=[Candidate(WIDE, 0.1)]))
    sizes = []
    for stop in (6, 600, 666):
        sent = pickle.dumps(run)
        sizes.append(len(sent))
        assert run.features.X.tobytes() not in sent
        copy = pickle.loads(sent)
        measured, progress = copy.advance(stop), copy.progress()
        assert {len(curve) for curve in progress["further"].values()} == {
            stop // 4 - run.n_steps // 4  # epochs have four steps
        }
        assert_array_equal(copy.features.X, run.features.X)
        run.resume(progress)
        for trained in run.trained(measured).values():
            assert len(trained.curve) == -(-stop // 4)
    assert sizes[2] < sizes[1] + 500


def test_generators_that_nobody_draws_from_are_not_sent():
    plain, penalised = runs_of(make_plan(candidates=[Candidate((), 0.0), Candidate((), 0.1)]))
    assert (len(plain.probe), len(plain.orders)) == (0, 1)
    assert (len(penalised.probe), len(penalised.orders)) == (4, 2)


@pytest.mark.parametrize(("loss", "factor"), [("squared_error", 1.4), ("log_loss", 1.6)])
def test_costs_are_guessed_from_shapes(loss, factor):
    """Kernels of wide inputs take longer, and so do statistics of batches and nearby rows."""
    kinds = ((), 0.0), ((), 0.0, "batch"), (WAVES, 0.0), (WAVES, 0.1)
    plan = make_plan(candidates=[Candidate(*kind) for kind in kinds], loss=loss)
    plain, normalized, waves, penalised = (run.cost for run in runs_of(plan))
    assert normalized == pytest.approx(1.25 * plain)
    assert penalised == pytest.approx(factor * waves)
    n_outputs = plan.n_outputs
    widths = 3, WAVES[0].n_out
    assert waves / plain == pytest.approx(
        (45 + widths[1] + 4 * n_outputs) / (45 + widths[0] + 4 * n_outputs)
    )


@pytest.mark.usefixtures("nothing_takes_time_to_send")
@pytest.mark.parametrize("n_pool", [0, 15])
@pytest.mark.parametrize("penalty", [C2C(), VAT(), Ladder()], ids=str)
@pytest.mark.parametrize("normalization", [None, "batch"])
def test_a_run_is_handed_over_in_the_middle_of_a_cycle(penalty, n_pool, normalization):
    """And of an epoch, and goes on as if it had stayed."""
    strengths = [Candidate(WAVES, alpha, normalization) for alpha in (0.0, 0.2)]
    settings = {"penalty": penalty, "n_pool": n_pool, "candidates": strengths}
    settings["layer_units"] = (3, 7, 2)
    for until in (4, 9, 10, 13):
        run, alone = (runs_of(make_plan(**settings))[-1] for _ in range(2))
        train(run, 3)
        train(alone, 3)
        other = pickle.loads(pickle.dumps(run))
        other.begin(until, 14)
        assert other.n_steps == until
        run.resume(pickle.loads(pickle.dumps(other.progress())))
        assert_same_members(train(run, 14, 19), train(alone, 14, 19))
        assert_array_equal(run.theta, alone.theta)


@pytest.mark.usefixtures("nothing_takes_time_to_send")
def test_a_run_that_is_handed_over_takes_no_step_twice(monkeypatch):
    steps, begun, take = [], [], SideBySide._take_steps

    def spy(run, until, stop):
        begun.append(until < stop)
        steps.append((until - run.n_steps) * len(run.members))
        take(run, until, stop)

    monkeypatch.setattr(SideBySide, "_take_steps", spy)
    plan = replace(make_plan(), ends=[25])
    cross_fit(plan, Copies(), n_shares=2)
    assert any(begun)
    assert sum(steps) == 25 * 4 * len(plan.candidates)


@pytest.mark.parametrize(
    ("strengths", "n_shares", "sending", "expected"),
    [
        ((0.0, 0.1), 2, 1.0, [[([0.1], [0, 1, 2, 3])], [([0.0], [0, 1, 2, 3])]]),
        ((0.1, 0.3), 2, 0.0, [[([0.1, 0.3], [0, 1])], [([0.1, 0.3], [2, 3])]]),
        ((0.1, 0.3), 2, 1.0, [[([0.1, 0.3], [0, 1, 2, 3])]]),
        ((0.0, 0.1), 1, 0.0, [[([0.1], [0, 1, 2, 3]), ([0.0], [0, 1, 2, 3])]]),
    ],
)
def test_runs_are_shared_and_divided(strengths, n_shares, sending, expected, monkeypatch):
    """The last candidate, which is the costliest, comes first."""
    monkeypatch.setattr(shares, "_SENDING", sending)
    started = []

    def over_shares(function, shares):
        started.append(
            [[([c.alpha for c in run.candidates], run.folds) for run in share] for share in shares]
        )
        return map(function, shares)

    candidates = [Candidate((), alpha) for alpha in strengths]
    cross_fit(make_plan(candidates=candidates, ends=[3]), over_shares, n_shares)
    assert started == [expected]


def test_parts_of_a_run_have_curves_of_their_own_members_only():
    run = SideBySide(make_plan(), STRENGTHS, [0, 1, 2, 3])
    for part in run.divided([2, 2]):
        assert list(part.curves) == part.members


@pytest.mark.parametrize("n_pool", [0, 15])
@pytest.mark.parametrize("penalty", [C2C(), Ladder()], ids=str)
def test_a_run_goes_on_from_where_its_parts_have_come_to(penalty, n_pool):
    """As if it had not been divided: each time in other parts, and then without a candidate."""
    settings = {"penalty": penalty, "n_pool": n_pool, "candidates": STRENGTHS}
    run, alone = (SideBySide(make_plan(**settings), STRENGTHS, [0, 1, 2, 3]) for _ in range(2))
    for stop, sizes in ((3, [3, 1]), (7, [1, 1, 2]), (14, [2, 2])):
        parts = run.divided(sizes)
        assert [len(part.folds) for part in parts] == sizes
        for part in parts[::-1]:
            part.advance(stop)
        run.rejoin(parts)
        alone.advance(stop)
        assert run.n_steps == alone.n_steps == stop
        assert_array_equal(run.theta, alone.theta)
        assert run.curves == alone.curves
        assert list(run.curves) == run.members
    for each in (run, alone):
        each.keep(STRENGTHS[1:])
    found, expected = train(run, 19), train(alone, 19)
    assert_same_members(found, expected)


@pytest.mark.usefixtures("nothing_takes_time_to_send")
def test_a_divided_run_is_whole_after_each_cycle():
    """And costs what its parts say, whichever process they were in."""
    sizes, costs = [], []

    def over_shares(function, shares):
        back = list(map(function, pickle.loads(pickle.dumps(shares))))
        sizes.append(sorted(len(run.folds) for share in shares for run in share))
        costs.append([progress["cost"] for found in back for progress, _ in found])
        return back

    plan = make_plan(candidates=[Candidate((), 0.0)])
    (run,) = runs_of(plan)
    assert 1e-6 < run.cost < 1e-3
    advance([run], 3, over_shares, 2)
    assert run.folds == [0, 1, 2, 3]
    assert sum(costs[0]) / 2 < run.cost < sum(costs[0])
    advance([run], 10, over_shares, 4)
    assert sizes == [[2, 2], [1, 1, 1, 1]]


def test_the_cost_of_a_run_is_the_time_of_a_step():
    run = SideBySide(make_plan(), [Candidate(WAVES, 0.1)], [0, 1])
    for stop in (3, 60):
        n_steps, start = stop - run.n_steps, perf_counter()
        run.advance(stop)
        assert 0.0 < n_steps * run.cost <= perf_counter() - start
    assert run.progress()["cost"] == run.cost


@each_solver
def test_a_plan_can_be_carried_out_again(solver):
    plan = make_plan(solver)
    first, second = cross_fit(plan), cross_fit(plan)
    assert_same_ends(first.ends, second.ends)


STRENGTHS = [Candidate(WAVES, alpha) for alpha in (0.05, 0.1, 0.7)]


@pytest.mark.parametrize("n_pool", [0, 15])
@pytest.mark.parametrize("penalty", [C2C(), VAT(), Ladder(), Jacobian()], ids=str)
@pytest.mark.parametrize("kind", [SideBySide, OneByOne])
def test_dropping_candidates_leaves_the_others_as_if_alone(kind, penalty, n_pool):
    """Midway through an epoch, and with a penalty that is taken in every other step."""
    solver = "adam" if kind is SideBySide else "lbfgs"
    settings = {"penalty": penalty, "n_pool": n_pool, "candidates": STRENGTHS}
    together = kind(make_plan(solver, **settings), STRENGTHS, [0, 1, 2])
    train(together, 3)
    assert together.keep(STRENGTHS[1:])
    train(together, 7)
    assert together.keep([STRENGTHS[1]])
    found = train(together, 13)
    alone = kind(make_plan(solver, **settings), [STRENGTHS[1]], [0, 1, 2])
    expected = train(alone, 3, 7, 13)
    assert list(found) == [(STRENGTHS[1], fold) for fold in range(3)]
    assert_same_members(found, expected)
    assert not together.keep([])


@pytest.mark.parametrize("penalty", [C2C(), Ladder()], ids=str)
@pytest.mark.parametrize("kind", [SideBySide, OneByOne])
def test_a_run_goes_on_from_where_a_copy_has_come_to(kind, penalty):
    """As if there had been no copies: midway through an epoch, and then without a candidate."""
    solver = "adam" if kind is SideBySide else "lbfgs"
    settings = {"penalty": penalty, "candidates": STRENGTHS}
    run, alone = (kind(make_plan(solver, **settings), STRENGTHS, [0, 1]) for _ in range(2))
    for stop in (3, 7):
        other = pickle.loads(pickle.dumps(run))
        other.advance(stop)
        run.resume(other.progress())
        alone.advance(stop)
    for each in (run, alone):
        each.keep(STRENGTHS[1:])
    found, expected = train(run, 13), train(alone, 13)
    assert_same_members(found, expected)


@pytest.mark.parametrize("solver", SOLVERS)
def test_candidates_of_a_fold_have_the_same_luck(solver):
    """What differs between strengths is not chance: two equal ones are the same to the bit."""
    twins = [Candidate((), 0.1), Candidate((), 0.1, max_steps=1000)]
    runs = runs_of(make_plan(solver, candidates=twins, n_pool=5))
    found = {member: end for run in runs for member, end in train(run, 4, 9).items()}
    for fold in range(4):
        assert_array_equal(found[twins[0], fold][1], found[twins[1], fold][1])
        assert not np.array_equal(found[twins[0], fold][1], found[twins[0], (fold + 1) % 4][1])


def test_penalty_of_members_is_charged():
    smooth = Candidate((), 100.0)
    plan = make_plan(candidates=[Candidate((), 0.0), smooth], penalty=Jacobian(), ends=[200])
    norms = {}
    for end in cross_fit(plan).ends:
        J = [network.jacobian(theta, plan.rows.X) for network, theta in end.networks]
        norms[end.candidate.alpha] = np.square(J).sum()
    assert norms[100.0] < 0.01 * norms[0.0]


@each_solver
def test_the_offset_moves_the_initial_outputs(solver):
    offset = np.array([3.0, -2.0])
    moved, usual = (runs_of(make_plan(solver, offset=o)) for o in (offset, None))
    for run, other in zip(moved, usual, strict=True):
        pairs = zip(run._parameters(), other._parameters(), strict=True)
        X = make_plan(solver).rows.X
        for theta, without in pairs:
            h = run.single.forward(theta, X) - other.single.forward(without, X)
            assert_allclose(h, np.tile(offset, (len(X), 1)), rtol=1e-5)


# ---------------------------------------------------------------------------------- the ends


@each_solver
def test_outputs_and_losses_are_those_of_the_rows_left_out(solver):
    plan = make_plan(solver, loss="log_loss")
    for end in cross_fit(plan).ends:
        expected = np.full((41, 2), np.nan)
        for (network, theta), (_, test) in zip(end.networks, plan.folds, strict=True):
            expected[test] = network.forward(theta, plan.rows.X[test])
        assert_allclose(end.outputs, expected, rtol=1e-5, atol=1e-6)
        nll = negative_log_likelihood("log_loss", plan.rows.y, expected)
        assert_allclose(end.loss, np.average(nll, weights=plan.rows.weight), rtol=1e-5)


def test_outputs_of_rows_left_out_twice_are_means_and_of_others_nan():
    folds = [(np.arange(10, 41), np.arange(10)), (np.arange(20, 41), np.arange(5, 20))]
    plan = make_plan(folds=folds, n_folds=2)
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(10, 2)), rng.normal(size=(15, 2))
    h = out_of_fold(plan, [first, second])
    assert_array_equal(h[:5], first[:5])
    assert_allclose(h[5:10], (first[5:] + second[:5]) / 2)
    assert_array_equal(h[10:20], second[5:])
    assert np.isnan(h[20:]).all()
    nll = 0.5 * ((h[:20] - plan.rows.y[:20]) ** 2).sum(axis=1)
    assert_allclose(loss_of(plan, h), np.average(nll, weights=plan.rows.weight[:20]), rtol=1e-5)
    h[3] = np.inf
    assert loss_of(plan, h) == np.inf


def test_outputs_of_networks_that_diverged_are_no_warning():
    folds = [(np.arange(10, 41), np.arange(10))] * 2
    infinite = np.full((10, 2), np.inf)
    assert np.isnan(out_of_fold(make_plan(folds=folds, n_folds=2), [infinite, -infinite])).all()


@each_solver
def test_the_curve_has_a_value_for_every_epoch_begun(solver):
    plan = make_plan(solver)
    n = min(len(rows) for rows, _ in plan.folds)
    n_batches = -(-n // 8) if solver == "adam" else 1
    for end in cross_fit(plan).ends:
        assert len(end.curve) == -(-end.n_steps // n_batches)
        assert np.isfinite(end.curve).all()


def test_the_curve_is_the_objective():
    """At a rate of zero: the mean over batches of one epoch is that over all rows."""
    plan = make_plan(
        n=40, rate=lambda progress: 0.0, ends=[4, 16], candidates=[Candidate((), 0.0)], batch_size=8
    )
    for end in cross_fit(plan).ends:
        values = []
        for (network, theta), (train_rows, _) in zip(end.networks, plan.folds, strict=True):
            rows = plan.rows.take(train_rows)
            nll = 0.5 * ((network.forward(theta, rows.X) - rows.y) ** 2).sum(axis=1)
            decay = 0.05 * np.sum(theta[: network.n_weights] ** 2) / rows.weight.sum()
            loss = np.average(nll, weights=rows.weight)
            values.append([loss + decay, loss, 0.0, decay])
        expected = np.broadcast_to(np.mean(values, axis=0), (end.n_steps // 4, 4))
        assert_allclose(end.curve[: end.n_steps // 4], expected, rtol=1e-5)


def test_an_epoch_is_a_pass_over_all_rows_of_a_network():
    """Of 40 labelled rows each of four networks has 30."""
    assert make_plan(n=40, batch_size=10).n_batches == 3
    assert make_plan(n=40, batch_size=10, n_pool=15).n_batches == 5
    assert make_plan(n=40, batch_size=1000).n_batches == 1


def test_the_rate_of_a_step_is_that_of_its_middle():
    """In parts of the cycle: at its very start and end the rate may be zero."""
    seen = []

    def rate(progress):
        seen.append(progress)
        return 0.01

    cross_fit(make_plan(rate=rate, ends=[2, 6], candidates=[Candidate((), 0.0)]))
    assert seen == [1 / 4, 3 / 4, 1 / 8, 3 / 8, 5 / 8, 7 / 8]
