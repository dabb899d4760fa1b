"""Which rows are held out for early stopping, and how much rows weigh in the penalty."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN

from skc2c import C2CClassifier, C2CRegressor
from skc2c.estimators import assembly
from skc2c.inspection import penalty_value

SMALL = {"hidden_layer_sizes": (6,), "random_state": 0, "max_iter": 3}


def quick(cls=C2CClassifier, **parameters):
    """One small network on the rows as they are."""
    return cls(**PLAIN | SMALL | parameters)


@pytest.fixture
def held_out(monkeypatch):
    """A list to which each fit adds the rows that it keeps and those that it holds out."""
    rows, split = [], assembly._held_out

    def spy(*arguments):
        rows.append(split(*arguments))
        return rows[-1]

    monkeypatch.setattr(assembly, "_held_out", spy)
    return rows


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("counts", [(160, 40), (120, 40, 40)], ids=str)
def test_held_out_rows_have_the_shares_of_the_classes(counts, seed, held_out, rng):
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    X = rng.normal(size=(200, 3))
    settings = {"early_stopping": True, "validation_fraction": 0.1, "random_state": seed}
    quick(**settings).fit(X, y)
    ((kept, left),) = held_out
    assert_array_equal(np.bincount(y[left]), np.array(counts) // 10)
    assert_array_equal(np.sort(np.concatenate([kept, left])), np.arange(200))


@pytest.mark.parametrize("target", ["rare class", "labels", "real"])
def test_other_rows_are_held_out_at_random(target, held_out, rng):
    X = rng.normal(size=(60, 3))
    y = {
        "rare class": np.append(np.arange(59) % 2, 2),
        "labels": (X[:, :2] > 0).astype(int),
        "real": X[:, 0],
    }[target]
    cls = C2CRegressor if target == "real" else C2CClassifier
    for seed in (0, 0, 1):
        quick(cls, early_stopping=True, random_state=seed).fit(X, y)
    lefts = [np.sort(left) for _, left in held_out]
    assert [len(left) for left in lefts] == [6] * 3
    assert_array_equal(lefts[0], lefts[1])
    assert not np.array_equal(lefts[0], lefts[2])


@pytest.mark.filterwarnings("ignore:.*has collapsed")  # not trained at all
@pytest.mark.parametrize("cls", [C2CClassifier, C2CRegressor])
def test_the_penalty_is_the_weighted_mean_over_rows_with_and_without_a_label(cls, rng):
    """Rows without a label weigh one."""
    X = rng.normal(size=(50, 3)) * np.linspace(0.2, 3.0, 50)[:, None]
    y = np.arange(20) % 2
    weight = rng.uniform(0.1, 5.0, size=20)
    # With such a tolerance L-BFGS stops where it starts.
    settings = {"penalty": "jacobian", "epsilon": 0.7, "solver": "lbfgs", "tol": 1e9}
    settings |= {"activation": "tanh"}
    fits = [
        quick(cls, alpha=alpha, **settings).fit(X[:20], y, weight, X_unlabeled=X[20:])
        for alpha in (1.0, 0.0)
    ]
    assert_array_equal(fits[0].coefs_[0], fits[1].coefs_[0])
    charged = fits[0].loss_ - fits[1].loss_
    unit = 1.0
    if cls is C2CRegressor:  # in training y is standardised
        unit = np.average((y - np.average(y, weights=weight)) ** 2, weights=weight)
    each = [penalty_value(fits[0], X[i : i + 1], "jacobian", 0.7) / unit for i in range(50)]
    everywhere = np.append(weight, np.ones(30))
    assert_allclose(charged, np.average(each, weights=everywhere), rtol=1e-6)
    assert abs(charged - np.mean(each)) > 0.03 * charged
