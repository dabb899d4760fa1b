"""Radii within which no perturbation changes the class: lower bounds on what any attack can do.

Both bound the slope of the difference of two logits, ``a' relu(W'x + b)`` with ``a`` the difference
of two columns of the last kernel, for a network with one hidden layer of relu units.
"""

import numpy as np
from attacks import margins


def certified(perceptron, X, y, radii):
    """Which rows are certified at each radius, by norms alone and by local slopes too.

    Parameters
    ----------
    perceptron : Perceptron
        With one hidden layer.
    X : ndarray of shape (n, D)
    y : ndarray of shape (n,)
        Indices of the true classes.
    radii : sequence of float

    Returns
    -------
    by_norms, by_slopes : ndarray of bool of shape (len(radii), n)
    """
    gaps = margins(perceptron.logits(X), y)
    norms = by_norms(perceptron, y)
    slopes = [np.minimum(norms, by_slopes(perceptron, X, y, radius)) for radius in radii]
    return (
        np.array([holds(gaps, norms, radius) for radius in radii]),
        np.array([holds(gaps, slope, radius) for slope, radius in zip(slopes, radii, strict=True)]),
    )


def holds(gaps, slopes, radius):
    """Whether no other logit can catch up within a radius."""
    return (gaps > radius * slopes).all(axis=1)


def differences(perceptron, y):
    """Last kernel's column of the true class less each of the others, (n, n_classes, H)."""
    columns = perceptron.coefs[-1].T
    return columns[y][:, None] - columns


def by_norms(perceptron, y):
    """Bounds on the slopes: the product of the norms of the layers, (n, n_classes)."""
    first = np.linalg.norm(perceptron.coefs[0], ord=2)
    return first * np.linalg.norm(differences(perceptron, y), axis=2)


def by_slopes(perceptron, X, y, radius):
    """Bounds on the slopes within a radius of each row, (n, n_classes).

    A unit whose input is further from zero than the radius can move it has the slope that it has at
    the row. The others have one between 0 and 1, that is 1/2 and at most 1/2 more or less. So the
    gradient is that of the slopes in the middle, give or take half of the norm of the other units'
    part of the first kernel times that of their part of ``a``.
    """
    kernel, a = perceptron.coefs[0], differences(perceptron, y)
    inputs = X @ kernel + perceptron.intercepts[0]
    is_open = np.abs(inputs) <= radius * np.linalg.norm(kernel, axis=0)
    slopes = np.where(is_open, 0.5, inputs > 0.0)
    middle = np.linalg.norm((a * slopes[:, None]) @ kernel.T, axis=2)
    rest = np.linalg.norm(a * is_open[:, None], axis=2)
    return middle + 0.5 * norms_of_parts(kernel, is_open)[:, None] * rest


def norms_of_parts(kernel, chosen):
    """Spectral norm of some columns of a kernel (D, H), those chosen (n, H)."""
    squares = np.array([np.linalg.eigvalsh((kernel * part) @ kernel.T)[-1] for part in chosen])
    return np.sqrt(np.maximum(squares, 0.0))
