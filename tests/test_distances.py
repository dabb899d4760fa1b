"""Distances between outputs: values, ways back, and what they amount to for close outputs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from oracles import LIKELIHOODS, assert_gradient

from skc2c.penalties.distances import (
    SPACES,
    divergence,
    mean_distance,
    squared_distance,
    squared_distance_metric,
)

each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)

# Each with the metric that belongs to it, and by how much the metric is to be multiplied.
DISTANCES = {
    **{
        space: (
            lambda likelihood, space=space: squared_distance(likelihood, space),
            lambda likelihood, space=space: squared_distance_metric(likelihood, space),
            1.0,
        )
        for space in SPACES
    },
    "divergence": (divergence, lambda likelihood: likelihood.fisher, 0.5),
}
each_distance = pytest.mark.parametrize("name", DISTANCES)


@each_likelihood
@each_distance
def test_value(rng, likelihood, name):
    h, near = rng.normal(size=(2, 6, likelihood.n_outputs(3)))
    value, _ = DISTANCES[name][0](likelihood)(h, near)
    expected = {
        "link": ((h - near) ** 2).sum(axis=1),
        "response": ((likelihood.mean(h) - likelihood.mean(near)) ** 2).sum(axis=1),
        "divergence": likelihood.kl(h, near),
    }
    assert_allclose(value, expected[name])


@each_likelihood
@each_distance
def test_the_way_back_equals_finite_differences(rng, likelihood, name):
    distance = DISTANCES[name][0](likelihood)
    h, near = rng.normal(size=(2, 6, likelihood.n_outputs(3)))
    g = rng.normal(size=(6, 1))
    with_respect_to_near, with_respect_to_h = distance(h, near)[1](g)

    def total(h, near):
        return (g[:, 0] * distance(h, near)[0]).sum()

    assert_gradient(lambda near: total(h, near), with_respect_to_near, near, rng)
    assert_gradient(lambda h: total(h, near), with_respect_to_h(), h, rng)


@each_likelihood
@each_distance
def test_the_metric_is_the_distance_of_close_outputs(rng, likelihood, name):
    distance, metric, factor = (
        part(likelihood) if callable(part) else part for part in DISTANCES[name]
    )
    h, dh = rng.normal(size=(2, 6, likelihood.n_outputs(3)))
    form = factor * (dh * metric(h, dh)).sum(axis=1)

    def at(step):
        both = distance(h, h + step * dh)[0] + distance(h, h - step * dh)[0]
        return both / (2 * step**2)

    # Third derivatives may jump: the error is proportional to the step then, and drops out.
    assert_allclose(2 * at(5e-5) - at(1e-4), form, rtol=1e-5)


@each_likelihood
@each_distance
@pytest.mark.parametrize("holds_clean", [False, True])
@pytest.mark.parametrize("n_copies", [1, 3])
def test_mean_over_copies(rng, likelihood, name, holds_clean, n_copies):
    distance = DISTANCES[name][0](likelihood)
    h, mix = rng.normal(size=(1 + n_copies, 5, likelihood.n_outputs(3))), rng.normal(size=5)
    settings = {"n": 5, "distance": distance, "holds_clean": holds_clean}

    def plain(stack, clean=None):
        copies = stack.reshape(h.shape)
        clean = copies[0] if clean is None else clean
        return (mix * np.mean([distance(clean, copy)[0] for copy in copies[1:]], axis=0)).sum()

    stack = h.reshape(-1, h.shape[2])
    value, back = mean_distance(stack, **settings)
    assert_allclose((mix * value).sum(), plain(stack))
    held = h[0] if holds_clean else None
    assert_gradient(lambda s: plain(s, held), back(mix), stack, rng)


@each_likelihood
@each_distance
def test_float32_stays_float32(rng, likelihood, name):
    distance, metric, _ = (part(likelihood) if callable(part) else part for part in DISTANCES[name])
    h, near = rng.normal(size=(2, 6, likelihood.n_outputs(3))).astype(np.float32)
    value, back = distance(h, near)
    to_near, to_h = back(np.ones((6, 1), np.float32))
    for array in (value, to_near, to_h(), metric(h, near)):
        assert array.dtype == np.float32
    stacked = np.concatenate([h, near, near])
    mean, back = mean_distance(stacked, n=6, distance=distance, holds_clean=False)
    assert mean.dtype == back(np.ones(6, np.float32)).dtype == np.float32
