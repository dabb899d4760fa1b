"""Estimators of several networks, and what they should be in plain numpy."""

from itertools import pairwise

import numpy as np
from numpy.testing import assert_array_equal
from scipy.special import expit, log_expit, log_softmax, softmax

from skc2c import C2CClassifier, C2CRegressor
from skc2c.estimators import training

# Every parameter that decides on how a fit tunes itself, written out; short fits of small networks.
TUNED = {
    "hidden_layer_sizes": (8,),
    "activation": "relu",
    "penalty": "c2c",
    "alpha": "auto",
    "epsilon": "scale",
    "l2": 0.1,
    "cv": 4,
    "input_scaling": "robust",
    "numeric_embedding": "auto",
    "solver": "adam",
    "batch_size": 16,
    "learning_rate_init": 0.01,
    "max_iter": 5,
    "early_stopping": False,
    "scoring": None,
    "warm_start": False,
    "random_state": 0,
    "n_jobs": None,
}

N, D = 60, 3
TASKS = ("binary", "multiclass", "multilabel", "real", "reals")


def draw(task, n=N, seed=0):
    """Rows with columns of different units, and targets that depend on them."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, D))
    noisy = Z[:, 0] + np.sin(2 * Z[:, 1]) + 0.3 * rng.normal(size=n)
    y = {
        "binary": np.where(noisy > 0, "yes", "no"),
        "multiclass": np.digitize(noisy, [-0.7, 0.7]) * 2 - 3,
        "multilabel": np.column_stack([noisy > 0, Z[:, 1] > 0.3, Z[:, 2] > -0.5]).astype(int),
        "real": 30 * noisy + 100,
        "reals": np.column_stack([noisy, 1000 * Z[:, 0] * Z[:, 2]]),
    }[task]
    return Z * [1.0, 50.0, 1e-3] + [0.0, 300.0, 0.0], y


def make(task, **changes):
    """An estimator for a task."""
    cls = C2CRegressor if task.startswith("real") else C2CClassifier
    return cls(**(TUNED | changes))


def spy_on_cross_fit(monkeypatch, change=lambda found: found):
    """The plans and records of all fits of several networks from now on, changed if need be."""
    seen, original = [], training.cross_fit

    def spy(plan, *arguments, **settings):
        found = change(original(plan, *arguments, **settings))
        seen.append((plan, found))
        return found

    monkeypatch.setattr(training, "cross_fit", spy)
    return seen


def as_trained(monkeypatch, fit):
    """What a fit comes to if outputs stay as training leaves them."""
    with monkeypatch.context() as patch:
        patch.setattr(training, "adjusted", lambda training, *_: training)
        return fit()


def adjusted(estimator, h):
    """Outputs as they are multiplied and shifted after training."""
    if hasattr(estimator, "temperature_"):
        return h / estimator.temperature_ + estimator.logit_shift_
    return h * (1.0 - estimator.shrinkage_)


ACTIVATIONS = {"relu": lambda z: np.maximum(z, 0.0), "tanh": np.tanh}


def squashed(X, X_fit):
    """Rows scaled by the median and the quartiles of others, and smoothly clipped."""
    # The smallest value with that part of the rows up to it.
    low, middle, high = np.quantile(X_fit, [0.25, 0.5, 0.75], axis=0, method="inverted_cdf")
    z = (X - middle) / (high - low)
    return z / np.sqrt(1 + (z / 3) ** 2)


def embedded(Z, columns, breakpoints=None, frequencies=None):
    """All columns, the bins of some, and their sines and cosines, frequency by frequency."""
    parts = [Z]
    for column, points in zip(columns, breakpoints or (), strict=False):
        parts += [np.interp(Z[:, [column]], bin, (0, 1)) for bin in pairwise(points)]
    for f in () if frequencies is None else frequencies:
        parts += [np.sin(2 * np.pi * f * Z[:, columns]), np.cos(2 * np.pi * f * Z[:, columns])]
    return np.hstack(parts)


def in_front(estimator, X):
    """Rows behind the layers that fitted attributes describe."""
    z = (X - estimator.input_center_) * estimator.input_scale_
    z = z / np.sqrt(1 + (z / 3) ** 2)
    if estimator.embedding_columns_ is None:
        return z
    parts = estimator.embedding_breakpoints_, estimator.embedding_frequencies_
    return embedded(z, estimator.embedding_columns_, *parts)


def mlp(coefs, intercepts, activation, Z):
    """A multilayer perceptron."""
    for coef, intercept in zip(coefs[:-1], intercepts[:-1], strict=True):
        Z = ACTIVATIONS[activation](Z @ coef + intercept)
    return Z @ coefs[-1] + intercepts[-1]


def network_by_hand(network, theta, Z):
    """Output of one of the networks of a fit at scaled rows: kernels, then biases, from theta."""
    theta = theta.astype(float)
    for layer in network.front:
        parts = (getattr(layer, name, None) for name in ("breakpoints", "frequencies"))
        Z = embedded(Z, list(layer.columns), *parts)
    units = (Z.shape[1], *network.layer_units[1:])
    shapes = list(pairwise(units))
    edges = np.cumsum([0, *(a * b for a, b in shapes), *(b for _, b in shapes)])
    parts = [theta[a:b] for a, b in pairwise(edges)]
    coefs = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=False)]
    return mlp(coefs, parts[len(shapes) :], network.activation, Z)


def selected(plan, found):
    """Each network in the mean with its parameters, fold and weight."""
    for end, weight in zip(found.ends, found.weights, strict=True):
        if weight > 0:
            for fold, (network, theta) in enumerate(end.networks):
                yield network, theta, fold, weight / len(plan.folds)


def mean_by_hand(plan, found, Z):
    """Weighted mean over ends and folds of the networks' outputs, in units of training."""
    parts = selected(plan, found)
    return sum(w * network_by_hand(network, theta, Z) for network, theta, _, w in parts)


def out_of_fold_by_hand(plan, found, Z):
    """The same from the networks that were not trained on a row; NaN if there is none."""
    total = np.zeros((len(Z), plan.layer_units[-1]))
    count = np.zeros(len(Z))
    for _, test in plan.folds:
        count[test] += 1
    for network, theta, fold, w in selected(plan, found):
        test = plan.folds[fold][1]
        share = w * len(plan.folds) / count[test][:, None]
        total[test] += share * network_by_hand(network, theta, Z[test])
    total[count == 0] = np.nan
    return total


def standardization(y):
    """Center and scale of targets in training."""
    y = y.reshape(len(y), -1)
    return y.mean(axis=0), y.std(axis=0)


def link(estimator, X):
    """The output h, (n, K): what `decision_function` or `predict` return."""
    name = "decision_function" if hasattr(estimator, "classes_") else "predict"
    return getattr(estimator, name)(X).reshape(X.shape[0], -1)


def probabilities(task, h):
    """Probabilities of classes or labels."""
    if task == "binary":
        return np.hstack([expit(-h), expit(h)])
    return softmax(h, axis=1) if task == "multiclass" else expit(h)


def loss(task, y, h):
    """Negative log-likelihood of each row, up to a constant; y encoded as in training."""
    if task.startswith("real"):
        return 0.5 * ((h - y) ** 2).sum(axis=1)
    if task == "multiclass":
        return -(y * log_softmax(h, axis=1)).sum(axis=1)
    return -(y * log_expit(h) + (1 - y) * log_expit(-h)).sum(axis=1)


def assert_same_function(first, second):
    """The parameters of two estimators, bit for bit."""
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(first, name), getattr(second, name), strict=True):
            assert_array_equal(a, b)
