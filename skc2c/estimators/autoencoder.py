"""The autoencoder: rows in, a code of a few numbers out, and back."""

import copy
from numbers import Integral, Real

from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from skc2c.estimators.autoencoder_fit import train
from skc2c.estimators.fitted_autoencoder import FittedAutoencoder
from skc2c.estimators.perceptron import FLOATS, Perceptron, of_X, replace_fitted
from skc2c.estimators.shared_docstrings import shared_docstrings
from skc2c.machine.memory import keep_freed_memory
from skc2c.network import ACTIVATIONS
from skc2c.random_streams import advance_with
from skc2c.solvers import DivergenceError

# Parameters that mean the same as those of the other estimators.
_SHARED = (
    *("hidden_layer_sizes", "activation", "penalty", "epsilon", "input_scaling", "l2", "solver"),
    *("batch_size", "learning_rate_init", "max_iter", "shuffle", "tol", "dtype", "random_state"),
    "verbose",
)


@shared_docstrings
class C2CAutoencoder(FittedAutoencoder):
    """Autoencoder whose code changes little around the data.

    An encoder maps a row to a code of a few numbers, a decoder maps the code back to a row. Both
    are multilayer perceptrons, fitted together so that what comes back is close to what went in.
    The penalty keeps the code smooth:

    - ``'jacobian'`` is the norm of the code's Jacobian: the contractive autoencoder.
    - ``'c2c'`` is its stochastic form, the distance of the codes of a row and of a random point
      near it.
    - ``'noise'`` is the denoising autoencoder: the clean row is reconstructed from a noisy one.

    Parameters
    ----------
    n_components : int, default=16
        Number of units of the code.

    hidden_layer_sizes : int or array-like of int, default=(100,)
        Number of units in each hidden layer of the encoder; the decoder has the same in reverse
        order. With ``()`` and an identity `code_activation` the autoencoder is linear.

    activation : {activation_names}, default='silu'
        Activation function of the hidden layers.

    code_activation : {activation_names}, default='identity'
        Activation function of the code.

    penalty : {penalty_names}, Penalty or None, default='c2c'
        How the code is kept smooth. For other settings pass an object: `C2C`, `Jacobian`, `VAT`,
        `Ladder`, `Noise`, or your own subclass of `Penalty`. Penalties that need no label look
        at the code, which they take for the mean of a normal distribution of unit variance;
        others, such as ``'noise'``, look at the reconstruction. None: a plain autoencoder.

    alpha : float, default=0.1
        Strength of the penalty. Ignored if `penalty` is ``'noise'`` or None.

    epsilon : float, array-like of shape (n_features,) or 'scale', default='scale'
        Radius of the neighbourhood in units of X (of the scaled X with `input_scaling`): the
        standard deviation of random perturbations, the Euclidean length of adversarial ones. An
        array gives each feature its own scale; 0 leaves a feature unperturbed. With
        ``'scale'``, perturbations have a mean squared length equal to the mean variance of the
        features. The value is stored in `epsilon_`. Ignored if `penalty` is None.

    input_scaling : {'robust'} or None, default=None
        How the features are scaled. None: they are used as they are, as in
        `~sklearn.decomposition.PCA`, so that those of large variance count most. ``'robust'``:
        each feature is centred at its median, divided by its interquartile range and smoothly
        clipped to the range (-3, 3), as in `C2CClassifier`; scaled rows are reconstructed, and
        `inverse_transform` undoes the scaling, at most 10 of these units away from the median.

    l2 : float, default=0.1
        Strength of the weight decay: ``l2 / (2 n) ||weights||^2`` is added to the mean loss of the
        n training rows.

    solver : {solver_names} or Solver, default='adam'
        ``'adam'``: mini-batch Adam, whose learning rate falls to zero in the course of the fit.
        ``'lbfgs'``: L-BFGS on all rows. For other settings pass an object such as
        ``skc2c.solvers.Adam(schedule="constant")``.

    batch_size : int or 'auto', default='auto'
        Number of rows in a batch of Adam; ``'auto'`` is ``min(200, n_samples)``.

    learning_rate_init : float, default=0.01
        Learning rate of Adam at the start of the fit.

    max_iter : int or 'auto', default='auto'
        Number of epochs of Adam (passes over the rows), or largest number of iterations of
        L-BFGS. ``'auto'`` makes at least 2000 steps of Adam, whatever the number of rows, or at
        most 200 iterations of L-BFGS.

    shuffle : bool, default=True
        Whether to shuffle the rows before each epoch of Adam.

    tol : float, default=1e-4
        L-BFGS stops when no entry of the gradient is larger than `tol`. Ignored by Adam.

    dtype : {'auto', 'float32', 'float64'}, default='auto'
        Precision of training. ``'auto'`` is float32 for Adam and float64 for L-BFGS. Fitted
        attributes have the dtype of X all the same.

    random_state : int, RandomState instance or None, default=None
        Seeds the initial parameters, the order of the rows and the perturbations. None seeds from
        the operating system; the global random state is neither read nor changed.

    verbose : bool or int, default=False
        Whether to print the loss of every iteration.

    Attributes
    ----------
    coefs_ : list of ndarray
        Kernel of each layer, of shape (units below, units above): first those of the encoder,
        then as many of the decoder.

    intercepts_ : list of ndarray
        Bias of each layer.

    n_components_ : int
        Number of units of the code.

    epsilon_ : float or ndarray of shape (n_features,)
        Radius of the neighbourhood, in units of X (of the scaled X with `input_scaling`).

    input_center_ : ndarray of shape (n_features,) or None
        What `input_scaling` subtracts from the features; None without it.

    input_scale_ : ndarray of shape (n_features,) or None
        What it multiplies them by before they are clipped; 0 for constant features.

    penalty_parameters_ : ndarray
        Fitted parameters of the penalty itself: those of the denoiser of ``'ladder'``. Empty for
        other penalties.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X had any that are strings.

    n_layers_ : int
        Number of layers, including the input, the code and the output.

    hidden_activation_ : str
        Name of the activation function of the hidden layers.

    code_activation_ : str
        Name of the activation function of the code.

    n_iter_ : int
        Number of iterations: epochs of Adam, steps of L-BFGS.

    loss_ : float
        Value of the objective, including the penalty, in the last iteration.

    loss_curve_ : list of float
        Value of the objective in each iteration.

    best_loss_ : float
        Minimum of `loss_curve_`.

    See Also
    --------
    C2CClassifier : A classifier with the same penalties.
    sklearn.decomposition.PCA : The best linear code.

    Notes
    -----
    With rows z that are centred and divided by one number, the root mean variance of the features,
    the fit minimises ``mean ||z - d(e(z))||^2 / 2 + alpha R + l2 / (2 n) ||weights||^2``, where e
    is the encoder, d the decoder, and R the mean of the penalty on e over the rows. So `alpha`,
    `l2` and the loss do not depend on the unit of X. Without weight decay, the penalty is evaded
    by a code that shrinks while the kernel of the decoder grows.

    Functions of `skc2c.inspection` describe the encoder: ``jacobian(autoencoder, X)`` is that of
    `transform`.

    References
    ----------
    S. Rifai, P. Vincent, X. Muller, X. Glorot, Y. Bengio, "Contractive auto-encoders: Explicit
    invariance during feature extraction", ICML 2011.

    P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol, "Extracting and composing robust features
    with denoising autoencoders", ICML 2008.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skc2c import C2CAutoencoder
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = C2CAutoencoder(8, max_iter=60, random_state=0).fit(X[:1000])
    >>> autoencoder.transform(X[1000:]).shape
    (797, 8)
    >>> pca = PCA(n_components=8).fit(X[:1000])
    >>> error_of_pca = ((X[1000:] - pca.inverse_transform(pca.transform(X[1000:]))) ** 2).mean()
    >>> -autoencoder.score(X[1000:]) < 0.8 * float(error_of_pca)
    True
    """

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "code_activation": [StrOptions(set(ACTIVATIONS))],
        "alpha": [Interval(Real, 0, None, closed="left")],
        **{name: Perceptron._parameter_constraints[name] for name in _SHARED},
    }

    def __init__(
        self,
        n_components=16,
        hidden_layer_sizes=(100,),
        activation="silu",
        *,
        code_activation="identity",
        penalty="c2c",
        alpha=0.1,
        epsilon="scale",
        input_scaling=None,
        l2=0.1,
        solver="adam",
        batch_size="auto",
        learning_rate_init=0.01,
        max_iter="auto",
        shuffle=True,
        tol=1e-4,
        dtype="auto",
        random_state=None,
        verbose=False,
    ):
        for name, value in locals().items():
            if name != "self":
                setattr(self, name, value)

    def fit(self, X, y=None):
        """Fit encoder and decoder.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows. Sparse matrices are not supported.
        y : object, default=None
            Ignored, for pipelines.

        Returns
        -------
        self : C2CAutoencoder
            The fitted estimator.

        Raises
        ------
        ValueError
            On invalid parameters or data, or a loss that stops being finite. The estimator is
            then as it was before.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skc2c import C2CAutoencoder
        >>> X, _ = load_iris(return_X_y=True)
        >>> C2CAutoencoder(2, max_iter=100, random_state=0).fit(X).transform(X).shape
        (150, 2)
        """
        self._validate_params()
        keep_freed_memory()
        checked, draws = copy.copy(self), copy.deepcopy(self.random_state)
        X = validate_data(checked, X, dtype=FLOATS, order="C")  # rows are taken at random
        try:
            attributes = train(self, X, draws)
        except DivergenceError as error:
            raise ValueError(
                f"C2CAutoencoder diverged: {error}. Lower "
                f"learning_rate_init={self.learning_rate_init} or alpha={self.alpha}."
            ) from error
        advance_with(self.random_state, draws)
        replace_fitted(self, of_X(checked) | attributes)
        return self
