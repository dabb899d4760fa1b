"""A run: members of one shape that are trained together."""

from itertools import accumulate, chain, pairwise
from time import perf_counter
from typing import NamedTuple

import numpy as np

from skc2c.fitting.members_objective import rows_of
from skc2c.network import Network
from skc2c.network.blocks import outputs
from skc2c.network.folding import fold


class Trained(NamedTuple):
    """What a member has come to.

    Attributes
    ----------
    network : Network
        That predicts, without normalisation.
    theta : ndarray
        Its parameters.
    curve : list of [float, float, float, float]
        As in `End`.
    outputs : ndarray of shape (n_left_out, K)
        At the rows that its fold leaves out.
    """

    network: Network
    theta: np.ndarray
    curve: list
    outputs: np.ndarray


class Measured(NamedTuple):
    """What another process tells of a member, beside the progress of its run.

    Attributes
    ----------
    outputs : ndarray of shape (n_left_out, K)
        As in `Trained`.
    folded : (Network, ndarray) or None
        The network that predicts, and its parameters; None if these are those that are trained.
    """

    outputs: np.ndarray
    folded: tuple | None


def quietly():
    """While members may diverge: their loss is infinite then, and others are chosen."""
    return np.errstate(over="ignore", invalid="ignore")


class Run:
    """Some candidates, each with a network for each of some folds.

    Parameters
    ----------
    plan : CrossPlan
    candidates : list of Candidate
        With the same layers in front and the same normalisation.
    folds : list of int
    cost : float
        Seconds that a step takes: at first a guess.

    Attributes
    ----------
    n_steps : int
        Taken so far.
    cycle_start : int
        How many had been taken when the cycle began.
    can_begin : bool
        Whether it has the method `SideBySide.begin`.
    """

    can_begin = False

    def __init__(self, plan, candidates, folds, cost=1.0):
        self.cost = cost
        self.plan, self.candidates, self.folds = plan, list(candidates), list(folds)
        self.front, self.normalization = candidates[0].front, candidates[0].normalization
        self.n_steps, self.cycle_start = 0, 0
        self._forget_curves()
        self.initial, self.probe, *self.orders = (self._streams() for _ in range(4))

    def __getstate__(self):
        """Without curves, which only grow: see `progress`."""
        return {name: value for name, value in self.__dict__.items() if name != "curves"}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._forget_curves()

    def _forget_curves(self):
        self.curves = {member: [] for member in self.members}
        self._know_curves()

    def _know_curves(self):
        """Note how long curves are, to tell later what is new in them."""
        self.known = {member: len(curve) for member, curve in self.curves.items()}

    @property
    def members(self):
        """Candidate and fold of each member."""
        return [(candidate, fold) for candidate in self.candidates for fold in self.folds]

    def _streams(self):
        """A generator for each member, the same for all candidates of a fold."""
        seeds = {fold: self.plan.seeds[fold].spawn(1)[0] for fold in self.folds}
        return [np.random.default_rng(seeds[fold]) for _, fold in self.members]

    @property
    def single(self):
        """The network of each member."""
        return Network(*self._shape)

    @property
    def _shape(self):
        plan = self.plan
        return plan.layer_units, plan.activation, self.front, self.normalization

    def _initial_parameters(self):
        """Parameters of each member to start from, in the dtype of the rows."""
        settings = self.plan.rows.X.dtype, self.plan.init_scale
        thetas = [self.single.initialize(rng, *settings) for rng in self.initial]
        if self.plan.offset is None:
            return thetas
        return [self.single.shifted(theta, self.plan.offset) for theta in thetas]

    def advance(self, stop):
        """Train until so many steps have been taken.

        Returns
        -------
        measured : list of Measured
            For each member, to be handed to `trained`.
        """
        start, n_steps = perf_counter(), stop - self.n_steps
        with quietly():
            self._train(stop)
            self.n_steps = self.cycle_start = stop
            pairs = zip(self.members, self._parameters(), strict=True)
            measured = [self._measured(member, theta) for member, theta in pairs]
        self.cost = (perf_counter() - start) / n_steps
        return measured

    def _measured(self, member, theta):
        network, theta = self._fitted(member, theta)
        _, left_out = self.plan.folds[member[1]]
        h = outputs(network, theta, self.plan.rows.take(left_out).X)
        return Measured(h, None if self.normalization is None else (network, theta))

    def trained(self, measured):
        """Return what each member has come to.

        Parameters
        ----------
        measured : list of Measured
            As `advance` returned it, maybe in another process whose progress was resumed here.

        Returns
        -------
        trained : dict of Trained
            By member.
        """
        with quietly():
            unfinished = self._unfinished()
        each = zip(self.members, self._parameters(), unfinished, measured, strict=True)
        return {
            member: Trained(
                *(found.folded or (self.single, theta)), self.curves[member] + latest, found.outputs
            )
            for member, theta, latest, found in each
        }

    def _fitted(self, member, theta):
        """The network of a member that predicts, and its parameters."""
        train, pool = rows_of(self.plan, member[1])
        if pool is None:
            return fold(self.single, theta, self.plan.rows.select(train))
        return fold(self.single, theta, self.plan.pool.select(pool))

    def _unfinished(self):
        """Loss of each member in an epoch that has begun: lists of one value, or empty ones."""
        return [[] for _ in self.members]

    def progress(self):
        """What training has changed, to be handed to `resume`: small beside the run itself."""
        names = *self._changing, "n_steps", "cycle_start", "cost"
        further = {member: curve[self.known[member] :] for member, curve in self.curves.items()}
        return {name: getattr(self, name) for name in names} | {"further": further}

    def resume(self, progress):
        """Go on from where a copy of this run has come to, maybe in another process."""
        progress = dict(progress)
        for member, further in progress.pop("further").items():
            self.curves[member] = self.curves[member][: self.known[member]] + further
        self.__dict__.update(progress)
        self._know_curves()
        self._prepare()

    def keep(self, candidates):
        """Go on with some of the candidates only; say whether there are any."""
        self._restrict([c for c in self.candidates if c in candidates], self.folds)
        return bool(self.candidates)

    def divided(self, sizes):
        """Runs of so many of the folds each.

        What comes of a member is the same to the last bit, whichever others it is trained with.
        """
        edges = [0, *accumulate(sizes)]
        return [self._of(self.folds[start:stop]) for start, stop in pairwise(edges)]

    def _of(self, folds):
        part = self._copy()
        part._restrict(self.candidates, folds)
        return part

    def _copy(self):
        """A shallow copy, also of what is not sent to other processes."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    def released(self, candidate):
        """A run of one candidate that goes on from where it is, without the penalty."""
        run, free = self._copy(), candidate.unpenalised
        run._restrict([candidate], self.folds)
        run.curves = {(free, fold): list(run.curves[candidate, fold]) for fold in run.folds}
        run.candidates = [free]
        run._know_curves()
        run._release()
        run._prepare()
        return run

    def rejoin(self, parts):
        """Go on from where the runs that this one was divided into have come to."""
        self.n_steps, self.cycle_start = parts[0].n_steps, parts[0].cycle_start
        curves = {member: curve for part in parts for member, curve in part.curves.items()}
        self.curves = {member: curves[member] for member in self.members}
        self._know_curves()
        place = {member: i for i, member in enumerate(chain(*(p.members for p in parts)))}
        self._join(parts, [place[member] for member in self.members])
        self._prepare()

    def _restrict(self, candidates, folds):
        kept = [i for i, (c, fold) in enumerate(self.members) if c in candidates and fold in folds]
        if len(kept) < len(self.members):
            self._drop_all_but(kept)
            self.candidates, self.folds = candidates, folds
            self.curves = {member: self.curves[member] for member in self.members}
            if kept:
                self._prepare()
