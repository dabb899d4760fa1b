"""The map x -> h as nodes: each kind of layer, a network, and the mean of several."""

import math

import numpy as np

from skc2c.network.dense import Dense
from skc2c.network.fourier_features import FourierFeatures
from skc2c.network.input_scaling import MAX_ABSOLUTE, InputScaling
from skc2c.network.mean import MeanNetwork
from skc2c.network.piecewise_linear import PiecewiseLinear
from skc2c.onnx.activations import activate

# From here on the square of a number is all that counts beside 1, and does not overflow.
_LARGE = 1e10


def outputs(graph, network, theta, x):
    """Add the nodes of a network.

    Parameters
    ----------
    graph : Graph
    network : Network or MeanNetwork
    theta : ndarray of shape (network.size,)
    x : str
        Rows, in the type of the graph.

    Returns
    -------
    h : str
    """
    if isinstance(network, MeanNetwork):
        each = [outputs(graph, one, own, x) for one, own in network.parts(theta)]
        return graph.node("Div", graph.node("Sum", *each), float(len(each)))
    for layer in network.layers:
        x = _NODES[type(layer)](graph, layer, network.activation, theta, x)
    return x


def _scale(graph, layer, _name, _theta, x):
    limit = float(np.finfo(graph.dtype).max)
    # Twice: a scale of zero times an overflow is not zero, and a large z has no square.
    z = graph.node("Clip", graph.node("Sub", x, layer.center), -limit, limit)
    z = graph.node("Clip", graph.node("Mul", z, layer.scale), -_LARGE, _LARGE)
    third = graph.node("Mul", z, 1.0 / MAX_ABSOLUTE)
    square = graph.node("Mul", third, third)
    return graph.node("Div", z, graph.node("Sqrt", graph.node("Add", square, 1.0)))


def _embed(graph, layer, _name, _theta, x):
    columns, parts = graph.columns(x, layer.columns), [x]
    for frequency in layer.frequencies:
        angle = graph.node("Mul", columns, 2.0 * math.pi * frequency)
        parts += [graph.node("Sin", angle), graph.node("Cos", angle)]
    return graph.node("Concat", *parts, axis=1)


def _bin(graph, layer, _name, _theta, x):
    columns = graph.columns(x, layer.columns_of_bins)
    part = graph.node("Mul", graph.node("Sub", columns, layer.lower_ends), layer.steepness)
    return graph.node("Concat", x, graph.node("Clip", part, 0.0, 1.0), axis=1)


def _multiply(graph, layer, name, theta, x):
    z = graph.node("MatMul", x, layer.kernel(theta))
    z = graph.node("Add", z, layer.bias(theta))
    return z if layer.is_linear else activate(graph, name, z)


_NODES = {
    InputScaling: _scale,
    FourierFeatures: _embed,
    PiecewiseLinear: _bin,
    Dense: _multiply,
}
