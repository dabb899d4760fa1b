"""Piecewise linear encoding: some columns also enter bin by bin."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from skc2c.network.appended_features import AppendedFeatures


@dataclass(frozen=True)
class PiecewiseLinear(AppendedFeatures):
    """Append how much of each bin of a column lies below its value x, from 0 to 1.

    For a bin from a to b this is ``(x - a) / (b - a)``, clipped to the range from 0 to 1. All bins
    of the first column follow the features, then those of the next one. A dense layer on top has
    any function of x that is linear between breakpoints: with steep parts where bins are narrow,
    as decision trees have their thresholds.

    Parameters
    ----------
    weights, others, n_features, columns
        As in `AppendedFeatures`.
    breakpoints : tuple of tuple of float
        Ends of the bins of each column, ascending; at least two.

    References
    ----------
    Y. Gorishniy, I. Rubachev, A. Babenko, "On embeddings for numerical features in tabular deep
    learning", NeurIPS 2022.
    """

    breakpoints: tuple = ((0.0, 1.0),)

    @property
    def n_appended(self):
        return sum(self.n_bins)

    @property
    def n_bins(self):
        """Of each column."""
        return [len(points) - 1 for points in self.breakpoints]

    @property
    def columns_of_bins(self):
        """The column of each bin, in order, (n_appended,)."""
        return self._index[self._place]

    @cached_property
    def lower_ends(self):
        """Of each bin, (n_appended,)."""
        return np.concatenate([points[:-1] for points in self.breakpoints])

    @cached_property
    def steepness(self):
        """One over the width of each bin, (n_appended,)."""
        return 1.0 / np.concatenate([np.diff(points) for points in self.breakpoints])

    @cached_property
    def _place(self):
        """Which of the expanded columns each bin belongs to."""
        return np.repeat(np.arange(len(self.columns)), self.n_bins)

    @cached_property
    def _first_bins(self):
        return np.cumsum([0, *self.n_bins[:-1]])

    def functions(self, columns):
        dtype = columns.dtype
        z = columns[..., self._place]
        z -= self.lower_ends.astype(dtype)
        z *= self.steepness.astype(dtype)
        is_within = (z > 0.0) & (z < 1.0)
        return np.clip(z, 0.0, 1.0, out=z), is_within * self.steepness.astype(dtype)

    def slopes(self, residual):
        return residual

    def move(self, tangents, slopes):
        return tangents[..., self._place] * slopes

    def pull(self, g, slopes):
        return np.add.reduceat(g * slopes, self._first_bins, axis=-1)

    def add_bend(self, points, g, record):
        """Nothing: there are no second derivatives, but for kinks."""
