"""The Gamma model: noise in every layer and a normalised top, against plain numpy and autograd."""

from itertools import pairwise

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import LIKELIHOODS, add_parameters, assert_gradient, charge, draw_targets

from skc2c import C2CClassifier, C2CRegressor, Ladder, Noise
from skc2c.data.rows import Rows
from skc2c.inspection import penalty_value
from skc2c.network import Members, Network
from skc2c.network.folding import fold
from skc2c.objective import Objective, Term
from skc2c.objective.members import MembersTerm
from skc2c.penalties import NoPenalty
from skc2c.random_streams import MemberStreams

UNITS = (4, 6, 5, 3)
N = 8
GAMMA = Ladder(normalized_top=True, layer_noise=0.3, noisy_loss=True)
PENALTIES = [
    GAMMA,
    Ladder(normalized_top=True),
    Ladder(layer_noise=0.3),
    Ladder(normalized_top=True, layer_noise=0.3, n_perturbations=3),
    Ladder("adversarial", normalized_top=True, layer_noise=0.3),
]
each_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
softmax = LIKELIHOODS["log_loss"]
# Losses with one output for each mean response.
LOSSES = [loss for loss in LIKELIHOODS if LIKELIHOODS[loss].n_outputs(3) == 3]


def draw(rng, units=UNITS, n=N, normalization="batch_all"):
    network = Network(units, "tanh", normalization=normalization)
    return network, 0.5 + 0.5 * rng.normal(size=network.size), rng.normal(size=(n, units[0]))


def normal(z):
    mean = anp.mean(z, axis=0)
    return (z - mean) / anp.sqrt(anp.mean((z - mean) ** 2, axis=0) + 1e-6)


def forward(theta, rows, noise=(0.0, 0.0, 0.0)):
    """One stream through the network of `draw`, its parameters cut from theta one by one."""
    start, kernels = 0, []
    for shape in pairwise(UNITS):
        kernels.append(anp.reshape(theta[start : start + shape[0] * shape[1]], shape))
        start += shape[0] * shape[1]
    for i, (kernel, own) in enumerate(zip(kernels, noise, strict=True)):
        units = kernel.shape[1]
        shift, scale = theta[start : start + units], theta[start + units : start + 2 * units]
        start += 2 * units
        z = (normal(anp.dot(rows, kernel)) + own) * scale + shift
        rows = z if i == 2 else anp.tanh(z)
    return rows


def denoise(z, u, a):
    """The published denoiser, parameter by parameter."""
    a1, a2, a3, a4, a5, a6, a7, a8, a9, a10 = a

    def sigmoid(t):
        return 1.0 / (1.0 + anp.exp(-t))

    mean = a1 * sigmoid(a2 * u + a3) + a4 * u + a5
    slope = a6 * sigmoid(a7 * u + a8) + a9 * u + a10
    return (z - mean) * slope + mean


def probabilities(h):
    e = anp.exp(h - anp.max(h, axis=1, keepdims=True))
    return e / anp.sum(e, axis=1, keepdims=True)


def gamma_cost(theta, probe, n_copies=1):
    """Mean squared distance of the denoised tops from the clean one, for each row."""
    split = len(theta) - 30
    a = anp.reshape(theta[split:], (10, 3))
    clean = normal(forward(theta[:split], probe.clean))
    total = 0.0
    for i in range(n_copies):
        rows = slice(i * probe.n, (i + 1) * probe.n)
        h = forward(theta[:split], probe.near[rows], [noise[rows] for noise in probe.noise])
        denoised = denoise(normal(h), normal(probabilities(h)), a)
        total = total + anp.mean((denoised - clean) ** 2, axis=1)
    return total / n_copies


@pytest.mark.parametrize("n_copies", [1, 3])
def test_the_cost_is_that_of_the_published_formulas(rng, n_copies):
    network, theta, X = draw(rng)
    penalty = Ladder(normalized_top=True, layer_noise=0.4, n_perturbations=n_copies)
    theta = add_parameters(penalty, network, theta, rng)
    probe = penalty.probe(network, softmax, theta, X, None, 0.5, rng)
    expected = gamma_cost(theta, probe, n_copies)
    assert_allclose(charge(penalty, network, softmax, theta, probe), expected, rtol=1e-10)


def test_the_whole_objective_is_that_of_plain_autograd(rng):
    """Labelled loss on the corrupted path, plus the denoising cost of the rows of the pool."""
    network, theta, X = draw(rng)
    theta = add_parameters(GAMMA, network, theta, rng)
    y, pool = draw_targets(rng, softmax, N, 3), rng.normal(size=(2 * N, 4))
    objective = Objective.of_rows(
        network,
        softmax,
        GAMMA,
        Rows(X, y, np.ones(N)),
        Rows(pool, None, np.ones(2 * N)),
        alpha=0.7,
        epsilon=0.5,
        l2=0.0,
    )
    batches = np.arange(2 * N), np.arange(N)
    value, gradient = objective.on_batch(theta, batches, np.random.default_rng(3))
    again = np.random.default_rng(3)  # the same draws, in the same order
    charge, loss = objective.terms
    probe = charge._probe(theta, charge.rows, again)
    noisy = loss._probe(theta, loss.rows, again)

    def expected(theta):
        h = forward(theta[:-30], noisy.rows, noisy.noise)
        log_p = h - anp.log(anp.sum(anp.exp(h), axis=1, keepdims=True))
        return 0.7 * anp.mean(gamma_cost(theta, probe)) - anp.mean(anp.sum(y * log_p, axis=1))

    assert not np.allclose(noisy.rows, X)
    assert_allclose(value, expected(theta), rtol=1e-10)
    assert_allclose(gradient, autograd.grad(expected)(theta), rtol=1e-7, atol=1e-10)


@each_penalty
@pytest.mark.parametrize("loss", LOSSES)
def test_batch_gradients_equal_finite_differences(rng, penalty, loss):
    likelihood = LIKELIHOODS[loss]
    network, theta, X = draw(rng)
    theta = add_parameters(penalty, network, 0.3 * theta, rng)
    rows = Rows(X, draw_targets(rng, likelihood, N, 3), np.ones(N))
    term = Term(network, likelihood, penalty, 0.7, 0.4, 0.3, rows)
    probe = term._probe(theta, rows, np.random.default_rng(0))

    def at(theta):
        return term._penalized(theta, rows, probe, np.full(N, 1 / N), 0.3, (False, None))

    assert_gradient(lambda theta: at(theta)[0], at(theta)[1], theta, rng, rtol=1e-5)


@each_penalty
def test_members_are_charged_as_if_each_were_alone(rng, penalty):
    single, _, X = draw(rng, n=3 * N)
    members = Members(UNITS, "tanh", normalization="batch_all", k=3)
    further = [add_parameters(penalty, single, np.empty(0), rng) for _ in range(3)]
    thetas = [0.5 + 0.5 * rng.normal(size=single.size) for _ in range(3)]
    theta = np.concatenate([*thetas, *further])
    rows = Rows(X, None, np.ones(3 * N))
    places = [np.arange(i * N, (i + 1) * N) for i in range(3)]
    settings = {"alpha": np.ones(3), "l2": np.zeros(3), "epsilon": 0.4, "rows": rows}
    together = MembersTerm(
        members, softmax, penalty, members=places, n_per_pass=N, **settings
    ).on_batch(theta, np.stack(places), MemberStreams(list(map(np.random.default_rng, range(3)))))
    for i in range(3):
        own = np.concatenate([thetas[i], further[i]])
        term = Term(single, softmax, penalty, 1.0, 0.4, 0.0, rows.select(places[i]))
        stream = MemberStreams([np.random.default_rng(i)])
        value, gradient = term.on_batch(own, np.arange(N), stream)
        assert_allclose(together[0][1, i], value, rtol=1e-9)
        found = np.concatenate(
            [members.each(together[1])[i], together[1][members.size :].reshape(3, -1)[i]]
        )
        assert_allclose(found, gradient, rtol=1e-7, atol=1e-10)


# ------------------------------------------------------------------------ noise in layers


@pytest.mark.parametrize("copies", [1, 3])
def test_noise_moves_the_last_copies_only(rng, copies):
    network, theta, X = draw(rng)
    rows = np.concatenate([X, *(X + 0.1 for _ in range(copies))])
    noise = [rng.normal(size=(copies * N, units)) for units in UNITS[1:]]
    h = network.forward(theta, rows, n=N, noise=noise)
    assert_allclose(h[:N], network.forward(theta, X), rtol=1e-12)
    for i in range(copies):
        near = slice((i + 1) * N, (i + 2) * N)
        own = [part[i * N : (i + 1) * N] for part in noise]
        assert_allclose(h[near], forward(theta, rows[near], own), rtol=1e-10)


def test_the_noise_has_the_spread_asked_for(rng):
    network, theta, X = draw(rng, units=(4, 50, 20, 3), n=400)
    probe = GAMMA.probe(network, softmax, theta, X, None, 0.5, rng)
    assert [noise.shape for noise in probe.noise] == [(400, 50), (400, 20), (400, 3)]
    linear_top, _, _ = draw(rng, units=(4, 50, 20, 3), normalization="batch")
    probe_below = GAMMA.probe(linear_top, softmax, theta, X, None, 0.5, rng)
    assert [noise.shape for noise in probe_below.noise] == [(400, 50), (400, 20)]
    for noise in probe.noise:
        n = noise.size
        assert abs(noise.mean()) < 5 * 0.3 / np.sqrt(n)
        assert abs(noise.std() - 0.3) < 5 * 0.3 / np.sqrt(2 * n)


def test_the_labelled_loss_has_noise_of_its_own_only_if_asked_for():
    assert isinstance(Ladder(layer_noise=0.3, normalized_top=True).beside_loss, NoPenalty)
    beside = Ladder(layer_noise=0.3, noisy_loss=True).beside_loss
    assert isinstance(beside, Noise)
    assert beside.get_params() == {"layer_noise": 0.3, "perturbation": "random"}


def test_a_noisy_loss_has_a_term_of_its_own_without_a_pool_too(rng):
    network, _, X = draw(rng)
    train = Rows(X, draw_targets(rng, softmax, N, 3), np.ones(N))
    settings = {"alpha": 1.0, "epsilon": 0.3, "l2": 0.1}
    for penalty, n_terms in ((Ladder(layer_noise=0.3), 1), (GAMMA, 2)):
        terms = Objective.of_rows(network, softmax, penalty, train, **settings).terms
        assert len(terms) == n_terms
    charge, loss = terms
    assert (charge.rows.y, charge.l2, loss.rows, loss.l2) == (None, 0.0, train, 0.1)


@each_penalty
def test_float32_stays_float32(rng, penalty):
    network, theta, X = (a.astype("f4") if isinstance(a, np.ndarray) else a for a in draw(rng))
    theta = add_parameters(penalty, network, theta, rng)
    rows = Rows(X, draw_targets(rng, softmax, N, 3).astype("f4"), np.ones(N, "f4"))
    term = Term(network, softmax, penalty, 0.7, 0.4, 0.3, rows)
    probe = term._probe(theta, rows, np.random.default_rng(0))
    assert {noise.dtype for noise in probe.noise} <= {np.dtype("f4")}
    assert charge(penalty, network, softmax, theta, probe).dtype == np.float32
    assert term.on_batch(theta, np.arange(N), np.random.default_rng(0))[1].dtype == np.float32


# ------------------------------------------------------------------------- the estimators

ONE = {
    "cv": None,
    "numeric_embedding": None,
    "normalization": "batch_all",
    "hidden_layer_sizes": (20, 10),
    "alpha": 0.1,
    "epsilon": 0.1,
    "batch_size": 50,
    "learning_rate_init": 0.04,
    "max_iter": 8,
    "random_state": 0,
}
quick = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def halves(rng):
    """Rows, and two classes of which twenty rows each are known."""
    X = rng.normal(size=(120, 2))
    X[:60, 0] += 6.0
    y = np.repeat([1, 0], 60)
    marked = np.full(120, -1)
    marked[[*range(20), *range(60, 80)]] = y[[*range(20), *range(60, 80)]]
    return X, y, marked


@quick
@each_penalty
@pytest.mark.parametrize("settings", [{}, {"cv": 2}, {"cv": 2, "numeric_embedding": "fourier"}])
def test_estimators_learn_with_it(halves, penalty, settings):
    X, y, marked = halves
    clf = C2CClassifier(penalty=penalty, missing_label=-1, **ONE | settings).fit(X, marked)
    assert clf.score(X, y) > 0.95
    full = C2CClassifier(penalty=penalty, **ONE | settings).fit(X, y)  # without unlabelled rows
    assert full.score(X, y) > 0.95


@quick
def test_it_learns_numbers_as_well(rng):
    X = rng.uniform(-1, 1, size=(400, 2))
    y = np.sin(3 * X[:, 0])
    settings = ONE | {"alpha": 0.01, "epsilon": 0.01, "max_iter": 30}
    reg = C2CRegressor(penalty=Ladder(normalized_top=True, layer_noise=0.05), **settings)
    assert reg.fit(X[:300], y[:300], X_unlabeled=X[300:]).score(X, y) > 0.93  # a line: 0.68


@each_penalty
def test_networks_without_normalisation_are_refused(halves, penalty):
    X, _, marked = halves
    clf = C2CClassifier(penalty=penalty, missing_label=-1, **ONE | {"normalization": None})
    with pytest.raises(ValueError, match="Use normalization='batch'"):
        clf.fit(X, marked)


def test_noise_in_layers_needs_normalisation_too(halves):
    X, y, _ = halves
    clf = C2CClassifier(penalty=Noise(layer_noise=0.2), **ONE | {"normalization": None})
    with pytest.raises(ValueError, match="Use normalization='batch'"):
        clf.fit(X, y)


@quick
def test_a_fitted_network_has_no_value_of_it(halves):
    X, y, _ = halves
    for settings in ({}, {"cv": 2}):
        clf = C2CClassifier(penalty=GAMMA, **ONE | settings | {"max_iter": 2}).fit(X, y)
        with pytest.raises(ValueError, match="a fitted one never has"):
            penalty_value(clf, X, GAMMA, 0.1)


def test_it_has_no_full_batches(halves):
    X, y, _ = halves
    with pytest.raises(ValueError, match="Use solver='adam'"):
        C2CClassifier(penalty=GAMMA, solver="lbfgs", **ONE).fit(X, y)


def test_losses_with_further_outputs_are_refused(rng):
    X = rng.normal(size=(50, 2))
    reg = C2CRegressor(loss="gaussian_nll", penalty=GAMMA, **ONE)
    with pytest.raises(ValueError, match="as many as the mean responses"):
        reg.fit(X, X[:, 0])


@quick
def test_fitted_parameters_of_a_normalised_top_have_no_unit(rng):
    """Scaling y scales predictions, and leaves the denoiser as it is."""
    X = rng.normal(size=(100, 2))
    fits = [
        C2CRegressor(penalty=Ladder(normalized_top=True), **ONE | {"max_iter": 5}).fit(X, y)
        for y in (X[:, 0], 100.0 + 50.0 * X[:, 0])
    ]
    first, second = (fit.penalty_parameters_ for fit in fits)
    assert_allclose(first, second, rtol=1e-3, atol=1e-4)
    assert not np.allclose(first, Ladder().initial_parameters(1), atol=1e-4)


@pytest.mark.parametrize("hidden", [(), (6,), (6, 5)])
def test_a_normalised_output_is_folded_as_well(rng, hidden):
    network, theta, X = draw(rng, units=(4, *hidden, 3), n=200)
    plain, folded = fold(network, theta, Rows(X, None, np.ones(200)))
    assert plain == Network((4, *hidden, 3), "tanh")
    assert_allclose(plain.forward(folded, X), network.forward(theta, X), rtol=1e-9, atol=1e-12)


def test_an_offset_moves_a_normalised_output(rng):
    network, theta, X = draw(rng)
    offset = np.array([1.0, -2.0, 3.0])
    h = network.forward(network.shifted(theta, offset), X)
    assert_allclose(h, network.forward(theta, X) + offset, rtol=1e-12)


@pytest.mark.parametrize("penalty", [Ladder(n_perturbations=2), Noise("adversarial")], ids=repr)
def test_penalties_saved_before_these_settings_have_them_at_their_defaults(penalty):
    state = penalty.__getstate__()
    late = {"normalized_top", "layer_noise", "noisy_loss"} & set(state)
    loaded = type(penalty).__new__(type(penalty))
    loaded.__setstate__({name: value for name, value in state.items() if name not in late})
    assert late
    assert loaded.get_params() == penalty.get_params()


def test_the_default_has_no_noise_and_no_settings_of_normalisation(rng):
    network = Network(UNITS, "tanh")
    probe = Ladder().probe(network, softmax, np.ones(network.size), np.ones((3, 4)), None, 0.1, rng)
    assert probe.noise == ()
    assert_array_equal(probe.near.shape, (3, 4))
