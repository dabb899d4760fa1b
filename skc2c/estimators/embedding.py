"""The embedding of numeric columns: which they are, and at what frequencies they enter."""

import numpy as np
from scipy import sparse

from skc2c.network.fourier_features import FourierFeatures

# Turns per unit of a scaled column, whose unit is the interquartile range: from a fifth of a wave
# to a whole one over the middle half of the rows.
_FREQUENCIES = (0.2, 0.5, 1.0)
# With more numeric columns than this, one frequency is as good and cheaper (docs/untuned.md).
_MANY_COLUMNS = 25
_ONE_FREQUENCY = (0.4,)


def embedding(X):
    """Return layers that embed the numeric columns of X: none if there are no such columns.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, D)
        Scaled rows.

    Returns
    -------
    front : tuple of FourierFeatures
    """
    columns = () if sparse.issparse(X) else _numeric_columns(X)
    if not columns:
        return ()
    frequencies = _FREQUENCIES if len(columns) <= _MANY_COLUMNS else _ONE_FREQUENCY
    return (FourierFeatures(n_features=X.shape[1], columns=columns, frequencies=frequencies),)


def _numeric_columns(X):
    """Columns of more than two values."""
    between = ((X.min(axis=0) != X) & (X.max(axis=0) != X)).any(axis=0)
    return tuple(np.flatnonzero(between).tolist())
