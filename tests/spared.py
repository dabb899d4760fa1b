"""What scikit-learn looks up at every call, and what is the same each time: known beforehand.

It takes as long as several steps of a small network, of which most fits of tests have no more.
"""

import functools

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import validation


def spare_lookups():
    """Ask for what is known no more, in this process."""
    # The signature of a class, for each clone, check and representation of an estimator.
    BaseEstimator._get_param_names = classmethod(
        functools.cache(BaseEstimator._get_param_names.__func__)
    )
    # Whether an array is a data frame, for which ten names are looked up in all classes that it
    # derives from, at each check of it. (Versions before 1.9 have another way.)
    if hasattr(validation, "_nw_into_df_or_series"):
        validation._nw_into_df_or_series = _unless_array(validation._nw_into_df_or_series)


def _unless_array(is_frame):
    return lambda found: type(found) is not np.ndarray and is_frame(found)
