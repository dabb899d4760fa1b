"""Strength and radius of a penalty that learns from unlabelled rows, tried on open data.

Usage: python benchmarks/few_labels_settings.py [--penalties vat,c2c] [--draws 5] [--jobs 1]
           [--output FILE]

The two moons and the digits of `semi_supervised.py`, drawn with other seeds than the figures
there: two moons with 6 labels of 500, digits with 100 of 1,257, the estimator as it comes but for
the penalty, its strength and its radius. The radius is a part of the root mean squared distance of
the rows from their mean. Prints Markdown: the mean accuracy over the draws, and the lowest.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from semi_supervised import digits_data, moons_data
from timing import environment, markdown

from skc2c import C2C, VAT, C2CClassifier
from skc2c.penalties.few_labels import FewLabels

SETS = {"moons": moons_data, "digits": digits_data}
PENALTIES = {"vat": VAT, "c2c": C2C}
TRIED = {
    "vat": [(a, r) for a in (1.5, 3.0, 6.0) for r in (0.21, 0.25, 0.3)],
    "c2c": [(a, r) for a in (5.0, 10.0) for r in (0.3, 0.37, 0.45)],
}
FIRST_SEED = 400


def accuracy(name, penalty, setting, seed):
    """Accuracy on held-out rows, and processor seconds."""
    warnings.simplefilter("ignore")
    tried = type(penalty, (PENALTIES[penalty],), {"few_labels": FewLabels(*setting)})
    X, marked, X_test, y_test = SETS[name](seed)
    clf = C2CClassifier(penalty=tried(), missing_label=-1, random_state=seed)
    start = time.process_time()
    score = clf.fit(X, marked).score(X_test, y_test)
    return score, time.process_time() - start


def line_of(penalty, setting, draws, run):
    cells = []
    for name in SETS:
        jobs = (
            delayed(accuracy)(name, penalty, setting, FIRST_SEED + draw) for draw in range(draws)
        )
        scores, seconds = np.transpose(run(jobs))
        cells += [f"{scores.mean():.4f}", f"{scores.min():.3f}", f"{seconds.mean():.0f}"]
    return [penalty, *(f"{value:g}" for value in setting), *cells]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--penalties", default="vat,c2c")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    lines, run = [], Parallel(options.jobs)
    for penalty in options.penalties.split(","):
        for setting in TRIED[penalty]:
            lines.append(line_of(penalty, setting, options.draws, run))
            print(*lines[-1], flush=True)
    columns = [f"{name}, {what}" for name in SETS for what in ("mean", "lowest", "s")]
    report = markdown(["penalty", "strength", "radius", *columns], lines)
    report = f"{environment(('skc2c', 'scikit-learn', 'numpy', 'scipy'))}\n\n{report}\n"
    print(report)
    if options.output is not None:
        options.output.write_text(report)


if __name__ == "__main__":
    main()
