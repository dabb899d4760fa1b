"""The check of the built site sees what it is there to see, in a real browser."""

import importlib.util
import shutil
from pathlib import Path

import pytest

pytest.importorskip("playwright")
PATH = Path(__file__).parent.parent / "docs" / "check_site.py"
GOOD = "<article><h1 id='here'>Fine</h1><a href='other.html#there'>other</a></article>"
FAULTS = {
    "<a href='nowhere.html'>x</a>": "link to nowhere",
    "<a href='other.html#lost'>x</a>": "no such place",
    "<script>console.error('broken')</script>": "console: broken",
    "<script>undefined.name</script>": "script: ",
    "<img src='missing.png'>": "404",
    "<img src='http://elsewhere.invalid/x.png'>": "from elsewhere",
    "<div style='width: 3000px'>x</div>": "wider than its window",
    "<div style='overflow: hidden'><p style='width: 3000px'>x</p></div>": "cut off",
}


@pytest.fixture(scope="module")
def check_site():
    spec = importlib.util.spec_from_file_location("check_site", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not any(map(shutil.which, module.BROWSERS)):
        pytest.skip("no Chromium")
    return module


def write(folder, body):
    head = "<!doctype html><link rel='icon' href='data:,'>"
    (folder / "index.html").write_text(f"{head}<article>{body}</article>")
    (folder / "other.html").write_text(f"{head}<p id='there'>here</p>")


def test_a_good_site_has_no_complaint(check_site, tmp_path):
    write(tmp_path, GOOD)
    assert list(check_site.check(tmp_path)) == []


@pytest.mark.parametrize(("fault", "complaint"), FAULTS.items(), ids=FAULTS.values())
def test_each_fault_is_found_in_each_window(check_site, tmp_path, fault, complaint):
    write(tmp_path, GOOD + fault)
    found = list(check_site.check(tmp_path))
    for width in check_site.WIDTHS:
        assert any(at == width and complaint in what for _, at, what in found)
