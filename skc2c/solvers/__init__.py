"""How to go downhill on a flat vector: one file a solver, and the table of their names.

To add a solver: subclass `Solver` in a file of its own and add a line to ``SOLVERS``.
"""

from skc2c.solvers.adam import Adam
from skc2c.solvers.lbfgs import LBFGS
from skc2c.solvers.monitor import Monitor
from skc2c.solvers.schedules import SCHEDULES, Constant, Cosine, Cycles, Schedule
from skc2c.solvers.solver import Descent, DivergenceError, Solver, check_finite

__all__ = [
    "LBFGS",
    "SCHEDULES",
    "SOLVERS",
    "Adam",
    "Constant",
    "Cosine",
    "Cycles",
    "Descent",
    "DivergenceError",
    "Monitor",
    "Schedule",
    "Solver",
    "check_finite",
    "make_solver",
]

SOLVERS = {"adam": Adam, "lbfgs": LBFGS}


def make_solver(solver):
    """Return the solver object that a name or an object stands for.

    Parameters
    ----------
    solver : str or Solver

    Returns
    -------
    solver : Solver
        With valid settings.

    Raises
    ------
    ValueError
        If the name is unknown or a setting of the object is not allowed.
    """
    if not isinstance(solver, Solver):
        if not isinstance(solver, str) or solver not in SOLVERS:
            raise ValueError(
                f"The 'solver' parameter must be one of {list(SOLVERS)} or a Solver object. "
                f"Got {solver!r} instead."
            )
        solver = SOLVERS[solver]()
    solver._validate_params()
    return solver
