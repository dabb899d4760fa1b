"""Rows without a label as a regressor learns from them: with what a first fit says of them.

The mean of networks that were trained on different folds errs less than each of them. Networks that
are trained on the labelled rows and on further ones, whose targets are this mean, come close to it
each, and the mean of all errs less again (docs/semi_supervised.md). Rows without a label need not
lie in clusters for this, which real targets have no use for.
"""

from dataclasses import replace

import numpy as np
from scipy import sparse

from skc2c.data.rows import Rows, Stack
from skc2c.estimators.cross_assembly import seeds
from skc2c.estimators.scaled_rows import evenly, inputs_in_training
from skc2c.machine.threads import map_in_order
from skc2c.network.blocks import outputs

# Weight of the rows that the first fit has labelled, as a part of that of the others: as much as
# these gains less (docs/semi_supervised.md).
_SHARE = 0.3
# How many such rows there are at most: a few hundred do as well.
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
    X = _some(unlabeled, rows.X, ingredients)
    h = sum(
        weight * outputs(network, theta[: network.size], X, map_in_order)
        for network, theta, weight in networks
    )
    y = plan.likelihood.mean(h).astype(rows.y.dtype)
    weight = np.full(len(y), _SHARE * rows.weight.sum() / len(y))
    both = Rows(
        sparse.vstack([rows.X, X], "csr") if sparse.issparse(X) else np.concatenate([rows.X, X]),
        np.concatenate([rows.y, y]),
        np.concatenate([rows.weight, weight]),
    )
    folds = _dealt(plan.folds, len(rows), len(y), streams.split)
    return replace(plan, rows=both, folds=folds, seeds=seeds(streams.initial, len(folds)))


def _some(unlabeled, X, ingredients):
    """Some of the unlabelled rows, in the format of the rows of training."""
    stack = Stack(unlabeled, ingredients.labelled.X.dtype)
    taken = stack[evenly(stack.shape[0], min(stack.shape[0], _MOST))]
    if sparse.issparse(X):
        taken = sparse.csr_matrix(taken)
    return inputs_in_training(taken, X.dtype, ingredients.transformation)


def _dealt(folds, n, n_further, rng):
    """The folds of n rows, to which further ones are dealt at random."""
    place = rng.permutation(n_further) % len(folds)

    def extended(part, further):
        return np.append(part, n + np.flatnonzero(further))

    return [
        (extended(train, place != i), extended(test, place == i))
        for i, (train, test) in enumerate(folds)
    ]
