import threading
import time

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from test_objective import make
from test_penalties import VARIANTS
from threadpoolctl import threadpool_limits

from skc2c import threads
from skc2c.threads import in_pieces, map_in_order, n_threads


def blas_threads(_=None):
    return n_threads()


def test_results_come_in_the_order_of_the_pieces():
    def late_first(i):
        time.sleep(0.02 if i == 0 else 0.0)
        return i

    with threadpool_limits(2):
        assert list(map_in_order(late_first, range(20))) == list(range(20))


@pytest.mark.parametrize("limit", [1, 2])
def test_as_many_threads_as_blas_may_use(limit):
    names = set()

    def work(_):
        names.add(threading.current_thread().name)
        time.sleep(0.01)

    with threadpool_limits(limit):
        assert n_threads() == limit
        list(map_in_order(work, range(8)))
    assert len(names) == limit


def test_blas_has_one_thread_meanwhile_and_its_own_again_after():
    with threadpool_limits(2):
        assert set(map_in_order(blas_threads, range(4))) == {1}
        assert n_threads() == 2

        def fail(_):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            list(map_in_order(fail, range(4)))
        assert n_threads() == 2


def test_overlapping_maps_give_back_the_first_limit():
    """The second to start ends last, and must not leave behind what the first had put on."""
    with threadpool_limits(2):
        first, second = (map_in_order(blas_threads, range(2)) for _ in range(2))
        next(first)
        next(second)
        assert n_threads() == 1
        list(first)
        assert n_threads() == 1
        list(second)
        assert n_threads() == 2


def test_threads_warn_of_what_their_caller_does():
    def overflow(_):
        return np.array([1e300]) * 1e300

    with threadpool_limits(2), np.errstate(over="ignore"):
        list(map_in_order(overflow, range(4)))
    with threadpool_limits(2), np.errstate(over="raise"), pytest.raises(FloatingPointError):
        list(map_in_order(overflow, range(4)))


def test_a_worker_of_a_grid_search_takes_its_share():
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(blas_threads)() for _ in range(2))
    assert max(found) <= max(1, joblib.cpu_count() // 2)


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 1000])
def test_pieces_are_consecutive_and_few(n):
    pieces = in_pieces(list(range(n)))
    assert [block for piece in pieces for block in piece] == list(range(n))
    assert len(pieces) <= 64


@pytest.mark.parametrize("penalty", VARIANTS, ids=str)
def test_number_of_threads_does_not_change_the_objective(rng, penalty, monkeypatch):
    objective, theta = make(rng, penalty, n=700)
    monkeypatch.setattr("skc2c.objective.BLOCK_NUMBERS", 1)
    results = []
    for n in (1, 2, 5):
        monkeypatch.setattr(threads, "n_threads", lambda n=n: n)
        results.append(objective.on_all_rows(theta, 0))
    for value, gradient in results[1:]:
        assert value == results[0][0]
        assert_array_equal(gradient, results[0][1])
