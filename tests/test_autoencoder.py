"""The autoencoder, against PCA, plain numpy and differences of its public outputs."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from skc2c import C2C, C2CAutoencoder, Noise
from skc2c.inspection import jacobian, penalty_value
from skc2c.penalties import PENALTIES
from skc2c.solvers import SOLVERS, Adam

each_solver = pytest.mark.parametrize("solver", SOLVERS)
each_penalty = pytest.mark.parametrize("penalty", PENALTIES)


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


@pytest.fixture(scope="module")
def iris():
    return load_iris().data


def make(**parameters):
    settings = {"n_components": 2, "hidden_layer_sizes": (8,), "max_iter": 30, "random_state": 0}
    return C2CAutoencoder(**settings | parameters)


def fit_quietly(estimator, X):
    """L-BFGS that is stopped after a few steps says so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X)


# ------------------------------------------------------------------------------- against PCA


@pytest.mark.parametrize("width", [1, 2, 3])
def test_linear_autoencoder_reaches_the_error_of_pca(iris, width):
    """PCA is the best linear code: less is impossible, and L-BFGS gets within 1e-6 of it."""
    settings = {"penalty": None, "l2": 0.0, "solver": "lbfgs", "max_iter": 2000, "tol": 1e-7}
    X = 100.0 * iris + 1000.0  # whatever the units
    linear = make(n_components=width, hidden_layer_sizes=(), **settings).fit(X)
    pca = PCA(width).fit(X)
    error = mean_squared_error(X, pca.inverse_transform(pca.transform(X)))
    assert_allclose(linear.reconstruction_error(X).mean(), error, rtol=1e-6)


@pytest.mark.parametrize("width", [8, 16])
def test_code_is_a_better_input_of_a_classifier_than_scores_of_pca(digits, width):
    """With few epochs; docs/autoencoder.md has the defaults."""
    folds = StratifiedKFold(2, shuffle=True, random_state=0)
    scores = [
        cross_val_score(make_pipeline(model, LogisticRegression(max_iter=5000)), *digits, cv=folds)
        for model in (PCA(width), C2CAutoencoder(width, max_iter=40, random_state=0))
    ]
    assert scores[1].mean() > scores[0].mean() + 0.005


# ------------------------------------------------------------------------ what is minimised


def as_trained(estimator, X):
    """Rows and kernels in the units of training: centred, over the root mean variance."""
    unit = np.sqrt(X.var(axis=0).mean())
    coefs = [coef.astype(np.float64) for coef in estimator.coefs_]
    coefs[0], coefs[-1] = coefs[0] * unit, coefs[-1] / unit
    return (X - X.mean(axis=0)) / unit, coefs, unit


def decay(estimator, coefs, n):
    return estimator.l2 / (2 * n) * sum((coef**2).sum() for coef in coefs)


def test_objective_of_a_contractive_autoencoder_equals_one_by_differences(iris):
    """Loss, squared norm of the Jacobian of `transform` by differences, and decay."""
    settings = {"penalty": "jacobian", "alpha": 0.7, "epsilon": 0.5, "activation": "tanh"}
    model = fit_quietly(make(solver="lbfgs", **settings), iris)
    Z, coefs, unit = as_trained(model, iris)
    step = 1e-5
    J = np.stack(
        [
            (model.transform(iris + dx) - model.transform(iris - dx)) / (2 * step)
            for dx in step * np.eye(4)
        ],
        axis=2,
    )
    roughness = (0.5**2 * J**2).sum(axis=(1, 2)).mean()
    assert_allclose(jacobian(model, iris), J, atol=1e-8)
    assert_allclose(penalty_value(model, iris, "jacobian", 0.5), roughness, rtol=1e-7)
    loss = 0.5 * 4 * model.reconstruction_error(iris).mean() / unit**2
    total = loss + 0.7 * roughness + decay(model, coefs, len(Z))
    assert_allclose(model.loss_, total, rtol=1e-6)


def test_objective_of_a_denoising_autoencoder_equals_one_in_numpy(iris):
    """Noisy rows in, clean rows out, with the noise that L-BFGS drew once and kept."""
    seen = {}

    class Watched(Noise):
        def probe(self, network, likelihood, theta, X, y, epsilon, rng):
            probe = super().probe(network, likelihood, theta, X, y, epsilon, rng)
            seen.update(noisy=probe.clean, clean=y, epsilon=epsilon)
            return probe

    settings = {"solver": "lbfgs", "max_iter": 3, "epsilon": 0.3, "activation": "tanh"}
    model = fit_quietly(make(penalty=Watched(), **settings), iris)
    Z, coefs, unit = as_trained(model, iris)
    noise = seen["noisy"] - seen["clean"]
    assert_allclose(np.sort(seen["clean"], axis=0), np.sort(np.unique(Z, axis=0), axis=0))
    assert_allclose(seen["epsilon"], 0.3 / unit)
    assert_allclose(noise.std(), 0.3 / unit, rtol=0.1)
    h = seen["noisy"]
    intercepts = [bias.astype(np.float64) for bias in model.intercepts_]
    intercepts[0] = intercepts[0] + iris.mean(axis=0) / unit @ coefs[0]
    intercepts[-1] = (intercepts[-1] - iris.mean(axis=0)) / unit
    for level, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True)):
        h = h @ coef + intercept
        h = np.tanh(h) if level in (0, 2) else h
    # iris repeats a row, which weighs two.
    distinct, counts = np.unique(Z.round(9), axis=0, return_counts=True)
    places = {tuple(row): count for row, count in zip(distinct, counts, strict=True)}
    weight = [places[tuple(row)] for row in seen["clean"].round(9)]
    loss = np.average(0.5 * ((h - seen["clean"]) ** 2).sum(axis=1), weights=weight)
    assert_allclose(model.loss_, loss + decay(model, coefs, len(iris)), rtol=1e-6)


@pytest.mark.parametrize("penalty", ["jacobian", "c2c"])
def test_stronger_penalties_contract_the_code(digits, penalty):
    """Relative to the spread of the code, which a penalty could lower by a smaller unit alone."""
    X = digits[0][:300]
    norms = []
    for alpha in (0.0, 3.0, 100.0):
        model = make(n_components=8, penalty=penalty, alpha=alpha, max_iter=80).fit(X)
        norms.append(
            penalty_value(model, X, "jacobian", 1.0) / model.transform(X).var(axis=0).sum()
        )
    assert norms[0] > 1.1 * norms[1] > 1.21 * norms[2]


def test_results_do_not_depend_on_the_unit_of_X(iris):
    model, other = make().fit(iris), make().fit(1000.0 * iris)
    assert_allclose(other.epsilon_, 1000.0 * model.epsilon_)
    assert_allclose(other.loss_, model.loss_, rtol=1e-3)
    error = model.reconstruction_error(iris).mean()
    assert_allclose(other.reconstruction_error(1000.0 * iris).mean(), 1e6 * error, rtol=1e-2)


def test_epsilon_is_in_units_of_X_and_may_differ_by_feature(iris):
    spread = np.sqrt(iris.var(axis=0).mean())
    assert_allclose(make(max_iter=1).fit(iris).epsilon_, spread / 2.0)  # 1 / sqrt(4 features)
    assert_allclose(make(max_iter=1, epsilon=0.3).fit(iris).epsilon_, 0.3)
    array = [0.1, 0.0, 0.2, 0.3]
    assert_allclose(make(max_iter=1, epsilon=array).fit(iris).epsilon_, array)
    with pytest.raises(ValueError, match="epsilon"):
        make(epsilon=[1.0, 2.0]).fit(iris)


# ------------------------------------------------------------------- the fitted transformer


@pytest.mark.parametrize("input_scaling", [None, "robust"])
def test_error_score_and_round_trip_agree(iris, input_scaling):
    model = make(input_scaling=input_scaling, n_components=3, max_iter=300).fit(iris)
    code = model.transform(iris)
    back = model.inverse_transform(code)
    error = model.reconstruction_error(iris)
    assert code.shape == (150, 3)
    assert back.shape == iris.shape
    assert error.shape == (150,)
    assert_allclose(model.score(iris), -error.mean())
    assert mean_squared_error(iris, back) < 0.1 * iris.var(axis=0).mean()
    if input_scaling is None:
        assert_allclose(error, ((iris - back) ** 2).mean(axis=1))


def test_error_with_a_scaling_is_that_of_scaled_rows(iris):
    """Centred at the median, over the interquartile range, clipped."""
    model = make(input_scaling="robust").fit(iris)
    z = (iris - model.input_center_) * model.input_scale_
    z /= np.sqrt(1.0 + (z / 3.0) ** 2)
    back = (model.inverse_transform(model.transform(iris)) - model.input_center_) * (
        model.input_scale_
    )
    back /= np.sqrt(1.0 + (back / 3.0) ** 2)
    assert_allclose(model.reconstruction_error(iris), ((z - back) ** 2).mean(axis=1), rtol=1e-6)


def test_strange_rows_have_large_errors(digits):
    X = digits[0][:600]
    model = make(n_components=8, hidden_layer_sizes=(50,), max_iter=150).fit(X)
    shuffled = np.random.default_rng(0).permuted(X, axis=1)
    assert np.median(model.reconstruction_error(shuffled)) > model.reconstruction_error(X).max()


def test_layers_are_mirrored_and_named_as_in_the_field(iris):
    model = make(hidden_layer_sizes=(7, 5), n_components=3).fit(iris)
    shapes = [(4, 7), (7, 5), (5, 3), (3, 5), (5, 7), (7, 4)]
    assert [coef.shape for coef in model.coefs_] == shapes
    assert [len(bias) for bias in model.intercepts_] == [7, 5, 3, 5, 7, 4]
    assert (model.n_components_, model.n_layers_, model.n_iter_) == (3, 7, 30)
    assert len(model.loss_curve_) == 30
    assert model.loss_curve_[-1] == model.loss_ <= 1.5 * model.best_loss_


def test_pandas_output_has_names(iris):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(iris, columns=list("abcd"))
    code = make().set_output(transform="pandas").fit_transform(frame)
    assert list(code.columns) == ["c2cautoencoder0", "c2cautoencoder1"]


@each_solver
@each_penalty
def test_float32_stays_float32(iris, solver, penalty):
    X = iris.astype(np.float32)
    model = fit_quietly(make(solver=solver, penalty=penalty, max_iter=3), X)
    assert {array.dtype for array in (*model.coefs_, *model.intercepts_)} == {np.dtype("f4")}
    code = model.transform(X)
    assert code.dtype == model.inverse_transform(code).dtype == np.float32
    assert model.reconstruction_error(X).dtype == np.float32


@each_solver
@each_penalty
def test_the_same_random_state_gives_the_same_fit(iris, solver, penalty):
    model = make(solver=solver, penalty=penalty, max_iter=5)
    codes = [fit_quietly(clone(model), iris).transform(iris) for _ in range(2)]
    assert_array_equal(*codes)
    other = fit_quietly(clone(model).set_params(random_state=1), iris)
    assert np.abs(other.transform(iris) - codes[0]).max() > 1e-3


@each_penalty
def test_lbfgs_does_not_depend_on_the_order_or_the_repetition_of_rows(iris, penalty):
    model = make(solver="lbfgs", penalty=penalty, max_iter=20, l2=0.0)  # l2 is over n
    shuffled = np.random.default_rng(0).permutation(np.concatenate([iris, iris]))
    codes = [fit_quietly(clone(model), X).transform(iris) for X in (iris, shuffled)]
    assert_array_equal(*codes)


def test_fitted_model_is_pickled(iris):
    model = make(input_scaling="robust").fit(iris)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.transform(iris), model.transform(iris))


def test_score_serves_a_grid_search(iris):
    search = GridSearchCV(make(l2=0.01, max_iter=200), {"n_components": [1, 3]}, cv=3).fit(iris)
    assert search.best_params_ == {"n_components": 3}


def test_constant_features_come_back(iris):
    X = np.column_stack([iris, np.full(len(iris), 7.0)])
    for input_scaling in (None, "robust"):
        model = make(input_scaling=input_scaling, max_iter=300).fit(X)
        assert_allclose(model.inverse_transform(model.transform(X))[:, 4], 7.0, atol=0.3)
    with np.errstate(all="raise"):
        assert np.isfinite(make().fit(np.full((5, 3), 2.0)).transform([[2.0, 2.0, 2.0]])).all()


# ------------------------------------------------------------------------------ refusals


def test_sparse_rows_are_refused(iris):
    with pytest.raises(TypeError, match="[Ss]parse"):
        make().fit(sparse.csr_matrix(iris))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"n_components": 0}, "n_components"),
        ({"hidden_layer_sizes": (3, -1)}, "hidden_layer_sizes"),
        ({"alpha": "auto"}, "alpha"),
        ({"penalty": "l1"}, "penalty"),
        ({"penalty": C2C(n_perturbations=0)}, "n_perturbations"),
        ({"learning_rate_init": 1e30}, "diverged"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_the_fit_of_before(iris, parameters, words):
    model = make().fit(iris)
    code = model.transform(iris)
    with pytest.raises(ValueError, match=words):
        model.set_params(**parameters).fit(iris[:, :3])
    assert_array_equal(model.transform(iris), code)


def test_codes_of_another_width_are_refused(iris):
    with pytest.raises(NotFittedError):
        make().inverse_transform(iris)
    with pytest.raises(ValueError, match="X has 4 features, but .* is expecting 2"):
        make().fit(iris).inverse_transform(iris)


def test_lbfgs_says_that_it_has_not_converged_and_adam_does_not(iris):
    with pytest.warns(ConvergenceWarning, match="Increase max_iter"):
        make(solver="lbfgs", max_iter=3).fit(iris)
    make(max_iter=3).fit(iris)


def test_a_schedule_of_ones_own_is_kept(iris):
    falling, constant = (
        make(solver=solver, max_iter=20).fit(iris) for solver in ("adam", Adam(schedule="constant"))
    )
    cosine = make(solver=Adam(schedule="cosine"), max_iter=20).fit(iris)
    assert falling.loss_curve_ == cosine.loss_curve_ != constant.loss_curve_
