"""How runs are shared among processes."""

from copy import copy
from itertools import chain

import numpy as np
import pytest

from skc2c.fitting.shares import cost_of_whole, divided, shared


class FakeRun:
    """A run with a cost, whose folds can be divided."""

    def __init__(self, cost, folds=(0, 1, 2, 3), name=None):
        self.cost, self.folds, self.name = cost, list(folds), name or cost
        self.candidates = ["the only one"]

    def divided(self, sizes):
        parts = [copy(self) for _ in sizes]
        for part, folds in zip(parts, np.split(self.folds, np.cumsum(sizes)[:-1]), strict=True):
            part.folds = folds.tolist()
        return parts


def costs(runs):
    return [run.cost for run in runs]


def parts_of(runs, n):
    return list(chain.from_iterable(divided(runs, n)))


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
    of_one, of_three = (divided([run], 2)[0][0].cost for run in (one, three))
    assert 0.5 < of_three < of_one


def test_parts_cost_more_than_the_run_that_they_come_from():
    ((first, second),) = divided([FakeRun(1.0)], 2)
    assert 0.5 < first.cost == second.cost < 1.0


@pytest.mark.parametrize("sizes", [[4], [3, 1], [2, 2], [1, 1, 1, 1]])
def test_a_run_costs_what_its_parts_say(sizes):
    """Of which each is half as costly again as was expected."""
    run = FakeRun(8.0)
    ((half, _),) = divided([run], 2)
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
        after = divided(runs, n)
        assert longest(list(chain.from_iterable(after)), n) <= before
        for run, parts in zip(runs, after, strict=True):
            assert {part.name for part in parts} == {run.name}
            assert np.concatenate([part.folds for part in parts]).tolist() == run.folds
            assert parts == [run] or len(parts) > 1


def test_runs_of_one_fold_are_shared_as_they_are():
    """As those of a solver that trains members one by one."""
    runs = [FakeRun(cost, [0]) for cost in (3.0, 1.0, 2.0)]
    assert divided(runs, 2) == [[run] for run in runs]
