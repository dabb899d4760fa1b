"""Warnings point at the line of the user, whatever stands between it and ours."""

import warnings
from pathlib import Path

import joblib
import pytest
import sklearn

import skc2c
from skc2c.messages import warn

OURS = Path(skc2c.__file__).parent


def where(function):
    """File and line at which the one warning of a call points."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    (warning,) = caught
    return warning.filename, warning.lineno


PLACES = {
    "the package": OURS,
    "a folder of it": OURS / "estimators",
    "scikit-learn": Path(sklearn.__file__).parent / "model_selection",
    "joblib": Path(joblib.__file__).parent,
}


@pytest.mark.parametrize("depth", [1, 4])
@pytest.mark.parametrize("place", PLACES)
def test_what_stands_between_is_passed_over(place, depth):
    namespace = {"warn": warn}
    exec(compile("def f0():\n    warn('careful')\n", str(OURS / "made_up.py"), "exec"), namespace)
    for i in range(depth):
        source = f"def f{i + 1}():\n    f{i}()\n"
        exec(compile(source, str(PLACES[place] / "made_up.py"), "exec"), namespace)
    code = compile(f"\nf{depth}()\n", "/home/user/notebook.py", "exec")
    assert where(lambda: exec(code, namespace)) == ("/home/user/notebook.py", 2)


def test_the_line_is_that_of_the_call_from_outside():
    namespace = {"warn": warn}
    ours = "def inner():\n    warn('careful')\n\n\ndef outer():\n    inner()\n"
    exec(compile(ours, str(OURS / "made_up.py"), "exec"), namespace)
    user = "\n\n\nouter()\n"
    code = compile(user, "/home/user/notebook.py", "exec")
    assert where(lambda: exec(code, namespace)) == ("/home/user/notebook.py", 4)


def test_the_category_and_the_words_are_kept():
    with pytest.warns(RuntimeWarning, match="^careful$"):
        warn("careful", RuntimeWarning)
    with pytest.warns(UserWarning, match="^careful$"):
        warn("careful")
