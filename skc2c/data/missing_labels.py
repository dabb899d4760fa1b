"""Which rows of y have no label."""

import numpy as np
from scipy import sparse


def is_missing(y, missing_label):
    """Find the rows of y that are marked as unlabelled.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_outputs)
    missing_label : object
        The mark, such as -1 or NaN; None if there is none. NaN (or pandas' NA) stands for
        all that means missing: NaN, NA and None.

    Returns
    -------
    missing : ndarray of bool of shape (n,)

    Raises
    ------
    ValueError
        If only some of the outputs of a row are marked, if the mark cannot be in y, or
        if y is sparse.

    Examples
    --------
    >>> from skc2c.data.missing_labels import is_missing
    >>> is_missing(["a", "?", "b"], "?")
    array([False,  True, False])
    >>> is_missing([[1.0, 2.0], [float("nan")] * 2], float("nan"))
    array([False,  True])
    """
    if sparse.issparse(y):
        raise ValueError("A sparse y cannot be marked with missing_label. Use X_unlabeled.")
    if missing_label is None:
        return np.zeros(len(y), dtype=bool)
    if np.ndim(missing_label) > 0:
        raise ValueError(f"missing_label must be one value. Got {missing_label!r} instead.")
    marked = _marks(_values(y), missing_label).reshape(len(y), -1)
    missing = marked.all(axis=1)
    if (marked.any(axis=1) != missing).any():
        raise ValueError(
            f"missing_label={missing_label!r} marks only some of the outputs of a row of y. "
            "A row is labelled in all of them or in none."
        )
    return missing


def divided(y, missing_label):
    """Divide the rows of y into those that have a label and the others.

    Parameters
    ----------
    y, missing_label
        As for `is_missing`.

    Returns
    -------
    labelled, unlabeled : ndarray of int
        Which rows these are, ascending.

    Raises
    ------
    ValueError
        If no row has a label, and where `is_missing` raises one.
    """
    missing = is_missing(y, missing_label)
    if missing.all():
        raise ValueError(f"No row of y has a label: all are missing_label={missing_label!r}.")
    return np.flatnonzero(~missing), np.flatnonzero(missing)


def labels(y, labelled):
    """Labels of the rows that have one, in the dtype that they have without the mark."""
    kept = _values(y)[labelled]
    return np.array(kept.tolist()) if kept.dtype == object else kept


def _values(y):
    """Y as an array that keeps every value as it is: a list of strings and a NaN, say."""
    if isinstance(y, np.ndarray):
        return y
    values = np.asarray(y, dtype=object)
    numbers = np.asarray(y) if getattr(getattr(y, "dtype", None), "kind", "O") in "biuf" else values
    return values if numbers.dtype == object else numbers


def _marks(values, missing_label):
    if values.dtype.kind in "US" and not isinstance(missing_label, str):
        raise ValueError(f"y holds strings, of which missing_label={missing_label!r} is none.")
    if _is_nan(missing_label):
        if values.dtype != object:
            return values != values
        return np.array([v is None or _is_nan(v) for v in values.ravel()], dtype=bool)
    if values.dtype != object:
        return np.broadcast_to(values == missing_label, values.shape)
    return np.array([_equal(v, missing_label) for v in values.ravel()], dtype=bool)


def _is_nan(value):
    try:
        return bool(value != value)
    except TypeError:  # pandas' NA is neither equal to itself nor not
        return True


def _equal(value, mark):
    return isinstance(value, str) == isinstance(mark, str) and not _is_nan(value) and value == mark
