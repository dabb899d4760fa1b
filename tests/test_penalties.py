"""The contract of a penalty, for every one in the table and with every kind of setting."""

import ast
import re

import autograd
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import (
    LIKELIHOODS,
    SMOOTH,
    VARIANTS,
    add_parameters,
    assert_gradient,
    charge,
    charges,
    draw_for,
    draw_network,
    has_further_terms,
    in_pairs,
)
from sklearn.base import clone

from skc2c import C2C, VAT, Penalty
from skc2c.network import Members
from skc2c.penalties import PENALTIES, make_penalty
from skc2c.random_streams import MemberStreams

# Those that charge nothing but a change of the output.
CHANGES_ONLY = [p for p in VARIANTS if not has_further_terms(p)]
CHARGING = [penalty for penalty in VARIANTS if charges(penalty)]
each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
each_variant = pytest.mark.parametrize("penalty", VARIANTS, ids=str)
each_charging = pytest.mark.parametrize("penalty", CHARGING, ids=str)
gaussian = LIKELIHOODS["squared_error"]


# --------------------------------------------------------------------------- value and probe


@pytest.mark.parametrize(
    ("penalty", "loss", "activation", "hidden"),
    in_pairs(CHARGING, list(LIKELIHOODS), SMOOTH, [(), (5, 4)]),
    ids=str,
)
def test_gradient_equals_finite_differences_with_the_probe_held(
    rng, penalty, loss, activation, hidden
):
    likelihood = LIKELIHOODS[loss]
    network, theta, X, y = draw_for(rng, likelihood, hidden, activation, n=5)
    theta = add_parameters(penalty, network, theta, rng)
    probe = penalty.probe(network, likelihood, theta, X, y, 0.4, rng)

    def function(theta):
        return charge(penalty, network, likelihood, theta, probe).sum()

    assert_gradient(function, autograd.grad(function)(theta), theta, rng)


@each_charging
@each_likelihood
def test_one_cost_a_row_and_none_negative(rng, penalty, likelihood):
    network, theta, X, y = draw_for(rng, likelihood)
    theta = add_parameters(penalty, network, theta, rng)
    probe = penalty.probe(network, likelihood, theta, X, y, 0.4, rng)
    value = charge(penalty, network, likelihood, theta, probe)
    assert value.shape == (9,)
    assert (value >= 0.0).all()
    assert value.max() > 1e-4


@each_variant
@each_likelihood
def test_float32_stays_float32(rng, penalty, likelihood):
    network, theta, X, y = draw_for(rng, likelihood, activation="relu")
    theta = add_parameters(penalty, network, theta, rng)
    theta, X, y = (array.astype(np.float32) for array in (theta, X, y))
    for epsilon in (0.3, np.array([0.1, 0.0, 1.0, 2.0])):
        probe = penalty.probe(network, likelihood, theta, X, y, epsilon, rng)
        for rows in (probe.rows, probe.direction):
            assert rows is None or rows.dtype == np.float32
        value = charge(penalty, network, likelihood, theta, probe)
        assert value is None or value.dtype == np.float32


@pytest.mark.parametrize("penalty", CHANGES_ONLY, ids=str)
@each_likelihood
def test_zero_epsilon_costs_nothing(rng, penalty, likelihood):
    network, theta, X, y = draw_for(rng, likelihood)
    theta = np.concatenate([theta, penalty.initial_parameters(network.n_outputs)])
    for epsilon in (0.0, np.zeros(4)):
        probe = penalty.probe(network, likelihood, theta, X, y, epsilon, rng)
        value = charge(penalty, network, likelihood, theta, probe)
        assert_array_equal(probe.clean, X)
        assert value is None or abs(value).max() < 1e-20


@each_variant
@each_likelihood
def test_frozen_feature_is_left_alone(rng, penalty, likelihood):
    network, theta, X, y = draw_for(rng, likelihood)
    epsilon = np.array([0.5, 0.0, 0.5, 0.5])
    probe = penalty.probe(network, likelihood, theta, X, y, epsilon, rng)
    assert_array_equal(probe.clean[:, 1], X[:, 1])
    copies = probe.near.reshape(-1, 9, 4)[:, :, 1]
    assert_array_equal(copies, np.broadcast_to(X[:, 1], copies.shape))
    if probe.direction is not None:
        assert_array_equal(probe.direction[:, 1], 0.0)


@each_variant
@each_likelihood
def test_probe_leaves_its_input_alone(rng, penalty, likelihood):
    arguments = draw_for(rng, likelihood)[1:]
    network = draw_for(rng, likelihood)[0]
    before = [array.copy() for array in arguments]
    penalty.probe(network, likelihood, *arguments, 0.5, rng)
    for array, copy in zip(arguments, before, strict=True):
        assert_array_equal(array, copy)


# ------------------------------------------------------------------ what a penalty says of itself


@each_variant
def test_as_many_copies_as_it_says(rng, penalty):
    """Blocks of rows are cut by it."""
    network, theta, X, y = draw_for(rng, gaussian)
    probe = penalty.probe(network, gaussian, theta, X, y, 0.5, rng)
    assert len(probe.near) == penalty.n_copies * len(X)


@each_variant
def test_its_probe_follows_theta_if_it_says_so(rng, penalty):
    network, theta, X, y = draw_for(rng, gaussian)
    probes = [
        penalty.probe(network, gaussian, at, X, y, 0.5, np.random.default_rng(0))
        for at in (theta, theta + rng.normal(size=theta.shape))
    ]
    moved = [
        one is not None and abs(one - other).max() > 1e-3
        for one, other in (
            (probes[0].rows, probes[1].rows),
            (probes[0].direction, probes[1].direction),
        )
    ]
    assert any(moved) == penalty.follows_theta


@each_charging
def test_its_value_reads_theta_if_it_says_so(rng, penalty):
    """Otherwise the outputs say all, and a trace can begin at them."""
    network, theta, probe, outputs = draw_outputs(rng, penalty)
    values = [
        penalty.value(network, gaussian, at, probe, outputs) for at in (theta, 1.5 * theta + 0.1)
    ]
    assert (values[0] != values[1]).any() == penalty.reads_theta


@each_charging
def test_its_value_reads_the_outputs_if_it_says_so(rng, penalty):
    likelihood = LIKELIHOODS["log_loss"]
    network, theta, probe, outputs = draw_outputs(rng, penalty, likelihood)
    moved = outputs._replace(h=rng.normal(size=outputs.h.shape))
    values = [penalty.value(network, likelihood, theta, probe, at) for at in (outputs, moved)]
    assert (values[0] != values[1]).any() == penalty.reads_outputs


def draw_outputs(rng, penalty, likelihood=gaussian):
    """A network, its parameters and those of a penalty, a probe and the outputs there."""
    network, theta, X, y = draw_for(rng, likelihood)
    theta = add_parameters(penalty, network, theta, rng)
    probe = penalty.probe(network, likelihood, theta, X, y, 0.5, rng)
    return network, theta, probe, probe.outputs(network, theta)


@each_variant
def test_it_has_a_value_if_it_says_so(penalty):
    assert charges(penalty) == penalty.has_cost


@each_variant
def test_it_needs_no_label_if_it_says_so(rng, penalty):
    network, theta, X, _ = draw_for(rng, gaussian)
    theta = add_parameters(penalty, network, theta, rng)
    probe = penalty.probe(network, gaussian, theta, X, None, 0.5, rng)
    value = charge(penalty, network, gaussian, theta, probe)
    assert (value is not None) == penalty.needs_no_label


@each_variant
@each_likelihood
def test_needs_the_mean_response_if_it_is_not_a_sum_over_rows(rng, penalty, likelihood):
    """Otherwise the cost of some rows does not depend on which other rows are there."""
    network, theta, X, y = draw_for(rng, likelihood)
    theta = add_parameters(penalty, network, theta, rng)
    probe = penalty.probe(network, likelihood, theta, X, y, 0.4, rng)
    whole = charge(penalty, network, likelihood, theta, probe)
    direction = None if probe.direction is None else probe.direction[:4]
    rows = probe.rows.reshape(-1, 9, 4)[:, :4].reshape(-1, 4)
    part = probe._replace(rows=rows, n=4, direction=direction, linearization=None)
    some = charge(penalty, network, likelihood, theta, part)
    if whole is None:
        assert some is None
    elif not penalty.needs_mean_response:
        assert_allclose(some, whole[:4], rtol=1e-9, atol=1e-15)
    else:
        has_classes = likelihood.imbalance(network.forward(theta, X))[0] > 0.0
        assert (abs(some - whole[:4]).max() > 1e-6) == has_classes


@pytest.mark.parametrize("n_features", [1, 4, 100])
@each_variant
def test_natural_epsilon_moves_rows_by_one(rng, penalty, n_features):
    """Perturbations have mean squared length 1, however many features there are."""
    network, theta, _ = draw_network(rng, (6,), D=n_features)
    X = rng.normal(size=(2000, n_features))
    epsilon = penalty.natural_epsilon(n_features)
    probe = penalty.probe(network, gaussian, theta, X, np.zeros((2000, 3)), epsilon, rng)
    if probe.direction is not None:
        moved = probe.direction
    elif len(probe.near):
        moved = probe.near - np.tile(X, (penalty.n_copies, 1))
    else:
        moved = probe.clean - X
    if abs(moved).max() > 0.0:
        assert_allclose((moved**2).sum(axis=1).mean(), 1.0, rtol=0.15)
    assert 0.0 < epsilon <= 1.0


# -------------------------------------------------------------------------------- members


@each_variant
@each_likelihood
def test_members_are_charged_as_if_each_were_alone(rng, penalty, likelihood):
    """Each with its own parameters, its own rows and a generator of its own."""
    drawn = [draw_for(rng, likelihood) for _ in range(3)]
    single = drawn[0][0]
    members = Members(single.layer_units, single.activation, k=3)
    thetas = [theta for _, theta, _, _ in drawn]
    extras = [add_parameters(penalty, single, np.empty(0), rng) for _ in range(3)]
    X, y = (np.concatenate([case[i] for case in drawn]) for i in (2, 3))
    streams = MemberStreams([np.random.default_rng(seed) for seed in range(3)])
    theta = np.concatenate([*thetas, *extras])
    probe = penalty.probe(members, likelihood, theta, X, y, 0.4, streams)
    found = charge(penalty, members, likelihood, theta, probe)
    for i, (_, _, own_X, own_y) in enumerate(drawn):
        own_theta = np.concatenate([thetas[i], extras[i]])
        stream = MemberStreams([np.random.default_rng(i)])
        own = penalty.probe(single, likelihood, own_theta, own_X, own_y, 0.4, stream)
        assert_allclose(probe.rows.reshape(-1, 3, 9, 4)[:, i].reshape(-1, 4), own.rows, rtol=1e-9)
        mine = slice(9 * i, 9 * (i + 1))
        if own.direction is not None:
            assert_allclose(probe.direction[mine], own.direction, rtol=1e-9)
        expected = charge(penalty, single, likelihood, own_theta, own)
        if expected is None:
            assert found is None
        else:
            assert_allclose(found[mine], expected, rtol=1e-8, atol=1e-14)


# ---------------------------------------------------------------------------- names, settings


@each_variant
def test_penalties_clone_and_print(penalty):
    assert clone(penalty).get_params() == penalty.get_params()
    assert type(penalty).__name__ in repr(penalty)


def test_names_make_penalties_of_default_settings():
    for name, cls in PENALTIES.items():
        assert type(make_penalty(name)) is cls
        assert make_penalty(name).get_params() == cls().get_params()


def test_an_object_is_taken_as_it_is():
    penalty = VAT(n_power_iterations=2)
    assert make_penalty(penalty) is penalty


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        ("c3c", "'penalty'.*'c3c'"),
        (3, "'penalty'.*3"),
        (C2C, "'penalty'.*C2C"),
        (C2C(perturbation="wild"), "'perturbation' parameter of C2C.*'wild'"),
        (C2C(space="output"), "'space' parameter of C2C.*'output'"),
        (VAT(n_power_iterations=0), "'n_power_iterations' parameter of VAT.*0"),
        (VAT(entropy_weight=-1.0), "'entropy_weight' parameter of VAT.*-1"),
        (C2C(n_perturbations=1.5), "'n_perturbations' parameter of C2C.*1.5"),
    ],
)
def test_bad_penalties_are_named(penalty, message):
    with pytest.raises(ValueError, match=message):
        make_penalty(penalty)


def test_a_penalty_of_the_user_promises_nothing_that_it_does_not_say():
    """What the base class says of itself is safe for any subclass, and as documented."""
    documented = re.findall(r"^ +(\w+) : (?:bool|int), default=(\w+)$", Penalty.__doc__, re.M)
    assert len(documented) == 11
    for name, default in documented:
        assert getattr(Penalty, name) == ast.literal_eval(default), name


def test_a_penalty_needs_a_value():
    class Unfinished(Penalty):
        pass

    for cls in (Penalty, Unfinished):
        with pytest.raises(TypeError, match="abstract.*value"):
            cls()
