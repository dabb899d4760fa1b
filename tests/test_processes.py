"""Pieces of work in other processes."""

import gc
import os
from functools import partial
from threading import Lock, current_thread, main_thread
from time import perf_counter, sleep

import joblib
import numpy as np
import pytest

from skc2c.machine import processes
from skc2c.machine.memory import keep_freed_memory
from skc2c.machine.processes import Relay, here, in_processes, n_processes


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


def memory(_):
    return keep_freed_memory.cache_info().currsize


def test_other_processes_keep_freed_memory():
    with in_processes(2) as over:
        assert over(memory, range(3))[1:] == [1, 1]


def test_collections_of_garbage_pass_over_what_other_processes_have_loaded():
    before = gc.get_freeze_count()
    with in_processes(2) as over:
        here, elsewhere = over(garbage, range(2))
    assert here == before
    assert elsewhere > 10_000
    with joblib.parallel_config(backend="threading"), in_processes(2) as over:
        assert over(garbage, range(3)) == [before] * 3


# --------------------------------------------------------------------------------- relays


def ended_here(begun):
    value, process = begun
    return value + 1, process, os.getpid()


@pytest.mark.parametrize("n_jobs", [2, 3])
def test_what_another_process_begins_is_ended_here(n_jobs):
    relay = Relay(square_and_process, 7, ended_here)
    with in_processes(n_jobs) as over:
        for _ in range(2):
            *found, (value, begun_by, ended_by) = over(square_and_process, range(n_jobs), relay)
            assert [x for x, _ in found] == [x * x for x in range(n_jobs)]
            assert value == 50
            assert found[0][1] == ended_by == os.getpid() != begun_by


def test_one_process_ends_what_it_begins():
    relay = Relay(square_and_process, 7, ended_here)
    assert here(square_and_process, [3], relay) == [
        (9, os.getpid()),
        (50, os.getpid(), os.getpid()),
    ]


@pytest.mark.parametrize("backend", ["threading", "multiprocessing", "sequential"])
def test_relays_are_the_same_with_any_backend(backend):
    relay = Relay(square_and_process, 7, ended_here)
    with joblib.parallel_config(backend=backend, n_jobs=2), in_processes(None) as over:
        *found, ended = over(square_and_process, range(2), relay)
    assert [x for x, _ in found] == [0, 1]
    assert ended[0] == 50


def test_another_process_begins_before_its_own_piece():
    """This one does not wait for that, and has what came of it while the other goes on."""
    relay = Relay(sleep_and_tell, 0.5, lambda begun: (begun, perf_counter()))
    with in_processes(2) as over:
        over(sleep_and_tell, [0.0, 0.0])  # so that they have started
        first, other, (begun, ended) = over(sleep_and_tell, [0.0, 1.0], relay)
    assert first < begun < ended < other


@pytest.mark.parametrize("relay", [None, Relay(str, 7, str)])
def test_results_are_not_looked_for_before_they_are_there(relay, monkeypatch):
    """Joblib does so every hundredth of a second."""
    monkeypatch.setattr(processes, "_LONGEST_DOING", 30.0)
    naps = []

    def nap(seconds):
        if current_thread() is main_thread():
            naps.append(seconds)
        sleep(seconds)

    with in_processes(2) as over:
        monkeypatch.setattr(joblib.parallel.time, "sleep", nap)
        over(sleep_and_tell, [0.0, 0.3], relay)
    assert naps.count(0.01) < 5


def sleep_and_tell(seconds):
    sleep(seconds)
    return perf_counter()


def fail(_):
    raise OverflowError("on the way")


@pytest.mark.parametrize("failing", ["begin", "end", "last"])
def test_an_error_in_a_relay_is_raised(failing):
    begin, end = (fail if failing == name else str for name in ("begin", "end"))
    last = partial(fail_at, failing=1) if failing == "last" else str
    with in_processes(2) as over, pytest.raises(OverflowError):
        over(last, [0, 1], Relay(begin, 7, end))
    with in_processes(2) as over:
        assert over(str, [0, 1], Relay(str, 7, str)) == ["0", "1", "7"]
