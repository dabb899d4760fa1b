"""The ladder: its denoiser, and the units in which that is written."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import LIKELIHOODS, charge, draw_for, draw_network, roughness
from scipy.special import expit

from skc2c import C2C, Ladder
from skc2c.penalties import Probe

each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
gaussian = LIKELIHOODS["squared_error"]


def denoise(u, parameters):
    """``g(u)`` of the docstring, for outputs u (n, K)."""
    a1, a2, a3, a4, a5, a6, a7, a8, a9, a10 = parameters.reshape(10, -1)
    mean = a1 * expit(a2 * u + a3) + a4 * u + a5
    slope = a6 * expit(a7 * u + a8) + a9 * u + a10
    return (u - mean) * slope + mean


@each_likelihood
@pytest.mark.parametrize("perturbation", ["random", "adversarial"])
@pytest.mark.parametrize("n_perturbations", [1, 3])
def test_with_the_identity_for_a_denoiser_it_is_c2c(rng, likelihood, perturbation, n_perturbations):
    network, theta, X, _ = draw_for(rng, likelihood)
    theta = np.concatenate([theta, Ladder().initial_parameters(network.n_outputs)])
    values = [
        roughness(
            cls(perturbation, n_perturbations=n_perturbations),
            *(network, likelihood, theta, X, 0.5, np.random.default_rng(1)),
        )
        for cls in (Ladder, C2C)
    ]
    assert_allclose(values[0], values[1], rtol=1e-12)


def test_the_denoiser_starts_at_the_identity(rng):
    u = 10.0 * rng.normal(size=(20, 3))
    assert_allclose(denoise(u, Ladder().initial_parameters(3)), u)


@pytest.mark.parametrize("n_perturbations", [1, 3])
def test_it_measures_the_distance_to_the_denoised_output(rng, n_perturbations):
    network, theta, X = draw_network(rng, (6, 5))
    a = rng.normal(size=30)
    penalty = Ladder(n_perturbations=n_perturbations)
    probe = penalty.probe(network, gaussian, theta, X, None, 0.5, rng)
    value = charge(penalty, network, gaussian, np.concatenate([theta, a]), probe)
    clean = network.forward(theta, probe.clean)
    near = denoise(network.forward(theta, probe.near), a).reshape(-1, *clean.shape)
    assert_allclose(value, ((near - clean) ** 2).sum(axis=2).mean(axis=0))


# --------------------------------------------------------------------------------- units


@pytest.mark.parametrize("scale", [1e-6, 1.0, 30.0])
def test_parameters_in_units_denoise_outputs_in_these_units(rng, scale):
    """``g'(center + scale h) = center + scale g(h)``, by direct evaluation."""
    a, h = rng.normal(size=30), rng.normal(size=(50, 3))
    center, scale = 5.0 * rng.normal(size=3), scale * rng.uniform(0.5, 2.0, size=3)
    found = denoise(center + scale * h, Ladder().parameters_in_units(a, center, scale))
    assert_allclose(found, center + scale * denoise(h, a), rtol=1e-6, atol=1e-7)


def test_the_inverse_units_lead_back(rng):
    """As a warm start does."""
    a, center, scale = rng.normal(size=30), 5.0 * rng.normal(size=3), rng.uniform(0.1, 9.0, size=3)
    there = Ladder().parameters_in_units(a, center, scale)
    back = Ladder().parameters_in_units(there, -center / scale, 1.0 / scale)
    assert_allclose(back, a, rtol=1e-10, atol=1e-10)


def test_units_of_one_change_nothing(rng):
    a = rng.normal(size=30)
    before = a.copy()
    found = Ladder().parameters_in_units(a, np.zeros(3), np.ones(3))
    assert_allclose(found, a, rtol=1e-14)
    assert_array_equal(a, before)


def test_parameters_of_other_penalties_have_no_unit(rng):
    assert C2C().initial_parameters(3).shape == (0,)
    found = C2C().parameters_in_units(np.empty(0), np.ones(3), np.full(3, 2.0))
    assert found.shape == (0,)


def test_a_probe_of_several_copies_keeps_them_apart(rng):
    """The mean over copies is that of the costs of single copies."""
    network, theta, X = draw_network(rng)
    theta = np.concatenate([theta, rng.normal(size=30)])
    dx = rng.normal(size=(3, *X.shape))
    single = [charge(Ladder(), network, gaussian, theta, Probe.around(X, v, 1.0)) for v in dx]
    found = charge(Ladder(n_perturbations=3), network, gaussian, theta, Probe.around(X, dx, 1.0))
    assert_allclose(found, np.mean(single, axis=0))


def test_the_denoiser_starts_where_rasmus_et_al_start_it():
    """Only the slopes within the sigmoids, and the constant of v, are one."""
    a = dict(enumerate(Ladder().initial_parameters(3).reshape(10, 3), start=1))
    for i, values in a.items():
        assert_array_equal(values, 1.0 if i in (2, 7, 10) else 0.0)
