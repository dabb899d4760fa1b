"""Every activation of the package's table, against its formula and finite differences."""

import numpy as np
import oracles
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skc2c.network import ACTIVATIONS

everywhere = pytest.mark.parametrize("name", ACTIVATIONS)

STEP = 1e-5
GRID = np.linspace(-6, 6, 41) + 0.01


def value(name, z):
    return ACTIVATIONS[name].evaluate(z.copy())[0]


def slope(name, z):
    activation = ACTIVATIONS[name]
    return activation.slope(activation.evaluate(z.copy())[1])


def curvature(name, z):
    activation = ACTIVATIONS[name]
    if activation.curvature is None:
        return np.zeros_like(z)
    return activation.curvature(activation.evaluate(z.copy())[1])


def difference(function, name):
    return (function(name, GRID + STEP) - function(name, GRID - STEP)) / (2 * STEP)


@everywhere
def test_slope_and_curvature_are_derivatives_of_the_activation(name):
    assert_allclose(slope(name, GRID), difference(value, name), atol=1e-8)
    assert_allclose(curvature(name, GRID), difference(slope, name), atol=1e-8)


@pytest.mark.parametrize("name", oracles.ACTIVATIONS)
def test_activation_equals_its_formula(name):
    assert_allclose(value(name, GRID), oracles.ACTIVATIONS[name](GRID), rtol=1e-13, atol=1e-15)


@everywhere
def test_only_an_activation_straight_in_pieces_has_no_curvature(name):
    """What a curvature of None stands for, and what a linear layer relies on."""
    bent = np.abs(difference(slope, name)).max() > 1e-6
    assert bent == (ACTIVATIONS[name].curvature is not None)


@everywhere
def test_activation_overwrites_its_input(name):
    z = GRID.copy()
    out, residual = ACTIVATIONS[name].evaluate(z)
    assert out is z
    assert_array_equal(out, value(name, GRID))
    assert residual.shape == z.shape
    kept = residual.copy()
    slope(name, GRID), curvature(name, GRID)
    ACTIVATIONS[name].slope(residual)
    (ACTIVATIONS[name].curvature or np.zeros_like)(residual)
    assert_array_equal(residual, kept)  # the derivatives leave it as it is


@everywhere
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_are_finite_for_huge_inputs(name, dtype):
    z = np.array([-1e8, -1e4, -50.0, 0.0, 50.0, 1e4, 1e8], dtype=dtype)
    for function in (value, slope, curvature):
        array = function(name, z)
        assert array.dtype == dtype
        assert np.isfinite(array).all()


@everywhere
def test_float32_is_as_exact_as_it_can_be(name):
    z = GRID.astype(np.float32)
    for function in (value, slope, curvature):
        exact = function(name, z.astype(np.float64))
        assert_allclose(function(name, z), exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["identity", "relu"])
def test_gain_keeps_the_second_moment_of_a_normal_signal(name):
    z = np.linspace(-8, 8, 4001)
    density = np.exp(-0.5 * z * z) / np.exp(-0.5 * z * z).sum()
    moment = (density * value(name, z) ** 2).sum()
    assert_allclose(ACTIVATIONS[name].gain * moment, 1.0, rtol=1e-6)
