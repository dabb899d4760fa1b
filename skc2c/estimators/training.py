"""Training of one network or of several: from the ingredients of a fit to fitted attributes."""

import copy
from dataclasses import replace
from typing import NamedTuple

from sklearn.base import BaseEstimator

from skc2c.estimators.assembly import assemble as assemble_one
from skc2c.estimators.callbacks import Tasks
from skc2c.estimators.cross_assembly import assemble as assemble_several
from skc2c.estimators.cross_assembly import folds_of
from skc2c.estimators.fitted import (
    attributes_of_increment,
    attributes_of_one,
    attributes_of_several,
    counted_on,
    function_of_one,
    out_of_fold_attributes,
)
from skc2c.estimators.ingredients import Previous
from skc2c.estimators.intervals import conformal_attributes
from skc2c.estimators.reports import report, report_of_several
from skc2c.estimators.training_data import TrainingData
from skc2c.fitting import cross_fit, fit
from skc2c.machine.processes import InProcesses, n_processes
from skc2c.machine.threads import blas_threads_taken, map_in_order


class Call(NamedTuple):
    """A call of ``fit`` or ``partial_fit``.

    Attributes
    ----------
    checked : Perceptron
        A copy of the estimator, on which the checks of X have set attributes.
    data : TrainingData
        Before y is encoded.
    groups : array-like or None
        Of the labelled rows, for a splitter.
    previous : Previous or None
        What the fit goes on from.
    is_increment : bool
        Whether it is one of ``partial_fit``.
    tasks : Tasks
        Of which callbacks are told.
    """

    checked: BaseEstimator
    data: TrainingData
    groups: object
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
    folds, data = None, call.data
    is_single = estimator.cv is None or estimator.early_stopping or estimator.warm_start
    if not (is_single or call.is_increment):
        folds = folds_of(estimator, ingredients, data.labelled, call.groups)
    if folds is None:
        return {**_train_one(estimator, ingredients, call), "_conformal": None}
    return _train_several(estimator, ingredients, call, folds)


def _train_several(estimator, ingredients, call, folds):
    training = assemble_several(estimator, ingredients, folds)
    end = call.tasks.start(len(training.plan.ends))

    def attributes(found):
        return {
            **attributes_of_several(ingredients, training, found, call.dtype),
            **out_of_fold_attributes(ingredients, training, found, call.data),
            **conformal_attributes(ingredients, training, found),
        }

    after = None if end is None else lambda found: end(lambda: attributes(found))
    found = _cross_fit(training.plan, estimator.n_jobs, after)
    report_of_several(estimator, ingredients, training, found)
    return attributes(found)


def _cross_fit(plan, n_jobs, after):
    """Train several networks: in several processes, or here."""
    k = n_processes(n_jobs)
    if k > 1:
        return cross_fit(plan, InProcesses(n_jobs), k, after)
    # Steps are too small for threads, which would wait for the interpreter all the time; the
    # blocks of a full-batch solver are not.
    with blas_threads_taken() as n_threads:
        if plan.solver.is_stochastic:
            return cross_fit(plan, after=after)
        return cross_fit(plan, map_in_order, n_threads, after)


def _train_one(estimator, ingredients, call):
    def function(network, units, theta):
        return function_of_one(ingredients, network, units, theta, call.dtype)

    def as_fitted(network, units, theta):
        fitted = copy.copy(call.checked)
        vars(fitted).update(function(network, units, theta))
        return fitted

    previous, is_increment = call.previous, call.is_increment
    training = assemble_one(estimator, ingredients, previous, as_fitted, is_increment)
    plan = training.plan
    end = call.tasks.start(plan.max_iter)
    if end is not None:
        plan = replace(
            plan, after=lambda theta: end(lambda: function(plan.network, training.units, theta))
        )
    found = fit(plan)
    attributes = attributes_of_one(ingredients, training, found, call.dtype)
    before = {} if previous is None else vars(estimator)
    if is_increment:
        return attributes_of_increment(ingredients, attributes, before)
    report(estimator, ingredients, training, found)
    return counted_on(attributes, before)
