"""Docstrings and the README tell the truth about signatures, defaults and names."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skc2c
import skc2c.inspection
import skc2c.model_selection
import skc2c.solvers
from skc2c.network import ACTIVATIONS
from skc2c.penalties import PENALTIES
from skc2c.solvers import SCHEDULES, SOLVERS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()

# The modules that users import from.
MODULES = [skc2c, skc2c.inspection, skc2c.model_selection]
PUBLIC = [
    thing
    for module in MODULES
    for name, thing in vars(module).items()
    if getattr(thing, "__module__", "").startswith(module.__name__) and not name.startswith("_")
]
# Base classes and records have no examples of their own, but parameters.
SETTINGS = [*SOLVERS.values(), *SCHEDULES.values()]
CLASSES = [*filter(inspect.isclass, PUBLIC), *SETTINGS]
FUNCTIONS = [*filter(inspect.isfunction, PUBLIC)]
METHODS = [
    method
    for cls in CLASSES
    for name, method in inspect.getmembers(cls, inspect.isfunction)
    if not name.startswith("_") and method.__module__.startswith("skc2c")
]


def named(documented):
    return documented.__qualname__


def documented_parameters(docstring):
    """Names and default texts in the Parameters section."""
    section = re.search(r"Parameters\n-+\n(.*?)(\n\w[\w ]*\n-{3,}|\Z)", docstring, re.DOTALL)
    found = {}
    if section:
        for names, rest in re.findall(r"^(\w+(?:, \w+)*) : (.*)$", section[1], re.MULTILINE):
            for name in names.split(", "):
                found[name] = rest
    return found


def signature(function):
    parameters = inspect.signature(function).parameters
    return {name: p.default for name, p in parameters.items() if name != "self"}


@pytest.mark.parametrize("documented", [*CLASSES, *METHODS, *FUNCTIONS], ids=named)
def test_every_parameter_is_documented_with_its_default(documented):
    parameters = signature(documented)
    if documented is skc2c.Penalty:
        parameters = {}
    text = documented_parameters(inspect.getdoc(documented))
    assert list(text) == list(parameters)
    for name, default in parameters.items():
        if default is inspect.Parameter.empty:
            assert "default" not in text[name], name
        else:
            assert ast.literal_eval(text[name].split("default=")[1]) == default, name


@pytest.mark.parametrize("cls", [skc2c.C2CClassifier, skc2c.C2CRegressor])
def test_every_fitted_attribute_is_documented(cls):
    X = [[0.0], [1.0], [2.0], [3.0], [4.0]] * 4
    fitted = cls(max_iter=2, early_stopping=True)
    with pytest.warns(UserWarning, match="converged"):
        fitted.fit(X, [0, 1, 1, 0, 1] * 4)
    section = inspect.getdoc(cls).split("Attributes\n")[1].split("See Also\n")[0]
    documented = set(re.findall(r"^(\w+_) : ", section, re.MULTILINE))
    attributes = {name for name in vars(fitted) if name.endswith("_")}
    assert documented - {"feature_names_in_"} == attributes


@pytest.mark.parametrize("cls", [skc2c.C2CClassifier, skc2c.C2CRegressor])
def test_choices_in_the_docstring_are_those_of_the_code(cls):
    text = documented_parameters(inspect.getdoc(cls))
    for name, table in (("activation", ACTIVATIONS), ("penalty", PENALTIES)):
        choices = set(re.findall(r"'(\w+)'", text[name].split("default")[0]))
        assert choices == {key for key in table if key is not None}


def test_docstrings_have_no_template_marks_left():
    for cls in CLASSES:
        assert not re.search(r"\{\w+\}$|\{\{", inspect.getdoc(cls), re.MULTILINE)


@pytest.mark.parametrize("documented", [*CLASSES, *FUNCTIONS], ids=named)
def test_every_public_name_has_a_runnable_example(documented):
    assert ">>> " in inspect.getdoc(documented)


def test_readme_has_two_bash_blocks_under_quick_start():
    assert README.count("```bash") == 2
    quick_start = README.split("## Quick start")[1].split("\n## ")[0]
    assert quick_start.count("```bash") == 2
    assert "examples/plot_quickstart.py" in quick_start


def test_readme_names_every_penalty():
    for name in PENALTIES:
        assert f"`'{name}'`" in README or name is None


def test_files_that_the_pages_point_to_exist():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_quickstart_example_runs_and_draws(tmp_path):
    script = ROOT / "examples" / "plot_quickstart.py"
    command = [sys.executable, str(script), "--output", str(tmp_path / "picture.png"), "--fast"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    for name in ("c2c", "jacobian", "vat", "noise", "MLPClassifier", "MLPRegressor"):
        assert name in out
    assert (tmp_path / "picture.png").stat().st_size > 20_000


@pytest.mark.parametrize("subject", ["moons", "digits", "regression"])
def test_semi_supervised_examples_run_and_draw(tmp_path, subject):
    script = ROOT / "examples" / f"plot_semi_supervised_{subject}.py"
    command = [sys.executable, str(script), "--output", str(tmp_path / "picture.png"), "--fast"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert "c2c" in out
    assert "vat" in out
    assert (tmp_path / "picture.png").stat().st_size > 10_000
