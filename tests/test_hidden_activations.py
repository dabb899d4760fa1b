"""The outputs of hidden layers, against the fitted kernels and biases."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from oracles import ACTIVATIONS, PLAIN
from scipy import sparse

from skc2c import C2CClassifier, C2CRegressor

each_cv = pytest.mark.parametrize("cv", [None, 3])


@pytest.fixture
def rows(rng):
    X = rng.normal(size=(40, 3))
    return X, X[:, 0] * X[:, 1]


def rebuilt(reg, X, layer):
    """A hidden layer's output from ``coefs_`` and ``intercepts_``."""
    for kernel, bias in zip(reg.coefs_[: layer + 1], reg.intercepts_, strict=False):
        X = ACTIVATIONS["tanh"](X @ kernel + bias)
    return X


@each_cv
def test_hidden_layers_are_those_of_the_kernels(rows, cv):
    X, y = rows
    settings = {**PLAIN, "hidden_layer_sizes": (6, 4), "activation": "tanh", "max_iter": 5}
    reg = C2CRegressor(**settings | {"cv": cv}, random_state=0).fit(X, y)
    for layer in (0, 1):
        expected = rebuilt(reg, X, layer)
        assert_allclose(reg.hidden_activations(X, layer), expected, atol=1e-12)
        assert_allclose(reg.hidden_activations(X, layer - 2), expected, atol=1e-12)
        assert_allclose(reg.hidden_activations(sparse.csr_matrix(X), layer), expected, atol=1e-12)
    assert reg.hidden_activations(X).shape == (40, 4 * reg.n_networks_)


@each_cv
@pytest.mark.parametrize("sizes", [(8,), (8, 5)])
def test_the_output_is_linear_in_the_last_hidden_layer(rows, cv, sizes):
    """Behind input scaling and embedding too."""
    X, y = rows
    clf = C2CClassifier(sizes, cv=cv, numeric_embedding="fourier", max_iter=20, random_state=0).fit(
        X, y > 0
    )
    h = clf.hidden_activations(X) @ clf.coefs_[-1] + clf.intercepts_[-1]
    assert_allclose(h[:, 0], clf.decision_function(X), rtol=1e-6)


def test_dtype_is_that_of_the_fit(rows):
    X, y = (part.astype(np.float32) for part in rows)
    reg = C2CRegressor(**PLAIN | {"max_iter": 2}, random_state=0).fit(X, y)
    assert reg.hidden_activations(X).dtype == np.float32


@pytest.mark.parametrize(("sizes", "layer"), [((3,), 1), ((3,), -2), ((), 0), ((), -1)])
def test_there_is_no_such_layer(rows, sizes, layer):
    X, y = rows
    reg = C2CRegressor(**PLAIN | {"hidden_layer_sizes": sizes, "max_iter": 2}).fit(X, y)
    with pytest.raises(ValueError, match=f"There are {len(sizes)} hidden layers"):
        reg.hidden_activations(X, layer)
