"""
A data frame as it comes: strings, dates and missing values
===========================================================

`C2CClassifier` and `C2CRegressor` want numbers, but a table from a database also has text,
dates, categories and gaps. skrub's `tabular_pipeline` stands between the two. It looks at each
column and encodes it, fills the gaps and marks where they were, and hands the result to
the estimator:

    tabular_pipeline(C2CClassifier())

This is the whole model: there is nothing to scale and nothing to tune.

The table here is invented: bookings of a hotel, some of which are cancelled. So the true
probabilities are known, and the picture shows how close to them the predicted ones come. That
says more than accuracy does, for a hotel that overbooks has to add probabilities up. One
invented table cannot tell which model suits yours; here boosted trees and `C2CClassifier` come
equally close, while `MLPClassifier` with its own defaults is far too sure of itself.

skrub is optional: `pip install skrub`. Its encoder of text draws at random, so that figures
differ a little from run to run, unless it is seeded too:
`model.set_params(tablevectorizer__high_cardinality__random_state=0)`.
"""

import argparse
import time
import warnings

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from skrub import tabular_pipeline

from skc2c import C2CClassifier

CANCELS, COMES = "cancelled", "honoured"


def bookings(n, seed):
    """A table of bookings, what became of them, and how likely they were to be cancelled."""
    rng = np.random.default_rng(seed)
    room = rng.choice(["single", "double", "suite", "family room"], n)
    view = rng.choice(["sea view", "sea view, balcony", "yard", "street, quiet", "street"], n)
    country = rng.choice(["NO", "SE", "DE", "FR", "IT"], n, p=[0.4, 0.2, 0.2, 0.1, 0.1])
    days_ahead = np.round(rng.gamma(1.2, 30.0, n))
    arrival = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 700, n), unit="D")
    price = np.exp(rng.normal(4.6, 0.4, n)) * np.where(room == "suite", 2.0, 1.0)
    X = pd.DataFrame(
        {
            # Text with more different values than a category has, as people type it.
            "room": pd.Series(room) + " (" + view + "), no " + rng.integers(1, 500, n).astype(str),
            "country": country,
            # One date as a time stamp, the other one as text.
            "arrival": arrival,
            "booked": (arrival - pd.to_timedelta(days_ahead, unit="D")).strftime("%d %b %Y"),
            "days_ahead": days_ahead,
            "price": np.round(price),
            "guests": np.where(room == "single", 1, rng.integers(1, 5, n)),
        }
    )
    is_summer = np.isin(arrival.month, [6, 7, 8])
    log_odds = (
        -3.0
        + 3.0 * np.log1p(days_ahead / 15.0) * np.where(country == "NO", 0.3, 1.0)
        + 3.0 * (np.log(price) - 4.6) * (room != "suite")
        - 3.0 * is_summer * np.char.startswith(view, "sea")
    )
    probability = 1.0 / (1.0 + np.exp(-log_odds))
    y = np.where(rng.random(n) < probability, CANCELS, COMES)
    return with_gaps(X, rng), y, probability


def with_gaps(X, rng):
    """The table with a part of its cells missing."""
    for column, part in {"country": 0.1, "price": 0.05, "arrival": 0.02, "guests": 0.2}.items():
        X[column] = X[column].mask(rng.random(len(X)) < part)
    return X


def models():
    """The same pipeline around three estimators, all with their defaults."""
    return {
        "C2CClassifier": tabular_pipeline(C2CClassifier(random_state=0)),
        "HistGradientBoosting": tabular_pipeline("classifier"),
        "MLPClassifier": tabular_pipeline(MLPClassifier(random_state=0)),
    }


def compare(n_train, n_test):
    """Fit and predict; print a table, and return the probabilities of cancelling."""
    X, y, _ = bookings(n_train, seed=0)
    X_test, y_test, truth = bookings(n_test, seed=1)
    cancels = y_test == CANCELS
    predicted, lines = {}, []
    for name, model in models().items():
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
        proba = predicted[name] = model.predict_proba(X_test)[
            :, list(model.classes_).index(CANCELS)
        ]
        loss, accuracy = log_loss(cancels, proba), np.mean((proba > 0.5) == cancels)
        expected = f"{proba.sum():.0f}"
        lines.append(f"| {name} | {loss:.3f} | {accuracy:.3f} | {expected} | {seconds:.1f} |")
    best, accuracy = log_loss(cancels, truth), np.mean((truth > 0.5) == cancels)
    print(f"{n_train} bookings to learn from, {n_test} to predict:\n\n{X.head(4).to_string()}\n")
    print("| | log-loss | accuracy | cancelled, expected | seconds |\n|---|---|---|---|---|")
    print(*lines, sep="\n")
    print(f"| the truth | {best:.3f} | {accuracy:.3f} | {truth.sum():.0f} | |")
    print(f"\n{cancels.sum()} were cancelled.")
    return predicted, truth


def draw(predicted, truth, path):
    """Predicted against true probabilities: the closer to the diagonal, the better."""
    figure, axes = plt.subplots(
        1, len(predicted), figsize=(11, 4.3), sharey=True, layout="constrained"
    )
    for axis, (name, proba) in zip(axes, predicted.items(), strict=True):
        axis.scatter(truth, proba, s=6, alpha=0.4, edgecolors="none")
        axis.plot([0, 1], [0, 1], "k", linewidth=1)
        error = np.mean(np.abs(proba - truth))
        axis.set(
            title=f"{name}\nmean distance {error:.2f}", xlabel="true probability", box_aspect=1
        )
    axes[0].set_ylabel("predicted probability of cancelling")
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument(
        "--output", default="tabular_dataframe.png", help="where to save the picture"
    )
    parser.add_argument("--fast", action="store_true", help="fewer rows")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    predicted, truth = compare(*((300, 200) if arguments.fast else (2000, 1000)))
    draw(predicted, truth, arguments.output)
    print(f"\nPicture saved to {arguments.output}")


if __name__ == "__main__":
    main()
