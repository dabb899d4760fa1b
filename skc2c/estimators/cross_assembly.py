"""From an estimator's parameters and checked data to the plan of several fits."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.model_selection import check_cv

from skc2c.data.rows import Rows
from skc2c.estimators.assembly import batch_size
from skc2c.estimators.candidates import candidates, rivalry
from skc2c.estimators.targets import Units
from skc2c.fitting import CrossPlan
from skc2c.messages import warn
from skc2c.solvers import Cycles

# The folds that `cv` stands for unless told otherwise.
DEFAULT_FOLDS = 4
# Rows that a fold needs at least, so that its loss says anything.
_FEWEST_ROWS = 3
# Steps at the ends of the cycles, each twice as long as the one before. Noisy data stop at the
# second end, smooth data go on to the last.
_ENDS = (50, 150, 350, 750, 1550, 3150)
# Steps of L-BFGS: 200 in all, as in scikit-learn's MLP.
_ENDS_OF_FULL_BATCHES = (25, 75, 200)


@dataclass(frozen=True)
class CrossTraining:
    """A plan for several networks, and what it takes to read its outcome.

    Attributes
    ----------
    plan : CrossPlan
    units : Units
        Of training.
    rows : Rows
    factor : float or ndarray of shape (K,), default=1.0
        By what the outputs are multiplied after training.
    shift : float or ndarray of shape (K,), default=0.0
        What is added to them then, in the units of training.
    """

    plan: CrossPlan
    units: Units
    rows: Rows
    factor: float | np.ndarray = 1.0
    shift: float | np.ndarray = 0.0

    @property
    def output_units(self):
        """Units of the fitted function."""
        center, scale = self.units
        return Units(center + self.shift * scale, scale * self.factor)


def folds_of(estimator, ingredients, data):
    """Training rows and rows left out of each network, or None if there are too few rows.

    Parameters
    ----------
    estimator : Perceptron
    ingredients : Ingredients
    data : TrainingData
        Labelled rows as `fit` was given them, and their groups, for a splitter.

    Returns
    -------
    folds : list of (ndarray of int, ndarray of int) or None
    """
    given, groups = data.labelled, data.groups
    if isinstance(estimator.cv, (int, np.integer)):
        if groups is not None:
            warn(f"groups is ignored by cv={estimator.cv}. Pass a splitter such as GroupKFold.")
        return _random_folds(estimator, ingredients)
    place = np.full(len(given.y), -1)
    place[ingredients.used] = np.arange(len(ingredients.labelled))
    splits = list(check_cv(estimator.cv).split(given.X, given.y, groups))
    if not splits and hasattr(estimator.cv, "__next__"):
        raise ValueError("cv is an iterator, which can be run through only once. Pass a list.")
    try:
        pairs = [(place[train], place[test]) for train, test in splits]
    except IndexError as error:
        raise ValueError(
            f"cv has rows beyond the {len(place)} that have a label: {error}"
        ) from error
    folds = [(train[train >= 0], test[test >= 0]) for train, test in pairs]
    if not all(len(train) for train, _ in folds) or not any(len(test) for _, test in folds):
        raise ValueError(
            "cv must make splits that leave rows out, each with rows to train on. Rows of zero "
            "weight do not count."
        )
    return folds


def _random_folds(estimator, ingredients):
    rows = ingredients.labelled
    strata = ingredients.targets.strata(rows.y)
    k = min(int(estimator.cv), len(rows) // _FEWEST_ROWS)
    if strata is not None and len(np.unique(strata)) == 2:
        # A network that never sees one of two classes has nothing to tell.
        k = min(k, np.unique(strata, return_counts=True)[1].min())
    if k < estimator.cv and estimator.cv != DEFAULT_FOLDS:
        warn(
            f"cv={estimator.cv} folds need more rows than there are, or more of the rarer of two "
            f"classes: {f'{k} are used' if k > 1 else 'one network is fitted to all of them'}."
        )
    if k < 2:
        return None
    rng = ingredients.streams.split
    # Rows of a class are dealt in turn, so that folds are stratified however rare it is.
    order = np.lexsort((rng.random(len(rows)), np.zeros(len(rows)) if strata is None else strata))
    fold = np.empty(len(rows), dtype=int)
    fold[order] = np.arange(len(rows)) % k
    return [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(k)]


def assemble(estimator, ingredients, folds):
    """Make the plan of a fit of several networks.

    Parameters
    ----------
    estimator : Perceptron
    ingredients : Ingredients
    folds : list of (ndarray of int, ndarray of int)

    Returns
    -------
    training : CrossTraining
    """
    targets, labelled = ingredients.targets, ingredients.labelled
    units = targets.units(labelled.y, labelled.weight)
    rows = ingredients.scaled(labelled, units)
    pool = ingredients.pool(rows)
    solver = ingredients.solver.in_cycles()
    plan = CrossPlan(
        layer_units=ingredients.layer_units,
        activation=estimator.activation,
        init_scale=float(estimator.init_scale),
        likelihood=targets.likelihood,
        penalty=ingredients.penalty,
        epsilon=ingredients.epsilon,
        l2=float(estimator.l2),
        rows=rows,
        pool=pool,
        folds=folds,
        candidates=candidates(estimator, ingredients, rows),
        solver=solver,
        rate=solver.rates(estimator.learning_rate_init),
        ends=[],
        batch_size=batch_size(estimator, rows if pool is None else pool, ingredients.solver),
        shuffle=estimator.shuffle,
        seeds=seeds(ingredients.streams.initial, len(folds)),
        tol=estimator.tol,
        offset=targets.start(rows.y, rows.weight),
        **rivalry(rows),
        verbose=estimator.verbose,
    )
    ends = _ends(estimator.max_iter, ingredients.solver, plan.n_batches)
    return CrossTraining(replace(plan, ends=ends), units, rows)


def seeds(rng, n):
    """Independent seeds, one for each fold."""
    return np.random.SeedSequence(rng.integers(2**32, size=4).tolist()).spawn(n)


def _ends(max_iter, solver, n_batches):
    """Steps at the ends of the cycles."""
    if isinstance(max_iter, str):
        return list(_ENDS if solver.is_stochastic else _ENDS_OF_FULL_BATCHES)
    ends = Cycles().ends(max_iter * (n_batches if solver.is_stochastic else 1))
    return sorted(set(ends) - {0})
