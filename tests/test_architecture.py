"""The plan of the house: imports between its rooms only go down, and never in a circle."""

import ast
import importlib.util
import re
import sys
from functools import cache
from graphlib import TopologicalSorter
from inspect import isclass
from pathlib import Path

import pytest

import skc2c
from skc2c.likelihoods import LIKELIHOODS
from skc2c.network import ACTIVATIONS
from skc2c.penalties import PENALTIES
from skc2c.solvers import SCHEDULES, SOLVERS

PACKAGE = Path(skc2c.__file__).parent
FLOORS = {
    "data": 1,
    "differentiable": 1,
    "machine": 1,
    "messages": 1,
    "named_objects": 1,
    "random_streams": 1,
    "version": 1,
    "likelihoods": 2,
    "network": 2,
    "solvers": 2,
    "fitted_function": 3,
    "penalties": 3,
    "inspection": 4,
    "objective": 4,
    "fitting": 5,
    "estimators": 6,
    "model_selection": 6,
    "__init__": 7,
    "onnx": 7,
    "plots": 7,
}
# scikit-learn itself needs the last two.
RUN_TIME_PACKAGES = {"autograd", "numpy", "scipy", "sklearn", "joblib", "threadpoolctl"}
# What a room needs that most users do not: imported only in its functions.
OPTIONAL_PACKAGES = {"onnx": {"onnx", "skl2onnx"}, "plots": {"matplotlib"}}
FILES = sorted(PACKAGE.rglob("*.py"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))


def room(path):
    """A file of the package, or a folder, which is one room seen from outside."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@cache
def tree(path):
    return ast.parse(path.read_text())


def imported_modules(path):
    """Full names of what a file imports, wherever in the file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


@cache
def imported_names(path):
    """Full names of what a file imports from modules."""
    nodes = [node for node in ast.walk(tree(path)) if isinstance(node, ast.ImportFrom)]
    return [f"{node.module}.{alias.name}" for node in nodes for alias in node.names]


def file_of(module):
    """The file of a module of the package."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_the_plan_names_every_room():
    assert {room(path) for path in FILES} == set(FLOORS)


@each_file
def test_imports_only_go_down(path):
    """Strictly: rooms on one floor do not know each other."""
    for module in imported_modules(path):
        parts = module.split(".")
        if parts[0] == "skc2c":
            assert len(parts) > 1, f"{path} imports by the front door"
            if parts[1] != room(path):
                assert FLOORS[parts[1]] < FLOORS[room(path)], module


def test_no_imports_go_in_a_circle():
    """Not within a room either."""
    graph = {
        path: {file_of(module) for module in imported_modules(path) if module.startswith("skc2c.")}
        for path in FILES
    }
    order = list(TopologicalSorter(graph).static_order())
    assert set(order) == set(FILES)


@each_file
def test_only_run_time_packages_are_imported(path):
    for module in imported_modules(path):
        top = module.split(".")[0]
        optional = OPTIONAL_PACKAGES.get(room(path), set())
        assert top in RUN_TIME_PACKAGES | optional | {"skc2c"} | sys.stdlib_module_names, module


@each_file
def test_optional_packages_are_imported_in_functions(path):
    """So that a room opens without them, and says what is missing."""
    outside = [node for node in tree(path).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.name for node in outside for alias in node.names}
    names |= {node.module for node in outside if isinstance(node, ast.ImportFrom)}
    optional = OPTIONAL_PACKAGES.get(room(path), set())
    assert not {name.split(".")[0] for name in names} & optional


@each_file
def test_every_file_says_its_purpose_in_its_first_line(path):
    first = ast.get_docstring(tree(path)).splitlines()[0]
    assert 20 < len(first) < 100
    assert first.endswith(".")


@each_file
def test_only_the_objective_differentiates(path):
    """Elsewhere autograd gives its numpy and primitives, nothing that starts a trace."""
    for module in imported_modules(path):
        if module.split(".")[0] == "autograd" and room(path) != "objective":
            assert module in ("autograd.numpy", "autograd.extend")


@each_file
def test_ways_back_are_made_known_to_autograd_in_one_place(path):
    """Constants are a probe's affair; derivatives are `differentiable`'s."""
    names = {name for name in imported_names(path) if name.startswith("autograd.extend.")}
    allowed = {
        "differentiable": {"autograd.extend.primitive", "autograd.extend.defvjp_argnums"},
        "penalties": {"autograd.extend.notrace_primitive"},
    }
    assert names <= allowed.get(room(path), set())


@each_file
def test_no_room_is_for_odds_and_ends(path):
    assert path.stem not in ("utils", "helpers", "common", "misc", "base")


@each_file
def test_files_and_functions_are_short(path):
    """Lines of a function are counted from its first statement on, without its docstring."""
    assert len(path.read_text().splitlines()) <= 300
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if body:
                assert node.end_lineno - body[0].lineno + 1 <= 30, node.name


TABLES = {
    "likelihoods": LIKELIHOODS,
    "network": ACTIVATIONS,
    "penalties": PENALTIES,
    "solvers": SOLVERS | SCHEDULES,
}
# Where else an entry of a table is known by name, beside the default of a parameter and the name of
# a likelihood's output. Whoever adds
# a line here makes adding such a thing an edit of several files.
KNOWN = {
    ("estimators/autoencoder_fit.py", "squared_error"),  # what is reconstructed is real
    ("estimators/candidates.py", "Noise"),  # it has no strength to choose
    ("estimators/cross_assembly.py", "Cycles"),  # several networks are measured at their ends
    ("estimators/regressor.py", "poisson"),  # a tag tells scikit-learn that targets are positive
    ("estimators/regressor.py", "quantile"),  # the parameter of that name
    ("estimators/targets/classes.py", "binary_log_loss"),  # which loss fits which kind of classes
    ("estimators/targets/classes.py", "log_loss"),
    ("estimators/targets/reals.py", "poisson"),  # which losses have targets of another kind
    ("estimators/targets/reals.py", "gaussian_nll"),
    ("estimators/targets/reals.py", "quantile"),
    ("estimators/saved.py", "squared_error"),  # what there was before there was a choice
    ("estimators/saved.py", "quantile"),  # the parameter of this name
    ("estimators/scikit_learn_export.py", "squared_error"),  # all that scikit-learn once had
    ("estimators/scikit_learn_export.py", "identity"),  # its name where nothing is hidden
    ("estimators/scikit_learn_export.py", "lbfgs"),  # scikit-learn's own
    ("onnx/converters.py", "logistic"),  # what scikit-learn calls the output
    *(("onnx/activations.py", name) for name in ACTIVATIONS),  # in the operators of ONNX
    ("onnx/likelihoods.py", "identity"),
    ("onnx/likelihoods.py", "logistic"),
    ("estimators/classifier.py", "logistic"),  # what scikit-learn calls the output
    ("plots/spectrum.py", "jacobian"),  # the matrix, not the penalty
}


def names_the_output(node):
    """Whether it is ``out_activation = ...``: a word of scikit-learn's, not a key of the table."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(getattr(target, "id", None) == "out_activation" for target in targets)


def named_elsewhere(path):
    """Names and classes of entries of a table that a file of another room knows."""
    tables = [table for folder, table in TABLES.items() if room(path) not in (folder, "__init__")]
    names = {name for table in tables for name in table if name is not None}
    classes = {kind.__name__ for table in tables for kind in table.values() if isclass(kind)}
    # The null object stands for the absence of a penalty, which everybody may know of.
    classes -= {"NoPenalty"}
    nodes = list(ast.walk(tree(path)))
    exempt = [id(node.value) for node in nodes if names_the_output(node)]
    exempt += [
        id(default)
        for node in nodes
        if isinstance(node, ast.arguments)
        for default in (*node.defaults, *node.kw_defaults)
    ]
    for node in nodes:
        if isinstance(node, ast.Constant) and node.value in names and id(node) not in exempt:
            yield node.value
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names if alias.name in classes)


def test_adding_an_entry_to_a_table_needs_one_file():
    """No other room asks for a particular penalty, loss, activation, solver or schedule."""
    found = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in FILES
        for name in named_elsewhere(path)
    }
    assert found == KNOWN


TESTS = sorted(Path(__file__).parent.glob("*.py"))


@pytest.mark.parametrize(
    "table", ["ACTIVATIONS", "LIKELIHOODS", "PENALTIES", "SCHEDULES", "SOLVERS"]
)
def test_tests_find_new_entries_in_the_tables(table):
    """A new entry is tested by being in its table, which tests (or oracles.py) iterate over."""
    importing = [
        path
        for path in TESTS
        if path != Path(__file__)
        and any(re.fullmatch(rf"skc2c\..*\.{table}", name) for name in imported_names(path))
    ]
    assert importing


@pytest.mark.parametrize(
    "path", sorted(Path(__file__).parent.glob("test_*.py")), ids=lambda p: p.stem
)
def test_tests_do_not_import_each_other(path):
    """What they share is in oracles.py."""
    assert not [name for name in imported_modules(path) if name.startswith("test_")]


def test_the_plan_is_drawn_from_the_imports_that_are_there():
    """Otherwise: python docs/draw_plan.py."""
    path = PACKAGE.parent / "docs" / "draw_plan.py"
    spec = importlib.util.spec_from_file_location("draw_plan", path)
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)
    assert drawing.PICTURE.read_text() == drawing.plan()
