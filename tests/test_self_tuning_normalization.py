"""Which networks of a fit that tunes itself are normalised."""

import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from tuned import draw, make, spy_on_cross_fit


def how_normalized(seen):
    """The normalisation of each candidate, by whether it is embedded, and penalised."""
    ((plan, _),) = seen
    return {(bool(c.front), c.alpha > 0): c.normalization for c in plan.candidates}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {(False, False): "batch", (True, False): None, (True, True): None}),
        ({"alpha": 0.0}, {(False, False): "batch", (True, False): None}),
        ({"penalty": None}, {(False, False): "batch", (True, False): None}),
        (
            {"penalty": "jacobian"},
            {(False, False): "batch", (True, False): None, (True, True): None},
        ),
        ({"alpha": 0.2}, {(False, True): None, (True, True): None}),
        ({"numeric_embedding": None}, {(False, False): "batch", (False, True): None}),
        ({"hidden_layer_sizes": ()}, dict.fromkeys([(False, False), (True, False), (True, True)])),
        ({"solver": "lbfgs"}, dict.fromkeys([(False, False), (True, False), (True, True)])),
        (
            {"normalization": None},
            dict.fromkeys([(False, False), (True, False), (True, True)]),
        ),
        (
            {"normalization": "batch_all"},
            dict.fromkeys([(False, False), (True, False), (True, True)], "batch_all"),
        ),
    ],
    ids=str,
)
def test_plain_networks_are_normalised_if_that_is_left_to_the_fit(changes, expected, monkeypatch):
    seen = spy_on_cross_fit(monkeypatch)
    make("real", max_iter=2, **changes).fit(*draw("real"))
    assert how_normalized(seen) == expected


def test_networks_of_sparse_rows_are_not_normalised_by_themselves(monkeypatch):
    seen = spy_on_cross_fit(monkeypatch)
    X, y = draw("binary")
    make("binary", max_iter=2).fit(sparse.csr_matrix(X), y)
    assert set(how_normalized(seen).values()) == {None}


@pytest.mark.parametrize("settings", [{"cv": None}, {"early_stopping": True}, {"warm_start": True}])
def test_a_single_network_is_normalised_only_if_asked(settings):
    X, y = draw("real")
    settings = settings | {"max_iter": 3}
    found, plain = (make("real", normalization=n, **settings).fit(X, y) for n in ("auto", None))
    assert_array_equal(found.coefs_[0], plain.coefs_[0])
