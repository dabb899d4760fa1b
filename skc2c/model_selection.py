"""Cross-validation where only some of the rows have a label."""

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import BaseCrossValidator, check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length

from skc2c.data.missing_labels import divided, labels
from skc2c.messages import warn


class SemiSupervisedSplit(BaseCrossValidator):
    """Splitter that tests on labelled rows only, and trains on all others.

    Labelled rows are split as the inner splitter does; rows without a label are in every
    training set and in no test set. With an ordinary splitter, rows without a label are
    scored as if `missing_label` were a class.

    Parameters
    ----------
    cv : int, cross-validation generator or iterable, default=5
        Splits the labelled rows; the indices of an iterable (a list, not an iterator) count
        these alone. An int is the number of stratified folds if y holds classes, of plain
        folds if it holds floats.
    missing_label : object, default=-1
        Marks a row of y as unlabelled; NaN for real targets.

    See Also
    --------
    labeled_scorer : Scores of rows of which some have no label.

    Examples
    --------
    >>> import numpy as np
    >>> from skc2c.model_selection import SemiSupervisedSplit
    >>> y = np.array([0, 1, -1, 0, 1, -1])
    >>> for train, test in SemiSupervisedSplit(cv=2).split(np.zeros((6, 1)), y):
    ...     print(train, test)
    [2 3 4 5] [0 1]
    [0 1 2 5] [3 4]
    """

    def __init__(self, cv=5, missing_label=-1):
        self.cv = cv
        self.missing_label = missing_label

    def split(self, X, y=None, groups=None):
        """Generate the rows to train on and those to test on.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; only their number matters.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Needed to tell which rows have a label.
        groups : array-like of shape (n_samples,), default=None
            For the inner splitter.

        Yields
        ------
        train, test : ndarray of int
            Ascending. `train` holds every unlabelled row.

        Raises
        ------
        ValueError
            If y is None or no row is labelled.
        """
        check_consistent_length(X, y, groups)
        labelled, unlabeled = self._divided(y)
        if not len(unlabeled):
            warn(f"missing_label={self.missing_label!r} marks no row of y: all are split.")
        for train, test in self._inner(y, labelled).split(*_pick((X, y, groups), labelled)):
            yield np.sort(np.concatenate([labelled[train], unlabeled])), labelled[test]

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of splits, of the labelled rows if y says which these are.

        Parameters
        ----------
        X, y, groups : array-like, default=None
            As in `split`. An int `cv` does not need them.

        Returns
        -------
        n_splits : int
            How many pairs `split` yields.
        """
        if y is None:
            return check_cv(self.cv).get_n_splits(X, y, groups)
        labelled, _ = self._divided(y)
        return self._inner(y, labelled).get_n_splits(*_pick((X, y, groups), labelled))

    def get_metadata_routing(self):
        """Return what the inner splitter asks for, such as groups.

        Returns
        -------
        routing : MetadataRequest or MetadataRouter
            That of the inner splitter, if it is an object.
        """
        if hasattr(self.cv, "get_metadata_routing"):
            return self.cv.get_metadata_routing()
        return super().get_metadata_routing()

    def _divided(self, y):
        if y is None:
            raise ValueError("y is needed to tell which rows have a label. Got None.")
        return divided(y, self.missing_label)

    def _inner(self, y, labelled):
        if hasattr(self.cv, "__next__"):
            raise ValueError("cv is an iterator, which can be run through only once. Pass a list.")
        y = labels(y, labelled)
        # Whole numbers marked with NaN are real targets, whatever they look like.
        classes = y.dtype.kind != "f" and type_of_target(y) in ("binary", "multiclass")
        return check_cv(self.cv, y, classifier=classes)


def _pick(parts, rows):
    return [None if part is None else _safe_indexing(part, rows) for part in parts]


def labeled_scorer(scoring, missing_label=-1):
    """Make a scorer that leaves rows without a label out of account.

    For scores of training sets, or of any rows of which some have no label.

    Parameters
    ----------
    scoring : str or callable
        A name, or a scorer ``(estimator, X, y) -> float``.
    missing_label : object, default=-1
        Marks a row of y as unlabelled; NaN for real targets.

    Returns
    -------
    scorer : callable
        ``(estimator, X, y) -> float``.

    See Also
    --------
    SemiSupervisedSplit : Splits whose test rows all have a label.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skc2c import C2CClassifier
    >>> from skc2c.model_selection import labeled_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = C2CClassifier(random_state=0).fit(X, y)
    >>> y[::2] = -1
    >>> clf.score(X, y) <= 0.5 < labeled_scorer("accuracy")(clf, X, y)
    True
    """
    return _LabeledScorer(scoring, missing_label)


class _LabeledScorer:
    """An object, since a function inside a function does not travel to other processes."""

    def __init__(self, scoring, missing_label):
        self.scoring = scoring
        self.missing_label = missing_label

    def __call__(self, estimator, X, y, **params):
        check_consistent_length(X, y)
        labelled, _ = divided(y, self.missing_label)
        params = {
            name: _safe_indexing(value, labelled) if np.shape(value)[:1] == (len(y),) else value
            for name, value in params.items()
        }
        X, y = _pick((X, y), labelled)
        return check_scoring(estimator, self.scoring)(estimator, X, y, **params)

    def __repr__(self):
        return f"labeled_scorer({self.scoring!r}, missing_label={self.missing_label!r})"
