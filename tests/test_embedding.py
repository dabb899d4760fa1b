"""Which columns are embedded, at which frequencies, in which bins."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skc2c import C2CRegressor
from skc2c.data.rows import Rows
from skc2c.estimators import candidates
from skc2c.estimators.embedding import embedding, embeddings
from skc2c.network.fourier_features import FourierFeatures
from skc2c.network.piecewise_linear import PiecewiseLinear


def points_of(x):
    ((layer,)) = embedding(np.asarray(x, float)[:, None], "piecewise_linear")
    (points,) = layer.breakpoints
    return np.array(points)


@pytest.mark.parametrize(
    ("n", "n_bins"), [(20, 12), (800, 12), (1600, 16), (3000, 22), (100_000, 24)]
)
def test_bins_of_distinct_values_hold_equally_many_rows(n, n_bins, rng):
    x = rng.normal(size=n)
    points = points_of(x)
    counts, _ = np.histogram(x, points)
    assert len(counts) == n_bins
    assert counts.sum() == n
    # Of very many numbers, some are next to equal.
    assert counts.max() - counts.min() <= max(1, 0.02 * n / n_bins)


def test_no_row_is_at_a_kink(rng):
    x = rng.integers(0, 40, size=500)
    assert not np.isin(points_of(x), x).any()


def test_each_of_a_few_values_has_a_bin_of_its_own():
    assert_allclose(points_of([3, 1, 1, 1, 5, 1, 1, 1]), [0, 2, 4, 6])


def test_a_value_that_most_rows_have_leaves_bins_to_the_others(rng):
    """Three quarters of the bins: plain quantiles would leave them one of twelve."""
    x = np.concatenate([np.zeros(900), rng.uniform(1, 2, size=100)])
    assert (points_of(x) > 0.9).sum() >= 9


def test_dense_parts_have_more_bins_than_tails(rng):
    """A larger part of the bins than of the distinct values, and a smaller one than of the rows."""
    x = np.round(10 * rng.normal(size=1600))
    inside = np.abs(points_of(x)) < 10
    distinct = np.unique(x)
    assert np.mean(np.abs(distinct) < 10) < inside.mean() < np.mean(np.abs(x) < 10)


def test_a_row_of_weight_two_is_two_rows(rng):
    X = np.round(3 * rng.normal(size=(900, 1)), 1)
    weight = rng.integers(1, 4, size=900)
    for found in (lambda X, w: embedding(X, "piecewise_linear", w), embeddings):
        assert found(X, weight)[0] == found(np.repeat(X, weight, axis=0), None)[0]


def test_values_that_differ_by_rounding_are_one_value(rng):
    x = np.repeat([0.1, 0.3, 0.7], 40)
    noisy = x * (1.0 + 4e-16 * rng.integers(-3, 4, size=x.size))
    assert_allclose(points_of(np.append(noisy, 2.0)), [0.0, 0.2, 0.5, 1.35, 2.65], atol=1e-12)


def test_columns_of_two_values_are_not_embedded(rng):
    X = np.column_stack([rng.integers(0, 2, 50), rng.normal(size=50), np.ones(50)])
    for name in ("fourier", "piecewise_linear"):
        ((layer,)) = embedding(X, name)
        assert (layer.n_features, layer.columns) == (3, (1,))
        for rows in (X[:, [0, 2]], sparse.csr_matrix(X)):
            with pytest.warns(UserWarning, match=f"numeric_embedding='{name}' embeds nothing"):
                assert embedding(rows, name) == ()
    assert embeddings(X[:, [0, 2]]) == embeddings(sparse.csr_matrix(X)) == []


@pytest.mark.parametrize(("n_columns", "n_frequencies"), [(25, 3), (26, 1)])
def test_many_columns_have_one_frequency_and_no_bins(n_columns, n_frequencies, rng):
    fronts = embeddings(rng.normal(size=(40, n_columns)))
    kinds = [type(layer) for front in fronts for layer in front]
    assert kinds == [PiecewiseLinear, FourierFeatures][-len(kinds) :]
    assert len(kinds) == (2 if n_columns == 25 else 1)
    assert len(fronts[-1][0].frequencies) == n_frequencies


def test_bins_are_as_many_as_memory_allows(rng):
    ((layer,)) = embedding(rng.normal(size=(10_000, 25)), "piecewise_linear")
    assert layer.n_appended == 400
    assert_array_equal(np.unique(layer.n_bins), 16)


@pytest.mark.parametrize("name", ["auto", "piecewise_linear"])
def test_candidates_count_weights(name, rng):
    X = np.round(3 * rng.normal(size=(900, 1)), 1)
    weight = rng.integers(1, 4, size=900)
    estimator = SimpleNamespace(numeric_embedding=name)
    weighted = candidates._fronts(estimator, Rows(X, None, weight))
    repeated = np.repeat(X, weight, axis=0)
    assert weighted == candidates._fronts(estimator, Rows(repeated, None, np.ones(len(repeated))))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_one_network_counts_weights(solver, rng):
    """L-BFGS takes equal rows as one, with the sum of their weights."""
    X = np.round(3 * rng.normal(size=(300, 1)), 1)
    y, weight = X[:, 0] ** 2, rng.integers(1, 4, size=300)
    settings = {"cv": None, "numeric_embedding": "piecewise_linear", "max_iter": 2, "tol": 1e9}
    reg = C2CRegressor(solver=solver, random_state=0, **settings)
    points = reg.fit(X, y, weight).embedding_breakpoints_[0]
    reg.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert_allclose(points, reg.embedding_breakpoints_[0], rtol=1e-6)
    assert len(points) > 12
