"""Output distributions, and the table that finds them by the name of their loss.

To add one: subclass `Likelihood` in a file of its own, with the name of its ``loss``.
"""

from skc2c.likelihoods.classes import Bernoulli, Categorical
from skc2c.likelihoods.exponential import Gaussian, Poisson
from skc2c.likelihoods.gaussian_nll import GaussianNLL
from skc2c.likelihoods.likelihood import Likelihood
from skc2c.likelihoods.quantile import AsymmetricLaplace
from skc2c.named_objects import named_classes

LIKELIHOODS = named_classes(__name__, Likelihood, "loss")

__all__ = [
    "LIKELIHOODS",
    "AsymmetricLaplace",
    "Bernoulli",
    "Categorical",
    "Gaussian",
    "GaussianNLL",
    "Likelihood",
    "Poisson",
]
