"""The objectives of several members at once: a term with values and weights of each."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from skc2c.data.batches import Deal, MemberDealer, even_size
from skc2c.objective.costs import OF_MEMBERS, Costs, sums
from skc2c.objective.term import Term, add_decay


@dataclass(frozen=True)
class MembersTerm(Term):
    """Loss and penalty of members, each on rows of its own.

    Parameters
    ----------
    network : Members
    likelihood, penalty, epsilon, rows
        As for `Term`: the rows are those of all members together.
    alpha, l2 : ndarray of shape (k,)
        Of each member.
    members : list of ndarray of int
        Which rows each member has.
    n_per_pass : int
        Rows of each member in a pass: at most as many as each has.
    share : float, default=1.0
        How large a batch of this term is, as a part of the usual size.
    period : int, default=1
        The term is taken in every so manyth step, with so many times its weight.
    """

    costs: ClassVar[Costs] = OF_MEMBERS
    members: list = field(kw_only=True)
    n_per_pass: int = field(kw_only=True)
    share: float = field(kw_only=True, default=1.0)
    period: int = field(kw_only=True, default=1)

    @cached_property
    def _weight_of_members(self):
        """Sum of the sample weights of each member, (k,)."""
        return np.array([self.rows.weight[rows].sum(dtype=np.float64) for rows in self.members])

    def size_of_batch(self, size):
        """Rows of a batch of this term for each member, where `size` is the usual number."""
        size = max(1, min(round(self.share * size), self.n_per_pass))
        return size if self.network.normalization is None else even_size(size, self.n_per_pass)

    def on_batch(self, theta, batch, rng):
        """Estimates of the members' objectives, and their gradients.

        Parameters
        ----------
        theta : ndarray of shape (network.size,)
        batch : ndarray of int of shape (k, n)
            The rows of each member.
        rng : MemberStreams

        Returns
        -------
        values : ndarray of shape (2, k)
            Loss and penalty, without the L2 term, which does not change from batch to batch: see
            `decay`.
        gradient : ndarray of shape (network.size,)
        """
        rows = self.rows.take(batch.ravel())
        weight = self._weights(rows, batch.shape[1])
        probe = self._probe(theta, rows, rng)
        if self.is_plain:
            return self._plain_values(theta, rows, probe, weight)
        alpha = np.repeat(self.alpha, batch.shape[1]).astype(weight.dtype)
        settings = {"k": len(self.members), "weight": weight, "alpha": alpha}
        kept = self.penalty.holds_clean, None
        values, back = self._differentiate(theta, rows.y, probe, kept, settings)
        gradient = back(np.ones_like(values))
        self._add_decay(theta, gradient)
        return values, gradient

    def _plain_values(self, theta, rows, probe, weight):
        h, back = probe.outputs_with_way_back(self.network, theta)
        nll, slope = self.likelihood.nll_and_gradient(rows.y, h)
        gradient = back(slope * weight[:, None])
        self._add_decay(theta, gradient)
        loss = sums(weight * nll, len(self.members))
        values = np.zeros((2, len(loss)), loss.dtype)
        values[0] = loss
        return values, gradient

    def _weights(self, rows, n):
        """Each row's share of the weight of its member, as an estimate from n rows."""
        if self._are_weighted:
            return self._shares(rows, n)
        if n not in self._equal_shares:
            self._equal_shares[n] = self._shares(rows, n)
            self._equal_shares[n].setflags(write=False)
        return self._equal_shares[n]

    @cached_property
    def _are_weighted(self):
        """Whether rows differ in weight."""
        return bool(np.ptp(self.rows.weight) > 0.0)

    @cached_property
    def _equal_shares(self):
        """The shares where all rows have the same weight, by n."""
        return {}

    def _shares(self, rows, n):
        share = rows.weight.reshape(len(self.members), n) / self._weight_of_members[:, None]
        return (share * (self._counts / n)[:, None]).ravel().astype(rows.X.dtype)

    @cached_property
    def _counts(self):
        """How many rows each member has, (k,)."""
        return np.array([len(rows) for rows in self.members])

    def _add_decay(self, theta, gradient):
        """Add the L2 term's part to the gradient."""
        if self._decays:
            slope, weights = self.network.decayed(gradient), self.network.decayed(theta)
            add_decay(slope, self._decay[:, None].astype(theta.dtype), weights)

    @cached_property
    def _decays(self):
        return bool(self.l2.any())

    @cached_property
    def _decay(self):
        return self.l2 / self._weight_of_members

    def decay(self, theta):
        """The L2 term of each member, (k,)."""
        weights = self.network.decayed(theta)
        return 0.5 * self._decay * np.vecdot(weights, weights)


@dataclass(frozen=True)
class MembersObjective:
    """The objectives of members that are trained side by side.

    Parameters
    ----------
    terms : tuple of MembersTerm
        An epoch is a pass over the rows of the first.
    """

    terms: tuple

    def deal(self, size, rngs):
        """Deal the rows of each member in batches; see `Objective.deal`.

        Parameters
        ----------
        size : int
        rngs : sequence of (list of numpy.random.Generator or None)
            For each term: one generator for each member.
        """
        size = min(size, self.terms[0].n_per_pass)
        pairs = zip(self.terms, rngs, strict=False)
        return Deal(
            [
                MemberDealer(
                    term.members, term.n_per_pass, term.size_of_batch(size), rng, term.period
                )
                for term, rng in pairs
            ]
        )

    def on_batch(self, theta, batches, rng):
        """Loss and penalty, (2, k), and gradient of all members, from a batch of each term."""
        values, gradient = self.terms[0].on_batch(theta, batches[0], rng)
        for term, batch in zip(self.terms[1:], batches[1:], strict=True):
            if batch is not None:
                more, slope = term.on_batch(theta, batch, rng)
                values, gradient = values + term.period * more, gradient + term.period * slope
        return values, gradient

    def decay(self, theta):
        """The L2 term of each member, (k,)."""
        return sum(term.decay(theta) for term in self.terms)
