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

from skc2c.families import Family
from skc2c.network import Network
from skc2c.objective import row_blocks
from skc2c.penalties import make_penalty
from skc2c.perturbations import adversarial, check_epsilon
from skc2c.random_streams import streams


class _Model(NamedTuple):
    network: Network
    family: Family
    theta: np.ndarray
    X: np.ndarray


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

    Examples
    --------
    >>> import numpy as np
    >>> from skc2c import C2CRegressor
    >>> from skc2c.inspection import jacobian
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> reg = C2CRegressor((), solver="lbfgs", penalty=None, l2=0).fit(X, 3 * X[:, 0])
    >>> jacobian(reg, X[:2]).round(3)
    array([[[3.]],
    <BLANKLINE>
           [[3.]]])
    """
    if space not in ("link", "response"):
        raise ValueError(f"space must be 'link' or 'response'. Got {space!r} instead.")
    network, family, theta, X = _open(estimator, X)
    if space == "link":
        return network.jacobian(theta, X)
    return network.jacobian(theta, X, family.mean_jacobian(network.forward(theta, X)))


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

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skc2c import C2CClassifier
    >>> from skc2c.inspection import fisher_information
    >>> X, y = load_iris(return_X_y=True)
    >>> fisher_information(C2CClassifier(random_state=0).fit(X, y), X).shape
    (150, 4, 4)
    """
    network, family, theta, X = _open(estimator, X)
    J = network.jacobian(theta, X)
    F = family.mean_jacobian(network.forward(theta, X))
    return np.swapaxes(J, 1, 2) @ F @ J


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
    network, family, theta, X = _open(estimator, X)
    metric = make_penalty(penalty).metric(family)
    if metric is None:
        raise ValueError(
            f"penalty={penalty!r} measures no distance between outputs, so nothing is "
            "adversarial to it without labels. Use 'vat', 'c2c' or 'jacobian'."
        )
    linearization = network.linearize(theta, X)
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
    penalty : {'c2c', 'jacobian', 'vat', 'noise'}, Penalty or None
        ``'noise'`` and None charge nothing.
    epsilon : float or array-like of shape (D,)
        Radius of the neighbourhood, in units of X.
    random_state : int, RandomState instance or None, default=None
        Draws the perturbations.

    Returns
    -------
    value : float
        The mean of R(x) over the rows, without `alpha`. For a regressor this is in squared
        units of y (training measures it with y standardised).

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
    network, family, theta, X = _open(estimator, X)
    penalty = make_penalty(penalty)
    (rng,) = streams(random_state, 1)
    epsilon = check_epsilon(epsilon, X.shape[1])
    start = penalty.initial_parameters(network.layer_units[-1])
    theta = np.concatenate([theta, start])
    total = 0.0
    for block in row_blocks(len(X), network, penalty.n_copies):
        probe = penalty.probe(network, family, theta, X[block], None, epsilon, rng)
        cost = penalty.value(network, family, theta, probe, probe.outputs(network, theta))
        total += 0.0 if cost is None else cost.sum()
    return float(total / len(X))


def _open(estimator, X):
    """The parts of a fitted estimator, and X validated by it, dense, in float64."""
    if not hasattr(estimator, "_model"):
        raise TypeError(
            "estimator must be a C2CClassifier or C2CRegressor. Got "
            f"{type(estimator).__name__} instead. Of a pipeline pass the last step, pipe[-1], "
            "and X as the steps before it make it, pipe[:-1].transform(X)."
        )
    X = estimator._check_X(X)
    X = X.toarray() if sparse.issparse(X) else X
    return _Model(*estimator._model(np.float64), X.astype(np.float64, copy=False))
