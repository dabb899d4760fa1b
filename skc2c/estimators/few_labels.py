"""What differs in a fit of a classifier that learns from rows without a label.

Such rows tell where the data lie close together; the labels, of which there are few, which class
lies where. So every network is given all of the labels, the penalty is strong, its radius goes with
the extent of the data, and how many steps training takes is fixed beforehand: a few labelled rows
left out would say little about when to stop. Networks are trained on the leading principal
components of the scaled rows: perturbations in directions in which there is next to no variance
teach nothing, and an adversary finds them all the same.
"""

from dataclasses import replace

import numpy as np
from scipy import sparse
from scipy.stats import chisquare

from skc2c.estimators.cross_assembly import assemble
from skc2c.estimators.ingredients import spread_of_columns
from skc2c.estimators.normalization import asked_for
from skc2c.estimators.scaled_rows import evenly, fit_scaling, pool_of, sample
from skc2c.fitting import Candidate
from skc2c.network.principal_components import PrincipalComponents, leading_components
from skc2c.penalties import NoPenalty

# Steps of training: as many as twenty passes over all rows take, within limits. Half of the fewest
# leave two moons in part undecided; twice or three times the most are no better on images.
_PASSES, _FEWEST_STEPS, _MOST_STEPS = 20, 2000, 6000
# Significance at which classes are told to be unequally frequent: as usual.
_LEVEL = 0.05
# Part of the variance in the principal components that networks are trained on: of digits, 80 %
# have 1 point less accuracy. And the fewest components, so that tables of up to so many features
# are left as they are.
_SHARE, _FEWEST_COMPONENTS = 0.9, 20
# Rows from which the extent of the data is taken.
_SAMPLE = 2000


def few_labels(estimator, ingredients):
    """Return the ingredients of a fit that learns from rows without a label.

    Parameters
    ----------
    estimator : Perceptron
        Its parameters are read.
    ingredients : Ingredients

    Returns
    -------
    ingredients : Ingredients or None
        None if there are no such rows, or the targets are not classes.
    """
    penalty, targets = ingredients.penalty, ingredients.targets
    learns = ingredients.unlabeled and not isinstance(penalty, NoPenalty) and estimator.alpha != 0
    if not (learns and targets.are_classes):
        return None
    few = replace(ingredients, scaling=_scaling(estimator, ingredients))
    if _may_be_projected(estimator, ingredients):
        few = replace(few, components=_components(few))
    spread = _spread(few)
    n_features = None if sparse.issparse(ingredients.first.X) else max(1, np.sum(spread > 0.0))
    few = replace(few, penalty=penalty.for_few_labels(_are_balanced(ingredients), n_features))
    return few if few.spread is None else replace(few, epsilon=_epsilon(few, spread))


def _may_be_projected(estimator, ingredients):
    """Whether networks may be trained on principal components.

    They may if it is left to the fit how inputs are scaled, and nothing that a user gave refers to
    single features.
    """
    is_plain = estimator.numeric_embedding in ("auto", None) and np.ndim(ingredients.epsilon) == 0
    return is_plain and _chooses_scaling(estimator, ingredients)


def _chooses_scaling(estimator, ingredients):
    """Whether it is left to the fit how to scale dense features."""
    return estimator.input_scaling == "auto" and not sparse.issparse(ingredients.first.X)


def _components(ingredients):
    """The leading principal components of the scaled rows; None if these are all, or none vary."""
    X, weight = sample(ingredients.first, ingredients.unlabeled)
    Z = ingredients.scaling.transform(X).astype(np.float64, copy=False)
    center, directions = leading_components(Z, weight, _SHARE, _FEWEST_COMPONENTS)
    if directions.shape[1] in (0, X.shape[1]):
        return None
    return PrincipalComponents(ingredients.scaling, center, directions)


def _scaling(estimator, ingredients):
    """By mean and standard deviation, if that is left to the fit.

    Of a feature that is mostly blank, quartiles leave little more than whether it is blank.
    """
    if not _chooses_scaling(estimator, ingredients):
        return ingredients.scaling
    return fit_scaling(ingredients.first, ingredients.unlabeled, "standard")


def _are_balanced(ingredients):
    """Whether the labels leave it open that classes are equally frequent."""
    labelled = ingredients.labelled
    classes = ingredients.targets.strata(labelled.y)
    if classes is None:  # several labels a row are seldom so
        return False
    _, counts = np.unique(classes, return_counts=True)
    return chisquare(counts).pvalue > _LEVEL


def _spread(ingredients):
    """Standard deviations of the features that training sees."""
    labelled, targets = ingredients.labelled, ingredients.targets
    rows = ingredients.scaled(labelled, targets.units(labelled.y, labelled.weight))
    pool = pool_of(rows, ingredients.unlabeled_in_training)
    return spread_of_columns(pool.take(evenly(len(pool), _SAMPLE)).X)


def _epsilon(ingredients, spread):
    """The radius, in proportion to the extent of the data; constant features do not move."""
    varies, penalty = spread > 0.0, ingredients.penalty
    extent = np.sqrt(np.square(spread).sum())
    natural = penalty.natural_epsilon(max(1, varies.sum()))
    epsilon = penalty.few_labels.radius * extent * natural
    return epsilon * varies if ingredients.components is None else float(epsilon)


def all_rows(estimator, ingredients, folds):
    """Folds that leave nothing out, as many as networks are to be trained.

    Parameters
    ----------
    estimator : Perceptron
    ingredients : Ingredients
    folds : list of (ndarray of int, ndarray of int) or None
        What the parameter `cv` stands for; None if there are too few rows.

    Returns
    -------
    folds : list of (ndarray of int, ndarray of int)
    """
    n = len(ingredients.labelled)
    k = estimator.cv if isinstance(estimator.cv, (int, np.integer)) else len(folds)
    return [(np.arange(n), np.arange(0)) for _ in range(k)]


def assemble_few(estimator, ingredients, folds):
    """Make the plan of a fit that learns from rows without a label.

    Parameters
    ----------
    estimator : Perceptron
    ingredients : Ingredients
        As `few_labels` returns them.
    folds : list of (ndarray of int, ndarray of int)

    Returns
    -------
    training : CrossTraining
    """
    training = assemble(estimator, ingredients, folds)
    plan = training.plan
    # The first candidate has no embedding unless it is asked for: a network behind one is too rough
    # to be led by rows.
    alpha = _alpha(estimator, plan.penalty)
    candidate = Candidate(plan.candidates[0].front, alpha, asked_for(estimator))
    ends = plan.ends[-1:] if not isinstance(estimator.max_iter, str) else [_steps(plan)]
    # Divided by the weight of all rows, weight decay does not grow when labels are few.
    l2 = plan.l2 * float(plan.rows.weight.sum() / plan.pool.weight.sum())
    plan = replace(plan, candidates=[candidate], ends=ends, l2=l2)
    return replace(training, plan=plan)


def _steps(plan):
    per_pass = plan.n_batches if plan.solver.is_stochastic else 1
    return min(max(_PASSES * per_pass, _FEWEST_STEPS), _MOST_STEPS)


def _alpha(estimator, penalty):
    return penalty.few_labels.alpha if isinstance(estimator.alpha, str) else float(estimator.alpha)
