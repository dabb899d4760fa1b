"""The candidates of a fit with folds: which networks compete, and for how long."""

import numpy as np
from scipy import sparse

from skc2c.estimators.embedding import embedding, embeddings
from skc2c.estimators.normalization import asked_for
from skc2c.fitting import Candidate
from skc2c.penalties import Noise, NoPenalty

# Strength of the penalty that is tried beside none: a tenth to a third of it does as well, and more
# strengths do no better (docs/untuned.md).
_ALPHA = 0.1
# Where candidates stop at the latest: without an embedding, with one. With an embedding networks
# learn in fewer steps.
_LONGEST = 3150, 750
# The same with many rows, where a fit would otherwise take longer than scikit-learn's MLP on one of
# four sets. Networks without an embedding go as far as those with one if there are no others.
_LONGEST_WITH_MANY = 750, 1550
# A candidate goes on while its error falls by more than this part from end to end: 3 % gains 0.4 %
# of the loss at a quarter more time, 10 % loses several (docs/untuned.md). With many rows, small
# gains are real, and more steps are still few epochs.
_PATIENCE, _PATIENCE_WITH_MANY = 0.06, 0.01
# Measured with 13,000 to 36,000 rows; up to 1,700 the smaller patience takes too long.
_MANY_ROWS = 10_000
# How far behind the best a candidate may be expected at its next end, as a part of the patience:
# from further behind it is hardly ever selected, and giving it up saves 3 % of the time.
_BEHIND = 1 / 3


def candidates(estimator, ingredients, rows):
    """Return ways to train, among which the rows left out choose.

    Parameters
    ----------
    estimator : Perceptron
        Its parameters are read.
    ingredients : Ingredients
    rows : Rows
        The labelled ones, as training sees them.

    Returns
    -------
    candidates : list of Candidate
    """
    fronts, alphas = _fronts(estimator, rows), _alphas(estimator, ingredients.penalty)
    return [
        Candidate(front, alpha, normalization, _longest(estimator, ingredients, front, fronts))
        for front, alpha in _ways(fronts, alphas)
        for normalization in _normalizations(estimator, ingredients, front, alpha)
    ]


def rivalry(rows):
    """Return when candidates give up: the parameters `patience` and `behind` of a plan."""
    patience = _PATIENCE_WITH_MANY if _are_many(rows) else _PATIENCE
    return {"patience": patience, "behind": _BEHIND * patience}


def _ways(fronts, alphas):
    """Layers in front, and strengths of the penalty, that go together.

    The penalty is tried where the network may be rough: behind the waves, if there are any. These
    are not tried without it as well if there are two kinds of network without it already.
    """
    *others, last = fronts
    ways = [(front, alphas[0]) for front in others]
    return ways + [(last, alpha) for alpha in (alphas if len(others) < 2 else alphas[-1:])]


def _normalizations(estimator, ingredients, front, alpha):
    """Normalisations to try: for plain networks with and without, unless one is asked for.

    Behind an embedding, normalised networks are no better on average (docs/untuned.md). Sparse
    rows keep a first layer that reads their entries only.
    """
    is_plain = not front and alpha == 0.0
    is_possible = (
        ingredients.solver.is_stochastic
        and len(ingredients.layer_units) > 2  # there are hidden units
        and not sparse.issparse(ingredients.labelled.X)
    )
    is_open = estimator.normalization == "auto" and is_plain and is_possible
    return [None, "batch"] if is_open else [asked_for(estimator)]


def _longest(estimator, ingredients, front, fronts):
    """Steps at which a candidate stops at the latest."""
    if not (isinstance(estimator.max_iter, str) and ingredients.solver.is_stochastic):
        return np.inf
    if _are_many(ingredients.labelled):
        return _LONGEST_WITH_MANY[bool(front) or len(fronts) == 1]
    return _LONGEST[bool(front)]


def _are_many(rows):
    return len(rows) > _MANY_ROWS


def _alphas(estimator, penalty):
    if isinstance(penalty, NoPenalty):
        return [0.0]
    if isinstance(estimator.alpha, str):
        return [0.0, _ALPHA]
    # Noise is added at any strength, but a strength of zero stands for a plain network here.
    return [1.0 if isinstance(penalty, Noise) else float(estimator.alpha)]


def _fronts(estimator, rows):
    """Layers in front of the dense ones, for each kind of network."""
    if estimator.numeric_embedding is None:
        return [()]
    if estimator.numeric_embedding == "auto":
        return [(), *embeddings(rows.X, rows.weight)]
    return [embedding(rows.X, estimator.numeric_embedding, rows.weight)]
