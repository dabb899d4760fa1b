"""A y of one column as an array of one dimension."""

import numpy as np
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.validation import column_or_1d

from skc2c.messages import warn


def column(y):
    """Return y in one dimension, and warn, at the user's line, if it has two.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, 1)

    Returns
    -------
    y : ndarray of shape (n,)

    Raises
    ------
    ValueError
        If y has another shape.
    """
    flat = column_or_1d(y)
    if np.shape(y)[1:] == (1,):
        warn(
            "A column-vector y was passed when a 1d array was expected. Pass y of shape "
            "(n_samples,), for example y.ravel().",
            DataConversionWarning,
        )
    return flat
