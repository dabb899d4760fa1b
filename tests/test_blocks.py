"""Blocks of rows: all rows once, in sizes that suit, and results that do not depend on them."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import draw_network
from scipy import sparse

from skc2c.network import blocks
from skc2c.network.blocks import BLOCK_NUMBERS, in_pieces, outputs, row_blocks

FEWEST, N_PIECES = 64, 64


def rows_of(cut):
    return np.concatenate([np.arange(block.start, block.stop) for block in cut])


@pytest.mark.parametrize("n", [1, 63, 64, 65, 1000, 100_003])
@pytest.mark.parametrize("widest", [1, 100, 3000, 10**6])
@pytest.mark.parametrize("n_copies", [0, 1, 5])
def test_blocks_cover_all_rows_once_in_bounded_sizes(n, widest, n_copies):
    cut = row_blocks(n, SimpleNamespace(widest=widest), n_copies)
    assert_array_equal(rows_of(cut), np.arange(n))
    sizes = [block.stop - block.start for block in cut]
    assert min(sizes) > 0
    assert len(set(sizes[:-1])) <= 1  # all but the last are equal
    numbers_a_row = widest * (1 + n_copies)
    assert max(sizes) <= FEWEST or max(sizes) * numbers_a_row <= BLOCK_NUMBERS
    # Nor are they smaller than need be.
    assert len(cut) == 1 or sizes[0] >= FEWEST
    assert len(cut) == 1 or (sizes[0] + 1) * numbers_a_row > BLOCK_NUMBERS


def test_no_rows_make_no_blocks():
    assert row_blocks(0, SimpleNamespace(widest=3)) == []
    assert in_pieces([]) == []


def test_blocks_have_no_copies_unless_told(monkeypatch):
    network = SimpleNamespace(widest=10)
    monkeypatch.setattr(blocks, "BLOCK_NUMBERS", 1000)
    assert row_blocks(200, network) == row_blocks(200, network, 0)
    assert row_blocks(200, network)[0] == slice(0, 100)
    assert row_blocks(200, network, 1)[0] == slice(0, 64)


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 128, 129, 1000, 12_345])
def test_pieces_cover_all_blocks_in_order(n):
    pieces = in_pieces(list(range(n)))
    assert [block for piece in pieces for block in piece] == list(range(n))
    assert len(pieces) <= N_PIECES
    assert 2 * len(pieces) > min(n, N_PIECES)  # enough to keep threads evenly at work
    sizes = {len(piece) for piece in pieces[:-1]}
    assert len(sizes) <= 1


def backwards(function, items):
    """A map that works in another order, and says nothing before it is done."""
    return [function(item) for item in reversed(list(items))][::-1]


def lazily(function, items):
    return (function(item) for item in items)


def on_threads(function, items):
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(function, items))


@pytest.mark.parametrize("over_blocks", [map, backwards, lazily, on_threads])
@pytest.mark.parametrize("numbers", [1, 2**17])
def test_outputs_do_not_depend_on_the_map(rng, monkeypatch, over_blocks, numbers):
    monkeypatch.setattr(blocks, "BLOCK_NUMBERS", numbers)
    network, theta, X = draw_network(rng, (6, 5), n=700)
    h = outputs(network, theta, X, over_blocks)
    assert_array_equal(h, outputs(network, theta, X))
    assert_allclose(h, network.forward(theta, X), rtol=1e-12)


def test_pieces_are_what_is_handed_to_the_map(rng, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_NUMBERS", 1)
    network, theta, X = draw_network(rng, n=100 * FEWEST)
    handed = []

    def record(function, pieces):
        handed.extend(pieces)
        return map(function, pieces)

    outputs(network, theta, X, record)
    assert handed == in_pieces(row_blocks(len(X), network))
    assert len(handed) == 50


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix, sparse.csr_array])
@pytest.mark.parametrize("types", ["ff", "fd", "df", "dd"])
def test_outputs_have_the_type_of_theta_and_rows(rng, monkeypatch, make, types):
    """float32 only where both are."""
    monkeypatch.setattr(blocks, "BLOCK_NUMBERS", 1)
    network, theta, X = draw_network(rng, n=150)
    X[np.abs(X) < 0.7] = 0.0
    h = outputs(network, theta.astype(types[0]), make(X.astype(types[1])))
    assert h.dtype == np.result_type(types[0], types[1])
    assert_allclose(h, network.forward(theta, X), rtol=1e-4, atol=1e-5)


def test_an_error_in_a_block_is_raised(rng):
    network, theta, X = draw_network(rng, n=100)
    with pytest.raises(ValueError, match="matmul"):
        outputs(network, theta, X[:, :3])
