"""A term of the objective: its formula, its gradient, and one level of tracing."""

from dataclasses import replace

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import (
    HIDDEN,
    LIKELIHOODS,
    SMOOTH,
    VARIANTS,
    assert_gradient,
    draw_term,
    forward,
    has_further_terms,
    in_pairs,
    negative_log_likelihood,
    run_in_threads,
)
from scipy import sparse

from skc2c import C2C, VAT, Jacobian, Penalty
from skc2c.data.rows import Rows
from skc2c.network import Network, blocks
from skc2c.objective import Objective
from skc2c.objective.term import Term
from skc2c.penalties import PENALTIES, NoPenalty, Outputs, Probe
from skc2c.penalties.nearby import OutputDistance

each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
each_variant_and_label = pytest.mark.parametrize(
    ("penalty", "has_labels"),
    [(p, True) for p in VARIANTS] + [(p, False) for p in VARIANTS if p.needs_no_label],
    ids=str,
)
each_variant = pytest.mark.parametrize("penalty", VARIANTS, ids=str)
ALL = slice(None)


def on_all_rows(term, theta, seed, held=None):
    return Objective((term,)).on_all_rows(theta, seed, held)


class Held:
    """A penalty whose probe is drawn once and for all."""

    def __init__(self, penalty, probe):
        self.probe = lambda *arguments: probe
        self.value = penalty.value
        self.value_with_way_back = penalty.value_with_way_back
        self.knows_derivative = penalty.knows_derivative
        self.n_copies = penalty.n_copies
        self.needs_mean_response = penalty.needs_mean_response
        self.has_cost = penalty.has_cost
        self.reads_theta = penalty.reads_theta
        self.reads_outputs = penalty.reads_outputs
        self.holds_clean = False


# ------------------------------------------------------------------------------- the formula


@each_likelihood
def test_value_is_the_sum_of_its_three_parts(rng, likelihood):
    term, theta = draw_term(rng, NoPenalty(), likelihood)
    rows, network = term.rows, term.network
    h = forward(network.layer_units, "tanh", theta, rows.X)
    weights = np.concatenate([W.ravel() for W in network.unpack(theta)[0]])
    decay = 0.3 / (2 * rows.weight.sum()) * (weights**2).sum()
    nll = negative_log_likelihood(likelihood.loss, rows.y, h)
    loss = np.average(nll, weights=rows.weight)
    assert_allclose(on_all_rows(term, theta, 0)[0], loss + decay)

    J = network.jacobian(theta, rows.X)
    rough = np.average(0.16 * (J**2).sum(axis=(1, 2)), weights=rows.weight)
    penalised = replace(term, penalty=Jacobian())
    assert_allclose(on_all_rows(penalised, theta, 0)[0], loss + 0.7 * rough + decay)
    without_labels = replace(penalised, rows=replace(rows, y=None))
    assert_allclose(on_all_rows(without_labels, theta, 0)[0], 0.7 * rough + decay)


@pytest.mark.parametrize(
    ("name", "loss", "activation", "hidden"),
    in_pairs(list(PENALTIES), list(LIKELIHOODS), SMOOTH, HIDDEN),
    ids=str,
)
def test_gradient_equals_finite_differences(rng, name, loss, activation, hidden):
    penalty, likelihood = PENALTIES[name](), LIKELIHOODS[loss]
    term, theta = draw_term(rng, penalty, likelihood, hidden, activation)
    rows = term.rows
    probe = penalty.probe(term.network, likelihood, theta, rows.X, rows.y, 0.4, rng)
    held = replace(term, penalty=Held(penalty, probe))
    _, gradient = on_all_rows(held, theta, 0)
    assert_gradient(lambda theta: on_all_rows(held, theta, 0)[0], gradient, theta, rng)


@each_variant_and_label
@each_likelihood
def test_gradient_of_a_step_equals_plain_autograd(rng, penalty, likelihood, has_labels):
    """The whole traced term with fused layers, against one without."""
    term, theta = draw_term(rng, penalty, likelihood)
    if not has_labels:
        term = replace(term, rows=replace(term.rows, y=None))
    rows, network = term.rows, term.network
    probe = penalty.probe(network, likelihood, theta, rows.X, rows.y, 0.4, np.random.default_rng(5))

    def output(theta, X):
        return forward(network.layer_units, "tanh", theta, X)

    def plain(theta, theta_of_clean_branch):
        clean = output(theta_of_clean_branch, probe.clean)
        h = anp.concatenate([clean, output(theta, probe.near)])
        cost = penalty.value(network, likelihood, theta, probe, Outputs(h, probe.n, False))
        total = 0.0 if cost is None else 0.7 * cost
        if has_labels:
            total = total + likelihood.nll(rows.y, output(theta, probe.clean))
        weight = rows.weight / rows.weight.sum()
        square = (theta[: network.n_weights] ** 2).sum()
        return anp.sum(weight * total) + 0.3 / (2 * rows.weight.sum()) * square

    value, gradient = term.on_batch(theta, ALL, np.random.default_rng(5))
    assert_allclose(value, plain(theta, theta))
    if penalty.holds_clean and not has_further_terms(penalty):
        expected = autograd.grad(plain)(theta, theta)
        assert_allclose(gradient, expected, rtol=1e-8, atol=1e-12)
    elif not penalty.holds_clean:
        expected = autograd.grad(lambda theta: plain(theta, theta))(theta)
        assert_allclose(gradient, expected, rtol=1e-8, atol=1e-12)


@each_likelihood
def test_vat_holds_the_clean_branch_in_batches_only(rng, likelihood):
    """On all rows the gradient is that of the value, for the line search."""
    term, theta = draw_term(rng, VAT("random"), likelihood)
    value, gradient = on_all_rows(term, theta, 3)
    assert_gradient(lambda theta: on_all_rows(term, theta, 3)[0], gradient, theta, rng)
    batch_value, batch_gradient = term.on_batch(theta, ALL, np.random.default_rng([3, 0]))
    assert_allclose(batch_value, value)
    assert abs(batch_gradient - gradient).max() > 1e-4


@each_likelihood
def test_certainty_and_balance_are_not_held_where_the_target_of_the_divergence_is(rng, likelihood):
    """Their gradient in a batch is that of their value."""
    plain, theta = draw_term(rng, VAT(), likelihood)
    weighted = replace(plain, penalty=VAT(entropy_weight=0.5, balance_weight=0.4))

    def difference(theta, part):
        found = [
            term.on_batch(theta, ALL, np.random.default_rng(5))[part] for term in (weighted, plain)
        ]
        return found[0] - found[1]

    # The divergence does not change, since its perturbations are those at theta.
    gradient = difference(theta, 1)
    h = plain.network.forward
    weight = plain.rows.weight / plain.rows.weight.sum()

    def extra(theta):
        outputs = h(theta, plain.rows.X)
        entropy, balance = likelihood.entropy(outputs)[0], likelihood.imbalance(outputs)[0]
        return 0.7 * (0.5 * (weight * entropy).sum() + 0.4 * balance)

    assert_gradient(extra, gradient, theta, rng)


@each_variant
@each_likelihood
def test_gradient_is_that_of_the_value_with_the_perturbations_held(rng, penalty, likelihood):
    """What the line search of L-BFGS sees, with nothing frozen by hand."""
    term, theta = draw_term(rng, penalty, likelihood)
    here = theta + 0.1 * rng.normal(size=theta.shape)
    _, gradient = on_all_rows(term, here, 3, held=theta)
    assert_gradient(lambda here: on_all_rows(term, here, 3, held=theta)[0], gradient, here, rng)
    is_the_same = on_all_rows(term, here, 3, held=theta)[0] == on_all_rows(term, here, 3)[0]
    assert is_the_same != penalty.follows_theta


# --------------------------------------------------------------------------- blocks, batches


@each_variant
@each_likelihood
def test_blocks_change_nothing_but_rounding(rng, penalty, likelihood, monkeypatch):
    """One block against many, with each row's perturbation held."""
    term, theta = draw_term(rng, penalty, likelihood, n=300)
    rows = term.rows
    whole = penalty.probe(term.network, likelihood, theta, rows.X, rows.y, 0.4, rng)
    position = {row.tobytes(): i for i, row in enumerate(rows.X)}

    class Fixed(Held):
        def __init__(self):
            super().__init__(penalty, whole)
            self.probe = self.look_up

        def look_up(self, network, likelihood, theta, X, y, epsilon, rng):
            picked = np.array([position[row.tobytes()] for row in X])
            stack = whole.rows.reshape(-1, 300, 4)[:, picked]
            direction = None if whole.direction is None else whole.direction[picked]
            return Probe(stack.reshape(-1, 4), len(picked), direction, whole.epsilon)

    fixed = replace(term, penalty=Fixed())
    one = on_all_rows(fixed, theta, 0)
    monkeypatch.setattr(blocks, "BLOCK_NUMBERS", 1)
    assert len(blocks.row_blocks(300, term.network)) == 5
    many = on_all_rows(fixed, theta, 0)
    assert_allclose(many[0], one[0], rtol=1e-12)
    assert_allclose(many[1], one[1], rtol=1e-9, atol=1e-13)


@each_likelihood
def test_gradient_of_many_blocks_equals_finite_differences(rng, likelihood, monkeypatch):
    """Of the balance too, in which rows of all blocks take part."""
    penalty = VAT("random", balance_weight=0.4, entropy_weight=0.3)
    term, theta = draw_term(rng, penalty, likelihood, n=150)
    monkeypatch.setattr(blocks, "BLOCK_NUMBERS", 1)
    assert len(blocks.row_blocks(150, term.network)) == 3
    _, gradient = on_all_rows(term, theta, 0)
    assert_gradient(lambda theta: on_all_rows(term, theta, 0)[0], gradient, theta, rng)


@pytest.mark.parametrize("numbers", [2**17, 1])
@each_variant
@each_likelihood
def test_a_weight_is_a_repetition(rng, penalty, likelihood, numbers, monkeypatch):
    """Where nothing is drawn: at a radius of zero."""
    term, theta = draw_term(rng, penalty, likelihood, n=100, epsilon=0.0)
    weight = rng.integers(1, 4, size=100)
    repeated = np.repeat(np.arange(100), weight)
    rows = term.rows
    weighted = replace(term, rows=replace(rows, weight=weight * 1.0))
    longer = Rows(rows.X[repeated], rows.y[repeated], np.ones(len(repeated)))
    monkeypatch.setattr(blocks, "BLOCK_NUMBERS", numbers)
    one = on_all_rows(weighted, theta, 0)
    other = on_all_rows(replace(term, rows=longer), theta, 0)
    assert_allclose(one[0], other[0], rtol=1e-11)
    assert_allclose(one[1], other[1], rtol=1e-8, atol=1e-12)


@each_likelihood
def test_batches_are_unbiased(rng, likelihood):
    """Batches of any size average to the term on all rows, l2 and weights included."""
    term, theta = draw_term(rng, Jacobian(), likelihood, n=12)
    whole = on_all_rows(term, theta, 0)
    for size in (1, 3, 4, 12):
        parts = [
            term.on_batch(theta, np.arange(start, start + size), rng)
            for start in range(0, 12, size)
        ]
        assert_allclose(np.mean([value for value, _ in parts]), whole[0])
        assert_allclose(np.mean([gradient for _, gradient in parts], axis=0), whole[1], atol=1e-12)


def test_same_seed_same_value(rng):
    term, theta = draw_term(rng, C2C())
    first, again = on_all_rows(term, theta, 1), on_all_rows(term, theta, 1)
    assert first[0] == again[0]
    assert_array_equal(first[1], again[1])
    assert on_all_rows(term, theta, 2)[0] != first[0]


@each_variant
def test_sparse_rows_are_taken_block_by_block(rng, penalty):
    term, theta = draw_term(rng, penalty)
    rows = term.rows
    X = np.where(rows.X > 0, rows.X, 0.0)
    values = []
    for container in (np.asarray, sparse.csr_array):
        held = replace(term, rows=Rows(container(X), rows.y, rows.weight))
        values.append(on_all_rows(held, theta, 0))
    assert values[0][0] == values[1][0]
    assert_array_equal(values[0][1], values[1][1])


# ------------------------------------------------------------------ one level of tracing


@each_variant
@each_likelihood
def test_trace_is_one_level_deep(rng, penalty, likelihood, monkeypatch):
    """Nested traces give wrong gradients under threads; see the module docstring of network."""
    depths, stack = [], autograd.tracer.trace_stack
    start, enter = stack.top, type(stack).new_trace

    def counted(self):
        depths.append(self.top + 1 - start)
        return enter(self)

    monkeypatch.setattr(type(stack), "new_trace", counted)
    term, theta = draw_term(rng, penalty, likelihood)
    term.on_batch(theta, ALL, rng)
    on_all_rows(term, theta, 0)
    # Without a cost there is nothing to trace: the way back through the network is known. Nor is
    # there if the cost is a distance, whose way back is known too.
    is_distance = isinstance(penalty, OutputDistance)
    assert depths == ([1, 1] if penalty.has_cost and not is_distance else [])


@pytest.mark.parametrize("penalty", [p for p in VARIANTS if p.knows_derivative], ids=str)
@each_likelihood
@pytest.mark.parametrize("holds_clean", [False, True])
def test_a_known_derivative_is_that_of_the_value(rng, penalty, likelihood, holds_clean):
    K = likelihood.n_outputs(2)
    h = rng.normal(size=(6 * (1 + penalty.n_copies), K))
    network = Network((2, 4, K), "tanh")
    value, back = penalty.value_with_way_back(network, likelihood, Outputs(h, 6, holds_clean))
    g, held = rng.normal(size=6), h[:6].copy()

    def plain(h):
        clean = held if holds_clean else h[:6]
        distances = [
            penalty.distance(likelihood)(clean, near)[0] for near in h[6:].reshape(-1, 6, K)
        ]
        return sum(distances) / len(distances) + further(h[:6])

    def further(h):
        if not has_further_terms(penalty):
            return 0.0
        balance = penalty.balance_weight * likelihood.imbalance(h)[0]
        return penalty.entropy_weight * likelihood.entropy(h)[0] + balance

    assert_allclose(value, plain(h), rtol=1e-14)

    def weighted(h):
        return (g * plain(h.reshape(-1, K))).sum()

    assert_gradient(weighted, back(g).ravel(), h.ravel(), rng)


@pytest.mark.parametrize("base", [C2C, VAT])
def test_a_penalty_that_changes_what_it_costs_is_differentiated_anew(rng, base):
    class Twice(base):
        def value(self, *arguments):
            return 2.0 * super().value(*arguments)

    class Both(Twice):
        def value_with_way_back(self, *arguments):
            value, back = super(Twice, self).value_with_way_back(*arguments)
            return 2.0 * value, lambda g: 2.0 * back(g)

    once, theta = draw_term(rng, base(), LIKELIHOODS["log_loss"])
    once = replace(once, rows=replace(once.rows, y=None), l2=0.0)
    expected = once.on_batch(theta, ALL, np.random.default_rng(0))
    for penalty in (Twice(), Both()):
        found = replace(once, penalty=penalty).on_batch(theta, ALL, np.random.default_rng(0))
        assert_allclose(found[0], 2.0 * np.array(expected[0]))
        assert_allclose(found[1], 2.0 * expected[1])


@each_variant
def test_only_what_reads_both_theta_and_outputs_is_traced_through_the_network(
    rng, penalty, monkeypatch
):
    """Of the others the penalty's value alone is traced, which is many times faster."""
    traced, through = Term._traced, []

    def counted(self, *arguments):
        through.append(self)
        return traced(self, *arguments)

    monkeypatch.setattr(Term, "_traced", counted)
    term, theta = draw_term(rng, penalty, LIKELIHOODS["log_loss"])
    term.on_batch(theta, ALL, rng)
    reads_both = penalty.reads_theta and penalty.reads_outputs
    assert bool(through) == (penalty.has_cost and reads_both)


@each_variant
def test_gradients_in_threads_equal_those_in_sequence(rng, penalty):
    term, theta = draw_term(rng, penalty, LIKELIHOODS["log_loss"])
    thetas = [theta + 0.1 * rng.normal(size=theta.shape) for _ in range(40)]
    expected = [on_all_rows(term, theta, 0) for theta in thetas]
    found = [None] * len(thetas)

    def work(indices):
        for i in indices:
            found[i] = on_all_rows(term, thetas[i], 0)

    run_in_threads(*(lambda k=k: work(range(k, 40, 4)) for k in range(4)))
    for (value, gradient), (value_found, gradient_found) in zip(expected, found, strict=True):
        assert value == value_found
        assert_array_equal(gradient, gradient_found)


@each_variant_and_label
@each_likelihood
def test_float32_stays_float32(rng, penalty, likelihood, has_labels):
    term, theta = draw_term(rng, penalty, likelihood)
    X, y, weight = (
        part.astype(np.float32) for part in (term.rows.X, term.rows.y, term.rows.weight)
    )
    rows = Rows(X, y if has_labels else None, weight)
    single = replace(term, rows=rows, epsilon=np.array([0.1, 0.0, 0.4, 1.0]))
    value, gradient = single.on_batch(theta.astype(np.float32), ALL, rng)
    assert gradient.dtype == np.float32
    assert np.isfinite(value)


class Free(Penalty):
    """It might cost something, for all that the objective knows."""

    def value(self, network, likelihood, theta, probe, outputs):
        return None


@each_likelihood
def test_a_plain_term_is_one_whose_penalty_charges_nothing(rng, likelihood):
    """There the gradient is taken without a trace: the same as with one."""
    term, theta = draw_term(rng, NoPenalty(), likelihood)
    assert term.is_plain
    traced = replace(term, penalty=Free())
    assert not traced.is_plain
    for batch in (ALL, np.array([3, 1, 4])):
        one, other = (t.on_batch(theta, batch, rng) for t in (term, traced))
        assert_allclose(one[0], other[0], rtol=1e-13)
        assert_allclose(one[1], other[1], rtol=1e-12, atol=1e-15)


def test_a_penalty_that_is_not_one_cost_a_row_is_refused(rng):
    class Total(Penalty):
        def value(self, network, likelihood, theta, probe, outputs):
            return (outputs.clean**2).sum()

    term, theta = draw_term(rng, Total())
    with pytest.raises(ValueError, match=r"Total.value must return one cost a row.*\(9,\).*\(\)"):
        term.on_batch(theta, ALL, rng)


def test_a_single_row_may_be_all_there_is(rng):
    """Its response is the mean response, of whose entropy the balance is the lack."""
    likelihood = LIKELIHOODS["log_loss"]
    penalty = VAT("random", balance_weight=1.0)
    term, theta = draw_term(rng, penalty, likelihood, n=1, epsilon=0.0, alpha=1.0, l2=0.0)
    value, _ = on_all_rows(term, theta, 0)
    h = term.network.forward(theta, term.rows.X)
    p = likelihood.mean(h)[0]
    loss = likelihood.nll(term.rows.y, h)[0]
    assert_allclose(value, loss + (p * np.log(3 * p)).sum(), rtol=1e-10)
