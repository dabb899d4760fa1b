"""Several networks as one, whose hidden layers are theirs side by side."""

import numpy as np

from skc2c.estimators.in_front import in_line
from skc2c.network import Network


def side_by_side(networks):
    """Several networks as one, whose hidden layers are theirs side by side.

    Parameters
    ----------
    networks : list of (Network, ndarray, float)
        With parameters and weights.

    Returns
    -------
    network : Network
    parts : (list of ndarray, list of ndarray)
        Its kernels and biases: the output is the weighted sum of the networks' outputs.
    """
    first = networks[0][0]
    front = in_line({layer for one, _, _ in networks for layer in one.front}, first.n_features)
    unpacked = [_behind(front, one, theta) for one, theta, _ in networks]
    weights = [weight for _, _, weight in networks]
    depth = len(unpacked[0][0])
    coefs, intercepts = [], []
    for level in range(depth):
        kernels = [coefs_of[level] for coefs_of, _ in unpacked]
        biases = [intercepts_of[level] for _, intercepts_of in unpacked]
        is_last, is_first = level == depth - 1, level == 0
        if is_last:
            kernels = [w * kernel for w, kernel in zip(weights, kernels, strict=True)]
            biases = [w * bias for w, bias in zip(weights, biases, strict=True)]
        coefs.append(_joined(kernels, is_first, is_last))
        intercepts.append(sum(biases) if is_last else np.concatenate(biases))
    units = (first.n_features, *(len(bias) for bias in intercepts))
    return Network(units, first.activation, front), (coefs, intercepts)


def _behind(front, network, theta):
    """Kernels and biases of a network behind all embeddings: it has no weights on others' ones."""
    (kernel, *coefs), intercepts = network.unpack(theta)
    kinds = set(map(type, network.front))
    further = [np.arange(layer.n_in, layer.n_out) for layer in front if type(layer) in kinds]
    n_behind = front[-1].n_out if front else network.n_features
    spread = np.zeros((n_behind, kernel.shape[1]))
    spread[np.concatenate([np.arange(network.n_features), *further])] = kernel
    return [spread, *coefs], intercepts


def _joined(kernels, is_first, is_last):
    """Kernels of one level as one: in a row, a column or a diagonal of blocks."""
    if is_first:
        return sum(kernels) if is_last else np.hstack(kernels)
    if is_last:
        return np.vstack(kernels)
    return _block_diagonal(kernels)


def _block_diagonal(kernels):
    fan_in, fan_out = kernels[0].shape
    k = len(kernels)
    result = np.zeros((k, fan_in, k, fan_out))
    result[np.arange(k), :, np.arange(k), :] = kernels
    return result.reshape(k * fan_in, k * fan_out)
