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


def require_a_class(weight):
    """Raise a ValueError unless the rows of some class have a positive weight."""
    if weight is not None and not weight.any():
        raise ValueError(
            "class_weight leaves no class: each class in y, or each row of it, has weight zero."
        )


def _named_factors(class_weight, classes):
    """A dictionary of class weights as an array; classes that it does not name have 1."""
    factors, named = np.ones(len(classes)), np.zeros(len(classes), dtype=bool)
    for label, factor in class_weight.items():
        found = classes == label
        named |= found
        if not (isinstance(factor, Real) and 0 <= factor < np.inf):
            raise ValueError(
                "The values of class_weight must be in the range [0.0, inf). "
                f"Got {factor!r} for class {label!r}."
            )
        factors[found] = factor
    _refuse_unknown_classes(class_weight, classes, named)
    return factors


def _refuse_unknown_classes(class_weight, classes, named):
    """Raise a ValueError if other classes are named in place of those that there are.

    As in scikit-learn, a dictionary that names every class of y may name further ones, which a
    bag or a fold happens to lack.
    """
    unknown = [label for label in class_weight if not np.any(classes == label)]
    if unknown and not named.all():
        raise ValueError(f"class_weight names {unknown[0]!r}, but classes_ is {classes}.")
