"""Normal distribution whose variance is predicted too (eq. 6 of the paper's appendix)."""

import numpy as np

from skc2c.likelihoods.likelihood import Likelihood, diagonal

# Log-variances are used as they are up to this size, and bend towards a limit of one more.
# Without a floor the loss has no minimum: on a row that is fitted exactly the log-variance
# runs away to minus infinity. Targets are standardised, so the floor can be a number: about
# 1e-6, as in PyTorch's GaussianNLLLoss, which is a standard deviation of 1e-3. The ceiling is
# about 1e6, the largest squared residual from zero that a million standardised targets can have.
STRAIGHT = 13.0


class GaussianNLL(Likelihood):
    """Independent normal targets with means and log-variances given by the network.

    The outputs are ``h = [m, s]``: first the means, then the log-variances, so K = 2 T. The
    variance is ``exp(s)`` for ``|s| <= 13``. Beyond, with ``e = |s| - 13``, the log-variance is
    ``sign(s) (13 + e / (1 + e))``, which stays within 14: the variance is never below 8e-7 nor
    above 1.2e6. Unlike with a clipped log-variance, the gradient is continuous, and rows that
    have gone too far still have one that leads back.

    Parameters
    ----------
    scale : float or ndarray of shape (T,), default=1.0
        Unit of the targets in which the bounds hold, positive. It is 1 in training, where
        targets are standardised. For outputs in the units of y, ``m * scale + center`` and
        ``s + 2 log(scale)``, pass the scale of y to get the same bounds.
    """

    loss = "gaussian_nll"
    out_activation = "identity"

    def __init__(self, scale=1.0):
        self.scale = scale

    def n_outputs(self, n_targets):
        return 2 * n_targets

    def variance(self, h):
        """Variance of the targets.

        Parameters
        ----------
        h : ndarray of shape (n, K)

        Returns
        -------
        variance : ndarray of shape (n, T)
        """
        return np.exp(self._log_variance(h)[0])

    def _log_variance(self, h):
        """The bounded log-variance and its derivative with respect to s, each (n, T)."""
        unit = np.asarray(2.0 * np.log(self.scale), dtype=h.dtype)
        s = h[:, h.shape[1] // 2 :] - unit
        straight = np.clip(s, -STRAIGHT, STRAIGHT)
        excess = s - straight
        share = 1.0 / (1.0 + np.abs(excess))
        return straight + excess * share + unit, share**2

    def _mean(self, h):
        return h[:, : h.shape[1] // 2]

    def nll_and_gradient(self, y, h):
        log_variance, slope = self._log_variance(h)
        precision_root = np.exp(-0.5 * log_variance)
        z = (self._mean(h) - y) * precision_root
        value = 0.5 * (log_variance + z**2).sum(axis=1)
        return value, np.hstack([z * precision_root, 0.5 * (1.0 - z**2) * slope])

    def kl_and_gradients(self, h, other):
        log_variance, slope = self._log_variance(h)
        other_log_variance, other_slope = self._log_variance(other)
        precision_root = np.exp(-0.5 * other_log_variance)
        z = (self._mean(other) - self._mean(h)) * precision_root
        d = log_variance - other_log_variance
        ratio = np.expm1(d)  # of the variances, less one
        # Equation 6, arranged so that close outputs keep their digits
        value = 0.5 * ((ratio - d) + z**2).sum(axis=1)
        gradient = np.hstack([z * precision_root, -0.5 * (ratio + z**2) * other_slope])
        clean = np.hstack([-z * precision_root, 0.5 * ratio * slope])
        return value, gradient, lambda g=1.0: g * clean

    def _information(self, h):
        """Diagonal of the Fisher information: that of each mean and of each log-variance."""
        log_variance, slope = self._log_variance(h)
        return np.hstack([np.exp(-log_variance), 0.5 * slope**2])

    def fisher(self, h, v):
        return self._information(h) * v

    def fisher_matrix(self, h):
        return diagonal(self._information(h))

    def mean_jvp(self, h, v):
        return self._mean(v)

    def mean_vjp(self, h, u):
        return np.hstack([u, np.zeros_like(u)])

    def mean_jacobian(self, h):
        n, K = h.shape
        return np.tile(np.eye(K // 2, K, dtype=h.dtype), (n, 1, 1))
