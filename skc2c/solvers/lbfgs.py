"""L-BFGS on a deterministic objective, through scipy."""

from collections.abc import Callable
from numbers import Integral
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from sklearn.utils._param_validation import Interval

from skc2c.solvers.solver import Descent, Solver, check_finite, exhausted

# Most steps between refreshes of the adversarial directions: long enough for L-BFGS to build
# curvature (it keeps ten pairs), short enough that the directions stay valid.
STEPS_PER_ROUND = 20

# A round must end below the worst of so many starts. Asked to end below its own start it gave up
# early: the maximum has kinks. Without any bound it ended higher, by much if the radius is large.
_STARTS = 10

# Relative change of the objective below which scipy stops: a few units of rounding, so that
# the gradient decides.
_FTOL = 64 * np.finfo(np.float64).eps

_NO_LOWER = (
    "no step lowers the loss once the worst perturbations are found anew, as happens where "
    "one of them gives way to another. Lower epsilon if the loss is too high, or use solver='adam'"
)

# Evaluations that scipy may spend on a step of its line search, on average.
_EVALUATIONS_PER_STEP = 100


class LBFGS(Solver):
    """L-BFGS on all rows, which often does better than Adam on a few hundred rows.

    An objective that takes a maximum (over adversarial perturbations) is minimised in
    rounds. Within a round the maximisers are held where they were at its start, so that
    the line search sees one smooth function and its true gradient. A round that ends high
    once they are found anew is undone, and the next one is shorter. The best start of a round
    is what is returned, with its loss; the losses of the iterations are those with
    maximisers held, which are lower. It ends as low as Adam with adversarial `C2C` and `VAT`,
    but higher with adversarial `Noise` of a large `epsilon`.

    Parameters
    ----------
    max_fun : int, default=None
        Largest number of evaluations of the objective, each of which is a pass over all rows, in a
        fit of one network (of several: in each of its cycles). None for as many as the steps need.

    See Also
    --------
    Adam : Batch by batch, for more than a few hundred rows.

    Examples
    --------
    >>> from skc2c import C2CRegressor
    >>> from skc2c.solvers import LBFGS
    >>> reg = C2CRegressor(solver=LBFGS(max_fun=1000))
    """

    name = "lbfgs"
    _parameter_constraints = {"max_fun": [Interval(Integral, 1, None, closed="left"), None]}

    def __init__(self, max_fun=None):
        self.max_fun = max_fun

    def minimize(self, problem, theta, hook, *, learning_rate=None, max_iter, tol, state=None):
        """Minimise a problem. See `Solver.minimize`.

        `learning_rate` is ignored. It stops when no entry of the gradient is larger than `tol`.
        """
        run = (_Rounds if problem.follows_theta else _Run)(
            problem, theta, hook, max_iter, self.max_fun
        )
        try:
            message = run.to_the_end(tol)
        except KeyboardInterrupt:
            return Descent(run.latest, {}, run.loss, interrupted=True)
        return Descent(run.latest, {}, run.loss, message)


class _Run:
    """One run on an objective that stays the same."""

    def __init__(self, problem, theta, hook, max_iter, max_fun):
        self.problem, self.hook, self.max_iter = problem, hook, max_iter
        self.max_fun = _EVALUATIONS_PER_STEP * max_iter if max_fun is None else max_fun
        self.n_evaluations = 0
        self.latest, self.loss = theta, np.nan
        self.n_iter, self.stopped = 0, False

    def to_the_end(self, tol):
        """Minimise. Return why it has not converged, or None if it has."""
        result = self._descend(self.latest, self.problem.hold(self.latest), tol, self.max_iter)
        return self._complaint(result)

    def _descend(self, theta, function, tol, steps):
        """Take steps downhill from theta."""
        evaluations = min(self.max_fun - self.n_evaluations, _EVALUATIONS_PER_STEP * steps)
        result = _minimize(function, theta, tol, steps, evaluations, self._note)
        self.latest, self.loss = result.x, float(result.fun)
        self.n_evaluations += result.nfev
        check_finite(self.latest, self.loss, self.n_iter + 1)
        return result

    def _note(self, intermediate_result):
        self.latest = intermediate_result.x.copy()
        self.loss = float(intermediate_result.fun)
        self.n_iter += 1
        if self.hook(self.latest, self.loss):
            self.stopped = True
            raise StopIteration

    @property
    def is_used_up(self):
        return self.n_iter >= self.max_iter or self.n_evaluations >= self.max_fun

    def _complaint(self, result):
        if self.stopped or result.success:
            return None
        if self.n_iter >= self.max_iter:
            return exhausted(self.max_iter)
        if self.n_evaluations >= self.max_fun:
            return (
                f"all of max_fun={self.max_fun} evaluations were used. Increase max_fun, or scale X"
            )
        return (
            f"the line search found no lower point ({str(result.message).strip(': ')}), as "
            "happens at a kink of the activation or within rounding of a minimum. Increase tol "
            "if the loss is good, or scale X"
        )


class _Rounds(_Run):
    """The rounds of a run on an objective that follows theta."""

    def to_the_end(self, tol):
        best = start = self._start()
        recent, steps = [start.value], STEPS_PER_ROUND
        while True:
            left = min(steps, self.max_iter - self.n_iter)
            result = self._descend(start.theta, start.evaluate, tol, left)
            start = self._start()
            best = min(best, start, key=lambda one: one.value)
            if self.stopped or self.is_used_up or result.nit == 0:
                message = self._complaint(result)
                break
            if start.value <= max(recent):
                steps, recent = min(2 * steps, STEPS_PER_ROUND), [*recent, start.value][-_STARTS:]
            elif steps > 1:
                start, steps = best, steps // 2
            else:  # a single step from the best start: another round would be the same
                message = _NO_LOWER
                break
        self.latest, self.loss = best.theta, best.value
        return message

    def _start(self):
        """Hold whatever depends on theta at the latest point, and evaluate there.

        It is not counted, but the first evaluation of a round is, which costs nothing.
        """
        function = self.problem.hold(self.latest)
        value, gradient = function(self.latest)
        return _Start(self.latest, value, gradient, function)


class _Start(NamedTuple):
    """Where a round starts, and the function that it minimises."""

    theta: np.ndarray
    value: float
    gradient: np.ndarray
    function: Callable

    def evaluate(self, theta):
        if (theta == self.theta).all():
            return self.value, self.gradient.copy()
        return self.function(theta)


def _minimize(value_and_gradient, theta, tol, steps, evaluations, note):
    return minimize(
        value_and_gradient,
        theta,
        jac=True,
        method="L-BFGS-B",
        callback=note,
        options={
            "maxiter": steps,
            "maxfun": evaluations,
            "gtol": tol,
            "ftol": _FTOL,
        },
    )
