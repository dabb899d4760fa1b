"""From the ingredients of a fit to the plan of one network."""

from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split

from skc2c.estimators.embedding import embedding
from skc2c.estimators.first_rows import same
from skc2c.estimators.normalization import asked_for
from skc2c.estimators.scaled_rows import used_rows
from skc2c.estimators.targets import Units
from skc2c.fitting import Plan
from skc2c.machine.threads import map_in_order
from skc2c.messages import warn
from skc2c.network import Network
from skc2c.network.appended_features import AppendedFeatures
from skc2c.network.blocks import outputs

# Rows of a batch unless told otherwise, as in scikit-learn's MLP.
BATCH_SIZE = 200
# Without folds there is nothing to choose a strength by: one that seldom harms (docs/untuned.md).
_ALPHA = 0.03
# Epochs, or steps of L-BFGS, of a single network unless told otherwise: as in scikit-learn's MLP.
_MAX_ITER = 200


@dataclass(frozen=True)
class Training:
    """A plan for one network, and what it takes to read its outcome."""

    plan: Plan
    units: Units


def assemble(estimator, ingredients, previous, as_fitted, is_partial=False):
    """Make the plan of a fit of one network.

    Parameters
    ----------
    estimator : Perceptron
        Its parameters are read.
    ingredients : Ingredients
    previous : Previous or None
    as_fitted : callable
        ``(network, units, theta) -> estimator``: the estimator as it would be with these
        parameters, for a scorer.
    is_partial : bool, default=False
        Whether the fit is one epoch of an incremental fit, in the units of its first call.

    Returns
    -------
    training : Training
    """
    targets, solver, streams = ingredients.targets, ingredients.solver, ingredients.streams
    train, held_out = (ingredients.labelled, None) if is_partial else _split(estimator, ingredients)
    train = train if solver.is_stochastic else train.canonical()
    units = _units(ingredients, train, previous, is_partial)
    train = ingredients.scaled(train, units)
    shape = ingredients.layer_units, estimator.activation, _front(estimator, train)
    network = Network(*shape, asked_for(estimator))
    if previous is not None:
        network = _going_on(previous, network, targets, is_partial)
        if previous.state["streams"] is not None:
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
        theta=_start(estimator, network, ingredients, units, previous, train),
        streams=streams,
        epsilon=ingredients.epsilon,
        batch_size=batch_size(estimator, train if pool is None else pool, solver),
        solver_state=_solver_state(ingredients, units, previous),
        **_settings(estimator) | ({"max_iter": 1} if is_partial else {}),
    )
    score = _score(estimator, ingredients, held_out, units, plan.fitted, as_fitted)
    return Training(replace(plan, score=score), units)


def _units(ingredients, train, previous, is_partial):
    """Units of y in training: those of the first rows in an incremental fit."""
    first, targets = ingredients.first, ingredients.targets
    if not is_partial:
        return targets.units(train.y, train.weight)
    units = previous.units if first is None else targets.units(first.y, first.weight)
    # A target that is constant so far need not stay so.
    units = units._replace(scale=units.divisor)
    return previous.units if previous and same(units, previous.units) else units


def _solver_state(ingredients, units, previous):
    """What the solver goes on from: nothing if gradients are now in other units."""
    if previous is None:
        return None
    moved = ingredients.first is not None and not (
        same(units, previous.units) and same(ingredients.scaling, previous.scaling)
    )
    return None if moved else previous.state["solver"]


def _settings(estimator):
    """Parameters of the estimator that a plan takes as they are."""
    names = ("shuffle", "tol", "n_iter_no_change", "verbose")
    return {name: getattr(estimator, name) for name in names} | {
        # A numpy scalar would widen float32, a Python one does not.
        "alpha": _ALPHA if estimator.alpha == "auto" else float(estimator.alpha),
        "l2": float(estimator.l2),
        "learning_rate": estimator.learning_rate_init,
        "max_iter": _MAX_ITER if estimator.max_iter == "auto" else estimator.max_iter,
    }


def _split(estimator, ingredients):
    """Rows to train on, and rows held out for early stopping (or None)."""
    rows, targets = ingredients.labelled, ingredients.targets
    if not estimator.early_stopping:
        return rows, None
    if ingredients.validation is not None:
        X, y, weight = ingredients.validation
        held_out = used_rows(X, *targets.encode_validation(y, weight))[0]
        if not len(held_out):
            raise ValueError(
                f"X_val, y_val: class_weight={estimator.class_weight!r} leaves no row with a "
                "weight."
            )
        return rows, held_out
    fraction = estimator.validation_fraction
    seed = int(ingredients.streams.split.integers(2**32))
    try:
        kept, held_out = _held_out(len(rows), fraction, seed, targets.strata(rows.y))
    except ValueError as error:
        raise ValueError(
            f"validation_fraction={fraction} of {len(rows)} rows cannot be held out for early "
            f"stopping: {error}"
        ) from error
    if len(held_out) < 2:
        raise ValueError(
            f"The validation set is too small: validation_fraction={fraction} leaves "
            f"{len(held_out)} of {len(rows)} rows for early stopping. Increase it, or fit on more "
            "rows."
        )
    return rows.take(kept), rows.take(held_out)


def _held_out(n, fraction, seed, strata):
    """Rows to keep and rows to hold out, stratified if every class has enough of them."""
    settings = {"test_size": fraction, "random_state": seed}
    try:
        return train_test_split(np.arange(n), stratify=strata, **settings)
    except ValueError:
        return train_test_split(np.arange(n), **settings)


def _front(estimator, rows):
    """Layers in front of the dense ones; without folds, ``'auto'`` is none."""
    if estimator.numeric_embedding in (None, "auto"):
        return ()
    rows = rows.take(slice(None))  # of those of a full-batch solver, X holds further ones
    return embedding(rows.X, estimator.numeric_embedding, rows.weight)


def _going_on(previous, network, targets, is_partial):
    """The network of the previous fit, behind its input scaling."""
    before = (*_shape(previous.network), previous.targets.likelihood.out_activation)
    asked = (*_shape(network), targets.likelihood.out_activation)
    # An incremental fit goes on with whatever there is, such as several networks as one.
    if before != asked and not is_partial:
        raise ValueError(
            f"warm_start=True needs the network of the previous fit, {before}; "
            f"hidden_layer_sizes, activation, X and y now ask for {asked}."
        )
    front = [layer for layer in previous.network.front if isinstance(layer, AppendedFeatures)]
    return replace(previous.network, front=tuple(front))


def _shape(network):
    return network.layer_units, network.activation


def _start(estimator, network, ingredients, units, previous, train):
    """Theta to start from: the network's parameters, then those of the penalty itself."""
    penalty, dtype = ingredients.penalty, ingredients.dtype
    extra = penalty.initial_parameters(network.n_outputs)
    if previous is None:
        scale = float(estimator.init_scale)
        theta = network.initialize(ingredients.streams.initial, dtype, scale)
        offset = ingredients.targets.start(train.y, train.weight)
        theta = theta if offset is None else network.shifted(theta, offset)
        return np.concatenate([theta, extra], dtype=dtype)
    theta = network.pack(*units.unfold(previous.coefs, previous.intercepts), dtype)
    if len(previous.penalty_parameters) == len(extra):
        undo = -units.center / units.divisor, 1.0 / units.divisor
        extra = penalty.parameters_in_units(previous.penalty_parameters, *undo)
    return np.concatenate([theta, extra], dtype=dtype)


def batch_size(estimator, rows, solver):
    """Rows of a batch."""
    if estimator.batch_size == "auto":
        return BATCH_SIZE
    if estimator.batch_size > len(rows) and solver.is_stochastic:
        warn(
            f"batch_size={estimator.batch_size} is larger than the number of training rows, "
            f"{len(rows)}: all rows make one batch."
        )
    return estimator.batch_size


def _score(estimator, ingredients, held_out, units, folded, as_fitted):
    """Score of parameters on the held-out rows, or None."""
    if held_out is None:
        return None
    if estimator.scoring is not None:
        scorer = check_scoring(estimator, estimator.scoring)
        y = ingredients.targets.given(held_out.y)

        def score(theta):
            network, theta = folded(theta)
            value = scorer(as_fitted(network, units, theta), held_out.X, y)
            if not isinstance(value, Real) or np.isnan(value):
                raise ValueError(
                    f"scoring={estimator.scoring!r} must return a number, and not NaN, for the "
                    f"held-out rows. Got {value!r}."
                )
            return float(value)

        return score
    held_out = ingredients.scaled(held_out, units)

    def negative_loss(theta):
        network, theta = folded(theta)
        h = outputs(network, theta[: network.size], held_out.X, map_in_order)
        nll, _ = ingredients.targets.likelihood.nll_and_gradient(held_out.y, h)
        return -float(np.average(nll, weights=held_out.weight))

    return negative_loss
