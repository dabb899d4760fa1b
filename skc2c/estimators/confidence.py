"""How certain the outputs of a classifier should be: as certain as rows left out bear out."""

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from skc2c.fitting import loss_of

# Where the factor of the outputs is sought: a hundredfold either way covers all that is sensible.
_LOG_FACTORS = (-4.6, 4.6)


def confidence(plan, outputs):
    """Return the factor of the outputs that suits the rows left out best.

    That is temperature scaling (Guo et al., "On calibration of modern neural networks", ICML
    2017), with rows that took no part in training for each network.

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


def tempered(training, targets, outputs):
    """The training with outputs that are less certain, if rows left out say so.

    More certain they are not made: where all rows left out are on the right side, no factor is
    too large. The rows left out see the networks of one fold, and the mean of all is a little less
    certain already; to take less than the whole factor is no better (docs/untuned.md).

    Parameters
    ----------
    training : CrossTraining
    targets : Targets
    outputs : ndarray of shape (n, K)
        Out of fold.

    Returns
    -------
    training : CrossTraining
        The same unless y is a class and there are rows left out.
    """
    if not (targets.are_classes and len(training.plan.left_out)):
        return training
    factor = min(1.0, confidence(training.plan, outputs))
    return replace(training, confidence=factor)
