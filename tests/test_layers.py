"""The contract of a layer, which every kind of layer in the package keeps.

To have a new kind tested, add a line to `CASES`: a test fails until there is one.
"""

import importlib
import pkgutil
from dataclasses import replace
from inspect import isabstract
from itertools import pairwise
from typing import NamedTuple

import autograd
import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from periodic_embedding import PeriodicEmbedding
from scipy import sparse

import skc2c.network
from skc2c.network import ACTIVATIONS
from skc2c.network.dense import Dense
from skc2c.network.fourier_features import FourierFeatures
from skc2c.network.input_scaling import InputScaling
from skc2c.network.layer import Layer
from skc2c.network.normalization import NormalizedDense
from skc2c.network.piecewise_linear import PiecewiseLinear

KINKED = set(ACTIVATIONS) - set(oracles.SMOOTH)
N, K, C, M = 5, 3, 2, 2  # rows, members, copies of each row, directions at each


class Case(NamedTuple):
    """A layer without a place, and its formula ``(layer, theta, rows) -> out`` for one network."""

    layer: Layer
    formula: object


def dense(layer, theta, rows):
    kernel = anp.reshape(theta[layer.weights], layer.shape)
    return elementwise_of(layer)(anp.dot(rows, kernel) + theta[layer.others])


def elementwise_of(layer):
    (name,) = (name for name, known in ACTIVATIONS.items() if known is layer.activation)
    return oracles.elementwise(name)


def scaling(layer, theta, rows):
    z = (rows - layer.center) * layer.scale
    return z / anp.sqrt(1 + (z / 3) ** 2)


def periodic(layer, theta, rows):
    """One column, then one function after the other."""
    q, F, P = len(layer.columns), layer.n_frequencies, layer.n_functions
    own = theta[layer.others]
    f, b, W, c = (
        anp.reshape(part, shape)
        for part, shape in zip(
            [own[: q * F], own[q * F : 2 * q * F], own[2 * q * F : -q * P], own[-q * P :]],
            [(q, F), (q, F), (q, F, P), (q, P)],
            strict=True,
        )
    )
    functions = [
        anp.sum(anp.cos(2 * np.pi * f[j] * rows[:, [col]] + b[j]) * W[j, :, p], axis=1) + c[j, p]
        for j, col in enumerate(layer.columns)
        for p in range(P)
    ]
    return anp.concatenate([rows, anp.stack(functions, axis=1)], axis=1)


def fourier(layer, theta, rows):
    """Sines of all columns at a frequency, then their cosines, then the next frequency."""
    waves = [
        wave(2 * np.pi * f * rows[:, layer.columns])
        for f in layer.frequencies
        for wave in (anp.sin, anp.cos)
    ]
    return anp.concatenate([rows, *waves], axis=1)


def piecewise_linear(layer, theta, rows):
    """How much of each bin lies below the value of its column, bin by bin."""
    parts = [
        (rows[:, [column]] - low) / (high - low)
        for column, points in zip(layer.columns, layer.breakpoints, strict=True)
        for low, high in pairwise(points)
    ]
    return anp.concatenate([rows, *(anp.minimum(anp.maximum(z, 0), 1) for z in parts)], axis=1)


def dense_case(n_in, n_out, name):
    return Case(Dense(shape=(n_in, n_out), activation=ACTIVATIONS[name]), dense)


SCALING = InputScaling(center=np.array([0.3, -0.2, 0.0, 5.0]), scale=np.array([1.0, 2.5, 0.0, 0.2]))
CASES = {f"dense {name}": dense_case(4, 3, name) for name in ACTIVATIONS} | {
    "dense from one unit": dense_case(1, 4, "tanh"),
    "dense to one unit": dense_case(4, 1, "tanh"),
    "dense linear to one unit": dense_case(4, 1, "identity"),
    "input scaling": Case(SCALING, scaling),
    "periodic embedding": Case(
        PeriodicEmbedding(n_features=4, columns=(2, 0), n_frequencies=5, n_functions=3), periodic
    ),
    "periodic embedding of one column": Case(
        PeriodicEmbedding(n_features=1, columns=(0,), n_frequencies=2, n_functions=1), periodic
    ),
    "fourier features": Case(
        FourierFeatures(n_features=4, columns=(3, 1), frequencies=(0.25, 0.6, 1.0)), fourier
    ),
    "fourier features of one column": Case(FourierFeatures(frequencies=(0.3,)), fourier),
    "piecewise linear": Case(
        PiecewiseLinear(
            n_features=4, columns=(3, 1), breakpoints=((-1.0, -0.2, 0.1, 2.0), (-0.5, 0.7))
        ),
        piecewise_linear,
    ),
    "piecewise linear of one column": Case(PiecewiseLinear(), piecewise_linear),
}
every_case = pytest.mark.parametrize("name", CASES)


def kinds(base=Layer):
    """All classes of layers, however deep they derive from the base class."""
    for module in pkgutil.iter_modules(skc2c.network.__path__, "skc2c.network."):
        importlib.import_module(module.name)
    for kind in base.__subclasses__():
        yield from [kind, *kinds(kind)]


def test_every_kind_of_layer_has_a_case():
    own = [kind for kind in kinds() if kind.__module__.startswith("skc2c.")]
    # In a normalised layer rows depend on each other: it has tests of its own.
    defined = {kind for kind in own if not isabstract(kind)} - {NormalizedDense}
    assert defined <= {type(case.layer) for case in CASES.values()}


class Placed(NamedTuple):
    """A layer in the middle of a theta of which it has only a part, with inputs and gradients.

    In layout of one network: theta (size,), rows ((1 + M) N, D). `own` are its entries.
    """

    layer: Layer
    theta: np.ndarray
    own: np.ndarray
    rows: np.ndarray
    g: np.ndarray
    formula: object


def place(name, dtype=np.float64, n=N, m=M, seed=0):
    """Strange places: the others come first, and gaps are filled with NaN."""
    rng = np.random.default_rng(seed)
    layer, formula = CASES[name]
    others = slice(2, 2 + layer.n_others)
    weights = slice(others.stop + 1, others.stop + 1 + layer.n_weights)
    layer = replace(layer, weights=weights, others=others)
    own = np.r_[weights, others]
    theta = np.full(weights.stop + 3, np.nan)
    theta[own] = 0.7 * rng.normal(size=len(own))
    rows, g = (rng.normal(size=((1 + m) * n, width)) for width in (layer.n_in, layer.n_out))
    theta, rows, g = (array.astype(dtype) for array in (theta, rows, g))
    return Placed(layer, theta, own, rows, g, formula)


def reference(placed, n_points):
    """Points and tangents through the formula, as a function that autograd differentiates."""

    def function(theta, rows):
        points, tangents = rows[:n_points], rows[n_points:]

        def at(points):
            return placed.formula(placed.layer, theta, points)

        each = (tangents[start : start + n_points] for start in range(0, len(tangents), n_points))
        return anp.concatenate([at(points), *(slow_tangent(at, points, V) for V in each)])

    return function


def slow_tangent(function, points, V):
    """``J V``, from nested traces; rows do not depend on each other."""
    _, n_out = function(autograd.tracer.getval(points)).shape
    columns = [
        anp.sum(autograd.grad(lambda p, k=k: anp.sum(function(p)[:, k]))(points) * V, axis=1)
        for k in range(n_out)
    ]
    return anp.stack(columns, axis=1)


def reference_gradients(placed, n_points, g):
    """With respect to theta, NaN where it has no say, and to the rows."""
    function = reference(placed, n_points)

    def total(own, rows):
        theta = anp.dot(own, np.eye(len(placed.theta))[placed.own])
        return anp.sum(function(theta, rows) * g)

    own, rows = placed.theta[placed.own], placed.rows
    gradient = np.full(len(placed.theta), np.nan)
    gradient[placed.own] = autograd.grad(total, 0)(own, rows) if len(own) else own
    return gradient, autograd.grad(total, 1)(own, rows)


def backward(layer, theta, g, record, n_points):
    """Gradient with respect to theta, NaN where nothing was written, and to the rows."""
    gradient = np.full_like(theta, np.nan)
    pull = layer.retreat(theta, g.copy(), record, n_points, gradient)
    return gradient, pull()


def assert_close(found, expected, rtol=1e-9):
    """Equal to rounding, NaN where NaN is expected."""
    assert found.shape == expected.shape
    assert_allclose(found, expected, rtol=rtol, atol=0.01 * rtol)


@every_case
def test_sizes_and_initial_parameters_are_its_own(name, rng):
    layer, theta, own, rows, _, _ = place(name)
    assert (rows.shape[1], len(own)) == (layer.n_in, layer.n_weights + layer.n_others)
    assert layer.evaluate(theta, rows)[0].shape == (len(rows), layer.n_out)
    drawn, again = np.full_like(theta, np.nan), np.full_like(theta, np.nan)
    layer.initialize(drawn, np.random.default_rng(1), 1.0)
    layer.initialize(again, np.random.default_rng(1), 1.0)
    assert_array_equal(drawn, again)
    assert_array_equal(np.flatnonzero(np.isfinite(drawn)), np.sort(own))
    layer.initialize(again, np.random.default_rng(2), 1.0)
    assert (drawn[own] != again[own]).all()


@every_case
@pytest.mark.parametrize("m", [0, 1, 2])
@pytest.mark.parametrize("n", [1, N])
def test_points_and_tangents_equal_the_formula(name, n, m):
    placed = place(name, n=n, m=m)
    layer, theta, _, rows, g, _ = placed
    before = theta.copy(), rows.copy()
    out, record = layer.advance(theta, rows, n)
    assert_close(out, reference(placed, n)(theta, rows))
    assert_close(layer.evaluate(theta, rows[:n])[0], out[:n])
    assert np.isfinite(out).all()
    gradient, back = backward(layer, theta, g, record, n)
    expected, expected_back = reference_gradients(placed, n, g)
    assert_close(gradient, expected)
    assert_close(back, expected_back)
    for array, untouched in zip((theta, rows), before, strict=True):
        assert_array_equal(array, untouched)


@pytest.mark.parametrize(
    "name", [name for name in CASES if name not in {f"dense {kinked}" for kinked in KINKED}]
)
def test_gradients_equal_finite_differences(name, rng):
    """A second truth, without autograd: tangents included, so second derivatives too."""
    layer, theta, own, rows, g, _ = place(name)
    gradient, back = backward(layer, theta, g, layer.advance(theta, rows, N)[1], N)

    def of_rows(rows):
        return (layer.advance(theta, rows, N)[0] * g).sum()

    def of_theta(values):
        moved = theta.copy()
        moved[own] = values
        return (layer.advance(moved, rows, N)[0] * g).sum()

    oracles.assert_gradient(of_rows, back, rows, rng)
    if len(own):
        oracles.assert_gradient(of_theta, gradient[own], theta[own], rng)


@every_case
@pytest.mark.parametrize("n_known", [1, 3, N])
def test_resuming_equals_advancing(name, n_known):
    layer, theta, _, rows, g, _ = place(name, m=0)
    passed = layer.evaluate(theta, rows[:n_known])
    kept = flat(passed)
    out, record = layer.resume(theta, rows, passed)
    whole, whole_record = layer.advance(theta, rows, N)
    assert_close(out, whole, rtol=1e-13)
    for found, expected in zip(
        backward(layer, theta, g, record, N),
        backward(layer, theta, g, whole_record, N),
        strict=True,
    ):
        assert_close(found, expected, rtol=1e-13)
    assert_array_equal(flat(passed), kept)  # it may be resumed from again


def flat(passed):
    """All numbers of an output and its residual."""
    if isinstance(passed, tuple):
        return np.concatenate([flat(part) for part in passed])
    return np.ravel(passed).copy()


@every_case
def test_linear_map_is_the_derivative_and_its_transpose(name):
    placed = place(name, m=1)
    layer, theta, _, rows, g, _ = placed
    points, V, U = rows[:N], rows[N:], g[:N]
    out, residual = layer.evaluate(theta, points)
    linear_map = layer.linear_map(theta, points, residual)
    kept = V.copy(), U.copy()
    expected = reference(placed, N)(theta, rows)[N:]
    assert_close(linear_map.jvp(V), expected)
    _, back = reference_gradients(placed._replace(rows=points), N, U)
    assert_close(linear_map.vjp(U), back)
    assert_array_equal(V, kept[0])
    assert_array_equal(U, kept[1])
    assert_array_equal(out, layer.evaluate(theta, points)[0])


@every_case
def test_float32_stays_float32(name):
    layer, theta, _, rows, g, _ = place(name, np.float32)
    _, theta64, _, rows64, g64, _ = place(name)

    def run(theta, rows, g):
        out, record = layer.advance(theta, rows, N)
        yield out
        yield from backward(layer, theta, g, record, N)
        passed = layer.evaluate(theta, rows[:3])
        yield from (passed[0], layer.resume(theta, rows[:N], passed)[0])
        yield from backward(layer, theta, g[:N], layer.resume(theta, rows[:N], passed)[1], N)
        linear_map = layer.linear_map(theta, rows[:3], passed[1])
        yield from (linear_map.jvp(rows[:3]), linear_map.vjp(g[:3]))

    for found, exact in zip(run(theta, rows, g), run(theta64, rows64, g64), strict=True):
        assert found.dtype == np.float32
        assert_allclose(found, exact, rtol=1e-3, atol=1e-4)


class Side(NamedTuple):
    """K layers of one kind side by side, and each of them alone."""

    layer: Layer
    theta: np.ndarray
    rows: np.ndarray
    g: np.ndarray

    def alone(self, i):
        """Theta, rows and g of member i, as a single network sees them."""
        return (
            self.theta[i],
            self.rows[:, i].reshape(-1, self.rows.shape[-1]),
            self.g[:, i].reshape(-1, self.g.shape[-1]),
        )


def side_by_side(name, copies=C, m=M):
    layer, theta, _, _, _, _ = place(name)
    rng = np.random.default_rng(1)
    thetas = theta + 0.3 * rng.normal(size=(K, len(theta)))
    rows = rng.normal(size=((1 + m) * copies, K, N, layer.n_in))
    return Side(layer, thetas, rows, rng.normal(size=(*rows.shape[:-1], layer.n_out)))


def member(array, i):
    return array[:, i].reshape(-1, array.shape[-1])


@every_case
@pytest.mark.parametrize("copies", [1, C])
@pytest.mark.parametrize("m", [0, 1, M])
def test_members_are_single_layers_side_by_side(name, copies, m):
    side = side_by_side(name, copies, m)
    layer, n = side.layer, copies * N
    out, record = layer.advance(side.theta, side.rows, copies)
    gradient, back = backward(layer, side.theta, side.g, record, copies)
    assert (out.shape, back.shape) == (side.g.shape, side.rows.shape)
    for i in range(K):
        theta, rows, g = side.alone(i)
        expected, expected_record = layer.advance(theta, rows, n)
        assert_close(member(out, i), expected, rtol=1e-12)
        own_gradient, own_back = backward(layer, theta, g, expected_record, n)
        assert_close(gradient[i], own_gradient, rtol=1e-11)
        assert_close(member(back, i), own_back, rtol=1e-11)


@every_case
def test_members_resume_like_single_layers(name):
    """The first copy of each row is known, as in a stack of clean and perturbed rows."""
    side = side_by_side(name, copies=C, m=0)
    layer = side.layer
    out, record = layer.resume(side.theta, side.rows, layer.evaluate(side.theta, side.rows[:1]))
    whole, whole_record = layer.advance(side.theta, side.rows, C)
    assert_close(out, whole, rtol=1e-13)
    for found, expected in zip(
        backward(layer, side.theta, side.g, record, C),
        backward(layer, side.theta, side.g, whole_record, C),
        strict=True,
    ):
        assert_close(found, expected, rtol=1e-12)


@every_case
def test_linear_maps_of_members_are_those_of_single_layers(name):
    side = side_by_side(name, copies=1, m=1)
    layer, (points, V), U = side.layer, np.split(side.rows, 2), side.g[:1]
    linear_map = layer.linear_map(side.theta, points, layer.evaluate(side.theta, points)[1])
    for i in range(K):
        own = member(points, i)
        alone = layer.linear_map(side.theta[i], own, layer.evaluate(side.theta[i], own)[1])
        assert_close(member(linear_map.jvp(V), i), alone.jvp(member(V, i)), rtol=1e-12)
        assert_close(member(linear_map.vjp(U), i), alone.vjp(member(U, i)), rtol=1e-12)


@every_case
@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csr_array])
def test_sparse_rows_are_evaluated_like_dense_ones(name, make):
    layer, theta, _, rows, _, _ = place(name, m=0)
    rows[np.abs(rows) < 0.7] = 0.0
    expected = layer.evaluate(theta, rows)[0]
    for out, _ in (layer.evaluate(theta, make(rows)), layer.advance(theta, make(rows), N)):
        assert_close(out.toarray() if sparse.issparse(out) else out, expected, rtol=1e-13)
