"""What is particular to a dense layer; what it shares with the others is in test_layers.py."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skc2c.network import ACTIVATIONS
from skc2c.network.dense import Dense, pull_back


def place(shape, name="tanh"):
    size = shape[0] * shape[1]
    return Dense(
        weights=slice(1, 1 + size),
        others=slice(2 + size, 2 + size + shape[1]),
        shape=shape,
        activation=ACTIVATIONS[name],
    )


def test_kernel_and_bias_are_views_of_theta():
    layer = place((3, 2))
    theta = np.zeros(12)
    layer.kernel(theta)[...] = [[1, 2], [3, 4], [5, 6]]
    layer.bias(theta)[...] = [7, 8]
    assert_array_equal(theta, [0, 1, 2, 3, 4, 5, 6, 0, 7, 8, 0, 0])


def test_kernels_and_biases_of_members_are_views_too():
    layer = place((3, 2))
    theta = np.zeros((2, 12))
    layer.kernel(theta)[...] = np.arange(12).reshape(2, 3, 2)
    layer.bias(theta)[1] = [7, 8]
    assert_array_equal(theta[0], [0, 0, 1, 2, 3, 4, 5, 0, 0, 0, 0, 0])
    assert_array_equal(theta[1], [0, 6, 7, 8, 9, 10, 11, 0, 7, 8, 0, 0])
    assert layer.bias(theta).shape == (2, 1, 2)


@pytest.mark.parametrize("gain", [1.0, 2.0])
def test_initial_kernel_and_bias_are_uniform_between_their_bounds(gain, rng):
    layer = place((300, 200))
    theta = np.empty(layer.others.stop)
    layer.initialize(theta, rng, gain)
    for values, bound in (
        (theta[layer.weights], np.sqrt(6 * gain / 500)),
        (theta[layer.others], 1 / np.sqrt(300)),
    ):
        assert np.abs(values).max() <= bound
        assert_allclose([values.min(), values.max()], [-bound, bound], rtol=0.05)
        assert_allclose(values.var(), bound**2 / 3, rtol=0.2)
        assert abs(values.mean()) < 0.1 * bound
    # The variance that Glorot and Bengio ask for, times the gain.
    assert_allclose(theta[layer.weights].var(), gain * 2 / 500, rtol=0.02)


def test_linear_layer_is_known_by_its_activation():
    assert [name for name in ACTIVATIONS if place((3, 2), name).is_linear] == ["identity"]


@pytest.mark.parametrize(("fan_out", "stack"), [*product([1, 4], [(), (3,), (2, 3)])])
def test_pull_back_is_a_product_with_the_transpose(fan_out, stack, rng):
    """One output is a case of its own, for speed."""
    kernel = rng.normal(size=(*stack[1:], 5, fan_out))
    g = rng.normal(size=(*stack, 7, fan_out))
    assert_allclose(pull_back(g, kernel), np.einsum("...nh,...dh->...nd", g, kernel), rtol=1e-12)
