"""What the estimators promise, seen from outside: stopping, batches, and the objective itself."""

import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import watched
from scipy.special import log_expit, log_softmax
from sklearn.base import clone

from skc2c import C2CClassifier, C2CRegressor

# Parameters that one network on the rows as they are does not need; not every version has them.
LATER = ("cv", "input_scaling", "numeric_embedding")
# A step that leaves every parameter as it is, to the last bit.
STANDING_STILL = {"learning_rate_init": 1e-300, "dtype": "float64"}

both = pytest.mark.parametrize("cls", [C2CClassifier, C2CRegressor])
both_solvers = pytest.mark.parametrize("solver", ["adam", "lbfgs"])


def plain(cls=C2CClassifier, **parameters):
    """One small network for the given rows, without a penalty that draws anything."""
    settings = {
        "hidden_layer_sizes": (6,),
        "activation": "tanh",
        "penalty": "jacobian",
        "alpha": 0.7,
        "epsilon": 0.5,
        "l2": 1.0,
        "learning_rate_init": 0.01,
        "max_iter": 3,
        "tol": 0.0,
        "n_iter_no_change": np.inf,
        "random_state": 0,
        **{name: None for name in LATER if name in cls().get_params()},
        **parameters,
    }
    return cls(**settings)


def draw_targets(rng, kind, X):
    """Targets that depend on X and on chance."""
    h = X @ rng.normal(size=(X.shape[1], 3)) + 0.3 * rng.normal(size=(len(X), 3))
    return {
        "binary": (h[:, 0] > 0) * 1,
        "multiclass": h.argmax(axis=1),
        "multilabel": (h > 0) * 1,
        "real": 50.0 + 7.0 * h[:, 0],
        "multi-output": h * [1.0, 30.0, 0.01] + 5.0,
    }[kind]


def estimator_of(kind):
    return C2CRegressor if kind in ("real", "multi-output") else C2CClassifier


# --------------------------------------------------------------- in which order rows are seen


@both
@pytest.mark.parametrize("unlabeled", [0, 10])
def test_without_shuffling_every_epoch_sees_the_rows_in_the_given_order(cls, rng, unlabeled):
    X = rng.normal(size=(40, 3))
    penalty, seen = watched()
    model = plain(cls, penalty=penalty, shuffle=False, batch_size=15, dtype="float64")
    n = 40 - unlabeled
    extra = {"X_unlabeled": X[n:]} if unlabeled else {}
    model.fit(X[:n], draw_targets(rng, "binary", X)[:n], **extra)
    assert [len(rows) for rows in seen] == [15, 15, 10] * 3
    assert_array_equal(np.concatenate(seen), np.tile(X, (3, 1)))


@both
def test_with_shuffling_every_epoch_has_an_order_of_its_own(cls, rng):
    X = rng.normal(size=(40, 3))
    penalty, seen = watched()
    model = plain(cls, penalty=penalty, batch_size=15, dtype="float64")
    model.fit(X, draw_targets(rng, "binary", X))
    epochs = np.concatenate(seen).reshape(3, 40, 3)
    for rows, other in ((epochs[0], X), (epochs[1], epochs[0]), (epochs[2], epochs[1])):
        assert (rows != other).any()
    for rows in epochs:
        assert_array_equal(rows[np.lexsort(rows.T)], X[np.lexsort(X.T)])


def labelled_loss(clf, X, y):
    """The log-loss of every row, in plain numpy."""
    h = np.tanh(X @ clf.coefs_[0] + clf.intercepts_[0]) @ clf.coefs_[1] + clf.intercepts_[1]
    return -log_expit(h[:, 0] * (2 * y - 1))


def test_labelled_batches_go_on_where_the_last_epoch_left_them(rng):
    """An epoch has four batches of the pool; of the labelled rows there are only three."""
    X = rng.normal(size=(40, 3))
    y = draw_targets(rng, "binary", X[:30])
    model = plain(alpha=0.0, l2=0.0, batch_size=10, shuffle=False, **STANDING_STILL)
    clf = model.fit(X[:30], y, X_unlabeled=X[30:])
    batches = labelled_loss(clf, X[:30], y).reshape(3, 10).mean(axis=1)
    expected = batches[np.arange(12) % 3].reshape(3, 4).mean(axis=1)
    assert_allclose(clf.loss_curve_, expected)


def test_shuffled_labelled_batches_are_new_in_every_epoch_and_miss_no_row(rng):
    X = rng.normal(size=(40, 3))
    y = draw_targets(rng, "binary", X[:30])
    model = plain(alpha=0.0, l2=0.0, batch_size=10, max_iter=9, **STANDING_STILL)
    clf = model.fit(X[:30], y, X_unlabeled=X[30:])
    assert len(set(clf.loss_curve_)) == 9
    # Three epochs are four passes over the labelled rows.
    passes = np.reshape(clf.loss_curve_, (3, 3)).mean(axis=1)
    assert_allclose(passes, labelled_loss(clf, X[:30], y).mean())


@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_held_out_for_early_stopping_are_stratified(rng, n_classes):
    """Half of each class is held out, a rare one included."""
    X = rng.normal(size=(60, 3))
    y = np.repeat(np.arange(n_classes), [54, 6] if n_classes == 2 else [40, 14, 6])
    label = dict(zip(X[:, 0], y, strict=True))
    for seed in range(6):
        penalty, seen = watched()
        settings = {"early_stopping": True, "validation_fraction": 0.5, "random_state": seed}
        plain(penalty=penalty, max_iter=1, dtype="float64", **settings).fit(X, y)
        trained = [label[value] for value in np.concatenate(seen)[:, 0]]
        assert_array_equal(np.bincount(trained), np.bincount(y) // 2)


# --------------------------------------------------------------------------- when to stop


def stops_at(figures, tol, patience):
    """After how many figures of merit (more is better) a fit stops: see `tol` in the docstrings."""
    best, waited = -np.inf, 0
    for n, figure in enumerate(figures, start=1):
        waited = 0 if figure >= best + tol else waited + 1
        best = max(best, figure)
        if waited > patience:
            return n
    return len(figures)


@both
@pytest.mark.parametrize("early_stopping", [False, True])
def test_adam_stops_when_an_improvement_is_less_than_tol(cls, early_stopping, rng):
    """In the loss, averaged over the iterations that are waited for, or in the score."""
    X = rng.normal(size=(60, 3))
    y = draw_targets(rng, "binary", X)
    settings = {"early_stopping": early_stopping, "validation_fraction": 0.3, "max_iter": 60}
    model = plain(cls, **settings)
    patient = clone(model).fit(X, y)
    losses = patient.loss_curve_
    figures = patient.validation_scores_
    if not early_stopping:
        figures = [-np.mean(losses[max(0, n - 3) : n]) for n in range(1, 61)]
    tols = [0.0, 0.02, 0.05, 10.0]
    expected = [stops_at(figures, tol, 3) for tol in tols]
    assert expected[-1] == 5
    assert expected[0] > 5
    for tol, n_iter in zip(tols, expected, strict=True):
        fitted = clone(model).set_params(tol=tol, n_iter_no_change=3).fit(X, y)
        assert fitted.loss_curve_ == losses[:n_iter]


# --------------------------------------------------------------------------- a warm start


@pytest.mark.parametrize("kind", ["binary", "multiclass", "real", "multi-output"])
def test_warm_start_goes_on_from_the_fitted_denoiser(rng, kind):
    X = rng.normal(size=(40, 3))
    y = draw_targets(rng, kind, X)
    settings = {"penalty": "ladder", "warm_start": True, "alpha": 3.0, "dtype": "float64"}
    model = plain(estimator_of(kind), learning_rate_init=0.05, max_iter=20, **settings)
    start = clone(model).set_params(learning_rate_init=1e-300, max_iter=1).fit(X, y)
    fitted = model.fit(X, y).penalty_parameters_
    assert abs(fitted - start.penalty_parameters_).max() > 0.1
    again = model.set_params(learning_rate_init=1e-300, max_iter=1).fit(X, y)
    assert_allclose(again.penalty_parameters_, fitted, rtol=1e-9, atol=1e-12)


# ------------------------------------------------------------- the objective in plain numpy


def outputs_and_jacobians(coefs, intercepts, X):
    """``h`` and ``dh/dx`` of a tanh network, layer by layer."""
    h, J = X, np.broadcast_to(np.eye(X.shape[1]), (len(X), X.shape[1], X.shape[1]))
    for i, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True)):
        h, J = h @ coef + intercept, J @ coef
        if i < len(coefs) - 1:
            h = np.tanh(h)
            J = J * (1 - h**2)[:, None, :]
    return h, J  # J is (n, D, K)


def negative_log_likelihood(kind, y, h):
    if kind in ("binary", "multilabel"):
        y = np.reshape(y, h.shape)
        return -(y * log_expit(h) + (1 - y) * log_expit(-h)).sum(axis=1)
    if kind == "multiclass":
        return -log_softmax(h, axis=1)[np.arange(len(y)), y]
    return 0.5 * ((h - np.reshape(y, h.shape)) ** 2).sum(axis=1)


def objective(model, kind, X, y, weight, X_pool, pool_weight):
    """The three terms at the fitted parameters, as the notes of the docstrings have them."""
    coefs, intercepts = list(model.coefs_), list(model.intercepts_)
    if kind in ("real", "multi-output"):  # for training y is standardised
        y = y.reshape(len(y), -1)
        center = np.average(y, axis=0, weights=weight)
        scale = np.sqrt(np.average((y - center) ** 2, axis=0, weights=weight))
        y = (y - center) / scale
        coefs[-1], intercepts[-1] = coefs[-1] / scale, (intercepts[-1] - center) / scale
    h, _ = outputs_and_jacobians(coefs, intercepts, X)
    loss = np.average(negative_log_likelihood(kind, y, h), weights=weight)
    _, J = outputs_and_jacobians(coefs, intercepts, X_pool)
    scaled = J * np.reshape(np.broadcast_to(model.epsilon, X.shape[1]), (1, -1, 1))
    roughness = np.average((scaled**2).sum(axis=(1, 2)), weights=pool_weight)
    decay = model.l2 / (2 * weight.sum()) * sum((coef**2).sum() for coef in coefs)
    return loss + model.alpha * roughness + decay


KINDS = ["binary", "multiclass", "multilabel", "real", "multi-output"]


@pytest.mark.filterwarnings("ignore:.*has collapsed")  # hardly trained
@both_solvers
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_the_loss_is_the_documented_sum_of_three_terms(solver, kind, seed):
    """Unlabelled rows weigh one, whatever the labelled ones weigh; l2 is divided by the latter."""
    rng = np.random.default_rng(seed)
    X, X_unlabeled = rng.normal(size=(30, 3)), 1.5 * rng.normal(size=(50, 3)) + 0.5
    y, weight = draw_targets(rng, kind, X), rng.uniform(0.2, 4.0, size=30)
    settings = {"solver": solver, "dtype": "float64", "max_iter": 1, "random_state": seed}
    settings |= {"alpha": 2.0, "epsilon": [0.5, 0.0, 1.0], "l2": 5.0, "hidden_layer_sizes": (6, 5)}
    if solver == "adam":
        settings |= {"batch_size": 80, **STANDING_STILL}
    model = plain(estimator_of(kind), **settings).fit(X, y, weight, X_unlabeled=X_unlabeled)
    pool, pool_weight = np.concatenate([X, X_unlabeled]), np.append(weight, np.ones(50))
    assert_allclose(model.loss_, objective(model, kind, X, y, weight, pool, pool_weight))
    assert model.loss_curve_ == [model.loss_]


@both_solvers
def test_marked_rows_weigh_one_or_are_not_there(solver, rng):
    X = rng.normal(size=(80, 3))
    y, weight = draw_targets(rng, "binary", X), rng.uniform(0.2, 4.0, size=80)
    marked, dropped = np.arange(80) >= 30, np.arange(80) >= 60
    weight[dropped] = 0.0
    settings = {"solver": solver, "max_iter": 1, "l2": 5.0, "missing_label": -1}
    if solver == "adam":
        settings |= {"batch_size": 60, **STANDING_STILL}
    clf = plain(**settings).fit(X, np.where(marked, -1, y), weight)
    labelled = X[~marked], y[~marked], weight[~marked]
    pool_weight = np.where(marked, 1.0, weight)[~dropped]
    expected = objective(clf, "binary", *labelled, X[~dropped], pool_weight)
    assert_allclose(clf.loss_, expected)


# ------------------------------------------------------------------------------- warnings


@pytest.mark.parametrize("factor", [0.03, 30.0])
def test_unlabelled_rows_of_another_spread_alone_warn(rng, factor):
    X, X_unlabeled = rng.normal(size=(50, 4)), rng.normal(size=(50, 4))
    X, X_unlabeled = X - X.mean(axis=0), X_unlabeled - X_unlabeled.mean(axis=0)
    y = draw_targets(rng, "binary", X)
    model = plain(alpha=0.0)
    with pytest.warns(UserWarning, match="another scale than X"):
        model.fit(X, y, X_unlabeled=factor * X_unlabeled)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*another scale")
        model.fit(X, y, X_unlabeled=3.0 * X_unlabeled)
        # One feature of four may differ: most have to.
        model.fit(X, y, X_unlabeled=X_unlabeled * [factor, 1.0, 1.0, 1.0])


# --------------------------------------------------------------------------------- memory


def keep_freed_memory():
    """The function of that name, from whichever module the package has loaded it."""
    names = ("skc2c.machine.memory", "skc2c.memory")
    return next(sys.modules[name] for name in names if name in sys.modules).keep_freed_memory


@both
@both_solvers
def test_fit_and_predict_keep_freed_memory(cls, solver, rng):
    """Once a process: the call is cached, so what counts is that it was made."""
    kept = keep_freed_memory()
    X = rng.normal(size=(40, 3))
    model = plain(cls, solver=solver)
    for method in (lambda: model.fit(X, draw_targets(rng, "binary", X)), lambda: model.predict(X)):
        kept.cache_clear()
        method()
        assert kept.cache_info().currsize == 1
