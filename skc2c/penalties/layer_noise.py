"""Noise on the normalised units of a network, which penalties add to that on its inputs."""

from numbers import Real

from sklearn.utils._param_validation import Interval

from skc2c.network.normalization import NormalizedDense
from skc2c.penalties.perturbations import gaussian

# The constraint of a setting `layer_noise`.
LAYER_NOISE = [Interval(Real, 0, None, closed="left")]


def require_normalization(penalty, network):
    """Refuse a network whose units have no scale of their own.

    Parameters
    ----------
    penalty : Penalty
        Named in the message.
    network : Network

    Raises
    ------
    ValueError
    """
    if network.normalization is None:
        raise ValueError(
            f"{penalty!r} looks at units that are normalised by batch, of which this network has "
            "none (a fitted one never has: they are folded into its kernels). Use "
            "normalization='batch' or 'batch_all', or settings of the penalty without noise in the "
            "layers and without a normalised top."
        )


def layer_noise(rng, network, shape, scale, dtype):
    """Draw noise for the normalised units of perturbed rows.

    Parameters
    ----------
    rng : numpy.random.Generator
    network : Network
    shape : tuple of int
        ``(m, n)``: copies, and rows of each.
    scale : float
        Standard deviation, where that of a unit is one. Of zero, nothing is drawn.
    dtype : dtype

    Returns
    -------
    noise : tuple of ndarray of shape (m * n, units)
        For each normalised layer: see `with_noise`.
    """
    if not scale:
        return ()
    units = [layer.n_out for layer in network.layers if isinstance(layer, NormalizedDense)]
    draws = (gaussian(rng, (*shape, n_units), scale, dtype) for n_units in units)
    return tuple(noise.reshape(-1, noise.shape[-1]) for noise in draws)
