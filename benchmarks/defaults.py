"""Choose the defaults of alpha, epsilon, l2 and learning_rate_init, by experiment.

Usage: python benchmarks/defaults.py FOLDER [--penalty c2c] [--n-jobs 2] [--output FILE]

FOLDER holds .npz files with arrays ``X`` and ``y`` and a JSON string ``meta`` whose "task"
is "regression", "binary" or "multiclass". Each data set is cut to at most 2,000 training
and 5,000 test rows, standardised, and fitted with every setting of the grid, twice. A
setting's score on a data set is the logarithm of its test log-loss (RMSE for regression),
minus that of scikit-learn's MLP with its own defaults on the same split (and y
standardised for it): below 0 is better than the MLP. The table reports the mean over data
sets, and on how many of them the MLP was beaten.
"""

import argparse
import itertools
import json
import warnings
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from skc2c import C2CClassifier, C2CRegressor

GRID = {
    "alpha": [0.03, 0.1, 0.3, 1.0],
    "epsilon": [0.1, 0.3],
    "l2": [0.1, 1.0, 10.0],
    "learning_rate_init": [0.001, 0.003],
}
SPLITS = 2


def load(path):
    with np.load(path, allow_pickle=False) as archive:
        meta = json.loads(str(archive["meta"]))
        X, y = archive["X"].astype(np.float64), archive["y"]
    return X.reshape(len(X), -1), y, meta["task"] == "regression"


def split(X, y, is_regression, seed):
    test_size = min(len(y) - min(2000, int(0.8 * len(y))), 5000)
    X_train, X_test, y_train, y_test = train_test_split(
        X,
        y,
        train_size=min(2000, int(0.8 * len(y))),
        test_size=test_size,
        random_state=seed,
        stratify=None if is_regression else y,
    )
    scaler = StandardScaler().fit(X_train)
    return scaler.transform(X_train), scaler.transform(X_test), y_train, y_test


def log_score(model, data):
    X_train, X_test, y_train, y_test = data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X_train, y_train)
    if hasattr(model, "classes_"):
        return np.log(log_loss(y_test, model.predict_proba(X_test), labels=model.classes_))
    return np.log(root_mean_squared_error(y_test, model.predict(X_test)))


def mlp(is_regression, seed):
    """The rival; it needs y standardised, which C2CRegressor does by itself."""
    if is_regression:
        return TransformedTargetRegressor(
            MLPRegressor(random_state=seed), transformer=StandardScaler()
        )
    return MLPClassifier(random_state=seed)


def measure(path, seed, settings):
    """Log scores of the MLP and of every setting, on one split of one data set."""
    X, y, is_regression = load(path)
    data = split(X, y, is_regression, seed)
    reference = log_score(mlp(is_regression, seed), data)
    c2c = C2CRegressor if is_regression else C2CClassifier
    return [log_score(c2c(random_state=seed, **s), data) - reference for s in settings]


def grid(penalty, solver):
    names = list(GRID)
    if penalty is None:
        names = ["l2", "learning_rate_init"]
    points = itertools.product(*(GRID[name] for name in names))
    return [
        {"penalty": penalty, "solver": solver, **dict(zip(names, point, strict=True))}
        for point in points
    ]


def table(settings, scores):
    """Markdown, best mean first; scores is (settings, data sets)."""
    names = list(settings[0])
    lines = [
        "| " + " | ".join([*names, "mean", "median", "worst", "MLP beaten"]) + " |",
        "|" + "---|" * (len(names) + 4),
    ]
    for i in np.argsort(scores.mean(axis=1)):
        row = scores[i]
        figures = [f"{row.mean():.3f}", f"{np.median(row):.3f}", f"{row.max():.3f}"]
        beaten = f"{(row < 0).sum()} of {len(row)}"
        lines.append("| " + " | ".join([*map(str, settings[i].values()), *figures, beaten]) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--penalty", default="c2c")
    parser.add_argument("--solver", default="adam")
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()

    paths = [p for p in sorted(arguments.folder.glob("*.npz")) if "mnist" not in p.name]
    settings = grid(None if arguments.penalty == "None" else arguments.penalty, arguments.solver)
    tasks = list(itertools.product(paths, range(SPLITS)))
    results = Parallel(arguments.n_jobs, verbose=5)(
        delayed(measure)(path, seed, settings) for path, seed in tasks
    )
    scores = np.reshape(results, (len(paths), SPLITS, len(settings))).mean(axis=1)
    text = table(settings, scores.T)
    best = scores[:, scores.mean(axis=0).argmin()]
    text += "\n\nThe best setting, by data set: "
    text += ", ".join(f"{p.stem} {s:.3f}" for p, s in zip(paths, best, strict=True)) + ".\n"
    print(text)
    if arguments.output:
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
