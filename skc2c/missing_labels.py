"""Which rows of y have no label."""

from numbers import Real

import numpy as np


def is_missing(y, missing_label):
    """Find the rows of y that are marked as unlabelled.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_outputs)
    missing_label : object
        The mark, such as -1 or NaN; None if there is none.

    Returns
    -------
    missing : ndarray of bool of shape (n,)

    Raises
    ------
    ValueError
        If only some of the outputs of a row are marked.

    Examples
    --------
    >>> from skc2c.missing_labels import is_missing
    >>> is_missing(["a", "?", "b"], "?")
    array([False,  True, False])
    >>> is_missing([[1.0, 2.0], [float("nan")] * 2], float("nan"))
    array([False,  True])
    """
    y = np.asarray(y)
    if missing_label is None:
        return np.zeros(len(y), dtype=bool)
    is_nan = isinstance(missing_label, Real) and np.isnan(missing_label)
    marked = y != y if is_nan else y == missing_label
    marked = np.broadcast_to(marked, y.shape).reshape(len(y), -1).astype(bool)
    missing = marked.all(axis=1)
    if (marked.any(axis=1) != missing).any():
        raise ValueError(
            f"missing_label={missing_label!r} marks only some of the outputs of a row of y. "
            "A row is labelled in all of them or in none."
        )
    return missing
