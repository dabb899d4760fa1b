"""Noise on the inputs, random and adversarial."""

import autograd
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import LIKELIHOODS, charges, draw_for

from skc2c import Noise
from skc2c.network import Network

each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)


@each_likelihood
def test_adversarial_noise_raises_the_labelled_loss_most(rng, likelihood):
    network, theta, X, y = draw_for(rng, likelihood)
    epsilon = 1e-4
    probe = Noise("adversarial").probe(network, likelihood, theta, X, y, epsilon, rng)
    assert_allclose(np.linalg.norm(probe.clean - X, axis=1), epsilon)

    def loss(X):
        return likelihood.nll(y, network.forward(theta, X))

    gradient = autograd.grad(lambda X: loss(X).sum())(X)
    expected = epsilon * np.linalg.norm(gradient, axis=1)
    assert_allclose(loss(probe.clean) - loss(X), expected, rtol=1e-2)


def test_random_noise_has_the_standard_deviation_asked_for(rng):
    likelihood = LIKELIHOODS["squared_error"]
    network, theta, X, y = draw_for(rng, likelihood, n=100_000)
    epsilon = np.array([0.1, 0.0, 1.0, 2.0])
    dx = Noise().probe(network, likelihood, theta, X, y, epsilon, rng).clean - X
    assert_allclose(dx.std(axis=0), epsilon, rtol=0.01)
    assert abs(dx.mean(axis=0)).max() < 0.03


@pytest.mark.parametrize("perturbation", ["random", "adversarial"])
@each_likelihood
def test_rows_without_a_label_are_not_moved(rng, perturbation, likelihood):
    network, theta, X, _ = draw_for(rng, likelihood)
    probe = Noise(perturbation).probe(network, likelihood, theta, X, None, 0.5, rng)
    assert_array_equal(probe.rows, X)


@pytest.mark.parametrize("perturbation", ["random", "adversarial"])
def test_nothing_is_charged(perturbation):
    assert not charges(Noise(perturbation))


def test_both_classes_are_perturbed_alike_where_the_network_is_certain(rng):
    """In float32 the log-odds of +-20 leave p - y without a digit."""
    network = Network((2, 1), "relu")
    theta = np.array([20.0, 0.0, 0.0], dtype=np.float32)
    X = np.array([[1.0, 0.3], [-1.0, 0.3]], dtype=np.float32)
    y = np.array([[1.0], [0.0]], dtype=np.float32)
    likelihood = LIKELIHOODS["binary_log_loss"]
    probe = Noise("adversarial").probe(network, likelihood, theta, X, y, 0.5, rng)
    assert_allclose(probe.clean - X, [[-0.5, 0.0], [0.5, 0.0]], atol=1e-6)
