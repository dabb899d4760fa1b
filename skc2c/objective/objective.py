"""The one function that is minimised: a sum of terms, each a mean over its own rows."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from skc2c.data.batches import Deal, Dealer
from skc2c.objective.term import Term, total
from skc2c.penalties.penalty import NoPenalty


@dataclass(frozen=True)
class Objective:
    """A sum of terms: one, or the penalty of a pool of rows and the loss of labelled ones.

    In the second case each is a mean over its own rows, so that `alpha` does not depend on how
    many of the rows have a label.

    Parameters
    ----------
    terms : tuple of Term
        An epoch is a pass over the rows of the first.
    over_blocks : callable, default=map
        ``(function, blocks) -> results in order``: evaluates blocks of rows, on threads say.
    """

    terms: tuple
    over_blocks: Callable = map

    @classmethod
    def of_rows(
        cls,
        network,
        likelihood,
        penalty,
        train,
        pool=None,
        *,
        alpha,
        epsilon,
        l2,
        penalized=None,
        over_blocks=map,
    ):
        """Return the objective of a network on given rows.

        Parameters
        ----------
        network : Network
        likelihood : Likelihood
        penalty : Penalty
        train : Rows
            Labelled rows, on which the loss is taken.
        pool : Rows, optional
            On which the penalty is taken, if not on `train`.
        alpha, epsilon, l2
            As for `Term`.
        penalized : Network, optional
            A part of the network, whose output the penalty looks at on the pool.
        over_blocks : callable, default=map

        Returns
        -------
        objective : Objective
        """
        term = partial(Term, likelihood=likelihood, alpha=alpha, epsilon=epsilon)
        beside = penalty.beside_loss
        if pool is None:
            if isinstance(beside, NoPenalty):
                return cls((term(network, penalty=penalty, l2=l2, rows=train),), over_blocks)
            pool = replace(train, y=None)
        charge = term(penalized or network, penalty=penalty, l2=0.0, rows=pool)
        loss = term(network, penalty=beside, l2=l2, rows=train)
        return cls((charge, loss), over_blocks)

    @property
    def follows_theta(self):
        """Whether adversarial perturbations make the objective depend on `held`."""
        return any(term.penalty.follows_theta for term in self.terms)

    def deal(self, size, rngs):
        """Deal the rows in batches.

        Parameters
        ----------
        size : int
            Rows of a batch of the first term; the others' batches are as large, if they have
            so many rows.
        rngs : sequence of numpy.random.Generator or None
            Shuffle the rows of each term. There may be more of them than terms.

        Returns
        -------
        deal : Deal
        """
        size = min(size, len(self.terms[0].rows))
        pairs = zip(self.terms, rngs, strict=False)
        return Deal([Dealer(len(t.rows), t.size_of_batch(size), rng) for t, rng in pairs])

    def on_batch(self, theta, batches, rng):
        """An unbiased estimate of the objective and its gradient, from a batch of each term."""
        return total(
            term.on_batch(theta, batch, rng)
            for term, batch in zip(self.terms, batches, strict=True)
        )

    def on_all_rows(self, theta, seed, held=None):
        """The objective and its gradient, with perturbations fixed by `seed`.

        The rows run through in blocks, so that memory does not grow with their number. Each
        block draws from its own stream: the same perturbations at every theta (common random
        numbers), in whatever order the blocks run. Blocks and the order of their sum do
        not depend on the number of threads, so neither does the result.

        Parameters
        ----------
        theta : ndarray of shape (network.size,)
        seed : int
        held : ndarray of shape (network.size,), optional
            Parameters at which the adversarial directions are computed; `theta` by default. The
            gradient is that of the value with these directions held.

        Returns
        -------
        value : Value
        gradient : ndarray of shape (network.size,)
        """
        held = theta if held is None else held
        return total(term.on_all_rows(theta, seed, held, self.over_blocks) for term in self.terms)
