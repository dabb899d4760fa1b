"""The features of rows: their numbers, names and scales."""

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing, gen_batches
from sklearn.utils.validation import _num_samples

# Jacobians of so many rows are held at once.
_ROWS = 256


def row_parts(X):
    """Rows in parts whose Jacobians fit into memory."""
    return [_safe_indexing(X, rows) for rows in gen_batches(_num_samples(X), _ROWS)]


def numeric_columns(X):
    """Which columns of rows are numbers: a mask, all of them unless X is a data frame of pandas."""
    if not hasattr(X, "select_dtypes"):
        return np.ones(np.shape(X)[1], dtype=bool)
    return X.columns.isin(X.select_dtypes("number").columns)


def numbers(X):
    """The numeric columns of rows, as a dense array in float64."""
    if hasattr(X, "select_dtypes"):
        return X.select_dtypes("number").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float64)


def with_numbers(X, values):
    """Rows like X whose numeric columns have other values; X itself stays as it is."""
    if not hasattr(X, "select_dtypes"):
        dtype = getattr(X, "dtype", None)
        return values.astype(np.float32) if dtype == np.float32 else values
    X = X.copy()
    X[X.select_dtypes("number").columns] = values
    return X


def scale_of(values, scale):
    """What a unit of each feature is.

    Parameters
    ----------
    values : ndarray of shape (n, D)
    scale : {'std'}, array-like of shape (D,) or None
        As displays take it.

    Returns
    -------
    scale : ndarray of shape (D,)

    Raises
    ------
    ValueError
        If it is none of these, or has an entry that is negative or not finite.
    """
    n_features = values.shape[1]
    if scale is None:
        return np.ones(n_features)
    if isinstance(scale, str) and scale == "std":
        return np.nanstd(values, axis=0)
    found = np.asarray(scale)
    is_number = found.dtype.kind in "fiu" and found.shape == (n_features,)
    if not (is_number and np.isfinite(found).all() and (found >= 0.0).all()):
        raise ValueError(
            "scale must be 'std', None or an array with one finite number, not negative, for each "
            f"of the {n_features} features. Got {scale!r} instead."
        )
    return found.astype(np.float64)


def unit_name(scale):
    """What a unit of a feature is, in words for a label; none if they are the feature's own."""
    if scale is None:
        return ""
    return "std of the feature" if isinstance(scale, str) else "`scale` of the feature"


def names_of_features(estimator, X, names, n_features):
    """Names of features: those given, or those that the estimator or X has, or x0, x1, ..."""
    if names is None:
        names = getattr(estimator, "feature_names_in_", getattr(X, "columns", None))
    if names is None:
        names = [f"x{i}" for i in range(n_features)]
    return checked_names(names, n_features, "feature_names")


def checked_names(names, n, parameter):
    """Names as a list of strings.

    Raises
    ------
    ValueError
        If they are not n.
    """
    names = [str(name) for name in names]
    if len(names) != n:
        raise ValueError(f"{parameter} must have {n} names. Got {len(names)}: {names}.")
    return names
