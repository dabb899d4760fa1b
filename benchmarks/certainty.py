"""Compare priors of the temperature and the shifts of classifiers, on the sets of untuned.py.

Usage: python benchmarks/certainty.py [--data FOLDER] [--rows 90 150 500 2500] [--seeds 0 1 2]

Each classification set is cut to so many rows, of which two thirds are trained on, three folds for
each seed. One fit is adjusted in several ways by its outputs out of fold; the tables give the mean
over the sets of the logarithm of the log-loss on the other rows, less that with a temperature alone
which is at least one.
"""

import argparse
from pathlib import Path
from unittest.mock import patch

import numpy as np
from scipy.special import log_softmax
from sklearn.model_selection import StratifiedKFold
from untuned import as_trained, names, sources, table

from skc2c import C2CClassifier
from skc2c.estimators.targets import class_calibration
from skc2c.likelihoods import LIKELIHOODS

# So strong that a quantity hardly differs from its start.
NEVER = 1e4
# Priors of shifts and of the logarithm of a factor above one; the first is what all are compared
# with.
PRIORS = [
    *[(of_shift, NEVER) for of_shift in (NEVER, 0.01, 0.5, 2.0, 5.0, 10.0, 30.0)],
    *[(5.0, of_factor) for of_factor in (0.01, 1.0, 5.0, 20.0)],
]


def losses(rows, train, test):
    """Log-loss on further rows with each of the priors."""
    clf = C2CClassifier(random_state=0).fit(rows.X[train], rows.y[train])
    known, new = (
        as_trained(clf, probabilities)[0]
        for probabilities in (clf.oob_decision_function_, clf.predict_proba(rows.X[test]))
    )
    places = np.searchsorted(clf.classes_, rows.y[train])
    y, family, outputs = np.eye(len(clf.classes_))[places], LIKELIHOODS["log_loss"](), known
    is_binary = len(clf.classes_) == 2
    if is_binary:
        y, family = y[:, 1:], LIKELIHOODS["binary_log_loss"]()
        outputs = known[:, 1:] - known[:, :1]
    for of_shift, of_factor in PRIORS:
        with patch.multiple(class_calibration, _OF_SHIFT=of_shift, _OF_LOG_FACTOR=of_factor):
            factor, shift = class_calibration.certainty(family, outputs, y, np.ones(len(y)))
        shift = np.append(0.0, shift) if is_binary else shift
        logs = log_softmax(factor * new + shift, axis=1)
        truth = np.searchsorted(clf.classes_, rows.y[test])
        yield -logs[np.arange(len(truth)), truth].mean()


def compare(sets, n_rows, seeds):
    """Logarithms of mean losses, (n_sets, n_priors)."""
    found = []
    for source in sets.values():
        rows = table(*source(), n_rows)
        if not rows.is_regression:
            splits = (
                split
                for seed in seeds
                for split in StratifiedKFold(3, shuffle=True, random_state=seed).split(*rows[:2])
            )
            found.append(np.log(np.mean([list(losses(rows, *split)) for split in splits], axis=0)))
    return np.array(found)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of .npz files")
    parser.add_argument("--skip", type=names, default=[], help="all sets but these")
    parser.add_argument("--rows", type=int, nargs="+", default=[90, 150, 500, 2500])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args(arguments)
    sets = {k: v for k, v in sources(options.data).items() if k not in options.skip}
    head = ["of shifts", "of the factor", *(f"{n} rows" for n in options.rows)]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    found = [compare(sets, n_rows, options.seeds) for n_rows in options.rows]
    for i, priors in enumerate(PRIORS):
        means = [f"{np.mean(logs[:, i] - logs[:, 0]):+.4f}" for logs in found]
        print(f"| {' | '.join([*(f'{prior:g}' for prior in priors), *means])} |")


if __name__ == "__main__":
    main()
