"""L-BFGS on a deterministic objective, through scipy."""

from numbers import Integral

import numpy as np
from scipy.optimize import minimize
from sklearn.utils._param_validation import Interval

from skc2c.solvers.solver import Descent, Solver, check_finite, exhausted

# Steps between refreshes of the adversarial directions: long enough for L-BFGS to build
# curvature (it keeps ten pairs), short enough that the directions stay valid.
STEPS_PER_ROUND = 20

# Relative change of the objective below which scipy stops: a few units of rounding, so that
# the gradient decides.
_FTOL = 64 * np.finfo(np.float64).eps

# Evaluations that scipy may spend on a step of its line search, on average.
_EVALUATIONS_PER_STEP = 100


class LBFGS(Solver):
    """L-BFGS on all rows, which often does better than Adam on a few hundred rows.

    An objective that takes a maximum (over adversarial perturbations) is minimised in
    rounds. Within a round the maximisers are held where they were at its start, so that
    the line search sees one smooth function and its true gradient.

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

    _parameter_constraints = {"max_fun": [Interval(Integral, 1, None, closed="left"), None]}

    def __init__(self, max_fun=None):
        self.max_fun = max_fun

    def minimize(self, problem, theta, hook, *, learning_rate=None, max_iter, tol, state=None):
        """Minimise a problem. See `Solver.minimize`.

        `learning_rate` is ignored. It stops when no entry of the gradient is larger than `tol`.
        """
        run = _Run(problem, theta, hook, max_iter, self.max_fun)
        try:
            while True:
                result = run.round(tol)
                if run.is_over(result):
                    break
        except KeyboardInterrupt:
            return Descent(run.latest, {}, run.loss, interrupted=True)
        return Descent(run.latest, {}, float(result.fun), run.complaint(result))


class _Run:
    """The rounds of one run."""

    def __init__(self, problem, theta, hook, max_iter, max_fun):
        self.problem, self.hook, self.max_iter = problem, hook, max_iter
        self.max_fun = _EVALUATIONS_PER_STEP * max_iter if max_fun is None else max_fun
        self.n_evaluations = 0
        self.latest, self.loss = theta, np.nan
        self.n_iter, self.stopped = 0, False

    def round(self, tol):
        """Minimise with whatever depends on theta held at the latest point."""
        left = self.max_iter - self.n_iter
        steps = min(left, STEPS_PER_ROUND) if self.problem.follows_theta else left
        function = self.problem.hold(self.latest)
        evaluations = min(self.max_fun - self.n_evaluations, _EVALUATIONS_PER_STEP * steps)
        result = _minimize(function, self.latest, tol, steps, evaluations, self._note)
        self.latest = result.x
        self.n_evaluations += result.nfev
        check_finite(self.latest, result.fun, self.n_iter + 1)
        return result

    def _note(self, intermediate_result):
        self.latest = intermediate_result.x.copy()
        self.loss = float(intermediate_result.fun)
        self.n_iter += 1
        if self.hook(self.latest, self.loss):
            self.stopped = True
            raise StopIteration

    def is_over(self, result):
        """Whether this was the last round."""
        used_up = self.n_iter >= self.max_iter or self.n_evaluations >= self.max_fun
        return self.stopped or used_up or not self.problem.follows_theta or result.nit == 0

    def complaint(self, result):
        """Say why it has not converged; None if it has."""
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
