"""Callbacks of scikit-learn: told of each step of a fit, which they may stop."""

from sklearn.utils import _safe_indexing

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9 has no callbacks

    class CallbackSupportMixin:
        """Nothing: there are no callbacks to be set."""

    def with_callbacks(method):
        """Return the method as it is."""
        return method


class Tasks:
    """A fit and the tasks it consists of: callbacks are told as each begins and ends.

    Parameters
    ----------
    estimator : Perceptron
        Whose callbacks are told.
    rows : dict
        What they are told of the rows: ``X``, ``y`` and ``metadata``.
    checks : dict
        Attributes that the checks of these rows have set.

    Attributes
    ----------
    stopped : bool
        Whether a callback has asked to end the fit.
    """

    def __init__(self, estimator, rows, checks):
        self._told = {"estimator": estimator, **rows}
        self._checks = checks
        self._root = self._task = None
        self._n_left = 0
        self.stopped = False

    def start(self, n_tasks):
        """Begin the fit and its first task.

        Parameters
        ----------
        n_tasks : int
            How many there are at most.

        Returns
        -------
        end : callable or None
            ``attributes -> stop``: to be called at the end of each task with a function that
            returns the fitted attributes as they would be if the fit ended there. None if there are
            no callbacks.
        """
        estimator = self._told["estimator"]
        if not (hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx")):
            return None
        self._root = estimator._init_callback_context(max_subtasks=n_tasks)
        self._root.call_on_fit_task_begin(**self._told)
        self._n_left = n_tasks
        self._begin()
        return self._end

    def _begin(self):
        self._task = self._root.subcontext(task_name="iteration") if self._n_left else None
        if self._task is not None:
            self._n_left -= 1
            self._task.call_on_fit_task_begin(**self._told)

    def _end(self, attributes):
        def fitted():
            return self._checks | attributes()

        told = {**self._told, "reconstruction_attributes": fitted}
        self.stopped = bool(self._task.call_on_fit_task_end(**told))
        self._begin()
        return self.stopped

    def finish(self):
        """End the fit, and a task that was begun but not carried out."""
        if self._root is None:
            return
        if self._task is not None:
            self._task.call_on_fit_task_end(estimator=self._told["estimator"])
        self._root.call_on_fit_task_end(**self._told, reconstruction_attributes={})


def rows_of(X, data):
    """What callbacks are told of the labelled rows, in the format that `fit` was given.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe}
        As given to `fit`.
    data : TrainingData

    Returns
    -------
    rows : dict
    """
    labelled, is_part = data.labelled, len(data.places) < data.n_rows
    metadata = None if labelled.weight is None else {"sample_weight": labelled.weight}
    return {
        "X": (lambda: _safe_indexing(X, data.places)) if is_part else X,
        "y": labelled.y,
        "metadata": metadata,
    }
