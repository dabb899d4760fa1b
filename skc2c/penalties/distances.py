"""How far apart the outputs at clean and at perturbed rows are, each with its local metric.

A distance is a plain function of (n, K) outputs, ``(h, near) -> value, back``, where value is
(n,) and ``back(g)``, g (n, 1), returns its gradient with respect to near, and a function for
the one with respect to h, which is not always needed. Its metric ``(h, dh) -> M(h) dh`` is
what it amounts to for close outputs: the distance of h and ``h + dh`` is proportional to
``dh' M dh``.
"""

import numpy as np

SPACES = ("link", "response")


def between_outputs(h, near):
    """``||h - near||^2``."""
    difference = near - h

    def back(g):
        g_near = difference * (2.0 * g)
        return g_near, lambda: -g_near

    return np.einsum("nk,nk->n", difference, difference), back


def between_responses(likelihood):
    """``||mu(h) - mu(near)||^2``."""

    def distance(h, near):
        value, back_means = between_outputs(likelihood.mean(h), likelihood.mean(near))

        def back(g):
            g_mean, _ = back_means(g)
            return likelihood.mean_vjp(near, g_mean), lambda: likelihood.mean_vjp(h, -g_mean)

        return value, back

    return distance


def squared_distance(likelihood, space):
    """The squared distance between outputs, or between mean responses."""
    return between_responses(likelihood) if space == "response" else between_outputs


def squared_distance_metric(likelihood, space):
    """The metric of `squared_distance`: the identity, or that of the mean's derivative."""
    if space == "link":
        return lambda h, dh: dh
    return lambda h, dh: likelihood.mean_vjp(h, likelihood.mean_jvp(h, dh))


def divergence(likelihood):
    """``KL(p(.|h) || p(.|near))``, of which the Fisher information is the metric."""

    def distance(h, near):
        value, gradient, clean_gradient = likelihood.kl_and_gradients(h, near)
        return value, lambda g: (g * gradient, lambda: clean_gradient(g))

    return distance


def mean_distance(h, *, n, distance, holds_clean):
    """Mean over the copies of the distance between the first n rows of h and each copy.

    Returned with ``back(g)``, g (n,): its gradient with respect to h.
    """
    clean = h[:n]
    values, backs = zip(*(distance(clean, copy) for copy in _copies(h, n)), strict=True)

    def back(g):
        g = (g / len(backs))[:, None]
        result = np.empty_like(h)
        result[:n] = 0.0
        for copy, way_back in zip(_copies(result, n), backs, strict=True):
            copy[...], with_respect_to_clean = way_back(g)
            if not holds_clean:
                result[:n] += with_respect_to_clean()
        return result

    value = values[0] if len(values) == 1 else np.mean(values, axis=0, dtype=h.dtype)
    return value, back


def _copies(h, n):
    return (h[start : start + n] for start in range(n, len(h), n))
