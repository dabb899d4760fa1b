"""Runs in which classes collapse, although rows without a label were learned from by default.

Usage: python benchmarks/collapses.py [--data FOLDER] [--moons 100] [--digits 30] [--tables 7]
           [--first-seed 600] [--jobs 1] [--output FILE]

`C2CClassifier(penalty="vat", missing_label=-1)` on many draws of the labels: two moons with 6,
digits with 100, and every classification set of a folder of .npz files with 50. A class has
collapsed if on held-out rows (two moons: on those without a label) it is predicted less than a
tenth as often as it occurs, where at least 2 % of the labelled rows have it. Prints, as Markdown,
in how many runs that happened, in how many a warning said so, in how many there was none although
the fit had learned from the rows without a label (others had done without them), in how many it
happens with the labelled rows alone, and the mean and the lowest accuracy.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from few_labels_tables import marked_rows
from joblib import Parallel, delayed
from semi_supervised import digits_data, moons_data
from timing import environment, markdown
from untuned import sources, table

from skc2c import VAT, C2CClassifier

SHARE_OF_ITS_OWN, RAREST = 0.1, 0.02
N_LABELS = 50


def of_table(path_of, seed):
    rows = table(*path_of(), 1500)
    X, train, marked, test, _ = marked_rows(rows, N_LABELS, seed)
    return X[train], marked, X[test], rows.y[test]


def has_collapsed(predicted, y, marked):
    """Whether a class that is not rare is all but never predicted."""
    classes, counts = np.unique(marked[marked != -1], return_counts=True)
    for k in classes[counts >= RAREST * counts.sum()]:
        if np.mean(predicted == k) < SHARE_OF_ITS_OWN * np.mean(y == k):
            return True
    return False


def run(draw_data, seed):
    """Accuracy; whether a class has collapsed, with a word and without, and alone; seconds."""
    X, marked, X_test, y_test = draw_data(seed)
    start = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clf = C2CClassifier(penalty="vat", missing_label=-1, random_state=seed).fit(X, marked)
    warned = any("collapsed" in str(w.message) for w in caught)
    predicted = clf.predict(X_test)
    collapsed = has_collapsed(predicted, y_test, marked)
    spent = time.process_time() - start
    known = marked != -1
    alone = C2CClassifier(penalty="vat", random_state=seed).fit(X[known], marked[known])
    without_pool = has_collapsed(alone.predict(X_test), y_test, marked)
    learned = clf.alpha_ == VAT.few_labels.alpha
    flags = collapsed, warned, collapsed and learned and not warned, without_pool
    return np.mean(predicted == y_test), *flags, spent


def tasks_of(options):
    """Name of each set, how its rows are drawn, and how often."""
    yield "moons", moons_data, options.moons
    yield "digits", digits_data, options.digits
    for name, source in sources(options.data).items() if options.data else ():
        if name not in options.skip.split(",") and not table(*source(), 100).is_regression:
            yield name, lambda seed, source=source: of_table(source, seed), options.tables


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of .npz files")
    parser.add_argument("--skip", default="mnist_train", help="names of sets to leave out")
    for name, draws in (("moons", 100), ("digits", 30), ("tables", 7)):
        parser.add_argument(f"--{name}", type=int, default=draws, help="draws")
    parser.add_argument("--first-seed", type=int, default=600, help="of the draws of each set")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    lines, totals = [], np.zeros(5, int)
    for name, draw_data, draws in filter(lambda task: task[2], tasks_of(options)):
        seeds = range(options.first_seed, options.first_seed + draws)
        jobs = (delayed(run)(draw_data, seed) for seed in seeds)
        scores, *flags, seconds = np.transpose(Parallel(options.jobs)(jobs))
        counts = np.array([draws, *(flag.sum() for flag in flags)], int)
        totals += counts
        quality = f"{scores.mean():.3f}", f"{scores.min():.3f}", f"{seconds.mean():.0f}"
        lines.append([name, *counts, *quality])
        print(*lines[-1], flush=True)
    columns = ["runs", "collapsed", "warned", "silent, by the pool", "labels alone", "accuracy"]
    columns += ["lowest", "s"]
    report = markdown(["", *columns], [*lines, ["all", *totals, "", "", ""]])
    report = f"{environment(('skc2c', 'scikit-learn', 'numpy', 'scipy'))}\n\n{report}\n"
    print(report)
    if options.output is not None:
        options.output.write_text(report)


if __name__ == "__main__":
    main()
