"""How certain outputs should be: as certain as rows left out bear out."""

import numpy as np
from scipy.optimize import minimize_scalar

from skc2c.fitting import loss_of

# Where the factor of the outputs is sought: a hundredfold either way covers all that is sensible.
_LOG_FACTORS = (-4.6, 4.6)


def confidence(plan, outputs):
    """Return the factor of the outputs that suits the rows left out best.

    Parameters
    ----------
    plan : CrossPlan
    outputs : ndarray of shape (n, K)
        Out of fold.

    Returns
    -------
    factor : float
    """
    best = minimize_scalar(
        lambda log_factor: loss_of(plan, np.exp(log_factor) * outputs),
        bounds=_LOG_FACTORS,
        method="bounded",
    )
    return float(np.exp(best.x))
