"""Mini-batch Adam, with a schedule of its learning rate."""

import math
from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skc2c.solvers.stochastic import SCHEDULE, StochasticSolver

_RATE_OF_DECAY = Interval(Real, 0, 1, closed="left")


class Adam(StochasticSolver):
    """Mini-batch Adam (Kingma & Ba, 2015).

    Parameters
    ----------
    beta_1 : float, default=0.9
        Decay of the running mean of the gradient, in [0, 1).
    beta_2 : float or 'auto', default='auto'
        Decay of the running mean of its square, in [0, 1). ``'auto'`` is 0.999 in a fit of one
        network and 0.95 within cycles (see `schedule`), which are short.
    epsilon : float, default=1e-8
        Added to the root of the latter for numerical stability.
    schedule : {'auto', 'constant', 'cosine', 'cycles'} or Schedule, default='auto'
        How the learning rate changes in the course of a fit of one network, or within each of
        the cycles of a fit of several (see ``cv``). ``'auto'`` is constant in the former and
        rises from zero and falls to zero in the latter.

    See Also
    --------
    LBFGS : All rows at once, without a learning rate.

    References
    ----------
    D. P. Kingma, J. Ba, "Adam: A method for stochastic optimization", ICLR 2015.

    Examples
    --------
    >>> from skc2c import C2CClassifier
    >>> from skc2c.solvers import Adam
    >>> clf = C2CClassifier(solver=Adam(schedule="cosine"), learning_rate_init=0.003)
    """

    name = "adam"
    _parameter_constraints = {
        "beta_1": [_RATE_OF_DECAY],
        "beta_2": [_RATE_OF_DECAY, StrOptions({"auto"})],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "schedule": SCHEDULE,
    }

    def __init__(self, beta_1=0.9, beta_2="auto", epsilon=1e-8, schedule="auto"):
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.schedule = schedule

    def stepper(self, theta, state=None):
        beta_2 = _BETA_2 if self.beta_2 == "auto" else float(self.beta_2)
        return AdamStep(theta, float(self.beta_1), beta_2, float(self.epsilon), state)

    def in_cycles(self):
        return super().in_cycles()._with(beta_2=_BETA_2_IN_CYCLES)


# Of one network, as in the paper; within a cycle, which has a hundred steps or a few, a memory of a
# thousand is too long: 2 % more loss (docs/untuned.md).
_BETA_2, _BETA_2_IN_CYCLES = 0.999, 0.95


class AdamStep:
    """One update in place, with the two running moments it needs.

    The moments are kept as discounted sums, not means: ``mean = (1 - beta_1) first`` and
    ``square = (1 - beta_2) second``. The factors go into the rate, which saves two passes
    (and lowers the largest gradient whose square is in range 30 times, to 5e17 in float32).
    """

    def __init__(self, theta, beta_1, beta_2, epsilon, state=None):
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        if not state or len(state["first"]) != len(theta):
            state = None  # of another solver, network or penalty: nothing to go on from
        state = state or {"first": np.zeros_like(theta), "second": np.zeros_like(theta), "t": 0}
        self.first, self.second = state["first"].copy(), state["second"].copy()
        self.t = state["t"]
        self._scratch = np.empty(min(len(theta), _CHUNK), theta.dtype)

    def __call__(self, theta, gradient, learning_rate):
        self.t += 1
        rate = learning_rate * self._correction() * (1.0 - self.beta_1)
        for start in range(0, len(theta), _CHUNK):
            part = slice(start, start + _CHUNK)
            self._move(theta[part], gradient[part], self.first[part], self.second[part], rate)

    def _move(self, theta, gradient, first, second, rate):
        """Update a part of theta, whose arrays stay in the cache meanwhile."""
        scratch = self._scratch[: len(theta)]
        first *= self.beta_1
        first += gradient
        second *= self.beta_2
        np.multiply(gradient, gradient, out=scratch)
        second += scratch
        np.sqrt(second, out=scratch)
        root = math.sqrt(1.0 - self.beta_2)
        scratch += self.epsilon / root
        np.divide(first, scratch, out=scratch)
        scratch *= rate / root
        theta -= scratch
        if self.t % _FLUSH_EVERY == 0:
            for array in (theta, first, second):
                _flush(array)

    def _correction(self):
        """Makes up for moments that start at zero."""
        return math.sqrt(1.0 - self.beta_2**self.t) / (1.0 - self.beta_1**self.t)

    def state(self):
        """Return the moments and the number of steps, as a plain record."""
        return {"first": self.first, "second": self.second, "t": self.t}


# Entries of theta that are updated at a time: ten passes over arrays larger than the cache took
# 1.8 times as long (ten million float32 entries).
_CHUNK = 2**15

# Steps between two looks for subnormal numbers, which cost little then.
_FLUSH_EVERY = 32


def _flush(array):
    """Set subnormal numbers to zero, in place.

    Weights and moments of a unit that is no longer active decay until they are subnormal, where
    rounding keeps them. Arithmetic on such numbers is slow: steps took four times as long.
    """
    array[np.abs(array) < np.finfo(array.dtype).tiny] = 0.0
