"""What is particular to bins; their contract as a layer is in test_layers.py."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skc2c.network import Network
from skc2c.network.piecewise_linear import PiecewiseLinear

LAYER = PiecewiseLinear(
    n_features=3, columns=(2, 0), breakpoints=((-1.0, 0.0, 4.0), (0.0, 0.5, 1.0, 3.0))
)


def test_bins_follow_the_features_column_by_column(rng):
    X = 2 * rng.normal(size=(50, 3))
    out, _ = LAYER.evaluate(None, X)
    assert out.shape == (50, LAYER.n_out) == (50, 3 + 2 + 3)
    assert_array_equal(out[:, :3], X)
    bins = [(2, -1, 0), (2, 0, 4), (0, 0, 0.5), (0, 0.5, 1), (0, 1, 3)]
    expected = [np.interp(X[:, column], (low, high), (0, 1)) for column, low, high in bins]
    assert_allclose(out[:, 3:], np.transpose(expected), rtol=1e-12, atol=1e-12)
    assert_array_equal(LAYER.columns_of_bins, [2, 2, 0, 0, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_dense_layer_on_top_interpolates_any_values(rng, dtype):
    """The function that is linear between breakpoints, and constant beyond them."""
    points, values = np.sort(rng.normal(size=9)), rng.normal(size=9)
    layer = PiecewiseLinear(n_features=1, columns=(0,), breakpoints=(tuple(points),))
    network = Network((1, 1), "identity", (layer,))
    kernel = np.concatenate([[0.0], np.diff(values)])[:, None]
    theta = network.pack([kernel], [values[:1]], dtype)
    x = np.linspace(-4, 4, 201, dtype=dtype)
    expected = np.interp(x, points, values)
    assert_allclose(
        network.forward(theta, x[:, None])[:, 0], expected, atol=20 * np.finfo(dtype).eps
    )


def test_there_is_nothing_to_learn():
    network, plain = Network((3, 5, 1), "tanh", (LAYER,)), Network((8, 5, 1), "tanh")
    assert (LAYER.n_weights, LAYER.n_others) == (0, 0)
    assert (network.size, network.n_weights) == (plain.size, plain.n_weights)


def test_huge_rows_are_finite():
    for dtype in (np.float32, np.float64):
        for huge in (np.finfo(dtype).max, -np.finfo(dtype).max):
            with np.errstate(over="ignore"):
                out, residual = LAYER.evaluate(None, np.full((1, 3), huge, dtype))
            assert out.dtype == dtype
            assert_array_equal(out[:, 3:], float(huge > 0))
            assert_array_equal(LAYER.linear_map(None, None, residual).slopes, 0.0)
