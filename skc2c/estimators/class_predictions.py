"""What a fitted classifier says of rows: labels, logits, probabilities and their logarithms."""

import numpy as np


class ClassPredictionsMixin:
    """Adds the predictions to a perceptron that is fitted to classes."""

    def predict(self, X):
        """Predict labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The most probable label; for multilabel y the indicator matrix of the outputs
            with a probability above one half.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skc2c import C2CClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> C2CClassifier(random_state=0).fit(X, y).predict(X[::50])
        array([0, 1, 2])
        """
        h = self._link(X)
        return self._targets().decode(h)

    def decision_function(self, X):
        """Network output before the softmax or logistic function: the logits.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        h : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            For two classes, the log-odds of ``classes_[1]``.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skc2c import C2CClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> C2CClassifier(random_state=0).fit(X, y == 0).decision_function(X[::50]) > 0
        array([ True, False, False])
        """
        h = self._link(X)
        return h[:, 0] if self._targets().is_binary else h

    def predict_proba(self, X):
        """Predict probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes) or (n_samples, n_outputs)
            Of every class, in the order of `classes_`; for multilabel y of every output
            being 1. In the open interval (0, 1): where a probability rounds to 0 or 1 the
            nearest number inside is returned.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skc2c import C2CClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> C2CClassifier(random_state=0).fit(X, y).predict_proba(X[::50]).argmax(axis=1)
        array([0, 1, 2])
        """
        h, targets = self._link(X), self._targets()
        proba = targets.likelihood.mean(targets.sides(h))
        limits = np.finfo(proba.dtype)
        return np.clip(proba, limits.tiny, 1.0 - limits.epsneg)

    def predict_log_proba(self, X):
        """Predict logarithms of probabilities, computed without their underflow.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes) or (n_samples, n_outputs)
            Exact also where the probability itself is too small for a float.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_iris
        >>> from skc2c import C2CClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = C2CClassifier(random_state=0).fit(X, y)
        >>> np.allclose(np.exp(clf.predict_log_proba(X)), clf.predict_proba(X))
        True
        """
        h, targets = self._link(X), self._targets()
        return targets.likelihood.log_mean(targets.sides(h))
