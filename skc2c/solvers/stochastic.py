"""What solvers share that descend batch by batch, each with a step of its own."""

from abc import abstractmethod

import numpy as np
from sklearn.utils._param_validation import StrOptions

from skc2c.solvers.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Cycles,
    Rate,
    Schedule,
    make_schedule,
)
from skc2c.solvers.solver import Descent, Solver, exhausted

# What the `schedule` of a solver may be.
SCHEDULE = [StrOptions({"auto", *SCHEDULES}), Schedule]


class StochasticSolver(Solver):
    """Base class of the solvers that take a step a batch.

    A subclass has a setting ``schedule``, and implements `stepper`.
    """

    dtype = "float32"
    is_stochastic = True

    def minimize(self, problem, theta, hook, *, learning_rate, max_iter, tol=None, state=None):
        """Minimise a problem, batch by batch. See `Solver.minimize`; `tol` is ignored."""
        theta = theta.copy()
        step = self.stepper(theta, state)
        rate, n_steps = self.rates(learning_rate), max_iter * problem.n_batches
        first, finished, loss = step.t, theta.copy(), np.nan
        try:
            for _ in range(max_iter):
                sum_of_losses, n_rows = 0.0, 0
                for batch, n in problem.epoch():
                    value, gradient = problem.on_batch(theta, batch)
                    step(theta, gradient, rate((step.t - first) / n_steps))
                    sum_of_losses, n_rows = sum_of_losses + n * value, n_rows + n
                loss = sum_of_losses / n_rows
                if hook(theta, loss):
                    return Descent(theta, step.state(), loss)
                finished[:] = theta
        except KeyboardInterrupt:
            return Descent(finished, step.state(), loss, interrupted=True)
        return Descent(theta, step.state(), loss, exhausted(max_iter))

    @abstractmethod
    def stepper(self, theta, state=None):
        """Return what updates theta in place.

        Parameters
        ----------
        theta : ndarray of shape (size,)
        state : dict, optional
            As in `Descent`, to go on from; from nothing by default, or if it is that of a theta of
            another size.

        Returns
        -------
        step : callable
            ``step(theta, gradient, learning_rate)``, with an attribute ``t``, the number of steps
            so far, and a method ``state()``, which returns a dict with ``t``. Its arrays have an
            entry for each of theta, so that those of some networks can be picked.
        """

    def rates(self, learning_rate):
        schedule = Constant() if self.schedule == "auto" else make_schedule(self.schedule)
        return Rate(float(learning_rate), schedule)

    def annealed(self):
        return self._with(schedule=Cosine())

    def in_cycles(self):
        return self._with(schedule=Cycles(n_cycles=1))

    def _with(self, **settings):
        """The solver with other settings in place of those that are left to the fit."""
        given = self.get_params(deep=False)
        left = {name: value for name, value in settings.items() if given[name] == "auto"}
        return type(self)(**given | left) if left else self
