"""Real values and counts."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils.validation import column_or_1d

from skc2c.estimators.targets.targets import CONSTANT, Targets, Units

# A regressor is called collapsed if its outputs on the pool spread less than this part of the
# targets' standard deviation. Fits that work leave 0.3 and more.
_LEAST_SPREAD = 0.05


@dataclass(frozen=True)
class RealTargets(Targets):
    """Real values, or counts.

    Parameters
    ----------
    loss : str
    n_targets : int
    """

    loss: str
    n_targets: int

    def encode_validation(self, y, weight):
        return real_targets(y, self.loss)[1], weight

    def decode(self, h):
        mean = self.likelihood.mean(h)
        return mean[:, 0] if mean.shape[1] == 1 else mean

    def given(self, y):
        return y[:, 0] if self.n_targets == 1 else y

    def score(self, h, y, weight):
        return r2_score(y, self.likelihood.mean(h), sample_weight=weight)

    def lost(self, h, h_labelled):
        # Targets are standardised: their standard deviation is one.
        return CONSTANT if (h.std(axis=0) < _LEAST_SPREAD).any() else None

    def out_of_fold(self, h, y, weight, places, n):
        seen = np.isfinite(h).all(axis=1)
        prediction = np.full((n, self.n_targets), np.nan)
        prediction[places[seen]] = self.likelihood.mean(h[seen])
        weight = None if weight is None else weight[seen]
        score = self.score(h[seen], y[seen], weight) if seen.sum() > 1 else np.nan
        prediction = prediction[:, 0] if self.n_targets == 1 else prediction
        return {"oob_score_": float(score), "oob_prediction_": prediction}

    def units(self, y, weight):
        center = np.average(y, axis=0, weights=weight)
        largest = np.abs(y - center).max(axis=0)
        # The largest is divided out before squaring: y may be in any unit.
        relative = (y - center) / np.where(largest > 0.0, largest, 1.0)
        return Units(center, largest * np.sqrt(np.average(relative**2, axis=0, weights=weight)))


def real_targets(y, loss):
    """Encode real targets as an array of shape (n, T) in float64.

    Returns
    -------
    targets : RealTargets
    y : ndarray of shape (n, T)
    """
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    y = y.reshape(len(y), -1).astype(np.float64, copy=False)
    if not np.isfinite(y).all():  # None in an object array becomes NaN only here
        raise ValueError("Input y contains NaN or infinity.")
    return RealTargets(loss, y.shape[1]), y
