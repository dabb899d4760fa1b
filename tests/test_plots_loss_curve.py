"""Courses of fits as they are drawn, against what the estimators keep and predict."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skc2c import C2CAutoencoder, C2CClassifier, C2CRegressor
from skc2c.plots import LossCurveDisplay

pytestmark = pytest.mark.usefixtures("pyplot")
ONE = PLAIN | {"hidden_layer_sizes": (8,), "max_iter": 12, "random_state": 0}
WATCHED = ONE | {"early_stopping": True, "learning_rate_init": 0.05, "max_iter": 60}
X, Y = load_iris(return_X_y=True)
X_TUMOUR, Y_TUMOUR = load_breast_cancer(return_X_y=True)
X_TUMOUR = StandardScaler().fit_transform(X_TUMOUR)


def assert_drawn(line, values):
    values = np.array(values, dtype=float)
    measured = np.flatnonzero(np.isfinite(values))
    assert_array_equal(line.get_xdata(), measured + 1)
    assert_allclose(line.get_ydata(), values[measured])


def test_parts_of_the_objective_are_drawn_apart():
    clf = C2CClassifier(**ONE).fit(X, Y)
    display = LossCurveDisplay.from_estimator(clf)
    assert list(display.lines_) == ["loss", "penalty", "l2"]
    for part, line in display.lines_.items():
        assert_drawn(line, clf.history_[part])
    total = sum(line.get_ydata() for line in display.lines_.values())
    assert_allclose(total, clf.loss_curve_)
    assert display.chosen is display.chosen_line_ is display.score_ax_ is None
    assert display.ax_.get_yscale() == "log"


def test_what_is_zero_throughout_is_left_out():
    clf = C2CClassifier(**ONE | {"penalty": None, "l2": 0.0}).fit(X, Y)
    assert list(LossCurveDisplay.from_estimator(clf).lines_) == ["loss"]


def test_losses_that_may_be_negative_are_on_a_linear_axis():
    reg = C2CRegressor(**ONE | {"max_iter": 200, "learning_rate_init": 0.02}, loss="gaussian_nll")
    reg.fit(X[:, :2], X[:, 2])
    display = LossCurveDisplay.from_estimator(reg)
    assert display.lines_["loss"].get_ydata()[-1] < 0
    assert display.ax_.get_yscale() == "linear"
    positive = LossCurveDisplay({"loss": [2.0, 1.0]}).plot()
    assert positive.ax_.get_yscale() == "log"
    assert positive.plot(ax=display.ax_).ax_.get_yscale() == "linear"  # of both fits
    assert display.plot(ax=LossCurveDisplay({"loss": [1]}).plot().ax_).ax_.get_yscale() == "linear"


def test_the_out_of_fold_loss_stands_at_the_ends_and_one_is_chosen():
    clf = C2CClassifier((20,), cv=3, random_state=0).fit(X, Y)
    display = LossCurveDisplay.from_estimator(clf)
    oob = np.array(clf.history_["oob_loss"])
    assert 2 <= np.isfinite(oob).sum() < len(oob)
    assert_drawn(display.lines_["oob_loss"], oob)
    assert display.chosen == clf.n_iter_
    assert_array_equal(display.chosen_line_.get_xdata(), clf.n_iter_)
    assert np.isfinite(oob[clf.n_iter_ - 1])  # it is one of the ends
    mark = display.chosen_line_
    assert all(mark.get_zorder() < line.get_zorder() for line in display.lines_.values())


def test_the_best_validation_loss_is_chosen_and_is_that_of_the_fitted_function():
    rest, held_out = slice(None, None, 2), slice(1, None, 2)
    rows = {"X_val": X_TUMOUR[held_out], "y_val": Y_TUMOUR[held_out]}
    clf = C2CClassifier(**WATCHED).fit(X_TUMOUR[rest], Y_TUMOUR[rest], **rows)
    display = LossCurveDisplay.from_estimator(clf)
    losses = display.lines_["validation_loss"].get_ydata()
    assert len(losses) == clf.n_iter_ > display.chosen  # it went on for a while
    assert losses.argmin() == display.chosen - 1
    found = log_loss(Y_TUMOUR[held_out], clf.predict_proba(X_TUMOUR[held_out]))
    assert_allclose(losses.min(), found, rtol=1e-5)
    assert display.score_ax_ is None


def test_a_validation_score_is_on_an_axis_of_its_own():
    clf = C2CClassifier(**WATCHED, scoring="accuracy").fit(X_TUMOUR, Y_TUMOUR)
    display = LossCurveDisplay.from_estimator(clf)
    line = display.lines_["validation_score"]
    assert_drawn(line, clf.validation_scores_)
    assert line.axes is display.score_ax_ is not display.ax_
    assert display.score_ax_.get_ylabel() == "Validation score"
    assert_array_equal(display.chosen_line_.get_xdata(), 1 + np.argmax(clf.validation_scores_))
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["loss", "penalty", "weight decay", "chosen", "validation score"]
    display.figure_.canvas.draw()
    legend = display.ax_.get_legend().get_window_extent()
    assert legend.y0 >= display.ax_.get_window_extent().y1  # above all curves
    assert 0 <= legend.x0 < legend.x1 <= display.figure_.bbox.x1
    assert legend.y1 <= display.figure_.bbox.y1
    again = display.plot(ax=display.ax_, name="again", parts=["validation_score"])
    assert again.score_ax_ is line.axes  # not a third vertical axis
    assert list(again.lines_) == ["validation_score"]


def test_of_a_warm_start_the_last_fit_chooses():
    clf = C2CClassifier(**WATCHED | {"n_iter_no_change": 3}, warm_start=True)
    clf.fit(X_TUMOUR, Y_TUMOUR).fit(X_TUMOUR, Y_TUMOUR)
    scores = np.array(clf.validation_scores_)
    assert clf.n_iter_ < len(scores)
    chosen = LossCurveDisplay.from_estimator(clf).chosen
    last = scores[-clf.n_iter_ :]
    assert chosen > len(scores) - clf.n_iter_
    assert scores[chosen - 1] == last.max()


def test_increments_go_on():
    clf = C2CClassifier(**ONE)
    for _ in range(4):
        clf.partial_fit(X, Y, classes=[0, 1, 2])
    display = LossCurveDisplay.from_estimator(clf)
    assert_drawn(display.lines_["loss"], clf.history_["loss"])
    assert len(clf.history_["loss"]) == 4
    assert_array_equal(display.ax_.get_xticks() % 1, 0)


@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        (MLPClassifier((5,), max_iter=10, random_state=0), Y),
        (MLPRegressor(hidden_layer_sizes=(5,), max_iter=10, random_state=0), X[:, 0]),
        (C2CAutoencoder(2, max_iter=10, random_state=0), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_curve_without_parts_is_drawn(estimator, y):
    estimator.fit(X, y)
    display = LossCurveDisplay.from_estimator(estimator)
    assert list(display.lines_) == ["objective"]
    assert_drawn(display.lines_["objective"], estimator.loss_curve_)
    assert display.chosen is None


def test_the_chosen_end_of_scikit_learns_early_stopping():
    settings = {"early_stopping": True, "learning_rate_init": 0.02, "random_state": 0}
    mlp = MLPClassifier((5,), **settings).fit(X_TUMOUR, Y_TUMOUR)
    display = LossCurveDisplay.from_estimator(mlp)
    assert_drawn(display.lines_["validation_score"], mlp.validation_scores_)
    assert display.chosen == 1 + np.argmax(mlp.validation_scores_) < mlp.n_iter_


def test_parts_and_names_and_axes_may_be_given(pyplot):
    ax = pyplot.subplots()[1]
    first = C2CClassifier(**ONE).fit(X, Y)
    settings = {"parts": ["loss"], "ax": ax}
    display = LossCurveDisplay.from_estimator(first, name="one", linewidth=3, **settings)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.lines_["loss"].get_linewidth() == 3
    LossCurveDisplay.from_estimator(first, name="two", lw=4, ls=":", **settings)
    assert [line.get_label() for line in ax.lines] == ["one: loss", "two: loss"]
    assert ax.lines[1].get_linestyle() == ":"
    assert list(display.plot(parts=["objective"]).lines_) == ["objective"]


def test_bad_input_is_refused():
    draw = LossCurveDisplay.from_estimator
    for estimator in (C2CClassifier(), MLPClassifier()):
        with pytest.raises(NotFittedError):
            draw(estimator)
    without_curves = [
        RandomForestClassifier(2).fit(X, Y),
        MLPClassifier(solver="lbfgs", max_iter=5).fit(X, Y),
        make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y),
    ]
    for estimator in without_curves:
        with pytest.raises(
            TypeError, match=f"{type(estimator).__name__} keeps no curve of its fit"
        ):
            draw(estimator)
    clf = C2CClassifier(**ONE).fit(X, Y)
    with pytest.raises(ValueError, match=r"parts must be among \[.*'loss'.*Got \['oob_loss'\]"):
        draw(clf, parts=["loss", "oob_loss"])


def test_a_regressor_and_its_solver_of_all_rows():
    X, y = load_diabetes(return_X_y=True)
    reg = C2CRegressor(**ONE | {"solver": "lbfgs", "l2": 1.0}).fit(X, y)
    display = LossCurveDisplay.from_estimator(reg)
    # Half the mean squared error of the standardised targets
    expected = np.mean((reg.predict(X) - y) ** 2) / np.var(y) / 2
    assert_allclose(display.lines_["loss"].get_ydata()[-1], expected, rtol=1e-6)
