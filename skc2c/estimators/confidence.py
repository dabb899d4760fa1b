"""How certain outputs should be: as certain as rows left out bear out."""

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
    """The training with outputs that claim less, if rows left out say so.

    Probabilities are brought closer to each other, and predictions of numbers closer to their mean;
    predicted variances are multiplied by the mean squared error in units of the predicted standard
    deviation, and quantiles are moved away from the median to where they have the right part of the
    targets on either side.

    They are not made to claim more: where all rows left out are on the right side, no factor is
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
        The same if there are no rows left out.
    """
    plan = training.plan
    if not len(plan.left_out):
        return training
    if targets.are_classes:
        return replace(training, factor=min(1.0, confidence(plan, outputs)))
    rows, known = plan.left_out, plan.rows
    factor, shift = targets.adjustment(outputs[rows], known.y[rows], known.weight[rows])
    return replace(training, factor=factor, shift=shift)
