"""A y of one class, as a bag or a fold may have it: it is learned, as trees do."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from oracles import PLAIN
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from skc2c import C2CClassifier
from skc2c.onnx import register_converters
from skc2c.penalties import PENALTIES
from skc2c.solvers import SOLVERS

X = np.random.default_rng(0).normal(size=(40, 3))
WORDS = np.full(40, "a")
QUICK = PLAIN | {"hidden_layer_sizes": (6,), "max_iter": 20, "random_state": 0}


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("changes", [{}, {"cv": 4}, {"early_stopping": True}], ids=str)
def test_the_only_class_is_certain(penalty, solver, changes):
    clf = C2CClassifier(**QUICK | {"penalty": penalty, "solver": solver} | changes).fit(X, WORDS)
    tree = DecisionTreeClassifier().fit(X, WORDS)
    assert_array_equal(clf.classes_, tree.classes_)
    assert_array_equal(clf.predict(X), tree.predict(X))
    assert clf.predict_proba(X).shape == (40, 1)
    assert (clf.predict_proba(X) > 1.0 - 1e-6).all()
    assert_array_equal(clf.predict_log_proba(X), np.zeros((40, 1)))
    assert clf.out_activation_ == "softmax"


def test_the_only_class_of_rows_with_a_label_is_no_collapse():
    marked = np.where(np.arange(40) < 9, 1, -1)
    with pytest.warns(UserWarning, match="one class only, 1") as record:
        clf = C2CClassifier(**QUICK, missing_label=-1).fit(X, marked)
    assert not [warning for warning in record if "collapsed" in str(warning.message)]
    assert_array_equal(clf.predict(X), np.ones(40))


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_class_without_weight_stays_a_class(solver):
    y = np.arange(40) % 2
    clf = C2CClassifier(**QUICK | {"solver": solver, "learning_rate_init": 0.05})
    assert_array_equal(clf.fit(X, y, sample_weight=y).classes_, [0, 1])
    assert (clf.predict(X) == 1).all()


def test_bags_that_lack_classes_vote_all_the_same():
    """Of eight rows, drawn with replacement: some bags have one class, some lack the rare one."""
    y = np.array([0, 0, 0, 0, 0, 1, 1, 2])
    rows = 3.0 * np.eye(3)[y] + 0.1 * X[:8]
    clf = C2CClassifier(**QUICK | {"learning_rate_init": 0.05, "max_iter": 60})
    bags = BaggingClassifier(clf, 30, max_samples=4, random_state=0).fit(rows, y)
    assert min(len(bag.classes_) for bag in bags.estimators_) >= 1
    assert bags.predict_proba(rows).shape == (8, 3)
    assert bags.score(rows, y) >= 5 / 8


def test_weights_of_classes_that_a_bag_lacks_are_let_pass_as_in_scikit_learn():
    y, weights = np.arange(40) % 2, {0: 1.0, 1: 3.0, 2: 5.0}
    clf = C2CClassifier(**QUICK)
    expected = clf.set_params(class_weight={0: 1.0, 1: 3.0}).fit(X, y).coefs_[0]
    assert_array_equal(clf.set_params(class_weight=weights).fit(X, y).coefs_[0], expected)
    unknown = {0: 1.0, 2: 5.0}  # does not name class 1: a slip
    for estimator in (clf, LogisticRegression()):
        with pytest.raises(ValueError, match="class"):
            estimator.set_params(class_weight=unknown).fit(X, y)


def test_scikit_learn_has_no_network_of_one_class():
    with pytest.raises(
        ValueError, match="to_sklearn cannot express a classifier of one class, here .*'a'"
    ):
        C2CClassifier(**QUICK).fit(X, WORDS).to_sklearn()


def test_onnx_has():
    skl2onnx, onnxruntime = map(pytest.importorskip, ("skl2onnx", "onnxruntime"))
    register_converters()
    clf = C2CClassifier(**QUICK).fit(X, WORDS)
    model = skl2onnx.to_onnx(clf, X[:1], options={"zipmap": False})
    session = onnxruntime.InferenceSession(model.SerializeToString())
    labels, proba = session.run(None, {"X": X})
    assert_array_equal(labels, WORDS)
    np.testing.assert_allclose(proba, np.ones((40, 1)))
