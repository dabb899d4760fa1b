"""A layer with parameters, to prove the contract: learned periodic functions of columns.

It predicts no better than fixed Fourier features, which cost less (docs/untuned.md), and so is not
part of the package.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from skc2c.network.layer import Layer, Record, dense, per_point

_TURN = 2.0 * math.pi


class _Waves(NamedTuple):
    """Cosine and sine of the angles at points, and the columns they belong to."""

    columns: np.ndarray
    cos: np.ndarray
    sin: np.ndarray


@dataclass(frozen=True, eq=False)
class PeriodicEmbedding(Layer):
    """Append ``W' cos(2 pi f x + b) + c`` to the features, for each of some columns x.

    The frequencies f, the phases b and the small linear maps W, c are learned, for each
    column apart: what Gorishniy et al. (2022) call periodic embeddings and Holzmueller et
    al. (2024) PBLD. The features themselves pass through unchanged.

    Parameters
    ----------
    weights, others : slice
        No parameter is subject to weight decay: ``weights`` is empty.
    n_features : int
        Features below.
    columns : tuple of int
        Which of them are embedded.
    n_frequencies : int
        Frequencies for each column.
    n_functions : int
        Periodic functions appended for each column.
    sigma : float
        Standard deviation of the initial frequencies, in turns per unit of x: how rough
        the network may be to begin with.

    References
    ----------
    Y. Gorishniy, I. Rubachev, A. Babenko, "On embeddings for numerical features in tabular
    deep learning", NeurIPS 2022.

    D. Holzmueller, L. Grinsztajn, I. Steinwart, "Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data", NeurIPS 2024.
    """

    weights: slice | None = None
    others: slice | None = None
    n_features: int = 1
    columns: tuple = (0,)
    n_frequencies: int = 16
    n_functions: int = 3
    sigma: float = 0.5

    n_weights = 0

    @property
    def n_in(self):
        return self.n_features

    @property
    def n_out(self):
        return self.n_features + len(self.columns) * self.n_functions

    @property
    def n_others(self):
        return sum(map(math.prod, self._shapes))

    @cached_property
    def _shapes(self):
        """Shapes of frequencies, phases, maps and constants. The columns come first."""
        q, F, P = len(self.columns), self.n_frequencies, self.n_functions
        return (q, 1, F), (q, 1, F), (q, F, P), (q, 1, P)

    @cached_property
    def _index(self):
        return np.array(self.columns)

    def parts(self, vector):
        """Views of frequencies, phases, maps and constants in theta, or in its gradient."""
        own, start, views = vector[..., self.others], 0, []
        for shape in self._shapes:
            stop = start + math.prod(shape)
            views.append(own[..., start:stop].reshape(vector.shape[:-1] + shape))
            start = stop
        return views

    def initialize(self, theta, rng, gain):
        frequencies, phases, maps, constants = self.parts(theta)
        frequencies[...] = self.sigma * rng.standard_normal(frequencies.shape)
        phases[...] = rng.uniform(-math.pi, math.pi, phases.shape)
        # As a linear layer on that many frequencies starts in PyTorch, where the
        # defaults of Holzmueller et al. were found.
        bound = 1.0 / math.sqrt(self.n_frequencies)
        maps[...] = rng.uniform(-bound, bound, maps.shape)
        constants[...] = rng.uniform(-bound, bound, constants.shape)

    def evaluate(self, theta, rows):
        rows = dense(rows)
        frequencies, phases, maps, constants = self.parts(theta)
        columns = self._columns(rows)
        angle = (columns * _as(rows, _TURN)) * frequencies
        angle += phases
        waves = _Waves(columns, np.cos(angle), np.sin(angle, out=angle))
        return self._append(rows, waves.cos @ maps + constants), waves

    def advance(self, theta, rows, n_points):
        out, waves = self.evaluate(theta, rows[:n_points])
        if rows.shape[0] == n_points:
            return out, Record(rows, waves, None)
        frequencies, _, maps, _ = self.parts(theta)
        moves = self._columns(per_point(rows[n_points:], rows[:n_points]))
        turned = (moves * _as(rows, _TURN)) * frequencies
        tangents = self._append(
            per_point(rows[n_points:], rows[:n_points]), (-waves.sin * turned) @ maps
        )
        tangents = tangents.reshape(-1, *out.shape[1:])
        return np.concatenate([out, tangents]), Record(rows, waves, moves)

    def resume(self, theta, rows, passed):
        out, waves = passed
        rest, more = self.evaluate(theta, rows[len(out) :])
        # The axis of the rows comes before that of the frequencies.
        joined = _join(waves, more) if rows.ndim == 2 else _Waves(*map(_stack, waves, more))
        return np.concatenate([out, rest]), Record(rows, joined, None)

    def retreat(self, theta, g, record, n_points, gradient):
        """See `Layer.retreat`."""
        waves, (frequencies, _, maps, _) = record.residual, self.parts(theta)
        g_points = self._of_functions(g[:n_points])
        g_cos = g_points @ maps.swapaxes(-1, -2)
        g_angle = -waves.sin * g_cos
        g_maps = waves.cos.swapaxes(-1, -2) @ g_points
        g_moves = None
        if record.tangents is not None:
            g_moves = self._through_tangents(g, record, n_points, theta)
            g_angle, g_maps = g_angle + g_moves.angle, g_maps + g_moves.maps
        g_frequencies = g_angle * (waves.columns * _as(g, _TURN))
        if g_moves is not None:
            g_frequencies += g_moves.frequencies
        sums = (
            g_frequencies.sum(axis=-2, keepdims=True),
            g_angle.sum(axis=-2, keepdims=True),
            g_maps,
            g_points.sum(axis=-2, keepdims=True),
        )
        for view, total in zip(self.parts(gradient), sums, strict=True):
            _sum_leading(total, view)
        return lambda: self._pull(g, g_angle, g_moves, n_points, frequencies)

    def _through_tangents(self, g, record, n_points, theta):
        """What the gradient of the tangents adds to those of angle, frequencies and maps."""
        waves, (frequencies, _, maps, _) = record.residual, self.parts(theta)
        moves = record.tangents * _as(g, _TURN)
        g_out = self._of_functions(per_point(g[n_points:], g[:n_points]))
        g_turned = g_out @ maps.swapaxes(-1, -2)
        turned = moves * frequencies
        return _TangentGradients(
            angle=(-waves.cos * turned * g_turned).sum(axis=0),
            frequencies=(-waves.sin * moves * g_turned).sum(axis=0),
            maps=((-waves.sin * turned).swapaxes(-1, -2) @ g_out).sum(axis=0),
            moves=-waves.sin * frequencies * g_turned,
        )

    def _pull(self, g, g_angle, g_moves, n_points, frequencies):
        """Gradient with respect to the rows: points, then tangents."""
        result = g[..., : self.n_features].copy()
        self._add(result[:n_points], (g_angle * frequencies).sum(axis=-1))
        if g_moves is not None:
            tangents = per_point(result[n_points:], result[:n_points])
            self._add(tangents, g_moves.moves.sum(axis=-1))
        return result

    def _add(self, result, per_column):
        """Add an array (..., q, n) to the columns of result, (..., n, D)."""
        turned = _as(result, _TURN) * per_column.swapaxes(-1, -2)
        # Columns are distinct, so that no entry is added to twice.
        result[..., self._index] += turned

    def linear_map(self, theta, rows, residual):
        frequencies, _, maps, _ = self.parts(theta)
        slopes = (-residual.sin * (frequencies * _as(rows, _TURN))) @ maps
        return _EmbeddingMap(self, slopes)

    def _columns(self, rows):
        """The embedded columns, (..., n, D) -> (..., q, n, 1)."""
        return rows.swapaxes(-1, -2)[..., self._index, :, None]

    def _of_functions(self, out):
        """The appended part of the output, (..., n, D + q P) -> (..., q, n, P)."""
        functions = out[..., self.n_features :]
        shape = (*functions.shape[:-1], len(self.columns), self.n_functions)
        return functions.reshape(shape).swapaxes(-2, -3)

    def _append(self, rows, functions):
        """Features and functions (..., q, n, P), side by side."""
        functions = functions.swapaxes(-2, -3)
        # Not -1, which no rows leave open.
        flat = functions.reshape(*functions.shape[:-2], math.prod(functions.shape[-2:]))
        return np.concatenate([rows, flat], axis=-1)


class _TangentGradients(NamedTuple):
    angle: np.ndarray
    frequencies: np.ndarray
    maps: np.ndarray
    moves: np.ndarray


class _EmbeddingMap(NamedTuple):
    """The derivative of an embedding: each function has one slope at each row."""

    layer: PeriodicEmbedding
    slopes: np.ndarray

    def jvp(self, V):
        return self.layer._append(V, self.slopes * self.layer._columns(V))

    def vjp(self, U):
        result = U[..., : self.layer.n_features].copy()
        per_column = (self.slopes * self.layer._of_functions(U)).sum(axis=-1)
        result[..., self.layer._index] += per_column.swapaxes(-1, -2)
        return result


def _join(waves, more):
    return _Waves(*(np.concatenate(pair, axis=-2) for pair in zip(waves, more, strict=True)))


def _stack(first, second):
    return np.concatenate([first, second])


def _sum_leading(total, out):
    """Sum over the copies of the rows that members have, if any."""
    out[...] = total if total.ndim == out.ndim else total.sum(axis=0)


def _as(array, number):
    """A number in the dtype of an array, so that float32 stays float32."""
    return array.dtype.type(number)
