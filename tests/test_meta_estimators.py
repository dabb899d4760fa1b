"""Marked rows inside scikit-learn's meta-estimators: learned from, refused or warned of."""

import re
import warnings

import numpy as np
import pytest
import sklearn
from oracles import PLAIN
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_score,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.semi_supervised import SelfTrainingClassifier

from skc2c import C2CClassifier, C2CRegressor

X, y = load_breast_cancer(return_X_y=True)
X, y = scale(X)[:400], y[:400]
KNOWN = np.arange(len(y)) % 5 == 0
MARKED = np.where(KNOWN, y, -1)
REAL = X[:, 0] + X[:, 1]
REAL_MARKED = np.where(KNOWN, REAL, np.nan)
QUICK = PLAIN | {"hidden_layer_sizes": (10,), "max_iter": 30, "learning_rate_init": 0.03}


def clf(**changes):
    return C2CClassifier(**QUICK | {"random_state": 0} | changes)


def reg(**changes):
    return C2CRegressor(**QUICK | {"random_state": 0} | changes)


SCALERS = StandardScaler()  # rows are scaled already: it changes next to nothing
CLASSIFIERS = {
    "pipeline": lambda net: make_pipeline(SCALERS, net),
    "grid": lambda net: GridSearchCV(net, {"alpha": [0.1]}, cv=3),
    "bagging": lambda net: BaggingClassifier(net, 3, random_state=0),
    "voting": lambda net: VotingClassifier([("one", net), ("other", net)]),
    "stacking": lambda net: StackingClassifier([("one", net)]),
    "one-vs-rest": OneVsRestClassifier,
    "one-vs-one": OneVsOneClassifier,
    "output code": lambda net: OutputCodeClassifier(net, random_state=0),
    "calibration": lambda net: CalibratedClassifierCV(net, cv=3),
    "one calibration": lambda net: CalibratedClassifierCV(net, cv=3, ensemble=False),
    "threshold": FixedThresholdClassifier,
    "tuned threshold": lambda net: TunedThresholdClassifierCV(net, cv=3),
    "self-training": lambda net: SelfTrainingClassifier(net, max_iter=1),
    "boosting": lambda net: AdaBoostClassifier(net, n_estimators=3),
    "several": MultiOutputClassifier,
    "chain": ClassifierChain,
}
REGRESSORS = {
    "pipeline": lambda net: make_pipeline(SCALERS, net),
    "grid": lambda net: GridSearchCV(net, {"alpha": [0.1]}, cv=3),
    "bagging": lambda net: BaggingRegressor(net, 3, random_state=0),
    "voting": lambda net: VotingRegressor([("one", net)]),
    "stacking": lambda net: StackingRegressor([("one", net)]),
    "several": MultiOutputRegressor,
    "chain": RegressorChain,
}
# Where scikit-learn itself raises: it counts classes, or takes no NaN in y.
REFUSED = "Only binary classification|worse than random|contains NaN"


def outcome(model, marked, truth):
    """What a meta-estimator makes of marked rows, and whether that is good."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            predicted = model.fit(X, marked).predict(X)
        except ValueError as error:
            if not re.search(REFUSED, str(error)):
                raise
            return "refused", False
    predicted = predicted if predicted.ndim == 1 else predicted[:, 0]
    if is_classifier(model):
        good = np.mean(predicted == truth) > 0.9
    else:
        good = np.corrcoef(predicted, truth)[0, 1] > 0.8
    told = [w for w in caught if "X_unlabeled instead" in str(w.message)]
    assert all(w.filename == __file__ for w in told)
    return ("warned", good) if told else ("silent", good)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_is_right_or_says_what_to_pass_instead(name):
    marked = np.column_stack([MARKED, MARKED]) if name in ("several", "chain") else MARKED
    said, good = outcome(CLASSIFIERS[name](clf(missing_label=-1)), marked, y)
    assert good or said in ("warned", "refused")
    if name in ("pipeline", "grid", "several", "chain"):
        assert (said, good) == ("silent", True)


@pytest.mark.parametrize("name", REGRESSORS)
def test_a_regressor_is_right_or_refused(name):
    several = name in ("several", "chain")
    marked = np.column_stack([REAL_MARKED] * 2) if several else REAL_MARKED
    said, good = outcome(REGRESSORS[name](reg(missing_label=np.nan)), marked, REAL)
    assert good or said == "refused"


@pytest.mark.parametrize(
    "name",
    [
        "grid",
        "bagging",
        "voting",
        "one-vs-rest",
        "one-vs-one",
        "output code",
        "calibration",
        "threshold",
        "tuned threshold",
    ],
)
def test_what_to_pass_instead_works(name):
    """`X_unlabeled` reaches the network by scikit-learn's metadata routing."""
    seen = []

    class Watched(C2CClassifier):
        def fit(self, X, y, *, X_unlabeled=None):
            seen.append(0 if X_unlabeled is None else len(X_unlabeled))
            return super().fit(X, y, X_unlabeled=X_unlabeled)

    with sklearn.config_context(enable_metadata_routing=True):
        net = Watched(**QUICK | {"random_state": 0}).set_fit_request(X_unlabeled=True)
        model = CLASSIFIERS[name](net).fit(X[KNOWN], y[KNOWN], X_unlabeled=X[~KNOWN])
    assert set(seen) == {np.count_nonzero(~KNOWN)}
    assert np.mean(model.predict(X) == y) > 0.9


def test_scores_in_a_search_leave_marked_rows_out():
    found = cross_val_score(clf(missing_label=-1), X, MARKED, cv=3)
    assert (found > 0.85).all()
    search = GridSearchCV(reg(missing_label=np.nan), {"alpha": [0.1]}, cv=3).fit(X, REAL_MARKED)
    assert search.best_score_ > 0.5


@pytest.mark.parametrize(
    ("make", "marked"),
    [
        (clf, np.array(["a", "b", None] * 20, dtype=object)),
        (clf, np.array(["a", "b", np.nan] * 20, dtype=object)),
        (clf, np.array([0.0, 1.0, np.nan] * 20)),
        (reg, np.array([0.5, 1.5, None] * 20, dtype=object)),
        (reg, np.array([0.5, 1.5, np.nan] * 20)),
    ],
)
def test_none_and_nan_in_y_name_the_parameter_that_marks(make, marked):
    for given in (marked, marked.tolist()):
        with pytest.raises(ValueError, match=r"y contains NaN.*missing_label=np\.nan"):
            make().fit(X[:60], given)
    assert len(make(missing_label=np.nan).fit(X[:60], marked).predict(X)) == len(X)


def test_validation_rows_of_a_pipeline_arrive_unscaled_and_are_warned_of():
    rows = 100.0 * X + 1000.0
    net = clf(early_stopping=True)
    given = {"X_val": rows[300:], "y_val": y[300:]}
    with pytest.warns(UserWarning, match=r'X_val is on another scale.*transform_input=\["X_val"\]'):
        make_pipeline(StandardScaler(), net).fit(
            rows[:300],
            y[:300],
            **{f"c2cclassifier__{name}": value for name, value in given.items()},
        )
    with sklearn.config_context(enable_metadata_routing=True):
        routed = net.set_fit_request(X_val=True, y_val=True)
        pipe = make_pipeline(StandardScaler(), routed, transform_input=["X_val"])
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*another scale")
            assert pipe.fit(rows[:300], y[:300], **given).score(rows[300:], y[300:]) > 0.9
