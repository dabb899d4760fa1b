"""A fitted function as a record: what is measured and drawn, whichever estimator it is of."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skc2c.likelihoods.likelihood import Likelihood
from skc2c.network import Network


class FittedFunction(NamedTuple):
    """A fitted function: all that is needed to measure it.

    Attributes
    ----------
    network : Network
    likelihood : Likelihood
    theta : ndarray of shape (network.size,)
        In the units of y.
    penalty_parameters : ndarray
        Fitted parameters of the penalty itself, in the same units: those of each network.
    n_networks : int
        Of how many networks the function is the mean.
    """

    network: Network
    likelihood: Likelihood
    theta: np.ndarray
    penalty_parameters: np.ndarray
    n_networks: int = 1

    def with_parameters_of(self, penalty):
        """Theta with the parameters of a penalty: each network's fitted ones, if it has such."""
        start = penalty.initial_parameters(self.network.n_outputs)
        own = self.penalty_parameters
        is_fitted = len(start) > 0 and len(own) == self.n_networks * len(start)
        sets = own.reshape(self.n_networks, -1) if is_fitted else [start]
        return [np.concatenate([self.theta, parameters]) for parameters in sets]


def opened(estimator, X):
    """The function of a fitted estimator, and rows as its network takes them.

    Parameters
    ----------
    estimator : C2CClassifier, C2CRegressor or C2CAutoencoder
    X : {array-like, sparse matrix} of shape (n, D)

    Returns
    -------
    function : FittedFunction
    X : ndarray of shape (n, D)
        Validated by the estimator, dense, in float64.

    Raises
    ------
    NotFittedError
    TypeError
        If the estimator is of another library.
    """
    if not hasattr(estimator, "_fitted_function"):
        raise TypeError(
            "estimator must be a C2CClassifier or C2CRegressor. Got "
            f"{type(estimator).__name__} instead. Of a pipeline pass the last step, pipe[-1], "
            "and X as the steps before it make it, pipe[:-1].transform(X)."
        )
    function = estimator._fitted_function()
    X = estimator._check_X(X)
    X = X.toarray() if sparse.issparse(X) else X
    return function, X.astype(np.float64, copy=False)
