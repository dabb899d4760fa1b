"""Estimators of several networks inside scikit-learn's tools."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tuned import TUNED, assert_same_function, draw, make

from skc2c import VAT

each_kind = pytest.mark.parametrize("task", ["multiclass", "real"])

GRIDS = [
    {"penalty": ["c2c", "vat", None], "alpha": ["auto", 0.1], "epsilon": ["scale", 0.3]},
    {"cv": [None, 2, KFold(3)], "input_scaling": ["robust", None]},
    {"numeric_embedding": ["auto", "fourier", "piecewise_linear", None]},
    {"max_iter": ["auto", 3]},
]


@each_kind
@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: " ".join(grid))
def test_grid_search_in_a_pipeline(task, grid, brief_by_default):
    X, y = draw(task)
    pipeline = make_pipeline(StandardScaler(), make(task, max_iter=4, cv=2))
    name = pipeline.steps[-1][0]
    grid = {f"{name}__{key}": values for key, values in grid.items()}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    again = clone(pipeline).set_params(**search.best_params_).fit(X, y)
    assert_same_function(again[-1], search.best_estimator_[-1])


def test_settings_of_penalty_objects_in_a_grid():
    X, y = draw("binary")
    grid = {"penalty__perturbation": ["random", "adversarial"]}
    search = GridSearchCV(make("binary", penalty=VAT()), grid, cv=2, error_score="raise").fit(X, y)
    # The radius of the scale of the rows goes with the perturbation.
    expected = {"random": 1 / np.sqrt(3), "adversarial": 1.0}
    chosen = search.best_params_["penalty__perturbation"]
    assert_allclose(search.best_estimator_.epsilon_, expected[chosen])


@each_kind
def test_clones_and_parameters(task):
    estimator = make(task)
    assert TUNED.items() <= estimator.get_params().items()
    X, y = draw(task)
    copy = clone(estimator.fit(X, y))
    assert not hasattr(copy, "coefs_")
    assert_same_function(copy.fit(X, y), estimator)
    changes = {"alpha": 0.5, "epsilon": [0.1, 0.2, 0.3], "cv": 2, "max_iter": 3, "scoring": None}
    assert changes.items() <= estimator.set_params(**changes).get_params().items()


@each_kind
def test_cross_val_score_and_predict(task):
    X, y = draw(task)
    estimator = make(task, max_iter=40)
    scores = cross_val_score(estimator, X, y, cv=3)
    assert scores.mean() > 0.4
    assert cross_val_predict(make(task), X, y, cv=3).shape == y.shape
    # The out-of-fold score measures the same: the networks were trained on as many rows.
    assert_allclose(estimator.fit(X, y).oob_score_, scores.mean(), atol=0.2)


@each_kind
def test_searches_in_threads_equal_searches_in_sequence(task):
    X, y = draw(task)

    def search(seed):
        grid = {"alpha": ["auto", 0.05], "cv": [None, 2]}
        estimator = make(task, random_state=seed)
        return GridSearchCV(estimator, grid, cv=2).fit(X, y).cv_results_["mean_test_score"]

    expected = [search(seed) for seed in range(2)]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(search, range(2)))
    np.testing.assert_array_equal(found, expected)


def test_groups_through_a_search():
    """Splits of the search by groups; those within a fit are random."""
    X, y = draw("real")
    groups = np.arange(len(y)) // 5
    search = GridSearchCV(make("real"), {"alpha": [0.0, 0.1]}, cv=GroupKFold(3))
    assert np.isfinite(search.fit(X, y, groups=groups).best_score_)


@pytest.mark.parametrize("wrap", [CalibratedClassifierCV, OneVsRestClassifier])
def test_meta_estimators(wrap):
    X, y = draw("multiclass")
    assert wrap(make("multiclass", max_iter=40)).fit(X, y).score(X, y) > 0.5
