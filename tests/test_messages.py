"""Warnings point at the line of the user, whatever stands between it and ours."""

import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.exceptions import DataConversionWarning

import skc2c
from skc2c import C2CClassifier, C2CRegressor
from skc2c.messages import about, warn

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


@pytest.mark.parametrize("cls", [C2CClassifier, C2CRegressor])
def test_a_column_of_targets_is_warned_of_at_the_line_that_passed_it(cls):
    X, y = np.arange(20.0)[:, None], np.arange(20)[:, None] % 2
    model = cls(cv=None, max_iter=1, tol=1e9)
    with pytest.warns(DataConversionWarning, match="column-vector y") as caught:
        model.fit(X, y)
    places = [one.filename for one in caught if one.category is DataConversionWarning]
    assert places == [__file__]


def test_errors_name_the_argument():
    with pytest.raises(TypeError, match="^X_val: no$"), about("X_val"):
        raise TypeError("no")
    with pytest.raises(ValueError, match="^X_val: .* can't decode byte"), about("X_val"):
        b"\xff".decode()  # an error that is not made of a text
    with pytest.raises(KeyError, match="^'no'$"), about("X_val"):
        raise KeyError("no")
