"""Make .npz files for benchmarks/untuned.py of a folder of ARFF files.

Usage: python benchmarks/arff_sets.py FOLDER ... --out FOLDER

The figures in docs/other_sets.md are of github.com/renatopp/arff-datasets: its folders
``classification``, ``regression`` and ``agridata``.

The target is the column called class, or the last one; rows without it are left out. Nominal
columns are one-hot encoded (one column for two values), those of more than 40 values are left out.
Numbers that are missing become the median, with a column that says so if more than a twentieth of
them are. Left out are constant columns, classes of fewer than six rows, sets of fewer than 90 rows,
and files that cannot be read. Copies and variants of sets that decided about defaults are left out
as well.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import arff

# Columns of more values are names, mostly; fewer gaps than this hardly tell anything.
MOST_VALUES, LEAST_MISSING = 40, 0.05
# So that each of three folds tests on two rows of a class, and on thirty in all.
FEWEST_IN_CLASS, FEWEST_ROWS = 6, 90
# By the stem of the file, for those that have other names elsewhere, and variants of one set.
LEFT_OUT = {
    "diabetes",
    "cmc",
    "credit.g",
    "phoneme",
    "satimage",
    "sonar",
    "spambase",
    "vehicle",
    "vowel",
    "autompg",
    "cal.housing",
    "diabetes.numeric",
    "anneal.orig",
    "bridges.version1",
    "bridges.version2",
    "colic.orig",
    "autompg (2)",
    "autoprice (2)",
    "housing (2)",
    "servo (2)",
    # Numbers that stand for classes.
    "spectf.test",
    "spectrometer",
}


def is_text(values):
    return values.dtype == object


def read(path):
    """Columns by name, text where they are nominal; missing values are None or NaN."""
    records, meta = arff.loadarff(path)
    columns = {name: records[name] for name in meta.names()}
    for name, values in columns.items():
        if values.dtype.kind == "S":
            text = np.char.decode(values, errors="replace").astype(object)
            columns[name] = np.where(text == "?", None, text)
    return columns


def target_of(names):
    return next((name for name in names if name.lower() in ("class", "binaryclass")), names[-1])


def encoded(values):
    """A column as columns of numbers: none if it says nothing."""
    column = pd.Series(values)
    if column.nunique() < 2 or (is_text(values) and column.nunique() > MOST_VALUES):
        return []
    if is_text(values):
        indicators = pd.get_dummies(column, dtype=float).to_numpy()
        return [indicators[:, :1] if indicators.shape[1] == 2 else indicators]
    missing = column.isna().to_numpy()
    known = column.fillna(column.median()).to_numpy()[:, None]
    return [known] if missing.mean() <= LEAST_MISSING else [missing[:, None].astype(float), known]


def prepared(path):
    """X, y and what kind of task it is, or None if there is too little of it."""
    columns = read(path)
    y = pd.Series(columns.pop(target_of(list(columns))))
    kept = y.notna()
    if is_text(y.to_numpy()):
        kept &= y.map(y.value_counts()) >= FEWEST_IN_CLASS
    X = [part for values in columns.values() for part in encoded(values[kept.to_numpy()])]
    y = y[kept]
    if len(y) < FEWEST_ROWS or y.nunique() < 2 or not X:
        return None
    if not is_text(y.to_numpy()):
        return np.hstack(X), y.to_numpy(), "regression"
    classes, y = np.unique(y.to_numpy().astype(str), return_inverse=True)
    return np.hstack(X), y, "binary" if len(classes) == 2 else "multiclass"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(path for folder in options.folders for path in folder.glob("*.arff")):
        if path.stem in LEFT_OUT:
            continue
        try:
            found = prepared(path)
        except (ValueError, StopIteration, NotImplementedError) as error:
            print(f"{path.name}: {error}")
            continue
        if found is None:
            print(f"{path.name}: too small")
            continue
        X, y, task = found
        meta = json.dumps({"task": task, "source": path.name})
        name = path.stem.replace(".", "_").replace("-", "_")
        np.savez_compressed(options.out / f"{name}.npz", X=X, y=y, meta=meta)


if __name__ == "__main__":
    main()
