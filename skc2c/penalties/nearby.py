"""Penalties on the distance between the outputs at a row and at a point near it."""

from abc import abstractmethod
from numbers import Real

import autograd.numpy as anp
import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions

from skc2c.network.sparse_rows import linearize_behind
from skc2c.penalties.distances import (
    divergence,
    mean_distance,
    squared_distance,
    squared_distance_metric,
)
from skc2c.penalties.penalty import COUNT, PERTURBATION, SPACE, FewLabels, Perturbing
from skc2c.penalties.perturbations import adversarial, from_afar, gaussian
from skc2c.penalties.probes import Probe

# Weights of certainty and balance that VAT takes with few labels, in units of its own divergence
# (docs/semi_supervised.md).
_OF_FEW_LABELS = {"entropy_weight": 0.1, "balance_weight": 0.4}
_WEIGHT = [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})]


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

    def mean_distance(self, likelihood, outputs):
        """Distance of each row's output from those of its perturbed copies, on average.

        Parameters
        ----------
        likelihood : Likelihood
            What the outputs mean.
        outputs : Outputs
            Of the network, at the rows of the probe.

        Returns
        -------
        distance : ndarray of shape (n,)
            Zero where all copies have the output of their row.
        """
        return mean_distance(
            outputs.h,
            n=outputs.n,
            distance=self.distance(likelihood),
            holds_clean=outputs.holds_clean,
        )

    def value(self, network, likelihood, theta, probe, outputs):
        return self.mean_distance(likelihood, outputs)


class C2C(OutputDistance):
    """Close-to-clean penalty: squared distance of the outputs (eq. 1 of the paper).

    Random: ``E ||h - f(x + dx)||^2`` with ``dx ~ N(0, epsilon^2 I)``, which tends to
    ``epsilon^2 ||J||_F^2``. Adversarial: its maximum over ``||dx|| <= epsilon``, to first
    order (so the sign of dx is random), which tends to ``epsilon^2 lambda_max(J'J)``. Both
    branches are differentiated.

    Parameters
    ----------
    perturbation : {'random', 'adversarial'}, default='random'
        How the nearby point is chosen.
    space : {'auto', 'link', 'response'}, default='auto'
        Measure distances between the outputs h (``'link'``), or between the mean responses (the
        probabilities of a classifier). ``'auto'`` is ``'response'`` in a classifier that tunes
        itself (`cv` is not None) and learns from rows without a label, where outputs have to
        differ much between classes, and ``'link'`` otherwise.
    n_perturbations : int, default=1
        Nearby points for each row and step.
    n_power_iterations : int, default=1
        Power iterations for an adversarial direction.

    See Also
    --------
    Jacobian : The same for small `epsilon`, exactly and at more cost.

    Notes
    -----
    For wide sparse rows (at least 5,000 columns, at most 1 % of the entries stored) the
    perturbation is drawn where it has passed the first kernel W: ``dx W`` is
    ``N(0, W' diag(epsilon^2) W)``, a number for each hidden unit instead of one for each
    column. Penalty and gradient have the same expectation as for an array, but other random
    numbers. An adversarial perturbation is sought among those that move the first layer.

    References
    ----------
    M. Abbas, J. Kivinen, T. Raiko, "Close-to-clean regularization relates virtual
    adversarial training, ladder networks and others", 2016, section 2.

    Examples
    --------
    >>> from skc2c import C2C, C2CClassifier
    >>> C2CClassifier(penalty=C2C(space="response"), epsilon=0.3).get_params()["penalty__space"]
    'response'
    """

    few_labels = FewLabels(alpha=30.0, radius=0.3)
    _parameter_constraints = {
        "perturbation": PERTURBATION,
        "space": [*SPACE, StrOptions({"auto"})],
        "n_perturbations": COUNT,
        "n_power_iterations": COUNT,
    }

    def __init__(
        self, perturbation="random", space="auto", n_perturbations=1, n_power_iterations=1
    ):
        self.perturbation = perturbation
        self.space = space
        self.n_perturbations = n_perturbations
        self.n_power_iterations = n_power_iterations

    @property
    def _space(self):
        return "link" if self.space == "auto" else self.space

    def for_few_labels(self):
        return clone(self).set_params(space="response") if self.space == "auto" else self

    def metric(self, likelihood):
        return squared_distance_metric(likelihood, self._space)

    def distance(self, likelihood):
        return squared_distance(likelihood, self._space)


class VAT(OutputDistance):
    """Virtual adversarial training: divergence of the output distributions (eq. 3).

    Adversarial: ``KL(p(.|h) || p(.|f(x + dx)))`` with ``||dx|| = epsilon`` along the top
    eigenvector of the Fisher information I(x), of random sign, which tends to
    ``epsilon^2 / 2 lambda_max(I)``. Random: its expectation under
    ``dx ~ N(0, epsilon^2 I)``, which tends to ``epsilon^2 / 2 trace(I)``. In stochastic
    training the clean branch is held constant, as Miyato et al. do.

    Parameters
    ----------
    perturbation : {'adversarial', 'random'}, default='adversarial'
        How the nearby point is chosen.
    n_perturbations : int, default=1
        Nearby points for each row and step.
    n_power_iterations : int, default=1
        Power iterations for an adversarial direction. Ignored if `gradient_distance` is given.
    entropy_weight : 'auto' or float, default='auto'
        Weight of an additional term: the entropy of ``p(.|h)`` at the row itself, so that
        outputs become certain as well as smooth (Grandvalet & Bengio, 2005). Meant for rows
        without a label: ``'auto'`` is 0.1 in a classifier that tunes itself (`cv` is not None)
        and learns from such rows, and 0 otherwise. Ignored in regression.
    balance_weight : 'auto' or float, default='auto'
        Weight of an additional term: the KL divergence of the mean class probabilities from
        uniform. The mean is over all rows with L-BFGS and over the rows of a batch with Adam,
        where the term therefore depends on `batch_size`. With few labels and `entropy_weight`
        it keeps classes from disappearing, provided that they are about equally frequent among
        the unlabelled rows. ``'auto'`` is 0.4 where `entropy_weight` would be 0.1, and 0
        otherwise. Ignored in regression.
    gradient_distance : float or None, default=None
        If given, the adversarial direction is instead the gradient of the divergence at a point
        away from the row, in a random direction: so far away, in multiples of `epsilon`. It is
        then no longer the eigenvector, but points across what lies between, and did better with
        few labels and normalisation (2 to 7, with an `epsilon` as large as the distance of
        neighbouring rows of a class). Only used when ``perturbation='adversarial'``.

    See Also
    --------
    C2C : Squared distance of the outputs. Its notes on wide sparse rows hold here too.

    References
    ----------
    T. Miyato, S. Maeda, M. Koyama, K. Nakae, S. Ishii, "Distributional smoothing with
    virtual adversarial training", ICLR 2016.

    W. Hu, T. Miyato, S. Tokui, E. Matsumoto, M. Sugiyama, "Learning discrete representations
    via information maximizing self-augmented training", ICML 2017: certain and balanced.

    Examples
    --------
    >>> from skc2c import VAT, C2CClassifier
    >>> clf = C2CClassifier(penalty=VAT(n_power_iterations=2))
    """

    holds_clean = True
    _parameter_constraints = {
        "perturbation": PERTURBATION,
        "n_perturbations": COUNT,
        "n_power_iterations": COUNT,
        "gradient_distance": [Interval(Real, 0, None, closed="neither"), None],
        "entropy_weight": _WEIGHT,
        "balance_weight": _WEIGHT,
    }

    def __init__(
        self,
        perturbation="adversarial",
        n_perturbations=1,
        n_power_iterations=1,
        entropy_weight="auto",
        balance_weight="auto",
        gradient_distance=None,
    ):
        self.perturbation = perturbation
        self.n_perturbations = n_perturbations
        self.n_power_iterations = n_power_iterations
        self.entropy_weight = entropy_weight
        self.balance_weight = balance_weight
        self.gradient_distance = gradient_distance

    @property
    def _weights(self):
        """Weights of the two additional terms."""
        weights = self.entropy_weight, self.balance_weight
        return [0.0 if weight == "auto" else float(weight) for weight in weights]

    def for_few_labels(self):
        weights = {"entropy_weight": self.entropy_weight, "balance_weight": self.balance_weight}
        auto = {name: _OF_FEW_LABELS[name] for name, weight in weights.items() if weight == "auto"}
        return clone(self).set_params(**auto)

    @property
    def needs_mean_response(self):
        return self._weights[1] > 0.0

    @property
    def takes_sparse(self):
        return self.perturbation == "random" or self.gradient_distance is None

    def _adversarial(self, network, likelihood, theta, X, epsilon, linearization):
        arguments = network, likelihood, theta, X, epsilon, linearization
        if self.gradient_distance is None:
            return super()._adversarial(*arguments)

        def slope(h, far):
            return likelihood.kl_and_gradients(h, far)[1]

        def linearize(dx):
            return network.linearize(theta, X + dx)

        where = slope, epsilon, float(self.gradient_distance)
        return lambda rng: from_afar(rng, linearization, linearize, *where)

    def metric(self, likelihood):
        return likelihood.fisher

    def distance(self, likelihood):
        return divergence(likelihood)

    def value(self, network, likelihood, theta, probe, outputs):
        cost = self.mean_distance(likelihood, outputs)
        of_entropy, of_balance = self._weights
        if not (of_entropy or of_balance):
            return cost
        h = outputs.h[: outputs.n]  # not held, unlike the target of the divergence
        balance = _imbalance(likelihood, h, outputs.mean_response, network.n_members)
        return cost + of_entropy * likelihood.entropy(h) + of_balance * balance


def _imbalance(likelihood, h, mean_response, k):
    """Imbalance of the rows of h; each of k members is to be balanced by itself."""
    if k == 1:
        return likelihood.imbalance(h, mean_response)
    n = h.shape[0] // k
    each = [likelihood.imbalance(h[i * n : (i + 1) * n]) for i in range(k)]
    return anp.concatenate([value + np.zeros(n, dtype=h.dtype) for value in each])
