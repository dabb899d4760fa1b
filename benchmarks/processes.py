"""Time fits on several processes against fits on one, on the sets of benchmarks/untuned.py.

Usage: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/processes.py [--data FOLDER]

Each set is two thirds of at most 2,500 rows. Fits take turns, and the fastest of each counts, so
that neither what else the machine does nor the start of the processes does. The last column says
whether predictions are the same to the last bit.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from timing import interleave, seconds
from untuned import names, sources, table

from skc2c import C2CClassifier, C2CRegressor


def fit(rows, n_jobs):
    """An estimator with default settings, fitted to two thirds of the rows, and its seconds."""
    kind = C2CRegressor if rows.is_regression else C2CClassifier
    n, model = 2 * len(rows.y) // 3, kind(random_state=0, n_jobs=n_jobs)
    return model, seconds(lambda: model.fit(rows.X[:n], rows.y[:n]))


def compare(rows, n_jobs, rounds):
    """Seconds of the fastest fit on one process and on several, and whether they agree."""
    fitted = {}

    def timed(n):
        fitted[n], took = fit(rows, n)
        return took

    times = interleave({n: partial(timed, n) for n in (1, n_jobs)}, rounds)
    one, several = (
        model.predict(rows.X) if rows.is_regression else model.predict_proba(rows.X)
        for model in (fitted[1], fitted[n_jobs])
    )
    return times[1].min(), times[n_jobs].min(), np.array_equal(one, several)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of .npz files")
    parser.add_argument("--skip", type=names, default=[], help="all sets but these")
    parser.add_argument("--rows", type=int, default=2500, help="of a set at most")
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args(arguments)
    print(f"| set | one process | {options.n_jobs} | ratio | same |\n|---|---|---|---|---|")
    found = []
    for name, source in sources(options.data).items():
        if name not in options.skip:
            rows = table(*source(), options.rows)
            one, several, are_same = compare(rows, options.n_jobs, options.rounds)
            found.append((one, several))
            print(f"| {name} | {one:.3f} s | {several:.3f} s | {several / one:.2f} | {are_same} |")
    one, several = np.sum(found, axis=0)
    print(f"| sum | {one:.3f} s | {several:.3f} s | {several / one:.3f} | |")


if __name__ == "__main__":
    main()
