"""Contestants of study.py: each penalty untuned and tuned, and what else one could use."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from benefit import SETTINGS
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from untuned import hgb, mlp

from skc2c import C2C, VAT, C2CClassifier, C2CRegressor


class BothBranches(VAT):
    """The divergence, differentiated at the clean row too, as the distance of c2c is.

    `VAT` holds the clean output constant under Adam, as Miyato et al. do. What is left out then
    would cancel, for random dx, noise of order epsilon in a gradient of order epsilon^2: for a
    linear h = w'x and a squared distance, (w'dx) (x + dx) instead of (w'dx) dx.
    """

    holds_clean = False


PENALTIES = {
    "c2c": "c2c",
    "c2c-adv": C2C(perturbation="adversarial"),
    "jacobian": "jacobian",
    "noise": "noise",
    "vat": "vat",
    "kl-random": VAT(perturbation="random"),
    "kl-random both": BothBranches(perturbation="random"),
}
ADVERSARIAL = {"c2c-adv", "vat"}
DIVERGENCES = {"vat", "kl-random", "kl-random both"}

# One network on standardised rows. Half of the epochs of benefit.py at three times the rate do
# about as well, and leave the time for more folds.
SINGLE = {**SETTINGS, "learning_rate_init": 0.01, "max_iter": 100}
# The strength and radius that docs/alpha_and_epsilon.md has for the estimator of the paper.
PAPER = {"penalty": "c2c", "alpha": 0.03, "epsilon": 0.3}

# Every grid has seven points. That of a penalty is the plain network, and three strengths times
# two radii, given as root mean squared lengths of the perturbation, so that they mean the same
# for random and adversarial ones. A divergence is half of the squared distance of normal outputs,
# and at most an eighth of that of two classes' logits, so its strengths are as many times larger.
# The Jacobian penalty depends on alpha epsilon^2 alone, and noise has no strength: six strengths,
# or six lengths, over the same range.
STRENGTHS = (0.1, 1.0, 10.0)
LENGTHS = (0.5, 2.0)
JACOBIAN_STRENGTHS = (0.025, 0.11, 0.48, 2.1, 9.1, 40.0)
NOISE_LENGTHS = (0.2, 0.4, 0.8, 1.6, 3.2, 6.4)
DECAYS = (0.01, 0.1, 1.0, 3.0, 10.0, 30.0, 100.0)
TWO_DECAYS = (1.0, 30.0)
MLP_DECAYS = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
INNER_FOLDS = 3


class Task(NamedTuple):
    """What a contestant is made for."""

    is_regression: bool
    n_features: int
    seed: int

    @property
    def ours(self):
        return C2CRegressor if self.is_regression else C2CClassifier

    def search(self, model, grid):
        """The best point of a grid by the loss that is reported, in inner folds."""
        folds = KFold if self.is_regression else StratifiedKFold
        scoring = "neg_mean_squared_error" if self.is_regression else "neg_log_loss"
        inner = folds(INNER_FOLDS, shuffle=True, random_state=self.seed)
        return GridSearchCV(model, grid, scoring=scoring, cv=inner, error_score="raise")


def seeded(model, seed):
    """The model, with this seed in all that draws random numbers."""
    keys = [key for key in model.get_params() if key.split("__")[-1] == "random_state"]
    return model.set_params(**dict.fromkeys(keys, seed))


def untuned(penalty, task):
    """The estimator with its defaults, but for the penalty."""
    return task.ours(penalty=penalty)


def single(settings, task):
    """One network with fixed settings."""
    return make_pipeline(StandardScaler(), task.ours(**SINGLE, **settings))


def grid_of(name, task):
    """Points of the grid of a penalty: the plain network, and six more."""
    random = task.n_features**-0.5
    if name == "jacobian":
        points = {"alpha": JACOBIAN_STRENGTHS, "epsilon": [random]}
    elif name == "noise":
        points = {"epsilon": [length * random for length in NOISE_LENGTHS]}
    else:
        unit = 1.0 if name in ADVERSARIAL else random
        factor = (2.0 if task.is_regression else 8.0) if name in DIVERGENCES else 1.0
        points = {
            "alpha": [factor * strength for strength in STRENGTHS],
            "epsilon": [unit * length for length in LENGTHS],
        }
    return [{"penalty": [None]}, {"penalty": [PENALTIES[name]], **points}]


def tuned(name, task):
    """One network, its penalty chosen from a grid."""
    grid = grid_of(name, task)
    return task.search(single({"alpha": 0.0}, task), of_step(task.ours.__name__.lower(), grid))


def tuned_decay(task):
    """One network without a penalty, its weight decay chosen from a grid of as many points."""
    model = single({"penalty": None}, task)
    return task.search(model, of_step(task.ours.__name__.lower(), [{"l2": DECAYS}]))


def tuned_both(name, task):
    """One network, its penalty and its weight decay chosen from a grid of twice as many points."""
    grid = [{**points, "l2": TWO_DECAYS} for points in grid_of(name, task)]
    return task.search(single({"alpha": 0.0}, task), of_step(task.ours.__name__.lower(), grid))


def of_step(step, grid):
    """A grid with the names that parameters have from outside."""
    return [{f"{step}__{key}": values for key, values in points.items()} for points in grid]


def untuned_mlp(task):
    return mlp(200, task.is_regression, threads=1)


def tuned_mlp(task):
    """scikit-learn's network, its weight decay or early stopping chosen from seven points."""
    step = "regressor__mlpregressor" if task.is_regression else "mlpclassifier"
    grid = [{"alpha": MLP_DECAYS}, {"early_stopping": [True]}]
    return task.search(untuned_mlp(task), of_step(step, grid))


def linear(task):
    """Ridge or logistic regression, each with its own cross-validation."""
    if task.is_regression:
        return make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 5, 17)))
    folds = StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=task.seed)
    model = LogisticRegressionCV(cv=folds, scoring="neg_log_loss", max_iter=1000)
    return make_pipeline(StandardScaler(), model)


def trees(task):
    return hgb(task.is_regression, threads=1)


CONTESTANTS: dict[str, Callable] = {
    "untuned none": partial(untuned, None),
    **{f"untuned {name}": partial(untuned, penalty) for name, penalty in PENALTIES.items()},
    "single none": partial(single, {"penalty": None}),
    "single paper": partial(single, PAPER),
    "tuned l2": tuned_decay,
    **{f"tuned {name}": partial(tuned, name) for name in PENALTIES},
    "tuned c2c and l2": partial(tuned_both, "c2c"),
    "mlp": untuned_mlp,
    "mlp tuned": tuned_mlp,
    "linear": linear,
    "hgb": trees,
}


def make(contestant, task):
    """The model of a contestant."""
    return seeded(CONTESTANTS[contestant](task), task.seed)


def choice(model):
    """What a fitted model has chosen: the point of a grid, or the strength of its penalty."""
    if isinstance(model, GridSearchCV):
        best = {key.split("__")[-1]: value for key, value in model.best_params_.items()}
        numbers = {key: value for key, value in best.items() if isinstance(value, (bool, float))}
        return {key: float(f"{value:.3g}") for key, value in numbers.items()}
    return {"alpha": float(model.alpha_)} if hasattr(model, "oob_score_") else {}
