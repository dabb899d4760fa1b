"""Rows moved by noise, or by an attack on the loss of a network."""

import numpy as np

from skc2c.inspection import loss_gradient
from skc2c.penalties import gaussian
from skc2c.penalties.perturbations import steepest
from skc2c.plots.features import numbers, numeric_columns, with_numbers

# Length of a step of an attack, in multiples of the radius over the number of steps, so that rows
# reach the radius and can move along it (Madry et al., 2018).
_REACH = 2.5


def noisy(X, epsilons, scale, rng):
    """Rows with the same noise in several strengths.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n, D)
    epsilons : sequence of float
    scale : ndarray of shape (n_numeric,)
        The noise is ``N(0, epsilon^2 scale^2)``.
    rng : numpy.random.Generator

    Yields
    ------
    rows : {ndarray, DataFrame} of shape (n, D)
    """
    rows = numbers(X)
    noise = gaussian(rng, rows.shape, scale, rows.dtype)
    for epsilon in epsilons:
        yield with_numbers(X, rows + epsilon * noise)


def attacked(estimator, X, y, epsilon, scale, n_steps):
    """Rows moved to where their loss is large: projected gradient ascent (Madry et al., 2018).

    Parameters
    ----------
    estimator : C2CClassifier or C2CRegressor
    X : {array-like, sparse matrix} of shape (n, D)
    y : array-like of shape (n,) or (n, n_outputs)
    epsilon : float
        How far rows move at most: the Euclidean length of the perturbation, in units of scale.
    scale : ndarray of shape (n_numeric,)
    n_steps : int

    Returns
    -------
    rows : {ndarray, DataFrame} of shape (n, D)
    """
    rows, columns = numbers(X), numeric_columns(X)
    dx = np.zeros_like(rows)
    for _ in range(n_steps):
        gradient = loss_gradient(estimator, with_numbers(X, rows + scale * dx), y)
        dx += steepest(scale * gradient[:, columns], _REACH * epsilon / n_steps)
        length = np.linalg.norm(dx, axis=1, keepdims=True)
        dx *= np.minimum(1.0, epsilon / np.maximum(length, np.finfo(dx.dtype).tiny))
    return with_numbers(X, rows + scale * dx)
