"""Asymmetric Laplace distribution, whose negative log-likelihood is the pinball loss."""

import numpy as np

from skc2c.likelihoods.exponential import TINY
from skc2c.likelihoods.likelihood import Likelihood, diagonal


class AsymmetricLaplace(Likelihood):
    """Independent asymmetric Laplace targets, of which h is a quantile.

    The density of a target is ``q (1 - q) exp(-rho(y - h))`` with the quantile q and the pinball
    loss ``rho(u) = max(q u, (q - 1) u)`` [1]_. The response `mean` is h, that quantile of the
    distribution, which is its mean only if q is 1/2.

    The loss has a kink where y is h. There the derivative is the mean of those on either side.
    The kink is not rounded off, which would move the minimum: without hidden layers L-BFGS comes
    within a thousandth of it. Where targets are hardly noisy L-BFGS may stall at kinks; then
    Adam does better. Divergence and Fisher information are expectations over y, and have no kink.

    Parameters
    ----------
    quantile : float, default=0.5
        Between 0 and 1, both excluded.

    References
    ----------
    .. [1] K. Yu and R. A. Moyeed, "Bayesian quantile regression", Statistics & Probability
       Letters 54(4), 2001.
    """

    loss = "quantile"
    out_activation = "identity"

    def __init__(self, quantile=0.5):
        self.quantile = quantile

    def log_error(self, loss):
        return np.log(loss + TINY)

    def _mean(self, h):
        return h

    def nll_and_gradient(self, y, h):
        residual = y - h
        slope = self.quantile - 0.5 + 0.5 * np.sign(residual)
        return (slope * residual).sum(axis=1), -slope

    def kl_and_gradients(self, h, other):
        shift = h - other
        # The quantile on the side to which h is shifted, and that on the other side.
        near = np.where(shift > 0.0, self.quantile, 1.0 - self.quantile).astype(h.dtype)
        far = 1.0 - near
        length = far * np.abs(shift)
        moved = np.expm1(-length)
        # E rho(y - other) - rho(y - h): the derivative with respect to the shift is the difference
        # of the probabilities to be below h and below `other`.
        slope = -np.sign(shift) * near * moved
        value = (near / far * np.maximum(length + moved, 0.0)).sum(axis=1)
        return value, -slope, lambda g=1.0: g * slope

    @property
    def _information(self):
        return self.quantile * (1.0 - self.quantile)

    def fisher(self, h, v):
        return self._information * v

    def fisher_matrix(self, h):
        return self._information * self.mean_jacobian(h)

    def mean_jvp(self, h, v):
        return v

    def mean_vjp(self, h, u):
        return u

    def mean_jacobian(self, h):
        return diagonal(np.ones(h.shape, dtype=h.dtype))
