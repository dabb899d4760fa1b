"""Independent pieces of work in other processes, through joblib."""

from contextlib import contextmanager

from joblib import Parallel, delayed, effective_n_jobs

# Arrays beyond this are mapped from a file, others sent. With joblib's one megabyte, making and
# removing the files took up to a tenth of a fit to 1,700 rows.
_MAPPED = "64M"


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
        ``(function, pieces) -> results``, in the order of the pieces.
    """
    # One at a time: joblib would put small pieces together, and pieces differ in size. Large
    # arrays are mapped, by default for reading only: here they may be changed, which the other
    # processes do not see.
    options = {"batch_size": 1, "max_nbytes": _MAPPED, "mmap_mode": "c"}
    with Parallel(n_jobs=n_jobs, **options) as parallel:
        yield lambda function, pieces: parallel(delayed(function)(piece) for piece in pieces)
