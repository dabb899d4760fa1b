"""Independent pieces of work on several processes, through joblib."""

import gc
import os
import warnings
from contextlib import contextmanager
from functools import cache, partial
from threading import Event

from joblib import Parallel, delayed, effective_n_jobs

# Arrays beyond this are mapped from a file, others sent. With joblib's one megabyte, making and
# removing the files took up to a tenth of a fit to 1,700 rows.
_MAPPED = "64M"

# Seconds to wait at most for pieces to be sent, and for one to be done. Neither is heard of after
# an error, which joblib raises when it is asked for the results.
_LONGEST_SENDING, _LONGEST_DOING = 10.0, 1.0


def n_processes(n_jobs):
    """How many processes `n_jobs` stands for, as in scikit-learn."""
    return effective_n_jobs(n_jobs)


@contextmanager
def in_processes(n_jobs):
    """Hold several processes, to which pieces of work are given again and again.

    Parameters
    ----------
    n_jobs : int or None
        As in scikit-learn: None is one, unless in a ``joblib.parallel_config`` context.

    Yields
    ------
    map : callable
        ``(function, pieces) -> results``, in the order of the pieces. This process does the first
        piece itself, if joblib lets it go on meanwhile.
    """
    n = n_processes(n_jobs)
    if n == 1:
        yield _all_here
        return
    # One at a time: joblib would put small pieces together. Large arrays are mapped, by default for
    # reading only: here they may be changed, which the other processes do not see.
    options = {"n_jobs": n_jobs, "batch_size": 1, "max_nbytes": _MAPPED, "mmap_mode": "c"}
    try:
        parallel = Parallel(**options, return_as="generator", pre_dispatch=n - 1)
        over = _first_here
    except (TypeError, ValueError):  # before joblib 1.3, or a backend that cannot
        parallel, over = Parallel(**options), _all_elsewhere
    with parallel:
        yield partial(over, parallel)


def _all_here(function, pieces):
    return list(map(function, pieces))


def _all_elsewhere(parallel, function, pieces):
    return parallel(delayed(_elsewhere)(function, piece, os.getpid()) for piece in pieces)


def _first_here(parallel, function, pieces):
    first, *others = pieces
    sent, done = [Event() for _ in others], Event()
    results = parallel(_tasks(function, others, sent, done))
    with _closed_by_errors(results):
        # What others are sent must not change while another thread is reading it.
        for event in sent:
            event.wait(_LONGEST_SENDING)
        first = function(first)
        # Joblib looks for results every hundredth of a second only.
        done.wait(_LONGEST_DOING)
    return [first, *results]


@contextmanager
def _closed_by_errors(results):
    try:
        yield
    except BaseException:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joblib counts what was not finished
            results.close()
        raise


def _tasks(function, pieces, sent, done):
    """Yield the tasks of other processes; joblib asks for one more when the first is done."""
    for piece, event in zip(pieces, sent, strict=True):
        yield delayed(_elsewhere)(function, piece, os.getpid(), _Sent(event))
    for event in (*sent, done):  # threads are sent nothing
        event.set()


class _Sent:
    """The last argument of a task: once it is pickled, so are those before it."""

    def __init__(self, event):
        self.event = event

    def __reduce__(self):
        self.event.set()
        return _sent, ()


def _sent():
    """What a `_Sent` is in another process."""


def _elsewhere(function, piece, sender, _=None):
    if os.getpid() != sender:
        _without_what_is_loaded()
    return function(piece)


@cache
def _without_what_is_loaded():
    """Let collections of garbage in this process pass over what it has loaded so far.

    Joblib's processes collect garbage every second, which takes as long as a tenth of a fit where
    all of scikit-learn is loaded.
    """
    gc.freeze()
