"""Classes as exponential families: Bernoulli (binary, multilabel) and categorical."""

from abc import abstractmethod

import autograd.numpy as anp
import numpy as np
from scipy.special import expit, log_expit

from skc2c.likelihoods.exponential import TINY, ExponentialFamily
from skc2c.likelihoods.likelihood import diagonal


class ClassFamily(ExponentialFamily):
    """An exponential family of classes, whose mean is the vector of their probabilities.

    A subclass also implements `log_mean` and `_log_ratio_to_uniform`.
    """

    is_of_classes = True

    def log_error(self, loss):
        return np.log(loss + TINY)

    @abstractmethod
    def log_mean(self, h):
        """Logarithm of the mean response, finite wherever h is.

        Parameters
        ----------
        h : ndarray of shape (n, K)

        Returns
        -------
        log_mean : ndarray of shape (n, K)
        """

    def entropy(self, h):
        # The negative log-likelihood is linear in y: its mean is its value at the mean.
        value, _ = self.nll_and_gradient(self._mean(h), h)
        return value, lambda g: -g[:, None] * self.fisher(h, h)

    def imbalance(self, h, mean_response=None, k=1):
        if mean_response is None:
            return self._imbalance_of_members(h, k)
        yes, no = self._log_ratio_to_uniform(np.asarray(mean_response, dtype=h.dtype))
        p = self._mean(h)
        value = (p * yes + (1.0 - p) * no).sum(axis=1)
        return value, lambda g: self.mean_vjp(h, g[:, None] * (yes - no))

    def _imbalance_of_members(self, h, k):
        n = len(h) // k
        q = np.add.reduce(self._mean(h).reshape(k, n, -1), axis=1) / n
        yes, no = self._log_ratio_to_uniform(q)
        value = (q * yes + (1.0 - q) * no).sum(axis=1)

        def back(g):
            # As if q were constant in the ratio: derivatives of probabilities add up to zero.
            of_each = np.reshape(g, (k, -1)).sum(axis=1, keepdims=True) / n
            return self.mean_vjp(h, np.repeat(of_each * (yes - no), n, axis=0))

        return (value[0] if k == 1 else np.repeat(value, n)), back

    @abstractmethod
    def _log_ratio_to_uniform(self, q):
        """The log-ratio of q to the uniform distribution.

        Parameters
        ----------
        q : ndarray of shape (..., K)

        Returns
        -------
        yes, no : float or ndarray of shape (..., K)
            Of an outcome, and of its absence where that is an outcome too: the expectation under
            p is the sum of ``p yes + (1 - p) no``.
        """


class Bernoulli(ClassFamily):
    """Independent 0/1 outputs with log-odds h: binary (K = 1) and multilabel."""

    loss = "binary_log_loss"
    out_activation = "logistic"

    def _mean(self, h):
        return expit(h)

    def log_mean(self, h):
        return log_expit(h)

    def nll_and_gradient(self, y, h):
        return self.nll_alone(y, h), (1.0 - y) * expit(h) - y * expit(-h)

    def nll_alone(self, y, h):
        # log(1 + e^h) - y h, with the large terms cancelled by hand
        return (np.log1p(np.exp(-np.abs(h))) + (np.maximum(h, 0.0) - y * h)).sum(axis=1)

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

    def fisher(self, h, v):
        return expit(h) * expit(-h) * v

    def mean_jacobian(self, h):
        return diagonal(self.mean(h) * self.mean(-h))

    def _log_ratio_to_uniform(self, q):
        return _log(2.0 * q), _log(2.0 * (1.0 - q))


class Categorical(ClassFamily):
    """One of K classes, with probabilities softmax(h)."""

    loss = "log_loss"
    out_activation = "softmax"

    def _mean(self, h):
        return _softmax(h)

    def log_mean(self, h):
        return _log_softmax(h)

    def nll_and_gradient(self, y, h):
        top, shifted, gradient, others = _others_apart(h)
        gradient.put(top, 1.0)
        gradient /= (1.0 + others)[:, None]
        gradient -= y
        total, y_top = _sum_of_classes(y), y.take(top)
        gradient.put(top, (1.0 - y_top) - others / (1.0 + others))
        return total * np.log1p(others) - np.einsum("nk,nk->n", y, shifted), gradient

    def nll_alone(self, y, h):
        _, shifted, _, others = _others_apart(h)
        return _sum_of_classes(y) * np.log1p(others) - np.einsum("nk,nk->n", y, shifted)

    def kl_and_gradient(self, h, other):
        p = _softmax(h)
        gradient = _softmax(other) - p
        d = other - h
        d -= np.einsum("nk,nk->n", p, d)[:, None]  # now KL = log sum_k p_k exp(d_k)
        value = np.log1p(np.einsum("nk,nk->n", p, np.expm1(np.clip(d, -1.0, 1.0))))
        far = np.zeros(len(h), bool)
        far[np.flatnonzero(np.abs(d) > 1.0) // d.shape[1]] = True
        if far.any():
            value[far] = _log_sum_exp(_log_softmax(h[far]) + d[far])
        return value, gradient

    def fisher(self, h, v):
        # F does not see a constant: without v's entry at the likeliest class, nothing cancels.
        v = v - v.take(_top(h))[:, None]
        p = _softmax(h)
        return p * (v - np.einsum("nk,nk->n", p, v)[:, None])

    def mean_jacobian(self, h):
        p = self.mean(h)
        apart = anp.einsum("ni,nj->nij", p, p) * (1.0 - np.eye(h.shape[1], dtype=h.dtype))
        return diagonal(anp.sum(apart, axis=2)) - apart

    def _log_ratio_to_uniform(self, q):
        return _log(q.shape[-1] * q), 0.0


def _log(q):
    """The logarithm, finite where q is zero."""
    return np.log(q + np.finfo(q.dtype).tiny)


def _top(h):
    """Where the largest entry of each row lies in the flattened array."""
    return h.argmax(axis=1) + np.arange(0, h.size, h.shape[1])


def _others_apart(h):
    """Odds against the likeliest class of each row, apart from it.

    Where it is all but certain, the sum of the others has the digits that ``p - y`` would lose.

    Returns
    -------
    top : ndarray of shape (n,)
        Where the likeliest class lies.
    shifted : ndarray of shape (n, K)
        ``h - max(h)``.
    odds : ndarray of shape (n, K)
        The exponential of that, with zero in the place of the likeliest class.
    others : ndarray of shape (n,)
        Their sum.
    """
    top = _top(h)
    shifted = h - h.take(top)[:, None]
    odds = np.exp(shifted)
    odds.put(top, 0.0)
    return top, shifted, odds, _sum_of_classes(odds)


def _sum_of_classes(values):
    """The sum of each row, (n,).

    ``values.sum(axis=1)`` takes three times as long where rows are this short. A product with ones
    takes less time still, but rounds by where a row lies among the others, so that the result would
    depend on how many networks are trained side by side.
    """
    return np.einsum("nk->n", values)


def _softmax(h):
    p = np.exp(h - h.take(_top(h))[:, None])
    p /= _sum_of_classes(p)[:, None]
    return p


def _log_softmax(h):
    # That of scipy takes three times as long for a batch.
    shifted = h - h.take(_top(h))[:, None]
    return shifted - np.log(_sum_of_classes(np.exp(shifted)))[:, None]


def _log_sum_exp(a):
    top = a.max(axis=1)
    return top + np.log(np.exp(a - top[:, None]).sum(axis=1))
