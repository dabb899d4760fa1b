"""Training rows: their canonical order, and matrices of which only some rows are copied."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from skc2c.data.rows import Picked, Rows, Stack

containers = pytest.mark.parametrize(
    "container", [np.asarray, sparse.csr_array, sparse.csr_matrix], ids=["dense", "array", "matrix"]
)


def dense(values):
    return values.toarray() if sparse.issparse(values) else values


def draw(rng, n=40, D=3):
    """Rows of few distinct values, so that many are repeated."""
    return rng.integers(-1, 2, size=(n, D)).astype(float), rng.integers(0, 2, size=(n, 1)) * 1.0


@containers
def test_canonical_rows_are_the_distinct_ones_with_summed_weights(rng, container):
    X, y = draw(rng)
    weight = rng.integers(1, 4, size=40).astype(float)
    rows = Rows(container(X), y, weight).canonical().take(slice(None))
    table, inverse = np.unique(np.hstack([X, y]), axis=0, return_inverse=True)
    sums = np.bincount(inverse.ravel(), weights=weight)
    found = np.hstack([dense(rows.X), rows.y])
    order = np.lexsort(found.T[::-1])
    assert_array_equal(found[order], table)
    assert_array_equal(rows.weight[order], sums)


@containers
def test_canonical_rows_do_not_depend_on_order_or_repetition(rng, container):
    """Nor on whether X is dense."""
    X, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 2))
    X[X < -0.5] = 0.0
    weight = rng.integers(1, 5, size=30)
    weighted = Rows(container(X), y, weight * 1.0).canonical().take(slice(None))
    repeated = rng.permutation(np.repeat(np.arange(30), weight))
    repeated = Rows(np.asarray(X[repeated]), y[repeated], np.ones(len(repeated))).canonical()
    repeated = repeated.take(slice(None))
    assert_array_equal(dense(weighted.X), dense(repeated.X))
    assert_array_equal(weighted.y, repeated.y)
    assert_array_equal(weighted.weight, repeated.weight)


def test_rows_with_equal_keys_are_merged_only_if_equal(rng, monkeypatch):
    monkeypatch.setattr("skc2c.data.rows._hash", lambda values: np.zeros(len(values), np.uint64))
    X = np.array([[1.0], [1.0], [2.0], [2.0]])
    rows = Rows(X, np.zeros((4, 1)), np.ones(4)).canonical()
    assert_array_equal(rows.take(slice(None)).X.ravel(), [1, 2])
    assert_array_equal(rows.weight, [2, 2])


def test_both_zeros_are_one_value():
    rows = Rows(np.array([[0.0], [-0.0]]), np.zeros((2, 1)), np.ones(2)).canonical()
    assert_array_equal(rows.weight, [2])


@containers
def test_take_and_dense(rng, container):
    X, y = draw(rng)
    rows = Rows(container(X), y, np.ones(40))
    picked = np.array([3, 3, 1])
    assert_array_equal(rows.take(picked).dense().X, X[picked])
    assert_array_equal(rows.take(slice(2, 5)).dense().X, X[2:5])
    assert len(rows.take(picked)) == 3


def test_canonical_rows_do_not_copy_X(rng):
    X, y = draw(rng)
    rows = Rows(X, y, np.ones(40)).canonical()
    assert rows.X is X
    picked = np.array([5, 0, 5])
    whole = rows.take(slice(None))
    assert_array_equal(rows.take(picked).X, whole.X[picked])
    assert_array_equal(rows.take(picked).y, whole.y[picked])


@containers
def test_rows_without_targets_have_a_canonical_order_too(rng, container):
    X, _ = draw(rng)
    weight = rng.integers(1, 4, size=40).astype(float)
    order = rng.permutation(40)
    found = [
        Rows(container(X[places]), None, weight[places]).canonical().take(slice(None))
        for places in (np.arange(40), order)
    ]
    assert found[0].y is None
    assert_array_equal(dense(found[0].X), dense(found[1].X))
    assert_array_equal(found[0].weight, found[1].weight)
    assert found[0].weight.sum() == weight.sum()


def test_canonical_order_of_canonical_rows_is_the_same(rng):
    X, y = draw(rng)
    once = Rows(X, y, np.ones(40)).canonical()
    twice = once.canonical()
    assert_array_equal(twice.take(slice(None)).X, once.take(slice(None)).X)
    assert_array_equal(twice.weight, once.weight)


@containers
def test_canonical_order_of_a_stack_is_that_of_its_rows(rng, container, monkeypatch):
    """Hashed part by part."""
    monkeypatch.setattr("skc2c.data.rows._CHUNK", 7)
    X, _ = draw(rng)
    stack = Stack([X[:15], container(X[15:])], np.float64)
    found = Rows(stack, None, np.ones(40)).canonical().take(slice(None))
    expected = Rows(X, None, np.ones(40)).canonical().take(slice(None))
    assert_array_equal(found.X, expected.X)
    assert_array_equal(found.weight, expected.weight)


# ------------------------------------------------------------------------ stacked and picked

PICKS = {
    "slice": slice(3, 33),
    "all": slice(None),
    "indices": np.array([39, 0, 16, 0, 15, 14]),
    "none": np.array([], dtype=int),
}


@containers
@pytest.mark.parametrize("picked", PICKS.values(), ids=PICKS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_stack_is_its_matrices_on_top_of_each_other(rng, container, picked, dtype):
    X, _ = draw(rng)
    stack = Stack([X[:15], container(X[15:16]), container(X[16:])], dtype)
    assert stack.shape == (40, 3)
    assert stack[picked].dtype == dtype
    assert_array_equal(stack[picked], X[picked])


@containers
@pytest.mark.parametrize("picked", [slice(2, 5), np.array([4, 0, 4])], ids=["slice", "indices"])
def test_picked_rows_are_those_of_the_matrix(rng, container, picked):
    X, _ = draw(rng)
    places = np.array([7, 3, 3, 39, 0])
    rows = Picked(container(X), places)
    assert rows.shape == (5, 3)
    assert_array_equal(dense(rows[picked]), X[places[picked]])
