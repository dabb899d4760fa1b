"""Layout, initialization and identity of a network, and what stands in front of it."""

from dataclasses import replace

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import assert_gradient, draw_network
from periodic_embedding import PeriodicEmbedding

from skc2c.network import ACTIVATIONS, Network
from skc2c.network.fourier_features import FourierFeatures
from skc2c.network.input_scaling import InputScaling
from skc2c.network.piecewise_linear import PiecewiseLinear


def test_pack_and_unpack_are_inverse(rng):
    network, theta, _ = draw_network(rng, (6, 5))
    coefs, intercepts = network.unpack(theta)
    assert [c.shape for c in coefs] == [(4, 6), (6, 5), (5, 3)]
    assert [b.shape for b in intercepts] == [(6,), (5,), (3,)]
    assert_array_equal(network.pack(coefs, intercepts, theta.dtype), theta)
    assert sum(c.size for c in coefs) == network.n_weights
    assert network.pack(coefs, intercepts, np.float32).dtype == np.float32


def test_unpacked_arrays_are_copies(rng):
    network, theta, _ = draw_network(rng, (6, 5))
    kept = theta.copy()
    for arrays in network.unpack(theta):
        for array in arrays:
            array += 1.0
    assert_array_equal(theta, kept)


def test_theta_holds_all_kernels_then_all_biases():
    network = Network((2, 3, 1), "relu")
    theta = np.arange(float(network.size))
    coefs, intercepts = network.unpack(theta)
    assert_array_equal(coefs[0], [[0, 1, 2], [3, 4, 5]])
    assert_array_equal(coefs[1], [[6], [7], [8]])
    assert_array_equal(intercepts[0], [9, 10, 11])
    assert_array_equal(intercepts[1], [12])
    assert (network.size, network.n_weights) == (13, 9)


def test_weight_decay_acts_on_the_kernels():
    network = Network((2, 3, 1), "relu")
    theta = np.zeros(network.size + 5)  # with parameters of a penalty
    network.decayed(theta)[...] = 1.0
    assert_array_equal(theta, np.r_[np.ones(9), np.zeros(9)])


def test_sizes_are_those_of_the_layers():
    network = Network((4, 9, 2), "tanh")
    assert (network.n_features, network.n_outputs, network.widest) == (4, 2, 9)
    assert Network((40, 9, 2), "tanh").widest == 40
    assert Network((4, 9, 20), "tanh").widest == 20
    assert network.n_members == 1
    assert [layer.shape for layer in network.dense_layers] == [(4, 9), (9, 2)]
    names = [layer.activation for layer in network.layers]
    assert names == [ACTIVATIONS["tanh"], ACTIVATIONS["identity"]]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_initial_network_keeps_the_scale_of_its_input(rng, activation):
    """The output of a deep random network neither dies out nor explodes."""
    network = Network((300, 300, 300, 300, 300), activation)
    theta = network.initialize(rng, np.float64)
    h = network.forward(theta, rng.normal(size=(200, 300)))
    assert 0.05 < h.std() < 5


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_only_kernels_between_hidden_layers_are_larger_by_the_gain(activation):
    network = Network((100, 100, 100, 100, 100), activation)
    coefs, _ = network.unpack(network.initialize(np.random.default_rng(0), np.float64))
    gain = ACTIVATIONS[activation].gain
    variances = [kernel.var() * 100 for kernel in coefs]
    assert_allclose(variances, [1.0, gain, gain, 1.0], rtol=0.05)


def test_initial_parameters_are_drawn_from_the_generator(rng):
    network = Network((4, 9, 2), "tanh")
    draws = [network.initialize(np.random.default_rng(seed), np.float32) for seed in (0, 0, 1)]
    assert draws[0].dtype == np.float32
    assert draws[0].shape == (network.size,)
    assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).all()
    exact = network.initialize(np.random.default_rng(0), np.float64)
    assert_array_equal(draws[0], exact.astype(np.float32))  # the same network in either


def test_networks_of_one_shape_are_equal_and_hashable():
    assert Network((2, 3), "relu") == Network((2, 3), "relu")
    assert len({Network((2, 3), "relu"), Network((2, 3), "relu")}) == 1
    assert Network((2, 3), "relu") != Network((2, 4), "relu")
    assert Network((2, 3), "relu") != Network((2, 3), "tanh")


def test_network_of_numpy_shapes_is_equal_and_hashable():
    units = tuple(np.array([2, 3]))
    assert Network(units, "relu") == Network((2, 3), "relu")
    assert len({Network(units, "relu"), Network((2, 3), "relu")}) == 1


# --------------------------------------------------------- with other layers in front of it


SCALING = InputScaling(center=np.array([0.3, -0.2, 0.0, 1.0]), scale=np.array([1.0, 2.5, 0.0, 0.7]))
FOURIER = FourierFeatures(n_features=4, columns=(3, 1), frequencies=(0.25, 0.6))
BINS = PiecewiseLinear(
    n_features=4, columns=(3, 1), breakpoints=((-1.0, 0.1, 1.5), (-0.6, -0.1, 0.3, 0.9))
)
EMBEDDING = PeriodicEmbedding(n_features=4, columns=(2, 0), n_frequencies=3, n_functions=2)
FRONTS = {
    "scaling": (SCALING,),
    "fourier": (FOURIER,),
    "embedding": (EMBEDDING,),
    "scaling and fourier": (SCALING, FOURIER),
    "scaling, bins and fourier": (SCALING, BINS, replace(FOURIER, n_features=BINS.n_out)),
    "scaling and embedding": (SCALING, EMBEDDING),
}
every_front = pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)


def draw_with_front(rng, front, hidden=(6, 5), activation="tanh"):
    network = Network((4, *hidden, 3), activation, front)
    theta = 0.5 * rng.normal(size=network.size)
    return network, theta, rng.normal(size=(7, 4))


def composed(network, theta, X):
    """Layer after layer, each evaluated by itself."""
    for layer in network.layers:
        X, _ = layer.evaluate(theta, X)
    return X


def plain_jacobian(network, theta, X, step=1e-3):
    """``dh/dx``, (n, K, D), by central differences of the eighth order."""
    weights = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
    columns = []
    for shift in step * np.eye(X.shape[1]):
        differences = [
            w * (composed(network, theta, X + j * shift) - composed(network, theta, X - j * shift))
            for j, w in weights.items()
        ]
        columns.append(sum(differences) / step)
    return np.stack(columns, axis=2)


@every_front
def test_layers_in_front_keep_their_place_in_theta(front):
    network = Network((4, 6, 5, 3), "tanh", front)
    assert [type(layer) for layer in network.layers[: len(front)]] == list(map(type, front))
    assert network.dense_layers == network.layers[len(front) :]
    assert network.dense_layers[0].n_in == front[-1].n_out
    # Kernels first, then what weight decay spares; no entry is left out or shared.
    places = [layer.weights for layer in network.layers] + [
        layer.others for layer in network.layers
    ]
    covered = np.concatenate([np.arange(network.size)[place] for place in places])
    assert_array_equal(covered, np.arange(network.size))
    assert network.n_weights == sum(np.prod(layer.shape) for layer in network.dense_layers)
    assert (network.n_features, network.n_outputs) == (4, 3)
    assert network.widest == max(front[-1].n_out, 6)


@every_front
def test_every_layer_draws_its_own_parameters(front):
    network = Network((4, 6, 5, 3), "tanh", front)
    theta = network.initialize(np.random.default_rng(0), np.float64)
    assert np.isfinite(theta).all()
    assert (theta != 0).all()
    # One after the other from one generator, in front first.
    expected, rng = np.zeros(network.size), np.random.default_rng(0)
    for layer in network.layers:
        layer.initialize(expected, rng, 1.0)
    assert_array_equal(theta, expected)


@every_front
@pytest.mark.parametrize("hidden", [(), (6, 5)])
def test_methods_of_a_network_with_a_front_agree_with_its_composition(rng, front, hidden):
    network, theta, X = draw_with_front(rng, front, hidden)
    V, U, seeds = rng.normal(size=(2, 7, 4)), rng.normal(size=(7, 3)), rng.normal(size=(7, 2, 3))
    scale = np.array([1.0, 0.0, 0.3, 2.0])
    h, J = composed(network, theta, X), plain_jacobian(network, theta, X)
    close = {"rtol": 1e-7, "atol": 1e-8}
    known = network.linearize(theta, X[:3])
    assert_allclose(network.forward(theta, X), h, rtol=1e-12)
    assert_allclose(network.forward(theta, X, known), h, rtol=1e-12)
    assert_allclose(network.tangent(theta, X, V)[0], h, rtol=1e-12)
    assert_allclose(network.tangent(theta, X, V)[1], np.einsum("nkd,mnd->mnk", J, V), **close)
    assert_allclose(network.jacobian(theta, X), J, **close)
    assert_allclose(network.jacobian(theta, X, seeds), seeds @ J, **close)
    norm = ((J * scale) ** 2).sum(axis=(1, 2))
    assert_allclose(network.squared_jacobian(theta, X, scale), norm, **close)
    norm = ((seeds @ J * 0.7) ** 2).sum(axis=(1, 2))
    assert_allclose(network.squared_jacobian(theta, X, 0.7, seeds), norm, **close)
    linearization = network.linearize(theta, X)
    assert_allclose(linearization.h, h, rtol=1e-12)
    assert_allclose(linearization.jvp(V[0]), np.einsum("nkd,nd->nk", J, V[0]), **close)
    assert_allclose(linearization.vjp(U), np.einsum("nkd,nk->nd", J, U), **close)


TRACED = {
    "forward": lambda net, theta, X, V, S: net.forward(theta, X),
    "resumed forward": lambda net, theta, X, V, S: net.forward(
        theta, X, net.linearize(autograd.tracer.getval(theta), X[:3])
    ),
    "tangent": lambda net, theta, X, V, S: net.tangent(theta, X, V)[1],
    "jacobian": lambda net, theta, X, V, S: net.jacobian(theta, X),
    "seeded jacobian": lambda net, theta, X, V, S: net.jacobian(theta, X, S),
    "squared jacobian": lambda net, theta, X, V, S: net.squared_jacobian(theta, X, 0.7),
    "seeded squared jacobian": lambda net, theta, X, V, S: net.squared_jacobian(theta, X, 0.7, S),
}


@every_front
@pytest.mark.parametrize("name", TRACED)
def test_gradients_through_a_front_equal_finite_differences(rng, front, name):
    network, theta, X = draw_with_front(rng, front)
    V, S = rng.normal(size=X.shape), rng.normal(size=(7, 2, 3))

    def function(theta):
        out = TRACED[name](network, theta, X, V, S)
        return anp.sum(out * np.cos(np.arange(out.size)).reshape(out.shape))

    assert_gradient(function, autograd.grad(function)(theta), theta, rng)


@every_front
@pytest.mark.parametrize("name", TRACED)
def test_float32_stays_float32_through_a_front(rng, front, name):
    network, theta, X = draw_with_front(rng, front)
    V, S = rng.normal(size=X.shape), rng.normal(size=(7, 2, 3))
    theta, X, V, S = (array.astype(np.float32) for array in (theta, X, V, S))

    def function(theta):
        out = TRACED[name](network, theta, X, V, S)
        assert autograd.tracer.getval(out).dtype == np.float32
        return (out * out).sum()

    assert autograd.grad(function)(theta).dtype == np.float32


@every_front
def test_copies_of_rows_are_rows_like_others_to_a_single_network(rng, front):
    network, theta, X = draw_with_front(rng, front)
    rows = np.concatenate([X, X + 0.1])
    assert_array_equal(network.forward(theta, rows, n=7), network.forward(theta, rows))


@every_front
def test_gradient_with_respect_to_rows_goes_through_the_front(rng, front):
    network, theta, X = draw_with_front(rng, front)
    mix = rng.normal(size=(7, 3))
    gradient = autograd.grad(lambda X: (network.forward(theta, X) * mix).sum())(X)
    expected = np.einsum("nkd,nk->nd", plain_jacobian(network, theta, X), mix)
    assert_allclose(gradient, expected, rtol=1e-7, atol=1e-8)


def test_a_layer_that_is_placed_is_a_copy():
    """The same front serves many networks."""
    network = Network((4, 3), "tanh", (EMBEDDING,))
    assert network.layers[0].others is not None
    assert EMBEDDING.others is None
