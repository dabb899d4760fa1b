"""What is done to outputs after training, so that they claim what rows left out bear out."""

from dataclasses import replace


def adjusted(training, targets, outputs):
    """The training with outputs that claim what rows left out bear out.

    Probabilities are brought closer to each other, or a little apart, and those of classes that are
    predicted too often or too seldom are shifted. Predictions of numbers are brought closer to
    their mean, predicted variances are multiplied by the mean squared error in units of the
    predicted standard deviation, and quantiles are moved away from the median to where they have
    the right part of the targets on either side.

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
    rows, known = training.plan.left_out, training.plan.rows
    if not len(rows):
        return training
    factor, shift = targets.adjustment(outputs[rows], known.y[rows], known.weight[rows])
    return replace(training, factor=factor, shift=shift)
