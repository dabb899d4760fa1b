"""Cross-validation where only some of the rows have a label."""

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import BaseCrossValidator, check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.multiclass import type_of_target

from skc2c.missing_labels import is_missing


class SemiSupervisedSplit(BaseCrossValidator):
    """Splitter that tests on labelled rows only, and trains on all others.

    Labelled rows are split as the inner splitter does; rows without a label are in every
    training set and in no test set. With an ordinary splitter, rows without a label are
    scored as if `missing_label` were a class.

    Parameters
    ----------
    cv : int, cross-validation generator or iterable, default=5
        Splits the labelled rows. An int is the number of stratified folds if y holds classes,
        of plain folds if it holds real numbers.
    missing_label : object, default=-1
        Marks a row of y as unlabelled; NaN for real targets.

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
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
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
        labelled, unlabeled = self._labelled(y)
        parts = [
            part if part is None else _safe_indexing(part, labelled) for part in (X, y, groups)
        ]
        for train, test in self._inner(parts[1]).split(*parts):
            yield np.sort(np.concatenate([labelled[train], unlabeled])), labelled[test]

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of splits; an int `cv` needs no arguments."""
        if isinstance(self.cv, int):
            return self.cv
        return check_cv(self.cv).get_n_splits(X, y, groups)

    def _labelled(self, y):
        if y is None:
            raise ValueError("y is needed to tell which rows have a label. Got None.")
        missing = is_missing(y, self.missing_label)
        if missing.all():
            raise ValueError(f"No row of y has a label: all are {self.missing_label!r}.")
        return np.flatnonzero(~missing), np.flatnonzero(missing)

    def _inner(self, y):
        classes = type_of_target(y) in ("binary", "multiclass")
        return check_cv(self.cv, y, classifier=classes)


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

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skc2c import C2CClassifier
    >>> from skc2c.model_selection import labeled_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = C2CClassifier(random_state=0).fit(X, y)
    >>> y[::2] = -1
    >>> clf.score(X, y) < 0.5 < labeled_scorer("accuracy")(clf, X, y)
    True
    """
    return _LabeledScorer(scoring, missing_label)


class _LabeledScorer:
    """An object, since a function inside a function does not travel to other processes."""

    def __init__(self, scoring, missing_label):
        self.scoring = scoring
        self.missing_label = missing_label

    def __call__(self, estimator, X, y, **params):
        labelled = np.flatnonzero(~is_missing(y, self.missing_label))
        if len(labelled) == 0:
            raise ValueError(f"No row of y has a label: all are {self.missing_label!r}.")
        scorer = check_scoring(estimator, self.scoring)
        return scorer(estimator, _safe_indexing(X, labelled), _safe_indexing(y, labelled), **params)

    def __repr__(self):
        return f"labeled_scorer({self.scoring!r}, missing_label={self.missing_label!r})"
