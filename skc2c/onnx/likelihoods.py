"""What h means as nodes: mean responses and standard deviations."""

import numpy as np

from skc2c.likelihoods.exponential import LARGEST_LOG_RATE
from skc2c.likelihoods.gaussian_nll import STRAIGHT


def _rate(graph, h):
    """The exponential, which goes on as a straight line; see `skc2c.likelihoods.Poisson`."""
    log_rate = graph.node("Min", h, LARGEST_LOG_RATE)
    excess = graph.node("Sub", h, log_rate)
    return graph.node("Mul", graph.node("Exp", log_rate), graph.node("Add", excess, 1.0))


_LINKS = {
    "identity": lambda graph, h: h,
    "logistic": lambda graph, h: graph.node("Sigmoid", h),
    "softmax": lambda graph, h: graph.node("Softmax", h, axis=1),
    "exp": _rate,
}


def mean(graph, likelihood, h):
    """Add the nodes of the mean response, whose columns come first among the outputs.

    Parameters
    ----------
    graph : Graph
    likelihood : Likelihood
    h : str

    Returns
    -------
    mean : str
    """
    return _LINKS[likelihood.out_activation](graph, h)


def standard_deviation(graph, likelihood, log_variance):
    """Add the nodes of the standard deviation from log-variances; see `GaussianNLL`."""
    unit = 2.0 * np.log(likelihood.scale)
    s = graph.node("Sub", log_variance, unit)
    straight = graph.node("Clip", s, -STRAIGHT, STRAIGHT)
    excess = graph.node("Sub", s, straight)
    bent = graph.node("Div", excess, graph.node("Add", graph.node("Abs", excess), 1.0))
    bounded = graph.node("Add", graph.node("Add", straight, bent), unit)
    return graph.node("Exp", graph.node("Mul", bounded, 0.5))
