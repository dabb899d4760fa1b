"""Independent pieces of work on several processes, through joblib."""

import gc
import os
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from functools import cache, partial
from threading import Event, Semaphore
from typing import Any, NamedTuple

from joblib import Parallel, delayed, effective_n_jobs

from skc2c.machine.memory import keep_freed_memory

# Arrays beyond this are mapped from a file, others sent. With joblib's one megabyte, making and
# removing the files took up to a tenth of a fit to 1,700 rows.
_MAPPED = "64M"

# Seconds to wait at most for pieces to be sent, and for one to be done. Neither is heard of after
# an error, which joblib raises when it is asked for the results.
_LONGEST_SENDING, _LONGEST_DOING = 10.0, 1.0


class Relay(NamedTuple):
    """A piece of work that another process begins, and this one ends.

    Attributes
    ----------
    begin : callable
        ``piece -> begun``, in the process that does the last of the other pieces, before it.
    piece : object
    end : callable
        ``begun -> result``, in this process, after the first of the other pieces.
    """

    begin: Callable
    piece: Any
    end: Callable


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
        ``(function, pieces, relay=None) -> results``, in the order of the pieces, and then that of
        the `Relay`. This process does the first piece itself, if joblib lets it go on meanwhile.
    """
    n = n_processes(n_jobs)
    if n == 1:
        yield here
        return
    # One at a time: joblib would put small pieces together. Large arrays are mapped, by default for
    # reading only: here they may be changed, which the other processes do not see.
    options = {"n_jobs": n_jobs, "batch_size": 1, "max_nbytes": _MAPPED, "mmap_mode": "c"}
    try:
        parallel = _Parallel(**options, return_as="generator", pre_dispatch=n - 1)
        over = _first_here
    except (TypeError, ValueError):  # before joblib 1.3, or a backend that cannot
        parallel, over = Parallel(**options), _all_elsewhere
    with parallel:
        yield partial(over, parallel)


def here(function, pieces, relay=None):
    """As what `in_processes` yields, without other processes."""
    results = list(map(function, pieces))
    return results if relay is None else [*results, relay.end(relay.begin(relay.piece))]


class _Parallel(Parallel):
    """Tells when tasks are done; joblib looks for their results every hundredth of a second."""

    done = Semaphore(0)

    def print_progress(self):
        # Called when a task is done.
        super().print_progress()
        self.done.release()

    def wait_for(self, n):
        """Wait until n more tasks are done, or for long enough."""
        for _ in range(n):
            if not self.done.acquire(timeout=_LONGEST_DOING):
                return


def _all_elsewhere(parallel, function, pieces, relay=None):
    own = here(function, [], relay)
    tasks = [(function, piece) for piece in pieces]
    return parallel(delayed(_elsewhere)(*task, os.getpid()) for task in tasks) + own


def _first_here(parallel, function, pieces, relay=None):
    first, *others = pieces
    tasks = [(function, piece) for piece in others]
    if relay is not None:
        tasks.insert(0, (relay.begin, relay.piece))
    sent, parallel.done = [Event() for _ in tasks], Semaphore(0)
    results = parallel(
        delayed(_elsewhere)(*task, os.getpid(), _Sent(event))
        for task, event in zip(tasks, sent, strict=True)
    )
    with _closed_by_errors(results):
        # What others are sent must not change while another thread is reading it.
        for event in sent[: len(others)]:
            event.wait(_LONGEST_SENDING)
        found, ended = function(first), []
        if relay is not None:
            parallel.wait_for(1)
            ended = [relay.end(next(results))]
        parallel.wait_for(len(others))
        return [found, *results, *ended]


@contextmanager
def _closed_by_errors(results):
    try:
        yield
    except BaseException:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joblib counts what was not finished
            results.close()
        raise


class _Sent:
    """The last argument of a task: once it is pickled, so are those before it."""

    def __init__(self, event):
        self.event = event

    def __reduce__(self):
        self.event.set()
        return _sent, ()


def _sent():
    """What a `_Sent` is in another process."""


def _elsewhere(function, piece, sender, sent=None):
    if os.getpid() != sender:
        _get_ready()
    elif sent is not None:  # threads are sent nothing
        sent.event.set()
    return function(piece)


@cache
def _get_ready():
    """Let this process receive, train and send as fast as the one that it works for.

    Joblib's processes collect garbage every second, which takes as long as a tenth of a fit where
    all of scikit-learn is loaded: collections pass over what is loaded so far. And memory that is
    freed is kept, without which a megabyte takes twice to three times as long to arrive.
    """
    gc.freeze()
    keep_freed_memory()
