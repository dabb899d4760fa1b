"""The contract of a penalty: where it looks, and what it charges there.

A penalty answers two questions. ``probe`` says *where do we look*: plain numpy, before
any tracing starts. ``value`` says *what does it cost*: traced in theta, with the probe a
constant. So an adversarial direction is held fixed while differentiating (Danskin's
theorem), a penalty can be tested with a hand-made probe, and no penalty knows which
solver is at work.
"""

from abc import ABC, abstractmethod
from inspect import signature

import numpy as np
from sklearn.base import BaseEstimator

from skc2c.penalties.few_labels import FewLabels
from skc2c.penalties.probes import Probe


class Penalty(BaseEstimator, ABC):
    """Base class of all penalties.

    A subclass implements ``value`` and, unless it looks at the rows themselves, ``probe``. Its
    settings go into ``__init__`` and ``_parameter_constraints``, as in any scikit-learn
    estimator.

    Attributes
    ----------
    name : str
        What the parameter `penalty` of an estimator calls it, of those in this package.
    follows_theta : bool, default=True
        Whether the probe depends on theta, as adversarial perturbations do. L-BFGS then asks
        for a new probe every few steps and restarts. A penalty that draws its
        perturbations without looking at theta sets this to False, which saves the restarts.
    n_copies : int, default=1
        How many perturbed copies of each row the probe has: rows are evaluated in blocks whose
        size depends on it.
    holds_clean : bool, default=False
        Whether the clean output is a constant in the gradient. The objective honours this
        in stochastic training only: a deterministic solver needs value and gradient
        to agree.
    needs_no_label : bool, default=False
        Whether rows without a label contribute to the penalty.
    needs_mean_response : bool, default=False
        Whether ``value`` needs the mean response over all rows (see `Outputs`).
    needs_jacobian : bool, default=False
        Whether ``value`` needs derivatives of each row's output with respect to that row, which
        normalisation by batch does not leave.
    has_cost : bool, default=True
        Whether ``value`` is there at all. If not, only the loss is taken, where the probe says.
    reads_theta : bool, default=True
        Whether ``value`` depends on theta other than through the outputs.
    reads_outputs : bool, default=True
        Whether ``value`` depends on the outputs. What reads one of the two alone is traced faster.
    knows_derivative : bool, default=False
        Whether ``value_with_way_back`` goes with ``value``. Set for each class that defines one
        of the two: False if only ``value`` is new.
    few_labels : FewLabels
        Strength and radius in a classifier that tunes itself and learns from unlabelled rows.
    takes_sparse : bool, default=False
        Whether ``probe`` takes wide sparse rows as they are, as a CSR matrix. If not, it is given
        them as an array, batch by batch.

    See Also
    --------
    C2C : A penalty to look at: random or adversarial points near each row.

    Examples
    --------
    A penalty on the absolute instead of the squared distance:

    >>> import autograd.numpy as anp
    >>> import numpy as np
    >>> from skc2c import C2CRegressor, Penalty
    >>> from skc2c.penalties import Probe, gaussian
    >>> class Absolute(Penalty):
    ...     follows_theta = False
    ...
    ...     def probe(self, network, likelihood, theta, X, y, epsilon, rng):
    ...         return Probe.around(X, gaussian(rng, X.shape, epsilon, X.dtype), epsilon)
    ...
    ...     def value(self, network, likelihood, theta, probe, outputs):
    ...         return anp.sum(anp.abs(outputs.clean - outputs.near), axis=1)
    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> reg = C2CRegressor(penalty=Absolute(), epsilon=0.05, solver="lbfgs", random_state=0)
    >>> reg.fit(X, np.sin(3 * X[:, 0])).score(X, np.sin(3 * X[:, 0])) > 0.9
    True
    """

    follows_theta = True
    n_copies = 1
    holds_clean = False
    needs_no_label = False
    needs_mean_response = False
    needs_jacobian = False
    has_cost = True
    reads_theta = True
    reads_outputs = True
    knows_derivative = False
    takes_sparse = False
    # Chosen on two moons and digits (docs/semi_supervised.md).
    few_labels = FewLabels(alpha=3.0, radius=0.25)
    _parameter_constraints: dict = {}

    def __init_subclass__(cls, **settings):
        super().__init_subclass__(**settings)
        # A cost that is replaced takes its derivative with it.
        if {"value", "value_with_way_back"} & vars(cls).keys():
            cls.knows_derivative = "value_with_way_back" in vars(cls)

    def __setstate__(self, state):
        # Settings that an object of an earlier version lacks are at their defaults, which stand
        # for how it was done before.
        parameters = signature(type(self).__init__).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        super().__setstate__(defaults | state)

    def probe(self, network, likelihood, theta, X, y, epsilon, rng):
        """Say where to look, in plain numpy: at the rows themselves by default.

        Parameters
        ----------
        network : Network
            The map from rows to outputs.
        likelihood : Likelihood
            What the outputs mean.
        theta : ndarray of shape (network.size,)
            Parameters of the network.
        X : ndarray of shape (n, D)
            Rows, scaled.
        y : ndarray of shape (n, T) or None
            Encoded targets, None if there are no labels.
        epsilon : float or ndarray of shape (D,)
            Radius, of each feature if it is an array.
        rng : numpy.random.Generator
            The only source of random numbers.

        Returns
        -------
        probe : Probe
            The rows, and what is near them.
        """
        return Probe.at(X, epsilon)

    @abstractmethod
    def value(self, network, likelihood, theta, probe, outputs):
        """Say what it costs. Traced in theta; the probe is a constant.

        Parameters
        ----------
        network : Network
            The map from rows to outputs.
        likelihood : Likelihood
            What the outputs mean.
        theta : ndarray of shape (network.size,)
            Parameters of the network.
        probe : Probe
            As the method of that name returned it.
        outputs : Outputs
            Of the network, at the rows of the probe.

        Returns
        -------
        cost : ndarray of shape (n,) or None
            R(x) of each row; None if nothing is penalised.
        """

    def value_with_way_back(self, network, likelihood, outputs):
        """Return the cost with its derivative: a subclass may, and steps need no trace then.

        Parameters
        ----------
        network, likelihood : Network, Likelihood
            As for ``value``.
        outputs : Outputs
            Not traced.

        Returns
        -------
        cost : ndarray of shape (n,)
            As ``value`` returns it.
        back : callable
            ``g -> gradient`` with respect to all outputs, for weights g (n,) of the rows.
        """
        raise NotImplementedError

    def for_few_labels(self, are_balanced, n_features):
        """Return the penalty of a fit that tunes itself and learns classes from unlabelled rows.

        Parameters
        ----------
        are_balanced : bool
            Whether the classes may be taken to be equally frequent.
        n_features : int or None
            Features that vary, as training sees them; None if rows are sparse.

        Returns
        -------
        penalty : Penalty
            By default the penalty itself.
        """
        return self

    @property
    def beside_loss(self):
        """The penalty of the term of the labelled loss, where this one has a term of its own.

        That is where there are rows without a label, or where this penalty asks for it: for
        noisy inputs instead of no penalty.
        """
        return NoPenalty()

    def natural_epsilon(self, n_features):
        """Return the radius at which a perturbation has mean squared length 1.

        Parameters
        ----------
        n_features : int
            Number of features that are perturbed.

        Returns
        -------
        epsilon : float
            ``1 / sqrt(n_features)``, for perturbations with that standard deviation in each
            feature. A penalty whose `epsilon` is the length itself returns 1.
        """
        return n_features**-0.5

    def metric(self, likelihood):
        """Return the local form of the distance, which makes a perturbation adversarial.

        Parameters
        ----------
        likelihood : Likelihood
            What the outputs mean.

        Returns
        -------
        metric : callable or None
            ``(h, dh) -> M(h) dh``, both (n, K), such that the distance of h and
            ``h + dh`` is proportional to ``dh' M dh`` for small dh. None if the penalty
            measures no distance.
        """
        return None

    def initial_parameters(self, n_outputs):
        """Return initial values of parameters of the penalty itself.

        They are fitted together with those of the network and follow them in theta, from
        ``theta[network.size]`` on.

        Parameters
        ----------
        n_outputs : int
            Number of outputs of the network.

        Returns
        -------
        parameters : ndarray of shape (n_parameters,)
            Most penalties have none.
        """
        return np.empty(0)

    def parameters_in_units(self, parameters, center, scale):
        """Express parameters of the penalty for outputs ``center + scale h`` instead of h.

        Parameters
        ----------
        parameters : ndarray of shape (n_parameters,)
            Of the penalty for h.
        center, scale : ndarray of shape (n_outputs,)
            The units of each output.

        Returns
        -------
        parameters : ndarray of shape (n_parameters,)
            Of the penalty for the outputs in these units.
        """
        return parameters


class NoPenalty(Penalty):
    """No penalty: a plain network."""

    name = None
    follows_theta = False
    has_cost = False
    n_copies = 0
    takes_sparse = True

    def value(self, network, likelihood, theta, probe, outputs):
        return None
