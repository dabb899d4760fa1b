"""Make sets of regression noisy, to see how models do where there is little to learn.

Usage: python benchmarks/noisy_targets.py --data FOLDER --signal PART --out FOLDER

Reads .npz files as benchmarks/untuned.py does and writes those of regression with other targets:
``sqrt(signal) y + sqrt(1 - signal) y'``, where y is standardised and y' are the same numbers in
another order, by --seed. So the signal explains at most that part of the variance. Pass the
second folder to benchmarks/untuned.py.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from untuned import sources


def noisy(y, signal, rng):
    """Targets of which a part of the variance is that of other rows."""
    y = (y - y.mean()) / y.std()
    return np.sqrt(signal) * y + np.sqrt(1.0 - signal) * rng.permutation(y)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of .npz files")
    parser.add_argument("--signal", type=float, required=True, help="from 0 to 1")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, source in sources(options.data).items():
        X, y, is_regression = source()
        if is_regression:
            y = noisy(y, options.signal, np.random.default_rng(options.seed))
            meta = json.dumps({"task": "regression"})
            np.savez_compressed(options.out / f"{name}.npz", X=X, y=y, meta=meta)


if __name__ == "__main__":
    main()
