"""What roughness costs: one class a penalty, and a table of their names at the bottom.

A penalty answers two questions. ``probe`` says *where do we look*: plain numpy, before
any tracing starts. ``value`` says *what does it cost*: traced in theta, with the probe a
constant. So an adversarial direction is held fixed while differentiating (Danskin's
theorem), a penalty can be tested with a hand-made probe, and no penalty knows which
solver is at work.

To add a penalty: subclass `Penalty`, override what differs, add a line to ``PENALTIES``.
"""

from numbers import Integral
from typing import NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from skc2c.perturbations import adversarial, gaussian, steepest


class Probe(NamedTuple):
    """Where a penalty looks.

    Attributes
    ----------
    clean : ndarray of shape (n, D)
        Rows at which the labelled loss is taken.
    near : ndarray of shape (m * n, D) or None
        m perturbed copies of these rows, one copy after the other. They go through the
        network together with the clean rows.
    direction : ndarray of shape (n, D) or None
        A perturbation dx whose first-order effect is penalised.
    epsilon : float or ndarray of shape (D,)
        Radius of the neighbourhood.
    """

    clean: np.ndarray
    near: np.ndarray | None = None
    direction: np.ndarray | None = None
    epsilon: float | np.ndarray = 0.0

    def outputs(self, network, theta):
        """Network output at the clean rows and at the perturbed ones, as one batch. Traceable.

        Returns
        -------
        h : ndarray of shape (n, K)
        near : ndarray of shape (m * n, K) or None
        """
        if self.near is None:
            return network.forward(theta, self.clean), None
        n = len(self.clean)
        out = network.forward(theta, np.concatenate([self.clean, self.near]))
        return out[:n], out[n:]


class Penalty(BaseEstimator):
    """No penalty, and the base class of all the others.

    Attributes
    ----------
    holds_clean : bool
        Whether the clean output is a constant in the gradient. The objective honours it
        in stochastic training only: a deterministic solver needs value and gradient
        to agree.

    Examples
    --------
    A penalty on the absolute in the place of the squared distance:

    >>> import autograd.numpy as anp
    >>> import numpy as np
    >>> from skc2c import C2CRegressor, Penalty
    >>> from skc2c.penalties import Probe
    >>> from skc2c.perturbations import gaussian
    >>> class Absolute(Penalty):
    ...     def probe(self, network, family, theta, X, y, epsilon, rng):
    ...         return Probe(clean=X, near=X + gaussian(rng, X.shape, epsilon, X.dtype))
    ...
    ...     def value(self, network, family, theta, probe, h, near):
    ...         return anp.sum(anp.abs(h - near), axis=1)
    >>> X = np.linspace(-1, 1, 400)[:, None]
    >>> reg = C2CRegressor(penalty=Absolute(), epsilon=0.05, solver="lbfgs", random_state=0)
    >>> reg.fit(X, np.sin(3 * X[:, 0])).score(X, np.sin(3 * X[:, 0])) > 0.9
    True
    """

    holds_clean = False
    _parameter_constraints: dict = {}

    @property
    def moves(self):
        """Whether the probe depends on theta, as adversarial perturbations do."""
        return getattr(self, "perturbation", "random") == "adversarial"

    def probe(self, network, family, theta, X, y, epsilon, rng):
        """Where do we look? Plain numpy.

        Parameters
        ----------
        network : Network
        family : Family
        theta : ndarray of shape (network.size,)
        X : ndarray of shape (n, D)
        y : ndarray of shape (n, K) or None
            Encoded targets, None where there are no labels.
        epsilon : float or ndarray of shape (D,)
        rng : numpy.random.Generator

        Returns
        -------
        probe : Probe
        """
        return Probe(clean=X, epsilon=epsilon)

    def metric(self, family):
        """The local form of the distance: what makes a perturbation adversarial.

        Parameters
        ----------
        family : Family

        Returns
        -------
        metric : callable or None
            ``(h, dh) -> M(h) dh``, both (n, K), such that the distance of h and
            ``h + dh`` is proportional to ``dh' M dh`` for small dh. None if the penalty
            measures no distance.
        """
        return None

    def value(self, network, family, theta, probe, h, near):
        """What does it cost? Traced in theta; the probe is a constant.

        Parameters
        ----------
        network : Network
        family : Family
        theta : ndarray of shape (network.size,)
        probe : Probe
        h : ndarray of shape (n, K)
            Output at the clean rows.
        near : ndarray of shape (m * n, K) or None
            Output at the perturbed rows.

        Returns
        -------
        cost : ndarray of shape (n,) or None
            R(x) of every row; None if nothing is penalised.
        """
        return None


_PERTURBATION = [StrOptions({"random", "adversarial"})]
_SPACE = [StrOptions({"link", "response"})]
_COUNT = [Interval(Integral, 1, None, closed="left")]


class _Nearby(Penalty):
    """A penalty on the distance between the outputs at clean and perturbed rows.

    A subclass gives ``_distance(family, h, near)``, (n,), and its local form `metric`.
    """

    def probe(self, network, family, theta, X, y, epsilon, rng):
        copies = (int(self.n_perturbations), *X.shape)
        if self.perturbation == "random":
            dx = gaussian(rng, copies, epsilon, X.dtype)
        else:
            linearization = network.linearize(theta, X)
            arguments = linearization, self.metric(family), epsilon, self.n_power_iterations
            dx = np.stack([adversarial(rng, *arguments) for _ in range(copies[0])])
        dx += X
        return Probe(clean=X, near=dx.reshape(-1, X.shape[1]), epsilon=epsilon)

    def value(self, network, family, theta, probe, h, near):
        n, copies = len(probe.clean), len(probe.near) // len(probe.clean)
        if copies == 1:
            return self._distance(family, h, near)
        parts = [near[start : start + n] for start in range(0, copies * n, n)]
        return sum(self._distance(family, h, part) for part in parts) / copies


class C2C(_Nearby):
    """Close-to-clean penalty: squared distance of the outputs (eq. 1 of the paper).

    Random: ``E ||h - f(x + dx)||^2`` with ``dx ~ N(0, epsilon^2 I)``, which tends to
    ``epsilon^2 ||J||_F^2``. Adversarial: its maximum over ``||dx|| <= epsilon``, to first
    order (so the sign of dx is random), which tends to ``epsilon^2 lambda_max(J'J)``. Both
    branches are differentiated.

    Parameters
    ----------
    perturbation : {'random', 'adversarial'}, default='random'
        How the nearby point is chosen.
    space : {'link', 'response'}, default='link'
        Measure distances between the outputs h, or between the mean responses (the
        probabilities of a classifier).
    n_perturbations : int, default=1
        Nearby points for each row and step.
    n_power_iterations : int, default=1
        Power iterations for the adversarial direction. Only used when
        ``perturbation='adversarial'``.

    References
    ----------
    M. Abbas, J. Kivinen, T. Raiko, "Close-to-clean regularization relates virtual
    adversarial training, ladder networks and others", 2016, section 2.

    Examples
    --------
    >>> from skc2c import C2C, C2CClassifier
    >>> C2CClassifier(penalty=C2C(space="response"), epsilon=0.3).get_params()["penalty__space"]
    'response'
    """

    _parameter_constraints = {
        "perturbation": _PERTURBATION,
        "space": _SPACE,
        "n_perturbations": _COUNT,
        "n_power_iterations": _COUNT,
    }

    def __init__(
        self, perturbation="random", space="link", n_perturbations=1, n_power_iterations=1
    ):
        self.perturbation = perturbation
        self.space = space
        self.n_perturbations = n_perturbations
        self.n_power_iterations = n_power_iterations

    def metric(self, family):
        return _METRICS[self.space](family)

    def _distance(self, family, h, near):
        if self.space == "response":
            h, near = family.mean(h), family.mean(near)
        return squared_distance(h, near)


class VAT(_Nearby):
    """Virtual adversarial training: divergence of the output distributions (eq. 3).

    Adversarial: ``KL(p(.|h) || p(.|f(x + dx)))`` with ``||dx|| = epsilon`` along the top
    eigenvector of the Fisher information I(x), of random sign, which tends to
    ``epsilon^2 / 2 lambda_max(I)``. Random: its expectation under
    ``dx ~ N(0, epsilon^2 I)``, which tends to ``epsilon^2 / 2 trace(I)``. In stochastic
    training the clean branch is held constant, as Miyato et al. do.

    Parameters
    ----------
    perturbation : {'adversarial', 'random'}, default='adversarial'
        How the nearby point is chosen.
    n_perturbations : int, default=1
        Nearby points for each row and step.
    n_power_iterations : int, default=1
        Power iterations for the adversarial direction. Only used when
        ``perturbation='adversarial'``.

    References
    ----------
    T. Miyato, S. Maeda, M. Koyama, K. Nakae, S. Ishii, "Distributional smoothing with
    virtual adversarial training", ICLR 2016.

    Examples
    --------
    >>> from skc2c import VAT, C2CClassifier
    >>> clf = C2CClassifier(penalty=VAT(n_power_iterations=2))
    """

    holds_clean = True
    _parameter_constraints = {
        "perturbation": _PERTURBATION,
        "n_perturbations": _COUNT,
        "n_power_iterations": _COUNT,
    }

    def __init__(self, perturbation="adversarial", n_perturbations=1, n_power_iterations=1):
        self.perturbation = perturbation
        self.n_perturbations = n_perturbations
        self.n_power_iterations = n_power_iterations

    def metric(self, family):
        return family.fisher

    def _distance(self, family, h, near):
        return family.kl(h, near)


class Jacobian(Penalty):
    """Norm of the Jacobian, exactly: the limit of `C2C` for small epsilon (eq. 2).

    Random: ``epsilon^2 ||J||_F^2``, the average over all directions, without sampling.
    Adversarial: ``epsilon^2 lambda_max(J'J)``, the squared spectral norm.

    Parameters
    ----------
    perturbation : {'random', 'adversarial'}, default='random'
        The average over all directions, or the worst of them.
    space : {'link', 'response'}, default='link'
        Differentiate the outputs h, or the mean responses (the probabilities of a
        classifier).
    n_power_iterations : int, default=1
        Power iterations for the worst direction. Only used when
        ``perturbation='adversarial'``.

    References
    ----------
    T. Poggio, F. Girosi, "Networks for approximation and learning", Proceedings of the
    IEEE 78(9), 1990.

    Examples
    --------
    >>> from skc2c import Jacobian, C2CRegressor
    >>> reg = C2CRegressor(penalty=Jacobian(perturbation="adversarial"), solver="lbfgs")
    """

    _parameter_constraints = {
        "perturbation": _PERTURBATION,
        "space": _SPACE,
        "n_power_iterations": _COUNT,
    }

    def __init__(self, perturbation="random", space="link", n_power_iterations=1):
        self.perturbation = perturbation
        self.space = space
        self.n_power_iterations = n_power_iterations

    def probe(self, network, family, theta, X, y, epsilon, rng):
        if self.perturbation == "random":
            return Probe(clean=X, epsilon=epsilon)
        linearization = network.linearize(theta, X)
        metric = self.metric(family)
        dx = adversarial(rng, linearization, metric, epsilon, self.n_power_iterations)
        return Probe(clean=X, direction=dx, epsilon=epsilon)

    def metric(self, family):
        return _METRICS[self.space](family)

    def value(self, network, family, theta, probe, h, near):
        if probe.direction is None:
            seeds = family.mean_jacobian(h) if self.space == "response" else None
            return network.squared_jacobian(theta, probe.clean, probe.epsilon, seeds)
        h, dh = network.tangent(theta, probe.clean, probe.direction)
        if self.space == "response":
            dh = anp.einsum("nij,nj->ni", family.mean_jacobian(h), dh)
        return anp.einsum("nk,nk->n", dh, dh)


class Noise(Penalty):
    """No penalty but noisy inputs: the labelled loss is taken at ``x + dx``.

    ``alpha`` plays no part, and rows without a label teach nothing (section 3.2 of the
    paper). Random: ``dx ~ N(0, epsilon^2 I)``. Adversarial: ``||dx|| = epsilon`` along
    the gradient of the row's own loss, that is adversarial training.

    Parameters
    ----------
    perturbation : {'random', 'adversarial'}, default='random'
        How the nearby point is chosen.

    References
    ----------
    J. Sietsma, R. Dow, "Creating artificial neural networks that generalize", Neural
    Networks 4(1), 1991.

    Examples
    --------
    >>> from skc2c import Noise, C2CClassifier
    >>> clf = C2CClassifier(penalty=Noise(perturbation="adversarial"), epsilon=0.1)
    """

    _parameter_constraints = {"perturbation": _PERTURBATION}

    def __init__(self, perturbation="random"):
        self.perturbation = perturbation

    def probe(self, network, family, theta, X, y, epsilon, rng):
        if y is None:
            return Probe(clean=X, epsilon=epsilon)
        if self.perturbation == "random":
            dx = gaussian(rng, X.shape, epsilon, X.dtype)
        else:
            linearization = network.linearize(theta, X)
            gradient = linearization.vjp(family.nll_gradient(y, linearization.h))
            dx = steepest(gradient, epsilon)
        return Probe(clean=X + dx, epsilon=epsilon)


# --------------------------------------------------------------------- shared formulas


@primitive
def squared_distance(a, b):
    """``||a - b||^2`` of every row: (n, K), (n, K) -> (n,). Traceable."""
    difference = a - b
    return np.einsum("nk,nk->n", difference, difference)


defvjp(
    squared_distance,
    lambda ans, a, b: lambda g: (2.0 * g)[:, None] * (a - b),
    lambda ans, a, b: lambda g: (2.0 * g)[:, None] * (b - a),
)

# The local form of a squared distance, as a function of the family: (h, dh) -> M dh.
_METRICS = {
    "link": lambda family: lambda h, dh: dh,
    "response": lambda family: lambda h, dh: family.fisher(h, family.fisher(h, dh)),
}

PENALTIES = {"c2c": C2C, "jacobian": Jacobian, "vat": VAT, "noise": Noise, None: Penalty}


def make_penalty(penalty):
    """The penalty object that a name, None or an object stands for.

    Parameters
    ----------
    penalty : str, Penalty or None

    Returns
    -------
    penalty : Penalty
        With valid parameters.

    Raises
    ------
    ValueError
        If the name is unknown or a parameter of the object is not allowed.
    """
    if not isinstance(penalty, Penalty):
        if not (penalty is None or isinstance(penalty, str)) or penalty not in PENALTIES:
            names = [name for name in PENALTIES if name is not None]
            raise ValueError(
                f"The 'penalty' parameter must be one of {names}, a Penalty object or None. "
                f"Got {penalty!r} instead."
            )
        penalty = PENALTIES[penalty]()
    penalty._validate_params()
    return penalty
