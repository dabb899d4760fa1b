"""Real values and counts."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from sklearn.metrics import r2_score

from skc2c.estimators.targets.column import column
from skc2c.estimators.targets.shrinkage import factor_of_deviations
from skc2c.estimators.targets.targets import CONSTANT, Targets, Units
from skc2c.likelihoods import LIKELIHOODS

# A regressor is called collapsed if its outputs on the pool spread less than this part of the
# targets' standard deviation. Fits that work leave 0.3 and more.
_LEAST_SPREAD = 0.05
# Interquartile range of a standard normal distribution.
_NORMAL_RANGE = 1.349


@dataclass(frozen=True)
class RealTargets(Targets):
    """Real values.

    Parameters
    ----------
    loss : str
    n_targets : int
    """

    loss: str
    n_targets: int
    # The least value that there may be, and whether predictions can be targets of a further fit.
    least: ClassVar[float] = -np.inf
    can_teach: ClassVar[bool] = True

    def check(self, y, name="y"):
        """Raise a ValueError if encoded targets are not of this kind."""

    def check_all(self, y):
        """Raise a ValueError if encoded targets, all there are, leave nothing to learn."""

    def encode_validation(self, y, weight, name="y_val"):
        y = _columns(y)
        if y.shape[1] != self.n_targets:
            raise ValueError(
                f"{name} needs as many columns as y, {self.n_targets}. Got {y.shape[1]} instead."
            )
        self.check(y, name)
        return y, weight

    def decode(self, h):
        return self.given(self.likelihood.mean(h))

    def spread(self, h):
        """Standard deviation of the targets, if the likelihood has one."""
        raise ValueError(
            f"return_std=True needs loss='gaussian_nll', which predicts a variance. "
            f"The estimator was fitted with loss={self.loss!r}."
        )

    def adjustment(self, h, y, weight):
        # Training sees deviations from the mean.
        return factor_of_deviations(self.likelihood, 0.0, h, y, weight), 0.0

    def attributes_of_adjustment(self, factor, shift):
        shrinkage = 1.0 - np.broadcast_to(factor, self.n_outputs)[: self.n_targets]
        return {"shrinkage_": float(shrinkage[0]) if self.n_targets == 1 else shrinkage}

    def nonconformity(self, h, y):
        return np.abs(y - self.likelihood.mean(h)) / self.unit_of_nonconformity(h)

    def unit_of_nonconformity(self, h):
        """What distances from predictions are measured in, (n, T)."""
        return np.ones((len(h), self.n_targets))

    def attributes(self):
        return {"_loss": self.loss, "_quantile": None, "target_scale_": None}

    def given(self, y):
        return y[:, 0] if self.n_targets == 1 else y

    def score(self, h, y, weight):
        if len(y) < 2:
            return np.nan  # R2 is not defined, of which scikit-learn would warn
        return r2_score(y, self.likelihood.mean(h), sample_weight=weight)

    def lost(self, h, known):
        # Targets are standardised: their standard deviation is one.
        means = self.likelihood.mean(h)
        return CONSTANT if (means.std(axis=0) < _LEAST_SPREAD).any() else None

    def oob_predictions(self, h):
        return {"oob_prediction_": self.decode(h)}

    def units(self, y, weight):
        center = np.average(y, axis=0, weights=weight)
        largest = np.abs(y - center).max(axis=0)
        # The largest is divided out before squaring: y may be in any unit.
        relative = (y - center) / np.where(largest > 0.0, largest, 1.0)
        return Units(center, largest * np.sqrt(np.average(relative**2, axis=0, weights=weight)))


@dataclass(frozen=True)
class SpreadTargets(RealTargets):
    """Real values with a variance of their own: the outputs are means, then log-variances.

    Parameters
    ----------
    loss : str
    n_targets : int
    scale : tuple of float
        Scale of each target, in units of which the variance is bounded.
    """

    scale: tuple = ()
    # Means would teach that there is no variance; with numbers drawn from what is predicted, the
    # likelihood of held-out targets is no larger than without such a fit.
    can_teach: ClassVar[bool] = False

    @property
    def likelihood(self):
        return LIKELIHOODS[self.loss](np.array(self.scale) if self.scale else 1.0)

    def units(self, y, weight):
        center, scale = super().units(y, weight)
        safe = np.where(scale > 0.0, scale, 1.0)
        return Units(np.append(center, 2.0 * np.log(safe)), np.append(scale, np.ones(len(scale))))

    def fitted(self, units):
        return replace(self, scale=tuple(units.divisor[: self.n_targets].tolist()))

    def spread(self, h):
        return self.given(self.unit_of_nonconformity(h))

    def adjustment(self, h, y, weight):
        is_mean = np.arange(self.n_outputs) < self.n_targets
        means, rest = h * is_mean, h * ~is_mean
        factor = factor_of_deviations(self.likelihood, rest, means, y, weight)
        # The factor of the variances at which the loss is least, on a logarithmic scale.
        squares = np.average(self.nonconformity(factor * h, y) ** 2, axis=0, weights=weight)
        return factor, np.append(np.zeros(self.n_targets), np.log(np.maximum(squares, 1.0)))

    def unit_of_nonconformity(self, h):
        """Standard deviation."""
        return np.sqrt(self.likelihood.variance(h))

    def attributes(self):
        return {**super().attributes(), "target_scale_": np.array(self.scale)}


@dataclass(frozen=True)
class CountTargets(RealTargets):
    """Counts and other values that are not negative, with a logarithmic link."""

    least: ClassVar[float] = 0.0

    def check(self, y, name="y"):
        if (y < 0.0).any():
            raise ValueError(
                f"loss={self.loss!r} needs {name} that is not negative. Got {y.min()}."
            )

    def check_all(self, y):
        if not y.any():
            raise ValueError(f"loss={self.loss!r} needs a y that is not zero everywhere.")

    def units(self, y, weight):
        return Units(np.zeros(self.n_targets), np.ones(self.n_targets))

    def start(self, y, weight):
        mean = np.average(y, axis=0, weights=weight)
        return np.log(np.where(mean > 0.0, mean, 1.0))

    def adjustment(self, h, y, weight):
        origin = self.start(y, weight)
        factor = factor_of_deviations(self.likelihood, origin, h - origin, y, weight)
        return factor, (1.0 - factor) * origin

    def lost(self, h, known):
        # Relative to the spread of the rates of labelled rows: rates may well be alike.
        spread = _LEAST_SPREAD * known.h.std(axis=0)
        return CONSTANT if (h.std(axis=0) < spread).any() else None


@dataclass(frozen=True)
class QuantileTargets(RealTargets):
    """Real values of which a quantile is predicted.

    Parameters
    ----------
    loss : str
    n_targets : int
    quantile : float
    """

    quantile: float = 0.5

    @property
    def likelihood(self):
        return LIKELIHOODS[self.loss](self.quantile)

    def adjustment(self, h, y, weight):
        # The quantile of the errors, at which the loss is least, but not towards the median.
        errors = y - self.likelihood.mean(h)
        settings = {"axis": 0, "weights": weight, "method": "inverted_cdf"}
        found = np.quantile(errors, self.quantile, **settings)
        return 1.0, found * (np.sign(found) == np.sign(self.quantile - 0.5))

    def units(self, y, weight):
        """Units that a few outliers do not change: a quantile, and the interquartile range."""
        center, low, high = np.quantile(
            y, [self.quantile, 0.25, 0.75], axis=0, weights=weight, method="inverted_cdf"
        )
        spread = (high - low) / _NORMAL_RANGE
        return Units(center, np.where(spread > 0.0, spread, super().units(y, weight).scale))

    def attributes(self):
        return {**super().attributes(), "_quantile": self.quantile}


_KINDS = {"poisson": CountTargets, "gaussian_nll": SpreadTargets, "quantile": QuantileTargets}


def real_targets(y, loss, is_part=False, quantile=0.5):
    """Encode real targets as an array of shape (n, T) in float64.

    Parameters
    ----------
    y : ndarray of shape (n,) or (n, T)
    loss : str
    is_part : bool, default=False
        Whether there are further targets.
    quantile : float, default=0.5
        Which quantile is predicted, if the loss is that of one.

    Returns
    -------
    targets : RealTargets
    y : ndarray of shape (n, T)
    """
    y = _columns(y)
    kind = _KINDS.get(loss, RealTargets)
    further = (quantile,) if kind is QuantileTargets else ()
    targets = kind(loss, y.shape[1], *further)
    targets.check(y)
    if not is_part:
        targets.check_all(y)
    return targets, y


def fitted_targets(loss, n_outputs, scale, quantile):
    """What y was in a fit, from what is known of it."""
    n_targets = n_outputs // LIKELIHOODS[loss]().n_outputs(1)
    known = {
        "scale": None if scale is None else tuple(scale.tolist()),
        "quantile": quantile,
    }
    further = {name: value for name, value in known.items() if value is not None}
    return _KINDS.get(loss, RealTargets)(loss, n_targets, **further)


def _columns(y):
    if y.ndim == 2 and y.shape[1] == 1:
        y = column(y)
    y = y.reshape(len(y), -1).astype(np.float64, copy=False)
    if not np.isfinite(y).all():  # None in an object array becomes NaN only here
        raise ValueError("Input y contains NaN or infinity.")
    return y
