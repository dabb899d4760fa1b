"""Scikit-learn compatible neural networks that are smooth where they should be."""

from skc2c.estimators import C2CAutoencoder, C2CClassifier, C2CRegressor
from skc2c.penalties import C2C, VAT, Jacobian, Ladder, Noise, Penalty
from skc2c.version import __version__ as __version__

__all__ = [
    "C2C",
    "VAT",
    "C2CAutoencoder",
    "C2CClassifier",
    "C2CRegressor",
    "Jacobian",
    "Ladder",
    "Noise",
    "Penalty",
]
