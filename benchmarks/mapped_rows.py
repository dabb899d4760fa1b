"""Memory that a fit takes beyond rows on disk: one network, and the default with folds.

    python benchmarks/mapped_rows.py [--rows 200000]

50 normal columns in float32, memory-mapped; the peak is that of all arrays made meanwhile
(tracemalloc), for one epoch, as the number of epochs does not matter.
"""

import argparse
import tempfile
import tracemalloc
import warnings
from pathlib import Path

import numpy as np

from skc2c import C2CClassifier

COLUMNS = 50


def mapped_rows(n, folder):
    """Rows on disk, of which nothing is in memory, and their classes."""
    path = Path(folder) / "rows.npy"
    np.save(path, np.random.default_rng(0).normal(size=(n, COLUMNS)).astype("float32"))
    X = np.load(path, mmap_mode="r")
    return X, X[:, 0] > 0


def peak_of_fit(X, y, **settings):
    """Largest size of all arrays of a fit together, in MB of 10^6 bytes."""
    tracemalloc.start()
    C2CClassifier(max_iter=1, random_state=0, **settings).fit(X, y)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return peak


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    n = parser.parse_args().rows
    warnings.simplefilter("ignore")  # trained for one epoch on purpose
    with tempfile.TemporaryDirectory() as folder:
        X, y = mapped_rows(n, folder)
        print(f"{n} rows of {COLUMNS} columns, {X.nbytes / 1e6:.0f} MB on disk")
        print(f"one network: {peak_of_fit(X, y, cv=None):.0f} MB")
        print(f"the default: {peak_of_fit(X, y):.0f} MB")


if __name__ == "__main__":
    main()
