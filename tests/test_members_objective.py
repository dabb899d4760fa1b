"""The objectives of members are those of separate terms, each on rows of its own."""

from dataclasses import replace

import autograd
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import LIKELIHOODS, VARIANTS, add_parameters, assert_gradient, draw_targets

from skc2c import C2C, Jacobian
from skc2c.data.rows import Rows
from skc2c.network import Members, Network
from skc2c.network.fourier_features import FourierFeatures
from skc2c.network.input_scaling import InputScaling
from skc2c.objective import Objective, Term
from skc2c.objective.costs import OF_MEMBERS
from skc2c.objective.members import MembersObjective, MembersTerm
from skc2c.penalties import NoPenalty
from skc2c.random_streams import MemberStreams

each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
each_variant = pytest.mark.parametrize("penalty", VARIANTS, ids=str)
each_pooled = pytest.mark.parametrize(
    "penalty", [penalty for penalty in VARIANTS if penalty.needs_no_label], ids=str
)

K, D, T = 3, 4, 2
# How many rows each member has, of 20; a pass takes as many as the smallest share.
COUNTS, N_PER_PASS = (8, 12, 9), 8
ALPHA, L2 = np.array([0.7, 0.2, 1.5]), np.array([0.3, 2.0, 0.0])


class Case:
    """Members with one term, and each of them alone."""

    def __init__(self, rng, penalty, likelihood, front=(), dtype=np.float64, has_labels=True):
        units = (D, 6, 5, likelihood.n_outputs(T))
        self.single = Network(units, "tanh", front)
        self.members = Members(units, "tanh", front, k=K)
        self.thetas = [
            np.concatenate(
                [
                    0.4 * rng.normal(size=self.single.size),
                    add_parameters(penalty, self.single, np.empty(0), rng),
                ]
            ).astype(dtype)
            for _ in range(K)
        ]
        X = rng.normal(size=(20, D)).astype(dtype)
        y = draw_targets(rng, likelihood, 20, T).astype(dtype) if has_labels else None
        self.rows = Rows(X, y, rng.uniform(0.5, 2.0, size=20))
        self.own = [rng.permutation(20)[:count] for count in COUNTS]
        settings = {"epsilon": 0.4, "likelihood": likelihood, "penalty": penalty}
        self.term = MembersTerm(
            self.members,
            alpha=ALPHA,
            l2=L2,
            rows=self.rows,
            members=self.own,
            n_per_pass=N_PER_PASS,
            **settings,
        )
        self.alone = [
            Term(
                self.single, alpha=ALPHA[i], l2=L2[i], rows=self.rows.take(self.own[i]), **settings
            )
            for i in range(K)
        ]

    @property
    def theta(self):
        """That of the members: their networks' parts, then those of their penalties."""
        return self.joined(self.thetas)

    def joined(self, vectors):
        size = self.single.size
        return np.concatenate([*(v[:size] for v in vectors), *(v[size:] for v in vectors)])


def streams(seeds=range(K)):
    return MemberStreams([np.random.default_rng(seed) for seed in seeds])


def decay(case, i):
    """``l2 / 2n ||weights||^2`` of a member."""
    weights = case.single.decayed(case.thetas[i])
    return L2[i] / (2 * case.rows.weight[case.own[i]].sum()) * (weights**2).sum()


def assert_equals_separate_terms(case, n=5, tolerance=1e-9):
    """On a batch of n rows of each member, with perturbations drawn from its own stream."""
    places = np.stack([np.arange(i, i + n) for i in range(K)])
    batch = np.stack([own[place] for own, place in zip(case.own, places, strict=True)])
    values, gradient = case.term.on_batch(case.theta, batch, streams())
    parts = []
    for i, term in enumerate(case.alone):
        value, part = term.on_batch(case.thetas[i], places[i], streams([i]))
        found = [*values[:, i], decay(case, i)]
        assert_allclose(sum(found), value, rtol=tolerance)
        assert_allclose(found, value.parts, rtol=tolerance, atol=1e-12)
        parts.append(part)
    assert_allclose(gradient, case.joined(parts), rtol=tolerance, atol=tolerance)
    return values, gradient


# -------------------------------------------------------------------------------- one term


@each_variant
@each_likelihood
def test_one_term_is_that_of_each_member_alone(rng, penalty, likelihood):
    assert_equals_separate_terms(Case(rng, penalty, likelihood))


@each_pooled
@each_likelihood
def test_a_term_without_labels_is_that_of_each_member_alone(rng, penalty, likelihood):
    assert_equals_separate_terms(Case(rng, penalty, likelihood, has_labels=False))


@each_variant
def test_with_layers_in_front(rng, penalty):
    likelihood = LIKELIHOODS["log_loss"]
    scaling = InputScaling(center=np.arange(4.0), scale=np.full(4, 2.0))
    waves = FourierFeatures(n_features=D, columns=(0, 2), frequencies=(0.3, 0.8))
    assert_equals_separate_terms(Case(rng, penalty, likelihood, front=(scaling, waves)))


@each_variant
@each_likelihood
def test_in_single_precision(rng, penalty, likelihood):
    case = Case(rng, penalty, likelihood, dtype=np.float32)
    values, gradient = assert_equals_separate_terms(case, tolerance=2e-4)
    assert values.dtype == gradient.dtype == np.float32


@each_likelihood
def test_the_gradient_is_that_of_the_sum_of_the_values(rng, likelihood):
    """Nothing is held: the perturbations do not depend on theta."""
    case = Case(rng, C2C(), likelihood)
    batch = np.stack([own[:5] for own in case.own])

    def total(theta):
        return case.term.on_batch(theta, batch, streams())[0].sum() + case.term.decay(theta).sum()

    _, gradient = case.term.on_batch(case.theta, batch, streams())
    assert_gradient(total, gradient, case.theta, rng)


@each_likelihood
def test_the_decay_of_each_member(rng, likelihood):
    case = Case(rng, NoPenalty(), likelihood)
    assert_allclose(case.term.decay(case.theta), [decay(case, i) for i in range(K)])


@each_variant
def test_a_member_does_not_depend_on_who_is_beside_it(rng, penalty):
    """Not in the last bit."""
    case = Case(rng, penalty, LIKELIHOODS["log_loss"], dtype=np.float32)
    batch = np.stack([own[:5] for own in case.own])
    values, gradient = case.term.on_batch(case.theta, batch, streams())
    kept = [2, 0]
    fewer = replace(
        case.term,
        network=replace(case.members, k=2),
        alpha=ALPHA[kept],
        l2=L2[kept],
        members=[case.own[i] for i in kept],
    )
    theta = case.members.pick(case.theta, kept)
    own_values, own_gradient = fewer.on_batch(theta, batch[kept], streams(kept))
    assert_array_equal(own_values, values[:, kept])
    assert_array_equal(own_gradient, case.members.pick(gradient, kept))


@each_likelihood
def test_batches_are_unbiased_however_many_rows_a_member_has(rng, likelihood):
    """The mean over all its rows is its term, also where a pass does not reach them all."""
    case = Case(rng, Jacobian(), likelihood)
    for i, term in enumerate(case.alone):
        whole = Objective((term,)).on_all_rows(case.thetas[i], 0)[0]
        found = []
        for row in case.own[i]:
            batch = np.stack([own[:1] for own in case.own])
            batch[i] = row
            found.append(case.term.on_batch(case.theta, batch, streams())[0][:, i].sum())
        assert_allclose(np.mean(found) + decay(case, i), whole)


# ------------------------------------------------------------------------------- two terms


def two_terms(rng, penalty, likelihood, period=1, share=1.0, front=()):
    """The penalty of all rows of a member, the loss of its labelled ones."""
    case = Case(rng, penalty, likelihood, front=front, has_labels=False)
    y = draw_targets(rng, likelihood, 10, T)
    labelled = Rows(rng.normal(size=(10, D)), y, rng.uniform(0.5, 2.0, size=10))
    own = [rng.permutation(10)[:7] for _ in range(K)]
    shared = {"penalty": NoPenalty(), "likelihood": likelihood, "epsilon": 0.4}
    loss = MembersTerm(
        case.members,
        alpha=np.zeros(K),
        l2=L2,
        rows=labelled,
        members=own,
        n_per_pass=7,
        **shared,
    )
    pool = replace(case.term, l2=np.zeros(K), period=period, share=share)
    alone = [
        Objective(
            (
                Term(case.single, alpha=0.0, l2=L2[i], rows=labelled.take(own[i]), **shared),
                replace(case.alone[i], l2=0.0),
            )
        )
        for i in range(K)
    ]
    return case, MembersObjective((loss, pool)), alone


@each_pooled
@each_likelihood
def test_two_terms_are_those_of_each_member_alone(rng, penalty, likelihood):
    case, objective, alone = two_terms(rng, penalty, likelihood)
    loss = objective.terms[0]
    batches = np.stack([own[:4] for own in loss.members]), np.stack([own[:6] for own in case.own])
    values, gradient = objective.on_batch(case.theta, batches, streams())
    values = values.sum(axis=0) + objective.decay(case.theta)
    parts = []
    for i, own in enumerate(alone):
        batch = slice(4), slice(6)
        value, part = own.on_batch(case.thetas[i], batch, streams([i]))
        assert_allclose(values[i], value)
        parts.append(part)
    assert_allclose(gradient, case.joined(parts), rtol=1e-9, atol=1e-9)


def test_a_term_of_every_other_step_has_twice_its_weight(rng):
    """So that alpha means the same: over two steps the values and gradients are the usual ones."""
    case, objective, _ = two_terms(rng, Jacobian(), LIKELIHOODS["log_loss"], period=2)
    loss, pool = objective.terms
    usual = MembersObjective((loss, replace(pool, period=1)))
    batches = np.stack([own[:4] for own in loss.members]), np.stack([own[:6] for own in case.own])
    expected = usual.on_batch(case.theta, batches, streams())
    found = [
        objective.on_batch(case.theta, (batches[0], batch), streams())
        for batch in (batches[1], None)
    ]
    assert_allclose(np.mean([values for values, _ in found], axis=0), expected[0])
    assert_allclose(np.mean([gradient for _, gradient in found], axis=0), expected[1], atol=1e-12)


def test_batches_of_terms_have_their_share_of_the_size(rng):
    _, objective, _ = two_terms(rng, C2C(), LIKELIHOODS["log_loss"], share=0.5, period=2)
    deal = objective.deal(4, (None, None))
    sizes = [tuple(b if b is None else b.shape for b in batches) for batches in deal.epoch()]
    assert sizes == [((K, 4), (K, 2)), ((K, 3), None)]
    assert deal.n_batches == 2


def test_batches_are_not_larger_than_a_pass(rng):
    _, objective, _ = two_terms(rng, C2C(), LIKELIHOODS["log_loss"])
    (batches,) = objective.deal(1000, (None, None)).epoch()
    assert [batch.shape for batch in batches] == [(K, 7), (K, 7)]


def test_a_batch_has_one_row_at_least_however_small_its_share(rng):
    """And there may be more generators than terms."""
    _, objective, _ = two_terms(rng, C2C(), LIKELIHOODS["log_loss"], share=0.01)
    batches = next(objective.deal(4, (None, None, None)).epoch())
    assert [batch.shape for batch in batches] == [(K, 4), (K, 1)]


def test_members_are_dealt_rows_of_their_own(rng):
    _, objective, _ = two_terms(rng, C2C(), LIKELIHOODS["log_loss"])
    generators = [[np.random.default_rng([j, i]) for i in range(K)] for j in range(2)]
    for loss_batch, pool_batch in objective.deal(3, generators).epoch():
        for i in range(K):
            assert np.isin(loss_batch[i], objective.terms[0].members[i]).all()
            assert np.isin(pool_batch[i], objective.terms[1].members[i]).all()


def test_the_loss_behind_layers_without_parameters_is_that_of_the_whole_network(rng):
    """What stands in front is evaluated once and for all."""
    likelihood = LIKELIHOODS["log_loss"]
    waves = FourierFeatures(n_features=D, columns=(0, 2), frequencies=(0.3, 0.8))
    case = Case(rng, NoPenalty(), likelihood, front=(waves,))
    features, _ = waves.evaluate(None, case.rows.X)
    behind = replace(case.term, network=case.members.behind, rows=replace(case.rows, X=features))
    batch = np.stack([own[:5] for own in case.own])
    whole = case.term.on_batch(case.theta, batch, streams())
    found = behind.on_batch(case.theta, batch, streams())
    assert_allclose(found[0], whole[0])
    assert_allclose(found[1], whole[1], atol=1e-14)


# -------------------------------------------------------------------------------- the ends


@each_likelihood
def test_ways_back_of_the_sums_equal_finite_differences(rng, likelihood):
    n, mix = 4, rng.normal(size=K)
    h, cost = rng.normal(size=(2 * K * n, likelihood.n_outputs(T))), rng.uniform(size=K * n)
    y = draw_targets(rng, likelihood, K * n, T)
    settings = {"weight": rng.uniform(size=K * n), "alpha": np.repeat(ALPHA, n), "k": K}

    def loss(h, cost):
        return (mix * OF_MEMBERS.of_both(h, cost, likelihood=likelihood, y=y, **settings)).sum()

    def charge(cost):
        return (mix * OF_MEMBERS.of_penalty(h, cost, **settings)).sum()

    for argnum, at in enumerate((h, cost)):
        gradient = autograd.grad(loss, argnum)(h, cost)
        assert_gradient(
            lambda x, argnum=argnum: loss(x, cost) if argnum == 0 else loss(h, x), gradient, at, rng
        )
    assert_gradient(charge, autograd.grad(charge)(cost), cost, rng)
