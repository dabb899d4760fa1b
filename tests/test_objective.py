from dataclasses import replace

import autograd
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import (
    FAMILIES,
    HIDDEN,
    SMOOTH,
    add_parameters,
    assert_gradient,
    draw_network,
    draw_targets,
    forward,
    run_in_threads,
)
from scipy import sparse
from skc2c.probes import Outputs, Probe
from skc2c.rows import Rows
from test_penalties import VARIANTS

from skc2c import C2C, VAT, Penalty
from skc2c import objective as objective_module
from skc2c.objective import Objective
from skc2c.penalties import PENALTIES

every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


class Held:
    """A penalty whose probe is drawn once and for all."""

    def __init__(self, penalty, probe):
        self.probe = lambda *arguments: probe
        self.value = penalty.value
        self.n_copies = penalty.n_copies
        self.holds_clean = False


def make(
    rng, penalty, family=FAMILIES["gaussian"], hidden=(6, 5), activation="tanh", n=9, **kwargs
):
    network, theta, X = draw_network(rng, hidden, activation, n=n)
    y = draw_targets(rng, family, n, 3)
    theta = add_parameters(penalty, network, theta, rng)
    settings = {"alpha": 0.7, "epsilon": 0.4, "l2": 0.3, **kwargs}
    rows = Rows(X, y, rng.uniform(0.5, 2.0, size=n))
    return Objective(network, family, penalty, rows=rows, **settings), theta


@pytest.mark.parametrize("name", PENALTIES, ids=str)
@every_family
@pytest.mark.parametrize("activation", SMOOTH)
@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
def test_gradient_equals_finite_differences(rng, name, family, activation, hidden):
    penalty = PENALTIES[name]()
    objective, theta = make(rng, penalty, family, hidden, activation)
    rows = objective.rows
    probe = penalty.probe(objective.network, family, theta, rows.X, rows.y, 0.4, rng)
    held = replace(objective, penalty=Held(penalty, probe))
    _, gradient = held.on_all_rows(theta, seed=0)
    assert_gradient(lambda theta: held.on_all_rows(theta, seed=0)[0], gradient, theta, rng)


@every_family
def test_value_is_the_sum_of_its_three_terms(rng, family):
    objective, theta = make(rng, Penalty(), family)
    rows, network = objective.rows, objective.network
    h = forward(network.layer_units, "tanh", theta, rows.X)
    weights = np.concatenate([W.ravel() for W in network.unpack(theta)[0]])
    decay = 0.3 / (2 * rows.weight.sum()) * (weights**2).sum()
    loss = np.average(family.nll(rows.y, h), weights=rows.weight)
    assert_allclose(objective.on_all_rows(theta, 0)[0], loss + decay)

    J = network.jacobian(theta, rows.X)
    rough = np.average(0.16 * (J**2).sum(axis=(1, 2)), weights=rows.weight)
    penalised = replace(objective, penalty=PENALTIES["jacobian"]())
    assert_allclose(penalised.on_all_rows(theta, 0)[0], loss + 0.7 * rough + decay)


@pytest.mark.parametrize("penalty", VARIANTS, ids=str)
def test_gradient_of_a_step_equals_plain_autograd(rng, penalty):
    """The whole traced objective with fused layers, against one without."""
    objective, theta = make(rng, penalty)
    rows, network, family = objective.rows, objective.network, objective.family
    probe = penalty.probe(network, family, theta, rows.X, rows.y, 0.4, np.random.default_rng(5))

    def output(theta, X):
        return forward(network.layer_units, "tanh", theta, X)

    def plain(theta, theta_of_clean_branch):
        clean = output(theta_of_clean_branch, probe.clean)
        h = autograd.numpy.concatenate([clean, output(theta, probe.near)])
        cost = penalty.value(network, family, theta, probe, Outputs(h, probe.n, False))
        nll = family.nll(rows.y, output(theta, probe.clean))
        weight = rows.weight / rows.weight.sum()
        square = (theta[: network.n_weights] ** 2).sum()
        data = autograd.numpy.dot(weight, nll if cost is None else nll + 0.7 * cost)
        return data + 0.3 / (2 * rows.weight.sum()) * square

    value, gradient = objective.on_batch(theta, slice(None), np.random.default_rng(5))
    assert_allclose(value, plain(theta, theta))
    if penalty.holds_clean:
        expected = autograd.grad(plain)(theta, theta)
    else:
        expected = autograd.grad(lambda theta: plain(theta, theta))(theta)
    assert_allclose(gradient, expected, rtol=1e-8, atol=1e-12)


def test_vat_holds_the_clean_branch_in_batches_only(rng):
    """On all rows the gradient is that of the value, for the line search."""
    objective, theta = make(rng, VAT("random"))
    value, gradient = objective.on_all_rows(theta, 3)
    assert_gradient(lambda theta: objective.on_all_rows(theta, 3)[0], gradient, theta, rng)
    batch_value, batch_gradient = objective.on_batch(
        theta, slice(None), np.random.default_rng([3, 0])
    )
    assert_allclose(batch_value, value)
    assert abs(batch_gradient - gradient).max() > 1e-3


@pytest.mark.parametrize("penalty", VARIANTS, ids=str)
def test_gradient_is_that_of_the_value_with_the_perturbations_held(rng, penalty):
    """What the line search of L-BFGS sees, with nothing frozen by hand."""
    objective, theta = make(rng, penalty)
    here = theta + 0.1 * rng.normal(size=theta.shape)
    _, gradient = objective.on_all_rows(here, 3, held=theta)
    assert_gradient(lambda here: objective.on_all_rows(here, 3, held=theta)[0], gradient, here, rng)
    if not penalty.moves:
        assert objective.on_all_rows(here, 3, held=theta)[0] == objective.on_all_rows(here, 3)[0]


@pytest.mark.parametrize("penalty", VARIANTS, ids=str)
def test_blocks_change_nothing_but_rounding(rng, penalty, monkeypatch):
    """One block against many, with each row's perturbation held."""
    objective, theta = make(rng, penalty, n=300)
    rows = objective.rows
    whole = penalty.probe(objective.network, objective.family, theta, rows.X, rows.y, 0.4, rng)
    position = {row.tobytes(): i for i, row in enumerate(rows.X)}

    class Fixed(Held):
        def __init__(self):
            super().__init__(penalty, whole)
            self.probe = self.look_up

        def look_up(self, network, family, theta, X, y, epsilon, rng):
            picked = np.array([position[row.tobytes()] for row in X])
            stack = whole.rows.reshape(-1, 300, 4)[:, picked]
            direction = None if whole.direction is None else whole.direction[picked]
            return Probe(stack.reshape(-1, 4), len(picked), direction, whole.epsilon)

    fixed = replace(objective, penalty=Fixed())
    one = fixed.on_all_rows(theta, 0)
    monkeypatch.setattr(objective_module, "BLOCK_NUMBERS", 1)
    assert len(objective_module.row_blocks(300, objective.network)) == 5
    many = fixed.on_all_rows(theta, 0)
    assert_allclose(one[0], many[0], rtol=1e-12)
    assert_allclose(one[1], many[1], rtol=1e-9, atol=1e-13)


def test_batches_are_unbiased(rng):
    """Batches of any size average to the objective on all rows, l2 and weights included."""
    objective, theta = make(rng, PENALTIES["jacobian"](), n=12)
    whole = objective.on_all_rows(theta, 0)
    for size in (1, 3, 4, 12):
        parts = [
            objective.on_batch(theta, np.arange(start, start + size), rng)
            for start in range(0, 12, size)
        ]
        assert_allclose(np.mean([value for value, _ in parts]), whole[0])
        assert_allclose(np.mean([gradient for _, gradient in parts], axis=0), whole[1], atol=1e-12)


def test_same_seed_same_value(rng):
    objective, theta = make(rng, C2C())
    first, again = objective.on_all_rows(theta, 1), objective.on_all_rows(theta, 1)
    assert first[0] == again[0]
    assert_array_equal(first[1], again[1])
    assert objective.on_all_rows(theta, 2)[0] != first[0]


@pytest.mark.parametrize("penalty", VARIANTS, ids=str)
def test_sparse_rows_are_taken_block_by_block(rng, penalty):
    objective, theta = make(rng, penalty)
    rows = objective.rows
    X = np.where(rows.X > 0, rows.X, 0.0)
    values = []
    for container in (np.asarray, sparse.csr_array):
        held = replace(objective, rows=Rows(container(X), rows.y, rows.weight))
        values.append(held.on_all_rows(theta, 0))
    assert values[0][0] == values[1][0]
    assert_array_equal(values[0][1], values[1][1])


# ------------------------------------------------------------------ one level of tracing


@pytest.mark.parametrize("penalty", VARIANTS, ids=str)
def test_trace_is_one_level_deep(rng, penalty, monkeypatch):
    """Nested traces give wrong gradients under threads; see the module docstring of network."""
    depths, stack = [], autograd.tracer.trace_stack
    start, enter = stack.top, type(stack).new_trace

    def counted(self):
        depths.append(self.top + 1 - start)
        return enter(self)

    monkeypatch.setattr(type(stack), "new_trace", counted)
    objective, theta = make(rng, penalty)
    objective.on_batch(theta, slice(None), rng)
    objective.on_all_rows(theta, 0)
    assert depths == [1, 1]


@pytest.mark.parametrize("penalty", VARIANTS, ids=str)
def test_gradients_in_threads_equal_those_in_sequence(rng, penalty):
    objective, theta = make(rng, penalty)
    thetas = [theta + 0.1 * rng.normal(size=theta.shape) for _ in range(40)]
    expected = [objective.on_all_rows(theta, 0) for theta in thetas]
    found = [None] * len(thetas)

    def work(indices):
        for i in indices:
            found[i] = objective.on_all_rows(thetas[i], 0)

    run_in_threads(*(lambda k=k: work(range(k, 40, 4)) for k in range(4)))
    for (value, gradient), (value_found, gradient_found) in zip(expected, found, strict=True):
        assert value == value_found
        assert_array_equal(gradient, gradient_found)


@pytest.mark.parametrize("penalty", VARIANTS, ids=str)
def test_float32_stays_float32(rng, penalty):
    objective, theta = make(rng, penalty)
    rows = objective.rows
    rows = Rows(*(part.astype(np.float32) for part in (rows.X, rows.y, rows.weight)))
    epsilon = np.array([0.1, 0.0, 0.4, 1.0])
    single = replace(objective, rows=rows, epsilon=epsilon)
    value, gradient = single.on_batch(theta.astype(np.float32), slice(None), rng)
    assert gradient.dtype == np.float32
    assert np.isfinite(value)


def test_a_penalty_that_is_not_one_cost_a_row_is_refused(rng):
    class Total(Penalty):
        def value(self, network, family, theta, probe, outputs):
            return (outputs.clean**2).sum()

    objective, theta = make(rng, Total())
    with pytest.raises(ValueError, match=r"Total.value must return one cost a row.*\(9,\).*\(\)"):
        objective.on_batch(theta, slice(None), rng)
