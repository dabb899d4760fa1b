"""The scripts in benchmarks that compare fits: on processes, and with priors of the certainty."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss
from tiny_sets import cells, write_sets
from tuned import as_trained, draw

from skc2c import C2CClassifier

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch, brief_by_default):
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def folder(tmp_path, rng):
    return write_sets(tmp_path / "data", rng)


def test_processes_are_compared(folder, capsys):
    import processes

    processes.main(["--data", str(folder), "--rows", "50", "--rounds", "1"])
    found = cells(capsys.readouterr().out.strip())
    found = {name: row for name, row in found.items() if name not in ("set", "---")}
    assert list(found) == ["binary_set", "regression_set", "sum"]
    for name in ("binary_set", "regression_set"):
        assert found[name]["same"] == "True"
    one, two = (
        [float(found[name][head].split()[0]) for name in found] for head in ("one process", "2")
    )
    assert one[2] == pytest.approx(sum(one[:2]), abs=0.002)
    assert float(found["sum"]["ratio"]) == pytest.approx(two[2] / one[2], rel=0.05)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_the_priors_of_the_defaults_give_the_loss_of_the_classifier(task, capsys):
    import certainty
    from untuned import Table

    X, y = draw(task, 60)
    y = np.unique(y, return_inverse=True)[1]
    train, test = np.arange(40), np.arange(40, 60)
    found = dict(
        zip(certainty.PRIORS, certainty.losses(Table(X, y, False), train, test), strict=True)
    )
    clf = C2CClassifier(random_state=0).fit(X[train], y[train])
    proba = clf.predict_proba(X[test])
    assert_allclose(found[5.0, 20.0], log_loss(y[test], proba, labels=clf.classes_), rtol=1e-4)
    assert len(set(found.values())) > 3


def test_priors_are_compared(folder, capsys):
    import certainty

    arguments = ["--data", str(folder), "--rows", "40", "60", "--seeds", "0"]
    certainty.main(arguments)
    head, _, first, *rest = capsys.readouterr().out.strip().splitlines()
    assert head == "| of shifts | of the factor | 40 rows | 60 rows |"
    assert first == "| 10000 | 10000 | +0.0000 | +0.0000 |"
    assert len(rest) == len(certainty.PRIORS) - 1


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_classifiers_without_an_ingredient(task, monkeypatch):
    import untuned

    X, y = draw(task, 60)

    def fit(name):
        return untuned.ours(name, False, 1).fit(X, y)

    plain, whole = (as_trained(monkeypatch, lambda: fit("skc2c")), fit("skc2c"))
    assert np.abs(whole.logit_shift_).max() > 0.01
    bare = fit("no-temperature").predict_proba(X)
    assert_allclose(bare, plain.predict_proba(X), rtol=1e-4, atol=1e-6)
    assert np.abs(fit("no-shift").logit_shift_).max() < 0.01
    half = fit("half-temperature").predict_proba(X)
    mean = np.log(bare) / np.sqrt(whole.temperature_)
    mean += np.append(0.0, whole.logit_shift_) if task == "binary" else whole.logit_shift_
    expected = np.exp(mean) / np.exp(mean).sum(axis=1, keepdims=True)
    assert_allclose(half, expected, rtol=1e-4, atol=1e-6)
