"""The regressor: real targets in, predictions out."""

from numbers import Real

from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils._param_validation import Interval, StrOptions

from skc2c.estimators.callbacks import with_callbacks
from skc2c.estimators.intervals import PredictionIntervalMixin
from skc2c.estimators.labeled_score import LabeledScoreMixin
from skc2c.estimators.perceptron import Perceptron
from skc2c.estimators.scikit_learn_export import ScikitLearnExportMixin
from skc2c.estimators.shared_docstrings import shared_docstrings
from skc2c.estimators.targets import fitted_targets, real_targets
from skc2c.likelihoods import LIKELIHOODS

LOSSES = [name for name, kind in LIKELIHOODS.items() if not kind.is_of_classes]


@shared_docstrings
class C2CRegressor(
    LabeledScoreMixin,
    PredictionIntervalMixin,
    ScikitLearnExportMixin,
    MultiOutputMixin,
    RegressorMixin,
    Perceptron,
):
    """Multilayer perceptron regressor that is smooth around the data.

    Minimises a loss, half the squared error by default, plus ``alpha`` times a penalty on how
    much the output changes within a neighbourhood of radius ``epsilon`` of each row. During
    training each target is standardised (but for counts), so that `alpha`, `tol` and the loss
    do not depend on the unit of y.

    Parameters
    ----------
    {parameters}

    loss : {'squared_error', 'poisson', 'gaussian_nll', 'quantile'}, default='squared_error'
        Loss function. ``'squared_error'``: half the squared error of the standardised targets.
        ``'poisson'``: negative log-likelihood of counts, or of other targets that are not
        negative; the prediction is the exponential of the output. ``'gaussian_nll'``:
        negative log-likelihood of a normal distribution whose variance is predicted too; see
        ``return_std`` of `predict`. ``'quantile'``: pinball loss; the prediction is a conditional
        quantile of y. At the median, the default, it is half the absolute error, to which
        outliers matter little.

    quantile : float, default=0.5
        Quantile that ``loss='quantile'`` estimates, between 0 and 1, both excluded. With folds,
        predictions move away from the median if too many targets lie beyond them out of fold.

    {last_parameters}

    Attributes
    ----------
    target_scale_ : ndarray of shape (n_targets,) or None
        Scale of the targets with ``loss='gaussian_nll'``, else None.

    shrinkage_ : float or ndarray of shape (n_outputs,)
        Shrinkage of the predictions towards the mean of y, between 0 (none) and 1, as far as their
        errors out of fold support it. With ``loss='poisson'``, the logarithms are shrunk. It is 0
        with ``loss='quantile'``, and without folds.

    oob_prediction_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Predictions of the training rows by the networks that were not trained on them; NaN for
        rows that all networks were trained on, and for unlabelled rows. Only available if there
        were folds.

    {attributes}

    See Also
    --------
    C2CClassifier : The same network for classification.
    sklearn.neural_network.MLPRegressor : Without the penalty.

    Notes
    -----
    {notes}
    With folds and ``alpha='auto'``, unlabelled rows are used for self-training: a first set of
    networks is trained on the labelled rows and predicts the targets of up to 2000 others, and a
    second set is trained on both. The prediction is the mean of the two sets. `alpha_`, `history_`,
    out-of-fold scores and the errors that intervals are made of belong to the first. With
    ``loss='gaussian_nll'`` there is no second set, and unlabelled rows are not used.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import train_test_split
    >>> from skc2c import C2CRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> reg = C2CRegressor(random_state=0).fit(X_train, y_train)
    >>> reg.score(X_test, y_test) > 0.3
    True
    """

    _parameter_constraints = {
        **Perceptron._parameter_constraints,
        "loss": [StrOptions(set(LOSSES))],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }
    _y_checks = {"multi_output": True, "y_numeric": True}
    _of_targets = ("_loss", "target_scale_", "_quantile")

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        penalty="c2c",
        alpha="auto",
        epsilon="scale",
        l2=0.1,
        cv=4,
        input_scaling="auto",
        numeric_embedding="auto",
        normalization="auto",
        init_scale=1.0,
        solver="adam",
        batch_size="auto",
        learning_rate_init=0.01,
        max_iter="auto",
        shuffle=True,
        tol=1e-4,
        early_stopping=False,
        scoring=None,
        validation_fraction=0.1,
        n_iter_no_change=10,
        warm_start=False,
        loss="squared_error",
        quantile=0.5,
        missing_label=None,
        dtype="auto",
        random_state=None,
        n_jobs=None,
        verbose=False,
    ):
        self._set_parameters(locals())

    @with_callbacks
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        groups=None,
        X_unlabeled=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Fit the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets, in any unit.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. Rows with zero weight are ignored; unlabelled rows have weight
            one, unless theirs is zero.
        {fit_parameters}

        Returns
        -------
        self : C2CRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            On invalid parameters or data, or a loss that stops being finite. The
            estimator is then as it was before.

        Examples
        --------
        >>> import numpy as np
        >>> from skc2c import C2CRegressor
        >>> X = np.linspace(-1, 1, 50)[:, None]
        >>> reg = C2CRegressor(max_iter=100, random_state=0).fit(X, X[:, 0] ** 2)
        >>> reg.predict([[0.7]]).round(1)
        array([0.5])
        """
        validation = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
        return self._fit(X, y, sample_weight, X_unlabeled, groups=groups, **validation)

    @with_callbacks
    def partial_fit(self, X, y, sample_weight=None, *, X_unlabeled=None):
        """Update one network with one epoch over the given rows.

        The first call, or `fit` with ``cv=None``, decides on the scaling of the inputs and of
        the targets; further calls go on with the state of the solver and of the random
        generators. If the first calls have less than 20 rows together, the scaling is updated
        until there are 20, and the solver begins anew where that changes it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        X_unlabeled : {array-like, sparse matrix} of shape (n_unlabeled, n_features), default=None
            Further rows without a label, for the penalty to learn from.

        Returns
        -------
        self : C2CRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            On invalid parameters or data, if `early_stopping` is True, on another number of targets
            than in the first call, or if the loss stops being finite. The estimator is then as it
            was before.

        Examples
        --------
        >>> import numpy as np
        >>> from skc2c import C2CRegressor
        >>> rng, reg = np.random.default_rng(0), C2CRegressor(random_state=0)
        >>> for _ in range(40):
        ...     X = rng.normal(size=(50, 1))
        ...     reg = reg.partial_fit(X, 3.0 * X[:, 0])
        >>> bool(abs(reg.predict([[0.5]])[0] - 1.5) < 0.3)
        True
        """
        return self._fit_increment(X, y, sample_weight, X_unlabeled)

    def predict(self, X, return_std=False):
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.
        return_std : bool, default=False
            Whether to return the standard deviation of the targets too. Only available with
            ``loss='gaussian_nll'``. With folds, it is scaled up to the out-of-fold errors if these
            are larger than predicted.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Mean of the targets, in their units.
        y_std : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Their standard deviation. Only returned if `return_std` is True.

        Raises
        ------
        ValueError
            If `return_std` is True and the loss has no standard deviation.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from skc2c import C2CRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> reg = C2CRegressor(loss="gaussian_nll", random_state=0).fit(X, y)
        >>> mean, std = reg.predict(X, return_std=True)
        >>> bool(0.9 < (abs(y - mean) < 2 * std).mean() < 1.0)
        True
        """
        h, targets = self._link(X), self._targets()
        if not return_std:
            return targets.decode(h)
        return targets.decode(h), targets.spread(h)

    def _encode(self, y, weight, known, increment):
        is_part, quantile = increment is not None, float(self.quantile)
        targets, y = real_targets(y, self.loss, is_part=is_part, quantile=quantile)
        _refuse_others(targets, known, "warm_start=True" if increment is None else "partial_fit")
        return targets, y, weight

    def _targets(self):
        return fitted_targets(self._loss, self.n_outputs_, self.target_scale_, self._quantile)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags


def _refuse_others(targets, known, way):
    """Raise a ValueError unless targets are like those of the fit that this one goes on from."""
    if known is None or (targets.loss, targets.n_targets) == (known.loss, known.n_targets):
        return
    raise ValueError(
        f"{way} needs the loss and the number of targets of the fit before, "
        f"{known.loss!r} and {known.n_targets}. Got {targets.loss!r} and {targets.n_targets}."
    )
