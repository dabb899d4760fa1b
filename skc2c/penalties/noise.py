"""Noise on the inputs: no penalty, but the loss is taken at a perturbed row."""

from skc2c.penalties.penalty import PERTURBATION, Perturbing
from skc2c.penalties.perturbations import gaussian, steepest
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

    References
    ----------
    J. Sietsma, R. Dow, "Creating artificial neural networks that generalize", Neural
    Networks 4(1), 1991.

    Examples
    --------
    >>> from skc2c import Noise, C2CClassifier
    >>> clf = C2CClassifier(penalty=Noise(perturbation="adversarial"), epsilon=0.1)
    """

    n_copies = 0
    reads_theta = False
    _parameter_constraints = {"perturbation": PERTURBATION}

    def __init__(self, perturbation="random"):
        self.perturbation = perturbation

    def probe(self, network, likelihood, theta, X, y, epsilon, rng):
        if y is None:
            return Probe.at(X, epsilon)
        if self.perturbation == "random":
            dx = gaussian(rng, X.shape, epsilon, X.dtype)
        else:
            linearization = network.linearize(theta, X)
            gradient = linearization.vjp(likelihood.nll_and_gradient(y, linearization.h)[1])
            dx = steepest(gradient, epsilon)
        return Probe.at(X + dx, epsilon)

    def value(self, network, likelihood, theta, probe, outputs):
        return None
