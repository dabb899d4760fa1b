"""Points and tangents through a whole network, and back, against plain autograd."""

import autograd
import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import HIDDEN, SMOOTH, assert_gradient, draw_network
from scipy import sparse

from skc2c.network import ACTIVATIONS, Members
from skc2c.network.passes import Layout

everywhere = pytest.mark.parametrize("activation", ACTIVATIONS)
smooth = pytest.mark.parametrize("activation", SMOOTH)
depths = pytest.mark.parametrize("hidden", HIDDEN)


def plain_forward(network, theta, X):
    return oracles.forward(network.layer_units, network.activation, theta, X)


def plain_jacobian(network, theta, X):
    return oracles.jacobian(network.layer_units, network.activation, theta, X)


def assert_same_gradients(fused, plain, arguments):
    for i in range(len(arguments)):
        found, expected = (autograd.grad(one, i)(*arguments) for one in (fused, plain))
        assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


@everywhere
@depths
def test_forward_and_its_gradients_equal_plain_autograd(rng, activation, hidden):
    network, theta, X = draw_network(rng, hidden, activation)
    mix = rng.normal(size=(9, 3))
    assert_allclose(network.forward(theta, X), plain_forward(network, theta, X), rtol=1e-12)
    assert_same_gradients(
        lambda theta, X: (network.forward(theta, X) * mix).sum(),
        lambda theta, X: (plain_forward(network, theta, X) * mix).sum(),
        (theta, X),
    )


@everywhere
@depths
def test_tangent_and_its_gradients_equal_plain_autograd(rng, activation, hidden):
    network, theta, X = draw_network(rng, hidden, activation)
    V = rng.normal(size=(2, *X.shape))
    mix_h, mix = rng.normal(size=(9, 3)), rng.normal(size=(2, 9, 3))
    h, dh = network.tangent(theta, X, V)
    J = plain_jacobian(network, theta, X)
    assert_allclose(h, network.forward(theta, X), rtol=1e-12)
    assert_allclose(dh, np.einsum("nkd,mnd->mnk", J, V), rtol=1e-9, atol=1e-12)
    h, dh = network.tangent(theta, X, V[0])  # one direction does without the axis
    assert_allclose(h, network.forward(theta, X), rtol=1e-12)
    assert_allclose(dh, np.einsum("nkd,nd->nk", J, V[0]), rtol=1e-9, atol=1e-12)

    def fused(theta, X, V):
        h, dh = network.tangent(theta, X, V)
        return anp.sum(h * mix_h) + anp.sum(dh * mix)

    def plain(theta, X, V):
        h, J = plain_forward(network, theta, X), plain_jacobian(network, theta, X)
        return anp.sum(h * mix_h) + anp.sum(anp.einsum("nkd,mnd->mnk", J, V) * mix)

    assert_same_gradients(fused, plain, (theta, X, V))


@smooth
@depths
@pytest.mark.parametrize("name", ["forward", "tangent"])
def test_gradients_equal_finite_differences(rng, activation, hidden, name):
    network, theta, X = draw_network(rng, hidden, activation)
    V = rng.normal(size=X.shape)
    mix = np.cos(np.arange(27.0)).reshape(9, 3)

    def function(theta):
        out = network.forward(theta, X) if name == "forward" else network.tangent(theta, X, V)[1]
        return (out * mix).sum()

    assert_gradient(function, autograd.grad(function)(theta), theta, rng)


@everywhere
@depths
def test_linearization_gives_products_with_the_jacobian(rng, activation, hidden):
    network, theta, X = draw_network(rng, hidden, activation)
    V, U = rng.normal(size=X.shape), rng.normal(size=(9, 3))
    J = plain_jacobian(network, theta, X)
    linearization = network.linearize(theta, X)
    assert linearization.n_features == 4
    assert_allclose(linearization.h, network.forward(theta, X), rtol=1e-12)
    for _ in range(2):  # it may be used again and again
        assert_allclose(linearization.jvp(V), np.einsum("nkd,nd->nk", J, V), rtol=1e-9, atol=1e-12)
        assert_allclose(linearization.vjp(U), np.einsum("nkd,nk->nd", J, U), rtol=1e-9, atol=1e-12)


@everywhere
@depths
@pytest.mark.parametrize("n_known", [4, 9])
def test_points_that_went_through_before_do_not_change_the_result(rng, activation, hidden, n_known):
    network, theta, X = draw_network(rng, hidden, activation)
    mix = rng.normal(size=(9, 3))
    known = network.linearize(theta, X[:n_known])

    def of(linearization):
        def function(theta, X):
            return (network.forward(theta, X, linearization) * mix).sum()

        return function

    for _ in range(2):  # resuming does not use the linearization up
        assert_allclose(of(known)(theta, X), of(None)(theta, X), rtol=1e-12)
        assert_same_gradients(of(known), of(None), (theta, X))


@everywhere
@pytest.mark.parametrize("k", [None, 3])
def test_output_comes_with_its_way_back(rng, activation, k):
    """Without a trace: for one network, and for members on rows of their own."""
    network, theta, X = draw_network(rng, (6, 5), activation)
    if k is not None:
        network = Members(network.layer_units, activation, k=k)
        theta = 0.5 * rng.normal(size=network.size)
    theta = np.concatenate([theta, [1.0, 2.0]])  # and two parameters of a penalty
    mix = rng.normal(size=(9, 3))
    h, back = network.forward_with_way_back(theta, X)
    assert_array_equal(h, network.forward(theta, X))
    expected = autograd.grad(lambda theta: (network.forward(theta, X) * mix).sum())(theta)
    assert_array_equal(back(mix.copy()), expected)


def test_known_points_are_indeed_reused(rng):
    """Rows at which the linearization was not computed give it away."""
    network, theta, X = draw_network(rng, (6, 5))
    known = network.linearize(theta, X[:4])
    h = network.forward(theta, np.concatenate([X[4:8], X[4:]]), known)
    assert_array_equal(h[:4], known.h)
    assert_allclose(h[4:], network.forward(theta, X[4:]), rtol=1e-13)
    elsewhere = network.forward(theta + 1e-9, np.concatenate([X[4:8], X[4:]]), known)
    assert_allclose(elsewhere[:4], network.forward(theta, X[4:8]), rtol=1e-6)


@everywhere
def test_float32_stays_float32(rng, activation):
    network, theta, X = draw_network(rng, (6, 5), activation)
    V = rng.normal(size=X.shape)
    theta, X, V = (array.astype(np.float32) for array in (theta, X, V))

    def total(theta, X, V):
        h, dh = network.tangent(theta, X, V)
        whole = network.forward(theta, X, known)
        assert {autograd.tracer.getval(out).dtype for out in (h, dh, whole)} == {np.dtype("f4")}
        return (h * dh).sum() + (whole * whole).sum()

    known = network.linearize(theta, X[:4])
    assert {a.dtype for a in (known.h, known.jvp(V[:4]), known.vjp(known.h))} == {np.dtype("f4")}
    for i in range(3):
        assert autograd.grad(total, i)(theta, X, V).dtype == np.float32


def test_parameters_that_follow_are_not_the_networks(rng):
    """Theta may go on with the parameters of a penalty: their gradient here is zero."""
    network, theta, X = draw_network(rng, (6, 5))
    longer = np.concatenate([theta, rng.normal(size=7)])
    V = rng.normal(size=X.shape)
    for function in (
        lambda theta: (network.forward(theta, X) ** 2).sum(),
        lambda theta: (network.tangent(theta, X, V)[1] ** 2).sum(),
        lambda theta: (network.jacobian(theta, X) ** 2).sum(),
        lambda theta: network.squared_jacobian(theta, X, 0.7).sum(),
    ):
        assert function(longer) == function(theta)
        gradient = autograd.grad(function)(longer)
        assert_array_equal(gradient[: network.size], autograd.grad(function)(theta))
        assert_array_equal(gradient[network.size :], np.zeros(7))
    assert_array_equal(network.linearize(longer, X).h, network.linearize(theta, X).h)


@depths
@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csr_array])
def test_sparse_rows_go_through_like_dense_ones(rng, hidden, make):
    network, theta, X = draw_network(rng, hidden)
    X[np.abs(X) < 0.7] = 0.0
    h = network.forward(theta, make(X))
    assert isinstance(h, np.ndarray)
    assert_allclose(h, network.forward(theta, X), rtol=1e-12, atol=1e-14)


def test_inputs_are_left_as_they_are(rng):
    network, theta, X = draw_network(rng, (6, 5))
    V = rng.normal(size=X.shape)
    kept = [array.copy() for array in (theta, X, V)]

    def total(theta, X, V):
        h, dh = network.tangent(theta, X, V)
        return anp.sum(h * h) + anp.sum(dh * dh)

    for i in range(3):
        autograd.grad(total, i)(theta, X, V)
    for array, untouched in zip((theta, X, V), kept, strict=True):
        assert_array_equal(array, untouched)


def test_layout_of_a_single_network():
    layout = Layout(3)
    assert_array_equal(layout.of_theta(np.arange(5)), [0, 1, 2])
    rows = np.zeros((4, 2))
    assert layout.of_rows(rows) is rows
    assert layout.of_points(4) == 4


def test_layout_of_members():
    layout = Layout(6, k=2, n=3)
    assert_array_equal(layout.of_theta(np.arange(7)), [[0, 1, 2], [3, 4, 5]])
    rows = np.arange(24).reshape(12, 2)
    assert_array_equal(layout.of_rows(rows), np.arange(24).reshape(2, 2, 3, 2))
    assert layout.of_points(6) == 1
    assert layout.of_points(12) == 2
