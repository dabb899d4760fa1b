"""The map x -> h: a multilayer perceptron over one flat parameter vector.

Everything here is a function of ``theta`` that autograd can trace, and nothing
differentiates: tangents and Jacobians are written out as ordinary traced code, so
that a gradient of the objective never nests one trace in another (autograd keeps
one process-wide trace counter, and nesting under threads gives wrong gradients).

Shapes: ``n`` rows, ``D`` inputs, ``K`` outputs, ``H`` units of a hidden layer,
``m`` directions.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd.extend import SparseObject, defvjp, defvjp_argnums, primitive, vspace
from scipy.special import expit, ndtr

# -------------------------------------------------------------------- activations


class Activation(NamedTuple):
    """An elementwise map with what its first two derivatives need.

    ``evaluate(z)`` overwrites ``z`` with the activation and returns it together with
    a residual, the one array from which ``slope(residual)`` and
    ``curvature(residual)`` give the first and second derivative. Where the derivative
    is a function of the output, the residual is the output and costs nothing.
    ``gain`` is the factor by which the kernel of a layer that follows must be larger in
    variance to keep the scale of the signal (2 for relu, He et al., 2015).
    """

    evaluate: Callable
    slope: Callable
    curvature: Callable
    gain: float


def _keep_output(function):
    def evaluate(z):
        output = function(z, z)
        return output, output

    return evaluate


def _keep_input(function):
    def evaluate(z):
        residual = z.copy()
        return function(residual, z), residual

    return evaluate


def _tanh_curvature(a):
    return 2.0 * a * (a * a - 1.0)


def _logistic_curvature(a):
    return a * (1.0 - a) * (1.0 - 2.0 * a)


def _elu(z, out):
    negative = np.expm1(np.minimum(z, 0.0))
    np.maximum(z, 0.0, out=out)
    out += negative
    return out


def _softplus_curvature(a):
    decay = np.exp(-a)  # 1 - slope
    return decay * (1.0 - decay)


def _gelu(z, out):
    return np.multiply(z, ndtr(z), out=out)


def _normal_density(z):
    return np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def _silu(z, out):
    return np.multiply(z, expit(z), out=out)


def _silu_slope(z):
    s = expit(z)
    return s * (1.0 + z * (1.0 - s))


def _silu_curvature(z):
    s = expit(z)
    return s * (1.0 - s) * (2.0 + z * (1.0 - 2.0 * s))


ACTIVATIONS = {
    "identity": Activation(
        evaluate=lambda z: (z, z),
        slope=np.ones_like,
        curvature=np.zeros_like,
        gain=1.0,
    ),
    "logistic": Activation(
        evaluate=_keep_output(lambda z, out: expit(z, out=out)),
        slope=lambda a: a * (1.0 - a),
        curvature=_logistic_curvature,
        gain=1.0,
    ),
    "tanh": Activation(
        evaluate=_keep_output(lambda z, out: np.tanh(z, out=out)),
        slope=lambda a: 1.0 - a * a,
        curvature=_tanh_curvature,
        gain=1.0,
    ),
    "relu": Activation(
        evaluate=_keep_output(lambda z, out: np.maximum(z, 0.0, out=out)),
        slope=lambda a: (a > 0.0).astype(a.dtype),
        curvature=np.zeros_like,
        gain=2.0,
    ),
    "softplus": Activation(
        evaluate=_keep_output(lambda z, out: np.logaddexp(z, 0.0, out=out)),
        slope=lambda a: -np.expm1(-a),
        curvature=_softplus_curvature,
        gain=2.0,
    ),
    "elu": Activation(
        evaluate=_keep_output(_elu),
        slope=lambda a: np.minimum(a, 0.0) + 1.0,
        curvature=lambda a: np.where(a > 0.0, 0.0, a + 1.0).astype(a.dtype),
        gain=1.5,
    ),
    "gelu": Activation(
        evaluate=_keep_input(_gelu),
        slope=lambda z: ndtr(z) + z * _normal_density(z),
        curvature=lambda z: (2.0 - z * z) * _normal_density(z),
        gain=2.0,
    ),
    "silu": Activation(
        evaluate=_keep_input(_silu),
        slope=_silu_slope,
        curvature=_silu_curvature,
        gain=2.0,
    ),
}


# ------------------------------------------------------------------------- layers


class Layer(NamedTuple):
    """Where one layer's parameters lie in ``theta``, and its activation."""

    weight: slice
    bias: slice
    shape: tuple
    activation: Activation

    @property
    def is_linear(self):
        return self.activation is ACTIVATIONS["identity"]

    def kernel(self, theta):
        return theta[self.weight].reshape(self.shape)

    def weight_gradient(self, theta, gradient):
        """`gradient` (fan_in, fan_out) as a sparse piece of theta's gradient."""
        return SparseObject(vspace(theta), lambda total: self._add(total, gradient))

    def _add(self, total, weight, bias=None):
        total[self.weight] += weight.ravel()
        if bias is not None:
            total[self.bias] += bias
        return total

    def gradient(self, theta, rows, dz, n_points):
        """Piece of theta's gradient from the gradient `dz` of ``rows @ W + b``.

        The bias reaches the first `n_points` rows only: the others are tangents.
        """
        weight = rows.T @ dz
        bias = dz[:n_points].sum(axis=0)
        return SparseObject(vspace(theta), lambda total: self._add(total, weight, bias))


@primitive
def _advance(rows, theta, *, layer, n_points, tape):
    """Take points, and tangents at these points, through one layer.

    The first `n_points` rows are points h, the others m directions dh at each:
    ``[h; dh] -> [a(z); a'(z) dz]`` with ``z = h W + b`` and ``dz = dh W``. Points and
    tangents share one matrix product. What the backward pass needs is left on `tape`.
    """
    z = rows @ layer.kernel(theta)
    points, tangents = z[:n_points], z[n_points:]
    points += theta[layer.bias]
    _, residual = layer.activation.evaluate(points)
    tape.append(residual)
    if len(tangents) and not layer.is_linear:
        tape.append(tangents.copy())
        _per_point(tangents, n_points)[...] *= layer.activation.slope(residual)
    return z


def _per_point(rows, n_points):
    """View (m * n, H) rows as (m, n, H)."""
    return rows.reshape(-1, n_points, rows.shape[1])


def _retreat(g, layer, n_points, tape):
    """Gradient with respect to ``[z; dz]`` from that of ``[a(z); a'(z) dz]``."""
    if layer.is_linear:
        return g
    residual = tape[0]
    slope = layer.activation.slope(residual)
    result = np.empty_like(g)
    np.multiply(g[:n_points], slope, out=result[:n_points])
    if len(g) > n_points:
        g_tangents = _per_point(g[n_points:], n_points)
        _per_point(result[n_points:], n_points)[...] = g_tangents * slope
        bend = np.einsum("mnh,mnh->nh", g_tangents, _per_point(tape[1], n_points))
        result[:n_points] += bend * layer.activation.curvature(residual)
    return result


def _advance_vjp(argnums, _, args, kwargs):
    rows, theta = args
    layer, n_points, tape = kwargs["layer"], kwargs["n_points"], kwargs["tape"]

    def vjp(g):
        dz = _retreat(g, layer, n_points, tape)
        gradients = (
            lambda: dz @ layer.kernel(theta).T,
            lambda: layer.gradient(theta, rows, dz, n_points),
        )
        return tuple(gradients[argnum]() for argnum in argnums)

    return vjp


defvjp_argnums(_advance, _advance_vjp)


@primitive
def _value_and_slope(h, theta, *, layer, tape):
    """``(2, n, H)``: ``a(z)`` and ``a'(z)`` at ``z = h W + b``."""
    z = h @ layer.kernel(theta)
    z += theta[layer.bias]
    value, residual = layer.activation.evaluate(z)
    tape.append(residual)
    return np.stack([value, layer.activation.slope(residual)])


def _value_and_slope_vjp(argnums, ans, args, kwargs):
    h, theta = args
    layer, residual = kwargs["layer"], kwargs["tape"][0]

    def vjp(g):
        dz = g[0] * ans[1] + g[1] * layer.activation.curvature(residual)
        gradients = (
            lambda: dz @ layer.kernel(theta).T,
            lambda: layer.gradient(theta, h, dz, len(dz)),
        )
        return tuple(gradients[argnum]() for argnum in argnums)

    return vjp


defvjp_argnums(_value_and_slope, _value_and_slope_vjp)


def _flat(stack):
    """View (n, K, H) as (n * K, H)."""
    return stack.reshape(-1, stack.shape[-1])


@primitive
def _pull_back(rows, theta, *, layer):
    """(n, K, fan_out) covectors -> (n, K, fan_in): ``rows @ W'``."""
    pulled = _flat(rows) @ layer.kernel(theta).T
    return pulled.reshape(*rows.shape[:2], -1)


defvjp(
    _pull_back,
    lambda ans, rows, theta, *, layer: (
        lambda g: (_flat(g) @ layer.kernel(theta)).reshape(rows.shape)
    ),
    lambda ans, rows, theta, *, layer: (
        lambda g: layer.weight_gradient(theta, _flat(g).T @ _flat(rows))
    ),
)


@primitive
def _gram_norm(rows, theta, *, layer, squared_scale):
    """(n, K, fan_out) covectors -> (n,): sum over k, d of ``scale_d^2 (rows W')_kd^2``.

    Through the Gram matrix of the kernel, so that nothing of size n K D arises.
    """
    gram = _gram(layer.kernel(theta), squared_scale)
    return np.einsum("nkh,nkh->n", rows, _times(rows, gram))


def _gram(kernel, squared_scale):
    return (kernel * squared_scale[:, None]).T @ kernel


def _times(stack, matrix):
    return (_flat(stack) @ matrix).reshape(stack.shape)


def _gram_norm_rows_vjp(ans, rows, theta, *, layer, squared_scale):
    gram = _gram(layer.kernel(theta), squared_scale)
    return lambda g: 2.0 * g[:, None, None] * _times(rows, gram)


def _gram_norm_theta_vjp(ans, rows, theta, *, layer, squared_scale):
    def vjp(g):
        moment = _flat(rows).T @ _flat(rows * g[:, None, None])
        kernel = layer.kernel(theta)
        return layer.weight_gradient(theta, 2.0 * squared_scale[:, None] * (kernel @ moment))

    return vjp


defvjp(_gram_norm, _gram_norm_rows_vjp, _gram_norm_theta_vjp)


@primitive
def _slope_form(slope, theta, *, layers, squared_scale):
    """Squared norm of the Jacobian of one hidden layer, from its slopes s: (n, H) -> (n,).

    ``s' [(W1' E^2 W1) o (W2 W2')] s``: the cost does not depend on D or K.
    """
    form = np.multiply(*_slope_form_factors(theta, layers, squared_scale))
    return np.einsum("nh,nh->n", slope @ form, slope)


def _slope_form_factors(theta, layers, squared_scale):
    below, above = (layer.kernel(theta) for layer in layers)
    return _gram(below, squared_scale), above @ above.T


def _slope_form_slope_vjp(ans, slope, theta, *, layers, squared_scale):
    form = np.multiply(*_slope_form_factors(theta, layers, squared_scale))
    return lambda g: (2.0 * g)[:, None] * (slope @ form)


def _slope_form_theta_vjp(ans, slope, theta, *, layers, squared_scale):
    below, above = (layer.kernel(theta) for layer in layers)

    def vjp(g):
        moment = 2.0 * (slope.T @ (slope * g[:, None]))
        gram, outer = _slope_form_factors(theta, layers, squared_scale)
        gradients = (
            squared_scale[:, None] * (below @ (moment * outer)),
            (moment * gram) @ above,
        )

        def add(total):
            for layer, gradient in zip(layers, gradients, strict=True):
                total[layer.weight] += gradient.ravel()
            return total

        return SparseObject(vspace(theta), add)

    return vjp


defvjp(_slope_form, _slope_form_slope_vjp, _slope_form_theta_vjp)


# ------------------------------------------------------------------------ network


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

    def forward(self, theta, X):
        """Network output.

        Parameters
        ----------
        theta : ndarray of shape (size,)
        X : ndarray or (untraced only) sparse matrix of shape (n, D)

        Returns
        -------
        h : ndarray of shape (n, K)
        """
        return self._through(theta, X, X.shape[0])

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

    def _through(self, theta, rows, n_points):
        for layer in self.layers:
            rows = _advance(rows, theta, layer=layer, n_points=n_points, tape=[])
        return rows

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
        return _pull_back(self._to_first_layer(theta, X, seeds), theta, layer=self.layers[0])

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
        squared_scale = np.full(self.layer_units[0], np.square(scale), dtype=X.dtype)
        if seeds is None and len(self.layers) == 2:
            (slope,) = self._slopes(theta, X)
            return _slope_form(slope, theta, layers=self.layers, squared_scale=squared_scale)
        rows = self._to_first_layer(theta, X, seeds)
        return _gram_norm(rows, theta, layer=self.layers[0], squared_scale=squared_scale)

    def _slopes(self, theta, X):
        """Activation slopes of every hidden layer, (n, H) each."""
        slopes, h = [], X
        for layer in self.layers[:-1]:
            both = _value_and_slope(h, theta, layer=layer, tape=[])
            h = both[0]
            slopes.append(both[1])
        return slopes

    def _to_first_layer(self, theta, X, seeds):
        """Pull covectors back from the output to the first layer's pre-activation."""
        slopes = self._slopes(theta, X)
        rows = self._unit_seeds(X) if seeds is None else seeds
        for layer, slope in zip(self.layers[:0:-1], slopes[::-1], strict=True):
            rows = _pull_back(rows, theta, layer=layer) * slope[:, None, :]
        return rows

    def _unit_seeds(self, X):
        K = self.layer_units[-1]
        return np.broadcast_to(np.eye(K, dtype=X.dtype), (X.shape[0], K, K))

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
        slopes, h = [], X
        for layer in self.layers:
            z = h @ layer.kernel(theta)
            z += theta[layer.bias]
            h, residual = layer.activation.evaluate(z)
            slopes.append(None if layer.is_linear else layer.activation.slope(residual))
        kernels = [layer.kernel(theta) for layer in self.layers]
        return Linearization(h, kernels, slopes)


class Linearization(NamedTuple):
    """``f(x + v) ~ h + J v`` at given rows: products with J and J' in plain numpy."""

    h: np.ndarray
    kernels: list
    slopes: list

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
            U = (U if slope is None else U * slope) @ kernel.T
        return U


def _slices(start, sizes):
    edges = np.cumsum([start, *sizes]).tolist()
    return [slice(*edge) for edge in pairwise(edges)]
