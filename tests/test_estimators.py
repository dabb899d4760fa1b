"""What classifier and regressor share: parameters, data, randomness, stopping, storing."""

import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN, run_in_threads
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skc2c import C2C, VAT, C2CClassifier, C2CRegressor, Noise
from skc2c.estimators import assembly
from skc2c.inspection import penalty_value
from skc2c.objective import Objective
from skc2c.penalties import PENALTIES
from skc2c.solvers import SOLVERS, Monitor

BOTH = [C2CClassifier, C2CRegressor]
both = pytest.mark.parametrize("cls", BOTH)
each_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=str)
each_solver = pytest.mark.parametrize("solver", SOLVERS)


def draw(cls, n=80, D=4):
    make = make_classification if cls is C2CClassifier else make_regression
    kind = {"n_redundant": 0} if cls is C2CClassifier else {"noise": 5.0}
    X, y = make(n_samples=n, n_features=D, random_state=0, **kind)
    return StandardScaler().fit_transform(X), y


def quick(cls, **parameters):
    """One small network on the rows as they are."""
    small = {"hidden_layer_sizes": (8,), "max_iter": 15, "random_state": 0}
    return cls(**PLAIN | small | parameters)


def state(estimator):
    return [*estimator.coefs_, *estimator.intercepts_, np.array(estimator.loss_curve_)]


def assert_same_fit(a, b):
    for left, right in zip(state(a), state(b), strict=True):
        assert_array_equal(left, right)


# ------------------------------------------------------------------------- randomness


@both
@each_penalty
@each_solver
def test_same_random_state_same_result(cls, penalty, solver):
    X, y = draw(cls)
    estimator = quick(cls, penalty=penalty, solver=solver)
    first = clone(estimator).fit(X, y)
    assert_same_fit(first, clone(estimator).fit(X, y))
    assert_same_fit(first, estimator.fit(X, y).fit(X, y))
    other = clone(estimator).set_params(random_state=1).fit(X, y)
    assert (other.coefs_[0] != first.coefs_[0]).any()


@both
def test_same_random_state_same_result_in_another_process(cls):
    X, y = draw(cls)
    here = quick(cls, penalty="vat").fit(X, y)
    script = (
        "import pickle, sys; estimator, X, y = pickle.load(sys.stdin.buffer);"
        "pickle.dump(estimator.fit(X, y), sys.stdout.buffer)"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    out = subprocess.run(
        command, input=pickle.dumps((clone(here), X, y)), stdout=subprocess.PIPE, check=True
    )
    assert_same_fit(here, pickle.loads(out.stdout))


@both
@each_penalty
@each_solver
def test_fits_in_threads_equal_fits_in_sequence(cls, penalty, solver):
    X, y = draw(cls)
    estimators = [
        quick(cls, penalty=penalty, solver=solver, random_state=seed, hidden_layer_sizes=(8, 6))
        for seed in (1, 2)
    ]
    in_sequence = [clone(estimator).fit(X, y) for estimator in estimators]
    run_in_threads(*(lambda e=estimator: e.fit(X, y) for estimator in estimators))
    for left, right in zip(in_sequence, estimators, strict=True):
        assert_same_fit(left, right)


@both
@each_solver
@pytest.mark.parametrize("random_state", [None, 0])
def test_fit_changes_nothing_but_the_estimator(cls, solver, random_state):
    X, y = draw(cls)
    weight = np.arange(80.0)
    hidden, epsilon = [8], np.array([0.1, 0.0, 0.2, 0.3])
    copies = [array.copy() for array in (X, y, weight, epsilon)]
    estimator = quick(
        cls,
        solver=solver,
        random_state=random_state,
        epsilon=epsilon,
        hidden_layer_sizes=hidden,
        early_stopping=True,
    )
    parameters = dict(estimator.get_params())
    before = np.random.get_state()
    estimator.fit(X, y, weight).predict(X)
    after = np.random.get_state()
    assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]
    for name, value in estimator.get_params().items():
        assert value is parameters[name], name
    for array, copy in zip((X, y, weight, epsilon), copies, strict=True):
        assert_array_equal(array, copy)


def test_random_state_instance_is_advanced():
    X, y = draw(C2CClassifier)
    draws = np.random.RandomState(0)
    first, second = (quick(C2CClassifier, random_state=draws).fit(X, y) for _ in range(2))
    assert (first.coefs_[0] != second.coefs_[0]).any()


@both
@each_penalty
def test_lbfgs_does_not_depend_on_the_order_or_repetition_of_rows(cls, penalty, rng):
    X, y = draw(cls)
    weight = rng.integers(0, 4, size=80)
    repeated = rng.permutation(np.repeat(np.arange(80), weight))
    estimator = quick(cls, penalty=penalty, solver="lbfgs", max_iter=200)
    weighted = clone(estimator).fit(X, y, weight)
    assert_same_fit(weighted, clone(estimator).fit(X[repeated], y[repeated]))


# -------------------------------------------------------------------------- house-keeping


@both
@each_penalty
def test_pickle_and_joblib_keep_the_fitted_model(cls, penalty, tmp_path):
    X, y = draw(cls)
    estimator = quick(cls, penalty=penalty).fit(X, y)
    joblib.dump(estimator, tmp_path / "model.joblib")
    for copy in (pickle.loads(pickle.dumps(estimator)), joblib.load(tmp_path / "model.joblib")):
        assert_array_equal(copy.predict(X), estimator.predict(X))
        assert_same_fit(copy, estimator)


def leaves(value):
    """What lists and dictionaries hold, however deep."""
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value)
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


@both
@each_solver
@pytest.mark.parametrize("settings", [{"early_stopping": True}, {"cv": 2}], ids=str)
def test_fitted_attributes_are_plain(cls, solver, settings):
    """Arrays, numbers and strings only: nothing of autograd, no functions."""
    X, y = draw(cls)
    estimator = quick(cls, solver=solver, **settings).fit(X, y)
    for name, value in vars(estimator).items():
        if name not in estimator.get_params(deep=False):
            for leaf in leaves(value):
                assert isinstance(leaf, (np.ndarray, np.generic, int, float, str, type(None))), name


@both
def test_pandas_keeps_feature_names(cls):
    X, y = draw(cls)
    frame = pd.DataFrame(X, columns=list("abcd"))
    estimator = quick(cls).fit(frame, pd.Series(y))
    assert list(estimator.feature_names_in_) == list("abcd")
    assert_array_equal(estimator.predict(frame), quick(cls).fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        estimator.predict(frame[list("badc")])


@both
@each_solver
@each_penalty
def test_sparse_rows_give_the_dense_result(cls, penalty, solver):
    X, y = draw(cls)
    X = np.where(X > 0, X, 0.0)
    dense = quick(cls, penalty=penalty, solver=solver, early_stopping=True).fit(X, y)
    matrix = sparse.csr_array(X)
    fitted = clone(dense).fit(matrix, y)
    assert_allclose(fitted.coefs_[0], dense.coefs_[0], rtol=1e-4, atol=1e-6)
    assert_allclose(fitted.predict(matrix), fitted.predict(X))


@both
def test_grid_search_over_everything_inside_a_pipeline(cls):
    X, y = draw(cls)
    name = cls.__name__.lower()
    grid = {
        f"{name}__penalty": list(PENALTIES),
        f"{name}__alpha": [0.1, 1.0],
        f"{name}__epsilon": [0.1, 0.5],
    }
    pipeline = make_pipeline(StandardScaler(), quick(cls))
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2, error_score="raise").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(search.cv_results_["params"]) == 4 * len(PENALTIES)
    scores = cross_val_score(pipeline, X, y, cv=3, n_jobs=2)
    assert_array_equal(scores, cross_val_score(pipeline, X, y, cv=3))


def test_penalty_objects_have_parameters_of_their_own_in_a_grid():
    X, y = draw(C2CClassifier)
    grid = {"penalty__space": ["link", "response"], "penalty__perturbation": ["adversarial"]}
    search = GridSearchCV(quick(C2CClassifier, penalty=C2C()), grid, cv=2).fit(X, y)
    assert search.best_params_["penalty__perturbation"] == "adversarial"
    assert search.estimator.penalty.perturbation == "random"


@both
@each_penalty
def test_a_name_of_a_penalty_stands_for_the_default_object(cls, penalty):
    X, y = draw(cls)
    named, object_ = (quick(cls, penalty=p).fit(X, y) for p in (penalty, PENALTIES[penalty]()))
    assert_same_fit(named, object_)


@both
@each_solver
def test_a_name_of_a_solver_stands_for_the_default_object(cls, solver):
    X, y = draw(cls)
    named, object_ = (quick(cls, solver=s).fit(X, y) for s in (solver, SOLVERS[solver]()))
    assert_same_fit(named, object_)


# ------------------------------------------------------------------- the meaning of things


def as_ours(mlp, ours, X, y):
    """Our estimator with the parameters of a fitted MLP."""
    ours.fit(X, y)
    ours.coefs_, ours.intercepts_ = mlp.coefs_, mlp.intercepts_
    return ours


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_same_parameters_same_predictions_as_scikit_learn(activation):
    X, y = draw(C2CClassifier)
    labels = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
    multilabel = (X[:, :3] > 0).astype(int)
    settings = {"hidden_layer_sizes": (6, 5), "activation": activation, "max_iter": 5}
    for target in (y, labels, multilabel):
        mlp = MLPClassifier(**settings, random_state=0).fit(X, target)
        ours = as_ours(mlp, C2CClassifier(**PLAIN | settings), X, target)
        assert ours.out_activation_ == mlp.out_activation_
        assert_allclose(ours.predict_proba(X), mlp.predict_proba(X), rtol=1e-6)
        assert_allclose(ours.predict_log_proba(X), mlp.predict_log_proba(X), rtol=1e-6)
        assert_array_equal(ours.predict(X), mlp.predict(X))
    for target in (X[:, 0], X[:, :2]):
        mlp = MLPRegressor(**settings, random_state=0).fit(X, target)
        assert_allclose(
            as_ours(mlp, C2CRegressor(**PLAIN | settings), X, target).predict(X), mlp.predict(X)
        )


@both
def test_attributes_of_scikit_learns_mlp_are_there(cls):
    X, y = draw(cls)
    mlp = (MLPClassifier if cls is C2CClassifier else MLPRegressor)(
        hidden_layer_sizes=(8,), max_iter=15
    ).fit(X, y)
    ours = quick(cls).fit(X, y)
    for name in vars(mlp):
        if name.endswith("_") and not name.startswith("_"):
            assert hasattr(ours, name), name
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_"):
        assert getattr(ours, name) == getattr(mlp, name), name


@both
@each_solver
def test_alpha_zero_is_no_penalty(cls, solver):
    X, y = draw(cls)
    plain = quick(cls, penalty=None, solver=solver).fit(X, y)
    for penalty in ("jacobian", "c2c", "vat"):
        fitted = quick(cls, penalty=penalty, alpha=0.0, solver=solver).fit(X, y)
        assert_allclose(fitted.coefs_[0], plain.coefs_[0], rtol=1e-3, atol=1e-5)


@both
@each_solver
@pytest.mark.parametrize("penalty", ["c2c", "jacobian", "vat"])
def test_more_alpha_is_smoother(cls, solver, penalty):
    X, y = draw(cls)
    values = []
    for alpha in (0.0, 0.1, 10.0):
        estimator = quick(
            cls, penalty=penalty, alpha=alpha, epsilon=0.5, solver=solver, max_iter=200
        )
        values.append(penalty_value(estimator.fit(X, y), X, "jacobian", 1.0))
    assert values[0] > values[1] > values[2]


@both
@pytest.mark.parametrize("X_dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", ["auto", "float32", "float64"])
@each_solver
def test_dtype_of_attributes_and_predictions_is_that_of_X(cls, solver, dtype, X_dtype):
    X, y = draw(cls)
    estimator = quick(cls, solver=solver, dtype=dtype).fit(X.astype(X_dtype), y)
    for array in (*estimator.coefs_, *estimator.intercepts_):
        assert array.dtype == X_dtype
    predict = estimator.predict if cls is C2CRegressor else estimator.predict_proba
    assert predict(X.astype(X_dtype)).dtype == X_dtype


def noting_dtypes(method, seen):
    def noted(self, theta, *args, **kwargs):
        value, gradient = method(self, theta, *args, **kwargs)
        seen.add((theta.dtype.name, gradient.dtype.name))
        return value, gradient

    return noted


@both
@each_solver
@each_penalty
def test_training_dtype_is_that_of_the_solver(cls, solver, penalty, monkeypatch):
    """float32 for Adam and float64 for L-BFGS."""
    assert (SOLVERS["adam"].dtype, SOLVERS["lbfgs"].dtype) == ("float32", "float64")
    X, y = draw(cls)
    seen, expected = set(), SOLVERS[solver].dtype
    for name in ("on_batch", "on_all_rows"):
        monkeypatch.setattr(Objective, name, noting_dtypes(getattr(Objective, name), seen))
    quick(cls, penalty=penalty, solver=solver, epsilon=[0.1, 0.2, 0.0, 0.3]).fit(X, y)
    assert seen == {(expected, expected)}


@both
@each_solver
def test_no_hidden_layer_is_a_linear_model(cls, solver):
    X, y = draw(cls)
    estimator = quick(cls, hidden_layer_sizes=(), solver=solver).fit(X, y)
    assert [coef.shape for coef in estimator.coefs_] == [(4, 1)]
    assert estimator.n_layers_ == 2


@both
def test_hidden_layer_sizes_may_be_an_int_or_any_sequence(cls):
    X, y = draw(cls)
    for sizes, shape in ((5, (4, 5)), ([5], (4, 5)), (np.array([5, 3]), (4, 5))):
        assert quick(cls, hidden_layer_sizes=sizes).fit(X, y).coefs_[0].shape == shape


@both
def test_activation_of_a_fitted_model_does_not_change_with_the_parameter(cls):
    X, y = draw(cls)
    estimator = quick(cls, activation="tanh").fit(X, y)
    before = estimator.predict(X)
    assert_array_equal(estimator.set_params(activation="relu").predict(X), before)


@both
def test_numpy_scalars_in_a_grid_are_plain_numbers(cls):
    """np.logspace gives float64 scalars, which would widen float32."""
    X, y = draw(cls)
    for penalty in PENALTIES:
        plain = quick(cls, penalty=penalty, alpha=0.1, l2=0.5, epsilon=0.2).fit(X, y)
        scalars = {"alpha": np.float64(0.1), "l2": np.float64(0.5), "epsilon": np.float64(0.2)}
        assert_same_fit(plain, quick(cls, penalty=penalty, **scalars).fit(X, y))


@both
@each_solver
def test_csr_with_duplicate_entries_is_the_sum_of_them(cls, solver):
    X, y = draw(cls)
    rows, columns = np.indices(X.shape).reshape(2, -1)
    halves = np.concatenate([X.ravel() / 2] * 2)
    pairs = sparse.coo_array((halves, (np.tile(rows, 2), np.tile(columns, 2))), X.shape)
    doubled = sparse.csr_array(
        (
            halves.reshape(2, 80, 4).transpose(1, 0, 2).ravel(),
            np.tile(np.arange(4), 160),
            np.arange(0, 641, 8),
        ),
        X.shape,
    )
    stored = doubled.data.copy()
    dense = quick(cls, solver=solver).fit(X, y)
    for matrix in (pairs, doubled):
        assert_allclose(quick(cls, solver=solver).fit(matrix, y).coefs_[0], dense.coefs_[0])
    assert_array_equal(doubled.data, stored)


@both
def test_subclass_with_parameters_of_its_own(cls):
    class Narrow(cls):
        def __init__(self, width=5, alpha=0.5):
            super().__init__((width,), **PLAIN | {"alpha": alpha, "max_iter": 5})
            self.width = width

    X, y = draw(cls)
    fitted = Narrow(width=3).fit(X, y)
    assert fitted.coefs_[0].shape == (4, 3)
    assert fitted.get_params() == {"width": 3, "alpha": 0.5}


@both
@pytest.mark.parametrize("penalty", [C2C("adversarial"), VAT(), Noise("adversarial")], ids=str)
def test_lbfgs_does_as_well_as_adam_on_adversarial_penalties(cls, penalty):
    """With a direction that follows theta in the line search it does much worse."""
    X, y = draw(cls)
    settings = {
        "penalty": penalty,
        "alpha": 1.0,
        "epsilon": 1.0,
        "activation": "tanh",
        "dtype": "float64",
        "batch_size": 80,
    }
    ours = quick(cls, solver="lbfgs", max_iter=1000, **settings).fit(X, y)
    adam = quick(cls, max_iter=2000, tol=0.0, learning_rate_init=0.01, **settings).fit(X, y)
    assert ours.loss_ < 1.03 * np.mean(adam.loss_curve_[-50:])


# ------------------------------------------------------------------------- when to stop


@both
@each_solver
def test_early_stopping_keeps_the_best_model(cls, solver):
    X, y = draw(cls, n=200)
    estimator = quick(
        cls,
        solver=solver,
        early_stopping=True,
        n_iter_no_change=3,
        max_iter=500,
        penalty=None,
        learning_rate_init=0.01,
    ).fit(X, y)
    assert estimator.n_iter_ < 500
    assert estimator.best_validation_score_ == max(estimator.validation_scores_)
    assert len(estimator.validation_scores_) == estimator.n_iter_
    again = clone(estimator).set_params(
        max_iter=int(np.argmax(estimator.validation_scores_)) + 1, n_iter_no_change=500
    )
    assert_array_equal(again.fit(X, y).coefs_[0], estimator.coefs_[0])


def held_out_rows(monkeypatch):
    """A list to which the next fit adds which rows it holds out, and which it keeps."""
    rows, split = [], assembly.train_test_split

    def spy(*args, **kwargs):
        rows[:] = split(*args, **kwargs)[::-1]
        return rows[::-1]

    monkeypatch.setattr(assembly, "train_test_split", spy)
    return rows


@both
@each_solver
def test_validation_score_is_minus_the_loss_of_the_held_out_rows(cls, solver, monkeypatch):
    X, y = draw(cls, n=200)
    rows = held_out_rows(monkeypatch)
    weight = np.linspace(1, 2, 200)
    settings = {"solver": solver, "early_stopping": True, "validation_fraction": 0.25}
    estimator = quick(cls, **settings).fit(X, y, weight)
    held_out, kept = rows
    assert len(held_out) == 50
    if cls is C2CClassifier:
        proba = estimator.predict_proba(X[held_out])
        loss = log_loss(y[held_out], proba, sample_weight=weight[held_out])
    else:
        # In training y is standardised by the rows that are kept.
        mean = np.average(y[kept], weights=weight[kept])
        variance = np.average((y[kept] - mean) ** 2, weights=weight[kept])
        squares = (y[held_out] - estimator.predict(X[held_out])) ** 2 / variance
        loss = 0.5 * np.average(squares, weights=weight[held_out])
    assert_allclose(estimator.best_validation_score_, -loss, rtol=1e-5)


@both
@pytest.mark.parametrize("kind", ["name", "callable"])
def test_validation_score_is_that_of_a_scorer(cls, kind, monkeypatch):
    X, y = draw(cls, n=200)
    rows = held_out_rows(monkeypatch)
    names = {C2CClassifier: "balanced_accuracy", C2CRegressor: "neg_mean_absolute_error"}
    scoring = names[cls] if kind == "name" else get_scorer(names[cls])
    settings = {"early_stopping": True, "validation_fraction": 0.25, "scoring": scoring}
    estimator = quick(cls, **settings).fit(X, y)
    score = get_scorer(names[cls])(estimator, X[rows[0]], y[rows[0]])
    assert_allclose(estimator.best_validation_score_, score, rtol=1e-5)


@both
@each_solver
def test_warm_start_goes_on_from_where_it_was(cls, solver):
    X, y = draw(cls)
    estimator = quick(cls, warm_start=True, solver=solver, penalty="jacobian", max_iter=5)
    losses = [estimator.fit(X, y).loss_ for _ in range(3)]
    assert losses[2] < losses[0]
    cold = quick(cls, solver=solver, penalty="jacobian", max_iter=5).fit(X, y)
    assert losses[0] == cold.loss_
    assert estimator.loss_curve_[:5] == cold.loss_curve_
    assert estimator.loss_curve_[5] < cold.loss_curve_[0]


@both
def test_warm_start_needs_the_same_network(cls):
    X, y = draw(cls)
    estimator = quick(cls, warm_start=True).fit(X, y)
    before = estimator.predict(X)
    with pytest.raises(ValueError, match="warm_start=True needs the network"):
        estimator.set_params(hidden_layer_sizes=(9,)).fit(X, y)
    with pytest.raises(ValueError, match="features"):
        estimator.set_params(hidden_layer_sizes=(8,)).fit(X[:, :3], y)
    assert_array_equal(estimator.predict(X), before)


@both
@each_solver
def test_verbose_prints(cls, solver, capsys):
    X, y = draw(cls)
    estimator = quick(cls, solver=solver, verbose=True, early_stopping=True, max_iter=2).fit(X, y)
    out = capsys.readouterr().out
    assert f"Iteration 2, loss = {estimator.loss_curve_[1]:.8f}" in out
    assert "Validation score" in out
    quick(cls, solver=solver, max_iter=2).fit(X, y)
    assert capsys.readouterr().out == ""


@both
@each_solver
def test_unfinished_fit_warns_of_it(cls, solver):
    X, y = draw(cls)
    with pytest.warns(ConvergenceWarning, match=rf"solver='{solver}'.*max_iter=2") as record:
        quick(cls, solver=solver, max_iter=2).fit(X, y)
    assert record[0].filename == __file__


@both
@each_solver
def test_ctrl_c_warns_and_leaves_a_usable_model(cls, solver, monkeypatch):
    X, y = draw(cls)
    note = Monitor.__call__

    def interrupt(self, theta, loss):
        note(self, theta, loss)
        if len(self.loss_curve) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(Monitor, "__call__", interrupt)
    estimator = quick(cls, solver=solver)
    with pytest.warns(UserWarning, match="interrupted by user"):
        estimator.fit(X, y)
    assert estimator.n_iter_ == 4
    assert np.isfinite(estimator.predict(X).astype(float)).all()


# ---------------------------------------------------------------------------- bad input

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
@pytest.mark.parametrize(("parameters", "message"), BAD_PARAMETERS, ids=str)
def test_bad_parameters_are_named_with_their_value(cls, parameters, message):
    X, y = draw(cls)
    assert_refused_and_unchanged(quick(cls, **parameters), (X, y), message, X, y)


@both
@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_is_refused(cls, name):
    X, y = draw(cls)
    make, message = BAD_DATA[name]
    assert_refused_and_unchanged(quick(cls), make(X, y), message, X, y)


@both
def test_unfitted_and_ill_shaped_use_is_refused(cls):
    X, y = draw(cls)
    with pytest.raises(NotFittedError):
        quick(cls).predict(X)
    with pytest.raises(ValueError, match="4 features"):
        quick(cls).fit(X, y).predict(X[:, :2])


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
@each_solver
@pytest.mark.parametrize("size", [1e-50, 1e50])
def test_only_the_relative_size_of_weights_matters_without_l2(cls, solver, size):
    X, y = draw(cls)
    estimator = quick(cls, solver=solver, l2=0.0)
    usual = clone(estimator).fit(X, y, np.linspace(1, 2, 80))
    scaled = clone(estimator).fit(X, y, size * np.linspace(1, 2, 80))
    assert_allclose(scaled.predict(X), usual.predict(X), rtol=1e-3)


@both
def test_large_batch_is_clipped_with_a_warning(cls):
    X, y = draw(cls)
    with pytest.warns(UserWarning, match="batch_size=1000.*80") as record:
        quick(cls, batch_size=1000).fit(X, y)
    assert record[0].filename == __file__
