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
from scipy.special import expit, log_expit, log_softmax

# ---------------------------------------------- traced, with derivatives written once


@primitive
def _mean(h, *, family):
    return family._mean(h)


defvjp(_mean, lambda ans, h, *, family: lambda g: family.fisher(h, g))


@primitive
def _nll(h, y, *, family, tape):
    value, gradient = family.nll_and_gradient(y, h)
    tape.append(gradient)
    return value


defvjp(_nll, lambda ans, h, y, *, family, tape: lambda g: g[:, None] * tape[0])


@primitive
def _kl(h, other, *, family, tape):
    value, gradient = family.kl_and_gradient(h, other)
    tape.append(gradient)
    return value


defvjp(
    _kl,
    lambda ans, h, other, *, family, tape: lambda g: g[:, None] * family.fisher(h, h - other),
    lambda ans, h, other, *, family, tape: lambda g: g[:, None] * tape[0],
)


@primitive
def _entropy(h, *, family):
    return family._entropy(h)


defvjp(_entropy, lambda ans, h, *, family: lambda g: -g[:, None] * family.fisher(h, h))


class Family:
    """An exponential family in its natural parameter h.

    A subclass gives ``_mean(h)``, ``nll_and_gradient(y, h)``, ``kl_and_gradient(h, other)`` and
    ``fisher(h, v)`` in plain numpy, stable for ``|h|`` up to 1e4 in float32 and float64 and
    keeping the dtype, with derivatives that are precise also where the mean is all but
    certain; and ``mean_jacobian(h)`` as traceable code.

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
        return _nll(h, y, family=self, tape=[])

    def nll_and_gradient(self, y, h):
        """`nll`, (n,), and its derivative with respect to h, (n, K): mean minus y."""
        raise NotImplementedError

    def kl(self, h, other):
        """KL(p(.|h) || p(.|other)), (n,). Traceable in both."""
        return _kl(h, other, family=self, tape=[])

    def kl_and_gradient(self, h, other):
        """`kl`, (n,), and its derivative with respect to `other`, (n, K)."""
        raise NotImplementedError

    def entropy(self, h):
        """Entropy of p(.|h), (n,), up to a constant. Traceable."""
        return _entropy(h, family=self)

    def _entropy(self, h):
        # The negative log-likelihood is linear in y: its mean is that of the mean.
        return self.nll_and_gradient(self._mean(h), h)[0]

    def imbalance(self, h):
        """Divergence, a number, of the mean response averaged over rows from the uniform one.

        In nats; zero where every class is as frequent as the others. Traceable.
        """
        raise NotImplementedError

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

    def nll_and_gradient(self, y, h):
        difference = h - y
        return 0.5 * np.einsum("nk,nk->n", difference, difference), difference

    def kl_and_gradient(self, h, other):
        return self.nll_and_gradient(h, other)

    def entropy(self, h):
        return np.zeros(len(h), dtype=h.dtype)

    def imbalance(self, h):
        return 0.0  # no response of a normal distribution is more usual than another

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

    def nll_and_gradient(self, y, h):
        # log(1 + e^h) - y h, with the large terms cancelled by hand
        value = (np.log1p(np.exp(-np.abs(h))) + (np.maximum(h, 0.0) - y * h)).sum(axis=1)
        return value, (1.0 - y) * expit(h) - y * expit(-h)

    def kl_and_gradient(self, h, other):
        # The divergence is the same for (-h, -other): take the side where p <= 1/2.
        side = -np.sign(h) + (h == 0.0)
        low, gradient = -np.abs(h), expit(other) - expit(h)
        other = side * other
        d, p = other - low, expit(low)
        # log(1 + p (e^d - 1)) - p d, which keeps its digits as d -> 0 and, in the
        # other form, does not overflow
        small = np.log1p(p * np.expm1(np.clip(d, -1.0, 1.0)))
        large = np.logaddexp(other, 0.0) - np.logaddexp(low, 0.0)
        return (np.where(np.abs(d) < 1.0, small, large) - p * d).sum(axis=1), gradient

    def imbalance(self, h):
        p = anp.mean(self.mean(h), axis=0)
        return _sum_log(p, 2.0) + _sum_log(1.0 - p, 2.0)

    def fisher(self, h, v):
        return expit(h) * expit(-h) * v

    def mean_jacobian(self, h):
        return _diagonal(self.mean(h) * self.mean(-h))


class Categorical(Family):
    """One of K classes, with probabilities softmax(h)."""

    out_activation = "softmax"

    def _mean(self, h):
        return _softmax(h)

    def log_mean(self, h):
        """``log mu(h)``, (n, K), finite wherever h is."""
        return log_softmax(h, axis=1)

    def nll_and_gradient(self, y, h):
        # The likeliest class is kept apart: where it is all but certain, the sum of the
        # others has the digits that p - y would lose.
        top = _top(h)
        shifted = h - h.take(top)[:, None]
        gradient = np.exp(shifted)
        gradient.put(top, 0.0)
        others = gradient.sum(axis=1)
        gradient.put(top, 1.0)
        gradient /= (1.0 + others)[:, None]
        gradient -= y
        total, y_top = y.sum(axis=1), y.take(top)
        gradient.put(top, (1.0 - y_top) - others / (1.0 + others))
        return total * np.log1p(others) - np.einsum("nk,nk->n", y, shifted), gradient

    def kl_and_gradient(self, h, other):
        p = _softmax(h)
        gradient = _softmax(other) - p
        d = other - h
        d -= np.einsum("nk,nk->n", p, d)[:, None]  # now KL = log sum_k p_k exp(d_k)
        near = np.abs(d).max(axis=1) < 1.0
        small = np.log1p(np.einsum("nk,nk->n", p, np.expm1(np.clip(d, -1.0, 1.0))))
        if near.all():
            return small, gradient
        return np.where(near, small, _log_sum_exp(log_softmax(h, axis=1) + d)), gradient

    def imbalance(self, h):
        return _sum_log(anp.mean(self.mean(h), axis=0), h.shape[1])

    def fisher(self, h, v):
        # F does not see a constant: without v's entry at the likeliest class, nothing cancels.
        v = v - v.take(_top(h))[:, None]
        p = _softmax(h)
        return p * (v - np.einsum("nk,nk->n", p, v)[:, None])

    def mean_jacobian(self, h):
        p = self.mean(h)
        apart = anp.einsum("ni,nj->nij", p, p) * (1.0 - np.eye(h.shape[1], dtype=h.dtype))
        return _diagonal(anp.sum(apart, axis=2)) - apart


def _sum_log(p, count):
    """Sum of ``p log(count p)``, finite where p is zero. Traceable."""
    return anp.sum(p * anp.log(count * p + np.finfo(p.dtype).tiny))


def _top(h):
    """Where the largest entry of every row lies in the flattened array."""
    return h.argmax(axis=1) + np.arange(0, h.size, h.shape[1])


def _softmax(h):
    p = np.exp(h - h.take(_top(h))[:, None])
    p /= p.sum(axis=1, keepdims=True)
    return p


def _log_sum_exp(a):
    top = a.max(axis=1)
    return top + np.log(np.exp(a - top[:, None]).sum(axis=1))


FAMILIES = {family.out_activation: family for family in (Gaussian, Bernoulli, Categorical)}
