"""What y is: how it is encoded for training, and how outputs become predictions again."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from skc2c.likelihoods import LIKELIHOODS

# A regressor is called collapsed if its outputs on the pool spread less than this part of
# the targets' standard deviation; a classifier if no probability spreads more than this; and
# a class is called lost if it is predicted less than this part of how often it is among
# the labelled rows. Far below what fits that work leave, which is 0.3 and more.
_LEAST_SPREAD = 0.05
_LEAST_SPREAD_OF_PROBABILITIES = 0.01
_LEAST_SHARE = 0.05
_CONSTANT = "its predictions are all but constant"


class Units(NamedTuple):
    """The units of y: training sees ``(y - center) / scale``.

    Attributes
    ----------
    center, scale : ndarray of shape (K,)
        Of the outputs; a scale of 0 says that the target is constant.
    """

    center: np.ndarray
    scale: np.ndarray

    @property
    def divisor(self):
        """The scale to divide by: a constant target stays as it is."""
        return np.where(self.scale > 0.0, self.scale, 1.0)

    def standardize(self, y):
        """Encoded targets as training sees them."""
        return (y - self.center) / self.divisor

    def fold(self, coefs, intercepts):
        """Kernels and biases whose output is in the units of y, in float64."""
        coefs = [*coefs[:-1], coefs[-1] * self.scale]
        return coefs, [*intercepts[:-1], intercepts[-1] * self.scale + self.center]

    def unfold(self, coefs, intercepts):
        """Undo `fold`."""
        coefs = [*coefs[:-1], coefs[-1] / self.divisor]
        return coefs, [*intercepts[:-1], (intercepts[-1] - self.center) / self.divisor]


class Targets(ABC):
    """What y is. A subclass is a plain record.

    Attributes
    ----------
    loss : str
        Whose negative log-likelihood is minimised, a key of ``LIKELIHOODS``.
    n_targets : int
        Columns of the encoded y.
    other_cure : str
        What else to try against a collapse, for a warning.
    """

    other_cure = ""

    @property
    def likelihood(self):
        """The output distribution."""
        return LIKELIHOODS[self.loss]()

    @property
    def n_outputs(self):
        """Outputs of the network."""
        return self.likelihood.n_outputs(self.n_targets)

    @abstractmethod
    def encode_validation(self, y, weight):
        """Encode further targets: y as an array of shape (n, T), and the weights."""

    @abstractmethod
    def decode(self, h):
        """Predictions from network outputs (n, K)."""

    @abstractmethod
    def score(self, h, y, weight):
        """Score of outputs against encoded targets, larger is better."""

    @abstractmethod
    def lost(self, h, h_labelled):
        """Say what got lost in outputs on the pool, in words, or None."""

    def strata(self, y):
        """Labels by which to stratify held-out rows, if any."""
        return None

    def units(self, y, weight):
        """Units in which training sees encoded targets."""
        return Units(np.zeros(self.n_outputs), np.ones(self.n_outputs))

    def attributes(self):
        """Fitted attributes that say what y was."""
        return {}

    @abstractmethod
    def out_of_fold(self, h, y, weight, places, n):
        """Fitted attributes that say how rows were predicted by networks not trained on them.

        Parameters
        ----------
        h : ndarray of shape (n_used, K)
            Outputs; NaN for rows that all networks were trained on.
        y : ndarray of shape (n_used, T)
            Encoded targets.
        weight : ndarray of shape (n_used,) or None
        places : ndarray of int of shape (n_used,)
            Which of the rows given these are.
        n : int
            How many rows were given.
        """


# ------------------------------------------------------------------------------- classes


@dataclass(frozen=True)
class ClassTargets(Targets):
    """Classes, or 0/1 indicators of several labels.

    Parameters
    ----------
    classes : ndarray
        Class labels; the indices of the outputs if y is multilabel.
    is_multilabel : bool
    factors : ndarray of shape (n_classes,) or None
        Weights of the classes; None if all weigh the same.
    """

    classes: np.ndarray
    is_multilabel: bool
    factors: np.ndarray | None = None

    other_cure = ", or give VAT an entropy_weight and a balance_weight"

    @property
    def is_binary(self):
        """Whether one output tells two classes apart."""
        return not self.is_multilabel and len(self.classes) == 2

    @property
    def loss(self):
        return "binary_log_loss" if self.is_binary or self.is_multilabel else "log_loss"

    @property
    def n_targets(self):
        return 1 if self.is_binary else len(self.classes)

    def attributes(self):
        return {"classes_": self.classes}

    def weigh(self, codes, weight):
        """Multiply the weights of rows with those of their classes."""
        if self.factors is None:
            return weight
        return self.factors[codes] if weight is None else weight * self.factors[codes]

    def encode_validation(self, y, weight):
        codes = codes_of(y, self, "y_val needs the classes of y")
        return self.encode(codes), self.weigh(codes, weight)

    def encode(self, codes):
        """Encode class indices (or the indicator matrix) as rows of zeros and ones."""
        if self.is_multilabel:
            return codes.astype(np.float32)
        if self.is_binary:
            return codes[:, None].astype(np.float32)
        return np.eye(len(self.classes), dtype=np.float32)[codes]

    def decode(self, h):
        if self.is_multilabel:
            return (h > 0).astype(int)
        return self.classes[(h[:, 0] > 0).astype(int) if self.is_binary else h.argmax(axis=1)]

    def score(self, h, y, weight):
        # Targets of -1/2 and 1/2 decode as outputs do.
        return accuracy_score(self.decode(y - 0.5), self.decode(h), sample_weight=weight)

    def strata(self, y):
        if self.is_multilabel:
            return None
        return y[:, 0] if self.is_binary else y.argmax(axis=1)

    def lost(self, h, h_labelled):
        spread = self.likelihood.mean(h).std(axis=0).max()
        if spread < _LEAST_SPREAD_OF_PROBABILITIES:
            return _CONSTANT
        if self.is_multilabel:
            return None  # labels may well be rare
        share, expected = self._shares(h), self._shares(h_labelled)
        names = self.classes[share < _LEAST_SHARE * expected].tolist()
        return f"there it all but never predicts {', '.join(map(repr, names))}" if names else None

    def out_of_fold(self, h, y, weight, places, n):
        seen = np.isfinite(h).all(axis=1)
        proba = np.full((n, len(self.classes)), np.nan)
        sides = both_sides(h) if self.is_binary else h
        proba[places[seen]] = self.likelihood.mean(sides[seen])
        weight = None if weight is None else weight[seen]
        score = self.score(h[seen], y[seen], weight)
        return {"oob_score_": float(score), "oob_decision_function_": proba}

    def _shares(self, h):
        """How often each class is predicted."""
        sides = both_sides(h) if self.is_binary else h
        return np.bincount(sides.argmax(axis=1), minlength=sides.shape[1]) / len(sides)


def both_sides(h):
    """The log-odds of each of two classes, from those of the second."""
    return np.hstack([-h, h])


def class_targets(y, known=None):
    """Find out what the classes of y are, and encode it by them.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_outputs)
    known : ClassTargets, optional
        Of a previous fit: y must not have other classes.

    Returns
    -------
    targets : ClassTargets
    codes : ndarray
        Indices of the classes, or the indicator matrix.
    """
    check_classification_targets(y)
    is_multilabel = type_of_target(y).startswith("multilabel")
    # Labels of another kind ask for another network, which a warm start refuses later.
    known = known if known is not None and known.is_multilabel == is_multilabel else None
    if is_multilabel:
        indicator = _indicator(y)
        return known or ClassTargets(np.arange(indicator.shape[1]), True), indicator
    y = column_or_1d(y, warn=True)
    targets = known or ClassTargets(np.unique(y), False)
    return targets, _codes(y, targets, "warm_start=True needs the classes of the previous fit")


def codes_of(y, targets, asked):
    """Encode further labels by the classes of `targets`, which they need to be of."""
    if targets.is_multilabel:
        return _indicator(y)
    return _codes(column_or_1d(y, warn=True), targets, asked)


def _codes(y, targets, asked):
    classes = np.unique(y)
    if not np.isin(classes, targets.classes).all():
        raise ValueError(f"{asked}, {targets.classes}. Got {classes} instead.")
    return np.searchsorted(targets.classes, y)


def _indicator(y):
    y = y.toarray() if hasattr(y, "toarray") else y
    if not np.isin(y, (0, 1)).all():
        raise ValueError(
            "y with several columns must be a 0/1 indicator matrix (multilabel). Multioutput "
            f"y with other values is not supported; got the values {np.unique(y)}."
        )
    return y


# ---------------------------------------------------------------------------- real values


@dataclass(frozen=True)
class RealTargets(Targets):
    """Real values, or counts.

    Parameters
    ----------
    loss : str
    n_targets : int
    """

    loss: str
    n_targets: int

    def encode_validation(self, y, weight):
        return real_targets(y, self.loss)[1], weight

    def decode(self, h):
        mean = self.likelihood.mean(h)
        return mean[:, 0] if mean.shape[1] == 1 else mean

    def score(self, h, y, weight):
        return r2_score(y, self.likelihood.mean(h), sample_weight=weight)

    def lost(self, h, h_labelled):
        # Targets are standardised: their standard deviation is one.
        return _CONSTANT if (h.std(axis=0) < _LEAST_SPREAD).any() else None

    def out_of_fold(self, h, y, weight, places, n):
        seen = np.isfinite(h).all(axis=1)
        prediction = np.full((n, self.n_targets), np.nan)
        prediction[places[seen]] = self.likelihood.mean(h[seen])
        weight = None if weight is None else weight[seen]
        score = self.score(h[seen], y[seen], weight) if seen.sum() > 1 else np.nan
        prediction = prediction[:, 0] if self.n_targets == 1 else prediction
        return {"oob_score_": float(score), "oob_prediction_": prediction}

    def units(self, y, weight):
        center = np.average(y, axis=0, weights=weight)
        largest = np.abs(y - center).max(axis=0)
        # The largest is divided out before squaring: y may be in any unit.
        relative = (y - center) / np.where(largest > 0.0, largest, 1.0)
        return Units(center, largest * np.sqrt(np.average(relative**2, axis=0, weights=weight)))


def real_targets(y, loss):
    """Encode real targets as an array of shape (n, T) in float64.

    Returns
    -------
    targets : RealTargets
    y : ndarray of shape (n, T)
    """
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    y = y.reshape(len(y), -1).astype(np.float64, copy=False)
    if not np.isfinite(y).all():  # None in an object array becomes NaN only here
        raise ValueError("Input y contains NaN or infinity.")
    return RealTargets(loss, y.shape[1]), y
