"""Where one network is trained although there could be several: early stopping, warm starts."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from oracles import PLAIN
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score, get_scorer, log_loss
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from tuned import TASKS, N, assert_same_function, draw, link, loss, make, standardization

each_task = pytest.mark.parametrize("task", TASKS)
each_solver = pytest.mark.parametrize("solver", ["adam", "lbfgs"])

# As in the reports in question: one network, on rows that were scaled.
REPORTED = {**PLAIN, "hidden_layer_sizes": (20,), "learning_rate_init": 0.003}
REPORTED["batch_size"] = "auto"
STOPPING = {**REPORTED, "early_stopping": True}


@each_solver
@pytest.mark.parametrize("way", ["early_stopping", "warm_start"])
@pytest.mark.parametrize("cv", [2, 4, KFold(3)], ids=str)
def test_one_network_whatever_cv_is(way, cv, solver):
    X, y = draw("binary")
    settings = {way: True, "solver": solver}
    estimator = make("binary", cv=cv, **settings).fit(X, y)
    assert estimator.n_networks_ == 1
    assert_same_function(estimator, make("binary", cv=None, **settings).fit(X, y))


def test_a_warm_start_goes_on_with_one_network():
    X, y = draw("real")
    estimator = make("real", warm_start=True, max_iter=30)
    losses = [estimator.fit(X, y).loss_ for _ in range(3)]
    assert losses[2] < losses[0]
    assert estimator.n_networks_ == 1


def test_a_warm_start_does_not_go_on_with_several():
    X, y = draw("real")
    estimator = make("real").fit(X, y).set_params(warm_start=True)
    with pytest.raises(ValueError, match=r"warm_start=True goes on with one network.*\(cv=4\)"):
        estimator.fit(X, y)


def test_auto_without_folds_is_what_is_documented():
    X, y = draw("real")
    estimator = make("real", cv=None, max_iter="auto", tol=0.0, n_iter_no_change=np.inf).fit(X, y)
    assert estimator.alpha_ == 0.03
    assert estimator.embedding_columns_ is None
    assert estimator.n_iter_ == 200


# ------------------------------------------------------------------------------ what is watched


def encoded(task, y):
    """Targets as in training, given all of them."""
    if task == "real":
        return ((y - standardization(y)[0]) / standardization(y)[1])[:, None]
    if task == "binary":
        return (y == "yes").astype(float)[:, None]
    return np.eye(3)[np.searchsorted([-3, -1, 1], y)] if task == "multiclass" else y


@each_solver
@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_the_negative_weighted_loss_is_watched(task, solver):
    """The parameters that are kept are those of the best value."""
    X, y = draw(task)
    weight = np.random.default_rng(1).uniform(size=20)
    held_out = {"X_val": X[40:], "y_val": y[40:], "sample_weight_val": weight}
    estimator = make(task, early_stopping=True, solver=solver).fit(X[:40], y[:40], **held_out)
    rows = loss(task, encoded(task, y)[40:], link(estimator, X[40:]))
    assert_allclose(estimator.best_validation_score_, -np.average(rows, weights=weight), rtol=1e-5)
    assert estimator.best_validation_score_ == max(estimator.validation_scores_)


def test_the_loss_of_a_regressor_is_in_units_of_the_training_rows():
    X, y = draw("real")
    estimator = make("real", early_stopping=True)
    estimator.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    residuals = (estimator.predict(X[40:]) - y[40:]) / y[:40].std()
    assert_allclose(estimator.best_validation_score_, -0.5 * (residuals**2).mean(), rtol=1e-5)


def test_weights_of_classes_weigh_the_loss():
    X, y = draw("binary")
    factors = {"no": 1.0, "yes": 7.0}
    estimator = make("binary", early_stopping=True, class_weight=factors)
    estimator.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    weight = [factors[label] for label in y[40:]]
    expected = log_loss(y[40:], estimator.predict_proba(X[40:]), sample_weight=weight)
    assert_allclose(estimator.best_validation_score_, -expected, rtol=1e-5)


@each_task
@pytest.mark.parametrize("kind", ["name", "callable"])
def test_any_scorer_may_be_watched(task, kind):
    X, y = draw(task)
    name = "neg_mean_absolute_error" if task.startswith("real") else "accuracy"
    scoring = name if kind == "name" else get_scorer(name)
    estimator = make(task, early_stopping=True, scoring=scoring)
    estimator.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    expected = get_scorer(name)(estimator, X[40:], y[40:])
    assert_allclose(estimator.best_validation_score_, expected, rtol=1e-5)


def test_an_unknown_scorer_is_refused_by_name():
    with pytest.raises(ValueError, match="'scoring' parameter of C2CClassifier"):
        make("binary", early_stopping=True, scoring="best").fit(*draw("binary"))


# ---------------------------------------------------------------------------- public bug reports


@pytest.mark.parametrize(("load", "least"), [(load_wine, 0.95), (load_iris, 0.9)])
def test_early_stopping_does_not_end_untrained(load, least):
    """The accuracy of few held-out rows is a step function, which does not improve for long."""
    X, y = load(return_X_y=True)
    splits = StratifiedKFold(5, shuffle=True, random_state=0)
    estimator = make("multiclass", **STOPPING)
    assert cross_val_score(estimator, scale(X), y, cv=splits).mean() > least


def test_early_stopping_with_a_rare_class():
    rng = np.random.RandomState(0)
    X = rng.randn(2000, 5)
    y = (X[:, 0] + 0.5 * rng.randn(2000) > 2.4).astype(int)
    estimator = make("binary", **STOPPING).fit(X[:1500], y[:1500])
    proba = estimator.predict_proba(X[1500:])[:, 1]
    assert average_precision_score(y[1500:], proba) > 0.3
    assert estimator.n_iter_ > 50


@pytest.mark.filterwarnings("ignore:.*larger than the number of training rows")
def test_early_stopping_on_few_labels_falls_back_to_a_split_that_is_not_stratified():
    X, y = load_digits(return_X_y=True)
    few = np.concatenate([np.flatnonzero(y == c)[:5] for c in range(10)])
    assert make("multiclass", **STOPPING).fit(X[few] / 16, y[few]).score(X / 16, y) > 0.5
    X, _ = draw("real")
    y = np.repeat([0, 1, 2], [30, 29, 1])
    for seed in range(5):
        estimator = make("multiclass", **STOPPING | {"random_state": seed, "max_iter": 5})
        assert len(estimator.fit(X, y).classes_) == 3


def test_early_stopping_inside_bagging_of_few_rows():
    X, y = draw("binary", n=40)
    bags = BaggingClassifier(make("binary", **STOPPING | {"max_iter": 5}), 10, random_state=0)
    assert bags.fit(scale(X), y).predict(scale(X)).shape == (40,)


def test_validation_rows_of_one_class():
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)
    estimator = make("binary", **STOPPING | {"max_iter": 10})
    estimator.fit(X, y, X_val=X[y == 1], y_val=y[y == 1])
    expected = -log_loss(y[y == 1], estimator.predict_proba(X[y == 1]), labels=[0, 1])
    assert_allclose(estimator.best_validation_score_, expected, rtol=1e-5)


def test_validation_rows_of_an_unknown_class_are_refused_by_name():
    X, y = draw("binary")
    with pytest.raises(ValueError, match="y_val needs the classes of y.*maybe"):
        make("binary", early_stopping=True).fit(X, y, X_val=X[:2], y_val=["yes", "maybe"])


@pytest.mark.parametrize("fraction", [0.01, 0.99])
def test_a_fraction_that_leaves_too_few_rows_is_refused_by_name(fraction):
    X, y = draw("real")
    with pytest.raises(ValueError, match=f"validation_fraction={fraction}"):
        make("real", early_stopping=True, validation_fraction=fraction).fit(X[:20], y[:20])


def test_validation_rows_on_another_scale_are_not_taken_silently():
    X, y = load_breast_cancer(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), make("binary", **STOPPING | {"max_iter": 5}))
    parameters = {"c2cclassifier__X_val": X[400:], "c2cclassifier__y_val": y[400:]}
    with pytest.warns(UserWarning, match="X_val is on another scale than X"):
        pipeline.fit(X[:400], y[:400], **parameters)


def test_a_fit_whose_first_iterations_were_the_best_is_not_silent():
    """Held-out rows that contradict the others."""
    X, y = draw("binary")
    opposite = np.where(y == "yes", "no", "yes")
    estimator = make("binary", early_stopping=True)
    with pytest.warns(ConvergenceWarning, match="kept the parameters of iteration 1: the score"):
        estimator.fit(X, y, X_val=X, y_val=opposite)
    assert np.argmax(estimator.validation_scores_) == 0
    assert estimator.predict(X).shape == (N,)
