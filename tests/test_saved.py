"""Saved estimators: files without foreign types, and files of earlier versions."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
from exported import KINDS, LABELS, fitted_classifier, fitted_regressor
from sklearn.base import clone

import skc2c
import skc2c.inspection
from skc2c import C2CClassifier, C2CRegressor
from skc2c.estimators.regressor import LOSSES
from skc2c.penalties import PENALTIES
from skc2c.solvers import SCHEDULES, SOLVERS, Adam

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:skc2c")

# ------------------------------------------------------------------------------------ skops


def through_skops(estimator):
    """Save and load, trusting only what is of this package."""
    skops = pytest.importorskip("skops.io")
    data = skops.dumps(estimator)
    untrusted = skops.get_untrusted_types(data=data)
    assert all(name.startswith("skc2c.") for name in untrusted), untrusted
    return skops.loads(data, trusted=untrusted)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("labels", LABELS)
def test_classifiers_through_skops(kind, labels):
    clf, X = fitted_classifier(labels, **KINDS[kind])
    loaded = through_skops(clf)
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict(X), clf.predict(X))
    assert set(vars(loaded)) == set(vars(clf))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", LOSSES)
def test_regressors_through_skops(kind, loss):
    reg, X = fitted_regressor("two", loss=loss, **KINDS[kind])
    np.testing.assert_array_equal(through_skops(reg).predict(X), reg.predict(X))


@pytest.mark.parametrize("penalty", [cls() for cls in PENALTIES.values()], ids=str)
@pytest.mark.parametrize("solver", [*(cls() for cls in SOLVERS.values())], ids=str)
def test_settings_through_skops(penalty, solver):
    clf, X = fitted_classifier(penalty=penalty, solver=solver, cv=None, early_stopping=True)
    np.testing.assert_array_equal(through_skops(clf).predict_proba(X), clf.predict_proba(X))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_training_goes_on_after_skops(schedule):
    """The states of the solver and of the generators are saved too."""
    clf, X = fitted_classifier(cv=None, solver=Adam(schedule=schedule))
    loaded = through_skops(clf)
    for one in (clf, loaded):
        one.partial_fit(X, LABELS["integers"])
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))


def test_what_scikit_learn_gets_has_only_types_that_are_trusted():
    skops = pytest.importorskip("skops.io")
    for kind in KINDS.values():
        data = skops.dumps(fitted_classifier(**kind)[0].to_sklearn())
        assert skops.get_untrusted_types(data=data) == []


# ------------------------------------------------------------------------- earlier versions

# Estimator, rows and predictions, pickled by the code of 23 November 2026 (452271620f), before
# there were folds, input scaling and losses.
SAVED = Path(__file__).parent / "saved_models"


def load(name):
    return pickle.loads((SAVED / f"{name}.pkl").read_bytes())


def test_an_early_classifier_predicts():
    clf, X, proba = load("classifier")
    np.testing.assert_allclose(clf.predict_proba(X), proba, rtol=1e-12)
    assert set(clf.predict(X)) <= {"setosa", "versicolor", "virginica"}
    np.testing.assert_allclose(clf.to_sklearn().predict_proba(X), proba, rtol=1e-12)


def test_an_early_regressor_predicts():
    reg, X, prediction = load("regressor")
    np.testing.assert_allclose(reg.predict(X), prediction, rtol=1e-12)
    np.testing.assert_allclose(reg.to_sklearn().predict(X), prediction, rtol=1e-12)
    assert np.isfinite(skc2c.inspection.penalty_value(reg, X, "ladder", 0.3)).all()


@pytest.mark.parametrize("name", ["classifier", "regressor"])
def test_an_early_estimator_is_whole(name):
    """Its parameters say how it was fitted: plainly."""
    estimator, X, _ = load(name)
    assert "cv=None" in repr(estimator)
    fitted = clone(estimator).fit(X, estimator.predict(X))
    assert (fitted.n_networks_, fitted.input_center_) == (1, None)
    assert (fitted.alpha_, fitted.epsilon_) == (estimator.alpha_, estimator.epsilon_)
    # The course of the fit was not recorded, and outputs were left as they were.
    later = {"temperature_", "logit_shift_", "shrinkage_"}
    assert set(vars(fitted)) - set(vars(estimator)) - later == {"history_"}


@pytest.mark.parametrize("name", ["classifier", "regressor"])
def test_training_cannot_go_on_from_an_early_estimator(name):
    estimator, X, _ = load(name)
    y = estimator.predict(X)
    with pytest.raises(ValueError, match=r"saved by an earlier version.*Fit a clone"):
        estimator.partial_fit(X, y)
    with pytest.raises(ValueError, match=r"saved by an earlier version.*Fit a clone"):
        estimator.set_params(warm_start=True).fit(X, y)
    estimator.set_params(warm_start=False).fit(X, y)


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (C2CClassifier, "classes_"),
        (C2CClassifier, "hidden_layer_sizes"),
        (C2CRegressor, "intercepts_"),
        (C2CRegressor, "penalty_parameters_"),
    ],
)
def test_an_estimator_that_lacks_something_says_so(cls, name):
    whole, _ = (fitted_classifier if cls is C2CClassifier else fitted_regressor)()
    state = whole.__getstate__() | {"_skc2c_version": "0.0.7"}
    del state[name]
    with pytest.raises(ValueError, match=rf"{cls.__name__} was saved by version 0\.0\.7.*{name}"):
        _set(cls, state)
    del state["_skc2c_version"]
    with pytest.raises(ValueError, match=f"an earlier version.*{name}"):
        _set(cls, state)


def _set(cls, state):
    estimator = cls.__new__(cls)
    estimator.__setstate__(state)
    return estimator


def test_the_stamp_is_in_the_file_only():
    clf, _ = fitted_classifier()
    assert clf.__getstate__()["_skc2c_version"] == skc2c.__version__
    for copied in (pickle.loads(pickle.dumps(clf)), copy.copy(clf), copy.deepcopy(clf)):
        assert set(vars(copied)) == set(vars(clf))


def test_unfitted_estimators_of_earlier_versions_mean_what_they_meant():
    state = C2CClassifier().__getstate__()
    for name in ("cv", "input_scaling", "numeric_embedding", "scoring", "n_jobs"):
        del state[name]
    loaded = _set(C2CClassifier, state)
    assert (loaded.cv, loaded.input_scaling, loaded.numeric_embedding) == (None, None, None)
