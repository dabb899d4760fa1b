"""Blocks of rows that suit a core's cache, so that memory does not grow with their number."""

import numpy as np

# About this many numbers of the widest layer are in flight at once when all rows are
# evaluated: small enough for a core's cache, large enough for the matrix products.
BLOCK_NUMBERS = 2**17

# Fewer rows than this make products that are slow for their size.
_FEWEST_ROWS = 64

# Sums over blocks are made of this many parts at most.
_N_PIECES = 64


def row_blocks(n, network, n_copies=0):
    """Slices that cut n rows, each with so many copies, into blocks that suit the network."""
    size = max(_FEWEST_ROWS, BLOCK_NUMBERS // (network.widest * (1 + n_copies)))
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def sparse_blocks(n, network, n_copies=0):
    """The same for wide sparse rows, of which no array is made.

    What each block costs beside its rows, above all a gradient of the size of the first kernel, is
    shared by more of them, whose arrays together take a part of the kernel's memory.
    """
    widest = max(layer.n_out for layer in network.layers)
    size = max(BLOCK_NUMBERS // widest, network.n_features // 8) // (1 + n_copies)
    size = max(_FEWEST_ROWS, size)
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def in_pieces(blocks):
    """Cut a list into consecutive parts: enough to keep threads evenly at work, not many more.

    They do not depend on the number of threads, and so neither does a sum over parts of
    sums over blocks. Handing out every block would take longer than evaluating a small one.
    """
    size = max(1, -(-len(blocks) // _N_PIECES))
    return [blocks[start : start + size] for start in range(0, len(blocks), size)]


def outputs(network, theta, X, over_blocks=map):
    """Network output at every row, block by block.

    Parameters
    ----------
    network : Network
    theta : ndarray
    X : ndarray or CSR matrix of shape (n, D)
    over_blocks : callable, default=map
        ``(function, pieces) -> results in order``, on threads say.

    Returns
    -------
    h : ndarray of shape (n, K)
    """
    h = np.empty((X.shape[0], network.n_outputs), np.result_type(theta, X))

    def fill(blocks):
        for block in blocks:
            h[block] = network.forward(theta, X[block])

    for _ in over_blocks(fill, in_pieces(row_blocks(X.shape[0], network))):
        pass
    return h
