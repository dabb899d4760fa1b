"""The map x -> h: a multilayer perceptron over one flat parameter vector.

Everything here is a function of ``theta`` that autograd can trace, and nothing
differentiates: tangents and Jacobians have formulas and derivatives of their own, so
that a gradient of the objective never nests one trace in another (autograd keeps
one process-wide trace counter, and nesting under threads gives wrong gradients).

Shapes: ``n`` rows, ``D`` inputs, ``K`` outputs, ``H`` units of a hidden layer,
``m`` directions.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import autograd.numpy as anp
import numpy as np

from skc2c.activations import ACTIVATIONS
from skc2c.jacobians import jacobian, squared_jacobian
from skc2c.layers import Layer, pull_back
from skc2c.propagation import propagate


@dataclass(frozen=True)
class Network:
    """A multilayer perceptron ``h = f(x; theta)``: shapes only, no parameters.

    Parameters
    ----------
    layer_units : tuple of int
        Units of the input, every hidden layer and the output, ``(D, H1, ..., K)``.
        ``(D, K)`` is a linear model.
    activation : str
        Activation of the hidden layers, a key of ``ACTIVATIONS``; the output is linear.

    Notes
    -----
    ``theta`` holds all kernels first, then all biases, so that the weights on which
    the L2 term acts are its first ``n_weights`` entries.
    """

    layer_units: tuple
    activation: str

    @cached_property
    def layers(self):
        """The layers from input to output."""
        shapes = list(pairwise(self.layer_units))
        weights = _slices(0, [fan_in * fan_out for fan_in, fan_out in shapes])
        biases = _slices(weights[-1].stop, [fan_out for _, fan_out in shapes])
        names = [self.activation] * (len(shapes) - 1) + ["identity"]
        activations = [ACTIVATIONS[name] for name in names]
        return tuple(map(Layer, weights, biases, shapes, activations))

    @property
    def n_weights(self):
        """How many entries of theta are kernel weights."""
        return self.layers[-1].weight.stop

    @property
    def size(self):
        """Length of theta."""
        return self.layers[-1].bias.stop

    def initialize(self, rng, dtype):
        """Draw theta: uniform Glorot and He kernels, small uniform biases.

        Parameters
        ----------
        rng : numpy.random.Generator
        dtype : dtype

        Returns
        -------
        theta : ndarray of shape (size,)

        Notes
        -----
        The variance of a kernel is ``2 / (fan_in + fan_out)`` (Glorot & Bengio, 2010). Between
        hidden layers it is larger by the gain of the activation (He et al., 2015), so that
        deep networks keep their signal; before the first one it is not, as wide first
        layers on few features then start, and stay, too rough (measured). Biases are uniform
        in +-1/sqrt(fan_in): with few inputs, units that all bend at the origin would be
        nearly the same unit.
        """
        theta = np.empty(self.size)
        for layer in self.layers:
            fan_in, fan_out = layer.shape
            between_hidden = layer not in (self.layers[0], self.layers[-1])
            gain = layer.activation.gain if between_hidden else 1.0
            bound = math.sqrt(6.0 * gain / (fan_in + fan_out))
            theta[layer.weight] = rng.uniform(-bound, bound, fan_in * fan_out)
            bound = 1.0 / math.sqrt(fan_in)
            theta[layer.bias] = rng.uniform(-bound, bound, fan_out)
        return theta.astype(dtype)

    def pack(self, coefs, intercepts, dtype):
        """Flatten per-layer kernels and biases into theta."""
        return np.concatenate([np.ravel(part) for part in (*coefs, *intercepts)], dtype=dtype)

    def unpack(self, theta):
        """Split theta into copies of the per-layer kernels and biases."""
        coefs = [layer.kernel(theta).copy() for layer in self.layers]
        intercepts = [theta[layer.bias].copy() for layer in self.layers]
        return coefs, intercepts

    def forward(self, theta, X, linearization=None):
        """Network output.

        Parameters
        ----------
        theta : ndarray of shape (size,)
        X : ndarray or (untraced only) sparse matrix of shape (n, D)
        linearization : Linearization, optional
            Of this network at the first rows of X: if theta is the one at which it was made,
            these do not go through again.

        Returns
        -------
        h : ndarray of shape (n, K)
        """
        return self._through(theta, X, X.shape[0], linearization)

    def tangent(self, theta, X, V):
        """Output and its directional derivatives, in one pass.

        Parameters
        ----------
        theta : ndarray of shape (size,)
        X : ndarray of shape (n, D)
        V : ndarray of shape (n, D) or (m, n, D)
            One direction, or m directions, for each row.

        Returns
        -------
        h : ndarray of shape (n, K)
        dh : ndarray of shape (n, K) or (m, n, K)
            ``J V``.
        """
        n, D = X.shape
        rows = anp.concatenate([X, anp.reshape(V, (-1, D))])
        out = self._through(theta, rows, n)
        return out[:n], anp.reshape(out[n:], (*V.shape[:-1], -1))

    def _through(self, theta, rows, n_points, known=None):
        settings = {"layers": self.layers, "n_points": n_points, "known": known}
        return propagate(theta, rows, **settings, tape=[])

    def jacobian(self, theta, X, seeds=None):
        """Exact Jacobian of the output with respect to the input.

        Parameters
        ----------
        theta : ndarray of shape (size,)
        X : ndarray of shape (n, D)
        seeds : ndarray of shape (n, S, K), optional
            Covectors to pull back through the network instead of the unit ones:
            the derivative of a map from h, say that to the mean response.

        Returns
        -------
        J : ndarray of shape (n, K, D) or (n, S, D)
            ``dh/dx``, or ``seeds dh/dx``.
        """
        return jacobian(theta, seeds, X, layers=self.layers, tape=[])

    def squared_jacobian(self, theta, X, scale, seeds=None):
        """Squared Frobenius norm of ``J diag(scale)`` at every row, exactly.

        Parameters
        ----------
        theta : ndarray of shape (size,)
        X : ndarray of shape (n, D)
        scale : float or ndarray of shape (D,)
        seeds : ndarray of shape (n, S, K), optional
            As in `jacobian`.

        Returns
        -------
        norm : ndarray of shape (n,)
        """
        scale = np.full(self.layer_units[0], scale, dtype=X.dtype)
        return squared_jacobian(theta, seeds, X, layers=self.layers, scale=scale, tape=[])

    def linearize(self, theta, X):
        """The network and its slopes at X, for products with J and J' (untraced).

        Parameters
        ----------
        theta : ndarray of shape (size,)
        X : ndarray of shape (n, D)

        Returns
        -------
        linearization : Linearization
        """
        slopes, passed, h = [], [], X
        for layer in self.layers:
            h, residual = layer.evaluate(theta, h)
            passed.append((h, residual))
            slopes.append(None if layer.is_linear else layer.activation.slope(residual))
        kernels = [layer.kernel(theta) for layer in self.layers]
        return Linearization(theta, h, kernels, slopes, passed)


class Linearization(NamedTuple):
    """``f(x + v) ~ h + J v`` at given rows: products with J and J' in plain numpy.

    It holds as long as theta does not change; ``passed`` are the output and the residual of
    every layer.
    """

    theta: np.ndarray
    h: np.ndarray
    kernels: list
    slopes: list
    passed: list

    def jvp(self, V):
        """``J V``: (n, D) -> (n, K)."""
        for kernel, slope in zip(self.kernels, self.slopes, strict=True):
            V = V @ kernel
            if slope is not None:
                V *= slope
        return V

    def vjp(self, U):
        """``J' U``: (n, K) -> (n, D)."""
        for kernel, slope in zip(self.kernels[::-1], self.slopes[::-1], strict=True):
            U = pull_back(U if slope is None else U * slope, kernel)
        return U


def _slices(start, sizes):
    edges = np.cumsum([start, *sizes]).tolist()
    return [slice(*edge) for edge in pairwise(edges)]
