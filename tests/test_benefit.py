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


def test_penalties_make_the_network_robust():
    """Rows moved by 0.5 against their label: the plain network gets half of them wrong."""
    script = load_script()
    at = script.DISTANCES.index(0.5)
    plain = script.robustness(script.ROBUST["None"])
    for name in ("c2c", "jacobian", "vat"):
        smooth = script.robustness(script.ROBUST[name])
        assert smooth[0] > plain[0] - 0.01, name
        assert smooth[at] > plain[at] + 0.1, name
