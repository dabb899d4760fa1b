"""What is minimised, and the one place where it is differentiated."""

from skc2c.objective.objective import Objective
from skc2c.objective.term import Term

__all__ = ["Objective", "Term"]
