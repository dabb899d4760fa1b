"""The exact penalties on the Jacobian, against the Jacobian itself."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from oracles import LIKELIHOODS, draw_for, roughness

from skc2c import Jacobian

each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
radii = pytest.mark.parametrize(
    "epsilon", [0.5, np.array([0.3, 0.0, 1.0, 2.0])], ids=["one", "each"]
)


def scaled_jacobian(space, network, likelihood, theta, X, epsilon):
    J = network.jacobian(theta, X) * epsilon
    if space == "link":
        return J
    return likelihood.mean_jacobian(network.forward(theta, X)) @ J


@each_likelihood
@radii
@pytest.mark.parametrize("space", ["link", "response"])
def test_random_is_the_squared_frobenius_norm(rng, likelihood, epsilon, space):
    """Equation 2."""
    network, theta, X, _ = draw_for(rng, likelihood)
    J = scaled_jacobian(space, network, likelihood, theta, X, epsilon)
    value = roughness(Jacobian(space=space), network, likelihood, theta, X, epsilon, rng)
    assert_allclose(value, (J**2).sum(axis=(1, 2)))


@each_likelihood
@radii
@pytest.mark.parametrize("space", ["link", "response"])
def test_adversarial_is_the_squared_spectral_norm(rng, likelihood, epsilon, space):
    """Section 3.3."""
    network, theta, X, _ = draw_for(rng, likelihood)
    J = scaled_jacobian(space, network, likelihood, theta, X, epsilon)
    penalty = Jacobian("adversarial", space, n_power_iterations=500)
    value = roughness(penalty, network, likelihood, theta, X, epsilon, rng)
    assert_allclose(value, np.linalg.norm(J, 2, axis=(1, 2)) ** 2, rtol=1e-6)


def test_sum_of_eigenvalues_is_the_squared_frobenius_norm(rng):
    """Equation 5."""
    likelihood = LIKELIHOODS["squared_error"]
    network, theta, X, _ = draw_for(rng, likelihood)
    J = network.jacobian(theta, X)
    total = np.linalg.eigvalsh(np.swapaxes(J, 1, 2) @ J).sum(axis=1)
    assert_allclose(roughness(Jacobian(), network, likelihood, theta, X, 1.0, rng), total)
