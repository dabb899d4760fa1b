"""Penalties on the distance between the outputs at a row and at a point near it."""

from abc import abstractmethod

import numpy as np
from scipy import sparse

from skc2c.differentiable import differentiable
from skc2c.network.sparse_rows import linearize_behind
from skc2c.penalties.distances import mean_distance
from skc2c.penalties.perturbations import adversarial, gaussian
from skc2c.penalties.perturbing import Perturbing
from skc2c.penalties.probes import Probe


class Nearby(Perturbing):
    """Base class of penalties that look at perturbed copies of each row.

    A subclass has the settings ``perturbation``, ``n_perturbations`` and
    ``n_power_iterations``, and the method ``metric``.
    """

    needs_no_label = True
    takes_sparse = True

    @property
    def n_copies(self):
        return self.n_perturbations

    def probe(self, network, likelihood, theta, X, y, epsilon, rng):
        if sparse.issparse(X):
            noise = self._noise_behind(network, likelihood, theta, X, epsilon, rng)
            return Probe.behind(X, noise, epsilon)
        if self.perturbation == "random":
            dx = gaussian(rng, (self.n_perturbations, *X.shape), epsilon, X.dtype)
            return Probe.around(X, dx, epsilon)
        linearization = network.linearize(theta, X)
        draw = self._adversarial(network, likelihood, theta, X, epsilon, linearization)
        dx = np.stack([draw(rng) for _ in range(self.n_perturbations)])
        return Probe.around(X, dx, epsilon, linearization)

    def _adversarial(self, network, likelihood, theta, X, epsilon, linearization):
        """Return what draws an adversarial perturbation of each row from a generator."""
        arguments = linearization, self.metric(likelihood), epsilon, self.n_power_iterations
        return lambda rng: adversarial(rng, *arguments)

    def _noise_behind(self, network, likelihood, theta, X, epsilon, rng):
        """Perturbations of sparse rows behind the first kernel, (m, n, H), of unit scale."""
        if self.perturbation == "random":
            shape = self.n_perturbations, X.shape[0], network.dense_layers[0].n_out
            return gaussian(rng, shape, 1.0, X.dtype)
        linearization = linearize_behind(network, theta, X, epsilon)
        arguments = linearization, self.metric(likelihood), 1.0, self.n_power_iterations
        return np.stack([adversarial(rng, *arguments) for _ in range(self.n_perturbations)])


class OutputDistance(Nearby):
    """Base class: the distance between the outputs at clean and perturbed rows.

    A subclass has the methods ``distance`` and ``metric``, its local form.
    """

    reads_theta = False

    @abstractmethod
    def distance(self, likelihood):
        """Return the distance between outputs, as a function like those in `distances`.

        Parameters
        ----------
        likelihood : Likelihood

        Returns
        -------
        distance : callable
            ``(h, near) -> value, back``.
        """

    def value(self, network, likelihood, theta, probe, outputs):
        return _of_outputs(
            outputs.h, penalty=self, network=network, likelihood=likelihood, outputs=outputs
        )

    def value_with_way_back(self, network, likelihood, outputs):
        return mean_distance(
            outputs.h,
            n=outputs.n,
            distance=self.distance(likelihood),
            holds_clean=outputs.holds_clean,
        )


@differentiable
def _of_outputs(h, *, penalty, network, likelihood, outputs):
    """Value of a penalty that knows its way back."""
    value, back = penalty.value_with_way_back(network, likelihood, outputs._replace(h=h))
    return value, lambda g: (back(g),)
