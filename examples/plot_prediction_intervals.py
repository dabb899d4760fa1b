"""
Prediction intervals
====================

A curve with noise that grows along it, and four ways to say where new targets will be: errors
out of fold, the same in units of a predicted standard deviation, that standard deviation itself,
and two quantiles.
"""

import argparse
import warnings

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skc2c import C2CRegressor

COVERAGE = 0.9


def draw(n, rng):
    """Rows on a line, and targets with noise that grows with x."""
    x = rng.uniform(0.0, 1.0, n)
    return x[:, None], np.sin(7 * x) + (0.05 + 0.6 * x**2) * rng.normal(size=n)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--output", default="prediction_intervals.png")
    parser.add_argument("--fast", action="store_true", help="only show that it runs")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # trained for as long as is asked for
    settings = {"random_state": 0, "max_iter": 5 if options.fast else "auto"}

    rng = np.random.default_rng(0)
    X, y = draw(600, rng)
    X_test, y_test = draw(5000, rng)

    plain = C2CRegressor(**settings).fit(X, y)
    normal = C2CRegressor(loss="gaussian_nll", **settings).fit(X, y)
    tails = (1 - COVERAGE) / 2, (1 + COVERAGE) / 2
    low, high = (C2CRegressor(loss="quantile", quantile=q, **settings).fit(X, y) for q in tails)

    def two_standard_deviations(X):
        mean, std = normal.predict(X, return_std=True)
        return mean - 1.645 * std, mean + 1.645 * std

    ways = {
        "predict_interval": plain.predict_interval,
        "predict_interval, gaussian_nll": normal.predict_interval,
        "1.645 standard deviations": two_standard_deviations,
        "two quantiles": lambda X: (low.predict(X), high.predict(X)),
    }
    grid = np.linspace(0.0, 1.0, 300)[:, None]
    figure, axes = plt.subplots(1, 4, figsize=(15, 3.8), sharey=True)
    for ax, (name, bounds) in zip(axes, ways.items(), strict=True):
        lower, upper = bounds(X_test)
        covered, width = np.mean((lower <= y_test) & (y_test <= upper)), np.mean(upper - lower)
        ax.plot(X[:, 0], y, ".", ms=2, color="0.5")
        ax.fill_between(grid[:, 0], *bounds(grid), alpha=0.4)
        ax.set_title(f"{name}\ncoverage {covered:.3f}, width {width:.2f}", fontsize=10)
        print(f"{name:32} coverage {covered:.3f}  width {width:.2f}")
    figure.tight_layout()
    plt.savefig(options.output, dpi=130)


if __name__ == "__main__":
    main()
