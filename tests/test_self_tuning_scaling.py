"""Inputs in any unit: no scaler is needed in front, and none changes anything."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tuned import TASKS, N, assert_same_function, draw, link, make

each_task = pytest.mark.parametrize("task", TASKS)
each_solver = pytest.mark.parametrize("solver", ["adam", "lbfgs"])


def mixed_columns(task, n=N):
    """Numeric columns, one of two values, one constant, and one that is mostly zero."""
    X, y = draw(task, n)
    rng = np.random.default_rng(5)
    flag, rare = rng.integers(2, size=n) * 4.0 + 1.0, np.where(rng.random(n) < 0.1, X[:, 1], 0.0)
    return np.column_stack([X, flag, np.full(n, 12.5), rare]), y


def assert_close(first, second, rtol):
    assert_allclose(first, second, rtol=0, atol=rtol * np.abs(second).max())


@each_task
@each_solver
def test_a_standard_scaler_in_front_changes_nothing(task, solver):
    X, y = mixed_columns(task)
    settings = {"solver": solver, "activation": "tanh", "max_iter": 7, "dtype": "float64"}
    if solver == "lbfgs":
        # Its random perturbations go with the last bits of a row, those of jacobian do not.
        settings |= {"penalty": "jacobian"}
    estimator = make(task, **settings).fit(X, y)
    behind = make_pipeline(StandardScaler(), make(task, **settings)).fit(X, y)
    assert_close(link(behind, X), link(estimator, X), 1e-4)
    assert_close([behind[-1].oob_score_], [estimator.oob_score_], 1e-4)
    assert_array_equal(behind[-1].embedding_columns_, estimator.embedding_columns_)
    assert behind[-1].epsilon_ == estimator.epsilon_


@each_task
def test_a_power_of_two_as_unit_changes_nothing_at_all(task):
    X, y = mixed_columns(task)
    units = 2.0 ** np.array([10, -10, 0, 3, 20, 1])
    estimator, other = make(task).fit(X, y), make(task).fit(X * units, y)
    assert_same_function(estimator, other)
    assert_array_equal(link(estimator, X), link(other, X * units))


@pytest.mark.filterwarnings("ignore:.*has collapsed")  # hardly trained
@pytest.mark.parametrize("task", ["binary", "real"])
@pytest.mark.parametrize("is_sparse", [False, True])
def test_unlabelled_rows_are_scaled_alike(task, is_sparse):
    X, y = draw(task)
    X = np.where(X > 0, X, 0.0)
    units = 2.0 ** np.array([10, -10, 4])
    make_rows = sparse.csr_matrix if is_sparse else np.asarray
    fitted = [
        make(task, alpha=0.1, max_iter=7).fit(
            make_rows(X[:40] * u), y[:40], X_unlabeled=make_rows(X[40:] * u)
        )
        for u in (1.0, units)
    ]
    assert_same_function(*fitted)


@pytest.mark.parametrize("task", ["binary", "real"])
def test_unlabelled_rows_are_part_of_the_scaling(task):
    X, y = draw(task)
    estimator = make(task, alpha=0.1).fit(X[:40], y[:40], X_unlabeled=X[40:])
    middle = np.quantile(X, 0.5, axis=0, method="inverted_cdf")
    assert_allclose(estimator.input_center_, middle)


@pytest.mark.parametrize("task", ["binary", "real"])
def test_validation_rows_are_scaled_alike(task):
    X, y = draw(task)
    units = 2.0 ** np.array([10, -10, 4])
    fitted = [
        make(task, early_stopping=True).fit(X[:40] * u, y[:40], X_val=X[40:] * u, y_val=y[40:])
        for u in (1.0, units)
    ]
    assert_same_function(*fitted)
    assert fitted[0].validation_scores_ == fitted[1].validation_scores_


# ----------------------------------------------------------------------------- large and small


@pytest.mark.parametrize("cv", [2, None])
@pytest.mark.parametrize("pool", [False, True])
def test_a_time_stamp_keeps_its_digits(cv, pool):
    """Seconds since 1970 are known to two minutes only in float32."""
    rng = np.random.default_rng(0)
    seconds = np.sort(rng.uniform(0, 1000, size=150))[:, None]
    y = np.sin(seconds[:, 0] / 100)
    further = rng.uniform(0, 1000, size=(50, 1))
    scores = []
    for start in (0.0, 1.7e9):
        settings = {"numeric_embedding": "fourier", "max_iter": 30, "learning_rate_init": 0.03}
        estimator = make("real", cv=cv, dtype="float32", **settings)
        extra = {"X_unlabeled": start + further} if pool else {}
        scores.append(estimator.fit(start + seconds, y, **extra).score(start + seconds, y))
    assert_allclose(scores[1], scores[0], atol=1e-3)
    assert scores[1] > 0.95


def test_rows_beyond_float32_are_scaled_before_they_are_cast():
    X, y = draw("real")
    estimator = make("real").fit(X, y)
    huge = make("real").fit(X * 2.0**200, y)
    assert_array_equal(huge.predict(X * 2.0**200), estimator.predict(X))


def test_many_rows_are_scaled_piece_by_piece():
    """No second copy of X in its own precision is made."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60_000, 20))
    y = X[:, 0]
    estimator = make("real", numeric_embedding=None, alpha=0.0, max_iter=1, batch_size=10_000, cv=2)
    tracemalloc.start()
    try:
        estimator.fit(X, y)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # In float32, half of X; the scaling is fitted on a third of the rows.
    assert peak < 2.0 * X.nbytes


def test_memory_mapped_rows_without_a_label_are_not_copied_as_a_whole(tmp_path):
    n, D = 100_000, 100
    rng = np.random.default_rng(0)
    path = tmp_path / "rows.npy"
    rows = np.lib.format.open_memmap(path, "w+", np.float32, (n, D))
    for start in range(0, n, 1000):
        rows[start : start + 1000] = rng.normal(size=(1000, D))
    rows.flush()
    mapped = np.load(path, mmap_mode="r")
    X = rng.normal(size=(60, D)).astype(np.float32)
    y = X[:, 0]
    estimator = make("real", numeric_embedding=None, alpha=0.1, max_iter=1, batch_size=500, cv=2)
    tracemalloc.start()
    try:
        estimator.fit(X, y, X_unlabeled=mapped)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.75 * mapped.nbytes


@each_task
def test_outliers_are_clipped(task):
    X, y = draw(task)
    estimator = make(task).fit(X, y)
    far, farther = (link(estimator, X[:5] * factor) for factor in (1e8, 1e12))
    assert np.isfinite(farther).all()
    assert_allclose(far, farther, rtol=1e-3, atol=1e-3 * np.abs(farther).max())
