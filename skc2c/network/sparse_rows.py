"""Wide sparse rows on their way through the first layer, with Gaussian noise drawn behind it.

A dense layer maps ``x + dx`` with ``dx ~ N(0, diag(epsilon^2))`` to ``x W + b + dx W``, and
``dx W ~ N(0, G)`` with ``G = W' diag(epsilon^2) W``. So the H numbers ``u G^(1/2)``, with u
standard normal, stand for the D numbers dx: what the network does with either has
the same distribution, and so the same expectation at every theta. The gradient is that of
``u G^(1/2)`` for fixed u, an unbiased estimate as that for fixed dx is.
"""

from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True)
class SparseRows:
    """Sparse rows, or noisy copies of them, or first the ones and then the others.

    Only a dense layer can take them, as the first layer of a network.

    Parameters
    ----------
    X : CSR matrix of shape (n, D)
    noise : ndarray of shape (m, n, H) or None
        Standard normal numbers for m noisy copies, one for each unit of the first layer.
    epsilon : float or ndarray of shape (D,)
        Standard deviation of the noise before the layer.
    has_clean : bool
        Whether the rows without noise come before the noisy copies.
    k : int or None
        Members whose rows these are; None for a single network.
    """

    X: object
    noise: np.ndarray | None = field(kw_only=True, default=None)
    epsilon: float | np.ndarray = field(kw_only=True, default=0.0)
    has_clean: bool = field(kw_only=True, default=True)
    k: int | None = field(kw_only=True, default=None)

    @property
    def shape(self):
        """As of the array that they stand for."""
        n, D = self.X.shape
        return self.n_copies * n, D

    @property
    def dtype(self):
        return self.X.dtype

    @property
    def n_copies(self):
        """How often each row is there, with and without noise."""
        n_noisy = 0 if self.noise is None else len(self.noise)
        return n_noisy + int(self.has_clean)

    def of_members(self, k):
        """View as rows of k members."""
        return replace(self, k=k)

    def __matmul__(self, kernel):
        return self.times(kernel)[0]

    def times(self, kernel):
        """Multiply by the kernel of the first layer.

        Parameters
        ----------
        kernel : ndarray of shape (D, H) or (k, D, H)

        Returns
        -------
        z : ndarray of shape (n_copies * n, H) or (n_copies, k, n, H)
        way_back : WayBack
        """
        kernels = kernel.reshape(-1, *kernel.shape[-2:])
        n, H = self.X.shape[0] // len(kernels), kernel.shape[-1]
        z = np.empty((self.n_copies, len(kernels), n, H), kernel.dtype)
        parts = [_Part(self, i, n, own) for i, own in enumerate(kernels)]
        for i, part in enumerate(parts):
            part.forward(z[:, i])
        return (z if self.k is not None else z.reshape(-1, H)), WayBack(parts, z.shape)


def linearize_behind(network, theta, X, epsilon):
    """Return the network's slopes at X with respect to perturbations behind the first kernel.

    With ``diag(epsilon) W = Q S``, the polar decomposition, a perturbation ``epsilon * (Q c)`` is
    as long as c in units of epsilon, and the first layer maps it to ``c S``. One with a part
    outside of the columns of Q is longer, to no effect.

    Parameters
    ----------
    network : Network
    theta : ndarray of shape (network.size,)
    X : CSR matrix of shape (n, D)
    epsilon : float or ndarray of shape (D,)

    Returns
    -------
    linearization : Linearization
        Whose features are the H entries of c.
    """
    linearization = network.linearize(theta, SparseRows(X))
    first, *further = linearization.maps
    kernels = first.kernel.reshape(-1, *first.kernel.shape[-2:])
    roots = np.stack([GramRoot(kernel, epsilon).value for kernel in kernels])
    root = roots.reshape(*first.kernel.shape[:-2], *roots.shape[-2:])
    maps = [first._replace(kernel=root), *further]
    return linearization._replace(n_features=root.shape[-1], maps=maps)


class WayBack:
    """From the gradient with respect to the product to that with respect to the kernel."""

    def __init__(self, parts, shape):
        self.parts, self.shape = parts, shape

    def write(self, g, out):
        """Write it into an array of the shape of the kernel."""
        g = g.reshape(self.shape)
        for i, (part, own) in enumerate(
            zip(self.parts, out.reshape(-1, *out.shape[-2:]), strict=True)
        ):
            part.backward(g[:, i], own)


class _Part:
    """The rows of one network and its kernel."""

    def __init__(self, rows, i, n, kernel):
        mine = slice(i * n, (i + 1) * n)
        self.X = rows.X if n == rows.X.shape[0] else rows.X[mine]
        self.kernel, self.noise, self.root = kernel, None, None
        self.first = int(rows.has_clean)
        if rows.noise is not None:
            self.noise = rows.noise[:, mine]
            self.root = GramRoot(kernel, rows.epsilon)

    def forward(self, z):
        """Fill z: (n_copies, n, H)."""
        z[...] = self.X @ self.kernel
        if self.noise is not None:
            z[self.first :] += self.noise @ self.root.value

    def backward(self, g, out):
        columns, compact = _used_columns(self.X)
        if self.noise is None:
            out[...] = 0.0
        else:
            moment = np.einsum("mnh,mnj->hj", self.noise, g[self.first :], optimize=True)
            self.root.write_gradient(moment, out)
        out[columns] += compact.T @ g.sum(axis=0)


def _used_columns(X):
    """Columns with a stored entry, and the matrix of these columns alone.

    The gradient of the kernel has as many rows that are not zero: no second array of its size
    arises.
    """
    columns, places = np.unique(X.indices, return_inverse=True)
    places = places.astype(X.indices.dtype, copy=False)
    compact = type(X)((X.data, places, X.indptr), shape=(X.shape[0], len(columns)))
    return columns, compact


# Rows of a kernel that are multiplied at a time where a second array of its size would arise.
_CHUNK = 4096


class GramRoot:
    """The symmetric root of ``W' diag(epsilon^2) W``, and its way back to W.

    The root S is a Lipschitz function of W, also where a unit is dead or the Gram matrix singular,
    unlike a Cholesky factor. With ``S = V diag(s) V'`` the derivative follows from
    ``dS S + S dS = dG``: in the basis V, ``dS_ij = dG_ij / (s_i + s_j)`` (see N. Higham,
    "Functions of Matrices", 2008, section 6.1).

    Parameters
    ----------
    kernel : ndarray of shape (D, H)
    epsilon : float or ndarray of shape (D,)
    """

    def __init__(self, kernel, epsilon):
        self.kernel = kernel
        self.square = np.square(epsilon).astype(kernel.dtype)
        squares, self.basis = np.linalg.eigh(self._gram().astype(np.float64))
        # Below this they are lost in the rounding of the Gram matrix.
        lost = squares < 10.0 * np.finfo(kernel.dtype).eps * squares.max(initial=0.0)
        self.spread = np.sqrt(np.where(lost, 0.0, squares))
        root = (self.basis * self.spread) @ self.basis.T
        self.value = root.astype(kernel.dtype)

    def _gram(self):
        if self.square.ndim == 0:
            return self.square * (self.kernel.T @ self.kernel)
        parts = self._chunks()
        return sum(self.kernel[c].T @ (self.kernel[c] * self.square[c, None]) for c in parts)

    def _chunks(self):
        D = len(self.kernel)
        return [slice(start, min(start + _CHUNK, D)) for start in range(0, D, _CHUNK)]

    def write_gradient(self, g, out):
        """Write the gradient with respect to the kernel, given that with respect to the root."""
        V, s = self.basis, self.spread
        rotated, sums = V.T @ g.astype(np.float64) @ V, s[:, None] + s
        inner = V @ np.divide(rotated, sums, out=np.zeros_like(sums), where=sums > 0.0) @ V.T
        inner = (inner + inner.T).astype(out.dtype)
        if self.square.ndim == 0:
            np.matmul(self.kernel, self.square * inner, out=out)
            return
        np.matmul(self.kernel, inner, out=out)
        out *= self.square[:, None]
