"""Callbacks of scikit-learn: they see a fit as if it had ended after each iteration."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skc2c import C2CClassifier, C2CRegressor

callback = pytest.importorskip("sklearn.callback")
each_solver = pytest.mark.parametrize("solver", ["adam", "lbfgs"])
ONE = {**PLAIN, "hidden_layer_sizes": (5,), "tol": 0.0, "random_state": 0}
# Several networks, in four cycles.
SEVERAL = {"hidden_layer_sizes": (5,), "max_iter": 30, "batch_size": 10, "random_state": 0}


class Recorder:
    """Keeps what it is told, and stops the fit after some tasks."""

    def __init__(self, stop_after=np.inf):
        self.stop_after = stop_after
        self.begun, self.ended, self.fitted, self.told = [], [], [], []
        self.torn_down = 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        self.torn_down += 1

    def on_fit_task_begin(self, estimator, context):
        self.begun.append((context.task_name, context.task_id))

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.ended.append((context.task_name, context.task_id))
        if fitted_estimator is not None:
            self.fitted.append(fitted_estimator)
            self.told.append((X, y, metadata))
        return len(self.fitted) >= self.stop_after


@pytest.fixture
def rows(rng):
    X = rng.normal(size=(60, 3))
    return X, X[:, 0] - X[:, 1] ** 2


def watched(cls, recorder, **settings):
    return cls(**settings).set_callbacks(recorder)


@each_solver
def test_an_iteration_ends_as_a_fit_of_that_length(rows, solver):
    X, y = rows
    recorder = Recorder()
    settings = {**ONE, "solver": solver}
    reg = watched(C2CRegressor, recorder, **settings | {"max_iter": 6}).fit(X, y)
    assert reg.n_iter_ == 6
    assert len(recorder.fitted) == 7  # the whole fit too
    for n in (1, 4, 6):
        shorter = C2CRegressor(**settings | {"max_iter": n}).fit(X, y)
        assert_array_equal(recorder.fitted[n - 1].predict(X), shorter.predict(X))
    assert_array_equal(recorder.fitted[-1].predict(X), reg.predict(X))


@pytest.mark.parametrize("settings", [ONE, SEVERAL], ids=["one", "several"])
@each_solver
def test_what_begins_ends(rows, solver, settings):
    X, y = rows
    recorder = Recorder()
    watched(C2CRegressor, recorder, **settings | {"solver": solver}).fit(X, y)
    assert sorted(recorder.begun) == sorted(recorder.ended)
    assert recorder.begun[0] == recorder.ended[-1] == ("fit", 0)
    assert recorder.begun[1:3] == [("iteration", 0), ("iteration", 1)]
    assert recorder.torn_down == 1


def test_a_fit_is_the_same_when_it_is_watched(rows):
    X, y = rows
    for settings in (ONE, SEVERAL):
        alone = C2CRegressor(**settings).fit(X, y)
        seen = watched(C2CRegressor, Recorder(), **settings).fit(X, y)
        assert_array_equal(alone.predict(X), seen.predict(X))
        assert set(vars(seen)) == set(vars(alone)) | {"_skl_callbacks"}


@each_solver
def test_a_callback_stops_one_network(rows, solver):
    X, y = rows
    settings = {**ONE, "solver": solver}
    reg = watched(C2CRegressor, Recorder(stop_after=3), **settings).fit(X, y)
    assert reg.n_iter_ == 3
    shorter = C2CRegressor(**settings | {"max_iter": 3}).fit(X, y)
    assert_array_equal(reg.predict(X), shorter.predict(X))


@each_solver
def test_a_callback_stops_several_networks(rows, solver):
    X, y = rows
    settings = {**SEVERAL, "solver": solver}
    whole, recorder = Recorder(), Recorder(stop_after=2)
    watched(C2CRegressor, whole, **settings).fit(X, y)
    assert len(whole.fitted) > 3
    reg = watched(C2CRegressor, recorder, **settings).fit(X, y)
    assert_array_equal(reg.predict(X), whole.fitted[1].predict(X))
    assert_array_equal(reg.oob_prediction_, whole.fitted[1].oob_prediction_)


def test_a_fit_with_pupils_is_told_of_cycle_by_cycle(rows):
    """Those of the second fit have the networks of the first too, and the last is the result."""
    X, y = rows
    settings = {**SEVERAL, "random_state": 0}
    recorder = Recorder()
    reg = watched(C2CRegressor, recorder, **settings).fit(X[:30], y[:30], X_unlabeled=X[30:])
    alone = C2CRegressor(**settings).fit(X[:30], y[:30])
    assert_array_equal(recorder.fitted[-1].predict(X), reg.predict(X))
    assert [one.oob_score_ for one in recorder.fitted][-2:] == [alone.oob_score_] * 2
    *cycles, _ = (one.n_networks_ > alone.n_networks_ for one in recorder.fitted)
    assert {*cycles} == {False, True}
    assert sorted(recorder.begun) == sorted(recorder.ended)


def test_early_stopping_shows_the_best_parameters_so_far(rows):
    X, y = rows
    recorder = Recorder()
    settings = {**ONE, "early_stopping": True, "max_iter": 30, "n_iter_no_change": 100}
    reg = watched(C2CRegressor, recorder, **settings).fit(X, y)
    best = int(np.argmax(reg.validation_scores_))
    assert_array_equal(recorder.fitted[best].predict(X), reg.predict(X))
    assert_array_equal(recorder.fitted[-2].predict(X), reg.predict(X))


def test_each_call_of_partial_fit_is_an_iteration(rows):
    X, y = rows
    recorder = Recorder()
    reg = watched(C2CRegressor, recorder, **ONE)
    for _ in range(3):
        reg.partial_fit(X, y)
        assert_array_equal(recorder.fitted[-1].predict(X), reg.predict(X))
    assert recorder.ended == [("iteration", 0), ("fit", 0)] * 3
    assert recorder.torn_down == 3


@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_callback_that_stops_the_first_fit_leaves_out_the_second(rows, stop_after):
    X, y = rows
    alone, recorder = Recorder(stop_after), Recorder(stop_after)
    expected = watched(C2CRegressor, alone, **SEVERAL).fit(X[:30], y[:30])
    reg = watched(C2CRegressor, recorder, **SEVERAL).fit(X[:30], y[:30], X_unlabeled=X[30:])
    assert len(recorder.fitted) == stop_after + 1  # and at the end of the whole fit
    assert_array_equal(reg.predict(X), expected.predict(X))


@pytest.mark.parametrize("stop_after", [1, 2, 5])
def test_a_callback_stops_a_fit_with_few_labels(rng, stop_after):
    """In the trial with the unlabelled rows, or in that without them: at its start and its end."""
    X = rng.normal(size=(160, 3))
    recorder = Recorder(stop_after)
    clf = watched(C2CClassifier, recorder, **SEVERAL)
    clf.fit(X[:120], X[:120, 0] > 0, X_unlabeled=X[120:])
    assert len(recorder.fitted) == stop_after + 1
    assert_array_equal(recorder.fitted[-2].predict_proba(X), clf.predict_proba(X))


def test_the_rows_told_are_labelled_and_as_given(rows):
    pd = pytest.importorskip("pandas")
    X, y = rows
    frame, labels = (
        pd.DataFrame(X, columns=list("abc")),
        np.where(y > 0, "yes", "no").astype(object),
    )
    labels[::3] = "?"
    weight = np.linspace(1, 2, len(y))
    recorder = Recorder()
    clf = watched(C2CClassifier, recorder, **ONE | {"max_iter": 2}, missing_label="?")
    clf.fit(frame, labels, sample_weight=weight)
    seen, seen_labels, metadata = recorder.told[0]
    labelled = labels != "?"
    pd.testing.assert_frame_equal(seen, frame[labelled])
    assert_array_equal(seen_labels, labels[labelled])
    assert_array_equal(metadata["sample_weight"], weight[labelled])
    # Names of columns are known, so that no warning is given.
    assert 0.0 <= recorder.fitted[0].score(seen, seen_labels) <= 1.0


@pytest.mark.parametrize("settings", [ONE, SEVERAL], ids=["one", "several"])
def test_callbacks_are_torn_down_after_an_error(rows, settings):
    X, y = rows
    recorder = Recorder()
    reg = watched(C2CRegressor, recorder, **settings | {"learning_rate_init": 1e30})
    with pytest.raises(ValueError, match="diverged"):
        reg.fit(X, y)
    assert recorder.torn_down == 1
    assert not hasattr(reg, "coefs_")


def test_a_score_is_logged_for_every_iteration(rows):
    X, y = rows
    monitor = callback.ScoringMonitor(scoring="r2")
    settings = {**ONE, "max_iter": 4}
    reg = C2CRegressor(**settings).set_callbacks(monitor).fit(X, y)
    log = [row for row in monitor.get_logs().data if row["task_name"] == "iteration"]
    expected = [
        C2CRegressor(**settings | {"max_iter": n}).fit(X, y).score(X, y) for n in (1, 2, 3, 4)
    ]
    assert_allclose([row["r2"] for row in log], expected)
    assert_allclose(reg.score(X, y), expected[-1])


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_callbacks_go_through_a_grid_and_a_pipeline(rows, n_jobs):
    X, y = rows
    monitor, bar = callback.ScoringMonitor(scoring="r2"), callback.ProgressBar()
    pipeline = make_pipeline(
        StandardScaler(), C2CRegressor(**ONE | {"max_iter": 3}).set_callbacks(monitor)
    )
    grid = GridSearchCV(pipeline, {"c2cregressor__alpha": [0.0, 0.1]}, cv=2, n_jobs=n_jobs)
    grid.set_callbacks(bar).fit(X, y)
    log = [row for row in monitor.get_logs().data if row["task_name"] == "iteration"]
    assert len(log) == (2 * 2 + 1) * 3  # and the refit
    assert clone(grid.best_estimator_[-1])._skl_callbacks == [monitor]
