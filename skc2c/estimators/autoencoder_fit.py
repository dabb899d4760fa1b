"""A fit of an autoencoder: from rows to a plan, from its record to attributes, and back."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from skc2c.data.rows import Rows
from skc2c.estimators.assembly import BATCH_SIZE, batch_size
from skc2c.estimators.in_front import scaling_of
from skc2c.estimators.ingredients import hidden_units
from skc2c.estimators.reports import report_ending
from skc2c.estimators.scaled_rows import fit_scaling, scaled
from skc2c.estimators.targets import Units
from skc2c.fitting import Plan, Streams, fit
from skc2c.likelihoods import LIKELIHOODS
from skc2c.network import Autoencoder
from skc2c.network.input_scaling import InputScaling
from skc2c.penalties import check_epsilon, make_penalty
from skc2c.random_streams import streams
from skc2c.solvers import make_solver

# Of the rows, and of the code as penalties see it.
LIKELIHOOD = LIKELIHOODS["squared_error"]()
# Steps of Adam for which `max_iter='auto'` trains, whatever the number of rows, and iterations of a
# full-batch solver (docs/autoencoder.md).
_STEPS, _ITERATIONS = 2000, 200


def train(estimator, X, random_state):
    """Fit an autoencoder.

    Parameters
    ----------
    estimator : C2CAutoencoder
        Its parameters are read.
    X : ndarray of shape (n, D)
    random_state : int, RandomState instance or None
        Used in place of that of the estimator; an instance is advanced.

    Returns
    -------
    attributes : dict
        Fitted attributes.
    """
    solver = make_solver(estimator.solver).annealed()
    rows = _rows(X, solver)
    view = View.fit(rows, estimator.input_scaling is not None)
    draws = Streams(*streams(random_state, len(Streams._fields)))
    plan = _plan(estimator, solver, rows, view, draws)
    found = fit(plan)
    # To use up the epochs is the way of a rate that falls to zero, and no failure.
    report_ending(estimator, found._replace(message=None) if plan.solver.is_stochastic else found)
    return _attributes(plan, view, found, X.dtype)


class View(NamedTuple):
    """Rows as the network sees them: scaled, then centred and divided by one number.

    That number is the root mean variance of the scaled features, so that distances between rows
    keep their proportions.
    """

    scaling: InputScaling | None
    units: Units

    @classmethod
    def fit(cls, rows, is_scaled):
        """Find out center and scale of rows."""
        scaling = fit_scaling(rows, []) if is_scaled else None
        X = rows.X if scaling is None else scaled(rows.X, scaling, rows.X.dtype)
        center = np.average(X, axis=0, weights=rows.weight)
        variance = np.average((X - center) ** 2, axis=0, weights=rows.weight)
        spread = np.sqrt(variance.mean())
        return cls(scaling, Units(center, np.full(len(center), spread if spread > 0.0 else 1.0)))

    @property
    def n_out(self):
        """Width of a row."""
        return len(self.units.center)

    @property
    def unit(self):
        """The number that scaled features are divided by."""
        return float(self.units.scale[0])

    def transform(self, X):
        """Rows as training sees them."""
        return self.units.standardize(X if self.scaling is None else self.scaling.transform(X))

    def fold(self, coefs, intercepts):
        """Kernels and biases from scaled rows to scaled rows, in float64."""
        coefs, intercepts = self.units.fold(coefs, intercepts)
        first = coefs[0] / self.unit
        return [first, *coefs[1:]], [intercepts[0] - self.units.center @ first, *intercepts[1:]]


def _plan(estimator, solver, rows, view, draws):
    """Make the plan of a fit."""
    penalty = make_penalty(estimator.penalty)
    dtype = np.dtype(solver.dtype if estimator.dtype == "auto" else estimator.dtype)
    rows = replace(rows, X=scaled(rows.X, view, dtype))
    network = _network(estimator, rows.X.shape[1])
    return Plan(
        network=network,
        penalized=network.encoder,
        likelihood=LIKELIHOOD,
        penalty=penalty,
        solver=solver,
        train=Rows(rows.X, rows.X, rows.weight),
        pool=rows if penalty.needs_no_label else None,
        theta=_start(network, penalty, draws.initial, dtype),
        streams=draws,
        epsilon=_epsilon(estimator.epsilon, penalty, view),
        batch_size=batch_size(estimator, rows, solver),
        **_settings(estimator, len(rows), solver),
    )


def _settings(estimator, n, solver):
    """Parameters of the estimator that a plan takes as they are, or nearly."""
    return {
        # A numpy scalar would widen float32, a Python one does not.
        "alpha": float(estimator.alpha),
        "l2": float(estimator.l2),
        "learning_rate": estimator.learning_rate_init,
        "max_iter": _max_iter(estimator, n, solver),
        "tol": estimator.tol,
        "n_iter_no_change": np.inf,
        "shuffle": estimator.shuffle,
        "verbose": estimator.verbose,
    }


def _network(estimator, n_features):
    hidden = hidden_units(estimator.hidden_layer_sizes)
    units = (n_features, *hidden, int(estimator.n_components), *hidden[::-1], n_features)
    return _network_like(units, estimator.activation, estimator.code_activation)


def _network_like(units, activation, code_activation, front=()):
    """The network of a symmetric autoencoder."""
    further = {"n_encoding": len(units) // 2, "code_activation": code_activation}
    return Autoencoder(units, activation, front, **further)


def _start(network, penalty, rng, dtype):
    """Theta to start from: the network's parameters, then those of the penalty itself."""
    extra = penalty.initial_parameters(network.encoder.n_outputs)
    return np.concatenate([network.initialize(rng, dtype), extra], dtype=dtype)


def _rows(X, solver):
    """Rows without targets; for a full-batch solver each distinct one once, in canonical order."""
    rows = Rows(X, None, np.ones(len(X)))
    if solver.is_stochastic:
        return rows
    rows = rows.canonical()
    return Rows(X[rows.places], None, rows.weight)


def _epsilon(epsilon, penalty, view):
    """The radius in the units of training."""
    n_features = len(view.units.center)
    if isinstance(epsilon, str):
        return float(penalty.natural_epsilon(n_features))
    return check_epsilon(epsilon, n_features) / view.unit


def _max_iter(estimator, n, solver):
    if estimator.max_iter != "auto":
        return estimator.max_iter
    if not solver.is_stochastic:
        return _ITERATIONS
    size = BATCH_SIZE if estimator.batch_size == "auto" else estimator.batch_size
    steps_per_epoch = -(-n // size)
    return -(-_STEPS // steps_per_epoch)


def _attributes(plan, view, found, dtype):
    """Fitted attributes."""
    network, theta = plan.network, found.theta.astype(np.float64)
    coefs, intercepts = view.fold(*network.unpack(theta))
    return {
        "coefs_": [coef.astype(dtype) for coef in coefs],
        "intercepts_": [intercept.astype(dtype) for intercept in intercepts],
        "penalty_parameters_": theta[network.size :].astype(dtype),
        "n_components_": network.encoder.n_outputs,
        "epsilon_": plan.epsilon * view.unit,
        "input_center_": None if view.scaling is None else view.scaling.center,
        "input_scale_": None if view.scaling is None else view.scaling.scale,
        "hidden_activation_": network.activation,
        "code_activation_": network.code_activation,
        "n_layers_": len(network.layer_units),
        "n_iter_": found.n_iter,
        "loss_": found.loss,
        "loss_curve_": found.loss_curve,
        "best_loss_": found.best_loss,
    }


def network_of(estimator, dtype=None):
    """The network that fitted attributes describe, and its parameters.

    Returns
    -------
    network : Autoencoder
        From raw rows to scaled ones, if there is a scaling.
    theta : ndarray
    """
    coefs, intercepts = estimator.coefs_, estimator.intercepts_
    units = (len(coefs[0]), *(len(bias) for bias in intercepts))
    scaling = scaling_of(estimator)
    activations = estimator.hidden_activation_, estimator.code_activation_
    network = _network_like(units, *activations, () if scaling is None else (scaling,))
    return network, network.pack(coefs, intercepts, dtype or np.result_type(*coefs))
