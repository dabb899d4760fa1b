"""Pieces of work in other processes."""

import os

import joblib
import numpy as np
import pytest

from skc2c.machine import processes
from skc2c.machine.processes import in_processes, n_processes


def square_and_process(x):
    return x * x, os.getpid()


def test_results_come_in_the_order_of_the_pieces():
    with in_processes(2) as over:
        found, again = (over(square_and_process, range(6)) for _ in range(2))
    assert [value for value, _ in found] == [value for value, _ in again] == [0, 1, 4, 9, 16, 25]
    assert os.getpid() not in {process for _, process in found}


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
        assert over(doubled, [ones, ones]) == [600_000, 600_000]
    assert ones.sum() == 300_000
