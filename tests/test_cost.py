"""What a step costs, in counts that do not depend on the machine: nodes, arrays, bytes, dtypes."""

import tracemalloc

import autograd
import numpy as np
import pytest
from autograd.extend import VSpace
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.numpy.numpy_vspaces import ArrayVSpace
from oracles import FAMILIES, add_parameters, draw_targets
from scipy import sparse
from skc2c.rows import Rows
from test_penalties import VARIANTS
from threadpoolctl import threadpool_limits

from skc2c import C2C, VAT, C2CRegressor, Jacobian, Noise, Penalty
from skc2c.network import Network
from skc2c.objective import Objective


def make(penalty, family="gaussian", units=(8, 256, 3), n=100, dtype=np.float32):
    rng = np.random.default_rng(0)
    network = Network(units, "relu")
    y = draw_targets(rng, FAMILIES[family], n, units[-1]).astype(dtype)
    rows = Rows(rng.normal(size=(n, units[0])).astype(dtype), y, np.ones(n))
    objective = Objective(network, FAMILIES[family], penalty, 0.1, 0.3, 1.0, rows)
    theta = network.initialize(rng, dtype)
    return objective, add_parameters(penalty, network, theta, rng)


def peak_bytes(call):
    """The most that numpy and Python held during a call, over what they held before."""
    call()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


NODES = [(Penalty(), 2), (C2C(), 3), (VAT(), 3), (Jacobian(), 3), (Noise(), 2)]


@pytest.mark.parametrize(("penalty", "expected"), NODES, ids=str)
@pytest.mark.parametrize("hidden", [(5,), (5, 4, 6)], ids=str)
def test_a_step_has_few_traced_nodes_whatever_the_depth(monkeypatch, penalty, expected, hidden):
    nodes, construct = [], autograd.core.VJPNode.__init__

    def counted(self, value, function, *arguments):
        nodes.append(function.__name__)
        construct(self, value, function, *arguments)

    monkeypatch.setattr(autograd.core.VJPNode, "__init__", counted)
    objective, theta = make(penalty, units=(8, *hidden, 3))
    objective.on_batch(theta, np.arange(20), np.random.default_rng(0))
    assert len(nodes) == expected, nodes


# Arrays of the size of all rows, clean and perturbed, by the hidden units: values, slopes and
# the gradient on its way back; for VAT those of the linearization (half as many rows), for the
# exact Jacobian of three outputs the covectors too.
ARRAYS = [(Penalty(), 1, 3), (C2C(), 2, 3), (VAT(), 2, 4), (Noise(), 1, 3), (Jacobian(), 1, 10)]


@pytest.mark.parametrize(("penalty", "stacked", "allowed"), ARRAYS, ids=str)
def test_a_step_holds_few_arrays_of_batch_size(penalty, stacked, allowed):
    objective, theta = make(penalty, n=1000)
    batch, rng = np.arange(1000), np.random.default_rng(0)
    peak = peak_bytes(lambda: objective.on_batch(theta, batch, rng))
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


@pytest.mark.parametrize("penalty", VARIANTS, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("units", WAYS, ids=str)
def test_every_intermediate_is_in_single_precision(watch, penalty, family, units):
    """But for the random numbers themselves, of which `gaussian` has a test."""
    objective, theta = make(penalty, family, units)
    rows = objective.rows
    watched = Rows(rows.X.view(Watched), rows.y.view(Watched), rows.weight)
    held = Objective(objective.network, objective.family, penalty, 0.1, 0.3, 1.0, watched)
    held.on_batch(theta.view(Watched), np.arange(90), np.random.default_rng(0))
    assert (np.dtype(np.float32), True) in Watched.dtypes
    large = {dtype for dtype, is_large in Watched.dtypes if is_large}
    assert np.dtype(np.float64) not in large, large


@pytest.mark.parametrize("penalty", VARIANTS, ids=str)
def test_memory_of_all_rows_does_not_grow_with_their_number(penalty):
    with threadpool_limits(1):
        peaks = []
        for n in (4000, 16000):
            objective, theta = make(penalty, n=n, dtype=np.float64)
            peaks.append(peak_bytes(lambda o=objective, t=theta: o.on_all_rows(t, 0)))
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_full_batch_fit_does_not_copy_the_rows(dtype):
    """But for a cast to float64, if X needs one."""
    rng = np.random.default_rng(0)
    peaks = []
    for n in (2000, 8000):
        X = rng.normal(size=(n, 200)).astype(dtype)
        reg = C2CRegressor((5,), solver="lbfgs", max_iter=2, random_state=0)
        with threadpool_limits(1):
            peaks.append(peak_bytes(lambda X=X, reg=reg: reg.fit(X, X[:, 0])))
    cast = 0 if dtype == np.float64 else 200 * 8
    assert (peaks[1] - peaks[0]) / 6000 < cast + 160  # 20 numbers a row for y, weights, order


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_rows_are_never_dense_all_at_once(solver):
    X = sparse.random(4000, 2000, density=0.002, format="csr", random_state=0)
    reg = C2CRegressor((5,), solver=solver, max_iter=2, random_state=0)
    with threadpool_limits(1):
        assert (
            peak_bytes(lambda: reg.fit(X, X[:, [0]].toarray()[:, 0]))
            < X.shape[0] * X.shape[1] * 8 / 2
        )
        assert peak_bytes(lambda: reg.predict(X)) < X.shape[0] * X.shape[1] * 8 / 100


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_unlabelled_rows_are_never_copied_all_at_once(tmp_path, solver):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "X.npy", rng.normal(size=(20_000, 100)))
    X_unlabeled = np.load(tmp_path / "X.npy", mmap_mode="r")
    X = rng.normal(size=(50, 100))
    reg = C2CRegressor((5,), solver=solver, max_iter=2, random_state=0)
    with threadpool_limits(1):
        peak = peak_bytes(lambda: reg.fit(X, X[:, 0], X_unlabeled=X_unlabeled))
    assert peak < X_unlabeled.nbytes / 2


def test_prediction_takes_little_more_than_its_result():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 50))
    reg = C2CRegressor((100,), max_iter=1, random_state=0).fit(X[:500], X[:500, :2])
    with threadpool_limits(1):
        assert peak_bytes(lambda: reg.predict(X)) < 20_000 * 2 * 8 + 8 * 2**20
