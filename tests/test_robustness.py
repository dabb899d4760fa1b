"""Attacks and certificates of `benchmarks/robustness.py` where the truth is known; a tiny run."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier

from skc2c import C2CClassifier

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
RADII = (0.1, 0.3, 0.6, 1.0)


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def perceptron(rng, units):
    from attacks import Perceptron

    kernels = [rng.normal(size=pair) / np.sqrt(pair[0]) for pair in pairwise(units)]
    return Perceptron(kernels, [0.3 * rng.normal(size=n) for n in units[1:]])


def labelled(rng, model, n_features, n=60):
    """Rows, with the classes that the model gives them, but for a few."""
    X = rng.normal(size=(n, n_features))
    y = model.logits(X).argmax(axis=1)
    y[:5] = (y[:5] + 1) % model.intercepts[-1].size
    return X, y


def distances_of_linear(model, X, y):
    """Distance of each row from the nearest plane behind which another class has more."""
    gaps = []
    for k in range(model.coefs[0].shape[1]):
        normal = model.coefs[0][:, y] - model.coefs[0][:, [k]]
        margin = ((X @ model.coefs[0])[np.arange(len(y)), y] + model.intercepts[0][y]) - (
            X @ model.coefs[0][:, k] + model.intercepts[0][k]
        )
        length = np.linalg.norm(normal, axis=0)
        gaps.append(np.where(y == k, np.inf, margin / np.where(y == k, 1.0, length)))
    return np.min(gaps, axis=0)


def attack(name):
    if name == "ours":
        from attacks import survivors

        return survivors
    pytest.importorskip("foolbox")
    from foolbox_attacks import foolbox_survivors

    return foolbox_survivors


@pytest.mark.parametrize("name", ["ours", "foolbox"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_attack_of_a_linear_network_reaches_the_nearest_plane(rng, name, n_classes):
    model = perceptron(rng, (5, n_classes))
    X, y = labelled(rng, model, 5)
    distance = distances_of_linear(model, X, y)
    right = attack(name)(model, X, y, RADII)
    for radius, found in zip(RADII, right, strict=True):
        # A row at just this distance may be either.
        clear = abs(distance - radius) > 0.02 * radius
        assert_array_equal(found[clear], (distance > radius)[clear])
    assert not right[:, :5].any()
    assert 0.1 < right.mean() < 0.9


@pytest.mark.parametrize("units", [(3, 2), (3, 7, 4), (3, 6, 5, 3)])
def test_pull_equals_differences(rng, units):
    model = perceptron(rng, units)
    X, U, step = rng.normal(size=(20, 3)), rng.normal(size=(20, units[-1])), 1e-6
    for d, shift in enumerate(step * np.eye(3)):
        slope = (U * (model.logits(X + shift) - model.logits(X - shift))).sum(axis=1) / (2 * step)
        assert_allclose(model.pull(X, U)[:, d], slope, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", ["C2CClassifier", "MLPClassifier"])
def test_perceptron_and_inspection_see_the_same_network(rng, kind, n_classes):
    from attacks import Inspected, Perceptron

    X, y = load_iris(return_X_y=True)
    X, y = X[y < n_classes], y[y < n_classes]
    if kind == "MLPClassifier":
        model = MLPClassifier((5,), max_iter=50, random_state=0).fit(X, y)
    else:
        model = C2CClassifier((5,), **PLAIN | {"max_iter": 50}, random_state=0).fit(X, y)
    copy = Perceptron.of(model)
    p = np.exp(copy.logits(X))
    assert_allclose(p / p.sum(axis=1, keepdims=True), model.predict_proba(X), rtol=1e-9)
    if kind == "C2CClassifier":
        U = rng.normal(size=(len(X), n_classes))
        assert_allclose(Inspected(model).logits(X), copy.logits(X), rtol=1e-9, atol=1e-9)
        assert_allclose(Inspected(model).pull(X, U), copy.pull(X, U), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["in_torch", "as_module"])
def test_foolbox_attacks_the_same_network(rng, name):
    """Of which it needs logits and their gradients."""
    torch = pytest.importorskip("torch")
    import foolbox_attacks

    model = perceptron(rng, (3, 7, 4))
    X, U = torch.from_numpy(rng.normal(size=(20, 3))), torch.from_numpy(rng.normal(size=(20, 4)))
    logits = getattr(foolbox_attacks, name)(model)(X.requires_grad_())
    (logits * U).sum().backward()
    assert_allclose(logits.detach().numpy(), model.logits(X.detach().numpy()))
    assert_allclose(X.grad.numpy(), model.pull(X.detach().numpy(), U.numpy()))


def test_what_is_out_of_the_ball_is_not_held_against_a_network(rng):
    from foolbox_attacks import is_wrong

    model = perceptron(rng, (3, 2))
    X, y = rng.normal(size=(20, 3)), np.zeros(20, dtype=int)
    length = 3.0
    away = X + length * np.eye(3)[0]
    expected = model.logits(away).argmax(axis=1) != y
    assert expected.any()
    assert_array_equal(is_wrong(model, away, X, y, 3.0), expected)
    assert not is_wrong(model, away, X, y, 2.9).any()


# ------------------------------------------------------------------------------ certificates


def ball(rng, radius, n=4000):
    """Points of a disc: all around its edge, and within."""
    angle = rng.uniform(0.0, 2.0 * np.pi, n)
    length = radius * np.where(np.arange(n) % 2, 1.0, np.sqrt(rng.random(n)))
    return length[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])


def test_no_point_of_a_certified_ball_is_wrong(rng):
    from attacks import is_right
    from certificates import certified

    model = perceptron(rng, (2, 12, 3))
    X, y = labelled(rng, model, 2)
    by_norms, by_slopes = certified(model, X, y, RADII)
    assert (by_slopes >= by_norms).all()
    assert by_slopes.sum() > by_norms.sum() > 0
    for radius, holds in zip(RADII, by_slopes, strict=True):
        for row, label in zip(X[holds], y[holds], strict=True):
            near = row + ball(rng, radius)
            assert is_right(model, near, np.full(len(near), label)).all()


def test_slopes_are_bounds_on_the_gradient_in_the_ball(rng):
    from certificates import by_norms, by_slopes

    model, radius = perceptron(rng, (2, 12, 3)), 0.3
    X, y = labelled(rng, model, 2)
    for i in range(len(X)):
        bounds = by_slopes(model, X[i : i + 1], y[i : i + 1], radius)[0]
        near = X[i] + ball(rng, radius, 300)
        for k in range(3):
            U = np.tile(np.eye(3)[y[i]] - np.eye(3)[k], (len(near), 1))
            steepest = np.linalg.norm(model.pull(near, U), axis=1).max()
            assert steepest <= bounds[k] * (1.0 + 1e-9)
            assert steepest <= by_norms(model, y[i : i + 1])[0, k] * (1.0 + 1e-9)


def test_slopes_are_exact_where_no_unit_can_change(rng):
    from certificates import by_slopes

    model = perceptron(rng, (4, 9, 3))
    X, y = labelled(rng, model, 4)
    for k in range(3):
        U = np.eye(3)[y] - np.eye(3)[k]
        expected = np.linalg.norm(model.pull(X, U), axis=1)
        assert_allclose(by_slopes(model, X, y, 1e-9)[:, k], expected, rtol=1e-6)


# --------------------------------------------------------------------------------- the script


class Scored:
    """A model with a known score at the validation rows."""

    def __init__(self, value):
        self.value = value

    def fit(self, X, y):
        return self

    def score(self, X, y):
        return self.value


@pytest.mark.parametrize(("at_least", "expected"), [(0.85, 1.0), (0.75, 3.0), (0.95, 0.1)])
def test_the_largest_strength_that_is_accurate_enough_is_chosen(at_least, expected):
    """Accuracy need not fall steadily. If nothing is accurate enough, the weakest is taken."""
    from robustness import Contestant, Rows, chosen

    scores = {0.1: 0.9, 0.3: 0.7, 1.0: 0.88, 3.0: 0.8}
    contestant = Contestant(lambda strength, *_: Scored(scores[strength]), tuple(scores))
    X, y = np.zeros((2, 3)), np.zeros(2)
    found = chosen(contestant, Rows(X, y, X, y, X, y, (1.0,)), at_least)
    assert found[1:] == (expected, scores[expected])


def test_a_tiny_run_is_continued_and_reported(tmp_path, monkeypatch, capsys):
    import robustness

    monkeypatch.setattr(robustness, "SETTINGS", {"max_iter": 15, "random_state": 0})
    path = tmp_path / "results.jsonl"
    command = ["--sets", "breast_cancer", "--rows", "160", "--splits", "1", "--results", str(path)]
    both = ["--contestants", "None", "noise", "MLPClassifier"]
    robustness.main([*command, "--contestants", "None"])
    robustness.main([*command, *both])
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [r["contestant"] for r in records] == ["None", "noise", "MLPClassifier"]
    for record in records:
        clean, *attacked = [record["clean"], *record["both"]]
        assert attacked == sorted(attacked, reverse=True)
        assert clean >= attacked[0] > 0.0
        for place, share in enumerate(record["by_slopes"]):
            assert record["by_norms"][place] <= share <= record["both"][place]
    assert capsys.readouterr().out.count("[1/") == 2
    robustness.main([*command, *both, "--report"])
    out = capsys.readouterr().out
    assert f"| MLPClassifier | {records[2]['clean']:.3f} | {records[2]['both'][0]:.3f} |" in out


def test_a_broken_certificate_stops_the_run(rng, monkeypatch):
    import robustness

    model = perceptron(rng, (3, 7, 3))
    X, y = labelled(rng, model, 3)
    always = np.ones((1, len(X)), dtype=bool)
    monkeypatch.setattr(robustness, "certified", lambda *_: (~always, always))
    with pytest.raises(AssertionError, match="certified by_slopes were broken"):
        robustness.attacked(model, robustness.Rows(X, y, X, y, X, y, (0.5,)))
