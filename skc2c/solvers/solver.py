"""The contract of a solver: from a starting point downhill, with one hook an iteration."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator

from skc2c.solvers.schedules import Constant, Rate


class Descent(NamedTuple):
    """Where a solver ended, and what it needs to go on from there.

    Attributes
    ----------
    theta : ndarray
        The last parameters; after Ctrl-C those of the last finished iteration.
    state : dict
        Arrays, numbers and strings: what the solver knows beyond theta.
    loss : float
        The last value of the objective; NaN if there is none.
    message : str or None
        Why the solver stopped before it converged, and what to do; None if it did converge.
    interrupted : bool
        Whether Ctrl-C ended it.
    """

    theta: np.ndarray
    state: dict
    loss: float = np.nan
    message: str | None = None
    interrupted: bool = False


class DivergenceError(FloatingPointError):
    """The loss or a parameter is not finite."""


class Solver(BaseEstimator, ABC):
    """Base class of the solvers: objects with settings, which hold no state.

    A solver knows a flat vector and a problem. What either means is not its business.

    Attributes
    ----------
    dtype : str
        The precision it works in unless told otherwise.
    is_stochastic : bool
        Whether it descends batch by batch, and so needs them to be dealt.
    """

    dtype = "float64"
    is_stochastic = False
    _parameter_constraints: dict = {}

    def rates(self, learning_rate):
        """Return the learning rate as a function of progress, from 0 to 1.

        Parameters
        ----------
        learning_rate : float
            Largest rate.

        Returns
        -------
        rate : callable
            Constant for solvers that have no use for it.
        """
        return Rate(float(learning_rate), Constant())

    def annealed(self):
        """Return the solver with a learning rate that falls to zero in the course of a fit.

        Returns
        -------
        solver : Solver
            The solver itself if it has a schedule of its own, or no use for one.
        """
        return self

    def in_cycles(self):
        """Return the solver as it trains several networks, in cycles of some hundred steps.

        Returns
        -------
        solver : Solver
            With settings for a cycle in place of those that are left to the fit. The progress
            that its rate depends on is then that within a cycle.
        """
        return self

    @abstractmethod
    def minimize(self, problem, theta, hook, *, learning_rate, max_iter, tol, state=None):
        """Minimise a problem.

        Parameters
        ----------
        problem : object
            For a stochastic solver: ``epoch()``, which yields batches with their number
            of rows, ``n_batches``, how many batches an epoch has, and ``on_batch(theta, batch)
            -> (value, gradient)``. For others: ``hold(theta)``, which returns a
            deterministic function ``theta -> (value, gradient)``, and
            ``follows_theta``, whether holding at another point gives another function.
        theta : ndarray
            Where to start. It is not changed.
        hook : callable
            ``(theta, loss) -> stop``, called at the end of every iteration.
        learning_rate : float
            Step size, for solvers that have one.
        max_iter : int
            Most iterations.
        tol : float
            Tolerance of the solver's own criterion, if it has one.
        state : dict, optional
            As in `Descent`, to go on from there.

        Returns
        -------
        descent : Descent
            Also after Ctrl-C.
        """


def exhausted(max_iter):
    """Say that the iterations did not suffice."""
    return f"all of max_iter={max_iter} iterations were used. Increase max_iter, or scale X"


def check_finite(theta, loss, iteration):
    """Raise a DivergenceError if the loss or a parameter is not finite."""
    if not np.isfinite(loss):
        raise DivergenceError(f"the loss became {loss} in iteration {iteration}")
    if not np.isfinite(theta).all():
        raise DivergenceError(f"the parameters became infinite in iteration {iteration}")
