"""
Digits: error against the number of labels
==========================================

An estimator that also learns from rows without a label, with nothing set but the penalty, against
label spreading, self-training and the labelled rows alone. One draw of the labels.
"""

import argparse
import warnings

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from skc2c import C2CClassifier


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--output", default="semi_supervised_digits.png")
    parser.add_argument("--fast", action="store_true", help="only show that it runs")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # trained for as long as is asked for
    # LabelSpreading divides zero by zero at rows that no label has reached.
    warnings.filterwarnings("ignore", "invalid value encountered in divide", RuntimeWarning)

    X, y = load_digits(return_X_y=True)
    settings = {"random_state": 0, **({"max_iter": 5} if options.fast else {})}
    mlp = MLPClassifier(max_iter=5 if options.fast else 1000, random_state=0)
    models = {
        "labelled rows alone": C2CClassifier(**settings),
        "vat": C2CClassifier(penalty="vat", missing_label=-1, **settings),
        "LabelSpreading": LabelSpreading("knn", n_neighbors=7),
        "self-training": SelfTrainingClassifier(mlp, max_iter=1 if options.fast else 10),
    }
    split = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
    X_train, X_test, y_train, y_test = split
    order = np.random.default_rng(0).permutation(len(y_train))
    sizes = [20] if options.fast else [20, 50, 100, 300]
    errors = {name: [] for name in models}
    for size in sizes:
        known = [order[y_train[order] == k][: size // 10] for k in range(10)]
        marked = np.full(len(y_train), -1)
        marked[np.concatenate(known)] = y_train[np.concatenate(known)]
        for name, model in models.items():
            rows = np.concatenate(known) if name == "labelled rows alone" else slice(None)
            score = model.fit(X_train[rows], marked[rows]).score(X_test, y_test)
            errors[name].append(100 * (1 - score))

    for name, values in errors.items():
        print(name, np.round(values, 2))
        plt.plot(sizes, values, marker="o", label=name)
    plt.xscale("log")
    plt.yscale("log")
    plt.xticks(sizes, sizes)
    plt.yticks([2, 5, 10, 20, 30], [2, 5, 10, 20, 30])
    plt.minorticks_off()
    plt.xlabel("rows with a label")
    plt.ylabel("test error, %")
    plt.legend()
    plt.tight_layout()
    plt.savefig(options.output, dpi=130)


if __name__ == "__main__":
    main()
