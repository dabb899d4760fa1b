"""How to go downhill on a flat vector: one file a solver, and the table of their names.

To add a solver: subclass `Solver`, or `StochasticSolver` if it takes a step a batch, in a file of
its own, with a ``name``.
"""

from skc2c.named_objects import named_classes, named_object
from skc2c.solvers.adam import Adam
from skc2c.solvers.lbfgs import LBFGS
from skc2c.solvers.monitor import Monitor
from skc2c.solvers.schedules import SCHEDULES, Constant, Cosine, Cycles, Schedule
from skc2c.solvers.solver import Descent, DivergenceError, Solver, check_finite
from skc2c.solvers.stochastic import StochasticSolver

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
    "StochasticSolver",
    "check_finite",
    "make_solver",
]

SOLVERS = named_classes(__name__, Solver)


def make_solver(solver):
    """Return the solver object that a name or an object stands for; see `named_object`."""
    return named_object(solver, SOLVERS, Solver, "solver")
