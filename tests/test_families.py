import autograd
import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose
from oracles import FAMILIES, assert_gradient, draw_targets

every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def log_partition(name, row):
    row = [mpmath.mpf(float(h)) for h in row]
    if name == "gaussian":
        return sum(h * h for h in row) / 2
    if name == "bernoulli":
        return sum(mpmath.log1p(mpmath.exp(h)) for h in row)
    return mpmath.log(sum(mpmath.exp(h) for h in row))


def exact_mean(name, row):
    row = [mpmath.mpf(float(h)) for h in row]
    if name == "gaussian":
        return row
    if name == "bernoulli":
        return [1 / (1 + mpmath.exp(-h)) for h in row]
    total = sum(mpmath.exp(h) for h in row)
    return [mpmath.exp(h) / total for h in row]


def exact_nll(name, row, y):
    value = log_partition(name, row) - sum(h * t for h, t in zip(row, y, strict=True))
    if name == "gaussian":
        value += sum(mpmath.mpf(float(t)) ** 2 for t in y) / 2
    return value


def exact_kl(name, row, other):
    """The Bregman distance of the log-partition, in fifty digits and more."""
    slope = sum(
        m * (mpmath.mpf(float(g)) - mpmath.mpf(float(h)))
        for m, h, g in zip(exact_mean(name, row), row, other, strict=True)
    )
    return log_partition(name, other) - log_partition(name, row) - slope


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("name", FAMILIES)
def test_values_equal_high_precision_arithmetic(rng, name, scale):
    family = FAMILIES[name]
    h, other = scale * rng.normal(size=(2, 20, 3))
    y = draw_targets(rng, family, 20, 3)
    with mpmath.workdps(60):
        nll = [float(exact_nll(name, *rows)) for rows in zip(h, y, strict=True)]
        kl = [float(exact_kl(name, *rows)) for rows in zip(h, other, strict=True)]
        mean = [[float(m) for m in exact_mean(name, row)] for row in h]
    assert_allclose(family.nll(y, h), nll, rtol=1e-12, atol=1e-12 * scale)
    assert_allclose(family.kl(h, other), kl, rtol=1e-9, atol=1e-12 * scale)
    assert_allclose(family.mean(h), mean, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("step", [1e-1, 1e-3, 1e-5])
@pytest.mark.parametrize("scale", [1.0, 10.0])
@pytest.mark.parametrize("name", FAMILIES)
def test_divergence_of_close_outputs_keeps_its_digits(rng, name, scale, step):
    """Naive formulas lose all of them: KL ~ step^2 is the difference of terms ~ 1."""
    h = scale * rng.normal(size=(20, 3))
    other = h + step * rng.normal(size=(20, 3))
    with mpmath.workdps(60):
        kl = [float(exact_kl(name, *rows)) for rows in zip(h, other, strict=True)]
    assert_allclose(FAMILIES[name].kl(h, other), kl, rtol=1e-13 / step, atol=1e-16)


@every_family
def test_divergence_is_the_mean_log_ratio(rng, family):
    """Against Monte Carlo: E log p(y|h) / p(y|h') under p(y|h)."""
    K, n = 3, 400_000
    h, other = rng.normal(size=(2, 1, K))
    mean = family.mean(h)
    if family is FAMILIES["gaussian"]:
        y = mean + rng.normal(size=(n, K))
    elif family is FAMILIES["bernoulli"]:
        y = (rng.random((n, K)) < mean).astype(float)
    else:
        y = np.eye(K)[rng.choice(K, size=n, p=mean[0])]
    ratios = family.nll(y, np.repeat(other, n, axis=0)) - family.nll(y, np.repeat(h, n, axis=0))
    error = ratios.std() / np.sqrt(n)
    assert abs(ratios.mean() - family.kl(h, other)[0]) < 4 * error


def test_gaussian_divergence_is_equation_7(rng):
    h, other = rng.normal(size=(2, 5, 3))
    expected = 0.5 * ((h - other) ** 2).sum(axis=1)
    assert_allclose(FAMILIES["gaussian"].kl(h, other), expected)


@every_family
def test_derivatives_equal_finite_differences(rng, family):
    h, other, v = rng.normal(size=(3, 6, 3))
    y = draw_targets(rng, family, 6, 3)
    mix = rng.normal(size=6)
    functions = {
        "nll": (lambda h: (family.nll(y, h) * mix).sum(), h),
        "kl, clean": (lambda h: (family.kl(h, other) * mix).sum(), h),
        "kl, near": (lambda other: (family.kl(h, other) * mix).sum(), other),
        "mean": (lambda h: (family.mean(h) * v).sum(), h),
        "entropy": (lambda h: (family.entropy(h) * mix).sum(), h),
        "imbalance": (family.imbalance, h),
        "mean_jacobian": (lambda h: (family.mean_jacobian(h) * v[:, :, None]).sum(), h),
    }
    for name, (function, at) in functions.items():
        if family is FAMILIES["gaussian"] and name in ("mean_jacobian", "entropy", "imbalance"):
            continue  # constant
        assert_gradient(function, autograd.grad(function)(at), at, rng)


@every_family
def test_fisher_is_the_curvature_of_the_divergence(rng, family):
    h, v = rng.normal(size=(2, 6, 3))
    F = family.mean_jacobian(h)
    assert_allclose(family.fisher(h, v), np.einsum("nij,nj->ni", F, v), rtol=1e-12, atol=1e-14)
    step = 1e-4
    curvature = (family.kl(h, h + step * v) + family.kl(h, h - step * v)) / step**2
    assert_allclose(curvature, (v * family.fisher(h, v)).sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_family
def test_large_outputs_stay_finite_and_keep_their_dtype(family, dtype):
    big = np.array([0.0, 1.0, -1.0, 50.0, 1e4, -1e4], dtype=dtype)
    h = np.stack(np.meshgrid(big, big, big), axis=-1).reshape(-1, 3)
    other = h[::-1].copy()
    y = np.eye(3, dtype=dtype)[np.arange(len(h)) % 3]
    with np.errstate(all="raise", under="ignore"):
        results = {
            "mean": family.mean(h),
            "nll": family.nll(y, h),
            "kl": family.kl(h, other),
            "fisher": family.fisher(h, other),
            "mean_jacobian": family.mean_jacobian(h),
        }
    for name, result in results.items():
        assert np.isfinite(result).all(), name
        assert result.dtype == dtype, name
    assert (results["kl"] >= 0).all()


@pytest.mark.parametrize("name", ["bernoulli", "categorical"])
def test_log_mean_is_finite_where_the_mean_underflows(name):
    h = np.array([[1e4, 0.0, -1e4]])
    family = FAMILIES[name]
    assert family.mean(h).min() == 0.0
    assert np.isfinite(family.log_mean(h)).all()
    h = np.array([[1.0, 0.0, -1.0]])
    assert_allclose(family.log_mean(h), np.log(family.mean(h)))


@pytest.mark.parametrize("gap", [0.0, 5.0, 18.0, 40.0, 80.0])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("name", ["bernoulli", "categorical"])
def test_certain_rows_keep_the_direction_of_their_gradients_in_float32(rng, name, sign, gap):
    """A probability within 1e-8 of one has no digits left in p - y or p (1 - p)."""
    family = FAMILIES[name]
    h = rng.normal(size=(20, 3))
    h[:, 1] += sign * gap
    h, v = h.astype(np.float32), rng.normal(size=(20, 3)).astype(np.float32)
    y = np.zeros((20, 3), np.float32)
    y[:, 1] = 1.0
    with mpmath.workdps(60):
        mean = [exact_mean(name, row) for row in h]
        nll_gradient = [[float(m - t) for m, t in zip(p, [0, 1, 0], strict=True)] for p in mean]
        fisher = [exact_fisher(name, p, row) for p, row in zip(mean, v, strict=True)]
        jacobian = [[exact_fisher(name, p, unit) for unit in np.eye(3)] for p in mean]
    np.testing.assert_allclose(
        family.nll_and_gradient(y, h)[1], nll_gradient, rtol=1e-4, atol=1e-37
    )
    assert_close_rows(family.fisher(h, v), fisher)
    np.testing.assert_allclose(family.mean_jacobian(h), jacobian, rtol=1e-4, atol=1e-37)


def exact_fisher(name, p, v):
    v = [mpmath.mpf(float(x)) for x in v]
    if name == "bernoulli":
        return [float(q * (1 - q) * x) for q, x in zip(p, v, strict=True)]
    mean = sum(q * x for q, x in zip(p, v, strict=True))
    return [float(q * (x - mean)) for q, x in zip(p, v, strict=True)]


def assert_close_rows(actual, expected):
    """Each row to 1e-4 of its largest entry."""
    scale = np.abs(expected).max(axis=1, keepdims=True)
    assert (np.abs(actual - expected) <= 1e-4 * scale + 1e-37).all()
