"""What a fit of several networks hands to the user: one function, its parameters and choices."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from tuned import (
    TASKS,
    adjusted,
    draw,
    in_front,
    link,
    make,
    mean_by_hand,
    mlp,
    probabilities,
    spy_on_cross_fit,
    squashed,
    standardization,
)

from skc2c import C2C, VAT, C2CClassifier, Jacobian, Ladder, Noise
from skc2c.inspection import (
    adversarial_perturbation,
    fisher_information,
    jacobian,
    penalty_value,
)
from skc2c.network.fourier_features import FourierFeatures
from skc2c.network.piecewise_linear import PiecewiseLinear
from skc2c.solvers import Adam

each_task = pytest.mark.parametrize("task", TASKS)
each_depth = pytest.mark.parametrize("hidden", [(), (8,), (6, 5)], ids=str)

# With 'auto' the networks in the mean may be of both kinds.
EMBEDDINGS = (None, "fourier", "piecewise_linear", "auto")


def fit(task, **changes):
    X, y = draw(task)
    return X, y, make(task, **changes).fit(X, y)


# ------------------------------------------------------------------------------- the function


@each_task
@each_depth
def test_the_function_is_the_weighted_mean_of_the_networks(task, hidden, monkeypatch):
    seen = spy_on_cross_fit(monkeypatch)
    X, y, estimator = fit(task, hidden_layer_sizes=hidden)
    ((plan, found),) = seen
    assert found.weights.sum() == pytest.approx(1.0)
    X_test, _ = draw(task, seed=1)
    h = adjusted(estimator, mean_by_hand(plan, found, squashed(X_test, X)))
    if task.startswith("real"):
        center, scale = standardization(y)
        h = center + scale * h
    assert_allclose(link(estimator, X_test), h, rtol=1e-5, atol=1e-5 * np.abs(h).max())
    if not task.startswith("real"):
        assert_allclose(estimator.predict_proba(X_test), probabilities(task, h), atol=1e-5)


@each_depth
@pytest.mark.parametrize("embedding", EMBEDDINGS)
@pytest.mark.parametrize("task", ["multiclass", "reals"])
def test_coefs_and_intercepts_are_those_of_one_mlp(task, embedding, hidden):
    X, _, estimator = fit(task, hidden_layer_sizes=hidden, numeric_embedding=embedding, cv=3)
    h = mlp(estimator.coefs_, estimator.intercepts_, "relu", in_front(estimator, X))
    assert_allclose(link(estimator, X), h, rtol=1e-10, atol=1e-10)
    units = [units * estimator.n_networks_ for units in hidden]
    assert [coef.shape[1] for coef in estimator.coefs_[:-1]] == units
    assert estimator.n_layers_ == len(hidden) + 2


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_mean_of_networks_with_and_without_embedding(solver, monkeypatch):
    """The kernels of a network have zeros where embeddings are not its own."""

    def of_all(found):
        return found._replace(weights=np.full(len(found.ends), 1 / len(found.ends)))

    seen = spy_on_cross_fit(monkeypatch, of_all)
    X, y, estimator = fit("real", solver=solver)
    ((plan, found),) = seen
    kinds = {tuple(map(type, end.candidate.front)) for end in found.ends}
    assert kinds == {(), (PiecewiseLinear,), (FourierFeatures,)}
    center, scale = standardization(y)
    h = center + scale * adjusted(estimator, mean_by_hand(plan, found, squashed(X, X)))
    assert_allclose(estimator.predict(X), h[:, 0], rtol=1e-5)
    assert estimator.n_networks_ == len(plan.folds) * len(found.ends)


@each_task
def test_pickle_keeps_the_function(task):
    X, _, estimator = fit(task)
    assert_array_equal(pickle.loads(pickle.dumps(estimator)).predict(X), estimator.predict(X))


@each_task
def test_float32_rows(task):
    X, y = draw(task)
    estimator = make(task).fit(X.astype(np.float32), y)
    assert {part.dtype for part in (*estimator.coefs_, *estimator.intercepts_)} == {
        np.dtype(np.float32)
    }
    h = link(estimator, X.astype(np.float32))
    assert h.dtype == np.float32
    assert_allclose(h, link(make(task).fit(X, y), X), rtol=0.02, atol=0.02 * np.abs(h).max())


@pytest.mark.parametrize("task", ["binary", "real"])
def test_unscaled_sparse_rows_give_the_result_of_dense_ones(task):
    X, y = draw(task)
    X = np.where(np.median(X, axis=0) < X, X / X.std(axis=0), 0.0)
    settings = {"input_scaling": None, "numeric_embedding": None, "normalization": None}
    dense = make(task, **settings).fit(X, y)
    thin = make(task, **settings).fit(sparse.csr_matrix(X), y)
    assert_allclose(link(thin, X), link(dense, X), rtol=1e-3)
    assert_allclose(thin.epsilon_, dense.epsilon_)


def test_scaled_sparse_rows_keep_their_zeros():
    X, y = draw("binary")
    X = np.where(np.median(X, axis=0) < X, X, 0.0)
    estimator = make("binary").fit(sparse.csr_matrix(X), y)
    assert_array_equal(estimator.input_center_, 0.0)
    assert_allclose(estimator.input_scale_, 1 / np.abs(X).max(axis=0))
    assert estimator.embedding_columns_ is None
    h = estimator.decision_function(sparse.csr_matrix(X))
    assert_allclose(estimator.decision_function(X), h, rtol=1e-9, atol=1e-9)


# --------------------------------------------------------------------------------- inspection


@each_task
@each_depth
def test_jacobian_is_with_respect_to_raw_rows(task, hidden):
    X, _, estimator = fit(task, hidden_layer_sizes=hidden, activation="tanh")
    numeric = []
    for d, unit in enumerate(X.std(axis=0)):
        step = np.zeros(X.shape[1])
        step[d] = 1e-5 * unit
        numeric.append((link(estimator, X + step) - link(estimator, X - step)) / (2 * step[d]))
    numeric = np.stack(numeric, axis=-1)
    scale = np.abs(numeric).max(axis=(0, 1))
    assert_allclose(jacobian(estimator, X) / scale, numeric / scale, atol=1e-6)


@each_task
def test_inspection_of_several_networks(task):
    X, y = draw(task)
    estimator = make(task, penalty="ladder", alpha=0.1).fit(X, y)
    J, information = jacobian(estimator, X), fisher_information(estimator, X)
    if task.startswith("real"):
        assert_allclose(information, np.einsum("nkd,nke->nde", J, J))
    assert_allclose(information, np.swapaxes(information, 1, 2))
    dx = adversarial_perturbation(estimator, X, 0.01 * X.std(axis=0), random_state=0)
    assert_allclose(np.linalg.norm(dx / X.std(axis=0), axis=1), 0.01)
    exact = penalty_value(estimator, X, "jacobian", 1e-6 * X.std(axis=0))
    assert_allclose(exact, ((J * 1e-6 * X.std(axis=0)) ** 2).sum(axis=(1, 2)).mean())
    for penalty in ("c2c", "vat", "ladder"):
        assert penalty_value(estimator, X, penalty, 0.01 * X.std(axis=0), random_state=0) > 0
    # A denoiser for each network; a denoiser of none is the identity.
    assert estimator.penalty_parameters_.size % estimator.n_networks_ == 0


# ------------------------------------------------------------------------------ alpha, epsilon


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_alpha_is_chosen_where_the_penalty_clearly_helps(solver, seed):
    """Few rows and many columns, as much noise as signal."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 10))
    y = X[:, 0] + rng.normal(size=60)
    changes = {"numeric_embedding": None, "max_iter": 200, "l2": 0.0, "learning_rate_init": 0.1}
    changes |= {"penalty": "jacobian", "epsilon": 1.0, "solver": solver, "random_state": seed}
    changes |= {"normalization": None}  # the same networks with and without the penalty
    estimator, plain = (make("real", alpha=alpha, **changes).fit(X, y) for alpha in ("auto", 0.0))
    assert estimator.alpha_ > 0
    assert estimator.oob_score_ > plain.oob_score_


@pytest.mark.parametrize("seed", range(3))
def test_alpha_is_zero_where_the_penalty_clearly_hurts(seed):
    """A function that changes sign within the radius, without noise."""
    x = np.linspace(-1, 1, 200)[:, None]
    y = np.sign(np.sin(12 * x[:, 0]))
    changes = {"epsilon": 2.0, "max_iter": 60, "learning_rate_init": 0.05, "random_state": seed}
    estimator = make("real", **changes).fit(x, y)
    assert estimator.alpha_ == 0.0
    assert estimator.score(x, y) > 0.5


@pytest.mark.parametrize("alpha", [0, 0.05, np.float32(0.25)])
def test_a_number_is_used_as_it_is(alpha, monkeypatch):
    seen = spy_on_cross_fit(monkeypatch)
    *_, estimator = fit("real", alpha=alpha)
    assert estimator.alpha_ == alpha
    assert {candidate.alpha for candidate in seen[0][0].candidates} == {float(alpha)}


@pytest.mark.parametrize("penalty", ["c2c", "jacobian", "vat", "ladder", "noise", None])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("task", ["multiclass", "real"])
def test_every_penalty_with_both_solvers(task, penalty, solver):
    *_, estimator = fit(task, penalty=penalty, solver=solver)
    assert estimator.alpha_ in ((0.0,) if penalty is None else (0.0, 0.1))
    assert estimator.oob_score_ > 0.3 or solver == "adam"
    assert len(estimator.loss_curve_) == estimator.n_iter_ <= 5


RANDOM = [C2C(), Jacobian(), VAT("random"), Ladder(), Noise()]
ADVERSARIAL = [C2C("adversarial"), Jacobian("adversarial"), VAT(), Noise("adversarial")]


@pytest.mark.parametrize("penalty", [*RANDOM, *ADVERSARIAL], ids=str)
@pytest.mark.parametrize("input_scaling", ["robust", None])
def test_epsilon_of_the_scale_of_the_rows(penalty, input_scaling):
    X, _, estimator = fit("real", penalty=penalty, input_scaling=input_scaling, max_iter=1)
    length = 1.0 if input_scaling else np.sqrt(X.var(axis=0).mean())
    expected = length / np.sqrt(X.shape[1]) if penalty in RANDOM else length
    assert_allclose(estimator.epsilon_, expected)


@pytest.mark.parametrize("epsilon", [0.3, [0.1, 0.0, 2.0]], ids=str)
def test_epsilon_given_is_used_as_it_is(epsilon, monkeypatch):
    seen = spy_on_cross_fit(monkeypatch)
    *_, estimator = fit("binary", epsilon=epsilon)
    assert_array_equal(estimator.epsilon_, epsilon)
    assert_array_equal(seen[0][0].epsilon, epsilon)


@pytest.mark.parametrize("name", ["alpha", "epsilon", "max_iter", "cv", "input_scaling"])
def test_unknown_words_are_refused(name):
    X, y = draw("binary")
    with pytest.raises(ValueError, match=f"'{name}' parameter of C2CClassifier"):
        make("binary", **{name: "best"}).fit(X, y)


def test_a_solver_object_with_a_schedule_of_its_own():
    X, y = draw("binary")
    usual = make("binary").fit(X, y)
    assert_array_equal(make("binary", solver=Adam()).fit(X, y).coefs_[0], usual.coefs_[0])
    other = make("binary", solver=Adam(schedule="constant")).fit(X, y)
    assert isinstance(other, C2CClassifier)
    assert other.loss_curve_ != usual.loss_curve_
