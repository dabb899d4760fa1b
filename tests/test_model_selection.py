"""Splits and scores where only some of the rows have a label."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    LeaveOneOut,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.semi_supervised import LabelSpreading

from skc2c.model_selection import SemiSupervisedSplit, labeled_scorer


def half_labelled(n=60, n_classes=3):
    y = np.arange(n) % n_classes
    y[np.random.default_rng(0).permutation(n)[: n // 2]] = -1
    return np.arange(n * 2.0).reshape(n, 2), y


@pytest.mark.parametrize(
    "cv", [4, KFold(3), StratifiedKFold(3), ShuffleSplit(3, random_state=0)], ids=str
)
def test_unlabelled_rows_are_always_in_train_and_never_in_test(cv):
    X, y = half_labelled()
    unlabeled = np.flatnonzero(y == -1)
    splits = list(SemiSupervisedSplit(cv).split(X, y))
    assert len(splits) == SemiSupervisedSplit(cv).get_n_splits(X, y)
    for train, test in splits:
        assert np.isin(unlabeled, train).all()
        assert not np.isin(unlabeled, test).any()
        assert not np.isin(train, test).any()
        assert len(np.unique(train)) == len(train)


@pytest.mark.parametrize("inner", [StratifiedKFold(3), KFold(3)])
def test_labelled_rows_are_split_as_the_inner_splitter_does(inner):
    X, y = half_labelled()
    labelled = np.flatnonzero(y != -1)
    splits = SemiSupervisedSplit(inner).split(X, y)
    expected = inner.split(X[labelled], y[labelled])
    for (train, test), (inner_train, inner_test) in zip(splits, expected, strict=True):
        assert_array_equal(test, labelled[inner_test])
        assert_array_equal(train[y[train] != -1], labelled[inner_train])


def test_classes_are_stratified_and_real_targets_are_not():
    X, y = half_labelled(90)
    for _, test in SemiSupervisedSplit(5).split(X, y):
        assert set(np.bincount(y[test])) <= {2, 3, 4}
    real = np.where(y == -1, np.nan, y * 1.5 + 0.1)
    splits = SemiSupervisedSplit(3, missing_label=np.nan).split(X, real)
    assert all(np.isfinite(real[test]).all() for _, test in splits)


def test_groups_stay_together():
    X, y = half_labelled()
    groups = np.arange(60) // 6
    labelled = y != -1
    for train, test in SemiSupervisedSplit(GroupKFold(3)).split(X, y, groups):
        assert not np.isin(groups[test], groups[train][labelled[train]]).any()


def test_ordinary_splits_score_missing_labels_as_a_class():
    X, y = load_digits(return_X_y=True)
    y[np.random.default_rng(0).random(len(y)) < 0.9] = -1
    model = LabelSpreading("knn", n_neighbors=7)
    assert cross_val_score(model, X, y).mean() < 0.3
    assert cross_val_score(model, X, y, cv=SemiSupervisedSplit()).mean() > 0.85


def test_train_scores_leave_unlabelled_rows_out():
    X, y = load_digits(return_X_y=True)
    y[np.random.default_rng(0).random(len(y)) < 0.9] = -1
    model = LabelSpreading("knn", n_neighbors=7)
    found = cross_validate(
        model,
        X,
        y,
        cv=SemiSupervisedSplit(3),
        scoring=labeled_scorer("accuracy"),
        return_train_score=True,
    )
    assert found["train_score"].min() > 0.9
    assert found["test_score"].min() > 0.8


def test_scorer_of_a_callable_and_of_nan():
    X = np.arange(20.0)[:, None]
    y = np.where(X[:, 0] < 10, X[:, 0], np.nan)
    model = Ridge().fit(X[:10], y[:10])
    scorer = labeled_scorer(lambda m, X, y: r2_score(y, m.predict(X)), missing_label=np.nan)
    assert scorer(model, X, y) == model.score(X[:10], y[:10])
    scorer = pickle.loads(pickle.dumps(labeled_scorer("r2", missing_label=np.nan)))
    assert scorer(model, X, y) == model.score(X[:10], y[:10])
    assert repr(scorer) == "labeled_scorer('r2', missing_label=nan)"


def test_no_label_at_all_is_refused():
    X = np.zeros((4, 1))
    with pytest.raises(ValueError, match="No row of y has a label"):
        list(SemiSupervisedSplit(2).split(X, [-1] * 4))
    with pytest.raises(ValueError, match="y is needed"):
        list(SemiSupervisedSplit(2).split(X))
    with pytest.raises(ValueError, match="No row of y has a label"):
        labeled_scorer("accuracy")(LogisticRegression(), X, [-1] * 4)


def test_lengths_must_agree():
    X, y = np.zeros((4, 1)), [0, 1, 0]
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        list(SemiSupervisedSplit(2).split(X, y))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        labeled_scorer("accuracy")(LogisticRegression(), X, y)


def test_a_mark_that_is_nowhere_is_warned_of():
    y = np.array(["a", "b", "?"] * 4)
    with pytest.warns(UserWarning, match="missing_label='!' marks no row of y"):
        list(SemiSupervisedSplit(2, missing_label="!").split(np.zeros((12, 1)), y))


def test_every_kind_of_splitter_in_a_grid():
    X, y = half_labelled()
    labelled = np.flatnonzero(y != -1)
    halves = [(np.arange(15), np.arange(15, 30)), (np.arange(15, 30), np.arange(15))]
    groups = np.arange(60) // 10
    model = LogisticRegression()
    for cv in (LeaveOneOut(), halves, LeaveOneGroupOut()):
        splitter = SemiSupervisedSplit(cv)
        given = groups if isinstance(cv, LeaveOneGroupOut) else None
        splits = list(splitter.split(X, y, given))
        assert splitter.get_n_splits(X, y, given) == len(splits)
        grid = GridSearchCV(model, {"C": [0.2]}, cv=splitter, refit=False)
        grid.fit(X, y, groups=given)
    assert_array_equal(splits[0][1], labelled[labelled < 10])
    with pytest.raises(ValueError, match="iterator"):
        list(SemiSupervisedSplit(iter(halves)).split(X, y))


def test_whole_real_targets_are_not_stratified():
    X, y = load_diabetes(return_X_y=True)
    y[100:] = np.nan
    splits = list(SemiSupervisedSplit(5, missing_label=np.nan).split(X, y))
    assert [len(test) for _, test in splits] == [20] * 5


def test_groups_are_routed():
    X, y = half_labelled()
    with config_context(enable_metadata_routing=True):
        grid = GridSearchCV(
            LogisticRegression(),
            {"C": [0.2]},
            cv=SemiSupervisedSplit(GroupKFold(2)),
        )
        grid.fit(X, y, groups=np.arange(60) // 6)
    assert grid.n_splits_ == 2


def test_weights_of_a_labeled_scorer_go_with_the_rows():
    X, y = half_labelled()
    model = LogisticRegression().fit(X[y != -1], y[y != -1])
    weight = np.linspace(0.1, 1.0, 60)
    found = labeled_scorer("accuracy")(model, X, y, sample_weight=weight)
    assert found == model.score(X[y != -1], y[y != -1], weight[y != -1])
