"""What the classifier and the regressor share: parameters, and fit as plan, record, attributes."""

import copy
from abc import ABC, abstractmethod
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from skc2c.data.missing_labels import is_missing
from skc2c.estimators.callbacks import CallbackSupportMixin, Tasks, rows_of
from skc2c.estimators.fitted import network_as_one, network_of
from skc2c.estimators.in_front import scaling_of
from skc2c.estimators.ingredients import Previous, gather, hidden_units
from skc2c.estimators.normalization import asked_for, check_normalization
from skc2c.estimators.reports import divergence_message
from skc2c.estimators.saved import completed, require_training_state, stamped
from skc2c.estimators.targets import Units
from skc2c.estimators.training import Call, train
from skc2c.estimators.training_data import Labelled, check_training_data
from skc2c.fitted_function import FittedFunction
from skc2c.fitting import Streams
from skc2c.machine.memory import keep_freed_memory
from skc2c.machine.threads import map_in_order
from skc2c.messages import warn
from skc2c.network import ACTIVATIONS
from skc2c.network.blocks import outputs
from skc2c.network.hidden import hidden
from skc2c.network.input_scaling import SCALINGS
from skc2c.penalties import PENALTIES, Penalty, make_penalty
from skc2c.random_streams import advance_with, streams
from skc2c.solvers import SOLVERS, DivergenceError, Solver, make_solver

_NON_NEGATIVE = Interval(Real, 0, None, closed="left")
_POSITIVE = Interval(Real, 0, None, closed="neither")
_COUNT = Interval(Integral, 1, None, closed="left")
FLOATS = (np.float64, np.float32)


class Increment(NamedTuple):
    """What is said of all targets where a fit is given a part of them."""

    classes: object = None


class Perceptron(CallbackSupportMixin, BaseEstimator, ABC):
    """A penalised multilayer perceptron; a subclass says what y means.

    A subclass implements ``_encode`` and ``_targets``, and sets what they need.
    """

    _y_checks = {"multi_output": True}
    _of_targets = ()  # fitted attributes that `_targets` reads

    _parameter_constraints = {
        "hidden_layer_sizes": ["array-like", _COUNT],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "penalty": [StrOptions(set(PENALTIES) - {None}), Penalty, None],
        "alpha": [StrOptions({"auto"}), _NON_NEGATIVE],
        "epsilon": [StrOptions({"scale"}), _NON_NEGATIVE, "array-like"],
        "cv": ["cv_object"],
        "input_scaling": [StrOptions({"auto", *SCALINGS}), None],
        "numeric_embedding": [StrOptions({"auto", "fourier", "piecewise_linear"}), None],
        "normalization": [StrOptions({"auto", "batch", "batch_all"}), None],
        "init_scale": [_POSITIVE],
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

    def _fit(self, X, y, weight, X_unlabeled, increment=None, **further):
        """Fit, and set all attributes at the end: an error leaves `self` as it was."""
        keep_freed_memory()
        self._validate_params()
        settings = self._settings(increment is not None)
        previous = self._previous(increment is not None)
        # scikit-learn's checks set attributes; these are set on a stand-in.
        checked, draws = copy.copy(self), copy.deepcopy(self.random_state)
        part = {"reset": previous is None, "is_part": increment is not None}
        data = check_training_data(checked, X, y, weight, X_unlabeled, **part, **further)
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
        tasks = Tasks(self, rows_of(X, data), of_X(checked))
        call = Call(checked, data, previous, increment is not None, tasks)
        try:
            attributes = train(self, ingredients, call)
        except DivergenceError as error:
            raise ValueError(divergence_message(self, ingredients, error)) from error
        advance_with(self.random_state, draws)
        replace_fitted(self, of_X(checked) | attributes)
        tasks.finish()
        return self

    def _settings(self, is_partial):
        """What some of the parameters stand for."""
        settings = {
            "penalty": make_penalty(self.penalty),
            "solver": make_solver(self.solver),
            "hidden_units": hidden_units(self.hidden_layer_sizes),
        }
        if asked_for(self) is not None:
            check_normalization(self, **settings, is_partial=is_partial)
        return settings

    def _fit_increment(self, X, y, weight, X_unlabeled, classes=None):
        """Update one network with one epoch."""
        if self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True: each call is one epoch."
            )
        if hasattr(self, "coefs_") and _has_no_label(y, self.missing_label):
            warn(
                "No row of y has a label: nothing is learned from this call of partial_fit. Pass "
                "such rows as X_unlabeled in a call with labelled ones."
            )
            return self
        return self._fit(X, y, weight, X_unlabeled, increment=Increment(classes))

    def _previous(self, is_partial):
        """What a warm start or an incremental fit goes on from, or None."""
        if not ((self.warm_start or is_partial) and hasattr(self, "coefs_")):
            return None
        if self.n_networks_ > 1 and not is_partial:
            raise ValueError(
                "warm_start=True goes on with one network, but the previous fit made "
                f"{self.n_networks_} (cv={self.cv!r}). Set warm_start=True from the first fit on."
            )
        require_training_state(self)
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

    def _encoded(self, y, caller):
        """Further targets as the likelihood of the fitted function takes them, (n, T)."""
        y = y if sparse.issparse(y) else np.asarray(y)
        return self._targets().encode_validation(y, None, caller)[0]

    def hidden_activations(self, X, layer=-1):
        """Compute the outputs of a hidden layer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.
        layer : int, default=-1
            Index of the hidden layer, counted from the inputs; a negative one is counted from the
            output.

        Returns
        -------
        activations : ndarray of shape (n_samples, n_units)
            Behind the activation function. Units of several networks (`n_networks_`) are side
            by side, in the order of `coefs_`.

        Raises
        ------
        ValueError
            If there is no such hidden layer.

        Examples
        --------
        >>> from skc2c import C2CRegressor
        >>> reg = C2CRegressor((8,), cv=None, max_iter=5, random_state=0, tol=1.0)
        >>> reg.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0]).hidden_activations([[0.5]]).shape
        (1, 8)
        """
        X, n_hidden = self._check_X(X), self.n_layers_ - 2
        if not -n_hidden <= layer < n_hidden:
            raise ValueError(f"There are {n_hidden} hidden layers. Got layer={layer}.")
        return hidden(*network_of(self), X, layer % n_hidden)

    def _check_X(self, X):
        check_is_fitted(self)
        return validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)

    def _link(self, X):
        """``h`` at raw X, (n, K)."""
        X = self._check_X(X)
        keep_freed_memory()
        return outputs(*network_of(self), X, map_in_order)

    def __getstate__(self):
        return stamped(super().__getstate__())

    def __setstate__(self, state):
        super().__setstate__(completed(state, type(self)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _has_no_label(y, missing_label):
    """Whether all rows of a y are marked, if there is a mark."""
    if missing_label is None or y is None:
        return False
    missing = is_missing(y, missing_label)
    return bool(len(missing)) and bool(missing.all())


def of_X(checked):
    """What scikit-learn's checks have set, not the fit."""
    names = ("n_features_in_", "feature_names_in_")
    return {name: vars(checked)[name] for name in names if name in vars(checked)}


def replace_fitted(estimator, attributes):
    """Set fitted attributes, and drop those of an earlier fit that this one does not have."""
    for name in list(vars(estimator)):
        if name.endswith("_") and not name.startswith("__"):
            delattr(estimator, name)
    vars(estimator).update(attributes)
