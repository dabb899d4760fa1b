"""What one layer does to points, tangents and covectors: autograd primitives.

Each is one node of the trace with its backward pass in plain numpy, working in place
on arrays it owns. Parameters are slices of one flat vector ``theta``; a layer's part of the
gradient is added into its slice of one buffer.

Shapes: ``n`` rows, ``m`` directions, ``K`` covectors a row, ``H`` units.
"""

from typing import NamedTuple

import numpy as np
from autograd.extend import SparseObject, defvjp, defvjp_argnums, primitive, vspace

from skc2c.activations import ACTIVATIONS, Activation


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

    def evaluate(self, theta, h):
        """``a(h W + b)``, and the residual for its derivatives (untraced)."""
        z = h @ self.kernel(theta)
        z += theta[self.bias]
        return self.activation.evaluate(z)


def into_slices(theta, *pieces):
    """Theta's gradient that is zero but for some slices: autograd adds it into one buffer.

    Parameters
    ----------
    theta : ndarray of shape (size,)
    *pieces : tuple of (slice, ndarray)
        Where a gradient goes, and the gradient.
    """

    def add(total):
        for where, gradient in pieces:
            total[where] += gradient.ravel()
        return total

    return SparseObject(vspace(theta), add)


def _affine_gradients(argnums, layer, rows, theta, dz, n_points):
    """Gradients with respect to rows and theta from that, dz, of ``rows W + b``.

    The bias reaches the first `n_points` rows only: the others are tangents.
    """
    gradients = (
        lambda: dz @ layer.kernel(theta).T,
        lambda: into_slices(
            theta, (layer.weight, rows.T @ dz), (layer.bias, dz[:n_points].sum(axis=0))
        ),
    )
    return tuple(gradients[argnum]() for argnum in argnums)


@primitive
def advance(rows, theta, *, layer, n_points, tape):
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
        return _affine_gradients(argnums, layer, rows, theta, dz, n_points)

    return vjp


defvjp_argnums(advance, _advance_vjp)


@primitive
def value_and_slope(h, theta, *, layer, tape):
    """``(2, n, H)``: ``a(z)`` and ``a'(z)`` at ``z = h W + b``."""
    value, residual = layer.evaluate(theta, h)
    tape.append(residual)
    return np.stack([value, layer.activation.slope(residual)])


def _value_and_slope_vjp(argnums, ans, args, kwargs):
    h, theta = args
    layer, residual = kwargs["layer"], kwargs["tape"][0]

    def vjp(g):
        dz = g[0] * ans[1] + g[1] * layer.activation.curvature(residual)
        return _affine_gradients(argnums, layer, h, theta, dz, len(dz))

    return vjp


defvjp_argnums(value_and_slope, _value_and_slope_vjp)


def _flat(stack):
    """View (n, K, H) as (n * K, H)."""
    return stack.reshape(-1, stack.shape[-1])


@primitive
def pull_back(rows, theta, *, layer):
    """(n, K, fan_out) covectors -> (n, K, fan_in): ``rows @ W'``."""
    pulled = _flat(rows) @ layer.kernel(theta).T
    return pulled.reshape(*rows.shape[:2], -1)


defvjp(
    pull_back,
    lambda ans, rows, theta, *, layer: (
        lambda g: (_flat(g) @ layer.kernel(theta)).reshape(rows.shape)
    ),
    lambda ans, rows, theta, *, layer: (
        lambda g: into_slices(theta, (layer.weight, _flat(g).T @ _flat(rows)))
    ),
)


@primitive
def gram_norm(rows, theta, *, layer, squared_scale):
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
        gradient = 2.0 * squared_scale[:, None] * (kernel @ moment)
        return into_slices(theta, (layer.weight, gradient))

    return vjp


defvjp(gram_norm, _gram_norm_rows_vjp, _gram_norm_theta_vjp)


@primitive
def slope_form(slope, theta, *, layers, squared_scale):
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
        return into_slices(
            theta,
            (layers[0].weight, squared_scale[:, None] * (below @ (moment * outer))),
            (layers[1].weight, (moment * gram) @ above),
        )

    return vjp


defvjp(slope_form, _slope_form_slope_vjp, _slope_form_theta_vjp)
