"""Docstrings and the README tell the truth about signatures, defaults and names."""

import ast
import doctest
import inspect
import re
import sys
import warnings
from pathlib import Path

import pytest

import skc2c
import skc2c.inspection
import skc2c.model_selection
import skc2c.onnx.registration
import skc2c.plots
import skc2c.solvers
from skc2c.estimators.regressor import LOSSES
from skc2c.network import ACTIVATIONS
from skc2c.penalties import PENALTIES
from skc2c.solvers import SCHEDULES, SOLVERS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()

MODULES = [skc2c.inspection, skc2c.model_selection, skc2c.onnx.registration]


def of_module(module, kind):
    """What a module defines of a kind, for users."""
    return [
        thing
        for name, thing in inspect.getmembers(module, kind)
        if not name.startswith("_") and thing.__module__ == module.__name__
    ]


DISPLAYS = [getattr(skc2c.plots, name) for name in skc2c.plots.__all__]
CLASSES = [
    *(getattr(skc2c, name) for name in skc2c.__all__),
    *DISPLAYS,
    *of_module(skc2c.model_selection, inspect.isclass),
    *SOLVERS.values(),
    *SCHEDULES.values(),
]
FUNCTIONS = [function for module in MODULES for function in of_module(module, inspect.isfunction)]


def methods_of(cls):
    """Public methods with their names, class methods among them."""
    return [
        (name, method)
        for name, method in inspect.getmembers(cls, inspect.isroutine)
        if not name.startswith("_") and (method.__module__ or "").startswith("skc2c")
    ]


METHODS = dict.fromkeys(method for cls in CLASSES for _, method in methods_of(cls))


def named(documented):
    return documented.__qualname__


REFERENCE = (ROOT / "docs" / "api.md").read_text()


def of_reference():
    """Public names, each with what it is: classes, functions, and methods of estimators."""
    yield from ((thing.__name__, thing) for thing in (*CLASSES, *FUNCTIONS))
    for cls in (skc2c.C2CClassifier, skc2c.C2CRegressor, skc2c.C2CAutoencoder, *DISPLAYS):
        yield from ((f"{cls.__name__}.{name}", method) for name, method in methods_of(cls))


def test_the_reference_has_every_public_name():
    """With the first sentence of its docstring."""
    expected = {
        f"| `{name}` | {' '.join(inspect.getdoc(thing).split(chr(10) * 2)[0].split())} |"
        for name, thing in of_reference()
    }
    assert set(re.findall(r"^\| `.*$", REFERENCE, re.MULTILINE)) == expected


def documented_parameters(docstring):
    """Names and default texts in the Parameters section."""
    section = re.search(r"Parameters\n-+\n(.*?)(\n\w[\w ]*\n-{3,}|\Z)", docstring, re.DOTALL)
    found = {}
    if section:
        for names, rest in re.findall(r"^(\w+(?:, \w+)*) : (.*)$", section[1], re.MULTILINE):
            for name in names.split(", "):
                found[name] = rest
    return found


def docstring_of(documented):
    """That of another method, if it says "See `Class.method`"."""
    text = inspect.getdoc(documented)
    reference = re.search(r"See `(\w+)\.(\w+)`", text)
    if reference is None or not inspect.isfunction(documented):
        return text
    cls, method = reference.groups()
    return inspect.getdoc(getattr(vars(sys.modules[documented.__module__])[cls], method))


def signature(function):
    parameters = inspect.signature(function).parameters
    return {
        name: p.default
        for name, p in parameters.items()
        if name != "self" and p.kind is not p.VAR_KEYWORD
    }


@pytest.mark.parametrize("documented", [*CLASSES, *METHODS, *FUNCTIONS], ids=named)
def test_every_parameter_is_documented_with_its_default(documented):
    # A base class without settings has only those that any object has.
    parameters = {} if documented in (skc2c.Penalty,) else signature(documented)
    parameters = (
        {} if inspect.isclass(documented) and "__init__" not in vars(documented) else parameters
    )
    text = documented_parameters(docstring_of(documented))
    assert list(text) == list(parameters)
    if docstring_of(documented) != inspect.getdoc(documented):
        return  # the defaults are those of another method
    for name, default in parameters.items():
        if default is inspect.Parameter.empty:
            assert "default" not in text[name], name
        elif "default=" in text[name]:
            assert ast.literal_eval(text[name].split("default=")[1]) == default, name
        else:
            assert text[name].endswith("optional"), name


@pytest.mark.parametrize("cls", [skc2c.C2CClassifier, skc2c.C2CRegressor])
def test_every_fitted_attribute_is_documented(cls):
    """Those of one network, and those of several."""
    X = [[0.0], [1.0], [2.0], [3.0], [4.0]] * 4
    section = inspect.getdoc(cls).split("Attributes\n")[1].split("See Also\n")[0]
    documented = set(re.findall(r"^(\w+_) : ", section, re.MULTILINE))
    found = set()
    for settings in ({"early_stopping": True}, {"cv": 2}):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # hardly trained
            fitted = cls(max_iter=2, **settings).fit(X, [0, 1, 1, 0, 1] * 4)
        found |= {name for name in vars(fitted) if name.endswith("_")}
    assert documented - {"feature_names_in_"} == found


def test_every_fitted_attribute_of_the_autoencoder_is_documented():
    section = inspect.getdoc(skc2c.C2CAutoencoder).split("Attributes\n")[1].split("See Also\n")[0]
    documented = set(re.findall(r"^(\w+_) : ", section, re.MULTILINE))
    fitted = skc2c.C2CAutoencoder(1, max_iter=2).fit([[0.0], [1.0], [2.0]])
    found = {name for name in vars(fitted) if name.endswith("_")}
    assert documented - {"feature_names_in_"} == found


@pytest.mark.parametrize("cls", [skc2c.C2CClassifier, skc2c.C2CRegressor])
def test_attributes_that_need_folds_say_so(cls):
    X, y = [[0.0], [1.0], [2.0], [3.0], [4.0]] * 4, [0, 1, 1, 0, 1] * 4
    section = inspect.getdoc(cls).split("Attributes\n")[1].split("See Also\n")[0]
    parts = re.findall(r"^(\w+_) : (.*?)(?=^\w|\Z)", section, re.MULTILINE | re.DOTALL)
    phrase = re.compile(r"Only\s+available\s+if\s+there\s+were\s+folds")
    of_folds = {name for name, text in parts if phrase.search(text)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # hardly trained
        one, several = (set(vars(cls(max_iter=2, cv=cv).fit(X, y))) for cv in (None, 4))
    assert of_folds
    assert one - several == set()
    assert several - one == of_folds


@pytest.mark.parametrize("cls", [skc2c.C2CAutoencoder, skc2c.C2CClassifier, skc2c.C2CRegressor])
def test_choices_in_the_docstring_are_those_of_the_code(cls):
    text = documented_parameters(inspect.getdoc(cls))
    tables = {"activation": ACTIVATIONS, "penalty": PENALTIES, "solver": SOLVERS}
    tables |= {"loss": LOSSES} if cls is skc2c.C2CRegressor else {}
    tables |= {"code_activation": ACTIVATIONS} if cls is skc2c.C2CAutoencoder else {}
    for name, table in tables.items():
        choices = set(re.findall(r"'(\w+)'", text[name].split("default")[0]))
        assert choices == {key for key in table if key is not None}


def test_choices_of_a_schedule_are_those_of_the_code():
    text = documented_parameters(inspect.getdoc(SOLVERS["adam"]))["schedule"]
    assert set(re.findall(r"'(\w+)'", text.split("default")[0])) == {"auto", *SCHEDULES}


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


def test_the_guide_names_every_penalty():
    guide = (ROOT / "docs" / "penalties.md").read_text()
    for name in PENALTIES:
        assert f"`'{name}'`" in guide or name is None


PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def anchors(page):
    """What may stand behind # in a link to a page: its headings, as GitHub and MyST spell them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_points_to_exists(page):
    links = re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text())
    for name, anchor in [link for link in links if not link[0].startswith("http")]:
        target = page.parent / name if name else page
        assert target.exists(), name
        assert not anchor or anchor in anchors(target), f"{name}#{anchor}"


def test_every_page_is_in_the_site():
    docs = ROOT / "docs"
    pages = "\n".join(page.read_text() for page in docs.glob("*.md"))
    trees = "".join(re.findall(r"```\{toctree\}(.*?)```", pages, re.DOTALL))
    named = set(re.findall(r"^[\w-]+$", trees, re.MULTILINE))
    assert {page.stem for page in docs.glob("*.md")} == named | {"index"}


def test_the_citation_is_of_this_version():
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^version: (.*)$", citation, re.MULTILINE)[1] == skc2c.__version__


def test_quickstart_example_runs_and_draws(run_example):
    out, picture = run_example("quickstart")
    for name in ("c2c", "jacobian", "vat", "noise", "MLPClassifier", "MLPRegressor"):
        assert name in out
    assert picture.stat().st_size > 20_000


# What a page needs beyond the package.
NEEDED = {"export": ("onnxruntime", "skl2onnx", "skops"), "one_hot": ("pandas",)}


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.parent != ROOT and "\n>>> " in page.read_text()],
    ids=lambda page: page.stem,
)
def test_examples_of_a_page_run(page, tmp_path, monkeypatch, shared_fits):
    for name in NEEDED.get(page.stem, ()):
        pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)  # where it saves a model
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    results = doctest.testfile(str(page), module_relative=False, optionflags=flags)
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize("subject", ["moons", "digits", "regression"])
def test_semi_supervised_examples_run_and_draw(run_example, subject):
    out, picture = run_example(f"semi_supervised_{subject}")
    assert "vat" in out
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("autoencoder", r"contractive autoencoder"),
        ("displays", r"vat +adversarial +accuracy (0\.\d+ at \d\.\d(, )?){5}"),
        ("prediction_intervals", r"(?s)(coverage 0\.\d+  width \d.*){4}"),
        ("theory_adversarial", r"\| c2c, true maximum \| tanh \|"),
        ("theory_jacobian", r"\| relu \| measured \|"),
        ("theory_ladder", r"identity the ladder's penalty is that of c2c at every epsilon"),
        ("theory_noise", r"\| digits, tanh \| other \|"),
    ],
)
def test_example_runs_and_draws(name, printed, run_example):
    out, picture = run_example(name)
    assert re.search(printed, out)
    assert picture.stat().st_size > 20_000


# Codes of numpydoc's validation that are switched off, and why.
OFF = {
    "ES01",  # one whole sentence may be all that there is to say
    "GL08",  # a method that overrides inherits its docstring
    "RT02",  # what is returned has a name, as its shape is often said in terms of it
}
OFF_FOR_METHODS = {"SA01"}  # their kin are on the same page
# Methods that authors of penalties, solvers and splitters meet, and those that the example of their
# class calls.
OFF_WHERE_THE_CLASS_SHOWS_IT = {"EX01"}


def is_shown_by_its_class(documented):
    if documented not in [thing for _, thing in of_reference()]:
        return True
    name = documented.__name__
    owners = [cls for cls in CLASSES if getattr(cls, name, None) is documented]
    return any(f".{name}(" in inspect.getdoc(cls) for cls in owners)


@pytest.mark.parametrize("documented", [*CLASSES, *METHODS, *FUNCTIONS], ids=named)
def test_docstrings_pass_the_validation_of_numpydoc(documented):
    validate = pytest.importorskip("numpydoc.validate").validate
    if docstring_of(documented) != inspect.getdoc(documented):
        return  # that of another method, which is validated itself
    off = OFF | (OFF_FOR_METHODS if documented in METHODS else set())
    if is_shown_by_its_class(documented):
        off |= OFF_WHERE_THE_CLASS_SHOWS_IT
    errors = validate(f"{documented.__module__}.{documented.__qualname__}")["errors"]
    assert [error for error in errors if error[0] not in off] == []
