"""The classifier: labels in, probabilities out."""

from numbers import Real

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from skc2c.estimators.perceptron import CONSTANT, Perceptron
from skc2c.estimators.shared_docstrings import shared_docstrings


@shared_docstrings
class C2CClassifier(ClassifierMixin, Perceptron):
    """Multilayer perceptron classifier that is smooth around the data.

    Minimises the log-loss plus ``alpha`` times a penalty on how much the output changes
    within a neighbourhood of radius ``epsilon`` of each row.

    Parameters
    ----------
    {parameters}

    class_weight : dict or 'balanced', default=None
        Weights of the classes, multiplied with the sample weights. ``'balanced'``
        weights every class inversely to its (weighted) frequency. Not for multilabel y.

    {last_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; for multilabel y the indices of the outputs.

    {attributes}

    See Also
    --------
    C2CRegressor : The same network for regression.
    sklearn.neural_network.MLPClassifier : Without the penalty.

    Notes
    -----
    {notes}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.model_selection import train_test_split
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skc2c import C2CClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> clf = make_pipeline(StandardScaler(), C2CClassifier(random_state=0))
    >>> clf.fit(X_train, y_train).score(X_test, y_test) > 0.95
    True
    """

    _parameter_constraints = {
        **Perceptron._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        penalty="c2c",
        alpha=0.03,
        epsilon=0.3,
        l2=1.0,
        solver="adam",
        batch_size="auto",
        learning_rate_init=0.001,
        max_iter=200,
        shuffle=True,
        tol=1e-4,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        warm_start=False,
        class_weight=None,
        missing_label=None,
        dtype="auto",
        random_state=None,
        verbose=False,
    ):
        self._set_parameters(locals())

    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        X_unlabeled=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Fit the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. Scale the features alike: `epsilon` is in their units.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels (strings, integers, booleans), or a 0/1 indicator matrix (multilabel).
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. A row of weight zero counts as not there; rows without a label
            weigh one.
        {fit_parameters}

        Returns
        -------
        self : C2CClassifier

        Raises
        ------
        ValueError
            On invalid parameters or data, fewer than two classes, or a loss that stops
            being finite. The estimator is then as it was before.
        """
        further = {
            "X_unlabeled": X_unlabeled,
            "X_val": X_val,
            "y_val": y_val,
            "sample_weight_val": sample_weight_val,
        }
        return self._fit_or_leave(X, y, sample_weight, further)

    def predict(self, X):
        """Predict labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The most probable label; for multilabel y the indicator matrix of the outputs
            with a probability above one half.
        """
        return self._decode(self._link(X))

    def decision_function(self, X):
        """Network output before the softmax or logistic function: the logits.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        h : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            For two classes, the log-odds of ``classes_[1]``.
        """
        h = self._link(X)
        return h[:, 0] if h.shape[1] == 1 else h

    def predict_proba(self, X):
        """Predict probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes) or (n_samples, n_outputs)
            Of every class, in the order of `classes_`; for multilabel y of every output
            being 1. In the open interval (0, 1): where a probability rounds to 0 or 1 the
            nearest number inside is returned.
        """
        h = self._link(X)
        proba = self._family().mean(_both_sides(h))
        limits = np.finfo(proba.dtype)
        return np.clip(proba, limits.tiny, 1.0 - limits.epsneg)

    def predict_log_proba(self, X):
        """Predict logarithms of probabilities, computed without their underflow.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes) or (n_samples, n_outputs)
            Exact also where the probability itself is too small for a float.
        """
        h = self._link(X)
        return self._family().log_mean(_both_sides(h))

    def _decode(self, h):
        """Labels from the network output."""
        if h.shape[1] == 1:
            return self.classes_[(h[:, 0] > 0).astype(int)]
        if self.out_activation_ == "softmax":
            return self.classes_[h.argmax(axis=1)]
        return (h > 0).astype(int)

    def _encode(self, y, weight, reset, is_validation=False):
        """One-hot rows, one 0/1 column (two classes) or the indicator matrix itself."""
        check_classification_targets(y)
        if type_of_target(y).startswith("multilabel"):
            return self._encode_multilabel(y, weight, reset)
        y = column_or_1d(y, warn=True)
        classes = np.unique(y)
        if reset:
            self.classes_ = classes
        elif not np.isin(classes, self.classes_).all():
            asked = "y_val needs the classes of y"
            if not is_validation:
                asked = "warm_start=True needs the classes of the previous fit"
            raise ValueError(f"{asked}, {self.classes_}. Got {classes} instead.")
        codes = np.searchsorted(self.classes_, y)
        weight = self._weigh_classes(codes, weight)
        present = self.classes_[np.unique(codes if weight is None else codes[weight > 0])]
        if len(present) < 2:
            raise ValueError(
                "y needs rows of at least two classes with a positive weight. Got "
                f"{'one class only' if len(present) else 'no class'}: {present}."
            )
        if len(self.classes_) == 2:
            return codes[:, None].astype(np.float32), weight, "logistic"
        return np.eye(len(self.classes_), dtype=np.float32)[codes], weight, "softmax"

    def _encode_multilabel(self, y, weight, reset):
        if self.class_weight is not None:
            raise ValueError(
                f"class_weight={self.class_weight!r} is not defined for multilabel y. "
                "Use None, and sample_weight if rows differ in weight."
            )
        y = y.toarray() if hasattr(y, "toarray") else y
        if not np.isin(y, (0, 1)).all():
            raise ValueError(
                "y with several columns must be a 0/1 indicator matrix (multilabel). Multioutput "
                f"y with other values is not supported; got the values {np.unique(y)}."
            )
        if reset:
            self.classes_ = np.arange(y.shape[1])
        return y.astype(np.float32), weight, "logistic"

    def _weigh_classes(self, codes, weight):
        """Multiply the weights of the rows with those of their classes."""
        if self.class_weight is None:
            return weight
        if self.class_weight == "balanced":
            counts = np.bincount(codes, weights=weight, minlength=len(self.classes_))
            present = counts > 0
            factors = counts.sum() / (present.sum() * np.where(present, counts, np.inf))
        else:
            factors = self._class_factors()
        return factors[codes] if weight is None else weight * factors[codes]

    def _class_factors(self):
        """The dictionary `class_weight` as an array; classes it does not name have 1."""
        factors = np.ones(len(self.classes_))
        for label, factor in self.class_weight.items():
            found = self.classes_ == label
            if not np.any(found):
                raise ValueError(f"class_weight names {label!r}, but classes_ is {self.classes_}.")
            if not (isinstance(factor, Real) and 0 <= factor < np.inf):
                raise ValueError(
                    "The values of class_weight must be in the range [0.0, inf). "
                    f"Got {factor!r} for class {label!r}."
                )
            factors[found] = factor
        return factors

    _other_cure = ", or give VAT an entropy_weight and a balance_weight"

    def _lost(self, h, h_labelled):
        if self._family().mean(h).std(axis=0).max() < 0.01:
            return CONSTANT
        if self.out_activation_ == "logistic" and h.shape[1] > 1:
            return None  # labels of a multilabel y may well be rare
        both = _both_sides(h), _both_sides(h_labelled)
        share, expected = (
            np.bincount(sides.argmax(axis=1), minlength=sides.shape[1]) / len(sides)
            for sides in both
        )
        names = ", ".join(map(repr, self.classes_[share < 0.05 * expected].tolist()))
        return f"there it all but never predicts {names}" if names else None

    def _strata(self, y):
        if y.shape[1] == 1:
            return y[:, 0]
        return y.argmax(axis=1) if self.out_activation_ == "softmax" else None

    def _validation_score(self, h, y, weight):
        # Targets of -1/2 and 1/2 decode as outputs do.
        return accuracy_score(self._decode(y - 0.5), self._decode(h), sample_weight=weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _both_sides(h):
    """For two classes, the log-odds of each; otherwise h itself."""
    return np.hstack([-h, h]) if h.shape[1] == 1 else h
