"""The contract of targets: how y is encoded for training, and outputs become predictions."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from skc2c.likelihoods import LIKELIHOODS

# What is said of outputs on the pool that are the same everywhere.
CONSTANT = "its predictions are all but constant"


class Known(NamedTuple):
    """What is known of labelled rows.

    Attributes
    ----------
    h : ndarray of shape (n, K)
        Outputs.
    y : ndarray of shape (n, K)
        Encoded targets.
    """

    h: np.ndarray
    y: np.ndarray


class Units(NamedTuple):
    """The units of y: training sees ``(y - center) / scale``.

    Attributes
    ----------
    center, scale : ndarray of shape (K,)
        Of the outputs, of which the first are those of the targets; a scale of 0 says that the
        target is constant.
    """

    center: np.ndarray
    scale: np.ndarray

    @property
    def divisor(self):
        """The scale to divide by: a constant target stays as it is."""
        return np.where(self.scale > 0.0, self.scale, 1.0)

    def standardize(self, y):
        """Encoded targets as training sees them."""
        n_targets = y.shape[1]
        return (y - self.center[:n_targets]) / self.divisor[:n_targets]

    def fold(self, coefs, intercepts):
        """Kernels and biases whose output is in the units of y, in float64."""
        coefs = [*coefs[:-1], coefs[-1] * self.scale]
        return coefs, [*intercepts[:-1], intercepts[-1] * self.scale + self.center]

    def unfold(self, coefs, intercepts):
        """Undo `fold`."""
        coefs = [*coefs[:-1], coefs[-1] / self.divisor]
        return coefs, [*intercepts[:-1], (intercepts[-1] - self.center) / self.divisor]


class Targets(ABC):
    """What y is. A subclass is a plain record.

    Attributes
    ----------
    loss : str
        Whose negative log-likelihood is minimised, a key of ``LIKELIHOODS``.
    n_targets : int
        Columns of the encoded y.
    are_classes : bool, default=False
        Whether y says which class or which labels a row has.
    other_cure : str
        What else to try against a collapse, for a warning.
    """

    are_classes = False
    other_cure = ""

    @property
    def likelihood(self):
        """The output distribution."""
        return LIKELIHOODS[self.loss]()

    @property
    def n_outputs(self):
        """Outputs of the network."""
        return self.likelihood.n_outputs(self.n_targets)

    @abstractmethod
    def encode_validation(self, y, weight, name="y_val"):
        """Encode further targets: y as an array of shape (n, T), and the weights.

        The name is that of an error which says what is wrong with them.
        """

    @abstractmethod
    def decode(self, h):
        """Predictions from network outputs (n, K)."""

    @abstractmethod
    def given(self, y):
        """Undo the encoding: targets as `fit` is given them."""

    @abstractmethod
    def score(self, h, y, weight):
        """Score of outputs against encoded targets, larger is better."""

    @abstractmethod
    def lost(self, h, known):
        """Say what got lost in outputs on the pool, in words, or None.

        Parameters
        ----------
        h : ndarray of shape (n, K)
        known : Known

        Returns
        -------
        lost : str or None
        """

    def gives_up(self, h, alone):
        """Whether outputs on the pool leave out what those of the labelled rows alone find there.

        Parameters
        ----------
        h, alone : ndarray of shape (n, K)
            Of the same rows.

        Returns
        -------
        given_up : bool
        """
        return False

    def strata(self, y):
        """Labels by which to stratify held-out rows, if any."""
        return None

    def units(self, y, weight):
        """Units in which training sees encoded targets."""
        return Units(np.zeros(self.n_outputs), np.ones(self.n_outputs))

    def start(self, y, weight):
        """What to add to the initial biases of the outputs, (K,), or None."""
        return None

    def fitted(self, units):
        """The targets with what is known of them after the fit."""
        return self

    def attributes(self):
        """Fitted attributes that say what y was."""
        return {}

    @abstractmethod
    def adjustment(self, h, y, weight):
        """What outputs are to be multiplied by, and what is added then.

        Predictions vary no more than rows left out bear out, and are about as certain.

        Parameters
        ----------
        h : ndarray of shape (n, K)
            Out of fold.
        y : ndarray of shape (n, T)
        weight : ndarray of shape (n,)

        Returns
        -------
        factor, shift : float or ndarray of shape (K,)
        """

    @abstractmethod
    def attributes_of_adjustment(self, factor, shift):
        """Fitted attributes that say what was done to outputs after training: see `adjustment`."""

    def nonconformity(self, h, y):
        """How far targets are from predictions, (n, T), or None if y is a class."""
        return None

    @abstractmethod
    def oob_predictions(self, h):
        """Fitted attribute with the predictions out of fold, from outputs (n, K) or NaN."""

    def out_of_fold(self, h, y, weight, places, n):
        """Fitted attributes that say how rows were predicted by networks not trained on them.

        Parameters
        ----------
        h : ndarray of shape (n_used, K)
            Outputs; NaN for rows that all networks were trained on.
        y : ndarray of shape (n_used, T)
            Encoded targets.
        weight : ndarray of shape (n_used,) or None
        places : ndarray of int of shape (n_used,)
            Which of the rows given these are.
        n : int
            How many rows were given.
        """
        seen = np.isfinite(h).all(axis=1)
        score = self.score(h[seen], y[seen], None if weight is None else weight[seen])
        of_all = np.full((n, h.shape[1]), np.nan)
        of_all[places] = h
        return {"oob_score_": float(score), **self.oob_predictions(of_all)}
