"""How long fits of one network take, against those of another checkout of this repository.

Usage: python benchmarks/speed_against.py CHECKOUT [--rounds 9] [--tasks tiny tabular deep]
           [--solvers adam lbfgs] [--dtypes float32 float64] [--penalties None c2c ...]

Each of the two has a process of its own; they fit the same rows in turn, round after round, on one
BLAS thread each, and a ratio of processor seconds is taken within each round: below one, this
checkout is faster. Parameters that the other one does not know are left out there. Prints
Markdown. A checkout to compare with: git worktree add /tmp/before COMMIT
"""

import argparse
import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
from plain import PLAIN
from speed import FOREVER, PENALTIES, SETTINGS, TASKS
from timing import environment, markdown, spread

HERE = Path(__file__).resolve().parent
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
# Epochs of Adam and iterations of L-BFGS in a fit, which then takes a tenth of a second or more.
EPOCHS = {"tiny": 10, "tabular": 2, "deep": 1, "wide": 1}
ITERATIONS = 10


class Worker:
    """A process that fits with the package of a checkout."""

    def __init__(self, checkout):
        environ = os.environ | ONE_THREAD | {"PYTHONPATH": str(checkout)}
        command = [sys.executable, str(HERE / "fits_on_demand.py")]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env=environ, **pipes)

    def seconds(self, case):
        """Processor seconds of a fit."""
        self.process.stdin.write(json.dumps(case) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def case_of(name, solver, dtype, penalty):
    task, epochs = TASKS[name], EPOCHS[name] if solver == "adam" else ITERATIONS
    parameters = {"hidden_layer_sizes": task.hidden, "batch_size": task.batch_size}
    parameters |= {"penalty": penalty, "solver": solver, "dtype": dtype, "max_iter": epochs}
    parameters |= {"random_state": 0, **PLAIN, **SETTINGS, **FOREVER}
    shape = {"n": task.n, "D": task.D, "K": task.K, "dtype": dtype}
    return {**shape, "parameters": parameters}


def ratios(here, there, case, rounds):
    """Here over there, of each round but the first, which warms up."""
    found = []
    for i in range(rounds + 1):
        in_turn = (here, there) if i % 2 else (there, here)
        seconds = {worker: worker.seconds(case) for worker in in_turn}
        found.append(seconds[here] / seconds[there])
    return np.array(found[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=["tiny", "tabular", "deep"])
    parser.add_argument("--solvers", nargs="+", default=["adam", "lbfgs"])
    parser.add_argument("--dtypes", nargs="+", default=["float32", "float64"])
    parser.add_argument("--penalties", nargs="+", default=list(map(str, PENALTIES)))
    options = parser.parse_args()
    here, there, lines = Worker(HERE.parent), Worker(options.checkout.resolve()), []
    for name, solver, dtype in product(options.tasks, options.solvers, options.dtypes):
        cells = []
        for penalty in options.penalties:
            case = case_of(name, solver, dtype, None if penalty == "None" else penalty)
            cells.append(spread(ratios(here, there, case, options.rounds), "{:.2f}"))
        lines.append([name, solver, dtype, *cells])
        print(*lines[-1], flush=True)
    print(environment(("skc2c", "numpy", "scipy", "autograd")), end="\n\n")
    print(markdown(["task", "solver", "dtype", *options.penalties], lines))


if __name__ == "__main__":
    main()
