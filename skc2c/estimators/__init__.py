"""The scikit-learn door: validate, encode y, assemble, solve, store."""

from skc2c.estimators.autoencoder import C2CAutoencoder
from skc2c.estimators.classifier import C2CClassifier
from skc2c.estimators.regressor import C2CRegressor

__all__ = ["C2CAutoencoder", "C2CClassifier", "C2CRegressor"]
