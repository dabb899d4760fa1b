"""The plan of several fits: one network for each fold and candidate."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from skc2c.data.rows import Rows
from skc2c.likelihoods.likelihood import Likelihood
from skc2c.penalties import Penalty
from skc2c.solvers import Solver


@dataclass(frozen=True)
class Candidate:
    """A way to train: layers in front of the dense ones, strength of the penalty, normalisation.

    Parameters
    ----------
    front : tuple of Layer
    alpha : float
    normalization : {'batch', 'batch_all'} or None, default=None
        As the parameter of the estimator.
    max_steps : float, default=inf
        After how many steps it does not go on in any case.
    """

    front: tuple
    alpha: float
    normalization: str | None = None
    max_steps: float = np.inf

    @property
    def unpenalised(self):
        """The same without the penalty."""
        return replace(self, alpha=0.0)

    def __str__(self):
        front = [type(layer).__name__ for layer in self.front] or ["plain"]
        kind = [*front, *([] if self.normalization is None else ["normalised"])]
        return f"{', '.join(kind)}, alpha = {self.alpha:g}"


@dataclass(frozen=True)
class CrossPlan:
    """All that the fits need to know.

    Parameters
    ----------
    layer_units : tuple of int
    activation : str
    likelihood : Likelihood
    penalty : Penalty
    epsilon : float or ndarray of shape (D,)
    l2 : float
    rows : Rows
        All labelled rows, encoded, scaled and in the dtype of training.
    pool : Rows or None
        These and the unlabelled rows, without targets, for the penalty; None if there are none.
    folds : list of (ndarray of int, ndarray of int)
        Labelled rows to train on, and rows left out.
    candidates : list of Candidate
    solver : Solver
    rate : callable
        From the progress within a cycle, from 0 to 1, to the learning rate.
    ends : list of int
        Numbers of steps at which cycles end, ascending.
    tol : float
        Of a solver with a criterion of its own.
    batch_size : int
    shuffle : bool
    seeds : list of numpy.random.SeedSequence
        One for each fold, from which each run draws streams of its own. Candidates of one run share
        them.
    offset : ndarray of shape (K,) or None
        What to add to the initial biases of the outputs.
    patience : float
        A candidate goes on while its loss falls from end to end by more than this part.
    behind : float
        It does so only if another gain of the same size would bring it closer to the best
        than this, in log error.
    verbose : bool
    init_scale : float
        As the parameter of the estimator.
    """

    layer_units: tuple
    activation: str
    likelihood: Likelihood
    penalty: Penalty
    epsilon: float | np.ndarray
    l2: float
    rows: Rows
    pool: Rows | None
    folds: list
    candidates: list
    solver: Solver
    rate: Callable
    ends: list
    tol: float
    batch_size: int
    shuffle: bool
    seeds: list
    offset: np.ndarray | None
    patience: float
    behind: float
    verbose: bool = False
    init_scale: float = 1.0

    @cached_property
    def left_out(self):
        """Rows that some network is not trained on."""
        return np.unique(np.concatenate([test for _, test in self.folds]))

    @cached_property
    def n_train(self):
        """Labelled rows that every network has at least."""
        return min(len(train) for train, _ in self.folds)

    @property
    def n_per_pass(self):
        """Rows that a network sees in an epoch: the labelled ones and the unlabelled."""
        return self.n_train + (0 if self.pool is None else len(self.pool) - len(self.rows))

    @cached_property
    def n_batches(self):
        """Batches of an epoch."""
        return -(-self.n_per_pass // min(self.batch_size, self.n_per_pass))

    @property
    def n_outputs(self):
        """Outputs of a network."""
        return self.layer_units[-1]
