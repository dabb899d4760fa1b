"""What a fit is made of, whether of one network or of several."""

from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral
from typing import NamedTuple

import numpy as np

from skc2c.data.rows import Rows
from skc2c.estimators.first_rows import first_rows, same, scaling_gone_on_with
from skc2c.estimators.scaled_rows import (
    Scaled,
    fit_scaling,
    in_memory,
    in_training,
    pool_of,
    used_rows,
)
from skc2c.estimators.targets import Targets, Units
from skc2c.estimators.training_data import Labelled
from skc2c.fitting import Streams
from skc2c.messages import warn
from skc2c.network import Network
from skc2c.network.input_scaling import InputScaling
from skc2c.network.principal_components import PrincipalComponents
from skc2c.penalties import Penalty, check_epsilon
from skc2c.solvers import Solver


class Previous(NamedTuple):
    """The fit that a warm start or an incremental fit goes on from."""

    network: Network
    scaling: InputScaling | None
    targets: Targets
    coefs: list
    intercepts: list
    penalty_parameters: np.ndarray
    units: Units
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
    first : Rows or None
        Rows from which units are taken; None if they are those of the fits before.
    unlabeled : list
        Matrices of raw rows.
    validation : Labelled or None
    scaling : InputScaling or None
    components : PrincipalComponents or None
        Of the scaled rows, if networks are trained on them instead.
    dtype : dtype
        Of training.
    spread : float or None
        Of the features, in units of which the radius is; None if it has no need of one.
    epsilon : float or ndarray of shape (D,)
    streams : Streams
    """

    targets: Targets
    penalty: Penalty
    solver: Solver
    hidden_units: tuple
    labelled: Rows
    used: np.ndarray
    first: Rows | None
    unlabeled: list
    validation: Labelled | None
    scaling: InputScaling | None
    components: PrincipalComponents | None
    dtype: np.dtype
    spread: float | None
    epsilon: float | np.ndarray
    streams: Streams

    @property
    def transformation(self):
        """What rows go through before training, or None."""
        return self.scaling if self.components is None else self.components

    @property
    def n_features(self):
        """Width of a row as training sees it."""
        return self.labelled.X.shape[1] if self.components is None else self.components.n_out

    @property
    def layer_units(self):
        """Units of the input, the hidden layers and the output."""
        return (self.n_features, *self.hidden_units, self.targets.n_outputs)

    def scaled(self, rows, units):
        """Rows as training sees them."""
        return in_training(rows, units, self.dtype, self.transformation)

    def pool(self, train):
        """All rows, labelled or not, if there are any of the latter."""
        return pool_of(train, self._held) if self.unlabeled else None

    @property
    def unlabeled_in_training(self):
        """The unlabelled rows as training sees them, transformed when they are asked for."""
        if self.transformation is None:
            return self.unlabeled
        return [Scaled(part, self.transformation, self.dtype) for part in self.unlabeled]

    @cached_property
    def _held(self):
        """The same for every batch: components are computed once, as that takes much time."""
        parts = self.unlabeled_in_training
        return parts if self.components is None else [in_memory(part) for part in parts]


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
    first = first_rows(labelled, previous and previous.state)
    scaling = _scaling(estimator, labelled, first, data.unlabeled, previous)
    spread = _unit(estimator, scaling, labelled, first, previous)
    return Ingredients(
        targets=targets,
        penalty=penalty,
        solver=solver,
        hidden_units=hidden_units,
        labelled=labelled,
        used=used,
        first=first,
        unlabeled=_useful(estimator, penalty, data.unlabeled),
        validation=data.validation,
        scaling=scaling,
        components=None,
        dtype=np.dtype(solver.dtype if estimator.dtype == "auto" else estimator.dtype),
        spread=spread,
        epsilon=_epsilon(estimator, penalty, labelled.X.shape[1], spread),
        streams=streams,
    )


def _scaling(estimator, labelled, first, unlabeled, previous):
    """How the inputs are scaled: as in the fits before, unless these saw next to nothing."""
    if estimator.input_scaling is None if previous is None else previous.scaling is None:
        return None
    if first is None:
        return scaling_gone_on_with(previous.scaling, labelled, scaling_of(estimator))
    found = fit_scaling(first, unlabeled, scaling_of(estimator))
    return previous.scaling if previous and same(found, previous.scaling) else found


def without_unlabeled(estimator, ingredients):
    """The ingredients as if there were no rows without a label."""
    scaling = ingredients.scaling
    if scaling is not None:
        scaling = fit_scaling(ingredients.first, [], scaling_of(estimator))
    return replace(ingredients, unlabeled=[], scaling=scaling)


def scaling_of(estimator):
    """Name of the scaling of an ordinary fit."""
    return "robust" if estimator.input_scaling == "auto" else estimator.input_scaling


def hidden_units(sizes):
    """Units of each hidden layer.

    Parameters
    ----------
    sizes : int or array-like of int
        As the parameter `hidden_layer_sizes`.

    Returns
    -------
    units : tuple of int

    Raises
    ------
    ValueError
        If they are not positive integers.
    """
    units = tuple(sizes) if np.iterable(sizes) else (sizes,)
    if not all(isinstance(unit, Integral) and unit > 0 for unit in units):
        raise ValueError(
            "The 'hidden_layer_sizes' parameter must hold positive integers only, "
            f"one for each hidden layer. Got {sizes!r} instead."
        )
    return tuple(int(unit) for unit in units)


def _useful(estimator, penalty, unlabeled):
    """The rows without a label, if the penalty learns from them."""
    if not unlabeled or penalty.needs_no_label:
        return unlabeled
    warn(
        f"penalty={estimator.penalty!r} learns nothing from rows without a label: they are "
        "left out. Use 'c2c', 'jacobian', 'vat' or 'ladder'."
    )
    return []


def _epsilon(estimator, penalty, D, spread):
    """The radius, in the units of the rows that the network sees."""
    if not _is_relative(estimator.epsilon):
        return check_epsilon(estimator.epsilon, D)
    return float(spread * penalty.natural_epsilon(D))


def _is_relative(epsilon):
    return isinstance(epsilon, str) and epsilon == "scale"


def _unit(estimator, scaling, labelled, first, previous):
    """What a radius is relative to: the spread of the features, as in the fits before."""
    if not _is_relative(estimator.epsilon):
        return None
    if scaling is not None:
        return 1.0
    before = previous.state.get("spread") if first is None else None
    return before or _spread((labelled if first is None else first).X)


def _spread(X):
    """Root of the mean variance of the columns."""
    return float(np.sqrt(max(_variance(X).mean(), 0.0)))


def spread_of_columns(X):
    """Standard deviations of the columns, (D,)."""
    return np.sqrt(np.maximum(_variance(X), 0.0)).ravel()


def _variance(X):
    mean = np.asarray(X.mean(axis=0), dtype=np.float64)
    square = X.multiply(X) if hasattr(X, "multiply") else np.square(X, dtype=np.float64)
    return np.asarray(square.mean(axis=0)) - mean**2
