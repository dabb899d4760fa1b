"""Which rows the networks are trained on: folds, splitters, groups, weights and few rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)
from tuned import TASKS, D, N, assert_same_function, draw, link, make, spy_on_cross_fit

each_task = pytest.mark.parametrize("task", TASKS)


@pytest.fixture
def seen(monkeypatch):
    return spy_on_cross_fit(monkeypatch)


def folds_of_last(seen):
    plan, _ = seen[-1]
    return plan.folds


# -------------------------------------------------------------------------------------- an int


@each_task
@pytest.mark.parametrize("cv", [2, 4, 7])
def test_an_int_makes_so_many_folds_of_like_size(task, cv, seen):
    X, y = draw(task, n=61)
    make(task, cv=cv).fit(X, y)
    folds = folds_of_last(seen)
    sizes = [len(test) for _, test in folds]
    assert len(folds) == cv
    assert max(sizes) - min(sizes) <= 1
    assert_array_equal(np.sort(np.concatenate([test for _, test in folds])), np.arange(61))
    for train, test in folds:
        assert_array_equal(np.sort(np.append(train, test)), np.arange(61))


@pytest.mark.parametrize("counts", [(30, 30), (57, 3), (40, 17, 2, 1), (20, 20, 19, 1)])
def test_folds_are_stratified_however_rare_a_class_is(counts, seen):
    X, _ = draw("real", n=sum(counts))
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    make("binary", cv=3).fit(X, y)
    for c, count in enumerate(counts):
        shares = [(y[test] == c).sum() for _, test in folds_of_last(seen)]
        assert max(shares) - min(shares) <= 1
        assert sum(shares) == count


def test_folds_are_random():
    X, y = draw("real")
    first, second = (make("real", random_state=seed).fit(X, y) for seed in (0, 1))
    assert not np.array_equal(first.oob_prediction_, second.oob_prediction_)


def test_a_class_of_one_row(seen):
    X, _ = draw("binary")
    y = np.repeat(["a", "b", "c"], [30, 29, 1])
    estimator = make("multiclass").fit(X, y)
    assert len(folds_of_last(seen)) == 4
    assert_array_equal(estimator.classes_, ["a", "b", "c"])
    assert np.isfinite(estimator.oob_decision_function_).all()


@pytest.mark.parametrize(("cv", "n", "k"), [(4, 8, 2), (4, 11, 3), (4, 12, 4), (10, 29, 9)])
def test_too_few_rows_make_fewer_folds(cv, n, k, seen):
    X, y = draw("real", n=n)
    estimator = make("real", cv=cv, batch_size="auto")
    if cv == 4:
        estimator.fit(X, y)
    else:
        with pytest.warns(UserWarning, match=rf"cv={cv} folds need more rows.*: {k} are used"):
            estimator.fit(X, y)
    assert len(folds_of_last(seen)) == k
    assert np.isfinite(estimator.oob_score_)


@each_task
@pytest.mark.parametrize("cv", [2, 3, 4])
def test_five_rows_make_one_network(task, cv, seen):
    X, y = draw(task, n=5, seed=1)
    y = np.array(["a", "b", "a", "b", "b"]) if task in ("binary", "multiclass") else y
    estimator = make(task, cv=cv, batch_size="auto")
    if cv == 4:
        estimator.fit(X, y)
    else:
        with pytest.warns(UserWarning, match=f"cv={cv} folds need more rows.*one network"):
            estimator.fit(X, y)
    assert not seen
    assert estimator.n_networks_ == 1
    assert np.isfinite(link(estimator, X)).all()


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_rows(n):
    X, y = draw("real", n=n)
    assert_allclose(make("real", batch_size="auto").fit(X, y).predict(X).shape, n)


def test_every_network_sees_both_of_two_classes(seen):
    X, _ = draw("binary")
    y = (np.arange(N) < 2).astype(int)
    with pytest.warns(UserWarning, match="cv=3 folds need .*rarer of two classes: 2 are used"):
        make("binary", cv=3).fit(X, y)
    assert all(set(y[train]) == {0, 1} for train, _ in folds_of_last(seen))
    with pytest.warns(UserWarning, match="one network is fitted"):
        make("binary", cv=3).fit(X, np.arange(N) == 0)


# ------------------------------------------------------------------------------------ splitters

SPLITTERS = [
    KFold(3),
    StratifiedKFold(3),
    RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0),
    ShuffleSplit(1, random_state=0),
    TimeSeriesSplit(4),
]


@pytest.mark.parametrize("cv", SPLITTERS, ids=str)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_splitter_says_what_is_left_out(cv, solver, seen):
    X, y = draw("multiclass")
    estimator = make("multiclass", cv=cv, solver=solver).fit(X, y)
    for found, expected in zip(folds_of_last(seen), cv.split(X, y), strict=True):
        assert_array_equal(found[0], expected[0])
        assert_array_equal(found[1], expected[1])
    assert estimator.n_networks_ % cv.get_n_splits() == 0


def test_an_iterable_of_splits_of_indices_or_masks():
    X, y = draw("real")
    splits = list(KFold(3).split(X))
    masks = [(np.isin(np.arange(N), train), np.isin(np.arange(N), test)) for train, test in splits]
    lists = [(train.tolist(), test.tolist()) for train, test in splits]
    expected = make("real", cv=KFold(3)).fit(X, y)
    for cv in (splits, masks, lists, iter(splits)):
        assert_same_function(make("real", cv=cv).fit(X, y), expected)


def test_groups_stay_together(seen):
    X, y = draw("binary")
    groups = np.random.default_rng(0).integers(12, size=N)
    make("binary", cv=GroupKFold(3)).fit(X, y, groups=groups)
    for train, test in folds_of_last(seen):
        assert not set(groups[train]) & set(groups[test])


def test_groups_are_of_labelled_rows(seen):
    X, y = draw("real")
    y[::2] = np.nan
    groups = np.repeat(np.arange(6), N // 12)
    settings = {"cv": GroupKFold(3), "missing_label": np.nan, "alpha": 0.1}
    make("real", **settings).fit(X, y, groups=groups)
    for train, test in folds_of_last(seen):
        assert not set(groups[train]) & set(groups[test])


def test_groups_without_a_splitter_are_not_ignored_silently():
    X, y = draw("real")
    with pytest.warns(UserWarning, match="groups is ignored by cv=4"):
        make("real").fit(X, y, groups=np.arange(N) // 5)


def test_groups_of_all_rows_are_those_of_the_labelled_ones(seen):
    X, y = draw("real")
    y[::2] = np.nan
    groups = np.arange(N) // 7
    settings = {"cv": GroupKFold(3), "missing_label": np.nan, "alpha": 0.1}
    make("real", **settings).fit(X, y, groups=groups)
    found = folds_of_last(seen)
    make("real", **settings).fit(X, y, groups=groups[1::2])
    for one, other in zip(found, folds_of_last(seen), strict=True):
        assert_array_equal(one[0], other[0])
    with pytest.raises(ValueError, match=f"groups must have an entry for each row, {N}, or"):
        make("real", **settings).fit(X, y, groups=groups[:5])


@pytest.mark.parametrize("changes", [{"cv": None}, {"early_stopping": True}, {"warm_start": True}])
def test_groups_without_folds_are_not_ignored_silently(changes):
    X, y = draw("real")
    with pytest.warns(
        UserWarning,
        match="groups is ignored: it is for folds.* with cv=.*early_stopping=.*warm_start=",
    ):
        make("real", **changes).fit(X, y, groups=np.arange(N) // 5)


def test_an_iterator_that_is_used_up_is_named():
    X, y = draw("real")
    reg = make("real", cv=iter([(np.arange(30), np.arange(30, N))])).fit(X, y)
    with pytest.raises(ValueError, match="cv is an iterator, which can be run through only once"):
        reg.fit(X, y)


def test_splits_of_rows_that_there_are_not_are_refused_by_name():
    X, y = draw("real")
    with pytest.raises(ValueError, match=f"cv has rows beyond the {N} that have a label"):
        make("real", cv=[(np.arange(30), np.arange(30, N + 1))]).fit(X, y)


def test_a_splitter_sees_rows_and_targets_as_they_were_given():
    class Watching(GroupKFold):
        def split(self, X, y=None, groups=None):
            self.seen = X, y, groups
            return super().split(X, y, groups)

    X, y = draw("binary")
    cv = Watching(2)
    make("binary", cv=cv).fit(X, y, groups=y)
    for found, given in zip(cv.seen, (X, y, y), strict=True):
        assert_array_equal(found, given)


def test_networks_may_share_few_rows():
    X, y = draw("real", n=12)
    estimator = make("real", cv=LeaveOneOut(), batch_size="auto").fit(X, y)
    assert estimator.n_networks_ % 12 == 0
    assert np.isfinite(estimator.oob_prediction_).all()


NO_ROWS = np.array([], int)
BAD = {
    "no split": [],
    "nothing left out": [(np.arange(N), NO_ROWS)],
    "nothing to train on": [(NO_ROWS, np.arange(N)), (np.arange(30), np.arange(30, N))],
    "only rows of zero weight left out": [(np.arange(1, N), np.array([0]))],
}


@pytest.mark.parametrize("cv", BAD.values(), ids=BAD)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_splits_without_rows_are_refused_by_name(cv, solver):
    X, y = draw("real")
    weight = np.ones(N)
    weight[0] = 0.0
    with pytest.raises(ValueError, match="cv must make splits that leave rows out"):
        make("real", cv=cv, solver=solver).fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("cv", [1, 0, -3, 2.5, "4", True])
def test_a_cv_that_is_none_is_refused_by_name(cv):
    message = "'cv' parameter of C2CClassifier must be .* an iterable or None. Got"
    with pytest.raises(ValueError, match=message):
        make("binary", cv=cv).fit(*draw("binary"))


# -------------------------------------------------------------------------------- constant data


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_constant_target(solver):
    X, _ = draw("real")
    estimator = make("real", solver=solver).fit(X, np.full(N, 7.25))
    assert_array_equal(estimator.predict(X), 7.25)
    assert_array_equal(estimator.oob_prediction_, 7.25)


@each_task
def test_constant_columns_change_nothing(task):
    X, y = draw(task)
    estimator = make(task).fit(np.column_stack([X, np.full(N, 1e9), np.zeros(N)]), y)
    assert_array_equal(estimator.input_scale_[D:], 0.0)
    assert estimator.embedding_columns_ is None or estimator.embedding_columns_.max() < D
    far = link(estimator, np.column_stack([X, np.full(N, -5.0), np.ones(N)]))
    assert_array_equal(far, link(estimator, np.column_stack([X, np.full(N, 1e9), np.zeros(N)])))


@each_task
def test_all_columns_constant(task):
    _, y = draw(task)
    h = link(make(task).fit(np.ones((N, 2)), y), np.random.default_rng(0).normal(size=(5, 2)))
    # The last row of an odd number may be rounded otherwise by a product of matrices.
    assert_allclose(h, np.repeat(h[:1], 5, axis=0), rtol=1e-12)
