"""How a regressor learns best what it has labelled itself: the weight and the number of such rows.

Usage: python benchmarks/self_training_settings.py --data FOLDER --results FILE [--draws 3]
       [--report]

The sets and the division of `few_labels_tables.py`: by how many per cent the root mean squared
error falls. Each result is a line of JSON in FILE, where a run goes on; --report prints the table.
"""

import argparse
import warnings
from itertools import product
from pathlib import Path
from unittest.mock import patch

import json_lines
import numpy as np
from few_labels_tables import LABELS, marked_rows, quality
from timing import environment, markdown
from untuned import sources, table

from skc2c import C2CRegressor
from skc2c.estimators import self_training

# The weight of all such rows, as a part of that of the others, and how many there are at most.
SETTINGS = list(product((0.1, 0.3, 1.0), (300, 2000)))


def measured(rows, n_labels, seed):
    """The error alone, and with each setting."""
    X, train, marked, test, n = marked_rows(rows, n_labels, seed)

    def loss(given):
        model = C2CRegressor(missing_label=np.nan, random_state=seed)
        return quality(model.fit(X[train][given], marked[given]), rows, X, test)["loss"]

    yield "alone", loss(slice(n))
    for share, most in SETTINGS:
        with patch.multiple(self_training, _SHARE=share, _MOST=most):
            yield f"{share} {most}", loss(slice(None))


def measure_all(options, records):
    done = {(r["draw"], r["set"], r["labels"]) for r in records}
    for draw in range(options.draws):
        for name, source in sources(options.data).items():
            rows = None if name == "mnist_train" else table(*source(), options.rows)
            if rows is None or not rows.is_regression:
                continue
            for n_labels in LABELS[True]:
                key = {"draw": draw, "set": name, "labels": n_labels}
                if tuple(key.values()) not in done:
                    record = {**key, **dict(measured(rows, n_labels, draw))}
                    records.append(record)
                    json_lines.append(options.results, record)
                    print(*record.values())


def report(records):
    """For each setting what is saved in the mean and at least, and how often there is a gain."""
    rows = []
    for share, most in SETTINGS:
        of_sets = {}
        for record in records:
            saved = 100 * (1 - record[f"{share} {most}"] / record["alone"])
            of_sets.setdefault((record["set"], record["labels"]), []).append(saved)
        saved = np.array([np.mean(values) for values in of_sets.values()])
        rows.append([share, most, f"{saved.mean():.1f}", f"{saved.min():+.1f}", (saved > 0).sum()])
    head = ["weight", "rows at most", "saved, %", "least", f"gains, of {len(of_sets)}"]
    return "\n\n".join([environment(("skc2c", "scikit-learn", "numpy")), markdown(head, rows)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of .npz files")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=2500)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    records = json_lines.read(options.results)
    if not options.report:
        measure_all(options, records)
    print(report(records))


if __name__ == "__main__":
    main()
