"""The contract of a layer: what one kind of layer does, forward and backward.

Parameters are slices of one flat vector ``theta``; a layer writes its part of the gradient
into the same slices of a vector of the same length.

Shapes: ``n`` rows, ``m`` directions, ``k`` networks side by side. A single network has ``theta``
of shape (size,) and stacks of rows of shape ((1 + m) * n, units). Members of a group have
``theta`` of shape (k, size) and stacks of shape (1 + m, k, n, units). In both, points
come first along the first axis and tangents at these points follow, so that a layer is written
once, with ``...`` for what comes between.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import sparse


class Record(NamedTuple):
    """What the way back through a layer needs of the way there."""

    rows: np.ndarray
    residual: object
    tangents: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Layer(ABC):
    """One layer: its sizes and where its parameters lie in ``theta``.

    A subclass has the properties `n_in`, `n_out`, `n_weights` and `n_others`, and the methods
    below. It is given its slices by the network that it is part of.

    Parameters
    ----------
    weights : slice
        Where the parameters lie that weight decay acts on.
    others : slice
        Where the other parameters lie, such as biases.
    """

    weights: slice | None = None
    others: slice | None = None

    @abstractmethod
    def initialize(self, theta, rng, gain):
        """Draw this layer's part of theta, in place.

        Parameters
        ----------
        theta : ndarray of shape (size,)
        rng : numpy.random.Generator
        gain : float
            Factor on the variance of a kernel.
        """

    @abstractmethod
    def evaluate(self, theta, rows):
        """Take points through the layer.

        Parameters
        ----------
        theta : ndarray of shape (..., size)
        rows : ndarray or sparse matrix

        Returns
        -------
        out : ndarray
        residual : object
            What the derivatives at these points need.
        """

    @abstractmethod
    def advance(self, theta, rows, n_points):
        """Take points, and tangents at these points, through the layer.

        Parameters
        ----------
        theta : ndarray of shape (..., size)
        rows : ndarray
            The first `n_points` entries are points, the others m directions at each.
        n_points : int

        Returns
        -------
        out : ndarray
            Of the same layout as `rows`.
        record : Record
        """

    @abstractmethod
    def resume(self, theta, rows, passed):
        """Like `advance` for points only, reusing the stored output of the first of them.

        Parameters
        ----------
        theta : ndarray of shape (..., size)
        rows : ndarray
        passed : tuple
            Output and residual of the first rows, as `evaluate` returned them.
        """

    @abstractmethod
    def retreat(self, theta, g, record, n_points, gradient):
        """Take a gradient back through `advance`.

        Parameters
        ----------
        theta : ndarray of shape (..., size)
        g : ndarray
            Gradient with respect to the output of `advance`; overwritten.
        record : Record
        n_points : int
        gradient : ndarray of shape (..., size)
            Receives this layer's part of the gradient with respect to theta.

        Returns
        -------
        pull : callable
            Without arguments: the gradient with respect to the rows.
        """

    @abstractmethod
    def linear_map(self, theta, rows, residual):
        """Return the derivative of the layer at points that `evaluate` has seen.

        Returns
        -------
        linear_map : object
            With methods ``jvp(V)`` and ``vjp(U)``, from the space of the input to that of
            the output, and back.
        """


def dense(rows):
    """Rows as an array."""
    return rows.toarray() if sparse.issparse(rows) else rows


def reduce_rows(values, out):
    """Sum over rows, into an array of shape (units,), or (k, units) for members."""
    if values.ndim == 2:
        np.add.reduce(values, axis=0, out=out)
        return
    # Copies are added afterwards, so that the order of the sum does not depend on the number of
    # members.
    np.add.reduce(sum_of_rows(values)[..., 0, :], axis=0, out=out)


def sum_of_rows(values):
    """Sum over the rows of each member: (..., n, units) -> (..., 1, units)."""
    # A product with ones takes BLAS a quarter of the time of a sum.
    return _ones(values.shape[-2], values.dtype) @ values


@lru_cache(maxsize=8)
def _ones(n, dtype):
    ones = np.ones((1, n), dtype)
    ones.setflags(write=False)
    return ones


def per_point(tangents, points):
    """View tangents so that the last axes are those of the points they belong to."""
    return tangents.reshape(-1, *points.shape)
