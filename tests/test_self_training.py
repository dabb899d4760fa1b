"""A regressor learns from rows without a label what a first fit says of them."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from cross_plans import make_plan
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import make_friedman1
from sklearn.metrics import root_mean_squared_error

from skc2c import C2CRegressor
from skc2c.estimators import self_training, training
from skc2c.estimators.scaled_rows import pool_of
from skc2c.estimators.self_training import self_taught
from skc2c.network.input_scaling import robust_scaling

BRIEF = {"hidden_layer_sizes": (10,), "max_iter": 20, "random_state": 0}
N = 40


@pytest.fixture
def rows(rng):
    X = rng.normal(size=(100, 2))
    X[N:] *= 3.0  # so that scalings would differ
    return X, X[:, 0] + rng.normal(size=100)


@pytest.fixture
def plans(monkeypatch):
    """Plans of the first and of the second fit, once these were made."""
    made = []

    def spy(ingredients, plan, *arguments):
        made.extend([plan, self_taught(ingredients, plan, *arguments)])
        return made[-1]

    monkeypatch.setattr(training, "self_taught", spy)
    return made


def in_units(h, y):
    return y.mean() + y.std() * h


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "quantile"])
def test_targets_are_the_predictions_of_the_labelled_rows_alone(rows, plans, loss, monkeypatch):
    """Before these are drawn towards the mean, as the whole is in the end."""
    monkeypatch.setattr(training, "adjusted", lambda training, *_: training)
    X, y = rows
    y = np.abs(y)
    C2CRegressor(loss=loss, **BRIEF).fit(X[:N], y[:N], X_unlabeled=X[N:])
    alone = C2CRegressor(loss=loss, **BRIEF).fit(X[:N], y[:N])
    first, second = plans
    for name in ("X", "y", "weight"):
        before, both = getattr(first.rows, name), getattr(second.rows, name)
        assert_array_equal(both[:N], before)
        assert both.dtype == before.dtype
    units = alone._state["units"]
    further = units["center"] + units["scale"] * second.rows.y[N:]
    assert_allclose(further[:, 0], alone.predict(X[N:]), rtol=1e-4, atol=1e-4)


def test_rows_are_scaled_as_in_the_first_fit(rows, plans):
    X, y = rows
    reg = C2CRegressor(**BRIEF).fit(X[:N], y[:N], X_unlabeled=X[N:])
    assert_array_equal(reg.input_center_, robust_scaling(X[:N], np.ones(N)).center)
    z = (X[N:] - reg.input_center_) * reg.input_scale_
    assert_allclose(plans[1].rows.X[N:], z / np.sqrt(1.0 + (z / 3.0) ** 2), rtol=1e-5)


def test_such_rows_weigh_three_tenths_of_the_labelled_ones(rows, plans):
    X, y = rows
    weight = np.arange(1.0, N + 1.0)
    C2CRegressor(**BRIEF).fit(X[:N], y[:N], weight, X_unlabeled=X[N:])
    assert_allclose(plans[1].rows.weight[N:], 0.3 * weight.sum() / 60)


def test_folds_are_those_of_the_first_fit_to_which_further_rows_are_dealt(rows, plans):
    X, y = rows
    cv = [(np.arange(10, N), np.arange(10)), (np.arange(20), np.arange(20, N))]
    C2CRegressor(cv=cv, **BRIEF).fit(X[:N], y[:N], X_unlabeled=X[N:])
    folds = plans[1].folds
    for (train, test), (train_before, test_before) in zip(folds, cv, strict=True):
        assert_array_equal(train[train < N], train_before)
        assert_array_equal(test[test < N], test_before)
        further = np.concatenate([train[train >= N], test[test >= N]])
        assert_array_equal(np.sort(further), np.arange(N, 100))
        assert (test >= N).sum() == 30
    left_out = np.concatenate([test[test >= N] for _, test in folds])
    assert_array_equal(np.sort(left_out), np.arange(N, 100))
    assert len(set(np.diff(folds[0][1][10:]))) > 1  # at random


def test_a_large_pool_is_thinned_out(rows, plans, monkeypatch):
    X, y = rows
    monkeypatch.setattr(self_training, "_MOST", 4)
    settings = {"input_scaling": None, "dtype": "float64"}
    C2CRegressor(**BRIEF | settings).fit(X[:N], y[:N], X_unlabeled=X[N:])
    assert_array_equal(plans[1].rows.X[N:], X[[N, 59, 79, 99]])


def test_both_fits_have_half_of_the_weight(rows, monkeypatch):
    """Without the second one there are the labelled rows alone."""
    X, y = rows
    reg = C2CRegressor(**BRIEF).fit(X[:N], y[:N], X_unlabeled=X[N:])
    alone = C2CRegressor(**BRIEF).fit(X[:N], y[:N])
    assert reg.n_networks_ > alone.n_networks_
    found = []
    cross_fit = training.cross_fit
    monkeypatch.setattr(
        training, "cross_fit", lambda *a, **k: found.append(cross_fit(*a, **k)) or found[-1]
    )
    again = C2CRegressor(**BRIEF).fit(X[:N], y[:N], X_unlabeled=X[N:])
    assert_array_equal(again.predict(X), reg.predict(X))
    pupils = [weight for _, _, weight in found[1].networks]
    assert sum(pupils) == pytest.approx(1.0)
    assert len(pupils) + alone.n_networks_ == reg.n_networks_
    # The seeds are others: with the same, the networks would begin alike.
    theta = [one.ends[0].networks[0][1] for one in found]
    assert np.corrcoef(*theta)[0, 1] < 0.9
    z = (X - reg.input_center_) * reg.input_scale_
    z = (z / np.sqrt(1.0 + (z / 3.0) ** 2)).astype(np.float32)
    h = sum(weight * net.forward(theta, z) for net, theta, weight in found[1].networks)
    of_pupils = in_units(h[:, 0], y[:N])
    assert_allclose(reg.predict(X), (alone.predict(X) + of_pupils) / 2, rtol=1e-4, atol=1e-4)


def test_what_is_known_out_of_fold_is_that_of_the_labelled_rows_alone(rows):
    X, y = rows
    marked = np.where(np.arange(100) < N, y, np.nan)
    reg = C2CRegressor(missing_label=np.nan, **BRIEF).fit(X, marked)
    alone = C2CRegressor(**BRIEF).fit(X[:N], y[:N])
    assert (reg.oob_score_, reg.alpha_) == (alone.oob_score_, alone.alpha_)
    for part, values in alone.history_.items():
        assert_array_equal(reg.history_[part], values)
    assert_array_equal(reg.oob_prediction_[:N], alone.oob_prediction_)
    assert np.isnan(reg.oob_prediction_[N:]).all()
    assert_array_equal(reg._conformal["scores"], alone._conformal["scores"])
    assert np.abs(reg.predict(X) - alone.predict(X)).max() > 1e-3


@pytest.mark.parametrize("hidden", [(), (10,)])
def test_intervals_lie_around_the_predictions(rows, hidden):
    """With one fold that leaves all rows out, they are the prediction, less and plus an error."""
    X, y = rows
    settings = BRIEF | {"hidden_layer_sizes": hidden, "cv": [(np.arange(N), np.arange(N))]}
    reg = C2CRegressor(**settings).fit(X[:N], y[:N], X_unlabeled=X[N:])
    lower, upper = reg.predict_interval(X, coverage=0.5)
    assert_allclose((lower + upper) / 2.0, reg.predict(X), rtol=1e-5, atol=1e-5)


def test_predicted_variances_are_not_taught(rows, plans):
    """Means would teach that there is none."""
    X, y = rows
    settings = BRIEF | {"loss": "gaussian_nll"}
    reg = C2CRegressor(**settings).fit(X[:N], y[:N], X_unlabeled=X[N:])
    assert not plans
    assert_array_equal(reg.predict(X), C2CRegressor(**settings).fit(X[:N], y[:N]).predict(X))


def test_a_strength_that_is_given_is_that_of_the_penalty_on_all_rows(rows, plans):
    X, y = rows
    reg = C2CRegressor(alpha=0.3, **BRIEF).fit(X[:N], y[:N], X_unlabeled=X[N:])
    assert reg.alpha_ == 0.3
    assert not plans
    assert_array_equal(reg.input_center_, robust_scaling(X, np.ones(100)).center)


@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "lbfgs", "max_iter": 5},
        {"input_scaling": None},
        {"n_jobs": 2},
        {"penalty": "vat"},
        {"penalty": "ladder"},
    ],
    ids=str,
)
def test_goes_with_other_settings(rows, settings, plans):
    X, y = rows
    reg = C2CRegressor(**BRIEF | settings).fit(X[:N], y[:N], X_unlabeled=X[N:])
    assert plans
    assert np.isfinite(reg.predict(X)).all()


@pytest.mark.parametrize("pool", [sparse.csr_matrix, np.asarray])
def test_sparse_rows_stay_sparse(rows, plans, pool):
    X, y = rows
    settings = {"input_scaling": None, "dtype": "float64"}
    reg = C2CRegressor(**BRIEF | settings)
    reg.fit(sparse.csr_matrix(X[:N]), y[:N], X_unlabeled=pool(X[N:]))
    assert sparse.issparse(plans[1].rows.X)
    assert_array_equal(plans[1].rows.X.toarray(), X)


def test_several_outputs(rows):
    X, y = rows
    reg = C2CRegressor(**BRIEF).fit(X[:N], np.c_[y, -y][:N], X_unlabeled=X[N:])
    assert reg.predict(X).shape == (100, 2)


@pytest.mark.parametrize("which", [0, 1])
def test_a_fit_that_is_interrupted_is_used_as_it_is(rows, monkeypatch, plans, which):
    X, y = rows
    cross_fit, n_calls = training.cross_fit, []

    def interrupted(*arguments, **settings):
        n_calls.append(1)
        found = cross_fit(*arguments, **settings)
        return found._replace(interrupted=len(n_calls) == which + 1)

    monkeypatch.setattr(training, "cross_fit", interrupted)
    with pytest.warns(UserWarning, match="interrupted"):
        reg = C2CRegressor(**BRIEF).fit(X[:N], y[:N], X_unlabeled=X[N:])
    assert bool(plans) == bool(which)
    assert np.isfinite(reg.predict(X)).all()


def test_ctrl_c_in_the_second_fit_leaves_the_first(rows, monkeypatch):
    X, y = rows
    alone = C2CRegressor(**BRIEF).fit(X[:N], y[:N])
    cross_fit, n_calls = training.cross_fit, []

    def broken_off(*arguments, **settings):
        n_calls.append(1)
        if len(n_calls) == 2:
            raise KeyboardInterrupt
        return cross_fit(*arguments, **settings)

    monkeypatch.setattr(training, "cross_fit", broken_off)
    with pytest.warns(UserWarning, match="interrupted"):
        reg = C2CRegressor(**BRIEF).fit(X[:N], y[:N], X_unlabeled=X[N:])
    assert_array_equal(reg.predict(X), alone.predict(X))


def test_errors_are_smaller_with_the_rows():
    """Of five draws, in the mean."""
    errors = []
    for seed in range(5):
        X, y = make_friedman1(1200, noise=0.5, random_state=seed)
        settings = {"random_state": seed}
        alone = C2CRegressor(**settings).fit(X[:100], y[:100])
        reg = C2CRegressor(**settings).fit(X[:100], y[:100], X_unlabeled=X[100:700])
        both = [root_mean_squared_error(y[700:], one.predict(X[700:])) for one in (reg, alone)]
        errors.append(both)
    with_rows, alone = np.mean(errors, axis=0)
    assert with_rows < 0.992 * alone


def test_rows_are_dealt_to_the_folds_evenly(rng):
    folds = [(np.array([1, 2]), np.array([0])), (np.array([0]), np.array([1, 2]))]
    found = self_training._dealt(folds, 3, 5, rng)
    assert sorted((test >= 3).sum() for _, test in found) == [2, 3]


@dataclass
class Unscaled:
    """Ingredients of rows that are not scaled."""

    streams: SimpleNamespace
    unlabeled: list = ()

    def pool(self, train):
        return pool_of(train, self.unlabeled)


def test_a_mean_of_outputs_is_learned(monkeypatch, rng):
    networks = [
        (SimpleNamespace(size=1), np.array([factor, np.nan]), weight)
        for factor, weight in [(1.0, 0.25), (3.0, 0.75)]
    ]
    monkeypatch.setattr(self_training, "outputs", lambda network, theta, X, over: X[:, :2] * theta)
    X = np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])
    streams = SimpleNamespace(split=rng, initial=rng)
    found = self_taught(Unscaled(streams), make_plan(n=8), networks, [X])
    assert_allclose(found.rows.y[8:], 2.5 * X[:, :2])
