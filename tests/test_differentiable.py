"""Functions that return their way back, differentiated by autograd."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from autograd.tracer import isbox
from numpy.testing import assert_allclose, assert_array_equal
from oracles import run_in_threads

from skc2c.differentiable import differentiable


@differentiable
def bilinear(x, y, *, factor=1.0):
    """``factor * sum_j sin(x_ij) y_ij``, one number a row."""
    value = factor * (np.sin(x) * y).sum(axis=1)

    def back(g):
        g = factor * g[:, None]
        return g * np.cos(x) * y, lambda: g * np.sin(x)

    return value, back


def plain(x, y, factor=1.0):
    return factor * anp.sum(anp.sin(x) * y, axis=1)


@pytest.fixture
def arrays(rng):
    return rng.normal(size=(5, 3)), rng.normal(size=(5, 3))


def test_value_and_gradients_equal_those_of_autograd(arrays):
    mix = np.arange(5.0)

    def loss(function):
        # Not linear in the function, which is called twice: gradients are added up.
        return lambda x, y: anp.sum(
            mix * function(x, y, factor=2.5) ** 2 + function(anp.exp(x), x * y)
        )

    assert_allclose(bilinear(*arrays, factor=2.5), plain(*arrays, 2.5), rtol=1e-14)
    for which in (0, 1, (0, 1)):
        found = autograd.grad(loss(bilinear), which)(*arrays)
        expected = autograd.grad(loss(plain), which)(*arrays)
        assert_allclose(np.array(found), np.array(expected), rtol=1e-12)


def test_jacobian_calls_the_way_back_many_times(arrays):
    x, y = arrays
    found = autograd.jacobian(lambda x: bilinear(x, y))(x)
    assert_allclose(found, autograd.jacobian(lambda x: plain(x, y))(x), rtol=1e-12)


def recorder(calls):
    """A function of three arguments that says which gradients it computed."""

    @differentiable
    def function(x, y, z):
        def lazy(name):
            def entry():
                calls.append(name)
                return {"x": 2.0, "y": 3.0, "z": 4.0}[name] * np.ones(2)

            return entry

        calls.append("value")
        return 2.0 * x.sum() + 3.0 * y.sum() + 4.0 * z.sum(), lambda g: map_of(g, lazy)

    def map_of(g, lazy):
        calls.append("back")
        return lazy("x"), lazy("y"), lazy("z")

    return function


@pytest.mark.parametrize("which", [(0,), (1,), (2,), (0, 2), (2, 1), (0, 1, 2)])
def test_gradients_are_computed_only_of_what_is_traced(which):
    calls = []
    function = recorder(calls)
    arguments = [np.zeros(2), np.zeros(2), np.zeros(2)]
    gradients = autograd.grad(function, which)(*arguments)
    assert sorted(calls) == sorted(["value", "back", *("xyz"[i] for i in which)])
    for i, gradient in zip(which, gradients, strict=True):
        assert_array_equal(gradient, 2.0 + i)


def test_nothing_is_computed_of_what_is_not_traced():
    calls = []
    function = recorder(calls)
    assert function(np.ones(2), np.ones(2), np.ones(2)) == 18.0
    assert calls == ["value"]
    # Traced around it, but not through it.
    gradient = autograd.grad(lambda t: t * function(np.ones(2), np.ones(2), np.ones(2)))(1.0)
    assert gradient == 18.0
    assert calls == ["value", "value"]


def test_function_sees_arrays_and_keywords_untouched(arrays):
    seen = []

    @differentiable
    def function(x, *, layers, known=None):
        seen.append((isbox(x), layers, known))
        return x.sum(), lambda g: (g * np.ones_like(x),)

    layers = ["a", "b"]
    autograd.grad(lambda x: function(x, layers=layers))(arrays[0])
    assert seen == [(False, layers, None)]
    assert seen[0][1] is layers
    with pytest.raises(TypeError, match="typo"):
        function(arrays[0], layers=layers, typo=1)


def test_it_has_the_name_and_docstring_of_the_function():
    assert bilinear.__name__ == "bilinear"
    assert bilinear.__doc__.startswith("``factor * sum_j")


def test_the_function_given_is_at_hand(arrays):
    """For those who need no trace: the value with its way back."""
    x, y = arrays
    value, back = bilinear.with_way_back(x, y, factor=2.0)
    assert_array_equal(value, bilinear(x, y, factor=2.0))
    g_x, g_y = back(np.ones(5))
    assert_allclose(g_x, 2.0 * np.cos(x) * y, rtol=1e-14)
    assert_allclose(g_y(), 2.0 * np.sin(x), rtol=1e-14)


def test_nothing_is_kept_between_calls(arrays):
    """A call that was never differentiated leaves nothing for the next one."""
    x, y = arrays
    expected = autograd.grad(lambda x: plain(x, y).sum())(x)
    vjps = []
    for scale in (1.0, 2.0, 3.0):
        bilinear(scale * x, y)
        vjp, _ = autograd.core.make_vjp(lambda x, scale=scale: bilinear(scale * x, y), x)
        vjps.append(vjp)
    # Used in another order than they were made in, and one of them twice.
    for i in (1, 0, 2, 0):
        scale = 1.0 + i
        assert_allclose(vjps[i](np.ones(5)), scale * np.cos(scale * x) * y, rtol=1e-12)
    assert_allclose(vjps[0](np.ones(5)), expected, rtol=1e-12)


def test_an_error_on_the_way_leaves_nothing_behind(arrays):
    @differentiable
    def fails(x):
        if (x > 100.0).any():
            raise FloatingPointError("too large")
        return x.sum(), lambda g: (g * np.ones_like(x),)

    with pytest.raises(FloatingPointError, match="too large"):
        autograd.grad(fails)(arrays[0] + 1e3)
    assert_array_equal(autograd.grad(fails)(arrays[0]), 1.0)


def test_float32_stays_float32(arrays):
    x, y = (array.astype(np.float32) for array in arrays)
    assert bilinear(x, y).dtype == np.float32
    gradients = autograd.grad(lambda x, y: bilinear(x, y).sum(), (0, 1))(x, y)
    assert all(gradient.dtype == np.float32 for gradient in gradients)


def test_threads_do_not_disturb_each_other(rng):
    """autograd counts traces in the whole process: gradients are those of one thread."""
    xs = [rng.normal(size=(5, 3)) for _ in range(4)]

    def gradient(x):
        return autograd.grad(lambda x: (bilinear(x, x) * bilinear(anp.tanh(x), x)).sum())(x)

    expected = [gradient(x) for x in xs]
    wrong = []

    def work(x, right):
        wrong.extend(x for _ in range(100) if not np.array_equal(gradient(x), right))

    run_in_threads(*(lambda pair=pair: work(*pair) for pair in zip(xs, expected, strict=True)))
    assert not wrong
