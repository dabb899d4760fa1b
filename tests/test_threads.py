"""Pieces of work on threads: which, in what order, and what BLAS may do meanwhile."""

import os
import threading
import time
import warnings
from contextlib import contextmanager

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from oracles import LIKELIHOODS, PLAIN, VARIANTS, draw_term
from threadpoolctl import threadpool_limits

from skc2c import C2C, C2CRegressor
from skc2c.machine import threads
from skc2c.machine.threads import blas_threads_taken, map_in_order, n_threads
from skc2c.network import blocks
from skc2c.objective import Objective

needs_blas = pytest.mark.skipif(
    not threads._blas(), reason="threadpoolctl knows nothing of this BLAS"
)


def blas_threads(_=None):
    return n_threads()


def test_results_come_in_the_order_of_the_pieces():
    def late_first(i):
        time.sleep(0.02 if i == 0 else 0.0)
        return i

    with threadpool_limits(2):
        assert list(map_in_order(late_first, range(20))) == list(range(20))


def meeting(n):
    """A function that returns only if n threads are in it at once, and their names."""
    names, barrier = set(), threading.Barrier(n, timeout=60)

    def work(_):
        names.add(threading.current_thread().name)
        barrier.wait()

    return work, names


@needs_blas
@pytest.mark.parametrize("limit", [1, 2])
def test_as_many_threads_as_blas_may_use(limit):
    work, names = meeting(limit)
    with threadpool_limits(limit):
        assert n_threads() == limit
        list(map_in_order(work, range(8)))
    assert len(names) == limit
    assert threading.current_thread().name in names


@needs_blas
def test_blas_has_one_thread_meanwhile_and_its_own_again_after():
    with threadpool_limits(2):
        assert set(map_in_order(blas_threads, range(4))) == {1}
        assert n_threads() == 2

        def fail(_):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            list(map_in_order(fail, range(4)))
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


@needs_blas
def test_who_comes_second_works_on_one_thread():
    names = set()

    def work(_):
        names.add(threading.current_thread().name)

    with threadpool_limits(2), blas_threads_taken():
        assert n_threads() == 1
        other = threading.Thread(target=lambda: list(map_in_order(work, range(10))), name="other")
        other.start()
        other.join()
        assert names == {"other"}
        # Who has taken the threads still has two of them.
        together, names_of_two = meeting(2)
        list(map_in_order(together, range(10)))
        assert len(names_of_two) == 2
    assert n_threads() == 1


@needs_blas
def test_a_fit_takes_the_threads_once(monkeypatch):
    taken = []
    restore = threads._Taken.restore
    monkeypatch.setattr(threads._Taken, "restore", lambda self: taken.append(1) or restore(self))
    X = np.random.default_rng(0).normal(size=(5000, 3))
    settings = {"hidden_layer_sizes": (200,), "solver": "lbfgs", "max_iter": 5}
    C2CRegressor(**PLAIN | settings, random_state=0).fit(X, X[:, 0])
    assert len(taken) == 1


@needs_blas
@pytest.mark.parametrize(("width", "expected"), [(10, 1), (900, 2)])
def test_small_products_of_batches_are_not_shared(width, expected):
    """Threads that wait for each other on busy cores cost more than they save."""
    seen = []

    class Watching(C2C):
        def probe(self, *arguments):
            seen.append(n_threads())
            return super().probe(*arguments)

    X = np.random.default_rng(0).normal(size=(100, width))
    settings = {"hidden_layer_sizes": (100,), "max_iter": 2, "batch_size": 100}
    with threadpool_limits(2):
        C2CRegressor(**PLAIN | settings | {"penalty": Watching()}).fit(X, X[:, 0])
        assert n_threads() == 2
    assert set(seen) == {expected}


@contextmanager
def anybodys_limit(n):
    """Limit BLAS to n threads, and let any thread set another limit."""
    with threadpool_limits(n):
        threads._let_others_set_limits()
        yield


@needs_blas
def test_blas_has_one_thread_as_long_as_anybody_needs_that():
    first_is_done, found = threading.Event(), []

    def second():
        with blas_threads_taken():
            first_is_done.wait(timeout=60)
            found.append(n_threads())

    with anybodys_limit(2):
        with blas_threads_taken():
            thread = threading.Thread(target=second)
            thread.start()
            while threads._taken.n_inside < 2:
                time.sleep(0.001)
        first_is_done.set()
        thread.join()
        assert found == [1]
        assert n_threads() == 2


@needs_blas
@pytest.mark.parametrize("cv", [None, 4])
def test_fits_at_the_same_time_are_those_one_after_another(cv):
    """The second takes the threads over when the first has done, and gives them back."""
    X = np.random.default_rng(0).normal(size=(1000, 10))
    settings = {"hidden_layer_sizes": (50,), "solver": "lbfgs", "max_iter": 10, "tol": 0, "cv": cv}

    def fit(seed):
        return C2CRegressor(**PLAIN | settings, random_state=seed).fit(X, X[:, 0])

    found = {}
    with anybodys_limit(2):
        expected = [fit(seed) for seed in range(3)]
        fits = [
            threading.Thread(target=lambda seed=seed: found.update({seed: fit(seed)}))
            for seed in range(3)
        ]
        for thread in fits:
            thread.start()
        for thread in fits:
            thread.join()
        assert n_threads() == 2
    assert not threads._taken.spare.locked()
    for seed, alone in enumerate(expected):
        assert found[seed].loss_curve_ == alone.loss_curve_
        for one, other in zip(found[seed].coefs_, alone.coefs_, strict=True):
            assert_array_equal(one, other)


@needs_blas
@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interrupt_at_any_moment_gives_blas_its_threads_back(monkeypatch, moment):
    def interrupted(limits):
        if moment == "after":
            for library in threads._blas():
                library.set_num_threads(limits)
        raise KeyboardInterrupt

    with threadpool_limits(2):
        with monkeypatch.context() as patch:
            patch.setattr(threads._controller(), "limit", interrupted)
            with pytest.raises(KeyboardInterrupt), blas_threads_taken():
                pass
        assert n_threads() == 2
        with blas_threads_taken():
            assert n_threads() == 1
        assert n_threads() == 2


@needs_blas
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_starts_afresh():
    with threadpool_limits(2), blas_threads_taken(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks while threads run
        child = os.fork()
        if child == 0:
            found = n_threads() == 2 and set(map_in_order(blas_threads, range(4))) == {1}
            os._exit(0 if found and n_threads() == 2 else 1)
        assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("penalty", VARIANTS, ids=str)
@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
def test_number_of_threads_does_not_change_the_objective(rng, penalty, likelihood, monkeypatch):
    term, theta = draw_term(rng, penalty, likelihood, n=300)
    objective = Objective((term,), over_blocks=map_in_order)
    monkeypatch.setattr(blocks, "BLOCK_NUMBERS", 1)
    results = []
    for n in (1, 2, 5):
        with monkeypatch.context() as patch:
            patch.setattr(threads._mine, "n_threads", n)
            results.append(objective.on_all_rows(theta, 0))
    for value, gradient in results[1:]:
        assert value == results[0][0]
        assert_array_equal(gradient, results[0][1])


def test_without_a_known_blas_all_is_done_on_one_thread(monkeypatch):
    monkeypatch.setattr(threads, "_blas", list)
    assert n_threads() == 1
    names = set()
    list(map_in_order(lambda _: names.add(threading.current_thread().name), range(9)))
    assert names == {threading.current_thread().name}
