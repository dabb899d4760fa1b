"""What several members are trained on, and the objectives of all of them together."""

from dataclasses import replace

import numpy as np

from skc2c.objective.members import MembersObjective, MembersTerm
from skc2c.penalties import NoPenalty

# The penalty is taken in every fourth step, on half of a batch. It gives the same losses out of
# fold as all rows in all steps, at less than half of the cost (docs/untuned.md).
PENALIZED, PERIOD = 0.5, 4


def rows_of(plan, fold):
    """Labelled rows that a fold's network is trained on, and its rows of the pool or None."""
    train = plan.folds[fold][0]
    if plan.pool is None:
        return train, None
    return train, np.concatenate([train, np.arange(len(plan.rows), len(plan.pool))])


def members_objective(plan, network, members, features):
    """Return the objectives of members, each on the training rows of its fold.

    Parameters
    ----------
    plan : CrossPlan
    network : Members
    members : list of (Candidate, int)
        With the fold of each.
    features : Rows or None
        The labelled rows behind the layers in front; None if they are computed in each step.

    Returns
    -------
    objective : MembersObjective
    """
    alpha = np.array([candidate.alpha for candidate, _ in members])
    train, pool = zip(*(rows_of(plan, fold) for _, fold in members), strict=True)
    settings = {"likelihood": plan.likelihood, "epsilon": plan.epsilon}
    loss = {"l2": np.full(len(members), plan.l2), "members": list(train), **settings}
    loss["n_per_pass"] = plan.n_train
    if alpha.any() and not plan.penalty.needs_no_label:
        term = MembersTerm(network, penalty=plan.penalty, alpha=alpha, rows=plan.rows, **loss)
        return MembersObjective((term,))
    loss = _loss(plan, network, features, plan.penalty if alpha.any() else NoPenalty(), loss)
    if not alpha.any():
        return MembersObjective((loss,))
    charge = {"penalty": plan.penalty, "alpha": alpha, "l2": np.zeros_like(alpha), **settings}
    if plan.pool is None:
        # The penalty varies less from row to row than the loss, and fewer rows estimate it.
        charge |= {"rows": replace(plan.rows, y=None), "members": list(train)}
        part = {"share": PENALIZED, "period": PERIOD, "n_per_pass": plan.n_train}
        return MembersObjective((loss, MembersTerm(network, **part, **charge)))
    charge |= {"rows": plan.pool, "members": list(pool), "n_per_pass": plan.n_per_pass}
    return MembersObjective((MembersTerm(network, **charge), loss))


def _loss(plan, network, features, penalty, settings):
    """The term of the labelled loss."""
    settings |= {"penalty": penalty.beside_loss, "alpha": np.zeros(len(settings["members"]))}
    if isinstance(penalty.beside_loss, NoPenalty) and features is not None:
        # The loss is taken behind the layers in front, whose output is known beforehand.
        return MembersTerm(network.behind, rows=features, **settings)
    return MembersTerm(network, rows=plan.rows, **settings)
