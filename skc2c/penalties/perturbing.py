"""What penalties have in common that look at perturbed rows."""

from numbers import Integral

from sklearn.utils._param_validation import Interval, StrOptions

from skc2c.penalties.distances import SPACES
from skc2c.penalties.penalty import Penalty

# Constraints on their settings.
PERTURBATION = [StrOptions({"random", "adversarial"})]
SPACE = [StrOptions(set(SPACES))]
COUNT = [Interval(Integral, 1, None, closed="left")]


class Perturbing(Penalty):
    """Base class of penalties with the setting ``perturbation``: random, or adversarial."""

    @property
    def follows_theta(self):
        return self.perturbation == "adversarial"

    def natural_epsilon(self, n_features):
        return 1.0 if self.perturbation == "adversarial" else super().natural_epsilon(n_features)
