"""Every likelihood in the package's table, against mpmath, scipy.stats and quadrature."""

from functools import partial
from itertools import pairwise, product

import autograd
import autograd.numpy as anp
import mpmath
import numpy as np
import pytest
from mpmath import mpf
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats
from sklearn.metrics import mean_pinball_loss

from skc2c.differentiable import computed
from skc2c.likelihoods import LIKELIHOODS, AsymmetricLaplace, GaussianNLL, Likelihood, Poisson

# ------------------------------------------------------------------------------- oracles
#
# What a likelihood has to be, without a line of the package. `row` and `other` are lists of
# mpmath numbers, the outputs for one row; `h` is the same as an array.


class Oracle:
    """What the tests need to know of one likelihood.

    ``mean``, ``nll`` and ``kl`` are exact, in mpmath. ``targets`` draws targets that can occur.
    ``log_density`` is that of scipy.stats. ``marginal`` is a rule to integrate over one target:
    values of it and their probabilities. Gradients and the Fisher information follow.
    """

    @classmethod
    def outcomes(cls, h, *kinks):
        """Rule to integrate over all targets of a row: (m, T) values, (m,) probabilities."""
        values, weights = zip(*cls.marginals(h, *kinks), strict=True)
        return np.array(list(product(*values))), np.prod(list(product(*weights)), axis=1)

    @classmethod
    def expect(cls, function, h, *kinks):
        """Expectation of a function of targets (m, T) under p(y | h), for one row h.

        `kinks` are other rows, at which the function may have kinks if the density has.
        """
        y, weights = cls.outcomes(h, *kinks)
        return np.tensordot(weights, function(y), axes=1)

    @classmethod
    def response(cls, h):
        """What the mean response should be: the expectation of the targets."""
        return cls.expect(lambda y: y, h)


class Natural(Oracle):
    """An exponential family: nll and divergence from the log-partition."""

    @classmethod
    def nll(cls, row, y):
        return cls.log_partition(row) - sum(h * t for h, t in zip(row, y, strict=True))

    @classmethod
    def kl(cls, row, other):
        """The Bregman distance of the log-partition."""
        steps = (m * (g - h) for m, h, g in zip(cls.mean(row), row, other, strict=True))
        return cls.log_partition(other) - cls.log_partition(row) - sum(steps)


class NormalOracle(Natural):
    def log_partition(row):
        return sum(h * h for h in row) / 2

    def mean(row):
        return row

    @classmethod
    def nll(cls, row, y):
        return sum((h - t) ** 2 for h, t in zip(row, y, strict=True)) / 2

    def targets(rng, n, T):
        return rng.normal(size=(n, T))

    def log_density(y, h):
        return stats.norm(h, 1.0).logpdf(y).sum(axis=1)

    def marginals(h, *kinks):
        return [gauss_hermite(mean, 1.0) for mean in h]


class PoissonOracle(Natural):
    """Beyond a log-rate of 30 the log-partition is a parabola, as the package defines it."""

    def log_partition(row):
        return sum(
            mpmath.exp(min(h, 30)) * (1 + max(h - 30, 0) + max(h - 30, 0) ** 2 / 2) for h in row
        )

    def mean(row):
        return [mpmath.exp(min(h, 30)) * (1 + max(h - 30, 0)) for h in row]

    def targets(rng, n, T):
        return rng.poisson(2.0, size=(n, T)).astype(float)

    def log_density(y, h):
        return stats.poisson(np.exp(h)).logpmf(y).sum(axis=1)

    def marginals(h, *kinks):
        counts = np.arange(150.0)
        return [(counts, stats.poisson(np.exp(log_rate)).pmf(counts)) for log_rate in h]


class NormalVarianceOracle(Oracle):
    def mean(row):
        return row[: len(row) // 2]

    def log_variances(row):
        """As the package defines it: bent towards 14 beyond 13."""
        for s in row[len(row) // 2 :]:
            excess = max(abs(s) - 13, 0)
            yield s if excess == 0 else mpmath.sign(s) * (13 + excess / (1 + excess))

    @classmethod
    def nll(cls, row, y):
        return sum(
            (s + (t - m) ** 2 / mpmath.exp(s)) / 2
            for m, s, t in zip(cls.mean(row), cls.log_variances(row), y, strict=True)
        )

    @classmethod
    def kl(cls, row, other):
        """Equation 6 of the paper, in its letters."""
        mu, m = cls.mean(row), cls.mean(other)
        sigma = [mpmath.exp(s / 2) for s in cls.log_variances(row)]
        tau = [mpmath.exp(s / 2) for s in cls.log_variances(other)]
        terms = (
            1
            + 2 * mpmath.log(sigma[k] / tau[k])
            - (sigma[k] ** 2 + (mu[k] - m[k]) ** 2) / tau[k] ** 2
            for k in range(len(mu))
        )
        return -sum(terms) / 2

    targets = NormalOracle.targets

    def log_density(y, h):
        mean, log_variance = np.split(h, 2, axis=-1)
        return stats.norm(mean, np.exp(log_variance / 2)).logpdf(y).sum(axis=1)

    def marginals(h, *kinks):
        mean, log_variance = np.split(h, 2)
        return map(gauss_hermite, mean, np.exp(log_variance / 2))


class LaplaceOracle(Oracle):
    """Of the median; a subclass says of which quantile else."""

    quantile = 0.5

    def mean(row):
        return row

    @classmethod
    def nll(cls, row, y):
        q = mpf(cls.quantile)
        return sum(q * max(t - h, 0) + (1 - q) * max(h - t, 0) for h, t in zip(row, y, strict=True))

    @classmethod
    def kl(cls, row, other):
        """The pinball loss at `other` less that at the row, in the mean over p(y | row)."""
        q, total = mpf(cls.quantile), mpf(0)
        for h, g in zip(row, other, strict=True):
            near, far = (q, 1 - q) if h > g else (1 - q, q)
            total += near * (abs(h - g) - (1 - mpmath.exp(-far * abs(h - g))) / far)
        return total

    targets = NormalOracle.targets

    @classmethod
    def distribution(cls, h):
        q = cls.quantile
        return stats.laplace_asymmetric(np.sqrt(q / (1 - q)), h, 1 / np.sqrt(q * (1 - q)))

    @classmethod
    def log_density(cls, y, h):
        return cls.distribution(h).logpdf(y).sum(axis=1)

    @classmethod
    def response(cls, h):
        return cls.distribution(h).ppf(cls.quantile)

    @classmethod
    def marginals(cls, h, *kinks):
        """Gauss' rules between the kinks and beyond them."""
        for k, location in enumerate(h):
            law, edges = cls.distribution(location), sorted([location, *(row[k] for row in kinks)])
            t, w = np.polynomial.laguerre.laggauss(20)
            values = [edges[0] - t / (1 - cls.quantile), edges[-1] + t / cls.quantile]
            weights = [w * law.cdf(edges[0]), w * law.sf(edges[-1])]
            for low, high in pairwise(edges):
                t, w = np.polynomial.legendre.leggauss(20)
                values.append(low + (high - low) * (t + 1) / 2)
                weights.append(w * (high - low) / 2 * law.pdf(values[-1]))
            yield np.concatenate(values), np.concatenate(weights)


class UpperLaplaceOracle(LaplaceOracle):
    quantile = 0.8


class BernoulliOracle(Natural):
    def log_partition(row):
        return sum(mpmath.log1p(mpmath.exp(h)) for h in row)

    def mean(row):
        return [1 / (1 + mpmath.exp(-h)) for h in row]

    def targets(rng, n, T):
        return rng.integers(0, 2, size=(n, T)).astype(float)

    def log_density(y, h):
        return stats.bernoulli(1 / (1 + np.exp(-h))).logpmf(y).sum(axis=1)

    def marginals(h, *kinks):
        return [([0.0, 1.0], stats.bernoulli(1 / (1 + np.exp(-x))).pmf([0, 1])) for x in h]

    def entropy(h):
        return stats.bernoulli(1 / (1 + np.exp(-h))).entropy().sum(axis=1)

    def imbalance(q):
        return sum(stats.entropy([p, 1 - p], [0.5, 0.5]) for p in q)


class CategoricalOracle(Natural):
    def log_partition(row):
        return mpmath.log(sum(mpmath.exp(h) for h in row))

    def mean(row):
        total = sum(mpmath.exp(h) for h in row)
        return [mpmath.exp(h) / total for h in row]

    def targets(rng, n, T):
        return np.eye(T)[rng.integers(0, T, size=n)]

    def probabilities(h):
        return np.exp(h) / np.exp(h).sum(axis=-1, keepdims=True)

    @classmethod
    def log_density(cls, y, h):
        return stats.multinomial(1, cls.probabilities(h)).logpmf(y)

    @classmethod
    def outcomes(cls, h, *kinks):
        y = np.eye(len(h))
        return y, stats.multinomial(1, cls.probabilities(h)).pmf(y)

    @classmethod
    def entropy(cls, h):
        return stats.entropy(cls.probabilities(h), axis=1)

    def imbalance(q):
        return stats.entropy(q, np.full(len(q), 1 / len(q)))


ORACLES = {
    "squared_error": NormalOracle,
    "poisson": PoissonOracle,
    "gaussian_nll": NormalVarianceOracle,
    "quantile": LaplaceOracle,
    "quantile, 0.8": UpperLaplaceOracle,
    "binary_log_loss": BernoulliOracle,
    "log_loss": CategoricalOracle,
}
OUT_ACTIVATIONS = {
    "squared_error": "identity",
    "poisson": "exp",
    "gaussian_nll": "identity",
    "quantile": "identity",
    "quantile, 0.8": "identity",
    "binary_log_loss": "logistic",
    "log_loss": "softmax",
}
CLASSES = ["binary_log_loss", "log_loss"]

# All of the table, and further settings of some.
MADE = {name: likelihood() for name, likelihood in LIKELIHOODS.items()}
MADE["quantile, 0.8"] = AsymmetricLaplace(0.8)

every_likelihood = pytest.mark.parametrize("name", MADE)
classes_only = pytest.mark.parametrize("name", CLASSES)


def gauss_hermite(mean, deviation):
    points, weights = np.polynomial.hermite_e.hermegauss(20)
    return mean + deviation * points, weights / weights.sum()


def exact(function, *arrays):
    """A function of lists of mpmath numbers, row by row, in 60 digits, as an array."""
    with mpmath.workdps(60):
        rows = [
            function(*([mpf(float(x)) for x in row] for row in rows))
            for rows in zip(*arrays, strict=True)
        ]
    return np.array(rows, dtype=float)


def derivative(function, row, k):
    """Derivative of a function of a list with respect to its entry k, in mpmath."""
    return mpmath.diff(lambda x: function([*row[:k], x, *row[k + 1 :]]), row[k])


def gradient(function, row):
    return [derivative(function, row, k) for k in range(len(row))]


def exact_fisher(oracle, row):
    """Curvature of the divergence from the row itself: the derivative of its gradient."""

    def slope(i, other):
        return derivative(partial(oracle.kl, row), other, i)

    with mpmath.workdps(100):
        return [gradient(partial(slope, i), row) for i in range(len(row))]


def exact_mean_jacobian(oracle, row):
    n_targets = len(oracle.mean(row))
    return [gradient(lambda row, t=t: oracle.mean(row)[t], row) for t in range(n_targets)]


def draw(rng, name, n, T, scale=1.0, dtype=np.float64):
    """A likelihood, its oracle, outputs and targets."""
    likelihood, oracle = MADE[name], ORACLES[name]
    h = (scale * rng.normal(size=(n, likelihood.n_outputs(T)))).astype(dtype)
    return likelihood, oracle, h, oracle.targets(rng, n, T).astype(dtype)


def assert_derivative(function, derivative, x, rng):
    """A gradient against fourth-order central differences along random directions."""
    for _ in range(3):
        v = rng.normal(size=x.shape)
        near, far = ((function(x + s * v) - function(x - s * v)) / (2 * s) for s in (1e-3, 2e-3))
        assert_allclose(np.sum(derivative * v), (4 * near - far) / 3, rtol=1e-6, atol=1e-9)


def assert_close_rows(actual, expected, rtol, atol):
    """Each row up to a part of its largest entry."""
    largest = np.abs(expected).max(axis=1, keepdims=True)
    assert (np.abs(actual - expected) <= rtol * largest + atol).all()


# ------------------------------------------------------------------------------ the table


def test_every_likelihood_of_the_table_has_an_oracle():
    """A new likelihood is tested by all that follows once its truth is written down above."""
    assert set(ORACLES) == set(OUT_ACTIVATIONS) == set(MADE)


@every_likelihood
def test_the_table_is_keyed_by_the_name_of_the_loss(name):
    likelihood = MADE[name]
    assert isinstance(likelihood, Likelihood)
    assert likelihood.loss == name.split(",")[0]
    assert likelihood.out_activation == OUT_ACTIVATIONS[name]


@every_likelihood
def test_number_of_outputs_is_that_of_the_mean(rng, name):
    likelihood, _, h, y = draw(rng, name, 5, 3)
    assert likelihood.n_outputs(3) == h.shape[1] == {"gaussian_nll": 6}.get(name, 3)
    assert likelihood.n_outputs(1) == {"gaussian_nll": 2}.get(name, 1)
    assert likelihood.mean(h).shape == y.shape == (5, 3)
    assert likelihood.mean_jacobian(h).shape == (5, *y.shape[1:], *h.shape[1:])


def test_a_likelihood_without_a_method_cannot_be_made():
    class Incomplete(Poisson):
        fisher = Likelihood.fisher

    with pytest.raises(TypeError, match="abstract method '?fisher"):
        Incomplete()


# ---------------------------------------------------------------- values and derivatives


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e4])
@every_likelihood
def test_values_equal_high_precision_arithmetic(rng, name, scale, dtype):
    likelihood, oracle, h, y = draw(rng, name, 20, 3, scale, dtype)
    other = (scale * rng.normal(size=h.shape)).astype(dtype)
    precision = np.finfo(dtype).eps / np.finfo(np.float64).eps
    tolerance = {"rtol": 1e-12 * precision, "atol": 1e-12 * precision * scale}
    assert_allclose(likelihood.nll(y, h), exact(oracle.nll, h, y), **tolerance)
    tolerance["rtol"] = 1e-9 if dtype == np.float64 else 1e-3
    assert_allclose(likelihood.kl(h, other), exact(oracle.kl, h, other), **tolerance)
    tiny = np.finfo(dtype).tiny * 100
    rtol = 1e-12 * precision
    assert_allclose(likelihood.mean(h), exact(oracle.mean, h), rtol=rtol, atol=tiny)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e4])
@every_likelihood
def test_gradients_equal_high_precision_arithmetic(rng, name, scale):
    likelihood, oracle, h, y = draw(rng, name, 6, 2, scale)
    other = scale * rng.normal(size=h.shape)
    tolerance = {"rtol": 1e-9, "atol": 1e-15}
    expected = exact(lambda h, y: gradient(lambda h: oracle.nll(h, y), h), h, y)
    assert_allclose(likelihood.nll_and_gradient(y, h)[1], expected, **tolerance)
    value, with_respect_to_other, with_respect_to_h = likelihood.kl_and_gradients(h, other)
    assert_array_equal(value, likelihood.kl(h, other))
    expected = exact(lambda h, other: gradient(partial(oracle.kl, h), other), h, other)
    assert_allclose(with_respect_to_other, expected, **tolerance)
    expected = exact(lambda h, other: gradient(lambda h: oracle.kl(h, other), h), h, other)
    assert_allclose(with_respect_to_h(), expected, **tolerance)
    g = rng.normal(size=(6, 1))
    assert_allclose(with_respect_to_h(g), g * expected, **tolerance)
    assert_allclose(with_respect_to_h(-2.0), -2.0 * expected, **tolerance)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e4])
@every_likelihood
def test_matrices_equal_high_precision_arithmetic(rng, name, scale):
    likelihood, oracle, h, _ = draw(rng, name, 3, 2, scale)
    expected = exact(partial(exact_fisher, oracle), h)
    assert_allclose(likelihood.fisher_matrix(h), expected, rtol=1e-9, atol=1e-30)
    expected = exact(partial(exact_mean_jacobian, oracle), h)
    assert_allclose(likelihood.mean_jacobian(h), expected, rtol=1e-9, atol=1e-30)


@classes_only
def test_soft_targets_are_allowed(rng, name):
    likelihood, oracle, h, _ = draw(rng, name, 20, 3)
    y = rng.dirichlet(np.ones(3), size=20)
    assert_allclose(likelihood.nll(y, h), exact(oracle.nll, h, y), rtol=1e-12)
    assert_allclose(likelihood.nll_and_gradient(y, h)[1], likelihood.mean(h) - y, atol=1e-14)


@pytest.mark.parametrize("step", [1e-1, 1e-3, 1e-5])
@pytest.mark.parametrize("scale", [1.0, 10.0])
@every_likelihood
def test_divergence_of_close_outputs_keeps_its_digits(rng, name, scale, step):
    """Naive formulas lose all of them: KL ~ step^2 is the difference of terms ~ 1."""
    likelihood, oracle, h, _ = draw(rng, name, 4, 3, scale)
    other = h + step * rng.normal(size=h.shape)
    value, gradient_near, gradient_clean = likelihood.kl_and_gradients(h, other)
    rtol = 1e-13 / step
    # Differences of probabilities are rounded relative to one.
    atol = 1e-15 if name in CLASSES else 0.0
    assert_allclose(value, exact(oracle.kl, h, other), rtol=rtol, atol=0.1 * atol)
    expected = exact(lambda h, other: gradient(partial(oracle.kl, h), other), h, other)
    assert_close_rows(gradient_near, expected, rtol, atol)
    expected = exact(lambda h, other: gradient(lambda h: oracle.kl(h, other), h), h, other)
    assert_close_rows(gradient_clean(), expected, rtol, atol)


@every_likelihood
def test_derivatives_equal_finite_differences(rng, name):
    likelihood, _, h, y = draw(rng, name, 6, 3)
    other, mix, u = rng.normal(size=h.shape), rng.normal(size=6), rng.normal(size=y.shape)
    functions = {
        "nll": lambda h: anp.sum(likelihood.nll(y, h) * mix),
        "kl, clean": lambda h: anp.sum(likelihood.kl(h, other) * mix),
        "kl, near": lambda h: anp.sum(likelihood.kl(other, h) * mix),
        "kl, both": lambda h: anp.sum(likelihood.kl(h, h * h) * mix),
        "mean": lambda h: anp.sum(likelihood.mean(h) * u),
    }
    for function in functions.values():
        assert_derivative(function, autograd.grad(function)(h), h, rng)


@every_likelihood
def test_traced_mean_jacobian_equals_finite_differences(rng, name):
    """The argument is added, because the Jacobian may be constant."""
    likelihood, _, h, _ = draw(rng, name, 6, 3)
    u = rng.normal(size=(6, 3, 1))

    def function(h):
        return anp.sum(likelihood.mean_jacobian(h) * u) + anp.sum(h)

    assert_derivative(function, autograd.grad(function)(h), h, rng)


@every_likelihood
def test_ways_back_from_entropy_and_imbalance_equal_finite_differences(rng, name):
    likelihood, _, h, _ = draw(rng, name, 6, 3)
    mix, q = rng.normal(size=6), likelihood.mean(h).mean(axis=0)
    for function, g in (
        (likelihood.entropy, mix),
        (likelihood.imbalance, 1.7),
        (lambda h: likelihood.imbalance(h, k=2), mix),
        (lambda h: likelihood.imbalance(h, q), mix),
    ):
        value, back = function(h)
        assert_derivative(
            lambda h, f=function, g=g: np.sum(g * f(h)[0]), back(g + 0.0 * value), h, rng
        )


@every_likelihood
def test_traced_gradients_are_the_plain_ones(rng, name):
    likelihood, _, h, y = draw(rng, name, 6, 3)
    other, g = rng.normal(size=h.shape), rng.normal(size=(6, 1))
    value, gradient = likelihood.nll_and_gradient(y, h)
    assert_array_equal(value, likelihood.nll(y, h))
    traced = autograd.grad(lambda h: anp.sum(g[:, 0] * likelihood.nll(y, h)))(h)
    assert_array_equal(traced, g * gradient)
    _, gradient, compute_gradient = likelihood.kl_and_gradients(h, other)
    kl = autograd.grad(lambda two: anp.sum(g[:, 0] * likelihood.kl(*two)))
    for traced, plain in zip(kl((h, other)), (compute_gradient(), gradient), strict=True):
        assert_array_equal(traced, g * plain)


# -------------------------------------------------------- the distribution, by quadrature


@every_likelihood
def test_nll_is_that_of_scipy_up_to_a_constant_of_y(rng, name):
    likelihood, oracle, h, y = draw(rng, name, 30, 3)
    constant = likelihood.nll(y, h) + oracle.log_density(y, h)
    other = rng.normal(size=h.shape)
    assert_allclose(likelihood.nll(y, other) + oracle.log_density(y, other), constant, atol=1e-12)


@every_likelihood
def test_mean_is_the_expectation_of_the_targets_or_their_quantile(rng, name):
    likelihood, oracle, h, _ = draw(rng, name, 5, 2)
    expected = [oracle.response(row) for row in h]
    assert_allclose(likelihood.mean(h), expected, rtol=1e-9)


@every_likelihood
def test_divergence_is_the_mean_log_ratio(rng, name):
    """E log p(y|h) / p(y|h') under p(y|h), with the densities of scipy."""
    likelihood, oracle, h, _ = draw(rng, name, 5, 2)
    other = rng.normal(size=h.shape)

    def log_ratio(y, row, other):
        rows = (np.broadcast_to(x, (len(y), len(x))) for x in (row, other))
        return np.subtract(*(oracle.log_density(y, x) for x in rows))

    expected = [
        oracle.expect(partial(log_ratio, row=row, other=near), row, near)
        for row, near in zip(h, other, strict=True)
    ]
    assert_allclose(likelihood.kl(h, other), expected, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_likelihood
def test_divergence_is_positive_and_zero_for_equal_outputs(rng, name, dtype):
    for scale, step in product([1.0, 30.0, 1e4], [1e-7, 1e-3, 1.0, 100.0]):
        likelihood, _, h, _ = draw(rng, name, 200, 3, scale, dtype)
        other = (h + step * rng.normal(size=h.shape)).astype(dtype)
        assert (likelihood.kl(h, other) >= lower_bound(name, dtype)).all()
        value, gradient, compute_gradient = likelihood.kl_and_gradients(h, h.copy())
        assert_array_equal(value, 0.0)
        assert_array_equal(gradient, 0.0)
        assert_array_equal(compute_gradient(), 0.0)


@every_likelihood
def test_fisher_information_is_the_covariance_of_the_score(rng, name):
    likelihood, oracle, h, _ = draw(rng, name, 5, 2)

    def score(y, row):
        return likelihood.nll_and_gradient(y, np.broadcast_to(row, (len(y), len(row))))[1]

    def squared_score(y, row):
        return np.einsum("mi,mj->mij", score(y, row), score(y, row))

    for row, F in zip(h, likelihood.fisher_matrix(h), strict=True):
        assert_allclose(oracle.expect(partial(score, row=row), row), 0.0, atol=1e-12)
        covariance = oracle.expect(partial(squared_score, row=row), row)
        assert_allclose(F, covariance, rtol=1e-9, atol=1e-12)


@every_likelihood
def test_fisher_information_is_the_curvature_of_the_divergence(rng, name):
    likelihood, _, h, _ = draw(rng, name, 6, 3)
    v = rng.normal(size=h.shape)
    F = likelihood.fisher_matrix(h)
    assert_allclose(likelihood.fisher(h, v), np.einsum("nij,nj->ni", F, v), rtol=1e-12, atol=1e-14)

    def curvature(step):
        return (likelihood.kl(h, h + step * v) + likelihood.kl(h, h - step * v)) / step**2

    # Third derivatives may jump: the error is proportional to the step then, and drops out.
    assert_allclose(
        2 * curvature(5e-5) - curvature(1e-4), (v * likelihood.fisher(h, v)).sum(axis=1), rtol=1e-6
    )


@pytest.mark.parametrize("scale", [1.0, 30.0])
@every_likelihood
def test_products_with_the_derivative_of_the_mean_agree(rng, name, scale):
    likelihood, _, h, y = draw(rng, name, 6, 3, scale)
    v, u = rng.normal(size=h.shape), rng.normal(size=y.shape)
    J = likelihood.mean_jacobian(h)
    close = {"rtol": 1e-10, "atol": 1e-14}
    assert_allclose(likelihood.mean_jvp(h, v), np.einsum("ntk,nk->nt", J, v), **close)
    assert_allclose(likelihood.mean_vjp(h, u), np.einsum("ntk,nt->nk", J, u), **close)
    for t in range(3):
        traced = autograd.grad(lambda h, t=t: anp.sum(likelihood.mean(h)[:, t]))(h)
        assert_allclose(J[:, t], traced, **close)


# ------------------------------------------------------------------- dtypes and extremes


def lower_bound(name, dtype=np.float64):
    """Of a divergence. Those of classes are rounded relative to one."""
    return -50.0 * np.finfo(dtype).eps if name in CLASSES else 0.0


def every_result(likelihood, y, h, other):
    """What every method returns, by its name."""
    value, gradient, compute_gradient = likelihood.kl_and_gradients(h, other)
    nll, nll_gradient = likelihood.nll_and_gradient(y, h)
    mean = likelihood.mean(h)
    results = {
        "mean": mean,
        "nll": likelihood.nll(y, h),
        "nll, plain": nll,
        "nll, gradient": nll_gradient,
        "kl": likelihood.kl(h, other),
        "kl, plain": value,
        "kl, near gradient": gradient,
        "kl, clean gradient": compute_gradient(),
        "kl, clean gradient times g": compute_gradient(y[:, :1]),
        "fisher": likelihood.fisher(h, other),
        "fisher_matrix": likelihood.fisher_matrix(h),
        "mean_jacobian": likelihood.mean_jacobian(h),
        "mean_jvp": likelihood.mean_jvp(h, other),
        "mean_vjp": likelihood.mean_vjp(h, y),
        "entropy": likelihood.entropy(h)[0],
        "imbalance of rows": likelihood.imbalance(h, mean.mean(axis=0, dtype=np.float64))[0],
    }
    for optional in ("log_mean", "variance"):
        if hasattr(likelihood, optional):
            results[optional] = getattr(likelihood, optional)(h)
    return results


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_likelihood
def test_large_outputs_stay_finite_and_keep_their_dtype(rng, name, dtype):
    big = np.array([0.0, 1.0, -1.0, 30.0, -30.0, 89.0, 1e4, -1e4], dtype=dtype)
    likelihood, _, h, y = draw(rng, name, 2000, 2, dtype=dtype)
    h = rng.choice(big, size=h.shape)
    other = rng.choice(big, size=h.shape)
    with np.errstate(all="raise", under="ignore"):
        results = every_result(likelihood, y, h, other)
    for method, result in results.items():
        assert np.isfinite(result).all(), method
        assert result.dtype == dtype, method
    assert (results["kl"] >= lower_bound(name, dtype)).all()
    # Adam squares gradients.
    assert np.isfinite(results["nll, gradient"] ** 2).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_likelihood
def test_shapes_and_dtypes_of_every_method(rng, name, dtype):
    n, T = 7, 3
    likelihood, _, h, y = draw(rng, name, n, T, dtype=dtype)
    K = h.shape[1]
    results = every_result(likelihood, y, h, h[::-1])
    shapes = {
        "mean": (n, T),
        "log_mean": (n, T),
        "variance": (n, T),
        "mean_jvp": (n, T),
        "mean_vjp": (n, K),
        "nll, gradient": (n, K),
        "kl, near gradient": (n, K),
        "kl, clean gradient": (n, K),
        "kl, clean gradient times g": (n, K),
        "fisher": (n, K),
        "fisher_matrix": (n, K, K),
        "mean_jacobian": (n, T, K),
    }
    for method, result in results.items():
        assert result.shape == shapes.get(method, (n,)), method
        assert result.dtype == dtype, method
    assert np.asarray(likelihood.imbalance(h)[0]).shape == ()
    if name in CLASSES:
        assert likelihood.imbalance(h)[0].dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_likelihood
def test_no_method_changes_its_arguments(rng, name, dtype):
    likelihood, _, h, y = draw(rng, name, 7, 3, dtype=dtype)
    other = h[::-1].copy()
    arguments = y, h, other
    before = [argument.copy() for argument in arguments]
    every_result(likelihood, *arguments)
    for argument, copy in zip(arguments, before, strict=True):
        assert_array_equal(argument, copy)


@every_likelihood
def test_rows_do_not_depend_on_each_other(rng, name):
    likelihood, _, h, y = draw(rng, name, 7, 3)
    other = rng.normal(size=h.shape)
    q = likelihood.mean(h).mean(axis=0)
    whole = every_result(likelihood, y, h, other)
    parts = every_result(likelihood, y[2:4], h[2:4], other[2:4])
    for method in whole:
        if method != "imbalance of rows":
            assert_allclose(parts[method], whole[method][2:4], rtol=1e-12, err_msg=method)
    of_all = likelihood.imbalance(h, q)[0]
    assert_allclose(likelihood.imbalance(h[2:4], q)[0], of_all[2:4], rtol=1e-12)


@pytest.mark.parametrize("n_targets", [1, 3, 17, 26])
@every_likelihood
def test_a_row_is_the_same_to_the_last_bit_whatever_the_others_are(rng, name, n_targets):
    """So that a network is the same, whichever others it is trained with side by side."""
    likelihood, _, h, y = draw(rng, name, 29, n_targets, 2.0, np.float32)

    def results(y, h, other):
        yield from likelihood.nll_and_gradient(y, h)
        yield likelihood.nll_alone(y, h)
        yield from map(computed, likelihood.kl_and_gradients(h, other))
        yield likelihood.fisher(h, other)

    arguments = y, h, h[::-1].copy()
    whole = list(results(*arguments))
    for part in (slice(0, 2), slice(3, 14), slice(5, 6)):
        for one, of_all in zip(results(*(a[part] for a in arguments)), whole, strict=True):
            assert_array_equal(one, of_all[part])


# -------------------------------------------------------------------------------- classes


@classes_only
def test_log_mean_is_finite_where_the_mean_underflows(name):
    h = np.array([[1e4, 0.0, -1e4]])
    likelihood = MADE[name]
    assert likelihood.mean(h).min() == 0.0
    assert np.isfinite(likelihood.log_mean(h)).all()
    h = np.array([[1.0, 0.0, -1.0]])
    assert_allclose(likelihood.log_mean(h), np.log(likelihood.mean(h)))


@pytest.mark.parametrize("gap", [0.0, 5.0, 18.0, 40.0, 80.0])
@pytest.mark.parametrize("sign", [-1, 1])
@classes_only
def test_certain_rows_keep_the_direction_of_their_gradients_in_float32(rng, name, sign, gap):
    """A probability within 1e-8 of one has no digits left in p - y or p (1 - p)."""
    likelihood, oracle, h, _ = draw(rng, name, 20, 3)
    h[:, 1] += sign * gap
    h, v = h.astype(np.float32), rng.normal(size=(20, 3)).astype(np.float32)
    y = np.zeros((20, 3), np.float32)
    y[:, 1] = 1.0
    expected = exact(lambda h: [m - t for m, t in zip(oracle.mean(h), [0, 1, 0], strict=True)], h)
    assert_allclose(likelihood.nll_and_gradient(y, h)[1], expected, rtol=1e-4, atol=1e-37)
    fisher = exact(lambda h, v: fisher_of_classes(name, oracle.mean(h), v), h, v)
    assert_close_rows(likelihood.fisher(h, v), fisher, rtol=1e-4, atol=1e-37)
    units = np.eye(3).tolist()
    jacobian = exact(lambda h: [fisher_of_classes(name, oracle.mean(h), unit) for unit in units], h)
    assert_allclose(likelihood.mean_jacobian(h), jacobian, rtol=1e-4, atol=1e-37)


def fisher_of_classes(name, p, v):
    if name == "binary_log_loss":
        return [q * (1 - q) * x for q, x in zip(p, v, strict=True)]
    mean = sum(q * x for q, x in zip(p, v, strict=True))
    return [q * (x - mean) for q, x in zip(p, v, strict=True)]


@every_likelihood
def test_entropy_is_that_of_scipy_and_zero_in_regression(rng, name):
    likelihood, oracle, h, _ = draw(rng, name, 20, 3)
    expected = oracle.entropy(h) if name in CLASSES else np.zeros(20)
    assert_allclose(likelihood.entropy(h)[0], expected, rtol=1e-10)


@every_likelihood
def test_imbalance_is_the_divergence_of_the_mean_response_from_uniform(rng, name):
    likelihood, oracle, h, _ = draw(rng, name, 20, 3)
    q = likelihood.mean(h).mean(axis=0)
    expected = oracle.imbalance(q) if name in CLASSES else 0.0
    assert_allclose(likelihood.imbalance(h)[0], expected, rtol=1e-10)
    assert_allclose(likelihood.imbalance(h, q)[0].mean(), expected, rtol=1e-10)


@classes_only
def test_imbalance_is_zero_for_balanced_classes(name):
    likelihood = MADE[name]
    h = 5.0 * np.eye(3) if name == "log_loss" else np.array([[5.0, 0.0, -2.0], [-5.0, 0.0, 2.0]])
    assert_allclose(likelihood.imbalance(h)[0], 0.0, atol=1e-15)


@classes_only
def test_imbalance_of_rows_is_linear_in_their_responses(rng, name):
    likelihood, _, h, _ = draw(rng, name, 6, 3)
    q = rng.dirichlet(np.ones(3))
    each = np.concatenate([likelihood.imbalance(row[None], q)[0] for row in h])
    whole, _ = likelihood.imbalance(h, q)
    assert_allclose(whole, each, rtol=1e-12)
    mean, count = likelihood.mean(h), {"log_loss": 3.0}.get(name, 2.0)
    expected = mean @ np.log(count * q)
    if name == "binary_log_loss":
        expected += (1 - mean) @ np.log(count * (1 - q))
    assert_allclose(whole, expected, rtol=1e-12)


@classes_only
def test_gradient_of_imbalance_is_exact_in_blocks(rng, name):
    """The sum over blocks of a nonlinear function of the mean over all rows."""
    likelihood, _, h, _ = draw(rng, name, 12, 3, scale=2.0)
    q = likelihood.mean(h).mean(axis=0)

    whole = likelihood.imbalance(h)[1](1.0)
    cut = [h[start : start + 5] for start in (0, 5, 10)]
    blocks = [likelihood.imbalance(block, q)[1](np.full(len(block), 1 / 12)) for block in cut]
    assert np.abs(whole).max() > 1e-3
    assert_allclose(np.concatenate(blocks), whole, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_imbalance_is_finite_where_a_class_has_disappeared(dtype):
    for name, expected in (("binary_log_loss", 3 * np.log(2)), ("log_loss", np.log(3))):
        likelihood = MADE[name]
        h = np.array([[1e4, -1e4, -1e4]], dtype=dtype)
        q = likelihood.mean(h)[0]
        value, back = likelihood.imbalance(h)
        assert_allclose(value, expected, rtol=1e-6)
        assert_allclose(likelihood.imbalance(h, q)[0], expected, rtol=1e-6)
        assert np.isfinite(back(1.0)).all()


# ------------------------------------------------------------------------------- Gaussian


def test_gaussian_divergence_is_equation_7(rng):
    h, other = rng.normal(size=(2, 5, 3))
    expected = 0.5 * ((h - other) ** 2).sum(axis=1)
    assert_allclose(LIKELIHOODS["squared_error"]().kl(h, other), expected)


def test_gaussian_nll_with_variance_one_is_squared_error(rng):
    variance, squared = LIKELIHOODS["gaussian_nll"](), LIKELIHOODS["squared_error"]()
    m, other, y, v = rng.normal(size=(4, 8, 3))
    zeros = np.zeros((8, 3))

    def padded(x):
        return np.hstack([x, zeros])

    assert_array_equal(variance.mean(padded(m)), squared.mean(m))
    assert_allclose(variance.nll(y, padded(m)), squared.nll(y, m), rtol=1e-14)
    assert_allclose(variance.kl(padded(m), padded(other)), squared.kl(m, other), rtol=1e-14)
    assert_allclose(variance.fisher(padded(m), padded(v)), padded(squared.fisher(m, v)))
    gradient = variance.nll_and_gradient(y, padded(m))[1]
    assert_allclose(gradient[:, :3], squared.nll_and_gradient(y, m)[1], rtol=1e-14)


def test_variance_is_bounded_smooth_and_always_increasing():
    s = np.concatenate([np.linspace(-40, 40, 8001), [-1e4, 1e4]])
    s.sort()
    h = np.column_stack([np.zeros_like(s), s])
    variance = GaussianNLL().variance(h)[:, 0]
    assert np.exp(-14) < variance[0] < variance[-1] < np.exp(14)
    assert (np.diff(variance) > 0.0).all()
    straight = np.abs(s) <= 13
    assert_array_equal(variance[straight], np.exp(s[straight]))
    # The gradient has no jump, which L-BFGS needs: neighbours are 0.01 apart.
    slopes = GaussianNLL().nll_and_gradient(np.zeros_like(h[:, :1]), h)[1][:, 1]
    assert np.abs(np.diff(slopes[1:-1])).max() < 0.011


def test_log_variance_of_exactly_fitted_rows_does_not_run_away():
    likelihood = GaussianNLL()
    h = np.array([[0.3, -1e4]])
    assert likelihood.nll(np.array([[0.3]]), h)[0] > -7.0
    # A row with a residual pulls its log-variance back, however far out it is.
    for s in (-20.0, -1e4):
        assert likelihood.nll_and_gradient(np.array([[1.3]]), np.array([[0.3, s]]))[1][0, 1] < 0
    assert likelihood.nll_and_gradient(np.array([[1.3]]), np.array([[0.3, 1e4]]))[1][0, 1] > 0


@pytest.mark.parametrize("scale", [1e-6, 1e6, np.array([1e-3, 1.0, 500.0])])
def test_gaussian_nll_in_units_of_y(rng, scale):
    """The same distribution in other units: bounds move with them."""
    m, s, y = rng.normal(size=(3, 9, 3))
    s *= 20.0
    standard, in_units = GaussianNLL(), GaussianNLL(scale)
    h = np.hstack([m, s])
    g = np.hstack([scale * m + 7.0 * scale, s + 2.0 * np.log(scale)])
    assert_allclose(in_units.variance(g), scale**2 * standard.variance(h), rtol=1e-11)
    shift = np.sum(np.log(scale * np.ones(3)))
    assert_allclose(in_units.nll(scale * (y + 7.0), g), standard.nll(y, h) + shift, rtol=1e-9)
    assert_allclose(in_units.kl(g, g[::-1]), standard.kl(h, h[::-1]), rtol=1e-9)
    assert in_units.variance(g.astype(np.float32)).dtype == np.float32


# -------------------------------------------------------------------------------- Poisson


def test_poisson_loss_is_convex_and_smooth_at_its_bend():
    h = np.linspace(25.0, 35.0, 2001)[:, None]
    likelihood = LIKELIHOODS["poisson"]()
    slopes = likelihood.nll_and_gradient(np.ones_like(h), h)[1][:, 0]
    steps = np.diff(slopes)
    assert (steps > 0.0).all()
    assert np.abs(np.diff(steps)).max() < 0.01 * steps.max()
    assert_array_equal(likelihood.mean(h[h[:, 0] <= 30]), np.exp(h[h[:, 0] <= 30]))


def test_poisson_divergence_is_exact_across_its_bend():
    points = [-1e4, 0.0, 29.0, 30.0 - 1e-9, 30.0, 30.0 + 1e-9, 31.0, 1e4]
    h, other = np.array(list(product(points, points))).T[:, :, None]
    value = LIKELIHOODS["poisson"]().kl(h, other)
    assert_allclose(value, exact(PoissonOracle.kl, h, other), rtol=1e-6)


# ------------------------------------------------------------------------------- quantile


@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.8])
def test_pinball_loss_is_that_of_scikit_learn(rng, quantile):
    y, h = rng.normal(size=(2, 30, 3))
    value = AsymmetricLaplace(quantile).nll(y, h)
    expected = mean_pinball_loss(y, h, alpha=quantile, multioutput="raw_values").sum()
    assert_allclose(value.mean(), expected, rtol=1e-12)


@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.8])
def test_gradient_at_the_kink_is_the_mean_of_those_beside_it(quantile):
    likelihood, y = AsymmetricLaplace(quantile), np.zeros((3, 1))
    value, gradient = likelihood.nll_and_gradient(y, np.array([[-1e-9], [0.0], [1e-9]]))
    below, at, above = gradient[:, 0]
    assert value[1] == 0.0
    assert_allclose([below, at, above], [-quantile, (below + above) / 2, 1 - quantile])


@pytest.mark.parametrize("h", [0.0, 1.0, -1.0])
def test_divergence_of_classes_from_round_log_odds(h):
    """From a fair coin, whose log-odds have no sign, and from log-odds that a sign may equal."""
    other = np.array([[-3.0], [-0.2], [0.0], [0.5], [4.0]])
    found = LIKELIHOODS["binary_log_loss"]().kl(np.full_like(other, h), other)
    p, q = special.expit(h), special.expit(other[:, 0])
    assert_allclose(found, special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q), atol=1e-14)


@pytest.mark.parametrize("name", ["squared_error", "binary_log_loss", "log_loss"])
def test_logarithm_of_no_error_is_finite(name):
    assert np.isfinite(LIKELIHOODS[name]().log_error(0.0))


def test_information_of_counts_stands_still_beyond_the_bend():
    """Its slope is that of the exponential below a log-rate of 30, and zero above."""
    h = np.array([[29.0], [30.5], [35.0]])
    found = autograd.grad(lambda h: anp.sum(LIKELIHOODS["poisson"]().mean_jacobian(h)))(h)
    assert_allclose(found, [[np.exp(29.0)], [0.0], [0.0]])
