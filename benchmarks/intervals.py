"""Prediction intervals: how many targets they hold, and how wide they are.

Usage: python benchmarks/intervals.py [--data FOLDER] [--results FILE] [--report]

FOLDER is as in untuned.py; the regression sets are used. At most --rows rows of a set are trained
on (two thirds of a smaller set), at most 2,000 others are predicted, in --splits random divisions.
Every contestant has default settings, and makes intervals for a coverage of 0.8, 0.9 and 0.95.

Each result is appended to FILE as a line of JSON, and what is in it already is not measured again.
With --report nothing is measured: the results are printed as Markdown tables.

MAPIE takes part if it is installed: `pip install --group benchmarks`.
"""

import argparse
import logging
import os
import warnings
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import json_lines
import numpy as np
from scipy import stats
from scipy.stats import gmean
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from timing import environment, markdown
from untuned import clocked, sources, table

from skc2c import C2CRegressor

COVERAGES = (0.8, 0.9, 0.95)
N_TEST = 2000
N_ROWS = 20_000

# --------------------------------------------------------------------------- contestants
#
# Each takes training rows, targets and test rows, and returns the lower and the upper bounds for
# every coverage, of shape (n_coverages, n), and the seconds that fitting took.


def fitted(model, X, y):
    """A fitted model, and how long that took."""
    return clocked(lambda: model.fit(X, y))[:2]


def folds(loss, X, y, X_test):
    """`predict_interval` of one fit."""
    reg, seconds = fitted(C2CRegressor(loss=loss, random_state=0), X, y)
    bounds = [reg.predict_interval(X_test, coverage) for coverage in COVERAGES]
    return *np.swapaxes(bounds, 0, 1), seconds


def normal(X, y, X_test):
    """Quantiles of the normal distribution with the predicted mean and standard deviation."""
    reg, seconds = fitted(C2CRegressor(loss="gaussian_nll", random_state=0), X, y)
    mean, std = reg.predict(X_test, return_std=True)
    z = stats.norm.ppf((1 + np.array(COVERAGES)) / 2)[:, None]
    return mean - z * std, mean + z * std, seconds


def pair(make, X, y, X_test):
    """Two quantiles, each from a fit of its own."""
    levels = [(1 + side * coverage) / 2 for side in (-1, 1) for coverage in COVERAGES]
    models, seconds = zip(*(fitted(make(q), X, y) for q in levels), strict=True)
    bounds = np.array([model.predict(X_test) for model in models])
    # The fits of one coverage
    return *np.split(bounds, 2), 2 * float(np.mean(seconds))


def our_quantile(q):
    return C2CRegressor(loss="quantile", quantile=q, random_state=0)


def quantile_of_trees(q):
    return HistGradientBoostingRegressor(loss="quantile", quantile=q, random_state=0)


def mapie_cross(X, y, X_test):
    """MAPIE's CV+ with its defaults, which fits the regressor once for each of its folds."""
    from mapie.regression import CrossConformalRegressor

    wrapped = CrossConformalRegressor(
        C2CRegressor(random_state=0), confidence_level=list(COVERAGES), random_state=0
    )
    _, seconds, _ = clocked(lambda: wrapped.fit_conformalize(X, y))
    _, bounds = wrapped.predict_interval(X_test)
    return *np.transpose(bounds, (1, 2, 0)), seconds


def mapie_quantiles(X, y, X_test):
    """MAPIE's conformalized quantile regression: three quantiles, and 3 rows in 10 apart."""
    from mapie.regression import ConformalizedQuantileRegressor

    train, apart = train_test_split(np.arange(len(y)), test_size=0.3, random_state=0)
    fit = partial(fitted, X=X[train], y=y[train])
    median, found, times = fit(our_quantile(0.5)), [], []
    for coverage in COVERAGES:
        trio = [*(fit(our_quantile((1 + side * coverage) / 2)) for side in (-1, 1)), median]
        models, seconds = zip(*trio, strict=True)
        wrapped = ConformalizedQuantileRegressor(
            list(models), confidence_level=coverage, prefit=True
        ).conformalize(X[apart], y[apart])
        found.append(wrapped.predict_interval(X_test)[1][:, :, 0].T)
        times.append(sum(seconds))
    return *np.swapaxes(found, 0, 1), float(np.mean(times))


CONTESTANTS = {
    "predict_interval": partial(folds, "squared_error"),
    "predict_interval, gaussian_nll": partial(folds, "gaussian_nll"),
    "return_std, normal quantiles": normal,
    "pair of quantiles": partial(pair, our_quantile),
    "pair of quantiles, trees": partial(pair, quantile_of_trees),
    "MAPIE, CV+": mapie_cross,
    "MAPIE, quantiles": mapie_quantiles,
}
if find_spec("mapie") is None:
    CONTESTANTS = {k: run for k, run in CONTESTANTS.items() if not k.startswith("MAPIE")}

# ------------------------------------------------------------------------------ measuring


def quality(y, lower, upper, coverage):
    """Coverage, mean width and mean interval score (Gneiting and Raftery, 2007)."""
    missed = np.maximum(lower - y, 0.0) + np.maximum(y - upper, 0.0)
    width = np.maximum(upper - lower, 0.0)
    score = width + 2.0 / (1.0 - coverage) * missed
    hits = (lower <= y) & (y <= upper)
    return {"coverage": hits.mean(), "width": width.mean(), "score": score.mean()}


def division(n, n_rows, seed):
    """Training and test rows."""
    order = np.random.default_rng(seed).permutation(n)
    n_train = min(n_rows, 2 * n // 3)
    return order[:n_train], order[n_train:][:N_TEST]


def measure(name, X, y, train, test):
    """Records of one contestant on one division, in standard deviations of the targets."""
    lower, upper, seconds = CONTESTANTS[name](X[train], y[train], X[test])
    unit = y[train].std()
    for i, coverage in enumerate(COVERAGES):
        found = quality(y[test] / unit, lower[i] / unit, upper[i] / unit, coverage)
        yield {"asked": coverage, "seconds": seconds, **found}


def run(arguments):
    done = {key(record) for record in json_lines.read(arguments.results)}
    for data, load in sources(arguments.data).items():
        X, y, is_regression = load()
        for seed in range(arguments.splits if is_regression else 0):
            rows = table(X, y, is_regression, N_ROWS)
            parts = division(len(rows.y), arguments.rows, seed)
            for name in CONTESTANTS:
                if (data, seed, name) in done:
                    continue
                for record in measure(name, rows.X, rows.y, *parts):
                    record = {"data": data, "split": seed, "name": name, **record}
                    json_lines.append(arguments.results, record)
                    print(record, flush=True)


# -------------------------------------------------------------------------------- report


def key(record):
    return record["data"], record["split"], record["name"]


def means(records, field, **chosen):
    """Mean over the splits of each set, by set."""
    chosen = [r for r in records if all(r[k] == value for k, value in chosen.items())]
    sets = dict.fromkeys(r["data"] for r in chosen)
    return {s: float(np.mean([r[field] for r in chosen if r["data"] == s])) for s in sets}


def names(records):
    """Contestants that were measured, in their order."""
    measured = {r["name"] for r in records}
    return [name for name in CONTESTANTS if name in measured]


def summary(records):
    """Over the sets: mean coverage and its range, geometric means of width, score and time."""
    for asked in COVERAGES:
        lines = []
        for name in names(records):
            of_name = partial(means, records, name=name, asked=asked)
            covered = of_name("coverage")
            time = of_name("seconds")
            base = means(records, "seconds", name="predict_interval", asked=asked)
            lines.append(
                [
                    name,
                    f"{np.mean(list(covered.values())):.3f}",
                    f"{min(covered.values()):.3f} to {max(covered.values()):.3f}",
                    *(f"{gmean(list(of_name(f).values())):.3f}" for f in ("width", "score")),
                    f"{gmean([time[s] / base[s] for s in time]):.1f}",
                ]
            )
        header = [
            f"asked for {asked}",
            "coverage",
            "lowest to highest",
            "width",
            "score",
            "fit time",
        ]
        yield markdown(header, lines)


def by_set(records, field, asked=0.9):
    columns = {name: means(records, field, name=name, asked=asked) for name in names(records)}
    sets = sorted(dict.fromkeys(r["data"] for r in records))
    lines = [[s, *(f"{column.get(s, np.nan):.3f}" for column in columns.values())] for s in sets]
    return markdown([f"{field}, asked for {asked}", *columns], lines)


def report(records):
    return [*summary(records), by_set(records, "coverage"), by_set(records, "score")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--results", type=Path, default=Path("intervals.jsonl"))
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    logging.getLogger().setLevel(logging.WARNING)  # MAPIE says where quantiles cross
    if not arguments.report:
        run(arguments)
    packages = ["numpy", "scikit-learn", "autograd"] + ["mapie"] * (find_spec("mapie") is not None)
    print(*report(json_lines.read(arguments.results)), environment(packages), sep="\n\n")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
