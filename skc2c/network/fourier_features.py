"""Fourier features: some columns also enter as sines and cosines of themselves."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from skc2c.network.fixed_layer import FixedLayer
from skc2c.network.layer import Record, dense


@dataclass(frozen=True)
class FourierFeatures(FixedLayer):
    """Append ``sin(2 pi f x)`` and ``cos(2 pi f x)`` for some columns x and fixed frequencies f.

    The features themselves pass through unchanged; the sines of all columns at the first
    frequency follow, then the cosines, then those at the next frequency. There are no
    parameters to be learned: a dense layer on top mixes waves of all phases.

    Parameters
    ----------
    weights, others : slice
        Both empty.
    n_features : int
        Features below.
    columns : tuple of int
        Which of them are expanded.
    frequencies : tuple of float
        In turns per unit of x.

    References
    ----------
    M. Tancik et al., "Fourier features let networks learn high frequency functions in low
    dimensional domains", NeurIPS 2020.
    """

    weights: slice | None = None
    others: slice | None = None
    n_features: int = 1
    columns: tuple = (0,)
    frequencies: tuple = (0.25,)

    @property
    def n_in(self):
        return self.n_features

    @property
    def n_out(self):
        return self.n_features + 2 * len(self.frequencies) * len(self.columns)

    @cached_property
    def _index(self):
        return np.array(self.columns)

    @cached_property
    def _angular(self):
        """Angular frequencies, (n_frequencies, 1)."""
        return 2.0 * math.pi * np.array(self.frequencies)[:, None]

    def evaluate(self, theta, rows):
        rows = dense(rows)
        angle = self._spread(rows)
        waves = np.stack([np.sin(angle), np.cos(angle)], axis=-2)
        return np.concatenate([rows, _flat(waves)], axis=-1), waves

    def _spread(self, rows):
        """Columns times angular frequencies, (..., D) -> (..., n_frequencies, q)."""
        return rows[..., None, self._index] * self._angular.astype(rows.dtype)

    def _slopes(self, waves):
        """Derivatives of sines and cosines with respect to their column."""
        angular = self._angular.astype(waves.dtype)
        slopes = np.empty_like(waves)
        np.multiply(waves[..., 1, :], angular, out=slopes[..., 0, :])
        np.multiply(waves[..., 0, :], -angular, out=slopes[..., 1, :])
        return slopes

    def _moved(self, tangents, slopes):
        waves = slopes * tangents[..., None, None, self._index]
        return np.concatenate([tangents, _flat(waves)], axis=-1)

    def resume(self, theta, rows, passed):
        out, waves = passed
        rest, more = self.evaluate(theta, rows[len(out) :])
        return np.concatenate([out, rest]), Record(rows, np.concatenate([waves, more]), None)

    def add_bend(self, points, g, record):
        bend = self._waves_of(g) * record.tangents[..., None, None, self._index]
        curvature = -(self._angular.astype(g.dtype)[:, None] ** 2) * record.residual
        points[..., self._index] += (bend * curvature).sum(axis=(0, -3, -2))

    def _waves_of(self, out):
        """The appended part of the output, (..., n_frequencies, 2, q)."""
        shape = (len(self.frequencies), 2, len(self.columns))
        return out[..., self.n_features :].reshape(*out.shape[:-1], *shape)

    def _pulled(self, g, slopes):
        result = g[..., : self.n_features].copy()
        # Columns are distinct, so that no entry is added to twice.
        result[..., self._index] += (self._waves_of(g) * slopes).sum(axis=(-3, -2))
        return result

    def linear_map(self, theta, rows, residual):
        return _FourierMap(self, self._slopes(residual))


class _FourierMap(NamedTuple):
    """The derivative of the features: each wave has one slope at each row."""

    layer: FourierFeatures
    slopes: np.ndarray

    def jvp(self, V):
        return self.layer._moved(V, self.slopes)

    def vjp(self, U):
        return self.layer._pulled(U, self.slopes)


def _flat(waves):
    # Not -1, which no rows leave open.
    return waves.reshape(*waves.shape[:-3], math.prod(waves.shape[-3:]))
