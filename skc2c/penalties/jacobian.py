"""Norms of the Jacobian, exactly: what c2c tends to for small epsilon (eq. 2 of the paper)."""

import autograd.numpy as anp

from skc2c.penalties.distances import squared_distance_metric
from skc2c.penalties.perturbations import adversarial
from skc2c.penalties.perturbing import COUNT, PERTURBATION, SPACE, Perturbing
from skc2c.penalties.probes import Probe


class Jacobian(Perturbing):
    """Norm of the Jacobian, exactly: the limit of `C2C` for small epsilon (eq. 2).

    Random: ``epsilon^2 ||J||_F^2``, the average over all directions, without sampling.
    Adversarial: ``epsilon^2 lambda_max(J'J)``, the squared spectral norm.

    Parameters
    ----------
    perturbation : {'random', 'adversarial'}, default='random'
        The average over all directions, or the worst of them.
    space : {'link', 'response'}, default='link'
        Differentiate the outputs h, or the mean responses (the probabilities of a
        classifier).
    n_power_iterations : int, default=1
        Power iterations for the worst direction. Only used when
        ``perturbation='adversarial'``.

    See Also
    --------
    C2C : The distance at a given `epsilon`, estimated from random points.

    References
    ----------
    T. Poggio, F. Girosi, "Networks for approximation and learning", Proceedings of the
    IEEE 78(9), 1990.

    Examples
    --------
    >>> from skc2c import Jacobian, C2CRegressor
    >>> reg = C2CRegressor(penalty=Jacobian(perturbation="adversarial"), solver="lbfgs")
    """

    name = "jacobian"
    needs_no_label = True
    needs_jacobian = True
    n_copies = 0
    _parameter_constraints = {
        "perturbation": PERTURBATION,
        "space": SPACE,
        "n_power_iterations": COUNT,
    }

    def __init__(self, perturbation="random", space="link", n_power_iterations=1):
        self.perturbation = perturbation
        self.space = space
        self.n_power_iterations = n_power_iterations

    @property
    def reads_outputs(self):
        return self.perturbation == "random" and self.space == "response"

    @property
    def takes_sparse(self):
        return self.perturbation == "random"

    def probe(self, network, likelihood, theta, X, y, epsilon, rng):
        if self.perturbation == "random":
            return Probe.at(X, epsilon)
        linearization = network.linearize(theta, X)
        metric = self.metric(likelihood)
        dx = adversarial(rng, linearization, metric, epsilon, self.n_power_iterations)
        return Probe.at(X, epsilon, direction=dx)

    def metric(self, likelihood):
        return squared_distance_metric(likelihood, self.space)

    def value(self, network, likelihood, theta, probe, outputs):
        if probe.direction is None:
            seeds = likelihood.mean_jacobian(outputs.clean) if self.space == "response" else None
            return network.squared_jacobian(theta, probe.clean, probe.epsilon, seeds)
        h, dh = network.tangent(theta, probe.clean, probe.direction)
        if self.space == "response":
            dh = anp.einsum("nij,nj->ni", likelihood.mean_jacobian(h), dh)
        return anp.einsum("nk,nk->n", dh, dh)
