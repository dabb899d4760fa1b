"""What is particular to the periodic embedding; its contract as a layer is in test_layers.py."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import assert_gradient
from periodic_embedding import PeriodicEmbedding

from skc2c.network import Network

GROUPS = ["frequencies", "phases", "maps", "constants"]


def place(**settings):
    """An embedding of three columns of five, in a theta of its own."""
    layer = PeriodicEmbedding(
        weights=slice(0, 0),
        **{"n_features": 5, "columns": (3, 0, 4), "n_frequencies": 4, "n_functions": 2, **settings},
    )
    return PeriodicEmbedding(**{**vars_of(layer), "others": slice(0, layer.n_others)})


def vars_of(layer):
    return {name: getattr(layer, name) for name in layer.__dataclass_fields__}


def test_features_come_first_then_the_functions_column_by_column(rng):
    """``W' cos(2 pi f x + b) + c``, written out."""
    layer = place()
    theta, X = rng.normal(size=layer.n_others), rng.normal(size=(6, 5))
    f, b, W, c = layer.parts(theta)
    assert [part.shape for part in (f, b, W, c)] == [(3, 1, 4), (3, 1, 4), (3, 4, 2), (3, 1, 2)]
    out, _ = layer.evaluate(theta, X)
    assert out.shape == (6, layer.n_out) == (6, 11)
    assert_array_equal(out[:, :5], X)
    for i, row in enumerate(X):
        for j, column in enumerate((3, 0, 4)):
            for p in range(2):
                waves = [
                    W[j, l, p] * np.cos(2 * np.pi * f[j, 0, l] * row[column] + b[j, 0, l])
                    for l in range(4)  # noqa: E741
                ]
                assert_allclose(out[i, 5 + 2 * j + p], sum(waves) + c[j, 0, p], rtol=1e-12)


def test_parts_are_views_one_after_the_other():
    layer = place()
    theta = np.zeros(layer.n_others)
    for number, part in enumerate(layer.parts(theta)):
        part[...] = number
    assert_array_equal(theta, np.repeat([0.0, 1, 2, 3], [12, 12, 24, 6]))


def test_weight_decay_does_not_act_on_it():
    layer = place()
    assert layer.n_weights == 0
    network = Network((5, 7, 1), "tanh", (layer,))
    assert network.n_weights == layer.n_out * 7 + 7
    theta = np.zeros(network.size)
    for part in network.layers[0].parts(theta):
        part[...] = 1.0
    assert not network.decayed(theta).any()


def test_only_the_columns_asked_for_are_embedded(rng):
    layer = place()
    theta, X = rng.normal(size=layer.n_others), rng.normal(size=(6, 5))
    moved = X.copy()
    moved[:, [1, 2]] += 1.0
    before, after = (layer.evaluate(theta, rows)[0] for rows in (X, moved))
    assert_array_equal(before[:, 5:], after[:, 5:])
    moved[:, 0] += 1.0  # the second of the columns: functions 2 and 3
    changed = (layer.evaluate(theta, moved)[0] != before).all(axis=0)
    assert_array_equal(np.flatnonzero(changed), [0, 1, 2, 7, 8])


@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_initial_parameters_have_their_distributions(rng, sigma):
    layer = place(n_features=60, columns=tuple(range(60)), n_frequencies=50, sigma=sigma)
    theta = np.empty(layer.n_others)
    layer.initialize(theta, rng, gain=7.0)  # a gain is for kernels
    frequencies, phases, maps, constants = layer.parts(theta)
    assert_allclose(frequencies.std(), sigma, rtol=0.05)
    assert abs(frequencies.mean()) < 0.1 * sigma
    # Normal: kurtosis 3, where that of a uniform distribution is 1.8.
    assert_allclose((frequencies**4).mean() / frequencies.var() ** 2, 3.0, rtol=0.15)
    for part, bound in (
        (phases, np.pi),
        (maps, 1 / np.sqrt(50)),
        (constants, 1 / np.sqrt(50)),
    ):
        assert np.abs(part).max() <= bound
        assert_allclose([part.min(), part.max()], [-bound, bound], rtol=0.05)
        assert_allclose(part.var(), bound**2 / 3, rtol=0.2)
        assert abs(part.mean()) < 0.2 * bound


@pytest.mark.parametrize("of_tangents", [False, True])
@pytest.mark.parametrize("group", GROUPS)
def test_gradient_with_respect_to_each_group(rng, group, of_tangents):
    """In a network, one kind of parameter at a time."""
    network = Network((5, 6, 2), "tanh", (place(),))
    layer = network.layers[0]
    theta = 0.5 * rng.normal(size=network.size)
    X, V, mix = rng.normal(size=(7, 5)), rng.normal(size=(7, 5)), rng.normal(size=(7, 2))

    def part(vector):
        return layer.parts(vector)[GROUPS.index(group)]

    def total(theta):
        h, dh = network.tangent(theta, X, V)
        return anp.sum((dh if of_tangents else h) * mix)

    def at(values):
        moved = theta.copy()
        part(moved)[...] = values
        return total(moved)

    gradient = part(autograd.grad(total)(theta))
    if group == "constants" and of_tangents:
        assert np.abs(gradient).max() > 1e-6  # by the slopes of the layer above
    assert_gradient(at, gradient, part(theta), rng)


def test_products_with_the_jacobian_of_a_network(rng):
    network = Network((5, 6, 2), "tanh", (place(),))
    theta, X = 0.5 * rng.normal(size=network.size), rng.normal(size=(7, 5))
    V, U = rng.normal(size=(7, 5)), rng.normal(size=(7, 2))
    linearization = network.linearize(theta, X)
    step = 1e-4
    near = (network.forward(theta, X + step * V) - network.forward(theta, X - step * V)) / step / 2
    assert_allclose(linearization.jvp(V), near, rtol=1e-5, atol=1e-6)
    assert_allclose((linearization.vjp(U) * V).sum(), (linearization.jvp(V) * U).sum(), rtol=1e-12)


def test_rough_frequencies_make_rough_functions(rng):
    """What `sigma` is for: the slope of the embedding grows with it."""
    slopes = []
    for sigma in (0.1, 0.5, 2.5):
        layer = place(sigma=sigma)
        theta = np.empty(layer.n_others)
        layer.initialize(theta, np.random.default_rng(0), 1.0)
        X = rng.normal(size=(50, 5))
        residual = layer.evaluate(theta, X)[1]
        slopes.append(np.abs(layer.linear_map(theta, X, residual).slopes).mean())
    assert slopes[0] < slopes[1] < slopes[2]
