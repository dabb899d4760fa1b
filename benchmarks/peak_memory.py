"""Peak resident memory of one call, over what the process held before it: prints one number.

Usage: python benchmarks/peak_memory.py {fit,predict} MODEL N D [--threads N]

MODEL is None, c2c, vat, jacobian or noise (a network of the package with that penalty) or mlp
(the one of scikit-learn). Fits with L-BFGS and 200 hidden units, or predicts probabilities.
The peak is that of this process alone, from /proc (Linux); so each figure takes a process.
"""

import argparse
import warnings
from functools import partial

import numpy as np
from plain import PLAIN
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import threadpool_limits

from skc2c import C2CClassifier, C2CRegressor


def resident(field):
    """A field of the process's status, in MB of 10^6 bytes."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1.024e-3


def peak_over_start(call):
    """What a call needs at most, in MB."""
    before = resident("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # forget the peak so far
    call()
    return resident("VmHWM") - before


def make(task, model):
    if task == "fit":
        settings = {"hidden_layer_sizes": (200,), "solver": "lbfgs", "max_iter": 2}
        penalised, plain = C2CRegressor, MLPRegressor
    else:
        settings = {"hidden_layer_sizes": (100,), "max_iter": 2}
        penalised, plain = C2CClassifier, MLPClassifier
    if model == "mlp":
        return plain(random_state=0, **settings)
    settings |= {**PLAIN, "alpha": 0.03, "epsilon": 0.3, "l2": 1.0}
    return penalised(penalty=None if model == "None" else model, random_state=0, **settings)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["fit", "predict"])
    parser.add_argument("model")
    parser.add_argument("n", type=int)
    parser.add_argument("D", type=int)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(options.n, options.D))
    y = np.sin(X[:, 0]) + X[:, 1]
    model = make(options.task, options.model)
    with threadpool_limits(options.threads):
        if options.task == "predict":
            y = np.digitize(y, [-0.5, 0.5])
        model.fit(X[:2000], y[:2000])  # so that what is loaded at first use does not count
        call = (
            partial(model.fit, X, y) if options.task == "fit" else partial(model.predict_proba, X)
        )
        print(peak_over_start(call))


if __name__ == "__main__":
    main()
