"""Converters in the form that skl2onnx asks for: parse, set types, add nodes."""

import numpy as np

from skc2c.onnx.graph import Graph
from skc2c.onnx.layers import outputs
from skc2c.onnx.likelihoods import mean, standard_deviation

# The name of the operator among those of skl2onnx.
REGRESSOR = "Skc2cC2CRegressor"


def _graph_and_rows(scope, operator, container):
    """The graph in the type of the operator's input, and the rows in this type."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    (rows,) = operator.inputs
    is_double = isinstance(rows.type, DoubleTensorType)
    graph = Graph(scope, container, np.dtype(np.float64 if is_double else np.float32))
    if isinstance(rows.type, (DoubleTensorType, FloatTensorType)):
        return graph, rows.full_name
    return graph, graph.cast(rows.full_name, graph.dtype)


def _link(scope, operator, container):
    """The graph, the fitted function and its output h."""
    function = operator.raw_operator._fitted_function()
    graph, rows = _graph_and_rows(scope, operator, container)
    return graph, function, outputs(graph, function.network, function.theta, rows)


# ------------------------------------------------------------------------- the classifier


def set_classifier_types(operator):
    """Set types and shapes of the labels and of the probabilities.

    Parameters
    ----------
    operator : skl2onnx.common._topology.Operator
    """
    from skl2onnx.common.data_types import Int64TensorType, StringTensorType

    estimator = operator.raw_operator
    n, classes = operator.inputs[0].get_first_dimension(), _labels(operator.scope_inst, estimator)
    label_type = StringTensorType if classes.dtype.kind == "U" else Int64TensorType
    shape = [n, len(classes)] if _is_multilabel(estimator) else [n]
    operator.outputs[0].set_type(label_type(shape))
    operator.outputs[1].type.shape = [n, len(classes)]


def convert_classifier(scope, operator, container):
    """Add the nodes of the labels and of the probabilities, or of the logits.

    Parameters
    ----------
    scope : skl2onnx.common._topology.Scope
    operator : skl2onnx.common._topology.Operator
    container : skl2onnx.common._container.ModelComponentContainer
    """
    estimator = operator.raw_operator
    graph, function, h = _link(scope, operator, container)
    labels, second = (output.full_name for output in operator.outputs)
    if _is_multilabel(estimator):
        graph.cast(graph.node("Greater", h, 0.0), np.int64, output=labels)
    else:
        if estimator.out_activation_ == "logistic":
            h = graph.node("Concat", graph.node("Neg", h), h, axis=1)
        place = graph.node("ArgMax", h, axis=1, keepdims=0)
        graph.node("Gather", _labels(scope, estimator), place, output=labels)
    if scope.get_options(estimator, {"raw_scores": False})["raw_scores"]:
        graph.node("Identity", h, output=second)
    else:
        limits = np.finfo(graph.dtype)
        bounds = float(limits.tiny), float(1.0 - limits.epsneg)
        graph.node("Clip", mean(graph, function.likelihood, h), *bounds, output=second)


def _is_multilabel(estimator):
    return estimator.n_outputs_ > 1 and estimator.out_activation_ == "logistic"


def _labels(scope, estimator):
    """Labels that ONNX can have, integers or strings, equal to those of the classes."""
    from skl2onnx.common.utils_classifier import get_label_classes

    classes = np.asarray(get_label_classes(scope, estimator))
    labels = classes.astype(np.int64 if classes.dtype.kind in "biuf" else str)
    if not (labels == classes).all():
        raise ValueError(f"ONNX has labels that are integers or strings. Got {classes!r}.")
    return labels


# -------------------------------------------------------------------------- the regressor


def parse_regressor(scope, model, inputs, custom_parsers=None):
    """Declare the predictions, and the standard deviations if the option asks for them.

    Parameters
    ----------
    scope : skl2onnx.common._topology.Scope
    model : C2CRegressor
    inputs : list of skl2onnx.common._topology.Variable
    custom_parsers : dict, optional
        Not used.

    Returns
    -------
    outputs : list of skl2onnx.common._topology.Variable
    """
    from skl2onnx.common.data_types import guess_tensor_type

    names = ["variable"]
    if scope.get_options(model, {"return_std": False})["return_std"]:
        model._targets().spread(np.zeros((0, model.n_outputs_)))  # raises where there is none
        names.append("std")
    operator = scope.declare_local_operator(REGRESSOR, model)
    operator.inputs = inputs
    for name in names:
        kind = guess_tensor_type(inputs[0].type)
        operator.outputs.append(scope.declare_local_variable(name, kind))
    return operator.outputs


def set_regressor_types(operator):
    """Set the shapes of the predictions and of the standard deviations.

    Parameters
    ----------
    operator : skl2onnx.common._topology.Operator
    """
    shape = [operator.inputs[0].get_first_dimension(), operator.raw_operator._targets().n_targets]
    for output in operator.outputs:
        output.type.shape = shape


def convert_regressor(scope, operator, container):
    """Add the nodes of the predictions, and of the standard deviations if declared.

    Parameters
    ----------
    scope : skl2onnx.common._topology.Scope
    operator : skl2onnx.common._topology.Operator
    container : skl2onnx.common._container.ModelComponentContainer
    """
    graph, function, h = _link(scope, operator, container)
    n_targets, n_outputs = operator.raw_operator._targets().n_targets, function.network.n_outputs
    predictions, *further = (output.full_name for output in operator.outputs)
    of_mean = h if n_targets == n_outputs else graph.columns(h, range(n_targets))
    graph.node("Identity", mean(graph, function.likelihood, of_mean), output=predictions)
    for name in further:
        log_variance = graph.columns(h, range(n_targets, n_outputs))
        std = standard_deviation(graph, function.likelihood, log_variance)
        graph.node("Identity", std, output=name)
