"""Exponential families in their natural parameter h: what they share, Gaussian and Poisson.

With the log-partition A(h), the mean is A', the Fisher information F is A'', the negative
log-likelihood is A(h) - y.h and the divergence of two members is a Bregman distance of A.
So F is also the derivative of the mean. None of this is part of the contract of a likelihood.
"""

import math
from abc import abstractmethod

import numpy as np

from skc2c.differentiable import differentiable
from skc2c.likelihoods.likelihood import Likelihood, diagonal

# The log-rate above which Poisson's log-partition goes on as a quadratic. A rate of 1e13 is
# beyond any count, and for h up to 1e4 the square of a gradient, which Adam takes, is finite
# in float32.
LARGEST_LOG_RATE = 30.0


# Keeps the logarithm of a loss of zero finite.
TINY = np.finfo(np.float64).tiny


class ExponentialFamily(Likelihood):
    """An exponential family in its natural parameter h, with one output for each target.

    A subclass implements `_mean`, `nll_and_gradient`, `kl_and_gradient`, `fisher` and the
    traceable `mean_jacobian`; what else a likelihood needs follows.
    """

    @abstractmethod
    def kl_and_gradient(self, h, other):
        """Divergence ``KL(p(.|h) || p(.|other))`` and its gradient with respect to `other`.

        Parameters
        ----------
        h, other : ndarray of shape (n, K)

        Returns
        -------
        value : ndarray of shape (n,)
        gradient : ndarray of shape (n, K)
        """

    def kl_and_gradients(self, h, other):
        value, gradient = self.kl_and_gradient(h, other)
        return value, gradient, lambda g=1.0: self.fisher(h, g * (h - other))

    def fisher_matrix(self, h):
        return self.mean_jacobian(h)

    def mean_jvp(self, h, v):
        return self.fisher(h, v)

    def mean_vjp(self, h, u):
        return self.fisher(h, u)


class Gaussian(ExponentialFamily):
    """Unit-variance normal distribution with mean h (eq. 7 of the paper at sigma = 1)."""

    loss = "squared_error"
    out_activation = "identity"

    def log_error(self, loss):
        return 0.5 * np.log(2.0 * loss + TINY)

    def _mean(self, h):
        return h

    def nll_and_gradient(self, y, h):
        difference = h - y
        return 0.5 * np.einsum("nk,nk->n", difference, difference), difference

    def kl_and_gradient(self, h, other):
        return self.nll_and_gradient(h, other)

    def fisher(self, h, v):
        return v

    def mean_jacobian(self, h):
        return diagonal(np.ones(h.shape, dtype=h.dtype))


class Poisson(ExponentialFamily):
    """Counts with log-rates h: independent Poisson distributions with mean ``exp(h)``.

    Above h = 30, A(h) = exp(h) goes on as its second-order Taylor polynomial there: the mean
    grows linearly and F is constant. Value and gradient still agree, the loss is convex,
    the gradient leads back, and nothing overflows.
    """

    loss = "poisson"
    out_activation = "exp"

    def _mean(self, h):
        rate, _, excess = _rate(h)
        return rate * (1.0 + excess)

    def nll_and_gradient(self, y, h):
        rate, _, excess = _rate(h)
        log_partition = rate * (1.0 + excess + 0.5 * excess**2)
        return (log_partition - y * h).sum(axis=1), rate * (1.0 + excess) - y

    def kl_and_gradient(self, h, other):
        rate, log_rate, excess = _rate(h)
        other_rate, other_log_rate, other_excess = _rate(other)
        d = other_log_rate - log_rate
        # For close outputs expm1 keeps the digits that a difference of rates would lose. For
        # distant ones it would overflow.
        difference = np.where(d < 1.0, rate * np.expm1(np.minimum(d, 1.0)), other_rate - rate)
        # A Bregman distance across the bend is the sum of those to and from the bend, and of
        # a product. No term is negative, so nothing cancels.
        value = difference * (1.0 + other_excess) - rate * d * (1.0 + excess)
        value += 0.5 * math.exp(LARGEST_LOG_RATE) * (other_excess - excess) ** 2
        gradient = difference + (other_rate * other_excess - rate * excess)
        return value.sum(axis=1), gradient

    def fisher(self, h, v):
        return _rate(h)[0] * v

    def mean_jacobian(self, h):
        return diagonal(_bounded_rate(h))


def _rate(h):
    """The rate and its logarithm, both bounded, and by how much h exceeds the bound."""
    log_rate = np.minimum(h, LARGEST_LOG_RATE)
    return np.exp(log_rate), log_rate, h - log_rate


@differentiable
def _bounded_rate(h):
    # autograd's derivative of a minimum is in float64.
    rate, _, excess = _rate(h)
    return rate, lambda g: (g * rate * (excess <= 0.0),)
