"""The layers in front of the dense ones, as fitted attributes and back."""

from dataclasses import replace

import numpy as np

from skc2c.network.fourier_features import FourierFeatures
from skc2c.network.input_scaling import InputScaling
from skc2c.network.piecewise_linear import PiecewiseLinear

# The order in which embeddings stand behind one another, if there are several.
_KINDS = (PiecewiseLinear, FourierFeatures)


def front_attributes(scaling, embeddings):
    """Fitted attributes that say what stands before the dense layers.

    Parameters
    ----------
    scaling : InputScaling or None
    embeddings : tuple of AppendedFeatures
        Of the same columns.
    """
    by_kind = {type(layer): layer for layer in embeddings}
    bins, waves = map(by_kind.get, _KINDS)
    return {
        "input_center_": None if scaling is None else scaling.center,
        "input_scale_": None if scaling is None else scaling.scale,
        "embedding_columns_": np.array(embeddings[0].columns) if embeddings else None,
        "embedding_frequencies_": None if waves is None else np.array(waves.frequencies),
        "embedding_breakpoints_": None if bins is None else list(map(np.array, bins.breakpoints)),
    }


def layers_in_front(estimator, n_behind):
    """The layers that fitted attributes describe.

    Parameters
    ----------
    estimator : Perceptron
    n_behind : int
        Features behind all of them.

    Returns
    -------
    front : tuple of FixedLayer
    """
    scaling, embeddings = scaling_of(estimator), _embeddings(estimator)
    n_features = n_behind - sum(layer.n_appended for layer in embeddings)
    return (*([] if scaling is None else [scaling]), *in_line(embeddings, n_features))


def scaling_of(estimator):
    """The input scaling that fitted attributes describe, or None."""
    if estimator.input_center_ is None:
        return None
    return InputScaling(center=estimator.input_center_, scale=estimator.input_scale_)


def in_line(embeddings, n_features):
    """Embeddings of the same features, one behind the other."""
    front = []
    for layer in sorted(embeddings, key=lambda layer: _KINDS.index(type(layer))):
        front.append(replace(layer, n_features=front[-1].n_out if front else n_features))
    return tuple(front)


def _embeddings(estimator):
    if estimator.embedding_columns_ is None:
        return []
    columns, found = tuple(estimator.embedding_columns_.tolist()), []
    if estimator.embedding_breakpoints_ is not None:
        points = tuple(tuple(own.tolist()) for own in estimator.embedding_breakpoints_)
        found.append(PiecewiseLinear(columns=columns, breakpoints=points))
    if estimator.embedding_frequencies_ is not None:
        frequencies = tuple(estimator.embedding_frequencies_.tolist())
        found.append(FourierFeatures(columns=columns, frequencies=frequencies))
    return found
