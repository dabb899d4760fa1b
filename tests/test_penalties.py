"""Every penalty against the paper: limits, identities, and its gradient."""

import autograd
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import (
    FAMILIES,
    SMOOTH,
    add_parameters,
    assert_gradient,
    draw_network,
    draw_targets,
)
from scipy import stats
from scipy.special import expit
from sklearn.base import clone

from skc2c import C2C, VAT, Jacobian, Ladder, Noise, Penalty
from skc2c.network import Network
from skc2c.penalties import PENALTIES, make_penalty
from skc2c.probes import Probe

every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
gaussian = FAMILIES["gaussian"]

VARIANTS = [
    C2C(),
    C2C(space="response"),
    C2C(n_perturbations=3),
    C2C("adversarial"),
    C2C("adversarial", "response"),
    Jacobian(),
    Jacobian(space="response"),
    Jacobian("adversarial"),
    Jacobian("adversarial", "response"),
    VAT(),
    VAT("random"),
    VAT("random", n_perturbations=2),
    VAT(n_power_iterations=3),
    Noise(),
    VAT(entropy_weight=0.5, balance_weight=0.4),
    Ladder(),
    Ladder("adversarial"),
    Ladder(n_perturbations=3),
    Noise("adversarial"),
    Penalty(),
]
every_variant = pytest.mark.parametrize("penalty", VARIANTS, ids=str)


def evaluate(penalty, network, family, theta, probe):
    """R(x) of every row."""
    return penalty.value(network, family, theta, probe, probe.outputs(network, theta))


def roughness(penalty, network, family, theta, X, epsilon, rng):
    probe = penalty.probe(network, family, theta, X, None, epsilon, rng)
    return evaluate(penalty, network, family, theta, probe)


def top_eigenvalue(J, middle):
    return np.linalg.eigvalsh(np.swapaxes(J, 1, 2) @ middle @ J)[:, -1]


def mean_over_draws(penalty, network, family, theta, X, epsilon, rng):
    """Mean of R(x) over very many perturbations, and its standard error."""
    many = clone(penalty).set_params(n_perturbations=20_000)
    value = roughness(many, network, family, theta, X, epsilon, rng)
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
        value = evaluate(C2C(), network, gaussian, theta, probe)
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


@every_family
def test_random_vat_tends_to_the_trace_of_the_fisher_information(rng, family):
    network, theta, X = draw_network(rng, (6, 5))
    value, error = mean_over_draws(VAT("random"), network, family, theta, X, 1e-3, rng)
    J = network.jacobian(theta, X)
    F = family.mean_jacobian(network.forward(theta, X))
    trace = np.einsum("nkd,nkl,nld->n", J, F, J)
    assert (abs(value - 0.5e-6 * trace) < 2 * error).all()


@every_family
def test_response_space_measures_the_mean_response(rng, family):
    network, theta, X = draw_network(rng, (6, 5))
    probe = C2C().probe(network, family, theta, X, None, 0.5, rng)
    means = [family.mean(network.forward(theta, rows)) for rows in (probe.clean, probe.near)]
    value = evaluate(C2C(space="response"), network, family, theta, probe)
    assert_allclose(value, ((means[0] - means[1]) ** 2).sum(axis=1))
    J = family.mean_jacobian(network.forward(theta, X)) @ network.jacobian(theta, X)
    value = roughness(Jacobian(space="response"), network, family, theta, X, 0.5, rng)
    assert_allclose(value, 0.25 * (J**2).sum(axis=(1, 2)))


def test_several_perturbations_are_averaged(rng):
    network, theta, X = draw_network(rng)
    dx = rng.normal(size=(3, *X.shape))
    probe = Probe.around(X, dx, 1.0)
    single = [evaluate(C2C(), network, gaussian, theta, Probe.around(X, v, 1.0)) for v in dx]
    assert_allclose(evaluate(C2C(), network, gaussian, theta, probe), np.mean(single, axis=0))


# ------------------------------------------------------------- adversarial perturbations


def test_adversarial_c2c_tends_to_the_largest_eigenvalue(rng):
    """Section 3.3: epsilon^2 lambda_max(J'J)."""
    network, theta, X = draw_network(rng, (6, 5))
    J = network.jacobian(theta, X)
    largest = top_eigenvalue(J, np.eye(3))
    exact = Jacobian("adversarial", n_power_iterations=300)
    assert_allclose(roughness(exact, network, gaussian, theta, X, 0.7, rng), 0.49 * largest)
    penalty = C2C("adversarial", n_power_iterations=300)
    value = roughness(penalty, network, gaussian, theta, X, 1e-4, rng)
    assert_allclose(value, 1e-8 * largest, rtol=1e-3)


@every_family
def test_vat_tends_to_the_largest_eigenvalue_of_the_fisher_information(rng, family):
    """Equation 4: epsilon^2 / 2 lambda_max(I)."""
    network, theta, X = draw_network(rng, (6, 5))
    F = family.mean_jacobian(network.forward(theta, X))
    largest = top_eigenvalue(network.jacobian(theta, X), F)
    value = roughness(VAT(n_power_iterations=300), network, family, theta, X, 1e-4, rng)
    assert_allclose(value, 0.5e-8 * largest, rtol=1e-3)


def test_sum_of_eigenvalues_is_the_squared_frobenius_norm(rng):
    """Equation 5."""
    network, theta, X = draw_network(rng, (6, 5))
    J = network.jacobian(theta, X)
    total = np.linalg.eigvalsh(np.swapaxes(J, 1, 2) @ J).sum(axis=1)
    assert_allclose(roughness(Jacobian(), network, gaussian, theta, X, 1.0, rng), total)


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
    usual = evaluate(C2C(), network, gaussian, theta, Probe.around(X, 0.1 * u, 0.1))
    worst = roughness(
        C2C("adversarial", n_power_iterations=5), network, gaussian, theta, X, 0.1, rng
    )
    assert np.mean(worst > usual) > 0.95


@every_family
def test_adversarial_noise_raises_the_labelled_loss_most(rng, family):
    network, theta, X = draw_network(rng, (6, 5))
    y = draw_targets(rng, family, 9, 3)
    epsilon = 1e-4
    probe = Noise("adversarial").probe(network, family, theta, X, y, epsilon, rng)
    assert_allclose(np.linalg.norm(probe.clean - X, axis=1), epsilon)
    rise = family.nll(y, network.forward(theta, probe.clean)) - family.nll(
        y, network.forward(theta, X)
    )
    gradient = autograd.grad(lambda X: family.nll(y, network.forward(theta, X)).sum())(X)
    assert_allclose(rise, epsilon * np.linalg.norm(gradient, axis=1), rtol=1e-2)


@pytest.mark.parametrize("penalty", [Noise("adversarial"), VAT()], ids=str)
def test_both_classes_are_perturbed_alike_where_the_network_is_certain(rng, penalty):
    """In float32 the log-odds of +-20 leave p - y and p (1 - p) without a digit."""
    network = Network((2, 1), "relu")
    theta = np.array([20.0, 0.0, 0.0], dtype=np.float32)
    X = np.array([[1.0, 0.3], [-1.0, 0.3]], dtype=np.float32)
    y = np.array([[1.0], [0.0]], dtype=np.float32)
    probe = penalty.probe(network, FAMILIES["bernoulli"], theta, X, y, 0.5, rng)
    dx = probe.rows[-2:] - X
    assert_allclose(abs(dx), [[0.5, 0.0], [0.5, 0.0]], atol=1e-6)


# ---------------------------------------------------------- the ladder, and the entropy


@every_family
@pytest.mark.parametrize("perturbation", ["random", "adversarial"])
@pytest.mark.parametrize("n_perturbations", [1, 3])
def test_ladder_with_the_identity_for_a_denoiser_is_c2c(rng, family, perturbation, n_perturbations):
    network, theta, X = draw_network(rng, (6, 5))
    pair = [cls(perturbation, n_perturbations=n_perturbations) for cls in (Ladder, C2C)]
    theta = np.concatenate([theta, Ladder().initial_parameters(3)])
    values = [
        roughness(penalty, network, family, theta, X, 0.5, np.random.default_rng(1))
        for penalty in pair
    ]
    assert_allclose(values[0], values[1], rtol=1e-12)


def test_ladder_measures_the_distance_to_the_denoised_output(rng):
    network, theta, X = draw_network(rng, (6, 5))
    a = rng.normal(size=(10, 3))
    probe = Ladder().probe(network, gaussian, theta, X, None, 0.5, rng)
    value = evaluate(Ladder(), network, gaussian, np.concatenate([theta, a.ravel()]), probe)
    u, clean = (network.forward(theta, rows) for rows in (probe.near, probe.clean))
    mean = a[0] * expit(a[1] * u + a[2]) + a[3] * u + a[4]
    slope = a[5] * expit(a[6] * u + a[7]) + a[8] * u + a[9]
    assert_allclose(value, ((clean - (u - mean) * slope - mean) ** 2).sum(axis=1))


@every_family
def test_entropy_is_added_to_the_divergence(rng, family):
    network, theta, X = draw_network(rng, (6, 5))
    probe = VAT().probe(network, family, theta, X, None, 0.5, rng)
    plain, with_entropy = (
        evaluate(VAT(entropy_weight=weight), network, family, theta, probe) for weight in (0.0, 0.7)
    )
    h = network.forward(theta, X)
    assert_allclose(with_entropy - plain, 0.7 * family.entropy(h))
    if family is not gaussian:
        expected = stats.entropy(family.mean(h), axis=1)
        if family is FAMILIES["bernoulli"]:
            p = family.mean(h)
            expected = stats.entropy(np.stack([p, 1 - p]), axis=0).sum(axis=1)
        assert_allclose(family.entropy(h), expected)


def test_balance_is_the_divergence_of_the_mean_probabilities(rng):
    network, theta, X = draw_network(rng, (6, 5))
    family = FAMILIES["categorical"]
    probe = VAT().probe(network, family, theta, X, None, 0.5, rng)
    plain, balanced = (
        evaluate(VAT(balance_weight=weight), network, family, theta, probe) for weight in (0.0, 0.7)
    )
    mean = family.mean(network.forward(theta, X)).mean(axis=0)
    assert_allclose(balanced - plain, 0.7 * stats.entropy(mean, np.full(3, 1 / 3)))
    certain = np.array([[1e4, 0.0, 0.0]])
    assert_allclose(family.imbalance(certain), np.log(3))
    assert_allclose(FAMILIES["bernoulli"].imbalance(np.array([[1e4], [-1e4]])), 0.0, atol=1e-12)
    assert_allclose(FAMILIES["bernoulli"].imbalance(np.array([[1e4]])), np.log(2))


# -------------------------------------------------------------------------- the contract


@every_variant
@every_family
@pytest.mark.parametrize("activation", SMOOTH)
@pytest.mark.parametrize("hidden", [(), (5, 4)], ids=str)
def test_gradient_equals_finite_differences_with_the_probe_held(
    rng, penalty, family, activation, hidden
):
    network, theta, X = draw_network(rng, hidden, activation, n=5)
    theta = add_parameters(penalty, network, theta, rng)
    y = draw_targets(rng, family, 5, 3)
    probe = penalty.probe(network, family, theta, X, y, 0.4, rng)
    if evaluate(penalty, network, family, theta, probe) is None:
        return

    def function(theta):
        return evaluate(penalty, network, family, theta, probe).sum()

    assert_gradient(function, autograd.grad(function)(theta), theta, rng)


@every_variant
@every_family
def test_float32_stays_float32(rng, penalty, family):
    network, theta, X = draw_network(rng, (6, 5), "relu")
    theta = add_parameters(penalty, network, theta, rng)
    theta, X = theta.astype(np.float32), X.astype(np.float32)
    y = draw_targets(rng, family, 9, 3).astype(np.float32)
    for epsilon in (0.3, np.array([0.1, 0.0, 1.0, 2.0])):
        probe = penalty.probe(network, family, theta, X, y, epsilon, rng)
        for rows in (probe.rows, probe.direction):
            assert rows is None or rows.dtype == np.float32
        value = evaluate(penalty, network, family, theta, probe)
        assert value is None or value.dtype == np.float32


@every_variant
def test_zero_epsilon_costs_nothing(rng, penalty):
    network, theta, X = draw_network(rng)
    theta = np.concatenate([theta, penalty.initial_parameters(3)])
    if getattr(penalty, "entropy_weight", 0.0):
        return  # that is charged without a perturbation too
    for epsilon in (0.0, np.zeros(4)):
        probe = penalty.probe(network, gaussian, theta, X, np.zeros((9, 3)), epsilon, rng)
        value = evaluate(penalty, network, gaussian, theta, probe)
        assert_array_equal(probe.clean, X)
        assert value is None or abs(value).max() < 1e-20


@every_variant
def test_frozen_feature_is_left_alone(rng, penalty):
    network, theta, X = draw_network(rng)
    y = np.zeros((9, 3))
    epsilon = np.array([0.5, 0.0, 0.5, 0.5])
    probe = penalty.probe(network, gaussian, theta, X, y, epsilon, rng)
    assert_array_equal(probe.clean[:, 1], X[:, 1])
    copies = probe.near.reshape(-1, 9, 4)[:, :, 1]
    assert_array_equal(copies, np.broadcast_to(X[:, 1], copies.shape))
    if probe.direction is not None:
        assert_array_equal(probe.direction[:, 1], 0.0)


@every_variant
def test_probe_leaves_its_input_alone(rng, penalty):
    network, theta, X = draw_network(rng)
    y = np.zeros((9, 3))
    before = [array.copy() for array in (theta, X, y)]
    penalty.probe(network, gaussian, theta, X, y, 0.5, rng)
    for array, copy in zip((theta, X, y), before, strict=True):
        assert_array_equal(array, copy)


@every_variant
def test_penalties_clone_and_print(penalty):
    assert clone(penalty).get_params() == penalty.get_params()
    assert type(penalty).__name__ in repr(penalty)


def test_names_make_penalties_of_default_settings():
    for name, cls in PENALTIES.items():
        assert type(make_penalty(name)) is cls


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        ("c3c", "'penalty'.*'c3c'"),
        (3, "'penalty'.*3"),
        (C2C(perturbation="wild"), "'perturbation' parameter of C2C.*'wild'"),
        (C2C(space="output"), "'space' parameter of C2C.*'output'"),
        (VAT(n_power_iterations=0), "'n_power_iterations' parameter of VAT.*0"),
        (C2C(n_perturbations=1.5), "'n_perturbations' parameter of C2C.*1.5"),
    ],
)
def test_bad_penalties_are_named(penalty, message):
    with pytest.raises(ValueError, match=message):
        make_penalty(penalty)


def test_a_probe_made_at_other_parameters_does_not_lend_their_outputs(rng):
    """A mean teacher, say: the labelled loss is that of the network itself."""
    network, theta, X = draw_network(rng)
    probe = VAT().probe(network, gaussian, theta + 0.1, X, None, 0.5, rng)
    assert_allclose(probe.outputs(network, theta).clean, network.forward(theta, X))
