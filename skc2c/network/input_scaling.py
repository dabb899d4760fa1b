"""Scaling of the inputs: centred, divided by their spread, and smoothly clipped."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from skc2c.network.fixed_layer import FixedLayer
from skc2c.network.layer import Record, dense

# Beyond this many units a value hardly moves on: as RealMLP (Holzmueller et al., 2024) and
# skrub.SquashingScaler have it.
MAX_ABSOLUTE = 3.0
# Numbers whose quantiles are taken at a time: sorting needs several times their memory.
_BLOCK_NUMBERS = 2**18
# Units from the center beyond which scaled values are not told apart when the scaling is undone.
_FARTHEST = 10.0


@dataclass(frozen=True, eq=False)
class InputScaling(FixedLayer):
    """``z / sqrt(1 + (z / 3)^2)`` with ``z = (x - center) scale``: no parameters to be learned.

    Parameters
    ----------
    weights, others : slice
        Both empty.
    center, scale : ndarray of shape (D,)
    """

    weights: slice | None = None
    others: slice | None = None
    center: np.ndarray = None
    scale: np.ndarray = None

    @property
    def n_in(self):
        return len(self.center)

    @property
    def n_out(self):
        return len(self.center)

    def transform(self, X):
        """Scale rows: an array, or a sparse matrix, which stays one if nothing is centred."""
        return self.evaluate(None, X)[0]

    def undo(self, rows):
        """Rows from scaled ones, at most 10 units from the center."""
        limit, _ = _squash(np.full(1, _FARTHEST, rows.dtype))
        rows = np.clip(rows, -limit, limit)
        z = rows / np.sqrt(1.0 - (rows / MAX_ABSOLUTE) ** 2)
        return z * _finite(_inverse(self.scale), rows.dtype) + _finite(self.center, rows.dtype)

    def evaluate(self, theta, rows):
        if sparse.issparse(rows) and not self.center.any():
            return self._scale_stored(rows), None
        rows = dense(rows)
        limit = np.finfo(rows.dtype).max
        with np.errstate(over="ignore"):
            z = rows - _finite(self.center, rows.dtype)
            np.clip(z, -limit, limit, out=z)  # a scale of zero times infinity is not zero
            z *= _finite(self.scale, rows.dtype)
        out, root = _squash(z)
        return out, (out, root)

    def _scale_stored(self, rows):
        """A sparse matrix of which only the stored entries are scaled."""
        result = rows.tocsr(copy=True)
        result.sum_duplicates()
        stored = InputScaling(center=np.zeros(1), scale=self.scale[result.indices])
        result.data = stored.transform(result.data)
        return result

    def advance(self, theta, rows, n_points):
        if sparse.issparse(rows):
            return self.transform(rows), Record(rows, None, None)
        return super().advance(theta, rows, n_points)

    def resume(self, theta, rows, passed):
        out, (_, root) = passed
        rest, (_, root_rest) = self.evaluate(theta, rows[len(out) :])
        out = np.concatenate([out, rest])
        return out, Record(rows, (out, np.concatenate([root, root_rest])), None)

    def add_bend(self, points, g, record):
        points += (g * record.tangents).sum(axis=0) * self._curvature(record.residual)

    # Powers of 1 / root go to zero where those of the root would overflow.

    def _slope(self, residual):
        _, root = residual
        return _finite(self.scale, root.dtype) * (1.0 / root) ** 3

    def _curvature(self, residual):
        out, root = residual
        factor = _finite(self.scale, root.dtype) * (1.0 / root) ** 2
        return out * factor * factor * root.dtype.type(-3.0 / MAX_ABSOLUTE**2)

    def linear_map(self, theta, rows, residual):
        return _ScalingMap(self._slope(residual))


class _ScalingMap(NamedTuple):
    """Elementwise, so that it is its own transpose."""

    slope: np.ndarray

    def jvp(self, V):
        return V * self.slope

    def vjp(self, U):
        return U * self.slope


def _squash(z):
    """``z / root`` and ``root = sqrt(1 + (z / 3)^2)``."""
    root = z * z.dtype.type(1.0 / MAX_ABSOLUTE)
    with np.errstate(over="ignore", invalid="ignore"):
        root *= root
        root += z.dtype.type(1.0)
        np.sqrt(root, out=root)
        # Where the square overflows, the limit is reached.
        out = np.where(np.isinf(root), np.copysign(z.dtype.type(MAX_ABSOLUTE), z), z / root)
    return out, root


def _finite(values, dtype):
    """Numbers in a dtype, in which they may be too large."""
    limit = np.finfo(dtype).max
    return np.clip(values, -limit, limit).astype(dtype)


def robust_scaling(X, weight):
    """Center and scale of the columns of X, from their weighted quartiles.

    Dense columns are centred at the median. Their unit is the interquartile range or, if larger,
    the median distance of the other values from the median: a column that has one value in most
    rows may have quartiles that are equal, or nearly so, and values far away from them. For zeros
    and ones the unit is one. A constant column is left out. Sparse columns are not centred, so that
    zeros stay zeros, and their unit is the largest magnitude.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, D)
    weight : ndarray of shape (n,)
        Weights of the rows, all positive.

    Returns
    -------
    layer : InputScaling
    """
    if sparse.issparse(X):
        largest = np.asarray(abs(X).max(axis=0).todense()).ravel().astype(np.float64)
        return InputScaling(center=np.zeros(X.shape[1]), scale=_inverse(largest))
    width = max(1, _BLOCK_NUMBERS // len(X))
    starts = range(0, X.shape[1], width)
    blocks = [_center_and_half_unit(X[:, i : i + width], weight[:, None]) for i in starts]
    center, half = np.concatenate(blocks, axis=1)
    return InputScaling(center=center, scale=_inverse(half) / 2.0)


def _center_and_half_unit(X, weight):
    """Median of each column, and half of its unit: the whole may overflow."""
    low, center, high = _quantiles(X, weight, (0.25, 0.5, 0.75))
    half = high / 2.0 - low / 2.0
    distance = np.abs(X / 2.0 - center / 2.0)
    others = weight * (distance > 0.0)
    # Their median is within the interquartile range if half of them are, which needs no sorting.
    is_far = 2.0 * (others * (distance <= half)).sum(axis=0) < others.sum(axis=0)
    (half[is_far],) = _quantiles(distance[:, is_far], others[:, is_far], (0.5,))
    return center, half


def standard_scaling(X, weight):
    """Center and scale of the columns of X: weighted mean and standard deviation.

    Constant columns are left out. Sparse columns are not centred, so that zeros stay zeros.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, D)
    weight : ndarray of shape (n,)
        Weights of the rows, all positive.

    Returns
    -------
    layer : InputScaling
    """
    # At most one first: squares of large numbers overflow.
    largest = MaxAbsScaler()
    Z = largest.fit_transform(X.astype(np.float64))
    scaler = StandardScaler(with_mean=not sparse.issparse(X)).fit(Z, sample_weight=weight)
    center = largest.scale_ * scaler.mean_ if scaler.with_mean else np.zeros(X.shape[1])
    # A constant column has a scale of one there, and its variance may have been rounded.
    varies = scaler.var_ > (10.0 * np.finfo(np.float64).eps) ** 2
    return InputScaling(center=center, scale=varies * _inverse(largest.scale_ * scaler.scale_))


# How to scale, by name.
SCALINGS = {"robust": robust_scaling, "standard": standard_scaling}


def _quantiles(X, weight, shares):
    """For each share, the smallest value of each column with so much of the weight up to it.

    So a row of weight two counts exactly as two rows. The weights are (n, 1) or (n, D).
    """
    order = np.argsort(X, axis=0, kind="stable")
    weight = np.broadcast_to(weight, X.shape)
    below = np.cumsum(np.take_along_axis(weight, order, 0), axis=0, dtype=np.float64)
    columns = np.arange(X.shape[1])
    found = []
    for share in shares:
        # A little less, so that rounding in the sum of weights does not skip a row.
        first = (below >= share * below[-1] * (1.0 - 1e-12)).argmax(axis=0)
        found.append(X[order[first, columns], columns].astype(np.float64))
    return found


def _inverse(spread):
    usable = spread > 0.0
    with np.errstate(over="ignore"):
        inverse = np.where(usable, 1.0 / np.where(usable, spread, 1.0), 0.0)
    return _finite(inverse, np.float64)
