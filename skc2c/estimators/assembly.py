"""From an estimator's parameters and checked data to rows, networks and the plan of one fit."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from skc2c.data.rows import Rows
from skc2c.estimators.targets import Targets, Units
from skc2c.estimators.training_data import (
    Labelled,
    Scaled,
    fit_scaling,
    in_training,
    pool_of,
    used_rows,
)
from skc2c.fitting import Plan, Streams
from skc2c.machine.threads import map_in_order
from skc2c.messages import warn
from skc2c.network import Network
from skc2c.network.blocks import outputs
from skc2c.network.input_scaling import InputScaling
from skc2c.penalties import Penalty, check_epsilon
from skc2c.solvers import Solver

# Rows of a batch unless told otherwise, as in scikit-learn's MLP.
_BATCH_SIZE = 200
# Without folds there is nothing to choose a strength by: one that seldom harms (docs/defaults.md).
_ALPHA = 0.03
# Epochs, or steps of L-BFGS, of a single network unless told otherwise: as in scikit-learn's MLP.
_MAX_ITER = 200


class Previous(NamedTuple):
    """The fit that a warm start goes on from."""

    network: Network
    scaling: InputScaling | None
    targets: Targets
    coefs: list
    intercepts: list
    penalty_parameters: np.ndarray
    state: dict


@dataclass(frozen=True)
class Ingredients:
    """What a fit is made of, whether of one network or of several.

    Parameters
    ----------
    targets : Targets
    penalty : Penalty
    solver : Solver
    hidden_units : tuple of int
    labelled : Rows
        Of positive weight, with encoded targets in their own units and raw X.
    used : ndarray of int
        Which of the labelled rows given these are.
    unlabeled : list
        Matrices of raw rows.
    validation : Labelled or None
    scaling : InputScaling or None
    dtype : dtype
        Of training.
    epsilon : float or ndarray of shape (D,)
    streams : Streams
    """

    targets: Targets
    penalty: Penalty
    solver: Solver
    hidden_units: tuple
    labelled: Rows
    used: np.ndarray
    unlabeled: list
    validation: Labelled | None
    scaling: InputScaling | None
    dtype: np.dtype
    epsilon: float | np.ndarray
    streams: Streams

    @property
    def n_features(self):
        return self.labelled.X.shape[1]

    @property
    def layer_units(self):
        """Units of the input, the hidden layers and the output."""
        return (self.n_features, *self.hidden_units, self.targets.n_outputs)

    def scaled(self, rows, units):
        """Rows as training sees them."""
        return in_training(rows, units, self.dtype, self.scaling)

    def pool(self, train):
        """All rows, labelled or not, if there are any of the latter."""
        if not self.unlabeled:
            return None
        parts = self.unlabeled
        if self.scaling is not None:
            parts = [Scaled(part, self.scaling, self.dtype) for part in parts]
        return pool_of(train, parts)


def gather(estimator, *, data, targets, penalty, solver, hidden_units, streams, previous):
    """Gather what a fit is made of.

    Parameters
    ----------
    estimator : Perceptron
        Its parameters are read.
    data : TrainingData
        With encoded labelled targets.
    targets : Targets
    penalty : Penalty
    solver : Solver
    hidden_units : tuple of int
    streams : Streams
    previous : Previous or None

    Returns
    -------
    ingredients : Ingredients
    """
    labelled, used = used_rows(*data.labelled)
    scaling = None
    if previous is not None:
        scaling = previous.scaling
    elif estimator.input_scaling is not None:
        scaling = fit_scaling(labelled, data.unlabeled)
    return Ingredients(
        targets=targets,
        penalty=penalty,
        solver=solver,
        hidden_units=hidden_units,
        labelled=labelled,
        used=used,
        unlabeled=_useful(estimator, penalty, data.unlabeled),
        validation=data.validation,
        scaling=scaling,
        dtype=np.dtype(solver.dtype if estimator.dtype == "auto" else estimator.dtype),
        epsilon=_epsilon(estimator, penalty, labelled, scaling),
        streams=streams,
    )


def _useful(estimator, penalty, unlabeled):
    """The rows without a label, if the penalty learns from them."""
    if not unlabeled or penalty.needs_no_label:
        return unlabeled
    warn(
        f"penalty={estimator.penalty!r} learns nothing from rows without a label: they are "
        "left out. Use 'c2c', 'jacobian', 'vat' or 'ladder'."
    )
    return []


def _epsilon(estimator, penalty, rows, scaling):
    """The radius, in the units of the rows that the network sees."""
    D = rows.X.shape[1]
    if not (isinstance(estimator.epsilon, str) and estimator.epsilon == "scale"):
        return check_epsilon(estimator.epsilon, D)
    unit = 1.0 if scaling is not None else _spread(rows.X)
    return float(unit * penalty.natural_epsilon(D))


def _spread(X):
    """Root of the mean variance of the columns."""
    mean = np.asarray(X.mean(axis=0), dtype=np.float64)
    square = X.multiply(X) if hasattr(X, "multiply") else np.square(X, dtype=np.float64)
    variance = np.asarray(square.mean(axis=0)) - mean**2
    return float(np.sqrt(max(variance.mean(), 0.0)))


# --------------------------------------------------------------------------- one network


@dataclass(frozen=True)
class Training:
    """A plan for one network, and what it takes to read its outcome."""

    plan: Plan
    units: Units


def assemble(estimator, ingredients, previous):
    """Make the plan of a fit of one network.

    Parameters
    ----------
    estimator : Perceptron
        Its parameters are read.
    ingredients : Ingredients
    previous : Previous or None

    Returns
    -------
    training : Training
    """
    targets, solver, streams = ingredients.targets, ingredients.solver, ingredients.streams
    train, held_out = _split(estimator, ingredients)
    train = train if solver.is_stochastic else train.canonical()
    units = targets.units(train.y, train.weight)
    train = ingredients.scaled(train, units)
    network = Network(ingredients.layer_units, estimator.activation)
    if previous is not None:
        _require_same(previous, network, targets)
        streams = streams.continued(previous.state["streams"])
    pool = ingredients.pool(train)
    if pool is not None and not solver.is_stochastic:
        pool = pool.canonical()
    plan = Plan(
        network=network,
        likelihood=targets.likelihood,
        penalty=ingredients.penalty,
        solver=solver,
        train=train,
        pool=pool,
        theta=_start(network, ingredients, units, previous),
        streams=streams,
        # A numpy scalar would widen float32, a Python one does not.
        alpha=_ALPHA if _is_auto(estimator.alpha) else float(estimator.alpha),
        epsilon=ingredients.epsilon,
        l2=float(estimator.l2),
        batch_size=batch_size(estimator, train if pool is None else pool, solver),
        shuffle=estimator.shuffle,
        learning_rate=estimator.learning_rate_init,
        max_iter=_MAX_ITER if _is_auto(estimator.max_iter) else estimator.max_iter,
        tol=estimator.tol,
        n_iter_no_change=estimator.n_iter_no_change,
        score=_score(network, ingredients, held_out, units),
        verbose=estimator.verbose,
    )
    return Training(plan, units)


def _is_auto(value):
    return isinstance(value, str)


def _split(estimator, ingredients):
    """Rows to train on, and rows held out for early stopping (or None)."""
    rows, targets = ingredients.labelled, ingredients.targets
    if not estimator.early_stopping:
        return rows, None
    if ingredients.validation is not None:
        X, y, weight = ingredients.validation
        return rows, used_rows(X, *targets.encode_validation(y, weight))[0]
    fraction = estimator.validation_fraction
    try:
        kept, held_out = train_test_split(
            np.arange(len(rows)),
            test_size=fraction,
            random_state=int(ingredients.streams.split.integers(2**32)),
            stratify=targets.strata(rows.y),
        )
    except ValueError as error:
        raise ValueError(
            f"validation_fraction={fraction} of {len(rows)} rows cannot be held out for early "
            f"stopping: {error}"
        ) from error
    if len(held_out) < 2:
        raise ValueError(
            f"validation_fraction={fraction} leaves {len(held_out)} of {len(rows)} rows for early "
            "stopping. Increase it, or fit on more rows."
        )
    return rows.take(kept), rows.take(held_out)


def _require_same(previous, network, targets):
    before = previous.network, previous.targets.likelihood.out_activation
    asked = network, targets.likelihood.out_activation
    if before != asked:
        raise ValueError(
            f"warm_start=True needs the network of the previous fit, {before}; "
            f"hidden_layer_sizes, activation, X and y now ask for {asked}."
        )


def _start(network, ingredients, units, previous):
    """Theta to start from: the network's parameters, then those of the penalty itself."""
    penalty, dtype = ingredients.penalty, ingredients.dtype
    extra = penalty.initial_parameters(network.n_outputs)
    if previous is None:
        theta = network.initialize(ingredients.streams.initial, dtype)
        return np.concatenate([theta, extra], dtype=dtype)
    theta = network.pack(*units.unfold(previous.coefs, previous.intercepts), dtype)
    if len(previous.penalty_parameters) == len(extra):
        undo = -units.center / units.divisor, 1.0 / units.divisor
        extra = penalty.parameters_in_units(previous.penalty_parameters, *undo)
    return np.concatenate([theta, extra], dtype=dtype)


def batch_size(estimator, rows, solver):
    """Rows of a batch."""
    if estimator.batch_size == "auto":
        return _BATCH_SIZE
    if estimator.batch_size > len(rows) and solver.is_stochastic:
        warn(
            f"batch_size={estimator.batch_size} is larger than the number of training rows, "
            f"{len(rows)}: all rows make one batch."
        )
    return estimator.batch_size


def _score(network, ingredients, held_out, units):
    """Score of parameters on the held-out rows, or None."""
    if held_out is None:
        return None
    held_out = ingredients.scaled(held_out, units)

    def score(theta):
        h = outputs(network, theta[: network.size], held_out.X, map_in_order)
        return ingredients.targets.score(h, held_out.y, held_out.weight)

    return score
