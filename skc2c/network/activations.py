"""Elementwise maps of the hidden layers, each with its first two derivatives."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit, ndtr


class Activation(NamedTuple):
    """An elementwise map with what its first two derivatives need.

    ``evaluate(z)`` overwrites ``z`` with the activation and returns it together with
    a residual, the one array from which ``slope(residual)`` and
    ``curvature(residual)`` give the first and second derivative. Where the derivative
    is a function of the output, the residual is the output and costs nothing.
    Where the first derivative is constant in pieces, ``curvature`` is None: zero almost
    everywhere. ``gain`` is the factor by which the kernel of a layer that follows must be larger in
    variance to keep the scale of the signal (2 for relu, He et al., 2015).
    """

    evaluate: Callable
    slope: Callable
    curvature: Callable | None
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


def _relu(z):
    # The mask is needed again as the slope; two products with it take less time than
    # a maximum now and a comparison later. (Minus infinity, an overflow, becomes NaN.)
    positive = (z > 0.0).astype(z.dtype)
    z *= positive
    return z, positive


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
        curvature=None,
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
        evaluate=_relu,
        slope=lambda positive: positive,
        curvature=None,
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
