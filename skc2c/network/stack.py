"""From the shape of a network to its layers, each with its place in theta."""

from dataclasses import replace
from itertools import accumulate, pairwise

from skc2c.network.activations import ACTIVATIONS
from skc2c.network.dense import Dense
from skc2c.network.normalization import NormalizedDense

# Kinds of hidden layers, and of the last one, by what is normalised.
NORMALIZATIONS = {
    None: (Dense, Dense),
    "batch": (NormalizedDense, Dense),
    "batch_all": (NormalizedDense, NormalizedDense),
}


def layers_of(layer_units, activation, front, normalization):
    """Return the layers of a network from input to output.

    Parameters
    ----------
    layer_units, activation, front, normalization
        As for `Network`.

    Returns
    -------
    layers : tuple of Layer
        All their weights come first in theta, then all other parameters.
    """
    kinds = NORMALIZATIONS[normalization]
    unplaced = [*front, *_dense(layer_units, activation, front, *kinds)]
    weights = _slices(0, [layer.n_weights for layer in unplaced])
    others = _slices(weights[-1].stop, [layer.n_others for layer in unplaced])
    places = zip(unplaced, weights, others, strict=True)
    return tuple(replace(layer, weights=w, others=o) for layer, w, o in places)


def _dense(layer_units, activation, front, hidden, output):
    """Dense layers behind those in front, without a place; the last one is linear."""
    below, *above = layer_units
    *inner, last = pairwise([front[-1].n_out if front else below, *above])
    layers = [hidden(shape=shape, activation=ACTIVATIONS[activation]) for shape in inner]
    return [*layers, output(shape=last)]


def _slices(start, sizes):
    edges = list(accumulate(sizes, initial=start))
    return [slice(*edge) for edge in pairwise(edges)]
