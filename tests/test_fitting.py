"""A fit: a plan goes in, a record comes out, and from its state another fit goes on."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import LIKELIHOODS, VARIANTS, draw_targets
from threadpoolctl import threadpool_info, threadpool_limits

from skc2c import C2C, Penalty
from skc2c.data.rows import Rows
from skc2c.fitting import Batchwise, FullBatch, Plan, Streams, fit, one
from skc2c.machine import threads
from skc2c.network import Network
from skc2c.penalties import NoPenalty
from skc2c.random_streams import streams
from skc2c.solvers import SOLVERS, Adam, DivergenceError

each_solver = pytest.mark.parametrize("solver", SOLVERS)
each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
each_variant = pytest.mark.parametrize("penalty", VARIANTS, ids=str)
# Each penalty on the labelled rows alone, and, if it can be, on a pool of rows.
PENALTIES_AND_POOLS = [
    *((p, False) for p in VARIANTS),
    *((p, True) for p in VARIANTS if p.needs_no_label),
]
each_penalty_and_pool = pytest.mark.parametrize(
    ("penalty", "has_pool"), PENALTIES_AND_POOLS, ids=str
)


def draw_plan(
    penalty=None, likelihood=LIKELIHOODS["log_loss"], has_pool=False, solver="adam", **settings
):
    rng = np.random.default_rng(0)
    penalty = NoPenalty() if penalty is None else penalty
    solver = SOLVERS[solver]() if isinstance(solver, str) else solver
    dtype = np.dtype(solver.dtype)
    network = Network((4, 6, likelihood.n_outputs(3)), "tanh")
    X = rng.normal(size=(50, 4)).astype(dtype)
    weight = rng.uniform(0.5, 2.0, size=50)
    y = draw_targets(rng, likelihood, 30, 3).astype(dtype)
    theta = network.initialize(rng, dtype)
    extra = penalty.initial_parameters(network.n_outputs)
    plan = {
        "alpha": 0.5,
        "epsilon": 0.4,
        "l2": 0.3,
        "batch_size": 8,
        "shuffle": True,
        "learning_rate": 0.01,
        "max_iter": 10,
        "tol": 0.0,
        "n_iter_no_change": np.inf,
    }
    return Plan(
        network=network,
        likelihood=likelihood,
        penalty=penalty,
        solver=solver,
        train=Rows(X[:30], y, weight[:30]),
        pool=Rows(X, None, weight) if has_pool else None,
        theta=np.concatenate([theta, extra], dtype=dtype),
        streams=Streams(*streams(0, 5)),
        **plan | settings,
    )


def fresh(plan):
    """The same plan with generators where they were at first."""
    return replace(plan, streams=Streams(*streams(0, 5)))


# --------------------------------------------------------------------------------- going on


@pytest.mark.parametrize(
    ("penalty", "has_pool", "shuffle"),
    [(*case, True) for case in PENALTIES_AND_POOLS] + [(C2C(), True, False), (C2C(), False, False)],
    ids=str,
)
def test_five_epochs_are_two_and_then_three(penalty, has_pool, shuffle):
    """To the last bit, from a state that has been to disk and back.

    In order with one penalty: none of them draws from the generators that shuffle.
    With a pool they pause in a pass over the labelled rows: ten batches are three and a third.
    """
    plan = draw_plan(penalty, has_pool=has_pool, shuffle=shuffle, batch_size=12, max_iter=5)
    whole = fit(plan)
    first = fit(fresh(replace(plan, max_iter=2)))
    state = pickle.loads(pickle.dumps(first.state))
    second = fit(fresh(replace(plan, max_iter=3)), state)
    assert_array_equal(second.theta, whole.theta)
    assert first.loss_curve + second.loss_curve == whole.loss_curve
    assert pickle.dumps(second.state) == pickle.dumps(whole.state)


@each_penalty_and_pool
def test_a_state_does_not_change_when_a_fit_goes_on_from_it(penalty, has_pool):
    plan = draw_plan(penalty, has_pool=has_pool, max_iter=3)
    state = fit(plan).state
    before = pickle.dumps(state)
    found = [fit(fresh(plan), state).theta for _ in range(2)]
    assert pickle.dumps(state) == before
    assert_array_equal(*found)


def leaves(value):
    if isinstance(value, dict):
        assert all(type(key) is str for key in value)
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


@each_solver
@each_penalty_and_pool
def test_a_state_consists_of_plain_things(penalty, has_pool, solver):
    state = fit(draw_plan(penalty, has_pool=has_pool, solver=solver, max_iter=2)).state
    assert set(state) == {"theta", "solver", "streams", "deal"}
    for leaf in leaves(state):
        assert type(leaf) in (np.ndarray, int, float, str, type(None))
        assert not isinstance(leaf, np.ndarray) or leaf.dtype.kind in "fiu"


def test_a_fit_in_the_middle_of_an_epoch_goes_on_with_what_is_left(monkeypatch):
    """After Ctrl-C parameters are those of the last epoch, and rows go on where they were."""
    plan = draw_plan(C2C())
    usual = fit(plan)
    calls, on_batch = [], Batchwise.on_batch

    def interrupted(self, theta, batches):
        calls.append(len(batches[0]))
        if len(calls) == 6:  # there are four batches
            raise KeyboardInterrupt
        return on_batch(self, theta, batches)

    monkeypatch.setattr(Batchwise, "on_batch", interrupted)
    found = fit(fresh(plan))
    assert found.interrupted
    assert found.loss_curve == usual.loss_curve[:1]
    monkeypatch.undo()
    assert [dealt["position"] for dealt in found.state["deal"]] == [16]
    assert fit(fresh(replace(plan, max_iter=2)), found.state).n_iter == 2


def test_moments_of_an_earlier_fit_are_gone_on_with():
    """As a warm start does, whose rows may be others."""
    plan = draw_plan(max_iter=3)
    first = fit(plan)
    going_on = replace(fresh(plan), theta=first.theta)
    cold, warm = fit(going_on), fit(replace(fresh(going_on), solver_state=first.state["solver"]))
    assert (cold.theta != warm.theta).any()
    assert warm.state["solver"]["t"] == 24


def test_streams_of_a_further_fit_go_on_but_for_those_that_it_draws_anew():
    plan = draw_plan(max_iter=3)
    state = fit(plan).state["streams"]
    before = Streams(*streams(0, 5))
    continued = Streams(*streams(0, 5)).continued(state)
    assert continued.split.random() == before.split.random()
    assert continued.initial.random() == before.initial.random()
    assert continued.order.random() != before.order.random()
    assert continued.order.bit_generator is not plan.streams.order.bit_generator


# -------------------------------------------------------------------------------- the record


@each_solver
@each_likelihood
def test_the_record_says_how_the_fit_went(solver, likelihood):
    plan = draw_plan(C2C(), likelihood, solver=solver)
    found = fit(plan)
    assert 1 <= found.n_iter == len(found.loss_curve) <= 10
    assert found.loss == found.loss_curve[-1]
    assert found.best_loss == min(found.loss_curve)
    assert found.best_loss < found.loss_curve[0]
    assert found.validation_scores is found.best_validation_score is None
    assert not found.interrupted
    assert_array_equal(found.theta, found.state["theta"])


@each_solver
def test_a_fit_leaves_its_plan_alone(solver):
    plan = draw_plan(C2C(), has_pool=True, solver=solver)
    before = plan.theta.copy()
    fit(plan)
    assert_array_equal(plan.theta, before)


@each_solver
def test_the_best_parameters_on_held_out_rows_are_kept(solver):
    """The last ones are in the state."""
    visited = []

    def score(theta):
        visited.append(theta.copy())
        return -abs(len(visited) - 3)

    found = fit(draw_plan(solver=solver, score=score, n_iter_no_change=2))
    assert found.validation_scores == [-2, -1, 0, -1, -2, -3]
    assert found.best_validation_score == 0
    assert_array_equal(found.theta, visited[2])
    assert_array_equal(found.state["theta"], visited[-1])
    assert found.message is None


@pytest.mark.parametrize("has_pool", [False, True])
def test_a_full_batch_solver_watches_its_own_criterion_only(has_pool):
    """`n_iter_no_change` is for solvers that have none."""
    plan = draw_plan(C2C(), has_pool=has_pool, tol=1e9, n_iter_no_change=1)
    assert fit(replace(plan, max_iter=50)).n_iter == 3
    plan = draw_plan(C2C(), has_pool=has_pool, solver="lbfgs", tol=1e-12, n_iter_no_change=1)
    assert fit(replace(plan, max_iter=30)).n_iter == 30


@each_solver
def test_ctrl_c_before_the_first_iteration_leaves_the_start(solver):
    class Interrupted(Penalty):
        def value(self, *arguments):
            raise KeyboardInterrupt

    plan = draw_plan(Interrupted(), solver=solver)
    found = fit(plan)
    assert found.interrupted
    assert found.n_iter == 0
    assert found.loss_curve == []
    assert np.isnan(found.loss)
    assert np.isnan(found.best_loss)
    assert_array_equal(found.theta, plan.theta)


@pytest.mark.parametrize("solver", [name for name, cls in SOLVERS.items() if cls.is_stochastic])
def test_divergence_is_an_error(solver):
    with pytest.raises(DivergenceError, match="iteration"):
        fit(draw_plan(C2C(), solver=solver, learning_rate=1e38))


def test_a_schedule_runs_over_all_of_the_fit():
    """The rate falls to all but zero in the last of forty steps."""
    plan = draw_plan(solver=Adam(schedule="cosine"), learning_rate=0.1)
    found = fit(plan)
    before = fit(fresh(draw_plan(solver=Adam(schedule="cosine"), learning_rate=0.1)))
    assert_array_equal(found.theta, before.theta)
    constant = fit(draw_plan(learning_rate=0.1))
    assert abs(found.theta - constant.theta).max() > 0.01


# ------------------------------------------------------------------ what solvers are handed


@each_penalty_and_pool
def test_the_objective_has_a_term_for_the_pool(penalty, has_pool):
    plan = draw_plan(penalty, has_pool=has_pool)
    terms = plan.objective.terms
    assert len(terms) == 1 + has_pool
    assert terms[-1].rows is plan.train
    assert [term.l2 for term in terms] == ([0.0, 0.3] if has_pool else [0.3])
    assert [type(term.penalty) for term in terms] == (
        [type(penalty), NoPenalty] if has_pool else [type(penalty)]
    )


@each_variant
def test_a_full_batch_is_in_float64_whatever_the_network_is_in(penalty):
    plan = draw_plan(penalty)
    problem = FullBatch(plan.objective, 3, np.float32)
    theta = plan.theta.astype(np.float64)
    value, gradient = problem.hold(theta)(theta)
    expected, single = plan.objective.on_all_rows(plan.theta, 3, plan.theta)
    assert isinstance(value, float)
    assert gradient.dtype == np.float64
    assert value == expected
    assert_array_equal(gradient, single)
    assert problem.follows_theta == penalty.follows_theta
    assert problem.state() == []


def test_batches_come_with_their_number_of_rows():
    """An epoch is a pass over the pool, whose batches are paired with labelled rows."""
    plan = draw_plan(C2C(), has_pool=True)
    rngs = (plan.streams.order, plan.streams.labelled_order)
    for deal in (plan.objective.deal(8, rngs), plan.objective.deal(8, (None, None))):
        problem = Batchwise(plan.objective, deal, plan.streams.probe)
        assert problem.n_batches == 7
        assert [n for _, n in problem.epoch()] == [8] * 6 + [2]


@each_likelihood
def test_the_loss_of_an_epoch_without_a_step_is_the_objective(likelihood):
    """Of deterministic terms, if batches are of one size."""
    plan = draw_plan(None, likelihood, batch_size=10, learning_rate=0.0, max_iter=1)
    found = fit(plan)
    expected, _ = plan.objective.on_all_rows(plan.theta, 0)
    assert_allclose(found.loss, expected, rtol=1e-5)


@pytest.mark.skipif(not threads._blas(), reason="threadpoolctl knows nothing of this BLAS")
@pytest.mark.parametrize(
    ("solver", "worth", "expected"),
    [("adam", 8 * 4 * 6, 2), ("adam", 8 * 4 * 6 + 1, 1), ("lbfgs", 1, 1)],
)
def test_products_of_a_batch_are_shared_among_threads_if_they_are_large(
    solver, worth, expected, monkeypatch
):
    """A batch of 8 rows and the larger kernel, of 4 by 6; L-BFGS has threads of its own."""
    found = []

    def look(_):
        found.append(max(p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"))

    monkeypatch.setattr(one, "_WORTH_SHARING", worth)
    with threadpool_limits(2):
        fit(draw_plan(solver=solver, after=look, max_iter=1))
    assert found == [expected]
