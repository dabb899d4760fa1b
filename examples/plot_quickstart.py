"""
Quick start: smooth networks in a pipeline and a grid search
============================================================

Part one compares the penalties of `C2CClassifier` and `C2CRegressor` with scikit-learn's
plain MLP, on data that scikit-learn ships: each penalty's `alpha` and `epsilon` are chosen
by a grid search on the training rows, and all are scored on the same test rows.

Part two draws what the penalties do to the probabilities that a network learns from two
overlapping moons.
"""

import argparse
import warnings

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_digits, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skc2c import C2CClassifier, C2CRegressor

PENALTIES = ["c2c", "jacobian", "vat", "noise", None]
SETTINGS = {"max_iter": 100, "learning_rate_init": 0.003, "random_state": 0}
# One network on the rows as they are, as scikit-learn's, so that nothing but the penalty differs.
PLAIN = {"cv": None, "input_scaling": None, "numeric_embedding": None, "l2": 1.0}


def search(model, penalty, scoring, fast):
    """A pipeline whose grid search picks alpha and epsilon for one penalty."""
    grid = {
        "net__penalty": [penalty],
        "net__alpha": [0.01, 1.0] if penalty not in ("noise", None) else [0.0],
        "net__epsilon": [0.3, 1.0] if penalty is not None else [0.0],
    }
    if fast:
        grid = {name: values[:1] for name, values in grid.items()}
    pipeline = Pipeline([("scale", StandardScaler()), ("net", model)])
    return GridSearchCV(pipeline, grid, scoring=scoring, cv=3, n_jobs=1 if fast else 2)


def compare(title, data, ours, mlp, scoring, fast):
    """Print one table: every penalty, then scikit-learn's MLP."""
    X_train, X_test, y_train, y_test = train_test_split(*data, test_size=0.3, random_state=0)
    print(f"\n{title}\n\n| penalty | alpha | epsilon | cross-validation | test |")
    print("|---|---|---|---|---|")
    for penalty in PENALTIES:
        found = search(ours, penalty, scoring, fast).fit(X_train, y_train)
        best = found.best_params_
        print(
            f"| {penalty} | {best['net__alpha']} | {best['net__epsilon']} "
            f"| {found.best_score_:.3f} | {found.score(X_test, y_test):.3f} |"
        )
    rival = Pipeline([("scale", StandardScaler()), ("net", mlp)])
    rival = GridSearchCV(rival, {}, scoring=scoring, cv=3).fit(X_train, y_train)
    name = type(getattr(mlp, "regressor", mlp)).__name__
    print(f"| {name} | | | {rival.best_score_:.3f} | {rival.score(X_test, y_test):.3f} |")


def draw_moons(path, fast):
    """Probability surfaces of the same network with different penalties."""
    X, y = make_moons(160, noise=0.35, random_state=1)
    X_test, y_test = make_moons(5000, noise=0.35, random_state=2)
    grid = np.stack(np.meshgrid(np.linspace(-2.3, 3.3, 300), np.linspace(-1.9, 2.3, 240)), -1)
    panels = [
        ("no penalty", {"penalty": None}),
        ("c2c", {"penalty": "c2c", "alpha": 0.1, "epsilon": 0.4}),
        ("jacobian", {"penalty": "jacobian", "alpha": 0.1, "epsilon": 0.4}),
        ("vat", {"penalty": "vat", "alpha": 1.0, "epsilon": 0.4}),
    ]
    figure, axes = plt.subplots(1, 4, figsize=(14, 3.6), sharey=True, layout="constrained")
    for axis, (name, settings) in zip(axes, panels, strict=True):
        long = {"l2": 0.01, "max_iter": 20 if fast else 2000}
        long |= {"tol": 0, "learning_rate_init": 0.001}
        clf = C2CClassifier((100, 100), random_state=0, **PLAIN | long | settings).fit(X, y)
        proba = clf.predict_proba(grid.reshape(-1, 2))[:, 1].reshape(grid.shape[:2])
        image = axis.contourf(
            *np.moveaxis(grid, -1, 0), proba, np.linspace(0, 1, 21), cmap="RdBu_r"
        )
        axis.contour(*np.moveaxis(grid, -1, 0), proba, [0.5], colors="k", linewidths=1.2)
        colors = np.where(y == 1, "#b2182b", "#2166ac")
        axis.scatter(*X.T, c=colors, s=20, edgecolors="white", linewidths=0.8)
        loss = log_loss(y_test, clf.predict_proba(X_test))
        axis.set_title(f"{name}\ntest log-loss {loss:.2f}", fontsize=11)
        axis.set(xticks=[], yticks=[])
    bar = figure.colorbar(image, ax=axes, ticks=[0, 0.25, 0.5, 0.75, 1.0], pad=0.01)
    bar.set_label("predicted probability of red")
    figure.savefig(path, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--output", default="quickstart.png", help="where to save the picture")
    parser.add_argument("--fast", action="store_true", help="only show that it runs")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    settings = SETTINGS | ({"max_iter": 5} if arguments.fast else {})
    compare(
        "load_digits: negative log-loss (larger is better)",
        load_digits(return_X_y=True),
        C2CClassifier(**settings, **PLAIN),
        MLPClassifier(**settings),
        "neg_log_loss",
        arguments.fast,
    )
    compare(
        "load_diabetes: R2 (larger is better)",
        load_diabetes(return_X_y=True),
        C2CRegressor(**settings, **PLAIN),
        TransformedTargetRegressor(MLPRegressor(**settings), transformer=StandardScaler()),
        "r2",
        arguments.fast,
    )
    draw_moons(arguments.output, arguments.fast)
    print(f"\nPicture saved to {arguments.output}")


if __name__ == "__main__":
    # Products this small gain nothing from further threads, which would wait for each other.
    with threadpool_limits(1):
        main()
