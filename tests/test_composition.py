"""Estimators among the tools around them: pickles, pipelines, grids, subclasses."""

import pickle

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from oracles import PLAIN
from single import assert_same_fit, both, draw, each_penalty, each_solver, quick
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skc2c import C2C, C2CClassifier
from skc2c.penalties import PENALTIES
from skc2c.solvers import SOLVERS


@both
@each_penalty
def test_pickle_and_joblib_keep_the_fitted_model(cls, penalty, tmp_path):
    X, y = draw(cls)
    estimator = quick(cls, penalty=penalty).fit(X, y)
    joblib.dump(estimator, tmp_path / "model.joblib")
    for copy in (pickle.loads(pickle.dumps(estimator)), joblib.load(tmp_path / "model.joblib")):
        assert_array_equal(copy.predict(X), estimator.predict(X))
        assert_same_fit(copy, estimator)


def leaves(value):
    """What lists and dictionaries hold, however deep."""
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value)
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


@both
@each_solver
@pytest.mark.parametrize("settings", [{"early_stopping": True}, {"cv": 2}], ids=str)
def test_fitted_attributes_are_plain(cls, solver, settings):
    """Arrays, numbers and strings only: nothing of autograd, no functions."""
    X, y = draw(cls)
    estimator = quick(cls, solver=solver, **settings).fit(X, y)
    for name, value in vars(estimator).items():
        if name not in estimator.get_params(deep=False):
            for leaf in leaves(value):
                assert isinstance(leaf, (np.ndarray, np.generic, int, float, str, type(None))), name


@both
def test_grid_search_over_everything_inside_a_pipeline(cls):
    X, y = draw(cls)
    name = cls.__name__.lower()
    grid = {
        f"{name}__penalty": list(PENALTIES),
        f"{name}__alpha": [0.1, 1.0],
        f"{name}__epsilon": [0.1, 0.5],
    }
    pipeline = make_pipeline(StandardScaler(), quick(cls))
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2, error_score="raise").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(search.cv_results_["params"]) == 4 * len(PENALTIES)
    scores = cross_val_score(pipeline, X, y, cv=3, n_jobs=2)
    assert_array_equal(scores, cross_val_score(pipeline, X, y, cv=3))


def test_penalty_objects_have_parameters_of_their_own_in_a_grid():
    X, y = draw(C2CClassifier)
    grid = {"penalty__space": ["link", "response"], "penalty__perturbation": ["adversarial"]}
    search = GridSearchCV(quick(C2CClassifier, penalty=C2C()), grid, cv=2).fit(X, y)
    assert search.best_params_["penalty__perturbation"] == "adversarial"
    assert search.estimator.penalty.perturbation == "random"


@both
@each_penalty
def test_a_name_of_a_penalty_stands_for_the_default_object(cls, penalty):
    X, y = draw(cls)
    named, object_ = (quick(cls, penalty=p).fit(X, y) for p in (penalty, PENALTIES[penalty]()))
    assert_same_fit(named, object_)


@both
@each_solver
def test_a_name_of_a_solver_stands_for_the_default_object(cls, solver):
    X, y = draw(cls)
    named, object_ = (quick(cls, solver=s).fit(X, y) for s in (solver, SOLVERS[solver]()))
    assert_same_fit(named, object_)


@both
def test_numpy_scalars_in_a_grid_are_plain_numbers(cls):
    """np.logspace gives float64 scalars, which would widen float32."""
    X, y = draw(cls)
    for penalty in PENALTIES:
        plain = quick(cls, penalty=penalty, alpha=0.1, l2=0.5, epsilon=0.2).fit(X, y)
        scalars = {"alpha": np.float64(0.1), "l2": np.float64(0.5), "epsilon": np.float64(0.2)}
        assert_same_fit(plain, quick(cls, penalty=penalty, **scalars).fit(X, y))


@both
def test_subclass_with_parameters_of_its_own(cls):
    class Narrow(cls):
        def __init__(self, width=5, alpha=0.5):
            super().__init__((width,), **PLAIN | {"alpha": alpha, "max_iter": 5})
            self.width = width

    X, y = draw(cls)
    fitted = Narrow(width=3).fit(X, y)
    assert fitted.coefs_[0].shape == (4, 3)
    assert fitted.get_params() == {"width": 3, "alpha": 0.5}
