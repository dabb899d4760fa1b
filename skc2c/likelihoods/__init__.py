"""Output distributions, and the table that finds them by the name of their loss.

To add one, write a subclass of `Likelihood` and add it to the tuple below.
"""

from skc2c.likelihoods.classes import Bernoulli, Categorical
from skc2c.likelihoods.exponential import Gaussian, Poisson
from skc2c.likelihoods.gaussian_nll import GaussianNLL
from skc2c.likelihoods.likelihood import Likelihood
from skc2c.likelihoods.quantile import AsymmetricLaplace

LIKELIHOODS = {
    likelihood.loss: likelihood
    for likelihood in (Gaussian, Poisson, GaussianNLL, AsymmetricLaplace, Bernoulli, Categorical)
}

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
