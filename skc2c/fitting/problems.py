"""An objective as solvers see it: batches with an estimate from each, or all rows."""

import numpy as np

from skc2c.data.batches import Deal
from skc2c.objective import Objective


class Batchwise:
    """An objective as a stochastic solver sees it: batches, and an estimate from each."""

    def __init__(self, objective: Objective, deal: Deal, rng):
        self.objective, self.deal, self.rng = objective, deal, rng
        self.n_batches = deal.n_batches
        self.latest = []

    def epoch(self):
        """Yield the batches of an epoch, each with its number of rows."""
        self.latest = []
        for batches in self.deal.epoch():
            yield batches, n_rows(batches[0])

    def on_batch(self, theta, batches):
        """Return the estimate of the objective, and of its gradient."""
        value, gradient = self.objective.on_batch(theta, batches, self.rng)
        self.latest.append((value.parts, n_rows(batches[0])))
        return value, gradient

    def parts(self):
        """Return the parts of the objective in the latest epoch."""
        parts, counts = zip(*self.latest, strict=True)
        return tuple((np.array(counts) @ np.array(parts) / sum(counts)).tolist())

    def state(self):
        """Return the position in the epoch."""
        return self.deal.state()


class FullBatch:
    """An objective as a full-batch solver sees it: deterministic, and in float64."""

    def __init__(self, objective: Objective, seed, dtype):
        self.objective, self.seed, self.dtype = objective, seed, dtype
        self.follows_theta = objective.follows_theta
        self.latest = None

    def hold(self, held):
        """Return the objective with its adversarial directions held, and its gradient."""
        held = held.astype(self.dtype, copy=False)

        def value_and_gradient(theta):
            theta = theta.astype(self.dtype, copy=False)
            value, gradient = self.objective.on_all_rows(theta, self.seed, held)
            self.latest = value
            return float(value), gradient.astype(np.float64, copy=False)

        return value_and_gradient

    def parts(self):
        """Return the parts of the objective where it was evaluated last."""
        return self.latest.parts

    def state(self):
        """Return nothing: there are no batches."""
        return []


def n_rows(batch):
    """Return how many rows a batch has."""
    return batch.stop - batch.start if isinstance(batch, slice) else batch.shape[-1]
