"""Saved estimators: the stamp of the version, and what those of earlier versions lack."""

from skc2c.version import __version__

_STAMP = "_skc2c_version"

# Parameters that came later, at the value that stands for how it was done before.
_PARAMETERS_BEFORE = {
    "cv": None,
    "input_scaling": None,
    "numeric_embedding": None,
    "scoring": None,
    "n_jobs": None,
    "loss": "squared_error",
    "quantile": 0.5,
    "normalization": None,
    "init_scale": 1.0,
    "class_weight": None,
}
# The same for fitted attributes.
_ATTRIBUTES_BEFORE = {
    "n_networks_": 1,
    "input_center_": None,
    "input_scale_": None,
    "embedding_columns_": None,
    "embedding_frequencies_": None,
    "embedding_breakpoints_": None,
    "target_scale_": None,
    "_quantile": None,
    "_conformal": None,
    "_state": None,
}
# Fitted attributes that were what a parameter is.
_LIKE_PARAMETERS = {"alpha_": "alpha", "epsilon_": "epsilon", "_loss": "loss"}
# What the fitted function is read from.
_OF_FUNCTION = (
    "coefs_",
    "intercepts_",
    "hidden_activation_",
    "out_activation_",
    "n_outputs_",
    "n_features_in_",
    "penalty_parameters_",
    "n_networks_",
    "input_center_",
    "input_scale_",
    "embedding_columns_",
    "embedding_frequencies_",
    "embedding_breakpoints_",
)
_OF_TRAINING = ("alpha_", "epsilon_", "_conformal", "_state")


def stamped(state):
    """Add the version of the package to the state of an estimator that is to be saved."""
    return {**state, _STAMP: __version__}


def completed(state, kind):
    """Complete the state of an estimator that may have been saved by an earlier version.

    Parameters
    ----------
    state : dict
        Attributes by name.
    kind : type
        Class of the estimator.

    Returns
    -------
    state : dict

    Raises
    ------
    ValueError
        If something is missing that cannot be known.
    """
    version = state.get(_STAMP)
    state = {name: value for name, value in state.items() if name != _STAMP}
    needed = kind._get_param_names()
    state = _chosen(needed, _PARAMETERS_BEFORE) | state
    if "coefs_" in state:
        like = {name: state[own] for name, own in _LIKE_PARAMETERS.items() if own in state}
        of_fit = [*_OF_FUNCTION, *kind._of_targets, *_OF_TRAINING]
        state = _chosen(of_fit, _ATTRIBUTES_BEFORE | like) | state
        needed = [*needed, *of_fit]
    _require(needed, state, kind, "an earlier version" if version is None else f"version {version}")
    return state


def _chosen(names, values):
    return {name: values[name] for name in names if name in values}


def _require(needed, state, kind, saved_by):
    missing = [name for name in needed if name not in state]
    if missing:
        raise ValueError(
            f"This {kind.__name__} was saved by {saved_by} of skc2c and lacks "
            f"{', '.join(missing)}, which version {__version__} needs. Load it with the version "
            "that saved it, or fit it again."
        )


def require_training_state(estimator):
    """Raise a ValueError if training cannot go on from an estimator of an earlier version."""
    if estimator._state is None:
        raise ValueError(
            f"This {type(estimator).__name__} was saved by an earlier version of skc2c, without "
            "the state of its training. It predicts, but warm_start=True and partial_fit cannot "
            "go on from it. Fit a clone of it instead."
        )
