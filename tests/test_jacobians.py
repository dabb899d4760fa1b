"""Exact Jacobians and their squared norms, against nested plain autograd."""

import tracemalloc

import autograd
import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from numpy.testing import assert_allclose
from oracles import HIDDEN, SMOOTH, assert_gradient, draw_network

from skc2c.network import ACTIVATIONS, Network
from skc2c.network.jacobians import pulled

everywhere = pytest.mark.parametrize("activation", ACTIVATIONS)
smooth = pytest.mark.parametrize("activation", SMOOTH)
depths = pytest.mark.parametrize("hidden", HIDDEN)

SCALES = {"float": 0.7, "array": np.array([1.0, 0.0, 0.3, 2.0])}


def plain_jacobian(network, theta, X, seeds=None):
    J = oracles.jacobian(network.layer_units, network.activation, theta, X)
    return J if seeds is None else anp.matmul(seeds, J)


def plain_norm(network, theta, X, scale, seeds=None):
    return anp.sum((plain_jacobian(network, theta, X, seeds) * scale) ** 2, axis=(1, 2))


def assert_same_gradients(fused, plain, arguments):
    for i in range(len(arguments)):
        found, expected = (autograd.grad(one, i)(*arguments) for one in (fused, plain))
        assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


def test_the_oracle_is_the_jacobian(rng):
    """Of one row at a time, by autograd's own function."""
    network, theta, X = draw_network(rng, (6, 5))
    one = autograd.jacobian(
        lambda x: oracles.forward(network.layer_units, "tanh", theta, x[None])[0]
    )
    assert_allclose(plain_jacobian(network, theta, X), [one(x) for x in X], rtol=1e-12)


@everywhere
@depths
def test_jacobian_and_its_gradients_equal_plain_autograd(rng, activation, hidden):
    network, theta, X = draw_network(rng, hidden, activation)
    seeds = rng.normal(size=(9, 2, 3))
    mix, seeded_mix = rng.normal(size=(9, 3, 4)), rng.normal(size=(9, 2, 4))
    J = plain_jacobian(network, theta, X)
    assert_allclose(network.jacobian(theta, X), J, rtol=1e-9, atol=1e-12)
    assert_allclose(network.jacobian(theta, X, seeds), seeds @ J, rtol=1e-9, atol=1e-12)
    assert_same_gradients(
        lambda theta: anp.sum(network.jacobian(theta, X) * mix),
        lambda theta: anp.sum(plain_jacobian(network, theta, X) * mix),
        (theta,),
    )
    assert_same_gradients(
        lambda theta, seeds: anp.sum(network.jacobian(theta, X, seeds) * seeded_mix),
        lambda theta, seeds: anp.sum(plain_jacobian(network, theta, X, seeds) * seeded_mix),
        (theta, seeds),
    )


def assert_same_norms(network, theta, X, scale, seeds, rng):
    """Values, with and without seeds, and gradients with respect to theta and the seeds."""
    mix = rng.normal(size=len(X))
    found = network.squared_jacobian(theta, X, scale)
    expected = plain_norm(network, theta, X, scale)
    assert_allclose(found, expected, rtol=1e-9)
    K = network.n_outputs
    identity = np.broadcast_to(np.eye(K), (len(X), K, K))
    assert_allclose(network.squared_jacobian(theta, X, scale, identity), expected, rtol=1e-9)
    found = network.squared_jacobian(theta, X, scale, seeds)
    assert_allclose(found, plain_norm(network, theta, X, scale, seeds), rtol=1e-9)
    assert_same_gradients(
        lambda theta: anp.sum(network.squared_jacobian(theta, X, scale) * mix),
        lambda theta: anp.sum(plain_norm(network, theta, X, scale) * mix),
        (theta,),
    )
    assert_same_gradients(
        lambda theta, seeds: anp.sum(network.squared_jacobian(theta, X, scale, seeds) * mix),
        lambda theta, seeds: anp.sum(plain_norm(network, theta, X, scale, seeds) * mix),
        (theta, seeds),
    )


@everywhere
@depths
@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_squared_jacobian_and_its_gradients_equal_plain_autograd(rng, activation, hidden, scale):
    network, theta, X = draw_network(rng, hidden, activation)
    assert_same_norms(network, theta, X, scale, rng.normal(size=(9, 2, 3)), rng)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize(
    "units",
    [
        (4, 20, 1),  # the product with the first kernel
        (4, 5, 6, 1),
        (12, 5, 1),  # the Gram matrix of the first kernel
        (12, 5, 6, 2),
        (12, 3),
        (2, 3),
        (12, 5, 3),  # the slopes alone
        (1, 7, 1),
        (1, 1, 1),
    ],
)
def test_each_way_to_the_norm_gives_the_same(rng, units, activation):
    """The cheapest way depends on the shape."""
    network = Network(units, activation)
    theta = rng.normal(size=network.size) / np.sqrt(max(units[:-1]))
    X = rng.normal(size=(5, units[0]))
    scale = rng.uniform(0.1, 2.0, size=units[0])
    assert_same_norms(network, theta, X, scale, rng.normal(size=(5, 2, units[-1])), rng)


@pytest.mark.parametrize("units", [(2000, 5, 10), (2000, 5, 6, 10)])
def test_norm_on_many_features_makes_no_jacobian(rng, units):
    """Seeds or a second hidden layer rule out the form in the slopes alone."""
    network = Network(units, "tanh")
    theta, X = rng.normal(size=network.size) / 50, rng.normal(size=(100, 2000))
    seeds = rng.normal(size=(100, 10, 10))
    gradient = autograd.grad(lambda t: anp.sum(network.squared_jacobian(t, X, 0.7, seeds)))
    gradient(theta)
    tracemalloc.start()
    gradient(theta)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.2 * (100 * 10 * 2000 * X.itemsize)


TRACED = {
    "jacobian": lambda net, theta, X, S: net.jacobian(theta, X),
    "seeded jacobian": lambda net, theta, X, S: net.jacobian(theta, X, S),
    "squared jacobian": lambda net, theta, X, S: net.squared_jacobian(theta, X, 0.7),
    "seeded squared jacobian": lambda net, theta, X, S: net.squared_jacobian(theta, X, 0.7, S),
}


@smooth
@depths
@pytest.mark.parametrize("name", TRACED)
def test_gradients_equal_finite_differences(rng, activation, hidden, name):
    network, theta, X = draw_network(rng, hidden, activation)
    S = rng.normal(size=(9, 2, 3))

    def function(theta):
        out = TRACED[name](network, theta, X, S)
        return (out * np.cos(np.arange(out.size)).reshape(out.shape)).sum()

    assert_gradient(function, autograd.grad(function)(theta), theta, rng)


@everywhere
@depths
@pytest.mark.parametrize("name", TRACED)
def test_float32_stays_float32(rng, activation, hidden, name):
    network, theta, X = draw_network(rng, hidden, activation)
    exact = TRACED[name](network, theta, X, S := rng.normal(size=(9, 2, 3)))
    theta, X, S = (array.astype(np.float32) for array in (theta, X, S))

    def function(theta):
        out = TRACED[name](network, theta, X, S)
        assert autograd.tracer.getval(out).dtype == np.float32
        return (out * out).sum()

    assert autograd.grad(function)(theta).dtype == np.float32
    assert_allclose(TRACED[name](network, theta, X, S), exact, rtol=1e-3, atol=1e-4)


def test_pulling_through_layers_goes_back_to_the_covectors(rng):
    """``J A'`` of two maps, and its gradient, with matrices for maps."""

    class Matrix:
        def __init__(self, A):
            self.A = A

        def jvp(self, V):
            return V @ self.A

        def vjp(self, U):
            return U @ self.A.T

    A, B = rng.normal(size=(3, 4)), rng.normal(size=(4, 5))
    J, mix = rng.normal(size=(6, 2, 5)), rng.normal(size=(6, 2, 3))
    maps = [Matrix(A), Matrix(B)]
    assert_allclose(pulled(J, maps=maps), J @ B.T @ A.T, rtol=1e-12)
    gradient = autograd.grad(lambda J: anp.sum(pulled(J, maps=maps) * mix))(J)
    assert_allclose(gradient, mix @ A @ B, rtol=1e-12)
