"""Examples that ask for the very same fit share it: a fit by default takes a second."""

import copy
import functools
import pickle

import joblib
import pytest


@pytest.fixture(scope="session")
def fits():
    """What was fitted in examples so far, by what it was fitted with."""
    return {}


@pytest.fixture
def shared_fits(fits, monkeypatch):
    """Fit only what no example before has fitted, with the same parameters on the same rows."""
    # Not above, so that the settings of the tests come before numpy.
    from skc2c import C2CAutoencoder, C2CClassifier, C2CRegressor

    for cls in (C2CAutoencoder, C2CClassifier, C2CRegressor):
        monkeypatch.setattr(cls, "fit", shared(cls.fit, fits))


def shared(fit, fits):
    """A method `fit` that looks among the fits before it fits."""

    @functools.wraps(fit)
    def found(self, X, y=None, **further):
        try:
            key = joblib.hash((type(self), vars(self), X, y, further))
        except pickle.PicklingError:  # a class of the example itself
            return fit(self, X, y, **further)
        if key not in fits:
            fits[key] = copy.deepcopy(vars(fit(self, X, y, **further)))
        vars(self).update(copy.deepcopy(fits[key]))
        return self

    return found


@pytest.fixture
def doctest_namespace(shared_fits):
    """What pytest asks for before each example."""
    return {}
