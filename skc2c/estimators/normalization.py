"""The parameter `normalization`: what it asks for, and what does not go together with it."""


def asked_for(estimator):
    """The normalisation that a user asks for: None if that is left to the fit."""
    return None if estimator.normalization == "auto" else estimator.normalization


def check_normalization(estimator, *, penalty, solver, hidden_units, is_partial):
    """Refuse settings that need rows to be independent of each other, or all rows at once.

    Parameters
    ----------
    estimator : Perceptron
        With a normalisation that is asked for.
    penalty : Penalty
    solver : Solver
    hidden_units : tuple of int
    is_partial : bool
        Whether the fit is one epoch of an incremental fit.

    Raises
    ------
    ValueError
    """
    said = f"normalization={estimator.normalization!r}"
    if not solver.is_stochastic:
        raise ValueError(
            f"{said} needs batches of rows, which solver={estimator.solver!r} does not have. "
            "Use solver='adam'."
        )
    if penalty.needs_jacobian:
        raise ValueError(
            f"{said} makes outputs depend on all rows of a batch, so that there is no Jacobian "
            f"for each row, which penalty={estimator.penalty!r} needs. Use 'c2c' or 'vat'."
        )
    if estimator.warm_start or is_partial:
        name = "partial_fit" if is_partial else "warm_start=True"
        raise ValueError(
            f"{said} folds the statistics of all rows into coefs_ at the end of a fit, from where "
            f"{name} cannot go on."
        )
