"""The out-of-fold score and outputs: of networks that were not trained on a row."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import RepeatedKFold, TimeSeriesSplit
from tuned import (
    TASKS,
    D,
    N,
    adjusted,
    draw,
    loss,
    make,
    out_of_fold_by_hand,
    probabilities,
    spy_on_cross_fit,
    squashed,
    standardization,
)

each_task = pytest.mark.parametrize("task", TASKS)
NAME = {task: "oob_prediction_" if "real" in task else "oob_decision_function_" for task in TASKS}


def given(estimator, task):
    """Out-of-fold outputs as an array with a row for each row of X."""
    found = getattr(estimator, NAME[task])
    return found.reshape(len(found), -1)


def predicted(task, estimator, outputs):
    """Predictions for out-of-fold outputs."""
    if task.startswith("real"):
        return outputs
    if task == "multilabel":
        return outputs > 0.5
    return estimator.classes_[outputs.argmax(axis=1)]


def by_hand(task, plan, found, X, y, estimator):
    """Out-of-fold outputs, from the networks of the folds."""
    h = adjusted(estimator, out_of_fold_by_hand(plan, found, squashed(X, X)))
    if task.startswith("real"):
        center, scale = standardization(y)
        return center + scale * h
    return probabilities(task, h)


def score_by_hand(task, estimator, y, outputs, weight=None):
    score = r2_score if task.startswith("real") else accuracy_score
    return score(y, predicted(task, estimator, outputs), sample_weight=weight)


@each_task
@pytest.mark.parametrize("cv", [4, RepeatedKFold(n_splits=3, n_repeats=2, random_state=0)], ids=str)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_outputs_and_score_are_those_of_networks_not_trained_on_a_row(
    task, cv, solver, monkeypatch
):
    seen = spy_on_cross_fit(monkeypatch)
    X, y = draw(task)
    estimator = make(task, cv=cv, solver=solver).fit(X, y)
    ((plan, found),) = seen
    for train, test in plan.folds:
        assert set(train) | set(test) == set(range(N))
        assert not set(train) & set(test)
    outputs = by_hand(task, plan, found, X, y, estimator)
    assert_allclose(given(estimator, task), outputs, rtol=1e-5, atol=1e-5 * np.abs(outputs).max())
    assert_allclose(estimator.oob_score_, score_by_hand(task, estimator, y, given(estimator, task)))


@each_task
def test_the_loss_that_chooses_is_that_of_these_outputs(task, monkeypatch):
    seen = spy_on_cross_fit(monkeypatch)
    X, y = draw(task)
    weight = np.random.default_rng(1).uniform(0.5, 2.0, size=N)
    make(task).fit(X, y, sample_weight=weight)
    ((plan, found),) = seen
    rows = loss(task, plan.rows.y, found.outputs)
    assert_allclose(found.loss, np.average(rows, weights=weight), rtol=1e-5)
    for end in found.ends:
        rows = loss(task, plan.rows.y, end.outputs)
        assert_allclose(end.loss, np.average(rows, weights=weight), rtol=1e-5)


@each_task
def test_shapes_are_those_of_a_forest(task):
    X, y = draw(task)
    estimator = make(task).fit(X, y)
    kind = RandomForestRegressor if task.startswith("real") else RandomForestClassifier
    forest = kind(60, oob_score=True, random_state=0).fit(X, y)
    found, expected = getattr(estimator, NAME[task]), getattr(forest, NAME[task])
    if task == "multilabel":
        expected = expected[:, 1]  # a forest has a column for 0 and for 1 of each label
    assert found.shape == expected.shape
    assert isinstance(estimator.oob_score_, float)


@each_task
def test_the_score_is_weighted(task):
    X, y = draw(task)
    weight = np.random.default_rng(1).uniform(size=N)
    estimator = make(task).fit(X, y, sample_weight=weight)
    outputs = given(estimator, task)
    expected = score_by_hand(task, estimator, y, outputs, weight)
    assert_allclose(estimator.oob_score_, expected)
    assert abs(expected - score_by_hand(task, estimator, y, outputs)) > 1e-6


def test_weights_of_classes_do_not_weigh_the_score():
    """As in a forest, whose score knows sample weights only."""
    X, y = draw("binary")
    estimator = make("binary", class_weight={"no": 1.0, "yes": 5.0}).fit(X, y)
    expected = score_by_hand("binary", estimator, y, given(estimator, "binary"))
    assert_allclose(estimator.oob_score_, expected)


@each_task
def test_rows_that_were_never_left_out_have_no_outputs(task):
    X, y = draw(task)
    cv = TimeSeriesSplit(4)
    estimator = make(task, cv=cv).fit(X, y)
    outputs = given(estimator, task)
    left_out = np.concatenate([test for _, test in cv.split(X)])
    known = np.zeros(N, bool)
    known[left_out] = True
    assert_array_equal(np.isfinite(outputs), np.repeat(known[:, None], outputs.shape[1], axis=1))
    expected = score_by_hand(task, estimator, y[known], outputs[known])
    assert_allclose(estimator.oob_score_, expected)


@each_task
def test_rows_of_zero_weight_have_no_outputs(task):
    X, y = draw(task)
    weight = np.ones(N)
    weight[::5] = 0
    estimator = make(task).fit(X, y, sample_weight=weight)
    outputs = given(estimator, task)
    assert_array_equal(np.isnan(outputs).all(axis=1), weight == 0)
    without = given(make(task).fit(X[weight > 0], y[weight > 0]), task)
    assert_array_equal(outputs[weight > 0], without)


@pytest.mark.parametrize("task", ["binary", "real"])
def test_unlabelled_rows_have_no_outputs(task):
    X, y = draw(task)
    mark = "?" if task == "binary" else np.nan
    marked = y.astype(object if task == "binary" else float)
    missing = np.arange(N) % 3 == 1
    marked[missing] = mark
    estimator = make(task, missing_label=mark, max_iter=10).fit(X, marked)
    outputs = given(estimator, task)
    assert_array_equal(np.isnan(outputs).all(axis=1), missing)
    expected = score_by_hand(task, estimator, y[~missing], outputs[~missing])
    assert_allclose(estimator.oob_score_, expected)
    assert expected > 0.2


@pytest.mark.parametrize("changes", [{"cv": None}, {"early_stopping": True}, {"warm_start": True}])
@pytest.mark.parametrize("task", ["binary", "real"])
def test_one_network_has_none(task, changes):
    X, y = draw(task)
    estimator = make(task, **changes).fit(X, y)
    assert estimator.n_networks_ == 1
    assert not hasattr(estimator, "oob_score_")
    assert not hasattr(estimator, NAME[task])


@pytest.mark.parametrize("task", ["binary", "real"])
def test_none_is_left_of_an_earlier_fit(task):
    X, y = draw(task)
    estimator = make(task).fit(X, y).set_params(cv=None).fit(X, y)
    assert not hasattr(estimator, "oob_score_")


# ----------------------------------------------------------------------------------- no leakage

VARIANTS = {
    "default": {},
    "no penalty": {"penalty": None},
    "penalty": {"alpha": 0.1},
    "embedding": {"alpha": 0.1, "numeric_embedding": "fourier"},
    "no embedding": {"numeric_embedding": None},
    "lbfgs": {"solver": "lbfgs"},
}


# With these a network learns noise by heart in a few epochs.
EAGER = {
    "hidden_layer_sizes": (40,),
    "batch_size": 20,
    "max_iter": 10,
    "learning_rate_init": 0.03,
}


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.filterwarnings("ignore:penalty=None learns nothing")
def test_noise_is_not_predicted(changes, pool):
    """If a network saw rows that it is measured on, it would know a good part of them by heart."""
    accuracies, r2 = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(120, D))
        further = {"X_unlabeled": rng.normal(size=(30, D))} if pool else {}
        settings = {**EAGER, "cv": 2, "random_state": seed, **changes}
        y = rng.integers(2, size=120)
        accuracies.append(make("binary", **settings).fit(X, y, **further).oob_score_)
        r2.append(make("real", **settings).fit(X, rng.normal(size=120), **further).oob_score_)
    # Choosing a mix of ends is a little optimistic: by 0.03 at this size.
    assert 0.4 < np.mean(accuracies) < 0.6
    assert np.mean(r2) < 0.05


@pytest.mark.parametrize("task", ["binary", "real"])
def test_this_noise_would_be_known_by_heart(task):
    """What the test above would see if there were a leak."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, D))
    y = rng.integers(2, size=120) if task == "binary" else rng.normal(size=120)
    everything = np.arange(120)
    leaking = [(everything, everything)] * 2
    known = make(task, **EAGER, cv=leaking).fit(X, y)
    assert known.oob_score_ > (0.75 if task == "binary" else 0.4)


def with_folds(seen):
    """The first fit that leaves rows out: with few labels, later networks are given all."""
    return next(found for plan, found in seen if len(plan.left_out))


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.filterwarnings("ignore:penalty=None learns nothing")
@pytest.mark.filterwarnings("ignore:.*has collapsed")  # as a fit this short may
def test_networks_do_not_notice_the_rows_left_out(changes, pool, monkeypatch):
    """Neither their targets nor, where they are not scaled together, their features."""
    seen = spy_on_cross_fit(monkeypatch)
    X, y = draw("multiclass")
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    X_unlabeled = np.random.default_rng(1).normal(size=(30, D))
    further = {"X_unlabeled": X_unlabeled} if pool else {}
    folds = [(np.flatnonzero(np.arange(N) % 3 != i), np.arange(i, N, 3)) for i in range(3)]
    settings = {"cv": folds, "input_scaling": None, "epsilon": 0.5, **changes}
    make("multiclass", **settings).fit(X, y, **further)
    before = with_folds(seen)
    for fold, (_, test) in enumerate(folds):
        del seen[:]
        X_other, y_other = X.copy(), y.copy()
        X_other[test], y_other[test] = X[test[::-1]] + 1.0, np.roll(y[test], 1)
        make("multiclass", **settings).fit(X_other, y_other, **further)
        thetas = [
            {(end.candidate, end.n_steps): end.networks[fold][1] for end in found.ends}
            for found in (before, with_folds(seen))
        ]
        common = set(thetas[0]) & set(thetas[1])
        assert common
        for key in common:
            assert_array_equal(thetas[0][key], thetas[1][key])
