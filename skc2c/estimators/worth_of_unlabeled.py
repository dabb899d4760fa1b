"""Whether rows without a label help, or do harm."""

import numpy as np

from skc2c.estimators.confidence import confidence
from skc2c.estimators.scaled_rows import evenly
from skc2c.estimators.targets import Known
from skc2c.fitting import losses_of

# Labelled rows that a fold must leave out to tell whether the unlabelled ones help: of fewer, one
# row more or less decides.
_FEWEST_LEFT_OUT = 10
# Rows that are looked at for a collapse: enough to see a class of a few per cent.
_SAMPLE = 2000


def can_judge(folds):
    """Whether folds leave out enough labelled rows to tell whether the unlabelled ones help."""
    return min(len(test) for _, test in folds) >= _FEWEST_LEFT_OUT


def do_harm(targets, plan, outputs, outputs_alone):
    """Whether the rows without a label do harm to a classifier.

    They do if fewer rows are right with them, if the loss is larger by more than a standard error
    of the difference, or if it is larger at all and no more rows are right. Where rows of a class
    lie together they help by far; elsewhere they may do much harm of which few labels show little
    (docs/semi_supervised.md). The losses are those at the best `confidence` of each: networks that
    are led to be certain where they have no label are too certain, and what they have learned shows
    only when their outputs are shrunk.

    Parameters
    ----------
    targets : Targets
    plan : CrossPlan
    outputs, outputs_alone : ndarray of shape (n, K)
        Out of fold, with and without the rows that have no label.

    Returns
    -------
    harm : bool
    """
    gained = _score(targets, plan, outputs) - _score(targets, plan, outputs_alone)
    if gained < 0.0:
        return True
    with_rows, alone = (confidence(plan, h) * h for h in (outputs, outputs_alone))
    return _is_larger(plan, with_rows, alone, n_errors=1.0 if gained > 0.0 else 0.0)


def _score(targets, plan, outputs):
    """Accuracy on the rows left out."""
    rows = plan.left_out
    return targets.score(outputs[rows], plan.rows.y[rows], plan.rows.weight[rows])


def _is_larger(plan, outputs, others, n_errors):
    """Whether the loss of the rows left out is larger, by more than so many standard errors."""
    difference = losses_of(plan, outputs) - losses_of(plan, others)
    share = plan.rows.weight[plan.left_out] / plan.rows.weight[plan.left_out].sum()
    mean = share @ difference
    return bool(mean > n_errors * np.sqrt(share**2 @ (difference - mean) ** 2))


def collapse(targets, train, pool, networks):
    """What is lost where there is no label.

    Parameters
    ----------
    targets : Targets
    train : Rows
        With a label.
    pool : Rows or None
        Without one.
    networks : list of tuple
        Network, parameters and weight of each.

    Returns
    -------
    lost : str or None
        Words for outputs that are all but constant on the pool, or a class that is all but never
        predicted there; None if there is nothing of the kind.
    """
    if pool is None:
        return None
    some = train.take(evenly(len(train), _SAMPLE))
    return targets.lost(_mean_output(networks, pool), Known(_mean_output(networks, some), some.y))


def gives_up(targets, fitted, alone):
    """Whether a class is given up on the pool that networks find which do not learn from it.

    Parameters
    ----------
    targets : Targets
    fitted, alone : tuple of (Rows, list of tuple)
        The pool, as each of the two fits scales it, and network, parameters and weight of each.

    Returns
    -------
    given_up : bool
    """
    pool, networks = fitted
    pool_alone, networks_alone = alone
    return targets.gives_up(_mean_output(networks, pool), _mean_output(networks_alone, pool_alone))


def _mean_output(networks, rows):
    """Output at some of the rows."""
    X = rows.take(evenly(len(rows), _SAMPLE)).X
    return np.sum([weight * network.forward(theta, X) for network, theta, weight in networks], 0)
