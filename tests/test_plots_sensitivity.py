"""Bars of sensitivities, against finite differences and the Jacobian penalty."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skc2c import C2CAutoencoder, C2CClassifier, C2CRegressor
from skc2c.inspection import penalty_value
from skc2c.plots import SensitivityDisplay, features

pytestmark = pytest.mark.usefixtures("pyplot")
SETTINGS = PLAIN | {"hidden_layer_sizes": (8,), "activation": "tanh", "random_state": 0}


@pytest.fixture(scope="module")
def frame():
    pytest.importorskip("pandas")
    return load_iris(as_frame=True)


@pytest.fixture(scope="module")
def clf(frame):
    return C2CClassifier(**SETTINGS).fit(frame.data, frame.target)


def differences(function, X):
    """Root mean squared central differences of outputs: (n_outputs, n_features)."""
    step = 1e-5
    slopes = [
        (function(X + step * unit) - function(X - step * unit)) / (2 * step)
        for unit in np.eye(X.shape[1])
    ]
    return np.sqrt(np.mean(np.square(slopes), axis=1)).T


@pytest.mark.parametrize("space", ["link", "response"])
@pytest.mark.parametrize("scale", ["std", None, [1.0, 2.0, 0.0, 0.5]], ids=str)
def test_sensitivities_are_differences_of_the_outputs(clf, frame, space, scale, monkeypatch):
    monkeypatch.setattr(features, "_ROWS", 40)  # four parts
    X = frame.data.to_numpy()
    public = {"link": clf.decision_function, "response": clf.predict_proba}[space]
    unit = {"std": X.std(axis=0), "None": 1.0}.get(str(scale), scale)
    with pytest.warns(UserWarning, match="feature names"):  # of what is not a frame
        expected = differences(public, X) * unit
    display = SensitivityDisplay.from_estimator(clf, frame.data, space=space, scale=scale)
    assert_allclose(display.sensitivity, expected, rtol=1e-6, atol=1e-12)
    joint = np.sqrt((expected**2).sum(axis=0))
    lengths = [bar.get_width() for bar in display.bars_[0]]
    assert_allclose(lengths, np.sort(joint)[::-1], rtol=1e-6, atol=1e-12)
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert names == [frame.data.columns[i] for i in np.argsort(-joint, kind="stable")]
    assert display.ax_.yaxis_inverted()  # the longest is on top


def test_squares_add_up_to_the_jacobian_penalty(clf, frame):
    display = SensitivityDisplay.from_estimator(clf, frame.data)
    scale = frame.data.to_numpy().std(axis=0)
    penalty = penalty_value(clf, frame.data, "jacobian", scale)
    assert_allclose((display.sensitivity**2).sum(), penalty)


def test_a_linear_regression_of_two_targets_shows_its_weights():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    weights = np.array([[3.0, 0.0], [0.0, -2.0], [0.5, 1.0]])
    settings = SETTINGS | {"hidden_layer_sizes": (), "penalty": None, "l2": 0, "solver": "lbfgs"}
    reg = C2CRegressor(**settings).fit(X, X @ weights)
    display = SensitivityDisplay.from_estimator(
        reg, X, scale=None, by_output=True, output_names=["cost", "gain"], name="ours"
    )
    assert_allclose(display.sensitivity, abs(weights.T), atol=1e-3)
    assert [bars.get_label() for bars in display.bars_] == ["ours: cost", "ours: gain"]
    drawn = np.array([[bar.get_width() for bar in bars] for bars in display.bars_])
    assert_array_equal(drawn, display.sensitivity[:, [0, 1, 2]])  # 3, 2 and 1.1 together
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == ["x0", "x1", "x2"]
    centers = [[bar.get_y() + bar.get_height() / 2 for bar in bars] for bars in display.bars_]
    assert_allclose(np.mean(centers, axis=0), [0, 1, 2], atol=1e-12)


def test_only_the_most_sensitive_features_are_drawn():
    display = SensitivityDisplay(np.arange(30.0)).plot(max_features=3)
    assert [bar.get_width() for bar in display.bars_[0]] == [29, 28, 27]
    assert display.ax_.get_ylabel() == "3 of 30 features"
    assert len(display.plot(max_features=None).bars_[0]) == 30
    assert display.ax_.get_ylabel() == ""  # all of them
    assert len(display.plot().bars_[0]) == 20


def test_a_new_figure_has_room_for_all_bars():
    def height(n_features, n_outputs=1, **settings):
        display = SensitivityDisplay(np.ones((n_outputs, n_features))).plot(**settings)
        figure = display.figure_
        figure.draw_without_rendering()
        bar = display.bars_[-1][-1].get_window_extent()
        labels = [text.get_window_extent() for text in display.ax_.get_yticklabels()]
        assert all(below.y1 < above.y0 for above, below in pairwise(labels))
        assert bar.height > 5  # pixels
        return figure.get_figheight()

    assert height(1) == height(2) == 2.0  # room for the labels
    assert height(2) < height(10) < height(20) < height(20, 9, by_output=True)
    assert height(20) == height(20, 9) == height(20, 2, by_output=True)


def test_the_legend_of_many_outputs_has_two_columns(pyplot):
    for n_outputs, n_columns in ((7, 1), (8, 2), (10, 2)):
        display = SensitivityDisplay(np.ones((n_outputs, 3))).plot(by_output=True)
        display.figure_.canvas.draw()
        places = {text.get_window_extent().x0 for text in display.ax_.get_legend().get_texts()}
        assert len(places) == n_columns


def test_bars_of_outputs_are_named_by_the_classes(clf, frame):
    display = SensitivityDisplay.from_estimator(clf, frame.data, by_output=True)
    legend = display.ax_.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["0", "1", "2"]
    assert display.plot().ax_.get_legend() is None  # nothing to tell apart
    assert display.plot(name="net").ax_.get_legend() is not None


def test_it_draws_where_and_how_it_is_asked_to(pyplot, clf, frame):
    ax = pyplot.subplots()[1]
    display = SensitivityDisplay.from_estimator(clf, frame.data, ax=ax, color="red", height=0.5)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    bar = display.bars_[0][0]
    assert bar.get_facecolor() == (1.0, 0.0, 0.0, 1.0)
    assert_allclose(bar.get_height(), 0.5)


def test_sparse_rows_and_codes_of_autoencoders_are_measured():
    X = load_iris().data
    auto = C2CAutoencoder(2, max_iter=5, random_state=0).fit(X)
    display = SensitivityDisplay.from_estimator(auto, X, scale=None)
    assert_allclose(display.sensitivity, differences(auto.transform, X), rtol=1e-5)
    clf = C2CClassifier(**SETTINGS).fit(X, load_iris().target)
    dense, from_sparse = (
        SensitivityDisplay.from_estimator(clf, rows).sensitivity
        for rows in (X, sparse.csr_array(X))
    )
    assert_allclose(from_sparse, dense)


def test_bad_input_is_refused(clf, frame):
    X, y = frame.data, frame.target
    with pytest.raises(NotFittedError):
        SensitivityDisplay.from_estimator(C2CClassifier(), X)
    with pytest.raises(TypeError, match="Got LogisticRegression"):
        SensitivityDisplay.from_estimator(LogisticRegression(max_iter=500).fit(X, y), X)
    for scale in ("max", [1.0, 2.0], [1, 1, 1, -1], [1, 1, 1, np.inf], [[1, 1, 1, 1]]):
        with pytest.raises(ValueError, match="scale must be 'std', None or an array.*4 features"):
            SensitivityDisplay.from_estimator(clf, X, scale=scale)
    with pytest.raises(ValueError, match="feature_names must have 4 names. Got 1"):
        SensitivityDisplay.from_estimator(clf, X, feature_names=["a"])
    with pytest.raises(ValueError, match="output_names must have 3 names. Got 2"):
        SensitivityDisplay.from_estimator(clf, X, output_names=["a", "b"])
    with pytest.raises(ValueError, match="space must be"):
        SensitivityDisplay.from_estimator(clf, X, space="probability")
