"""One small network of either kind, and what the tests of estimators share."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from oracles import PLAIN
from sklearn.datasets import make_classification, make_regression
from sklearn.preprocessing import StandardScaler

from skc2c import C2CClassifier, C2CRegressor
from skc2c.penalties import PENALTIES
from skc2c.solvers import SOLVERS

BOTH = [C2CClassifier, C2CRegressor]
both = pytest.mark.parametrize("cls", BOTH)
each_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=str)
each_solver = pytest.mark.parametrize("solver", SOLVERS)


def draw(cls, n=80, D=4):
    make = make_classification if cls is C2CClassifier else make_regression
    kind = {"n_redundant": 0} if cls is C2CClassifier else {"noise": 5.0}
    X, y = make(n_samples=n, n_features=D, random_state=0, **kind)
    return StandardScaler().fit_transform(X), y


def quick(cls, **parameters):
    """One small network on the rows as they are."""
    small = {"hidden_layer_sizes": (8,), "max_iter": 15, "random_state": 0}
    return cls(**PLAIN | small | parameters)


def state(estimator):
    return [*estimator.coefs_, *estimator.intercepts_, np.array(estimator.loss_curve_)]


def assert_same_fit(a, b):
    for left, right in zip(state(a), state(b), strict=True):
        assert_array_equal(left, right)
