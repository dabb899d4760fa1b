"""The classifier: its signature, docstring and fits."""

from dataclasses import replace

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import StrOptions

from skc2c.data.missing_labels import is_missing, labels
from skc2c.estimators.callbacks import with_callbacks
from skc2c.estimators.class_predictions import ClassPredictionsMixin
from skc2c.estimators.class_weights import (
    class_factors,
    refuse_class_weight,
    require_a_class,
)
from skc2c.estimators.labeled_score import LabeledScoreMixin
from skc2c.estimators.lost_marks import warn_of_one_class
from skc2c.estimators.perceptron import Perceptron
from skc2c.estimators.scikit_learn_export import ScikitLearnExportMixin
from skc2c.estimators.shared_docstrings import shared_docstrings
from skc2c.estimators.targets import ClassTargets, announced_targets, class_targets


@shared_docstrings
class C2CClassifier(
    ClassPredictionsMixin, LabeledScoreMixin, ScikitLearnExportMixin, ClassifierMixin, Perceptron
):
    """Multilayer perceptron classifier that is smooth around the data.

    Each network minimises the log-loss plus ``alpha`` times a penalty on how much the output
    changes within a neighbourhood of radius ``epsilon`` of each row. By default, several networks
    are trained on different folds, the rows left out of each choose how to train, and the
    prediction is their mean.

    Parameters
    ----------
    {parameters}

    class_weight : dict or 'balanced', default=None
        Weights of the classes, by which sample weights are multiplied. ``'balanced'`` uses
        weights inversely proportional to the (weighted) class frequencies. Not supported for
        multilabel y.

    {last_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; for multilabel y the indices of the outputs.

    oob_decision_function_ : ndarray of shape (n_samples, n_classes) or (n_samples, n_outputs)
        Probabilities of the training rows as predicted by the networks that were not trained
        on them; NaN for rows that all networks were trained on, and for unlabelled rows. Only
        available if there were folds.

    temperature_ : float
        By what the outputs were divided after training (temperature scaling), so that
        probabilities are about as certain as the rows that the folds left out bear out. It is 1
        without folds.

    logit_shift_ : ndarray of shape (n_outputs,)
        What was added to the outputs then (bias correction), so that each class is predicted
        about as often as the rows that the folds left out bear out. Outputs are the
        log-probabilities of the classes up to a constant, or log-odds if y is binary or
        multilabel. It is zero without folds.

    {attributes}

    See Also
    --------
    C2CRegressor : The same network for regression.
    sklearn.neural_network.MLPClassifier : Without the penalty.

    Notes
    -----
    {notes}
    A fit that tunes itself (`cv` is not None) and learns from rows without a label has a recipe
    of its own: `cv` networks are each given all labels and trained for 2000 to 6000 steps with a
    strong penalty, for ``alpha='auto'`` of 2 (``'vat'``), 10 (``'c2c'``) or 3. With
    ``input_scaling='auto'``, training sees the leading principal components of dense scaled rows
    (as many as have 90 % of the variance, and at least 20), which are folded into `coefs_`
    afterwards. With ``epsilon='scale'``, the length of a perturbation is 0.25 (0.37 for
    ``'c2c'``) of the root mean squared distance of these rows from their mean. Folds are trained
    first. If each leaves out ten labelled rows or more, they tell whether the unlabelled rows do
    harm, in which case these are left out and `alpha_` is small, and how certain outputs should
    be.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.model_selection import train_test_split
    >>> from skc2c import C2CClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> clf = C2CClassifier(random_state=0).fit(X_train, y_train)
    >>> clf.score(X_test, y_test) > 0.95
    True
    """

    _parameter_constraints = {
        **Perceptron._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    _of_targets = ("classes_",)

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        penalty="vat",
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
        class_weight=None,
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
            Labels (strings, integers, booleans), or a 0/1 indicator matrix (multilabel). Of one
            class only, as may happen in a bag or a fold, it is that class which is predicted.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. Rows with zero weight are ignored; unlabelled rows have weight
            one, unless theirs is zero.
        {fit_parameters}

        Returns
        -------
        self : C2CClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            On invalid parameters or data, or a loss that stops being finite. The estimator is
            then as it was before.

        Examples
        --------
        >>> from skc2c import C2CClassifier
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]] * 5, ["low", "low", "high", "high"] * 5
        >>> C2CClassifier(max_iter=100, random_state=0).fit(X, y).predict([[0.5], [2.5]])
        array(['low', 'high'], dtype='<U4')
        """
        validation = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
        return self._fit(X, y, sample_weight, X_unlabeled, groups=groups, **validation)

    @with_callbacks
    def partial_fit(self, X, y, classes=None, sample_weight=None, *, X_unlabeled=None):
        """Update one network with one epoch over the given rows.

        The first call, or `fit` with ``cv=None``, decides on the classes and on the scaling of
        the inputs; further calls go on with the state of the solver and of the random
        generators. If the first calls have less than 20 rows together, the scaling is updated
        until there are 20, and the solver begins anew where that changes it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels, or a 0/1 indicator matrix (multilabel). They may be of one class only.
        classes : array-like of shape (n_classes,), default=None
            All classes that there will be. Required in the first call, unless y is multilabel. The
            mark `missing_label` is none of them.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        X_unlabeled : {array-like, sparse matrix} of shape (n_unlabeled, n_features), default=None
            Further rows without a label, for the penalty to learn from.

        Returns
        -------
        self : C2CClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            On invalid parameters or data, on labels that are not in `classes`, if `classes`
            is missing in the first call, or if `early_stopping` is True.

        Examples
        --------
        >>> import numpy as np
        >>> from skc2c import C2CClassifier
        >>> rng, clf = np.random.default_rng(0), C2CClassifier(random_state=0)
        >>> for _ in range(20):
        ...     X = rng.normal(size=(50, 1))
        ...     clf = clf.partial_fit(X, X[:, 0] > 0, classes=[False, True])
        >>> clf.predict([[-1.0], [1.0]])
        array([False,  True])
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' is not defined for partial_fit, which does not know the "
                "frequencies of the classes. Pass a dictionary of weights instead."
            )
        if classes is not None:
            classes = list(classes)  # which may be a set
            classes = labels(classes, np.flatnonzero(~is_missing(classes, self.missing_label)))
        return self._fit_increment(X, y, sample_weight, X_unlabeled, classes)

    def _targets(self):
        is_multilabel = self.out_activation_ == "logistic" and self.n_outputs_ > 1
        return ClassTargets(self.classes_, is_multilabel)

    def _encode(self, y, weight, known, increment):
        if increment is None:
            targets, codes = class_targets(y, known)
        else:
            targets, codes = announced_targets(y, known, increment.classes)
        if targets.is_multilabel:
            refuse_class_weight(self.class_weight)
            return targets, targets.encode(codes), weight
        targets = replace(
            targets, factors=class_factors(self.class_weight, targets.classes, codes, weight)
        )
        weight = targets.weigh(codes, weight)
        if increment is None:
            require_a_class(weight)
            warn_of_one_class(self.missing_label, targets.classes)
        return targets, targets.encode(codes), weight

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
