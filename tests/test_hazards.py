"""Ways to a result that is not what the documentation says, each closed by a test."""

import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import watched
from scipy.special import expit
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skc2c import C2C, VAT, C2CClassifier, C2CRegressor, Penalty
from skc2c.inspection import penalty_value
from skc2c.network import Network

# Parameters that one network on the rows as they are does not need; not every version has them.
LATER = ("cv", "input_scaling", "numeric_embedding")
NEEDS_NO_LABEL = ["c2c", "jacobian", "vat", "ladder"]

both = pytest.mark.parametrize("cls", [C2CClassifier, C2CRegressor])
both_solvers = pytest.mark.parametrize("solver", ["adam", "lbfgs"])


def plain(cls=C2CClassifier, **parameters):
    """One small network for the given rows."""
    settings = {
        "hidden_layer_sizes": (6,),
        "activation": "tanh",
        "penalty": "c2c",
        "alpha": 0.5,
        "epsilon": 0.5,
        "l2": 1.0,
        "learning_rate_init": 0.01,
        "max_iter": 15,
        "tol": 0.0,
        "n_iter_no_change": np.inf,
        "random_state": 0,
        **{name: None for name in LATER if name in cls().get_params()},
        **parameters,
    }
    return cls(**settings)


def draw(rng, n=40):
    """Rows and two classes, which a regressor may take for numbers."""
    X = rng.normal(size=(n, 3))
    return X, (X[:, 0] + X[:, 1] * X[:, 2] > 0) * 1


# -------------------------------------------------------- L-BFGS: order, blocks, held directions


def same_fit(a, b):
    for name in ("coefs_", "intercepts_"):
        for one, other in zip(getattr(a, name), getattr(b, name), strict=True):
            assert_array_equal(one, other)
    assert_array_equal(a.penalty_parameters_, b.penalty_parameters_)
    assert a.loss_curve_ == b.loss_curve_


@both
@pytest.mark.parametrize("penalty", NEEDS_NO_LABEL)
def test_lbfgs_does_not_depend_on_the_order_of_unlabelled_rows(cls, penalty, rng):
    X, y = draw(rng)
    X_unlabeled, order = rng.normal(size=(150, 3)), rng.permutation(150)
    model = plain(cls, penalty=penalty, solver="lbfgs", max_iter=40)
    one = clone(model).fit(X, y, X_unlabeled=X_unlabeled)
    other = clone(model).fit(X[::-1], y[::-1], X_unlabeled=X_unlabeled[order])
    same_fit(one, other)


@pytest.mark.parametrize("penalty", NEEDS_NO_LABEL)
def test_lbfgs_does_not_depend_on_the_order_of_marked_rows(penalty, rng):
    X, y = draw(rng, n=150)
    y[40:] = -1
    order = rng.permutation(150)
    model = plain(penalty=penalty, solver="lbfgs", max_iter=40, missing_label=-1)
    same_fit(clone(model).fit(X, y), clone(model).fit(X[order], y[order]))


def set_block_numbers(monkeypatch, numbers):
    """How many numbers of a layer are in flight at once, wherever that is set."""
    modules = [sys.modules.get(name) for name in ("skc2c.network.blocks", "skc2c.objective")]
    holder = next(module for module in modules if hasattr(module, "BLOCK_NUMBERS"))
    monkeypatch.setattr(holder, "BLOCK_NUMBERS", numbers)


@pytest.mark.parametrize("unlabeled", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_balance_does_not_depend_on_the_blocks_of_rows(unlabeled, n_classes, rng, monkeypatch):
    """The rows are sorted by class, so that no block has the proportions of the whole."""
    X = np.sort(rng.normal(size=(300, 3)), axis=0)
    y = np.repeat(np.arange(n_classes), 300 // n_classes)
    extra = {"X_unlabeled": np.sort(rng.normal(size=(200, 3)), axis=0)} if unlabeled else {}
    calls = []

    class Counted(VAT):
        def value(self, *arguments):
            calls.append(None)
            return super().value(*arguments)

    # With a radius of zero the perturbations, which each block draws anew, do not matter.
    penalty = Counted("adversarial", entropy_weight=0.5, balance_weight=3.0)
    model = plain(penalty=penalty, alpha=1.0, epsilon=0.0, solver="lbfgs", max_iter=3)
    losses, n_calls = [], []
    for numbers in (2**17, 1):
        set_block_numbers(monkeypatch, numbers)
        calls.clear()
        losses.append(clone(model).fit(X, y, **extra).loss_curve_)
        n_calls.append(len(calls))
    assert n_calls[1] > n_calls[0]
    assert_allclose(losses[1], losses[0], rtol=1e-6)


def test_lbfgs_probes_a_penalty_of_the_user_at_later_parameters(rng):
    """Its probe depends on theta, which no parameter called ``perturbation`` says."""
    inner, thetas = C2C("adversarial"), []

    class Worst(Penalty):
        def __init__(self, worst=True):
            self.worst = worst

        def probe(self, network, likelihood, theta, *rest):
            thetas.append(theta.tobytes())
            return inner.probe(network, likelihood, theta, *rest)

        def value(self, *arguments):
            return inner.value(*arguments)

    X, y = draw(rng)
    plain(penalty=Worst(), alpha=1.0, epsilon=1.0, solver="lbfgs", max_iter=100).fit(X, y)
    assert len(set(thetas)) >= 2


# ------------------------------------------------------------------------- the fitted denoiser


def denoise(u, parameters):
    """``g(u)`` of the docstring of `Ladder`, for outputs u of shape (n, K)."""
    a1, a2, a3, a4, a5, a6, a7, a8, a9, a10 = parameters.reshape(10, -1)
    mean = a1 * expit(a2 * u + a3) + a4 * u + a5
    slope = a6 * expit(a7 * u + a8) + a9 * u + a10
    return (u - mean) * slope + mean


def output(model, X):
    h = model.predict(X) if isinstance(model, C2CRegressor) else model.decision_function(X)
    return h.reshape(len(X), -1)


TARGETS = {
    "binary": lambda X: (X[:, 0] > 0) * 1,
    "multiclass": lambda X: X.argmax(axis=1),
    "real": lambda X: 500.0 + 20.0 * X[:, 0] * X[:, 1],
    "multi-output": lambda X: [1.0, 100.0] * np.sin(X[:, :2]) - [0.0, 50.0],
}


@pytest.mark.parametrize("kind", TARGETS)
def test_the_value_of_a_ladder_is_that_of_its_fitted_denoiser(kind, rng):
    X, _ = draw(rng)
    cls = C2CRegressor if kind in ("real", "multi-output") else C2CClassifier
    settings = {"penalty": "ladder", "alpha": 3.0, "dtype": "float64", "learning_rate_init": 0.05}
    model = plain(cls, max_iter=30, **settings).fit(X, TARGETS[kind](X))

    def roughness(X_clean, X_near):
        near = denoise(output(model, X_near), model.penalty_parameters_)
        return ((output(model, X_clean) - near) ** 2).sum(axis=1).mean()

    # At the rows themselves nothing is drawn: what is left is what the denoiser changes there.
    assert_allclose(penalty_value(model, X, "ladder", 0.0), roughness(X, X))
    many = np.tile(X[:1], (50_000, 1))
    expected = roughness(many, many + 0.5 * rng.normal(size=many.shape))
    assert_allclose(penalty_value(model, many, "ladder", 0.5, random_state=0), expected, rtol=0.05)


@both
def test_the_value_of_a_ladder_is_that_of_c2c_where_no_denoiser_was_fitted(cls, rng):
    X, y = draw(rng)
    model = plain(cls, penalty="c2c").fit(X, y)
    ladder, c2c = (penalty_value(model, X, name, 0.5, random_state=0) for name in ("ladder", "c2c"))
    assert_allclose(ladder, c2c)


# --------------------------------------------------------------------------------- randomness


def position(generator):
    """Where a `RandomState` is in its stream."""
    _, keys, place, *_ = generator.get_state()
    return keys.tobytes(), place


REFUSED = {
    "divergence": {"learning_rate_init": 1e30},
    "divergence of L-BFGS": {
        "solver": "lbfgs",
        "dtype": "float32",
        "penalty": "jacobian",
        "alpha": 1e30,
        "epsilon": 1e15,
    },
    "no rows to hold out": {"early_stopping": True, "validation_fraction": 0.001},
    "another network": {"hidden_layer_sizes": (7,)},
}


@both
@pytest.mark.parametrize("reason", REFUSED)
def test_a_refused_fit_leaves_the_random_state_where_it_was(cls, reason, rng):
    X, y = draw(rng)
    generator = np.random.RandomState(0)
    model = plain(cls, random_state=generator)
    if reason == "another network":
        model.set_params(warm_start=True).fit(X, y)
    before, usual = position(generator), model.get_params(deep=False)
    with pytest.raises(ValueError, match=r"diverged|validation_fraction|warm_start=True needs"):
        model.set_params(**REFUSED[reason]).fit(X, y)
    assert position(generator) == before
    model.set_params(**usual).fit(X, y)
    assert position(generator) != before


@both
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_warm_start_sees_the_rows_in_a_new_order(cls, early_stopping, rng):
    """With an int as random_state too; which rows are held out stays the same."""
    X, y = draw(rng)
    orders = []
    for _ in range(2):
        penalty, seen = watched()
        settings = {"early_stopping": early_stopping, "validation_fraction": 0.25}
        settings |= {"batch_size": 10, "max_iter": 1, "dtype": "float64"}
        model = plain(cls, penalty=penalty, warm_start=True, **settings)
        for _ in range(3):
            model.fit(X, y)
        orders.append(np.concatenate(seen).reshape(3, -1, 3))
    assert_array_equal(*orders)
    first, second, third = orders[0]
    assert len(first) == (30 if early_stopping else 40)
    for rows in (second, third):
        assert_array_equal(rows[np.lexsort(rows.T)], first[np.lexsort(first.T)])
    for rows, other in ((second, first), (third, second), (third, first)):
        assert (rows != other).any()


# ----------------------------------------------------------------------- where warnings point


def interrupted():
    """A penalty in whose second probe the user presses Ctrl-C."""
    calls = []

    class Interrupted(C2C):
        def probe(self, *arguments):
            calls.append(None)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return super().probe(*arguments)

    return Interrupted("adversarial")


# What to set, what X_unlabeled is in units of X (if it is there), and what the warning says.
WARNINGS = {
    "not converged, adam": ({}, None, "has not converged"),
    "not converged, lbfgs": ({"solver": "lbfgs", "max_iter": 2}, None, "has not converged"),
    "batch too large": ({"batch_size": 1000}, None, "batch_size=1000"),
    "batch too large for the pool": ({"batch_size": 1000}, 1.0, "batch_size=1000"),
    "another scale": ({"alpha": 0.0}, 100.0, "another scale"),
    "no use of unlabelled rows": ({"penalty": "noise"}, 1.0, "learns nothing"),
    "collapse": (
        {"solver": "lbfgs", "penalty": "jacobian", "alpha": 1e4, "l2": 0.0, "max_iter": 30},
        1.0,
        "collapsed",
    ),
    "interrupted, adam": ({"penalty": interrupted}, None, "interrupted"),
    "interrupted, lbfgs": (
        {"penalty": interrupted, "solver": "lbfgs", "max_iter": 100},
        None,
        "interrupted",
    ),
}


def fit_directly(model, X, y, **extra):
    model.fit(X, y, **extra)


def fit_a_subclass(model, X, y, **extra):
    class Own(type(model)):
        def fit(self, X, y, **extra):
            return super().fit(X, y, **extra)

    Own(**model.get_params(deep=False)).fit(X, y, **extra)


def fit_in_a_pipeline(model, X, y, **extra):
    pipeline = Pipeline([("nothing", "passthrough"), ("net", model)])
    pipeline.fit(X, y, **{f"net__{name}": value for name, value in extra.items()})


@both
@pytest.mark.parametrize("how", [fit_directly, fit_a_subclass, fit_in_a_pipeline])
@pytest.mark.parametrize("name", WARNINGS)
def test_a_warning_points_at_the_line_of_the_user(cls, how, name, rng):
    settings, scale, message = WARNINGS[name]
    settings = {key: value() if callable(value) else value for key, value in settings.items()}
    X, y = draw(rng)
    extra = {} if scale is None else {"X_unlabeled": scale * rng.normal(size=(60, 3))}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        how(plain(cls, **settings), X, y, **extra)
    files = [warning.filename for warning in caught if message in str(warning.message)]
    assert files == [__file__]


# -------------------------------------------------------------------- numbers of any magnitude


@both_solvers
@pytest.mark.parametrize("exponent", [130, 400, 664])
def test_float32_rows_and_targets_beyond_float32(solver, exponent, rng):
    """Up to 1e200. A power of two, by which rounding does not change."""
    X, _ = draw(rng)
    X = X.astype(np.float32)
    y = 2.0 + X[:, :2].astype(np.float64) @ [[1.0, 0.3], [0.5, -0.2]]
    model = plain(C2CRegressor, solver=solver, max_iter=40)
    for scale in (2.0**exponent, np.array([1.0, 2.0**exponent])):
        usual = clone(model).fit(X, y).predict(X)
        predicted = clone(model).fit(X, scale * y).predict(X)
        assert np.isfinite(predicted).all()
        assert_allclose(predicted / scale, usual, rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------- identity of arrays


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("hidden", [(), (7,), (6, 5)], ids=str)
def test_a_linearization_is_not_used_after_a_change_of_theta_in_place(hidden, dtype, rng):
    """Adam changes theta in place: that it is the same array says nothing of its values."""
    network = Network((3, *hidden, 2), "tanh")
    X = rng.normal(size=(20, 3)).astype(dtype)
    theta = network.initialize(rng, dtype)
    linearization = network.linearize(theta, X[:12])
    theta -= 0.5
    found = network.forward(theta, X, linearization)
    assert_array_equal(found, network.forward(theta.copy(), X))
