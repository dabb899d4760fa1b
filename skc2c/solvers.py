"""How to go downhill: Adam and L-BFGS on a flat vector.

The solvers know vectors and row indices; what the vector means is not their business.
"""

import math
import warnings
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize


class Solution(NamedTuple):
    """What a solver found.

    Attributes
    ----------
    theta : ndarray
        The parameters to use: the last, or the best on validation rows.
    n_iter : int
        Iterations done: epochs of Adam, steps of L-BFGS.
    loss : float
        The last value of the objective; NaN if Ctrl-C came before the first.
    loss_curve : list of float
        The objective after every iteration.
    best_loss : float
        Its minimum.
    validation_scores : list of float or None
        Scores after every iteration, if they were watched.
    best_validation_score : float or None
        Their maximum.
    message : str or None
        Why the solver stopped before it converged, and what to do; None if it did converge.
    """

    theta: np.ndarray
    n_iter: int
    loss: float
    loss_curve: list
    best_loss: float
    validation_scores: list | None
    best_validation_score: float | None
    message: str | None


class DivergenceError(FloatingPointError):
    """The loss or a parameter is not finite."""


def check_finite(theta, loss, iteration):
    """Raise a DivergenceError if the loss or a parameter is not finite."""
    if not np.isfinite(loss):
        raise DivergenceError(f"the loss became {loss} in iteration {iteration}")
    if not np.isfinite(theta).all():
        raise DivergenceError(f"the parameters became infinite in iteration {iteration}")


class Monitor:
    """Watches a fit: records the loss, decides when to stop, keeps the best parameters.

    Without a score it watches the mean loss of the last `n_iter_no_change` iterations: one
    iteration's loss may be low by the luck of its perturbations, and never be reached again.

    Parameters
    ----------
    tol : float
        What counts as an improvement.
    n_iter_no_change : int or inf
        Stop after more than this many iterations in a row without one.
    score : callable, optional
        ``theta -> float``, larger is better: watched in the place of the loss.
    verbose : bool, default=False
        Print every iteration.
    """

    def __init__(self, tol, n_iter_no_change, score=None, verbose=False):
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.score = score
        self.verbose = verbose
        self.loss_curve = []
        self.scores = []
        self.best_theta = None
        self._best = -np.inf
        self._n_without_improvement = 0

    def update(self, theta, loss):
        """Note the end of an iteration.

        Returns
        -------
        stop : bool

        Raises
        ------
        DivergenceError
            If the loss or a parameter is not finite.
        """
        check_finite(theta, loss, len(self.loss_curve) + 1)
        self.loss_curve.append(loss)
        self._print(f"Iteration {len(self.loss_curve)}, loss = {loss:.8f}")
        return self._is_stalled(self._figure_of_merit(theta), theta)

    def _figure_of_merit(self, theta):
        if self.score is None:
            window = int(min(self.n_iter_no_change, len(self.loss_curve)))
            return -np.mean(self.loss_curve[-window:])
        self.scores.append(self.score(theta))
        self._print(f"Validation score: {self.scores[-1]:f}")
        return self.scores[-1]

    def _is_stalled(self, merit, theta):
        improved = merit >= self._best + self.tol
        self._n_without_improvement = 0 if improved else self._n_without_improvement + 1
        if merit > self._best:
            self._best = merit
            if self.score is not None:
                self.best_theta = theta.copy()
        return self._n_without_improvement > self.n_iter_no_change

    def _print(self, line):
        if self.verbose:
            print(line)

    def solution(self, theta, message=None, loss=np.nan):
        """The record of the fit that ended at `theta`; `loss` counts if no iteration does."""
        watched = self.score is not None
        return Solution(
            theta=theta if self.best_theta is None else self.best_theta,
            n_iter=len(self.loss_curve),
            loss=self.loss_curve[-1] if self.loss_curve else loss,
            loss_curve=self.loss_curve,
            best_loss=min(self.loss_curve, default=loss),
            validation_scores=self.scores if watched else None,
            best_validation_score=max(self.scores, default=None) if watched else None,
            message=message,
        )


def batches(n, size, rng=None):
    """Cut n rows into batches of `size`, the last one perhaps smaller.

    Parameters
    ----------
    n, size : int
    rng : numpy.random.Generator, optional
        Shuffles the rows; without it they stay in order.

    Yields
    ------
    batch : slice or ndarray of int
    """
    order = None if rng is None else rng.permutation(n)
    for start in range(0, n, size):
        batch = slice(start, min(start + size, n))
        yield batch if order is None else order[batch]


def paired(pool_batches, labelled_batches):
    """Pair each batch of the pool with the next one of the (endless) labelled batches."""
    return zip(pool_batches, labelled_batches, strict=False)


def endless(n, size, rng=None):
    """Batches of n rows, pass after pass, without an end; see `batches`."""
    while True:
        yield from batches(n, size, rng)


def adam(value_and_gradient, theta, epoch, *, learning_rate, max_iter, monitor):
    """Mini-batch Adam (Kingma & Ba, 2015), with its usual constants.

    Parameters
    ----------
    value_and_gradient : callable
        ``(theta, batch) -> (float, ndarray)``. A batch's value is a mean over its rows.
    theta : ndarray
        Where to start.
    epoch : callable
        ``() -> iterable of batches`` that covers the rows once. A batch is a slice or
        an array of row indices.
    learning_rate : float
    max_iter : int
        Epochs at most.
    monitor : Monitor

    Returns
    -------
    solution : Solution
        Also after Ctrl-C, with a warning.
    """
    theta = theta.copy()
    step = _AdamStep(theta, float(learning_rate))
    finished = theta.copy()
    try:
        for _ in range(max_iter):
            total, count = 0.0, 0
            for batch in epoch():
                value, gradient = value_and_gradient(theta, batch)
                step(theta, gradient)
                size = _length(batch)
                total, count = total + size * value, count + size
            if monitor.update(theta, total / count):
                return monitor.solution(theta)
            finished[:] = theta
    except KeyboardInterrupt:
        _warn_of_interruption()
        return monitor.solution(finished)
    return monitor.solution(theta, _exhausted(max_iter))


def _length(batch):
    if isinstance(batch, tuple):  # a pair: an epoch is a pass over the first, the pool
        return _length(batch[0])
    return batch.stop - batch.start if isinstance(batch, slice) else len(batch)


def _warn_of_interruption():
    warnings.warn("Training interrupted by user.", stacklevel=4)


def _exhausted(max_iter):
    return f"all of max_iter={max_iter} iterations were used. Increase max_iter, or scale X"


class _AdamStep:
    """One update in place, with the two running moments it needs.

    The moments are kept as discounted sums, not means: ``mean = (1 - beta_1) first`` and
    ``square = (1 - beta_2) second``. The factors go into the rate, which saves two passes
    (and lowers the largest gradient whose square is in range 30 times, to 5e17 in float32).
    """

    beta_1, beta_2, tiny = 0.9, 0.999, 1e-8

    def __init__(self, theta, learning_rate):
        self.learning_rate = learning_rate
        self.first = np.zeros_like(theta)
        self.second = np.zeros_like(theta)
        self._scratch = np.empty_like(theta)
        self.t = 0

    def __call__(self, theta, gradient):
        self.t += 1
        first, second, scratch = self.first, self.second, self._scratch
        first *= self.beta_1
        first += gradient
        second *= self.beta_2
        np.multiply(gradient, gradient, out=scratch)
        second += scratch
        np.sqrt(second, out=scratch)
        root = math.sqrt(1.0 - self.beta_2)
        scratch += self.tiny / root
        np.divide(first, scratch, out=scratch)
        scratch *= self._rate() * (1.0 - self.beta_1) / root
        theta -= scratch

    def _rate(self):
        correction = math.sqrt(1.0 - self.beta_2**self.t) / (1.0 - self.beta_1**self.t)
        return self.learning_rate * correction


# After so many steps a moving objective is held anew: few enough for the held perturbations
# not to be outrun, many enough for L-BFGS to learn a curvature.
STEPS_PER_ROUND = 20


def lbfgs(hold, theta, *, tol, max_iter, monitor, moves=False):
    """L-BFGS through scipy, on a deterministic objective.

    An objective that takes a maximum (over adversarial perturbations) is minimised in
    rounds. Within a round the maximisers are held where they were at its start, so that
    the line search sees one smooth function and its true gradient.

    Parameters
    ----------
    hold : callable
        ``theta -> value_and_gradient``: the objective with whatever it depends on at
        `theta` held, a function ``theta -> (float, ndarray)``.
    theta : ndarray
        Where to start.
    tol : float
        Stop when no entry of the gradient is larger.
    max_iter : int
        Steps at most.
    monitor : Monitor
    moves : bool, default=False
        Whether ``hold`` at another place gives another function. If not, all is one round.

    Returns
    -------
    solution : Solution
        Also after Ctrl-C, with a warning.
    """
    latest, stopped = theta, False

    def note(intermediate_result):
        nonlocal latest, stopped
        latest = intermediate_result.x.copy()
        stalled = monitor.update(latest, float(intermediate_result.fun))
        if stalled and monitor.score is not None:
            stopped = True
            raise StopIteration

    try:
        while True:
            left = max_iter - len(monitor.loss_curve)
            steps = min(left, STEPS_PER_ROUND) if moves else left
            result = _minimize(hold(latest), latest, tol, steps, note)
            latest = result.x
            check_finite(latest, result.fun, len(monitor.loss_curve) + 1)
            used_up = len(monitor.loss_curve) >= max_iter
            if stopped or used_up or not moves or result.nit == 0:
                break
    except KeyboardInterrupt:
        _warn_of_interruption()
        return monitor.solution(latest)
    message = None if stopped else _complaint(result, used_up, max_iter)
    return monitor.solution(latest, message, float(result.fun))


def _minimize(value_and_gradient, theta, tol, steps, note):
    return minimize(
        value_and_gradient,
        theta,
        jac=True,
        method="L-BFGS-B",
        callback=note,
        options={
            "maxiter": steps,
            "maxfun": 100 * steps,
            "gtol": tol,
            "ftol": 64 * np.finfo(np.float64).eps,  # the gradient decides
        },
    )


def _complaint(result, used_up, max_iter):
    if result.success:
        return None
    if used_up:
        return _exhausted(max_iter)
    return (
        f"the line search found no lower point ({str(result.message).strip(': ')}), as happens "
        "at a kink of the activation or within rounding of a minimum. Increase tol if "
        "the loss is good, or scale X"
    )
