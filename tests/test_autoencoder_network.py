"""A network through a code and its two halves, against the whole and finite differences."""

import autograd
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import SMOOTH, VARIANTS, add_parameters, assert_gradient, charge, elementwise

from skc2c.data.rows import Rows
from skc2c.likelihoods import LIKELIHOODS
from skc2c.network import Autoencoder
from skc2c.network.input_scaling import InputScaling
from skc2c.objective import Objective, Term
from skc2c.penalties import NoPenalty

gaussian = LIKELIHOODS["squared_error"]()
NEEDS_NO_LABEL = [penalty for penalty in VARIANTS if penalty.needs_no_label]


def draw(rng, hidden=(6,), code_activation="identity", front=(), n=7, D=4, K=2):
    units = (D, *hidden, K, *hidden[::-1], D)
    settings = {"n_encoding": len(hidden) + 1, "code_activation": code_activation}
    network = Autoencoder(units, "tanh", front, **settings)
    return network, rng.normal(size=network.size) / 2.0, rng.normal(size=(n, D))


def code_by_hand(network, theta, X):
    coefs, intercepts = network.unpack(theta)
    names = ["tanh"] * (network.n_encoding - 1) + [network.code_activation]
    for coef, intercept, name in zip(coefs, intercepts, names, strict=False):
        X = elementwise(name)(X @ coef + intercept)
    return X


@pytest.mark.parametrize("code_activation", ["identity", "logistic"])
@pytest.mark.parametrize("hidden", [(), (6,), (6, 5)], ids=str)
def test_the_halves_make_the_whole(rng, hidden, code_activation):
    network, theta, X = draw(rng, hidden, code_activation)
    code = network.encoder.forward(theta, X)
    assert_allclose(code, code_by_hand(network, theta, X))
    assert_allclose(network.decoder.forward(theta, code), network.forward(theta, X))
    assert (network.encoder.n_features, network.encoder.n_outputs) == (4, 2)
    assert (network.decoder.n_features, network.decoder.n_outputs) == (2, 4)


def test_the_scaling_in_front_belongs_to_the_encoder(rng):
    front = (InputScaling(center=rng.normal(size=4), scale=rng.uniform(0.5, 2.0, 4)),)
    network, theta, X = draw(rng, front=front)
    code = network.encoder.forward(theta, X)
    assert_allclose(code, code_by_hand(network, theta, front[0].transform(X)))
    assert_allclose(network.decoder.forward(theta, code), network.forward(theta, X))


@pytest.mark.parametrize("code_activation", ["relu", *SMOOTH])
@pytest.mark.parametrize("is_scaled", [False, True])
@pytest.mark.parametrize("hidden", [(), (6,), (6, 5)], ids=str)
def test_jacobian_of_the_code_equals_differences(rng, hidden, is_scaled, code_activation):
    front = (InputScaling(center=np.zeros(4), scale=np.ones(4)),) if is_scaled else ()
    network, theta, X = draw(rng, hidden, code_activation, front)
    encoder, steps = network.encoder, 1e-6 * np.eye(4)
    columns = [
        (encoder.forward(theta, X + step) - encoder.forward(theta, X - step)) / 2e-6
        for step in steps
    ]
    J = np.stack(columns, axis=2)
    assert_allclose(encoder.jacobian(theta, X), J, atol=1e-8)
    seeds, scale = rng.normal(size=(7, 3, 2)), rng.uniform(0.5, 2.0, 4)
    assert_allclose(encoder.jacobian(theta, X, seeds), seeds @ J, atol=1e-8)
    squared = ((J * scale) ** 2).sum(axis=(1, 2))
    assert_allclose(encoder.squared_jacobian(theta, X, scale), squared, rtol=1e-6)


@pytest.mark.parametrize("code_activation", ["identity", "tanh"])
@pytest.mark.parametrize("penalty", NEEDS_NO_LABEL, ids=str)
def test_gradient_of_a_penalty_on_the_code_equals_differences(rng, penalty, code_activation):
    network, theta, X = draw(rng, (6,), code_activation)
    encoder = network.encoder
    theta = add_parameters(penalty, encoder, theta, rng)
    probe = penalty.probe(encoder, gaussian, theta, X, None, 0.4, rng)

    def function(theta):
        return charge(penalty, encoder, gaussian, theta, probe).sum()

    gradient = autograd.grad(function)(theta)
    assert_gradient(function, gradient, theta, rng)
    coefs, intercepts = network.unpack(gradient)
    assert not any(array.any() for array in (*coefs[2:], *intercepts[2:]))  # of the decoder


@pytest.mark.parametrize("penalty", NEEDS_NO_LABEL, ids=str)
def test_objective_is_the_sum_of_loss_and_penalty(rng, penalty):
    network, theta, X = draw(rng)
    theta = add_parameters(penalty, network.encoder, theta, rng)
    weight = rng.uniform(0.5, 2.0, len(X))
    terms = (
        Term(network.encoder, gaussian, penalty, 0.7, 0.4, 0.0, Rows(X, None, weight)),
        Term(network, gaussian, NoPenalty(), 0.7, 0.4, 0.3, Rows(X, X, weight)),
    )
    value, gradient = Objective(terms).on_all_rows(theta, 0, theta)
    probe = penalty.probe(
        network.encoder, gaussian, theta, X, None, 0.4, np.random.default_rng([0, 0])
    )
    settings = penalty, network.encoder, gaussian
    loss = 0.5 * ((network.forward(theta, X) - X) ** 2).sum(axis=1)
    decay = 0.15 / weight.sum() * (theta[: network.n_weights] ** 2).sum()
    roughness = charge(*settings, theta, probe)
    assert_allclose(value, np.average(loss + 0.7 * roughness, weights=weight) + decay)

    def function(theta):
        return Objective(terms).on_all_rows(theta, 0, held)[0]

    held = theta.copy()
    assert_gradient(function, gradient, theta, rng)


def test_a_half_keeps_the_dtype(rng):
    network, theta, X = draw(rng, code_activation="tanh")
    theta, X = theta.astype(np.float32), X.astype(np.float32)
    encoder = network.encoder
    assert encoder.forward(theta, X).dtype == np.float32
    assert encoder.squared_jacobian(theta, X, 0.5).dtype == np.float32
    gradient = autograd.grad(lambda theta: encoder.squared_jacobian(theta, X, 0.5).sum())(theta)
    assert gradient.dtype == np.float32


def test_initial_parameters_are_those_of_the_whole():
    network, _, _ = draw(np.random.default_rng(0))
    theta = network.initialize(np.random.default_rng(1), np.float64)
    assert theta.shape == (network.size,)
    assert network.encoder.size == network.decoder.size == network.size
    assert_array_equal(network.encoder.layers[0].kernel(theta), network.unpack(theta)[0][0])
