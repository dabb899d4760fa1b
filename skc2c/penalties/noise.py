"""Noise on the inputs: no penalty, but the loss is taken at a perturbed row."""

from scipy import sparse

from skc2c.network.sparse_rows import linearize_behind
from skc2c.penalties.layer_noise import LAYER_NOISE, layer_noise, require_normalization
from skc2c.penalties.perturbations import gaussian, steepest
from skc2c.penalties.perturbing import PERTURBATION, Perturbing
from skc2c.penalties.probes import Probe


class Noise(Perturbing):
    """No penalty but noisy inputs: the labelled loss is taken at ``x + dx``.

    ``alpha`` is ignored, and rows without a label contribute nothing (section 3.2 of the
    paper). Random: ``dx ~ N(0, epsilon^2 I)``. Adversarial: ``||dx|| = epsilon`` along
    the gradient of the row's own loss, that is adversarial training.

    Parameters
    ----------
    perturbation : {'random', 'adversarial'}, default='random'
        How the nearby point is chosen.
    layer_noise : float, default=0.0
        Standard deviation of noise on all normalised units, which have a standard deviation of
        one, beside that of `epsilon` on the inputs. Needs a `normalization`.

    See Also
    --------
    C2C : A penalty, which needs no label. Its notes on wide sparse rows hold here too.

    References
    ----------
    J. Sietsma, R. Dow, "Creating artificial neural networks that generalize", Neural
    Networks 4(1), 1991.

    Examples
    --------
    >>> from skc2c import Noise, C2CClassifier
    >>> clf = C2CClassifier(penalty=Noise(perturbation="adversarial"), epsilon=0.1)
    """

    name = "noise"
    has_cost = False
    n_copies = 0
    takes_sparse = True
    _parameter_constraints = {"perturbation": PERTURBATION, "layer_noise": LAYER_NOISE}

    def __init__(self, perturbation="random", layer_noise=0.0):
        self.perturbation = perturbation
        self.layer_noise = layer_noise

    def probe(self, network, likelihood, theta, X, y, epsilon, rng):
        if self.layer_noise:
            require_normalization(self, network)
        if y is None:
            return Probe.at(X, epsilon)
        probe = self._on_inputs(network, likelihood, theta, X, y, epsilon, rng)
        settings = (1, probe.n), self.layer_noise, X.dtype
        return probe._replace(noise=layer_noise(rng, network, *settings))

    def _on_inputs(self, network, likelihood, theta, X, y, epsilon, rng):
        if sparse.issparse(X):
            noise = self._noise_behind(network, likelihood, theta, X, y, epsilon, rng)
            return Probe.behind(X, noise[None], epsilon, has_clean=False)
        if self.perturbation == "random":
            dx = gaussian(rng, X.shape, epsilon, X.dtype)
        else:
            dx = _against(likelihood, y, network.linearize(theta, X), epsilon)
        return Probe.at(X + dx, epsilon)

    def _noise_behind(self, network, likelihood, theta, X, y, epsilon, rng):
        """The noise of sparse rows behind the first kernel, (n, H), of unit scale."""
        if self.perturbation == "random":
            return gaussian(rng, (X.shape[0], network.dense_layers[0].n_out), 1.0, X.dtype)
        return _against(likelihood, y, linearize_behind(network, theta, X, epsilon), 1.0)

    def value(self, network, likelihood, theta, probe, outputs):
        return None


def _against(likelihood, y, linearization, epsilon):
    """The perturbation that makes each row's own loss grow most, to first order."""
    gradient = linearization.vjp(likelihood.nll_and_gradient(y, linearization.h)[1])
    return steepest(gradient, epsilon)
