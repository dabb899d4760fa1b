"""A c2c step of a relu network written by hand in numpy, and the least that it must do."""

from itertools import pairwise

import numpy as np
from scipy.special import log_softmax


def value_and_gradient(coefs, intercepts, rows, y, alpha):
    """Mean cross-entropy at the first half of the rows, plus alpha times the c2c penalty.

    Parameters
    ----------
    coefs, intercepts : list of ndarray
    rows : ndarray of shape (2 * n, D)
        The clean rows, then the perturbed ones.
    y : ndarray of shape (n, K)
        One-hot rows.
    alpha : float

    Returns
    -------
    value : float
    coef_gradients, intercept_gradients : list of ndarray
    """
    n, layers = len(y), [rows]
    for W, b in zip(coefs[:-1], intercepts[:-1], strict=True):
        z = layers[-1] @ W
        z += b
        layers.append(np.maximum(z, 0.0, out=z))
    h = layers[-1] @ coefs[-1]
    h += intercepts[-1]

    log_p, difference = log_softmax(h[:n], axis=1), h[n:] - h[:n]
    value = (alpha * (difference**2).sum() - (y * log_p).sum()) / n
    g = np.concatenate([np.exp(log_p) - y - 2.0 * alpha * difference, 2.0 * alpha * difference])
    g /= n

    coef_gradients, intercept_gradients = [], []
    for W, layer in zip(coefs[::-1], layers[::-1], strict=True):
        coef_gradients.insert(0, layer.T @ g)
        intercept_gradients.insert(0, g.sum(axis=0))
        if layer is not rows:
            g = g @ W.T
            g *= layer > 0.0
    return value, coef_gradients, intercept_gradients


class Products:
    """The matrix products that a c2c step cannot avoid, into arrays that are there already."""

    def __init__(self, units, batch_size, dtype):
        def array(*shape):
            return np.full(shape, 0.5, dtype)

        n = 2 * batch_size
        self.layers = [
            (array(n, fan_in), array(fan_in, fan_out), array(n, fan_out))
            for fan_in, fan_out in pairwise(units)
        ]
        self.gradients = [[np.empty_like(part) for part in layer[:2]] for layer in self.layers]

    def step(self):
        """There, and back: to the kernels, and to the rows below all but the first."""
        for rows, kernel, out in self.layers:
            np.matmul(rows, kernel, out=out)
        for i, (rows, kernel, out) in enumerate(self.layers):
            g_rows, g_kernel = self.gradients[i]
            np.matmul(rows.T, out, out=g_kernel)
            if i > 0:
                np.matmul(out, kernel.T, out=g_rows)


class JacobianProducts:
    """The products of a step with the exact Jacobian penalty: two relu layers, K outputs, D inputs.

    The pass of the labelled loss, and for K covectors a row: past the last two kernels, to
    the inputs, back to the covectors, to the first kernel and to the last two.
    """

    def __init__(self, units, batch_size, dtype):
        D, below, above, K = units
        self.labelled = Products(units, batch_size // 2, dtype)
        rows = np.full((batch_size, above), 0.5, dtype)
        self.slopes, self.tensor = rows, np.full((above, K * below), 0.5, dtype)
        self.covectors = np.full((batch_size * K, below), 0.5, dtype)
        self.kernel = np.full((D, below), 0.5, dtype)

    def step(self):
        """There and back."""
        self.labelled.step()
        pulled = self.slopes @ self.tensor
        J = self.covectors @ self.kernel.T
        J @ self.kernel
        J.T @ self.covectors
        self.slopes.T @ pulled
