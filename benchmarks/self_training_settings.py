"""How a regressor learns best what it has labelled itself: the weight and the number of such rows.

Usage: python benchmarks/self_training_settings.py --data FOLDER --results FILE [--draws 3]
       [--report]

The sets and the division of `few_labels_tables.py`: by how many per cent the root mean squared
error falls. Each result is a line of JSON in FILE, where a run goes on; --report prints the table.
"""

from itertools import product
from unittest.mock import patch

import json_lines
import numpy as np
from few_labels_tables import draws, marked_rows, quality, run
from timing import environment, markdown

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
    for key, rows, *which in draws(options, records):
        if rows.is_regression:
            record = {**key, **dict(measured(rows, *which))}
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


if __name__ == "__main__":
    run(__doc__, measure_all, report)
