"""Weights of classes, and which classes there must be."""

from numbers import Real

import numpy as np


def refuse_class_weight(class_weight):
    """Raise a ValueError if there are weights of classes where there are none."""
    if class_weight is not None:
        raise ValueError(
            f"class_weight={class_weight!r} is not defined for multilabel y. "
            "Use None, and sample_weight if rows differ in weight."
        )


def class_factors(class_weight, classes, codes, weight):
    """The weights of the classes as an array, or None if all weigh the same.

    Parameters
    ----------
    class_weight : dict, 'balanced' or None
    classes : ndarray of shape (n_classes,)
    codes : ndarray of int of shape (n,)
        Class of each row.
    weight : ndarray of shape (n,) or None
        Weights of the rows.
    """
    if class_weight is None:
        return None
    if class_weight == "balanced":
        counts = np.bincount(codes, weights=weight, minlength=len(classes))
        present = counts > 0
        return counts.sum() / (present.sum() * np.where(present, counts, np.inf))
    return _named_factors(class_weight, classes)


def require_two_classes(present):
    """Raise a ValueError unless rows of two classes have a positive weight."""
    if len(present) < 2:
        raise ValueError(
            "y needs rows of at least two classes with a positive weight. Got "
            f"{'one class only' if len(present) else 'no class'}: {present}."
        )


def _named_factors(class_weight, classes):
    """A dictionary of class weights as an array; classes that it does not name have 1."""
    factors = np.ones(len(classes))
    for label, factor in class_weight.items():
        found = classes == label
        if not np.any(found):
            raise ValueError(f"class_weight names {label!r}, but classes_ is {classes}.")
        if not (isinstance(factor, Real) and 0 <= factor < np.inf):
            raise ValueError(
                "The values of class_weight must be in the range [0.0, inf). "
                f"Got {factor!r} for class {label!r}."
            )
        factors[found] = factor
    return factors
