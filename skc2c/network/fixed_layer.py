"""Layers without parameters to be learned: what they share of the way there and back."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from skc2c.network.layer import Layer, Record, per_point


@dataclass(frozen=True, eq=False)
class FixedLayer(Layer):
    """A smooth function of each row. A subclass has the derivatives of it at a row.

    Its `linear_map` is the first derivative.
    """

    n_weights = 0
    n_others = 0

    @abstractmethod
    def add_bend(self, points, g, record):
        """Add what second derivatives carry back from tangents to their points.

        Parameters
        ----------
        points : ndarray
            Gradient with respect to the points, to which it is added.
        g : ndarray of shape (m, ...)
            Gradient with respect to the tangents behind the layer.
        record : Record
            With the tangents in front of it, of shape (m, ...).
        """

    def initialize(self, theta, rng, gain):
        pass

    def advance(self, theta, rows, n_points):
        out, residual = self.evaluate(theta, rows[:n_points])
        if rows.shape[0] == n_points:
            return out, Record(rows, residual, None)
        tangents = per_point(rows[n_points:], rows[:n_points])
        moved = self.linear_map(theta, rows, residual).jvp(tangents)
        moved = moved.reshape(-1, *out.shape[1:])
        return np.concatenate([out, moved]), Record(rows, residual, tangents)

    def retreat(self, theta, g, record, n_points, gradient):
        def pull():
            derivative = self.linear_map(theta, record.rows, record.residual)
            points = derivative.vjp(g[:n_points])
            if record.tangents is None:
                return points
            g_moved = per_point(g[n_points:], g[:n_points])
            self.add_bend(points, g_moved, record)
            tangents = derivative.vjp(g_moved).reshape(-1, *points.shape[1:])
            return np.concatenate([points, tangents])

        return pull
