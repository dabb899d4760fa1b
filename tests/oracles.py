"""Slow, obvious versions of what the package computes: plain autograd and plain numpy."""

import sys
import threading
from itertools import pairwise

import autograd
import autograd.numpy as anp
import numpy as np
from autograd.scipy.special import erf

from skc2c.likelihoods import Bernoulli, Categorical, Gaussian
from skc2c.network import ACTIVATIONS as PACKAGE_ACTIVATIONS
from skc2c.network import Network

ACTIVATIONS = {
    "identity": lambda z: z,
    "logistic": lambda z: 1 / (1 + anp.exp(-z)),
    "tanh": anp.tanh,
    "relu": lambda z: anp.where(z > 0, z, 0.0),
    "softplus": lambda z: anp.log1p(anp.exp(-anp.abs(z))) + anp.maximum(z, 0.0),
    "elu": lambda z: anp.where(z > 0, z, anp.exp(anp.where(z > 0, 0.0, z)) - 1),
    "gelu": lambda z: z * 0.5 * (1 + erf(z / np.sqrt(2))),
    "silu": lambda z: z / (1 + anp.exp(-z)),
}


def has_kink(name):
    """Whether the first or the second derivative of an activation jumps at zero."""
    activation = PACKAGE_ACTIVATIONS[name]
    _, residual = activation.evaluate(np.array([-1e-9, 1e-9]))
    sides = [activation.slope(residual)]
    sides += [] if activation.curvature is None else [activation.curvature(residual)]
    return any(abs(below - above) > 1e-3 for below, above in sides)


SMOOTH = [name for name in PACKAGE_ACTIVATIONS if not has_kink(name)]
HIDDEN = [(), (7,), (6, 5), (5, 4, 6)]
FAMILIES = {"gaussian": Gaussian(), "bernoulli": Bernoulli(), "categorical": Categorical()}


def elementwise(name):
    """An activation as a formula, or, where there is none above, by the package's own derivatives.

    These are compared with finite differences in test_activations.py.
    """
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]
    activation = PACKAGE_ACTIVATIONS[name]

    def value(z):
        return activation.evaluate(np.array(z))[0]

    def slope(z):
        return activation.slope(activation.evaluate(np.array(z))[1])

    def curvature(z):
        bend = activation.curvature or np.zeros_like
        return bend(activation.evaluate(np.array(z))[1])

    return _known_by_derivatives(value, slope, curvature)


def _known_by_derivatives(function, *derivatives):
    traced = autograd.extend.primitive(function)
    if derivatives:
        derivative = _known_by_derivatives(*derivatives)
        autograd.extend.defvjp(traced, lambda out, z: lambda g: g * derivative(z))
    return traced


def forward(units, activation, theta, X):
    """The network with kernels, then biases, cut from theta one by one."""
    shapes = list(pairwise(units))
    kernels, start = [], 0
    for fan_in, fan_out in shapes:
        kernels.append(anp.reshape(theta[start : start + fan_in * fan_out], (fan_in, fan_out)))
        start += fan_in * fan_out
    h = X
    for i, (_, fan_out) in enumerate(shapes):
        z = anp.dot(h, kernels[i]) + theta[start : start + fan_out]
        start += fan_out
        h = z if i == len(shapes) - 1 else elementwise(activation)(z)
    return h


def jacobian(units, activation, theta, X):
    """dh/dx, (n, K, D), in nested plain autograd: it can be differentiated once more."""

    def total(X, k):
        # Rows do not depend on each other, so that all rows are differentiated at once.
        return anp.sum(forward(units, activation, theta, X)[:, k])

    return anp.stack([autograd.grad(total)(X, k) for k in range(units[-1])], axis=1)


def draw_network(rng, hidden=(7,), activation="tanh", n=9, D=4, K=3):
    """A network, a theta with entries of order one, and rows."""
    network = Network((D, *hidden, K), activation)
    theta = rng.normal(size=network.size) / np.sqrt(max(network.layer_units[:-1]))
    return network, theta, rng.normal(size=(n, D))


def add_parameters(penalty, network, theta, rng):
    """Theta with the penalty's own parameters, some way off from where they start."""
    start = penalty.initial_parameters(network.layer_units[-1])
    return np.concatenate([theta, start + 0.2 * rng.normal(size=len(start))], dtype=theta.dtype)


def draw_targets(rng, family, n, K):
    """Targets that the family can have."""
    if isinstance(family, Gaussian):
        return rng.normal(size=(n, K))
    if isinstance(family, Bernoulli):
        return rng.integers(0, 2, size=(n, K)).astype(float)
    return np.eye(K)[rng.integers(0, K, size=n)]


def assert_gradient(function, gradient, x, rng, rtol=1e-6, n_directions=3):
    """A gradient against fourth-order central differences along random directions."""
    for _ in range(n_directions):
        v = rng.normal(size=x.shape)
        v /= np.linalg.norm(v)
        numeric = _directional_difference(function, x, v)
        np.testing.assert_allclose(np.sum(gradient * v), numeric, rtol=rtol, atol=1e-9)


def _directional_difference(function, x, v, step=1e-3):
    near = (function(x + step * v) - function(x - step * v)) / (2 * step)
    far = (function(x + 2 * step * v) - function(x - 2 * step * v)) / (4 * step)
    return (4 * near - far) / 3


def run_in_threads(*tasks):
    """Run functions at the same time, switching between them as often as Python can."""
    usual = sys.getswitchinterval()
    threads = [threading.Thread(target=task) for task in tasks]
    try:
        sys.setswitchinterval(1e-6)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)
