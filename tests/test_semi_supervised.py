"""Learning from rows without a label, through the front door."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN, VARIANTS
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits, make_moons
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skc2c import VAT, C2CClassifier, C2CRegressor
from skc2c.model_selection import SemiSupervisedSplit
from skc2c.penalties import PENALTIES
from skc2c.solvers import SOLVERS

WITHOUT_LABELS = [name for name, cls in PENALTIES.items() if cls.needs_no_label]
every_penalty = pytest.mark.parametrize("penalty", WITHOUT_LABELS)
each_solver = pytest.mark.parametrize("solver", SOLVERS)


def quick(cls=C2CClassifier, **parameters):
    """One small network on the rows as they are, hardly trained."""
    small = {"hidden_layer_sizes": (8,), "random_state": 0, "max_iter": 4}
    return cls(**PLAIN | small | parameters)


def moons(n=60, n_labelled=10):
    X, y = make_moons(n, noise=0.1, random_state=0)
    y[n_labelled:] = -1
    return X, y


def same(a, b):
    for one, other in zip(a.coefs_, b.coefs_, strict=True):
        assert_array_equal(one, other)


# ------------------------------------------------------------------------- two ways in


@every_penalty
@each_solver
def test_marked_rows_and_extra_rows_are_the_same(penalty, solver):
    X, y = moons()
    y[[0, 20]], y[40] = [0, 1], 1
    labelled = y != -1
    settings = {"penalty": penalty, "solver": solver, "alpha": 1.0, "max_iter": 20}
    marked = quick(missing_label=-1, **settings).fit(X, y)
    model = quick(**settings)
    extra = clone(model).fit(X[labelled], y[labelled], X_unlabeled=X[~labelled])
    same(marked, extra)
    without = clone(model).fit(X[labelled], y[labelled])
    assert abs(without.coefs_[0] - extra.coefs_[0]).max() > 1e-6
    half = y.copy()
    half[~labelled] = -1
    keep = np.flatnonzero(labelled | (np.arange(60) < 30))
    rest = np.flatnonzero(~labelled & (np.arange(60) >= 30))
    both = quick(missing_label=-1, **settings)
    same(both.fit(X[keep], half[keep], X_unlabeled=X[rest]), extra)


@each_solver
def test_regression_marks_rows_with_nan(solver):
    X, _ = moons()
    y = X[:, 0] * X[:, 1]
    y[15:] = np.nan
    marked = quick(C2CRegressor, solver=solver, missing_label=np.nan).fit(X, y)
    extra = quick(C2CRegressor, solver=solver).fit(X[:15], y[:15], X_unlabeled=X[15:])
    same(marked, extra)
    assert np.isfinite(marked.predict(X)).all()
    two = np.column_stack([y, 2 * y])
    assert quick(C2CRegressor, missing_label=np.nan).fit(X, two).predict(X).shape == (60, 2)


def test_string_labels(rng):
    X, y = moons()
    names = np.array(["left", "right", "?"])[y]
    clf = quick(missing_label="?").fit(X, names)
    assert_array_equal(clf.classes_, ["left", "right"])
    same(clf, quick(missing_label=-1).fit(X, y))


def test_labels_of_mixed_kinds():
    nan = float("nan")
    clf = quick(missing_label=nan).fit(moons()[0][:6], ["a", "b"] * 2 + [nan] * 2)
    assert_array_equal(clf.classes_, ["a", "b"])


def test_by_default_nothing_is_special():
    X, y = make_moons(60, random_state=0)
    y = 2 * y - 1
    clf = quick().fit(X, y)
    assert_array_equal(clf.classes_, [-1, 1])
    with pytest.raises(ValueError, match="NaN"):
        quick(C2CRegressor).fit(X, np.where(y > 0, np.nan, 1.0))


def test_no_row_marked_is_ordinary_training_with_a_warning():
    """A meta-estimator may have encoded y, and the mark with it."""
    X, y = make_moons(60, random_state=0)
    with pytest.warns(UserWarning, match="missing_label=-1 marks no row of y"):
        marked = quick(missing_label=-1).fit(X, y)
    same(marked, quick().fit(X, y))


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (lambda X, y: quick(missing_label=-1).fit(X, np.full(60, -1)), "No row of y has a label"),
        (lambda X, y: quick(missing_label=-1).fit(X, None), "y is needed"),
        (lambda X, y: quick(missing_label=-1).fit(X, y[:5]), "inconsistent numbers of samples"),
        (lambda X, y: quick().fit(X, y, X_unlabeled=X[:, :1]), "X_unlabeled: .*1 features"),
        (lambda X, y: quick().fit(X, y, X_unlabeled=X * np.nan), "X_unlabeled: .*NaN"),
        (lambda X, y: quick().fit(X, y, X_unlabeled=X[:0]), "X_unlabeled: .*0 sample"),
        (
            lambda X, y: quick(early_stopping=True).fit(X, y, X_val=X * np.nan, y_val=y),
            "X_val, y_val: .*NaN",
        ),
        (
            lambda X, y: quick(early_stopping=True).fit(
                X, y, X_val=X, y_val=np.abs(y), sample_weight_val=-np.ones(60)
            ),
            "sample_weight_val: Negative",
        ),
        (
            lambda X, y: quick(early_stopping=True, class_weight={0: 0, 1: 1}).fit(
                X[:10], y[:10], X_val=X[:3], y_val=[0, 0, 0]
            ),
            "X_val, y_val: class_weight={0: 0, 1: 1} leaves no row",
        ),
        (
            lambda X, y: quick(C2CRegressor, early_stopping=True, loss="poisson").fit(
                X, np.abs(y), X_val=X, y_val=np.full(60, -1.0)
            ),
            "needs y_val that is not negative",
        ),
        (lambda X, y: quick().fit(X, y, X_val=X), "X_val and y_val go together"),
        (lambda X, y: quick().fit(X, y, X_val=X, y_val=y), "early_stopping=False"),
        (lambda X, y: quick().fit(X, y, sample_weight_val=y), "sample_weight_val"),
        (
            lambda X, y: quick(C2CRegressor, missing_label=np.nan).fit(
                X, np.column_stack([X[:, 0], np.full(60, np.nan)])
            ),
            "marks only some of the outputs",
        ),
        (
            lambda X, y: quick(early_stopping=True).fit(X, y, X_val=X, y_val=y + 7),
            "y_val",
        ),
    ],
)
def test_bad_input_is_named_and_changes_nothing(fit, message):
    X, y = moons()
    with pytest.raises(ValueError, match=message):
        fit(X, y)


@pytest.mark.parametrize("penalty", ["noise", None])
def test_penalties_that_need_labels_say_so(penalty):
    X, y = moons()
    with pytest.warns(UserWarning, match="learns nothing from rows without a label"):
        clf = quick(penalty=penalty, missing_label=-1).fit(X, y)
    same(clf, quick(penalty=penalty).fit(X[:10], y[:10]))


def test_missing_targets_without_a_mark_are_an_error():
    X = np.zeros((6, 1))
    with pytest.raises(ValueError, match="Input y contains NaN"):
        quick(C2CRegressor).fit(X, np.array([None] * 2 + [1.0] * 4, object))
    words = pd.Series(["a", "b"] * 3, dtype="string").mask(np.arange(6) == 2)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        quick().fit(X, words)
    with pytest.raises(TypeError, match="[Ss]parse"):
        quick(C2CRegressor).fit(X, sparse.csr_matrix(np.ones((6, 1))))
    y = np.array([0, 1, 0, 1, -1, -1])
    with pytest.raises(ValueError, match="weights of all labelled rows are zero"):
        quick(missing_label=-1).fit(X, y, sample_weight=[0, 0, 0, 0, 1, 1])
    with pytest.raises(ValueError, match="y_val has rows without a label"):
        quick(missing_label=-1, early_stopping=True).fit(X, y, X_val=X, y_val=y)


# ------------------------------------------------------------------------------ the pool


@pytest.mark.filterwarnings("ignore:.*has collapsed")  # not trained at all
@pytest.mark.parametrize("penalty", [p for p in VARIANTS if p.needs_no_label], ids=str)
def test_a_row_whose_label_is_revealed_leaves_the_penalty_as_it_was(penalty):
    """So alpha means the same however many rows have a label."""
    X, y = make_moons(60, noise=0.1, random_state=0)
    X, y = X[y.argsort()], np.sort(y)
    order = np.random.default_rng(0).permutation(60)
    charged = []
    for n_labelled in (10, 11, 30, 59):
        marked = y.copy()
        marked[order[n_labelled:]] = -1
        # With such a tolerance L-BFGS stops where it starts.
        settings = {"penalty": penalty, "solver": "lbfgs", "tol": 1e9, "missing_label": -1}
        losses = [quick(alpha=a, **settings).fit(X, marked).loss_ for a in (1.0, 0.0)]
        charged.append(losses[0] - losses[1])
    assert charged[0] > 1e-5
    assert_allclose(charged, charged[0], rtol=1e-9)


@each_solver
@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csr_array])
def test_sparse_and_memory_mapped_rows(tmp_path, solver, container):
    rng = np.random.default_rng(0)
    X = np.where(rng.random((80, 6)) < 0.5, 0.0, rng.normal(size=(80, 6)))
    y = (X[:20, 0] > 0) * 1
    dense = quick(solver=solver).fit(X[:20], y, X_unlabeled=X[20:])
    same(quick(solver=solver).fit(container(X[:20]), y, X_unlabeled=container(X[20:])), dense)
    same(quick(solver=solver).fit(X[:20], y, X_unlabeled=container(X[20:])), dense)
    np.save(tmp_path / "X.npy", X[20:])
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    same(quick(solver=solver).fit(X[:20], y, X_unlabeled=mapped), dense)


@each_solver
def test_weights_and_early_stopping(solver):
    X, y = make_moons(200, noise=0.1, random_state=0)
    unlabeled = make_moons(200, noise=0.1, random_state=1)[0]
    model = quick(solver=solver, early_stopping=True, max_iter=20)
    clf = clone(model).fit(X[:100], y[:100], np.linspace(0, 1, 100), X_unlabeled=unlabeled)
    assert len(clf.validation_scores_) == clf.n_iter_
    given = {"X_val": X[100:], "y_val": y[100:], "sample_weight_val": np.linspace(0, 1, 100)}
    clf = clone(model).fit(X[:100], y[:100], X_unlabeled=unlabeled, **given)
    proba = clf.predict_proba(X[100:])
    loss = log_loss(y[100:], proba, sample_weight=given["sample_weight_val"])
    assert_allclose(clf.best_validation_score_, -loss, rtol=1e-5)


def test_zero_weight_drops_an_unlabelled_row():
    X, y = moons()
    weight = np.ones(60)
    weight[50:] = 0.0
    same(quick(missing_label=-1).fit(X, y, weight), quick(missing_label=-1).fit(X[:50], y[:50]))


# ------------------------------------------------------------- routing, and its two traps


def routed(**parameters):
    net = quick(**parameters).set_fit_request(X_unlabeled=True)
    return Pipeline([("scale", StandardScaler()), ("net", net)], transform_input=["X_unlabeled"])


def test_a_pipeline_in_a_grid_scales_unlabelled_rows_like_each_fold():
    X, y = make_moons(60, noise=0.1, random_state=0)
    X_unlabeled = make_moons(90, noise=0.1, random_state=1)[0] * 1000
    with config_context(enable_metadata_routing=True):
        grid = GridSearchCV(routed(), {"net__alpha": [0.1, 1.0]}, cv=3)
        grid.fit(X * 1000, y, X_unlabeled=X_unlabeled)
        by_hand = StandardScaler().fit(X * 1000)
        expected = quick(alpha=grid.best_params_["net__alpha"]).fit(
            by_hand.transform(X * 1000), y, X_unlabeled=by_hand.transform(X_unlabeled)
        )
    same(grid.best_estimator_[-1], expected)


def test_unlabelled_rows_on_another_scale_warn():
    """What happens in a pipeline without transform_input."""
    X, y = moons()
    with pytest.warns(UserWarning, match="another scale than X.*transform_input"):
        quick().fit(X[:10], y[:10], X_unlabeled=1000 * X[10:])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*collapsed")  # hardly trained
        warnings.filterwarnings("error", message=".*another scale")
        quick(tol=0).fit(X[:10], y[:10], X_unlabeled=2 * X[10:] + 0.5)
        quick(tol=0).fit(X[:2], y[:2], X_unlabeled=X[10:])  # too few to tell
        ordered = np.linspace(0, 1, 5000)[:, None]
        quick(tol=0).fit(ordered[::100], ordered[::100, 0] > 0.5, X_unlabeled=ordered)


@pytest.mark.filterwarnings("ignore:.*has collapsed")  # hardly trained
def test_a_grid_slices_unlabelled_rows_of_the_same_number():
    """scikit-learn takes any fit parameter of the length of X for one that goes with its rows."""
    X, y = make_moons(60, noise=0.1, random_state=0)
    lengths = []

    class Spy(C2CClassifier):
        def fit(self, X, y, sample_weight=None, *, X_unlabeled=None):
            lengths.append(len(X_unlabeled))
            return super().fit(X, y, sample_weight, X_unlabeled=X_unlabeled)

    for extra in (60, 61):
        model = Spy(**PLAIN | {"hidden_layer_sizes": (4,), "max_iter": 1})
        grid = GridSearchCV(model, {"alpha": [0.1]}, cv=3, refit=False)
        grid.fit(X, y, X_unlabeled=np.resize(X, (extra, 2)))
    assert lengths == [40] * 3 + [61] * 3


# -------------------------------------------------------------------------- what it is for


def score_with_a_hundred_labels(seed, penalty, alpha, epsilon):
    """Accuracy on digits that the network has not seen."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    train, test = order[:1257], order[1257:]
    X = X / 16 - X[train].mean(axis=0) / 16
    picked = np.concatenate([train[y[train] == k][:10] for k in range(10)])
    rest = np.setdiff1d(train, picked)
    settings = {"penalty": penalty, "alpha": alpha, "epsilon": epsilon, "l2": 0.1}
    settings |= {"hidden_layer_sizes": (50,), "learning_rate_init": 0.01, "max_iter": 30}
    extra = {"X_unlabeled": X[rest]} if penalty else {}
    clf = quick(random_state=seed, **settings).fit(X[picked], y[picked], **extra)
    return clf.score(X[test], y[test])


def test_digits_with_a_hundred_labels():
    """Means of three seeds; they were 0.887, 0.927 and 0.951, and single ones differ by 0.01."""
    plain, c2c, vat = (
        np.mean([score_with_a_hundred_labels(seed, *settings) for seed in range(3)])
        for settings in ((None, 0.0, 0.0), ("c2c", 3.0, 0.1), ("vat", 1.0, 0.5))
    )
    assert c2c > plain + 0.02
    assert vat > plain + 0.04
    assert vat > 0.93


@each_solver
def test_a_collapse_is_noticed(solver):
    X, y = moons(200)
    huge = {"alpha": 1e4, "epsilon": 3.0, "solver": solver, "max_iter": 300, "l2": 0.0}
    huge["learning_rate_init"] = 0.01
    with pytest.warns(UserWarning, match="collapsed.*all but constant.*Lower alpha=.*VAT"):
        quick(missing_label=-1, **huge).fit(X, y)
    target = np.where(y == -1, np.nan, X[:, 0])
    with pytest.warns(UserWarning, match="collapsed.*all but constant.*Lower alpha=10000"):
        quick(C2CRegressor, missing_label=np.nan, **huge).fit(X, target)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*collapsed")
        quick(missing_label=-1, max_iter=300, learning_rate_init=0.01).fit(X, y)
        quick(missing_label=-1, max_iter=1, alpha=0.0).fit(X, y)  # hardly trained, no penalty


def test_cross_validation_scores_labelled_rows_only():
    X, y = load_digits(return_X_y=True)
    X, marked = X / 16, y.copy()
    marked[np.random.default_rng(0).random(len(y)) < 0.9] = -1
    settings = {"hidden_layer_sizes": (50,), "max_iter": 20, "learning_rate_init": 0.01}
    clf = quick(penalty=VAT(), missing_label=-1, **settings)
    cv = SemiSupervisedSplit(cv=3)
    assert cross_val_score(clf, X, marked, cv=cv).mean() > 0.8


def test_a_value_that_looks_like_the_mark_is_named():
    X, y = moons()
    with pytest.warns(UserWarning, match="=-1 marks no row of y, in which '-1' is a value"):
        quick(missing_label=-1).fit(X, y.astype(str).astype(object))


def test_batches_of_a_stream_may_be_labelled_in_full():
    X, y = moons()
    whole = quick(missing_label=-1).partial_fit(X, y, classes=np.unique(y))
    assert_array_equal(whole.classes_, [0, 1])  # the mark is no class
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole.partial_fit(X[:10], y[:10])
        quick().partial_fit(X[:10], y[:10], classes={0, 1})


def test_a_batch_of_a_stream_without_labels_changes_nothing_and_says_so():
    X, y = moons()
    clf = quick(missing_label=-1).partial_fit(X[:30], y[:30], classes=[0, 1])
    before = [coef.copy() for coef in clf.coefs_]
    with pytest.warns(UserWarning, match="nothing is learned from this call of partial_fit"):
        assert clf.partial_fit(X[30:], y[30:]) is clf
    for one, other in zip(clf.coefs_, before, strict=True):
        assert_array_equal(one, other)
    with pytest.raises(ValueError, match="No row of y has a label"):
        quick(missing_label=-1).partial_fit(X[30:], y[30:], classes=[0, 1])
