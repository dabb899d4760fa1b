"""Self-training of a regressor: rows without a label get the targets that a first fit predicts.

The mean of networks that were trained on different folds errs less than each of them. Further
networks, which are trained on the labelled rows and on what this mean predicts for others, come
close to it each, and the mean of all errs less again (docs/semi_supervised.md).
"""

from dataclasses import replace

import numpy as np
from scipy import sparse

from skc2c.data.rows import Rows, stacked
from skc2c.estimators.cross_assembly import seeds
from skc2c.estimators.scaled_rows import evenly
from skc2c.machine.threads import map_in_order
from skc2c.network.blocks import outputs

# Weight of the rows that the first fit has labelled, as a part of that of the others: with a tenth
# or the whole of it less is gained (docs/semi_supervised.md).
_SHARE = 0.3
# How many such rows there are at most, so that a large pool costs no more; a few hundred do as
# well.
_MOST = 2000


def self_taught(ingredients, plan, networks, unlabeled):
    """Return the plan of a second fit, like that of the first but with further rows.

    Parameters
    ----------
    ingredients : Ingredients
        Of the first fit, which was made without these rows.
    plan : CrossPlan
        Of the first fit.
    networks : list of tuple
        Network, parameters and weight of each of its networks.
    unlabeled : list
        Matrices of raw rows without a label.

    Returns
    -------
    plan : CrossPlan
        The further rows are dealt to the folds.
    """
    rows, streams = plan.rows, ingredients.streams
    pool = replace(ingredients, unlabeled=unlabeled).pool(rows)
    X = _some(pool, len(rows), sparse.issparse(rows.X))
    h = sum(
        weight * outputs(network, theta[: network.size], X, map_in_order)
        for network, theta, weight in networks
    )
    y = plan.likelihood.mean(h).astype(rows.y.dtype)
    weight = np.full(len(y), _SHARE * rows.weight.sum() / len(y))
    folds = _dealt(plan.folds, len(rows), len(y), streams.split)
    return replace(
        plan,
        rows=stacked(rows, Rows(X, y, weight)),
        folds=folds,
        seeds=seeds(streams.initial, len(folds)),
    )


def _some(pool, n, is_sparse):
    """Inputs of some of the rows of a pool that come after the first n, which have a label."""
    n_further = len(pool) - n
    X = pool.take(n + evenly(n_further, min(n_further, _MOST))).X
    return sparse.csr_matrix(X) if is_sparse else X


def _dealt(folds, n, n_further, rng):
    """The folds of n rows, to which further ones are dealt at random."""
    place = rng.permutation(n_further) % len(folds)

    def extended(part, further):
        return np.append(part, n + np.flatnonzero(further))

    return [
        (extended(train, place != i), extended(test, place == i))
        for i, (train, test) in enumerate(folds)
    ]
