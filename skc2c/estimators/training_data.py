"""What ``fit`` was given, checked."""

import re
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing, check_X_y
from sklearn.utils.sparsefuncs import mean_variance_axis
from sklearn.utils.validation import (
    _check_sample_weight,
    _num_samples,
    check_consistent_length,
    validate_data,
)

from skc2c.data.missing_labels import divided, is_missing, labels
from skc2c.data.rows import Picked
from skc2c.estimators.lost_marks import warn_of_lost_marks
from skc2c.estimators.scaled_rows import evenly
from skc2c.messages import about, warn

# Batches are rows in any order: taken from an array in column order, as a DataFrame gives it, they
# cost more than the training itself (three quarters of the time with 784 features).
_CHECKS = {"accept_sparse": "csr", "dtype": (np.float64, np.float32), "order": "C"}


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
    groups : array-like or None
        Of the labelled rows, for a splitter.
    places : ndarray of int
        Which of the rows given are labelled.
    n_rows : int
        How many rows were given, labelled or not.
    """

    labelled: Labelled
    unlabeled: list
    validation: Labelled | None
    groups: object
    places: np.ndarray
    n_rows: int


def check_training_data(
    estimator,
    X,
    y,
    sample_weight,
    X_unlabeled,
    *,
    reset,
    is_part=False,
    groups=None,
    X_val=None,
    y_val=None,
    sample_weight_val=None,
):
    """Check the arguments of ``fit``.

    Parameters
    ----------
    estimator : Perceptron
    X, y, sample_weight, X_unlabeled, groups, X_val, y_val, sample_weight_val : array-like or None
        As given to ``fit``.
    reset : bool
        Whether X says what the features are, or must have those of the previous fit.
    is_part : bool, default=False
        Whether the rows are a part of more, in which every row may have a label.

    Returns
    -------
    data : TrainingData

    Raises
    ------
    ValueError
        If something is not valid or does not go with the rest.
    """
    labelled, unlabeled, places = _check_rows(estimator, X, y, sample_weight, reset, is_part)
    if X_unlabeled is not None:
        with about("X_unlabeled"):
            extra = validate_data(estimator, X_unlabeled, reset=False, **_CHECKS)
        extra = _canonical(extra)
        _warn_of_scale(labelled.X, extra, "X_unlabeled")
        unlabeled.append(extra)
    validation = _check_validation(estimator, X_val, y_val, sample_weight_val)
    if validation is not None:
        _warn_of_scale(labelled.X, validation.X, "X_val")
    n = _num_samples(X)
    groups = _groups_of_labelled(groups, places, n)
    return TrainingData(labelled, unlabeled, validation, groups, places, n)


def _groups_of_labelled(groups, places, n):
    """The groups of the labelled rows, whether these were given or those of all n rows."""
    n_given = len(places) if groups is None else _num_samples(groups)
    if n_given == len(places):
        return groups
    if n_given != n:
        raise ValueError(
            f"groups must have an entry for each row, {n}, or for each labelled row, "
            f"{len(places)}. Got {n_given} entries."
        )
    return _safe_indexing(groups, places)


def _check_rows(estimator, X, y, sample_weight, reset, is_part):
    """Labelled rows, the list of the matrices of the others, and which rows are labelled."""
    if estimator.missing_label is None:
        X, y = _validated(estimator, X, y, reset)
        X = _canonical(X)
        return Labelled(X, y, _check_weight(sample_weight, X)), [], np.arange(X.shape[0])
    if y is None:
        raise ValueError("y is needed to tell which rows have a label. Got None.")
    check_consistent_length(X, y)
    X = _canonical(validate_data(estimator, X, reset=reset, **_CHECKS))
    weight = _check_weight(sample_weight, X)
    kept, others = divided(y, estimator.missing_label)
    if not is_part:
        warn_of_lost_marks(estimator.missing_label, y, are_marked=bool(len(others)))
    if weight is not None and not weight[kept].any():
        raise ValueError("sample_weight: the weights of all labelled rows are zero.")
    y = labels(y, kept)
    X_kept, y = check_X_y(X[kept], y, estimator=estimator, **_CHECKS, **estimator._y_checks)
    used = others if weight is None else others[weight[others] > 0]
    unlabeled = [Picked(X, used)] if len(used) else []
    return Labelled(X_kept, y, None if weight is None else weight[kept]), unlabeled, kept


# How scikit-learn's checks complain of a NaN in y, and pandas of its own in a column of strings.
_OF_NAN = "Input (y )?contains NaN|boolean value of NA"


def _validated(estimator, X, y, reset):
    """X and y where no row is marked: a y with NaN or None may well have been meant to be."""
    hint = "If they mark rows without a label, set missing_label=np.nan, which stands for None too."
    # A list of words and a NaN would become words.
    given = np.asarray(y, dtype=object) if isinstance(y, list) else None
    try:
        X, y = validate_data(estimator, X, y, reset=reset, **_CHECKS, **estimator._y_checks)
    except (TypeError, ValueError) as error:
        if not re.match(_OF_NAN, str(error)):
            raise
        raise ValueError(f"Input y contains NaN. {hint}") from error
    if sparse.issparse(y):
        return X, y
    values = y if given is None else given
    if values.dtype.kind in "Of" and is_missing(values.reshape(-1), np.nan).any():
        raise ValueError(f"Input y contains NaN or None. {hint}")
    return X, y


def _check_weight(sample_weight, X, name="sample_weight"):
    if sample_weight is None:
        return None
    with about(name):
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weight.any():
            raise ValueError("the weights of all rows are zero.")
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
    checks = {**_CHECKS, **estimator._y_checks}
    with about("X_val, y_val"):
        X, y = validate_data(estimator, X_val, y_val, reset=False, **checks)
    return Labelled(X, y, _check_weight(sample_weight_val, X, "sample_weight_val"))


# Warn if means differ by more than `_APART` standard deviations or spreads by more than a
# factor `_WIDER`: more than a shift of the data, less than what a forgotten scaler does.
_APART, _WIDER = 10.0, 10.0
# Rows to look at, evenly spaced, which give a scale to a few per cent; and the fewest that say
# anything about one.
_SAMPLE, _FEWEST = 1000, 10


def _warn_of_scale(X, X_further, name):
    """Warn if most features of further rows are on another scale than those of X."""
    if min(_num_samples(X), _num_samples(X_further)) < _FEWEST:
        return
    (mean, spread), (mean_u, spread_u) = map(_moments, (X, X_further))
    unit = np.maximum(spread, spread_u)
    varies = (spread > 0) & (spread_u > 0)
    ratio = np.where(varies, spread_u / np.where(varies, spread, 1.0), 1.0)
    apart = np.abs(mean_u - mean) > _APART * np.where(unit > 0, np.minimum(spread, unit), np.inf)
    wider = (ratio > _WIDER) | (ratio < 1.0 / _WIDER)
    if np.mean(apart | wider) > 0.5:
        warn(
            f"{name} is on another scale than X: most of its features differ more than "
            f"{_WIDER:g} times in spread, or as far in their means. In a Pipeline name it in "
            f'transform_input=["{name}"] so that it is scaled like X.'
        )


def _moments(X):
    X = X[evenly(X.shape[0], _SAMPLE)]
    X = X.astype(np.float64, copy=False)
    if sparse.issparse(X):
        mean, variance = mean_variance_axis(X, axis=0)
        return mean, np.sqrt(variance)
    return X.mean(axis=0), X.std(axis=0)
