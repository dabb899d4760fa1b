"""The ladder: distance of the output from a denoised perturbed one (section 3.4 of the paper)."""

import autograd.numpy as anp
import numpy as np

from skc2c.penalties.distances import squared_distance_metric
from skc2c.penalties.nearby import Nearby
from skc2c.penalties.penalty import COUNT, PERTURBATION


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

    See Also
    --------
    C2C : The same without a denoiser. Its notes on wide sparse rows hold here too.

    References
    ----------
    A. Rasmus, H. Valpola, M. Honkala, M. Berglund, T. Raiko, "Semi-supervised learning with
    ladder networks", NIPS 2015.

    Examples
    --------
    >>> from skc2c import C2CClassifier, Ladder
    >>> clf = C2CClassifier(penalty=Ladder(n_perturbations=2), missing_label=-1)
    """

    _parameter_constraints = {
        "perturbation": PERTURBATION,
        "n_perturbations": COUNT,
        "n_power_iterations": COUNT,
    }

    def __init__(self, perturbation="random", n_perturbations=1, n_power_iterations=1):
        self.perturbation = perturbation
        self.n_perturbations = n_perturbations
        self.n_power_iterations = n_power_iterations

    def initial_parameters(self, n_outputs):
        identity = np.zeros((10, n_outputs))
        identity[[1, 6, 9]] = 1.0
        return identity.ravel()

    def parameters_in_units(self, parameters, center, scale):
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

    def value(self, network, likelihood, theta, probe, outputs):
        near = self._denoised(outputs.near, theta[network.size :], network.n_members)
        clean = outputs.clean
        difference = anp.reshape(near, (-1, *clean.shape)) - clean
        return anp.sum(difference**2, axis=(0, 2)) / self.n_copies

    def _denoised(self, near, parameters, k):
        """Each member's outputs after its own denoiser."""
        if k == 1:
            return _denoise(near, anp.reshape(parameters, (10, -1)))
        K = near.shape[1]
        by_member = anp.reshape(near, (self.n_copies, k, -1, K))
        a = anp.transpose(anp.reshape(parameters, (k, 10, 1, K)), (1, 0, 2, 3))
        return anp.reshape(_denoise(by_member, a), near.shape)


def _denoise(u, a):
    """g(u): (..., K), with parameters a (10, ..., K). Traceable."""
    mean = a[0] * _sigmoid(a[1] * u + a[2]) + a[3] * u + a[4]
    slope = a[5] * _sigmoid(a[6] * u + a[7]) + a[8] * u + a[9]
    return (u - mean) * slope + mean


def _sigmoid(u):
    return 0.5 * (anp.tanh(0.5 * u) + 1.0)
