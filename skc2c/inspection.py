"""What a fitted network does around a point.

Functions of a fitted `C2CClassifier` or `C2CRegressor` and raw rows, as ``predict`` takes
them. They describe the fitted function as it stands: h is ``decision_function`` for
a classifier and ``predict`` for a regressor, in the units of y, with a unit-variance
normal distribution around it. All is computed in float64.

Shapes: ``n`` rows, ``D`` features, ``K`` outputs; K is 1 for two classes and for a single
target.
"""

from numbers import Integral

import numpy as np
from sklearn.utils import check_consistent_length

from skc2c.fitted_function import opened
from skc2c.network.blocks import outputs, row_blocks
from skc2c.penalties import adversarial, check_epsilon, make_penalty
from skc2c.random_streams import streams


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
    function, X = opened(estimator, X)
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
    function, X = opened(estimator, X)
    J = _jacobian(function, X, "link")
    h = function.network.forward(function.theta, X)
    return np.swapaxes(J, 1, 2) @ function.likelihood.fisher_matrix(h) @ J


def loss_gradient(estimator, X, y):
    """Gradient of each row's loss with respect to the row.

    It points to where the prediction of the row gets worse fastest.

    Parameters
    ----------
    estimator : C2CClassifier or C2CRegressor
        Fitted.
    X : {array-like, sparse matrix} of shape (n, D)
    y : array-like of shape (n,) or (n, n_outputs)
        Targets of the rows, as `fit` takes them; none is missing.

    Returns
    -------
    gradient : ndarray of shape (n, D)
        Of the negative log-likelihood of y. For a regressor the targets are in their units, so
        that of ``loss='squared_error'`` is half the squared error.

    Raises
    ------
    ValueError
        If y has other classes, or another number of columns, than in `fit`.
    TypeError
        If the estimator has no y.

    See Also
    --------
    adversarial_perturbation : The worst direction without looking at y.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skc2c import C2CClassifier
    >>> from skc2c.inspection import loss_gradient
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = C2CClassifier(random_state=0).fit(X, y)
    >>> worse = X + 0.5 * loss_gradient(clf, X, y)
    >>> clf.score(worse, y) < clf.score(X, y)
    True
    """
    function, X = opened(estimator, X)
    if not hasattr(estimator, "_encoded"):
        raise TypeError(f"{type(estimator).__name__} has no loss of y.")
    y = estimator._encoded(y, "loss_gradient")
    check_consistent_length(X, y)
    gradient = np.empty_like(X)
    for block in row_blocks(len(X), function.network):
        linearization = function.network.linearize(function.theta, X[block])
        slope = function.likelihood.nll_and_gradient(y[block], linearization.h)[1]
        gradient[block] = linearization.vjp(slope)
    return gradient


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
    function, X = opened(estimator, X)
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
    function, X = opened(estimator, X)
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
