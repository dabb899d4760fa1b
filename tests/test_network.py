import autograd
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import ACTIVATIONS, HIDDEN, SMOOTH, assert_gradient, draw_network, forward

from skc2c.activations import ACTIVATIONS as FUSED
from skc2c.network import Network

everywhere = pytest.mark.parametrize("activation", ACTIVATIONS)
smooth = pytest.mark.parametrize("activation", SMOOTH)
depths = pytest.mark.parametrize("hidden", HIDDEN)


def gradient_of(function, theta):
    return autograd.grad(function)(theta)


@everywhere
@depths
def test_forward_and_its_gradients_equal_plain_autograd(rng, activation, hidden):
    network, theta, X = draw_network(rng, hidden, activation)
    mix = rng.normal(size=(9, 3))

    def fused(theta, X):
        return (network.forward(theta, X) * mix).sum()

    def plain(theta, X):
        return (forward(network.layer_units, activation, theta, X) * mix).sum()

    assert_allclose(
        network.forward(theta, X), forward(network.layer_units, activation, theta, X), rtol=1e-12
    )
    for argument in (0, 1):
        assert_allclose(
            autograd.grad(fused, argument)(theta, X),
            autograd.grad(plain, argument)(theta, X),
            rtol=1e-9,
            atol=1e-12,
        )


@smooth
@depths
def test_tangent_equals_jacobian_times_direction(rng, activation, hidden):
    network, theta, X = draw_network(rng, hidden, activation)
    V = rng.normal(size=(2, *X.shape))
    J = plain_jacobian(network, theta, X)
    h, dh = network.tangent(theta, X, V)
    assert_allclose(h, network.forward(theta, X), rtol=1e-12)
    assert_allclose(dh, np.einsum("nkd,mnd->mnk", J, V), rtol=1e-9, atol=1e-12)
    h, dh = network.tangent(theta, X, V[0])
    assert_allclose(dh, np.einsum("nkd,nd->nk", J, V[0]), rtol=1e-9, atol=1e-12)


def plain_jacobian(network, theta, X):
    """dh/dx by plain autograd, one row at a time."""
    jacobian = autograd.jacobian(
        lambda x: forward(network.layer_units, network.activation, theta, x[None])[0]
    )
    return np.stack([jacobian(x) for x in X])


@everywhere
@depths
def test_jacobian_equals_plain_autograd(rng, activation, hidden):
    network, theta, X = draw_network(rng, hidden, activation)
    expected = plain_jacobian(network, theta, X)
    assert_allclose(network.jacobian(theta, X), expected, rtol=1e-9, atol=1e-12)
    seeds = rng.normal(size=(9, 2, 3))
    assert_allclose(network.jacobian(theta, X, seeds), seeds @ expected, rtol=1e-9, atol=1e-12)


@everywhere
@depths
@pytest.mark.parametrize("scale", [0.7, np.array([1.0, 0.0, 0.3, 2.0])], ids=["float", "array"])
def test_squared_jacobian_equals_sum_of_squares(rng, activation, hidden, scale):
    network, theta, X = draw_network(rng, hidden, activation)
    J = plain_jacobian(network, theta, X) * scale
    expected = (J**2).sum(axis=(1, 2))
    assert_allclose(network.squared_jacobian(theta, X, scale), expected, rtol=1e-9)
    identity = np.broadcast_to(np.eye(3), (9, 3, 3))
    assert_allclose(network.squared_jacobian(theta, X, scale, identity), expected, rtol=1e-9)


TRACED = {
    "forward": lambda net, theta, X, V, S: net.forward(theta, X),
    "tangent": lambda net, theta, X, V, S: net.tangent(theta, X, V)[1],
    "jacobian": lambda net, theta, X, V, S: net.jacobian(theta, X),
    "seeded jacobian": lambda net, theta, X, V, S: net.jacobian(theta, X, S),
    "squared jacobian": lambda net, theta, X, V, S: net.squared_jacobian(theta, X, 0.7),
    "seeded squared jacobian": lambda net, theta, X, V, S: net.squared_jacobian(theta, X, 0.7, S),
}


@smooth
@depths
@pytest.mark.parametrize("name", TRACED)
def test_gradients_equal_finite_differences(rng, activation, hidden, name):
    network, theta, X = draw_network(rng, hidden, activation)
    V, S = rng.normal(size=X.shape), rng.normal(size=(9, 2, 3))

    def function(theta):
        out = TRACED[name](network, theta, X, V, S)
        return (out * np.cos(np.arange(out.size)).reshape(out.shape)).sum()

    assert_gradient(function, gradient_of(function, theta), theta, rng)


@everywhere
def test_linearization_gives_products_with_the_jacobian(rng, activation):
    network, theta, X = draw_network(rng, (6, 5), activation)
    V, U = rng.normal(size=X.shape), rng.normal(size=(9, 3))
    J = plain_jacobian(network, theta, X)
    linearization = network.linearize(theta, X)
    assert_allclose(linearization.h, network.forward(theta, X), rtol=1e-12)
    assert_allclose(linearization.jvp(V), np.einsum("nkd,nd->nk", J, V), rtol=1e-9, atol=1e-12)
    assert_allclose(linearization.vjp(U), np.einsum("nkd,nk->nd", J, U), rtol=1e-9, atol=1e-12)


@everywhere
@depths
def test_points_that_went_through_before_do_not_change_the_result(rng, activation, hidden):
    network, theta, X = draw_network(rng, hidden, activation)
    mix = rng.normal(size=(9, 3))
    known = network.linearize(theta, X[:4])

    def of(linearization):
        def function(theta):
            return (network.forward(theta, X, linearization) * mix).sum()

        return function

    assert_allclose(of(known)(theta), of(None)(theta), rtol=1e-12)
    resumed, whole = (gradient_of(of(which), theta) for which in (known, None))
    assert_allclose(resumed, whole, rtol=1e-12, atol=1e-14)


@everywhere
def test_slope_and_curvature_are_derivatives_of_the_activation(activation):
    z = np.linspace(-6, 6, 41) + 0.01
    step = 1e-5
    functions = FUSED[activation]

    def slope(z):
        return functions.slope(functions.evaluate(z.copy())[1])

    def value(z):
        return functions.evaluate(z.copy())[0]

    residual = functions.evaluate(z.copy())[1]
    curvature = 0.0 if functions.curvature is None else functions.curvature(residual)
    assert_allclose(slope(z), (value(z + step) - value(z - step)) / (2 * step), atol=1e-8)
    assert_allclose(curvature, (slope(z + step) - slope(z - step)) / (2 * step), atol=1e-8)


@everywhere
def test_activations_are_finite_for_huge_inputs(activation):
    functions = FUSED[activation]
    for dtype in (np.float32, np.float64):
        z = np.array([-1e4, -50.0, 0.0, 50.0, 1e4], dtype=dtype)
        value, residual = functions.evaluate(z.copy())
        curvature = functions.curvature or np.zeros_like
        for array in (value, functions.slope(residual), curvature(residual)):
            assert array.dtype == dtype
            assert np.isfinite(array).all()


@everywhere
@pytest.mark.parametrize("name", TRACED)
def test_float32_stays_float32(rng, activation, name):
    network, theta, X = draw_network(rng, (6, 5), activation)
    theta, X, V, S = (
        array.astype(np.float32)
        for array in (theta, X, rng.normal(size=X.shape), rng.normal(size=(9, 2, 3)))
    )

    def function(theta):
        out = TRACED[name](network, theta, X, V, S)
        assert autograd.tracer.getval(out).dtype == np.float32
        return (out * out).sum()

    assert gradient_of(function, theta).dtype == np.float32


def test_pack_and_unpack_are_inverse(rng):
    network, theta, _ = draw_network(rng, (6, 5))
    coefs, intercepts = network.unpack(theta)
    assert [c.shape for c in coefs] == [(4, 6), (6, 5), (5, 3)]
    assert [b.shape for b in intercepts] == [(6,), (5,), (3,)]
    assert_array_equal(network.pack(coefs, intercepts, theta.dtype), theta)
    assert sum(c.size for c in coefs) == network.n_weights


@everywhere
def test_initial_network_keeps_the_scale_of_its_input(rng, activation):
    """The output of a deep random network neither dies out nor explodes."""
    network = Network((300, 300, 300, 300, 300), activation)
    theta = network.initialize(rng, np.float64)
    h = network.forward(theta, rng.normal(size=(200, 300)))
    assert 0.05 < h.std() < 5


def test_network_of_numpy_shapes_is_equal_and_hashable():
    assert Network((2, 3), "relu") == Network((2, 3), "relu")
    assert len({Network((2, 3), "relu"), Network((2, 3), "relu")}) == 1
