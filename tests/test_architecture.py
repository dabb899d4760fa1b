"""The plan of the house: imports between its rooms only go down."""

import ast
import sys
from pathlib import Path

import pytest

import skc2c

PACKAGE = Path(skc2c.__file__).parent
FLOORS = {
    "activations": 1,
    "families": 1,
    "missing_labels": 1,
    "memory": 1,
    "perturbations": 1,
    "random_streams": 1,
    "rows": 1,
    "solvers": 1,
    "threads": 1,
    "layers": 2,
    "jacobians": 3,
    "propagation": 3,
    "network": 4,
    "distances": 5,
    "probes": 5,
    "penalties": 6,
    "objective": 7,
    "estimators": 8,
    "inspection": 8,
    "model_selection": 8,
    "__init__": 9,
}
# scikit-learn itself needs threadpoolctl.
RUN_TIME_PACKAGES = {"autograd", "numpy", "scipy", "sklearn", "threadpoolctl"}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_modules(path):
    """Full names of what a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_go_down(path):
    for module in imported_modules(path):
        parts = module.split(".")
        if parts[0] == "skc2c" and parts[1] != room(path):
            assert FLOORS[parts[1]] < FLOORS[room(path)], module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_run_time_packages_are_imported(path):
    for module in imported_modules(path):
        top = module.split(".")[0]
        assert top in RUN_TIME_PACKAGES | {"skc2c"} | sys.stdlib_module_names, module


def test_every_file_says_its_purpose_in_its_first_line():
    for path in FILES:
        first = ast.get_docstring(ast.parse(path.read_text())).splitlines()[0]
        assert 20 < len(first) < 100, path
        assert first.endswith("."), path


def test_only_the_objective_differentiates():
    """Elsewhere autograd gives primitives and its numpy, nothing that starts a trace."""
    for path in FILES:
        for module in imported_modules(path):
            if module.split(".")[0] == "autograd" and room(path) != "objective":
                assert module in ("autograd.numpy", "autograd.extend"), path
