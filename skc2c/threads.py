"""Independent pieces of work on as many threads as BLAS may use.

That number is the one limit that users, joblib and ``threadpoolctl`` already set: a worker of
``GridSearchCV(n_jobs=...)`` finds its share of the cores there. While pieces run on threads
BLAS itself is held to one, also for whoever asks in the meantime: two fits at the same time
do not take twice the threads.
"""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Lock

import numpy as np
from threadpoolctl import ThreadpoolController  # comes with scikit-learn

_N_PIECES = 64


def n_threads():
    """How many threads BLAS may use at present; one if nothing is known of it."""
    return max((library.num_threads for library in _blas().lib_controllers), default=1)


def in_pieces(blocks):
    """Cut a list into consecutive parts: enough to keep threads evenly at work, not many more.

    They do not depend on the number of threads: a sum over parts of sums over blocks does not
    either. Handing out every block would take longer than evaluating a small one.
    """
    size = max(1, -(-len(blocks) // _N_PIECES))
    return [blocks[start : start + size] for start in range(0, len(blocks), size)]


def map_in_order(function, pieces):
    """Evaluate a function of each piece, on threads.

    Parameters
    ----------
    function : callable
    pieces : sequence

    Yields
    ------
    result
        In the order of the pieces, whatever the number of threads.
    """
    workers = min(n_threads(), len(pieces))
    with _one_thread_for_blas():
        if workers <= 1:
            yield from map(function, pieces)
            return
        with ThreadPoolExecutor(workers - 1) as pool:
            yield from _share(pool, workers, function, pieces)


def _share(pool, workers, function, pieces):
    """Results in order, with this thread as one of the workers.

    One that did nothing but wait would still take the interpreter from the others at each
    result: two threads then take 0.58 of the time of one, and so 0.54 (measured).
    """
    on_thread = _with_same_errstate(function)
    tasks = deque(
        (piece, pool.submit(on_thread, piece) if i % workers else None)
        for i, piece in enumerate(pieces)
    )
    try:
        while tasks:
            piece, future = tasks.popleft()
            mine = future is None or future.cancel()  # not begun yet
            yield function(piece) if mine else future.result()
    finally:
        for _, future in tasks:
            if future is not None:
                future.cancel()


def _with_same_errstate(function):
    """What numpy warns of is a setting of each thread: hand on the caller's."""
    settings = np.geterr()

    def wrapped(piece):
        with np.errstate(**settings):
            return function(piece)

    return wrapped


@cache
def _blas():
    return ThreadpoolController().select(user_api="blas")


class _Hold:
    """The one limit on BLAS of this process, put on by the first user and taken off by the last.

    With a limit for each, two users that overlap would restore each other's.
    """

    lock = Lock()
    users = 0
    limiter = None


@contextmanager
def _one_thread_for_blas():
    with _Hold.lock:
        if _Hold.users == 0:
            _Hold.limiter = _blas().limit(limits=1)
        _Hold.users += 1
    try:
        yield
    finally:
        with _Hold.lock:
            _Hold.users -= 1
            if _Hold.users == 0:
                _Hold.limiter.restore_original_limits()
