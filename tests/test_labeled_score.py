"""Scores of an estimator that knows the mark of rows without a label."""

import numpy as np
import pandas as pd
import pytest
from oracles import PLAIN
from scipy import sparse
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import cross_val_score
from tuned import TUNED

from skc2c import C2CClassifier, C2CRegressor

settings = pytest.mark.parametrize("settings", [PLAIN, TUNED], ids=["plain", "tuned"])
SMALL = {"hidden_layer_sizes": (8,), "random_state": 0, "max_iter": 20, "learning_rate_init": 0.03}
X, NOISE = np.random.default_rng(0).normal(size=(2, 90, 4))
NOISY = X + 0.4 * NOISE  # so that no score is perfect
MARKED = np.arange(90) % 3 == 1
LABELS = (NOISY[:, 0] > 0).astype(int)
TARGETS = {
    "classes": (C2CClassifier, LABELS, -1, accuracy_score),
    "words": (C2CClassifier, np.array(["a", "b"])[LABELS], "?", accuracy_score),
    "labels": (C2CClassifier, (NOISY[:, :3] > 0).astype(int), -1, accuracy_score),
    "real": (C2CRegressor, NOISY[:, 0] * 3.0, np.nan, r2_score),
    "reals": (C2CRegressor, NOISY[:, :2] * [1.0, 50.0] + 7.0, np.nan, r2_score),
}


def marked(y, mark):
    y = y.copy()
    y[MARKED] = mark
    return y


@settings
@pytest.mark.parametrize("kind", TARGETS)
def test_marked_rows_are_left_out(kind, settings):
    cls, y, mark, measure = TARGETS[kind]
    model = cls(**settings | SMALL, missing_label=mark).fit(X, marked(y, mark))
    weight = np.linspace(0.1, 3.0, 90)
    predicted, kept = model.predict(X), ~MARKED
    expected = measure(y[kept], predicted[kept])
    weighted = measure(y[kept], predicted[kept], sample_weight=weight[kept])
    assert expected != measure(y, predicted)
    assert expected != weighted
    given = marked(y, mark)
    assert model.score(X, given) == expected
    assert model.score(X, given, weight) == weighted
    assert model.score(X, given, sample_weight=weight.tolist()) == weighted
    assert model.score(X.tolist(), given.tolist()) == expected
    assert model.score(sparse.csr_array(X), given) == pytest.approx(expected, rel=1e-5)
    # A mark is needed in training only.
    assert model.score(X, y) == measure(y, predicted)


def test_without_a_mark_nothing_is_special():
    y = 2 * LABELS - 1
    clf = C2CClassifier(**PLAIN | SMALL).fit(X, y)
    assert clf.score(X, y) == accuracy_score(y, clf.predict(X))
    reg = C2CRegressor(**PLAIN | SMALL).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="NaN"):
        reg.score(X, marked(X[:, 0], np.nan))


def test_frames_and_series_with_marks():
    frame = pd.DataFrame(X, columns=list("abcd"))
    y = pd.Series(np.array(["no", "yes"])[LABELS], dtype="string")
    given = y.mask(MARKED)
    clf = C2CClassifier(**PLAIN | SMALL, missing_label=pd.NA).fit(frame, given)
    kept = ~MARKED
    expected = accuracy_score(y[kept].to_numpy(object), clf.predict(frame)[kept])
    assert clf.score(frame, given) == expected


def test_ordinary_cross_validation_counts_labelled_rows_only():
    """Rows without a label can never be right, so that they would cost a third of the score."""
    y = marked(LABELS, -1)
    clf = C2CClassifier(**PLAIN | SMALL, missing_label=-1)
    assert cross_val_score(clf, X, y, cv=3).mean() > 0.75


def test_no_labelled_row_has_no_score():
    clf = C2CClassifier(**PLAIN | SMALL, missing_label=-1).fit(X, marked(LABELS, -1))
    with pytest.raises(ValueError, match="No row of y has a label"):
        clf.score(X, np.full(90, -1))


@pytest.mark.parametrize("arguments", [(X, LABELS[:9]), (X[:9], LABELS), (X, LABELS, np.ones(99))])
def test_lengths_must_agree(arguments):
    clf = C2CClassifier(**PLAIN | SMALL, missing_label=-1).fit(X, marked(LABELS, -1))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        clf.score(*arguments)
