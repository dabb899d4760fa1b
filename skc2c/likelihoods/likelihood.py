"""What network outputs mean: the contract of an output distribution p(y | h).

Shapes: ``n`` rows, ``T`` targets, ``K = n_outputs(T)`` network outputs. ``h`` is (n, K),
``y`` (n, T) holds encoded targets: real values, counts, one-hot rows, or rows of zeros and
ones. Costs are (n,), summed over the targets, in nats.
"""

from abc import ABC, abstractmethod

import numpy as np

from skc2c.differentiable import differentiable


class Likelihood(ABC):
    """An output distribution p(y | h) with mean response mu(h).

    The mean response is the expectation of y, except for `AsymmetricLaplace`, whose response is
    a quantile.

    A subclass sets the attributes below and implements the abstract methods in plain numpy.
    They keep the dtype, are finite for ``|h|`` up to 1e4 in float32 and float64, and their
    derivatives are those of the values that they return. The traced methods `mean`, `nll` and
    `kl` follow from them and are not overridden. A subclass may override `n_outputs`,
    `entropy` and `imbalance`, whose defaults suit one output for each real target or count.

    "Traceable" methods accept what autograd traces, and can be differentiated once.

    Attributes
    ----------
    loss : str
        Name of the loss, the key in ``LIKELIHOODS``.
    out_activation : str
        Name of the map from h to the mean, as in ``out_activation_``.
    is_of_classes : bool
        Whether y is a class, and not a real value or a count.
    """

    loss: str
    out_activation: str
    is_of_classes = False

    def n_outputs(self, n_targets):
        """Number of network outputs for a number of targets.

        Parameters
        ----------
        n_targets : int

        Returns
        -------
        n_outputs : int
        """
        return n_targets

    def log_error(self, loss):
        """Logarithm of the error that a mean loss stands for, to compare fits.

        A difference of 0.05 is a change by about five per cent: of the root mean squared error of
        real targets, of the log-loss of classes, of the predicted spread for `GaussianNLL`.

        Parameters
        ----------
        loss : float
            Mean negative log-likelihood.

        Returns
        -------
        log_error : float
            The loss itself by default, which is right for losses in nats that may be negative.
        """
        return loss

    # ------------------------------------------------------------------------- traceable

    def mean(self, h):
        """Mean response. Traceable.

        Parameters
        ----------
        h : ndarray of shape (n, K)

        Returns
        -------
        mean : ndarray of shape (n, T)
        """
        return _mean(h, likelihood=self)

    def nll(self, y, h):
        """Negative log-likelihood up to a constant of y. Traceable in h.

        Parameters
        ----------
        y : ndarray of shape (n, T)
        h : ndarray of shape (n, K)

        Returns
        -------
        value : ndarray of shape (n,)
        """
        return _nll(h, y=y, likelihood=self)

    def kl(self, h, other):
        """Divergence ``KL(p(.|h) || p(.|other))``. Traceable in both.

        Parameters
        ----------
        h, other : ndarray of shape (n, K)

        Returns
        -------
        value : ndarray of shape (n,)
        """
        return _kl(h, other, likelihood=self)

    def entropy(self, h):
        """Entropy of p(.|h) up to a constant, if y is a class.

        For real targets and counts it is defined as zero: certainty is asked for among classes
        only, and the entropy of a density has no lower bound.

        Parameters
        ----------
        h : ndarray of shape (n, K)

        Returns
        -------
        value : ndarray of shape (n,)
        back : callable
            ``g -> gradient`` with respect to h, for weights g (n,) of the rows.
        """
        return np.zeros(len(h), dtype=h.dtype), lambda g: np.zeros_like(h)

    def imbalance(self, h, mean_response=None, k=1):
        """KL divergence of the mean response over rows from the uniform one.

        It is zero for real targets and counts, none of which is more usual than another.

        Parameters
        ----------
        h : ndarray of shape (n, K)
        mean_response : ndarray of shape (T,), optional
            Mean response q over all rows, of which those of `h` are some. It is a constant.
        k : int, default=1
            Networks side by side, whose rows lie one after the other, each with a mean response
            of its own. Only used if `mean_response` is None.

        Returns
        -------
        value : float or ndarray of shape (n,)
            The divergence for the rows of `h` if `mean_response` is None, and for each of several
            networks, at each of its rows, that for its rows. Otherwise one number for each row,
            linear in its response, with the sum of ``mu log(count q)`` over the classes. If q is
            the mean response, the average of these over all rows is the divergence, and the
            average of their gradients is its gradient.
        back : callable
            As of `entropy`; g has the shape of the value.
        """
        value = 0.0 if mean_response is None else np.zeros(len(h), dtype=h.dtype)
        return value, lambda g: np.zeros_like(h)

    @abstractmethod
    def mean_jacobian(self, h):
        """Derivative ``d mu / d h`` of the mean response. Traceable.

        Parameters
        ----------
        h : ndarray of shape (n, K)

        Returns
        -------
        jacobian : ndarray of shape (n, T, K)
        """

    # ----------------------------------------------------------------------- plain numpy

    @abstractmethod
    def _mean(self, h):
        """Mean response, of shape (n, T)."""

    @abstractmethod
    def nll_and_gradient(self, y, h):
        """Negative log-likelihood and its gradient with respect to h.

        Parameters
        ----------
        y : ndarray of shape (n, T)
        h : ndarray of shape (n, K)

        Returns
        -------
        value : ndarray of shape (n,)
        gradient : ndarray of shape (n, K)
        """

    def nll_alone(self, y, h):
        """The value of `nll_and_gradient`, for those who have no use for the gradient."""
        return self.nll_and_gradient(y, h)[0]

    @abstractmethod
    def kl_and_gradients(self, h, other):
        """Divergence ``KL(p(.|h) || p(.|other))`` and its gradients.

        Parameters
        ----------
        h, other : ndarray of shape (n, K)

        Returns
        -------
        value : ndarray of shape (n,)
        gradient : ndarray of shape (n, K)
            With respect to `other`.
        compute_gradient : callable
            ``compute_gradient(g=1.0)`` returns the gradient with respect to `h`, which is not
            always needed, times g: a number, or an array of shape (n, 1).
        """

    @abstractmethod
    def fisher(self, h, v):
        """Product of the Fisher information of p(y | h), with respect to h, and vectors.

        Parameters
        ----------
        h, v : ndarray of shape (n, K)

        Returns
        -------
        product : ndarray of shape (n, K)
        """

    @abstractmethod
    def fisher_matrix(self, h):
        """Fisher information of p(y | h) with respect to h.

        Parameters
        ----------
        h : ndarray of shape (n, K)

        Returns
        -------
        information : ndarray of shape (n, K, K)
        """

    @abstractmethod
    def mean_jvp(self, h, v):
        """Derivative of the mean response along v.

        Parameters
        ----------
        h, v : ndarray of shape (n, K)

        Returns
        -------
        derivative : ndarray of shape (n, T)
        """

    @abstractmethod
    def mean_vjp(self, h, u):
        """Gradient of ``u . mu(h)`` with respect to h: the transpose of `mean_jvp`.

        Parameters
        ----------
        h : ndarray of shape (n, K)
        u : ndarray of shape (n, T)

        Returns
        -------
        gradient : ndarray of shape (n, K)
        """


def diagonal(values):
    """Diagonal matrices from their diagonals: (n, K) to (n, K, K). Traceable."""
    return values[:, :, None] * np.eye(values.shape[1], dtype=values.dtype)


@differentiable
def _mean(h, *, likelihood):
    return likelihood._mean(h), lambda g: (likelihood.mean_vjp(h, g),)


@differentiable
def _nll(h, *, y, likelihood):
    value, gradient = likelihood.nll_and_gradient(y, h)
    return value, lambda g: (g[:, None] * gradient,)


@differentiable
def _kl(h, other, *, likelihood):
    value, gradient, compute_gradient = likelihood.kl_and_gradients(h, other)

    def back(g):
        return lambda: g[:, None] * compute_gradient(), lambda: g[:, None] * gradient

    return value, back
