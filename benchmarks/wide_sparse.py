"""Wide sparse rows, as of text: fits of the package against scikit-learn's MLPClassifier.

Usage: python benchmarks/wide_sparse.py [--columns N] [--units N] [--rounds N] [--output FILE]

Rows have 75 words each, some of them twice. All fits run in turn in one process on one core, in
the dtype of the rows: whole fits of three epochs (Adam, batches of 200 rows), or of five steps
(L-BFGS). Ratios are taken round by round. The peak is the memory that numpy held at most, in
kernels: units of the memory of the first kernel, which is what theta all but consists of. Prints
Markdown.
"""

import argparse
import os
import sys
import tracemalloc
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits
from timing import environment, interleave, markdown, seconds, spread

from skc2c import C2C, C2CClassifier

N_ROWS, N_ENTRIES = 2000, 75
EPOCHS, STEPS = 3, 5
# One network with a penalty of fixed strength on the rows as they are; batches as the MLP has.
SINGLE = {"cv": None, "input_scaling": None, "alpha": 0.03, "epsilon": 0.3, "batch_size": 200}
PENALTIES = {
    "None": None,
    "c2c": "c2c",
    "c2c, adversarial": C2C("adversarial"),
    "noise": "noise",
    "vat": "vat",
    "jacobian": "jacobian",
}
# How many times as long as the MLP some of them are to take at most.
BOUNDS = {("adam", "None"): 1.2, ("adam", "c2c"): 3.0, ("lbfgs", "None"): 2.0}


def draw(n_columns, dtype):
    """Counts of words, with frequencies by Zipf's law, and two classes."""
    rng = np.random.default_rng(0)
    frequency = 1.0 / np.arange(10, 10 + n_columns)
    columns = rng.choice(n_columns, N_ROWS * N_ENTRIES, p=frequency / frequency.sum())
    starts = np.arange(0, columns.size + 1, N_ENTRIES)
    shape = N_ROWS, n_columns
    X = sparse.csr_matrix(
        (np.ones(columns.size, dtype), rng.permutation(n_columns)[columns], starts), shape
    )
    X.sum_duplicates()
    return X, np.arange(N_ROWS) % 2


def contestants(solver, units, dtype):
    """Models by name, the MLP first."""
    common = {"hidden_layer_sizes": (units,), "random_state": 0, "solver": solver}
    common["max_iter"] = EPOCHS if solver == "adam" else STEPS
    names = PENALTIES if solver == "adam" else ("None", "c2c")
    ours = {
        name: C2CClassifier(penalty=PENALTIES[name], dtype=dtype, **SINGLE, **common)
        for name in names
    }
    return {"MLPClassifier": MLPClassifier(**common)} | ours


def defaults(units, dtype):
    """The default fit of several networks, with as many epochs as the MLP."""
    common = {"hidden_layer_sizes": (units,), "random_state": 0, "max_iter": EPOCHS}
    ours = C2CClassifier(dtype=dtype, batch_size=200, **common)
    return {"MLPClassifier": MLPClassifier(**common), "default fit": ours}


def peak(model, X, y):
    """The most that numpy holds in a fit, in bytes."""
    tracemalloc.start()
    try:
        clone(model).fit(X, y)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def compare(models, X, y, units, rounds):
    """For each model: its seconds, its ratio to the first, and its peak in kernels."""
    runs = {name: partial(seconds, partial(model.fit, X, y)) for name, model in models.items()}
    times = interleave(runs, rounds)
    first = next(iter(times.values()))
    kernel = X.shape[1] * units * X.dtype.itemsize
    return {
        name: (values, values / first, peak(models[name], X, y) / kernel)
        for name, values in times.items()
    }


HEADER = ["solver", "dtype", "model", "seconds", "ratio", "bound", "peak, kernels"]


def rows_of(found, dtype, solver):
    for name, (times, ratios, peak_in_kernels) in found.items():
        bound = BOUNDS.get((solver, name))
        verdict = "" if bound is None else f"{bound:g}"
        yield solver, dtype, name, spread(times), spread(ratios), verdict, f"{peak_in_kernels:.1f}"


PARTS = {
    "adam32": ("adam", "float32", partial(contestants, "adam")),
    "lbfgs": ("lbfgs", "float64", partial(contestants, "lbfgs")),
    "folds": ("adam, folds", "float32", defaults),
    "adam64": ("adam", "float64", partial(contestants, "adam")),
}


def measure(parts, n_columns, units, rounds):
    """Rows of the table, part by part."""
    for part in parts:
        solver, dtype, models = PARTS[part]
        X, y = draw(n_columns, dtype)
        found = list(rows_of(compare(models(units, dtype), X, y, units, rounds), dtype, solver))
        print(markdown(HEADER, found), file=sys.stderr, flush=True)
        yield from found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", type=int, default=100_000)
    parser.add_argument("--units", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # so few iterations do not converge
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with threadpool_limits(1):
        rows = list(measure(arguments.parts, arguments.columns, arguments.units, arguments.rounds))
    title = f"{N_ROWS} x {arguments.columns} rows of {N_ENTRIES} words, {arguments.units} units."
    text = "\n\n".join(
        [title, environment(["numpy", "scipy", "scikit-learn", "autograd"]), markdown(HEADER, rows)]
    )
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
