"""What a fitted network does around a point.

Functions of a fitted `C2CClassifier` or `C2CRegressor` and raw rows, as ``predict`` takes
them. They describe the fitted function as it stands: h is ``decision_function`` for
a classifier and ``predict`` for a regressor, in the units of y, with a unit-variance
normal distribution around it. All is computed in float64.

Shapes: ``n`` rows, ``D`` features, ``K`` outputs; K is 1 for two classes and for a single
target.
"""

from numbers import Integral
from typing import NamedTuple

import numpy as np
from scipy import sparse

from skc2c.likelihoods.likelihood import Likelihood
from skc2c.network import Network
from skc2c.network.blocks import outputs, row_blocks
from skc2c.penalties import adversarial, check_epsilon, make_penalty
from skc2c.random_streams import streams


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


def jacobian(estimator, X, space="link"):
    """Exact Jacobian of the network with respect to its input.

    Parameters
    ----------
    estimator : C2CClassifier or C2CRegressor
        Fitted.
    X : {array-like, sparse matrix} of shape (n, D)
    space : {'link', 'response'}, default='link'
        Differentiate the output h, or the mean response: the probabilities.

    Returns
    -------
    J : ndarray of shape (n, K, D)
        ``J[i, k, d] = dh_k / dx_d`` at row i.

    Raises
    ------
    ValueError
        If `space` is not one of the two.

    See Also
    --------
    fisher_information : The same for the output distribution.

    Examples
    --------
    >>> import numpy as np
    >>> from skc2c import C2CRegressor
    >>> from skc2c.inspection import jacobian
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> reg = C2CRegressor((), penalty=None, l2=0, cv=None, input_scaling=None, solver="lbfgs")
    >>> reg = reg.fit(X, 3 * X[:, 0])
    >>> jacobian(reg, X[:2]).round(3)
    array([[[3.]],
    <BLANKLINE>
           [[3.]]])
    """
    if space not in ("link", "response"):
        raise ValueError(f"space must be 'link' or 'response'. Got {space!r} instead.")
    function, X = _open(estimator, X)
    return _jacobian(function, X, space)


def fisher_information(estimator, X):
    """Fisher information of the output distribution with respect to the input (eq. 3).

    Parameters
    ----------
    estimator : C2CClassifier or C2CRegressor
        Fitted.
    X : {array-like, sparse matrix} of shape (n, D)

    Returns
    -------
    information : ndarray of shape (n, D, D)
        ``I(x) = J' F J``, for which ``KL(p(.|x) || p(.|x + dx)) ~ dx' I dx / 2``.

    See Also
    --------
    jacobian : Derivatives of the outputs.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skc2c import C2CClassifier
    >>> from skc2c.inspection import fisher_information
    >>> X, y = load_iris(return_X_y=True)
    >>> fisher_information(C2CClassifier(random_state=0).fit(X, y), X).shape
    (150, 4, 4)
    """
    function, X = _open(estimator, X)
    J = _jacobian(function, X, "link")
    h = function.network.forward(function.theta, X)
    return np.swapaxes(J, 1, 2) @ function.likelihood.fisher_matrix(h) @ J


def adversarial_perturbation(
    estimator, X, epsilon, *, penalty="vat", n_power_iterations=10, random_state=None
):
    """The perturbation of length epsilon that changes the output most, to first order.

    Parameters
    ----------
    estimator : C2CClassifier or C2CRegressor
        Fitted.
    X : {array-like, sparse matrix} of shape (n, D)
    epsilon : float or array-like of shape (D,)
        Length of the perturbation, in units of X, or the scale of each feature.
    penalty : {'vat', 'c2c', 'jacobian'} or Penalty, default='vat'
        What change means: ``'vat'`` is that of the output distribution, ``'c2c'`` and
        ``'jacobian'`` that of h.
    n_power_iterations : int, default=10
        More are more exact. They replace those of a penalty object.
    random_state : int, RandomState instance or None, default=None
        Draws the start of the power iteration.

    Returns
    -------
    dx : ndarray of shape (n, D)
        Its sign is arbitrary: to first order both ways change the output alike.

    Raises
    ------
    ValueError
        If `penalty` measures no distance between outputs, as ``'noise'``; on an invalid
        `epsilon` or `n_power_iterations`.

    See Also
    --------
    penalty_value : What a penalty charges for such perturbations.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skc2c import C2CClassifier
    >>> from skc2c.inspection import adversarial_perturbation
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = C2CClassifier(random_state=0).fit(X, y)
    >>> dx = adversarial_perturbation(clf, X, epsilon=0.5, random_state=0)
    >>> np.linalg.norm(dx, axis=1)[:2].round(6)
    array([0.5, 0.5])
    """
    if not (isinstance(n_power_iterations, Integral) and n_power_iterations > 0):
        raise ValueError(
            f"n_power_iterations must be a positive integer. Got {n_power_iterations!r} instead."
        )
    function, X = _open(estimator, X)
    metric = make_penalty(penalty).metric(function.likelihood)
    if metric is None:
        raise ValueError(
            f"penalty={penalty!r} measures no distance between outputs, so nothing is "
            "adversarial to it without labels. Use 'vat', 'c2c' or 'jacobian'."
        )
    linearization = function.network.linearize(function.theta, X)
    epsilon = check_epsilon(epsilon, X.shape[1])
    (rng,) = streams(random_state, 1)
    return adversarial(rng, linearization, metric, epsilon, n_power_iterations)


def penalty_value(estimator, X, penalty, epsilon, *, random_state=None):
    """What a penalty charges a fitted network on given rows: its roughness there.

    Parameters
    ----------
    estimator : C2CClassifier or C2CRegressor
        Fitted, with whatever penalty.
    X : {array-like, sparse matrix} of shape (n, D)
    penalty : {'c2c', 'jacobian', 'vat', 'ladder', 'noise'}, Penalty or None
        ``'noise'`` and None charge nothing. The denoiser of ``'ladder'`` is the fitted one if the
        estimator was fitted with it, and the identity otherwise, which makes it ``'c2c'``.
    epsilon : float or array-like of shape (D,)
        Radius of the neighbourhood, in units of X.
    random_state : int, RandomState instance or None, default=None
        Draws the perturbations.

    Returns
    -------
    value : float
        The mean of R(x) over the rows, without `alpha`. For a regressor this is in squared
        units of y (training measures it with y standardised).

    See Also
    --------
    adversarial_perturbation : The worst direction at each row.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skc2c import C2CClassifier
    >>> from skc2c.inspection import penalty_value
    >>> X, y = load_iris(return_X_y=True)
    >>> rough = C2CClassifier(penalty=None, random_state=0).fit(X, y)
    >>> smooth = C2CClassifier(penalty="c2c", alpha=10.0, random_state=0).fit(X, y)
    >>> penalty_value(smooth, X, "jacobian", 1.0) < penalty_value(rough, X, "jacobian", 1.0)
    True
    """
    function, X = _open(estimator, X)
    penalty = make_penalty(penalty)
    (rng,) = streams(random_state, 1)
    epsilon = check_epsilon(epsilon, X.shape[1])
    thetas = function.with_parameters_of(penalty)
    mean_response = _mean_response(function, X) if penalty.needs_mean_response else None
    total = 0.0
    for block in row_blocks(len(X), function.network, penalty.n_copies):
        arguments = X[block], None, epsilon, rng
        probe = penalty.probe(*function[:2], thetas[0], *arguments)
        costs = [_cost(function, penalty, theta, probe, mean_response) for theta in thetas]
        total += np.mean(costs)
    return float(total / len(X))


def _mean_response(function, X):
    return function.likelihood.mean(outputs(function.network, function.theta, X)).mean(axis=0)


def _cost(function, penalty, theta, probe, mean_response):
    found = probe.outputs(function.network, theta, mean_response=mean_response)
    cost = penalty.value(function.network, function.likelihood, theta, probe, found)
    return 0.0 if cost is None else cost.sum()


def _jacobian(function, X, space):
    """Rows of the Jacobian, each pulled back from the output."""
    linearization = function.network.linearize(function.theta, X)
    seeds = function.likelihood.mean_jacobian(linearization.h)
    if space == "link":
        K = function.network.n_outputs
        seeds = np.broadcast_to(np.eye(K), (len(X), K, K))
    return np.stack([linearization.vjp(seed) for seed in np.moveaxis(seeds, 1, 0)], axis=1)


def _open(estimator, X):
    """The function of a fitted estimator, and X validated by it, dense, in float64."""
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
