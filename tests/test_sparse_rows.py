"""Wide sparse rows give what the same rows as an array give; noise is drawn behind the kernel."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from oracles import LIKELIHOODS, PLAIN, VARIANTS, add_parameters, assert_gradient, draw_targets
from scipy import linalg, sparse

from skc2c import C2C, VAT, C2CRegressor, Jacobian, Noise
from skc2c.data import rows as data_rows
from skc2c.data.rows import Picked, Rows, Stack
from skc2c.network import Members, Network
from skc2c.network.sparse_rows import GramRoot, SparseRows, linearize_behind
from skc2c.objective import Objective, Term
from skc2c.objective.members import MembersTerm
from skc2c.penalties import NoPenalty
from skc2c.random_streams import MemberStreams
from skc2c.solvers import SOLVERS

D = 400
gaussian = LIKELIHOODS["squared_error"]
each_variant = pytest.mark.parametrize("penalty", VARIANTS, ids=str)
each_epsilon = pytest.mark.parametrize(
    "epsilon", [0.3, np.where(np.arange(D) % 3, 0.5, 0.0)], ids=["float", "array"]
)


@pytest.fixture(autouse=True)
def rows_of_the_tests_are_wide(monkeypatch):
    """Small ones are enough to tell right from wrong."""
    monkeypatch.setattr(data_rows, "_MANY_COLUMNS", D)


def draw_rows(rng, n=12, density=0.01):
    return sparse.random(n, D, density, format="csr", random_state=rng)


def draw_term(rng, penalty, likelihood=gaussian, hidden=(5, 4), n=12, **settings):
    network = Network((D, *hidden, likelihood.n_outputs(3)), "tanh")
    X, y = draw_rows(rng, n), draw_targets(rng, likelihood, n, 3)
    theta = add_parameters(penalty, network, network.initialize(rng, np.float64) * 2.0, rng)
    settings = {"alpha": 0.7, "epsilon": 0.4, "l2": 0.3, **settings}
    return Term(
        network, likelihood, penalty, rows=Rows(X, y, rng.uniform(0.5, 2, n)), **settings
    ), theta


def as_array(term):
    return replace(term, rows=term.rows.dense())


# --------------------------------------------------------------------------------- the root


@each_epsilon
def test_root_is_that_of_the_covariance(rng, epsilon):
    W = rng.normal(size=(D, 4))
    covariance = (W * np.broadcast_to(epsilon, D)[:, None] ** 2).T @ W
    assert_allclose(GramRoot(W, epsilon).value, linalg.sqrtm(covariance), rtol=1e-9)


@each_epsilon
@pytest.mark.parametrize("dead", [(), (1,), (0, 2)], ids=str)
def test_gradient_of_the_root(rng, epsilon, dead):
    """Also where units are dead and stay so."""
    W, G = rng.normal(size=(D, 4)), rng.normal(size=(4, 4))
    W[:, dead] = 0.0
    gradient = np.empty_like(W)
    GramRoot(W, epsilon).write_gradient(G, gradient)
    alive = np.isin(np.arange(4), dead, invert=True)

    def value(part):
        moved = W.copy()
        moved[:, alive] = part
        return (GramRoot(moved, epsilon).value * G).sum()

    assert_gradient(value, gradient[:, alive], W[:, alive], rng)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradient_of_a_singular_root_is_bounded(rng, dtype):
    W = rng.normal(size=(D, 5)).astype(dtype)
    W[:, 1], W[:, 3] = W[:, 0], 0.0
    for scale in (1.0, 1e-12, 0.0):
        gradient = np.empty_like(W)
        GramRoot(W * dtype(scale), 0.3).write_gradient(np.eye(5), gradient)
        # d|W| / dW has singular values of at most one, here times epsilon.
        assert np.linalg.norm(gradient, 2) <= 0.3 * 1.1


# ------------------------------------------------------------------- the term and its gradient


@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
@pytest.mark.parametrize("hidden", [(), (5,), (5, 4)], ids=str)
@pytest.mark.parametrize("penalty", [NoPenalty(), Jacobian(), Jacobian(space="response")], ids=str)
def test_without_noise_the_result_is_that_of_an_array(rng, likelihood, hidden, penalty):
    term, theta = draw_term(rng, penalty, likelihood, hidden)
    ours, theirs = (t.on_batch(theta, np.arange(9), rng) for t in (term, as_array(term)))
    assert_allclose(ours[0], theirs[0], rtol=1e-10)
    assert_allclose(ours[1], theirs[1], rtol=1e-8, atol=1e-10)


@each_variant
@each_epsilon
def test_gradient_equals_finite_differences(rng, penalty, epsilon):
    """With the random numbers, and the directions of adversarial perturbations, held."""
    term, theta = draw_term(rng, penalty, LIKELIHOODS["log_loss"], epsilon=epsilon)

    def on_all_rows(at):
        return Objective((term,)).on_all_rows(at, 3, theta)

    assert_gradient(lambda at: on_all_rows(at)[0], on_all_rows(theta)[1], theta, rng, rtol=1e-5)


RANDOM = [C2C(), C2C(space="response", n_perturbations=2), VAT("random"), Noise()]


@pytest.mark.parametrize("penalty", RANDOM, ids=str)
@each_epsilon
def test_expectation_is_that_of_noise_on_the_rows(rng, penalty, epsilon):
    """Of the value and of its gradient, within five standard errors, by simulation."""
    term, theta = draw_term(rng, penalty, LIKELIHOODS["log_loss"], n=6, epsilon=epsilon)
    directions = rng.normal(size=(4, len(theta)))
    batch = np.tile(np.arange(6), 10)  # ten draws for each row at once

    def draws(term):
        found = [term.on_batch(theta, batch, rng) for _ in range(50)]
        return np.array([[value, *(directions @ gradient)] for value, gradient in found])

    behind, before = draws(term), draws(as_array(term))
    error = np.sqrt((behind.var(axis=0) + before.var(axis=0)) / 50)
    assert (np.abs(behind.mean(axis=0) - before.mean(axis=0)) < 5 * error).all()


def test_expected_penalty_of_a_linear_network(rng):
    """It is ``epsilon^2 ||W||^2``, and its gradient twice ``epsilon^2 W``."""
    term, theta = draw_term(rng, C2C(n_perturbations=3000), hidden=(), n=8, l2=0.0, alpha=1.0)
    term = replace(term, rows=replace(term.rows, y=None))
    value, gradient = term.on_batch(theta, slice(None), rng)
    W, slope = (term.network.decayed(vector) for vector in (theta, gradient))
    assert_allclose(value, 0.4**2 * (W**2).sum(), rtol=0.05)
    assert_allclose(slope, 2 * 0.4**2 * W, atol=0.1 * 0.4**2 * np.abs(W).max())


@each_epsilon
def test_adversarial_perturbations_are_as_bad_as_those_of_an_array(rng, epsilon):
    """The squared spectral norm of the exact Jacobian, for a small radius."""
    term, theta = draw_term(rng, C2C("adversarial", n_power_iterations=60), n=5)
    X, network = term.rows.X, term.network
    arguments = gaussian, theta, X, None, 1e-4 * np.asarray(epsilon), rng
    probe = term.penalty.probe(network, *arguments)
    h = network.forward(theta, probe.rows)
    J = network.jacobian(theta, X.toarray()) * epsilon
    distance = ((h[:5] - h[5:]) ** 2).sum(axis=1)
    assert_allclose(distance, 1e-8 * np.linalg.norm(J, 2, axis=(1, 2)) ** 2, rtol=1e-2)
    assert linearize_behind(network, theta, X, epsilon).n_features == 5


@pytest.mark.parametrize("penalty", [NoPenalty(), *RANDOM, VAT(), Noise("adversarial")], ids=str)
def test_members_are_trained_as_if_alone(rng, penalty):
    term, _ = draw_term(rng, penalty, n=20)
    network, k = term.network, 3
    thetas = [network.initialize(rng, np.float64) for _ in range(k)]
    rows, settings = replace(term.rows, weight=np.ones(20)), {"epsilon": 0.4}
    members = [rng.permutation(20)[:15] for _ in range(k)]
    batch = [picked[:6] for picked in members]
    together = MembersTerm(
        Members(network.layer_units, "tanh", k=k),
        *(gaussian, penalty, np.full(k, 0.7)),
        **settings | {"l2": np.zeros(k), "rows": rows, "members": members, "n_per_pass": 15},
    )
    seeds = MemberStreams([np.random.default_rng(i) for i in range(k)])
    values, gradient = together.on_batch(np.concatenate(thetas), np.stack(batch), seeds)
    for i, own in enumerate(gradient.reshape(k, -1)):
        single = MembersTerm(
            Members(network.layer_units, "tanh", k=1),
            *(gaussian, penalty, np.full(1, 0.7)),
            **settings | {"l2": np.zeros(1), "rows": rows, "members": [members[i]]},
            n_per_pass=15,
        )
        stream = MemberStreams([np.random.default_rng(i)])
        value, expected = single.on_batch(thetas[i], batch[i][None], stream)
        assert_allclose(values[:, i], value[:, 0], rtol=1e-9)
        assert_allclose(own, expected, rtol=1e-7, atol=1e-10)


# -------------------------------------------------------------------------------------- fits


@pytest.mark.filterwarnings("ignore:.*collapsed")  # after so few epochs
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("pooled", [False, True])
def test_fit_without_penalty_is_that_of_an_array(rng, solver, pooled):
    X, pool = draw_rows(rng, 40), draw_rows(rng, 30)
    y = np.asarray(X[:, :200].sum(axis=1)).ravel()
    settings = {"penalty": "jacobian" if pooled else None, "solver": solver, "max_iter": 5}
    settings = PLAIN | settings | {"random_state": 0, "dtype": "float64"}
    thin, full = C2CRegressor((5,), **settings), C2CRegressor((5,), **settings)
    thin.fit(X, y, X_unlabeled=pool if pooled else None)
    full.fit(X.toarray(), y, X_unlabeled=pool.toarray() if pooled else None)
    assert_allclose(thin.predict(X), full.predict(X), rtol=1e-6)


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csr_array])
def test_stacked_wide_rows_stay_sparse(rng, make):
    parts = [make(draw_rows(rng, n)) for n in (5, 0, 8)]
    stack = Stack([parts[0], parts[1], Picked(parts[2], np.array([6, 1, 3]))], np.float32)
    rows = np.array([7, 0, 5, 4, 7, 2])
    whole = np.concatenate([parts[0].toarray(), parts[2].toarray()[[6, 1, 3]]])
    taken = stack[rows]
    assert sparse.issparse(taken)
    assert taken.dtype == np.float32
    assert_allclose(taken.toarray(), whole[rows].astype(np.float32))


def test_rows_without_an_entry(rng):
    network = Network((D, 4, 2), "relu")
    theta = network.initialize(rng, np.float64)
    h, back = network.forward_with_way_back(theta, SparseRows(sparse.csr_array((3, D))))
    assert_allclose(h, network.forward(theta, np.zeros((3, D))))
    assert_allclose(network.unpack(back(np.ones_like(h)))[0][0], 0.0)


def test_only_long_rows_with_few_entries_stay_sparse(rng):
    def wide(X):
        return Rows(X, None, np.ones(X.shape[0])).are_wide

    thin, X = sparse.random(20, D, 0.01, format="csr", random_state=rng), rng.normal(size=(20, D))
    assert wide(thin)
    assert wide(Picked(thin, np.arange(3)))
    assert not wide(thin[:, :-1])
    assert not wide(sparse.random(20, D, 0.02, format="csr", random_state=rng))
    assert not wide(X)
    assert wide(Stack([thin, thin], np.float32))
    assert not wide(Stack([thin, X], np.float32))
