"""A term of what is minimised, and the one place where it is differentiated.

    mean_w nll(y_i, h_i)  +  alpha * R  +  l2 / (2 n) * ||weights||^2

The first mean and the mean R over rows are weighted by the sample weights; n is the sum
of these weights. The terms mean the same for every batch size and for both solvers.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from autograd.core import make_vjp

from skc2c.data.batches import even_size
from skc2c.data.rows import Rows
from skc2c.differentiable import computed
from skc2c.likelihoods.likelihood import Likelihood
from skc2c.network import Network
from skc2c.network.blocks import in_pieces, row_blocks, sparse_blocks
from skc2c.network.sparse_rows import SparseRows
from skc2c.objective.costs import OF_ONE, Costs
from skc2c.objective.value import Value
from skc2c.penalties.penalty import Penalty
from skc2c.penalties.probes import Outputs


@dataclass(frozen=True)
class Term:
    """Loss and penalty of a network on given rows: means over these rows.

    Parameters
    ----------
    network : Network
    likelihood : Likelihood
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
    likelihood: Likelihood
    penalty: Penalty
    alpha: float
    epsilon: float | np.ndarray
    l2: float
    rows: Rows
    costs: ClassVar[Costs] = OF_ONE

    def size_of_batch(self, size):
        """Rows of a batch of this term, where `size` is the usual number."""
        size = min(size, len(self.rows))
        # The statistics of a last batch of a few rows would say nothing.
        return size if self.network.normalization is None else even_size(size, len(self.rows))

    def on_batch(self, theta, batch, rng):
        """An unbiased estimate of the term and its gradient, from some rows.

        Parameters
        ----------
        theta : ndarray of shape (network.size,)
        batch : slice or ndarray of int
            The rows.
        rng : numpy.random.Generator
            Draws the perturbations.

        Returns
        -------
        value : Value
        gradient : ndarray of shape (network.size,)
        """
        rows = self.rows.take(batch)
        share = len(rows) / len(self.rows)
        weight = self._share_of_weight[batch] / share
        probe = self._probe(theta, rows, rng)
        if self.is_plain:
            return self._plain(theta, rows, probe, weight, self.l2)
        kept = self.penalty.holds_clean, None
        return self._penalized(theta, rows, probe, weight, self.l2, kept)

    def on_all_rows(self, theta, seed, held, over_blocks):
        """The term and its gradient, block by block. See `Objective.on_all_rows`."""
        cut = sparse_blocks if self._stays_sparse else row_blocks
        blocks = cut(len(self.rows), self.network, self.penalty.n_copies)
        mean_response = self._mean_response(theta, blocks, over_blocks)

        def on_blocks(blocks):
            return total(self._on_block(theta, b, seed, held, mean_response) for b in blocks)

        return total(over_blocks(on_blocks, in_pieces(blocks)))

    def _on_block(self, theta, block, seed, held, mean_response):
        """What a block of rows adds to the term and to its gradient."""
        rows = self.rows.take(block)
        l2 = self.l2 * len(rows) / len(self.rows)
        weight = self._share_of_weight[block]
        probe = self._probe(held, rows, np.random.default_rng([seed, block.start]))
        if self.is_plain:
            return self._plain(theta, rows, probe, weight, l2)
        return self._penalized(theta, rows, probe, weight, l2, (False, mean_response))

    @property
    def is_plain(self):
        """Whether there is nothing but the loss, which needs no trace."""
        return not self.penalty.has_cost and self.rows.y is not None

    def _plain(self, theta, rows, probe, weight, l2):
        """Value and gradient of ``weight . nll`` plus the L2 term."""
        h, back = probe.outputs_with_way_back(self.network, theta)
        nll, slope = self.likelihood.nll_and_gradient(rows.y, h)
        loss = float(np.dot(weight, nll))
        return self._with_decay(theta, loss, loss, back(slope * weight[:, None]), l2)

    @cached_property
    def _stays_sparse(self):
        """Whether the rows are sparse and neither network nor penalty needs them as an array."""
        is_plain = not self.network.front and self.network.normalization is None
        return self.rows.are_wide and is_plain and self.penalty.takes_sparse

    def _inputs(self, rows):
        """Clean rows as the network takes them."""
        return SparseRows(rows.X) if self._stays_sparse else rows.dense().X

    def _mean_response(self, theta, blocks, over_blocks):
        """Mean response over all rows, if it is needed and not just that of the only block."""
        if not self.penalty.needs_mean_response or (len(blocks) == 1 and self._weighs_alike):
            return None

        def weighted(block):
            h = self.network.forward(theta, self._inputs(self.rows.take(block)))
            return self._share_of_weight[block] @ self.likelihood.mean(h)

        return sum(over_blocks(lambda blocks: sum(map(weighted, blocks)), in_pieces(blocks)))

    @cached_property
    def total_weight(self):
        """Sum of the sample weights: the number of rows if all are one."""
        return float(self.rows.weight.sum(dtype=np.float64))

    @cached_property
    def _weighs_alike(self):
        """Whether all rows have the same weight."""
        return bool((self.rows.weight == self.rows.weight[0]).all())

    @cached_property
    def _share_of_weight(self):
        """Each row's share of the total weight, in the dtype in which the network runs."""
        return (self.rows.weight / self.total_weight).astype(self.rows.X.dtype)

    def _probe(self, theta, rows, rng):
        """Where the penalty looks: found before the trace, which stays one level deep."""
        X = rows.X if self._stays_sparse else rows.dense().X
        arguments = theta, X, rows.y, self.epsilon, rng
        return self.penalty.probe(self.network, self.likelihood, *arguments)

    def _penalized(self, theta, rows, probe, weight, l2, kept):
        """Value and gradient of ``weight . (nll + alpha R)`` plus the L2 term."""
        settings = {"weight": weight, "alpha": self.alpha}
        value_and_loss, back = self._differentiate(theta, rows.y, probe, kept, settings)
        value, loss = value_and_loss.tolist()
        gradient = back(np.array((1.0, 0.0), value_and_loss.dtype))  # of the first alone
        return self._with_decay(theta, value, loss, gradient, l2)

    def _differentiate(self, theta, y, probe, kept, settings):
        """The costs at a probe, and their way back to theta.

        Parameters
        ----------
        theta : ndarray
        y : ndarray or None
        probe : Probe
        kept : tuple
            What `Outputs` are told beside the outputs themselves.
        settings : dict
            Of `costs`.
        """
        costs = self.costs.of_penalty
        if y is not None:
            costs, settings = self.costs.of_both, settings | {"y": y, "likelihood": self.likelihood}
        if self.penalty.reads_theta and self.penalty.reads_outputs:
            return self._traced(theta, probe, kept, costs, settings)
        h, back = probe.outputs_with_way_back(self.network, theta)
        back_roughness, roughness = self._roughness_alone(theta, h, probe, kept)
        value, back_costs = costs.with_way_back(h, roughness, **settings)

        def backward(g):
            slope, slope_of_roughness = map(computed, back_costs(g))
            if roughness is None:
                return back(slope)
            further = back_roughness(slope_of_roughness)
            return back(slope) + further if self.penalty.reads_theta else back(slope + further)

        return value, backward

    def _traced(self, theta, probe, kept, costs, settings):
        """`_differentiate` by autograd, from theta to the costs."""

        def traced(theta):
            outputs = probe.outputs(self.network, theta, *kept)
            return costs(outputs.h, self._roughness(theta, probe, outputs), **settings)

        backward, value = make_vjp(traced, theta)
        return value, backward

    def _roughness_alone(self, theta, h, probe, kept):
        """R of each row and its way back to what it reads: theta, or the outputs h."""
        outputs = Outputs(h, probe.n, *kept)
        if self.penalty.reads_theta:
            return make_vjp(lambda theta: self._roughness(theta, probe, outputs), theta)
        if self.penalty.knows_derivative:
            return self.penalty.value_with_way_back(self.network, self.likelihood, outputs)[::-1]
        return make_vjp(lambda h: self._roughness(theta, probe, Outputs(h, probe.n, *kept)), h)

    def _with_decay(self, theta, value, loss, gradient, l2):
        """Add the L2 term: a trace of its own would cost more than the term."""
        decay = l2 / self.total_weight
        weights, slope = self.network.decayed(theta), self.network.decayed(gradient)
        add_decay(slope, decay, weights)
        decay = 0.5 * decay * float(weights @ weights)
        return Value(value + decay, loss, value - loss, decay), gradient

    def _roughness(self, theta, probe, outputs):
        """R of each row, or None if nothing is penalised. Traced in theta or in the outputs."""
        roughness = self.penalty.value(self.network, self.likelihood, theta, probe, outputs)
        if roughness is not None and roughness.shape != (probe.n,):
            raise ValueError(
                f"{type(self.penalty).__name__}.value must return one cost a row, an array of "
                f"shape ({probe.n},). Got shape {roughness.shape} instead."
            )
        return roughness


# Numbers that are scaled at a time, so that no second array of the size of theta arises.
_CHUNK = 2**15


def add_decay(slope, decay, weights):
    """Add ``decay * weights``, of shape (n,) or (k, n), in place."""
    n = weights.shape[-1]
    step = max(1, _CHUNK * n // max(1, weights.size))
    for start in range(0, n, step):
        part = slice(start, start + step)
        slope[..., part] += decay * weights[..., part]


def total(parts):
    """Sum of values and gradients, in order."""
    parts = iter(parts)
    value, gradient = next(parts)
    for v, g in parts:
        value += v
        gradient += g
    return value, gradient
