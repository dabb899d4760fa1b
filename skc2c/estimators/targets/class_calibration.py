"""How certain a classifier should be, and of which classes: as rows left out bear out."""

import numpy as np
from scipy.optimize import minimize

# Of the squares of the shifts and of the logarithm of a factor above one, in units of the loss of
# a row of weight one: normal priors with standard deviations of a third and a sixth. They matter
# where rows are few, or all on the right side, where no factor would be too large
# (docs/untuned.md).
_OF_SHIFT, _OF_LOG_FACTOR = 5.0, 20.0

# Of the factor: a hundredfold either way covers all that is sensible.
_LOG_BOUNDS = (-4.6, 4.6)

# Of the gradient of the mean loss: with a hundredth of it, no loss changes in five digits.
_TOLERANCE = 1e-7


def certainty(likelihood, h, y, weight):
    """Return by what to multiply outputs, and what to add then, so that rows fare best.

    Outputs are multiplied by one number, which is temperature scaling [1]_, and each is shifted by
    one of its own, which makes up for classes that are predicted too often or too seldom [2]_. Both
    are drawn towards what training found, the factor only if it is above one: few rows say little.

    Parameters
    ----------
    likelihood : Likelihood
    h : ndarray of shape (n, K)
        Out of fold.
    y : ndarray of shape (n, K)
        Encoded classes.
    weight : ndarray of shape (n,)

    Returns
    -------
    factor : float
    shift : ndarray of shape (K,)

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On calibration of modern neural networks",
       ICML 2017.
    .. [2] A. Alexandari, A. Kundaje, A. Shrikumar, "Maximum likelihood with bias-corrected
       calibration is hard-to-beat at label shift adaptation", ICML 2020: bias-corrected
       temperature scaling.
    """
    h, y, total = h.astype(np.float64), y.astype(np.float64), weight.sum(dtype=np.float64)
    share = weight / total

    def objective(parameters):
        log_factor, shift = np.clip(parameters[0], *_LOG_BOUNDS), parameters[1:]
        factor, above = np.exp(log_factor), max(log_factor, 0.0)
        values, gradient = likelihood.nll_and_gradient(y, factor * h + shift)
        gradient *= share[:, None]
        of_log_factor = factor * np.vdot(gradient, h) + 2.0 * _OF_LOG_FACTOR * above / total
        of_shift = gradient.sum(axis=0) + 2.0 * _OF_SHIFT * shift / total
        prior = (_OF_LOG_FACTOR * above**2 + _OF_SHIFT * shift @ shift) / total
        return share @ values + prior, np.append(of_log_factor, of_shift)

    start = np.zeros(1 + h.shape[1])
    # Not L-BFGS-B: with bounds, that of scipy 1.15.0 ended the process once.
    best = minimize(objective, start, jac=True, method="BFGS", tol=_TOLERANCE).x
    return float(np.exp(np.clip(best[0], *_LOG_BOUNDS))), best[1:]
