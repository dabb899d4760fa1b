"""Slow, obvious versions of what the package computes: plain autograd and plain numpy."""

import itertools
import sys
import threading
from itertools import pairwise

import autograd
import autograd.numpy as anp
import numpy as np
from autograd.scipy.special import erf
from scipy.special import log_expit, log_softmax
from sklearn.utils._param_validation import StrOptions

from skc2c import C2C, VAT, Jacobian, Ladder
from skc2c.data.rows import Rows
from skc2c.likelihoods import LIKELIHOODS as PACKAGE_LIKELIHOODS
from skc2c.network import ACTIVATIONS as PACKAGE_ACTIVATIONS
from skc2c.network import Network
from skc2c.objective import Term
from skc2c.penalties import PENALTIES

ACTIVATIONS = {
    "identity": lambda z: z,
    "logistic": lambda z: 1 / (1 + anp.exp(-z)),
    "tanh": anp.tanh,
    "relu": lambda z: anp.where(z > 0, z, 0.0),
    "softplus": lambda z: anp.log1p(anp.exp(-anp.abs(z))) + anp.maximum(z, 0.0),
    "elu": lambda z: anp.where(z > 0, z, anp.exp(anp.where(z > 0, 0.0, z)) - 1),
    "gelu": lambda z: z * 0.5 * (1 + erf(z / np.sqrt(2))),
    "silu": lambda z: z / (1 + anp.exp(-z)),
}


def has_kink(name):
    """Whether the first or the second derivative of an activation jumps at zero."""
    activation = PACKAGE_ACTIVATIONS[name]
    _, residual = activation.evaluate(np.array([-1e-9, 1e-9]))
    sides = [activation.slope(residual)]
    sides += [] if activation.curvature is None else [activation.curvature(residual)]
    return any(abs(below - above) > 1e-3 for below, above in sides)


SMOOTH = [name for name in PACKAGE_ACTIVATIONS if not has_kink(name)]
HIDDEN = [(), (7,), (6, 5), (5, 4, 6)]
LIKELIHOODS = {loss: cls() for loss, cls in PACKAGE_LIKELIHOODS.items()}


def with_each_choice(cls):
    """A penalty with each word, other than the default, that one of its settings may be."""
    defaults = cls().get_params()
    for name, (constraint, *_) in cls._parameter_constraints.items():
        if isinstance(constraint, StrOptions):
            others = sorted(constraint.options - {defaults[name]})
            yield from (cls(**{name: word}) for word in others)


VARIANTS = [
    *(cls() for cls in PENALTIES.values()),
    *(penalty for cls in PENALTIES.values() for penalty in with_each_choice(cls)),
    C2C(n_perturbations=3),
    C2C("adversarial", "response"),
    Jacobian("adversarial", "response"),
    VAT("random", n_perturbations=2),
    VAT(n_power_iterations=3),
    VAT(entropy_weight=0.5, balance_weight=0.4),
    Ladder(n_perturbations=3),
]


def has_further_terms(penalty):
    """Whether it charges for uncertain or unbalanced outputs beside a distance."""
    names = "entropy_weight", "balance_weight"
    return any(getattr(penalty, name, "auto") != "auto" for name in names)


def in_pairs(*axes):
    """Tuples in which every two values of different axes meet, if not every three.

    For tests of what depends on two things at a time: the third comes from elsewhere. Tuples that
    bring the most new pairs are taken first, so that few are needed.
    """
    met, rows = set(), []
    tuples = [(row, _pairs(row)) for row in _diagonals(*map(len, axes))]
    for wanted in range(len(axes) * (len(axes) - 1) // 2, 0, -1):
        for row, pairs in tuples:
            if len(pairs - met) >= wanted:
                met |= pairs
                rows.append(tuple(axis[i] for axis, i in zip(axes, row, strict=True)))
    return rows


def _pairs(row):
    return set(itertools.combinations(enumerate(row), 2))


def _diagonals(*sizes):
    """All tuples of indices; those that follow each other differ in as many places as can be."""
    for row in itertools.product(*map(range, sizes)):
        yield tuple((i + sum(row[:axis])) % sizes[axis] for axis, i in enumerate(row))


# One network on the rows as they are, with a penalty of fixed strength: the estimator of the paper.
PLAIN = {
    "penalty": "c2c",
    "alpha": 0.03,
    "epsilon": 0.3,
    "l2": 1.0,
    "cv": None,
    "input_scaling": None,
    "numeric_embedding": None,
    "max_iter": 200,
    "learning_rate_init": 0.001,
}


def watched():
    """A Jacobian penalty, and the list of the rows of X that each of its probes is shown."""
    seen = []

    class Watched(Jacobian):
        def probe(self, network, likelihood, theta, X, *rest):
            seen.append(X.copy())
            return super().probe(network, likelihood, theta, X, *rest)

    return Watched(), seen


def elementwise(name):
    """An activation as a formula, or, where there is none above, by the package's own derivatives.

    These are compared with finite differences in test_activations.py.
    """
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]
    activation = PACKAGE_ACTIVATIONS[name]

    def value(z):
        return activation.evaluate(np.array(z))[0]

    def slope(z):
        return activation.slope(activation.evaluate(np.array(z))[1])

    def curvature(z):
        bend = activation.curvature or np.zeros_like
        return bend(activation.evaluate(np.array(z))[1])

    return _known_by_derivatives(value, slope, curvature)


def _known_by_derivatives(function, *derivatives):
    traced = autograd.extend.primitive(function)
    if derivatives:
        derivative = _known_by_derivatives(*derivatives)
        autograd.extend.defvjp(traced, lambda out, z: lambda g: g * derivative(z))
    return traced


def forward(units, activation, theta, X):
    """The network with kernels, then biases, cut from theta one by one."""
    shapes = list(pairwise(units))
    kernels, start = [], 0
    for fan_in, fan_out in shapes:
        kernels.append(anp.reshape(theta[start : start + fan_in * fan_out], (fan_in, fan_out)))
        start += fan_in * fan_out
    h = X
    for i, (_, fan_out) in enumerate(shapes):
        z = anp.dot(h, kernels[i]) + theta[start : start + fan_out]
        start += fan_out
        h = z if i == len(shapes) - 1 else elementwise(activation)(z)
    return h


def jacobian(units, activation, theta, X):
    """dh/dx, (n, K, D), in nested plain autograd: it can be differentiated once more."""

    def total(X, k):
        # Rows do not depend on each other, so that all rows are differentiated at once.
        return anp.sum(forward(units, activation, theta, X)[:, k])

    return anp.stack([autograd.grad(total)(X, k) for k in range(units[-1])], axis=1)


def draw_network(rng, hidden=(7,), activation="tanh", n=9, D=4, K=3):
    """A network, a theta with entries of order one, and rows."""
    network = Network((D, *hidden, K), activation)
    theta = rng.normal(size=network.size) / np.sqrt(max(network.layer_units[:-1]))
    return network, theta, rng.normal(size=(n, D))


def add_parameters(penalty, network, theta, rng):
    """Theta with the penalty's own parameters, some way off from where they start."""
    start = penalty.initial_parameters(network.layer_units[-1])
    return np.concatenate([theta, start + 0.2 * rng.normal(size=len(start))], dtype=theta.dtype)


def draw_for(rng, likelihood, hidden=(6, 5), activation="tanh", n=9, T=3):
    """A network, theta and rows as in `draw_network`, and targets that the likelihood can have."""
    K = likelihood.n_outputs(T)
    return *draw_network(rng, hidden, activation, n=n, K=K), draw_targets(rng, likelihood, n, T)


def draw_targets(rng, likelihood, n, T):
    """Targets that a likelihood can have, (n, T)."""
    if likelihood.loss == "poisson":
        return rng.poisson(2.0, size=(n, T)).astype(float)
    if likelihood.loss == "binary_log_loss":
        return rng.integers(0, 2, size=(n, T)).astype(float)
    if likelihood.is_of_classes:
        return np.eye(T)[rng.integers(0, T, size=n)]
    return rng.normal(size=(n, T))


def negative_log_likelihood(loss, y, h):
    """In plain numpy, for each row, up to a constant of y.

    Of a loss that is not written out here it is the package's own value, which is compared with
    high-precision arithmetic in test_likelihoods.py.
    """
    if loss == "squared_error":
        return 0.5 * ((h - y) ** 2).sum(axis=1)
    if loss == "gaussian_nll":
        mean, log_variance = np.split(h, 2, axis=1)
        return 0.5 * (log_variance + (y - mean) ** 2 * np.exp(-log_variance)).sum(axis=1)
    if loss == "quantile":
        return 0.5 * abs(y - h).sum(axis=1)
    if loss == "poisson":
        return (np.exp(h) - y * h).sum(axis=1)
    if loss == "binary_log_loss":
        return -(y * log_expit(h) + (1 - y) * log_expit(-h)).sum(axis=1)
    if loss == "log_loss":
        return -(y * log_softmax(h, axis=1)).sum(axis=1)
    return LIKELIHOODS[loss].nll_and_gradient(y, h)[0]


def draw_term(
    rng,
    penalty,
    likelihood=LIKELIHOODS["squared_error"],
    hidden=(6, 5),
    activation="tanh",
    n=9,
    **kw,
):
    """A term of an objective on weighted rows, and a theta."""
    network, theta, X, y = draw_for(rng, likelihood, hidden, activation, n)
    theta = add_parameters(penalty, network, theta, rng)
    settings = {"alpha": 0.7, "epsilon": 0.4, "l2": 0.3, **kw}
    rows = Rows(X, y, rng.uniform(0.5, 2.0, size=n))
    return Term(network, likelihood, penalty, rows=rows, **settings), theta


def charge(penalty, network, likelihood, theta, probe):
    """R(x) of every row of a probe, or None."""
    return penalty.value(network, likelihood, theta, probe, probe.outputs(network, theta))


def roughness(penalty, network, likelihood, theta, X, epsilon, rng):
    """R(x) of every row, or None."""
    probe = penalty.probe(network, likelihood, theta, X, None, epsilon, rng)
    return charge(penalty, network, likelihood, theta, probe)


def charges(penalty):
    """Whether a penalty charges anything; otherwise its value is None."""
    likelihood, rng = LIKELIHOODS["squared_error"], np.random.default_rng(0)
    network, theta, X, y = draw_for(rng, likelihood, n=2)
    theta = add_parameters(penalty, network, theta, rng)
    probe = penalty.probe(network, likelihood, theta, X, y, 1.0, rng)
    return charge(penalty, network, likelihood, theta, probe) is not None


def assert_gradient(function, gradient, x, rng, rtol=1e-6, n_directions=3):
    """A gradient against fourth-order central differences along random directions."""
    for _ in range(n_directions):
        v = rng.normal(size=x.shape)
        v /= np.linalg.norm(v)
        numeric = _directional_difference(function, x, v)
        np.testing.assert_allclose(np.sum(gradient * v), numeric, rtol=rtol, atol=1e-9)


def _directional_difference(function, x, v, step=1e-3):
    near = (function(x + step * v) - function(x - step * v)) / (2 * step)
    far = (function(x + 2 * step * v) - function(x - 2 * step * v)) / (4 * step)
    return (4 * near - far) / 3


def run_in_threads(*tasks):
    """Run functions at the same time, switching between them as often as Python can."""
    usual = sys.getswitchinterval()
    threads = [threading.Thread(target=task) for task in tasks]
    try:
        sys.setswitchinterval(1e-6)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)
