"""Do the penalties help? Cross-validation on three data sets that scikit-learn ships.

Usage: python benchmarks/benefit.py [--n-jobs 2] [--output FILE]

5-fold cross-validation behind a StandardScaler: mean log-loss for load_digits and
load_breast_cancer, mean R2 for load_diabetes. For each penalty the best point of one 3 x 3
grid of alpha x epsilon is reported, and next to it the plain network: single networks of one
hidden layer (cv=None), trained for at most 200 epochs at a rate of 0.003. A second table shows
the accuracy on held-out rows of load_digits when every row is moved a given distance along
the gradient of its own loss. Prints Markdown.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from plain import PLAIN
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skc2c import C2CClassifier, C2CRegressor
from skc2c.inspection import jacobian

GRID = {"alpha": [0.01, 0.1, 1.0], "epsilon": [0.1, 0.3, 1.0]}
# One network on the rows as they are, so that nothing but the penalty differs. At a third of this
# rate 200 epochs on a few hundred rows end before a plain network overfits, and there would
# be less to see.
SETTINGS = {
    **PLAIN,
    "l2": 1.0,
    "max_iter": 200,
    "learning_rate_init": 0.003,
    "random_state": 0,
}
DATA = {
    "digits": (load_digits, "neg_log_loss"),
    "breast_cancer": (load_breast_cancer, "neg_log_loss"),
    "diabetes": (load_diabetes, "r2"),
}


def search(model, grid, name, n_jobs):
    """Best cross-validated score of a grid, and where it was reached."""
    load, scoring = DATA[name]
    folds = KFold if scoring == "r2" else StratifiedKFold
    found = GridSearchCV(
        Pipeline([("scale", StandardScaler()), ("net", model)]),
        {f"net__{key}": values for key, values in grid.items()},
        scoring=scoring,
        cv=folds(5, shuffle=True, random_state=0),
        n_jobs=n_jobs,
    )
    found.fit(*load(return_X_y=True))
    at = ", ".join(f"{key.split('__')[1]}={value}" for key, value in found.best_params_.items())
    return found.best_score_, at


def measure(name, penalties=("c2c", "vat", "jacobian", "noise"), n_jobs=2):
    """Scores (larger is better) on one data set, by penalty."""
    ours = C2CRegressor if name == "diabetes" else C2CClassifier
    scores = {"None": search(ours(penalty=None, **SETTINGS), {}, name, n_jobs)}
    for penalty in penalties:
        grid = {**GRID, "alpha": [0.0]} if penalty == "noise" else GRID
        scores[penalty] = search(ours(penalty=penalty, **SETTINGS), grid, name, n_jobs)
    return scores


def rival(name, n_jobs):
    """scikit-learn's MLP with its defaults, and y standardised for it."""
    if name != "diabetes":
        return search(MLPClassifier(random_state=0), {}, name, n_jobs)
    mlp = MLPRegressor(random_state=0)
    mlp = TransformedTargetRegressor(mlp, transformer=StandardScaler())
    return search(mlp, {}, name, n_jobs)


ROBUST = {
    "None": {"penalty": None},
    "c2c": {"penalty": "c2c", "alpha": 0.3, "epsilon": 0.1},
    "jacobian": {"penalty": "jacobian", "alpha": 0.3, "epsilon": 0.1},
    "vat": {"penalty": "vat", "alpha": 1.0, "epsilon": 1.0},
    "noise": {"penalty": "noise", "epsilon": 0.3},
}
DISTANCES = (0.0, 0.25, 0.5, 1.0)


def robustness(settings):
    """Accuracy on held-out digits (scaled to +-1/2) at each distance from the true row."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X / 16 - 0.5, y, random_state=0)
    clf = C2CClassifier(**SETTINGS, **settings).fit(X_train, y_train)
    residual = clf.predict_proba(X_test) - np.eye(10)[y_test]
    gradient = np.einsum("nk,nkd->nd", residual, jacobian(clf, X_test))
    gradient /= np.linalg.norm(gradient, axis=1, keepdims=True)
    return [clf.score(X_test + distance * gradient, y_test) for distance in DISTANCES]


def robustness_table():
    lines = ["| digits, moved by | " + " | ".join(map(str, DISTANCES)) + " |", "|---" * 5 + "|"]
    for name, settings in ROBUST.items():
        scores = " | ".join(f"{score:.3f}" for score in robustness(settings))
        shown = [f"{key}={value}" for key, value in settings.items() if key != "penalty"]
        lines.append(f"| {name} {' '.join(shown)} | {scores} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    lines = ["| data | measure | network | mean | at |", "|---|---|---|---|---|"]
    for name, (_, scoring) in DATA.items():
        scores = {**measure(name, n_jobs=arguments.n_jobs), "MLP": rival(name, arguments.n_jobs)}
        for network, (score, at) in scores.items():
            label, shown = ("R2", score) if scoring == "r2" else ("log-loss", -score)
            lines.append(f"| {name} | {label} | {network} | {shown:.4f} | {at} |")
    lines += ["", *robustness_table()]
    print("\n".join(lines))
    if arguments.output:
        arguments.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
