"""Where to look around x: random and adversarial perturbations, in plain numpy.

``epsilon`` is a float or an array of shape (D,). With an array, a perturbation is
``epsilon * u`` where u has unit scale, so the Jacobian J is J diag(epsilon) throughout.
"""

import math

import numpy as np

from skc2c.random_streams import MemberStreams


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
        Of dx. The numbers are drawn in float32, whose resolution is enough for a
        perturbation: a network trained in float64 sees the same ones.

    Returns
    -------
    dx : ndarray of the given shape
    """
    dx = _standard_normal(rng, shape).astype(dtype, copy=False)
    dx *= epsilon
    return dx


# Fewer numbers than this are drawn one by one: the vector form has more calls to pay for.
_FEW = 1000


def _standard_normal(rng, shape):
    """Draw standard normal numbers in float32; members draw from streams of their own."""
    if isinstance(rng, MemberStreams):
        return _normal_of_members(rng.streams, shape)
    count = math.prod(shape)
    if count < _FEW:
        return rng.standard_normal(shape, dtype=np.float32)
    uniform = rng.random((2, (count + 1) // 2), dtype=np.float32)
    return _box_muller(uniform).ravel()[:count].reshape(shape)


def _normal_of_members(streams, shape):
    """Numbers for rows of which each of k members has the same number, n: (..., k * n, D).

    What a member draws does not depend on the others.
    """
    *copies, rows, D = shape
    own = (*copies, rows // len(streams), D)
    count = math.prod(own)
    uniform = np.empty((len(streams), 2, (count + 1) // 2), dtype=np.float32)
    for stream, part in zip(streams, uniform, strict=True):
        stream.random(out=part, dtype=np.float32)
    normal = _box_muller(uniform.swapaxes(0, 1)).swapaxes(0, 1)
    normal = normal.reshape(len(streams), -1)[:, :count].reshape(len(streams), -1, *own[-2:])
    # From (k, copies, n, D) to the order of the rows.
    return normal.swapaxes(0, 1).reshape(shape)


def _box_muller(uniform):
    """Uniform numbers in [0, 1) to as many normal ones (Box and Muller, 1958); overwritten.

    In numpy's vector instructions it takes a third of the time of drawing one by one. The
    largest magnitude possible is 5.8, beyond which lie 8e-9 of the distribution.

    Parameters
    ----------
    uniform : ndarray of shape (2, ...)
    """
    radius, angle = uniform
    np.subtract(1.0, radius, out=radius)  # in (0, 1], for the logarithm
    np.log(radius, out=radius)
    radius *= -2.0
    np.sqrt(radius, out=radius)
    angle *= 2.0 * math.pi
    normal = np.empty(uniform.shape, dtype=np.float32)
    np.cos(angle, out=normal[0])
    np.sin(angle, out=normal[1])
    normal *= radius
    return normal


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
    scale, relative = _scales(epsilon, h.dtype)
    start = gaussian(rng, (len(h), linearization.n_features), relative > 0.0, h.dtype)
    direction = normalize(start, start)
    for _ in range(n_power_iterations):
        moved = metric(h, linearization.jvp(_scaled(direction, relative)))
        moved = _scaled(linearization.vjp(normalize(moved, moved)), relative)
        direction = normalize(moved, direction)
    return _scaled(direction, scale)


def from_afar(rng, linearization, linearize, slope, epsilon, distance):
    """The perturbation of length epsilon along the gradient of a cost at a point far away.

    Parameters
    ----------
    rng : numpy.random.Generator
    linearization : Linearization
        The network at the clean rows.
    linearize : callable
        ``dx -> Linearization`` at perturbed rows.
    slope : callable
        ``(h, far) -> gradient``, all (n, K): that of the cost with respect to the output at the
        perturbed rows.
    epsilon : float or ndarray of shape (D,)
    distance : float
        How far away that point is, in multiples of epsilon, in a random direction.

    Returns
    -------
    dx : ndarray of shape (n, D)
        ``epsilon * u`` with ``||u|| = 1``.
    """
    h = linearization.h
    scale, relative = _scales(epsilon, h.dtype)
    start = gaussian(rng, (len(h), linearization.n_features), relative > 0.0, h.dtype)
    start = normalize(start, start)
    far = linearize(_scaled(start, scale * h.dtype.type(distance)))
    gradient = _scaled(far.vjp(slope(h, far.h)), relative)
    return _scaled(normalize(gradient, start), scale)


def _scales(epsilon, dtype):
    """The radius as an array, and the same with the largest entry (if any) divided out.

    The power iteration then never underflows; a number needs no scaling.
    """
    scale = np.asarray(epsilon, dtype=dtype)
    if scale.ndim == 0 or not scale.any():
        return scale, np.ones((), dtype)
    return scale, scale / scale.max()


def _scaled(rows, scale):
    return rows if scale.ndim == 0 and scale == 1.0 else rows * scale


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
    """Scale each row to unit length; where it is zero or not finite, use `fallback`."""
    square = np.einsum("nd,nd->n", rows, rows)[:, None]
    # One bound above and one below hold every row whose square is exact in its dtype.
    limits = np.finfo(rows.dtype)
    is_exact = (square > limits.tiny / limits.eps) & (square < limits.max)
    if is_exact.all():
        return rows / np.sqrt(square)
    # Of each row by itself, whatever the others are like: those of other members may be elsewhere.
    unit = rows / np.sqrt(np.where(is_exact, square, 1.0))
    (others,) = np.nonzero(~is_exact[:, 0])
    unit[others] = _normalize_with_care(rows[others], fallback[others])
    return unit


def _normalize_with_care(rows, fallback):
    """Divide by the largest entry first, so that the squares of huge and tiny rows are in range."""
    largest = np.abs(rows).max(axis=1, keepdims=True)
    usable = (largest > 0.0) & np.isfinite(largest)
    rows = rows / np.where(usable, largest, 1.0)
    length = np.sqrt(np.einsum("nd,nd->n", rows, rows))[:, None]
    return np.where(usable, rows / np.where(usable, length, 1.0), fallback)
