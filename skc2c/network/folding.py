"""Normalisation at fixed statistics, folded into kernels and biases: what a fit hands on."""

from dataclasses import replace

import numpy as np

from skc2c.network.blocks import row_blocks
from skc2c.network.normalization import NormalizedDense


def fold(network, theta, rows):
    """Return the network without normalisation that a normalised one is at given rows.

    Mean and variance of every unit are those over all of the rows, layer after layer, with the
    layers below already folded. As in training, each row counts once, whatever its weight.

    Parameters
    ----------
    network : Network
    theta : ndarray of shape (network.size + n_further,)
        Further entries, such as the parameters of a penalty, stay as they are.
    rows : Rows
        Of at least one row.

    Returns
    -------
    network : Network
        Itself if it has no normalisation.
    theta : ndarray
    """
    if network.normalization is None:
        return network, theta
    plain, own = replace(network, normalization=None), theta[None, : network.size]
    result = np.concatenate([np.zeros(plain.size, theta.dtype), theta[network.size :]])
    for i in range(len(network.front), len(network.layers)):
        layer = network.layers[i]
        if isinstance(layer, NormalizedDense):
            below = _below(plain, i, result, rows)
            moments = _moments(h @ layer.kernel(own)[0] for h in below)
            _write(plain.layers[i], result, *layer.folded(own, *moments))
        else:
            _write(plain.layers[i], result, layer.kernel(own)[0], own[0, layer.others])
    return plain, result


def _below(network, i, theta, rows):
    """What layer i gets, block after block of the rows."""
    for block in row_blocks(len(rows), network):
        h = rows.take(block).dense().X
        for layer in network.layers[:i]:
            h, _ = layer.evaluate(theta, h)
        yield h


def _moments(blocks):
    """Mean and variance over the rows of all blocks, (units,), in float64."""
    n, mean, squares = 0, 0.0, 0.0
    for z in blocks:
        m = len(z)
        own = z.mean(axis=0, dtype=np.float64)
        shift = own - mean
        # Sums of squares about the means add up like this (Chan et al., 1979).
        squares = squares + np.square(z - own).sum(axis=0) + shift**2 * (n * m / (n + m))
        n += m
        mean = mean + shift * (m / n)
    return mean, squares / n


def _write(layer, theta, kernel, bias):
    layer.kernel(theta)[...] = kernel
    theta[layer.others] = bias
