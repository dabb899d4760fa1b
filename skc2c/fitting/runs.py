"""Kinds of runs: their members are trained side by side, or one by one."""

from copy import deepcopy
from dataclasses import replace
from itertools import chain

import numpy as np

from skc2c.data.batches import MemberDealer
from skc2c.fitting.members_objective import members_objective, rows_of
from skc2c.fitting.problems import FullBatch, n_rows
from skc2c.fitting.run import Run, quietly
from skc2c.network import Members
from skc2c.objective import Objective
from skc2c.penalties import NoPenalty
from skc2c.random_streams import MemberStreams
from skc2c.solvers import DivergenceError

# Of features that are computed before training: a quarter of a gigabyte in float32. Beyond, each
# step computes them, which took up to a seventh more time (all rows of adult and california).
_MOST_NUMBERS = 2**26


class SideBySide(Run):
    """Members that a stochastic solver trains in one pass."""

    can_begin = True
    _changing = "theta", "solver_state", "position", "probe", "orders", "losses"

    def __init__(self, plan, candidates, folds, cost=1.0):
        super().__init__(plan, candidates, folds, cost)
        k, dtype = len(self.members), plan.rows.X.dtype
        if not any(candidate.alpha for candidate in candidates):
            # Only one term, whose rows are not perturbed. (Generators take longest to be sent.)
            self.probe, self.orders = [], self.orders[:1]
        theta = np.concatenate(self._initial_parameters())
        extra = np.tile(plan.penalty.initial_parameters(plan.n_outputs), k)
        self.theta = np.concatenate([theta, extra], dtype=dtype)
        self.features = _behind(self.front, plan.rows)
        self.solver_state, self.position, self.losses = None, None, []
        self._prepare()

    def __getstate__(self):
        """Without what is made of the rest, or what was needed at the start only.

        Features are made in less time than another process takes to receive them.
        """
        others = "network", "step", "objective", "deal", "initial", "features"
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name not in others}

    def __setstate__(self, state):
        super().__setstate__(state)
        self.features = _behind(self.front, self.plan.rows)
        self._prepare()

    def _network(self, k):
        return Members(*self._shape, k=k)

    def _prepare(self):
        self.network = self._network(len(self.members))
        self.step = self.plan.solver.stepper(self.theta, self.solver_state)
        self.objective = members_objective(self.plan, self.network, self.members, self.features)
        orders = self.orders if self.plan.shuffle else (None, None)
        self.deal = self.objective.deal(self.plan.batch_size, orders)
        if self.position is not None:
            self.deal.restore(self.position)

    def begin(self, until, stop):
        """Take the first steps of a cycle, of which `advance` takes the others, maybe elsewhere.

        Parameters
        ----------
        until : int
            How many steps have been taken then.
        stop : int
            The same at the end of the cycle, by which the learning rate goes.
        """
        with quietly():
            self._take_steps(until, stop)
            self.n_steps = until

    def _train(self, stop):
        self._take_steps(stop, stop)

    def _take_steps(self, until, stop):
        rng, span = MemberStreams(self.probe) if self.probe else None, stop - self.cycle_start
        batches, epochs = _endless(self.deal), []
        for t in range(self.n_steps - self.cycle_start, until - self.cycle_start):
            batch = next(batches)
            values, gradient = self.objective.on_batch(self.theta, batch, rng)
            # The middle of the step: at its start the rate of the first one is zero.
            self.step(self.theta, gradient, self.plan.rate((t + 0.5) / span))
            self.losses.append((values, n_rows(batch[0])))
            if len(self.losses) == self.plan.n_batches:
                epochs.append(self._parts())
                self.losses = []
        if epochs:
            for member, further in zip(self.members, _curves(epochs), strict=True):
                self.curves[member] += further
        self.solver_state, self.position = self.step.state(), self.deal.state()

    def _parts(self):
        """Where each curve is now: loss, penalty and L2 term, (3, k)."""
        parts = np.empty((3, self.network.k))
        parts[:2] = sum(n * values for values, n in self.losses)
        parts[:2] /= sum(n for _, n in self.losses)
        parts[2] = self.objective.decay(self.theta)
        return parts

    def _unfinished(self):
        return _curves([self._parts()]) if self.losses else super()._unfinished()

    def _parameters(self):
        return [self.network.pick(self.theta, [i]) for i in range(len(self.members))]

    def _drop_all_but(self, kept):
        self.theta = self.network.pick(self.theta, kept)
        self.solver_state = {
            name: self.network.pick(value, kept) if isinstance(value, np.ndarray) else value
            for name, value in self.step.state().items()
        }
        self.probe = [self.probe[i] for i in kept if self.probe]
        self.orders = [[order[i] for i in kept] for order in self.orders]
        self.position = [dealer.state_of(kept) for dealer in self.deal.dealers]
        self.losses = [(values[:, kept], n) for values, n in self.losses]

    def _release(self):
        self.theta, self.orders = self.theta.copy(), deepcopy(self.orders)
        # A new pass: without the penalty, rows may be dealt otherwise.
        self.position, self.losses = None, []

    def _join(self, parts, order):
        def listed(lists):
            flat = list(chain.from_iterable(lists))
            return [flat[i] for i in order if flat]

        self.theta = self.network.joined([part.theta for part in parts], order)
        states = [part.solver_state for part in parts]
        self.solver_state = {
            name: self.network.joined([state[name] for state in states], order)
            if isinstance(value, np.ndarray)
            else value
            for name, value in states[0].items()
        }
        self.probe = listed(part.probe for part in parts)
        self.orders = [listed(orders) for orders in zip(*(p.orders for p in parts), strict=True)]
        positions = zip(*(part.position for part in parts), strict=True)
        self.position = [MemberDealer.joined(states, order) for states in positions]
        losses = zip(*(part.losses for part in parts), strict=True)
        self.losses = [
            (np.concatenate([values for values, _ in batch], axis=1)[:, order], batch[0][1])
            for batch in losses
        ]


class OneByOne(Run):
    """Members that a full-batch solver trains one after another."""

    _changing = ("thetas",)

    def __init__(self, plan, candidates, folds, cost=1.0):
        super().__init__(plan, candidates, folds, cost)
        self.problems = [self._problem(*member, i) for i, member in enumerate(self.members)]
        extra = plan.penalty.initial_parameters(plan.n_outputs)
        self.thetas = [np.concatenate([theta, extra]) for theta in self._initial_parameters()]

    def _problem(self, candidate, fold, i):
        plan, penalty = self.plan, self.plan.penalty
        train, pool = rows_of(plan, fold)
        train = plan.rows.select(train).canonical()
        if candidate.alpha == 0.0:
            penalty, pool = NoPenalty(), None
        if pool is not None:
            pool = plan.pool.select(pool).canonical()
        parts = self.single, plan.likelihood, penalty, train, pool
        settings = {"alpha": candidate.alpha, "epsilon": plan.epsilon, "l2": plan.l2}
        seed = int(self.probe[i].integers(2**32))
        return FullBatch(Objective.of_rows(*parts, **settings), seed, plan.rows.X.dtype)

    def _prepare(self):
        """Nothing to do: each member has a problem of its own."""

    def _train(self, stop):
        for i, member in enumerate(self.members):
            try:
                self.thetas[i] = self._descend(i, member, stop - self.n_steps)
            except DivergenceError:
                # Its loss is infinite then, and the other candidates go on without it.
                self.thetas[i] = np.full_like(self.thetas[i], np.nan)

    def _descend(self, i, member, n_steps):
        descent = self.plan.solver.minimize(
            self.problems[i],
            self.thetas[i],
            self._hook(i, member),
            learning_rate=self.plan.rate(0.0),
            max_iter=n_steps,
            tol=self.plan.tol,
        )
        if descent.interrupted:
            raise KeyboardInterrupt
        return descent.theta

    def _hook(self, i, member):
        def note(theta, loss):
            self.curves[member].append([loss, *self.problems[i].parts()])
            return False

        return note

    def _parameters(self):
        return [theta.astype(self.plan.rows.X.dtype) for theta in self.thetas]

    def _drop_all_but(self, kept):
        self.problems = [self.problems[i] for i in kept]
        self.thetas = [self.thetas[i] for i in kept]

    def _release(self):
        self.problems = [self._problem(*member, i) for i, member in enumerate(self.members)]
        self.thetas = list(self.thetas)


def _endless(deal):
    while True:
        yield from deal.epoch()


def _curves(epochs):
    """Curves of each member, as in `End`, from the parts of all members in each epoch."""
    parts = np.stack(epochs, axis=-1)
    return np.concatenate([parts.sum(axis=0, keepdims=True), parts]).transpose(1, 2, 0).tolist()


def runs_of(plan):
    """One run for each shape of network, and for each fold if members are trained one by one."""
    # Seeds count what is spawned from them: a copy leaves the plan as it was.
    plan = replace(plan, seeds=deepcopy(plan.seeds))
    # Candidates without a penalty need no nearby rows, and so go by themselves.
    kinds = dict.fromkeys(map(_kind, plan.candidates))
    folds = list(range(len(plan.folds)))
    if plan.solver.is_stochastic:
        run, shares = SideBySide, [folds]
    else:
        run, shares = OneByOne, [[fold] for fold in folds]
    return [
        run(plan, [c for c in plan.candidates if _kind(c) == kind], share, _guess(plan, *kind))
        for kind in kinds
        for share in shares
    ]


def _kind(candidate):
    return candidate.front, candidate.normalization, candidate.alpha > 0.0


def _guess(plan, front, normalization, is_penalised):
    """How long a step may take, in seconds.

    Fitted to steps of four folds of the open sets with the default settings, whose ratios within a
    set it gives to 3 % (standard deviation). Only ratios matter: it decides how runs are shared
    in the first cycle, and later ones go by what was measured.
    """
    width = front[-1].n_out if front else plan.layer_units[0]
    cost = 3e-6 * (45 + width + 4 * plan.n_outputs)
    if is_penalised:
        cost *= 1.6 if plan.likelihood.is_of_classes else 1.4
    return cost if normalization is None else 1.25 * cost


def _behind(front, rows):
    """Rows behind layers without parameters, or None if they would take too much memory."""
    X = rows.X
    if front and len(rows) * front[-1].n_out > _MOST_NUMBERS:
        return None
    for layer in front:
        X, _ = layer.evaluate(None, X)
    return replace(rows, X=X)
