"""Measures of a fitted function, against differences of its public outputs."""

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN, VARIANTS
from scipy import sparse, stats
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mean_pinball_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skc2c import C2C, VAT, C2CAutoencoder, C2CClassifier, C2CRegressor, Jacobian
from skc2c.inspection import (
    adversarial_perturbation,
    fisher_information,
    jacobian,
    loss_gradient,
    penalty_value,
)
from skc2c.network import blocks


@cache
def fitted(kind):
    """An estimator, which no test changes, and rows."""
    settings = {"hidden_layer_sizes": (8, 6), "activation": "tanh", "random_state": 0}
    settings = PLAIN | settings
    if kind == "regression":
        X, y = load_diabetes(return_X_y=True)
        X = StandardScaler().fit_transform(X)
        return C2CRegressor(**settings).fit(X, y), X
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    y = y if kind == "multiclass" else y > 0 if kind == "binary" else np.eye(3, dtype=int)[y]
    return C2CClassifier(**settings).fit(X, y), X


KINDS = {"binary": 1, "multiclass": 3, "multilabel": 3, "regression": 1}
each_kind = pytest.mark.parametrize("kind", KINDS)


def link(estimator, X):
    h = (
        estimator.predict(X)
        if isinstance(estimator, C2CRegressor)
        else estimator.decision_function(X)
    )
    return h.reshape(len(X), -1)


def response(estimator, X):
    if isinstance(estimator, C2CRegressor):
        return link(estimator, X)
    return estimator.predict_proba(X)[:, -link(estimator, X).shape[1] :]


@each_kind
@pytest.mark.parametrize("space", ["link", "response"])
def test_jacobian_equals_differences_of_the_public_outputs(kind, space):
    estimator, X = fitted(kind)
    function = {"link": link, "response": response}[space]
    J = jacobian(estimator, X, space)
    assert J.shape == (len(X), KINDS[kind], X.shape[1])
    step = 1e-5
    for d in range(X.shape[1]):
        shift = step * np.eye(X.shape[1])[d]
        slope = (function(estimator, X + shift) - function(estimator, X - shift)) / (2 * step)
        assert_allclose(J[:, :, d], slope, rtol=1e-5, atol=1e-6 * abs(J).max())


@each_kind
def test_fisher_information_is_that_of_the_probabilities(kind):
    """F in closed form from predict_proba."""
    estimator, X = fitted(kind)
    J, mean = jacobian(estimator, X), response(estimator, X)
    for i in range(0, len(X), 10):
        p = mean[i]
        F = {
            "regression": np.eye(1),
            "multiclass": np.diag(p) - np.outer(p, p),
        }.get(kind, np.diag(p * (1 - p)))
        assert_allclose(fisher_information(estimator, X)[i], J[i].T @ F @ J[i], atol=1e-12)


def row_losses(estimator, X, y):
    """Losses of rows, from what the estimator predicts and scipy's distributions."""
    if isinstance(estimator, C2CClassifier) and np.ndim(y) == 2:
        p = estimator.predict_proba(X)
        return -np.where(y == 1, np.log(p), np.log(1 - p)).sum(axis=1)
    if isinstance(estimator, C2CClassifier):
        log_proba = estimator.predict_log_proba(X)
        return -log_proba[np.arange(len(X)), np.searchsorted(estimator.classes_, y)]
    if estimator.loss == "gaussian_nll":
        return -stats.norm.logpdf(y, *estimator.predict(X, return_std=True))
    prediction = estimator.predict(X)
    if estimator.loss == "poisson":
        return -stats.poisson.logpmf(y, prediction)
    if estimator.loss == "quantile":
        # Each row as an output.
        of_outputs = {"alpha": estimator.quantile, "multioutput": "raw_values"}
        return mean_pinball_loss(y[None], prediction[None], **of_outputs)
    return ((y - prediction).reshape(len(X), -1) ** 2).sum(axis=1) / 2


DIABETES = load_diabetes().target
IRIS = load_iris().target
LABELS = {
    "squared_error": DIABETES,
    "two targets": np.column_stack([DIABETES, DIABETES**0.5]),
    "gaussian_nll": DIABETES,
    "poisson": np.round(DIABETES / 30),
    "quantile": DIABETES,
    "binary": np.where(IRIS > 1, "yes", "no"),
    "multiclass": np.array(["a", "b", "c"])[IRIS],
    "multilabel": np.eye(3, dtype=int)[IRIS],
}


@pytest.mark.parametrize("kind", LABELS)
def test_loss_gradient_equals_differences_of_the_loss_of_the_predictions(kind, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_NUMBERS", 1)  # rows in blocks
    y, settings = LABELS[kind], PLAIN | {"hidden_layer_sizes": (8,), "activation": "tanh"}
    settings |= {"max_iter": 30, "random_state": 0}
    if kind in ("binary", "multiclass", "multilabel"):
        X, estimator = load_iris().data, C2CClassifier(**settings)
    else:
        X, loss = load_diabetes().data, "squared_error" if kind == "two targets" else kind
        X = StandardScaler().fit_transform(X)
        estimator = C2CRegressor(**settings, loss=loss, quantile=0.8)
    estimator.fit(X, y)
    gradient = loss_gradient(estimator, X, y)
    assert gradient.shape == X.shape
    step = 1e-4
    for d, shift in enumerate(step * np.eye(X.shape[1])):
        sides = [np.array(row_losses(estimator, X + side * shift, y)) for side in (1, -1)]
        slope = (sides[0] - sides[1]) / (2 * step)
        assert_allclose(gradient[:, d], slope, rtol=1e-4, atol=1e-5 * abs(gradient).max())


def test_loss_gradient_refuses_what_has_no_loss():
    estimator, X = fitted("multiclass")
    y = load_iris().target
    with pytest.raises(ValueError, match="loss_gradient needs the classes of y.*7"):
        loss_gradient(estimator, X, np.where(y == 2, 7, y))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        loss_gradient(estimator, X, y[:10])
    with pytest.raises(TypeError, match="C2CAutoencoder has no loss of y"):
        loss_gradient(C2CAutoencoder(max_iter=2).fit(X), X, y)
    with pytest.raises(TypeError, match="Got LogisticRegression"):
        loss_gradient(LogisticRegression().fit(X, y), X, y)
    regressor, X = fitted("regression")
    with pytest.raises(ValueError, match="loss_gradient needs as many columns as y, 1. Got 2"):
        loss_gradient(regressor, X, X[:, :2])


def test_loss_gradient_takes_lists_and_sparse_indicators():
    estimator, X = fitted("multilabel")
    y = np.eye(3, dtype=int)[load_iris().target]
    gradient = loss_gradient(estimator, X, y)
    assert_array_equal(loss_gradient(estimator, X.tolist(), y.tolist()), gradient)
    assert_array_equal(loss_gradient(estimator, X, sparse.csr_array(y)), gradient)


@each_kind
@pytest.mark.parametrize("penalty", ["vat", "c2c", "jacobian", C2C(space="response")], ids=str)
def test_adversarial_perturbation_is_the_worst_direction(kind, penalty):
    estimator, X = fitted(kind)
    dx = adversarial_perturbation(
        estimator, X, 0.5, penalty=penalty, n_power_iterations=500, random_state=0
    )
    assert_allclose(np.linalg.norm(dx, axis=1), 0.5)
    J = jacobian(estimator, X, "response" if isinstance(penalty, C2C) else "link")
    form = fisher_information(estimator, X) if penalty == "vat" else np.swapaxes(J, 1, 2) @ J
    worst = np.linalg.eigvalsh(form)[:, -1]
    reached = np.einsum("nd,nde,ne->n", dx, form, dx) / 0.25
    assert_allclose(reached, worst, rtol=1e-3, atol=1e-12)


@each_kind
def test_penalty_values_agree_with_the_jacobian_and_fisher_information(kind):
    estimator, X = fitted(kind)
    J = jacobian(estimator, X)
    squared = (J**2).sum(axis=(1, 2)).mean()
    information = fisher_information(estimator, X)
    largest = np.linalg.eigvalsh(np.swapaxes(J, 1, 2) @ J)[:, -1].mean()
    assert_allclose(penalty_value(estimator, X, "jacobian", 0.3), 0.09 * squared)
    worst = Jacobian("adversarial", n_power_iterations=200)
    assert_allclose(penalty_value(estimator, X, worst, 0.3), 0.09 * largest, rtol=1e-3)
    top = np.linalg.eigvalsh(information)[:, -1].mean()
    vat = penalty_value(estimator, X, VAT(n_power_iterations=200), 1e-4, random_state=0)
    assert_allclose(vat, 0.5e-8 * top, rtol=1e-2)
    c2c = penalty_value(estimator, X, C2C(n_perturbations=500), 1e-4, random_state=0)
    assert_allclose(c2c, 1e-8 * squared, rtol=0.05)
    for nothing in ("noise", None):
        assert penalty_value(estimator, X, nothing, 0.3) == 0.0


def test_a_scale_for_each_feature():
    estimator, X = fitted("multiclass")
    epsilon = [0.1, 0.0, 0.5, 1.0]
    dx = adversarial_perturbation(estimator, X, epsilon, random_state=0)
    assert_array_equal(dx[:, 1], 0.0)
    assert_allclose(np.linalg.norm(dx[:, [0, 2, 3]] / [0.1, 0.5, 1.0], axis=1), 1.0)
    scaled = jacobian(estimator, X) * epsilon
    value = penalty_value(estimator, X, "jacobian", epsilon)
    assert_allclose(value, (scaled**2).sum(axis=(1, 2)).mean())


def test_random_state_decides():
    estimator, X = fitted("multiclass")
    for draw in (
        lambda seed: penalty_value(estimator, X, "c2c", 0.1, random_state=seed),
        lambda seed: adversarial_perturbation(
            estimator, X, 1.0, n_power_iterations=1, random_state=seed
        ),
    ):
        assert_array_equal(draw(0), draw(0))
        assert np.any(draw(0) != draw(1))
        assert np.any(draw(None) != draw(None))


def test_sparse_rows_and_float32_models_are_welcome():
    estimator, X = fitted("multiclass")
    assert_allclose(jacobian(estimator, sparse.csr_array(X)), jacobian(estimator, X))
    single = C2CClassifier((8,), random_state=0, **PLAIN).fit(X.astype(np.float32), X[:, 0] > 0)
    assert jacobian(single, X.astype(np.float32)).dtype == np.float64


def test_bad_input_is_refused():
    estimator, X = fitted("multiclass")
    with pytest.raises(ValueError, match="space.*'output'"):
        jacobian(estimator, X, space="output")
    with pytest.raises(ValueError, match="epsilon.*-1"):
        penalty_value(estimator, X, "c2c", -1)
    with pytest.raises(ValueError, match="epsilon"):
        adversarial_perturbation(estimator, X, [1.0, 2.0])
    with pytest.raises(ValueError, match="penalty.*'lasso'"):
        penalty_value(estimator, X, "lasso", 1.0)
    with pytest.raises(ValueError, match="'noise' measures no distance"):
        adversarial_perturbation(estimator, X, 1.0, penalty="noise")
    with pytest.raises(ValueError, match="n_power_iterations"):
        adversarial_perturbation(estimator, X, 1.0, n_power_iterations=-1)
    with pytest.raises(ValueError, match="4 features"):
        jacobian(estimator, X[:, :2])
    with pytest.raises(NotFittedError):
        jacobian(C2CClassifier(), X)
    with pytest.raises(TypeError, match="Pipeline.*pipe"):
        jacobian(make_pipeline(StandardScaler(), estimator), X)


@pytest.mark.parametrize("penalty", VARIANTS, ids=str)
def test_penalty_values_do_not_depend_on_blocks_of_rows(penalty, monkeypatch):
    """Nothing is drawn at a radius of zero; 150 rows in blocks of 64 at least."""
    estimator, X = fitted("multiclass")
    settings = {"penalty": penalty, "epsilon": 0.0, "random_state": 0}
    whole = penalty_value(estimator, X, **settings)
    monkeypatch.setattr(blocks, "BLOCK_NUMBERS", 1)
    assert_allclose(penalty_value(estimator, X, **settings), whole, rtol=1e-12, atol=1e-30)


def test_the_balance_is_that_of_all_rows(monkeypatch):
    estimator, X = fitted("multiclass")
    monkeypatch.setattr(blocks, "BLOCK_NUMBERS", 1)
    values = [
        penalty_value(estimator, X, VAT(balance_weight=weight), 0.1, random_state=0)
        for weight in (1.0, 0.0)
    ]
    mean = estimator.predict_proba(X).mean(axis=0)
    assert_allclose(values[0] - values[1], stats.entropy(mean, np.full(3, 1 / 3)), rtol=1e-6)
