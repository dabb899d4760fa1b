"""How a fit of several networks runs: determinism, its clock, interruption and divergence."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import ceil

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import in_pairs
from sklearn.base import clone
from threadpoolctl import threadpool_limits
from tuned import TASKS, N, assert_same_function, draw, make, spy_on_cross_fit

from skc2c import C2C, VAT, C2CRegressor
from skc2c.estimators import candidates, cross_assembly, training
from skc2c.fitting import runs

each_task = pytest.mark.parametrize("task", TASKS)
each_solver = pytest.mark.parametrize("solver", ["adam", "lbfgs"])

SHAPES = {
    "default": {},
    "folds that differ in size": {"cv": 7},
    "unlabelled rows": {"pool": True},
    "ladder": {"penalty": "ladder", "pool": True},
    "deep": {"hidden_layer_sizes": (6, 5), "penalty": VAT("random")},
    "one batch": {"batch_size": 60, "hidden_layer_sizes": (40,)},
}


def fit(task, solver, pool=False, **changes):
    X, y = draw(task)
    further = {"X_unlabeled": X[:20] + 0.1 * X.std(axis=0)} if pool else {}
    return make(task, solver=solver, **changes).fit(X, y, **further)


# -------------------------------------------------------------------------------- determinism


@each_solver
@each_task
def test_same_random_state_same_result(task, solver):
    first, second, other = (fit(task, solver, max_iter=3, random_state=seed) for seed in (0, 0, 1))
    assert_same_function(first, second)
    assert first.oob_score_ == second.oob_score_
    assert not np.array_equal(first.intercepts_[-1], other.intercepts_[-1])


# How a product is shared depends on sizes, which are those of the shape, and of the batches of a
# solver; the task only decides on the loss, behind all products.
@pytest.mark.parametrize(
    ("task", "shape", "solver"), in_pairs(["multiclass", "real"], list(SHAPES), ["adam", "lbfgs"])
)
def test_the_number_of_threads_makes_no_difference(task, shape, solver):
    fitted = []
    for n_threads in (1, 3):
        with threadpool_limits(n_threads, user_api="blas"):
            fitted.append(fit(task, solver, max_iter=3, **SHAPES[shape]))
    for other in fitted[1:]:
        assert_same_function(fitted[0], other)
        assert fitted[0].loss_curve_ == other.loss_curve_


@each_solver
def test_the_number_of_processes_makes_no_difference(solver):
    alone, several = (fit("real", solver, n_jobs=n_jobs, pool=True) for n_jobs in (1, 2))
    assert_same_function(alone, several)
    assert alone.oob_score_ == several.oob_score_


@each_solver
def test_fits_in_threads_equal_fits_in_sequence(solver):
    expected = {task: fit(task, solver, max_iter=3) for task in TASKS}
    tasks = [*TASKS, *TASKS]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda task: fit(task, solver, max_iter=3), tasks))
    for task, fitted in zip(tasks, found, strict=True):
        assert_same_function(fitted, expected[task])


@each_solver
def test_random_state_instances_are_advanced(solver):
    state = np.random.RandomState(3)
    first, second = (fit("real", solver, random_state=state) for _ in range(2))
    same = fit("real", solver, random_state=np.random.RandomState(3))
    assert_same_function(first, same)
    assert not np.array_equal(first.coefs_[0], second.coefs_[0])


@each_solver
@pytest.mark.parametrize("random_state", [None, 0])
def test_nothing_global_and_no_argument_is_touched(solver, random_state):
    X, y = draw("real")
    X_unlabeled, weight = X[:15].copy(), np.ones(N)
    given = X, y, X_unlabeled, weight
    copies = [array.copy() for array in given]
    np.random.seed(0)
    before = np.random.get_state()[1].copy(), random.getstate(), np.geterr()
    estimator = make("real", solver=solver, random_state=random_state)
    parameters = dict(estimator.get_params())
    estimator.fit(X, y, sample_weight=weight, X_unlabeled=X_unlabeled)
    assert_array_equal(np.random.get_state()[1], before[0])
    assert (random.getstate(), np.geterr()) == before[1:]
    assert estimator.get_params() == parameters
    for array, copy in zip(given, copies, strict=True):
        assert_array_equal(array, copy)


def test_a_second_fit_forgets_the_first():
    X, y = draw("real")
    estimator = make("real").fit(*draw("reals"))
    estimator.fit(X, y)
    assert_same_function(estimator, make("real").fit(X, y))
    assert not hasattr(clone(estimator), "coefs_")


@each_solver
def test_fitted_attributes_survive_joblib(solver, tmp_path):
    estimator = fit("real", solver)
    joblib.dump(estimator, tmp_path / "model")
    assert_same_function(joblib.load(tmp_path / "model"), estimator)


# ------------------------------------------------------------------------------------ the clock


def n_batches(solver, pool):
    """Batches of an epoch: of the smallest training part, or of all rows that may be used."""
    n = N * 3 // 4 + (20 if pool else 0)
    return -(-n // 16) if solver == "adam" else 1


@each_solver
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("max_iter", [1, 2, 15, 17])
def test_an_int_makes_cycles_that_end_after_so_many_epochs(solver, pool, max_iter, monkeypatch):
    seen = spy_on_cross_fit(monkeypatch)
    estimator = fit("real", solver, pool=pool, max_iter=max_iter, alpha=0.1)
    ((plan, found),) = seen
    total = max_iter * n_batches(solver, pool)
    ends = [total * part / 15 for part in (1, 3, 7, 15)]
    assert plan.ends == sorted({round(end) for end in ends} - {0})
    assert {end.n_steps for end in found.ends} <= set(plan.ends)
    assert 1 <= estimator.n_iter_ <= max_iter


def test_the_penalty_is_taken_on_half_of_every_fourth_batch(rng):
    seen = []

    class Seen(C2C):
        def probe(self, network, likelihood, theta, X, *arguments):
            seen.append(len(X))
            return super().probe(network, likelihood, theta, X, *arguments)

    X = rng.normal(size=(80, 3))
    settings = {"alpha": 0.1, "cv": 2, "max_iter": 12, "batch_size": 20, "random_state": 0}
    reg = C2CRegressor((5,), penalty=Seen(), numeric_embedding=None, **settings).fit(X, X[:, 0])
    # Two networks side by side, each with two batches an epoch.
    assert seen == [2 * 20 // 2] * ceil(2 * reg.n_iter_ / 4)


@each_solver
def test_auto_is_a_number_of_steps(solver, monkeypatch):
    seen, cross_fit = [], training.cross_fit

    def to_the_first_end(plan, *arguments, **settings):
        seen.append(plan.ends)
        return cross_fit(replace(plan, ends=plan.ends[:1]), *arguments, **settings)

    monkeypatch.setattr(training, "cross_fit", to_the_first_end)
    X, y = draw("real")
    make("real", solver=solver, max_iter="auto").fit(X, y)
    make("real", solver=solver, max_iter="auto").fit(np.tile(X, (9, 1)), np.tile(y, 9))
    first, second = seen
    assert first == second
    assert first == sorted(first)
    assert first[-1] == (3150 if solver == "adam" else 200)


def test_many_rows_are_gone_on_with_for_longer(monkeypatch):
    seen, cross_fit = [], training.cross_fit

    def to_the_first_end(plan, *arguments, **settings):
        seen.append(plan)
        return cross_fit(replace(plan, ends=plan.ends[:1]), *arguments, **settings)

    monkeypatch.setattr(training, "cross_fit", to_the_first_end)
    monkeypatch.setattr(candidates, "_MANY_ROWS", N)
    for n in (N, N + 1):
        make("real", max_iter="auto").fit(*draw("real", n))
    few, many = seen
    assert (few.patience, many.patience) == (0.06, 0.01)
    assert (few.behind, many.behind) == pytest.approx((0.02, 0.01 / 3))
    for plan, longest in ((few, (3150, 750)), (many, (750, 1550))):
        steps = {bool(c.front): c.max_steps for c in plan.candidates}
        assert steps == dict(zip((False, True), longest, strict=True))


@pytest.mark.parametrize(("many", "longest"), [(N, 3150), (N - 1, 1550)])
def test_networks_without_rivals_behind_embeddings_go_on_for_longer(monkeypatch, many, longest):
    seen = spy_on_cross_fit(monkeypatch)
    monkeypatch.setattr(candidates, "_MANY_ROWS", many)
    monkeypatch.setattr(cross_assembly, "_ENDS", (2,))
    make("real", max_iter="auto", numeric_embedding=None).fit(*draw("real", N))
    ((plan, _),) = seen
    assert {c.max_steps for c in plan.candidates} == {longest}


@pytest.mark.parametrize("task", ["multiclass", "real"])
def test_features_may_be_computed_in_each_step(task, monkeypatch):
    kept, behind = [], runs._behind

    def seen(*arguments):
        kept.append(behind(*arguments) is not None)
        return behind(*arguments)

    monkeypatch.setattr(runs, "_behind", seen)
    X, y = draw(task)
    before = make(task).fit(X, y)
    assert all(kept)
    monkeypatch.setattr(runs, "_MOST_NUMBERS", 0)
    kept.clear()
    assert_same_function(make(task).fit(X, y), before)
    assert not all(kept)


@each_solver
@each_task
def test_attributes_of_the_clock_agree(task, solver, monkeypatch):
    seen = spy_on_cross_fit(monkeypatch)
    estimator = fit(task, solver, max_iter=20)
    ((plan, found),) = seen
    main = found.ends[int(found.weights.argmax())]
    assert estimator.loss_curve_ == [point[0] for point in main.curve]
    assert estimator.n_iter_ == len(estimator.loss_curve_)
    assert estimator.n_iter_ == -(-main.n_steps // n_batches(solver, False))
    assert estimator.t_ == estimator.n_iter_ * N * 3 // 4
    assert estimator.loss_ == estimator.loss_curve_[-1]
    assert estimator.best_loss_ == min(estimator.loss_curve_)
    assert estimator.alpha_ == main.candidate.alpha
    assert estimator.n_networks_ == len(plan.folds) * np.count_nonzero(found.weights)
    assert estimator.validation_scores_ is None
    assert estimator.best_validation_score_ is None


@each_solver
def test_verbose_prints_the_loss_of_every_end(solver, capsys):
    fit("real", solver)
    assert capsys.readouterr().out == ""
    fit("real", solver, verbose=True)
    printed = capsys.readouterr().out
    assert "plain, alpha = 0: out-of-fold loss = " in printed
    assert "FourierFeatures, alpha = 0.1: out-of-fold loss = " in printed


# ------------------------------------------------------------------- interruption and divergence


def interrupt(monkeypatch, n_advances):
    """Ctrl-C after so many times that a run advances."""
    original, left = runs.Run.advance, iter(range(n_advances))

    def advance(self, stop):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return original(self, stop)

    monkeypatch.setattr(runs.Run, "advance", advance)


@each_task
@each_solver
def test_ctrl_c_keeps_what_there_is_and_warns(task, solver, monkeypatch):
    # So many kinds of candidates there are, each with a run; with L-BFGS one for each of the folds.
    interrupt(monkeypatch, {"adam": 4, "lbfgs": 3 * 4}[solver])
    with pytest.warns(UserWarning, match="interrupted by user"), threadpool_limits(1):
        estimator = fit(task, solver, max_iter=60)
    assert estimator.n_iter_ == 4  # a fifteenth
    assert np.isfinite(estimator.oob_score_)
    assert estimator.predict(draw(task)[0]).shape[0] == N


@each_solver
def test_ctrl_c_before_the_first_end_leaves_the_estimator_alone(solver, monkeypatch):
    X, y = draw("real")
    estimator = make("real", solver=solver).fit(X, y)
    before = dict(vars(estimator))
    interrupt(monkeypatch, 0)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, -y)
    assert vars(estimator) == before


@pytest.mark.parametrize("task", ["multiclass", "real"])
def test_a_fit_that_diverges_says_what_to_lower(task):
    X, y = draw(task)
    estimator = make(task, learning_rate_init=1e30, max_iter=10)
    with pytest.raises(ValueError, match=r"diverged.*Lower learning_rate_init=1e\+30, alpha=auto"):
        estimator.fit(X, y)
    assert not hasattr(estimator, "coefs_")


def test_lbfgs_that_diverges_does_not_speak_of_the_learning_rate():
    changes = {"penalty": "jacobian", "alpha": 1e300, "epsilon": 1e100, "dtype": "float64"}
    with pytest.raises(ValueError, match=r"diverged.*Lower alpha=1e\+300 or epsilon=1e\+100"):
        fit("real", "lbfgs", **changes)


def test_a_strength_that_diverges_is_not_chosen():
    changes = {"penalty": "jacobian", "epsilon": 1e200}
    chosen = fit("real", "lbfgs", **changes)
    assert chosen.alpha_ == 0.0
    plain = fit("real", "lbfgs", penalty=None)
    assert_allclose(chosen.oob_score_, plain.oob_score_, atol=0.2)
