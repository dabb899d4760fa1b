"""Input that is refused by name, and leaves the estimator as it was."""

import numpy as np
import pytest
from single import both, draw, quick
from sklearn.exceptions import NotFittedError
from tuned import TUNED

from skc2c import C2C

BAD_PARAMETERS = [
    ({"alpha": -1.0}, "'alpha'.*-1.0"),
    ({"alpha": np.nan}, "'alpha'.*nan"),
    ({"alpha": np.inf}, "'alpha'.*inf"),
    ({"alpha": "big"}, "'alpha'.*'big'"),
    ({"epsilon": -0.1}, "'epsilon'.*-0.1"),
    ({"epsilon": [0.1, 0.2]}, r"'epsilon'.*4 features.*\(2,\)"),
    ({"epsilon": [0.1, -0.2, 0.1, 0.1]}, "'epsilon'.*-0.2"),
    ({"epsilon": [0.1, np.nan, 0.1, 0.1]}, "'epsilon'.*nan"),
    ({"l2": -1e-3}, "'l2'.*-0.001"),
    ({"penalty": "lasso"}, "'penalty'.*'lasso'"),
    ({"penalty": C2C}, "'penalty'"),
    ({"penalty": C2C(space="x")}, "'space' parameter of C2C.*'x'"),
    ({"solver": "sgd"}, "'solver'.*'sgd'"),
    ({"activation": "sine"}, "'activation'.*'sine'"),
    ({"hidden_layer_sizes": (0,)}, r"'hidden_layer_sizes'.*\(0,\)"),
    ({"hidden_layer_sizes": (3.5,)}, r"'hidden_layer_sizes'.*\(3.5,\)"),
    ({"hidden_layer_sizes": -2}, "'hidden_layer_sizes'.*-2"),
    ({"batch_size": 0}, "'batch_size'.*0"),
    ({"learning_rate_init": 0.0}, "'learning_rate_init'.*0.0"),
    ({"max_iter": 0}, "'max_iter'.*0"),
    ({"tol": -1}, "'tol'.*-1"),
    ({"validation_fraction": 1.0}, "'validation_fraction'.*1.0"),
    ({"validation_fraction": 0.001, "early_stopping": True}, "validation_fraction=0.001"),
    ({"n_iter_no_change": 0}, "'n_iter_no_change'.*0"),
    ({"dtype": "float16"}, "'dtype'.*'float16'"),
    ({"random_state": "x"}, "'random_state'.*'x'"),
    ({"early_stopping": "yes"}, "'early_stopping'.*'yes'"),
]


def spoil(array, value):
    array = array.astype(float)
    array[3] = value
    return array


BAD_DATA = {
    "X with NaN": (lambda X, y: (spoil(X, np.nan), y), "NaN"),
    "X with inf": (lambda X, y: (spoil(X, np.inf), y), "infinity"),
    "y with NaN": (lambda X, y: (X, spoil(y, np.nan)), "NaN"),
    "y with inf": (lambda X, y: (X, spoil(y, np.inf)), "infinity"),
    "one dimension": (lambda X, y: (X[:, 0], y), "2D array"),
    "three dimensions": (lambda X, y: (X[None], y), "dim"),
    "lengths differ": (lambda X, y: (X, y[:-1]), "inconsistent"),
    "no rows": (lambda X, y: (X[:0], y[:0]), "0 sample"),
    "no features": (lambda X, y: (X[:, :0], y), "0 feature"),
    "no y": (lambda X, y: (X, None), "y"),
    "three-dimensional y": (lambda X, y: (X, np.ones((80, 2, 2))), "dim"),
    "negative weights": (lambda X, y: (X, y, np.linspace(-1, 1, 80)), "[Nn]egative.*sample_weight"),
    "zero weights": (lambda X, y: (X, y, np.zeros(80)), "(?i)sample.weight.*zero"),
    "weights with NaN": (lambda X, y: (X, y, spoil(np.ones(80), np.nan)), "sample_weight.*NaN"),
    "too few weights": (lambda X, y: (X, y, np.ones(79)), "sample_weight"),
}


# Several networks with all that is chosen for them, as by default; trained hardly at all.
SEVERAL = TUNED | {"max_iter": 2}
one_or_several = pytest.mark.parametrize("settings", [{}, SEVERAL], ids=["one", "several"])


def assert_refused_and_unchanged(estimator, data, message, X, y):
    """The error says what is wrong; an earlier fit is as it was, and so is no fit."""
    with pytest.raises(ValueError, match=message):
        estimator.fit(*data)
    assert not [name for name in vars(estimator) if name.endswith("_")]
    fitted = quick(type(estimator)).fit(X, y)
    before = dict(vars(fitted))
    fitted.set_params(**estimator.get_params(deep=False))
    with pytest.raises(ValueError, match=message):
        fitted.fit(*data)
    for name, value in before.items():
        if name.endswith("_"):
            assert vars(fitted)[name] is value, name


@both
@one_or_several
@pytest.mark.parametrize(("parameters", "message"), BAD_PARAMETERS, ids=str)
def test_bad_parameters_are_named_with_their_value(cls, settings, parameters, message):
    X, y = draw(cls)
    estimator = quick(cls, **settings | parameters)
    assert_refused_and_unchanged(estimator, (X, y), message, X, y)


@both
@one_or_several
@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_is_refused(cls, settings, name):
    X, y = draw(cls)
    make, message = BAD_DATA[name]
    assert_refused_and_unchanged(quick(cls, **settings), make(X, y), message, X, y)


@both
@one_or_several
def test_unfitted_and_ill_shaped_use_is_refused(cls, settings):
    X, y = draw(cls)
    with pytest.raises(NotFittedError):
        quick(cls, **settings).predict(X)
    with pytest.raises(ValueError, match="4 features"):
        quick(cls, **settings).fit(X, y).predict(X[:, :2])


@both
def test_diverging_fit_says_what_to_lower(cls):
    X, y = draw(cls)
    estimator = quick(cls, learning_rate_init=1e30, alpha=3.0)
    message = "diverged.*Lower learning_rate_init=1e.30, alpha=3.0 or epsilon=.*scale X"
    assert_refused_and_unchanged(estimator, (X, y), message, X, y)
    estimator = quick(cls, solver="lbfgs", dtype="float32", penalty="jacobian", alpha=1e30)
    message = "diverged.*Lower alpha=1e.30 or epsilon"
    assert_refused_and_unchanged(estimator.set_params(epsilon=1e15), (X, y), message, X, y)


@both
def test_rows_too_large_for_float32_are_not_fitted_silently(cls):
    X, y = draw(cls)
    with pytest.raises(ValueError, match="diverged.*scale X"):
        quick(cls).fit(1e200 * X, y)


@both
def test_last_step_of_a_diverging_fit_is_noticed(cls):
    X, y = draw(cls)
    with pytest.raises(ValueError, match="diverged.*Lower learning_rate_init"):
        quick(cls, max_iter=1, learning_rate_init=1e39).fit(X, y)


@both
def test_large_batch_is_clipped_with_a_warning(cls):
    X, y = draw(cls)
    with pytest.warns(UserWarning, match="batch_size=1000.*80") as record:
        quick(cls, batch_size=1000).fit(X, y)
    assert record[0].filename == __file__
