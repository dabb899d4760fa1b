"""What is noted of each iteration, and when to stop."""

import numpy as np

from skc2c.solvers.solver import check_finite


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
        ``theta -> float``, larger is better: watched instead of the loss.
    verbose : bool, default=False
        Print every iteration.
    after : callable, optional
        ``theta -> stop``, called after each iteration with the parameters to use if it was the
        last.
    """

    def __init__(self, tol, n_iter_no_change, score=None, verbose=False, after=None):
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.score = score
        self.verbose = verbose
        self.after = after
        self.loss_curve = []
        self.scores = []
        self.best_theta = None
        self._best = -np.inf
        self._n_without_improvement = 0

    def __call__(self, theta, loss):
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
        self.loss_curve.append(float(loss))
        self._print(f"Iteration {len(self.loss_curve)}, loss = {loss:.8f}")
        stop = self._is_stalled(self._figure_of_merit(theta), theta)
        if self.after is None:
            return stop
        return bool(self.after(theta if self.best_theta is None else self.best_theta)) or stop

    def _figure_of_merit(self, theta):
        if self.score is None:
            if np.isinf(self.n_iter_no_change):
                return -self.loss_curve[-1]  # nothing hangs on it, and all losses are many
            return -np.mean(self.loss_curve[-int(self.n_iter_no_change) :])
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

    @property
    def validation_scores(self):
        """Scores of every iteration; None if there is no score to watch."""
        return None if self.score is None else self.scores

    @property
    def best_validation_score(self):
        """The largest of them."""
        return None if self.score is None else max(self.scores, default=None)
