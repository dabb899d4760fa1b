"""Rows as frames, sparse matrices, float32 or float64."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from single import both, draw, each_penalty, each_solver, quick
from sklearn.base import clone

from skc2c import C2CRegressor
from skc2c.estimators.training_data import check_training_data
from skc2c.objective import Objective
from skc2c.solvers import SOLVERS


@both
def test_pandas_keeps_feature_names(cls):
    X, y = draw(cls)
    frame = pd.DataFrame(X, columns=list("abcd"))
    estimator = quick(cls).fit(frame, pd.Series(y))
    assert list(estimator.feature_names_in_) == list("abcd")
    assert_array_equal(estimator.predict(frame), quick(cls).fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        estimator.predict(frame[list("badc")])


@both
@each_solver
@each_penalty
def test_sparse_rows_give_the_dense_result(cls, penalty, solver):
    X, y = draw(cls)
    X = np.where(X > 0, X, 0.0)
    dense = quick(cls, penalty=penalty, solver=solver, early_stopping=True).fit(X, y)
    matrix = sparse.csr_array(X)
    fitted = clone(dense).fit(matrix, y)
    assert_allclose(fitted.coefs_[0], dense.coefs_[0], rtol=1e-4, atol=1e-6)
    assert_allclose(fitted.predict(matrix), fitted.predict(X))


@both
@each_solver
def test_csr_with_duplicate_entries_is_the_sum_of_them(cls, solver):
    X, y = draw(cls)
    rows, columns = np.indices(X.shape).reshape(2, -1)
    halves = np.concatenate([X.ravel() / 2] * 2)
    pairs = sparse.coo_array((halves, (np.tile(rows, 2), np.tile(columns, 2))), X.shape)
    doubled = sparse.csr_array(
        (
            halves.reshape(2, 80, 4).transpose(1, 0, 2).ravel(),
            np.tile(np.arange(4), 160),
            np.arange(0, 641, 8),
        ),
        X.shape,
    )
    stored = doubled.data.copy()
    dense = quick(cls, solver=solver).fit(X, y)
    for matrix in (pairs, doubled):
        assert_allclose(quick(cls, solver=solver).fit(matrix, y).coefs_[0], dense.coefs_[0])
    assert_array_equal(doubled.data, stored)


@both
@pytest.mark.parametrize("X_dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", ["auto", "float32", "float64"])
@each_solver
def test_dtype_of_attributes_and_predictions_is_that_of_X(cls, solver, dtype, X_dtype):
    X, y = draw(cls)
    estimator = quick(cls, solver=solver, dtype=dtype).fit(X.astype(X_dtype), y)
    for array in (*estimator.coefs_, *estimator.intercepts_):
        assert array.dtype == X_dtype
    predict = estimator.predict if cls is C2CRegressor else estimator.predict_proba
    assert predict(X.astype(X_dtype)).dtype == X_dtype


def noting_dtypes(method, seen):
    def noted(self, theta, *args, **kwargs):
        value, gradient = method(self, theta, *args, **kwargs)
        seen.add((theta.dtype.name, gradient.dtype.name))
        return value, gradient

    return noted


@both
@each_solver
@each_penalty
def test_training_dtype_is_that_of_the_solver(cls, solver, penalty, monkeypatch):
    """float32 for Adam and float64 for L-BFGS."""
    assert (SOLVERS["adam"].dtype, SOLVERS["lbfgs"].dtype) == ("float32", "float64")
    X, y = draw(cls)
    seen, expected = set(), SOLVERS[solver].dtype
    for name in ("on_batch", "on_all_rows"):
        monkeypatch.setattr(Objective, name, noting_dtypes(getattr(Objective, name), seen))
    quick(cls, penalty=penalty, solver=solver, epsilon=[0.1, 0.2, 0.0, 0.3]).fit(X, y)
    assert seen == {(expected, expected)}


@both
def test_all_rows_are_laid_out_row_by_row(cls):
    """Rows taken one by one from an array in column order are slow: that of a frame, for one."""
    X, y = draw(cls)
    columns = np.asfortranarray(X)
    y = y.astype(np.float64)
    marked = np.where(np.arange(len(y)) % 2, y, np.nan)
    estimator = cls(missing_label=np.nan, early_stopping=True)
    more = {"X_val": columns, "y_val": y}
    data = check_training_data(estimator, columns, marked, None, columns, reset=True, **more)
    picked, unlabeled = data.unlabeled
    matrices = [data.labelled.X, picked.matrix, unlabeled, data.validation.X]
    assert all(matrix.flags.c_contiguous for matrix in matrices)


@both
@each_solver
def test_order_of_the_array_does_not_matter(cls, solver):
    X, y = draw(cls)
    fitted = [
        quick(cls, solver=solver, input_scaling=None).fit(np.asarray(X, order=o), y) for o in "CF"
    ]
    assert_array_equal(fitted[0].coefs_[0], fitted[1].coefs_[0])
