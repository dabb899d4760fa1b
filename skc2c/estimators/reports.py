"""What a user should know about a fit: warnings, and the words of an error."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skc2c.estimators.worth_of_unlabeled import collapse
from skc2c.messages import warn
from skc2c.penalties import NoPenalty

# A network that was best within so many epochs has hardly been trained.
_TOO_SOON = 2


def report(estimator, ingredients, training, found):
    """Warn of what a user should know about a fit of one network."""
    plan = training.plan
    report_ending(estimator, found)
    if _is_hardly_trained(plan, found):
        warn(
            f"Early stopping kept the parameters of iteration "
            f"{np.argmax(found.validation_scores) + 1}: the score of the held-out rows hardly "
            "improved. Hold out more rows (validation_fraction), lower learning_rate_init, or use "
            "cv instead.",
            ConvergenceWarning,
        )
    if plan.alpha > 0.0:
        networks = [(plan.network, found.theta, 1.0)]
        _warn_of_collapse(estimator, ingredients.targets, plan.train, plan.pool, networks)


def _is_hardly_trained(plan, found):
    """Whether early stopping kept nearly the initial parameters, and y left something to learn."""
    scores = found.validation_scores
    return bool(scores) and np.argmax(scores) < _TOO_SOON and np.ptp(plan.train.y, axis=0).any()


def report_ending(estimator, found):
    """Warn of a fit that was interrupted or has not converged."""
    if found.interrupted:
        warn("Training interrupted by user.")
    if found.message is not None:
        warn(
            f"{type(estimator).__name__} has not converged with solver={estimator.solver!r}: "
            f"{found.message}.",
            ConvergenceWarning,
        )


def report_of_several(estimator, ingredients, training, found):
    """Warn of what a user should know about a fit of several networks."""
    report_ending(estimator, found)
    plan = training.plan
    _warn_of_collapse(estimator, ingredients.targets, plan.rows, plan.pool, found.networks)


def _warn_of_collapse(estimator, targets, train, pool, networks):
    """Warn if outputs on the pool are all but constant, or a class is lost there."""
    lost = collapse(targets, train, pool, networks)
    if lost is not None:
        warn(
            f"{type(estimator).__name__} has collapsed on the rows without a label: {lost}. Lower "
            f"alpha={estimator.alpha} or epsilon={estimator.epsilon}{targets.other_cure}; or "
            "train for longer, if that was short."
        )


def divergence_message(estimator, ingredients, error):
    """Say what to do about a loss that is not finite."""
    rate = f"learning_rate_init={estimator.learning_rate_init}"
    roughness = f"alpha={estimator.alpha} or epsilon={estimator.epsilon}"
    given = [rate] if ingredients.solver.is_stochastic else []
    given += [] if isinstance(ingredients.penalty, NoPenalty) else [roughness]
    lower = f"Lower {', '.join(given)}, or scale" if given else "Scale"
    return (
        f"{type(estimator).__name__} diverged: {error}. {lower} X to zero mean and unit variance "
        "(and see that neither y nor sample_weight is of extreme size)."
    )
