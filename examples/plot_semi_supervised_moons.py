"""
Two moons with six labels
=========================

Six rows have a label, the others have none. An estimator that is given the labelled rows alone
draws its boundary between the labels; a penalty asks the output to change little around every
row, and so moves the boundary to where there are none. Nothing is set but the penalty.
"""

import argparse

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

from skc2c import C2CClassifier

PENALTIES = ["jacobian", "ladder", "c2c", "vat"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--output", default="semi_supervised_moons.png")
    parser.add_argument("--fast", action="store_true", help="only show that it runs")
    options = parser.parse_args()
    X, y = make_moons(500, noise=0.08, random_state=0)
    # Three labels a moon: both ends and the middle.
    ends = [np.argsort(X[y == k, 0])[[15, 125, 235]] for k in (0, 1)]
    known = np.concatenate([np.flatnonzero(y == k)[rows] for k, rows in enumerate(ends)])
    marked = np.full(len(y), -1)
    marked[known] = y[known]

    axis = np.linspace(-1.6, 2.6, 200), np.linspace(-1.1, 1.6, 200)
    grid = np.stack(np.meshgrid(*axis), axis=-1).reshape(-1, 2)
    settings = {"random_state": 0}
    if options.fast:
        settings["max_iter"] = 3
    figure, axes = plt.subplots(1, 5, figsize=(15, 3.2), sharey=True)
    for ax, penalty in zip(axes, [None, *PENALTIES], strict=True):
        rows, name = (known, "labels alone") if penalty is None else (slice(None), penalty)
        clf = C2CClassifier(**settings)
        if penalty is not None:
            clf.set_params(penalty=penalty, missing_label=-1)
        clf.fit(X[rows], marked[rows])
        probability = clf.predict_proba(grid)[:, 1].reshape(200, 200)
        ax.contourf(*axis, probability, levels=np.linspace(0, 1, 11), cmap="RdBu", alpha=0.8)
        ax.scatter(*X.T, s=4, color="0.4")
        ax.scatter(*X[known].T, s=70, c=y[known], cmap="RdBu", edgecolor="k", zorder=3)
        ax.set_title(f"{name}: {clf.score(X, y):.3f}")
        print(name, clf.score(X, y))
    figure.tight_layout()
    plt.savefig(options.output, dpi=130)


if __name__ == "__main__":
    main()
