"""Close-to-clean and virtual adversarial training against the paper: limits and identities."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from oracles import LIKELIHOODS, charge, draw_for, draw_network, roughness
from scipy import stats
from sklearn.base import clone

from skc2c import C2C, VAT, Jacobian
from skc2c.network import Network
from skc2c.penalties import Probe

each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
gaussian = LIKELIHOODS["squared_error"]


def top_eigenvalue(J, middle):
    return np.linalg.eigvalsh(np.swapaxes(J, 1, 2) @ middle @ J)[:, -1]


def mean_over_draws(penalty, network, likelihood, theta, X, epsilon, rng):
    """Mean of R(x) over very many perturbations, and four times its standard error."""
    several = clone(penalty).set_params(n_perturbations=10)
    X = np.repeat(X, 1000, axis=0)  # 10,000 draws in ten rounds
    value = roughness(several, network, likelihood, theta, X, epsilon, rng)
    value = value.reshape(-1, 1000).mean(axis=1)
    return value, 4 * value / np.sqrt(10_000)


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


def test_adversarial_c2c_tends_to_the_largest_eigenvalue(rng):
    """Section 3.3: epsilon^2 lambda_max(J'J)."""
    network, theta, X = draw_network(rng, (6, 5))
    largest = top_eigenvalue(network.jacobian(theta, X), np.eye(3))
    penalty = C2C("adversarial", n_power_iterations=300)
    value = roughness(penalty, network, gaussian, theta, X, 1e-4, rng)
    assert_allclose(value, 1e-8 * largest, rtol=1e-3)


@each_likelihood
def test_vat_tends_to_the_largest_eigenvalue_of_the_fisher_information(rng, likelihood):
    """Equation 4: epsilon^2 / 2 lambda_max(I)."""
    network, theta, X, _ = draw_for(rng, likelihood)
    F = likelihood.fisher_matrix(network.forward(theta, X))
    largest = top_eigenvalue(network.jacobian(theta, X), F)
    value = roughness(VAT(n_power_iterations=300), network, likelihood, theta, X, 1e-4, rng)
    assert_allclose(value, 0.5e-8 * largest, rtol=1e-3)


def test_gaussian_vat_is_half_of_adversarial_c2c(rng):
    """Section 3.3 (ii), at unit variance and any epsilon."""
    network, theta, X = draw_network(rng, (6, 5))
    values = [
        roughness(penalty, network, gaussian, theta, X, 0.8, np.random.default_rng(1))
        for penalty in (VAT(), C2C("adversarial"))
    ]
    assert_allclose(values[0], values[1] / 2)


def test_adversarial_is_worse_than_random_of_the_same_length(rng):
    network, theta, X = draw_network(rng, (6, 5), n=200)
    u = rng.normal(size=X.shape)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    usual = charge(C2C(), network, gaussian, theta, Probe.around(X, 0.1 * u, 0.1))
    worst = roughness(
        C2C("adversarial", n_power_iterations=5), network, gaussian, theta, X, 0.1, rng
    )
    assert np.mean(worst > usual) > 0.95


def test_both_classes_are_perturbed_alike_where_the_network_is_certain(rng):
    """In float32 the log-odds of +-20 leave p (1 - p) without a digit."""
    network = Network((2, 1), "relu")
    theta = np.array([20.0, 0.0, 0.0], dtype=np.float32)
    X = np.array([[1.0, 0.3], [-1.0, 0.3]], dtype=np.float32)
    probe = VAT().probe(network, LIKELIHOODS["binary_log_loss"], theta, X, None, 0.5, rng)
    assert_allclose(abs(probe.near - X), [[0.5, 0.0], [0.5, 0.0]], atol=1e-6)


# -------------------------------------------------------------------- entropy and balance


def entropies(loss, p):
    """Entropy of each row of mean responses, by scipy; zero for real targets and counts."""
    if loss == "log_loss":
        return stats.entropy(p, axis=1)
    if loss == "binary_log_loss":
        return stats.entropy(np.stack([p, 1 - p]), axis=0).sum(axis=1)
    return np.zeros(len(p))


def divergence_from_uniform(loss, p):
    """Of the mean of p over rows, by scipy; zero for real targets and counts."""
    mean = p.mean(axis=0)
    if loss == "log_loss":
        return stats.entropy(mean, np.full(len(mean), 1 / len(mean)))
    if loss == "binary_log_loss":
        return stats.entropy(np.stack([mean, 1 - mean]), np.full((2, len(mean)), 0.5)).sum()
    return 0.0


@each_likelihood
def test_entropy_and_balance_are_added_to_the_divergence(rng, likelihood):
    network, theta, X, _ = draw_for(rng, likelihood)
    probe = VAT().probe(network, likelihood, theta, X, None, 0.5, rng)
    p = likelihood.mean(network.forward(theta, X))
    plain = charge(VAT(), network, likelihood, theta, probe)
    certain = charge(VAT(entropy_weight=0.7), network, likelihood, theta, probe)
    assert_allclose(certain - plain, 0.7 * entropies(likelihood.loss, p), atol=1e-15)
    balanced = charge(VAT(balance_weight=0.7), network, likelihood, theta, probe)
    expected = 0.7 * divergence_from_uniform(likelihood.loss, p)
    assert_allclose(balanced - plain, expected, atol=1e-15)


def test_the_mean_response_over_all_rows_replaces_that_of_the_batch(rng):
    """The costs of parts of the rows then average to that of the whole."""
    likelihood = LIKELIHOODS["log_loss"]
    network, theta, X, _ = draw_for(rng, likelihood)
    penalty = VAT(balance_weight=0.7)
    p = likelihood.mean(network.forward(theta, X))
    whole, parts = [], []
    for rows, found in ((slice(None), whole), (slice(4), parts), (slice(4, None), parts)):
        probe = Probe.around(X[rows], np.zeros_like(X[rows]), 0.0)
        outputs = probe.outputs(network, theta, mean_response=p.mean(axis=0))
        found.extend(penalty.value(network, likelihood, theta, probe, outputs))
    assert_allclose(parts, whole, rtol=1e-12)
    assert_allclose(np.mean(parts), 0.7 * divergence_from_uniform("log_loss", p))


def test_certain_rows_are_as_unbalanced_as_can_be():
    categorical, bernoulli = LIKELIHOODS["log_loss"], LIKELIHOODS["binary_log_loss"]
    assert_allclose(categorical.imbalance(np.array([[1e4, 0.0, 0.0]]))[0], np.log(3))
    assert_allclose(bernoulli.imbalance(np.array([[1e4], [-1e4]]))[0], 0.0, atol=1e-12)
    assert_allclose(bernoulli.imbalance(np.array([[1e4]]))[0], np.log(2))
