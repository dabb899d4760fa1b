"""How fast is training? Against scikit-learn, PyTorch and the bare matrix products.

Usage: python benchmarks/speed.py [--threads 1] [--rounds 7] [--output FILE] [--tables ...]

Everything runs in one process with BLAS (and PyTorch) held to the given number of threads,
rivals in turn, round after round; a ratio is taken within each round. A cell shows the median
and, between brackets, the extremes. PyTorch is optional: `pip install --group speed`
(in the CPU build); without it its columns are left out. Prints Markdown; the whole takes
a quarter of an hour. Peak memory is measured on Linux only.
"""

import argparse
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from in_numpy import JacobianProducts, Products, value_and_gradient
from plain import PLAIN
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import threadpool_limits
from timing import (
    environment,
    interleave,
    log_slope,
    markdown,
    processor_seconds,
    seconds,
    spread,
)

from skc2c import C2C, VAT, C2CClassifier, C2CRegressor, Jacobian, Noise
from skc2c.data.rows import Rows
from skc2c.likelihoods import Categorical, Gaussian
from skc2c.machine.threads import map_in_order
from skc2c.network import Members, Network
from skc2c.objective import Objective, Term
from skc2c.objective.members import MembersTerm
from skc2c.penalties import NoPenalty
from skc2c.random_streams import MemberStreams
from skc2c.solvers import Adam

try:
    import in_torch
    import torch
except ImportError:
    in_torch = None

PENALTIES = {None: NoPenalty, "c2c": C2C, "vat": VAT, "jacobian": Jacobian, "noise": Noise}
DTYPES = ("float32", "float64")
FOREVER = {"n_iter_no_change": 10**6, "tol": 0.0}
# One network at a constant rate, on rows as they are.
SETTINGS = {**PLAIN, "alpha": 0.03, "epsilon": 0.3, "l2": 1.0, "learning_rate_init": 0.001}


class Task(NamedTuple):
    """A row of the training table."""

    n: int
    batch_size: int
    D: int
    hidden: tuple
    K: int
    epochs: int  # in one timed run

    def data(self, dtype):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(self.n, self.D)).astype(dtype)
        if self.K > 1:
            return X, rng.integers(0, self.K, self.n)
        return X, (X @ rng.normal(size=self.D).astype(dtype)) / np.sqrt(self.D).astype(dtype)

    @property
    def units(self):
        return (self.D, *self.hidden, self.K)


TASKS = {
    "tiny": Task(2_000, 32, 8, (32,), 1, 20),
    "tabular": Task(20_000, 200, 20, (100,), 1, 5),
    "deep": Task(20_000, 200, 50, (100, 100), 10, 2),
    "wide": Task(20_000, 256, 784, (256, 128), 10, 1),
}

# What is asked for: (numerator, denominator, the most that a ratio may be, by task; None where
# the ratio is for information). "auto" is the package as users get it, float64 rows and
# dtype='auto', which is float32.
ANYHOW = dict.fromkeys(TASKS)
EVERYWHERE = dict.fromkeys(TASKS, 0.7)
WIDER = {"tiny": 0.7, "tabular": 0.7, "deep": 0.9, "wide": 0.9}
TARGETS = [
    ("auto None", "sklearn float64", EVERYWHERE),
    ("auto c2c", "sklearn float64", dict.fromkeys(TASKS, 1.0)),
    *((f"{dtype} {p}", f"sklearn {dtype}", ANYHOW) for p in (None, "c2c") for dtype in DTYPES),
    *((f"{dtype} c2c", f"torch {dtype} c2c", WIDER) for dtype in DTYPES),
    *((f"{dtype} vat", f"torch {dtype} vat", WIDER) for dtype in DTYPES),
    *((f"{dtype} jacobian", f"torch {dtype} jacobian", {"deep": 0.25}) for dtype in DTYPES),
    *((f"products {d} jacobian", f"torch {d} jacobian", {"deep": None}) for d in DTYPES),
    ("float32 c2c", "products float32", {"deep": 2.2, "wide": 1.6}),
]


def target_table(times):
    """Every ratio that is asked for, from the times of each task."""
    rows = [
        _verdict(f"{name}: {above} / {below}", times[name], above, below, limit)
        for above, below, limits in TARGETS
        for name, limit in limits.items()
        if above in times[name] and below in times[name]
    ]
    return markdown(["ratio", "reached", "asked", ""], rows)


def _verdict(label, times, above, below, limit):
    ratio = times[above] / times[below]
    missed = limit is not None and np.median(ratio) > limit
    return label, spread(ratio, "{:.2f}"), limit or "-", "missed" if missed else ""


# ----------------------------------------------------------------------------- training


def train_ours(task, X, y, penalty, dtype):
    cls = C2CRegressor if task.K == 1 else C2CClassifier
    model = cls(
        task.hidden,
        penalty=penalty,
        batch_size=task.batch_size,
        max_iter=task.epochs,
        dtype=dtype,
        random_state=0,
        **SETTINGS,
        **FOREVER,
    )
    return seconds(lambda: model.fit(X, y)) / task.epochs


def train_sklearn(task, X, y):
    cls = MLPRegressor if task.K == 1 else MLPClassifier
    model = cls(
        hidden_layer_sizes=task.hidden,
        batch_size=task.batch_size,
        max_iter=task.epochs,
        random_state=0,
        **FOREVER,
    )
    return seconds(lambda: model.fit(X, y)) / task.epochs


def train_torch(task, X, y, penalty):
    y = y[:, None] if task.K == 1 else y
    arguments = X, y, task.hidden, task.K, penalty, task.batch_size, task.epochs
    return seconds(lambda: in_torch.train(*arguments)) / task.epochs


def train_products(task, dtype, kind=Products):
    products, n_steps = kind(task.units, task.batch_size, dtype), -(-task.n // task.batch_size)
    return seconds(lambda: [products.step() for _ in range(n_steps)])


def training_contestants(task):
    contestants = {}
    for dtype in DTYPES:
        X, y = task.data(dtype)
        for penalty in PENALTIES:
            contestants[f"{dtype} {penalty}"] = partial(train_ours, task, X, y, penalty, dtype)
            if in_torch is not None:
                contestants[f"torch {dtype} {penalty}"] = partial(train_torch, task, X, y, penalty)
        contestants[f"sklearn {dtype}"] = partial(train_sklearn, task, X, y)
        contestants[f"products {dtype}"] = partial(train_products, task, dtype)
        if len(task.hidden) == 2:
            bound = partial(train_products, task, dtype, JacobianProducts)
            contestants[f"products {dtype} jacobian"] = bound
    for penalty in (None, "c2c"):
        contestants[f"auto {penalty}"] = partial(train_ours, task, X, y, penalty, "auto")
    return contestants


def training(rounds):
    times = {name: interleave(training_contestants(task), rounds) for name, task in TASKS.items()}
    sections = ["## Training with Adam: milliseconds per epoch"]
    for name, task in TASKS.items():
        sections.append(f"**{name}**: {task.n} rows, batches of {task.batch_size}, {task.units}")
        sections.append(_training_table(times[name]))
    return [*sections, "### Ratios asked for", target_table(times)]


def _training_table(times):
    who = ["", "torch "]
    lines = [
        [prefix + dtype, *(_cell(times, f"{prefix}{dtype} {penalty}") for penalty in PENALTIES)]
        for dtype in DTYPES
        for prefix in who
    ]
    blank = [""] * len(PENALTIES)
    lines.append(["auto", *(_cell(times, f"auto {p}") for p in (None, "c2c")), *blank[2:]])
    lines += [[k, _cell(times, k), *blank[1:]] for k in (f"sklearn {dtype}" for dtype in DTYPES)]
    lines += [
        [k, "", _cell(times, k), "", _cell(times, f"{k} jacobian"), ""]
        for k in (f"products {dtype}" for dtype in DTYPES)
    ]
    return markdown(["", *map(str, PENALTIES)], lines)


def _cell(times, key):
    return spread(1e3 * times[key]) if key in times else "-"


# --------------------------------------------------------------- one step, and one pass


class Fixed(C2C):
    """C2C at a probe that is there already: what is timed is value and gradient alone."""

    def probe(self, network, family, theta, X, y, epsilon, rng):
        return self.held


def step(rounds, repeats=100):
    """Value and gradient of one deep c2c batch: traced, and by hand."""
    task, contestants = TASKS["deep"], {}
    for dtype in DTYPES:
        X, y = task.data(dtype)
        one_hot = np.eye(task.K, dtype=dtype)[y]
        network = Network(task.units, "relu")
        rng = np.random.default_rng(0)
        theta, batch = network.initialize(rng, dtype), np.arange(task.batch_size)
        held = C2C().probe(network, Categorical(), theta, X[batch], None, 0.3, rng)
        penalty = Fixed()
        penalty.held = held
        rows = Rows(X, one_hot, np.ones(task.n))
        objective = Term(network, Categorical(), penalty, 0.03, 0.3, 0.0, rows)
        by_hand = *network.unpack(theta), held.rows, one_hot[batch], 0.03
        traced = objective.on_batch(theta, batch, rng)
        np.testing.assert_allclose(traced[0], value_and_gradient(*by_hand)[0], rtol=1e-5)
        contestants |= {
            f"traced {dtype}": _repeated(partial(objective.on_batch, theta, batch, rng), repeats),
            f"by hand {dtype}": _repeated(partial(value_and_gradient, *by_hand), repeats),
        }
    times = interleave(contestants, rounds)
    rows = [_verdict(d, times, f"traced {d}", f"by hand {d}", 1.3) for d in DTYPES]
    return [
        "## Value and gradient of one deep c2c batch: through autograd, over by hand in numpy",
        markdown(["", "ratio", "asked", ""], rows),
    ]


def _repeated(call, times, measure=seconds):
    return lambda: measure(lambda: [call() for _ in range(times)]) / times


# ------------------------------------------------------------------ networks side by side


def members(rounds, repeats=200):
    """A training step of four networks in one pass, over that of a single one."""
    rows = []
    for name, limit in (("tiny", 2.0), ("tabular", 3.2)):
        contestants = {
            k: _repeated(training_step(TASKS[name], k), repeats, processor_seconds)
            for k in ("alone", 1, 4)
        }
        times = interleave(contestants, rounds)
        rows.append([name, *_verdict("", times, 4, "alone", limit)[1:]])
        rows.append([f"{name}, in a group of one", *_verdict("", times, 1, "alone", None)[1:]])
    return [
        "## A training step of four networks side by side, over that of one: c2c, float32",
        markdown(["", "ratio", "asked", ""], rows),
    ]


def training_step(task, k):
    """A step of Adam on a batch, of one network ("alone") or of k side by side."""
    X, y = task.data("float32")
    rows, own = Rows(X, y[:, None], np.ones(task.n)), np.arange(task.n)
    settings = {"likelihood": Gaussian(), "penalty": C2C(), "epsilon": 0.3, "rows": rows}
    network, rng = Network(task.units, "relu"), np.random.default_rng(0)
    theta, batch = network.initialize(rng, np.float32), np.arange(task.batch_size)
    if k == "alone":
        term = Term(network, alpha=0.03, l2=1.0, **settings)
    else:
        each = {"alpha": np.full(k, 0.03), "l2": np.ones(k), "n_per_pass": task.n}
        network = Members(task.units, "relu", k=k)
        term = MembersTerm(network, members=[own] * k, **each, **settings)
        theta, batch = np.tile(theta, k), np.tile(batch, (k, 1))
        rng = MemberStreams([np.random.default_rng(i) for i in range(k)])
    step = Adam().stepper(theta)
    return lambda: step(theta, term.on_batch(theta, batch, rng)[1], 0.001)


def evaluate(objective, theta, threads):
    with threadpool_limits(threads):
        return seconds(lambda: objective.on_all_rows(theta, seed=0))


def lbfgs(rounds, n=100_000, D=50):
    network = Network((D, 100, 1), "relu")
    rng = np.random.default_rng(0)
    theta = network.initialize(rng, np.float64)
    rows = Rows(rng.normal(size=(n, D)), rng.normal(size=(n, 1)), np.ones(n))
    lines = []
    for name in (None, "c2c", "jacobian"):
        settings = {"alpha": 0.03, "epsilon": 0.3, "l2": 1.0, "rows": rows.canonical()}
        term = Term(network, Gaussian(), PENALTIES[name](), **settings)
        objective = Objective((term,), over_blocks=map_in_order)
        times = interleave({k: partial(evaluate, objective, theta, k) for k in (1, 2)}, rounds)
        memory = peak_memory("fit", name, 1_000_000, 20, threads=2)
        shown = [spread(1e3 * times[k]) for k in (1, 2)]
        lines.append([*shown, *_verdict(name, times, 2, 1, 0.6)[1:], f"{memory:.0f}"])
        lines[-1].insert(0, name)
    header = ["", "1 thread", "2 threads", "ratio", "asked", "", "peak memory"]
    return [
        f"## L-BFGS: milliseconds per evaluation, n = {n}, D = {D}, hidden (100,), float64",
        "Peak memory: MB over that of the data in a fit of n = 1,000,000, D = 20, hidden (200,), "
        "with 2 threads (asked: at most 300).",
        markdown(header, lines),
    ]


def peak_memory(task, model, n, D, threads):
    """Peak memory over the start in MB, measured in a process of its own."""
    script = Path(__file__).with_name("peak_memory.py")
    arguments = [task, str(model), str(n), str(D), "--threads", str(threads)]
    command = [sys.executable, "-W", "ignore", str(script), *arguments]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


# ------------------------------------------------------------------------------- growth


def growth(rounds):
    """Seconds per epoch against n and against D, and the slope of their logarithms."""
    tasks = {
        "n": {n: Task(n, 200, 20, (100,), 1, max(1, 100_000 // n)) for n in _decades(3, 6)},
        "D": {D: Task(5_000, 200, D, (100,), 1, 2) for D in (10, 30, 100, 300, 1000, 3000)},
    }
    sections = ["## Growth: milliseconds per epoch with Adam, hidden (100,), and log-log slopes"]
    for axis, by_size in tasks.items():
        rows = []
        for penalty in (None, "c2c", "vat", "jacobian"):
            contestants = {
                size: partial(train_ours, task, *task.data("float64"), penalty, "auto")
                for size, task in by_size.items()
            }
            times = interleave(contestants, max(2, rounds // 2))
            medians = [1e3 * np.median(times[size]) for size in by_size]
            slope = log_slope(list(by_size), medians)
            rows.append([penalty, *(f"{t:.3g}" for t in medians), f"{slope:.2f}"])
        sections.append(markdown([f"{axis} =", *by_size, "slope (asked: 1.05)"], rows))
    return sections


def _decades(first, last):
    return [10**power for power in range(first, last + 1)]


def prediction(rounds, n=1_000_000, D=50):
    """predict_proba of a fitted network with 100 hidden units and three classes."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, D))
    y = np.digitize(X[:2000, 0], [-0.5, 0.5])
    rows = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            models = {
                "ours": C2CClassifier(max_iter=2, **SETTINGS),
                "sklearn": MLPClassifier(max_iter=2),
            }
            for model in models.values():
                model.fit(X[:2000], y)
            timed = {
                who: partial(seconds, partial(model.predict_proba, X))
                for who, model in models.items()
            }
            times = interleave(timed, max(2, rounds // 2))
        shown = [spread(1e3 * times[who]) for who in models]
        memory = [peak_memory("predict", m, n, D, threads) for m in ("c2c", "mlp")]
        ratio = spread(times["ours"] / times["sklearn"], "{:.2f}")
        rows.append([threads, *shown, ratio, *(f"{peak:.0f}" for peak in memory)])
    header = ["threads", "ours", "sklearn", "ratio", "ours, peak MB", "sklearn, peak MB"]
    return [f"## predict_proba of {n} x {D}: milliseconds", markdown(header, rows)]


TABLES = {f.__name__: f for f in (training, step, members, lbfgs, growth, prediction)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    packages = ["numpy", "scipy", "scikit-learn", "autograd"]
    if in_torch is None:
        print("PyTorch is not installed: its columns are left out.", file=sys.stderr)
    else:
        torch.set_num_threads(options.threads)
        packages.append("torch")
    sections = [
        "# Speed: the tables",
        f"{environment(packages)} BLAS threads: {options.threads} where nothing else is said. "
        f"Rounds: {options.rounds}. Median [minimum, maximum].",
    ]
    for name in options.tables:
        with threadpool_limits(options.threads):
            sections += TABLES[name](options.rounds)
    text = "\n\n".join(sections) + "\n"
    print(text)
    if options.output:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
