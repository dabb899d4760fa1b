"""What a step costs, in counts that do not depend on the machine: nodes, arrays, bytes, dtypes."""

import tracemalloc
from dataclasses import replace

import autograd
import numpy as np
import pytest
from autograd.extend import VSpace
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.numpy.numpy_vspaces import ArrayVSpace
from oracles import LIKELIHOODS, PLAIN, VARIANTS, add_parameters, draw_targets, in_pairs
from scipy import sparse
from threadpoolctl import threadpool_limits

from skc2c import C2C, VAT, C2CRegressor, Jacobian, Ladder, Noise
from skc2c.data.rows import Rows
from skc2c.estimators import scaled_rows
from skc2c.network import Members, Network, blocks
from skc2c.objective import Objective, Term
from skc2c.objective.members import MembersTerm
from skc2c.penalties import PENALTIES, NoPenalty, make_penalty
from skc2c.random_streams import MemberStreams
from skc2c.solvers import SOLVERS

each_solver = pytest.mark.parametrize("solver", SOLVERS)
each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
gaussian = LIKELIHOODS["squared_error"]


def make(penalty, likelihood=gaussian, units=(8, 256, 3), n=100, dtype=np.float32):
    rng = np.random.default_rng(0)
    T = units[-1]
    network = Network((*units[:-1], likelihood.n_outputs(T)), "relu")
    y = draw_targets(rng, likelihood, n, T).astype(dtype)
    rows = Rows(rng.normal(size=(n, units[0])).astype(dtype), y, np.ones(n))
    settings = {"alpha": 0.1, "epsilon": 0.3, "l2": 1.0}
    term = Term(network, likelihood, penalty, rows=rows, **settings)
    theta = network.initialize(rng, dtype)
    return term, add_parameters(penalty, network, theta, rng)


def make_members(penalty, likelihood, k):
    """A term of k members, the parameters of all, and their random streams."""
    term, theta = make(penalty, likelihood, units=(8, 30, 20, 3))
    network = term.network
    members = MembersTerm(
        Members(network.layer_units, network.activation, k=k),
        likelihood=likelihood,
        penalty=penalty,
        alpha=np.linspace(0.1, 0.3, k),
        epsilon=0.3,
        l2=np.ones(k),
        rows=term.rows,
        members=[np.arange(i, i + 60) for i in range(k)],
        n_per_pass=60,
    )
    own, further = theta[: network.size], theta[network.size :]
    theta = np.concatenate([np.tile(own, k), np.tile(further, k)])
    return members, theta, MemberStreams([np.random.default_rng(i) for i in range(k)])


def small_regressor(**parameters):
    settings = {"hidden_layer_sizes": (5,), "max_iter": 2, "random_state": 0}
    return C2CRegressor(**PLAIN | settings | parameters)


def peak_bytes(call, is_known=False):
    """The most that numpy and Python held during a call, over what they held before.

    What is made once a process is made before: by the call itself, unless one like it is known to
    have been made.
    """
    if not is_known:
        call()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


NODES = {C2C: 0, VAT: 0, Jacobian: 1, Ladder: 12, Noise: 0, NoPenalty: 0}
# Of a penalty that is not listed, which may be written in autograd's numpy.
NODES_OF_ANY = 50


@pytest.fixture
def nodes(monkeypatch):
    """Names of all that is traced from now on."""
    names, construct = [], autograd.core.VJPNode.__init__

    def counted(self, value, function, *arguments):
        names.append(function.__name__)
        construct(self, value, function, *arguments)

    monkeypatch.setattr(autograd.core.VJPNode, "__init__", counted)
    return names


@pytest.mark.parametrize("name", PENALTIES, ids=str)
@each_likelihood
@pytest.mark.parametrize("hidden", [(5,), (5, 4, 6)], ids=str)
def test_a_step_has_few_traced_nodes_whatever_the_depth(nodes, name, likelihood, hidden):
    term, theta = make(PENALTIES[name](), likelihood, units=(8, *hidden, 3))
    term.on_batch(theta, np.arange(20), np.random.default_rng(0))
    expected = NODES.get(PENALTIES[name])
    assert len(nodes) == expected if expected is not None else len(nodes) <= NODES_OF_ANY, nodes


def goes_member_by_member(penalty):
    """The exact Jacobian is taken of each member in turn."""
    return isinstance(penalty, Jacobian) and penalty.perturbation == "random"


@pytest.mark.parametrize("penalty", VARIANTS, ids=str)
@each_likelihood
def test_a_step_of_members_has_few_more_traced_nodes_than_one(nodes, penalty, likelihood):
    counts = []
    for k in (1, 2, 6):
        members, theta, streams = make_members(penalty, likelihood, k=k)
        del nodes[:]
        members.on_batch(theta, np.stack([rows[:20] for rows in members.members]), streams)
        counts.append(len(nodes))
    if goes_member_by_member(penalty):
        assert counts[2] - counts[1] <= 4 * 18
    else:
        assert counts[2] == counts[1]
        assert counts[1] - counts[0] <= 3  # several denoisers of the ladder are reshaped


# Arrays of the size of all rows, clean and perturbed, by the hidden units: values, slopes and
# the gradient on its way back; for VAT those of the linearization (half as many rows), for the
# exact Jacobian of three outputs the covectors too.
ARRAYS = {
    NoPenalty: (1, 3),
    C2C: (2, 3),
    VAT: (2, 4),
    Ladder: (2, 3),
    Noise: (1, 3),
    Jacobian: (1, 10),
}


@pytest.mark.parametrize("name", PENALTIES, ids=str)
def test_a_step_holds_few_arrays_of_batch_size(name):
    stacked, allowed = ARRAYS.get(PENALTIES[name], (1 + PENALTIES[name]().n_copies, 4))
    term, theta = make(PENALTIES[name](), n=1000)
    batch, rng = np.arange(1000), np.random.default_rng(0)
    peak = peak_bytes(lambda: term.on_batch(theta, batch, rng))
    assert peak < (allowed + 0.5) * stacked * 1000 * 256 * 4


class Watched(np.ndarray):
    """An array that notes the dtype of all that is computed from it."""

    dtypes = set()

    def __array_finalize__(self, obj):
        self.dtypes.add((self.dtype, self.size > 50))


@pytest.fixture
def watch(monkeypatch):
    ArrayBox.register(Watched)
    VSpace.register(Watched, lambda array: ArrayVSpace(np.asarray(array)))
    monkeypatch.setattr(Watched, "dtypes", set())
    yield
    for table in (ArrayBox.type_mappings, VSpace.mappings):
        del table[Watched]


# One hidden layer with few outputs and with many, two of them, and many inputs.
WAYS = [(8, 256, 3), (40, 16, 5), (8, 30, 20, 3), (300, 20, 15, 3)]


def watched(rows):
    return Rows(rows.X.view(Watched), rows.y.view(Watched), rows.weight)


def assert_single_precision():
    assert (np.dtype(np.float32), True) in Watched.dtypes
    large = {dtype for dtype, is_large in Watched.dtypes if is_large}
    assert np.dtype(np.float64) not in large, large


@pytest.mark.parametrize(
    ("penalty", "loss", "units"), in_pairs(VARIANTS, list(LIKELIHOODS), WAYS), ids=str
)
def test_every_intermediate_is_in_single_precision(watch, penalty, loss, units):
    """But for the random numbers themselves, of which `gaussian` has a test.

    A likelihood sees outputs, and a layer none of it: what all three have to do with each other
    would be in the penalty, which asks neither how it came by the outputs nor what they mean.
    """
    term, theta = make(penalty, LIKELIHOODS[loss], units)
    term = replace(term, rows=watched(term.rows))
    term.on_batch(theta.view(Watched), np.arange(90), np.random.default_rng(0))
    assert_single_precision()


@pytest.mark.parametrize("penalty", VARIANTS, ids=str)
@each_likelihood
def test_every_intermediate_of_members_is_in_single_precision(watch, penalty, likelihood):
    members, theta, streams = make_members(penalty, likelihood, k=2)
    members = replace(members, rows=watched(members.rows))
    batch = np.stack([rows[:50] for rows in members.members])
    members.on_batch(theta.view(Watched), batch, streams)
    assert_single_precision()


@pytest.mark.parametrize("penalty", VARIANTS, ids=str)
@each_likelihood
def test_memory_of_all_rows_does_not_grow_with_their_number(penalty, likelihood, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_NUMBERS", 2**14)  # of fewer rows there are several, too
    with threadpool_limits(1):
        peaks = []
        for n in (250, 750):
            term, theta = make(penalty, likelihood, units=(8, 64, 3), n=n, dtype=np.float64)
            objective = Objective((term,))
            peaks.append(peak_bytes(lambda o=objective, t=theta: o.on_all_rows(t, 0), bool(peaks)))
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_full_batch_fit_does_not_copy_the_rows(dtype):
    """But for a cast to float64, if X needs one."""
    rng = np.random.default_rng(0)
    peaks = []
    for n in (2000, 5000):
        X = rng.normal(size=(n, 200)).astype(dtype)
        reg = small_regressor(solver="lbfgs")
        with threadpool_limits(1):
            peaks.append(peak_bytes(lambda X=X, reg=reg: reg.fit(X, X[:, 0]), bool(peaks)))
    cast = 0 if dtype == np.float64 else 200 * 8
    assert (peaks[1] - peaks[0]) / 3000 < cast + 160  # 20 numbers a row for y, weights, order


def growth(fit, sizes):
    """By how many bytes the peak of a fit grows with each row."""
    with threadpool_limits(1):
        first, second = (fit(n) for n in sizes)
        few, many = peak_bytes(first), peak_bytes(second, is_known=True)
    return (many - few) / (sizes[1] - sizes[0])


def wide_rows(n, D, n_entries=20):
    """Sparse rows of a few entries each; scipy's `random` permutes all n * D cells for them."""
    rng = np.random.default_rng(0)
    cells = np.repeat(np.arange(n), n_entries), rng.integers(D, size=n * n_entries)
    return sparse.csr_matrix((rng.random(n * n_entries), cells), shape=(n, D))


@each_solver
def test_a_default_fit_takes_a_few_copies_of_the_rows(solver):
    """Chosen among three candidates and four folds, of which none copies X for itself."""
    D, rng = 40, np.random.default_rng(0)

    def fit(n):
        X = rng.normal(size=(n, D))
        reg = C2CRegressor((5,), max_iter=2, solver=solver, random_state=0)
        return lambda: reg.fit(X, X[:, 0])

    assert growth(fit, (1000, 2000)) < 8 * D * 8


@each_solver
def test_a_default_fit_never_copies_the_unlabelled_rows(tmp_path, monkeypatch, solver):
    """Nor scales more of them than a batch or a block; the scaling itself is fitted on some."""
    monkeypatch.setattr(scaled_rows, "_SCALING_SAMPLE", 2_000)
    D, rng = 80, np.random.default_rng(0)
    X = rng.normal(size=(50, D))

    def fit(n):
        np.save(tmp_path / f"{n}.npy", rng.normal(size=(n, D)))
        X_unlabeled = np.load(tmp_path / f"{n}.npy", mmap_mode="r")
        # Two folds are enough to see: one copy for both would be twice what is allowed.
        reg = C2CRegressor((5,), alpha=0.1, max_iter=1, solver=solver, random_state=0, cv=2)
        return lambda: reg.fit(X, X[:, 0], X_unlabeled=X_unlabeled)

    assert growth(fit, (5_000, 7_000)) < 0.5 * D * 8


@each_solver
def test_sparse_rows_are_never_dense_all_at_once(solver):
    X = wide_rows(2000, 2000, 4)
    reg = small_regressor(solver=solver, max_iter=1)
    with threadpool_limits(1):
        assert (
            peak_bytes(lambda: reg.fit(X, X[:, [0]].toarray()[:, 0]))
            < X.shape[0] * X.shape[1] * 8 / 2
        )
        assert peak_bytes(lambda: reg.predict(X)) < X.shape[0] * X.shape[1] * 8 / 100


@each_solver
def test_unlabelled_rows_are_never_copied_all_at_once(tmp_path, solver):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "X.npy", rng.normal(size=(20_000, 100)))
    X_unlabeled = np.load(tmp_path / "X.npy", mmap_mode="r")
    X = rng.normal(size=(50, 100))
    reg = small_regressor(solver=solver)
    with threadpool_limits(1):
        peak = peak_bytes(lambda: reg.fit(X, X[:, 0], X_unlabeled=X_unlabeled))
    assert peak < X_unlabeled.nbytes / 2


def test_prediction_takes_little_more_than_its_result():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 50))
    reg = small_regressor(hidden_layer_sizes=(100,), max_iter=1).fit(X[:500], X[:500, :2])
    with threadpool_limits(1):
        assert peak_bytes(lambda: reg.predict(X)) < 20_000 * 2 * 8 + 8 * 2**20


@each_solver
@pytest.mark.parametrize("penalty", ["c2c", "vat", "noise", "jacobian", "ladder", None])
def test_a_fit_on_wide_sparse_rows_grows_with_their_entries(solver, penalty):
    """By some arrays of hidden units and of stored entries for each row: not by its width."""
    D, n_entries, H = 12_000, 20, 5

    def fit(n):
        X = wide_rows(n, D, n_entries)
        reg = small_regressor(hidden_layer_sizes=(H,), penalty=penalty, solver=solver)
        reg.set_params(batch_size=n)
        return lambda: reg.fit(X, np.arange(n) / n)

    assert growth(fit, (300, 900)) < 10 * 12 * n_entries + 40 * 8 * H < D * 8 / 20


@pytest.mark.parametrize("penalty", ["c2c", "vat", "noise", None])
def test_a_step_on_wide_sparse_rows_holds_few_arrays_of_the_kernels_size(penalty):
    """The gradient, and for adversarial directions a copy of theta; no second gradient."""
    D, H, n = 50_000, 20, 100
    rng = np.random.default_rng(0)
    network = Network((D, H, 3), "relu")
    X = wide_rows(n, D).astype(np.float32)
    rows = Rows(X, rng.normal(size=(n, 3)).astype(np.float32), np.ones(n))
    settings = {"alpha": 0.1, "epsilon": 0.3, "l2": 1.0}
    term = Term(network, gaussian, make_penalty(penalty), rows=rows, **settings)
    theta, batch = network.initialize(rng, np.float32), np.arange(n)
    peak = peak_bytes(lambda: term.on_batch(theta, batch, np.random.default_rng(0)))
    assert peak < (1.7 if penalty != "vat" else 2.7) * D * H * 4


@each_solver
def test_a_default_fit_on_wide_sparse_rows_grows_with_their_entries(solver):
    D, H = 5_000, 2

    def fit(n):
        X = wide_rows(n, D)
        reg = C2CRegressor((H,), max_iter=1, solver=solver, random_state=0)
        return lambda: reg.fit(X, np.arange(n) / n)

    assert growth(fit, (300, 900)) < D * 8 / 10
