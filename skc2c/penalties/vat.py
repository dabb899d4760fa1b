"""Virtual adversarial training: the divergence of output distributions at a row and near it."""

from numbers import Real

from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions

from skc2c.penalties.distances import divergence
from skc2c.penalties.few_labels import FewLabels
from skc2c.penalties.nearby import OutputDistance
from skc2c.penalties.perturbations import from_afar
from skc2c.penalties.perturbing import COUNT, PERTURBATION

# Weights of certainty and balance that VAT takes with few labels, in units of its own divergence
# (docs/semi_supervised.md).
_OF_FEW_LABELS = {"entropy_weight": 0.1, "balance_weight": 0.4}
_WEIGHT = [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})]


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
        Power iterations for an adversarial direction. Ignored if `gradient_distance` is a number.
    entropy_weight : 'auto' or float, default='auto'
        Weight of an additional term: the entropy of ``p(.|h)`` at the row itself, so that
        outputs become certain as well as smooth (Grandvalet & Bengio, 2005). Meant for rows
        without a label: ``'auto'`` is 0.1 in a classifier that tunes itself (`cv` is not None)
        and learns from such rows, if the labelled classes may be equally frequent (a chi-squared
        test at 5 % does not tell), and 0 otherwise. Ignored in regression.
    balance_weight : 'auto' or float, default='auto'
        Weight of an additional term: the KL divergence of the mean class probabilities from
        uniform. The mean is over all rows with L-BFGS and over the rows of a batch with Adam,
        where the term therefore depends on `batch_size`. With few labels and `entropy_weight`
        it keeps classes from disappearing, provided that they are about equally frequent among
        the unlabelled rows. ``'auto'`` is 0.4 where `entropy_weight` would be 0.1, and 0
        otherwise. Ignored in regression.
    gradient_distance : 'auto', float or None, default='auto'
        If it is a number, the adversarial direction is instead the gradient of the divergence at
        a point away from the row, in a random direction: so far away, in multiples of `epsilon`.
        It is then no longer the eigenvector, but points across what lies between, and does better
        with few labels. None: the eigenvector. ``'auto'`` is None, but in a classifier that tunes
        itself and learns from dense unlabelled rows the number of features (of principal
        components, where it is trained on these) divided by 20, and at least 1. Only used when
        ``perturbation='adversarial'``.

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

    name = "vat"
    # Chosen on two moons, digits and images (docs/semi_supervised.md).
    few_labels = FewLabels(alpha=2.0, radius=0.25)
    # Features for each radius by which the gradient is then taken farther from the row: with 10 or
    # 40, images have 1 or 3 points less accuracy.
    _features_per_radius = 20
    holds_clean = True
    _parameter_constraints = {
        "perturbation": PERTURBATION,
        "n_perturbations": COUNT,
        "n_power_iterations": COUNT,
        "gradient_distance": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions({"auto"}),
            None,
        ],
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
        gradient_distance="auto",
    ):
        self.perturbation = perturbation
        self.n_perturbations = n_perturbations
        self.n_power_iterations = n_power_iterations
        self.entropy_weight = entropy_weight
        self.balance_weight = balance_weight
        self.gradient_distance = gradient_distance

    @property
    def _distance(self):
        distance = self.gradient_distance
        return None if distance is None or distance == "auto" else float(distance)

    @property
    def _weights(self):
        """Weights of the two additional terms."""
        weights = self.entropy_weight, self.balance_weight
        return [0.0 if weight == "auto" else float(weight) for weight in weights]

    def for_few_labels(self, are_balanced, n_features):
        # Certainty without balance lets the most frequent class swallow the others.
        values = dict(_OF_FEW_LABELS) if are_balanced else {}
        if n_features is not None:
            values["gradient_distance"] = max(1.0, n_features / self._features_per_radius)
        auto = {name: value for name, value in values.items() if getattr(self, name) == "auto"}
        return clone(self).set_params(**auto)

    @property
    def needs_mean_response(self):
        return self._weights[1] > 0.0

    @property
    def takes_sparse(self):
        return self.perturbation == "random" or self._distance is None

    def _adversarial(self, network, likelihood, theta, X, epsilon, linearization):
        arguments = network, likelihood, theta, X, epsilon, linearization
        if self._distance is None:
            return super()._adversarial(*arguments)

        def slope(h, far):
            return likelihood.kl_and_gradients(h, far)[1]

        def linearize(dx):
            return network.linearize(theta, X + dx)

        where = slope, epsilon, self._distance
        return lambda rng: from_afar(rng, linearization, linearize, *where)

    def metric(self, likelihood):
        return likelihood.fisher

    def distance(self, likelihood):
        return divergence(likelihood)

    def value_with_way_back(self, network, likelihood, outputs):
        value, back = super().value_with_way_back(network, likelihood, outputs)
        of_entropy, of_balance = self._weights
        if not (of_entropy or of_balance):
            return value, back
        n = outputs.n
        h = outputs.h[:n]  # not held, unlike the target of the divergence
        entropy, back_entropy = likelihood.entropy(h)
        balance, back_balance = likelihood.imbalance(h, outputs.mean_response, network.n_members)

        def back_all(g):
            gradient = back(g)
            gradient[:n] += back_entropy(of_entropy * g) + back_balance(of_balance * g)
            return gradient

        return value + of_entropy * entropy + of_balance * balance, back_all
