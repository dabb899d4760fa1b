"""A network from x to x through a code, and its two halves over the same parameters."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from skc2c.differentiable import differentiable
from skc2c.network.activations import ACTIVATIONS
from skc2c.network.network import Network
from skc2c.network.passes import Layout, through
from skc2c.network.stack import layers_of


@dataclass(frozen=True)
class Autoencoder(Network):
    """An encoder and a decoder, one after the other: ``h = d(e(x))``.

    Parameters
    ----------
    layer_units, activation, front
        As for `Network`.
    n_encoding : int
        How many of the dense layers belong to the encoder. The output of the last of them is
        the code.
    code_activation : str, default='identity'
        Activation of the code, a key of ``ACTIVATIONS``.
    """

    n_encoding: int = field(kw_only=True)
    code_activation: str = field(kw_only=True, default="identity")

    @cached_property
    def layers(self):
        """The layers from input to output; that of the code has an activation of its own."""
        layers = list(layers_of(self.layer_units, self.activation, self.front, self.normalization))
        code = len(self.front) + self.n_encoding - 1
        layers[code] = replace(layers[code], activation=ACTIVATIONS[self.code_activation])
        return tuple(layers)

    @property
    def encoder(self):
        """The half from x to the code, as a network over the whole theta."""
        stop = len(self.front) + self.n_encoding
        return Part(
            self.layer_units[: self.n_encoding + 1],
            self.activation,
            self.front,
            whole=self,
            place=slice(0, stop),
        )

    @property
    def decoder(self):
        """The half from the code to the output, as a network over the whole theta."""
        start = len(self.front) + self.n_encoding
        return Part(
            self.layer_units[self.n_encoding :],
            self.activation,
            whole=self,
            place=slice(start, None),
        )


@dataclass(frozen=True)
class Part(Network):
    """Consecutive layers of a network, whose parameters stay where they are in its theta.

    The gradient with respect to theta is zero where the other layers have theirs.

    Parameters
    ----------
    layer_units, activation, front
        Of the part.
    whole : Network
    place : slice
        Which layers of the whole these are.
    """

    whole: Network = field(kw_only=True)
    place: slice = field(kw_only=True)

    @cached_property
    def layers(self):
        """The layers of the part, with their places in the theta of the whole."""
        return self.whole.layers[self.place]

    @property
    def size(self):
        """Length of the theta of the whole."""
        return self.whole.size

    @cached_property
    def _flat_layout(self):
        return Layout(self.size, is_filled=False)

    def jacobian(self, theta, X, seeds=None):
        return super().jacobian(theta, X, self._before_activation(theta, X, seeds))

    def squared_jacobian(self, theta, X, scale, seeds=None):
        if not self.front:  # otherwise it is made from the Jacobian
            seeds = self._before_activation(theta, X, seeds)
        return super().squared_jacobian(theta, X, scale, seeds)

    def _before_activation(self, theta, X, seeds):
        """Covectors pulled back through the activation of the last layer, if it has one."""
        last = self.layers[-1]
        if last.is_linear:
            return seeds
        linear = replace(last, activation=ACTIVATIONS["identity"])
        z = through(
            theta,
            X,
            layers=(*self.layers[:-1], linear),
            layout=self._flat_layout,
            n_points=len(X),
            n_fixed=self._n_fixed,
        )
        slope = _slope(z, activation=last.activation)
        return slope[:, None, :] * (
            np.eye(slope.shape[1], dtype=X.dtype) if seeds is None else seeds
        )


@differentiable
def _slope(z, *, activation):
    """Derivative of an activation at z, (n, K)."""
    _, residual = activation.evaluate(z.copy())

    def back(g):
        if activation.curvature is None:
            return (np.zeros_like(g),)
        return (g * activation.curvature(residual),)

    return activation.slope(residual), back
