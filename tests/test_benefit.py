"""The penalties pay on real data: parts of what `benchmarks/benefit.py` measures, asserted."""

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import benefit

    return benefit


# Strength, radius, and by how much the cross-validated score (minus the log-loss, or R2) has to
# be better than without a penalty: half of the mean of three seeds, or less. The other gains
# of docs/benefit.md are smaller than what differs from seed to seed.
BENEFITS = [
    ("digits", "vat", 1.0, 1.0, 0.01),
    ("breast_cancer", "c2c", 0.1, 0.1, 0.002),
    ("diabetes", "c2c", 1.0, 0.3, 0.02),
    ("diabetes", "vat", 1.0, 1.0, 0.01),
]


@pytest.mark.parametrize(("data", "penalty", "alpha", "epsilon", "margin"), BENEFITS)
def test_a_penalty_beats_none(script, monkeypatch, data, penalty, alpha, epsilon, margin):
    monkeypatch.setattr(script, "GRID", {"alpha": [alpha], "epsilon": [epsilon]})
    # It shows at a higher rate, too, and the earlier, the more rows there are.
    monkeypatch.setitem(script.SETTINGS, "learning_rate_init", 0.01)
    epochs = {"digits": 20, "breast_cancer": 70, "diabetes": 100}
    monkeypatch.setitem(script.SETTINGS, "max_iter", epochs[data])
    scores = script.measure(data, penalties=(penalty,), n_jobs=1)
    assert scores[penalty][0] > scores["None"][0] + margin


def test_penalties_make_the_network_robust(script, monkeypatch):
    """Rows moved by 0.5 against their label: the plain network gets half of them wrong."""
    at = script.DISTANCES.index(0.5)
    monkeypatch.setitem(script.SETTINGS, "max_iter", 50)
    plain = script.robustness(script.ROBUST["None"])
    for name in ("c2c", "jacobian", "vat"):
        smooth = script.robustness(script.ROBUST[name])
        assert smooth[0] > plain[0] - 0.02, name
        assert smooth[at] > plain[at] + 0.1, name
