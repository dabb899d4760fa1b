"""Do rows without a label help on tables? With a few labels, against the labelled rows alone.

Usage: python benchmarks/few_labels_tables.py --data FOLDER --results FILE [--draws 3] [--report]

FOLDER holds the sets of `untuned.py`. Of at most --rows rows a third is held out; of the others
50, 100 or 300 (regression: 100 or 300) have a label, and the rest have none. Every contestant has
its default settings. Regression: root mean squared error, by how many per cent it falls with the
unlabelled rows, as in Jean, Xie and Ermon, "Semi-supervised deep kernel learning" (2018), beside
what the mean of two fits without them saves.
Classification: accuracy and log-loss, beside scikit-learn's own ways to use such rows. Each result
is a line of JSON in FILE, where a run goes on; --report prints the tables as Markdown.
"""

import argparse
import time
import warnings
from pathlib import Path

import json_lines
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, VotingRegressor
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier
from timing import environment, markdown
from untuned import classification_loss, regression_loss, sources, table

from skc2c import C2CClassifier, C2CRegressor

LABELS = {True: (100, 300), False: (50, 100, 300)}
OURS = {
    f"{penalty}{of}": (penalty, of == "") for penalty in ("vat", "c2c") for of in ("", " alone")
}


def rivals(seed):
    """Others' ways to learn classes from rows without a label."""
    boosted = HistGradientBoostingClassifier(random_state=seed)
    return {
        "LabelSpreading": LabelSpreading("knn", n_neighbors=7),
        "SelfTraining(boosting)": SelfTrainingClassifier(boosted),
        "SelfTraining(vat alone)": SelfTrainingClassifier(
            C2CClassifier(penalty="vat", random_state=seed), max_iter=3
        ),
    }


def contestants(is_regression, seed):
    """Estimators by name, and whether each takes the rows without a label."""
    kind = C2CRegressor if is_regression else C2CClassifier
    missing = np.nan if is_regression else -1
    for name, (penalty, uses_all) in OURS.items():
        extra = {"missing_label": missing} if uses_all else {}
        yield name, kind(penalty=penalty, random_state=seed, **extra), uses_all
    if is_regression:
        seeds = seed, seed + 1000
        two = [(f"seed {s}", kind(penalty="vat", random_state=s)) for s in seeds]
        yield "two, vat alone", VotingRegressor(two), False
    else:
        yield from ((name, model, True) for name, model in rivals(seed).items())


def divided(rows, n_labels, seed):
    """Training rows of which the first `n_labels` are to have a label, and held-out rows."""
    order = np.random.default_rng(seed).permutation(len(rows.y))
    n_test = len(order) // 3
    return order[n_test:], order[:n_test], min(n_labels, (len(order) - n_test) // 2)


def marked_rows(rows, n_labels, seed):
    """Standardised X, training rows, their y with marks, held-out rows, how many have a label."""
    train, test, n = divided(rows, n_labels, seed)
    X = StandardScaler().fit(rows.X[train]).transform(rows.X)
    marked = rows.y[train].copy()
    marked[n:] = np.nan if rows.is_regression else -1
    return X, train, marked, test, n


def measured(rows, n_labels, seed):
    """Results of all contestants on one draw of the labels."""
    X, train, marked, test, n = marked_rows(rows, n_labels, seed)
    for name, model, uses_all in contestants(rows.is_regression, seed):
        given = slice(None) if uses_all else slice(n)
        start = time.process_time()
        model.fit(X[train][given], marked[given])
        spent = time.process_time() - start
        yield {"contestant": name, "seconds": round(spent, 2), **quality(model, rows, X, test)}


def quality(model, rows, X, test):
    if rows.is_regression:
        loss = regression_loss(rows.y[test], model.predict(X[test]), rows.y[test].std())
        return {"loss": float(loss), **_alpha(model)}
    classes = model.classes_.astype(int)
    proba = np.zeros((len(test), rows.y.max() + 1))
    proba[:, classes] = np.nan_to_num(model.predict_proba(X[test]), nan=1.0 / len(classes))
    accuracy = accuracy_score(rows.y[test], model.predict(X[test]))
    return {
        "loss": float(classification_loss(rows.y[test], proba)),
        "accuracy": accuracy,
        **_alpha(model),
    }


def _alpha(model):
    return {"alpha": float(model.alpha_)} if hasattr(model, "alpha_") else {}


def draws(options, records):
    """What is not yet among the records: a key, the rows, the number of labels and the draw."""
    done = {(r["draw"], r["set"], r["labels"]) for r in records}
    for draw in range(options.first_draw, options.first_draw + options.draws):
        for name, source in sources(options.data).items():
            if name in options.skip.split(","):
                continue
            rows = table(*source(), options.rows)
            for n_labels in LABELS[rows.is_regression]:
                if (draw, name, n_labels) not in done:
                    key = {"draw": draw, "set": name, "labels": n_labels}
                    yield key, rows, n_labels, draw


def measure_all(options, records):
    for key, *which in draws(options, records):
        found = [{**key, **record} for record in measured(*which)]
        records += found
        json_lines.append(options.results, *found)
        print(*key.values(), *(f"{r['contestant']} {r['loss']:.3f}" for r in found))


def means(records, figure):
    """Mean over draws of each set and number of labels, by contestant."""
    found = {}
    for record in records:
        place = found.setdefault((record["set"], record["labels"]), {})
        place.setdefault(record["contestant"], []).append(record[figure])
    return {key: {c: np.mean(v) for c, v in of.items()} for key, of in found.items()}


def regression_report(records):
    rows = []
    for (name, n), of in sorted(means(records, "loss").items(), key=lambda item: item[0][::-1]):
        pairs = ("vat", "vat alone"), ("c2c", "c2c alone"), ("two, vat alone", "vat alone")
        saved = [f"{100 * (1 - of[one] / of[other]):+.1f}" for one, other in pairs]
        rows.append([name, n, f"{of['vat alone']:.3f}", *saved])
    head = ["vat alone", "vat saves, %", "c2c saves, %", "mean of two, vat alone, saves, %"]
    return markdown(["set", "labels", *head], rows)


def classification_report(records, figure):
    of_sets = means(records, figure)
    names = list(next(iter(of_sets.values())))
    rows = [
        [name, n, *(f"{of[c]:.3f}" for c in names)]
        for (name, n), of in sorted(of_sets.items(), key=lambda item: item[0][::-1])
    ]
    sign = 1 if figure == "accuracy" else -1
    wins = [
        sum(sign * (of["vat"] - of[c]) > 0 for of in of_sets.values()) if c != "vat" else ""
        for c in names
    ]
    return markdown(["set", "labels", *names], [*rows, ["vat is better on", len(rows), *wins]])


def report(records):
    regression = [r for r in records if "accuracy" not in r]
    classes = [r for r in records if "accuracy" in r]
    parts = [environment(("skc2c", "scikit-learn", "numpy", "scipy"))]
    if regression:
        parts += ["### Regression", regression_report(regression)]
    for figure in ("accuracy", "loss") if classes else ():
        parts += [f"### Classification: {figure}", classification_report(classes, figure)]
    return "\n\n".join(parts)


def run(description, measure_all, report):
    """Measure what the command line asks for, and print the report."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of .npz files")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--first-draw", type=int, default=0)
    parser.add_argument("--skip", default="mnist_train", help="names of sets to leave out")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    records = json_lines.read(options.results)
    if not options.report:
        measure_all(options, records)
    print(report(records))


if __name__ == "__main__":
    run(__doc__, measure_all, report)
