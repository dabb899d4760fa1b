"""Normalisation by batch: against plain autograd, finite differences and its folded form."""

from dataclasses import replace
from itertools import pairwise

import autograd
import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import LIKELIHOODS, SMOOTH, VARIANTS, add_parameters, assert_gradient, draw_targets
from scipy import sparse
from tuned import in_front

from skc2c import C2CClassifier, C2CRegressor
from skc2c.data.batches import even_size
from skc2c.data.rows import Rows
from skc2c.network import ACTIVATIONS, Members, Network
from skc2c.network.folding import fold
from skc2c.network.normalization import NormalizedDense
from skc2c.objective import Objective, Term
from skc2c.penalties import PENALTIES, Probe
from skc2c.solvers import Adam

N = 7
# Statistics of layers with 12 or 13 units are taken from the four below.
HIDDEN = [(5,), (6, 5), (5, 4, 6), (12,), (12, 4, 13)]
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
every_depth = pytest.mark.parametrize("hidden", HIDDEN)
# Penalties that are defined where rows depend on each other.
ALLOWED = [penalty for penalty in VARIANTS if not penalty.needs_jacobian]


def draw(rng, hidden=(6, 5), activation="tanh", n=N, K=3):
    network = Network((4, *hidden, K), activation, normalization="batch")
    return network, 0.5 + 0.5 * rng.normal(size=network.size), rng.normal(size=(n, 4))


def parts_of(units, theta):
    """Kernel, shift and scale of each layer (the last has a bias), cut from theta one by one."""
    shapes, start, kernels, others = list(pairwise(units)), 0, [], []
    for fan_in, fan_out in shapes:
        kernels.append(anp.reshape(theta[start : start + fan_in * fan_out], (fan_in, fan_out)))
        start += fan_in * fan_out
    for _, fan_out in shapes[:-1]:
        others.append(
            (theta[start : start + fan_out], theta[start + fan_out : start + 2 * fan_out])
        )
        start += 2 * fan_out
    return kernels, others, theta[start : start + units[-1]]


def plain(network, theta, X, statistics=None):
    """Outputs of one stream, normalised by itself, or by the statistics of another one."""
    activation = oracles.elementwise(network.activation)
    kernels, others, bias = parts_of(network.layer_units, theta)
    for kernel, (shift, scale) in zip(kernels, others, strict=False):
        z = anp.dot(X, kernel)
        other = z if statistics is None else anp.dot(statistics, kernel)
        mean = anp.mean(other, axis=0)
        root = anp.sqrt(anp.mean((other - mean) ** 2, axis=0) + 1e-6)
        X = activation((z - mean) / root * scale + shift)
        if statistics is not None:
            statistics = activation((other - mean) / root * scale + shift)
    return anp.dot(X, kernels[-1]) + bias


@every_activation
@every_depth
@pytest.mark.parametrize("copies", [1, 3])
def test_each_stream_is_normalised_by_itself(rng, activation, hidden, copies):
    network, theta, _ = draw(rng, hidden, activation)
    X = rng.normal(size=(copies * N, 4)) * np.repeat(1.0 + np.arange(copies), N)[:, None]
    mix = rng.normal(size=(copies * N, 3))

    def found(theta, X):
        return anp.sum(network.forward(theta, X, n=N) * mix)

    def expected(theta, X):
        streams = [plain(network, theta, X[i : i + N]) for i in range(0, copies * N, N)]
        return anp.sum(anp.concatenate(streams) * mix)

    assert_allclose(found(theta, X), expected(theta, X), rtol=1e-11)
    for i in range(2):
        assert_allclose(
            autograd.grad(found, i)(theta, X),
            autograd.grad(expected, i)(theta, X),
            rtol=1e-8,
            atol=1e-10,
        )


@pytest.mark.parametrize("activation", SMOOTH)
@every_depth
def test_gradients_equal_finite_differences(rng, activation, hidden):
    network, theta, X = draw(rng, hidden, activation, n=2 * N)
    mix = rng.normal(size=(2 * N, 3))
    _, back = network.forward_with_way_back(theta, X, n=N)

    def function(theta):
        return (network.forward(theta, X, n=N) * mix).sum()

    assert_gradient(function, back(mix.copy()), theta, rng)


def test_units_that_rounding_alone_moves_stay_finite(rng):
    """Columns that are equal, and weights that sum to zero: a variance of a rounding error."""
    network = Network((3, 40, 1), "tanh", normalization="batch")
    theta = rng.normal(size=network.size).astype(np.float32)
    kernel = 1e3 * rng.normal(size=(3, 40))
    theta[:120] = (kernel - kernel.mean(axis=0)).ravel()
    X = np.repeat(1e3 * rng.normal(size=(50, 1)), 3, axis=1).astype(np.float32)
    h, back = network.forward_with_way_back(theta, X, n=50)
    assert np.isfinite(h).all()
    assert np.isfinite(back(np.ones_like(h))).all()


@every_activation
def test_linearization_is_the_derivative_of_all_rows_at_once(rng, activation):
    network, theta, X = draw(rng, activation=activation)
    V, U = rng.normal(size=X.shape), rng.normal(size=(N, 3))
    linearization = network.linearize(theta, X)

    def pulled(X, U):
        return anp.sum(plain(network, theta, X) * U)

    vjp = autograd.grad(pulled)
    jvp = np.array([[(vjp(X, unit) * V).sum() for unit in row] for row in units(N, 3)])
    assert_allclose(linearization.h, plain(network, theta, X), rtol=1e-11)
    assert_allclose(linearization.jvp(V), jvp, rtol=1e-8, atol=1e-10)
    assert_allclose(linearization.vjp(U), vjp(X, U), rtol=1e-8, atol=1e-10)


def units(n, K):
    """All unit covectors at n rows: (n, K, n, K)."""
    return np.eye(n * K).reshape(n, K, n, K)


@every_activation
def test_known_streams_do_not_change_the_result(rng, activation):
    network, theta, X = draw(rng, activation=activation, n=3 * N)
    mix = rng.normal(size=(3 * N, 3))
    known = network.linearize(theta, X[:N])
    h, back = network.forward_with_way_back(theta, X, known, n=N)
    expected, expected_back = network.forward_with_way_back(theta, X, n=N)
    assert_allclose(h, expected, rtol=1e-12)
    assert_allclose(back(mix.copy()), expected_back(mix.copy()), rtol=1e-11, atol=1e-12)


def test_members_are_single_networks_side_by_side(rng):
    single, _, _ = draw(rng)
    members = Members(single.layer_units, "tanh", normalization="batch", k=3)
    theta, X = rng.normal(size=members.size), rng.normal(size=(2 * 3 * N, 4))
    mix = rng.normal(size=(len(X), 3))
    h, back = members.forward_with_way_back(theta, X, n=3 * N)
    gradient = members.each(back(mix.copy()))
    for i in range(3):
        own = np.concatenate([np.arange(N) + (copy * 3 + i) * N for copy in range(2)])
        alone, way_back = single.forward_with_way_back(members.each(theta)[i], X[own], n=N)
        assert_allclose(h[own], alone, rtol=1e-11)
        assert_allclose(gradient[i], way_back(mix[own].copy()), rtol=1e-9, atol=1e-11)
    assert members.single == single
    assert members.behind.normalization == "batch"


@every_activation
def test_float32_stays_float32(rng, activation):
    network, theta, X = draw(rng, activation=activation, n=2 * N)
    theta, X, mix = (a.astype("f4") for a in (theta, X, rng.normal(size=(2 * N, 3))))
    known = network.linearize(theta, X[:N])
    h, back = network.forward_with_way_back(theta, X, known, n=N)
    plain_network, folded = fold(network, theta, Rows(X, None, np.ones(2 * N)))
    outputs = h, back(mix), known.jvp(X[:N]), known.vjp(mix[:N]), folded
    assert {array.dtype for array in outputs} == {np.dtype("f4")}
    assert plain_network.forward(folded, X).dtype == np.float32


def test_a_constant_unit_stays_finite(rng):
    network, theta, X = draw(rng)
    X[:] = X[0]
    h, back = network.forward_with_way_back(theta, X)
    assert_allclose(h, np.tile(h[0], (N, 1)))
    assert np.isfinite(back(np.ones_like(h))).all()


def test_rows_have_no_jacobian_of_their_own(rng):
    network, theta, X = draw(rng)
    with pytest.raises(ValueError, match="no Jacobian for each row"):
        network.jacobian(theta, X)
    with pytest.raises(ValueError, match="no Jacobian for each row"):
        network.squared_jacobian(theta, X, 1.0)
    with pytest.raises(ValueError, match="Tangents do not pass"):
        network.tangent(theta, X, X)


def test_initial_scale_and_shift_do_nothing(rng):
    network = Network((4, 6, 5, 3), "relu", normalization="batch")
    theta = network.initialize(rng, np.float64)
    for layer in network.layers[:-1]:
        assert isinstance(layer, NormalizedDense)
        assert_array_equal(layer.bias(theta[None]), np.zeros((1, 1, layer.n_out)))
        assert_array_equal(layer.scale(theta[None]), np.ones((1, 1, layer.n_out)))


@pytest.mark.parametrize("normalization", [None, "batch"])
def test_initial_weights_are_scaled_and_biases_not(normalization):
    network = Network((4, 6, 5, 3), "relu", normalization=normalization)
    usual, small = (network.initialize(np.random.default_rng(0), "f8", s) for s in (1.0, 0.1))
    assert_allclose(small[: network.n_weights], 0.1 * usual[: network.n_weights], rtol=1e-14)
    assert_array_equal(small[network.n_weights :], usual[network.n_weights :])


# ------------------------------------------------------------------------------- folding


@every_activation
@every_depth
def test_folding_reproduces_the_stream_that_it_was_fitted_on(rng, activation, hidden):
    network, theta, X = draw(rng, hidden, activation, n=200)
    further = np.array([3.0, 4.0])  # of a penalty
    plain_network, folded = fold(
        network, np.concatenate([theta, further]), Rows(X, None, np.ones(200))
    )
    assert plain_network == replace(network, normalization=None)
    assert_array_equal(folded[plain_network.size :], further)
    assert_allclose(plain_network.forward(folded, X), plain(network, theta, X), rtol=1e-10)
    others = rng.normal(size=(9, 4))
    expected = plain(network, theta, others, statistics=X)
    assert_allclose(plain_network.forward(folded, others), expected, rtol=1e-10)


def test_folding_does_not_depend_on_blocks_of_rows(rng, monkeypatch):
    network, theta, X = draw(rng, n=1000)
    rows = Rows(X, None, np.ones(1000))
    at_once = fold(network, theta, rows)[1]
    monkeypatch.setattr("skc2c.network.blocks.BLOCK_NUMBERS", 1)  # blocks of 64 rows
    assert_allclose(fold(network, theta, rows)[1], at_once, rtol=1e-11)


def test_folding_leaves_other_networks_alone(rng):
    network = Network((4, 5, 3), "tanh")
    theta = rng.normal(size=network.size)
    assert fold(network, theta, None) == (network, theta)


# --------------------------------------------------------------------------- the objective


@pytest.mark.parametrize("loss", LIKELIHOODS)
@pytest.mark.parametrize("penalty", ALLOWED, ids=repr)
def test_batch_gradients_equal_finite_differences(rng, penalty, loss):
    """Of the loss and every penalty that is allowed, with the probe held where it was found."""
    likelihood = LIKELIHOODS[loss]
    network, theta, X = draw(rng, n=9, K=likelihood.n_outputs(3))
    theta = add_parameters(penalty, network, 0.3 * theta, rng)
    rows = Rows(X, draw_targets(rng, likelihood, 9, 3), np.ones(9))
    term = Term(network, likelihood, penalty, 0.7, 0.4, 0.3, rows)
    probe = term._probe(theta, rows, np.random.default_rng(0))

    def at(theta):
        weight = np.full(9, 1 / 9)
        return term._penalized(theta, rows, probe, weight, 0.3, (False, None))

    assert_gradient(lambda theta: at(theta)[0], at(theta)[1], theta, rng, rtol=1e-5)


def test_perturbed_copies_have_statistics_of_their_own(rng):
    """A shift of all copies by the same vector changes nothing in the first layer."""
    network, theta, X = draw(rng, hidden=(6,))
    probe = Probe.around(X, np.stack([np.full_like(X, 3.0), 2.0 * X]), 1.0)
    outputs = probe.outputs(network, theta)
    near = outputs.near.reshape(2, N, -1)
    assert_allclose(near[0], outputs.clean, rtol=1e-10)
    assert_allclose(near[1], outputs.clean, rtol=1e-4)  # up to what is added to variances


@pytest.mark.parametrize(("size", "n", "expected"), [(200, 201, 101), (200, 200, 200), (3, 10, 3)])
def test_batches_are_about_as_large(size, n, expected):
    assert even_size(size, n) == expected


def test_no_batch_is_left_with_a_single_row(rng):
    likelihood = LIKELIHOODS["squared_error"]
    rows = Rows(rng.normal(size=(201, 4)), rng.normal(size=(201, 3)), np.ones(201))
    for normalization, expected in ((None, [200, 1]), ("batch", [101, 100])):
        network = Network((4, 5, 3), "relu", normalization=normalization)
        term = Term(network, likelihood, PENALTIES["c2c"](), 0.1, 0.1, 0.0, rows)
        batches = Objective((term,)).deal(200, [rng]).epoch()
        assert [len(batch) for (batch,) in batches] == expected


# --------------------------------------------------------------------------- the estimators

ONE = {
    "cv": None,
    "numeric_embedding": None,
    "normalization": "batch",
    "max_iter": 200,
    "n_iter_no_change": np.inf,
    "solver": Adam(schedule="cosine"),
}


@pytest.fixture
def moons(rng):
    """Two half circles: rows and classes."""
    angle = rng.uniform(0, np.pi, size=400)
    y = rng.integers(0, 2, size=400)
    X = np.stack([np.cos(angle) * (1 - 2 * y) + y, np.sin(angle) * (1 - 2 * y) + 0.5 * y], 1)
    return X + 0.1 * rng.normal(size=X.shape), y


@pytest.mark.parametrize(
    "settings",
    [
        ONE,
        ONE | {"cv": 3},
        ONE | {"cv": 2, "numeric_embedding": "auto", "hidden_layer_sizes": (20, 10)},
        ONE | {"early_stopping": True},
        ONE | {"early_stopping": True, "scoring": "accuracy"},
        ONE | {"numeric_embedding": "fourier", "hidden_layer_sizes": (20, 10)},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fitted_estimators_are_plain_networks(moons, settings):
    X, y = (part[:300] for part in moons)
    quick = {"max_iter": 60, "learning_rate_init": 0.05, "batch_size": 60, "random_state": 0}
    clf = C2CClassifier(**settings | quick).fit(X, y)
    assert clf.score(X, y) > (0.96 if clf.validation_scores_ is None else 0.87)
    # The output by hand, from what is public.
    h = decision_by_hand(clf, X)
    assert_allclose(clf.decision_function(X), h[:, 0], rtol=1e-6, atol=1e-8)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_sparse_rows_and_weights_do_not_break_it(moons):
    X, y = moons
    settings = ONE | {"max_iter": 5, "input_scaling": None}
    dense = C2CClassifier(**settings, random_state=0).fit(X, y)
    thin = C2CClassifier(**settings, random_state=0).fit(sparse.csr_matrix(X), y)
    assert_allclose(thin.decision_function(X), dense.decision_function(X), rtol=1e-4, atol=1e-5)
    weight = np.where(np.arange(400) < 300, 2.0, 0.0)
    weighted = C2CClassifier(**settings, random_state=0).fit(X, y, weight)
    some = C2CClassifier(**settings, random_state=0).fit(X[:300], y[:300])
    assert_allclose(weighted.decision_function(X), some.decision_function(X), rtol=1e-3, atol=1e-3)


def decision_by_hand(clf, X):
    h = in_front(clf, X)
    for i, (coef, intercept) in enumerate(zip(clf.coefs_, clf.intercepts_, strict=True)):
        h = h @ coef + intercept
        h = np.maximum(h, 0) if i < len(clf.coefs_) - 1 else h
    return h


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("penalty", [p for p in PENALTIES if p != "jacobian"])
def test_regressors_train_with_every_penalty(rng, penalty):
    X = rng.uniform(-2, 2, size=(200, 2))
    y = 5.0 + 100.0 * np.sin(2 * X[:, 0]) + 50.0 * X[:, 1] ** 2
    settings = ONE | {"epsilon": 0.05, "alpha": 0.01, "batch_size": 50, "max_iter": 40}
    settings |= {"learning_rate_init": 0.03, "hidden_layer_sizes": (30,), "random_state": 0}
    assert C2CRegressor(penalty=penalty, **settings).fit(X, y).score(X, y) > 0.88


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("cv", [None, 2])
def test_statistics_are_those_of_unlabelled_rows_too(rng, cv):
    """Labelled rows lie on one side: only with the pool have hidden units variance one.

    With a single hidden layer and hardly any training the scale stays near one and the shift near
    zero, so that moments of what reaches the activation give the statistics away.
    """
    X = rng.normal(size=(400, 3)) * [1.0, 5.0, 0.2]
    y = np.full(400, -1)
    labelled = np.argsort(X[:, 0])[-20:]
    y[labelled] = np.arange(20) % 2
    settings = ONE | {"max_iter": 4, "learning_rate_init": 1e-6, "cv": cv, "input_scaling": None}
    settings |= {"alpha": 1.0}
    clf = C2CClassifier(penalty="vat", missing_label=-1, **settings, random_state=0).fit(X, y)
    off = []
    for rows in (X, X[labelled]):
        z = rows @ clf.coefs_[0] + clf.intercepts_[0]
        off.append(np.abs(z.mean(axis=0)).mean() + np.abs(z.var(axis=0) - 1.0).mean())
    assert off[0] < 1e-3
    assert off[1] > 0.5


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"solver": "lbfgs"}, "needs batches of rows"),
        ({"penalty": "jacobian"}, "no Jacobian"),
        ({"warm_start": True}, "cannot go on"),
    ],
)
def test_what_does_not_go_together_is_refused(moons, settings, match):
    X, y = moons
    with pytest.raises(ValueError, match=match):
        C2CClassifier(normalization="batch", **settings).fit(X, y)


def test_incremental_fits_are_refused(moons):
    X, y = moons
    with pytest.raises(ValueError, match="partial_fit cannot go on"):
        C2CClassifier(normalization="batch").partial_fit(X, y)
