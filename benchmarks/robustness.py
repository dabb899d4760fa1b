"""Accuracy of classifiers when an attacker who knows them may move each row a little.

Usage: python benchmarks/robustness.py [--data FOLDER] [--results FILE ...] [--report]

FOLDER is as in untuned.py; of --sets those take part that FOLDER has or scikit-learn ships. At
most --rows rows of a set are used: a half to train on, a quarter to choose strengths by, and a
quarter to attack, in --splits random divisions. Columns are standardised, except those of digits,
which have one unit. Radii of the attack are --radii times the median distance of a training row
from the nearest one of another class.

All but the last two contestants are networks with one hidden layer of 100 relu units, trained for
200 epochs. The penalties look as far as the largest radius. Their strength is the largest of a
grid at which the accuracy at the validation rows is at most 0.01 below that of the network without
a penalty. So clean accuracy is about equal, and what differs is what each penalty bought for it.

A row counts as right if neither our attack (attacks.py) nor those of foolbox (foolbox_attacks.py),
if it is installed, get it wrong. What is certified (certificates.py) must be right after every
attack: the script stops if it is not.

Each result is appended to the first FILE as a line of JSON, and what is in any of them already is
not measured again. With --report nothing is measured: the results are printed as Markdown tables.
foolbox and PyTorch: `pip install --group benchmarks`.
"""

import argparse
import os
import time
import warnings
from datetime import date
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from attacks import Inspected, Perceptron, survivors
from certificates import certified
from foolbox_attacks import foolbox_survivors
from plain import PLAIN
from robustness_tables import report
from sklearn.metrics import euclidean_distances
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from timing import environment
from untuned import BUNDLED, Results, sources, table

from skc2c import C2C, VAT, C2CClassifier, Jacobian, Noise

# --------------------------------------------------------------------------- contestants

SETTINGS = {"max_iter": 200, "learning_rate_init": 0.003, "random_state": 0}
TOLERANCE = 0.01


class Contestant(NamedTuple):
    """A model for each strength, given the length of the largest attack and the columns."""

    make: object
    strengths: tuple = (None,)

    @property
    def is_perceptron(self):
        """Whether it is a network with one hidden layer on the rows as they are."""
        return self.make not in (defaults, adversarial_defaults)


def with_penalty(penalty, strength, length, n_features):
    """`C2CClassifier` of one network, with a penalty that looks as far as the largest attack."""
    is_random = getattr(penalty, "perturbation", None) == "random"
    epsilon = length / np.sqrt(n_features) if is_random else length
    settings = SETTINGS | PLAIN | {"l2": 1.0}
    if isinstance(penalty, Noise):
        return C2CClassifier(penalty=penalty, epsilon=strength * epsilon, **settings)
    return C2CClassifier(penalty=penalty, alpha=strength or 0.0, epsilon=epsilon, **settings)


def mlp(strength, length, n_features):
    """scikit-learn's network, whose strength is its weight decay."""
    return MLPClassifier(**SETTINGS, **({} if strength is None else {"alpha": strength}))


def defaults(strength, length, n_features):
    """`C2CClassifier` as it is: several networks, scaled and embedded inputs."""
    return C2CClassifier(random_state=0)


def adversarial_defaults(strength, length, n_features):
    """The same with adversarial c2c, of a strength that is not its own choice."""
    return C2CClassifier(penalty=C2C("adversarial"), alpha=strength, random_state=0)


ALPHAS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
FACTORS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0)  # of epsilon
CONTESTANTS = {
    "None": Contestant(partial(with_penalty, None)),
    "c2c": Contestant(partial(with_penalty, C2C()), ALPHAS),
    "c2c, adversarial": Contestant(partial(with_penalty, C2C("adversarial")), ALPHAS),
    "jacobian": Contestant(partial(with_penalty, Jacobian()), ALPHAS),
    "jacobian, adversarial": Contestant(partial(with_penalty, Jacobian("adversarial")), ALPHAS),
    "vat, random": Contestant(partial(with_penalty, VAT("random")), (*ALPHAS, 100.0, 300.0)),
    "vat": Contestant(partial(with_penalty, VAT()), ALPHAS),
    "noise": Contestant(partial(with_penalty, Noise()), FACTORS),
    "noise, adversarial": Contestant(partial(with_penalty, Noise("adversarial")), FACTORS),
    "MLPClassifier": Contestant(mlp),
    "MLPClassifier, alpha": Contestant(mlp, (*ALPHAS, 100.0)),
    "C2CClassifier()": Contestant(defaults),
    "C2CClassifier, adversarial": Contestant(adversarial_defaults, ALPHAS[1:-2]),
}

# --------------------------------------------------------------------------------- rows


class Rows(NamedTuple):
    """Training, validation and test rows, with the radii of the attack."""

    X: np.ndarray
    y: np.ndarray
    X_val: np.ndarray
    y_val: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    radii: tuple


SETS = ["digits", "breast_cancer", "satimage", "vehicle", "phoneme", "vowel"]


def known_sets(options):
    """Functions that load the sets that take part, by name."""
    found = {"digits": BUNDLED["digits"], "breast_cancer": BUNDLED["breast_cancer"]}
    found |= sources(options.data) if options.data else {}
    return {name: found[name] for name in options.sets if name in found}


def divided(name, load, split, options):
    """The rows of one division."""
    X, y, _ = table(*load(), options.rows)
    X, X_rest, y, y_rest = train_test_split(X, y, test_size=0.5, random_state=split, stratify=y)
    halves = train_test_split(X_rest, y_rest, test_size=0.5, random_state=split, stratify=y_rest)
    X_val, X_test, y_val, y_test = halves
    scaler = StandardScaler().fit(X)
    scale = (lambda X: X / 16.0) if name == "digits" else scaler.transform
    X, X_val, X_test = scale(X), scale(X_val), scale(X_test)
    radii = tuple(factor * distance_of_classes(X, y) for factor in options.radii)
    return Rows(X, y, X_val, y_val, X_test, y_test, radii)


def distance_of_classes(X, y):
    """Median distance of a row from the nearest one of another class."""
    distances = np.where(y[:, None] == y, np.inf, euclidean_distances(X))
    return float(np.median(distances.min(axis=1)))


# ------------------------------------------------------------------------------ measuring


def fitted(contestant, strength, rows):
    model = contestant.make(strength, rows.radii[-1], rows.X.shape[1])
    return model.fit(rows.X, rows.y)


def chosen(contestant, rows, at_least):
    """The model of the largest strength that is accurate enough at the validation rows.

    Or that of the smallest, if none is.
    """
    for strength in reversed(contestant.strengths):
        model = fitted(contestant, strength, rows)
        score = model.score(rows.X_val, rows.y_val)
        if score >= at_least:
            break
    return model, strength, score


def measure(contestant, rows, at_least):
    """One record: the accuracy without an attack, after each, and what is certified."""
    start = time.process_time()
    model, strength, score = chosen(contestant, rows, at_least)
    fit = time.process_time() - start
    start, is_perceptron = time.process_time(), contestant.is_perceptron
    outcome = attacked(Perceptron.of(model) if is_perceptron else Inspected(model), rows)
    return {
        "strength": strength,
        "validation": score,
        "at_least": at_least,
        "clean": model.score(rows.X_test, rows.y_test),
        **{name: right.mean(axis=1).tolist() for name, right in outcome.items()},
        "radii": rows.radii,
        "fit_cpu": fit,
        "attack_cpu": time.process_time() - start,
    }


def attacked(model, rows):
    """Which test rows are right, at each radius, by each account."""
    arguments = rows.X_test, rows.y_test, rows.radii
    outcome = {"ours": survivors(model, *arguments)}
    outcome["both"] = outcome["ours"]
    if find_spec("foolbox"):
        outcome["foolbox"] = foolbox_survivors(model, *arguments)
        outcome["both"] = outcome["ours"] & outcome["foolbox"]
    if not isinstance(model, Perceptron):
        return outcome
    outcome["by_norms"], outcome["by_slopes"] = certified(model, *arguments)
    for name in ("by_norms", "by_slopes"):
        broken = outcome[name] & ~outcome["both"]
        if broken.any():
            raise AssertionError(f"{broken.sum()} rows that are certified {name} were broken.")
    return outcome


def measure_all(results, options):
    """Measure what has not been measured, with a line of progress each."""
    found, done = known_sets(options), results.keys()
    keys = [
        (name, contestant, split)
        for name in found
        for split in range(options.splits)
        for contestant in options.contestants
    ]

    @cache
    def prepared(name, split):
        """Rows, and the accuracy at which a strength is still allowed."""
        rows = divided(name, found[name], split, options)
        plain = fitted(CONTESTANTS["None"], None, rows)
        return rows, plain.score(rows.X_val, rows.y_val) - TOLERANCE

    keys = [key for key in keys if key not in done]
    for i, (name, contestant, split) in enumerate(keys, 1):
        record = measure(CONTESTANTS[contestant], *prepared(name, split))
        record |= {"set": name, "contestant": contestant, "fold": split}
        record |= {"date": date.today().isoformat(), "environment": environment(packages())}
        results.add(record)
        after = ", ".join(f"{share:.3f}" for share in record["both"])
        cpu = record["fit_cpu"] + record["attack_cpu"]
        print(
            f"[{i}/{len(keys)}] {name}, {split}, {contestant}: strength {record['strength']}, "
            f"clean {record['clean']:.3f}, attacked {after}, {cpu:.1f} s",
            flush=True,
        )


def packages():
    attackers = ["torch", "foolbox"] if find_spec("foolbox") else []
    return ["numpy", "scikit-learn", "autograd", *attackers]


# ------------------------------------------------------------------------------------ main


def parsed(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of .npz files")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=[*CONTESTANTS])
    parser.add_argument("--rows", type=int, default=2000, help="of a set at most")
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--radii", type=float, nargs="+", default=[0.1, 0.2, 0.4])
    parser.add_argument("--results", type=Path, nargs="+", default=[Path("robustness.jsonl")])
    parser.add_argument("--report", action="store_true", help="only print the tables")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parsed(arguments)
    settings = {"rows": options.rows, "factors": options.radii}
    results = Results(options.results, settings)
    if not options.report:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            measure_all(results, options)
    print(report(results.records, list(CONTESTANTS), options.radii))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
