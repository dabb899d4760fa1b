"""Scores of labelled rows only."""

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_consistent_length

from skc2c.data.missing_labels import divided, labels


class LabeledScoreMixin:
    """Mixin for estimators that know the mark of unlabelled rows, `missing_label`."""

    def score(self, X, y, sample_weight=None):
        """Return the score of the predictions: accuracy of a classifier, R2 of a regressor.

        Rows of y that equal `missing_label` are left out.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their true labels or targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            1 at best.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skc2c import C2CClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = C2CClassifier(cv=None, random_state=0).fit(X[::2], y[::2])
        >>> clf.score(X[1::2], y[1::2]) > 0.9
        True
        """
        if self.missing_label is not None:
            check_consistent_length(X, y, sample_weight)
            kept, _ = divided(y, self.missing_label)
            X, y = _safe_indexing(X, kept), labels(y, kept)
            sample_weight = None if sample_weight is None else np.asarray(sample_weight)[kept]
        return super().score(X, y, sample_weight)
