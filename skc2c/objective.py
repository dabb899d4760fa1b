"""The one function that is minimised, and the one place where it is differentiated.

    mean_w nll(y_i, h_i)  +  alpha * R  +  l2 / (2 n) * ||weights||^2

The first mean and the mean R over rows are weighted by the sample weights; n is the sum
of these weights. The terms mean the same for every batch size and for both solvers.
"""

from dataclasses import dataclass
from functools import cached_property

import autograd.numpy as anp
import numpy as np
from autograd.core import make_vjp
from autograd.extend import defvjp, primitive

from skc2c.families import Family
from skc2c.network import Network
from skc2c.penalties import Penalty
from skc2c.rows import Rows
from skc2c.threads import in_pieces, map_in_order

# About this many numbers of the widest layer are in flight at once when all rows are
# evaluated: small enough for a core's cache, large enough for the matrix products.
BLOCK_NUMBERS = 2**17


def row_blocks(n, network, n_copies=0):
    """Slices that cut n rows, each with so many copies, into blocks that suit the network."""
    size = max(64, BLOCK_NUMBERS // (max(network.layer_units) * (1 + n_copies)))
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


@dataclass(frozen=True)
class Objective:
    """Penalised loss of a network on given rows.

    Parameters
    ----------
    network : Network
    family : Family
    penalty : Penalty
    alpha : float
        Weight of the penalty.
    epsilon : float or ndarray of shape (D,)
        Radius of the penalty's neighbourhood.
    l2 : float
        Weight decay.
    rows : Rows
        Without targets there is no loss but the penalty.
    """

    network: Network
    family: Family
    penalty: Penalty
    alpha: float
    epsilon: float | np.ndarray
    l2: float
    rows: Rows

    def on_batch(self, theta, batch, rng):
        """An unbiased estimate of the objective and its gradient, from some rows.

        Parameters
        ----------
        theta : ndarray of shape (network.size,)
        batch : slice or ndarray of int
            The rows.
        rng : numpy.random.Generator
            Draws the perturbations.

        Returns
        -------
        value : float
        gradient : ndarray of shape (network.size,)
        """
        rows = self.rows.take(batch)
        share = len(rows) / len(self.rows)
        probe = self._probe(theta, rows, rng)
        weight = self._share_of_weight[batch] / share
        return self._differentiate(theta, rows, probe, weight, self.l2, self.penalty.holds_clean)

    def on_all_rows(self, theta, seed, held=None):
        """The objective and its gradient, with perturbations fixed by `seed`.

        The rows run through in blocks, on threads, so that memory does not grow with their
        number. Each block draws from its own stream: the same perturbations at every theta
        (common random numbers), in whatever order the blocks run. Blocks and the order of
        their sum do not depend on the number of threads, so neither does the result.

        Parameters
        ----------
        theta : ndarray of shape (network.size,)
        seed : int
        held : ndarray of shape (network.size,), optional
            The parameters to whose network adversarial perturbations are adversarial; `theta`
            by default. The gradient is that of the value with this held.

        Returns
        -------
        value : float
        gradient : ndarray of shape (network.size,)
        """
        held = theta if held is None else held

        def on_blocks(blocks):
            return _sum(self._on_block(theta, block, seed, held) for block in blocks)

        blocks = row_blocks(len(self.rows), self.network, self.penalty.n_copies)
        return _sum(map_in_order(on_blocks, in_pieces(blocks)))

    def _on_block(self, theta, block, seed, held):
        """What a block of rows adds to the objective and to its gradient."""
        rows = self.rows.take(block)
        probe = self._probe(held, rows, np.random.default_rng([seed, block.start]))
        l2 = self.l2 * len(rows) / len(self.rows)
        weight = self._share_of_weight[block]
        return self._differentiate(theta, rows, probe, weight, l2, holds_clean=False)

    @cached_property
    def total_weight(self):
        """Sum of the sample weights: the number of rows where all are one."""
        return float(self.rows.weight.sum(dtype=np.float64))

    @cached_property
    def _share_of_weight(self):
        """Every row's share of the total weight, in the dtype in which the network runs."""
        return (self.rows.weight / self.total_weight).astype(self.rows.X.dtype)

    def _probe(self, theta, rows, rng):
        """Where the penalty looks: found before the trace, which stays one level deep."""
        X = rows.dense().X
        return self.penalty.probe(self.network, self.family, theta, X, rows.y, self.epsilon, rng)

    def _differentiate(self, theta, rows, probe, weight, l2, holds_clean):
        """Value and gradient of ``weight . (nll + alpha R)`` plus the L2 term."""

        def cost(theta):
            outputs = probe.outputs(self.network, theta, holds_clean)
            return self._cost(theta, rows.y, probe, weight, outputs)

        backward, value = make_vjp(cost, theta)
        gradient = backward(value.dtype.type(1.0))
        # The L2 term's derivative needs no trace, which would cost more than the term.
        decay = l2 / self.total_weight
        weights = slice(self.network.n_weights)
        gradient[weights] += decay * theta[weights]
        return float(value) + 0.5 * decay * float(theta[weights] @ theta[weights]), gradient

    def _cost(self, theta, y, probe, weight, outputs):
        """``weight . (nll + alpha R)``. Traced in theta."""
        roughness = self.penalty.value(self.network, self.family, theta, probe, outputs)
        alpha = self.alpha
        if roughness is None:
            roughness, alpha = 0.0, 0.0
        elif roughness.shape != weight.shape:
            raise ValueError(
                f"{type(self.penalty).__name__}.value must return one cost a row, an array of "
                f"shape {weight.shape}. Got shape {roughness.shape} instead."
            )
        if y is None:
            return anp.dot(alpha * weight, roughness)
        settings = {"family": self.family, "y": y, "weight": weight, "alpha": alpha}
        return _total(outputs.h, roughness, **settings, tape=[])


@dataclass(frozen=True)
class TwoStreams:
    """The loss of labelled rows plus the penalty of a pool, each a mean over its own rows.

    So `alpha` does not depend on how many of the rows have a label.

    Parameters
    ----------
    labelled : Objective
        Without a penalty.
    pool : Objective
        Without targets.
    """

    labelled: Objective
    pool: Objective

    @property
    def penalty(self):
        """The penalty, that of the pool."""
        return self.pool.penalty

    def on_batch(self, theta, batch, rng):
        """As `Objective.on_batch`, for a pair of batches: of the pool and of the labelled rows."""
        return _sum(
            part.on_batch(theta, rows, rng)
            for part, rows in zip((self.pool, self.labelled), batch, strict=True)
        )

    def on_all_rows(self, theta, seed, held=None):
        """As `Objective.on_all_rows`."""
        return _sum(part.on_all_rows(theta, seed, held) for part in (self.pool, self.labelled))


def _sum(parts):
    """Sum of values and gradients, in order."""
    parts = iter(parts)
    value, gradient = next(parts)
    for v, g in parts:
        value += v
        gradient += g
    return value, gradient


@primitive
def _total(h, roughness, *, family, y, weight, alpha, tape):
    """``weight . (nll(y, h) + alpha roughness)``, where rows of h past those of y cost nothing."""
    nll, gradient = family.nll_and_gradient(y, h[: len(y)])
    tape.append(gradient)
    return np.dot(weight, nll + alpha * roughness)


def _total_vjp_h(ans, h, roughness, *, family, y, weight, alpha, tape):
    def vjp(g):
        result = np.zeros_like(h)
        np.multiply(tape[0], (g * weight)[:, None], out=result[: len(y)])
        return result

    return vjp


def _total_vjp_roughness(ans, h, roughness, *, family, y, weight, alpha, tape):
    return lambda g: (g * alpha) * weight


defvjp(_total, _total_vjp_h, _total_vjp_roughness)
