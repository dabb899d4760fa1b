"""Layers that pass features through and append functions of single columns."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from skc2c.network.fixed_layer import FixedLayer
from skc2c.network.layer import Record, dense


@dataclass(frozen=True)
class AppendedFeatures(FixedLayer):
    """The features unchanged, followed by functions of some of them, each of one column.

    A subclass has the functions and their derivatives. There are no parameters to be learned.

    Parameters
    ----------
    weights, others : slice
        Both empty.
    n_features : int
        Features below.
    columns : tuple of int
        Which of them are expanded; all different.
    """

    weights: slice | None = None
    others: slice | None = None
    n_features: int = 1
    columns: tuple = (0,)

    @property
    def n_in(self):
        return self.n_features

    @property
    def n_out(self):
        return self.n_features + self.n_appended

    @property
    @abstractmethod
    def n_appended(self):
        """How many functions there are."""

    @abstractmethod
    def functions(self, columns):
        """Evaluate the functions.

        Parameters
        ----------
        columns : ndarray of shape (..., q)
            Values of the expanded columns.

        Returns
        -------
        values : ndarray of shape (..., n_appended)
        residual : ndarray of shape (..., *)
            What the derivatives need.
        """

    @abstractmethod
    def slopes(self, residual):
        """Derivatives of the functions, each with respect to its column, in any shape."""

    @abstractmethod
    def move(self, tangents, slopes):
        """Carry tangents of the columns to the functions: (..., q) -> (..., n_appended)."""

    @abstractmethod
    def pull(self, g, slopes):
        """Carry a gradient back to the columns: (..., n_appended) -> (..., q)."""

    @cached_property
    def _index(self):
        return np.array(self.columns)

    def evaluate(self, theta, rows):
        rows = dense(rows)
        values, residual = self.functions(rows[..., self._index])
        return np.concatenate([rows, values], axis=-1), residual

    def resume(self, theta, rows, passed):
        out, residual = passed
        rest, more = self.evaluate(theta, rows[len(out) :])
        return np.concatenate([out, rest]), Record(rows, np.concatenate([residual, more]), None)

    def linear_map(self, theta, rows, residual):
        return _Derivative(self, self.slopes(residual))


class _Derivative(NamedTuple):
    """The derivative of the features: each function has one slope at each row."""

    layer: AppendedFeatures
    slopes: np.ndarray

    def jvp(self, V):
        moved = self.layer.move(V[..., self.layer._index], self.slopes)
        return np.concatenate([V, moved], axis=-1)

    def vjp(self, U):
        n = self.layer.n_features
        result = U[..., :n].copy()
        # Columns are distinct, so that no entry is added to twice.
        result[..., self.layer._index] += self.layer.pull(U[..., n:], self.slopes)
        return result
