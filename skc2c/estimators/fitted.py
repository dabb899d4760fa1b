"""Records of fits as attributes of an estimator, and the network that the attributes describe."""

import numpy as np

from skc2c.estimators.first_rows import record_of
from skc2c.estimators.history import history_of_one, history_of_several, joined
from skc2c.estimators.in_front import front_attributes, layers_in_front
from skc2c.estimators.side_by_side import side_by_side
from skc2c.network import Network
from skc2c.network.mean import MeanNetwork


def function_of_one(ingredients, network, units, theta, dtype):
    """Fitted attributes that say what function one network is."""
    theta, penalty = theta.astype(np.float64), ingredients.penalty
    extra = penalty.parameters_in_units(theta[network.size :], units.center, units.divisor)
    return {
        **_function(ingredients, units, network.unpack(theta), extra, dtype),
        **_layers(network),
        **front_attributes(ingredients.scaling, network.front),
        **ingredients.targets.attributes_of_adjustment(1.0, 0.0),
        "n_networks_": 1,
    }


def attributes_of_one(ingredients, training, found, dtype):
    """Fitted attributes of an estimator with one network."""
    plan = training.plan
    network, theta = plan.fitted(found.theta)
    return {
        **function_of_one(ingredients, network, training.units, theta, dtype),
        "alpha_": plan.alpha,
        "n_iter_": found.n_iter,
        "t_": found.n_iter * len(plan.train),
        "loss_": found.loss,
        "loss_curve_": found.loss_curve,
        "best_loss_": None if found.validation_scores is not None else found.best_loss,
        "validation_scores_": found.validation_scores,
        "best_validation_score_": found.best_validation_score,
        "history_": history_of_one(found),
        "_state": {**found.state, **_units(ingredients, training.units)},
    }


def attributes_of_increment(ingredients, attributes, before):
    """Fitted attributes after a further epoch, on top of those `before` it."""
    n_unlabeled = sum(part.shape[0] for part in ingredients.unlabeled)
    return counted_on(attributes, before) | {
        "n_iter_": before.get("n_iter_", 0) + attributes["n_iter_"],
        "_state": attributes["_state"] | {"first_rows": record_of(ingredients.first, n_unlabeled)},
    }


def counted_on(attributes, before):
    """Fitted attributes whose curves go on with those of the fit `before`, as in MLPClassifier."""
    curve = [*before.get("loss_curve_", []), *attributes["loss_curve_"]]
    scores = attributes["validation_scores_"]
    if scores is not None:
        scores = [*(before.get("validation_scores_") or []), *scores]
    return attributes | {
        "t_": before.get("t_", 0) + attributes["t_"],
        "loss_curve_": curve,
        "best_loss_": min(curve, default=attributes["loss_"]) if scores is None else None,
        "validation_scores_": scores,
        "best_validation_score_": None if scores is None else max(scores, default=None),
        "history_": joined(before.get("history_", {}), attributes["history_"]),
    }


def attributes_of_several(ingredients, training, found, dtype):
    """Fitted attributes of an estimator whose function is a mean of networks."""
    plan, units = training.plan, training.output_units
    main = found.main
    networks = [
        (*_of_scaled_rows(ingredients, one, theta.astype(np.float64)), weight)
        for one, theta, weight in found.networks
    ]
    network, parts = side_by_side(networks)
    extras = [
        plan.penalty.parameters_in_units(theta[one.size :], units.center, units.divisor)
        for one, theta, _ in networks
    ]
    curve = [objective for objective, *_ in main.curve]
    return {
        **_function(ingredients, units, parts, np.concatenate(extras), dtype),
        **_layers(network),
        **front_attributes(ingredients.scaling, network.front),
        **ingredients.targets.attributes_of_adjustment(training.factor, training.shift),
        "n_networks_": len(networks),
        "alpha_": main.candidate.alpha,
        "n_iter_": len(curve),
        "t_": len(curve) * plan.n_train,
        "loss_": curve[-1] if curve else np.nan,
        "loss_curve_": curve,
        "best_loss_": min(curve, default=np.nan),
        "validation_scores_": None,
        "best_validation_score_": None,
        "history_": history_of_several(found),
        "_state": {"solver": None, "streams": None, **_units(ingredients, training.units)},
    }


def _of_scaled_rows(ingredients, network, theta):
    """Network and parameters for scaled rows, if training saw their principal components."""
    components = ingredients.components
    return (network, theta) if components is None else components.unfold(network, theta)


def _units(ingredients, units):
    """The units of targets and inputs."""
    return {"units": units._asdict(), "spread": ingredients.spread}


def out_of_fold_attributes(ingredients, training, found, data):
    """The score and the predictions of rows by the networks that were not trained on them.

    There are none if every network was trained on all rows.
    """
    if not len(training.plan.left_out):
        return {}
    units = training.output_units
    h = found.outputs * units.scale + units.center
    places = data.places[ingredients.used]
    return ingredients.targets.fitted(units).out_of_fold(
        h, ingredients.labelled.y, sample_weight(data, ingredients), places, data.n_rows
    )


def sample_weight(data, ingredients):
    """Weights of the labelled rows as `fit` was given them, without those of classes."""
    weight = data.labelled.weight
    return None if weight is None else weight[ingredients.used]


def _function(ingredients, units, parts, extra, dtype):
    """The parameters, in the dtype of X, or in float64 if they are out of its range."""
    coefs, intercepts = units.fold(*parts)
    largest = max(np.abs(array).max(initial=0.0) for array in (*coefs, *intercepts, extra))
    dtype = dtype if largest <= np.finfo(dtype).max else np.dtype(np.float64)
    return {
        "coefs_": [coef.astype(dtype) for coef in coefs],
        "intercepts_": [intercept.astype(dtype) for intercept in intercepts],
        "penalty_parameters_": extra.astype(dtype),
        "epsilon_": ingredients.epsilon,
        "out_activation_": ingredients.targets.likelihood.out_activation,
        **ingredients.targets.fitted(units).attributes(),
    }


def _layers(network):
    return {
        "hidden_activation_": network.activation,
        "n_layers_": len(network.layer_units),
        "n_outputs_": network.n_outputs,
    }


# ------------------------------------------------------------------ attributes as a network


def network_of(estimator, dtype=None):
    """The network that fitted attributes describe, and its parameters.

    With several networks of two or more hidden layers the kernels between these are diagonals
    of blocks, of which only the blocks are evaluated.

    Returns
    -------
    network : Network or MeanNetwork
    theta : ndarray
    """
    return assembled(estimator, estimator.coefs_, estimator.intercepts_, dtype)


def assembled(estimator, coefs, intercepts, dtype=None):
    """The network with these kernels and biases behind the layers in front of an estimator.

    Returns
    -------
    network : Network or MeanNetwork
    theta : ndarray
    """
    dtype, k = dtype or np.result_type(*coefs), estimator.n_networks_
    if k == 1 or len(coefs) <= 2:
        network = _network(estimator, coefs)
        return network, network.pack(coefs, intercepts, dtype)
    blocks = [_block(coefs, intercepts, k, i) for i in range(k)]
    networks = tuple(_network(estimator, block_coefs) for block_coefs, _ in blocks)
    thetas = [one.pack(*block, dtype) for one, block in zip(networks, blocks, strict=True)]
    return MeanNetwork(networks), np.concatenate(thetas)


def network_as_one(estimator):
    """The network that fitted attributes describe, several side by side as one."""
    return _network(estimator, estimator.coefs_)


def _network(estimator, coefs):
    front = layers_in_front(estimator, len(coefs[0]))
    n_features = front[0].n_in if front else len(coefs[0])
    units = (n_features, *(coef.shape[1] for coef in coefs))
    return Network(units, estimator.hidden_activation_, front)


def _block(coefs, intercepts, k, i):
    """Kernels and biases of one of k networks, whose mean is the fitted function."""
    places = [slice(i * len(bias) // k, (i + 1) * len(bias) // k) for bias in intercepts[:-1]]
    below, above = [slice(None), *places], [*places, slice(None)]
    own = [coef[b, a] for coef, b, a in zip(coefs, below, above, strict=True)]
    biases = [bias[a] for bias, a in zip(intercepts, above, strict=True)]
    return [*own[:-1], k * own[-1]], biases
