"""The ladder: distance of the output from a denoised perturbed one (section 3.4 of the paper)."""

import autograd.numpy as anp
import numpy as np

from skc2c.differentiable import differentiable
from skc2c.network.normalization import standardize, through_statistics
from skc2c.penalties.distances import squared_distance_metric
from skc2c.penalties.layer_noise import LAYER_NOISE, layer_noise, require_normalization
from skc2c.penalties.nearby import Nearby
from skc2c.penalties.noise import Noise
from skc2c.penalties.perturbing import COUNT, PERTURBATION


class Ladder(Nearby):
    """Distance of the output and a denoised perturbed one: the Gamma model (section 3.4).

    ``E ||h - g(f(x + dx))||^2``, with a denoiser g of its own for every output unit,
    ``g(u) = (u - m(u)) v(u) + m(u)``, where ``m(u) = a1 sig(a2 u + a3) + a4 u + a5`` and
    ``v(u) = a6 sig(a7 u + a8) + a9 u + a10``. Its parameters are fitted with the network and
    start at the identity, where the penalty is that of `C2C`; they are not part of ``coefs_``.
    An adversarial perturbation moves the output most, before it is denoised.

    Parameters
    ----------
    perturbation : {'random', 'adversarial'}, default='random'
        How the nearby point is chosen.
    n_perturbations : int, default=1
        Nearby points for each row and step.
    n_power_iterations : int, default=1
        Power iterations for the adversarial direction. Only used when
        ``perturbation='adversarial'``.
    normalized_top : bool, default=False
        Measure the distance, as published, between outputs that are normalised over the rows of a
        batch, clean and perturbed rows each by themselves: ``E ||z - g(z~, u)||^2 / K`` with
        ``g(z~, u) = (z~ - m(u)) v(u) + m(u)``, where u are the normalised mean responses (the
        probabilities of a classifier) at the perturbed rows. Then the distance cannot be made small
        by making all outputs alike.
    layer_noise : float, default=0.0
        Standard deviation of noise on all normalised units at the perturbed rows, where theirs is
        one. It comes beside that of `epsilon` on the inputs.
    noisy_loss : bool, default=False
        Take the labelled loss, too, at rows with such noise on the inputs and in the layers.

    See Also
    --------
    C2C : The same without a denoiser. Its notes on wide sparse rows hold here too.

    Notes
    -----
    `normalized_top` and `layer_noise` need a `normalization`. All three together, with
    ``normalization='batch_all'`` and ``epsilon=layer_noise``, are the published Gamma model in
    other parameters: there the perturbed output is not normalised once more after its noise, and
    what g returns is normalised by the clean rows' statistics, for which g has parameters here.

    References
    ----------
    A. Rasmus, H. Valpola, M. Honkala, M. Berglund, T. Raiko, "Semi-supervised learning with
    ladder networks", NIPS 2015.

    Examples
    --------
    >>> from skc2c import C2CClassifier, Ladder
    >>> clf = C2CClassifier(penalty=Ladder(n_perturbations=2), missing_label=-1)

    The Gamma model as published:

    >>> gamma = Ladder(normalized_top=True, layer_noise=0.3, noisy_loss=True)
    >>> clf = C2CClassifier(
    ...     penalty=gamma, epsilon=0.3, normalization="batch_all", cv=None, missing_label=-1
    ... )
    """

    name = "ladder"
    _parameter_constraints = {
        "perturbation": PERTURBATION,
        "n_perturbations": COUNT,
        "n_power_iterations": COUNT,
        "normalized_top": ["boolean"],
        "layer_noise": LAYER_NOISE,
        "noisy_loss": ["boolean"],
    }

    def __init__(
        self,
        perturbation="random",
        n_perturbations=1,
        n_power_iterations=1,
        normalized_top=False,
        layer_noise=0.0,
        noisy_loss=False,
    ):
        self.perturbation = perturbation
        self.n_perturbations = n_perturbations
        self.n_power_iterations = n_power_iterations
        self.normalized_top = normalized_top
        self.layer_noise = layer_noise
        self.noisy_loss = noisy_loss

    @property
    def beside_loss(self):
        return Noise(layer_noise=self.layer_noise) if self.noisy_loss else super().beside_loss

    def initial_parameters(self, n_outputs):
        identity = np.zeros((10, n_outputs))
        identity[[1, 6, 9]] = 1.0
        return identity.ravel()

    def parameters_in_units(self, parameters, center, scale):
        if self.normalized_top:
            return parameters  # of what has no unit
        # Written out for u = center + scale h, the denoiser has the same form.
        a = parameters.reshape(10, -1).astype(np.float64)
        b = a.copy()
        b[[0, 4]] *= scale
        b[[1, 6, 8]] /= scale
        b[2] -= b[1] * center
        b[4] += (1.0 - b[3]) * center
        b[7] -= b[6] * center
        b[9] -= b[8] * center
        return b.ravel()

    def metric(self, likelihood):
        return squared_distance_metric(likelihood, "link")

    def probe(self, network, likelihood, theta, X, y, epsilon, rng):
        if self.normalized_top or self.layer_noise:
            require_normalization(self, network)
        probe = super().probe(network, likelihood, theta, X, y, epsilon, rng)
        settings = (self.n_perturbations, probe.n), self.layer_noise, X.dtype
        return probe._replace(noise=layer_noise(rng, network, *settings))

    def value(self, network, likelihood, theta, probe, outputs):
        parameters, k = theta[network.size :], network.n_members
        if self.normalized_top:
            return self._on_normalized(likelihood, parameters, outputs, k)
        near = self._denoised(outputs.near, parameters, k)
        clean = outputs.clean
        difference = anp.reshape(near, (-1, *clean.shape)) - clean
        return anp.sum(difference**2, axis=(0, 2)) / self.n_copies

    def _on_normalized(self, likelihood, parameters, outputs, k):
        """The distance between normalised outputs, of which each stream is (k, n, K)."""
        n, K = outputs.n // k, outputs.h.shape[1]
        top = standardized(outputs.h, shape=(-1, k, n, K))
        response = likelihood.mean(outputs.near)
        if response.shape[1] != K:
            raise ValueError(
                f"normalized_top needs a loss whose outputs are as many as the mean responses. "
                f"Got loss={likelihood.loss!r}, with {K} and {response.shape[1]}."
            )
        u = standardized(response, shape=(-1, k, n, K))
        a = anp.transpose(anp.reshape(parameters, (k, 10, 1, K)), (1, 0, 2, 3))
        difference = _denoise(top[1:], u, a) - top[0]
        return anp.ravel(anp.sum(difference**2, axis=(0, 3)) / (self.n_copies * K))

    def _denoised(self, near, parameters, k):
        """Each member's outputs after its own denoiser."""
        if k == 1:
            return _denoise(near, near, anp.reshape(parameters, (10, -1)))
        K = near.shape[1]
        by_member = anp.reshape(near, (self.n_copies, k, -1, K))
        a = anp.transpose(anp.reshape(parameters, (k, 10, 1, K)), (1, 0, 2, 3))
        return anp.reshape(_denoise(by_member, by_member, a), near.shape)


@differentiable
def standardized(h, *, shape):
    """Rows (N, K) in a shape (..., n, K), each n of them with mean zero and variance one."""
    standard, inverse = standardize(h.reshape(shape).copy())

    def back(g):
        return (through_statistics(g.copy(), standard, inverse).reshape(h.shape),)

    return standard, back


@differentiable
def _denoise(z, u, a):
    """g(z, u): (..., K), with parameters a (10, ..., K), which broadcast over rows."""
    mean, back_mean = _curve(u, a[:5])
    slope, back_slope = _curve(u, a[5:])

    def back(g):
        u_of_mean, a_of_mean = back_mean((1.0 - slope) * g)
        u_of_slope, a_of_slope = back_slope((z - mean) * g)
        return slope * g, u_of_mean + u_of_slope, np.concatenate([a_of_mean, a_of_slope])

    return (z - mean) * slope + mean, back


def _curve(u, a):
    """``a1 sig(a2 u + a3) + a4 u + a5``, and its way back to u and a."""
    sig = 0.5 * (np.tanh(0.5 * (a[1] * u + a[2])) + 1.0)

    def back(g):
        bend = a[0] * sig * (1.0 - sig) * g
        of_a = np.stack([_over_rows(part, a[0]) for part in (g * sig, bend * u, bend, g * u, g)])
        return bend * a[1] + a[3] * g, of_a

    return a[0] * sig + a[3] * u + a[4], back


def _over_rows(values, parameter):
    """Sum over the axes along which a parameter broadcasts."""
    further = values.ndim - parameter.ndim
    axes = [axis for axis, size in enumerate(parameter.shape, further) if size == 1]
    return values.sum(axis=(*range(further), *axes)).reshape(parameter.shape)
