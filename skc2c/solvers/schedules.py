"""How the learning rate changes in the course of a fit, as a factor of its initial value."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Integral

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from skc2c.named_objects import named_object


class Schedule(BaseEstimator, ABC):
    """Base class of the schedules."""

    _parameter_constraints: dict = {}

    @abstractmethod
    def factor(self, progress):
        """Return the factor on the learning rate.

        Parameters
        ----------
        progress : float
            Part of the steps that have been taken, from 0 to 1.

        Returns
        -------
        factor : float
            Between 0 and 1.
        """

    def ends(self, n_steps):
        """Return the numbers of steps after which the network is annealed, in order.

        Parameters
        ----------
        n_steps : int
            Steps in all, which are the last end.

        Returns
        -------
        ends : list of int
            Ascending; the last one is `n_steps`.
        """
        return [n_steps]


class Constant(Schedule):
    """The same rate throughout.

    See Also
    --------
    Cosine : A rate that falls.
    Cycles : A rate that falls several times.

    Examples
    --------
    >>> from skc2c.solvers import Constant
    >>> Constant().factor(0.7)
    1.0
    """

    def factor(self, progress):
        return 1.0


class Cosine(Schedule):
    """A rate that falls to zero along half a cosine.

    See Also
    --------
    Constant : The same rate throughout.
    Cycles : A rate that falls several times.

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: Stochastic gradient descent with warm restarts",
    ICLR 2017.

    Examples
    --------
    >>> from skc2c.solvers import Cosine
    >>> [round(Cosine().factor(progress), 3) for progress in (0.0, 0.5, 1.0)]
    [1.0, 0.5, 0.0]
    """

    def factor(self, progress):
        return 0.5 * (1.0 + math.cos(math.pi * progress))


class Cycles(Schedule):
    """Cycles, each twice as long as the one before, at whose ends the rate is zero.

    With T steps in all, cycle j of n ends after ``T (2^j - 1) / (2^n - 1)`` steps. Each end is an
    annealed network of another training length, so that one run offers a choice
    of them. Within a cycle the rate rises smoothly from zero and falls to it again:
    ``(1 - cos(2 pi log2(1 + (2^n - 1) t / T))) / 2``, as in RealMLP.

    Parameters
    ----------
    n_cycles : int, default=4
        How many.

    See Also
    --------
    Constant : The same rate throughout.
    Cosine : A rate that falls once.

    References
    ----------
    D. Holzmueller, L. Grinsztajn, I. Steinwart, "Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data", NeurIPS 2024.

    Examples
    --------
    >>> from skc2c.solvers import Cycles
    >>> Cycles(n_cycles=4).ends(1500)
    [100, 300, 700, 1500]
    """

    _parameter_constraints = {"n_cycles": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, n_cycles=4):
        self.n_cycles = n_cycles

    def factor(self, progress):
        return 0.5 * (1.0 - math.cos(2.0 * math.pi * math.log2(1.0 + self._span * progress)))

    def ends(self, n_steps):
        return [round(n_steps * (2**j - 1) / self._span) for j in range(1, self.n_cycles + 1)]

    @property
    def _span(self):
        return 2**self.n_cycles - 1


@dataclass(frozen=True)
class Rate:
    """A learning rate as a function of progress, from 0 to 1.

    Parameters
    ----------
    learning_rate : float
    schedule : Schedule
    """

    learning_rate: float
    schedule: Schedule

    def __call__(self, progress):
        return self.learning_rate * self.schedule.factor(progress)


SCHEDULES = {"constant": Constant, "cosine": Cosine, "cycles": Cycles}


def make_schedule(schedule):
    """Return the schedule object that a name or an object stands for; see `named_object`."""
    return named_object(schedule, SCHEDULES, Schedule, "schedule")
