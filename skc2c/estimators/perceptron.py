"""What the classifier and the regressor share: parameters, validation, fitting, output."""

import copy
import warnings
from functools import partial
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from skc2c.activations import ACTIVATIONS
from skc2c.estimators.training_data import (
    check_training_data,
    divisor,
    pool_of,
    standardize,
    used_rows,
)
from skc2c.families import FAMILIES
from skc2c.memory import keep_freed_memory
from skc2c.network import Network
from skc2c.objective import Objective, TwoStreams, row_blocks
from skc2c.penalties import PENALTIES, Penalty, make_penalty
from skc2c.perturbations import check_epsilon
from skc2c.random_streams import streams
from skc2c.solvers import DivergenceError, Monitor, adam, batches, endless, lbfgs, paired
from skc2c.threads import blas_threads_taken, in_pieces, map_in_order

_NON_NEGATIVE = Interval(Real, 0, None, closed="left")
_POSITIVE = Interval(Real, 0, None, closed="neither")
_COUNT = Interval(Integral, 1, None, closed="left")
# Rows of the pool that are looked at for a collapse.
_SAMPLE = 2000
CONSTANT = "its predictions are all but constant"
_FLOATS = (np.float64, np.float32)


class Perceptron(BaseEstimator):
    """A penalised multilayer perceptron; a subclass says what y means.

    A subclass gives ``_encode(y, weight, reset)``, which returns y as an array of shape
    (n, K), the weights, and the name of the output activation; and
    ``_validation_score(h, y, weight)``. It may give ``_strata(y)`` and
    ``_center_and_scale(y, weight)``.
    """

    _y_checks = {"multi_output": True}

    _parameter_constraints = {
        "hidden_layer_sizes": ["array-like", _COUNT],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "penalty": [StrOptions(set(PENALTIES) - {None}), Penalty, None],
        "alpha": [_NON_NEGATIVE],
        "epsilon": [_NON_NEGATIVE, "array-like"],
        "l2": [_NON_NEGATIVE],
        "solver": [StrOptions({"adam", "lbfgs"})],
        "batch_size": [StrOptions({"auto"}), _COUNT],
        "learning_rate_init": [_POSITIVE],
        "max_iter": [_COUNT],
        "shuffle": ["boolean"],
        "tol": [_NON_NEGATIVE],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [_COUNT, Options(Real, {np.inf})],
        "warm_start": ["boolean"],
        "missing_label": "no_validation",  # any object may mark a row
        "dtype": [StrOptions({"auto", "float32", "float64"})],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def _set_parameters(self, values):
        """Store what ``__init__`` was given; `values` are its local variables."""
        for name, value in values.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    # ------------------------------------------------------------------------- fitting

    def _fit_or_leave(self, X, y, sample_weight, further):
        """Fit on a copy and take over the outcome: an error leaves `self` as it was."""
        attempt = copy.copy(self)
        attempt._fit(X, y, sample_weight, further)
        self.__dict__ = attempt.__dict__
        return self

    def _fit(self, X, y, sample_weight, further):
        keep_freed_memory()
        penalty = self._validate_parameters()
        continues = self.warm_start and hasattr(self, "coefs_")
        previous = (self._network(), self.out_activation_) if continues else None
        data = check_training_data(self, X, y, sample_weight, **further, reset=not continues)
        X, y, weight = data.labelled
        epsilon = check_epsilon(self.epsilon, X.shape[1])
        y, weight, self.out_activation_ = self._encode(y, weight, reset=not continues)
        draws = _Draws(*streams(self.random_state, 5))
        train, held_out = self._split(used_rows(X, y, weight), data.validation, draws.split)
        if self.solver == "lbfgs":
            train = train.canonical()
        center, scale = self._center_and_scale(train.y, train.weight)
        train = standardize(train, center, scale, self._training_dtype())

        network = Network((X.shape[1], *self._hidden_units(), y.shape[1]), self.activation)
        if continues:
            _require_same(previous, (network, self.out_activation_))
        theta = self._start(network, penalty, continues, draws.initial, center, scale)
        objective = self._objective(network, penalty, epsilon, train, data.unlabeled)
        monitor = self._monitor(network, held_out, center, scale)
        solution = self._solve(objective, theta, monitor, draws)
        if isinstance(objective, TwoStreams):
            self._warn_of_collapse(network, solution.theta, objective)
        self._store(network, solution, center, scale, X.dtype, len(train))

    def _objective(self, network, penalty, epsilon, train, unlabeled):
        """The objective on the labelled rows, or on these and on a pool of all rows."""
        # A numpy scalar would widen float32, a Python one does not.
        settings = {"alpha": float(self.alpha), "epsilon": epsilon}
        l2, family = float(self.l2), self._family()
        if unlabeled and not penalty.needs_no_label:
            warnings.warn(
                f"penalty={self.penalty!r} learns nothing from rows without a label: they are "
                "left out. Use 'c2c', 'jacobian', 'vat' or 'ladder'.",
                stacklevel=5,
            )
        if not unlabeled or not penalty.needs_no_label:
            return Objective(network, family, penalty, l2=l2, rows=train, **settings)
        pool = pool_of(train, unlabeled)
        return TwoStreams(
            Objective(network, family, Penalty(), l2=l2, rows=train, **settings),
            Objective(network, family, penalty, l2=0.0, rows=pool, **settings),
        )

    def _validate_parameters(self):
        """Check every parameter that can be checked without data; return the penalty."""
        self._validate_params()
        self._hidden_units()
        return make_penalty(self.penalty)

    def _hidden_units(self):
        sizes = self.hidden_layer_sizes
        units = tuple(sizes) if np.iterable(sizes) else (sizes,)
        if not all(isinstance(unit, Integral) and unit > 0 for unit in units):
            raise ValueError(
                "The 'hidden_layer_sizes' parameter must hold positive integers only, "
                f"one for each hidden layer. Got {sizes!r} instead."
            )
        return tuple(int(unit) for unit in units)

    def _training_dtype(self):
        automatic = {"adam": "float32", "lbfgs": "float64"}[self.solver]
        return np.dtype(automatic if self.dtype == "auto" else self.dtype)

    def _split(self, rows, validation, draws):
        """Rows to train on, and rows held out for early stopping (or None)."""
        if not self.early_stopping:
            return rows, None
        if validation is not None:
            X, y, weight = validation
            y, weight, _ = self._encode(y, weight, reset=False, is_validation=True)
            return rows, used_rows(X, y, weight)
        try:
            kept, held_out = train_test_split(
                np.arange(len(rows)),
                test_size=self.validation_fraction,
                random_state=int(draws.integers(2**32)),
                stratify=self._strata(rows.y),
            )
        except ValueError as error:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} of {len(rows)} rows cannot be "
                f"held out for early stopping: {error}"
            ) from error
        if len(held_out) < 2:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} leaves {len(held_out)} of "
                f"{len(rows)} rows for early stopping. Increase it, or fit on more rows."
            )
        return rows.take(kept), rows.take(held_out)

    def _strata(self, y):
        """Labels by which to stratify the held-out rows, if any."""
        return None

    def _center_and_scale(self, y, weight):
        """What y is standardised with for training, each (K,); a scale of 0 says constant."""
        return np.zeros(y.shape[1]), np.ones(y.shape[1])

    def _stored_theta(self, network, center, scale):
        """The fitted parameters as the starting point of a further fit."""
        unit = divisor(scale)
        coefs = [*self.coefs_[:-1], self.coefs_[-1] / unit]
        intercepts = [*self.intercepts_[:-1], (self.intercepts_[-1] - center) / unit]
        return network.pack(coefs, intercepts, self._training_dtype())

    def _start(self, network, penalty, continues, rng, center, scale):
        """Theta to start from: the network's parameters, then those of the penalty itself."""
        dtype = self._training_dtype()
        extra = penalty.initial_parameters(network.layer_units[-1])
        if not continues:
            return np.concatenate([network.initialize(rng, dtype), extra], dtype=dtype)
        if len(self.penalty_parameters_) == len(extra):
            extra = self.penalty_parameters_
        return np.concatenate([self._stored_theta(network, center, scale), extra], dtype=dtype)

    def _monitor(self, network, held_out, center, scale):
        if held_out is None:
            # L-BFGS has a criterion of its own, the gradient; Adam watches the loss.
            return Monitor(self.tol, self.n_iter_no_change, verbose=self.verbose)
        held_out = standardize(held_out, center, scale, self._training_dtype())

        def score(theta):
            h = _outputs(network, theta, held_out.X)
            return self._validation_score(h, held_out.y, held_out.weight)

        return Monitor(self.tol, self.n_iter_no_change, score, self.verbose)

    def _solve(self, objective, theta, monitor, draws):
        """Run the solver; report what went wrong in terms of the parameters."""
        solver = {"adam": self._run_adam, "lbfgs": self._run_lbfgs}[self.solver]
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                solution = solver(objective, theta, monitor, draws)
        except DivergenceError as error:
            raise ValueError(self._divergence_message(error)) from error
        if solution.message is not None:
            warnings.warn(
                f"{type(self).__name__} has not converged with solver={self.solver!r}: "
                f"{solution.message}.",
                ConvergenceWarning,
                stacklevel=5,
            )
        return solution

    def _run_adam(self, objective, theta, monitor, draws):
        epoch = self._epoch(objective, draws)

        def step(theta, batch):
            return objective.on_batch(theta, batch, draws.probe)

        return adam(
            step,
            theta,
            epoch,
            learning_rate=self.learning_rate_init,
            max_iter=self.max_iter,
            monitor=monitor,
        )

    def _epoch(self, objective, draws):
        """How to cut the rows into the batches of an epoch."""
        order, labelled_order = draws.order, draws.labelled_order
        if not self.shuffle:
            order = labelled_order = None
        if isinstance(objective, Objective):
            n = len(objective.rows)
            return partial(batches, n, min(self._batch_size(n), n), order)
        n, n_labelled = len(objective.pool.rows), len(objective.labelled.rows)
        size = min(self._batch_size(n), n)
        labelled = endless(n_labelled, min(size, n_labelled), labelled_order)
        return lambda: paired(batches(n, size, order), labelled)

    def _batch_size(self, n):
        if self.batch_size == "auto":
            return 200
        if self.batch_size > n:
            warnings.warn(
                f"batch_size={self.batch_size} is larger than the number of training rows, "
                f"{n}: all rows make one batch.",
                stacklevel=8,
            )
        return self.batch_size

    def _run_lbfgs(self, objective, theta, monitor, draws):
        seed, dtype = int(draws.probe.integers(2**32)), self._training_dtype()

        def hold(held):
            held = held.astype(dtype)

            def value_and_gradient(theta):
                value, gradient = objective.on_all_rows(theta.astype(dtype), seed, held)
                return value, gradient.astype(np.float64)

            return value_and_gradient

        with blas_threads_taken():
            return lbfgs(
                hold,
                theta.astype(np.float64),
                tol=self.tol,
                max_iter=self.max_iter,
                monitor=monitor,
                moves=objective.penalty.moves,
            )

    def _warn_of_collapse(self, network, theta, objective):
        """Warn if the answer on the pool is all but constant, or a class is lost there."""
        if objective.pool.alpha == 0.0:
            return
        h, h_labelled = (
            network.forward(theta, rows.take(_evenly(len(rows))).dense().X)
            for rows in (objective.pool.rows, objective.labelled.rows)
        )
        lost = self._lost(h, h_labelled)
        if lost is not None:
            warnings.warn(
                f"{type(self).__name__} has collapsed on the rows without a label: {lost}. Lower "
                f"alpha={self.alpha} or epsilon={self.epsilon}{self._other_cure}; or train for "
                "longer, if that was short.",
                stacklevel=5,
            )

    _other_cure = ""

    def _lost(self, h, h_labelled):
        """What got lost in the outputs on the pool, in words, or None."""
        # Targets are standardised: their standard deviation is one.
        return CONSTANT if (h.std(axis=0) < 0.05).any() else None

    def _divergence_message(self, error):
        rate = f"learning_rate_init={self.learning_rate_init}, " if self.solver == "adam" else ""
        return (
            f"{type(self).__name__} diverged: {error}. Lower {rate}alpha={self.alpha} or "
            f"epsilon={self.epsilon}, or scale X to zero mean and unit variance (and see that "
            "neither y nor sample_weight is of extreme size)."
        )

    def _store(self, network, solution, center, scale, dtype, n_rows):
        coefs, intercepts = network.unpack(solution.theta.astype(np.float64))
        self.penalty_parameters_ = solution.theta[network.size :].astype(dtype)
        coefs[-1] *= scale
        intercepts[-1] = intercepts[-1] * scale + center
        self.coefs_ = [coef.astype(dtype) for coef in coefs]
        self.intercepts_ = [intercept.astype(dtype) for intercept in intercepts]
        self.hidden_activation_ = network.activation
        self.n_layers_ = len(network.layer_units)
        self.n_outputs_ = network.layer_units[-1]
        self.n_iter_ = solution.n_iter
        self.t_ = solution.n_iter * n_rows
        self.loss_ = solution.loss
        self.loss_curve_ = solution.loss_curve
        self.best_loss_ = solution.best_loss
        self.validation_scores_ = solution.validation_scores
        self.best_validation_score_ = solution.best_validation_score

    # ------------------------------------------------------------------ the fitted model

    def _network(self):
        units = (len(self.coefs_[0]), *(coef.shape[1] for coef in self.coefs_))
        return Network(units, self.hidden_activation_)

    def _family(self):
        return FAMILIES[self.out_activation_]()

    def _model(self, dtype=None):
        """Network, family and theta of the fitted function, in the units of y."""
        network = self._network()
        theta = network.pack(self.coefs_, self.intercepts_, dtype or self.coefs_[0].dtype)
        return network, self._family(), theta

    def _check_X(self, X):
        check_is_fitted(self)
        return validate_data(self, X, accept_sparse="csr", dtype=_FLOATS, reset=False)

    def _link(self, X):
        """``h`` at raw X, (n, K)."""
        X = self._check_X(X)
        network, _, theta = self._model()
        return _outputs(network, theta, X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class _Draws(NamedTuple):
    """The random streams of one fit, by what they draw."""

    split: np.random.Generator
    initial: np.random.Generator
    order: np.random.Generator
    probe: np.random.Generator
    labelled_order: np.random.Generator


def _require_same(previous, asked):
    if previous != asked:
        raise ValueError(
            f"warm_start=True needs the network of the previous fit, {previous}; "
            f"hidden_layer_sizes, activation, X and y now ask for {asked}."
        )


def _evenly(n):
    """Some rows of n, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, _SAMPLE).astype(int))


def _outputs(network, theta, X):
    """``h`` at every row, block by block, on threads."""
    keep_freed_memory()
    h = np.empty((X.shape[0], network.layer_units[-1]), np.result_type(theta, X))

    def fill(blocks):
        for block in blocks:
            h[block] = network.forward(theta, X[block])

    for _ in map_in_order(fill, in_pieces(row_blocks(X.shape[0], network))):
        pass
    return h
