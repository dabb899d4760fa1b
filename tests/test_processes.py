"""Pieces of work in other processes."""

import gc
import os
from functools import partial
from threading import Lock
from time import perf_counter

import joblib
import numpy as np
import pytest

from skc2c.machine import processes
from skc2c.machine.processes import in_processes, n_processes


def square_and_process(x):
    return x * x, os.getpid()


def test_results_come_in_the_order_of_the_pieces():
    with in_processes(3) as over:
        found, again = (over(square_and_process, range(6)) for _ in range(2))
    assert [value for value, _ in found] == [value for value, _ in again] == [0, 1, 4, 9, 16, 25]


def test_the_first_piece_is_done_here_and_the_others_are_not():
    with in_processes(2) as over:
        (_, first), *others = over(square_and_process, range(4))
    assert first == os.getpid()
    assert first not in {process for _, process in others}


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_nobody_waits_longer_than_pieces_take_to_be_sent_and_done(backend, monkeypatch):
    for name in ("_LONGEST_SENDING", "_LONGEST_DOING"):
        monkeypatch.setattr(processes, name, 30.0)
    start = perf_counter()
    with joblib.parallel_config(backend=backend), in_processes(2) as over:
        over(square_and_process, range(2))
    assert perf_counter() - start < 20.0  # to start a process takes a second or two


@pytest.mark.parametrize("backend", ["threading", "multiprocessing", "sequential"])
def test_results_are_the_same_with_any_backend(backend):
    """That of multiprocessing does not go on without waiting for all results."""
    with joblib.parallel_config(backend=backend, n_jobs=2), in_processes(None) as over:
        found = [over(square_and_process, range(n)) for n in (1, 2, 5)]
    for values in found:
        assert [value for value, _ in values] == [i * i for i in range(len(values))]


def test_one_job_stays_in_this_process():
    for n_jobs in (None, 1):
        with in_processes(n_jobs) as over:
            found = over(square_and_process, range(3))
        assert {process for _, process in found} == {os.getpid()}


def test_n_jobs_means_what_it_does_in_scikit_learn():
    assert n_processes(None) == 1
    assert n_processes(3) == 3
    assert n_processes(-1) == joblib.cpu_count()
    with joblib.parallel_config(n_jobs=2):
        assert n_processes(None) == 2


def doubled(array):
    array *= 2.0
    return array.sum()


@pytest.mark.parametrize("mapped", [None, "1M"])
def test_large_arrays_may_be_changed_in_place(monkeypatch, mapped):
    """Such as the parameters of wide networks, of which a step changes each."""
    monkeypatch.setattr(processes, "_MAPPED", mapped)
    ones = np.ones(300_000)  # more than a megabyte
    with in_processes(2) as over:
        assert over(doubled, [np.ones(3), ones, ones]) == [6, 600_000, 600_000]
    assert ones.sum() == 300_000


def test_what_is_done_here_does_not_change_what_others_are_sent():
    ones = np.ones(300_000)
    with in_processes(2) as over:
        for _ in range(10):
            ones[:] = 1.0
            assert over(doubled, [ones, ones]) == [600_000, 600_000]


def fail_at(x, failing):
    if x == failing:
        raise OverflowError(f"at {x}")
    return x


@pytest.mark.parametrize("failing", [0, 2])
def test_an_error_is_raised_wherever_it_happens(failing):
    with in_processes(2) as over, pytest.raises(OverflowError, match=f"at {failing}"):
        over(partial(fail_at, failing=failing), range(3))
    with in_processes(2) as over:
        assert over(partial(fail_at, failing=None), range(3)) == [0, 1, 2]


def test_what_cannot_be_sent_is_an_error(monkeypatch):
    monkeypatch.setattr(processes, "_LONGEST_SENDING", 0.1)
    with in_processes(2) as over, pytest.raises(Exception, match="pickle"):
        over(type, [1, Lock()])


def garbage(_):
    return gc.get_freeze_count()


def test_collections_of_garbage_pass_over_what_other_processes_have_loaded():
    before = gc.get_freeze_count()
    with in_processes(2) as over:
        here, elsewhere = over(garbage, range(2))
    assert here == before
    assert elsewhere > 10_000
    with joblib.parallel_config(backend="threading"), in_processes(2) as over:
        assert over(garbage, range(3)) == [before] * 3
