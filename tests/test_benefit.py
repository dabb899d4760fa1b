"""The penalties pay on real data: what `benchmarks/benefit.py` measures, asserted."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "benefit.py"


def load_script():
    spec = importlib.util.spec_from_file_location("benefit", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("data", ["digits", "breast_cancer", "diabetes"])
def test_best_of_a_small_grid_beats_no_penalty(data, monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")  # of the worker processes
    scores = load_script().measure(data, penalties=("c2c", "vat"))
    plain, _ = scores.pop("None")
    for penalty, (score, _) in scores.items():
        assert score > plain, penalty
