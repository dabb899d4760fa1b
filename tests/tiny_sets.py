"""For the tests of scripts in benchmarks: two tiny sets as files, and the cells of a table."""

import json

import numpy as np


def write_sets(folder, rng):
    """Two sets of 60 rows, with classes by name and with real targets."""
    X = rng.normal(size=(60, 3))
    level = X[:, 0] + rng.normal(size=60)
    targets = {"binary": np.where(level > 0.0, "yes", "no"), "regression": 100.0 * level}
    folder.mkdir()
    for task, y in targets.items():
        meta = json.dumps({"task": task, "categorical_columns": []})
        np.savez(folder / f"{task}_set.npz", X=X, y=y, meta=meta)
    return folder


def cells(table):
    """The cells of a Markdown table, by its first column."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows}
