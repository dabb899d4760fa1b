"""Training of one network or of several: from the ingredients of a fit to fitted attributes."""

import copy
from dataclasses import replace
from typing import NamedTuple

from sklearn.base import BaseEstimator

from skc2c.estimators.adjustment import adjusted
from skc2c.estimators.assembly import assemble as assemble_one
from skc2c.estimators.callbacks import Tasks
from skc2c.estimators.cross_assembly import CrossTraining, folds_of
from skc2c.estimators.cross_assembly import assemble as assemble_several
from skc2c.estimators.few_labels import (
    all_rows,
    assemble_few,
    few_labels,
)
from skc2c.estimators.fitted import (
    attributes_of_increment,
    attributes_of_one,
    attributes_of_several,
    counted_on,
    function_of_one,
    out_of_fold_attributes,
)
from skc2c.estimators.ingredients import Ingredients, Previous, without_unlabeled
from skc2c.estimators.intervals import conformal_attributes
from skc2c.estimators.reports import report, report_of_several
from skc2c.estimators.self_training import self_taught
from skc2c.estimators.training_data import TrainingData
from skc2c.estimators.worth_of_unlabeled import (
    can_judge,
    collapse,
    do_harm,
    gives_up,
)
from skc2c.fitting import CrossFit, cross_fit, fit
from skc2c.machine.processes import in_processes, n_processes
from skc2c.machine.threads import blas_threads_taken, map_in_order
from skc2c.messages import warn


class Call(NamedTuple):
    """A call of ``fit`` or ``partial_fit``.

    Attributes
    ----------
    checked : Perceptron
        A copy of the estimator, on which the checks of X have set attributes.
    data : TrainingData
        Before y is encoded.
    previous : Previous or None
        What the fit goes on from.
    is_increment : bool
        Whether it is one of ``partial_fit``.
    tasks : Tasks
        Of which callbacks are told.
    """

    checked: BaseEstimator
    data: TrainingData
    previous: Previous | None
    is_increment: bool
    tasks: Tasks

    @property
    def dtype(self):
        """Of the fitted attributes: that of X."""
        return self.data.labelled.X.dtype


def train(estimator, ingredients, call):
    """Train one network or several.

    Parameters
    ----------
    estimator : Perceptron
        Its parameters are read.
    ingredients : Ingredients
    call : Call

    Returns
    -------
    attributes : dict
        Fitted attributes.
    """
    is_single = estimator.cv is None or estimator.early_stopping or estimator.warm_start
    if is_single or call.is_increment:
        if call.data.groups is not None:
            warn(
                "groups is ignored: it is for folds, and one network is trained with "
                f"cv={estimator.cv!r}, early_stopping={estimator.early_stopping!r} and "
                f"warm_start={estimator.warm_start!r}."
            )
        return {**_train_one(estimator, ingredients, call), "_conformal": None}
    folds = folds_of(estimator, ingredients, call.data)
    with blas_threads_taken():  # so that components do not depend on their number
        few = few_labels(estimator, ingredients)
        if few is not None:
            return _train_few(estimator, ingredients, few, call, folds)
    if folds is None:
        return {**_train_one(estimator, ingredients, call), "_conformal": None}
    if ingredients.unlabeled and isinstance(estimator.alpha, str):
        return _train_twice(estimator, ingredients, call, folds)
    training = assemble_several(estimator, ingredients, folds)
    end = call.tasks.start(len(training.plan.ends))
    found = _train_several(estimator, ingredients, training, call, end)
    return _reported(estimator, ingredients, training, found, call)


def _after(end, attributes):
    """What is to be called after each iteration with what there is: None if nobody is told."""
    return None if end is None else lambda found: end(lambda: attributes(found))


def _train_several(estimator, ingredients, training, call, end):
    """Train networks side by side, among which the rows that they leave out choose."""

    def attributes(found):
        return _attributes_of_several(ingredients, training, found, call)

    return _cross_fit(training.plan, estimator.n_jobs, _after(end, attributes))


def _reported(estimator, ingredients, training, found, call):
    """Fitted attributes, once a user was told what to know about the fit."""
    report_of_several(estimator, ingredients, training, found)
    return _attributes_of_several(ingredients, training, found, call)


def _attributes_of_several(ingredients, training, found, call):
    training = adjusted(training, ingredients.targets, found.outputs)
    return {
        **attributes_of_several(ingredients, training, found, call.dtype),
        **out_of_fold_attributes(ingredients, training, found, call.data),
        **conformal_attributes(ingredients, training, found),
    }


def _train_twice(estimator, ingredients, call, folds):
    """Train networks on the labelled rows, and others on what these say of the unlabelled ones.

    What is known out of fold is that of the first fit: by it, the second has seen the rows that it
    leaves out.
    """
    alone, training = _alone(estimator, ingredients, folds)
    end = call.tasks.start(2 * len(training.plan.ends))
    first = _train_several(estimator, alone, training, call, end)
    if first.interrupted or call.tasks.stopped or not alone.targets.can_teach:
        return _reported(estimator, alone, training, first, call)

    def both(second):
        return first._replace(pupils=second.networks, interrupted=second.interrupted)

    def attributes(second):
        return _attributes_of_several(alone, training, both(second), call)

    plan = self_taught(alone, training.plan, first.networks, ingredients.unlabeled)
    try:
        found = both(_cross_fit(plan, estimator.n_jobs, _after(end, attributes)))
    except KeyboardInterrupt:  # before there was anything to add
        found = first._replace(interrupted=True)
    return _reported(estimator, alone, training, found, call)


class _Trial(NamedTuple):
    """A fit with folds, and what came of it."""

    ingredients: Ingredients
    training: CrossTraining
    found: CrossFit


def _train_few(estimator, plain, few, call, folds):
    """Train networks on all labels and on rows without one, unless these are seen to do harm.

    They do if the labelled rows that folds leave out say so, or if a class is lost among them.
    """
    whole = assemble_few(estimator, few, all_rows(estimator, few, folds))
    fits = _fits_with_folds(estimator, plain, few, folds)
    end = call.tasks.start(sum(len(training.plan.ends) for _, training in fits) + 1)
    trials = _trials(estimator, fits, call, end)
    if trials and (trials[-1].found.interrupted or call.tasks.stopped):
        return _reported(estimator, *trials[-1], call)
    if len(trials) == 2 and _is_harmed(few.targets, *trials):
        return _reported(estimator, *trials[1], call)
    out_of_fold = {}
    if trials:
        judged = _adjusted(trials[0]) if can_judge(folds) else trials[0]
        out_of_fold = out_of_fold_attributes(*judged, call.data)
        known = judged.training
        whole = replace(whole, factor=known.factor, shift=known.shift)
    fitted = _Trial(few, whole, _train_several(estimator, few, whole, call, end))
    if len(trials) == 2 and _loses_a_class(fitted, trials[1]):
        return _reported(estimator, *trials[1], call)
    return _reported(estimator, *fitted, call) | out_of_fold


def _trials(estimator, fits, call, end):
    """Fits with folds, one after another, up to one that the user or a callback ends."""
    trials = []
    for ingredients, training in fits:
        found = _train_several(estimator, ingredients, training, call, end)
        trials.append(_Trial(ingredients, training, found))
        if found.interrupted or call.tasks.stopped:
            break
    return trials


def _is_harmed(targets, fitted, alone):
    """Whether the fit with the unlabelled rows is worse out of fold than that without them."""
    outputs = fitted.found.outputs, alone.found.outputs
    return do_harm(targets, fitted.training.plan, *outputs)


def _loses_a_class(fitted, alone):
    """Whether a class is lost on the rows without a label, be it only by learning from them."""
    targets, plan = fitted.ingredients.targets, fitted.training.plan
    networks = fitted.found.networks
    if collapse(targets, plan.rows, plan.pool, networks) is not None:
        return True
    as_alone = replace(alone.ingredients, unlabeled=fitted.ingredients.unlabeled)
    pool = as_alone.pool(alone.training.rows)
    return gives_up(targets, (plan.pool, networks), (pool, alone.found.networks))


def _alone(estimator, ingredients, folds):
    """The fit that does without the rows that have no label."""
    alone = without_unlabeled(estimator, ingredients)
    return alone, assemble_several(estimator, alone, folds)


def _fits_with_folds(estimator, plain, few, folds):
    """Fits that measure with folds what rows without a label are worth.

    The first learns from them; the second does not, if it is left to the fit whether to.
    """
    if folds is None:
        return []
    fits = [(few, assemble_few(estimator, few, folds))]
    if isinstance(estimator.alpha, str) and can_judge(folds):
        fits.append(_alone(estimator, plain, folds))
    return fits


def _adjusted(trial):
    """The trial with outputs that claim what the rows left out bear out."""
    targets, outputs = trial.ingredients.targets, trial.found.outputs
    return trial._replace(training=adjusted(trial.training, targets, outputs))


def _cross_fit(plan, n_jobs, after):
    """Train several networks: on several processes, or here."""
    k = n_processes(n_jobs)
    with blas_threads_taken() as n_threads:
        if k > 1:
            with in_processes(n_jobs) as over_shares:
                return cross_fit(plan, over_shares, k, after)
        # Steps are too small for threads, which would wait for the interpreter all the time; the
        # blocks of a full-batch solver are not.
        if plan.solver.is_stochastic:
            return cross_fit(plan, after=after)
        return cross_fit(plan, map_in_order, n_threads, after)


def _train_one(estimator, ingredients, call):
    def function(network, units, theta):
        return function_of_one(ingredients, network, units, theta, call.dtype)

    def as_fitted(network, units, theta):
        fitted = copy.copy(call.checked)
        vars(fitted).pop("feature_names_in_", None)  # a scorer is given arrays
        vars(fitted).update(function(network, units, theta))
        return fitted

    previous, is_increment = call.previous, call.is_increment
    training = assemble_one(estimator, ingredients, previous, as_fitted, is_increment)
    plan = training.plan
    end = call.tasks.start(plan.max_iter)

    def so_far(theta):
        return function(plan.network, training.units, theta)

    found = fit(replace(plan, after=_after(end, so_far)))
    attributes = attributes_of_one(ingredients, training, found, call.dtype)
    before = {} if previous is None else vars(estimator)
    if is_increment:
        return attributes_of_increment(ingredients, attributes, before)
    report(estimator, ingredients, training, found)
    return counted_on(attributes, before)
