"""The mean of several networks at the same rows: what a fit with folds hands to the user."""

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import NamedTuple

import autograd.numpy as anp


@dataclass(frozen=True)
class MeanNetwork:
    """``h = mean_i f_i(x)``: networks that may differ in their layers, but not in D and K.

    It has the methods of `Network`, so that whatever reads a fitted function reads this one
    too. ``theta`` holds the parameters of one network after the other.

    Parameters
    ----------
    networks : tuple of Network
    """

    networks: tuple

    @property
    def n_members(self):
        """One: its networks see the same rows, and have one output."""
        return 1

    @property
    def normalization(self):
        """None: what a fit hands on has none."""

    @property
    def n_features(self):
        return self.networks[0].n_features

    @property
    def n_outputs(self):
        return self.networks[0].n_outputs

    @property
    def widest(self):
        return max(network.widest for network in self.networks)

    @property
    def size(self):
        return self._places[-1].stop

    @cached_property
    def _places(self):
        edges = accumulate((network.size for network in self.networks), initial=0)
        return [slice(*edge) for edge in pairwise(edges)]

    def parts(self, theta):
        """Each network with its parameters."""
        return [(network, theta[place]) for network, place in self._pairs]

    @property
    def _pairs(self):
        return zip(self.networks, self._places, strict=True)

    def forward(self, theta, X, linearization=None, n=None):
        """Network output, (n, K). See `Network.forward`."""
        known = [None] * len(self.networks) if linearization is None else linearization.parts
        parts = zip(self.parts(theta), known, strict=True)
        return _mean([network.forward(own, X, passed) for (network, own), passed in parts])

    def tangent(self, theta, X, V):
        """Output and its directional derivatives. See `Network.tangent`."""
        pairs = [network.tangent(own, X, V) for network, own in self.parts(theta)]
        return tuple(map(_mean, zip(*pairs, strict=True)))

    def jacobian(self, theta, X, seeds=None):
        """Exact Jacobian, (n, K, D) or (n, S, D). See `Network.jacobian`."""
        return _mean([network.jacobian(own, X, seeds) for network, own in self.parts(theta)])

    def squared_jacobian(self, theta, X, scale, seeds=None):
        """Squared norm of the Jacobian, (n,). See `Network.squared_jacobian`."""
        J = self.jacobian(theta, X, seeds) * scale
        return anp.sum(J * J, axis=(1, 2))

    def linearize(self, theta, X):
        """The networks and their slopes at X. See `Network.linearize`."""
        return _MeanLinearization([net.linearize(own, X) for net, own in self.parts(theta)])


class _MeanLinearization(NamedTuple):
    """Products with the mean of the Jacobians."""

    parts: list

    @property
    def h(self):
        return _mean([part.h for part in self.parts])

    @property
    def n_features(self):
        return self.parts[0].n_features

    def jvp(self, V):
        return _mean([part.jvp(V) for part in self.parts])

    def vjp(self, U):
        return _mean([part.vjp(U) for part in self.parts])


def _mean(values):
    # Python's number leaves float32 as it is.
    return sum(values[1:], values[0]) / len(values)
