"""Fitted estimators of every kind, for the tests of what they are exported as."""

import copy

import joblib
import numpy as np
import pytest
from oracles import in_pairs
from sklearn.datasets import load_diabetes, load_wine

from skc2c import C2CClassifier, C2CRegressor

X_CLASSES, CODES = load_wine(return_X_y=True)
X_REALS, REALS = (part[::4] for part in load_diabetes(return_X_y=True))
LABELS = {
    "integers": CODES,
    "strings": np.array(["red", "rosé", "white"])[CODES],
    "floats": CODES + 1.0,
    "booleans": CODES > 0,
    "two strings": np.array(["no", "yes"])[(CODES > 1).astype(int)],
    "multilabel": np.eye(3, dtype=int)[CODES] | np.eye(3, dtype=int)[0],
}
TARGETS = {"one": REALS, "two": np.column_stack([REALS, np.sqrt(REALS)])}
# What the function is made of: layers in front, networks, hidden layers.
KINDS = {
    "all that is default": {},
    "one plain network": {"cv": None, "input_scaling": None, "numeric_embedding": None},
    "scaled": {"cv": None, "numeric_embedding": None},
    "embedded, not scaled": {"cv": None, "input_scaling": None, "numeric_embedding": "fourier"},
    "in bins, not scaled": {
        "cv": None,
        "input_scaling": None,
        "numeric_embedding": "piecewise_linear",
    },
    "deep": {"hidden_layer_sizes": (5, 4), "cv": 2, "activation": "tanh"},
    "linear": {"hidden_layer_sizes": (), "cv": 2},
}


# Any two of a kind, a precision and labels or targets meet: layers in front of the networks and
# what follows them are converted apart from each other.
DTYPES = [np.float32, np.float64]
each_classifier = pytest.mark.parametrize(
    ("kind", "dtype", "labels"), in_pairs(list(KINDS), DTYPES, list(LABELS))
)
each_regressor = pytest.mark.parametrize(
    ("kind", "dtype", "targets"), in_pairs(list(KINDS), DTYPES, list(TARGETS))
)


def fitted_classifier(labels="integers", dtype=np.float64, **parameters):
    """A classifier and its rows, which it was hardly trained on."""
    X = X_CLASSES.astype(dtype)
    return _hardly_fitted(C2CClassifier, parameters, X, LABELS[labels]), X


def fitted_regressor(targets="one", dtype=np.float64, **parameters):
    """A regressor and its rows."""
    X = X_REALS.astype(dtype)
    return _hardly_fitted(C2CRegressor, parameters, X, TARGETS[targets]), X


FITTED = {}


def _hardly_fitted(cls, parameters, X, y):
    """A copy of what was fitted once: each kind of export is tested with the same estimators."""
    key = joblib.hash((cls, parameters, X, y))
    if key not in FITTED:
        settings = {"hidden_layer_sizes": (6,), "max_iter": 3, "random_state": 0} | parameters
        FITTED[key] = cls(**settings).fit(X, y)
    return copy.deepcopy(FITTED[key])


def assert_agree(ours, theirs, like):
    """Equal to rounding in a dtype, relative to the largest.

    On one processor the float32 probabilities of a steep network differed by 1.5e-5.
    """
    tolerance = 5e-5 if like == np.float32 else 1e-12
    assert theirs.dtype == like
    np.testing.assert_allclose(theirs, ours, rtol=tolerance, atol=tolerance * np.abs(ours).max())
