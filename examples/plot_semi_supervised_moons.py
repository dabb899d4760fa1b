"""
Two moons with six labels
=========================

Six rows have a label, the others have none. A network without a penalty draws its boundary
through the labels; a penalty asks the output to change little around every row, and so moves the
boundary to where there are none.
"""

import argparse
import warnings

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning

from skc2c import VAT, C2CClassifier

# One network on the rows as they are, so that nothing but the penalty differs.
PLAIN = {"cv": None, "input_scaling": None, "numeric_embedding": None, "learning_rate_init": 0.001}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--output", default="semi_supervised_moons.png")
    parser.add_argument("--fast", action="store_true", help="only show that it runs")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # trained for as long as is asked for

    X, y = make_moons(500, noise=0.08, random_state=0)
    # Three labels a moon: both ends and the middle.
    ends = [np.argsort(X[y == k, 0])[[15, 125, 235]] for k in (0, 1)]
    known = np.concatenate([np.flatnonzero(y == k)[rows] for k, rows in enumerate(ends)])
    marked = np.full(len(y), -1)
    marked[known] = y[known]

    sure = VAT(entropy_weight=0.1)
    settings = {
        "None": {"penalty": None},
        "c2c": {"penalty": "c2c", "alpha": 1.0, "epsilon": 0.1},
        "jacobian": {"penalty": "jacobian", "alpha": 1.0, "epsilon": 0.1},
        "ladder": {"penalty": "ladder", "alpha": 1.0, "epsilon": 0.1},
        "vat": {"penalty": sure, "alpha": 3.0, "epsilon": 0.3},
    }
    axis = np.linspace(-1.6, 2.6, 200), np.linspace(-1.1, 1.6, 200)
    grid = np.stack(np.meshgrid(*axis), axis=-1).reshape(-1, 2)
    figure, axes = plt.subplots(1, len(settings), figsize=(15, 3.2), sharey=True)
    for ax, (name, parameters) in zip(axes, settings.items(), strict=True):
        clf = C2CClassifier(
            (100, 100),
            missing_label=-1,
            l2=0.01,
            max_iter=3 if options.fast else 300,
            random_state=0,
            **PLAIN,
        ).set_params(**parameters, n_iter_no_change=300)
        rows = known if parameters["penalty"] is None else slice(None)
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
