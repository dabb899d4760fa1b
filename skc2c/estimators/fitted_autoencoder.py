"""What a fitted autoencoder does: it encodes, decodes, and tells how far apart the two ends are."""

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from skc2c.estimators.autoencoder_fit import LIKELIHOOD, network_of
from skc2c.estimators.in_front import scaling_of
from skc2c.estimators.perceptron import FLOATS
from skc2c.estimators.scaled_rows import scaled
from skc2c.fitted_function import FittedFunction
from skc2c.machine.threads import map_in_order
from skc2c.network.blocks import outputs


class FittedAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base class of an autoencoder: all that reads fitted attributes."""

    def transform(self, X):
        """Encode rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows like those of the training set.

        Returns
        -------
        code : ndarray of shape (n_samples, n_components)
            As many numbers as the code has units, for each row.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skc2c import C2CAutoencoder
        >>> X, _ = load_iris(return_X_y=True)
        >>> C2CAutoencoder(2, max_iter=100, random_state=0).fit(X).transform(X[:5]).shape
        (5, 2)
        """
        X = self._check_X(X)
        network, theta = network_of(self)
        return outputs(network.encoder, theta, X, map_in_order)

    def inverse_transform(self, X):
        """Decode codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, as `transform` returns them.

        Returns
        -------
        rows : ndarray of shape (n_samples, n_features)
            Rows in the units of those that were encoded.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skc2c import C2CAutoencoder
        >>> X, _ = load_iris(return_X_y=True)
        >>> autoencoder = C2CAutoencoder(2, max_iter=100, random_state=0).fit(X)
        >>> back = autoencoder.inverse_transform(autoencoder.transform(X))
        >>> bool(((back - X) ** 2).sum() < 0.05 * ((X - X.mean(axis=0)) ** 2).sum())
        True
        """
        check_is_fitted(self)
        code = check_array(X, dtype=FLOATS, estimator=self, input_name="X")
        if code.shape[1] != self.n_components_:
            raise ValueError(
                f"X has {code.shape[1]} features, but {type(self).__name__}.inverse_transform is "
                f"expecting {self.n_components_}: as many as the code has units."
            )
        network, theta = network_of(self)
        rows, scaling = outputs(network.decoder, theta, code, map_in_order), scaling_of(self)
        return rows if scaling is None else scaling.undo(rows)

    def reconstruction_error(self, X):
        """Return how far each row is from its reconstruction.

        Rows unlike those of the training set have large errors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows like those of the training set.

        Returns
        -------
        error : ndarray of shape (n_samples,)
            Mean over the features of the squared difference between the row and what its code
            decodes to. With `input_scaling` this is the difference of the scaled rows.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skc2c import C2CAutoencoder
        >>> X, _ = load_iris(return_X_y=True)
        >>> autoencoder = C2CAutoencoder(2, max_iter=100, random_state=0).fit(X)
        >>> unlike, like = autoencoder.reconstruction_error([[9.0, 0.0, 9.0, 0.0], X[0]])
        >>> bool(unlike > 10 * like)
        True
        """
        X = self._check_X(X)
        (network, theta), scaling = network_of(self), scaling_of(self)
        difference = outputs(network, theta, X, map_in_order)
        difference -= X if scaling is None else scaled(X, scaling, X.dtype)
        return np.einsum("nd,nd->n", difference, difference) / X.shape[1]

    def score(self, X, y=None):
        """Return the negative mean of `reconstruction_error`, for a search of parameters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows like those of the training set.
        y : object, default=None
            Ignored, for pipelines.

        Returns
        -------
        score : float
            0 at best.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skc2c import C2CAutoencoder
        >>> X, _ = load_iris(return_X_y=True)
        >>> models = [C2CAutoencoder(k, max_iter=100, random_state=0).fit(X) for k in (1, 2)]
        >>> models[0].score(X) < models[1].score(X) < 0
        True
        """
        return -float(self.reconstruction_error(X).mean(dtype=np.float64))

    @property
    def _n_features_out(self):
        return self.n_components_

    def _check_X(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=FLOATS, reset=False)

    def _fitted_function(self):
        """What `inspection` measures: the encoder, in float64."""
        check_is_fitted(self)
        network, theta = network_of(self, np.float64)
        return FittedFunction(
            network=network.encoder,
            likelihood=LIKELIHOOD,
            theta=theta,
            penalty_parameters=self.penalty_parameters_.astype(np.float64),
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
