"""The parts of the class docstrings that the two estimators have in common."""

import re
import textwrap

from skc2c.network import ACTIVATIONS
from skc2c.penalties import PENALTIES

PARTS = {
    "parameters": """
hidden_layer_sizes : int or array-like of int, default=(100,)
    Units of every hidden layer; ``()`` makes a linear model.

activation : {activation_names}, default='relu'
    Activation of the hidden layers.

penalty : {penalty_names}, Penalty or None, default='c2c'
    What roughness costs. ``'c2c'``: squared distance of the outputs at a row and at a
    random point near it. ``'jacobian'``: its limit for small `epsilon`, computed exactly.
    ``'vat'``: divergence of the output distributions at a row and at the worst point near
    it. ``'ladder'``: as ``'c2c'``, to the output at the nearby point after a fitted denoiser.
    ``'noise'``: no penalty, but noise of standard deviation `epsilon` is added to X in
    training. None: a plain network. For finer settings pass an object:
    `C2C`, `Jacobian`, `VAT`, `Ladder`, `Noise`, or your own subclass of `Penalty`.

alpha : float, default=0.03
    Strength of the penalty. No part in ``'noise'`` and None.

epsilon : float or array-like of shape (n_features,), default=0.3
    Radius of the neighbourhood, in units of X: the standard deviation of a random
    perturbation, the Euclidean length of an adversarial one. An array has one scale a
    feature; 0 leaves that feature alone (a one-hot column, say). No part in None.

l2 : float, default=1.0
    Weight decay: ``l2 / (2 n) ||weights||^2`` is added to the mean loss of the n rows,
    where n is the sum of the sample weights: the scale of ``1 / C`` of logistic regression.
    `MLPClassifier` and `MLPRegressor` call it ``alpha``.

solver : {'adam', 'lbfgs'}, default='adam'
    Mini-batch Adam, or L-BFGS on all rows, which often does better on a few hundred rows.
    With L-BFGS random perturbations are drawn once and stay the same; adversarial ones
    are found anew every 20 steps.

batch_size : int or 'auto', default='auto'
    Rows in a batch of Adam; ``'auto'`` is ``min(200, n_samples)``. With rows without
    a label, an epoch is a pass over all rows, and each batch of them goes with one of as many
    labelled rows (or all of these).

learning_rate_init : float, default=0.001
    Step size of Adam.

max_iter : int, default=200
    Most epochs of Adam (passes over the rows), or steps of L-BFGS.

shuffle : bool, default=True
    Whether Adam visits the rows in a new order in every epoch.

tol : float, default=1e-4
    Adam, and early stopping with either solver, stop after more than `n_iter_no_change`
    iterations in a row without an improvement of `tol`: in the loss, averaged over the last
    `n_iter_no_change` iterations as it is noisy, or in the validation score. L-BFGS
    stops when no entry of the gradient is larger than `tol`.

early_stopping : bool, default=False
    Hold out `validation_fraction` of the rows and stop when the score on them (accuracy
    or R2) no longer improves. The best parameters are kept. Works with both solvers.

validation_fraction : float, default=0.1
    Part of the rows to hold out, in the open interval (0, 1). Only used if
    `early_stopping`.

n_iter_no_change : int or numpy.inf, default=10
    See `tol`.

warm_start : bool, default=False
    Whether `fit` starts from the parameters of the previous fit.
""",
    "last_parameters": """
missing_label : object, default=None
    Rows whose y equals it have no label: only the penalty learns from them. -1 is usual for
    classes and NaN for real targets. With None nothing is special: -1 is a class, and
    NaN in y is an error. See also ``X_unlabeled`` of `fit`.

dtype : {'auto', 'float32', 'float64'}, default='auto'
    Precision of training. ``'auto'`` is float32 for Adam and float64 for L-BFGS. Fitted
    attributes have the dtype of X all the same.

random_state : int, RandomState instance or None, default=None
    Seeds the initial parameters, the held-out rows, the order of the rows and the
    perturbations. None seeds from the operating system; the global random state is neither
    read nor changed.

verbose : bool or int, default=False
    Whether to print the loss (and validation score) of every iteration.
""",
    "attributes": """
coefs_ : list of ndarray
    The kernel of every layer, of shape (units below, units above).

intercepts_ : list of ndarray
    The bias of every layer.

n_features_in_ : int
    Number of features of X.

feature_names_in_ : ndarray of shape (n_features_in_,)
    Their names, if X had any.

n_layers_ : int
    Number of layers, with the input and the output.

n_outputs_ : int
    Number of outputs of the network.

hidden_activation_ : str
    Activation of the hidden layers.

out_activation_ : str
    Activation of the output.

n_iter_ : int
    Iterations done: epochs of Adam, steps of L-BFGS.

t_ : int
    Rows seen: ``n_iter_`` times the number of training rows.

loss_ : float
    The objective, with its penalties, in the last iteration.

loss_curve_ : list of float
    The objective in every iteration.

best_loss_ : float
    Its minimum.

validation_scores_ : list of float or None
    Score on the held-out rows in every iteration, if `early_stopping`.

best_validation_score_ : float or None
    Their maximum.

penalty_parameters_ : ndarray
    Fitted parameters of the penalty itself: the denoiser of ``'ladder'``; empty for others.
""",
    "notes": """
The objective is ``mean_w nll + alpha R + l2 / (2 n) ||weights||^2`` with R the weighted
mean over rows of the penalty, labelled and unlabelled alike, where the latter weigh one: see
`C2C`, `Jacobian`, `VAT`, `Ladder` and `Noise` for the formulas.
`alpha`, `epsilon` and `l2` mean the same for every batch size and both solvers.
""",
    "fit_parameters": """
X_unlabeled : {array-like, sparse matrix} of shape (n_unlabeled, n_features), default=None
    Further rows, which have no label, for the penalty to learn from. Scaled as X is: in a
    `Pipeline` name it in ``transform_input``. Not copied as a whole (so it may be memory-mapped).
X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
    Rows to score for `early_stopping`, in the place of a part of X.
y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
    Their targets.
sample_weight_val : array-like of shape (n_val,), default=None
    Their weights.
""",
    "references": """
M. Abbas, J. Kivinen, T. Raiko, "Close-to-clean regularization relates virtual adversarial
training, ladder networks and others", 2016.
""",
}


def shared_docstrings(cls):
    """Class decorator: put the parts in the place of their ``{name}`` lines."""
    for documented in (cls, cls.fit):
        if documented.__doc__ is not None:  # python -OO strips docstrings
            text = re.sub(r"^( *)\{(\w+)\}$", _part, documented.__doc__, flags=re.MULTILINE)
            documented.__doc__ = text
    return cls


def _part(match):
    indent, name = match.groups()
    text = PARTS[name].strip()
    for mark, table in {"{penalty_names}": PENALTIES, "{activation_names}": ACTIVATIONS}.items():
        names = ", ".join(repr(key) for key in table if key is not None)
        text = text.replace(mark, f"{{{names}}}")
    return textwrap.indent(text, indent)
