"""Units of an incremental fit whose first calls have few rows, or features that are constant."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN
from scipy import sparse

from skc2c import C2CClassifier, C2CRegressor
from skc2c.estimators.first_rows import FEWEST

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 3)) * [1.0, 50.0, 0.01] + [0.0, 300.0, 0.0]
LABELS = (X[:, 0] + X[:, 1] / 50.0 > 6.0).astype(int)
REAL = 1000.0 * X[:, 0] + 500.0


def small(cls, **changes):
    return cls(hidden_layer_sizes=(20,), random_state=0, **changes)


def stream(model, X, y, step, n_passes=1):
    announced = {"classes": np.unique(y)} if isinstance(model, C2CClassifier) else {}
    for _ in range(n_passes):
        for start in range(0, X.shape[0], step):
            rows = slice(start, start + step)
            model.partial_fit(X[rows], y[rows], **announced)
    return model


def quartiles(X):
    return np.quantile(X, [0.25, 0.5, 0.75], axis=0, method="inverted_cdf")


@pytest.mark.parametrize("step", [1, 3, 7])
def test_inputs_are_scaled_by_the_first_rows_until_these_are_enough(step):
    model = stream(small(C2CClassifier), X[:60], LABELS[:60], step)
    n = -(-FEWEST // step) * step
    low, center, high = quartiles(X[:n])
    assert_allclose(model.input_center_, center)
    assert_allclose(model.input_scale_, 1.0 / (high - low))


def test_row_by_row_it_is_learned():
    """With the units of the first row alone nothing was: every scale was zero."""
    classes = stream(small(C2CClassifier), X[:150], LABELS[:150], 1)
    assert classes.score(X, LABELS) > 0.8
    assert stream(small(C2CRegressor), X[:150], REAL[:150], 1).score(X, REAL) > 0.6


def test_targets_have_the_units_of_the_first_rows():
    model = stream(small(C2CRegressor), X[:40], REAL[:40], 4)
    assert_allclose(model._state["units"]["center"], REAL[:20].mean())
    assert_allclose(model._state["units"]["scale"], REAL[:20].std())


def test_the_radius_has_the_unit_of_the_first_rows():
    Z = rng.normal(size=(60, 3))
    settings = {"input_scaling": None, "epsilon": "scale", "penalty": "c2c"}
    model = stream(small(C2CRegressor, **settings), Z, Z[:, 0], 1)
    spread = np.sqrt(Z[:FEWEST].var(axis=0).mean())
    assert_allclose(model.epsilon_, spread / np.sqrt(3), rtol=1e-6)


@pytest.mark.parametrize("cls", [C2CClassifier, C2CRegressor])
def test_few_rows_again_and_again_are_epochs_of_a_fit(cls):
    """Their units stay what they are, and so does the state of Adam."""
    y = LABELS[:12] if cls is C2CClassifier else REAL[:12]
    settings = {"cv": None, "tol": 0.0, "n_iter_no_change": np.inf, "numeric_embedding": None}
    model = stream(small(cls, dtype="float64", **settings), X[:12], y, 12, 5)
    whole = small(cls, max_iter=5, dtype="float64", **settings).fit(X[:12], y)
    for one, other in zip(model.coefs_, whole.coefs_, strict=True):
        assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_a_feature_that_had_been_constant_gets_a_scale_and_the_rest_stays(container):
    rows = abs(X)
    rows[:100, 0] = 0.0
    model = small(C2CClassifier).partial_fit(container(rows[:100]), LABELS[:100], classes=[0, 1])
    before, scale = model.predict_proba(rows[:100]), model.input_scale_
    assert scale[0] == 0.0
    model.set_params(learning_rate_init=1e-300).partial_fit(container(rows[100:]), LABELS[100:])
    assert model.input_scale_[0] > 0.0
    assert_array_equal(model.input_scale_[1:], scale[1:])
    assert_array_equal(model.predict_proba(rows[:100]), before)
    assert abs(model.predict_proba(rows[100:]) - model.predict_proba(rows[:200] * [0, 1, 1])).max()


def test_a_stream_may_change_between_arrays_and_sparse_matrices():
    model = small(C2CClassifier, **PLAIN | {"input_scaling": "robust"})
    for i in range(30):
        rows = X[i : i + 1] if i % 2 else sparse.csr_matrix(X[i : i + 1])
        model.partial_fit(rows, LABELS[i : i + 1], classes=[0, 1])
    assert (model.input_scale_ > 0.0).all()
    assert model.t_ == 30
