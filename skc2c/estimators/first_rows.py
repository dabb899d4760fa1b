"""The rows whose spread says in which units training sees inputs and targets."""

from dataclasses import replace

import numpy as np
from scipy import sparse

from skc2c.data.rows import Rows, stacked
from skc2c.estimators.scaled_rows import fit_scaling

# Rows that an incremental fit takes units from at least: quartiles of fewer are too uncertain, and
# those of a single row say nothing at all.
FEWEST = 20


def first_rows(labelled, state):
    """The rows from which units are taken.

    Parameters
    ----------
    labelled : Rows
        Of this call.
    state : dict or None
        Of the fit that goes on; its ``first_rows`` are those of its calls if these were few.

    Returns
    -------
    rows : Rows or None
        None if the units are those of the fits before.
    """
    if state is None:
        return labelled
    before = state.get("first_rows")
    return None if before is None else stacked(Rows(**before), labelled)


def record_of(rows, n_unlabeled):
    """What is kept of them for the next call: nothing if they are enough."""
    if rows is None or len(rows) + n_unlabeled >= FEWEST:
        return None
    return {"X": rows.X, "y": rows.y, "weight": rows.weight}


def scaling_gone_on_with(scaling, rows, kind):
    """The scaling of the fits before, with a scale for features that had been constant.

    Where such a feature is still what it was, the scaled input is zero as before, so that what
    has been learned stays.
    """
    idle = np.flatnonzero(scaling.scale == 0.0)
    if not idle.size:
        return scaling
    X = rows.X[:, idle]
    if not sparse.issparse(X):
        X = np.concatenate([scaling.center[None, idle], X])
    weight = np.ones(X.shape[0])
    found = fit_scaling(Rows(X, None, weight), [], kind)
    scale = scaling.scale.copy()
    scale[idle] = found.scale
    return replace(scaling, scale=scale)


def same(one, other):
    """Whether two scalings or units (or None) are the same but for rounding."""
    if one is None or other is None:
        return one is other
    return all(
        np.allclose(getattr(one, name), getattr(other, name), rtol=1e-9, atol=0.0)
        for name in ("center", "scale")
    )
