"""What h means: the output distributions p(y | h).

Each is an exponential family in its natural parameter h, so that its log-partition
A(h) says everything: the mean is A', the Fisher information F is A'', the negative
log-likelihood is A(h) - y.h and the divergence of two members is a Bregman distance of
A. A family therefore gives a few plain numpy formulas; the derivatives of its traced
functions are written once, below. Nothing else in the package asks which family it is.

Shapes: ``h`` and ``y`` are (n, K). ``y`` holds real targets, one-hot rows, or 0/1 rows;
soft targets are allowed. Costs are (n,), summed over the K outputs, in nats.
"""

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from scipy.special import expit, log_expit, log_softmax, softmax

# ---------------------------------------------- traced, with derivatives written once


@primitive
def _mean(h, *, family):
    return family._mean(h)


defvjp(_mean, lambda ans, h, *, family: lambda g: family.fisher(h, g))


@primitive
def _nll(h, y, *, family):
    return family._nll(h, y)


defvjp(_nll, lambda ans, h, y, *, family: lambda g: g[:, None] * family.nll_gradient(y, h))


@primitive
def _kl(h, other, *, family):
    return family._kl(h, other)


defvjp(
    _kl,
    lambda ans, h, other, *, family: lambda g: g[:, None] * family.fisher(h, h - other),
    lambda ans, h, other, *, family: lambda g: g[:, None] * (family._mean(other) - family._mean(h)),
)


class Family:
    """An exponential family in its natural parameter h.

    A subclass gives ``_mean(h)``, ``_nll(h, y)``, ``_kl(h, other)`` in plain numpy,
    stable for ``|h|`` up to 1e4 in float32 and float64 and keeping the dtype, the
    products ``fisher(h, v)`` and ``nll_gradient(y, h)``, precise also where the mean is all
    but certain, and ``mean_jacobian(h)`` as traceable code.

    Attributes
    ----------
    out_activation : str
        Name of the map from h to the mean, as in ``out_activation_``.
    """

    out_activation: str

    def mean(self, h):
        """Mean response mu(h), (n, K). Traceable."""
        return _mean(h, family=self)

    def nll(self, y, h):
        """Negative log-likelihood of y, (n,), up to a constant of y. Traceable in h."""
        return _nll(h, y, family=self)

    def nll_gradient(self, y, h):
        """Derivative of `nll` with respect to h, (n, K): mean minus y."""
        raise NotImplementedError

    def kl(self, h, other):
        """KL(p(.|h) || p(.|other)), (n,). Traceable in both."""
        return _kl(h, other, family=self)

    def fisher(self, h, v):
        """Fisher-vector product F(h) v, (n, K). Also the derivative of the mean along v."""
        raise NotImplementedError

    def mean_jacobian(self, h):
        """``d mu / d h``, which is F(h), as (n, K, K). Traceable."""
        raise NotImplementedError


def _diagonal(values):
    """(n, K) -> (n, K, K). Traceable."""
    return values[:, :, None] * np.eye(values.shape[1], dtype=values.dtype)


# ------------------------------------------------------------------------ the families


class Gaussian(Family):
    """Unit-variance normal distribution with mean h (eq. 7 of the paper at sigma = 1)."""

    out_activation = "identity"

    def _mean(self, h):
        return h

    def _nll(self, h, y):
        return self._kl(h, y)

    def _kl(self, h, other):
        difference = h - other
        return 0.5 * np.einsum("nk,nk->n", difference, difference)

    def nll_gradient(self, y, h):
        return h - y

    def fisher(self, h, v):
        return v

    def mean_jacobian(self, h):
        return _diagonal(np.ones(h.shape, dtype=h.dtype))


class Bernoulli(Family):
    """Independent 0/1 outputs with log-odds h: binary (K = 1) and multilabel."""

    out_activation = "logistic"

    def _mean(self, h):
        return expit(h)

    def log_mean(self, h):
        """``log mu(h)``, (n, K), finite wherever h is."""
        return log_expit(h)

    def _nll(self, h, y):
        # log(1 + e^h) - y h, with the large terms cancelled by hand
        return (np.log1p(np.exp(-np.abs(h))) + (np.maximum(h, 0.0) - y * h)).sum(axis=1)

    def _kl(self, h, other):
        # The divergence is the same for (-h, -other): take the side where p <= 1/2.
        side = -np.sign(h) + (h == 0.0)
        low, other = -np.abs(h), side * other
        d, p = other - low, expit(low)
        # log(1 + p (e^d - 1)) - p d, which keeps its digits as d -> 0 and, in the
        # other form, does not overflow
        small = np.log1p(p * np.expm1(np.clip(d, -1.0, 1.0)))
        large = np.logaddexp(other, 0.0) - np.logaddexp(low, 0.0)
        return (np.where(np.abs(d) < 1.0, small, large) - p * d).sum(axis=1)

    def nll_gradient(self, y, h):
        return (1.0 - y) * expit(h) - y * expit(-h)

    def fisher(self, h, v):
        return expit(h) * expit(-h) * v

    def mean_jacobian(self, h):
        return _diagonal(self.mean(h) * self.mean(-h))


class Categorical(Family):
    """One of K classes, with probabilities softmax(h)."""

    out_activation = "softmax"

    def _mean(self, h):
        return softmax(h, axis=1)

    def log_mean(self, h):
        """``log mu(h)``, (n, K), finite wherever h is."""
        return log_softmax(h, axis=1)

    def _nll(self, h, y):
        shifted = h - h.max(axis=1, keepdims=True)
        total = y.sum(axis=1)
        return total * np.log(np.exp(shifted).sum(axis=1)) - (y * shifted).sum(axis=1)

    def _kl(self, h, other):
        p = softmax(h, axis=1)
        d = other - h
        d -= (p * d).sum(axis=1, keepdims=True)  # now KL = log sum_k p_k exp(d_k)
        near = np.abs(d).max(axis=1) < 1.0
        small = np.log1p((p * np.expm1(np.clip(d, -1.0, 1.0))).sum(axis=1))
        if near.all():
            return small
        return np.where(near, small, _log_sum_exp(log_softmax(h, axis=1) + d))

    def nll_gradient(self, y, h):
        # The entries of each row sum to zero (if those of y sum to one); where p is near 1
        # the sum of the others has the digits that p - y has lost.
        gradient = softmax(h, axis=1) - y
        rows, top = np.arange(len(h)), h.argmax(axis=1)
        gradient[rows, top] = 0.0
        gradient[rows, top] = 1.0 - y.sum(axis=1) - gradient.sum(axis=1)
        return gradient

    def fisher(self, h, v):
        # F does not see a constant: without v's entry at the likeliest class, nothing cancels.
        v = v - np.take_along_axis(v, h.argmax(axis=1)[:, None], axis=1)
        p = softmax(h, axis=1)
        return p * (v - (p * v).sum(axis=1, keepdims=True))

    def mean_jacobian(self, h):
        p = self.mean(h)
        apart = anp.einsum("ni,nj->nij", p, p) * (1.0 - np.eye(h.shape[1], dtype=h.dtype))
        return _diagonal(anp.sum(apart, axis=2)) - apart


def _log_sum_exp(a):
    top = a.max(axis=1)
    return top + np.log(np.exp(a - top[:, None]).sum(axis=1))


FAMILIES = {family.out_activation: family for family in (Gaussian, Bernoulli, Categorical)}
