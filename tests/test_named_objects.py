"""The tables of names, which come from the files of a folder."""

import importlib
import sys

import pytest

from skc2c import penalties
from skc2c.named_objects import named_classes, named_object
from skc2c.penalties import C2C, PENALTIES, NoPenalty, Penalty


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two files: three classes, of which two have a name of their own."""
    folder = tmp_path / "kinds_of_penalty"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "b.py").write_text("from kinds_of_penalty.a import A\nclass B(A):\n    name = 'b'\n")
    (folder / "a.py").write_text("class A(int):\n    name = 'a'\nclass Nameless(A):\n    pass\n")
    (folder / "other.py").write_text("class Other:\n    name = 'other'\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("kinds_of_penalty")
    for name in [name for name in sys.modules if name.startswith("kinds_of_penalty")]:
        del sys.modules[name]


def test_a_class_is_found_by_lying_in_the_folder(package):
    found = named_classes(package.__name__, int)
    assert list(found) == ["a", "b"]
    assert [kind.__name__ for kind in found.values()] == ["A", "B"]


def test_every_penalty_of_the_package_is_found():
    assert set(PENALTIES.values()) >= {C2C, NoPenalty}
    for name, kind in PENALTIES.items():
        assert kind.name == name
        assert getattr(penalties, kind.__name__) is kind


def test_a_name_of_no_penalty_is_refused_with_all_that_there_are():
    with pytest.raises(ValueError, match=r"'c2c'.*or None. Got 'ctoc' instead"):
        named_object("ctoc", PENALTIES, Penalty, "penalty")
