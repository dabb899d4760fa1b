"""Close-to-clean and virtual adversarial training against the paper: limits and identities."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from oracles import LIKELIHOODS, charge, draw_for, draw_network, roughness
from sklearn.base import clone

from skc2c import C2C, VAT, Jacobian
from skc2c.penalties import Probe

each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
gaussian = LIKELIHOODS["squared_error"]


def top_eigenvalue(J, middle):
    return np.linalg.eigvalsh(np.swapaxes(J, 1, 2) @ middle @ J)[:, -1]


def mean_over_draws(penalty, network, likelihood, theta, X, epsilon, rng):
    """Mean of R(x) over very many perturbations, and four times its standard error."""
    many = clone(penalty).set_params(n_perturbations=20_000)
    value = roughness(many, network, likelihood, theta, X, epsilon, rng)
    return value, 4 * value / np.sqrt(20_000)


# ------------------------------------------------------------------ random perturbations


@pytest.mark.parametrize(
    "epsilon", [1e-3, np.array([1e-3, 0.0, 2e-3, 1e-4])], ids=["float", "array"]
)
def test_c2c_tends_to_the_squared_jacobian(rng, epsilon):
    """Section 3.1: the ratio tends to 1 as epsilon -> 0."""
    network, theta, X = draw_network(rng, (6, 5))
    J = network.jacobian(theta, X) * epsilon
    value, error = mean_over_draws(C2C(), network, gaussian, theta, X, epsilon, rng)
    assert (abs(value - (J**2).sum(axis=(1, 2))) < 2 * error).all()


def test_c2c_ratio_approaches_one_as_epsilon_falls(rng):
    """With common directions the distance to 1 falls as epsilon does."""
    network, theta, X = draw_network(rng, (6, 5))
    u = rng.normal(size=(1, *X.shape))
    exact = (np.einsum("nkd,nd->nk", network.jacobian(theta, X), u[0]) ** 2).sum(axis=1)
    gaps = []
    for epsilon in (1e-1, 1e-2, 1e-3):
        probe = Probe.around(X, epsilon * u[0], epsilon)
        value = charge(C2C(), network, gaussian, theta, probe)
        gaps.append(abs(value / (epsilon**2 * exact) - 1).max())
    assert gaps[1] < gaps[0] / 5
    assert gaps[2] < gaps[1] / 5


def test_c2c_of_a_linear_map_is_the_jacobian_penalty_in_expectation(rng):
    network, theta, X = draw_network(rng, ())
    value, error = mean_over_draws(C2C(), network, gaussian, theta, X, 2.0, rng)
    exact = roughness(Jacobian(), network, gaussian, theta, X, 2.0, rng)
    assert (abs(value - exact) < 2 * error).all()
    W = network.unpack(theta)[0][0]
    assert_allclose(exact, 4.0 * (W**2).sum())


@each_likelihood
def test_random_vat_tends_to_the_trace_of_the_fisher_information(rng, likelihood):
    network, theta, X, _ = draw_for(rng, likelihood)
    value, error = mean_over_draws(VAT("random"), network, likelihood, theta, X, 1e-3, rng)
    J = network.jacobian(theta, X)
    F = likelihood.fisher_matrix(network.forward(theta, X))
    trace = np.einsum("nkd,nkl,nld->n", J, F, J)
    assert (abs(value - 0.5e-6 * trace) < 2 * error).all()


@each_likelihood
def test_response_space_measures_the_mean_response(rng, likelihood):
    network, theta, X, _ = draw_for(rng, likelihood)
    probe = C2C().probe(network, likelihood, theta, X, None, 0.5, rng)
    means = [likelihood.mean(network.forward(theta, rows)) for rows in (probe.clean, probe.near)]
    value = charge(C2C(space="response"), network, likelihood, theta, probe)
    assert_allclose(value, ((means[0] - means[1]) ** 2).sum(axis=1))


def test_several_perturbations_are_averaged(rng):
    network, theta, X = draw_network(rng)
    dx = rng.normal(size=(3, *X.shape))
    probe = Probe.around(X, dx, 1.0)
    single = [charge(C2C(), network, gaussian, theta, Probe.around(X, v, 1.0)) for v in dx]
    assert_allclose(charge(C2C(), network, gaussian, theta, probe), np.mean(single, axis=0))


# ------------------------------------------------------------- adversarial perturbations
