"""scikit-learn's own tests of its multilayer perceptrons, run with ours in their place.

    python tests/parity_with_mlp.py

The tests are those of the installed scikit-learn. ``MLPClassifier(...)`` is read as a
`C2CClassifier` of one network without penalty and input scaling, whose ``l2`` is the MLP's
``alpha``; likewise for the regressor. ``solver="sgd"`` is read as Adam, and what sets momentum and
the course of its rate is left out. Prints every test with its outcome, and exits with 1 if one
fails for a reason that is not named here.
"""

import os
import re
import sys
from pathlib import Path

import pytest
import sklearn
import sklearn.neural_network
from spared import spare_lookups

from skc2c import C2CClassifier, C2CRegressor
from skc2c.solvers import LBFGS, Adam

TESTS = Path(sklearn.neural_network.__file__).parent / "tests" / "test_mlp.py"

PLAIN = {"penalty": None, "cv": None, "input_scaling": None, "numeric_embedding": None}
# Parameters that both have, with the MLP's defaults where ours differ.
MLP_DEFAULTS = {"learning_rate_init": 0.001, "max_iter": 200}
OF_SGD = ("learning_rate", "power_t", "momentum", "nesterovs_momentum")
# A step of Adam is as long as its rate, whatever the gradient: SGD's rates are too long for it.
LARGEST_RATE = 0.01

# Of tests that cannot pass: why, and what they then stumble over, so that no other fault hides.
PRIVATE = "reads or sets private attributes of the MLP"
DOES_NOT_APPLY = {
    "test_fit": (f"{PRIVATE}, for one step of SGD", "no attribute 'n_networks_'"),
    "test_gradient": (PRIVATE, "no attribute '_loss_grad_lbfgs'"),
    "test_learning_rate_warmstart": (f"{PRIVATE}, of SGD", "no attribute '_optimizer'"),
    "test_adaptive_learning_rate": (f"{PRIVATE}, of SGD", "no attribute '_optimizer'"),
    "test_n_iter_no_change": (PRIVATE, "no attribute '_no_improvement_count'"),
    "test_n_iter_no_change_inf": (PRIVATE, "no attribute '_no_improvement_count'"),
    "test_partial_fit_errors": (
        'wants no `partial_fit` with `solver="lbfgs"`; ours takes a step of L-BFGS',
        "assert not hasattr",
    ),
    "test_nonfinite_params": (
        "wants its own words for a loss that is not finite; ours raises ValueError too",
        "diverged: .* scale X to zero mean",
    ),
    "test_predict_proba_multilabel": (
        "wants ties in `predict_log_proba` where probabilities round to 1; ours are exact there",
        r"assert_array_equal\(proba_max, proba_log_max\)",
    ),
    "test_warm_start": (
        "wants a warm start to refuse a y that lacks a class; ours goes on with all of them",
        "DID NOT RAISE",
    ),
    "test_early_stopping_stratified": (
        "wants a class of one row to be refused; ours holds rows out unstratified",
        "The validation set is too small: ",
    ),
    "test_mlp_diverging_loss": (
        "wants SGD to diverge to scores of NaN; ours raises ValueError if a loss is not finite",
        r"validation_scores_\[-1\]",
    ),
}
# Tests that hang on the draw of the initial weights, which another generator makes here: they are
# repeated with other seeds, and pass if they pass with most of them.
SEEDS = range(1, 6)
shift = 0


def read(cls, hidden_layer_sizes=(100,), activation="relu", *, solver="adam", **given):
    """An estimator of ours that stands for an MLP."""
    settings = {**PLAIN, **MLP_DEFAULTS, **given}
    if solver == "sgd":
        rate = min(settings["learning_rate_init"], LARGEST_RATE)
        settings["learning_rate_init"] = rate
    for name in OF_SGD:
        settings.pop(name, None)
    betas = {name: settings.pop(name) for name in ("beta_1", "beta_2") if name in settings}
    evaluations = settings.pop("max_fun", None)
    if isinstance(settings.get("random_state"), int):
        settings["random_state"] += shift
    return cls(
        hidden_layer_sizes,
        activation,
        solver=LBFGS(evaluations) if solver == "lbfgs" else Adam(**betas),
        l2=settings.pop("alpha", 0.0001),
        **settings,
    )


def MLPClassifier(*layers, **given):
    return read(C2CClassifier, *layers, **given)


def MLPRegressor(*layers, **given):
    return read(C2CRegressor, *layers, **given)


class Outcomes:
    """A plugin of pytest that notes how each test ended."""

    def __init__(self):
        self.reports = {}

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or not report.passed:
            self.reports[report.nodeid.split("::", 1)[1]] = report


def run(*arguments):
    """Run the tests: how each of them ended."""
    outcomes = Outcomes()
    # As many workers as cores: scikit-learn's tests then leave BLAS one thread, which is all that
    # such small products can use; with two of them on busy cores they took a hundred times as long.
    os.environ["PYTEST_XDIST_WORKER_COUNT"] = str(os.cpu_count())
    # Neither this project's settings of pytest nor a cache in scikit-learn's folder.
    options = ["-q", "-c", os.devnull, "-p", "no:cacheprovider", "--show-capture=no", "-rN"]
    # Nor a walk through all objects for what could not be raised, which would end no test.
    options += ["-p", "no:unraisableexception"]
    with open(os.devnull, "w") as sink, Redirected(sink):
        pytest.main([*options, *(arguments or [str(TESTS)])], plugins=[outcomes])
    return outcomes.reports


class Redirected:
    """What pytest prints goes elsewhere."""

    def __init__(self, sink):
        self.sink = sink

    def __enter__(self):
        self.usual, sys.stdout = sys.stdout, self.sink

    def __exit__(self, *_):
        sys.stdout = self.usual


def judged(name, report):
    """The outcome of a test in words, and the reason."""
    if report.passed:
        return "passed", ""
    if report.skipped:
        return "skipped", ""
    reason, pattern = DOES_NOT_APPLY.get(name.split("[")[0], (None, None))
    if reason and re.search(pattern, report.longreprtext):
        return "does not apply", reason
    return "failed", report.longreprtext.strip().splitlines()[-1]


def passes_with_other_seeds(name):
    """Whether a test passes with most of the seeds: no more are tried than it takes to know."""
    global shift
    passed = failed = 0
    for shift in SEEDS:  # noqa: B007 (read when an estimator is made)
        if run(f"{TESTS}::{name}")[name].passed:
            passed += 1
        else:
            failed += 1
        if 2 * max(passed, failed) > len(SEEDS):
            break
    shift = 0
    return passed > failed


def main():
    spare_lookups()
    sklearn.neural_network.MLPClassifier = MLPClassifier
    sklearn.neural_network.MLPRegressor = MLPRegressor
    rows = [(name, *judged(name, report)) for name, report in run().items()]
    for i, (name, outcome, _) in enumerate(rows):
        if outcome == "failed" and passes_with_other_seeds(name):
            rows[i] = name, "passed", f"with most of {len(SEEDS)} other seeds"
    for name, outcome, reason in rows:
        print(f"| `{name}` | {outcome} | {reason} |")
    counts = {
        outcome: sum(row[1] == outcome for row in rows)
        for outcome in ("passed", "does not apply", "skipped", "failed")
    }
    print(f"scikit-learn {sklearn.__version__}: {counts}")
    return bool(counts["failed"])


if __name__ == "__main__":
    sys.exit(main())
