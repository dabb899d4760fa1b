"""The map x -> h: layers over one flat parameter vector.

Everything here is a function of ``theta`` that autograd can trace, and nothing
differentiates: tangents and Jacobians have formulas and derivatives of their own, so
that a gradient of the objective never nests one trace in another (autograd keeps
one process-wide trace counter, and nesting under threads gives wrong gradients).

Shapes: ``n`` rows, ``D`` inputs, ``K`` outputs, ``H`` units of a hidden layer,
``m`` directions.
"""

from dataclasses import dataclass, fields
from functools import cached_property

import autograd.numpy as anp
import numpy as np

from skc2c.network.jacobians import jacobian, pulled, squared_jacobian
from skc2c.network.normalization import with_noise
from skc2c.network.passes import Layout, linearize, through, through_fixed
from skc2c.network.stack import layers_of


@dataclass(frozen=True)
class Network:
    """A multilayer perceptron ``h = f(x; theta)``: shapes only, no parameters.

    Parameters
    ----------
    layer_units : tuple of int
        Units of the input, every hidden layer and the output, ``(D, H1, ..., K)``.
        ``(D, K)`` is a linear model.
    activation : str
        Activation of the hidden layers, a key of ``ACTIVATIONS``; the output is linear.
    front : tuple of Layer, default=()
        Layers of other kinds between the input and the first dense layer.
    normalization : {'batch', 'batch_all'} or None, default=None
        Hidden units, or outputs too, are normalised over the rows that pass together. Rows then
        depend on each other; `fold` makes a plain network of it.

    Notes
    -----
    ``theta`` holds all kernels first, then all biases and other parameters, so that the weights
    on which weight decay acts are its first ``n_weights`` entries.
    """

    layer_units: tuple
    activation: str
    front: tuple = ()
    normalization: str | None = None

    def __getstate__(self):
        """Pickle the description only: activations are functions, which are told by identity."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def layers(self):
        """The layers from input to output, each with its place in theta."""
        return layers_of(self.layer_units, self.activation, self.front, self.normalization)

    @property
    def dense_layers(self):
        """The dense layers, whose kernels and biases are ``coefs_`` and ``intercepts_``."""
        return self.layers[len(self.front) :]

    @cached_property
    def n_weights(self):
        """How many entries of theta weight decay acts on."""
        return self.layers[-1].weights.stop

    @property
    def size(self):
        """Length of theta."""
        return self.layers[-1].others.stop

    @property
    def n_members(self):
        """One, from inside."""
        return 1

    def decayed(self, vector):
        """View of the entries of theta, or of its gradient, on which weight decay acts."""
        return vector[: self.n_weights]

    @property
    def n_features(self):
        """Width of a row, D."""
        return self.layer_units[0]

    @property
    def n_outputs(self):
        """Width of the output, K."""
        return self.layer_units[-1]

    @cached_property
    def widest(self):
        """Units of the widest layer."""
        return max(self.n_features, *(layer.n_out for layer in self.layers))

    def initialize(self, rng, dtype, scale=1.0):
        """Draw theta: uniform Glorot and He kernels, small uniform biases.

        Parameters
        ----------
        rng : numpy.random.Generator
        dtype : dtype
        scale : float, default=1.0
            Factor on all kernels.

        Returns
        -------
        theta : ndarray of shape (size,)

        Notes
        -----
        The variance of a kernel is ``2 / (fan_in + fan_out)`` (Glorot & Bengio, 2010). Between
        hidden layers it is larger by the gain of the activation (He et al., 2015), so that
        deep networks keep their signal; before the first one it is not, as wide first
        layers on few features then start, and stay, too rough (measured). Biases are uniform
        in +-1/sqrt(fan_in): with few inputs, units that all bend at the origin would be
        nearly the same unit.
        """
        theta = np.empty(self.size)
        between_hidden = self.dense_layers[1:-1]
        for layer in self.layers:
            gain = layer.activation.gain if layer in between_hidden else 1.0
            layer.initialize(theta, rng, gain)
        theta[: self.n_weights] *= scale
        return theta.astype(dtype)

    def shifted(self, theta, offset):
        """Theta with an offset, (K,), added to the biases of the output."""
        theta = theta.copy()
        self.layers[-1].bias(theta[None])[...] += offset.astype(theta.dtype)
        return theta

    def pack(self, coefs, intercepts, dtype):
        """Flatten the kernels and biases of a network without a front into theta."""
        return np.concatenate([np.ravel(part) for part in (*coefs, *intercepts)], dtype=dtype)

    def unpack(self, theta):
        """Split theta into copies of the kernels and biases of the dense layers."""
        coefs = [layer.kernel(theta).copy() for layer in self.dense_layers]
        intercepts = [theta[layer.others].copy() for layer in self.dense_layers]
        return coefs, intercepts

    def forward(self, theta, X, linearization=None, n=None, noise=()):
        """Network output.

        Parameters
        ----------
        theta : ndarray of shape (size,)
        X : ndarray or (untraced only) sparse matrix of shape (n, D) or (c * n, D)
        linearization : Linearization, optional
            Of this network at the first rows of X. If it was computed at this theta, its
            outputs are reused.
        n : int, optional
            If X consists of copies of rows, one copy after the other: how many rows a copy
            has. Members need to know, to tell whose row is whose.
        noise : sequence of ndarray, default=()
            On normalised units of the last copies: see `with_noise`.

        Returns
        -------
        h : ndarray of shape (n, K)
        """
        return self._through(theta, X, n, linearization, noise)

    def tangent(self, theta, X, V):
        """Output and its directional derivatives, in one pass.

        Parameters
        ----------
        theta : ndarray of shape (size,)
        X : ndarray of shape (n, D)
        V : ndarray of shape (n, D) or (m, n, D)
            One direction, or m directions, for each row.

        Returns
        -------
        h : ndarray of shape (n, K)
        dh : ndarray of shape (n, K) or (m, n, K)
            ``J V``.
        """
        n, D = X.shape
        rows = anp.concatenate([X, anp.reshape(V, (-1, D))])
        out = self._through(theta, rows, n, n_points=n)
        return out[:n], anp.reshape(out[n:], (*V.shape[:-1], -1))

    def forward_with_way_back(self, theta, X, linearization=None, n=None, noise=()):
        """Network output in plain numpy, and its way back; see `forward`.

        Returns
        -------
        h : ndarray of shape (n, K)
        back : callable
            From the gradient with respect to h to that with respect to theta.
        """
        h, back = self._through(theta, X, n, linearization, noise, function=through.with_way_back)
        return h, lambda g: back(g)[0]

    def _through(self, theta, rows, n=None, known=None, noise=(), n_points=None, function=through):
        n_points = n_points or rows.shape[0]
        return function(
            theta,
            rows,
            layers=with_noise(self.layers, noise),
            layout=self._layout(n or n_points),
            n_points=n_points,
            known=known,
            n_fixed=self._n_fixed,
        )

    def _layout(self, n):
        # Normalisation needs to know whose rows pass together: those of a single member.
        return self._flat_layout if self.normalization is None else Layout(self.size, 1, n)

    @cached_property
    def _flat_layout(self):
        return Layout(self.size)

    def jacobian(self, theta, X, seeds=None):
        """Exact Jacobian of the output with respect to the input.

        Parameters
        ----------
        theta : ndarray of shape (size,)
        X : ndarray of shape (n, D)
        seeds : ndarray of shape (n, S, K), optional
            Covectors to pull back through the network instead of the unit ones:
            the derivative of a map from h, say that to the mean response.

        Returns
        -------
        J : ndarray of shape (n, K, D) or (n, S, D)
            ``dh/dx``, or ``seeds dh/dx``.
        """
        self._require_separate_rows()
        if not self.front:
            return jacobian(theta, seeds, X=X, layers=self.layers)
        if self._n_fixed < len(self.front):
            return self._jacobian_by_tangents(theta, X, seeds)
        features, maps = through_fixed(self.front, X)
        return pulled(jacobian(theta, seeds, X=features, layers=self.dense_layers), maps=maps)

    def _require_separate_rows(self):
        if self.normalization is not None:
            raise ValueError(
                f"normalization={self.normalization!r} makes outputs depend on all rows of a "
                "batch: they have no Jacobian for each row. Use another penalty."
            )

    @cached_property
    def _n_fixed(self):
        """How many of the first layers have no parameters."""
        learns = [layer.n_weights + layer.n_others > 0 for layer in self.layers]
        return learns.index(True)

    def _jacobian_by_tangents(self, theta, X, seeds):
        """The Jacobian through any layers: a tangent for each feature."""
        n, D = X.shape
        directions = np.broadcast_to(np.eye(D, dtype=X.dtype)[:, None, :], (D, n, D))
        J = anp.transpose(self.tangent(theta, X, directions)[1], (1, 2, 0))
        return J if seeds is None else anp.matmul(seeds, J)

    def squared_jacobian(self, theta, X, scale, seeds=None):
        """Squared Frobenius norm of ``J diag(scale)`` at every row, exactly.

        Parameters
        ----------
        theta : ndarray of shape (size,)
        X : ndarray of shape (n, D)
        scale : float or ndarray of shape (D,)
        seeds : ndarray of shape (n, S, K), optional
            As in `jacobian`.

        Returns
        -------
        norm : ndarray of shape (n,)
        """
        self._require_separate_rows()
        scale = np.full(self.n_features, scale, dtype=X.dtype)
        if not self.front:
            return squared_jacobian(theta, seeds, X=X, layers=self.layers, scale=scale)
        J = self.jacobian(theta, X, seeds) * scale
        return anp.sum(J * J, axis=(1, 2))

    def linearize(self, theta, X):
        """The network and its slopes at X, for products with J and J' (untraced).

        Parameters
        ----------
        theta : ndarray of shape (size,)
        X : ndarray of shape (n, D)

        Returns
        -------
        linearization : Linearization
        """
        return linearize(theta, X, self.layers, self._layout(X.shape[0]))
