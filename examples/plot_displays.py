"""
Seeing that a model is smooth
=============================

Displays of fitted models, each drawn by one call: on which features the output depends, how the
fit went, how far the score falls when rows are moved by noise or by an attack, and which
eigenvalues the penalties press down: those of J'J, where J is the Jacobian of the output, and those
of the Fisher information J'FJ, which is small where the network is certain.
"""

import argparse
import warnings

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skc2c import C2CClassifier, C2CRegressor
from skc2c.plots import LossCurveDisplay, RobustnessDisplay, SensitivityDisplay, SpectrumDisplay

SIZES = [0.0, 0.5, 1.0, 1.5, 2.0]


def draw_patients(axes, settings):
    """A regression with named features: the default, which tunes itself."""
    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    model = C2CRegressor(**settings).fit(X, y)
    SensitivityDisplay.from_estimator(model, X, ax=axes[0])
    axes[0].set_title("Diabetes: what the prediction depends on")
    LossCurveDisplay.from_estimator(model, ax=axes[1])
    axes[1].set_title("Diabetes: a fit that tunes itself")
    stopped = C2CRegressor(cv=None, early_stopping=True, random_state=0).fit(X, y)
    LossCurveDisplay.from_estimator(stopped, ax=axes[2])
    axes[2].set_title("Diabetes: one network, stopped early")


def draw_digits(axes, fast):
    """Ten classes: one network for each penalty, which do not differ otherwise, and trees."""
    X_train, X_test, y_train, y_test = train_test_split(
        *load_digits(return_X_y=True), test_size=0.1 if fast else 0.3, random_state=0
    )
    settings = {"cv": None, "alpha": 0.3, "random_state": 0, "max_iter": 2 if fast else 30}
    trees = RandomForestClassifier(10 if fast else 100, random_state=0).fit(X_train, y_train)
    rows = {"X": X_test, "y": y_test, "epsilons": SIZES, "random_state": 0, "ax": axes[0]}
    RobustnessDisplay.from_estimator(trees, name="forest", color="0.5", **rows)
    for color, penalty in enumerate([None, "c2c", "jacobian", "vat"]):
        model = C2CClassifier(penalty=penalty, **settings).fit(X_train, y_train)
        style = {"name": penalty or "no penalty", "color": f"C{color}"}
        for kind in ("random", "adversarial"):
            scores = RobustnessDisplay.from_estimator(model, kind=kind, **rows, **style).scores
            words = [
                f"{score:.3f} at {size}" for score, size in zip(scores.mean(1), SIZES, strict=True)
            ]
            print(f"{style['name']:10}  {kind:11}  accuracy {', '.join(words)}")
        for kind, ax in zip(("jacobian", "fisher"), axes[1:], strict=True):
            SpectrumDisplay.from_estimator(model, X_test, kind=kind, ax=ax, **style)
    axes[0].set_title("Digits: rows that are moved")
    axes[1].set_title("Digits: what 'c2c' and 'jacobian' press down")
    axes[2].set_title("Digits: what 'vat' presses down")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--output", default="displays.png", help="where to save the picture")
    parser.add_argument("--fast", action="store_true", help="only show that it runs")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # trained for as long as is asked for
    settings = {"random_state": 0, "max_iter": 10 if options.fast else "auto"}

    figure, axes = plt.subplots(2, 3, figsize=(15, 9), layout="constrained")
    draw_patients(axes[0], settings)
    draw_digits(axes[1], options.fast)
    figure.savefig(options.output, dpi=130)


if __name__ == "__main__":
    main()
