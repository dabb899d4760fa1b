"""
Regression with few labels
==========================

Rows on a curve in the plane, whose target changes along it. Eight rows have a target. The
penalty keeps the output smooth around all rows.
"""

import argparse
import warnings

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skc2c import C2CRegressor

# One network on the rows as they are, so that nothing but the penalty differs.
PLAIN = {"cv": None, "input_scaling": None, "numeric_embedding": None, "learning_rate_init": 0.001}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--output", default="semi_supervised_regression.png")
    parser.add_argument("--fast", action="store_true", help="only show that it runs")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # trained for as long as is asked for

    rng = np.random.default_rng(0)
    t = np.sort(rng.uniform(0, 1, 600))
    X = np.column_stack([np.cos(9 * t) * (0.3 + t), np.sin(9 * t) * (0.3 + t)])
    X += 0.02 * rng.normal(size=X.shape)
    y = np.sin(6 * t)
    known = np.linspace(10, 589, 8).astype(int)
    marked = np.full(len(y), np.nan)
    marked[known] = y[known] + 0.02 * rng.normal(size=len(known))

    settings = {
        "None": {
            "penalty": None,
            "missing_label": None,
            "max_iter": 3 if options.fast else 3000,
        },
        "c2c": {
            "penalty": "c2c",
            "alpha": 0.3,
            "epsilon": 0.1,
            "max_iter": 3 if options.fast else 1000,
        },
        "vat": {
            "penalty": "vat",
            "alpha": 0.3,
            "epsilon": 0.2,
            "max_iter": 3 if options.fast else 1000,
        },
    }
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), sharey=True)
    for ax, (name, parameters) in zip(axes, settings.items(), strict=True):
        reg = C2CRegressor((100, 100), missing_label=np.nan, l2=0.01, random_state=0, **PLAIN)
        reg.set_params(**parameters, n_iter_no_change=3000)
        rows = known if parameters["penalty"] is None else slice(None)
        reg.fit(X[rows], marked[rows])
        error = np.sqrt(np.mean((reg.predict(X) - y) ** 2))
        ax.plot(t, y, color="0.6", label="target")
        ax.plot(t, reg.predict(X), ".", ms=3, label="prediction")
        ax.plot(t[known], marked[known], "ko", label="known")
        ax.set_title(f"{name}: error {error:.3f}")
        ax.set_xlabel("position along the curve")
        print(name, error)
    axes[0].legend()
    figure.tight_layout()
    plt.savefig(options.output, dpi=130)


if __name__ == "__main__":
    main()
