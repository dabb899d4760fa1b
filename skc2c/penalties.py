"""What roughness costs: one class a penalty, and a table of their names at the bottom.

A penalty answers two questions. ``probe`` says *where do we look*: plain numpy, before
any tracing starts. ``value`` says *what does it cost*: traced in theta, with the probe a
constant. So an adversarial direction is held fixed while differentiating (Danskin's
theorem), a penalty can be tested with a hand-made probe, and no penalty knows which
solver is at work.

To add a penalty: subclass `Penalty`, override what differs, add a line to ``PENALTIES``.
"""

from numbers import Integral, Real

import autograd.numpy as anp
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from skc2c.distances import between_outputs, between_responses, divergence, mean_distance
from skc2c.perturbations import adversarial, gaussian, steepest
from skc2c.probes import Probe


class Penalty(BaseEstimator):
    """No penalty, and the base class of all the others.

    Attributes
    ----------
    holds_clean : bool
        Whether the clean output is a constant in the gradient. The objective honours it
        in stochastic training only: a deterministic solver needs value and gradient
        to agree.
    needs_no_label : bool
        Whether rows without a label are worth looking at.

    Examples
    --------
    A penalty on the absolute in the place of the squared distance:

    >>> import autograd.numpy as anp
    >>> import numpy as np
    >>> from skc2c import C2CRegressor, Penalty
    >>> from skc2c.probes import Probe
    >>> from skc2c.perturbations import gaussian
    >>> class Absolute(Penalty):
    ...     def probe(self, network, family, theta, X, y, epsilon, rng):
    ...         return Probe.around(X, gaussian(rng, X.shape, epsilon, X.dtype), epsilon)
    ...
    ...     def value(self, network, family, theta, probe, outputs):
    ...         return anp.sum(anp.abs(outputs.clean - outputs.near), axis=1)
    >>> X = np.linspace(-1, 1, 400)[:, None]
    >>> reg = C2CRegressor(penalty=Absolute(), epsilon=0.05, solver="lbfgs", random_state=0)
    >>> reg.fit(X, np.sin(3 * X[:, 0])).score(X, np.sin(3 * X[:, 0])) > 0.9
    True
    """

    holds_clean = False
    needs_no_label = False
    _parameter_constraints: dict = {}

    @property
    def moves(self):
        """Whether the probe depends on theta, as adversarial perturbations do."""
        return getattr(self, "perturbation", "random") == "adversarial"

    @property
    def n_copies(self):
        """How many perturbed copies of every row the probe has, for the size of blocks."""
        return int(getattr(self, "n_perturbations", 0))

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
        return Probe.at(X, epsilon)

    def initial_parameters(self, n_outputs):
        """Parameters of the penalty itself, which are fitted together with the network's.

        They follow those of the network in theta, from ``theta[network.size]`` on.

        Parameters
        ----------
        n_outputs : int

        Returns
        -------
        parameters : ndarray of shape (n_parameters,)
            To start with. Most penalties have none.
        """
        return np.empty(0)

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

    def value(self, network, family, theta, probe, outputs):
        """What does it cost? Traced in theta; the probe is a constant.

        Parameters
        ----------
        network : Network
        family : Family
        theta : ndarray of shape (network.size,)
        probe : Probe
        outputs : Outputs
            Of the network, at the rows of the probe.

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

    A subclass gives ``_distance(family)``, a function as in `distances`, and its
    local form `metric`.
    """

    needs_no_label = True

    def probe(self, network, family, theta, X, y, epsilon, rng):
        if self.perturbation == "random":
            dx = gaussian(rng, (self.n_copies, *X.shape), epsilon, X.dtype)
            return Probe.around(X, dx, epsilon)
        linearization = network.linearize(theta, X)
        arguments = linearization, self.metric(family), epsilon, self.n_power_iterations
        dx = np.stack([adversarial(rng, *arguments) for _ in range(self.n_copies)])
        return Probe.around(X, dx, epsilon, linearization)

    def value(self, network, family, theta, probe, outputs):
        h, n, holds_clean = outputs
        distance = self._distance(family)
        return mean_distance(h, n=n, distance=distance, holds_clean=holds_clean, tape=[])


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

    def _distance(self, family):
        return between_responses(family) if self.space == "response" else between_outputs


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
    entropy_weight : float, default=0.0
        Weight of the entropy of ``p(.|h)`` at the row itself, which is added: outputs are to
        be certain as well as smooth (Grandvalet & Bengio, 2005). For rows without a label. No
        part in regression.
    balance_weight : float, default=0.0
        Weight of the divergence, which is added, of the mean probabilities of a batch (of
        a block of rows with L-BFGS) from equal ones. With few labels and `entropy_weight` it
        keeps classes from swallowing each other, if they are about equally frequent among the
        unlabelled rows. No part in regression.

    References
    ----------
    T. Miyato, S. Maeda, M. Koyama, K. Nakae, S. Ishii, "Distributional smoothing with
    virtual adversarial training", ICLR 2016.

    W. Hu, T. Miyato, S. Tokui, E. Matsumoto, M. Sugiyama, "Learning discrete representations
    via information maximizing self-augmented training", ICML 2017: certain and balanced.

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
        "entropy_weight": [Interval(Real, 0, None, closed="left")],
        "balance_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        perturbation="adversarial",
        n_perturbations=1,
        n_power_iterations=1,
        entropy_weight=0.0,
        balance_weight=0.0,
    ):
        self.perturbation = perturbation
        self.n_perturbations = n_perturbations
        self.n_power_iterations = n_power_iterations
        self.entropy_weight = entropy_weight
        self.balance_weight = balance_weight

    def metric(self, family):
        return family.fisher

    def value(self, network, family, theta, probe, outputs):
        cost = super().value(network, family, theta, probe, outputs)
        if self.entropy_weight or self.balance_weight:
            h = outputs.h[: outputs.n]  # not held, unlike the target of the divergence
            cost = cost + float(self.entropy_weight) * family.entropy(h)
            cost = cost + float(self.balance_weight) * family.imbalance(h)
        return cost

    def _distance(self, family):
        return divergence(family)


class Ladder(_Nearby):
    """Distance of the output and a denoised perturbed one: the Gamma model (section 3.4).

    ``E ||h - g(f(x + dx))||^2``, with a denoiser g of its own for every output unit,
    ``g(u) = (u - m(u)) v(u) + m(u)``, where ``m(u) = a1 sig(a2 u + a3) + a4 u + a5`` and
    ``v(u) = a6 sig(a7 u + a8) + a9 u + a10``. Its parameters are fitted with the network and
    start at the identity, where the penalty is that of `C2C`; they are no part of ``coefs_``.
    An adversarial perturbation moves the output most, before it is denoised.

    Parameters
    ----------
    perturbation : {'random', 'adversarial'}, default='random'
        How the nearby point is chosen.
    n_perturbations : int, default=1
        Nearby points for each row and step.
    n_power_iterations : int, default=1
        Power iterations for the adversarial direction. Only used when
        ``perturbation='adversarial'``.

    References
    ----------
    A. Rasmus, H. Valpola, M. Honkala, M. Berglund, T. Raiko, "Semi-supervised learning with
    ladder networks", NIPS 2015.

    Examples
    --------
    >>> from skc2c import C2CClassifier, Ladder
    >>> clf = C2CClassifier(penalty=Ladder(n_perturbations=2), missing_label=-1)
    """

    _parameter_constraints = {
        "perturbation": _PERTURBATION,
        "n_perturbations": _COUNT,
        "n_power_iterations": _COUNT,
    }

    def __init__(self, perturbation="random", n_perturbations=1, n_power_iterations=1):
        self.perturbation = perturbation
        self.n_perturbations = n_perturbations
        self.n_power_iterations = n_power_iterations

    def initial_parameters(self, n_outputs):
        identity = np.zeros((10, n_outputs))
        identity[[1, 6, 9]] = 1.0
        return identity.ravel()

    def metric(self, family):
        return _METRICS["link"](family)

    def value(self, network, family, theta, probe, outputs):
        parameters = anp.reshape(theta[network.size :], (10, -1))
        near = _denoise(outputs.near, parameters)
        clean = outputs.clean
        difference = anp.reshape(near, (-1, *clean.shape)) - clean
        return anp.sum(difference**2, axis=(0, 2)) / self.n_copies


def _denoise(u, a):
    """g(u): (rows, K), with parameters a (10, K). Traceable."""
    mean = a[0] * _sigmoid(a[1] * u + a[2]) + a[3] * u + a[4]
    slope = a[5] * _sigmoid(a[6] * u + a[7]) + a[8] * u + a[9]
    return (u - mean) * slope + mean


def _sigmoid(u):
    return 0.5 * (anp.tanh(0.5 * u) + 1.0)


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

    needs_no_label = True
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
            return Probe.at(X, epsilon)
        linearization = network.linearize(theta, X)
        metric = self.metric(family)
        dx = adversarial(rng, linearization, metric, epsilon, self.n_power_iterations)
        return Probe.at(X, epsilon, direction=dx)

    def metric(self, family):
        return _METRICS[self.space](family)

    def value(self, network, family, theta, probe, outputs):
        if probe.direction is None:
            seeds = family.mean_jacobian(outputs.clean) if self.space == "response" else None
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
            return Probe.at(X, epsilon)
        if self.perturbation == "random":
            dx = gaussian(rng, X.shape, epsilon, X.dtype)
        else:
            linearization = network.linearize(theta, X)
            gradient = linearization.vjp(family.nll_and_gradient(y, linearization.h)[1])
            dx = steepest(gradient, epsilon)
        return Probe.at(X + dx, epsilon)


# The local form of a squared distance, as a function of the family: (h, dh) -> M dh.
_METRICS = {
    "link": lambda family: lambda h, dh: dh,
    "response": lambda family: lambda h, dh: family.fisher(h, family.fisher(h, dh)),
}

PENALTIES = {
    "c2c": C2C,
    "jacobian": Jacobian,
    "vat": VAT,
    "ladder": Ladder,
    "noise": Noise,
    None: Penalty,
}


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
