"""Points and tangents through all layers of a network, and back.

The whole network is one node of the trace: what autograd costs does not grow with the depth,
and the gradient is written into one flat vector without a copy.
"""

from typing import NamedTuple

import numpy as np

from skc2c.differentiable import differentiable
from skc2c.network.sparse_rows import SparseRows


class Layout(NamedTuple):
    """How flat vectors and rows are seen by the layers.

    Attributes
    ----------
    size : int
        Entries of theta that belong to the network; further ones are those of a penalty.
    k : int or None
        Networks side by side; None for a single one.
    n : int
        Rows of each member.
    is_filled : bool
        Whether the parameters of the layers fill the network's part of theta. If not, the
        network is a part of another.
    """

    size: int
    k: int | None = None
    n: int = 0
    is_filled: bool = True

    def of_theta(self, theta):
        """View the network's part as (size,), or as (k, size / k) for members."""
        own = theta[: self.size]
        return own if self.k is None else own.reshape(self.k, -1)

    def of_rows(self, rows):
        """View rows as (n, D), or as (c, k, n, D) for c rows of each member's n."""
        if self.k is None:
            return rows
        if isinstance(rows, SparseRows):
            return rows.of_members(self.k)
        return rows.reshape(-1, self.k, self.n, rows.shape[1])

    def of_points(self, n_points):
        """How many entries of the first axis are points."""
        return n_points if self.k is None else n_points // (self.k * self.n)


@differentiable
def through(theta, rows, *, layers, layout, n_points, known=None, n_fixed=0):
    """Take points, and tangents at these points, through all layers.

    Parameters
    ----------
    theta : ndarray
    rows : ndarray of shape ((1 + m) * n_points, D)
        The points, then m directions at each, one after the other.
    layers : sequence of Layer
    layout : Layout
    n_points : int
    known : Linearization, optional
        Of these layers at the first points. If theta is the same as there, these do not go
        through again.
    n_fixed : int, default=0
        How many of the first layers have no parameters.

    Returns
    -------
    out : ndarray of shape ((1 + m) * n_points, K)
    """
    own, out, points = layout.of_theta(theta), layout.of_rows(rows), layout.of_points(n_points)
    passed = None if known is None else known.passed_at(theta)
    records = []
    for i, layer in enumerate(layers):
        if passed is None:
            out, record = layer.advance(own, out, points)
        else:
            out, record = layer.resume(own, out, passed[i])
        records.append(record)

    def back(g):
        gradient = (np.empty_like if layout.is_filled else np.zeros_like)(theta)
        gradient[layout.size :] = 0.0  # what follows is not the network's
        own_gradient, g, pull = layout.of_theta(gradient), layout.of_rows(g), None
        for i in range(len(layers) - 1, n_fixed - 1, -1):
            g = g if pull is None else pull()
            pull = layers[i].retreat(own, g, records[i], points, own_gradient)
        return gradient, lambda: _flat(to_rows(pull))

    def to_rows(pull):
        """Through the layers without parameters, only if the rows' gradient is asked for."""
        for layer, record in zip(layers[:n_fixed][::-1], records[:n_fixed][::-1], strict=True):
            pull = layer.retreat(own, pull(), record, points, None)
        return pull()

    return _flat(out), back


def _flat(stack):
    return stack if stack.ndim == 2 else stack.reshape(-1, stack.shape[-1])


def through_fixed(layers, X):
    """Take rows through layers without parameters: the rows behind them, and linear maps there."""
    maps = []
    for layer in layers:
        rows = X
        X, residual = layer.evaluate(None, rows)
        maps.append(layer.linear_map(None, rows, residual))
    return X, maps


def linearize(theta, X, layers, layout):
    """Return the network and its slopes at X, for products with J and J', as `Linearization`."""
    own, h = layout.of_theta(theta), layout.of_rows(X)
    passed, maps = [], []
    for layer in layers:
        rows = h
        h, residual = layer.evaluate(own, rows)
        passed.append((h, residual))
        maps.append(layer.linear_map(own, rows, residual))
    return Linearization(theta.copy(), _flat(h), X.shape[1], maps, passed, layout)


class Linearization(NamedTuple):
    """``f(x + v) ~ h + J v`` at given rows: products with J and J' in plain numpy.

    Attributes
    ----------
    theta : ndarray
        A copy of the parameters at which it holds: a solver changes its own in place.
    h : ndarray of shape (n, K)
    n_features : int
    maps : list
        The derivative of each layer.
    passed : list of tuple
        The output and the residual of each layer.
    layout : Layout
    """

    theta: np.ndarray
    h: np.ndarray
    n_features: int
    maps: list
    passed: list
    layout: Layout

    def jvp(self, V):
        """``J V``: (n, D) -> (n, K)."""
        V = self.layout.of_rows(V)
        for linear_map in self.maps:
            V = linear_map.jvp(V)
        return _flat(V)

    def vjp(self, U):
        """``J' U``: (n, K) -> (n, D)."""
        U = self.layout.of_rows(U)
        for linear_map in self.maps[::-1]:
            U = linear_map.vjp(U)
        return _flat(U)

    def passed_at(self, theta):
        """What has passed through the layers, if it did so at these very parameters."""
        return self.passed if (self.theta == theta).all() else None
