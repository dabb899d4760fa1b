"""Fourier features: some columns also enter as sines and cosines of themselves."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from skc2c.network.appended_features import AppendedFeatures


@dataclass(frozen=True)
class FourierFeatures(AppendedFeatures):
    """Append ``sin(2 pi f x)`` and ``cos(2 pi f x)`` for some columns x and fixed frequencies f.

    The sines of all columns at the first frequency follow the features, then the cosines, then
    those at the next frequency. A dense layer on top mixes waves of all phases.

    Parameters
    ----------
    weights, others, n_features, columns
        As in `AppendedFeatures`.
    frequencies : tuple of float
        In turns per unit of x.

    References
    ----------
    M. Tancik et al., "Fourier features let networks learn high frequency functions in low
    dimensional domains", NeurIPS 2020.
    """

    frequencies: tuple = (0.25,)

    @property
    def n_appended(self):
        return 2 * len(self.frequencies) * len(self.columns)

    @cached_property
    def _angular(self):
        """Angular frequencies, (n_frequencies, 1)."""
        return 2.0 * math.pi * np.array(self.frequencies)[:, None]

    def functions(self, columns):
        angle = columns[..., None, :] * self._angular.astype(columns.dtype)
        waves = np.stack([np.sin(angle), np.cos(angle)], axis=-2)
        return _flat(waves), waves

    def slopes(self, residual):
        angular = self._angular.astype(residual.dtype)
        slopes = np.empty_like(residual)
        np.multiply(residual[..., 1, :], angular, out=slopes[..., 0, :])
        np.multiply(residual[..., 0, :], -angular, out=slopes[..., 1, :])
        return slopes

    def move(self, tangents, slopes):
        return _flat(slopes * tangents[..., None, None, :])

    def pull(self, g, slopes):
        return (self._waves_of(g) * slopes).sum(axis=(-3, -2))

    def add_bend(self, points, g, record):
        bend = self._waves_of(g[..., self.n_features :])
        bend = bend * record.tangents[..., None, None, self._index]
        curvature = -(self._angular.astype(g.dtype)[:, None] ** 2) * record.residual
        points[..., self._index] += (bend * curvature).sum(axis=(0, -3, -2))

    def _waves_of(self, values):
        """(..., n_appended) -> (..., n_frequencies, 2, q)."""
        shape = (len(self.frequencies), 2, len(self.columns))
        return values.reshape(*values.shape[:-1], *shape)


def _flat(waves):
    # Not -1, which no rows leave open.
    return waves.reshape(*waves.shape[:-3], math.prod(waves.shape[-3:]))
