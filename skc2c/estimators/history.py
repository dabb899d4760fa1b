"""The course of a fit as a fitted attribute: a record of lists of one length."""

import numpy as np

_PARTS = "objective", "loss", "penalty", "l2"


def history_of_one(found):
    """The course of a fit of one network.

    Parameters
    ----------
    found : Fit

    Returns
    -------
    history : dict of list
        The objective after each iteration, its parts, and the validation scores if there are any.
    """
    points = [(value, *parts) for value, parts in zip(found.loss_curve, found.parts, strict=True)]
    history = _by_part(points)
    if found.validation_scores is not None:
        history["validation_score"] = list(found.validation_scores)
    return history


def history_of_several(found):
    """The course of a fit of several networks, as the candidate with the largest weight went on.

    Parameters
    ----------
    found : CrossFit

    Returns
    -------
    history : dict of list
        The objective after each epoch and its parts, the mean of the networks, and the
        out-of-fold loss of their outputs at the ends of cycles (elsewhere NaN).
    """
    main = found.main
    ends = [end for end in found.ends if end.candidate == main.candidate]
    longest = max(ends, key=lambda end: end.n_steps)
    history = _by_part(longest.curve)
    oob_loss = np.full(len(longest.curve), np.nan)
    for end in ends:
        oob_loss[len(end.curve) - 1 : len(end.curve)] = end.loss
    return {**history, "oob_loss": oob_loss.tolist()}


def joined(before, history):
    """A course that goes on, with NaN where a part was not known before."""
    unknown = [np.nan] * len(before.get("objective", []))
    return {name: [*before.get(name, unknown), *values] for name, values in history.items()}


def _by_part(points):
    return {name: [point[i] for point in points] for i, name in enumerate(_PARTS)}
