"""Prediction intervals from the networks of single folds and their out-of-fold residuals."""

from numbers import Real

import numpy as np

from skc2c.estimators.fitted import assembled
from skc2c.estimators.side_by_side import side_by_side
from skc2c.machine.threads import map_in_order
from skc2c.network.blocks import outputs

# Rows are taken in blocks: about this many numbers for all folds and kinds of training rows.
_BLOCK = 2**20
# Halvings of the range of all bounds until it is within rounding.
_HALVINGS = 60


class PredictionIntervalMixin:
    """Adds `predict_interval` to a regressor that is fitted with folds."""

    def predict_interval(self, X, coverage=0.9):
        """Predict intervals that hold a given part of new targets.

        These are CV+ intervals [1]_, made of the errors out of fold; no further fit is needed.
        Each training row i contributes two values: the prediction for x by the networks that were
        not trained on row i, less and plus their error at row i. The bounds are quantiles of these,
        at ``1 - coverage`` of the lower and at `coverage` of the upper ones. With
        ``loss='gaussian_nll'`` errors are in units of the predicted standard deviation, so that
        intervals are wide where targets are uncertain.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.
        coverage : float, default=0.9
            Part of new targets that the intervals should hold, between 0 and 1, both excluded. It
            is that of each output if there are several.

        Returns
        -------
        lower, upper : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Bounds of the intervals, in the units of y. They are infinite if fewer than
            ``coverage / (1 - coverage)`` training rows were left out of a fold.

        Raises
        ------
        ValueError
            If `coverage` is out of range, or the estimator was fitted without folds.

        Notes
        -----
        If rows are exchangeable and networks know nothing of the rows left out, a new target is in
        its interval with a probability of at least ``2 coverage - 1 - sqrt(2 / n_samples)``, and
        typically close to `coverage`. Here the rows left out choose how long to train and which
        networks to average, and all rows determine the scaling, so the guarantee does not strictly
        apply. Every row counts once, whatever its weight.

        References
        ----------
        .. [1] R. F. Barber, E. J. Candes, A. Ramdas and R. J. Tibshirani, "Predictive inference
           with the jackknife+", Annals of Statistics 49(1), 2021.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from skc2c import C2CRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> reg = C2CRegressor(random_state=0).fit(X[:300], y[:300])
        >>> lower, upper = reg.predict_interval(X[300:], coverage=0.8)
        >>> bool(0.7 < ((lower <= y[300:]) & (y[300:] <= upper)).mean() < 0.9)
        True
        """
        X, targets = self._check_X(X), self._targets()
        return tuple(map(targets.given, prediction_interval(self, X, targets, coverage)))


def conformal_attributes(ingredients, training, found):
    """Fitted attribute that prediction intervals are made of; None if y is a class."""
    targets, plan, units = ingredients.targets, training.plan, training.output_units
    scores = targets.fitted(units).nonconformity(
        found.outputs * units.scale + units.center, ingredients.labelled.y
    )
    if scores is None:
        return {"_conformal": None}
    left_out = np.zeros((len(scores), len(plan.folds)))
    for fold, (_, test) in enumerate(plan.folds):
        left_out[test, fold] = 1.0
    seen = left_out.any(axis=1)
    kinds, kind = np.unique(left_out[seen], axis=0, return_inverse=True)
    return {
        "_conformal": {
            **_folds(found.networks, units, len(plan.folds)),
            "scores": scores[seen],
            "kind": kind.ravel(),
            "shares": kinds / kinds.sum(axis=1, keepdims=True),
        }
    }


def _folds(networks, units, n_folds):
    """What the function of a single fold has that cannot be seen from the mean over folds.

    Parameters
    ----------
    networks : list of (Network, ndarray, float)
        With parameters and weights, fold after fold for each end.
    units : Units
    n_folds : int

    Returns
    -------
    folds : dict
        Biases of the outputs, (n_folds, K), and the kernels (n_folds, D, K) if these are the only
        ones, so that the networks have no hidden units to tell them by; else None.
    """
    parts = [units.fold(*_of_fold(networks[f::n_folds], n_folds)) for f in range(n_folds)]
    has_hidden_units = len(parts[0][0]) > 1
    return {
        "coefs": None if has_hidden_units else np.array([coefs[-1] for coefs, _ in parts]),
        "intercepts": np.array([intercepts[-1] for _, intercepts in parts]),
    }


def _of_fold(networks, n_folds):
    """Kernels and biases of the networks of a fold as one."""
    return side_by_side([(one, theta, n_folds * w) for one, theta, w in networks])[1]


def network_of_folds(estimator):
    """The functions of all folds, whose mean the fitted function is, as one network.

    Its ``n_folds * K`` outputs are those of the first fold, then those of the second, and so on.

    Returns
    -------
    network : Network or MeanNetwork
    theta : ndarray
    """
    kernels, biases = (estimator._conformal[name] for name in ("coefs", "intercepts"))
    if kernels is None:
        kernels = _kernels_of_folds(estimator.coefs_[-1], estimator.n_networks_, len(biases))
    last = np.hstack(list(kernels)).astype(estimator.coefs_[-1].dtype)
    coefs = [*estimator.coefs_[:-1], last]
    return assembled(estimator, coefs, [*estimator.intercepts_[:-1], biases.ravel()])


def _kernels_of_folds(kernel, n_networks, n_folds):
    """The last kernel with only the units of one fold, times n_folds, for each fold."""
    of_unit = np.arange(len(kernel)) * n_networks // len(kernel) % n_folds
    return [n_folds * np.where(of_unit[:, None] == fold, kernel, 0.0) for fold in range(n_folds)]


def prediction_interval(estimator, X, targets, coverage):
    """Bounds of the CV+ interval. See `C2CRegressor.predict_interval`.

    Parameters
    ----------
    estimator : C2CRegressor
    X : ndarray or CSR matrix of shape (n, D)
    targets : RealTargets
    coverage : float

    Returns
    -------
    lower, upper : ndarray of shape (n, T)
    """
    record = estimator._conformal
    if not (isinstance(coverage, Real) and 0.0 < coverage < 1.0):
        raise ValueError(f"coverage must be between 0 and 1, both excluded. Got {coverage!r}.")
    if record is None:
        raise ValueError(
            "predict_interval needs a fit with folds, which leave rows out: cv=4 and at least six "
            "labelled rows, and neither early_stopping nor warm_start nor partial_fit."
        )
    h = outputs(*network_of_folds(estimator), X, map_in_order).astype(np.float64)
    h = h.reshape(len(h), len(record["intercepts"]), -1)
    size = max(1, _BLOCK // record["shares"].size)
    blocks = [h[start : start + size] for start in range(0, len(h), size)]
    bounds = [_bounds(block, record, targets, coverage) for block in blocks]
    lower, upper = map(np.concatenate, zip(*bounds, strict=True))
    return np.maximum(lower, targets.least), upper


def _bounds(h, record, targets, coverage):
    """Lower and upper bounds, (n, T), from the outputs of each fold, (n, n_folds, K)."""
    # Of the networks that were not trained on a training row, for each kind of such rows.
    of_kinds = [np.tensordot(share, h, axes=(0, 1)) for share in record["shares"]]
    centers = np.stack([targets.likelihood.mean(one) for one in of_kinds])
    units = np.stack([targets.unit_of_nonconformity(one) for one in of_kinds])
    n_scores, n_targets = record["scores"].shape
    # Rounded, since 0.9 (9 + 1) may be a little more than 9.
    rank = int(np.ceil(np.round(coverage * (n_scores + 1), 9)))
    if rank > n_scores:
        return np.full((len(h), n_targets), -np.inf), np.full((len(h), n_targets), np.inf)
    lower, upper = np.empty((2, len(h), n_targets))
    for t in range(n_targets):
        scores = _by_kind(record["scores"][:, t], record["kind"])
        lower[:, t] = -_smallest(rank, -centers[:, :, t], units[:, :, t], scores)
        upper[:, t] = _smallest(rank, centers[:, :, t], units[:, :, t], scores)
    return lower, upper


def _by_kind(scores, kind):
    """Sorted scores of each kind of training rows."""
    return [np.sort(scores[kind == one]) for one in range(kind.max() + 1)]


def _smallest(rank, centers, units, scores):
    """The value of a rank among ``centers[k] + units[k] * score`` of all scores of all kinds k.

    Found by bisection, since sorting them for each row would take long.

    Parameters
    ----------
    rank : int
        From 1 on.
    centers, units : ndarray of shape (n_kinds, n)
    scores : list of ndarray
        Sorted, for each kind.

    Returns
    -------
    values : ndarray of shape (n,)
    """
    kinds = list(zip(centers, units, scores, strict=True))
    low = np.min([center + unit * own[0] for center, unit, own in kinds], axis=0)
    high = np.max([center + unit * own[-1] for center, unit, own in kinds], axis=0)
    for _ in range(_HALVINGS):
        middle = low + (high - low) / 2
        count = sum(
            np.searchsorted(own, (middle - center) / unit, side="right")
            for center, unit, own in kinds
        )
        low, high = np.where(count < rank, middle, low), np.where(count < rank, high, middle)
    return high
