"""Leading principal components of scaled rows, on which a network may be trained."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import eigh
from sklearn.utils.extmath import svd_flip

from skc2c.network.input_scaling import InputScaling
from skc2c.network.layer import dense


@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """Scaled rows, centred and projected on orthonormal directions.

    Distances along these directions are those of the scaled rows.

    Parameters
    ----------
    scaling : InputScaling
    center : ndarray of shape (D,)
        Mean of the scaled rows.
    directions : ndarray of shape (D, k)
    """

    scaling: InputScaling
    center: np.ndarray
    directions: np.ndarray

    @property
    def n_out(self):
        """How many components there are, k."""
        return self.directions.shape[1]

    def transform(self, X):
        """Components of raw rows, (n, k)."""
        return (dense(self.scaling.transform(X)) - self.center) @ self.directions

    def unfold(self, network, theta):
        """Return the network of scaled rows that is this one of their components.

        Parameters
        ----------
        network : Network
            Of dense layers only.
        theta : ndarray of shape (network.size + n_further,)
            Further entries, such as the parameters of a penalty, stay as they are.

        Returns
        -------
        network : Network
        theta : ndarray
        """
        (kernel, *kernels), (bias, *biases) = network.unpack(theta[: network.size])
        kernel = self.directions @ kernel
        coefs, intercepts = [kernel, *kernels], [bias - self.center @ kernel, *biases]
        whole = replace(network, layer_units=(len(self.center), *network.layer_units[1:]))
        packed = whole.pack(coefs, intercepts, theta.dtype)
        return whole, np.concatenate([packed, theta[network.size :]])


def leading_components(Z, weight, share, fewest):
    """Return the mean of rows and the directions in which most of their variance lies.

    scikit-learn's PCA does the same for rows of equal weight.

    Parameters
    ----------
    Z : ndarray of shape (n, D)
    weight : ndarray of shape (n,)
        Weights of the rows, all positive.
    share : float
        Part of the variance that is to lie in these directions, at least.
    fewest : int
        How many directions there are to be at least, if there are as many features.

    Returns
    -------
    center : ndarray of shape (D,)
    directions : ndarray of shape (D, k)
        Orthonormal; that of the largest variance comes first.
    """
    center = np.average(Z, axis=0, weights=weight)
    centred = (Z - center) * np.sqrt(weight)[:, None]
    variances, directions = _spectrum(centred)
    explained = np.cumsum(variances)
    k = 1 + np.searchsorted(explained, share * variances.sum())
    directions = directions[:, : max(k, fewest)]
    return center, svd_flip(directions, None)[0]


def _spectrum(centred):
    """Variances, the largest first, and their directions in columns."""
    n, D = centred.shape
    if n >= D:
        variances, directions = eigh(centred.T @ centred)
        return variances[::-1], directions[:, ::-1]
    # Fewer rows than features: of the rows' inner products there are less.
    variances, mixtures = eigh(centred @ centred.T)
    varies = variances > variances[-1] * n * np.finfo(centred.dtype).eps
    directions = centred.T @ (mixtures[:, varies] / np.sqrt(variances[varies]))
    return variances[varies][::-1], directions[:, ::-1]
