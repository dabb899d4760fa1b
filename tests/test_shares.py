"""How runs are shared among processes."""

from copy import copy
from itertools import chain

import numpy as np
import pytest

from skc2c.fitting import shares as module
from skc2c.fitting.shares import cost_of_whole, divided, handed_over, shared

# So many that it takes no time to send them.
N_STEPS = 10**6


class FakeRun:
    """A run with a cost, whose folds can be divided."""

    def __init__(self, cost, folds=(0, 1, 2, 3), can_begin=False):
        self.cost, self.folds, self.name = cost, list(folds), cost
        self.can_begin = can_begin
        self.candidates = ["the only one"]

    def divided(self, sizes):
        parts = [copy(self) for _ in sizes]
        for part, folds in zip(parts, np.split(self.folds, np.cumsum(sizes)[:-1]), strict=True):
            part.folds = folds.tolist()
        return parts


def costs(runs):
    return [run.cost for run in runs]


def parts_of(runs, n):
    return list(chain.from_iterable(divided(runs, n, N_STEPS)))


def longest(runs, n):
    return max(sum(costs(share)) for share in shared(runs, n))


def test_the_costliest_go_first_where_there_is_least_to_do():
    runs = [FakeRun(cost) for cost in (2, 3, 4, 5)]
    assert [costs(share) for share in shared(runs, 2)] == [[5, 2], [4, 3]]
    assert [costs(share) for share in shared(runs, 1)] == [[5, 4, 3, 2]]


def test_the_share_with_the_most_to_do_comes_first_and_none_is_empty():
    runs = [FakeRun(cost) for cost in (5, 4, 4)]
    assert [costs(share) for share in shared(runs, 2)] == [[4, 4], [5]]
    assert [costs(share) for share in shared(runs, 7)] == [[5], [4], [4]]


@pytest.mark.parametrize(
    ("given", "n", "expected"),
    [
        ([1], 1, [[0, 1, 2, 3]]),
        ([1], 2, [[0, 1], [2, 3]]),
        ([1], 3, [[0, 1], [2], [3]]),
        ([1], 4, [[0], [1], [2], [3]]),
        ([2, 3, 4, 5], 2, [[0, 1, 2, 3]] * 4),
        # One of three has two halves, even if it is the cheapest.
        ([4, 4, 2], 2, [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1], [2, 3]]),
        # Parts that differ in size go with others that do.
        ([6, 3], 2, [[0, 1, 2], [3], [0, 1, 2, 3]]),
        ([1, 9], 2, [[0, 1], [2, 3]] * 2),
        ([3, 3], 4, [[0, 1], [2, 3]] * 2),
        # Halves of some would be done no earlier than the others.
        ([3, 3, 3], 4, [[0, 1, 2, 3]] * 3),
    ],
)
def test_folds_are_divided_where_that_lets_all_be_done_earlier(given, n, expected):
    runs = parts_of([FakeRun(cost) for cost in given], n)
    assert [run.folds for run in runs] == expected


@pytest.mark.parametrize("n", [3, 4])
def test_many_folds_have_as_many_parts_as_there_are_processes(n):
    runs = parts_of([FakeRun(1, range(2 * n))], n)
    assert [run.folds for run in runs] == [[2 * i, 2 * i + 1] for i in range(n)]


def test_dividing_costs_less_the_more_candidates_there_are():
    """What a step costs in any case is a smaller part of it."""
    one, three = FakeRun(1.0), FakeRun(1.0)
    three.candidates = ["a", "b", "c"]
    of_one, of_three = (divided([run], 2, N_STEPS)[0][0].cost for run in (one, three))
    assert 0.5 < of_three < of_one


def test_parts_cost_more_than_the_run_that_they_come_from():
    ((first, second),) = divided([FakeRun(1.0)], 2, N_STEPS)
    assert 0.5 < first.cost == second.cost < 1.0


@pytest.mark.parametrize("sizes", [[4], [3, 1], [2, 2], [1, 1, 1, 1]])
def test_a_run_costs_what_its_parts_say(sizes):
    """Of which each is half as costly again as was expected."""
    run = FakeRun(8.0)
    ((half, _),) = divided([run], 2, N_STEPS)
    cost_of_a_fold = (8.0 - half.cost) / 2
    parts = run.divided(sizes)
    for part in parts:
        part.cost = 1.5 * (8.0 - (4 - len(part.folds)) * cost_of_a_fold)
    assert cost_of_whole(run, parts) == pytest.approx(12.0)


def test_dividing_never_makes_the_longest_share_longer(rng):
    for _ in range(200):
        n, size = rng.integers(2, 5), rng.integers(1, 6)
        runs = [FakeRun(rng.uniform(1.0, 5.0), range(rng.integers(1, 9))) for _ in range(size)]
        before = longest(runs, n)
        after = divided(runs, n, N_STEPS)
        assert longest(list(chain.from_iterable(after)), n) <= before
        for run, parts in zip(runs, after, strict=True):
            assert {part.name for part in parts} == {run.name}
            assert np.concatenate([part.folds for part in parts]).tolist() == run.folds
            assert parts == [run] or len(parts) > 1


def test_runs_of_one_fold_are_shared_as_they_are():
    """As those of a solver that trains members one by one."""
    runs = [FakeRun(cost, [0]) for cost in (3.0, 1.0, 2.0)]
    assert divided(runs, 2, N_STEPS) == [[run] for run in runs]


# ------------------------------------------------------------------- handed over in the middle

SENDING = module._SENDING


def beginning(*costs):
    return [FakeRun(cost, can_begin=True) for cost in costs]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # Of eight and four seconds each process does six.
        ([[5, 3], [4]], (3, 2 / 3)),
        # The cheapest that is dear enough; the others take so long that it is back in time.
        ([[6, 4, 1], [5]], (4, 3 / 4)),
        ([[5, 3, 1], [4]], (3, 5 / 6)),
        ([[4, 3], [3, 3]], (3, 1 / 6)),
        # Nothing is left for the first process to do meanwhile.
        ([[5], [3]], None),
        ([[9, 8], [0.5]], None),
        # There is nothing to hand over.
        ([[3], [3]], None),
        ([[3, 2]], None),
        # The last of several has the least to do.
        ([[5, 4], [7], [3]], (4, 3 / 4)),
    ],
)
def test_a_run_is_handed_over_so_that_all_are_done_at_the_same_time(given, expected):
    found = handed_over([beginning(*costs) for costs in given], N_STEPS)
    assert (found is None) == (expected is None)
    if found:
        cost, part = expected
        assert found.run.cost == cost
        assert found.n_steps == pytest.approx(part * N_STEPS, abs=2 * SENDING + 2)


def test_only_runs_that_can_begin_are_handed_over():
    costs = [[5.0, 3.0], [4.0]]
    assert handed_over([[FakeRun(c) for c in share] for share in costs], N_STEPS) is None
    first = [FakeRun(5.0, can_begin=True), FakeRun(3.0)]
    assert handed_over([first, [FakeRun(4.0)]], N_STEPS).run is first[0]


@pytest.mark.parametrize(("part", "expected"), [(0.9, False), (1.1, True), (3.0, True)])
def test_nothing_is_handed_over_for_less_than_it_takes_to_send_it(part, expected):
    """It is sent twice more than otherwise."""
    n_steps, step = 1000, SENDING / 100
    ahead = part * 2 * SENDING / n_steps
    shares = [beginning(20 * step, step), beginning(21 * step - ahead)]
    assert (handed_over(shares, n_steps) is not None) == expected


def test_a_few_steps_are_not_handed_over():
    n_steps, step = 100, SENDING
    for n, expected in ((4.5, False), (5.5, True)):
        ahead = (2 * SENDING + 2 * n * step) / n_steps
        shares = [beginning(20 * step, step), beginning(21 * step - ahead)]
        assert (handed_over(shares, n_steps) is not None) == expected


def test_the_longest_share_is_told_with_what_is_sent():
    n_steps, costs = 1000, (0.5, 0.3, 0.4)
    chosen = [[module._Piece(cost, 4, True)] for cost in costs]
    k = handed_over(shared([piece for (piece,) in chosen], 2), n_steps).n_steps
    work = k * 0.3
    longest, total = module._longest(chosen, 2, n_steps)
    first, last = n_steps * 0.7 - work, n_steps * 0.5 + work + 2 * SENDING
    assert longest == pytest.approx(max(first, last))
    assert total == pytest.approx(n_steps * sum(costs) + SENDING)
    assert work == pytest.approx(n_steps * 0.1, abs=0.31)


def test_of_ways_that_take_as_long_that_with_less_to_do_is_taken(monkeypatch):
    monkeypatch.setattr(module, "_SENDING", 0.0)
    assert [len(run.folds) for run in parts_of([FakeRun(1.0)], 3)] == [2, 2]


def test_runs_are_divided_only_where_handing_over_does_not_help():
    """What a step costs in any case is paid for each part."""
    assert [run.folds for run in parts_of(beginning(4.0, 4.0, 2.0), 2)] == [[0, 1, 2, 3]] * 3
    assert [len(run.folds) for run in parts_of(beginning(6.0), 2)] == [2, 2]
    sizes = sorted(len(run.folds) for run in parts_of(beginning(6.0, 1.0), 2))
    assert sizes == [2, 2, 4]


def test_short_cycles_stay_in_this_process():
    runs = beginning(0.5 * SENDING)
    assert divided(runs, 2, 1) == [runs]
    assert len(divided(runs, 2, 100)[0]) == 2


def test_handing_over_makes_nobody_later(rng):
    """As all processes do what they are to, one after the other."""
    for _ in range(300):
        runs = beginning(*rng.uniform(1.0, 5.0, rng.integers(1, 6)))
        shares = shared(parts_of(runs, 2), 2)
        loads = [N_STEPS * sum(costs(share)) for share in shares]
        found = handed_over(shares, N_STEPS)
        if found:
            work = found.n_steps * found.run.cost
            assert 0 < found.n_steps < N_STEPS
            assert work <= loads[0] - N_STEPS * found.run.cost  # it is back before it is needed
            loads = loads[0] - work, loads[1] + work
            assert loads[0] == pytest.approx(loads[1], abs=4 * found.run.cost)
        assert max(loads) <= N_STEPS * longest(runs, 2) + 1.0
