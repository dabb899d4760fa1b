"""Scaling of the inputs: formula, what its parameters are fitted to, and extreme numbers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from skc2c.network import Network, input_scaling
from skc2c.network.input_scaling import InputScaling, robust_scaling, standard_scaling


def fitted(X, weight=None):
    return robust_scaling(X, np.ones(X.shape[0]) if weight is None else weight)


def column(*values):
    return np.array(values, dtype=float)[:, None]


# -------------------------------------------------------------------------------- the function


def test_values_equal_the_formula(rng):
    layer = InputScaling(center=np.array([1.0, -2.0]), scale=np.array([0.5, 3.0]))
    X = 4.0 * rng.normal(size=(20, 2))
    z = (X - [1.0, -2.0]) * [0.5, 3.0]
    assert_allclose(layer.transform(X), z / np.sqrt(1 + z * z / 9), rtol=1e-13)


def test_it_leaves_the_middle_and_ends_at_three():
    layer = InputScaling(center=np.zeros(1), scale=np.ones(1))
    assert_allclose(layer.transform(column(1e-3, -1e-3)), column(1e-3, -1e-3), rtol=1e-6)
    assert_allclose(layer.transform(column(1e9, -1e9)), column(3, -3), rtol=1e-12)
    assert_allclose(layer.transform(column(3.0)), column(3 / np.sqrt(2)), rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_increases_strictly(dtype):
    layer = InputScaling(center=np.array([0.3]), scale=np.array([2.0]))
    x = np.linspace(-30, 30, 2001, dtype=dtype)[:, None]
    out = layer.transform(x)
    assert out.dtype == dtype
    assert (np.diff(out, axis=0) > 0).all()


def test_slope_and_curvature_equal_finite_differences():
    """Second derivatives are read off the way back through tangents of one."""
    layer = InputScaling(center=np.array([0.3]), scale=np.array([2.5]))
    x = np.linspace(-4, 4, 81)[:, None]
    step = 1e-4

    def value(x):
        return layer.evaluate(None, x)[0]

    def slope(x):
        return layer.linear_map(None, x, layer.evaluate(None, x)[1]).jvp(np.ones_like(x))

    assert_allclose(slope(x), (value(x + step) - value(x - step)) / (2 * step), atol=1e-6)
    out, record = layer.advance(None, np.concatenate([x, np.ones_like(x)]), len(x))
    assert_allclose(out, np.concatenate([value(x), slope(x)]), rtol=1e-13)
    of_tangents_alone = np.concatenate([np.zeros_like(x), np.ones_like(x)])
    back = layer.retreat(None, of_tangents_alone, record, len(x), None)()
    curvature = (slope(x + step) - slope(x - step)) / (2 * step)
    assert_allclose(back, np.concatenate([curvature, slope(x)]), atol=1e-5)


EXTREMES = [1e13, 1e19, 1e20, 1e30, 1e38]


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e10, 1e30, 1e300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_rows_are_finite_without_a_warning(dtype, scale):
    """However large, and so are the derivatives: powers of the root must not overflow."""
    layer = InputScaling(center=np.array([1.0]), scale=np.array([scale]))
    largest = np.finfo(dtype).max
    x = np.array([0.0, 1.0, 2.0, *EXTREMES, largest, np.inf], dtype=dtype)
    x = np.concatenate([-x[::-1], x])[:, None]
    n = len(x)
    out, residual = layer.evaluate(None, x)
    rounding = 8 * np.finfo(dtype).eps
    assert (np.diff(out, axis=0) >= -rounding).all()
    assert (np.abs(out) <= 3.0 + rounding).all()
    # Tangents so small that what comes of them is finite where the slope is steepest.
    tiny = np.full_like(x, 1e-30 if dtype == np.float64 else 0.0)
    moved, record = layer.advance(None, np.concatenate([x, tiny]), n)
    linear_map = layer.linear_map(None, x, residual)
    g = np.concatenate([np.ones_like(x), np.zeros_like(x)])
    back = layer.retreat(None, g, record, n, None)()
    for array in (out, moved, linear_map.jvp(tiny), linear_map.vjp(tiny), back):
        assert array.dtype == dtype
        assert np.isfinite(array).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_second_derivatives_vanish_far_out(dtype):
    layer = InputScaling(center=np.array([1.0]), scale=np.array([1e3]))
    x = np.array([*EXTREMES, np.finfo(dtype).max], dtype=dtype)[:, None]
    ones = np.ones_like(x)
    _, record = layer.advance(None, np.concatenate([x, ones]), len(x))
    back = layer.retreat(None, np.concatenate([ones, ones]), record, len(x), None)()
    assert_allclose(back, 0.0, atol=1e-20)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_columns_stay_at_zero_whatever_comes(dtype):
    layer = fitted(np.full((5, 1), 1e30))
    x = np.array([1e30, -1e38, np.finfo(dtype).max, np.inf, 0.0], dtype=dtype)[:, None]
    assert_array_equal(np.abs(layer.transform(x)), 0.0)


def test_missing_values_are_not_made_up():
    layer = InputScaling(center=np.zeros(2), scale=np.ones(2))
    assert_array_equal(np.isnan(layer.transform(np.array([[np.nan, 1.0]]))), [[True, False]])


def test_a_center_beyond_float32_does_not_warn():
    """Rows in float32 of a column that was fitted in float64."""
    layer = fitted(1e300 * np.arange(5.0)[:, None])
    with np.errstate(over="ignore"):
        x = (1e300 * np.arange(5.0)[:, None]).astype(np.float32)
    assert np.isfinite(layer.transform(x)).all()


# ---------------------------------------------------------------------------- its parameters


def test_center_and_unit_are_median_and_interquartile_range(rng):
    X = rng.standard_cauchy(size=(401, 3)) * [1.0, 1e-6, 1e6] + [0.0, 5.0, -1e7]
    layer = fitted(X)
    low, middle, high = np.quantile(X, [0.25, 0.5, 0.75], axis=0)
    assert_allclose(layer.center, middle, rtol=1e-13)
    assert_allclose(layer.scale, 1 / (high - low), rtol=1e-12)
    assert layer.center.dtype == layer.scale.dtype == np.float64


@pytest.mark.parametrize("n", range(1, 14))
def test_quartiles_are_values_that_occur(n, rng):
    """The smallest with that share of the rows up to it, as numpy has it too."""
    X = rng.normal(size=(n, 2))
    low, middle, high = np.quantile(X, [0.25, 0.5, 0.75], axis=0, method="inverted_cdf")
    layer = fitted(X)
    assert_array_equal(layer.center, middle)
    distance = np.abs(X - middle)
    if n > 1:
        others = [np.quantile(d[d > 0], 0.5, method="inverted_cdf") for d in distance.T]
    else:
        others = np.zeros(2)
    expected = np.maximum(high - low, others)
    known = expected > 0
    assert_allclose(layer.scale[known], 1 / expected[known], rtol=1e-12)
    assert_array_equal(layer.scale[~known], 0.0)


def test_a_row_of_weight_two_counts_as_two_rows(rng):
    X, weight = rng.normal(size=(23, 3)), rng.integers(1, 5, size=23)
    one, other = fitted(X, weight), fitted(np.repeat(X, weight, axis=0))
    assert_array_equal(one.center, other.center)
    assert_array_equal(one.scale, other.scale)
    assert_array_equal(fitted(X, 0.1 * weight).scale, one.scale)  # nor does their sum matter
    assert (fitted(X).scale != one.scale).any()


def test_rounding_of_weights_skips_no_row(rng):
    """Sums of tenths are not quite what tenths of sums are."""
    for n in range(1, 80):
        X = rng.normal(size=(n, 1))
        for weight in (0.1, 1 / 3, 1 / n):
            one, other = fitted(X, np.full(n, weight)), fitted(X)
            assert_array_equal(one.center, other.center)
            assert_array_equal(one.scale, other.scale)


def test_order_of_rows_does_not_matter(rng):
    X, weight, order = rng.normal(size=(20, 3)), rng.uniform(size=20), rng.permutation(20)
    one, other = fitted(X, weight), fitted(X[order], weight[order])
    assert_array_equal(one.center, other.center)
    assert_array_equal(one.scale, other.scale)


def test_mostly_constant_columns_take_the_median_distance_of_the_others():
    """Of which the quartiles are equal: the interquartile range would be zero."""
    X = np.zeros((100, 3))
    X[:10, 0] = 1.0  # a rare indicator
    X[:10, 1] = np.arange(10) - 4.0  # zeros, and nine others from -4 to 5
    X[:90, 2] = 7.0  # a frequent one, of 0 and 7
    layer = fitted(X)
    assert_array_equal(layer.center, [0.0, 0.0, 7.0])
    assert_allclose(layer.scale, [1.0, 1 / 3, 1 / 7], rtol=1e-13)


@pytest.mark.parametrize("n_ones", range(1, 100))
def test_unit_of_zeros_and_ones_is_one_however_rare_they_are(n_ones):
    X = (np.arange(100) < n_ones).astype(float)[:, None]
    assert_array_equal(fitted(X).scale, [1.0])


@pytest.mark.parametrize("n_numbers", [1, 120, 250])
def test_columns_are_taken_in_blocks(monkeypatch, rng, n_numbers):
    """One, two or four columns of thirteen at a time."""
    X = rng.poisson(0.5, size=(60, 13)) * rng.uniform(1.0, 9.0, size=13)
    weight = rng.uniform(1.0, 2.0, size=60)
    whole = fitted(X, weight)
    monkeypatch.setattr(input_scaling, "_BLOCK_NUMBERS", n_numbers)
    in_blocks = fitted(X, weight)
    assert_array_equal(in_blocks.center, whole.center)
    assert_array_equal(in_blocks.scale, whole.scale)


@pytest.mark.parametrize("n_blank", range(0, 200, 7))
def test_unit_does_not_collapse_near_the_share_at_which_the_quartiles_become_equal(n_blank, rng):
    """With 74 % of zeros the interquartile range is a small number, with 76 % it is zero."""
    X = 1.0 + rng.uniform(size=(200, 1))
    X[:n_blank] = 0.0
    others = X[n_blank:, 0]
    low, center, high = np.quantile(X, [0.25, 0.5, 0.75], method="inverted_cdf")
    distance = np.abs(X - center)
    expected = max(high - low, np.quantile(distance[distance > 0], 0.5, method="inverted_cdf"))
    assert_allclose(fitted(X).scale, 1.0 / expected, rtol=1e-12)
    assert expected >= np.ptp(others) / 5


def test_an_outlier_does_not_change_the_unit_of_a_mostly_constant_column(rng):
    X = np.zeros((200, 1))
    X[:41, 0] = rng.exponential(size=41)
    scale = fitted(X).scale
    X[np.argmax(X)] *= 1e12
    assert_array_equal(fitted(X).scale, scale)
    assert_allclose(scale, 1.0 / np.median(X[X > 0.0]), rtol=1e-13)


def test_in_a_mostly_constant_column_too_a_weight_is_a_repetition(rng):
    X = np.zeros((60, 2))
    X[:12] = rng.normal(size=(12, 2))
    weight = rng.integers(1, 4, size=60)
    repeated, weighted = fitted(np.repeat(X, weight, axis=0)), fitted(X, weight)
    assert_array_equal(weighted.center, repeated.center)
    assert_array_equal(weighted.scale, repeated.scale)


def test_columns_of_two_values_in_like_numbers_take_their_distance():
    layer = fitted(column(*[0.0] * 7, *[5.0] * 6))
    assert_array_equal(layer.center, [0.0])
    assert_allclose(layer.scale, [0.2], rtol=1e-13)


@pytest.mark.parametrize("value", [0.0, -3.5, 1e308, -1e308, 5e-324])
def test_constant_columns_give_zero_without_a_warning(value):
    X = np.full((6, 2), value)
    X[:, 1] = np.arange(6)
    layer = fitted(X)
    assert layer.scale[0] == 0.0
    assert_array_equal(np.abs(layer.transform(X)[:, 0]), 0.0)
    assert np.isfinite(layer.transform(X)).all()


@pytest.mark.parametrize(
    "values",
    [
        1e308 * np.array([-1.0, -1.0, 1.0, 1.0]),  # the interquartile range overflows
        1e308 * np.array([-1.0, 0.0, 0.0, 0.0, 1.0]),  # the range does
        1e-310 * np.arange(5),  # one over it does
        5e-324 * np.arange(5),
    ],
)
@pytest.mark.parametrize("scaling", [robust_scaling, standard_scaling])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_columns_are_finite_without_a_warning(values, dtype, scaling):
    layer = scaling(values[:, None], np.ones(len(values)))
    assert np.isfinite(layer.center).all()
    assert np.isfinite(layer.scale).all()
    with np.errstate(over="ignore"):
        x = values[:, None].astype(dtype)
    out = layer.transform(x)
    assert np.isfinite(out).all()
    assert (np.diff(out, axis=0) >= 0).all()


@pytest.mark.parametrize("n", [9, 11, 12, 50])
def test_units_and_origins_of_columns_do_not_matter(n, rng):
    """Exponents, signs and decimals of a unit: what comes out is the same to rounding."""
    X = rng.standard_t(2, size=(n, 4))
    X[:, 3] = rng.integers(0, 2, size=n)
    expected = fitted(X).transform(X)
    a, b = np.array([1e-12, 0.37, 25.4, 1e12]), np.array([1e-12, -40.0, 1e3, 3e11])
    assert_allclose(fitted(a * X + b).transform(a * X + b), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("n", [9, 11, 51])
def test_a_change_of_sign_changes_the_sign(n, rng):
    """For odd n: the median of an even number of rows is the lower of the two in the middle."""
    X = rng.standard_t(2, size=(n, 4))
    expected = fitted(X).transform(X)
    mirrored = -2.5 * X + 3.0
    assert_allclose(fitted(mirrored).transform(mirrored), -expected, rtol=1e-10, atol=1e-12)


def test_float32_stays_float32(rng):
    X = rng.normal(size=(30, 3)).astype(np.float32)
    layer = fitted(X)
    assert layer.transform(X).dtype == np.float32
    exact = fitted(X.astype(np.float64))
    assert_array_equal(layer.center, exact.center)
    assert_array_equal(layer.scale, exact.scale)  # differences are taken in float64
    assert_allclose(layer.transform(X), exact.transform(X.astype(np.float64)), rtol=1e-4, atol=1e-6)


def test_transform_leaves_its_rows_as_they_are(rng):
    X = rng.normal(size=(8, 3))
    for rows in (X, sparse.csr_matrix(X)):
        kept = rows.copy()
        fitted(X).transform(rows)
        fitted(sparse.csr_matrix(X)).transform(rows)
        assert abs(rows - kept).max() == 0.0


# --------------------------------------------------------------------------------- sparse rows


def draw_sparse(rng, make=sparse.csr_matrix):
    X = rng.normal(size=(40, 5)) * [1.0, 1e-3, 1e4, 1.0, 0.0]
    X[rng.uniform(size=X.shape) < 0.7] = 0.0
    return X, make(X)


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_columns_are_divided_by_their_largest_magnitude(rng, make, dtype):
    X, rows = draw_sparse(rng, make)
    X, rows = X.astype(dtype), rows.astype(dtype)
    layer = fitted(rows)
    assert_array_equal(layer.center, np.zeros(5))
    largest = np.abs(X).max(axis=0).astype(float)
    assert_allclose(layer.scale[:4], 1 / largest[:4], rtol=1e-13)
    assert layer.scale[4] == 0.0
    out = layer.transform(rows)
    assert sparse.issparse(out)
    assert out.dtype == dtype
    assert out.nnz <= rows.nnz  # zeros stay zeros
    assert_array_equal(out.toarray() == 0, X == 0)
    assert_allclose(out.toarray(), layer.transform(X), rtol=1e-6 if dtype == np.float32 else 1e-13)


def test_centred_sparse_rows_are_made_dense(rng):
    """Fitted on an array, asked about a sparse matrix: the same numbers nevertheless."""
    X, rows = draw_sparse(rng)
    layer = fitted(X + 1.0)
    assert layer.center.any()
    assert_array_equal(layer.transform(rows), layer.transform(X))


def test_entries_stored_twice_are_added_before_they_are_clipped():
    stored = sparse.csr_matrix((np.array([4.0, 5.0]), ([0, 0], [1, 1])), shape=(1, 2))
    twice = sparse.csr_matrix((np.array([4.0, 5.0]), np.array([1, 1]), np.array([0, 2])), (1, 2))
    assert twice.nnz == 2
    layer = InputScaling(center=np.zeros(2), scale=np.ones(2))
    assert_allclose(layer.transform(twice).toarray(), layer.transform(stored.toarray()), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_sparse_rows_are_finite(dtype):
    X = np.array([[1e30, 0.0], [0.0, 2.0], [-1e38, 1e-30]], dtype=dtype)
    rows = sparse.csr_matrix(X)
    for scale in (fitted(rows).scale, np.array([1e10, 1e300]), np.zeros(2)):
        layer = InputScaling(center=np.zeros(2), scale=scale)
        out = layer.transform(rows).toarray()
        assert np.isfinite(out).all()
        assert_allclose(out, layer.transform(X), rtol=1e-6)


@pytest.mark.parametrize("center", [0.0, 0.5])
def test_sparse_rows_go_through_a_network_with_scaling(rng, center):
    X, rows = draw_sparse(rng)
    layer = InputScaling(center=np.full(5, center), scale=np.array([1.0, 1e3, 1e-4, 2.0, 0.0]))
    network = Network((5, 6, 2), "tanh", (layer,))
    theta = network.initialize(rng, np.float64)
    assert_allclose(network.forward(theta, rows), network.forward(theta, X), rtol=1e-12)


# --------------------------------------------------------------------- mean and standard deviation


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_standard_scaling_is_that_of_scikit_learn(rng, kind, dtype):
    X = kind(
        (rng.normal(size=(30, 3)) * [1.0, 1e4, 1e-4] * (rng.random((30, 3)) < 0.6)).astype(dtype)
    )
    weight = rng.uniform(0.5, 2.0, size=30)
    layer = standard_scaling(X, weight)
    is_sparse = sparse.issparse(X)
    scaler = StandardScaler(with_mean=not is_sparse)
    scaler.fit(X.astype(np.float64), sample_weight=weight)
    assert_allclose(layer.scale, 1.0 / scaler.scale_, rtol=1e-9)
    assert_allclose(layer.center, np.zeros(3) if is_sparse else scaler.mean_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_standard_scaling_leaves_constant_columns_out(kind):
    X = kind(np.tile([0.1, 0.0, 1e6 + 0.1], (10, 1)))
    assert_array_equal(standard_scaling(X, np.full(10, 0.3)).scale, 0.0)
