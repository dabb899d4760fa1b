"""Where to look around x: random and adversarial perturbations, in plain numpy.

``epsilon`` is a float or an array of shape (D,). With an array, a perturbation is
``epsilon * u`` where u has unit scale, so the Jacobian J is J diag(epsilon) throughout.
"""

import numpy as np


def check_epsilon(epsilon, n_features):
    """Validate a radius.

    Parameters
    ----------
    epsilon : float or array-like of shape (n_features,)
    n_features : int

    Returns
    -------
    epsilon : float or ndarray of shape (n_features,)

    Raises
    ------
    ValueError
        If it is negative, not finite, or an array of another length.
    """
    allowed = (
        "The 'epsilon' parameter must be a float in the range [0.0, inf) or have one such "
        f"entry for each of the {n_features} features of X. Got "
    )
    try:
        scale = np.asarray(epsilon).astype(np.float64, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{allowed}{epsilon!r} instead.") from error
    if scale.shape not in ((), (n_features,)):
        raise ValueError(f"{allowed}an array of shape {scale.shape} instead.")
    if not ((scale >= 0.0) & (scale < np.inf)).all():
        raise ValueError(f"{allowed}{epsilon!r} instead.")
    return scale if scale.ndim else float(scale)


def gaussian(rng, shape, epsilon, dtype):
    """Draw ``dx ~ N(0, diag(epsilon^2))`` (eq. 1 of the paper).

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        ``(..., D)``.
    epsilon : float or ndarray of shape (D,)
    dtype : dtype
        float32 or float64: drawn in it, not cast to it.

    Returns
    -------
    dx : ndarray of the given shape
    """
    dx = rng.standard_normal(shape, dtype=dtype)
    dx *= epsilon
    return dx


def adversarial(rng, linearization, metric, epsilon, n_power_iterations):
    """The perturbation of length epsilon that moves the output most, to first order.

    Power iteration from a random start on ``v -> J' M J v``, whose top eigenvector
    maximises ``||M^(1/2) J dx||`` over ``||dx|| = epsilon`` (section 3.3 of the paper).
    The products are exact: one tangent and one pass back to the input each, from the
    clean linearization. There is no finite-difference step.

    Parameters
    ----------
    rng : numpy.random.Generator
    linearization : Linearization
        The network at the clean rows.
    metric : callable
        ``(h, dh) -> M(h) dh``, both (n, K): the metric of the outputs, such as the
        Fisher information of their distribution or the identity.
    epsilon : float or ndarray of shape (D,)
    n_power_iterations : int

    Returns
    -------
    dx : ndarray of shape (n, D)
        ``epsilon * u`` with ``||u|| = 1``. Where the output does not move at all, u is
        the random start.
    """
    h = linearization.h
    D = linearization.kernels[0].shape[0]
    scale = np.broadcast_to(np.asarray(epsilon, dtype=h.dtype), D)
    # An array's largest entry is divided out, so that the iteration never underflows.
    relative = scale / scale.max() if scale.any() else np.ones_like(scale)
    direction = rng.standard_normal((len(h), D), dtype=h.dtype) * (relative > 0.0)
    direction = normalize(direction, direction)
    for _ in range(n_power_iterations):
        moved = metric(h, linearization.jvp(relative * direction))
        moved = relative * linearization.vjp(normalize(moved, moved))
        direction = normalize(moved, direction)
    return scale * direction


def steepest(gradient, epsilon):
    """The perturbation of length epsilon along which a cost grows most, to first order.

    Parameters
    ----------
    gradient : ndarray of shape (n, D)
        Of each row's cost with respect to the row.
    epsilon : float or ndarray of shape (D,)

    Returns
    -------
    dx : ndarray of shape (n, D)
        Zero where the gradient is.
    """
    epsilon = np.asarray(epsilon, dtype=gradient.dtype)
    return epsilon * normalize(epsilon * gradient, np.zeros_like(gradient))


def normalize(rows, fallback):
    """Scale each row to unit length; where it is zero or not finite, use `fallback`.

    Dividing by the largest entry first keeps squares of huge and of tiny rows in range.
    """
    largest = np.abs(rows).max(axis=1, keepdims=True)
    usable = (largest > 0.0) & np.isfinite(largest)
    rows = rows / np.where(usable, largest, 1.0)
    length = np.sqrt(np.einsum("nd,nd->n", rows, rows))[:, None]
    return np.where(usable, rows / np.where(usable, length, 1.0), fallback)
