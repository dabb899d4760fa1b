"""Mutation testing: do the tests notice when one operator or number of the package changes?

Usage: python tests/mutants.py [--rooms objective fitting ...] [--per-file 12] [--seed 0]

Works on a copy of the checkout. Each mutant is tried against the tests of its room, which stop at
the first failure; the survivors are printed with their line. A survivor is a missing test,
unless the change makes no difference that anybody could see.
"""

import argparse
import ast
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The tests of each room, the quick ones first.
ROOMS = {
    "objective": "test_term test_objective test_members_objective test_fitting test_behaviour",
    "fitting": "test_fitting test_several_fits* test_self_tuning* test_behaviour",
    "estimators/targets": "test_targets test_classifier test_regressor test_self_tuning*",
    "solvers": "test_adam test_lbfgs test_monitor test_schedules test_solvers test_fitting",
    "penalties": "test_nearby test_ladder test_jacobian_penalty test_noise test_probes "
    "test_distances test_perturbations test_penalties",
    "likelihoods": "test_likelihoods test_regressor test_self_tuning*",
}
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


def mutants(source):
    """Line and text of each mutant of a source."""
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    raw = source.encode()
    for node in ast.walk(ast.parse(source)):
        other = mutated(node)
        if other is not None:
            begin = starts[node.lineno - 1] + node.col_offset
            end = starts[node.end_lineno - 1] + node.end_col_offset
            text = ast.unparse(ast.fix_missing_locations(other))
            text = text if isinstance(node, ast.AugAssign) else f"({text})"
            yield node.lineno, (raw[:begin] + text.encode() + raw[end:]).decode()


def survives(copy, tests):
    """Whether the tests pass in the copy."""
    files = [path for name in tests.split() for path in sorted((copy / "tests").glob(f"{name}.py"))]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *files]
    try:
        return subprocess.run(command, cwd=copy, capture_output=True, timeout=300).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def try_file(copy, path, tests, count, rng):
    """Try some mutants of a file; how many, and the lines of the survivors."""
    source = path.read_text()
    found = list(mutants(source))
    chosen = rng.sample(found, min(count, len(found)))
    survivors = []
    for line, text in chosen:
        path.write_text(text)
        if survives(copy, tests):
            changed = text.splitlines()[line - 1].strip()
            survivors.append(f"{path.relative_to(copy)}:{line}: {changed}")
            print("  survives", survivors[-1], flush=True)
    path.write_text(source)
    return len(chosen), survivors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rooms", nargs="+", default=list(ROOMS), choices=list(ROOMS))
    parser.add_argument("--per-file", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, total, alive = random.Random(options.seed), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "checkout"
        ignored = shutil.ignore_patterns(".git", "__pycache__", "*.egg-info")
        shutil.copytree(ROOT, copy, ignore=ignored)
        for room in options.rooms:
            for path in sorted((copy / "skc2c" / room).glob("*.py")):
                if path.name != "__init__.py":
                    n, survivors = try_file(copy, path, ROOMS[room], options.per_file, rng)
                    total, alive = total + n, alive + len(survivors)
                    print(f"{path.relative_to(copy)}: {n - len(survivors)} of {n}", flush=True)
    print(f"killed {total - alive} of {total}")


if __name__ == "__main__":
    main()
