"""The embeddings of numeric columns: which columns, at what frequencies, in which bins."""

import numpy as np
from scipy import sparse

from skc2c.messages import warn
from skc2c.network.fourier_features import FourierFeatures
from skc2c.network.piecewise_linear import PiecewiseLinear

# Turns per unit of a scaled column, whose unit is the interquartile range: from a fifth of a wave
# to a whole one over the middle half of the rows.
_FREQUENCIES = (0.2, 0.5, 1.0)
# With more numeric columns than this, one frequency is as good and cheaper, and bins cost more
# than they gain (docs/untuned.md).
_MANY_COLUMNS = 25
_ONE_FREQUENCY = (0.4,)
# Bins of a column: as many as 0.4 times the root of the number of rows, but neither fewer nor more
# than this: with 20,000 rows 48 have 2 % less loss, and take two fifths more time
# (docs/untuned.md). In all columns, no more than leaves the features of a million rows in memory.
_BINS_BY_ROOT = 0.4
_FEWEST_BINS, _MOST_BINS, _MOST_IN_ALL = 12, 24, 400
# Values that differ by less than this part of the range, as by rounding in float64, are one value:
# far more than rounding, and less than the distance of neighbours among a million rows, mostly.
_FINEST = 1e-8


def embeddings(X, weight=None):
    """Return the embeddings of the numeric columns of X that are worth trying.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, D)
        Scaled rows.
    weight : ndarray of shape (n,), optional
        Of the rows; by default they weigh one. A row of weight two counts as two rows.

    Returns
    -------
    fronts : list of tuple of AppendedFeatures
        None if there are no numeric columns, and no bins if there are many.
    """
    columns = _numeric_columns(X)
    if not columns:
        return []
    waves = _waves(X, columns)
    return [waves] if len(columns) > _MANY_COLUMNS else [_bins(X, columns, weight), waves]


def embedding(X, name, weight=None):
    """Return the layers that embed the numeric columns of X; warn if there are no such columns.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, D)
        Scaled rows.
    name : {'fourier', 'piecewise_linear'}
    weight : ndarray of shape (n,), optional
        As for `embeddings`.

    Returns
    -------
    front : tuple of AppendedFeatures
    """
    columns = _numeric_columns(X)
    if not columns:
        warn(
            f"numeric_embedding={name!r} embeds nothing: X is sparse, or none of its columns has "
            "more than two values in these rows."
        )
        return ()
    return _waves(X, columns) if name == "fourier" else _bins(X, columns, weight)


def _numeric_columns(X):
    """Columns of more than two values; none of sparse rows."""
    if sparse.issparse(X):
        return ()
    between = ((X.min(axis=0) != X) & (X.max(axis=0) != X)).any(axis=0)
    return tuple(np.flatnonzero(between).tolist())


def _waves(X, columns):
    frequencies = _FREQUENCIES if len(columns) <= _MANY_COLUMNS else _ONE_FREQUENCY
    return (FourierFeatures(n_features=X.shape[1], columns=columns, frequencies=frequencies),)


def _bins(X, columns, weight):
    weight = np.ones(len(X)) if weight is None else weight
    n_bins = max(_FEWEST_BINS, min(round(_BINS_BY_ROOT * weight.sum() ** 0.5), _MOST_BINS))
    n_bins = min(n_bins, max(2, _MOST_IN_ALL // len(columns)))
    points = tuple(_breakpoints(X[:, column], weight, n_bins) for column in columns)
    return (PiecewiseLinear(n_features=X.shape[1], columns=columns, breakpoints=points),)


def _breakpoints(x, weight, n_bins):
    """Ends of bins: quantiles in which a value counts as the root of the weight of its rows.

    So a value that most rows have does not take all bins for itself, and dense parts still have
    more bins than the tails. Ends lie halfway between two values, so that no row is at a kink.
    """
    x = x.astype(np.float64)
    cells = np.round((x - x.min()) / (_FINEST * np.ptp(x)))
    _, first, cell = np.unique(cells, return_index=True, return_inverse=True)
    counts = np.bincount(cell, weight)
    values = x[first]
    values = np.concatenate([[2 * values[0] - values[1]], values, [2 * values[-1] - values[-2]]])
    share = np.cumsum(np.sqrt(counts))
    inner = 1 + np.searchsorted(share, share[-1] * np.arange(1, n_bins) / n_bins)
    kept = np.unique([0, *inner, len(values) - 2])
    return tuple((0.5 * (values[kept] + values[kept + 1])).tolist())
