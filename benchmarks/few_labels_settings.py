"""Strength and radius of a penalty that learns from unlabelled rows, tried on open data.

Usage: python benchmarks/few_labels_settings.py [--penalties vat,c2c] [--draws 5] [--npz FILE]
           [--jobs 1] [--output FILE]

The two moons and the digits of `semi_supervised.py`, drawn with other seeds than the figures
there: two moons with 6 labels of 500, digits with 100 of 1,257, and the validation images of
`mnist.py` with 100 labels, if it has the data. The estimator as it comes but for the penalty, its
strength, its radius and, for vat, the distance of the gradient. The radius is a part of the root
mean squared distance of the rows from their mean; the distance is given by the features for which
it grows by one radius, none for the eigenvector. Prints Markdown: the mean accuracy over the draws,
and the lowest.
"""

import argparse
import time
import warnings
from functools import partial
from pathlib import Path

import mnist
import numpy as np
from joblib import Parallel, delayed
from semi_supervised import digits_data, moons_data
from timing import environment, markdown

from skc2c import C2C, VAT, C2CClassifier
from skc2c.penalties.few_labels import FewLabels

SETS = {"moons": moons_data, "digits": digits_data}
PENALTIES = {"vat": VAT, "c2c": C2C}
# Strength, radius and features per radius of the distance.
TRIED = {
    "vat": [
        *((a, r, 20) for a in (1.5, 2.0, 3.0) for r in (0.21, 0.25, 0.3)),
        *((2.0, 0.25, features) for features in (10, 40, None)),
    ],
    "c2c": [(a, r, None) for a in (5.0, 10.0) for r in (0.3, 0.37, 0.45)],
}
FIRST_SEED = 400


def mnist_data(path, seed):
    """Images, their labels with -1 for unknown, and the images held out for validation."""
    X, y, X_test, y_test = mnist.load(path, validation=True)
    return X, mnist.mark(y, 100, seed), X_test, y_test


def accuracy(data, penalty, setting, seed):
    """Accuracy on held-out rows, and processor seconds."""
    warnings.simplefilter("ignore")
    alpha, radius, features = setting
    fixed, own = {"few_labels": FewLabels(alpha, radius)}, {}
    if features is not None:
        fixed["_features_per_radius"] = features
    elif penalty == "vat":
        own["gradient_distance"] = None
    tried = type(penalty, (PENALTIES[penalty],), fixed)(**own)
    X, marked, X_test, y_test = data(seed)
    clf = C2CClassifier(penalty=tried, missing_label=-1, random_state=seed)
    start = time.process_time()
    score = clf.fit(X, marked).score(X_test, y_test)
    return score, time.process_time() - start


def line_of(penalty, setting, options, sets, run):
    cells = []
    for data in sets.values():
        seeds = range(FIRST_SEED, FIRST_SEED + options.draws)
        jobs = (delayed(accuracy)(data, penalty, setting, seed) for seed in seeds)
        scores, seconds = np.transpose(run(jobs))
        cells += [f"{scores.mean():.4f}", f"{scores.min():.3f}", f"{seconds.mean():.0f}"]
    return [penalty, *(f"{value:g}" if value else "none" for value in setting), *cells]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--penalties", default="vat,c2c")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--npz", help="images, as for mnist.py; left out if not given")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    lines, run = [], Parallel(options.jobs)
    images = {"images": partial(mnist_data, options.npz)} if options.npz else {}
    sets = SETS | images
    for penalty in options.penalties.split(","):
        for setting in TRIED[penalty]:
            lines.append(line_of(penalty, setting, options, sets, run))
            print(*lines[-1], flush=True)
    columns = [f"{name}, {what}" for name in sets for what in ("mean", "lowest", "s")]
    report = markdown(["penalty", "strength", "radius", "features", *columns], lines)
    report = f"{environment(('skc2c', 'scikit-learn', 'numpy', 'scipy'))}\n\n{report}\n"
    print(report)
    if options.output is not None:
        options.output.write_text(report)


if __name__ == "__main__":
    main()
