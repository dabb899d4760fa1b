"""What the classifier and the regressor share: parameters, and fit as plan, record, attributes."""

import copy
from abc import ABC, abstractmethod
from dataclasses import replace
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from skc2c.estimators.assembly import assemble as assemble_one
from skc2c.estimators.callbacks import CallbackSupportMixin, Tasks, rows_of
from skc2c.estimators.cross_assembly import assemble as assemble_several
from skc2c.estimators.cross_assembly import folds_of
from skc2c.estimators.fitted import (
    attributes_of_increment,
    attributes_of_one,
    attributes_of_several,
    function_of_one,
    network_as_one,
    network_of,
    out_of_fold_attributes,
    scaling_of,
)
from skc2c.estimators.ingredients import Previous, gather
from skc2c.estimators.reports import divergence_message, report, report_of_several
from skc2c.estimators.targets import Units
from skc2c.estimators.training_data import Labelled, check_training_data
from skc2c.fitting import Streams, cross_fit, fit
from skc2c.inspection import FittedFunction
from skc2c.machine.memory import keep_freed_memory
from skc2c.machine.processes import InProcesses, n_processes
from skc2c.machine.threads import blas_threads_taken, map_in_order
from skc2c.network import ACTIVATIONS
from skc2c.network.blocks import outputs
from skc2c.penalties import PENALTIES, Penalty, make_penalty
from skc2c.random_streams import advance_with, streams
from skc2c.solvers import SOLVERS, DivergenceError, Solver, make_solver

_NON_NEGATIVE = Interval(Real, 0, None, closed="left")
_POSITIVE = Interval(Real, 0, None, closed="neither")
_COUNT = Interval(Integral, 1, None, closed="left")
_FLOATS = (np.float64, np.float32)


class Increment(NamedTuple):
    """What is said of all targets where a fit is given a part of them."""

    classes: object = None


class Perceptron(CallbackSupportMixin, BaseEstimator, ABC):
    """A penalised multilayer perceptron; a subclass says what y means.

    A subclass implements ``_encode`` and ``_targets``, and may set ``_y_checks``.
    """

    _y_checks = {"multi_output": True}

    _parameter_constraints = {
        "hidden_layer_sizes": ["array-like", _COUNT],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "penalty": [StrOptions(set(PENALTIES) - {None}), Penalty, None],
        "alpha": [StrOptions({"auto"}), _NON_NEGATIVE],
        "epsilon": [StrOptions({"scale"}), _NON_NEGATIVE, "array-like"],
        "cv": [Interval(Integral, 2, None, closed="left"), "cv_object", None],
        "input_scaling": [StrOptions({"robust"}), None],
        "numeric_embedding": [StrOptions({"auto", "fourier"}), None],
        "l2": [_NON_NEGATIVE],
        "solver": [StrOptions(set(SOLVERS)), Solver],
        "batch_size": [StrOptions({"auto"}), _COUNT],
        "learning_rate_init": [_POSITIVE],
        "max_iter": [StrOptions({"auto"}), _COUNT],
        "shuffle": ["boolean"],
        "tol": [_NON_NEGATIVE],
        "early_stopping": ["boolean"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [_COUNT, Options(Real, {np.inf})],
        "warm_start": ["boolean"],
        "missing_label": "no_validation",  # any object may mark a row
        "dtype": [StrOptions({"auto", "float32", "float64"})],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def _set_parameters(self, values):
        """Store what ``__init__`` was given; `values` are its local variables."""
        for name, value in values.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    @abstractmethod
    def _encode(self, y, weight, known, increment):
        """Find out what y is, and encode it.

        Parameters
        ----------
        y : ndarray
        weight : ndarray of shape (n,) or None
        known : Targets or None
            Of the fit that this one goes on from.
        increment : Increment or None
            If y is only a part of all targets.

        Returns
        -------
        targets : Targets
        y : ndarray of shape (n, T)
        weight : ndarray of shape (n,) or None
        """

    @abstractmethod
    def _targets(self):
        """What y was in the last fit, as `Targets`."""

    # ------------------------------------------------------------------------- fitting

    def _fit(self, X, y, weight, X_unlabeled, groups=None, increment=None, **validation):
        """Fit, and set all attributes at the end: an error leaves `self` as it was."""
        keep_freed_memory()
        self._validate_params()
        settings = {"penalty": make_penalty(self.penalty), "solver": make_solver(self.solver)}
        settings["hidden_units"] = self._hidden_units()
        previous = self._previous(increment is not None)
        # scikit-learn's checks set attributes; these are set on a stand-in.
        checked, draws = copy.copy(self), copy.deepcopy(self.random_state)
        arguments = X, y, weight, X_unlabeled
        data = check_training_data(checked, *arguments, reset=previous is None, **validation)
        given = data.labelled
        known = previous and previous.targets
        targets, y, weight = self._encode(given.y, given.weight, known, increment)
        ingredients = gather(
            self,
            data=data._replace(labelled=Labelled(given.X, y, weight)),
            targets=targets,
            streams=Streams(*streams(draws, len(Streams._fields))),
            previous=previous,
            **settings,
        )
        tasks = Tasks(self, rows_of(X, data), _of_X(checked))
        try:
            attributes = self._train(ingredients, data, groups, previous, checked, increment, tasks)
        except DivergenceError as error:
            raise ValueError(divergence_message(self, ingredients, error)) from error
        advance_with(self.random_state, draws)
        _replace_fitted(self, _of_X(checked) | attributes)
        tasks.finish()
        return self

    def _train(self, ingredients, data, groups, previous, checked, increment, tasks):
        """Train one network or several; return the fitted attributes."""
        dtype, folds = data.labelled.X.dtype, None
        if not (increment or self.cv is None or self.early_stopping or self.warm_start):
            folds = folds_of(self, ingredients, data.labelled, groups)
        if folds is None:
            return self._train_one(ingredients, dtype, previous, checked, increment, tasks)
        training = assemble_several(self, ingredients, folds)
        end = tasks.start(len(training.plan.ends))

        def attributes(found):
            return attributes_of_several(ingredients, training, found, dtype) | (
                out_of_fold_attributes(ingredients, training, found, data)
            )

        after = None if end is None else lambda found: end(lambda: attributes(found))
        found = self._cross_fit(training.plan, after)
        report_of_several(self, ingredients, training, found)
        return attributes(found)

    def _cross_fit(self, plan, after):
        """Train several networks: in several processes, or here."""
        n_jobs = n_processes(self.n_jobs)
        if n_jobs > 1:
            return cross_fit(plan, InProcesses(self.n_jobs), n_jobs, after)
        # Steps are too small for threads, which would wait for the interpreter all the time; the
        # blocks of a full-batch solver are not.
        with blas_threads_taken() as n_threads:
            if plan.solver.is_stochastic:
                return cross_fit(plan, after=after)
            return cross_fit(plan, map_in_order, n_threads, after)

    def _train_one(self, ingredients, dtype, previous, checked, increment, tasks):
        def function(*parts):
            return function_of_one(ingredients, *parts, dtype)

        def as_fitted(*parts):
            fitted = copy.copy(checked)
            vars(fitted).update(function(*parts))
            return fitted

        training = assemble_one(self, ingredients, previous, as_fitted, increment is not None)
        plan, units = training.plan, training.units
        end = tasks.start(plan.max_iter)
        if end is not None:
            plan = replace(
                plan, after=lambda theta: end(lambda: function(plan.network, units, theta))
            )
        found = fit(plan)
        if increment is not None:
            before = {} if previous is None else vars(self)
            return attributes_of_increment(ingredients, training, found, dtype, before)
        report(self, ingredients, training, found)
        return attributes_of_one(ingredients, training, found, dtype)

    def _hidden_units(self):
        sizes = self.hidden_layer_sizes
        units = tuple(sizes) if np.iterable(sizes) else (sizes,)
        if not all(isinstance(unit, Integral) and unit > 0 for unit in units):
            raise ValueError(
                "The 'hidden_layer_sizes' parameter must hold positive integers only, "
                f"one for each hidden layer. Got {sizes!r} instead."
            )
        return tuple(int(unit) for unit in units)

    def _previous(self, is_partial):
        """What a warm start or an incremental fit goes on from, or None."""
        if not ((self.warm_start or is_partial) and hasattr(self, "coefs_")):
            return None
        if self.n_networks_ > 1 and not is_partial:
            raise ValueError(
                "warm_start=True goes on with one network, but the previous fit made "
                f"{self.n_networks_} (cv={self.cv!r}). Set warm_start=True from the first fit on."
            )
        return Previous(
            network=network_as_one(self),
            scaling=scaling_of(self),
            targets=self._targets(),
            coefs=self.coefs_,
            intercepts=self.intercepts_,
            penalty_parameters=self.penalty_parameters_,
            units=Units(**self._state["units"]),
            state=self._state,
        )

    # ------------------------------------------------------------------ the fitted model

    def _fitted_function(self):
        """What `inspection` measures, in float64."""
        check_is_fitted(self)
        network, theta = network_of(self, np.float64)
        return FittedFunction(
            network=network,
            likelihood=self._targets().likelihood,
            theta=theta,
            penalty_parameters=self.penalty_parameters_.astype(np.float64),
            n_networks=self.n_networks_,
        )

    def _check_X(self, X):
        check_is_fitted(self)
        return validate_data(self, X, accept_sparse="csr", dtype=_FLOATS, reset=False)

    def _link(self, X):
        """``h`` at raw X, (n, K)."""
        X = self._check_X(X)
        keep_freed_memory()
        return outputs(*network_of(self), X, map_in_order)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _of_X(checked):
    """What scikit-learn's checks have set, not the fit."""
    names = ("n_features_in_", "feature_names_in_")
    return {name: vars(checked)[name] for name in names if name in vars(checked)}


def _replace_fitted(estimator, attributes):
    """Set fitted attributes, and drop those of an earlier fit that this one does not have."""
    for name in list(vars(estimator)):
        if name.endswith("_") and not name.startswith("__"):
            delattr(estimator, name)
    vars(estimator).update(attributes)
