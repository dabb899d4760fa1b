"""Training rows: inputs, encoded targets and weights, stacked and in canonical order."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse


# Not frozen: one is made for each step, and a frozen one takes three times as long.
@dataclass
class Rows:
    """Training rows.

    Parameters
    ----------
    X : ndarray, CSR matrix or Stack of shape (n, D)
    y : ndarray of shape (n, K) or None
        Encoded targets; None where no row has one.
    weight : ndarray of shape (n,)
        Sample weights, all positive.
    places : ndarray of int of shape (n,), optional
        Which row of X each row is; by default they are all rows of X in order.
    """

    X: np.ndarray
    y: np.ndarray | None
    weight: np.ndarray
    places: np.ndarray | None = None

    def __len__(self):
        return len(self.weight)

    def take(self, rows):
        """Some of the rows: views for a slice (unless there are places), copies otherwise."""
        places = rows if self.places is None else self.places[rows]
        y = None if self.y is None else _take(self.y, rows)
        return Rows(_take(self.X, places), y, _take(self.weight, rows))

    def select(self, rows):
        """Some of the rows, as places in X, of which nothing is copied."""
        places = rows if self.places is None else self.places[rows]
        y = None if self.y is None else self.y[rows]
        return Rows(self.X, y, self.weight[rows], places)

    def dense(self):
        """The same rows with X as an array."""
        return replace(self, X=self.X.toarray()) if sparse.issparse(self.X) else self

    @cached_property
    def are_wide(self):
        """Whether X is sparse, and products with it take less time than with an array."""
        return _is_wide(self.X)

    def canonical(self):
        """Each distinct row once, with the sum of its weights, in an order of its own.

        What a deterministic solver computes from these rows depends neither on the order
        of the rows given, nor on whether a row is repeated or weighted: not even in the
        last bit, which L-BFGS would amplify. The order is that of a hash of X (and of y
        where X is equal), so it does not depend on the unit of y either. X itself is not
        copied.
        """
        keys = [_hash(values) for values in self._values]
        order = np.lexsort(keys)
        starts = np.flatnonzero(np.append(True, self._differ(order[1:], order[:-1], keys)))
        first = order[starts]
        weight = np.add.reduceat(self.weight[order], starts)
        y = None if self.y is None else self.y[first]
        return Rows(self.X, y, weight, first if self.places is None else self.places[first])

    @property
    def own_X(self):
        """The inputs of these rows alone, of which nothing is copied."""
        return self.X if self.places is None else Picked(self.X, self.places)

    @property
    def _values(self):
        """What tells rows apart, the first thing to sort by last."""
        return [self.own_X] if self.y is None else [self.y, self.own_X]

    def _differ(self, a, b, keys):
        """Whether rows a[i] and b[i] differ; the values decide only where the keys agree."""
        differ = np.logical_or.reduce([key[a] != key[b] for key in keys])
        twins = np.flatnonzero(~differ)
        for values in self._values:
            unequal = values[a[twins]] != values[b[twins]]
            differ[twins] |= np.asarray(unequal.sum(axis=1)).ravel() > 0
        return differ


def stacked(first, then):
    """Rows, and others below them, whose format the inputs of both have."""
    stack = sparse.vstack if sparse.issparse(then.X) else np.concatenate
    X = first.X
    if sparse.issparse(X) != sparse.issparse(then.X):
        X = sparse.csr_matrix(X) if sparse.issparse(then.X) else X.toarray()
    X = stack([X, then.X])
    return Rows(
        X.tocsr() if sparse.issparse(X) else X,
        np.concatenate([first.y, then.y]),
        np.concatenate([first.weight, then.weight]),
    )


class Stack:
    """Matrices on top of each other, of which only the rows asked for are copied.

    Parameters
    ----------
    matrices : list of ndarray or CSR matrix, each of shape (n_i, D)
    dtype : dtype
        Of the rows that are taken.
    """

    def __init__(self, matrices, dtype):
        self.matrices = matrices
        self.dtype = np.dtype(dtype)
        self.edges = np.cumsum([0] + [matrix.shape[0] for matrix in matrices])
        self.shape = int(self.edges[-1]), matrices[0].shape[1]

    def __getitem__(self, rows):
        """Rows by a slice or an array of indices: an array, or a CSR matrix of wide sparse rows."""
        if isinstance(rows, slice):
            rows = np.arange(self.shape[0])[rows]
        return self._sparse(rows) if self.is_wide else self._dense(rows)

    @cached_property
    def is_wide(self):
        """Whether all matrices are sparse, with few entries in long rows."""
        return all(map(_is_wide, self.matrices))

    def _sparse(self, rows):
        order = np.argsort(np.searchsorted(self.edges, rows, side="right"), kind="stable")
        found = sparse.vstack([part for _, part in self._parts(rows)], format="csr")
        return found[np.argsort(order)].astype(self.dtype, copy=False)

    def _dense(self, rows):
        taken = np.empty((len(rows), self.shape[1]), self.dtype)
        for mine, part in self._parts(rows):
            taken[mine] = part.toarray() if sparse.issparse(part) else part
        return taken

    def _parts(self, rows):
        """For each matrix, which of the rows are its own, and these."""
        for matrix, start, stop in zip(self.matrices, self.edges, self.edges[1:], strict=False):
            mine = np.flatnonzero((rows >= start) & (rows < stop))
            yield mine, _take(matrix, rows[mine] - start)


class Picked:
    """Some rows of a matrix, of which only the rows asked for are copied.

    Parameters
    ----------
    matrix : ndarray or CSR matrix
    places : ndarray of int of shape (n,)
    """

    def __init__(self, matrix, places):
        self.matrix, self.places = matrix, places
        self.shape = len(places), matrix.shape[1]

    def __getitem__(self, rows):
        return _take(self.matrix, self.places[rows])


# From so many columns on, and up to such a part of entries that are not zero, a product with sparse
# rows takes less time than one with the same rows as an array.
_MANY_COLUMNS, _FEW_ENTRIES = 5000, 0.01


def _is_wide(X):
    if isinstance(X, Stack):
        return X.is_wide
    while hasattr(X, "matrix"):  # some rows of another matrix, or scaled ones
        X = X.matrix
    if not sparse.issparse(X) or X.shape[1] < _MANY_COLUMNS:
        return False
    return X.nnz <= _FEW_ENTRIES * X.shape[0] * X.shape[1]


def _take(X, rows):
    if isinstance(X, np.ndarray) and not isinstance(rows, slice):
        return X.take(rows, axis=0)  # in a third of the time of X[rows]
    return X[rows]


# Odd 64-bit constants with well-mixed bits (2^64 divided by the golden ratio; Vigna's
# splitmix64).
_COLUMN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


# Rows that are hashed at a time where X is put together from others, so that it is never copied
# as a whole.
_CHUNK = 4096


def _hash(values):
    """A 64-bit number for each row that only depends on the row's values."""
    if isinstance(values, (Stack, Picked)):
        starts = range(0, values.shape[0], _CHUNK)
        return np.concatenate([_hash(values[start : start + _CHUNK]) for start in starts])
    if sparse.issparse(values):
        return _hash_sparse(values)
    key = np.zeros(len(values), dtype=np.uint64)
    for column in range(values.shape[1]):
        key += _mix(values[:, column], column)
    return key


def _hash_sparse(values):
    mixed = np.append(_mix(values.data, values.indices), np.uint64(0))
    sums = np.cumsum(mixed, dtype=np.uint64)
    before = np.append(np.uint64(0), sums)
    return before[values.indptr[1:]] - before[values.indptr[:-1]]


def _mix(values, column):
    """Scramble values, as numbers of their bits, together with their column.

    Zero stays zero, whatever its sign and column: the sum over a row is the same whether
    zeros are stored or not.
    """
    bits = values.astype(np.float64).view(np.uint64)
    bits += (np.atleast_1d(column).astype(np.uint64) + np.uint64(1)) * _COLUMN
    for factor, shift in zip(_MIX, (30, 27), strict=True):
        bits ^= bits >> np.uint64(shift)
        bits *= factor
    return np.where(values == 0, np.uint64(0), bits ^ (bits >> np.uint64(31)))
