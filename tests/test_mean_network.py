"""The mean of several networks is the mean of what they say."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skc2c.network import Network
from skc2c.network.blocks import outputs
from skc2c.network.fourier_features import FourierFeatures
from skc2c.network.input_scaling import InputScaling
from skc2c.network.mean import MeanNetwork

SCALING = InputScaling(center=np.array([0.3, 0.0, -0.1]), scale=np.array([1.0, 2.5, 0.4]))
WAVES = FourierFeatures(n_features=3, columns=(1,), frequencies=(0.25, 0.6))
# Networks may differ in depth, width, activation and front.
NETWORKS = (
    Network((3, 6, 5, 2), "tanh", (SCALING,)),
    Network((3, 4, 2), "silu", (SCALING, WAVES)),
    Network((3, 2), "identity"),
)


@pytest.fixture(params=[1, 2, 3], ids="{} networks".format)
def drawn(request, rng):
    networks = NETWORKS[: request.param]
    thetas = [0.7 * rng.normal(size=network.size) for network in networks]
    return networks, thetas, rng.normal(size=(7, 3))


def mean_of(function, networks, thetas):
    parts = [function(network, theta) for network, theta in zip(networks, thetas, strict=True)]
    return np.mean(parts, axis=0)


METHODS = {
    "forward": lambda net, theta, X, V, S: net.forward(theta, X),
    "output of tangent": lambda net, theta, X, V, S: net.tangent(theta, X, V)[0],
    "tangent": lambda net, theta, X, V, S: net.tangent(theta, X, V)[1],
    "one tangent": lambda net, theta, X, V, S: net.tangent(theta, X, V[0])[1],
    "jacobian": lambda net, theta, X, V, S: net.jacobian(theta, X),
    "seeded jacobian": lambda net, theta, X, V, S: net.jacobian(theta, X, S),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_and_their_gradients_are_means(drawn, rng, name):
    networks, thetas, X = drawn
    V, S = rng.normal(size=(2, 7, 3)), rng.normal(size=(7, 4, 2))
    mean, theta = MeanNetwork(networks), np.concatenate(thetas)

    def function(net, theta):
        return METHODS[name](net, theta, X, V, S)

    found = function(mean, theta)
    assert_allclose(found, mean_of(function, networks, thetas), rtol=1e-12, atol=1e-14)
    mix = rng.normal(size=found.shape)
    gradient = autograd.grad(lambda theta: anp.sum(function(mean, theta) * mix))(theta)
    expected = [
        autograd.grad(lambda theta, net=net: anp.sum(function(net, theta) * mix))(own)
        / len(networks)
        for net, own in zip(networks, thetas, strict=True)
    ]
    assert_allclose(gradient, np.concatenate(expected), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("scale", [0.7, np.array([1.0, 0.0, 2.0])], ids=["float", "array"])
@pytest.mark.parametrize("seeded", [False, True])
def test_squared_jacobian_is_that_of_the_mean(drawn, rng, scale, seeded):
    """Not the mean of the squares."""
    networks, thetas, X = drawn
    S = rng.normal(size=(7, 4, 2)) if seeded else None
    J = mean_of(lambda net, theta: net.jacobian(theta, X, S), networks, thetas)
    found = MeanNetwork(networks).squared_jacobian(np.concatenate(thetas), X, scale, S)
    assert_allclose(found, ((J * scale) ** 2).sum(axis=(1, 2)), rtol=1e-12)


def test_linearization_is_the_mean(drawn, rng):
    networks, thetas, X = drawn
    V, U = rng.normal(size=(7, 3)), rng.normal(size=(7, 2))
    linearization = MeanNetwork(networks).linearize(np.concatenate(thetas), X)
    assert linearization.n_features == 3
    for found, function in (
        (linearization.h, lambda net, theta: net.forward(theta, X)),
        (linearization.jvp(V), lambda net, theta: net.linearize(theta, X).jvp(V)),
        (linearization.vjp(U), lambda net, theta: net.linearize(theta, X).vjp(U)),
    ):
        assert_allclose(found, mean_of(function, networks, thetas), rtol=1e-12, atol=1e-14)


def test_points_that_went_through_before_do_not_change_the_result(drawn, rng):
    networks, thetas, X = drawn
    mean, theta = MeanNetwork(networks), np.concatenate(thetas)
    known, mix = mean.linearize(theta, X[:4]), rng.normal(size=(7, 2))
    h = mean.forward(theta, X)
    assert_allclose(mean.forward(theta, X, known), h, rtol=1e-12)
    resumed, whole = (
        autograd.grad(lambda theta, which=which: anp.sum(mean.forward(theta, X, which) * mix))(
            theta
        )
        for which in (known, None)
    )
    assert_allclose(resumed, whole, rtol=1e-12, atol=1e-14)


def test_known_points_are_reused_at_the_same_theta_only(drawn):
    """Rows at which the linearization was not computed give it away."""
    networks, thetas, X = drawn
    mean, theta = MeanNetwork(networks), np.concatenate(thetas)
    known = mean.linearize(theta, X[:3])
    others = X[3:6]
    assert_array_equal(mean.forward(theta, others, known), known.h)
    assert_array_equal(mean.forward(theta.copy(), others, known), known.h)
    theta += 0.1  # in place, as a solver does
    assert_allclose(mean.forward(theta, others, known), mean.forward(theta, others), rtol=1e-12)


def test_only_the_network_whose_theta_changed_starts_anew(rng):
    networks = NETWORKS[:2]
    mean, X = MeanNetwork(networks), rng.normal(size=(6, 3))
    thetas = [0.7 * rng.normal(size=network.size) for network in networks]
    known = mean.linearize(np.concatenate(thetas), X[:3])
    thetas[1] += 0.1
    h = mean.forward(np.concatenate(thetas), X, known)
    expected = mean_of(lambda net, theta: net.forward(theta, X), networks, thetas)
    assert_allclose(h, expected, rtol=1e-12)


def test_float32_stays_float32(drawn, rng):
    networks, thetas, X = drawn
    mean, theta = MeanNetwork(networks), np.concatenate(thetas).astype(np.float32)
    V, S, X = (
        array.astype(np.float32)
        for array in (rng.normal(size=(2, 7, 3)), rng.normal(size=(7, 4, 2)), X)
    )
    for method in METHODS.values():
        assert method(mean, theta, X, V, S).dtype == np.float32
    assert mean.squared_jacobian(theta, X, 0.7).dtype == np.float32
    known = mean.linearize(theta, X)
    assert {a.dtype for a in (known.h, known.jvp(X), known.vjp(known.h))} == {np.dtype("f4")}


def test_sizes_are_those_of_its_networks(drawn):
    networks, thetas, _ = drawn
    mean = MeanNetwork(networks)
    assert mean.size == sum(map(len, thetas))
    assert (mean.n_features, mean.n_outputs, mean.n_members) == (3, 2, 1)
    assert mean.widest == max(network.widest for network in networks)


def test_outputs_of_many_rows_are_those_of_its_networks(drawn, monkeypatch):
    networks, thetas, X = drawn
    monkeypatch.setattr("skc2c.network.blocks.BLOCK_NUMBERS", 1)
    X = np.tile(X, (30, 1))
    mean, theta = MeanNetwork(networks), np.concatenate(thetas)
    assert_allclose(outputs(mean, theta, X), mean.forward(theta, X), rtol=1e-12)


def test_means_of_the_same_networks_are_equal_and_hashable():
    assert MeanNetwork(NETWORKS) == MeanNetwork(NETWORKS)
    assert len({MeanNetwork(NETWORKS), MeanNetwork(NETWORKS)}) == 1
    assert MeanNetwork(NETWORKS) != MeanNetwork(NETWORKS[:2])
