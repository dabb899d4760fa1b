"""White-box attacks on classifiers within an L2 ball: projected gradient ascent.

What is attacked has two methods: ``logits(X)``, of shape (n, n_classes), and ``pull(X, U)``, the
gradient of ``sum_k U_k logits_k`` with respect to each row, (n, D).
"""

from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from skc2c.inspection import jacobian


def two_sided(h):
    """Logits of both classes where there is one number for the two."""
    return np.column_stack([np.zeros(len(h)), h]) if h.ndim == 1 or h.shape[1] == 1 else h


class Perceptron(NamedTuple):
    """Multilayer perceptron of relu units, from the arrays of a fitted one.

    Attributes
    ----------
    coefs, intercepts : list of ndarray
        As `MLPClassifier` and `C2CClassifier` have them; two classes have two outputs here.
    """

    coefs: list
    intercepts: list

    @classmethod
    def of(cls, model):
        """That of a fitted network of relu units on the rows as they are."""
        coefs, intercepts = (
            [np.asarray(array, dtype=np.float64) for array in arrays]
            for arrays in (model.coefs_, model.intercepts_)
        )
        coefs[-1], last = two_sided(coefs[-1]), two_sided(intercepts[-1][None])
        return cls(coefs, [*intercepts[:-1], last[0]])

    def logits(self, X):
        return self._passed(X)[-1]

    def pull(self, X, U):
        signals = self._passed(X)
        for coef, signal in zip(self.coefs[:0:-1], signals[-2::-1], strict=True):
            U = (U @ coef.T) * (signal > 0.0)
        return U @ self.coefs[0].T

    def _passed(self, X):
        """Outputs of every layer."""
        signals = []
        for coef, intercept in zip(self.coefs, self.intercepts, strict=True):
            X = X @ coef + intercept
            signals.append(X)
            X = np.maximum(X, 0.0)
        return signals


class Inspected(NamedTuple):
    """Any fitted `C2CClassifier`, through its public functions."""

    model: object

    def logits(self, X):
        return two_sided(self.model.decision_function(X))

    def pull(self, X, U):
        J = jacobian(self.model, X)
        return np.einsum("nk,nkd->nd", U[:, -J.shape[1] :], J)


def is_right(model, X, y):
    """Whether the class y has the largest logit, strictly."""
    return margins(model.logits(X), y).min(axis=1) > 0.0


def margins(logits, y):
    """By how much each logit is below that of the class y, and infinity for y itself."""
    own = np.take_along_axis(logits, y[:, None], axis=1)
    result = own - logits
    np.put_along_axis(result, y[:, None], np.inf, axis=1)
    return result


def against_likelihood(logits, y):
    """What of the logits makes the log-loss grow. It vanishes where the model is sure."""
    slope = softmax(logits, axis=1)
    slope[np.arange(len(y)), y] -= 1.0
    return slope


def against_margin(logits, y):
    """What of the logits makes the smallest margin shrink."""
    slope = np.zeros_like(logits)
    rows = np.arange(len(y))
    slope[rows, margins(logits, y).argmin(axis=1)] = 1.0
    slope[rows, y] = -1.0
    return slope


ASCENTS = (against_likelihood, against_margin)


def survivors(model, X, y, radii, *, n_steps=40, n_starts=2, seed=0):
    """Which rows are still classified right after the attack, at each radius.

    Both ascents start at the row itself and then at random points of the ball. A row that is wrong
    in a ball is wrong in each larger one.

    Parameters
    ----------
    model : object with logits and pull
    X : ndarray of shape (n, D)
    y : ndarray of shape (n,)
        Indices of the true classes.
    radii : sequence of float
        In ascending order.

    Returns
    -------
    right : ndarray of bool of shape (len(radii), n)
    """
    rng, right = np.random.default_rng(seed), is_right(model, X, y)
    result = []
    for radius in radii:
        for start in range(n_starts):
            for slope in ASCENTS:
                rows = np.flatnonzero(right)
                dx = start * in_ball(rng, (len(rows), X.shape[1]), radius)
                right[rows] = ascend(model, X[rows], y[rows], radius, dx, slope, n_steps)
        result.append(right.copy())
    return np.array(result)


def ascend(model, X, y, radius, dx, slope, n_steps):
    """Whether each row stays right all along the way; those that do not are left behind."""
    right = np.ones(len(X), dtype=bool)
    for _ in range(n_steps):
        rows = np.flatnonzero(right)
        near = X[rows] + dx[rows]
        gradient = unit(model.pull(near, slope(model.logits(near), y[rows])))
        dx[rows] = projected(dx[rows] + 2.5 * radius / n_steps * gradient, radius)
        right[rows] = is_right(model, X[rows] + dx[rows], y[rows])
    return right


def in_ball(rng, shape, radius):
    """Points drawn uniformly from a ball."""
    direction = unit(rng.standard_normal(shape))
    return radius * rng.random((shape[0], 1)) ** (1.0 / shape[1]) * direction


def unit(rows):
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0.0, length, 1.0)


def projected(dx, radius):
    """The nearest points within the ball."""
    length = np.linalg.norm(dx, axis=1, keepdims=True)
    return dx * np.minimum(1.0, radius / np.maximum(length, 1e-300))
