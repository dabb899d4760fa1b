"""Several fits side by side: one network for each fold and candidate, chosen out of fold.

Every candidate (layers in front, strength of the penalty, normalisation) is trained on each
fold's training rows, in cycles at whose ends the learning rate is zero. At each end the rows left
out of a network's training measure it. Of two candidates that differ in normalisation only, the
better one goes on after the first cycle, and a candidate goes on as long as that helps, on a clock
of its own; without the penalty, if that holds it back. In the end a mix of all ends is selected
that predicts the left-out rows best.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from skc2c.fitting.advance import advance
from skc2c.fitting.ends import ends_of, loss_of, losses_of_mixes
from skc2c.fitting.runs import runs_of
from skc2c.machine.processes import here
from skc2c.solvers import DivergenceError

# Rounds of the greedy selection: each adds one of the ends to the mix, with replacement, so that
# weights are multiples of a twelfth. Fewer weigh too coarsely; more change nothing (measured).
_ROUNDS = 12

# Steps after which an end tells which of two twins is the better one: by default, those of the
# first cycle. After fewer, as with a small `max_iter`, neither has learned much yet.
_TELLING = 50

# How far behind the best, in log error, a candidate with the penalty gives up if that holds it
# back. At 0.3, fits to one of the open sets take 1.7 times as long, and none is better
# (docs/untuned.md).
_FAR = 0.5


class CrossFit(NamedTuple):
    """What came of the fits.

    Attributes
    ----------
    ends : list of End
        All that there was to choose from.
    weights : ndarray of shape (n_ends,)
        Of each in the mix; they sum to one, and most are zero.
    outputs : ndarray of shape (n, K)
        Of the mix, out of fold.
    loss : float
        Of these outputs.
    interrupted : bool
        Whether Ctrl-C ended it.
    pupils : list of (Network, ndarray, float), default=()
        Networks of a further fit, which have half of the weight.
    """

    ends: list
    weights: np.ndarray
    outputs: np.ndarray
    loss: float
    interrupted: bool
    pupils: list = ()

    # The networks end where the rows left out say so, and there is no more to tell.
    message = None

    @property
    def main(self):
        """The end with the largest weight."""
        return self.ends[int(np.argmax(self.weights))]

    @property
    def networks(self):
        """The networks of the mix, and the pupils: each with its parameters and its weight."""
        own = [
            (network, theta, weight / len(end.networks))
            for end, weight in zip(self.ends, self.weights, strict=True)
            if weight > 0.0
            for network, theta in end.networks
        ]
        if not self.pupils:
            return own
        return [(network, theta, weight / 2) for network, theta, weight in [*own, *self.pupils]]


def cross_fit(plan, over_shares=here, n_shares=1, after=None):
    """Carry out a plan.

    Parameters
    ----------
    plan : CrossPlan
    over_shares : callable, default=here
        As what `skc2c.machine.processes.in_processes` yields. A relay is given only to runs of a
        stochastic solver.
    n_shares : int, default=1
        Into how many shares the work is divided. The result does not depend on it.
    after : callable, optional
        ``found -> stop``, called after each cycle with what came of the fits so far.

    Returns
    -------
    found : CrossFit

    Raises
    ------
    DivergenceError
        If the parameters of all candidates become infinite.
    """
    runs, ends, interrupted = runs_of(plan), [], False
    try:
        for stop in plan.ends:
            if not runs:
                break
            reached = advance(runs, stop, over_shares, n_shares)
            found = ends_of(plan, stop, reached)
            ends.extend(found)
            if after is not None and after(_mix(plan, ends, interrupted)):
                break
            ahead = _ahead_of_twins(found) if stop >= _TELLING else found
            going_on = [end.candidate for end in ahead if _still_improves(end, ends, plan)]
            released = _released(runs, ahead, going_on, ends, plan)
            runs = [run for run in runs if run.keep(going_on)] + released
    except KeyboardInterrupt:
        if not ends:
            raise
        interrupted = True
    return _mix(plan, ends, interrupted)


def _ahead_of_twins(ends):
    """Ends without those of candidates of which a twin is ahead.

    Twins differ in normalisation only. The one that is ahead early is so later, as a rule;
    networks of other kinds are too different for that (docs/untuned.md).
    """
    best = {}
    for end in sorted(ends, key=lambda end: end.loss):
        best.setdefault(replace(end.candidate, normalization=None), end)
    return list(best.values())


def _still_improves(end, ends, plan):
    """Whether a candidate should go on.

    It should if it is better than at its end before by enough, unless it is so far behind the
    best that another gain of the same size would not bring it close.
    """
    if not np.isfinite(end.loss) or end.n_steps >= end.candidate.max_steps:
        return False
    before = _before(end, ends)
    if not before:
        return True
    error, best = plan.likelihood.log_error, min(other.loss for other in ends)
    gain = error(before[-1].loss) - error(end.loss)
    return gain > plan.patience and error(end.loss) - error(best) - gain < plan.behind


def _before(end, ends):
    """Ends of the same candidate up to then, or of what it was before it was released."""
    own = [other for other in ends if other.candidate == end.candidate][:-1]
    return own or [
        other
        for other in ends
        if other.n_steps < end.n_steps and other.candidate.unpenalised == end.candidate.unpenalised
    ]


def _released(runs, ahead, going_on, ends, plan):
    """Runs without the penalty, of candidates that it holds back.

    These give up far behind the best while others go on. Networks of their kind that never had the
    penalty would be among the candidates for nothing on most data. A strength that all candidates
    have was asked for, and stays.
    """
    if not going_on or all(candidate.alpha > 0.0 for candidate in plan.candidates):
        return []
    error, best = plan.likelihood.log_error, min(end.loss for end in ends)
    held_back = [
        end.candidate
        for end in ahead
        if end.candidate not in going_on
        and error(best) + _FAR < error(end.loss) < np.inf
        and end.n_steps < end.candidate.max_steps
        and end.candidate.unpenalised not in plan.candidates
    ]
    return [run.released(c) for run in runs for c in run.candidates if c in held_back]


def _mix(plan, ends, interrupted):
    """Select a mix of ends greedily by the out-of-fold loss (Caruana et al., 2004)."""
    usable = [end for end in ends if np.isfinite(end.loss)]
    if not usable:
        raise DivergenceError(f"the parameters became infinite in iteration {ends[-1].n_steps}")
    counts, total = np.zeros(len(usable)), 0.0
    for n in range(1, _ROUNDS + 1):
        best = int(np.argmin(losses_of_mixes(plan, total, usable, n)))
        counts[best] += 1.0
        total = total + usable[best].outputs
    h = total / _ROUNDS
    return CrossFit(usable, counts / _ROUNDS, h, float(loss_of(plan, h)), interrupted)
