"""One fit: a plan goes in, a record comes out."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from skc2c.data.rows import Rows
from skc2c.fitting.problems import Batchwise, FullBatch
from skc2c.likelihoods.likelihood import Likelihood
from skc2c.machine.threads import blas_threads_taken, map_in_order
from skc2c.network import Network
from skc2c.network.folding import fold
from skc2c.objective import Objective
from skc2c.penalties import Penalty
from skc2c.random_streams import restored, state_of
from skc2c.solvers import Monitor, Solver


class Streams(NamedTuple):
    """The random generators of a fit, by what they draw."""

    split: np.random.Generator
    initial: np.random.Generator
    order: np.random.Generator
    probe: np.random.Generator
    labelled_order: np.random.Generator

    def state(self):
        """Return the state of each as a plain record."""
        return {name: state_of(rng) for name, rng in self._asdict().items()}

    def continued(self, state):
        """Streams of a further fit: what is drawn in training goes on from a state.

        Held-out rows are drawn as before, so that they are the same ones.
        """
        going_on = ("order", "probe", "labelled_order")
        return self._replace(**{name: restored(state[name]) for name in going_on})


@dataclass(frozen=True)
class Plan:
    """All that a fit needs to know.

    Parameters
    ----------
    network : Network
    likelihood : Likelihood
    penalty : Penalty
    solver : Solver
    train : Rows
        Labelled rows, encoded and in the dtype of training.
    pool : Rows or None
        Labelled and unlabelled rows on which the penalty is taken; None if these are `train`.
    theta : ndarray
        Where to start: parameters of the network, then those of the penalty itself.
    streams : Streams
    alpha, epsilon, l2, batch_size, shuffle, learning_rate, max_iter, tol, n_iter_no_change
        As the parameters of the estimator.
    score : callable or None
        ``theta -> float`` on held-out rows, for early stopping.
    verbose : bool
    solver_state : dict or None
        What the solver knows from an earlier fit, such as the moments of Adam.
    after : callable or None
        ``theta -> stop``, called after each iteration.
    penalized : Network or None
        The part of the network whose output the penalty looks at on the pool; None if this is
        the network itself.
    """

    network: Network
    likelihood: Likelihood
    penalty: Penalty
    solver: Solver
    train: Rows
    pool: Rows | None
    theta: np.ndarray
    streams: Streams
    alpha: float
    epsilon: float | np.ndarray
    l2: float
    batch_size: int
    shuffle: bool
    learning_rate: float
    max_iter: int
    tol: float
    n_iter_no_change: float
    score: object = None
    verbose: bool = False
    solver_state: dict | None = None
    after: Callable | None = None
    penalized: Network | None = None

    @property
    def objective(self):
        """The objective on the labelled rows, or on these and on the pool."""
        parts = self.network, self.likelihood, self.penalty, self.train, self.pool
        settings = {name: getattr(self, name) for name in ("alpha", "epsilon", "l2", "penalized")}
        return Objective.of_rows(*parts, **settings, over_blocks=map_in_order)

    def fitted(self, theta):
        """The network that predicts, which has no normalisation, and its parameters."""
        return fold(self.network, theta, self.train if self.pool is None else self.pool)

    @property
    def monitor(self):
        """What watches the fit."""
        # A deterministic solver has a criterion of its own, unless held-out rows are watched.
        watches = self.solver.is_stochastic or self.score is not None
        patience = self.n_iter_no_change if watches else np.inf
        return Monitor(self.tol, patience, self.score, self.verbose, self.after)


class Fit(NamedTuple):
    """What came of a fit.

    Attributes
    ----------
    theta : ndarray
        The parameters to use: the last, or the best on validation rows.
    n_iter : int
        Iterations done: epochs, or steps of a full-batch solver.
    loss : float
        The last value of the objective; NaN if Ctrl-C came before the first.
    loss_curve : list of float
        The objective after every iteration.
    parts : list of (float, float, float)
        Of these values: loss, penalty and weight decay.
    best_loss : float
        Its minimum.
    validation_scores : list of float or None
        Scores after every iteration, if they were watched.
    best_validation_score : float or None
        Their maximum.
    message : str or None
        Why the solver stopped before it converged, and what to do; None if it did converge.
    interrupted : bool
        Whether Ctrl-C ended it.
    state : dict
        From which training can go on: ``theta`` (the last), ``solver``, ``streams`` and
        ``deal``, all of arrays, numbers and strings.
    """

    theta: np.ndarray
    n_iter: int
    loss: float
    loss_curve: list
    parts: list
    best_loss: float
    validation_scores: list | None
    best_validation_score: float | None
    message: str | None
    interrupted: bool
    state: dict


def fit(plan, state=None):
    """Carry out a plan.

    Parameters
    ----------
    plan : Plan
    state : dict, optional
        Of an earlier `Fit` of the same plan, to go on from. With Adam at a constant rate, ten
        epochs are the same, to the last bit, as four and then six from the state.

    Returns
    -------
    fit : Fit

    Raises
    ------
    DivergenceError
        If the loss or a parameter is not finite.
    """
    streams = plan.streams if state is None else _restored(plan.streams, state)
    problem = _problem(plan, streams, state)
    monitor, parts = plan.monitor, []

    def hook(theta, loss):
        parts.append(problem.parts())
        return monitor(theta, loss)

    with np.errstate(over="ignore", invalid="ignore"), _threads(plan):
        descent = plan.solver.minimize(
            problem,
            plan.theta if state is None else state["theta"],
            hook,
            learning_rate=plan.learning_rate,
            max_iter=plan.max_iter,
            tol=plan.tol,
            state=plan.solver_state if state is None else state["solver"],
        )
    return _record(descent, monitor, parts, streams, problem)


# Multiplications in a product of a batch with a kernel from which on BLAS shares it among threads.
# With fewer there is little to gain, and much to lose on cores that are busy or not there (in a
# container, say): products of 100 rows, 64 columns and 100 units then took a hundred times as long.
_WORTH_SHARING = 2**23


def _threads(plan):
    """Hold BLAS to one thread, unless its products are large."""
    kernel = max(layer.n_in * layer.n_out for layer in plan.network.layers)
    is_large = plan.batch_size * kernel >= _WORTH_SHARING
    return nullcontext() if plan.solver.is_stochastic and is_large else blas_threads_taken()


def _restored(streams, state):
    return Streams(*(restored(state["streams"][name]) for name in streams._fields))


def _problem(plan, streams, state):
    if not plan.solver.is_stochastic:
        return FullBatch(plan.objective, int(streams.probe.integers(2**32)), plan.theta.dtype)
    rngs = (streams.order, streams.labelled_order) if plan.shuffle else (None, None)
    deal = plan.objective.deal(plan.batch_size, rngs)
    if state is not None:
        deal.restore(state["deal"])
    return Batchwise(plan.objective, deal, streams.probe)


def _record(descent, monitor, parts, streams, problem):
    curve = monitor.loss_curve
    state = {
        "theta": descent.theta,
        "solver": descent.state,
        "streams": streams.state(),
        "deal": problem.state(),
    }
    return Fit(
        theta=descent.theta if monitor.best_theta is None else monitor.best_theta,
        n_iter=len(curve),
        loss=descent.loss,
        loss_curve=curve,
        parts=parts,
        best_loss=min(curve, default=descent.loss),
        validation_scores=monitor.validation_scores,
        best_validation_score=monitor.best_validation_score,
        message=descent.message,
        interrupted=descent.interrupted,
        state=state,
    )
