"""The rows of a fit as training sees them: chosen, scaled, in memory or batch by batch."""

from dataclasses import replace

import numpy as np
from scipy import sparse

from skc2c.data.rows import Rows, Stack
from skc2c.network.input_scaling import SCALINGS


def used_rows(X, y, weight):
    """The rows of positive weight, and which these are; no weights stand for ones."""
    rows = Rows(X, y, np.ones(len(y)) if weight is None else weight)
    used = np.flatnonzero(rows.weight)
    return (rows if len(used) == len(rows) else rows.take(used)), used


def pool_of(train, unlabeled):
    """Labelled and unlabelled rows together, without their targets; the latter weigh one."""
    n = sum(matrix.shape[0] for matrix in unlabeled)
    X = Stack([train.own_X, *unlabeled], train.X.dtype)
    return Rows(X, None, np.concatenate([train.weight, np.ones(n)]))


def in_training(rows, units, dtype, scaling):
    """Rows in the dtype of training, scaled, with y in its units."""
    with np.errstate(over="ignore"):  # an infinite entry makes the loss infinite too
        X = rows.X.astype(dtype, copy=False) if scaling is None else scaled(rows.X, scaling, dtype)
    return replace(rows, X=X, y=units.standardize(rows.y).astype(dtype))


# Rows that are scaled at a time, so that no second copy of X in its own dtype is held.
_CHUNK = 4096


def scaled(X, scaling, dtype):
    """Scaled rows in the dtype of training.

    They are cast after they are scaled: a column of large numbers that differ little, such
    as a time stamp, would lose its digits before.
    """
    if sparse.issparse(X):
        return scaling.transform(X).astype(dtype, copy=False)
    result = np.empty((len(X), scaling.n_out), dtype)
    for start in range(0, len(X), _CHUNK):
        result[start : start + _CHUNK] = scaling.transform(X[start : start + _CHUNK])
    return result


class Scaled:
    """A matrix of which the rows asked for are copied and scaled.

    Parameters
    ----------
    matrix : ndarray, CSR matrix or Picked
    scaling : InputScaling or PrincipalComponents
    dtype : dtype
    """

    def __init__(self, matrix, scaling, dtype):
        self.matrix, self.scaling, self.dtype = matrix, scaling, dtype
        self.shape = matrix.shape[0], scaling.n_out

    def __getitem__(self, rows):
        return scaled(self.matrix[rows], self.scaling, self.dtype)


# Numbers up to which transformed rows are held: a quarter of a gigabyte in single precision.
_MOST_IN_MEMORY = 2**26


def in_memory(matrix):
    """The rows of a matrix that makes them when asked, all of them now unless they are too many."""
    n, width = matrix.shape
    if n * width > _MOST_IN_MEMORY:
        return matrix
    held = np.empty((n, width), matrix.dtype)
    for start in range(0, n, _CHUNK):
        rows = np.arange(start, min(n, start + _CHUNK))
        held[rows] = matrix[rows]
    return held


# Rows that the input scaling is fitted on: quartiles of so many are known to a per cent. Of wide
# rows there are fewer, of so many numbers, so that a memory-mapped pool is not copied as a whole.
_SCALING_SAMPLE, _FEWEST_OF_SAMPLE, _NUMBERS_OF_SAMPLE = 20_000, 2_000, 2**24


def fit_scaling(rows, unlabeled, kind="robust"):
    """Fit the input scaling on labelled rows and, if there are any, on unlabelled ones."""
    if sparse.issparse(rows.X):
        return SCALINGS[kind](rows.X, rows.weight)
    return SCALINGS[kind](*sample(rows, unlabeled))


def sample(rows, unlabeled):
    """Dense labelled and unlabelled rows that the inputs are scaled by, and their weights."""
    X, weight = rows.X, rows.weight
    n_picked = _NUMBERS_OF_SAMPLE // X.shape[1]
    n_picked = min(_SCALING_SAMPLE, max(_FEWEST_OF_SAMPLE, n_picked))
    if unlabeled:
        parts = [part[evenly(part.shape[0], n_picked)] for part in unlabeled]
        parts = [part.toarray() if sparse.issparse(part) else part for part in parts]
        X = np.concatenate([X, *parts])
        weight = np.concatenate([weight, np.ones(len(X) - len(weight))])
    if len(X) > n_picked:
        some = evenly(len(X), n_picked)
        X, weight = X[some], weight[some]
    return X, weight


def evenly(n, n_picked):
    """Indices of some rows of n, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, n_picked).astype(int))
