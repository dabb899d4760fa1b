"""Eigenvalues as they are drawn, against numpy's and the divergence of nearby outputs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN
from scipy.special import softmax
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skc2c import VAT, C2CAutoencoder, C2CClassifier, C2CRegressor
from skc2c.inspection import fisher_information, jacobian, penalty_value
from skc2c.plots import SpectrumDisplay, features

pytestmark = pytest.mark.usefixtures("pyplot")
SETTINGS = PLAIN | {"hidden_layer_sizes": (9,), "max_iter": 30, "random_state": 0}
SETTINGS |= {"activation": "tanh"}
X, Y = load_iris(return_X_y=True)
DIABETES = load_diabetes()


def fisher_of_outputs(estimator, X):
    """Closed forms of F, (n, K, K), from what the estimator predicts."""
    if isinstance(estimator, C2CClassifier):
        h = estimator.decision_function(X)
        if h.ndim == 1:
            return (1 / (2 + np.exp(h) + np.exp(-h)))[:, None, None]
        p = softmax(h, axis=1)
        return p[:, :, None] * np.eye(h.shape[1]) - p[:, :, None] * p[:, None, :]
    if estimator.loss == "gaussian_nll":
        _, std = estimator.predict(X, return_std=True)
        return np.stack([1 / std**2, np.full(len(X), 0.5)], axis=1)[:, :, None] * np.eye(2)
    if estimator.loss == "poisson":
        return estimator.predict(X)[:, None, None]
    q = estimator.quantile
    return np.full((len(X), 1, 1), q * (1 - q) if estimator.loss == "quantile" else 1.0)


ESTIMATORS = {
    "three classes": C2CClassifier(**SETTINGS).fit(X, Y),
    "two classes": C2CClassifier(**SETTINGS).fit(X, Y > 0),
    **{
        loss: C2CRegressor(**SETTINGS, loss=loss, quantile=0.8).fit(DIABETES.data, DIABETES.target)
        for loss in ("squared_error", "gaussian_nll", "poisson", "quantile")
    },
}


@pytest.mark.parametrize("scale", ["std", None])
@pytest.mark.parametrize("kind", ["jacobian", "fisher"])
@pytest.mark.parametrize("case", ESTIMATORS)
def test_eigenvalues_are_those_of_the_matrices(case, kind, scale, monkeypatch):
    monkeypatch.setattr(features, "_ROWS", 100)
    estimator = ESTIMATORS[case]
    rows = X if "classes" in case else DIABETES.data
    display = SpectrumDisplay.from_estimator(estimator, rows, kind=kind, scale=scale)
    J = jacobian(estimator, rows) * (rows.std(axis=0) if scale == "std" else 1.0)
    middle = fisher_of_outputs(estimator, rows) if kind == "fisher" else np.eye(J.shape[1])
    expected = np.linalg.eigvalsh(np.swapaxes(J, 1, 2) @ middle @ J)[:, ::-1]
    n_kept = display.eigenvalues.shape[1]
    assert n_kept == min(J.shape[1:])
    atol = 1e-12 * expected.max()
    assert_allclose(display.eigenvalues, expected[:, :n_kept], rtol=1e-8, atol=atol)
    assert_allclose(expected[:, n_kept:], 0.0, atol=atol)


def test_sums_and_largest_are_what_penalties_charge():
    clf = ESTIMATORS["three classes"]
    scale = X.std(axis=0)
    of_jacobian, of_fisher = (
        SpectrumDisplay.from_estimator(clf, X, kind=kind).eigenvalues
        for kind in ("jacobian", "fisher")
    )
    settings = {"epsilon": 1e-3 * scale, "random_state": 0}
    sums = of_jacobian.sum(axis=1).mean()
    assert_allclose(penalty_value(clf, X, "jacobian", **settings), 1e-6 * sums)
    worst = penalty_value(clf, X, VAT(n_power_iterations=100), **settings)
    assert_allclose(worst, 0.5e-6 * of_fisher[:, 0].mean(), rtol=0.02)


def test_medians_and_quantiles_are_drawn():
    values = np.random.default_rng(0).lognormal(size=(200, 3))
    values = -np.sort(-values, axis=1)
    display = SpectrumDisplay(values, name="net").plot(quantiles=(0.1, 0.8))
    assert_array_equal(display.line_.get_xdata(), [1, 2, 3])
    assert_allclose(display.line_.get_ydata(), np.median(values, axis=0))
    corners = display.band_.get_paths()[0].vertices
    for rank, column in enumerate(values.T, start=1):
        bounds = corners[corners[:, 0] == rank, 1]
        assert_allclose([bounds.min(), bounds.max()], np.quantile(column, [0.1, 0.8]))
    total, largest = values.sum(axis=1).mean(), values[:, 0].mean()
    assert display.line_.get_label() == f"net: sum {total:.2g}, largest {largest:.2g}"


def test_ranks_are_whole_numbers():
    assert_array_equal(SpectrumDisplay([[2.0, 1.0]]).plot().ax_.get_xticks() % 1, 0)


def test_one_eigenvalue_a_row_is_drawn_over_the_share_of_rows():
    values = [3.0, 1.0, 200.0, 2.0]
    display = SpectrumDisplay(np.array(values)[:, None]).plot()
    assert_array_equal(display.line_.get_ydata(), np.sort(values))
    assert_allclose(display.line_.get_xdata(), [0.125, 0.375, 0.625, 0.875])
    assert display.band_ is None
    assert display.line_.get_label() == "mean 52"  # two digits


def test_the_direction_that_probabilities_do_not_see_is_not_drawn():
    """The rank of F is one less than the number of classes."""
    digits = load_digits()
    clf = C2CClassifier(**SETTINGS).fit(digits.data, digits.target)
    display = SpectrumDisplay.from_estimator(clf, digits.data[:300], kind="fisher")
    assert display.eigenvalues.shape == (300, 10)
    assert_array_equal(display.eigenvalues[:, 9], 0.0)
    assert (display.eigenvalues[:, 8] > 0.0).any()
    assert_array_equal(display.line_.get_xdata(), np.arange(1, 10))


def test_the_axis_ends_where_nothing_is_to_be_seen():
    display = SpectrumDisplay([[1.0, 1e-20]]).plot()
    low, high = display.ax_.get_ylim()
    assert_allclose(low, 1e-6 * high)
    SpectrumDisplay([[1e5, 1e-20]]).plot(ax=display.ax_)
    assert display.ax_.get_ylim()[1] > 1e5  # and it follows what is drawn later


def test_several_models_share_axes():
    clf = ESTIMATORS["three classes"]
    first = SpectrumDisplay.from_estimator(clf, X, kind="fisher", name="one")
    second = SpectrumDisplay.from_estimator(
        clf, X, kind="fisher", ax=first.ax_, color="k", quantiles=(0.25, 0.75)
    )
    assert second.ax_ is first.ax_
    assert second.figure_ is first.ax_.figure
    assert second.line_.get_color() == "k"
    labels = [text.get_text() for text in first.ax_.get_legend().get_texts()]
    assert [label.split(":")[0] for label in labels] == ["one", "C2CClassifier"]
    assert first.ax_.get_ylabel() == "Eigenvalue of J'FJ (Fisher)\n(per squared std of the feature)"
    assert first.ax_.get_yscale() == "log"


def test_the_code_of_an_autoencoder_has_a_spectrum():
    auto = C2CAutoencoder(2, max_iter=5, random_state=0).fit(X)
    display = SpectrumDisplay.from_estimator(auto, X, scale=None)
    expected = np.linalg.svd(jacobian(auto, X), compute_uv=False) ** 2
    assert_allclose(display.eigenvalues, expected)


def test_fisher_information_is_its_sum():
    """Its trace, as inspection has it."""
    for case, estimator in ESTIMATORS.items():
        rows = X if "classes" in case else DIABETES.data
        display = SpectrumDisplay.from_estimator(estimator, rows, kind="fisher", scale=None)
        trace = np.trace(fisher_information(estimator, rows), axis1=1, axis2=2)
        assert_allclose(display.eigenvalues.sum(axis=1), trace)


def test_bad_input_is_refused():
    draw = SpectrumDisplay.from_estimator
    with pytest.raises(NotFittedError):
        draw(C2CClassifier(), X)
    with pytest.raises(TypeError, match="Got LogisticRegression"):
        draw(LogisticRegression(max_iter=500).fit(X, Y), X)
    with pytest.raises(ValueError, match="kind must be 'jacobian' or 'fisher'. Got 'hessian'"):
        draw(ESTIMATORS["two classes"], X, kind="hessian")
    with pytest.raises(ValueError, match="scale must be"):
        draw(ESTIMATORS["two classes"], X, scale="range")
