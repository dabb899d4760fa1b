"""Permutation-invariant MNIST with 100, 1,000 and all labels.

Usage: python benchmarks/mnist.py [--npz FILE] [--labels 100 1000 all] [--draws 3] [--first-draw 0]
           [--settings NAME ...] [--set KEY=VALUE ...] [--minutes 30] [--validation]
           [--output FILE]

The data come from fetch_openml, or from an .npz file with X (n, 784 or n, 28, 28; 0 to 255)
and y; the last 10,000 rows are held out. With --validation, they are left out altogether, and the
last 1,000 rows before them are held out instead: settings are chosen on these. Pixels are divided
by 255, centred and, but for the estimator by default, projected on their leading principal
components (computed without labels, not whitened, so that distances stay those of the images).
--set changes the settings of every row: `--set max_iter=15 penalty__gradient_distance=2.0`. Runs
that would not end within the minutes given are left out. Prints one Markdown table with the
settings of every row; seconds are those of the processor, not of the clock.
"""

import argparse
import ast
import time
import warnings
from pathlib import Path

import numpy as np
from plain import PLAIN
from sklearn.base import clone
from sklearn.datasets import fetch_openml
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from timing import markdown

from skc2c import C2C, VAT, C2CClassifier, Ladder
from skc2c.solvers import Adam

SURE = {"entropy_weight": 0.1, "balance_weight": 0.4}
NORMALIZED = {
    "components": 100,
    "hidden_layer_sizes": (600, 300),
    "max_iter": 40,
    "normalization": "batch",
    "init_scale": 0.1,
    "learning_rate_init": 0.002,
    "solver": Adam(schedule="cosine"),
}
# Input noise of 0.3, as published for the ladder.
NORMALIZED_TOP = {
    "components": 60,
    "epsilon": 0.3,
    "batch_size": 100,
    "max_iter": 20,
    "normalization": "batch_all",
    "init_scale": 0.1,
    "learning_rate_init": 0.003,
    "solver": Adam(schedule="cosine"),
}
SETTINGS = {
    "by default": {"penalty": "vat", "missing_label": -1, "components": None},
    "ladder, normalised": {
        "penalty": Ladder(normalized_top=True, layer_noise=0.3, noisy_loss=True),
        "alpha": 2.0,
        **NORMALIZED_TOP,
    },
    "ladder, four copies": {
        "penalty": Ladder(n_perturbations=4, normalized_top=True, layer_noise=0.3, noisy_loss=True),
        "alpha": 0.5,
        **NORMALIZED_TOP,
        "hidden_layer_sizes": (600, 300),
        "max_iter": 40,
    },
    "ladder, normalised, long": {
        "penalty": Ladder(normalized_top=True, layer_noise=0.3, noisy_loss=True),
        "alpha": 2.0,
        **NORMALIZED_TOP,
        "max_iter": 50,
    },
    "ladder, less noise": {
        "penalty": Ladder(normalized_top=True, layer_noise=0.2, noisy_loss=True),
        "alpha": 2.0,
        **NORMALIZED_TOP,
        "epsilon": 0.2,
        "max_iter": 50,
    },
    "c2c, normalised": {"penalty": "c2c", "alpha": 0.01, **NORMALIZED_TOP},
    "c2c, probabilities, normalised": {
        "penalty": C2C(space="response"),
        "alpha": 0.1,
        **NORMALIZED_TOP,
    },
    "vat, normalised": {
        "penalty": VAT(**SURE, gradient_distance=3.5),
        "epsilon": 1.4,
        **NORMALIZED,
    },
    "vat, random, normalised": {"penalty": VAT("random", **SURE), "epsilon": 0.3, **NORMALIZED},
    "supervised": {"penalty": None, "components": 60},
    "vat": {"penalty": VAT(), "epsilon": 0.5, "components": 60},
    "vat, random": {
        "penalty": VAT("random", **SURE),
        "epsilon": 0.1,
        "components": 60,
    },
    "vat, entropy, balance": {"penalty": VAT(**SURE), "epsilon": 0.7, "components": 60},
    "c2c": {"penalty": "c2c", "epsilon": 0.03, "components": 60},
    "ladder": {"penalty": "ladder", "epsilon": 0.03, "components": 60},
}
COMMON = {
    "hidden_layer_sizes": (300, 150),
    "alpha": 1.0,
    "l2": 0.0,
    "batch_size": 256,
    "max_iter": 15,
    "n_iter_no_change": np.inf,
    "missing_label": -1,
    **PLAIN,
    "learning_rate_init": 0.001,
}


def load(path, validation):
    """Centred pixels and labels: training rows, and held-out ones to measure errors on."""
    if path:
        with np.load(path) as data:
            X, y = data["X"], data["y"]
    else:
        X, y = fetch_openml("mnist_784", return_X_y=True, as_frame=False)
    X = X.reshape(len(X), -1).astype(np.float32) / 255
    y = y.astype(int)
    X -= X[:-10_000].mean(axis=0)
    if validation:
        X, y = X[:-10_000], y[:-10_000]
    n = 1_000 if validation else 10_000
    return X[:-n], y[:-n], X[-n:], y[-n:]


def mark(y, n_labels, seed):
    """Y with -1 for all but n_labels rows, as many of each class."""
    if n_labels == "all":
        return y.copy()
    rng, marked = np.random.default_rng(seed), np.full(len(y), -1)
    for k in range(10):
        known = rng.permutation(np.flatnonzero(y == k))[: int(n_labels) // 10]
        marked[known] = k
    return marked


def complete(name, n_labels, changes):
    """All settings of a row of the table."""
    settings = SETTINGS[name] if name == "by default" else {**COMMON, **SETTINGS[name]}
    if settings["penalty"] is None and n_labels != "all":
        settings |= {"max_iter": 3000}  # of one batch each
    settings = {key: clone(value, safe=False) for key, value in settings.items()}
    of_penalty = {key for key in changes if key.startswith("penalty__")}
    if of_penalty:
        own = {key.removeprefix("penalty__"): changes[key] for key in of_penalty}
        settings["penalty"].set_params(**own)
    return settings | {key: changes[key] for key in changes.keys() - of_penalty}


def error(settings, n_labels, seed, X, y, X_test, y_test):
    """Test error in per cent, and seconds of processor time."""
    start = time.process_time()
    parameters = {key: value for key, value in settings.items() if key != "components"}
    if settings["components"] is not None:
        pca = PCA(settings["components"], random_state=0).fit(X)
        X, X_test = pca.transform(X), pca.transform(X_test)
    marked = mark(y, n_labels, seed)
    if settings["penalty"] is None:
        X, marked = X[marked != -1], marked[marked != -1]
    clf = C2CClassifier(random_state=seed, **parameters).fit(X, marked)
    return 100 * (1 - clf.score(X_test, y_test)), time.process_time() - start


def table_row(name, n_labels, options, deadline, data):
    """Means over draws of the labels, as far as time allows."""
    settings, errors, took = complete(name, n_labels, dict(options.set)), [], 0.0
    for seed in range(options.first_draw, options.first_draw + options.draws):
        if time.perf_counter() + took > deadline:
            break
        figure, took = error(settings, n_labels, seed, *data)
        errors.append(figure)
        print(n_labels, name, seed, f"{figure:.2f} %, {took:.0f} s", flush=True)
    shown = ", ".join(f"{figure:.2f}" for figure in errors)
    mean = f"{np.mean(errors):.2f}" if errors else "-"
    said = ", ".join(f"{key}={value}" for key, value in settings.items())
    return [n_labels, name, mean, shown, f"{took:.0f}", said]


def change(text):
    """Name and value of a setting, from KEY=VALUE."""
    key, value = text.split("=", 1)
    try:
        return key, ast.literal_eval(value)
    except ValueError:
        return key, value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--npz")
    parser.add_argument("--labels", nargs="+", default=["100", "1000", "all"])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--first-draw", type=int, default=0, help="the seed of the first one")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--set", nargs="+", type=change, default=[], metavar="KEY=VALUE")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--validation", action="store_true")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    data, lines = load(options.npz, options.validation), []
    deadline = time.perf_counter() + 60 * options.minutes
    for n_labels in options.labels:
        for name in options.settings:
            lines.append(table_row(name, n_labels, options, deadline, data))
            print(lines[-1], flush=True)
    header = ["labels", "", "test error, %", "draws", "processor seconds a run", "settings"]
    text = markdown(header, lines) + "\n"
    print(text)
    if options.output:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
