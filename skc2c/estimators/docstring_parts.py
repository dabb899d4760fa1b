"""What the class docstrings of the estimators have in common, part by part."""

PARTS = {
    "parameters": """
hidden_layer_sizes : int or array-like of int, default=(100,)
    Number of units in each hidden layer of each network; ``()`` makes a linear model.

activation : {activation_names}, default='relu'
    Activation function of the hidden layers.

penalty : {penalty_names}, Penalty or None, default={penalty_default}
    How the network is kept smooth. ``'c2c'``: squared distance between the outputs at a
    row and at a random point near it. ``'jacobian'``: the limit of ``'c2c'`` for small
    `epsilon`, computed exactly. ``'vat'``: divergence between the output distributions at a row
    and at the worst point near it. ``'ladder'``: like ``'c2c'``, after a learned denoiser.
    ``'noise'``: no penalty, but noise of standard deviation `epsilon` is added to the inputs
    during training. None: a plain network. For other settings pass an object: `C2C`,
    `Jacobian`, `VAT`, `Ladder`, `Noise`, or your own subclass of `Penalty`.

alpha : float or 'auto', default='auto'
    Strength of the penalty. With ``'auto'``, networks are trained with and without the penalty,
    and the rows left out by `cv` decide how to weigh them; without folds, ``'auto'`` is 0.03. The
    strength of those with the largest weight is stored in `alpha_`. With unlabelled rows, a
    classifier has strengths of its own, and a regressor is trained by self-training (see Notes).
    Ignored if `penalty` is ``'noise'`` or None.

epsilon : float, array-like of shape (n_features,) or 'scale', default='scale'
    Radius of the neighbourhood in units of the scaled inputs (see `input_scaling`): the
    standard deviation of random perturbations, the Euclidean length of adversarial ones. An
    array gives each feature its own scale; 0 leaves a feature unperturbed. With ``'scale'``,
    perturbations have a mean squared length of 1: ``1 / sqrt(n_features)`` for random
    ones and 1 for adversarial ones, times the root mean variance of the features if
    ``input_scaling=None``. In a classifier that tunes itself and learns from unlabelled rows, it
    goes with the extent of the data (see Notes). The value is stored in `epsilon_`. Ignored if
    `penalty` is None.

l2 : float, default=0.1
    Strength of the weight decay: ``l2 / (2 n) ||weights||^2`` is added to the mean loss of the n
    training rows, where n is the sum of their weights, so that `l2` has the scale of ``1 / C`` in
    logistic regression. In a classifier that tunes itself and learns from unlabelled rows, n
    counts these too.
    `MLPClassifier` and `MLPRegressor` call it ``alpha``.

cv : int, cross-validation generator, iterable or None, default=4
    One network is trained for each split, on its training part, and the prediction is the
    mean of the networks. The rows left out of each decide how long to train, how strong the
    penalty is and whether to embed numeric columns.

    - An int is a number of random folds, stratified by class. Fewer are used if there are too
      few rows. More of them predict better and take longer: eight have 2 % less loss than four,
      on average, in 1.8 times the time.
    - A splitter, or an iterable of (train, test) indices, makes other splits, such as
      `~sklearn.model_selection.GroupKFold` with ``groups`` passed to ``fit``. The indices
      refer to the labelled rows.
    - None: one network is trained on all rows.

    Ignored if `early_stopping` or `warm_start` is True: one network is trained then.

input_scaling : {'auto', 'robust', 'standard'} or None, default='auto'
    How the inputs are scaled. ``'robust'``: each feature is centred at its median, divided by
    its interquartile range and smoothly clipped to the range (-3, 3). Where many values equal the
    median, that range says little: the median distance of the other values from it is taken
    instead, if it is larger. Sparse features are divided by their largest magnitude, which keeps
    zeros.
    ``'standard'``: each feature is centred at its mean, divided by its standard deviation and
    clipped in the same way. Sparse features are not centred. ``'auto'`` is ``'robust'``, but
    ``'standard'``, followed by principal components (see Notes), for dense features in a
    classifier that tunes itself and learns from unlabelled rows. The scaling is part of the
    fitted model and applied to all rows, so no scaler is needed in front. None: inputs are used
    as they are.

numeric_embedding : {'auto', 'fourier', 'piecewise_linear'} or None, default='auto'
    How each numeric feature, that is, one with more than two values, enters a second time.
    ``'fourier'``: as sines and cosines of itself, with which networks learn functions that vary
    quickly. ``'piecewise_linear'``: bin by bin, as the part of each bin that lies below the
    feature's value, with which networks learn functions that are steep in places, as decision
    trees do. With ``'auto'``, networks of both kinds and without either are trained, and the rows
    left out by `cv` decide; bins are not tried with more than 25 numeric features. Without folds,
    ``'auto'`` is None. Sparse features are never embedded.

normalization : {'auto', 'batch', 'batch_all'} or None, default='auto'
    Whether the hidden units are normalised before the activation, with a learned scale and
    shift. During training, ``'batch'`` normalises over the rows of a batch: the labelled rows,
    the rows of the penalty and each perturbed copy of these have means and variances of their
    own. ``'batch_all'`` also normalises the outputs, which then have a learned scale and shift
    instead of a bias. At the end of the fit, the means and variances over all training rows,
    labelled or not, are folded into `coefs_` and `intercepts_`. Neither is available with
    L-BFGS, the ``'jacobian'`` penalty, `warm_start` and ``partial_fit``. With ``'auto'``, if Adam
    trains several networks on dense features, those that have neither penalty nor embedding are
    tried with and without ``'batch'``, and the rows left out by `cv` decide. All others have none.

init_scale : float, default=1.0
    Factor on the initial weights, but not on the biases. With ``normalization='batch'``, smaller
    weights leave hidden units as they are, but change faster at the same learning rate.

solver : {solver_names} or Solver, default='adam'
    ``'adam'``: mini-batch Adam. ``'lbfgs'``: L-BFGS on all rows, which may be faster for a few
    hundred rows. With L-BFGS, random perturbations are drawn once and kept; adversarial ones
    are recomputed after at most 20 steps. For other settings pass an object such as
    ``skc2c.solvers.Adam(beta_1=0.8)``.

batch_size : int or 'auto', default='auto'
    Number of rows in a batch of Adam; ``'auto'`` is ``min(200, n_samples)``. With unlabelled
    rows, an epoch is a pass over all rows, and each batch is paired with an equally large batch
    of labelled rows (all of them, if there are fewer).

learning_rate_init : float, default=0.01
    Largest learning rate of Adam. With several networks (see `cv`), the rate rises from zero and
    falls to zero again in each of several training cycles; with one, it is constant.

max_iter : int or 'auto', default='auto'
    Largest number of epochs of Adam (passes over the rows), or of iterations of L-BFGS. With
    several networks, ``'auto'`` trains for up to 3150 steps of Adam, or 1550 with more than
    10,000 rows; with one, for up to 200 iterations. A classifier that learns from unlabelled rows
    is trained for 20 epochs, but for at least 2000 and at most 6000 steps.

shuffle : bool, default=True
    Whether to shuffle the rows before each epoch of Adam.

tol : float, default=1e-4
    Tolerance of the stopping criterion if one network is trained. With Adam or early stopping,
    training stops when the training loss (averaged over the last `n_iter_no_change`
    iterations) or the validation score has not improved by `tol` for more than
    `n_iter_no_change` iterations. L-BFGS stops when no entry of the gradient is larger than
    `tol`.

early_stopping : bool, default=False
    Whether to hold out `validation_fraction` of the rows, to stop when the score on them no
    longer improves, and to keep the best parameters. Not needed with `cv`, which uses all
    rows for training.

scoring : str, callable or None, default=None
    Score of the held-out rows in early stopping: the name of a scorer or a callable
    ``(estimator, X, y) -> float``. None is the negative mean loss, weighted like the
    training rows.

validation_fraction : float, default=0.1
    Fraction of the rows to hold out, in the open interval (0, 1). Only used if
    `early_stopping` is True.

n_iter_no_change : int or numpy.inf, default=10
    See `tol`.

warm_start : bool, default=False
    Whether `fit` starts from the parameters of the previous fit. Scaling and embedding of the
    inputs stay those of the first one.
""",
    "last_parameters": """
missing_label : object, default=None
    Value of y that marks unlabelled rows, which are learned from without a target. -1 is usual
    for classes and NaN for real targets. With None there is no such value: -1 is a class, and
    NaN in y is an error. See also ``X_unlabeled`` of `fit`.

dtype : {'auto', 'float32', 'float64'}, default='auto'
    Precision of training. ``'auto'`` is float32 for Adam and float64 for L-BFGS. Fitted
    attributes have the dtype of X all the same.

random_state : int, RandomState instance or None, default=None
    Seeds the initial parameters, the held-out rows, the order of the rows and the
    perturbations. None seeds from the operating system; the global random state is neither
    read nor changed.

n_jobs : int, default=None
    Number of processes among which the networks are shared, this one included. None is 1, unless
    in a ``joblib.parallel_config`` context; -1 uses all processors. Starting the others takes
    about a second once. The result does not depend on it.

verbose : bool or int, default=False
    Whether to print the loss (and validation score) of every iteration.
""",
    "attributes": """
coefs_ : list of ndarray
    Kernel of each layer, of shape (units below, units above). If several networks were trained,
    their hidden layers stand side by side, so that the prediction is that of one network:
    kernels between hidden layers are block-diagonal then.

intercepts_ : list of ndarray
    Bias of each layer.

n_networks_ : int
    Number of networks in the mean.

alpha_ : float
    Strength of the penalty. If several were tried, the one of the networks with the largest
    weight in the mean.

epsilon_ : float or ndarray of shape (n_features,)
    Radius of the neighbourhood, in units of the scaled inputs.

input_center_ : ndarray of shape (n_features,) or None
    What is subtracted from the inputs; None without `input_scaling`.

input_scale_ : ndarray of shape (n_features,) or None
    What they are multiplied by before they are clipped; 0 for constant features.

embedding_columns_ : ndarray of int or None
    Features that are embedded; None if there are none.

embedding_frequencies_ : ndarray of float or None
    Frequencies of their sines and cosines, in turns per unit of the scaled inputs; None if there
    are none.

embedding_breakpoints_ : list of ndarray or None
    Ends of the bins of each of these features, in units of the scaled inputs; None if there are
    none.

oob_score_ : float
    Accuracy or R2 of the rows as predicted by the networks that were not trained on them. Only
    available if there were folds.

n_features_in_ : int
    Number of features seen during fit.

feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of the features, if X had any that are strings.

n_layers_ : int
    Number of layers, including the input and the output.

n_outputs_ : int
    Number of outputs of the network.

hidden_activation_ : str
    Name of the activation function of the hidden layers.

out_activation_ : str
    Name of the activation function of the output.

n_iter_ : int
    Number of iterations: epochs of Adam, steps of L-BFGS. Of several networks, that of
    those with the largest weight in the mean; the same holds for the following.

t_ : int
    Number of rows seen: ``n_iter_`` times the number of training rows of a network. With
    `warm_start` it and the following curves count on from the fit before, and `n_iter_` from zero;
    with `partial_fit` all of them count on.

loss_ : float
    Value of the objective, including its penalties, in the last iteration.

loss_curve_ : list of float
    Value of the objective in each iteration.

best_loss_ : float or None
    Minimum of `loss_curve_`; None if `early_stopping`.

validation_scores_ : list of float or None
    Score of the held-out rows in each iteration, if `early_stopping`.

best_validation_score_ : float or None
    Maximum of `validation_scores_`.

history_ : dict of list of float
    The course of the fit, one entry for each iteration: ``"objective"`` and its parts ``"loss"``,
    ``"penalty"`` (times `alpha_`) and ``"l2"``; with `early_stopping` also ``"validation_score"``,
    with folds ``"oob_loss"`` at the ends of cycles, NaN in between. ``pandas.DataFrame(history_)``
    makes a table of it. With folds it goes on to the last cycle that was tried.

penalty_parameters_ : ndarray
    Fitted parameters of the penalty itself, one set for each network: those of the denoiser of
    ``'ladder'``, in the units of y. Empty for other penalties.
""",
    "notes": """
Each network minimises ``mean_w nll + alpha R + l2 / (2 n) ||weights||^2``, where R is the
weighted mean of the penalty over all rows, labelled or not; unlabelled rows have weight one. See
`C2C`, `Jacobian`, `VAT`, `Ladder` and `Noise` for the formulas.
`alpha`, `epsilon` and `l2` have the same meaning for every batch size and for both solvers,
except in `VAT` with a ``balance_weight``.
""",
    "fit_parameters": """
groups : array-like of shape (n_samples,) or (n_labeled,), default=None
    Group of each row, or of each labelled one, passed to `cv`. Ignored, with a warning, if there
    are no folds or random ones.
X_unlabeled : {array-like, sparse matrix} of shape (n_unlabeled, n_features), default=None
    Further rows without a label to learn from. It may be memory-mapped: only the rows of a batch
    are copied, though a classifier that is trained on principal components holds these if they
    take up to a quarter of a gigabyte. If a step in front transforms X, name it in
    ``transform_input`` of the `Pipeline`.
X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
    Rows to score in early stopping, instead of a part of X. If a step in front transforms X,
    name it in ``transform_input`` of the `Pipeline`.
y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
    Targets of these rows.
sample_weight_val : array-like of shape (n_val,), default=None
    Weights of these rows.
""",
    "references": """
M. Abbas, J. Kivinen, T. Raiko, "Close-to-clean regularization relates virtual adversarial
training, ladder networks and others", 2016.
""",
}
