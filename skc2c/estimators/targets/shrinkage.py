"""How far predictions are drawn towards the mean: as far as the rows left out support."""

import numpy as np

# The first step finds the factor of a squared error; that of counts takes a few.
_STEPS = 20
# Far below a standard error: that of a million rows is about a thousandth.
_TOLERANCE = 1e-6


def factor_of_deviations(likelihood, origin, deviations, y, weight):
    """Return by what to multiply the deviations of outputs from an origin.

    With a squared error the best factor is the slope of the targets over their predictions, the
    calibration slope [1]_, which is below one if predictions vary too much. The factor returned is
    one standard error larger, so that few rows change little, but never more than one.

    Parameters
    ----------
    likelihood : Likelihood
        Of independent targets.
    origin, deviations : ndarray of shape (n, K) or (K,), (n, K)
        Their sums are the outputs. Where a column of deviations is zero, the factor is one.
    y : ndarray of shape (n, T)
    weight : ndarray of shape (n,)

    Returns
    -------
    factor : ndarray of shape (K,)

    References
    ----------
    .. [1] J. C. van Houwelingen and S. le Cessie, "Predictive value of statistical models",
       Statistics in Medicine 9(11), 1990.
    """
    weight, factor = weight[:, None], np.ones(deviations.shape[1])
    for _ in range(_STEPS):
        score, information = _terms(likelihood, origin, deviations, factor, y, weight)
        before, factor = factor, np.clip(factor - score.sum(axis=0) / information, 0.0, 1.0)
        if np.allclose(factor, before, rtol=0.0, atol=_TOLERANCE):
            break
    score, information = _terms(likelihood, origin, deviations, factor, y, weight)
    # Right also if the likelihood is not (White, 1980).
    error = np.sqrt((score**2).sum(axis=0)) / information
    return np.minimum(factor + error, 1.0)


def _terms(likelihood, origin, deviations, factor, y, weight):
    """Derivative of each row's loss with respect to the factors, and the information on these."""
    outputs = origin + factor * deviations
    _, gradient = likelihood.nll_and_gradient(y, outputs)
    information = weight * deviations * likelihood.fisher(outputs, deviations)
    total = information.sum(axis=0)
    return weight * gradient * deviations, np.where(total > 0.0, total, np.inf)
