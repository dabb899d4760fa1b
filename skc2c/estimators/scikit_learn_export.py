"""Fitted estimators as scikit-learn's own: a multilayer perceptron behind fitted transformers.

The transformers express the layers in front of the dense ones by what scikit-learn and numpy
have, so that the result is loaded and used without this package:

* ``z / sqrt(1 + (z / 3)^2)`` with ``z = (x - center) scale`` is ``3 sin(arctan(z / 3))``. A
  `StandardScaler` divides by ``3 / scale``, two `FunctionTransformer` follow, and the factor of 3
  goes into the first kernel.
* The bins of the numeric embedding are columns, one for each bin, that a `MinMaxScaler` clips.
* Its sines and cosines are random Fourier features that are not random: an `RBFSampler` with
  ``sqrt(2 / n) cos(X W + b)``, whose factor goes into the first kernel too.
"""

import math

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.kernel_approximation import RBFSampler
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from skc2c.estimators.fitted import network_as_one
from skc2c.network.fourier_features import FourierFeatures
from skc2c.network.input_scaling import MAX_ABSOLUTE, InputScaling
from skc2c.network.piecewise_linear import PiecewiseLinear

# What both have from training, under the same name.
_OF_TRAINING = ("loss_", "loss_curve_", "best_loss_", "n_iter_", "t_")


class ScikitLearnExportMixin:
    """Adds `to_sklearn` to an estimator that is fitted with the attributes of a perceptron."""

    def to_sklearn(self):
        """Return the fitted function as an estimator of scikit-learn.

        What is returned needs only scikit-learn to be loaded and used. Its predictions and
        probabilities agree with those of this estimator to rounding (with ``loss='poisson'`` up to
        predictions of 1e13, where the exponential bends here). Several networks become one that is
        as wide as all of them. With `input_scaling` or `numeric_embedding` the network stands
        behind transformers in a pipeline, whose last step, ``mlp``, it is.

        Returns
        -------
        exported : MLPClassifier, MLPRegressor or Pipeline
            The parameters say what the network is, not how it was trained here.

        Raises
        ------
        ValueError
            If scikit-learn's network does not have the activation or the loss, or there is one
            class only.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skc2c import C2CClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = C2CClassifier(max_iter=20, random_state=0).fit(X, y)
        >>> exported = clf.to_sklearn()
        >>> exported[-1]
        MLPClassifier(...)
        >>> bool(abs(exported.predict_proba(X) - clf.predict_proba(X)).max() < 1e-12)
        True
        """
        check_is_fitted(self)
        express = _as_classifier if is_classifier(self) else _as_regressor
        return express(self, network_as_one(self), self._targets())


def _as_classifier(estimator, network, targets):
    if len(targets.classes) == 1:
        raise ValueError(
            "to_sklearn cannot express a classifier of one class, here "
            f"{targets.classes[0]!r}: scikit-learn's MLPClassifier takes it for one of two. Use "
            "DummyClassifier, or ONNX (skc2c.onnx)."
        )
    y = np.eye(targets.n_targets, dtype=int) if targets.is_multilabel else targets.classes
    return _exported(estimator, network, MLPClassifier, y, {})


def _as_regressor(estimator, network, targets):
    if targets.loss not in _losses():
        raise ValueError(
            f"to_sklearn cannot express loss={targets.loss!r}: scikit-learn's MLPRegressor has "
            f"{_listed(_losses())} only. Convert the estimator to ONNX instead (skc2c.onnx)."
        )
    settings = {"loss": targets.loss} if "loss" in MLPRegressor().get_params() else {}
    return _exported(estimator, network, MLPRegressor, np.zeros((1, targets.n_targets)), settings)


def _losses():
    """Losses of MLPRegressor, which had a single one before scikit-learn 1.7."""
    constraints = MLPRegressor._parameter_constraints.get("loss")
    return {"squared_error"} if constraints is None else constraints[0].options


def _exported(estimator, network, kind, y, settings):
    _check_activation(network, kind)
    dtype = np.result_type(*estimator.coefs_)
    steps = [step for layer in network.front for step in _transformers(layer, network, dtype)]
    mlp = _stand_in(kind, y, network.dense_layers[0].n_in, dtype, settings)
    mlp.set_params(
        hidden_layer_sizes=network.layer_units[1:-1],
        activation=network.activation if len(network.dense_layers) > 1 else "identity",
        alpha=float(estimator.l2),
        **{name: kind().get_params()[name] for name in _OF_STAND_IN},
    )
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        (steps[0][1] if steps else mlp).feature_names_in_ = names
    _set_parameters(mlp, estimator, network)
    return Pipeline([*steps, ("mlp", mlp)]) if steps else mlp


def _check_activation(network, kind):
    known = kind._parameter_constraints["activation"][0].options
    if len(network.dense_layers) > 1 and network.activation not in known:
        raise ValueError(
            f"to_sklearn cannot express activation={network.activation!r}: scikit-learn's "
            f"{kind.__name__} has {_listed(known)} only. Convert the estimator to ONNX instead "
            "(skc2c.onnx)."
        )


def _listed(names):
    return ", ".join(map(repr, sorted(names)))


# ------------------------------------------------------------------------ the perceptron


# The gradient is below the tolerance from the start, so that nothing is trained.
_OF_STAND_IN = {"solver": "lbfgs", "tol": 1e300, "random_state": 0}


def _stand_in(kind, y, n_features, dtype, settings):
    """A tiny perceptron fitted to empty rows: scikit-learn itself sets what it needs to predict."""
    X = sparse.csr_matrix((len(y), n_features), dtype=dtype)
    mlp = kind(hidden_layer_sizes=(1,), **_OF_STAND_IN, **settings)
    mlp.fit(X, y if y.shape[1:] != (1,) else y[:, 0])
    mlp._no_improvement_count = 0  # only the stochastic solvers, with which one may go on, set it
    return mlp


def _set_parameters(mlp, estimator, network):
    """Replace what was fitted to empty rows."""
    first, *others = estimator.coefs_
    mlp.coefs_ = [first * _factors(network).astype(first.dtype)[:, None]]
    mlp.coefs_ += [coef.copy() for coef in others]
    mlp.intercepts_ = [intercept.copy() for intercept in estimator.intercepts_]
    mlp.n_layers_ = len(network.dense_layers) + 1
    mlp.validation_scores_ = mlp.best_validation_score_ = None
    for name in _OF_TRAINING:
        setattr(mlp, name, getattr(estimator, name))


def _factors(network):
    """What the rows of the first kernel are multiplied by, (units below it,)."""
    factors = np.ones(network.n_features)
    for layer in network.front:
        if isinstance(layer, InputScaling):
            factors = factors * MAX_ABSOLUTE
        elif isinstance(layer, FourierFeatures):
            n_waves = layer.n_appended
            factors = np.append(factors, np.full(n_waves, math.sqrt(n_waves / 2.0)))
        elif isinstance(layer, PiecewiseLinear):
            factors = np.append(factors, np.ones(layer.n_appended))
    return factors


# ------------------------------------------------------------------- the layers in front


def _transformers(layer, network, dtype):
    """Steps of a pipeline that stand for a layer, whose units are thirds of ours if scaled."""
    if isinstance(layer, InputScaling):
        return [
            ("scaling", _scaler(layer)),
            ("arctan", _elementwise(np.arctan, layer.n_in)),
            ("sine", _elementwise(np.sin, layer.n_in)),
        ]
    unit = MAX_ABSOLUTE if isinstance(network.front[0], InputScaling) else 1.0
    if isinstance(layer, PiecewiseLinear):
        return [("bins", _bins(layer, unit, dtype))]
    return [("waves", _waves(layer, unit, dtype))]


def _elementwise(function, n_features):
    transformer = FunctionTransformer(function, feature_names_out="one-to-one")
    return transformer.fit(np.zeros((1, n_features)))


def _scaler(layer):
    # A RobustScaler would forget to centre sparse rows, without a word.
    scaler = StandardScaler(with_mean=bool(layer.center.any()))
    scaler.fit(np.zeros((1, layer.n_in)))
    scaler.mean_ = layer.center.copy()
    with np.errstate(divide="ignore", over="ignore"):
        # A column that is left out has an infinite scale: what is divided by it is zero.
        scaler.scale_ = MAX_ABSOLUTE / layer.scale
        scaler.var_ = scaler.scale_**2
    return scaler


def _bins(layer, unit, dtype):
    """Columns, then how much of each bin lies below its column's value."""
    scaler = MinMaxScaler(clip=True)
    union = ColumnTransformer(
        [
            ("columns", "passthrough", list(range(layer.n_in))),
            ("bins", scaler, layer.columns_of_bins),
        ]
    )
    union.fit(np.zeros((1, layer.n_in), dtype=dtype))
    scaler = union.named_transformers_["bins"]
    scaler.data_min_, scaler.data_range_ = layer.lower_ends / unit, 1.0 / (unit * layer.steepness)
    scaler.data_max_ = scaler.data_min_ + scaler.data_range_
    scaler.scale_ = unit * layer.steepness
    scaler.min_ = -scaler.data_min_ * scaler.scale_
    return union


def _waves(layer, unit, dtype):
    """Columns, then their sines and cosines, which are cosines a quarter of a turn later."""
    n_columns, n_waves = len(layer.columns), layer.n_appended
    # At each frequency the sines of all columns come first.
    angular = 2.0 * math.pi * unit * np.repeat(layer.frequencies, 2 * n_columns)
    columns = np.tile(layer.columns, 2 * len(layer.frequencies))
    sampler = RBFSampler(n_components=n_waves, random_state=0)
    union = FeatureUnion([("columns", "passthrough"), ("waves", sampler)])
    union.fit(np.zeros((1, layer.n_in), dtype=dtype))
    sampler.random_weights_ = np.zeros((layer.n_in, n_waves), dtype)
    sampler.random_weights_[columns, np.arange(n_waves)] = angular
    offsets = np.repeat([-math.pi / 2.0, 0.0], n_columns)
    sampler.random_offset_ = np.tile(offsets, len(layer.frequencies)).astype(dtype)
    return union
