"""What is particular to Fourier features; their contract as a layer is in test_layers.py."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from skc2c.network import Network
from skc2c.network.fourier_features import FourierFeatures

LAYER = FourierFeatures(n_features=4, columns=(3, 1), frequencies=(0.25, 0.6, 1.0))


def test_sines_and_cosines_follow_the_features_frequency_by_frequency(rng):
    X = rng.normal(size=(6, 4))
    out, _ = LAYER.evaluate(None, X)
    assert out.shape == (6, LAYER.n_out) == (6, 4 + 2 * 2 * 3)
    assert_array_equal(out[:, :4], X)
    expected = [
        wave(2 * np.pi * f * X[:, column])
        for f in (0.25, 0.6, 1.0)
        for wave in (np.sin, np.cos)
        for column in (3, 1)
    ]
    assert_allclose(out[:, 4:], np.transpose(expected), rtol=1e-12, atol=1e-15)


def test_frequencies_are_in_turns_per_unit():
    layer = FourierFeatures(n_features=1, columns=(0,), frequencies=(0.25,))
    out, _ = layer.evaluate(None, np.array([[0.0], [1.0], [2.0], [4.0]]))
    assert_allclose(out[:, 1], [0, 1, 0, 0], atol=1e-12)
    assert_allclose(out[:, 2], [1, 0, -1, 1], atol=1e-12)


def test_there_is_nothing_to_learn(rng):
    assert (LAYER.n_weights, LAYER.n_others) == (0, 0)
    network, plain = Network((4, 5, 1), "tanh", (LAYER,)), Network((16, 5, 1), "tanh")
    assert (network.size, network.n_weights) == (plain.size, plain.n_weights)
    # A network on the features, computed beforehand, is the same network.
    theta, X = rng.normal(size=network.size), rng.normal(size=(6, 4))
    features, _ = LAYER.evaluate(None, X)
    assert_array_equal(network.forward(theta, X), plain.forward(theta, features))


def test_huge_rows_are_finite():
    for dtype in (np.float32, np.float64):
        out, residual = LAYER.evaluate(None, np.full((1, 4), 1e30, dtype))
        assert np.isfinite(out).all()
        assert out.dtype == dtype
        assert np.isfinite(LAYER.linear_map(None, None, residual).slopes).all()
