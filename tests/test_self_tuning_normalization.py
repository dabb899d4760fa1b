"""Which networks of a fit that tunes itself are normalised."""

from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from tuned import draw, make, spy_on_cross_fit

from skc2c.estimators import candidates, cross_assembly
from skc2c.network.fourier_features import FourierFeatures
from skc2c.network.piecewise_linear import PiecewiseLinear


def how_normalized(seen):
    """How each candidate is embedded, whether it is penalised, and its normalisation."""
    ((plan, _),) = seen
    kinds = {(): None, (PiecewiseLinear,): "bins", (FourierFeatures,): "waves"}
    return [
        (kinds[tuple(map(type, c.front))], c.alpha > 0, c.normalization) for c in plan.candidates
    ]


BOTH = [(None, False, None), (None, False, "batch")]
BINS, WAVES, SMOOTH = ("bins", False, None), ("waves", False, None), ("waves", True, None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [*BOTH, BINS, SMOOTH]),
        ({"alpha": 0.0}, [*BOTH, BINS, WAVES]),
        ({"penalty": None}, [*BOTH, BINS, WAVES]),
        ({"penalty": "jacobian"}, [*BOTH, BINS, SMOOTH]),
        ({"alpha": 0.2}, [(None, True, None), ("bins", True, None), SMOOTH]),
        ({"numeric_embedding": None}, [*BOTH, (None, True, None)]),
        ({"numeric_embedding": "fourier"}, [WAVES, SMOOTH]),
        ({"numeric_embedding": "piecewise_linear"}, [BINS, ("bins", True, None)]),
        ({"hidden_layer_sizes": ()}, [BOTH[0], BINS, SMOOTH]),
        ({"solver": "lbfgs"}, [BOTH[0], BINS, SMOOTH]),
        ({"normalization": None}, [BOTH[0], BINS, SMOOTH]),
        (
            {"normalization": "batch_all"},
            [(*way[:2], "batch_all") for way in (BOTH[0], BINS, SMOOTH)],
        ),
    ],
    ids=str,
)
def test_plain_networks_are_tried_with_it_if_that_is_left_to_the_fit(
    changes, expected, monkeypatch
):
    seen = spy_on_cross_fit(monkeypatch)
    make("real", max_iter=2, **changes).fit(*draw("real"))
    assert how_normalized(seen) == expected


def test_networks_of_sparse_rows_are_not(monkeypatch):
    seen = spy_on_cross_fit(monkeypatch)
    X, y = draw("binary")
    make("binary", max_iter=2).fit(sparse.csr_matrix(X), y)
    assert how_normalized(seen) == [(None, False, None), (None, True, None)]


def test_the_better_of_two_goes_on_after_the_first_cycle(monkeypatch):
    """Columns that hardly differ, in whose difference the target lies; and mere noise."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1)) + 0.1 * rng.normal(size=(300, 3))
    seen = spy_on_cross_fit(monkeypatch)
    for target in (X[:, 0] - X[:, 1], rng.normal(size=300)):
        make("real", numeric_embedding=None, alpha=0.0, max_iter=60).fit(X, target)
    for (_, found), normalization in zip(seen, ("batch", None), strict=True):
        stops = sorted({end.n_steps for end in found.ends})
        first, *later = ([end for end in found.ends if end.n_steps == stop] for stop in stops)
        assert [end.candidate.normalization for end in first] == [None, "batch"]
        assert min(first, key=lambda end: end.loss).candidate.normalization == normalization
        assert later
        for ends in later:
            assert [end.candidate.normalization for end in ends] == [normalization]


def test_both_go_on_while_too_few_steps_tell_nothing(monkeypatch):
    """Cycles end after 10, 30, 70 and 150 steps; after 70 it is told which is better."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(213, 3))
    seen = spy_on_cross_fit(monkeypatch)
    monkeypatch.setattr(candidates, "_PATIENCE", -np.inf)
    monkeypatch.setattr(candidates, "_BEHIND", -np.inf)
    make("real", numeric_embedding=None, alpha=0.0, max_iter=15).fit(X, X[:, 0])
    ((_, found),) = seen
    n_ends = Counter(end.n_steps for end in found.ends)
    assert n_ends == {10: 2, 30: 2, 70: 2, 150: 1}


def test_the_first_cycle_tells_by_default(monkeypatch):
    X, y = draw("real")
    seen = spy_on_cross_fit(monkeypatch)
    monkeypatch.setattr(cross_assembly, "_ENDS", cross_assembly._ENDS[:2])
    make("real", numeric_embedding=None, alpha=0.0, max_iter="auto").fit(X, y)
    ((plan, found),) = seen
    assert Counter(end.n_steps for end in found.ends) == {plan.ends[0]: 2, plan.ends[1]: 1}


@pytest.mark.parametrize("settings", [{"cv": None}, {"early_stopping": True}, {"warm_start": True}])
def test_a_single_network_is_normalised_only_if_asked(settings):
    X, y = draw("real")
    settings = settings | {"max_iter": 3}
    found, plain = (make("real", normalization=n, **settings).fit(X, y) for n in ("auto", None))
    assert_array_equal(found.coefs_[0], plain.coefs_[0])
