"""A linear classifier on the code of an autoencoder, against one on the scores of PCA.

Usage: python benchmarks/autoencoder.py [--data FOLDER --sets NAME ...] [--variants NAME ...]
                                        [--widths 8 16] [--seeds 3] [--results FILE]

Stratified 5-fold cross-validation of a pipeline of a transformer and a LogisticRegression with
default settings. For each transformer: the mean accuracy; its standard deviation over seeds,
each of which divides the rows and starts the network anew; and the mean squared error of the
reconstruction of held-out rows in parts of their variance. Sets are digits as it is, and .npz
files in FOLDER with arrays ``X`` and ``y``, cut to 2000 rows, behind a StandardScaler.
Prints Markdown, and appends each row to FILE as a line of JSON.
"""

import argparse
import time
import warnings
from pathlib import Path

import json_lines
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from skc2c import C2CAutoencoder

# By what differs from the defaults.
VARIANTS = {
    "default": {},
    "jacobian": {"penalty": "jacobian"},
    "jacobian-1": {"penalty": "jacobian", "alpha": 1.0},
    "noise": {"penalty": "noise"},
    "no-penalty": {"penalty": None},
    "relu": {"activation": "relu"},
    "tanh": {"activation": "tanh"},
    "alpha-1": {"alpha": 1.0},
    "alpha-10": {"alpha": 10.0},
    "l2-0.01": {"l2": 0.01},
    "l2-1": {"l2": 1.0},
    "rate-0.003": {"learning_rate_init": 0.003},
    "units-200": {"hidden_layer_sizes": (200,)},
    "two-layers": {"hidden_layer_sizes": (100, 100)},
    "tanh-code": {"code_activation": "tanh"},
    "half-as-long": {"max_iter": 0.5},
    "twice-as-long": {"max_iter": 2.0},
    "robust": {"input_scaling": "robust"},
}
_STEPS, _BATCH = 2000, 200


def load(name, folder):
    """Rows, classes, and whether the features are in units of their own."""
    if name == "digits":
        return *load_digits(return_X_y=True), False
    with np.load(Path(folder) / f"{name}.npz", allow_pickle=True) as file:
        X, y = file["X"], file["y"]
    kept = np.random.default_rng(0).permutation(len(X))[:2000]
    return X[kept].astype(np.float64), y[kept], True


def transformer(name, width, n, seed):
    """PCA, or an autoencoder."""
    if name == "PCA":
        return PCA(width, random_state=seed)
    settings = dict(VARIANTS[name])
    if "max_iter" in settings:
        settings["max_iter"] = round(settings["max_iter"] * _STEPS / -(-n // _BATCH))
    return C2CAutoencoder(width, random_state=seed, **settings)


def measure(model, X_train, y_train, X_test, y_test):
    """Accuracy of a linear classifier on the code, and the unexplained part of the variance."""
    fitted = clone(model).fit(X_train)
    code, code_test = fitted.transform(X_train), fitted.transform(X_test)
    accuracy = LogisticRegression(max_iter=10_000).fit(code, y_train).score(code_test, y_test)
    error = ((X_test - fitted.inverse_transform(code_test)) ** 2).mean() / X_test.var(axis=0).mean()
    return accuracy, error


def cross_validate(name, width, X, y, is_scaled, n_seeds):
    """Means over folds, for each seed: (n_seeds, 2)."""
    found = np.zeros((n_seeds, 5, 2))
    for seed in range(n_seeds):
        folds = StratifiedKFold(5, shuffle=True, random_state=seed).split(X, y)
        for fold, (train, test) in enumerate(folds):
            X_train, X_test = X[train], X[test]
            if is_scaled:
                scaler = StandardScaler().fit(X_train)
                X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
            model = transformer(name, width, len(train), seed)
            found[seed, fold] = measure(model, X_train, y[train], X_test, y[test])
    return found.mean(axis=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data")
    parser.add_argument("--sets", nargs="+", default=["digits"])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS)[:5])
    parser.add_argument("--widths", nargs="+", type=int, default=[8, 16])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--results")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print("| set | width | transformer | accuracy | over seeds | unexplained | seconds a fit |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for set_name in options.sets:
        data = load(set_name, options.data)
        for width in options.widths:
            for name in ["PCA", *options.variants]:
                start = time.perf_counter()
                found = cross_validate(name, width, *data, options.seeds)
                seconds = (time.perf_counter() - start) / (5 * options.seeds)
                (accuracy, error), spread = found.mean(axis=0), found[:, 0].std()
                numbers = f"{accuracy:.4f} | {spread:.4f} | {error:.3f} | {seconds:.1f}"
                print(f"| {set_name} | {width} | {name} | {numbers} |", flush=True)
                if options.results:
                    record = {"set": set_name, "width": width, "transformer": name}
                    record |= {"accuracy": found[:, 0].tolist(), "error": found[:, 1].tolist()}
                    json_lines.append(Path(options.results), record)


if __name__ == "__main__":
    main()
