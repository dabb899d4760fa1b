"""The close-to-clean penalty: the squared distance of outputs at a row and at a point near it."""

from sklearn.base import clone
from sklearn.utils._param_validation import StrOptions

from skc2c.penalties.distances import squared_distance, squared_distance_metric
from skc2c.penalties.few_labels import FewLabels
from skc2c.penalties.nearby import OutputDistance
from skc2c.penalties.perturbing import COUNT, PERTURBATION, SPACE


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

    name = "c2c"
    # Chosen on two moons and digits (docs/semi_supervised.md).
    few_labels = FewLabels(alpha=10.0, radius=0.37)
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

    def for_few_labels(self, are_balanced, n_features):
        return clone(self).set_params(space="response") if self.space == "auto" else self

    def metric(self, likelihood):
        return squared_distance_metric(likelihood, self._space)

    def distance(self, likelihood):
        return squared_distance(likelihood, self._space)
