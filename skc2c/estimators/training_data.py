"""What ``fit`` was given, checked, and the rows that are made of it."""

import warnings
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import check_X_y
from sklearn.utils.validation import (
    _check_sample_weight,
    _num_samples,
    check_consistent_length,
    validate_data,
)

from skc2c.missing_labels import drop_missing, is_missing
from skc2c.rows import Picked, Rows, Stack

_CHECKS = {"accept_sparse": "csr", "dtype": (np.float64, np.float32)}


class Labelled(NamedTuple):
    """Rows with targets, not yet encoded; no weights stand for ones."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None


class TrainingData(NamedTuple):
    """The arguments of ``fit``, checked.

    Attributes
    ----------
    labelled : Labelled
    unlabeled : list of matrix
        Rows of X without a label, and the rows of ``X_unlabeled``.
    validation : Labelled or None
    """

    labelled: Labelled
    unlabeled: list
    validation: Labelled | None


def check_training_data(
    estimator, X, y, sample_weight, X_unlabeled, X_val, y_val, sample_weight_val, reset
):
    """Check the arguments of ``fit``.

    Parameters
    ----------
    estimator : Perceptron
    X, y, sample_weight, X_unlabeled, X_val, y_val, sample_weight_val : array-like or None
        As given to ``fit``.
    reset : bool
        Whether X says what the features are, or must have those of the previous fit.

    Returns
    -------
    data : TrainingData

    Raises
    ------
    ValueError
        If something is not valid or does not go with the rest.
    """
    labelled, unlabeled = _check_rows(estimator, X, y, sample_weight, reset)
    if X_unlabeled is not None:
        extra = _canonical(validate_data(estimator, X_unlabeled, reset=False, **_CHECKS))
        _warn_of_scale(labelled.X, extra)
        unlabeled.append(extra)
    validation = _check_validation(estimator, X_val, y_val, sample_weight_val)
    return TrainingData(labelled, unlabeled, validation)


def _check_rows(estimator, X, y, sample_weight, reset):
    """Labelled rows, and the list of the matrices of the others."""
    if estimator.missing_label is None:
        X, y = validate_data(estimator, X, y, reset=reset, **_CHECKS, **estimator._y_checks)
        X = _canonical(X)
        return Labelled(X, y, _check_weight(sample_weight, X)), []
    if y is None:
        raise ValueError("y is needed to tell which rows have a label. Got None.")
    check_consistent_length(X, y)
    X = _canonical(validate_data(estimator, X, reset=reset, **_CHECKS))
    weight = _check_weight(sample_weight, X)
    missing = is_missing(y, estimator.missing_label)
    if missing.all():
        raise ValueError(
            f"No row of y has a label: all are missing_label={estimator.missing_label!r}."
        )
    kept = np.flatnonzero(~missing)
    if weight is not None and not weight[kept].any():
        raise ValueError("sample_weight: the weights of all labelled rows are zero.")
    y = drop_missing(y, missing)
    X_kept, y = check_X_y(X[kept], y, estimator=estimator, **_CHECKS, **estimator._y_checks)
    used = missing if weight is None else missing & (weight > 0)
    unlabeled = [Picked(X, np.flatnonzero(used))] if used.any() else []
    return Labelled(X_kept, y, None if weight is None else weight[kept]), unlabeled


def _check_weight(sample_weight, X):
    if sample_weight is None:
        return None
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if not weight.any():
        raise ValueError("sample_weight: the weights of all rows are zero.")
    return weight


def _canonical(X):
    if sparse.issparse(X) and not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def _check_validation(estimator, X_val, y_val, sample_weight_val):
    given = [X_val is not None, y_val is not None]
    if not any(given):
        if sample_weight_val is not None:
            raise ValueError("sample_weight_val was given without X_val and y_val.")
        return None
    if not all(given):
        raise ValueError("X_val and y_val go together: give both or none.")
    if not estimator.early_stopping:
        raise ValueError("X_val and y_val are for early stopping, but early_stopping=False.")
    if is_missing(y_val, estimator.missing_label).any():
        raise ValueError("y_val has rows without a label (missing_label). Leave them out.")
    X, y = validate_data(estimator, X_val, y_val, reset=False, **_CHECKS, **estimator._y_checks)
    return Labelled(X, y, _check_weight(sample_weight_val, X))


# How far apart the scales of two samples of the same features may be: standard deviations
# of one sample in means, and a factor in spread.
_APART, _WIDER = 10.0, 10.0
# Rows to look at, evenly spaced, and the fewest that say anything of a scale.
_SAMPLE, _FEWEST = 1000, 10


def _warn_of_scale(X, X_unlabeled):
    """Warn if most features of the unlabelled rows are on another scale than those of X."""
    if min(_num_samples(X), _num_samples(X_unlabeled)) < _FEWEST:
        return
    (mean, spread), (mean_u, spread_u) = map(_moments, (X, X_unlabeled))
    unit = np.maximum(spread, spread_u)
    varies = (spread > 0) & (spread_u > 0)
    ratio = np.where(varies, spread_u / np.where(varies, spread, 1.0), 1.0)
    apart = np.abs(mean_u - mean) > _APART * np.where(unit > 0, np.minimum(spread, unit), np.inf)
    wider = (ratio > _WIDER) | (ratio < 1.0 / _WIDER)
    if np.mean(apart | wider) > 0.5:
        warnings.warn(
            "X_unlabeled is on another scale than X: most of its features differ more than "
            f"{_WIDER:g} times in spread, or as far in their means. In a Pipeline name it in "
            'transform_input=["X_unlabeled"] so that it is scaled like X.',
            stacklevel=6,
        )


def _moments(X):
    X = X[np.unique(np.linspace(0, X.shape[0] - 1, _SAMPLE).astype(int))]
    X = X.toarray() if sparse.issparse(X) else X
    X = X.astype(np.float64, copy=False)
    return X.mean(axis=0), X.std(axis=0)


def used_rows(X, y, weight):
    """The rows of positive weight; no weights stand for ones."""
    rows = Rows(X, y, np.ones(len(y)) if weight is None else weight)
    used = np.flatnonzero(rows.weight)
    return rows if len(used) == len(rows) else rows.take(used)


def pool_of(train, unlabeled):
    """Labelled and unlabelled rows together, without their targets; the latter weigh one."""
    n = sum(matrix.shape[0] for matrix in unlabeled)
    X = train.X if train.places is None else Picked(train.X, train.places)
    X = Stack([X, *unlabeled], train.X.dtype)
    return Rows(X, None, np.concatenate([train.weight, np.ones(n)]))


def standardize(rows, center, scale, dtype):
    """Rows in the training dtype, with y centred and scaled."""
    with np.errstate(over="ignore"):  # an infinite entry makes the loss so
        X = rows.X.astype(dtype, copy=False)
    return replace(rows, X=X, y=((rows.y - center) / divisor(scale)).astype(dtype))


def divisor(scale):
    """A scale to divide by: what is constant, of scale 0, stays as it is."""
    return np.where(scale > 0.0, scale, 1.0)
