"""Where a penalty looks, and the outputs there."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import LIKELIHOODS, draw_network

from skc2c import VAT
from skc2c.penalties import Probe


def test_a_probe_around_rows_has_them_first_and_then_each_copy(rng):
    X, dx = rng.normal(size=(5, 3)), rng.normal(size=(2, 5, 3))
    probe = Probe.around(X, dx, 0.5)
    assert_array_equal(probe.clean, X)
    assert_array_equal(probe.near, np.concatenate([X + dx[0], X + dx[1]]))
    assert_array_equal(Probe.around(X, dx[0], 0.5).near, X + dx[0])
    assert probe.n == 5
    assert probe.epsilon == 0.5


def test_a_probe_at_rows_has_nothing_near(rng):
    X = rng.normal(size=(5, 3))
    probe = Probe.at(X, 0.5, direction=-X)
    assert_array_equal(probe.clean, X)
    assert probe.near.shape == (0, 3)
    assert_array_equal(probe.direction, -X)


def test_the_rows_of_a_probe_are_of_the_dtype_of_X(rng):
    X = rng.normal(size=(5, 3)).astype(np.float32)
    assert Probe.around(X, np.ones((5, 3)), 0.5).rows.dtype == np.float32


def test_outputs_are_those_of_the_network(rng):
    network, theta, X = draw_network(rng)
    probe = Probe.around(X, rng.normal(size=(2, *X.shape)), 1.0)
    outputs = probe.outputs(network, theta, mean_response=np.ones(3))
    assert_allclose(outputs.clean, network.forward(theta, probe.clean))
    assert_allclose(outputs.near, network.forward(theta, probe.near))
    assert_array_equal(outputs.mean_response, 1.0)


@pytest.mark.parametrize("holds_clean", [False, True])
def test_held_clean_outputs_are_constants(rng, holds_clean):
    network, theta, X = draw_network(rng)
    probe = Probe.around(X, rng.normal(size=X.shape), 1.0)

    def total(theta):
        outputs = probe.outputs(network, theta, holds_clean)
        return anp.sum(outputs.clean**2 * outputs.near)

    clean = network.forward(theta, probe.clean)

    def without(theta):
        own = clean if holds_clean else network.forward(theta, probe.clean)
        return anp.sum(own**2 * network.forward(theta, probe.near))

    assert_allclose(total(theta), without(theta))
    assert_allclose(autograd.grad(total)(theta), autograd.grad(without)(theta), atol=1e-12)


def test_a_probe_made_at_other_parameters_does_not_lend_their_outputs(rng):
    """A mean teacher, say: the labelled loss is that of the network itself."""
    network, theta, X = draw_network(rng)
    likelihood = LIKELIHOODS["squared_error"]
    probe = VAT().probe(network, likelihood, theta + 0.1, X, None, 0.5, rng)
    assert_allclose(probe.outputs(network, theta).clean, network.forward(theta, X))
