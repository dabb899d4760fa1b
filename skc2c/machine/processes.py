"""Independent pieces of work in other processes, through joblib."""

from joblib import Parallel, delayed, effective_n_jobs


def n_processes(n_jobs):
    """How many processes `n_jobs` stands for, as in scikit-learn."""
    return effective_n_jobs(n_jobs)


class InProcesses:
    """A map over pieces, each in one of several processes.

    Parameters
    ----------
    n_jobs : int or None
        As in scikit-learn: None is one, unless in a ``joblib.parallel_config`` context.
    """

    def __init__(self, n_jobs):
        self.n_jobs = n_jobs

    def __call__(self, function, pieces):
        """Evaluate a function of each piece; results in the order of the pieces."""
        # One at a time: joblib would put small pieces together, and pieces differ in size. Arrays
        # beyond a megabyte are mapped, by default for reading only: here they may be changed,
        # which the other processes do not see.
        parallel = Parallel(n_jobs=self.n_jobs, batch_size=1, mmap_mode="c")
        return parallel(delayed(function)(piece) for piece in pieces)
