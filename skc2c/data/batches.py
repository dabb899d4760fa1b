"""How rows are dealt in batches: passes over them as records with a position."""

import numpy as np


def even_size(size, n):
    """Return the size of batches that are as many as of the given size, but all about as large."""
    return -(-n // -(-n // size))


class Dealer:
    """Deals rows in batches, pass after pass.

    Parameters
    ----------
    n : int
        Rows of a pass.
    size : int
        Rows of a batch; the last batch of a pass may be smaller.
    rng : numpy.random.Generator, optional
        Shuffles the rows anew for each pass. Without it they stay in order.
    """

    def __init__(self, n, size, rng=None):
        self.n, self.size, self.rng = n, size, rng
        self.order = None
        self.position = n

    @property
    def is_at_end(self):
        """Whether the pass is used up, or none has begun."""
        return self.position >= self.n

    @property
    def n_batches(self):
        """Batches of a pass."""
        return -(-self.n // self.size)

    def next(self):
        """Deal the next batch, of a new pass if the last one is used up.

        Returns
        -------
        batch : slice or ndarray of int
        """
        if self.is_at_end:
            self.order = self._draw_order()
            self.position = 0
        batch = slice(self.position, min(self.position + self.size, self.n))
        self.position = batch.stop
        return batch if self.order is None else self.order[..., batch]

    def _draw_order(self):
        return None if self.rng is None else self.rng.permutation(self.n)

    def state(self):
        """Return the position in the pass as a plain record."""
        return {"order": self.order, "position": self.position}

    def restore(self, state):
        """Go on from such a record."""
        self.order, self.position = state["order"], state["position"]


class MemberDealer(Dealer):
    """Deals each of k members rows of its own: batches of shape (k, size).

    Parameters
    ----------
    rows : list of ndarray of int
        The rows of each member.
    n : int
        Rows of a pass, at most as many as the shortest list has, so that all members take the
        same number of steps; what is left out changes from pass to pass.
    size : int
    rngs : list of numpy.random.Generator or None
        Shuffle the rows of each member; None leaves them in order.
    period : int, default=1
        Deal a batch at every so manyth call only, and None at the others.
    """

    def __init__(self, rows, n, size, rngs=None, period=1):
        super().__init__(n, size)
        self.rows, self.rngs, self.period = rows, rngs, period
        self.n_calls = 0

    def next(self):
        self.n_calls += 1
        return super().next() if (self.n_calls - 1) % self.period == 0 else None

    def state(self):
        return super().state() | {"n_calls": self.n_calls}

    def restore(self, state):
        super().restore(state)
        self.n_calls = state["n_calls"]

    def _draw_order(self):
        if self.rngs is None:
            return np.array([rows[: self.n] for rows in self.rows])
        pairs = zip(self.rows, self.rngs, strict=True)
        return np.array([rng.permutation(rows)[: self.n] for rows, rng in pairs])

    def state_of(self, kept):
        """Return the position of some members, as in `state`."""
        order = None if self.order is None else self.order[kept]
        return self.state() | {"order": order}

    @staticmethod
    def joined(states, order):
        """Undo `state_of`: the position of all members.

        Parameters
        ----------
        states : sequence of dict
            Of some of the members each.
        order : list of int
            Where each member is among those of the states, one after another.
        """
        rows = [state["order"] for state in states]
        return states[0] | {"order": None if rows[0] is None else np.concatenate(rows)[order]}


class Deal:
    """Batches of several terms of an objective: an epoch is a pass over the first's rows.

    Parameters
    ----------
    dealers : list of Dealer
        The others go on pass after pass, whatever an epoch of the first is.
    """

    def __init__(self, dealers):
        self.dealers = dealers

    @property
    def n_batches(self):
        """Batches of an epoch."""
        return self.dealers[0].n_batches

    def epoch(self):
        """Yield what is left of the epoch, or a new one: a batch of each term."""
        while True:
            yield tuple(dealer.next() for dealer in self.dealers)
            if self.dealers[0].is_at_end:
                return

    def state(self):
        """Return the position in each pass as a list of plain records."""
        return [dealer.state() for dealer in self.dealers]

    def restore(self, states):
        """Go on from such a list."""
        for dealer, state in zip(self.dealers, states, strict=True):
            dealer.restore(state)
