"""Random and adversarial perturbations, of one network and of members."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import LIKELIHOODS, draw_for, draw_network
from scipy import stats

from skc2c.penalties.perturbations import (
    adversarial,
    check_epsilon,
    gaussian,
    normalize,
    steepest,
)
from skc2c.random_streams import MemberStreams

SCALES = {"float": 0.3, "array": np.array([0.1, 0.0, 0.5, 2.0])}
scales = pytest.mark.parametrize("epsilon", SCALES.values(), ids=SCALES)


def euclidean(h, dh):
    return dh


@scales
def test_gaussian_has_the_standard_deviation_asked_for(rng, epsilon):
    dx = gaussian(rng, (200_000, 4), epsilon, np.float64)
    assert_allclose(dx.std(axis=0), np.broadcast_to(epsilon, 4), rtol=0.01)
    assert abs(dx.mean(axis=0)).max() < 0.02


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [100, 60_001])
def test_gaussian_is_normal_and_independent(rng, n, dtype):
    """Few numbers are drawn in another way than many."""
    repeats = 60_000 // n
    draws = np.concatenate([gaussian(rng, (n, 3), 1.0, dtype) for _ in range(max(1, repeats))])
    assert draws.dtype == dtype
    assert stats.kstest(draws.ravel(), "norm").pvalue > 0.01
    flat = draws.ravel()
    half = len(flat) // 2
    for lag in (1, 3, half):  # neighbours, rows, and the two numbers of a pair
        assert abs(np.corrcoef(flat[lag:], flat[:-lag])[0, 1]) < 4 / np.sqrt(half)
        assert abs(np.corrcoef(flat[lag:] ** 2, flat[:-lag] ** 2)[0, 1]) < 4 / np.sqrt(half)


def test_gaussian_is_the_same_in_both_precisions():
    draws = [gaussian(np.random.default_rng(0), (700, 3), 1.0, t) for t in (np.float32, np.float64)]
    assert_array_equal(*draws)


@scales
@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
def test_power_iteration_finds_the_top_eigenvector(rng, epsilon, likelihood):
    network, theta, X, _ = draw_for(rng, likelihood)
    dx = adversarial(rng, network.linearize(theta, X), likelihood.fisher, epsilon, 300)
    J = network.jacobian(theta, X) * epsilon
    F = likelihood.fisher_matrix(network.forward(theta, X))
    information = np.swapaxes(J, 1, 2) @ F @ J
    eigenvalues, eigenvectors = np.linalg.eigh(information)
    scale = np.broadcast_to(epsilon, 4)
    u = np.divide(dx, scale, out=np.zeros_like(dx), where=scale > 0)
    assert_allclose(np.linalg.norm(u, axis=1), 1.0)
    quotient = np.einsum("nd,nde,ne->n", u, information, u)
    assert_allclose(quotient, eigenvalues[:, -1], rtol=1e-6)
    separated = eigenvalues[:, -1] > 1.2 * eigenvalues[:, -2]
    cosine = np.abs((u * eigenvectors[:, :, -1]).sum(axis=1))
    assert_allclose(cosine[separated], 1.0, rtol=1e-6)


def test_one_output_needs_one_iteration(rng):
    network, theta, X = draw_network(rng, (6,), K=1)
    dx = adversarial(rng, network.linearize(theta, X), euclidean, 1.0, 1)
    gradient = network.jacobian(theta, X)[:, 0]
    assert_allclose(np.abs((dx * gradient).sum(axis=1)), np.linalg.norm(gradient, axis=1))


@pytest.mark.parametrize("epsilon", [0.0, 0.5, np.zeros(4), np.array([0.0, 1.0, 1.0, 0.0])])
@pytest.mark.parametrize("factor", [0.0, 1e-30, 1e30])
def test_flat_and_steep_networks_give_finite_perturbations(rng, epsilon, factor):
    network, theta, X = draw_network(rng, (6,))
    dx = adversarial(rng, network.linearize(factor * theta, X), euclidean, epsilon, 2)
    scale = np.broadcast_to(np.asarray(epsilon), 4)
    assert np.isfinite(dx).all()
    u = np.divide(dx, scale, out=np.zeros_like(dx), where=scale > 0)
    assert_allclose(np.linalg.norm(u, axis=1), 1.0 if scale.any() else 0.0)


def test_tiny_scales_do_not_lose_the_direction_in_float32(rng):
    """A Fisher information of 1e-36 still has an eigenvector."""
    network, theta, X = draw_network(rng, (6,))
    theta, X = theta.astype(np.float32), X.astype(np.float32)
    draws = [np.random.default_rng(1) for _ in range(2)]
    linearization = network.linearize(theta, X)
    usual = adversarial(draws[0], linearization, euclidean, 1.0, 20)
    tiny = adversarial(draws[1], linearization, lambda h, v: np.float32(1e-36) * v, 1.0, 20)
    assert usual.dtype == np.float32
    assert_allclose(tiny, usual, atol=1e-4)


def streams(seeds):
    return MemberStreams([np.random.default_rng(seed) for seed in seeds])


@scales
@pytest.mark.parametrize("copies", [(), (1,), (3,)], ids=str)
@pytest.mark.parametrize("n", [5, 200])
def test_perturbations_of_a_member_do_not_depend_on_the_others(epsilon, copies, n):
    """Their rows stand in the order of the members, copy by copy."""
    together = gaussian(streams(range(3)), (*copies, 3 * n, 4), epsilon, np.float64)
    parts = np.split(together, 3, axis=-2)
    for i, part in enumerate(parts):
        alone = gaussian(streams([i]), (*copies, n, 4), epsilon, np.float64)
        assert_array_equal(part, alone)
    swapped = gaussian(streams([2, 0]), (*copies, 2 * n, 4), epsilon, np.float64)
    assert_array_equal(np.split(swapped, 2, axis=-2)[0], parts[2])


def test_perturbations_of_members_are_normal_and_unlike_each_other():
    draws = gaussian(streams(range(4, 8)), (2, 4 * 5001, 3), 1.0, np.float32)
    assert draws.dtype == np.float32
    assert stats.kstest(draws.ravel(), "norm").pvalue > 0.01
    by_member = draws.reshape(2, 4, 5001, 3)
    flat = by_member.swapaxes(0, 1).reshape(4, -1)
    correlations = np.corrcoef(flat) - np.eye(4)
    assert abs(correlations).max() < 4 / np.sqrt(flat.shape[1])
    assert abs(np.corrcoef(*by_member.reshape(2, -1))[0, 1]) < 4 / np.sqrt(60_000)


def test_generators_of_members_go_on_where_they_were():
    going_on = streams([0, 1])
    first, second = (gaussian(going_on, (6, 4), 1.0, np.float64) for _ in range(2))
    assert (first != second).all()
    again = streams([0, 1])
    assert_array_equal(gaussian(again, (6, 4), 1.0, np.float64), first)
    assert_array_equal(gaussian(again, (6, 4), 1.0, np.float64), second)


@scales
def test_steepest_is_the_best_step_of_its_length(rng, epsilon):
    gradient = rng.normal(size=(7, 4))
    gain = (gradient * steepest(gradient, epsilon)).sum(axis=1)
    assert_allclose(gain, np.linalg.norm(epsilon * gradient, axis=1))
    assert_array_equal(steepest(np.zeros((2, 4)), epsilon), 0.0)


def test_normalize_is_safe(rng):
    fallback = np.ones((4, 3))
    rows = np.array([[1e-300, 0, 0], [0, 3e200, 4e200], [0, 0, 0], [np.inf, 1, 1]])
    expected = [[1, 0, 0], [0, 0.6, 0.8], [1, 1, 1], [1, 1, 1]]
    with np.errstate(invalid="ignore"):
        assert_allclose(normalize(rows, fallback), expected)


def test_a_row_has_the_same_length_to_the_last_bit_whatever_the_others_are(rng):
    """Be they zero, as where no unit of a network is active."""
    rows = rng.normal(size=(40, 10)).astype(np.float32)
    fallback = np.ones_like(rows)
    expected = normalize(rows, fallback)
    rows[[3, 17]] = 0.0
    found = normalize(rows, fallback)
    others = np.delete(np.arange(40), [3, 17])
    assert_array_equal(found[others], expected[others])
    assert_array_equal(found[[3, 17]], 1.0)


@pytest.mark.parametrize(
    "epsilon", [-1.0, np.nan, np.inf, [1.0, -1.0, 0, 0], [1.0, 2.0], [np.nan] * 4, [[1.0] * 4], "a"]
)
def test_bad_epsilon_is_named(epsilon):
    with pytest.raises(ValueError, match="epsilon"):
        check_epsilon(epsilon, 4)


def test_good_epsilon_is_kept():
    assert check_epsilon(2, 4) == 2.0
    assert_array_equal(check_epsilon([0, 1, 2, 3], 4), np.arange(4.0))


def test_a_radius_of_any_size_is_the_length(rng):
    network, theta, X = draw_network(rng, (6,))
    for epsilon in (0.5, 1.0, 2.0, 3.0):
        dx = adversarial(rng, network.linearize(theta, X), euclidean, epsilon, 2)
        assert_allclose(np.linalg.norm(dx, axis=1), epsilon)


def test_tiny_radii_do_not_lose_the_direction_in_float32(rng):
    network, theta, X = draw_network(rng, (6,))
    linearization = network.linearize(theta.astype(np.float32), X.astype(np.float32))
    radii = np.array([1.0, 0.5, 2.0, 0.0], dtype=np.float32)
    usual, tiny = (
        adversarial(np.random.default_rng(1), linearization, euclidean, size * radii, 20) / size
        for size in (np.float32(1.0), np.float32(1e-30))
    )
    assert_allclose(tiny, usual, atol=1e-4)
