"""Plans of several fits, small enough to be carried out in a blink."""

import numpy as np
import pytest
from oracles import LIKELIHOODS, draw_targets

from skc2c import C2C
from skc2c.data.rows import Rows
from skc2c.fitting import Candidate, CrossPlan
from skc2c.network.fourier_features import FourierFeatures
from skc2c.solvers import LBFGS, Adam

WAVES = (FourierFeatures(n_features=3, columns=(0, 2), frequencies=(0.3,)),)
SOLVERS = {"adam": Adam().in_cycles(), "lbfgs": LBFGS()}
each_solver = pytest.mark.parametrize("solver", SOLVERS)


def make_plan(solver="adam", n=41, n_folds=4, n_pool=0, loss="squared_error", **changes):
    """A plan for rows in folds of like sizes."""
    rng = np.random.default_rng(0)
    likelihood = LIKELIHOODS[loss]
    dtype = np.dtype(SOLVERS[solver].dtype)
    X = rng.normal(size=(n + n_pool, 3)).astype(dtype)
    weight = rng.uniform(0.5, 2.0, size=n)
    fold = rng.permutation(n) % n_folds
    settings = {
        "layer_units": (3, 6, likelihood.n_outputs(2)),
        "activation": "tanh",
        "likelihood": likelihood,
        "penalty": C2C(),
        "epsilon": 0.5,
        "l2": 0.1,
        "rows": Rows(X[:n], draw_targets(rng, likelihood, n, 2).astype(dtype), weight),
        "pool": Rows(X, None, np.append(weight, np.ones(n_pool))) if n_pool else None,
        "folds": [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(n_folds)],
        "candidates": [Candidate((), 0.0), Candidate(WAVES, 0.0), Candidate(WAVES, 0.1)],
        "solver": SOLVERS[solver],
        "rate": SOLVERS[solver].rates(0.02),
        "ends": [3, 10, 25],
        "batch_size": 8,
        "shuffle": True,
        "tol": 1e-4,
        "seeds": np.random.SeedSequence(0).spawn(n_folds),
        "offset": None,
        "patience": -np.inf,
        "behind": np.inf,
    }
    return CrossPlan(**(settings | changes))


def train(run, *stops):
    """What the members of a run come to at the last of several ends of cycles."""
    for stop in stops:
        trained = run.trained(run.advance(stop))
    return trained
