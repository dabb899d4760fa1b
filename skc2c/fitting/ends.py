"""What candidates are worth at the end of a cycle, measured on the rows left out."""

from typing import NamedTuple

import numpy as np

from skc2c.fitting.cross_plan import Candidate

# Up to so many rows of all outputs together, their losses are taken in one pass, whose arrays are
# small. Beyond, a pass for each costs little more.
_IN_ONE_PASS = 8_192


class End(NamedTuple):
    """A candidate at the end of a cycle.

    Attributes
    ----------
    candidate : Candidate
    n_steps : int
    networks : list of (Network, ndarray)
        For each fold, with its parameters.
    outputs : ndarray of shape (n, K)
        Of the networks at the rows that they were not trained on, the mean if several were
        not; NaN at rows that all were trained on.
    loss : float
        Weighted mean negative log-likelihood of these rows.
    curve : list of [float, float, float, float]
        Objective of each epoch so far, and its parts: loss, penalty and weight decay. The mean
        over the folds.
    """

    candidate: Candidate
    n_steps: int
    networks: list
    outputs: np.ndarray
    loss: float
    curve: list


def ends_of(plan, stop, reached):
    """What the candidates are worth at the end of a cycle.

    Parameters
    ----------
    plan : CrossPlan
    stop : int
    reached : list of dict
        As `Run.trained` returns them.

    Returns
    -------
    ends : list of End
        In the order of the candidates, those that were released from the penalty last.
    """
    trained = {member: found for part in reached for member, found in part.items()}
    candidates = dict.fromkeys([*plan.candidates, *(candidate for candidate, _ in trained)])
    candidates = [candidate for candidate in candidates if (candidate, 0) in trained]
    ends = [_end(plan, stop, candidate, trained) for candidate in candidates]
    if plan.verbose:
        for end in ends:
            print(f"Step {stop}, {end.candidate}: out-of-fold loss = {end.loss:.6f}")
    return ends


def _end(plan, stop, candidate, trained):
    found = [trained[candidate, fold] for fold in range(len(plan.folds))]
    networks = [(member.network, member.theta) for member in found]
    h = out_of_fold(plan, [member.outputs for member in found])
    curve = _mean_curve([member.curve for member in found])
    return End(candidate, stop, networks, h, float(loss_of(plan, h)), curve)


def _mean_curve(curves):
    """Mean of curves, where one that ended earlier stays at its last value."""
    longest = max(map(len, curves))
    padded = [curve + curve[-1:] * (longest - len(curve)) for curve in curves if curve]
    return np.mean(padded, axis=0).tolist() if padded else []


def out_of_fold(plan, of_folds):
    """Outputs at the rows left out, (n, K), from those of each fold's network."""
    total = np.zeros((len(plan.rows), plan.n_outputs))
    count = np.zeros(len(plan.rows))
    with np.errstate(invalid="ignore"):  # of candidates that diverged
        for h, (_, left_out) in zip(of_folds, plan.folds, strict=True):
            total[left_out] += h
            count[left_out] += 1.0
    return total / np.where(count > 0, count, np.nan)[:, None]


def loss_of(plan, h):
    """Weighted mean negative log-likelihood of the rows left out; infinite if not finite.

    Without such rows there is nothing to tell ends apart by, and all are worth zero. Of outputs of
    shape (..., n, K), the losses have the shape (...).
    """
    if not len(plan.left_out):
        return np.zeros(h.shape[:-2])
    loss = np.average(losses_of(plan, h), axis=-1, weights=plan.rows.weight[plan.left_out])
    return np.where(np.isfinite(loss), loss, np.inf)


def losses_of(plan, h):
    """Negative log-likelihood of each row left out, as `loss_of` without the mean."""
    h = h[..., plan.left_out, :]
    y = plan.rows.y[plan.left_out].astype(np.float64)
    y = np.broadcast_to(y, (*h.shape[:-1], y.shape[1])).reshape(-1, y.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        values = plan.likelihood.nll_alone(y, h.reshape(-1, h.shape[-1]))
    return values.reshape(h.shape[:-1])


def losses_of_mixes(plan, total, ends, n):
    """`loss_of` of the mean of n outputs, for each of several ends that may be the last of them.

    Parameters
    ----------
    plan : CrossPlan
    total : ndarray of shape (n_rows, K) or float
        The sum of the others.
    ends : list of End
    n : int

    Returns
    -------
    losses : sequence of float
        The same, to the last bit, in one pass and in several.
    """
    if len(ends) * len(plan.left_out) > _IN_ONE_PASS:
        return [loss_of(plan, (total + end.outputs) / n) for end in ends]
    return loss_of(plan, (total + np.stack([end.outputs for end in ends])) / n)
