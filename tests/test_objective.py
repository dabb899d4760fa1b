"""The objective: a sum of terms, against plain numpy; how its rows are dealt."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import (
    LIKELIHOODS,
    VARIANTS,
    assert_gradient,
    draw_targets,
    draw_term,
    forward,
    negative_log_likelihood,
    run_in_threads,
)
from scipy.special import expit, softmax

from skc2c import C2C, VAT, Jacobian
from skc2c.data.rows import Rows
from skc2c.network import blocks
from skc2c.objective import Objective
from skc2c.penalties import NoPenalty

each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
POOLED = [penalty for penalty in VARIANTS if penalty.needs_no_label]
each_pooled = pytest.mark.parametrize("penalty", POOLED, ids=str)

N_LABELLED, N_POOL, SEED = 9, 25, 3


def draw_two_streams(rng, penalty, likelihood, n=N_LABELLED, n_pool=N_POOL):
    """The penalty of a pool of rows, and the loss of labelled ones, each with weights."""
    pool, theta = draw_term(rng, penalty, likelihood, n=n_pool, l2=0.0)
    X, y = rng.normal(size=(n, 4)), draw_targets(rng, likelihood, n, 3)
    rows = Rows(X, y, rng.uniform(0.5, 2.0, size=n))
    pool = replace(pool, rows=replace(pool.rows, y=None))
    labelled = replace(pool, penalty=NoPenalty(), rows=rows, l2=0.3)
    return Objective((pool, labelled)), theta


def layers(network, theta):
    """Kernels and biases, cut from theta one by one."""
    units, kernels, start = network.layer_units, [], 0
    for fan_in, fan_out in pairwise(units):
        kernels.append(theta[start : start + fan_in * fan_out].reshape(fan_in, fan_out))
        start += fan_in * fan_out
    biases = np.split(theta[start:], np.cumsum(units[1:])[:-1])
    return list(zip(kernels, biases, strict=True))


def outputs_and_jacobians(network, theta, X):
    """h (n, K) and dh/dx (n, D, K) of a tanh network, layer by layer."""
    h, J = X, np.broadcast_to(np.eye(X.shape[1]), (len(X), X.shape[1], X.shape[1]))
    *hidden, (last, bias) = layers(network, theta)
    for kernel, own_bias in hidden:
        h = np.tanh(h @ kernel + own_bias)
        J = (J @ kernel) * (1 - h**2)[:, None, :]
    return h @ last + bias, J @ last


def divergence(loss, h, other):
    """KL(p(.|h) || p(.|other)) in plain numpy, for each row."""
    if loss == "squared_error":
        return 0.5 * ((h - other) ** 2).sum(axis=1)
    if loss == "gaussian_nll":
        (m, s), (n, t) = np.split(h, 2, axis=1), np.split(other, 2, axis=1)
        return 0.5 * (t - s + (np.exp(s) + (m - n) ** 2) / np.exp(t) - 1).sum(axis=1)
    if loss == "poisson":
        return (np.exp(h) * (h - other) - np.exp(h) + np.exp(other)).sum(axis=1)
    if loss == "quantile":  # Laplace distributions of scale 2
        half = 0.5 * abs(h - other)
        return (half + np.exp(-half) - 1).sum(axis=1)
    if loss == "binary_log_loss":
        p, q = expit(h), expit(other)
        return (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).sum(axis=1)
    assert loss == "log_loss"
    p, q = softmax(h, axis=1), softmax(other, axis=1)
    return (p * np.log(p / q)).sum(axis=1)


def charge_in_numpy(penalty, likelihood, network, theta, rows, epsilon):
    """R(x) of every row, at the perturbations that the seed stands for."""
    if isinstance(penalty, Jacobian):
        _, J = outputs_and_jacobians(network, theta, rows.X)
        return epsilon**2 * (J**2).sum(axis=(1, 2))
    rng = np.random.default_rng([SEED, 0])
    probe = penalty.probe(network, likelihood, theta, rows.X, None, epsilon, rng)
    h, near = (outputs_and_jacobians(network, theta, X)[0] for X in (rows.X, probe.near))
    if isinstance(penalty, C2C):
        return ((h - near) ** 2).sum(axis=1)
    return divergence(likelihood.loss, h, near)


# --------------------------------------------------------------------------- a pool of rows


@each_likelihood
@pytest.mark.parametrize("penalty", [Jacobian(), C2C(), VAT("random"), VAT()], ids=str)
def test_pool_and_labelled_rows_in_plain_numpy(rng, likelihood, penalty):
    """``mean_w nll + alpha mean_w R + l2 / 2n ||weights||^2``, each mean over its own rows."""
    objective, theta = draw_two_streams(rng, penalty, likelihood)
    pool, labelled = objective.terms

    def in_numpy(theta, held):
        h, _ = outputs_and_jacobians(labelled.network, theta, labelled.rows.X)
        nll = negative_log_likelihood(likelihood.loss, labelled.rows.y, h)
        loss = np.average(nll, weights=labelled.rows.weight)
        if held is None:
            cost = charge_in_numpy(penalty, likelihood, pool.network, theta, pool.rows, 0.4)
        else:
            cost = held(theta)
        square = sum((kernel**2).sum() for kernel, _ in layers(pool.network, theta))
        decay = 0.3 / (2 * labelled.rows.weight.sum()) * square
        return loss + 0.7 * np.average(cost, weights=pool.rows.weight) + decay

    value, gradient = objective.on_all_rows(theta, SEED)
    assert_allclose(value, in_numpy(theta, None))
    if not penalty.follows_theta:
        assert_gradient(lambda theta: in_numpy(theta, None), gradient, theta, rng)


@each_pooled
@each_likelihood
def test_gradient_of_both_terms_equals_finite_differences(rng, penalty, likelihood):
    """With adversarial directions held, and parameters of the penalty itself."""
    objective, theta = draw_two_streams(rng, penalty, likelihood)
    here = theta + 0.1 * rng.normal(size=theta.shape)

    def value(here):
        return objective.on_all_rows(here, SEED, held=theta)[0]

    _, gradient = objective.on_all_rows(here, SEED, held=theta)
    assert_gradient(value, gradient, here, rng)


@each_pooled
@each_likelihood
def test_a_batch_of_all_rows_is_the_sum_of_the_terms(rng, penalty, likelihood):
    objective, theta = draw_two_streams(rng, penalty, likelihood)
    everything = (slice(None), slice(None))
    found = objective.on_batch(theta, everything, np.random.default_rng(1))
    parts = [
        term.on_batch(theta, slice(None), rng)
        for term, rng in zip(objective.terms, [np.random.default_rng(1)] * 2, strict=True)
    ]
    assert_allclose(found[0], sum(value for value, _ in parts))
    assert_allclose(found[1], sum(gradient for _, gradient in parts))


@each_likelihood
def test_batches_of_both_terms_are_unbiased(rng, likelihood):
    """Over all pairs, whatever the sizes; here nothing is drawn."""
    objective, theta = draw_two_streams(rng, Jacobian(), likelihood, n=6, n_pool=12)
    whole = objective.on_all_rows(theta, 0)
    found = [
        objective.on_batch(theta, (np.arange(i, i + 4), np.arange(j, j + 3)), rng)
        for i in range(0, 12, 4)
        for j in range(0, 6, 3)
    ]
    assert_allclose(np.mean([value for value, _ in found]), whole[0])
    assert_allclose(np.mean([gradient for _, gradient in found], axis=0), whole[1], atol=1e-12)


@each_pooled
def test_revealing_a_label_leaves_the_penalty_as_it_was(rng, penalty):
    """R is a mean over all rows: alpha does not depend on how many of them have a label."""
    likelihood = LIKELIHOODS["log_loss"]
    objective, theta = draw_two_streams(rng, penalty, likelihood)
    pool, labelled = objective.terms

    def charged(labelled):
        values = [
            Objective((replace(pool, alpha=alpha), labelled)).on_all_rows(theta, SEED)[0]
            for alpha in (1.0, 0.0)
        ]
        return values[0] - values[1]

    fewer = replace(labelled, rows=labelled.rows.take(slice(4)))
    assert_allclose(charged(fewer), charged(labelled))


# ----------------------------------------------------------------------- terms in general


@each_likelihood
def test_an_objective_of_one_term_is_that_term(rng, likelihood):
    term, theta = draw_term(rng, C2C(), likelihood)
    value, gradient = Objective((term,)).on_batch(theta, (slice(None),), np.random.default_rng(1))
    expected = term.on_batch(theta, slice(None), np.random.default_rng(1))
    assert value == expected[0]
    assert_array_equal(gradient, expected[1])


@each_pooled
def test_it_follows_theta_if_any_of_its_terms_does(rng, penalty):
    objective, _ = draw_two_streams(rng, penalty, LIKELIHOODS["log_loss"])
    assert objective.follows_theta == penalty.follows_theta
    assert Objective(objective.terms[::-1]).follows_theta == penalty.follows_theta


@pytest.mark.parametrize("penalty", VARIANTS, ids=str)
@each_likelihood
def test_the_order_in_which_blocks_are_evaluated_changes_nothing(
    rng, penalty, likelihood, monkeypatch
):
    """Whatever `over_blocks` does, as long as it returns the results in order."""
    monkeypatch.setattr(blocks, "BLOCK_NUMBERS", 1)
    term, theta = draw_term(rng, penalty, likelihood, n=150)
    calls = []

    def backwards(function, pieces):
        calls.append(len(pieces))
        return [function(piece) for piece in pieces[::-1]][::-1]

    value, gradient = Objective((term,)).on_all_rows(theta, SEED)
    other, other_gradient = Objective((term,), over_blocks=backwards).on_all_rows(theta, SEED)
    assert value == other
    assert_array_equal(gradient, other_gradient)
    assert set(calls) == {3}


@each_pooled
def test_gradients_in_threads_equal_those_in_sequence(rng, penalty):
    """Of two terms, each a trace of its own."""
    objective, theta = draw_two_streams(rng, penalty, LIKELIHOODS["log_loss"])
    thetas = [theta + 0.1 * rng.normal(size=theta.shape) for _ in range(20)]
    expected = [objective.on_all_rows(theta, SEED) for theta in thetas]
    found = [None] * len(thetas)

    def work(indices):
        for i in indices:
            found[i] = objective.on_all_rows(thetas[i], SEED)

    run_in_threads(*(lambda k=k: work(range(k, 20, 4)) for k in range(4)))
    for (value, gradient), (value_found, gradient_found) in zip(expected, found, strict=True):
        assert value == value_found
        assert_array_equal(gradient, gradient_found)


# -------------------------------------------------------------------------------- its rows


def test_an_epoch_is_a_pass_over_the_rows_of_the_first_term(rng):
    objective, _ = draw_two_streams(rng, C2C(), LIKELIHOODS["log_loss"])
    deal = objective.deal(10, (None, None))
    assert deal.n_batches == 3
    sizes = [tuple(part.stop - part.start for part in batches) for batches in deal.epoch()]
    # Of the labelled rows there are only nine.
    assert sizes == [(10, 9), (10, 9), (5, 9)]


def test_batches_are_not_larger_than_there_are_rows(rng):
    objective, _ = draw_two_streams(rng, C2C(), LIKELIHOODS["log_loss"])
    (batches,) = objective.deal(1000, (None, None)).epoch()
    assert batches == (slice(0, N_POOL), slice(0, N_LABELLED))
    turned = Objective(objective.terms[::-1])
    (batches,) = turned.deal(1000, (None, None)).epoch()
    assert batches == (slice(0, N_LABELLED), slice(0, N_LABELLED))


def test_there_may_be_more_generators_than_terms(rng):
    term, _ = draw_term(rng, C2C())
    (batches,) = Objective((term,)).deal(9, (rng, rng)).epoch()
    assert len(batches) == 1
    assert_array_equal(np.sort(batches[0]), np.arange(9))


def test_the_outputs_in_numpy_are_those_of_plain_autograd(rng):
    """The oracle of this file against the other one."""
    term, theta = draw_term(rng, NoPenalty())
    h, J = outputs_and_jacobians(term.network, theta, term.rows.X)
    assert_allclose(h, forward(term.network.layer_units, "tanh", theta, term.rows.X))
    assert_allclose(J.swapaxes(1, 2), term.network.jacobian(theta, term.rows.X))
