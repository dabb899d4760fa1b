"""What is done to outputs after training: they claim no more than rows left out bear out."""

from dataclasses import replace


def adjusted(training, targets, outputs):
    """The training with outputs that claim less, if rows left out say so.

    Probabilities are brought closer to each other, and predictions of numbers closer to their mean.
    Log-probabilities are shifted by what rows of their class were given too much or too little;
    predicted variances are multiplied by the mean squared error in units of the predicted standard
    deviation, and quantiles are moved away from the median to where they have the right part of the
    targets on either side.

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
