"""Members: k networks of the same shape side by side, in one pass.

From outside they are one network: a flat theta of k times the size, and rows of which the
first n belong to the first member, the next n to the second, and so on. Copies and tangents of
all members' rows follow one another. So an objective, a penalty or a solver does not
know how many networks it works on.
"""

from dataclasses import dataclass, field
from functools import cached_property

import autograd.numpy as anp
import numpy as np

from skc2c.network.network import Network
from skc2c.network.passes import Layout


@dataclass(frozen=True)
class Members(Network):
    """Several networks of one shape, each with parameters and rows of its own.

    Parameters
    ----------
    layer_units, activation, front, normalization
        As for `Network`: the shape of each member.
    k : int
        How many members.
    """

    k: int = field(kw_only=True, default=1)

    @property
    def single(self):
        """One of the members."""
        return Network(self.layer_units, self.activation, self.front, self.normalization)

    @property
    def behind(self):
        """The members behind the layers in front, which must have no parameters."""
        units = self.dense_layers[0].n_in, *self.layer_units[1:]
        return Members(units, self.activation, normalization=self.normalization, k=self.k)

    @cached_property
    def size(self):
        return self.k * self.single.size

    @property
    def n_members(self):
        return self.k

    def decayed(self, vector):
        """View of shape (k, n_weights)."""
        return self.each(vector)[:, : self.n_weights]

    def each(self, theta):
        """View theta as an array of shape (k, size of a member)."""
        return theta[: self.size].reshape(self.k, -1)

    def pick(self, vector, kept):
        """Parameters (or moments) of some members, those of a penalty itself included.

        Parameters
        ----------
        vector : ndarray of shape (size + k * n_further,)
            The members' parts, then as many further entries for each.
        kept : list of int

        Returns
        -------
        vector : ndarray
            Of the same layout, for the members kept.
        """
        own, further = vector[: self.size], vector[self.size :]
        parts = (part.reshape(self.k, -1)[kept].ravel() for part in (own, further))
        return np.concatenate(list(parts))

    def joined(self, vectors, order):
        """Undo `pick`: the parts of all members, from vectors that hold some of them each.

        Parameters
        ----------
        vectors : list of ndarray
            As `pick` returns them.
        order : list of int
            Where each member is among those of the vectors, one after another.

        Returns
        -------
        vector : ndarray
        """
        size, width = self.size // self.k, sum(map(len, vectors)) // self.k
        edges = [len(vector) // width * size for vector in vectors]
        own = [vector[:edge].reshape(-1, size) for vector, edge in zip(vectors, edges, strict=True)]
        further = [vector[edge:] for vector, edge in zip(vectors, edges, strict=True)]
        parts = np.concatenate(own), np.concatenate(further).reshape(self.k, width - size)
        return np.concatenate([part[order].ravel() for part in parts])

    def initialize(self, rngs, dtype):
        """Draw the parameters of each member from a generator of its own."""
        return np.concatenate([self.single.initialize(rng, dtype) for rng in rngs])

    def _layout(self, n):
        return Layout(self.size, self.k, n // self.k)

    def jacobian(self, theta, X, seeds=None):
        return self._member_by_member(self.single.jacobian, theta, X, seeds)

    def squared_jacobian(self, theta, X, scale, seeds=None):
        def norm(theta, X, seeds):
            return self.single.squared_jacobian(theta, X, scale, seeds)

        return self._member_by_member(norm, theta, X, seeds)

    def _member_by_member(self, function, theta, X, seeds):
        size, n = self.size // self.k, X.shape[0] // self.k
        found = []
        for i in range(self.k):
            rows = slice(i * n, (i + 1) * n)
            own = None if seeds is None else seeds[rows]
            found.append(function(theta[i * size : (i + 1) * size], X[rows], own))
        return anp.concatenate(found)
