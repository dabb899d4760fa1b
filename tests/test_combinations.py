"""Every feature of a fit does what it does alone, whatever it is combined with."""

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import PLAIN
from scipy import sparse

from skc2c import C2CClassifier, C2CRegressor
from skc2c.penalties import PENALTIES
from skc2c.solvers import SOLVERS

N, N_ITER = 48, 4
rng = np.random.default_rng(0)
X = rng.normal(size=(N, 3))
NOISY = X[:, 0] + 0.3 * rng.normal(size=N)
TARGETS = {C2CClassifier: (NOISY > 0) * 1.0, C2CRegressor: 3.0 * NOISY + 5.0}
WEIGHT = np.linspace(0.1, 3.0, N)
WEIGHT[1::4] = 0.0  # of marked rows too
MARK = -99.0
MARKED = np.arange(N) % 3 == 0
CLASS_WEIGHT = {0: 1.0, 1: 5.0}
SMALL = {
    "hidden_layer_sizes": (5,),
    "max_iter": N_ITER,
    "batch_size": 16,
    "random_state": 0,
    "alpha": 0.5,
    "tol": 0.0,
    "n_iter_no_change": np.inf,
    "validation_fraction": 0.25,
    "dtype": "float64",
    "normalization": None,  # where it is left to the fit, dense rows are treated otherwise
}


FITTED = {}


class Task:
    """Parameters and arguments of a fit, to which features are added one by one."""

    def __init__(self, cls, solver, penalty):
        self.cls, self.settings = cls, PLAIN | SMALL | {"solver": solver, "penalty": penalty}
        self.X, self.y, self.further, self.is_partial = X, TARGETS[cls].copy(), {}, False

    def add(self, feature):
        if feature in ("class_weight", "early_stopping", "warm_start", "cv"):
            value = {"class_weight": CLASS_WEIGHT, "cv": 2}.get(feature, True)
            self.settings[feature] = value
        elif feature == "sample_weight":
            self.further["sample_weight"] = WEIGHT
        elif feature == "sparse":
            self.X = sparse.csr_matrix(self.X)
        elif feature == "missing_label":
            self.y[MARKED] = MARK
            self.settings["missing_label"] = MARK
        elif feature == "float32":
            self.X, self.settings["dtype"] = self.X.astype(np.float32), "float32"
        else:
            self.is_partial = True
        return self

    def pick(self, rows):
        """Some of the rows only."""
        self.X, self.y = self.X[rows], self.y[rows]
        if "sample_weight" in self.further:
            self.further["sample_weight"] = self.further["sample_weight"][rows]
        return self

    def fit(self, n=1):
        """Fitted anew only where nothing was fitted yet with all of these arguments.

        Two features together are made twice, once for each, and so is what they are compared with.
        """
        key = joblib.hash((vars(self), n))
        if key not in FITTED:
            FITTED[key] = self._fit(n)
        return FITTED[key]

    def _fit(self, n):
        model = self.cls(**self.settings)
        announced = {"classes": [0, 1]} if self.cls is C2CClassifier else {}
        for _ in range(n):
            if self.is_partial:
                model.partial_fit(self.X, self.y, **self.further, **announced)
            else:
                model.fit(self.X, self.y, **self.further)
        assert np.isfinite(model.predict(self.X)).all()
        return model


def assert_same(one, other, rtol=1e-7, atol=1e-9):
    for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        assert_allclose(a, b, rtol=rtol, atol=atol)


# What a feature does alone. Each is given a function that makes the task with the other feature,
# whose name it is told.


def sample_weight(make, other):
    """A row of weight zero is not there."""
    task = make().add("sample_weight")
    assert_same(task.fit(), make().add("sample_weight").pick(WEIGHT > 0.0).fit())


def class_weight(make, other):
    """It is a sample weight."""
    task = make()
    weight = np.where(TARGETS[C2CClassifier] == 1.0, CLASS_WEIGHT[1], CLASS_WEIGHT[0])
    task.further["sample_weight"] = weight * task.further.get("sample_weight", 1.0)
    if other == "missing_label":
        task.further["sample_weight"][MARKED] = 1.0
    assert_same(make().add("class_weight").fit(), task.fit())


def sparse_rows(make, other):
    tolerance = {"rtol": 2e-3, "atol": 1e-4} if other == "float32" else {"rtol": 1e-5, "atol": 1e-7}
    assert_same(make().add("sparse").fit(), make().fit(), **tolerance)


def early_stopping(make, other):
    """The best scores decide; several iterations were looked at."""
    task = make().add("early_stopping")
    if other == "partial_fit":
        with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
            task.fit()
        return
    model = task.fit()
    assert len(model.validation_scores_) == len(model.loss_curve_) == model.n_iter_ > 1
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.best_loss_ is None
    assert model.n_networks_ == 1


def partial_fit(make, other):
    """So many calls are so many epochs; of a full-batch solver, steps that go down."""
    model = make().add("partial_fit").fit(N_ITER)
    assert model.n_iter_ == len(model.loss_curve_) == N_ITER
    if make().settings["solver"] == "adam":
        whole, n_iter = make(), N_ITER
        if other == "missing_label":
            # Labelled rows, dealt beside all rows, begin anew with each call.
            model, n_iter = make().add("partial_fit").fit(), 1
        whole.settings |= {"cv": None, "max_iter": n_iter}
        tolerance = {"rtol": 2e-3, "atol": 1e-4} if other == "float32" else {}
        assert_same(model, whole.fit(), **tolerance)
    else:
        assert model.loss_curve_[-1] < model.loss_curve_[0]


def warm_start(make, other):
    """A second fit goes on; epochs of Adam as if there had been no pause."""
    task = make().add("warm_start")
    model = task.fit(2)
    assert model.n_networks_ == 1
    assert model.n_iter_ * 2 == len(model.loss_curve_) == 2 * N_ITER
    if task.settings["solver"] == "adam" and other != "early_stopping":
        whole = make()
        whole.settings |= {"max_iter": 2 * N_ITER, "cv": None}
        tolerance = {"rtol": 5e-3, "atol": 5e-4} if other == "float32" else {}
        assert_same(model, whole.fit(), **tolerance)


def missing_label(make, other):
    """Marked rows are `X_unlabeled`."""
    task = make().pick(~MARKED)
    if task.settings["penalty"] not in (None, "noise"):
        marked = make().X[MARKED]
        used = WEIGHT[MARKED] > 0.0 if other == "sample_weight" else slice(None)
        task.further["X_unlabeled"] = marked[used]
    assert_same(make().add("missing_label").fit(), task.fit())


def float32(make, other):
    model = make().add("float32").fit()
    assert {part.dtype for part in model.coefs_ + model.intercepts_} == {np.dtype(np.float32)}
    if make().settings["solver"] == "adam" and other != "cv":
        assert_same(model, make().fit(), rtol=2e-2, atol=2e-3)


def cv(make, other):
    """Several networks, except where one is needed."""
    task = make().add("cv")
    model = task.fit()
    if other in ("early_stopping", "warm_start", "partial_fit"):
        assert model.n_networks_ == 1
        assert_same(model, make().fit())
    else:
        assert model.n_networks_ >= 2
        assert np.isfinite(model.oob_score_)


FEATURES = {
    "sample_weight": sample_weight,
    "class_weight": class_weight,
    "sparse": sparse_rows,
    "early_stopping": early_stopping,
    "partial_fit": partial_fit,
    "warm_start": warm_start,
    "missing_label": missing_label,
    "float32": float32,
    "cv": cv,
}
# Each of these asks for another way to go on, so that there is nothing to combine.
EXCLUSIVE = {frozenset(("partial_fit", "warm_start"))}
ignores_labels = pytest.mark.filterwarnings("ignore:.*learns nothing from rows without a label")
# Four epochs end wherever they end, and where differs from one processor to the next.
hardly_trained = pytest.mark.filterwarnings(
    "ignore:Early stopping kept", "ignore:.*has collapsed on the rows without a label"
)


def fitted_with(feature, other, penalty):
    """A kind of targets and a solver: each two meet for each two features, with some penalties.

    What two features do together may hang on the solver, which sees batches or all rows, or on the
    penalty, which needs labels or not; never on both at once, as neither knows of the other. They
    are the same whichever of the features comes first, so that fits are shared.
    """
    first, second = sorted(list(FEATURES).index(name) for name in (feature, other))
    number = list(PENALTIES).index(penalty)
    kinds, solvers = list(TARGETS), list(SOLVERS)
    return kinds[(number + first + second) % 2], solvers[(number // 2 + first) % 2]


@ignores_labels
@hardly_trained
@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_does_what_it_does_alone(feature, penalty):
    for other in FEATURES:
        cls, solver = fitted_with(feature, other, penalty)
        if other == feature or frozenset((other, feature)) in EXCLUSIVE:
            continue
        if "class_weight" in (feature, other) and cls is C2CRegressor:
            continue
        if {feature, other} == {"partial_fit", "early_stopping"} and feature == "partial_fit":
            continue  # refused, as `early_stopping` asks

        def make(cls=cls, solver=solver, other=other):
            return Task(cls, solver, penalty).add(other)

        FEATURES[feature](make, other)


def test_marks_and_weights_leave_arguments_as_they_are():
    before = {cls: y.copy() for cls, y in TARGETS.items()}
    Task(C2CClassifier, "adam", "c2c").add("missing_label").add("sample_weight").fit()
    for cls, y in TARGETS.items():
        assert_array_equal(y, before[cls])
    assert (WEIGHT[1::4] == 0.0).all()
