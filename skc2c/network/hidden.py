"""The outputs of hidden layers."""

import numpy as np

from skc2c.network.mean import MeanNetwork


def hidden(network, theta, X, level):
    """Output of a hidden layer at every row.

    Parameters
    ----------
    network : Network or MeanNetwork
    theta : ndarray
    X : ndarray or CSR matrix of shape (n, D)
    level : int
        Which hidden layer, from 0.

    Returns
    -------
    rows : ndarray of shape (n, units)
        Of several networks side by side.
    """
    if isinstance(network, MeanNetwork):
        return np.hstack([hidden(one, own, X, level) for one, own in network.parts(theta)])
    for layer in network.layers[: len(network.front) + level + 1]:
        X, _ = layer.evaluate(theta, X)
    return X
