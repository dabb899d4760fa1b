"""Points and tangents through all layers of a network, and back: one autograd primitive.

The whole network is one node of the trace: what autograd costs does not grow with the depth,
and the gradient is written into one flat vector without a copy.
"""

import numpy as np
from autograd.extend import defvjp_argnums, primitive

from skc2c.layers import pull_back


@primitive
def propagate(theta, rows, *, layers, n_points, tape, known=None):
    """Take points, and tangents at these points, through all layers.

    Parameters
    ----------
    theta : ndarray
    rows : ndarray of shape ((1 + m) * n_points, D)
        The points, then m directions at each, one after the other.
    layers : sequence of Layer
    n_points : int
    tape : list
        Receives what the way back needs.
    known : Linearization, optional
        Of the network at the first points. At this very theta they do not go through again.

    Returns
    -------
    out : ndarray of shape ((1 + m) * n_points, K)
    """
    resumes = known is not None and known.theta is theta
    for i, layer in enumerate(layers):
        if resumes:
            rows, record = layer.resume(theta, rows, known.passed[i])
        else:
            rows, record = layer.advance(theta, rows, n_points)
        tape.append(record)
    return rows


def _propagate_vjp(argnums, _, args, kwargs):
    theta = args[0]
    layers, n_points, tape = kwargs["layers"], kwargs["n_points"], kwargs["tape"]

    def vjp(g):
        gradient = np.empty_like(theta)
        gradient[layers[-1].bias.stop :] = 0.0  # what follows is not the network's
        for layer, record in zip(layers[::-1], tape[::-1], strict=True):
            g = layer.retreat(g, record, n_points)
            layer.write_gradient(gradient, record.rows, g, n_points)
            if layer is not layers[0] or 1 in argnums:
                g = pull_back(g, layer.kernel(theta))
        return tuple((gradient, g)[argnum] for argnum in argnums)

    return vjp


defvjp_argnums(propagate, _propagate_vjp)
