"""A dense layer: ``a(x W + b)``."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from skc2c.network.activations import ACTIVATIONS
from skc2c.network.layer import Layer, Record, per_point, reduce_rows
from skc2c.network.sparse_rows import SparseRows, WayBack


@dataclass(frozen=True, eq=False)
class Dense(Layer):
    """Kernel, bias and an elementwise activation.

    Parameters
    ----------
    weights, others : slice
        Where kernel and bias lie in theta.
    shape : tuple of int
        Units below and above.
    activation : Activation
    """

    weights: slice | None = None
    others: slice | None = None
    shape: tuple = (1, 1)
    activation: object = ACTIVATIONS["identity"]

    @property
    def n_in(self):
        return self.shape[0]

    @property
    def n_out(self):
        return self.shape[1]

    @property
    def n_weights(self):
        return self.shape[0] * self.shape[1]

    @property
    def n_others(self):
        return self.shape[1]

    @property
    def is_linear(self):
        return self.activation is ACTIVATIONS["identity"]

    def kernel(self, vector):
        """View of this layer's kernel in theta, or of its gradient in that of theta."""
        if vector.ndim == 1:  # what follows is right for it too, and slower
            return vector[self.weights].reshape(self.shape)
        return vector[:, self.weights].reshape(len(vector), *self.shape)

    def bias(self, vector):
        """View of this layer's bias in theta, which broadcasts over the rows."""
        return vector[self.others] if vector.ndim == 1 else vector[:, None, self.others]

    def initialize(self, theta, rng, gain):
        fan_in, fan_out = self.shape
        bound = math.sqrt(6.0 * gain / (fan_in + fan_out))
        theta[self.weights] = rng.uniform(-bound, bound, fan_in * fan_out)
        self._initialize_others(theta, rng)

    def _initialize_others(self, theta, rng):
        bound = 1.0 / math.sqrt(self.n_in)
        theta[self.others] = rng.uniform(-bound, bound, self.n_out)

    def evaluate(self, theta, rows):
        z = rows @ self.kernel(theta)
        z += self.bias(theta)
        return self.activation.evaluate(z)

    def advance(self, theta, rows, n_points):
        if isinstance(rows, SparseRows):
            return self._advance_sparse(theta, rows)
        # Points and tangents share one matrix product.
        if rows.shape[0] == n_points:
            z, residual = self.evaluate(theta, rows)
            return z, Record(rows, residual, None)
        z = rows @ self.kernel(theta)
        points, tangents = z[:n_points], z[n_points:]
        points += self.bias(theta)
        _, residual = self.activation.evaluate(points)
        kept = None if self.activation.curvature is None else tangents.copy()
        if not self.is_linear:
            per_point(tangents, points)[...] *= self.activation.slope(residual)
        return z, Record(rows, residual, kept)

    def _advance_sparse(self, theta, rows):
        z, way_back = rows.times(self.kernel(theta))
        z += self.bias(theta)
        z, residual = self.activation.evaluate(z)
        return z, Record(way_back, residual, None)

    def resume(self, theta, rows, passed):
        out, residual = passed
        n = len(out)
        z = np.empty((len(rows), *out.shape[1:]), out.dtype)
        z[:n], rest = out, z[n:]
        np.matmul(rows[n:], self.kernel(theta), out=rest)
        rest += self.bias(theta)
        rest, rest_residual = self.activation.evaluate(rest)
        whole = z if rest_residual is rest else np.concatenate([residual, rest_residual])
        return z, Record(rows, whole, None)

    def retreat(self, theta, g, record, n_points, gradient):
        if not self.is_linear:
            self._through_activation(g[:n_points], g[n_points:], record)
        self._write_kernel(gradient, record.rows, g)
        # The bias reaches the points only.
        reduce_rows(g[:n_points], gradient[..., self.others])
        return lambda: pull_back(g, self.kernel(theta))

    def _through_activation(self, points, tangents, record):
        """From the gradient of ``[a(z); a'(z) dz]`` to that of ``[z; dz]``, in place."""
        slope = self.activation.slope(record.residual)
        tangents = per_point(tangents, points)
        points *= slope
        if record.tangents is not None:
            moved = per_point(record.tangents, points)
            bend = np.einsum("m...,m...->...", tangents, moved)
            bend *= self.activation.curvature(record.residual)
            points += bend
        if len(tangents):
            tangents *= slope

    def _write_kernel(self, gradient, rows, dz):
        out = self.kernel(gradient)
        if isinstance(rows, WayBack):
            rows.write(dz, out)
            return
        if rows.ndim == 2:
            np.matmul(rows.T, dz, out=out)
        elif len(rows) == 1:
            np.matmul(rows[0].swapaxes(-1, -2), dz[0], out=out)
        else:
            np.add.reduce(rows.swapaxes(-1, -2) @ dz, axis=0, out=out)

    def linear_map(self, theta, rows, residual):
        slope = None if self.is_linear else self.activation.slope(residual)
        return _DenseMap(self.kernel(theta), slope)


class _DenseMap(NamedTuple):
    """``V -> (V W) a'(z)``."""

    kernel: np.ndarray
    slope: np.ndarray | None

    def jvp(self, V):
        V = V @ self.kernel
        if self.slope is not None:
            V *= self.slope
        return V

    def vjp(self, U):
        return pull_back(U if self.slope is None else U * self.slope, self.kernel)


def pull_back(g, kernel):
    """``g W'``: from the output of a linear map, (n, fan_out), to its input, (n, fan_in)."""
    transposed = kernel.swapaxes(-1, -2)
    # An outer product takes BLAS five times as long as a multiplication.
    return g * transposed if kernel.shape[-1] == 1 else g @ transposed
