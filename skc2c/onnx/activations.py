"""The activations of the hidden layers in operators that onnxruntime has in double precision too.

It has no Softplus, Elu, Erf and Gelu there. A name of `skc2c.network.ACTIVATIONS` that is missing
here cannot be converted.
"""

import math

import numpy as np

# The series for the normal distribution function has this period, and is used up to this
# argument: beyond, and for terms left out, what is lost is below 1e-16.
_PERIOD = 36.0
_LARGEST = 9.0
_ODD = np.arange(1.0, 53.0, 2.0)


def _softplus(graph, z):
    # log(1 + e^z) = max(z, 0) + log(1 + e^-|z|)
    decay = graph.node("Exp", graph.node("Neg", graph.node("Abs", z)))
    return graph.node(
        "Add", graph.node("Relu", z), graph.node("Log", graph.node("Add", decay, 1.0))
    )


def _elu(graph, z):
    negative = graph.node("Sub", graph.node("Exp", graph.node("Min", z, 0.0)), 1.0)
    return graph.node("Add", graph.node("Relu", z), negative)


def _gelu(graph, z):
    return graph.node("Mul", z, _normal_cdf(graph, z))


def _normal_cdf(graph, z):
    if graph.dtype == np.float32:
        erf = graph.node("Erf", graph.node("Mul", z, math.sqrt(0.5)))
        return graph.node("Mul", graph.node("Add", erf, 1.0), 0.5)
    return _normal_cdf_by_series(graph, z)


def _normal_cdf_by_series(graph, z):
    """``1/2 + 2/pi sum_n exp(-(n w)^2 / 2) sin(n w z) / n`` over odd n, with w = 2 pi / period.

    N. C. Beaulieu, "A simple series for personal computer computation of the error function
    Q(.)", IEEE Transactions on Communications 37 (1989).
    """
    angular = 2.0 * math.pi / _PERIOD * _ODD
    weights = 2.0 / math.pi * np.exp(-0.5 * angular**2) / _ODD
    z = graph.node("Unsqueeze", graph.node("Clip", z, -_LARGEST, _LARGEST), np.array([2]))
    sines = graph.node("Sin", graph.node("Mul", z, angular))
    total = graph.node("Squeeze", graph.node("MatMul", sines, weights[:, None]), np.array([2]))
    return graph.node("Add", total, 0.5)


def _silu(graph, z):
    return graph.node("Mul", z, graph.node("Sigmoid", z))


NODES = {
    "identity": lambda graph, z: z,
    "logistic": lambda graph, z: graph.node("Sigmoid", z),
    "tanh": lambda graph, z: graph.node("Tanh", z),
    "relu": lambda graph, z: graph.node("Relu", z),
    "softplus": _softplus,
    "elu": _elu,
    "gelu": _gelu,
    "silu": _silu,
}


def activate(graph, name, z):
    """Add the nodes of an activation.

    Parameters
    ----------
    graph : Graph
    name : str
        A key of `skc2c.network.ACTIVATIONS`.
    z : str

    Returns
    -------
    a : str
    """
    if name not in NODES:
        raise NotImplementedError(f"activation={name!r} has no form in ONNX (skc2c.onnx).")
    return NODES[name](graph, z)
