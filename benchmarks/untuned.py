"""How good is a fit that nobody has tuned? Every contestant with its default settings.

Usage: python benchmarks/untuned.py [--data FOLDER] [--contestants skc2c,mlp,...]
                                    [--results FILE ...] [--report]

FOLDER holds .npz files with arrays ``X`` and ``y`` and a JSON string ``meta`` whose "task"
is "regression", "binary" or "multiclass". Without it, the sets that scikit-learn ships and two
that it generates are used. A set is cut to at most --rows rows and divided into --folds
folds; every contestant is fitted on the same training rows, as they are. One-hot columns are
numbers to all of them. The loss is the log-loss of classes, or the root mean squared error in
standard deviations of the training targets.

Results are appended to the first --results file, one JSON object a line, and whatever is in
any of the files is not measured again: a run can be interrupted and continued, and rivals have
to be measured only once. After a change to the package, start a new file for its contestants.
``--report`` measures nothing and prints the tables in Markdown. An option whose value starts
with a dash, or not, may be given as ``--option=value``.

CatBoost, RealMLP-TD-S and TabM take part if they are installed:
`pip install --group benchmarks` (in PyTorch's CPU build).
"""

import argparse
import json
import logging
import os
import sys
import time
import traceback
import warnings
from datetime import date
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
    make_friedman1,
    make_hastie_10_2,
)
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from timing import environment, markdown

from skc2c import C2C, C2CClassifier, C2CRegressor
from skc2c.solvers import Adam

# --------------------------------------------------------------------------- contestants

# Ours, by what differs from the defaults. What is left out in turn starts with "no-".
SETTINGS = {
    "skc2c": {},
    "no-penalty": {"alpha": 0.0},
    "no-embedding": {"numeric_embedding": None},
    "no-scaling": {"input_scaling": None},
    "no-annealing": {"solver": Adam(schedule="constant")},
    "no-budget": {"max_iter": 200},
    "no-folds": {"cv": None},
    "one-annealed": {"cv": None, "solver": Adam(schedule="cosine")},
    "scaler": {},
    "fixed": {"alpha": 0.1},
    "vat": {"penalty": "vat"},
    "jacobian": {"penalty": "jacobian"},
    "noise": {"penalty": "noise"},
    "adversarial": {"penalty": C2C(perturbation="adversarial")},
    "ladder": {"penalty": "ladder"},
    "lbfgs": {"solver": "lbfgs"},
}
BEHIND_A_SCALER = {"no-scaling", "scaler"}


def ours(name, is_regression, threads):
    """C2CClassifier or C2CRegressor, behind a StandardScaler where that is the point."""
    kind = C2CRegressor if is_regression else C2CClassifier
    model = kind(random_state=0, **SETTINGS[name])
    return make_pipeline(StandardScaler(), model) if name in BEHIND_A_SCALER else model


def mlp(max_iter, is_regression, threads):
    """scikit-learn's network; it needs X and y standardised."""
    if not is_regression:
        return make_pipeline(StandardScaler(), MLPClassifier(max_iter=max_iter, random_state=0))
    model = make_pipeline(StandardScaler(), MLPRegressor(max_iter=max_iter, random_state=0))
    return TransformedTargetRegressor(model, transformer=StandardScaler())


def hgb(is_regression, threads):
    """scikit-learn's boosted trees."""
    kind = HistGradientBoostingRegressor if is_regression else HistGradientBoostingClassifier
    return kind(random_state=0)


def of_pytabkit(name, is_regression, threads):
    """A model with the default parameters that pytabkit has for it."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    import pytabkit

    kind = getattr(pytabkit, name + ("_Regressor" if is_regression else "_Classifier"))
    return kind(device="cpu", n_threads=threads, random_state=0)


class Contestant(NamedTuple):
    """How to make a model, and the packages that it takes (as imported, as installed)."""

    make: callable
    packages: dict = {}

    @property
    def is_available(self):
        return all(find_spec(module) for module in self.packages)


TORCH = {"pytabkit": "pytabkit", "torch": "torch"}
CONTESTANTS = {
    **{name: Contestant(partial(ours, name)) for name in SETTINGS},
    "mlp": Contestant(partial(mlp, 500)),
    "mlp-200": Contestant(partial(mlp, 200)),
    "hgb": Contestant(hgb),
    "catboost": Contestant(partial(of_pytabkit, "CatBoost_D"), {**TORCH, "catboost": "catboost"}),
    "realmlp": Contestant(partial(of_pytabkit, "RealMLP_TD_S"), TORCH),
    "tabm": Contestant(partial(of_pytabkit, "TabM_D"), TORCH),
}
RIVALS = [name for name in CONTESTANTS if name not in SETTINGS]

# ---------------------------------------------------------------------------------- data


class Table(NamedTuple):
    """Rows and their targets: indices of classes, or real numbers."""

    X: np.ndarray
    y: np.ndarray
    is_regression: bool

    def splits(self, n_folds):
        """Training and test rows of each fold."""
        kind = KFold if self.is_regression else StratifiedKFold
        return list(kind(n_folds, shuffle=True, random_state=1).split(self.X, self.y))


def load(path):
    """X, y and whether this is regression, from a file."""
    with np.load(path, allow_pickle=False) as archive:
        meta = json.loads(str(archive["meta"]))
        X, y = archive["X"].astype(float), archive["y"]
    return X.reshape(len(X), -1), y, meta["task"] == "regression"


def bundled(make, is_regression=False):
    """The same, from one of scikit-learn's functions."""
    return *make(), is_regression


BUNDLED = {
    **{
        make.__name__.removeprefix("load_"): partial(bundled, partial(make, return_X_y=True))
        for make in (load_iris, load_wine, load_breast_cancer, load_digits)
    },
    "diabetes": partial(bundled, partial(load_diabetes, return_X_y=True), True),
    "friedman1": partial(bundled, partial(make_friedman1, 1000, noise=1.0, random_state=0), True),
    "hastie": partial(bundled, partial(make_hastie_10_2, 2000, random_state=0)),
}


def sources(options):
    """What loads each of the sets asked for, by name."""
    found = BUNDLED
    if options.data:
        found = {path.stem: partial(load, path) for path in sorted(options.data.glob("*.npz"))}
    return {name: f for name, f in found.items() if is_wanted(name, options)}


def is_wanted(name, options):
    return name not in options.skip and (not options.sets or name in options.sets)


def table(X, y, is_regression, n_rows):
    """At most `n_rows` rows at random, and y as numbers."""
    if len(X) > n_rows:
        rows = np.random.default_rng(1).permutation(len(X))[:n_rows]
        X, y = X[rows], y[rows]
    y = y.astype(float) if is_regression else np.unique(y, return_inverse=True)[1]
    return Table(X, y, is_regression)


# ------------------------------------------------------------------------------ measuring


def classification_loss(y, proba):
    """Mean log-loss of indices of classes."""
    proba = np.clip(proba, 1e-15, 1.0)
    proba = proba / proba.sum(axis=1, keepdims=True)
    return log_loss(y, proba, labels=np.arange(proba.shape[1]))


def regression_loss(y, prediction, unit):
    """Root mean squared error in this unit."""
    return np.sqrt(np.mean((prediction - y) ** 2)) / unit


def calibration_bins(y, proba, n_bins=15):
    """Rows, hits and summed confidence in each bin of the highest probability."""
    confidence, hits = proba.max(axis=1), proba.argmax(axis=1) == y
    place = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    weights = (None, hits, confidence)
    return np.array([np.bincount(place, w, minlength=n_bins) for w in weights]).T


def calibration_error(bins):
    """Expected calibration error: mean over rows of the gap between hits and confidence."""
    n, hits, confidence = np.transpose(bins)
    return np.abs(hits - confidence).sum() / n.sum()


def clocked(run):
    """What a call returns, its seconds on the clock, and those of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def measure(model, rows, train, test):
    """Fit on training rows, predict test rows; a record of how well and how fast."""
    X, y, is_regression = rows
    _, fit_wall, fit_cpu = clocked(lambda: model.fit(X[train], y[train]))
    predict = model.predict if is_regression else model.predict_proba
    outputs, predict_wall, _ = clocked(lambda: np.asarray(predict(X[test]), dtype=float))
    quality = quality_of_regression if is_regression else quality_of_classes
    return {
        **quality(y[train], y[test], outputs),
        **out_of_fold(model[-1] if isinstance(model, Pipeline) else model, y[train]),
        "fit_wall": fit_wall,
        "fit_cpu": fit_cpu,
        "predict_wall": predict_wall,
    }


def quality_of_regression(y_train, y, prediction):
    loss = regression_loss(y, prediction, y_train.std())
    return {"loss": loss, "score": r2_score(y, prediction)}


def quality_of_classes(y_train, y, proba):
    bins = calibration_bins(y, proba)
    return {
        "loss": classification_loss(y, proba),
        "score": accuracy_score(y, proba.argmax(axis=1)),
        "ece": calibration_error(bins),
        "bins": bins.tolist(),
    }


def out_of_fold(model, y):
    """What the model says of itself, if it has out-of-fold predictions of its training rows."""
    if not hasattr(model, "oob_score_"):
        return {}
    if hasattr(model, "oob_prediction_"):
        loss = regression_loss(y, model.oob_prediction_, y.std())
    else:
        loss = classification_loss(y, model.oob_decision_function_)
    return {"oob_score": model.oob_score_, "oob_loss": loss}


class Results:
    """Records of measurements in files, of which the first one grows."""

    def __init__(self, paths, settings):
        self.path, self.settings = paths[0], settings
        lines = [line for path in paths if path.exists() for line in path.open()]
        records = [json.loads(line) for line in lines]
        self.records = [r for r in records if settings.items() <= r.items()]
        self.done = {self.key(record) for record in self.records}

    @staticmethod
    def key(record):
        return record["set"], record["contestant"], record["fold"]

    def add(self, record):
        record = {**record, **self.settings}
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")
        self.done.add(self.key(record))


def measure_all(results, options):
    """Measure what has not been measured yet, and say so line by line; count failures."""
    found, failures, number = sources(options), 0, 0
    keys = [
        (name, contestant, fold)
        for name in found
        for fold in range(options.folds)
        for contestant in options.contestants
    ]
    keys = [key for key in keys if key not in results.done]
    loaded, rows = None, None
    for number, key in enumerate(keys, 1):
        if key[0] != loaded:
            loaded, rows = key[0], table(*found[key[0]](), options.rows)
        text = attempt(results, rows, key, options)
        failures += text.startswith("failed")
        print(f"[{number}/{len(keys)}] {key[0]}, {key[1]}, fold {key[2]}: {text}", flush=True)
    return failures


def attempt(results, rows, key, options):
    """Make one measurement and store it; return a few words on it."""
    name, contestant, fold = key
    try:
        model = CONTESTANTS[contestant].make(rows.is_regression, options.threads)
        record = measure(model, rows, *rows.splits(options.folds)[fold])
    except Exception as error:  # one failure must not cost the night's other measurements
        traceback.print_exc()
        return f"failed: {error!r}"
    results.add({"set": name, "contestant": contestant, "fold": fold, **record, **origin(contestant)})
    return f"loss {record['loss']:.4f}, {record['fit_wall']:.2f} s"


def origin(contestant):
    """When and with what a measurement was made."""
    packages = CONTESTANTS[contestant].packages.values()
    own = ["skc2c", "autograd"] if contestant in SETTINGS else []
    names = [*own, "scikit-learn", "numpy", "scipy", *packages]
    return {"date": date.today().isoformat(), "environment": environment(names)}


# ------------------------------------------------------------------------------- reporting


class Scores:
    """Measurements of all folds together, by contestant and set."""

    def __init__(self, records, options):
        self._folds = {}
        for record in records:
            if is_wanted(record["set"], options):
                key = record["contestant"], record["set"]
                self._folds.setdefault(key, {})[record["fold"]] = record
        self._folds = {
            key: list(folds.values())
            for key, folds in self._folds.items()
            if len(folds) == options.folds
        }
        self.sets = sorted({name for _, name in self._folds})
        found = {contestant for contestant, _ in self._folds}
        self.contestants = [name for name in options.contestants if name in found]

    def values(self, contestant, field, reduce=np.mean):
        """One figure for each set that the contestant has finished and that has the field."""
        found = {}
        for name in self.sets:
            folds = self._folds.get((contestant, name), [])
            if folds and field in folds[0]:
                found[name] = reduce([fold[field] for fold in folds])
        return found

    def pooled_calibration_error(self, contestant):
        """The calibration error of the test rows of all folds together."""
        return {
            name: calibration_error(bins)
            for name, bins in self.values(contestant, "bins", partial(np.sum, axis=0)).items()
        }

    def log_ratios(self, contestant, other, field="loss"):
        """Logarithm of a ratio, on the sets that both have."""
        own, others = self.values(contestant, field), self.values(other, field)
        return {name: np.log(own[name] / others[name]) for name in own if name in others}

    def origins(self):
        """The contestants measured in each environment, with the days."""
        found = {}
        for (contestant, _), folds in self._folds.items():
            for record in folds:
                names, days = found.setdefault(record["environment"], (set(), set()))
                names.add(contestant)
                days.add(record["date"])
        return found


def worst(values):
    """The largest of the values, and whose it is."""
    name = max(values, key=values.get)
    return f"{values[name]:+.3f} ({name})"


def mean(values, form="{:.3f}"):
    return form.format(np.mean(list(values.values()))) if values else ""


def count(values, is_won=lambda value: value < 0.0):
    return f"{sum(map(is_won, values.values()))} of {len(values)}" if values else ""


def loss_table(scores, contestants):
    losses = {name: scores.values(name, "loss") for name in contestants}
    lines = [
        [name, *(f"{loss[name]:.4f}" if name in loss else "" for loss in losses.values())]
        for name in scores.sets
    ]
    return markdown(["set", *losses], lines)


def summary_table(scores):
    opponents = [name for name in ("mlp", "hgb", "catboost", "realmlp") if name in RIVALS]
    opponents = [name for name in opponents if name in scores.contestants]
    header = ["", "sets", "mean log ratio to mlp", "median", "worst"]
    header += [f"beats {name}" for name in opponents] + ["mean accuracy", "mean R2"]
    lines = []
    for name in scores.contestants:
        ratios = scores.log_ratios(name, "mlp")
        wins = [count(scores.log_ratios(name, o)) if o != name else "" for o in opponents]
        classes = scores.values(name, "ece")
        score = scores.values(name, "score")
        by_task = [
            mean({key: value for key, value in score.items() if (key in classes) == wanted})
            for wanted in (True, False)
        ]
        lines.append([name, len(score), *spread(ratios), *wins, *by_task])
    return markdown(header, lines)


def spread(values):
    """Mean, median and worst, as text."""
    if not values:
        return "", "", ""
    middle = np.median(list(values.values()))
    return mean(values, "{:+.3f}"), f"{middle:+.3f}", worst(values)


def seconds_table(scores, threads):
    """Of fitting, summed over all folds and sets, and set by set against the MLP."""
    measured = "fit_cpu" if threads == 1 else "fit_wall"
    header = ["", "sets", "fitting, processor s", "fitting, clock s", "predicting, clock s"]
    header += [f"{measured.removeprefix('fit_')} ratio to mlp, median", "lowest", "highest"]
    lines = []
    for name in scores.contestants:
        fields = ("fit_cpu", "fit_wall", "predict_wall")
        sums = [sum(scores.values(name, field, np.sum).values()) for field in fields]
        ratios = np.exp(list(scores.log_ratios(name, "mlp", measured).values()))
        middle = [f"{f(ratios):.2f}" for f in (np.median, np.min, np.max)] if len(ratios) else []
        sets = len(scores.values(name, "loss"))
        lines.append([name, sets, *(f"{s:.1f}" for s in sums), *(middle or [""] * 3)])
    return markdown(header, lines)


def calibration_table(scores):
    """Mean over sets, mean of the MLP's on the same sets, and set by set."""
    kinds = {
        "mean of folds": lambda name: scores.values(name, "ece"),
        "folds pooled": scores.pooled_calibration_error,
    }
    header = ["", "sets"]
    for kind in kinds:
        header += [f"ECE, {kind}", "part of mlp's", "worst ratio", "below mlp's"]
    lines = []
    for name in scores.contestants:
        cells = [len(scores.values(name, "ece"))]
        for errors in kinds.values():
            cells += calibration_cells(errors(name), errors("mlp"))
        lines.append([name, *cells])
    return markdown(header, lines)


def calibration_cells(own, mlps):
    shared = [name for name in own if name in mlps]
    if not shared:
        return [mean(own), "", "", ""]
    ratios = {name: own[name] / mlps[name] for name in shared}
    part = np.mean([own[name] for name in shared]) / np.mean([mlps[name] for name in shared])
    name = max(ratios, key=ratios.get)
    below = count(ratios, lambda ratio: ratio < 1.0)
    return [mean(own), f"{part:.2f}", f"{ratios[name]:.2f} ({name})", below]


def ingredients_table(scores):
    """What it costs to leave one thing out or to change it, set by set against skc2c."""
    header = ["instead of skc2c", "sets", "mean log ratio of losses", "standard error"]
    header += ["best", "worst", "skc2c is better", "worse by > 2 %", "seconds, ratio of sums"]
    lines = []
    for name in scores.contestants:
        ratios = scores.log_ratios(name, "skc2c")
        if name == "skc2c" or name in RIVALS or not ratios:
            continue
        lowest = min(ratios, key=ratios.get)
        time_own, time_ours = (scores.values(who, "fit_cpu", np.sum) for who in (name, "skc2c"))
        part = sum(time_own[key] for key in ratios) / sum(time_ours[key] for key in ratios)
        lines.append(
            [
                name,
                len(ratios),
                mean(ratios, "{:+.4f}"),
                standard_error(ratios),
                f"{ratios[lowest]:+.3f} ({lowest})",
                worst(ratios),
                count(ratios, lambda ratio: ratio > 0.0),
                count(ratios, lambda ratio: ratio < -np.log(1.02)),
                f"{part:.2f}",
            ]
        )
    return markdown(header, lines)


def standard_error(values):
    values = list(values.values())
    return f"{np.std(values, ddof=1) / np.sqrt(len(values)):.4f}" if len(values) > 1 else ""


def out_of_fold_table(scores):
    """The out-of-fold score minus that on held-out rows: how optimistic is it?"""
    header = ["", "sets", "accuracy or R2: out of fold - test", "standard error"]
    header += ["log of losses: out of fold / test", "standard error"]
    lines = []
    for name in scores.contestants:
        own, test = scores.values(name, "oob_score"), scores.values(name, "score")
        if own:
            gaps = {key: own[key] - test[key] for key in own}
            losses, own = scores.values(name, "loss"), scores.values(name, "oob_loss")
            ratios = {key: np.log(own[key] / losses[key]) for key in own}
            cells = [mean(gaps, "{:+.4f}"), standard_error(gaps)]
            cells += [mean(ratios, "{:+.4f}"), standard_error(ratios)]
            lines.append([name, len(gaps), *cells])
    return markdown(header, lines)


def origins_list(scores):
    lines = []
    for text, (names, days) in scores.origins().items():
        who = ", ".join(name for name in scores.contestants if name in names)
        when = " to ".join(sorted({min(days), max(days)}))
        lines.append(f"* {when}, {text} ({who})")
    return "\n".join(lines)


def report(records, options):
    """All tables, as Markdown."""
    scores = Scores(records, options)
    rivals = [name for name in scores.contestants if name in ("skc2c", *RIVALS)]
    variants = [name for name in scores.contestants if name in SETTINGS]
    protocol = (
        f"At most {options.rows} rows, {options.folds} folds, {options.threads} thread(s). Log-loss,"
        " or root mean squared error in standard deviations of y; logarithms are natural, and"
        " below 0 is better than the other."
    )
    sections = {
        "Loss": loss_table(scores, rivals),
        "Loss of the variants": loss_table(scores, variants),
        "Summary": summary_table(scores),
        "Seconds": seconds_table(scores, options.threads),
        "Calibration": calibration_table(scores),
        "One thing changed": ingredients_table(scores),
        "Out of fold and held out": out_of_fold_table(scores),
        "Measured with": origins_list(scores),
    }
    return "\n\n".join([protocol, *(f"## {title}\n\n{text}" for title, text in sections.items())])


# ------------------------------------------------------------------------------------ main


def names(text):
    return text.split(",")


def parsed(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of .npz files")
    parser.add_argument("--contestants", type=names, help=f"some of {','.join(CONTESTANTS)}")
    parser.add_argument("--sets", type=names, default=[], help="only these sets")
    parser.add_argument("--skip", type=names, default=[], help="not these sets")
    parser.add_argument("--rows", type=int, default=2500, help="at most, of a set")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, nargs="+", default=[Path("untuned.jsonl")])
    parser.add_argument("--report", action="store_true", help="print the tables only")
    options = parser.parse_args(arguments)
    for name in options.contestants or []:
        if name not in CONTESTANTS:
            parser.error(f"unknown contestant {name!r}; there are {', '.join(CONTESTANTS)}")
    if not options.contestants:
        options.contestants = [
            name for name, c in CONTESTANTS.items() if options.report or c.is_available
        ]
    return options


def main(arguments=None):
    options = parsed(arguments)
    settings = {"rows": options.rows, "folds": options.folds, "threads": options.threads}
    results = Results(options.results, settings)
    if options.report:
        print(report(results.records, options))
        return
    # For libraries that are loaded later: the limits below hold for those loaded now.
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        failures = measure_all(results, options)
    if failures:
        sys.exit(f"{failures} measurements failed; the next run tries them again.")


if __name__ == "__main__":
    main()
