"""Where a penalty looks, and the network's outputs there."""

from typing import NamedTuple

import numpy as np
from autograd.extend import notrace_primitive
from scipy import sparse

from skc2c.network.passes import Linearization
from skc2c.network.sparse_rows import SparseRows


class Probe(NamedTuple):
    """Where a penalty looks; made by `at` or `around`.

    Attributes
    ----------
    rows : ndarray or SparseRows of shape ((1 + m) * n, D)
        The clean rows, at which the labelled loss is taken, then m perturbed copies of
        them, one copy after the other. They go through the network together.
    n : int
        How many rows are clean.
    direction : ndarray of shape (n, D) or None
        A perturbation dx whose first-order effect is penalised.
    epsilon : float or ndarray of shape (D,)
        Radius of the neighbourhood.
    linearization : Linearization or None
        Of the network at the clean rows, where it was needed to find the perturbed ones.
    noise : tuple of ndarray
        Of each normalised layer, for the perturbed rows, and whatever the penalty adds to that.
    """

    rows: np.ndarray
    n: int
    direction: np.ndarray | None = None
    epsilon: float | np.ndarray = 0.0
    linearization: Linearization | None = None
    noise: tuple = ()

    @classmethod
    def at(cls, X, epsilon, direction=None):
        """Look at X (n, D) alone."""
        rows = SparseRows(X) if sparse.issparse(X) else X
        return cls(rows, X.shape[0], direction, epsilon)

    @classmethod
    def around(cls, X, dx, epsilon, linearization=None):
        """Look at X (n, D) and at X + dx, where dx is (n, D) or, for m copies, (m, n, D)."""
        copies = dx.reshape(-1, *X.shape)
        rows = np.empty((1 + len(copies), *X.shape), X.dtype)
        rows[0] = X
        np.add(X, copies, out=rows[1:])
        return cls(rows.reshape(-1, X.shape[1]), len(X), None, epsilon, linearization)

    @classmethod
    def behind(cls, X, noise, epsilon, has_clean=True):
        """Look at sparse X (n, D), and at copies with noise (m, n, H) behind the first kernel.

        See `SparseRows`: the noise has unit scale there. Without clean rows, m must be one.
        """
        rows = SparseRows(X, noise=noise, epsilon=epsilon, has_clean=has_clean)
        return cls(rows, X.shape[0], None, epsilon)

    @property
    def clean(self):
        """The clean rows, (n, D)."""
        if isinstance(self.rows, SparseRows):
            return self.rows.X
        return self.rows[: self.n]

    @property
    def near(self):
        """The perturbed rows, (m * n, D); none of them where nothing is perturbed."""
        return self.rows[self.n :]

    @property
    def _passing(self):
        """What goes through the network, as arguments of `Network.forward`."""
        settings = self.rows, self.linearization, self.n
        return (*settings, self.noise) if self.noise else settings

    def outputs_with_way_back(self, network, theta):
        """Network output at the rows in plain numpy, and its way back to theta."""
        return network.forward_with_way_back(theta, *self._passing)

    def outputs(self, network, theta, holds_clean=False, mean_response=None):
        """Network output at the rows, as `Outputs`. Traceable in theta."""
        h = network.forward(theta, *self._passing)
        return Outputs(h, self.n, holds_clean, mean_response)


class Outputs(NamedTuple):
    """Network output where a penalty looked, traced in theta.

    Attributes
    ----------
    h : ndarray of shape ((1 + m) * n, K)
        At the clean rows, then at the perturbed ones.
    n : int
        How many rows are clean.
    holds_clean : bool
        Whether a penalty must treat the output at the clean rows as a constant.
    mean_response : ndarray of shape (T,) or None
        Mean response over all rows of the objective, a constant. None if these are all rows
        there are, or in a batch of stochastic training.
    """

    h: np.ndarray
    n: int
    holds_clean: bool
    mean_response: np.ndarray | None = None

    @property
    def clean(self):
        """Output at the clean rows, (n, K)."""
        clean = self.h[: self.n]
        return _constant(clean) if self.holds_clean else clean

    @property
    def near(self):
        """Output at the perturbed rows, (m * n, K)."""
        return self.h[self.n :]


@notrace_primitive
def _constant(array):
    return array
