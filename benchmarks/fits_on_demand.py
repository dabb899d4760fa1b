"""Time fits that are asked for on standard input, with whatever skc2c is on the path.

A line of JSON holds the shape of the data, `n`, `D` and `K`, their `dtype`, and the `parameters` of
the estimator, of which those are used that it knows. The answer is a line with the processor
seconds of the fit. See speed_against.py.
"""

import inspect
import json
import sys
import warnings

import numpy as np
from timing import processor_seconds

from skc2c import C2CClassifier, C2CRegressor


def draw(n, D, K, dtype):
    """Rows, and K classes or, if K is 1, a linear function of them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, D)).astype(dtype)
    if K > 1:
        return X, rng.integers(0, K, n)
    return X, (X @ rng.normal(size=D).astype(dtype)) / np.sqrt(D).astype(dtype)


def fit_seconds(case):
    cls = C2CRegressor if case["K"] == 1 else C2CClassifier
    known = inspect.signature(cls).parameters
    model = cls(**{key: value for key, value in case["parameters"].items() if key in known})
    X, y = draw(case["n"], case["D"], case["K"], case["dtype"])
    return processor_seconds(lambda: model.fit(X, y))


def main():
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        print(fit_seconds(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
