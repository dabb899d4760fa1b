"""The outcomes of scikit-learn's own tests, and the page that records them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sklearn
from parity_with_mlp import DOES_NOT_APPLY, TESTS
from sklearn.utils.fixes import parse_version

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| `(test_\w+)(\[.*\])?` \| ([\w ]+) \|", re.MULTILINE)

pytestmark = pytest.mark.skipif(not TESTS.exists(), reason="scikit-learn came without its tests")


@pytest.fixture(scope="module")
def outcomes():
    """Names of tests, what they are parametrised with, and how they ended."""
    found = subprocess.run(
        [sys.executable, ROOT / "tests" / "parity_with_mlp.py"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ROW.search(found.stdout), found.stderr
    return ROW.findall(found.stdout)


def test_no_test_fails(outcomes):
    assert [name for name, _, outcome in outcomes if outcome == "failed"] == []
    assert sum(outcome == "passed" for *_, outcome in outcomes) > 30


@pytest.mark.skipif(
    parse_version(sklearn.__version__).release[:2] != (1, 9), reason="the page is of version 1.9"
)
def test_the_page_says_what_does_not_apply(outcomes):
    assert {name for name, _, outcome in outcomes if outcome == "does not apply"} == set(
        DOES_NOT_APPLY
    )
    assert ROW.findall((ROOT / "docs" / "parity.md").read_text()) == outcomes
