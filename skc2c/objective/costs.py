"""What the rows of a batch cost: their loss and their penalty, weighted, with ways back.

Functions of the network's outputs h and of the penalty of each row, its roughness.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from skc2c.differentiable import differentiable


class Costs(NamedTuple):
    """The costs of rows with a label, and of rows without.

    Attributes
    ----------
    of_both : callable
        ``(h, roughness, likelihood=, y=, weight=, alpha=) -> costs``: loss and penalty. A
        roughness of None is none.
    of_penalty : callable
        ``(h, roughness, weight=, alpha=) -> costs``: the penalty alone, whatever h is.
    """

    of_both: Callable
    of_penalty: Callable


@differentiable
def penalized_loss(h, roughness, *, likelihood, y, weight, alpha):
    """``weight . (nll(y, h) + alpha roughness)``, and ``weight . nll`` to be known, (2,).

    Rows of h past those of y are ignored.
    """
    nll, gradient = likelihood.nll_and_gradient(y, h[: len(y)])
    cost = nll if roughness is None else nll + alpha * roughness

    def back(g):
        g = g[0]
        result = np.zeros_like(h)
        np.multiply(gradient, (g * weight)[:, None], out=result[: len(y)])
        return result, lambda: (g * alpha) * weight

    return np.array([np.dot(weight, cost), np.dot(weight, nll)]), back


@differentiable
def penalty_alone(h, roughness, *, weight, alpha):
    """``weight . alpha roughness``, whatever h is, and a loss of zero, (2,)."""
    weight = alpha * weight
    value = np.dot(weight, roughness)
    return np.array([value, value.dtype.type(0.0)]), lambda g: (
        lambda: np.zeros_like(h),
        lambda: g[0] * weight,
    )


@differentiable
def losses_of_members(h, roughness, *, likelihood, y, weight, alpha, k):
    """Each member's sums of ``weight nll(y, h)`` and ``weight alpha roughness``, (2, k)."""
    nll, gradient = likelihood.nll_and_gradient(y, h[: len(y)])

    def back(g):
        of_loss, of_penalty = np.repeat(g, len(y) // k, axis=1) * weight
        result = np.zeros_like(h)
        np.multiply(gradient, of_loss[:, None], out=result[: len(y)])
        return result, lambda: of_penalty * alpha

    loss = sums(weight * nll, k)
    charge = np.zeros_like(loss) if roughness is None else sums(weight * alpha * roughness, k)
    return np.stack([loss, charge]), back


@differentiable
def penalties_of_members(h, roughness, *, weight, alpha, k):
    """Each member's sum of ``weight alpha roughness``, whatever h is, beside no loss, (2, k)."""
    charge = sums(weight * alpha * roughness, k)
    return np.stack([np.zeros_like(charge), charge]), lambda g: (
        lambda: np.zeros_like(h),
        lambda: np.repeat(g[1], len(weight) // k) * weight * alpha,
    )


def sums(values, k):
    """Sum over the rows of each of k members, which lie one after the other."""
    return values.reshape(k, -1).sum(axis=1)


OF_ONE = Costs(penalized_loss, penalty_alone)
OF_MEMBERS = Costs(losses_of_members, penalties_of_members)
