"""How far apart the outputs at clean and at perturbed rows are, with derivatives.

A distance is a plain function of (n, K) outputs, ``(h, near) -> value, back``, where value is
(n,) and ``back(g)``, g (n, 1), gives its gradient with respect to near, and a function for
the one with respect to h, which is not always asked for.
"""

import numpy as np
from autograd.extend import defvjp, primitive


def between_outputs(h, near):
    """``||h - near||^2``."""
    difference = near - h

    def back(g):
        g_near = difference * (2.0 * g)
        return g_near, lambda: -g_near

    return np.einsum("nk,nk->n", difference, difference), back


def between_responses(family):
    """``||mu(h) - mu(near)||^2``."""

    def distance(h, near):
        value, back_means = between_outputs(family.mean(h), family.mean(near))

        def back(g):
            g_mean, _ = back_means(g)
            return family.fisher(near, g_mean), lambda: family.fisher(h, -g_mean)

        return value, back

    return distance


def divergence(family):
    """``KL(p(.|h) || p(.|near))``."""

    def distance(h, near):
        value, gradient = family.kl_and_gradient(h, near)
        return value, lambda g: (g * gradient, lambda: family.fisher(h, g * (h - near)))

    return distance


@primitive
def mean_distance(h, *, n, distance, holds_clean, tape):
    """Mean over the copies of the distance between the first n rows of h and each copy."""
    clean = h[:n]
    values, backs = zip(*(distance(clean, copy) for copy in _copies(h, n)), strict=True)
    tape.extend(backs)
    return values[0] if len(values) == 1 else np.mean(values, axis=0, dtype=h.dtype)


def _copies(h, n):
    return (h[start : start + n] for start in range(n, len(h), n))


def _mean_distance_vjp(ans, h, *, n, distance, holds_clean, tape):
    def vjp(g):
        g = (g / len(tape))[:, None]
        result = np.empty_like(h)
        result[:n] = 0.0
        for copy, back in zip(_copies(result, n), tape, strict=True):
            copy[...], with_respect_to_clean = back(g)
            if not holds_clean:
                result[:n] += with_respect_to_clean()
        return result

    return vjp


defvjp(mean_distance, _mean_distance_vjp)
