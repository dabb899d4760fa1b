"""A dense layer that is normalised by the mean and variance of the rows that pass together."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from skc2c.network.dense import Dense, pull_back
from skc2c.network.layer import Record, sum_of_rows

# Added to variances, so that a unit that is constant over the rows divides by no zero.
_EPSILON = 1e-6
# A layer of at least so many times the units below takes its statistics from the rows below, whose
# covariance has to be computed. For 100 units, forward and back, that took 0.63 of the time with 5
# units below, 0.80 with 20 and 0.96 with 33; with 40 nothing was gained.
_NARROW = 3


class Normalized(NamedTuple):
    """What derivatives at normalised rows need.

    Attributes
    ----------
    standard : ndarray of shape (c, k, n, units)
        Of mean zero and variance one over each member's rows, in each copy.
    inverse : ndarray of shape (c, k, 1, units)
        What was multiplied by to get there.
    residual : ndarray
        That of the activation.
    """

    standard: np.ndarray
    inverse: np.ndarray
    residual: np.ndarray

    def followed_by(self, rest):
        """These streams and further ones."""
        return Normalized(*(np.concatenate(pair) for pair in zip(self, rest, strict=True)))

    def through_statistics(self, values):
        """Apply the derivative of `standardize`, its own transpose, to arrays; overwritten."""
        return through_statistics(values, self.standard, self.inverse)


class NormalizedByMoments(NamedTuple):
    """What `retreat` needs if the statistics were taken from the rows below.

    Attributes
    ----------
    moved : ndarray of shape (c, k, units below, units)
        Covariance of the rows below, times the kernel.
    inverse : ndarray of shape (c, k, 1, units)
        One over the standard deviation of each unit.
    residual : ndarray
        That of the activation.
    """

    moved: np.ndarray
    inverse: np.ndarray
    residual: np.ndarray


@dataclass(frozen=True, eq=False)
class NormalizedDense(Dense):
    """``a(scale z / sqrt(variance + 1e-6) + shift)``, with ``z = x W`` less its mean.

    Mean and variance are those of a stream: the rows of one member in one copy. Clean rows and
    their perturbed copies each have statistics of their own. So rows depend on each other,
    and derivatives run through the statistics too. `folded` gives the dense layer that it
    is at fixed statistics.

    It only knows the layout of members, of which there may be one: theta of shape (k, size), rows
    of shape (c, k, n, units). Tangents are not supported.

    Parameters
    ----------
    noise : ndarray of shape (m * k * n, units) or None
        Added to the standardised units of the last m copies, before scale and shift.

    References
    ----------
    S. Ioffe, C. Szegedy, "Batch normalization: Accelerating deep network training by reducing
    internal covariate shift", ICML 2015.
    """

    noise: np.ndarray | None = None

    @property
    def n_others(self):
        return 2 * self.shape[1]

    def bias(self, vector):
        """View of the shift, which broadcasts over the rows."""
        return super().bias(vector)[..., : self.n_out]

    def scale(self, vector):
        """View of the scale, which broadcasts over the rows."""
        return super().bias(vector)[..., self.n_out :]

    def _initialize_others(self, theta, rng):
        theta[self.others] = np.repeat([0.0, 1.0], self.n_out)

    def evaluate(self, theta, rows):
        standard, inverse = standardize(rows @ self.kernel(theta))
        z = self._noisy(standard) * self.scale(theta)
        z += self.bias(theta)
        out, residual = self.activation.evaluate(z)
        return out, Normalized(standard, inverse, residual)

    def _noisy(self, standard):
        """Standardised rows with the noise of this pass, if there is any."""
        if self.noise is None:
            return standard
        noise = self.noise.reshape(-1, *standard.shape[1:])
        noisy = standard.copy()
        noisy[-len(noise) :] += noise
        return noisy

    def advance(self, theta, rows, n_points):
        if len(rows) > n_points:
            raise ValueError("Tangents do not pass through a layer that is normalised by batch.")
        if self.noise is None and _NARROW * self.n_in <= self.n_out:
            return self._advance_by_moments(theta, rows)
        out, normalized = self.evaluate(theta, rows)
        return out, Record(rows, normalized, None)

    def _advance_by_moments(self, theta, rows):
        """Like `advance`, with statistics taken from the rows below, of which there are few units.

        The variance of a unit is ``w' C w``, where C is the covariance of the rows below. Mean,
        variance and scale are applied to these rows and the kernel, so that the units themselves
        need no further pass.
        """
        kernel = self.kernel(theta)
        rows = rows - _mean(rows)
        covariance = rows.swapaxes(-1, -2) @ rows
        covariance /= rows.shape[-2]
        moved = covariance @ kernel
        variance = np.maximum(_sum_of_products(kernel, moved), 0.0)
        inverse = 1.0 / np.sqrt(variance + kernel.dtype.type(_EPSILON))
        z = rows @ (kernel * (inverse * self.scale(theta)))
        z += self.bias(theta)
        out, residual = self.activation.evaluate(z)
        return out, Record(rows, NormalizedByMoments(moved, inverse, residual), None)

    def resume(self, theta, rows, passed):
        out, normalized = passed
        rest, further = self.evaluate(theta, rows[len(out) :])
        out = np.concatenate([out, rest])
        return out, Record(rows, normalized.followed_by(further), None)

    def retreat(self, theta, g, record, n_points, gradient):
        normalized = record.residual
        g *= self.activation.slope(normalized.residual)
        if isinstance(normalized, NormalizedByMoments):
            return self._retreat_by_moments(theta, g, record, gradient)
        standard, scale = normalized.standard, self.scale(theta)
        total, along = sum_of_rows(g), sum_of_rows(standard * g)
        self.bias(gradient)[...] = total.sum(axis=0)
        noisy = along if self.noise is None else sum_of_rows(self._noisy(standard) * g)
        self.scale(gradient)[...] = noisy.sum(axis=0)
        _through_statistics(g, standard, total, along, scale * normalized.inverse)
        self._write_kernel(gradient, record.rows, g)
        return lambda: pull_back(g, self.kernel(theta))

    def _retreat_by_moments(self, theta, g, record, gradient):
        kernel, scale, (moved, inverse, _) = self.kernel(theta), self.scale(theta), record.residual
        products = record.rows.swapaxes(-1, -2) @ g
        along = _sum_of_products(kernel, products)
        self.bias(gradient)[...] = sum_of_rows(g).sum(axis=0)
        self.scale(gradient)[...] = (inverse * along).sum(axis=0)
        products -= inverse * inverse * along * moved
        products *= inverse * scale
        self.kernel(gradient)[...] = products.sum(axis=0)

        def pull():
            standard = record.rows @ kernel * inverse
            return pull_back(through_statistics(g * scale, standard, inverse), kernel)

        return pull

    def linear_map(self, theta, rows, residual):
        slope = self.activation.slope(residual.residual) * self.scale(theta)
        return _NormalizedMap(self.kernel(theta), slope, residual)

    def folded(self, theta, mean, variance):
        """Kernel and bias of the dense layer that this one is at given statistics of x W.

        Parameters
        ----------
        theta : ndarray of shape (1, size)
        mean, variance : ndarray of shape (units,)

        Returns
        -------
        kernel : ndarray of shape (units below, units)
        bias : ndarray of shape (units,)
        """
        factor = self.scale(theta).ravel() / np.sqrt(variance + _EPSILON)
        return self.kernel(theta)[0] * factor, self.bias(theta).ravel() - mean * factor


class _NormalizedMap(NamedTuple):
    """The derivative at rows that all move at once."""

    kernel: np.ndarray
    slope: np.ndarray
    normalized: Normalized

    def jvp(self, V):
        return self.normalized.through_statistics(V @ self.kernel) * self.slope

    def vjp(self, U):
        return pull_back(self.normalized.through_statistics(U * self.slope), self.kernel)


def with_noise(layers, noise):
    """Layers for one pass with noise on their normalised units.

    Parameters
    ----------
    layers : tuple of Layer
    noise : sequence of ndarray
        For each normalised layer, in order: see `NormalizedDense`. There may be none at all.

    Returns
    -------
    layers : tuple of Layer
    """
    if not noise:
        return layers
    noise = iter(noise)
    return tuple(
        replace(layer, noise=next(noise)) if isinstance(layer, NormalizedDense) else layer
        for layer in layers
    )


def standardize(z):
    """Give rows mean zero and variance one, in place.

    Parameters
    ----------
    z : ndarray of shape (..., n, units)
        Overwritten.

    Returns
    -------
    standard : ndarray of shape (..., n, units)
        ``(z - mean) / sqrt(variance + 1e-6)``.
    inverse : ndarray of shape (..., 1, units)
        One over that root.
    """
    z -= _mean(z)
    inverse = 1.0 / np.sqrt(_mean(z * z) + z.dtype.type(_EPSILON))
    z *= inverse
    return z, inverse


def through_statistics(values, standard, inverse):
    """Apply the derivative of `standardize`, its own transpose, to arrays; overwritten."""
    sums = sum_of_rows(values), sum_of_rows(standard * values)
    return _through_statistics(values, standard, *sums, inverse)


def _through_statistics(values, standard, total, along, factor):
    """Less their mean and their part along the standardised rows, of which the sums are given."""
    n = values.shape[-2]
    values -= total / n
    values -= standard * (along / n)
    values *= factor
    return values


def _sum_of_products(kernel, other):
    """The sum over the units below: (..., units below, units) -> (..., 1, units)."""
    return np.einsum("...ij,...ij->...j", kernel, other)[..., None, :]


def _mean(values):
    total = sum_of_rows(values)
    total /= values.shape[-2]
    return total
