"""Which of the penalties helps, when, and by how much? The study that the paper leaves open.

Usage: python benchmarks/study.py [--data FOLDER] [--rows 500] [--folds 5] [--seeds 1]
                                  [--results FILE] [--report] [--picture FILE]

Each penalty untuned (the self-tuning default with that penalty) and tuned (one network, its
strength and radius chosen by a grid search in three inner folds), beside no penalty, weight decay
tuned in the same way, the plain estimator of the paper, scikit-learn's multilayer perceptron
untuned and tuned, linear models with their own cross-validation, and boosted trees. FOLDER and
the loss are those of untuned.py; so are the sets that are used without it. A set is cut to
--rows rows at random. A seed shuffles the outer folds and seeds every contestant.

The first folds of all sets and contestants are measured before the second ones, so whenever the
run is stopped, what is complete is a balanced study: the tables are made of the complete rounds
alone, and say how many there are. Each result is appended to the --results file as a line of
JSON; what is in it is not measured again. With --report nothing is measured: the tables are
printed as Markdown. --picture draws the last of them (it takes matplotlib).
"""

import argparse
import os
import sys
import traceback
import warnings
from datetime import date
from pathlib import Path

import json_lines
from study_models import CONTESTANTS, Task, choice, make
from study_picture import draw
from study_tables import report
from threadpoolctl import threadpool_limits
from timing import environment
from untuned import Options, measure, names, sources, table

PACKAGES = ("skc2c", "autograd", "scikit-learn", "numpy", "scipy")
KEY = ("seed", "fold", "set", "contestant")
FIGURES = ("loss", "score", "ece", "fit_cpu")


class Journal:
    """Records in a file that grows, each run of the script under a line that says how it was made.

    Parameters
    ----------
    path : Path
    settings : dict
        Only what was measured with these counts.
    """

    def __init__(self, path, settings):
        self.path, self.settings, self.records, self.runs = path, settings, [], []
        counts = False
        for found in json_lines.read(path):
            if "run" in found:
                counts = settings.items() <= found["run"].items()
                self.runs += [found["run"]] * counts
            elif counts:
                self.records.append(found)

    def keys(self):
        """Seed, fold, set and contestant of all that has been measured."""
        return {tuple(record[part] for part in KEY) for record in self.records}

    def begin(self):
        """Say when and with what the records below are made."""
        run = {"date": date.today().isoformat(), "environment": environment(PACKAGES)}
        self.runs.append({**self.settings, **run})
        json_lines.append(self.path, {"run": self.runs[-1]})

    def add(self, record):
        self.records.append(record)
        json_lines.append(self.path, record)


def keys(options):
    """All that is to be measured, the first folds of everything first."""
    return [
        (seed, fold, name, contestant)
        for seed in range(options.seeds)
        for fold in range(options.folds)
        for name in sources(options.data)
        if options.wants(name)
        for contestant in options.contestants
    ]


def measure_all(journal, options):
    """Measure what has not been measured, with a line of progress each; count failures."""
    done, failures, loaded = journal.keys(), 0, {}
    missing = [key for key in keys(options) if key not in done]
    if missing:
        journal.begin()
    for i, key in enumerate(missing, 1):
        name = key[2]
        if name not in loaded:
            loaded[name] = table(*sources(options.data)[name](), options.rows)
        outcome = attempt(journal, loaded[name], key, options.folds)
        failures += outcome.startswith("failed")
        print(f"[{i}/{len(missing)}] {', '.join(map(str, key))}: {outcome}", flush=True)
    return failures


def attempt(journal, rows, key, n_folds):
    """Make one measurement and keep it; a few words on what came of it."""
    try:
        record = measured(rows, key, n_folds)
    except Exception as error:  # must not cost the other measurements of a long run
        traceback.print_exc()
        return f"failed: {error!r}"
    journal.add({**dict(zip(KEY, key, strict=True)), **record})
    return f"loss {record['loss']:.4f}, {record['fit_cpu']:.2f} s"


def measured(rows, key, n_folds):
    """The figures of one contestant on one fold."""
    seed, fold, _, contestant = key
    train, test = rows.splits(n_folds, seed)[fold]
    model = make(contestant, Task(rows.is_regression, rows.X.shape[1], seed))
    found = measure(model, rows, train, test)
    figures = {name: found[name] for name in FIGURES if name in found}
    figures = {name: float(f"{value:.5g}") for name, value in figures.items()}
    return {**figures, "n": len(train), "d": rows.X.shape[1], "chosen": choice(model)}


def parsed(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of .npz files")
    parser.add_argument("--contestants", type=names, default=list(CONTESTANTS))
    parser.add_argument("--sets", type=names, default=[], help="only these, separated by commas")
    parser.add_argument("--skip", type=names, default=[], help="all sets but these")
    parser.add_argument("--rows", type=int, default=500, help="of a set at most")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--results", type=Path, default=Path("study.jsonl"))
    parser.add_argument("--report", action="store_true", help="only print the tables")
    parser.add_argument("--picture", type=Path, help="where to draw the comparison")
    options = parser.parse_args(arguments, Options())
    for name in options.contestants:
        if name not in CONTESTANTS:
            parser.error(f"no contestant {name!r}; there are {', '.join(CONTESTANTS)}")
    return options


def main(arguments=None):
    options = parsed(arguments)
    journal = Journal(options.results, {"rows": options.rows, "folds": options.folds})
    if options.report:
        print(report(journal.records, journal.runs, options))
    if options.picture:
        draw(journal.records, options, options.picture)
    if options.report or options.picture:
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        failures = measure_all(journal, options)
    if failures:
        sys.exit(f"{failures} measurements failed; the next run tries them again.")


if __name__ == "__main__":
    main()
