"""Classes, or several labels: one-hot rows and 0/1 rows."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from skc2c.estimators.targets.class_calibration import certainty
from skc2c.estimators.targets.column import column
from skc2c.estimators.targets.targets import CONSTANT, Targets

# A classifier is called collapsed if no probability spreads more than this on the pool, and
# a class is called lost if it is predicted less than this part of how often it is predicted on
# labelled rows. Fits that work leave 0.3 and more of both.
_LEAST_SPREAD = 0.01
_LEAST_SHARE = 0.2
# A class that has this part of an equal share among the labels is expected to be predicted, even
# if it is on no labelled row. One that is rarer may well never be the most probable.
_FREQUENT = 0.5
# A class is called given up if it is predicted less than the first part of how often networks of
# the labelled rows alone predict it, and these do so on more than the second part of all rows. In
# some 40 fits to open sets, those that had lost a class on held-out rows left up to 0.2
# of it, the others 0.4 and more; a class of fewer rows says too little.
_LEAST_KEPT = 0.3
_RARE = 0.02


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

    are_classes = True
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

    def adjustment(self, h, y, weight):
        return certainty(self.likelihood, h, y, weight)

    def attributes_of_adjustment(self, factor, shift):
        shift = np.broadcast_to(shift, self.n_outputs).astype(np.float64)
        return {"temperature_": float(1.0 / factor), "logit_shift_": shift}

    def attributes(self):
        return {"classes_": self.classes}

    def weigh(self, codes, weight):
        """Multiply the weights of rows with those of their classes."""
        if self.factors is None:
            return weight
        return self.factors[codes] if weight is None else weight * self.factors[codes]

    def encode_validation(self, y, weight, name="y_val"):
        codes = codes_of(y, self, f"{name} needs the classes of y")
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

    def given(self, y):
        # Targets of -1/2 and 1/2 decode as outputs do.
        return self.decode(y - 0.5)

    def score(self, h, y, weight):
        return accuracy_score(self.given(y), self.decode(h), sample_weight=weight)

    def strata(self, y):
        if self.is_multilabel:
            return None
        return y[:, 0] if self.is_binary else y.argmax(axis=1)

    def lost(self, h, known):
        if len(self.classes) == 1:
            return None
        spread = self.likelihood.mean(h).std(axis=0).max()
        if spread < _LEAST_SPREAD:
            return CONSTANT
        if self.is_multilabel:
            return None  # labels may well be rare
        share, expected = self._shares(h), self._shares(known.h)
        among_labels = self._shares(known.y - 0.5)
        is_frequent = among_labels >= _FREQUENT / len(self.classes)
        expected = np.maximum(expected, is_frequent * among_labels)
        names = self.classes[share < _LEAST_SHARE * expected].tolist()
        return f"there it hardly ever predicts {', '.join(map(repr, names))}" if names else None

    def gives_up(self, h, alone):
        if self.is_multilabel:
            return False
        share, expected = self._shares(h), self._shares(alone)
        return bool(((expected > _RARE) & (share < _LEAST_KEPT * expected)).any())

    def oob_predictions(self, h):
        return {"oob_decision_function_": self.likelihood.mean(self.sides(h))}

    def sides(self, h):
        """The logits of every class or label: of either class if one output tells two apart."""
        return np.hstack([-h, h]) if self.is_binary else h

    def _shares(self, h):
        """How often each class is predicted."""
        sides = self.sides(h)
        return np.bincount(sides.argmax(axis=1), minlength=sides.shape[1]) / len(sides)


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
    is_multilabel = _is_multilabel(y)
    # Labels of another kind ask for another network, which a warm start refuses later.
    known = known if known is not None and known.is_multilabel == is_multilabel else None
    targets = known or _labels(y) if is_multilabel else known or _classes(column_or_1d(y))
    return targets, codes_of(y, targets, "warm_start=True needs the classes of the previous fit")


def announced_targets(y, known, classes):
    """Encode a part of all targets, whose classes are known or announced.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_outputs)
    known : ClassTargets or None
        Of the calls before.
    classes : array-like or None
        All classes.

    Returns
    -------
    targets : ClassTargets
    codes : ndarray
    """
    is_multilabel = _is_multilabel(y)
    if known is not None and known.is_multilabel != is_multilabel:
        kinds = "one label for each row", "a 0/1 indicator matrix (multilabel)"
        raise ValueError(
            "partial_fit needs y of the kind of the first call: "
            f"{kinds[known.is_multilabel]}. Got {kinds[is_multilabel]}."
        )
    if is_multilabel:
        targets = known or _labels(y)
        return targets, codes_of(y, targets, "partial_fit needs the labels of the first call")
    if known is None and classes is None:
        raise ValueError("classes must be passed on the first call to partial_fit.")
    announced = None if classes is None else np.unique(np.asarray(classes))
    if announced is not None and len(announced) < 2:
        raise ValueError(f"classes must name at least two classes. Got {classes!r}.")
    targets = known or _classes(announced)
    if announced is not None and not np.array_equal(announced, targets.classes):
        raise ValueError(
            f"classes={classes!r} is not the same as in the first call to partial_fit, "
            f"{targets.classes}."
        )
    return targets, codes_of(y, targets, "partial_fit needs labels that are in classes")


def _is_multilabel(y):
    check_classification_targets(y)
    return type_of_target(y).startswith("multilabel")


def _labels(y):
    return ClassTargets(np.arange(y.shape[1]), is_multilabel=True)


def _classes(y):
    return ClassTargets(np.unique(y), is_multilabel=False)


def codes_of(y, targets, asked):
    """Encode further labels by the classes of `targets`, which they need to be of."""
    if targets.is_multilabel:
        return _indicator(y, targets, asked)
    return _codes(column(y), targets, asked)


def _codes(y, targets, asked):
    classes = np.unique(y)
    if not np.isin(classes, targets.classes).all():
        raise ValueError(f"{asked}, {targets.classes}. Got {classes} instead.")
    return np.searchsorted(targets.classes, y)


def _indicator(y, targets, asked):
    y = y.toarray() if hasattr(y, "toarray") else y
    if y.shape[1:] != targets.classes.shape:
        raise ValueError(
            f"{asked}, {len(targets.classes)} columns. Got y of shape {y.shape} instead."
        )
    if not np.isin(y, (0, 1)).all():
        raise ValueError(
            "y with several columns must be a 0/1 indicator matrix (multilabel). Multioutput "
            f"y with other values is not supported; got the values {np.unique(y)}."
        )
    return y
