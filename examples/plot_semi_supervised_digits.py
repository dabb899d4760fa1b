"""
Digits: error against the number of labels
==========================================

Networks that also learn from rows without a label, against label spreading, self-training
and the labelled rows alone. Means over three draws of the labels, with standard errors.
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

from skc2c import VAT, C2CClassifier

# One network on the rows as they are, so that nothing but the penalty differs.
PLAIN = {"cv": None, "input_scaling": None, "numeric_embedding": None, "learning_rate_init": 0.001}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--output", default="semi_supervised_digits.png")
    parser.add_argument("--fast", action="store_true", help="only show that it runs")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # trained for as long as is asked for

    X, y = load_digits(return_X_y=True)
    X = X / 16 - X.mean(axis=0) / 16
    epochs = 20 if options.fast else 200
    network = C2CClassifier(
        (100, 100), l2=0.1, max_iter=epochs, missing_label=-1, random_state=0, **PLAIN
    )
    sure = VAT(entropy_weight=0.1, balance_weight=0.4)
    mlp = MLPClassifier((100, 100), max_iter=5 * epochs, random_state=0)
    models = {
        "labelled rows alone": C2CClassifier(
            (100, 100), l2=1.0, penalty=None, max_iter=5 * epochs, random_state=0, **PLAIN
        ),
        "c2c": C2CClassifier(**network.get_params()).set_params(alpha=3.0, epsilon=0.1),
        "vat": C2CClassifier(**network.get_params()).set_params(
            penalty=sure, alpha=1.0, epsilon=0.5
        ),
        "LabelSpreading": LabelSpreading("knn", n_neighbors=7),
        "self-training": SelfTrainingClassifier(mlp, max_iter=1 if options.fast else 10),
    }
    sizes, draws = ([20], 2) if options.fast else ([20, 50, 100, 200, 500], 3)
    errors = {name: np.zeros((len(sizes), draws)) for name in models}
    for draw in range(draws):
        split = train_test_split(X, y, test_size=0.3, stratify=y, random_state=draw)
        X_train, X_test, y_train, y_test = split
        order = np.random.default_rng(draw).permutation(len(y_train))
        for i, size in enumerate(sizes):
            known = [order[y_train[order] == k][: size // 10] for k in range(10)]
            marked = np.full(len(y_train), -1)
            marked[np.concatenate(known)] = y_train[np.concatenate(known)]
            for name, model in models.items():
                rows = np.concatenate(known) if name == "labelled rows alone" else slice(None)
                score = model.fit(X_train[rows], marked[rows]).score(X_test, y_test)
                errors[name][i, draw] = 100 * (1 - score)

    for name, values in errors.items():
        print(name, values.mean(axis=1).round(2))
        error = values.std(axis=1, ddof=1) / np.sqrt(draws)
        plt.errorbar(sizes, values.mean(axis=1), error, marker="o", capsize=3, label=name)
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
