"""What one layer does to points and tangents, forward and backward, in plain numpy.

Parameters are slices of one flat vector ``theta``; a layer writes its part of the gradient
into the same slices of a vector of the same length. Elementwise work is done in place.

Shapes: ``n`` rows, ``m`` directions, ``H`` units.
"""

from typing import NamedTuple

import numpy as np

from skc2c.activations import ACTIVATIONS, Activation


class Record(NamedTuple):
    """What the way back through a layer needs of the way there."""

    rows: np.ndarray
    residual: np.ndarray
    tangents: np.ndarray | None


class Layer(NamedTuple):
    """Where one layer's parameters lie in ``theta``, and its activation."""

    weight: slice
    bias: slice
    shape: tuple
    activation: Activation

    @property
    def is_linear(self):
        return self.activation is ACTIVATIONS["identity"]

    def kernel(self, vector):
        """View of this layer's kernel in theta, or of its gradient in that of theta."""
        return vector[self.weight].reshape(self.shape)

    def evaluate(self, theta, h):
        """``a(h W + b)``, and the residual for its derivatives."""
        z = h @ self.kernel(theta)
        z += theta[self.bias]
        return self.activation.evaluate(z)

    def advance(self, theta, rows, n_points):
        """Take points, and tangents at these points, through the layer.

        The first `n_points` rows are points h, the others m directions dh at each:
        ``[h; dh] -> [a(z); a'(z) dz]`` with ``z = h W + b`` and ``dz = dh W``. Points
        and tangents share one matrix product.

        Returns
        -------
        out : ndarray of shape ((1 + m) * n_points, H)
        record : Record
        """
        if rows.shape[0] == n_points:
            z, residual = self.evaluate(theta, rows)
            return z, Record(rows, residual, None)
        z = rows @ self.kernel(theta)
        points, tangents = z[:n_points], z[n_points:]
        points += theta[self.bias]
        _, residual = self.activation.evaluate(points)
        kept = None if self.activation.curvature is None else tangents.copy()
        if not self.is_linear:
            _per_point(tangents, n_points)[...] *= self.activation.slope(residual)
        return z, Record(rows, residual, kept)

    def resume(self, theta, rows, passed):
        """`advance` for points of which the first have gone through this layer already.

        Parameters
        ----------
        theta : ndarray
        rows : ndarray of shape (n, fan_in)
        passed : tuple of ndarray
            Output and residual of the first rows, as `evaluate` gave them.
        """
        out, residual = passed
        n = len(out)
        z = np.empty((len(rows), self.shape[1]), out.dtype)
        z[:n], rest = out, z[n:]
        np.matmul(rows[n:], self.kernel(theta), out=rest)
        rest += theta[self.bias]
        rest, rest_residual = self.activation.evaluate(rest)
        whole = z if rest_residual is rest else np.concatenate([residual, rest_residual])
        return z, Record(rows, whole, None)

    def retreat(self, g, record, n_points):
        """Gradient with respect to ``[z; dz]`` from that, overwritten, of `advance`'s output."""
        if self.is_linear:
            return g
        slope = self.activation.slope(record.residual)
        points, tangents = g[:n_points], _per_point(g[n_points:], n_points)
        points *= slope
        if record.tangents is not None:
            bend = np.einsum("mnh,mnh->nh", tangents, _per_point(record.tangents, n_points))
            bend *= self.activation.curvature(record.residual)
            points += bend
        if len(tangents):
            tangents *= slope
        return g

    def write_gradient(self, gradient, rows, dz, n_points):
        """Write the gradient of kernel and bias, where dz is that of ``rows W + b``.

        The bias reaches the first `n_points` rows only: the others are tangents.
        """
        np.matmul(rows.T, dz, out=self.kernel(gradient))
        np.add.reduce(dz[:n_points], axis=0, out=gradient[self.bias])


def pull_back(g, kernel):
    """``g W'``: from the output of a linear map, (n, fan_out), to its input, (n, fan_in)."""
    # An outer product takes BLAS five times as long as a multiplication.
    return g * kernel.T if kernel.shape[1] == 1 else g @ kernel.T


def _per_point(rows, n_points):
    """View (m * n, H) rows as (m, n, H)."""
    return rows.reshape(-1, n_points, rows.shape[1])
