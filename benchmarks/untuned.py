"""How good is a fit that nobody has tuned? Every contestant with its default settings.

Usage: python benchmarks/untuned.py [--data FOLDER] [--contestants skc2c,mlp,...]
                                    [--results FILE ...] [--report]

FOLDER holds .npz files with arrays ``X`` and ``y`` and a JSON string ``meta`` whose "task"
is "regression", "binary" or "multiclass". Without it, sets that scikit-learn ships or
generates are used. A set is cut to at most --rows rows and divided into --folds folds, at random
by --seed; all contestants are fitted on the same rows, in which one-hot columns are numbers like
any others. The loss is the log-loss of a classifier, or the root mean squared error of
a regressor in standard deviations of the training targets.

Each result is appended to the first of the --results files as a line of JSON, and what is in
any of them already is not measured again. So a run can be interrupted and continued, and
rivals need to be measured only once; after a change to the package, give its results a new file.
With --report nothing is measured: the results are printed as Markdown tables.

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
from collections.abc import Callable
from datetime import date
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import json_lines
import numpy as np
from scipy.special import softmax
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
from timing import environment
from untuned_tables import calibration_error, report

from skc2c import C2C, C2CClassifier, C2CRegressor
from skc2c.estimators.targets import class_calibration
from skc2c.solvers import Adam

# --------------------------------------------------------------------------- contestants

# Of the package, by what differs from the defaults. "no-" leaves out an ingredient: the penalty,
# the embedding, the scaling of inputs, the normalisation of plain networks, the temperature and
# the shifts of classifiers, the latter, the shrinkage of regressors, the rate that falls to zero,
# the number of steps that suits n, the folds (and with them everything that is chosen by them).
VARIANTS = {
    "skc2c": {},
    "no-penalty": {"alpha": 0.0},
    "no-embedding": {"numeric_embedding": None},
    "no-scaling": {"input_scaling": None},
    "no-normalization": {"normalization": None},
    "no-temperature": {},
    "no-shift": {},
    "no-shrinkage": {},
    "no-annealing": {"solver": Adam(schedule="constant")},
    "no-budget": {"max_iter": 200},
    "no-folds": {"cv": None},
    "no-folds-annealed": {"cv": None, "solver": Adam(schedule="cosine")},
    "scaler": {},
    "fixed": {"alpha": 0.1},
    "c2c": {"penalty": "c2c"},
    "vat": {"penalty": "vat"},
    "jacobian": {"penalty": "jacobian"},
    "noise": {"penalty": "noise"},
    "adversarial": {"penalty": C2C(perturbation="adversarial")},
    "ladder": {"penalty": "ladder"},
    "lbfgs": {"solver": "lbfgs"},
}
# Other settings, each in place of a default: measured only if they are asked for.
TRIED = {
    "cv-3": {"cv": 3},
    "cv-8": {"cv": 8},
    "fourier": {"numeric_embedding": "fourier"},
    "piecewise-linear": {"numeric_embedding": "piecewise_linear"},
    "units-64": {"hidden_layer_sizes": (64,)},
    "units-200": {"hidden_layer_sizes": (200,)},
    "silu": {"activation": "silu"},
    "rate-0.02": {"learning_rate_init": 0.02},
    "batch-100": {"batch_size": 100},
    "beta_2-0.999": {"solver": Adam(beta_2=0.999)},
    "all-normalized": {"normalization": "batch"},
    "half-temperature": {},
    "two-processes": {"n_jobs": 2},
}
OWN_SETTINGS = VARIANTS | TRIED
BEHIND_A_SCALER = {"no-scaling", "scaler"}


def as_trained(clf, probabilities):
    """Logits of all classes as training left them, and what each is shifted by."""
    shift = clf.logit_shift_
    shift = np.append(0.0, shift) if len(shift) == 1 else shift
    logits = np.log(np.maximum(probabilities, np.finfo(float).tiny))
    return (logits - shift) * clf.temperature_, shift


class HalfTempered(C2CClassifier):
    """A classifier that takes half of the temperature that its folds tell, of its logarithm."""

    def predict_proba(self, X):
        logits, shift = as_trained(self, super().predict_proba(X))
        return softmax(logits / np.sqrt(self.temperature_) + shift, axis=1)


class Untempered(C2CClassifier):
    """A classifier whose outputs stay as training left them."""

    def predict_proba(self, X):
        return softmax(as_trained(self, super().predict_proba(X))[0], axis=1)


class Unshifted(C2CClassifier):
    """A classifier with a temperature, but no shifts."""

    def fit(self, X, y):
        with patch.object(class_calibration, "_OF_SHIFT", 1e4):
            return super().fit(X, y)


CLASSIFIERS = {
    "no-temperature": Untempered,
    "half-temperature": HalfTempered,
    "no-shift": Unshifted,
}


class Unshrunk(C2CRegressor):
    """A regressor whose predictions vary as much as those of its networks."""

    def fit(self, X, y):
        self.center = np.mean(y)
        return super().fit(X, y)

    def predict(self, X):
        return self.center + (super().predict(X) - self.center) / (1.0 - self.shrinkage_)


def kind_of(name, is_regression):
    """C2CClassifier or C2CRegressor, or what differs from it in its predictions."""
    if is_regression:
        return Unshrunk if name == "no-shrinkage" else C2CRegressor
    return CLASSIFIERS.get(name, C2CClassifier)


def ours(name, is_regression, threads):
    """C2CClassifier or C2CRegressor with the settings of this name."""
    model = kind_of(name, is_regression)(random_state=0, **OWN_SETTINGS[name])
    return make_pipeline(StandardScaler(), model) if name in BEHIND_A_SCALER else model


def mlp(max_iter, is_regression, threads):
    """scikit-learn's network, with X and y standardised for it."""
    kind = MLPRegressor if is_regression else MLPClassifier
    model = make_pipeline(StandardScaler(), kind(max_iter=max_iter, random_state=0))
    if is_regression:
        return TransformedTargetRegressor(model, transformer=StandardScaler())
    return model


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
    """How to make a model of a task for a number of threads, and the packages it takes."""

    make: Callable
    packages: tuple = ("scikit-learn", "numpy", "scipy")

    @property
    def is_available(self):
        try:
            return all(version(name) for name in self.packages)
        except PackageNotFoundError:
            return False


OURS = ("skc2c", "autograd", "scikit-learn", "numpy", "scipy")
TORCH = ("pytabkit", "torch", "numpy")
CONTESTANTS = {
    **{name: Contestant(partial(ours, name), OURS) for name in OWN_SETTINGS},
    "mlp": Contestant(partial(mlp, 500)),
    "mlp-200": Contestant(partial(mlp, 200)),
    "hgb": Contestant(hgb),
    "catboost": Contestant(partial(of_pytabkit, "CatBoost_D"), ("catboost", *TORCH)),
    "realmlp": Contestant(partial(of_pytabkit, "RealMLP_TD_S"), TORCH),
    "tabm": Contestant(partial(of_pytabkit, "TabM_D"), TORCH),
}

# ---------------------------------------------------------------------------------- data

# Of the folds, unless another one is asked for: that of all recorded figures.
FIRST_SEED = 1


class Table(NamedTuple):
    """Rows and their targets: indices of classes, or real numbers."""

    X: np.ndarray
    y: np.ndarray
    is_regression: bool

    def splits(self, n_folds, seed=FIRST_SEED):
        """Training and test rows of each fold."""
        kind = KFold if self.is_regression else StratifiedKFold
        return list(kind(n_folds, shuffle=True, random_state=seed).split(self.X, self.y))


def load(path):
    """X, y and whether this is regression, from a file."""
    with np.load(path, allow_pickle=False) as archive:
        meta = json.loads(str(archive["meta"]))
        X, y = archive["X"].astype(float), archive["y"]
    return X.reshape(len(X), -1), y, meta["task"] == "regression"


def bundled(load, is_regression=False, **parameters):
    """X, y and whether this is regression, from one of scikit-learn's functions."""
    return *load(**parameters), is_regression


BUNDLED = {
    "iris": partial(bundled, load_iris, return_X_y=True),
    "wine": partial(bundled, load_wine, return_X_y=True),
    "breast_cancer": partial(bundled, load_breast_cancer, return_X_y=True),
    "digits": partial(bundled, load_digits, return_X_y=True),
    "hastie": partial(bundled, make_hastie_10_2, n_samples=2000, random_state=0),
    "diabetes": partial(bundled, load_diabetes, True, return_X_y=True),
    "friedman1": partial(bundled, make_friedman1, True, n_samples=1000, noise=1, random_state=0),
}


def sources(folder):
    """The functions that load each of the sets, by name."""
    if folder is None:
        return BUNDLED
    return {path.stem: partial(load, path) for path in sorted(folder.glob("*.npz"))}


def table(X, y, is_regression, n_rows):
    """At most so many rows at random, with targets as numbers."""
    if len(X) > n_rows:
        rows = np.random.default_rng(1).permutation(len(X))[:n_rows]
        X, y = X[rows], y[rows]
    y = y.astype(float) if is_regression else np.unique(y, return_inverse=True)[1]
    return Table(X, y, is_regression)


# ------------------------------------------------------------------------------ measuring


def classification_loss(y, proba):
    """Mean log-loss, where y holds indices of columns."""
    proba = np.clip(proba, 1e-15, 1.0)
    proba = proba / proba.sum(axis=1, keepdims=True)
    return log_loss(y, proba, labels=np.arange(proba.shape[1]))


def regression_loss(y, prediction, unit):
    """Root mean squared error in this unit."""
    return np.sqrt(np.mean((prediction - y) ** 2)) / unit


def calibration_bins(y, proba, n_bins=15):
    """Rows, hits and summed confidence, by equal ranges of the highest probability."""
    confidence, hits = proba.max(axis=1), proba.argmax(axis=1) == y
    place = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    weights = (None, hits, confidence)
    return np.array([np.bincount(place, w, minlength=n_bins) for w in weights]).T


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
    """What a model says of itself, if it predicts its training rows out of fold."""
    model = model[-1] if isinstance(model, Pipeline) else model
    if not hasattr(model, "oob_score_"):
        return {}
    if hasattr(model, "oob_prediction_"):
        loss = regression_loss(y, model.oob_prediction_, y.std())
    else:
        loss = classification_loss(y, model.oob_decision_function_)
    return {"oob_score": model.oob_score_, "oob_loss": loss}


def clocked(run):
    """What a call returns, its seconds on the clock, and those of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def measure(model, rows, train, test):
    """Fit on training rows and predict test rows: a record of how well and how fast."""
    X, y, is_regression = rows
    _, fit_wall, fit_cpu = clocked(lambda: model.fit(X[train], y[train]))
    predict = model.predict if is_regression else model.predict_proba
    outputs, predict_wall, _ = clocked(lambda: np.asarray(predict(X[test]), dtype=float))
    quality = quality_of_regression if is_regression else quality_of_classes
    return {
        **quality(y[train], y[test], outputs),
        **out_of_fold(model, y[train]),
        "fit_wall": fit_wall,
        "fit_cpu": fit_cpu,
        "predict_wall": predict_wall,
    }


# -------------------------------------------------------------------------- taking records


class Results:
    """Records of measurements with the same settings, in files of which the first grows."""

    def __init__(self, paths, settings):
        self.path, self.settings = paths[0], settings
        records = [record for path in paths for record in json_lines.read(path)]
        self.records = [record for record in records if settings.items() <= record.items()]

    def keys(self):
        """Set, contestant and fold of all that has been measured."""
        return {(r["set"], r["contestant"], r["fold"]) for r in self.records}

    def add(self, record):
        record = {**record, **self.settings}
        json_lines.append(self.path, record)
        self.records.append(record)


def measure_all(results, options):
    """Measure what has not been measured, with a line of progress each; count failures."""
    found, done, failures = sources(options.data), results.keys(), 0
    keys = [
        (name, contestant, fold)
        for name in found
        if options.wants(name)
        for fold in range(options.folds)
        for contestant in options.contestants
    ]
    keys = [key for key in keys if key not in done]
    loaded, rows = None, None
    for i, key in enumerate(keys, 1):
        name, contestant, fold = key
        if name != loaded:
            loaded, rows = name, table(*found[name](), options.rows)
        outcome = attempt(results, rows, key, options)
        failures += outcome.startswith("failed")
        print(f"[{i}/{len(keys)}] {name}, {contestant}, fold {fold}: {outcome}", flush=True)
    return failures


def attempt(results, rows, key, options):
    """Make one measurement and keep it; a few words on what came of it."""
    name, contestant, fold = key
    try:
        model = CONTESTANTS[contestant].make(rows.is_regression, options.threads)
        record = measure(model, rows, *rows.splits(options.folds, options.seed)[fold])
    except Exception as error:  # must not cost the other measurements of a long run
        traceback.print_exc()
        return f"failed: {error!r}"
    place = {"set": name, "contestant": contestant, "fold": fold}
    results.add({**place, **record, **origin(contestant)})
    return f"loss {record['loss']:.4f}, {record['fit_wall']:.2f} s"


def origin(contestant):
    """When and with what a measurement is made."""
    packages = CONTESTANTS[contestant].packages
    return {"date": date.today().isoformat(), "environment": environment(packages)}


# ------------------------------------------------------------------------------------ main


class Options(argparse.Namespace):
    """The command line."""

    def wants(self, name):
        """Whether a set takes part."""
        return name not in self.skip and (not self.sets or name in self.sets)


def names(text):
    return text.split(",")


def parsed(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of .npz files")
    parser.add_argument(
        "--contestants",
        type=names,
        help=f"separated by commas, of {', '.join(CONTESTANTS)}; "
        "default: all that are installed, with the default settings or without an ingredient",
    )
    parser.add_argument("--sets", type=names, default=[], help="only these, separated by commas")
    parser.add_argument("--skip", type=names, default=[], help="all sets but these")
    parser.add_argument("--rows", type=int, default=2500, help="of a set at most")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="of the folds")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, nargs="+", default=[Path("untuned.jsonl")])
    parser.add_argument("--report", action="store_true", help="only print the tables")
    options = parser.parse_args(arguments, Options())
    for name in options.contestants or []:
        if name not in CONTESTANTS:
            parser.error(f"no contestant {name!r}; there are {', '.join(CONTESTANTS)}")
    return options


def main(arguments=None):
    options = parsed(arguments)
    settings = {name: getattr(options, name) for name in ("rows", "folds", "seed", "threads")}
    results = Results(options.results, settings)
    if options.report:
        options.contestants = options.contestants or list(CONTESTANTS)
        print(report(results.records, options, variants=list(OWN_SETTINGS)))
        return
    if not options.contestants:
        found = [name for name, c in CONTESTANTS.items() if c.is_available]
        options.contestants = [name for name in found if name not in TRIED]
    # For libraries that are loaded later; the limits below are for those that are loaded now.
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        failures = measure_all(results, options)
    if failures:
        sys.exit(f"{failures} measurements failed; the next run tries them again.")


if __name__ == "__main__":
    main()
