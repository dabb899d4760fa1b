"""Mutation testing: do the tests notice when one operator or number of the package changes?

Usage: python tests/mutants.py [--rooms objective fitting ...] [--per-file 30] [--seed 0]
           [--since REVISION]

Works on a copy of the checkout, in one process and on one thread; with --since, on lines only that
have changed since a revision. Each mutant is tried against the tests of its room, which stop at the
first failure. A survivor is printed with its line: it is a missing test, unless the change makes no
difference that anybody could see. Those of which that has been argued are in `argued_mutants.py`,
and are counted apart.
"""

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from argued_mutants import ARGUED, KINDS

ROOT = Path(__file__).resolve().parent.parent
# The tests of each room, the quick ones first.
ROOMS = {
    "objective": "test_objective test_members_objective test_term test_fitting test_behaviour",
    "fitting": "test_fitting test_several_fits* test_self_tuning* test_behaviour",
    "estimators/targets": "test_targets test_partial_fit_targets test_intervals test_classifier "
    "test_regressor* test_self_tuning*",
    "solvers": "test_adam test_lbfgs test_monitor test_schedules test_solvers test_fitting",
    "penalties": "test_nearby test_ladder test_jacobian_penalty test_noise test_probes "
    "test_distances test_perturbations test_penalties test_term test_gamma_model "
    "test_far_direction test_few_labels test_cost test_documentation",
    "plots": "test_plots_*",
    "likelihoods": "test_likelihoods test_regressor* test_self_tuning*",
}
SCOPES = (ast.FunctionDef, ast.ClassDef)
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
SWAPPED = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def mutated(node):
    """Another node in the place of this one, or None."""
    if isinstance(node, (ast.BinOp, ast.AugAssign, ast.BoolOp)) and type(node.op) in SWAPPED:
        return _with(node, op=SWAPPED[type(node.op)]())
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
        return _with(node, ops=[SWAPPED[type(node.ops[0])](), *node.ops[1:]])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        return node.operand
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return ast.Constant(node.value + 1)
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        return ast.Constant(not node.value)
    return None


def _with(node, **fields):
    own = {name: getattr(node, name) for name in node._fields}
    return type(node)(**{**own, **fields})


class Mutant(NamedTuple):
    """One change of a source: where it is, the line after it and the whole text after it."""

    line: int
    function: str
    changed: str
    text: str


def mutants(source):
    """The mutants of a source."""
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    raw = source.encode()
    for node, function in _nodes(ast.parse(source)):
        other = mutated(node)
        if other is not None:
            begin = starts[node.lineno - 1] + node.col_offset
            end = starts[node.end_lineno - 1] + node.end_col_offset
            text = ast.unparse(ast.fix_missing_locations(other))
            text = text if isinstance(node, ast.AugAssign) else f"({text})"
            text = (raw[:begin] + text.encode() + raw[end:]).decode()
            changed = text.splitlines()[node.lineno - 1].strip()
            yield Mutant(node.lineno, function, changed, text)


def _nodes(node, function=""):
    """Every node of a tree, with the dotted name of the class or function that it is in."""
    for child in ast.iter_child_nodes(node):
        name = getattr(child, "name", None)
        inner = f"{function}.{name}".strip(".") if isinstance(child, SCOPES) else function
        yield child, inner
        yield from _nodes(child, inner)


def first_failure(copy, files, timeout=None):
    """The test file that fails first in the copy, or None if all pass."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *files]
    settings = {"cwd": copy, "env": os.environ | ONE_THREAD, "capture_output": True}
    try:
        done = subprocess.run(command, text=True, timeout=timeout, **settings)
    except subprocess.TimeoutExpired:
        return files[0]
    failed = re.search(r"^(?:FAILED|ERROR) (\S+?\.py)", done.stdout, re.MULTILINE)
    return None if done.returncode == 0 else (failed[1] if failed else files[0])


class Room:
    """The tests of a room; the one that found the last mutant is asked first about the next."""

    def __init__(self, copy, name):
        patterns = ROOMS[name].split()
        paths = [path for p in patterns for path in sorted((copy / "tests").glob(f"{p}.py"))]
        self.copy, self.files = copy, [str(path.relative_to(copy)) for path in paths]
        started = time.monotonic()
        failure = first_failure(copy, self.files)
        if failure is not None:
            raise RuntimeError(f"{failure} fails without any mutant")
        self.patience = 20.0 + 4.0 * (time.monotonic() - started)

    def survives(self):
        """Whether the tests pass in the copy."""
        failure = first_failure(self.copy, self.files, self.patience)
        if failure in self.files:
            self.files.sort(key=lambda file: file != failure)
        return failure is None

    def try_file(self, path, count, seed, lines):
        """Try some mutants of a file, of these lines: how many, and the survivors."""
        source = path.read_text()
        found = [mutant for mutant in mutants(source) if mutant.line in lines]
        chosen = random.Random(f"{seed} {path.name}").sample(found, min(count, len(found)))
        survivors = []
        for mutant in chosen:
            path.write_text(mutant.text)
            if self.survives():
                survivors.append(mutant)
                report(path.relative_to(self.copy), mutant)
        path.write_text(source)
        return len(chosen), survivors


def changed_lines(path, revision):
    """Numbers of the lines of a file that are not those of a revision; all if it is None."""
    if revision is None:
        return range(1, len((ROOT / path).read_text().splitlines()) + 1)
    command = ["git", "diff", "--unified=0", revision, "--", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    hunks = re.findall(r"^@@ \S+ \+(\d+)(?:,(\d+))? @@", done.stdout, re.MULTILINE)
    return {int(start) + i for start, count in hunks for i in range(int(count or 1))}


def report(path, mutant):
    """Print a survivor, and why no test can see it if that is known."""
    print(f"  survives {path}:{mutant.line} {mutant.function}: {mutant.changed}")
    if argument(mutant):
        print(f"    argued: {argument(mutant)}")
    sys.stdout.flush()


def argument(mutant):
    """Why no test can see a mutant, or None."""
    kinds = (why for pattern, why in KINDS.items() if re.search(pattern, mutant.changed))
    return ARGUED.get((mutant.function, mutant.changed)) or next(kinds, None)


def parsed_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rooms", nargs="+", default=list(ROOMS), choices=list(ROOMS))
    parser.add_argument("--per-file", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--since", metavar="REVISION")
    return parser.parse_args()


def main():
    options, counts = parsed_options(), Counter()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "checkout"
        ignored = shutil.ignore_patterns(".git", "__pycache__", "*.egg-info")
        shutil.copytree(ROOT, copy, ignore=ignored)
        for name in options.rooms:
            room = Room(copy, name)
            for path in sorted((copy / "skc2c" / name).glob("*.py")):
                lines = changed_lines(path.relative_to(copy), options.since)
                if path.name != "__init__.py" and lines:
                    n, survivors = room.try_file(path, options.per_file, options.seed, lines)
                    argued = sum(argument(mutant) is not None for mutant in survivors)
                    counts.update(tried=n, survive=len(survivors), argued=argued)
                    print(f"{path.relative_to(copy)}: {n - len(survivors)} of {n}", flush=True)
    print(summary(**counts))


def summary(tried, survive, argued):
    """The figures in a line."""
    killed = tried - survive
    shares = f"{killed / tried:.1%}, and {(killed + argued) / tried:.1%} killed or argued"
    return f"killed {killed} of {tried}, argued {argued}: {shares}"


if __name__ == "__main__":
    main()
