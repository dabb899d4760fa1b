"""Warnings that a meta-estimator has taken the mark of unlabelled rows for a class."""

import numpy as np

from skc2c.messages import is_called_from, warn

_CURE = "pass the rows without a label as X_unlabeled instead."


def warn_of_lost_marks(missing_label, y, are_marked):
    """Warn if the mark is in no row, or if who calls will count it as a class.

    Parameters
    ----------
    missing_label : object
    y : array-like
    are_marked : bool
        Whether any rows are.
    """
    if not are_marked:
        _warn_of_no_mark(missing_label, y)
    elif is_called_from("sklearn.calibration"):
        # It calibrates with the y that it was given, in which the mark is one class more.
        warn(f"Calibration takes missing_label={missing_label!r} for a class: {_CURE}")


def warn_of_one_class(missing_label, classes):
    """Warn if there is a mark, but one class only besides."""
    if missing_label is not None and len(classes) == 1:
        (label,) = classes.tolist()
        warn(
            f"Besides missing_label={missing_label!r}, y has one class only, {label!r}. If it "
            "should have more, a meta-estimator may have encoded y (as OutputCodeClassifier does, "
            f"by -1 and 1): {_CURE}"
        )


def _warn_of_no_mark(missing_label, y):
    values = np.asarray(y, dtype=object).ravel()
    twins = [value for value in values if str(value) == str(missing_label)]
    if twins:
        warn(
            f"missing_label={missing_label!r} marks no row of y, in which {twins[0]!r} is a value: "
            "the two are of different types."
        )
    else:
        warn(
            f"missing_label={missing_label!r} marks no row of y. If it should, a "
            "meta-estimator may have encoded y (as voting, stacking, bagging and one-vs-rest "
            f"classifiers do): {_CURE}"
        )
