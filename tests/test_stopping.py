"""When one network stops, and what it goes on from."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from single import both, draw, each_solver, quick
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer, log_loss

from skc2c import C2CClassifier, C2CRegressor
from skc2c.estimators import assembly
from skc2c.solvers import Monitor


@both
@each_solver
def test_early_stopping_keeps_the_best_model(cls, solver):
    X, y = draw(cls, n=200)
    estimator = quick(
        cls,
        solver=solver,
        early_stopping=True,
        n_iter_no_change=3,
        max_iter=500,
        penalty=None,
        learning_rate_init=0.01,
    ).fit(X, y)
    assert estimator.n_iter_ < 500
    assert estimator.best_validation_score_ == max(estimator.validation_scores_)
    assert len(estimator.validation_scores_) == estimator.n_iter_
    again = clone(estimator).set_params(
        max_iter=int(np.argmax(estimator.validation_scores_)) + 1, n_iter_no_change=500
    )
    assert_array_equal(again.fit(X, y).coefs_[0], estimator.coefs_[0])


def held_out_rows(monkeypatch):
    """A list to which the next fit adds which rows it holds out, and which it keeps."""
    rows, split = [], assembly.train_test_split

    def spy(*args, **kwargs):
        rows[:] = split(*args, **kwargs)[::-1]
        return rows[::-1]

    monkeypatch.setattr(assembly, "train_test_split", spy)
    return rows


@both
@each_solver
def test_validation_score_is_minus_the_loss_of_the_held_out_rows(cls, solver, monkeypatch):
    X, y = draw(cls, n=200)
    rows = held_out_rows(monkeypatch)
    weight = np.linspace(1, 2, 200)
    settings = {"solver": solver, "early_stopping": True, "validation_fraction": 0.25}
    estimator = quick(cls, **settings).fit(X, y, weight)
    held_out, kept = rows
    assert len(held_out) == 50
    if cls is C2CClassifier:
        proba = estimator.predict_proba(X[held_out])
        loss = log_loss(y[held_out], proba, sample_weight=weight[held_out])
    else:
        # In training y is standardised by the rows that are kept.
        mean = np.average(y[kept], weights=weight[kept])
        variance = np.average((y[kept] - mean) ** 2, weights=weight[kept])
        squares = (y[held_out] - estimator.predict(X[held_out])) ** 2 / variance
        loss = 0.5 * np.average(squares, weights=weight[held_out])
    assert_allclose(estimator.best_validation_score_, -loss, rtol=1e-5)


@both
@pytest.mark.parametrize("kind", ["name", "callable"])
def test_validation_score_is_that_of_a_scorer(cls, kind, monkeypatch):
    X, y = draw(cls, n=200)
    rows = held_out_rows(monkeypatch)
    names = {C2CClassifier: "balanced_accuracy", C2CRegressor: "neg_mean_absolute_error"}
    scoring = names[cls] if kind == "name" else get_scorer(names[cls])
    settings = {"early_stopping": True, "validation_fraction": 0.25, "scoring": scoring}
    estimator = quick(cls, **settings).fit(X, y)
    score = get_scorer(names[cls])(estimator, X[rows[0]], y[rows[0]])
    assert_allclose(estimator.best_validation_score_, score, rtol=1e-5)


@pytest.mark.parametrize("score", [np.nan, {"a": 1.0}, None], ids=str)
def test_a_score_that_is_no_number_is_refused(score):
    X, y = draw(C2CClassifier)
    clf = quick(C2CClassifier, early_stopping=True, scoring=lambda *_: score)
    with pytest.raises(ValueError, match="must return a number, and not NaN"):
        clf.fit(X, y)


def test_scorers_of_rows_with_names_do_not_warn():
    X, y = draw(C2CClassifier)
    frame = pd.DataFrame(X, columns=[f"column {i}" for i in range(X.shape[1])])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*feature names")
        clf = quick(C2CClassifier, early_stopping=True, scoring="accuracy").fit(frame, y)
    assert_array_equal(clf.feature_names_in_, frame.columns)


@both
@pytest.mark.parametrize("way", ["fit", "partial_fit"])
def test_another_solver_goes_on_from_where_it_was(cls, way):
    X, y = draw(cls)
    estimator = quick(cls, warm_start=True, solver="lbfgs", max_iter=5).fit(X, y)
    loss = estimator.loss_
    getattr(estimator.set_params(solver="adam", learning_rate_init=1e-4), way)(X, y)
    assert estimator.loss_ == pytest.approx(loss, rel=0.05)


@both
@each_solver
def test_warm_start_goes_on_from_where_it_was(cls, solver):
    X, y = draw(cls)
    estimator = quick(cls, warm_start=True, solver=solver, penalty="jacobian", max_iter=5)
    losses = [estimator.fit(X, y).loss_ for _ in range(3)]
    assert losses[2] < losses[0]
    cold = quick(cls, solver=solver, penalty="jacobian", max_iter=5).fit(X, y)
    assert losses[0] == cold.loss_
    assert estimator.loss_curve_[:5] == cold.loss_curve_
    assert estimator.loss_curve_[5] < cold.loss_curve_[0]


@both
def test_warm_start_needs_the_same_network(cls):
    X, y = draw(cls)
    estimator = quick(cls, warm_start=True).fit(X, y)
    before = estimator.predict(X)
    with pytest.raises(ValueError, match="warm_start=True needs the network"):
        estimator.set_params(hidden_layer_sizes=(9,)).fit(X, y)
    with pytest.raises(ValueError, match="features"):
        estimator.set_params(hidden_layer_sizes=(8,)).fit(X[:, :3], y)
    assert_array_equal(estimator.predict(X), before)


@both
@each_solver
def test_verbose_prints(cls, solver, capsys):
    X, y = draw(cls)
    estimator = quick(cls, solver=solver, verbose=True, early_stopping=True, max_iter=2).fit(X, y)
    out = capsys.readouterr().out
    assert f"Iteration 2, loss = {estimator.loss_curve_[1]:.8f}" in out
    assert "Validation score" in out
    quick(cls, solver=solver, max_iter=2).fit(X, y)
    assert capsys.readouterr().out == ""


@both
@each_solver
def test_unfinished_fit_warns_of_it(cls, solver):
    X, y = draw(cls)
    with pytest.warns(ConvergenceWarning, match=rf"solver='{solver}'.*max_iter=2") as record:
        quick(cls, solver=solver, max_iter=2).fit(X, y)
    assert record[0].filename == __file__


@both
@each_solver
def test_ctrl_c_warns_and_leaves_a_usable_model(cls, solver, monkeypatch):
    X, y = draw(cls)
    note = Monitor.__call__

    def interrupt(self, theta, loss):
        note(self, theta, loss)
        if len(self.loss_curve) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(Monitor, "__call__", interrupt)
    estimator = quick(cls, solver=solver)
    with pytest.warns(UserWarning, match="interrupted by user"):
        estimator.fit(X, y)
    assert estimator.n_iter_ == 4
    assert np.isfinite(estimator.predict(X).astype(float)).all()
