"""Classifiers that tune themselves and learn from rows without a label."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import make_blobs, make_moons
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skc2c import C2C, VAT, C2CClassifier
from skc2c.data.rows import Rows
from skc2c.estimators import training
from skc2c.estimators.confidence import confidence
from skc2c.estimators.worth_of_unlabeled import do_harm
from skc2c.fitting import loss_of
from skc2c.likelihoods import Bernoulli
from skc2c.network.input_scaling import robust_scaling, standard_scaling

# Fits are too short to settle.
pytestmark = pytest.mark.filterwarnings("ignore:.*has collapsed")

QUICK = {"hidden_layer_sizes": (10,), "max_iter": 3, "random_state": 0}


@pytest.fixture
def blobs():
    """Four clusters of two classes, of which `n` rows have a label."""

    def make(n):
        X, y = make_blobs(200, 3, centers=4, cluster_std=0.5, random_state=1)
        return X, np.where(np.arange(200) < n, y % 2, -1), y % 2

    return make


def squashed(clf, X):
    z = (X - clf.input_center_) * clf.input_scale_
    return z / np.sqrt(1.0 + (z / 3.0) ** 2)


@pytest.mark.parametrize(("penalty", "radius"), [("vat", 0.25), ("c2c", 0.37 / np.sqrt(3))])
def test_radius_goes_with_the_extent_of_all_rows(blobs, penalty, radius):
    """Of vat it is a length, of c2c a standard deviation in each of three features.

    A fourth one is constant.
    """
    X, marked, _ = blobs(6)
    X = np.column_stack([X * [1.0, 10.0, 100.0], np.full(len(X), 7.0)])
    clf = C2CClassifier(penalty=penalty, missing_label=-1, **QUICK).fit(X, marked)
    extent = np.sqrt(squashed(clf, X).var(axis=0).sum())
    np.testing.assert_allclose(clf.epsilon_, radius * extent * np.array([1, 1, 1, 0]), rtol=1e-4)


def test_features_are_standardised_over_all_rows(blobs):
    X, marked, _ = blobs(6)
    clf = C2CClassifier(penalty="vat", missing_label=-1, **QUICK)
    clf.fit(X, marked)
    scaler = StandardScaler().fit(X)
    np.testing.assert_allclose(clf.input_center_, scaler.mean_, rtol=1e-6)
    np.testing.assert_allclose(clf.input_scale_, 1.0 / scaler.scale_, rtol=1e-6)
    clf.set_params(input_scaling="robust").fit(X, marked)
    np.testing.assert_allclose(clf.input_center_, np.sort(X, axis=0)[99], rtol=1e-6)
    with_words = C2CClassifier(penalty="vat", missing_label=-1, **QUICK)
    with_words.fit(sparse.csr_matrix(X), marked)
    np.testing.assert_allclose(with_words.input_scale_, 1.0 / np.abs(X[:6]).max(axis=0), rtol=1e-6)


def test_radius_that_is_given_is_taken(blobs):
    X, marked, _ = blobs(6)
    clf = C2CClassifier(penalty="vat", epsilon=0.5, missing_label=-1, **QUICK).fit(X, marked)
    assert clf.epsilon_ == 0.5


class Planned(Exception):
    """Ends a fit before it is trained."""


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 2000),
        ({"batch_size": 2}, 4000),
        ({"batch_size": 1}, 6000),
        ({"batch_size": 1, "solver": "lbfgs"}, 2000),
    ],
)
def test_training_takes_twenty_passes_over_all_rows_within_limits(
    rng, monkeypatch, settings, expected
):
    def planned(plan, *_):
        raise Planned(plan.ends)

    monkeypatch.setattr(training, "_cross_fit", planned)
    marked = np.where(np.arange(400) < 2, np.arange(400), -1)
    with pytest.raises(Planned) as stopped:
        C2CClassifier(missing_label=-1, **settings).fit(rng.normal(size=(400, 2)), marked)
    assert stopped.value.args == ([expected],)


@pytest.mark.parametrize(("alpha", "expected"), [("auto", 2.0), (0.7, 0.7)])
def test_with_a_handful_of_labels_every_network_has_them_all(blobs, alpha, expected):
    X, marked, _ = blobs(5)  # too few for folds
    clf = C2CClassifier(penalty="vat", alpha=alpha, missing_label=-1, **QUICK)
    clf.fit(X, marked)
    assert (clf.n_networks_, clf.alpha_) == (4, expected)
    assert not hasattr(clf, "oob_score_")


def test_unlabelled_rows_help_where_classes_are_clusters():
    X, y = make_moons(200, noise=0.05, random_state=0)
    marked = np.where(np.arange(200) < 6, y, -1)
    small = {"cv": 2, "penalty": "vat", "max_iter": 200, "random_state": 0}
    small["learning_rate_init"] = 0.03
    clf = C2CClassifier(missing_label=-1, **small).fit(X, marked)
    assert clf.score(X, y) > 0.95
    alone = C2CClassifier(**small).fit(X[:6], y[:6])
    assert clf.score(X, y) > alone.score(X, y) + 0.05


def test_unlabelled_rows_are_done_without_where_they_do_harm(rng):
    """Classes cut through the only gap: what lies together does not belong together."""
    X = np.concatenate([rng.normal(-3.0, 0.5, (150, 2)), rng.normal(3.0, 0.5, (150, 2))])
    X = X[rng.permutation(300)]
    y = (X[:, 1] * np.sign(X[:, 0]) > 3.0).astype(int)
    marked = np.where(np.arange(300) < 100, y, -1)
    small = {"hidden_layer_sizes": (30,), "cv": 2, "max_iter": 150}
    clf = C2CClassifier(**small, penalty="vat", missing_label=-1, random_state=0).fit(X, marked)
    assert clf.alpha_ < 1.0
    assert clf.score(X, y) > 0.9


@pytest.mark.parametrize("alpha", ["auto", 3.0])
@pytest.mark.parametrize("sign", ["collapse", "gives_up"])
def test_unlabelled_rows_are_done_without_where_a_class_is_lost(blobs, monkeypatch, sign, alpha):
    """Unless a strength is asked for: then a warning says so, and no more is done."""
    monkeypatch.setattr(training, sign, lambda *arguments: "there it hardly ever predicts 2")
    X, marked, _ = blobs(60)
    small = {"hidden_layer_sizes": (10,), "max_iter": 40, "random_state": 0, "alpha": alpha}
    clf = C2CClassifier(**small, penalty="vat", missing_label=-1).fit(X, marked)
    assert (clf.alpha_ < 1.0) == (alpha == "auto")


def test_classes_are_compared_on_the_same_rows(blobs, monkeypatch):
    """On all of them: the networks of the labelled rows alone scale them by these alone."""
    compared = []
    monkeypatch.setattr(training, "gives_up", lambda *arguments: compared.append(arguments))
    for other_sign in ("do_harm", "collapse"):
        monkeypatch.setattr(training, other_sign, lambda *arguments: None)
    X, marked, _ = blobs(60)
    C2CClassifier(**QUICK, penalty="vat", missing_label=-1).fit(X, marked)
    [(_, (pool, networks), (pool_alone, networks_alone))] = compared
    by_all, by_labelled = standard_scaling(X, np.ones(200)), robust_scaling(X[:60], np.ones(60))
    for rows, scaling in ((pool, by_all), (pool_alone, by_labelled)):
        np.testing.assert_allclose(rows.take(np.arange(200)).X, scaling.transform(X), rtol=1e-4)
    assert len(networks) == 4
    assert len(networks_alone) % 4 == 0  # of each end in the mix
    assert networks[0] is not networks_alone[0]


def test_of_many_labels_scores_out_of_fold_remain(blobs):
    X, marked, y = blobs(60)
    clf = C2CClassifier(penalty="vat", alpha=1.0, missing_label=-1, max_iter=100, random_state=0)
    clf.fit(X, marked)
    assert clf.oob_score_ > 0.9
    seen = np.isfinite(clf.oob_decision_function_).all(axis=1)
    np.testing.assert_array_equal(seen, marked != -1)
    right = clf.oob_decision_function_.argmax(axis=1) == y
    assert clf.oob_score_ == pytest.approx(right[seen].mean())


def test_outputs_are_as_certain_as_rows_left_out_allow(rng):
    """A factor of logits is the only weight of a logistic regression on them."""
    h = rng.normal(size=(60, 1))
    y = (rng.random(60) < 1.0 / (1.0 + np.exp(-0.4 * h[:, 0]))).astype(float)
    weight = rng.uniform(0.5, 2.0, size=60)
    left_out = np.arange(50)
    plan = SimpleNamespace(
        rows=Rows(np.zeros((60, 1)), y[:, None], weight), left_out=left_out, likelihood=Bernoulli()
    )
    factor = confidence(plan, h)
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10)
    model.fit(h[left_out], y[left_out], weight[left_out])
    assert factor == pytest.approx(model.coef_.item(), rel=1e-3)


def accuracy(h, y, weight):
    return np.average((h > 0.0) == (y > 0.5), weights=weight[:, None])


BINARY = SimpleNamespace(score=accuracy)


def judged(rng, lead):
    """A plan, and outputs of the same certainty of which the second know more, or the first."""
    y = np.arange(80) % 2
    size = np.array([1.0 - lead, 1.0 + lead])[:, None, None]
    outputs = size * (2.0 * y[:, None] - 1.0) + 1.5 * rng.normal(size=(2, 80, 1))
    rows = Rows(np.zeros((80, 1)), y[:, None], np.ones(80))
    plan = SimpleNamespace(rows=rows, left_out=np.arange(80), likelihood=Bernoulli())
    return plan, *outputs


@pytest.mark.parametrize(("lead", "expected"), [(-0.5, False), (0.5, True)])
def test_harm_must_be_seen(rng, lead, expected):
    plan, with_rows, alone = judged(rng, lead)
    assert do_harm(BINARY, plan, with_rows, alone) == expected
    # However certain they are.
    assert do_harm(BINARY, plan, 10.0 * with_rows, alone) == expected
    assert not do_harm(BINARY, plan, alone, alone)


def test_a_little_more_loss_is_harm(rng):
    """One row of eighty that is a little less certain, and rightly so: far within its error."""
    plan, alone, _ = judged(rng, 0.0)
    right = np.argmax(alone[:, 0] * (2.0 * plan.rows.y[:, 0] - 1.0))
    with_rows = alone.copy()
    with_rows[right] *= 0.9
    assert do_harm(BINARY, plan, with_rows, alone)
    assert not do_harm(BINARY, plan, alone, with_rows)


def test_a_little_more_loss_is_no_harm_if_more_rows_are_right(rng):
    """One more is, which is not sure of it, and another one is less sure than it was."""
    plan, alone, _ = judged(rng, 0.0)
    sign = 2.0 * plan.rows.y[:, 0] - 1.0
    wrong = np.where(alone[:, 0] * sign < 0.0, np.abs(alone[:, 0]), np.inf).argmin()
    with_rows = alone.copy()
    with_rows[wrong] = 1e-3 * sign[wrong]
    with_rows[np.argmax(alone[:, 0] * sign)] *= 0.2
    # By its loss alone it would be.
    assert do_harm(SimpleNamespace(score=lambda *_: 0.5), plan, with_rows, alone)
    assert not do_harm(BINARY, plan, with_rows, alone)


def test_fewer_rows_right_are_harm_however_small_the_loss(rng):
    """All rows but one become more certain, and rightly so; one changes sides."""
    plan, alone, _ = judged(rng, 0.5)
    sign = 2.0 * plan.rows.y - 1.0
    with_rows = alone + 3.0 * sign
    right = np.argmax(alone[:, 0] * sign[:, 0])
    with_rows[np.sign(alone) != sign] = alone[np.sign(alone) != sign]
    with_rows[right] = -0.1 * sign[right]
    rows = plan.rows
    assert accuracy(with_rows, rows.y, rows.weight) < accuracy(alone, rows.y, rows.weight)
    assert loss_of(plan, with_rows) < 0.9 * loss_of(plan, alone)
    assert do_harm(BINARY, plan, with_rows, alone)


def test_more_loss_by_a_standard_error_is_harm_however_many_rows_are_right(rng):
    """All rows but one are on the right side, and by next to nothing."""
    plan, _, alone = judged(rng, 0.5)
    sign = 2.0 * plan.rows.y - 1.0
    with_rows = 1e-3 * sign
    with_rows[0] = -sign[0]
    rows = plan.rows
    assert accuracy(with_rows, rows.y, rows.weight) > accuracy(alone, rows.y, rows.weight)
    assert do_harm(BINARY, plan, with_rows, alone)


def test_factor_and_shift_are_in_the_fitted_network(blobs):
    """The out-of-fold outputs have them, and no other factor makes their loss smaller."""
    X, marked, y = blobs(60)
    y = y.copy()
    y[:20] = 1 - y[:20]  # a third of the labels is wrong
    marked = np.where(marked == -1, -1, y)
    clf = C2CClassifier(penalty="vat", alpha=1.0, missing_label=-1, max_iter=100, random_state=0)
    clf.fit(X, marked)
    p = clf.oob_decision_function_[:60, 1]
    h = np.log(p / (1.0 - p))

    def loss(factor):
        outputs = clf.logit_shift_ + factor * (h - clf.logit_shift_)
        return np.mean(np.logaddexp(0.0, outputs) - y[:60] * outputs)

    assert clf.temperature_ > 1.1
    assert loss(1.0) <= min(loss(0.9), loss(1.1))
    assert np.abs(clf.predict_proba(X) - 0.5).max() < 0.49


def test_weight_decay_counts_all_rows(blobs):
    """A strong decay leaves a quarter of the weights if n counts the labels, most if all rows."""
    X, marked, _ = blobs(10)
    settings = QUICK | {"max_iter": 100, "penalty": "vat", "missing_label": -1, "alpha": 1.0}
    sizes = [
        np.abs(C2CClassifier(**settings, l2=l2).fit(X, marked).coefs_[-1]).max()
        for l2 in (0.0, 10.0)
    ]
    assert sizes[1] > 0.6 * sizes[0]


def test_settings_that_are_left_to_the_fit():
    few = VAT().for_few_labels(are_balanced=True, n_features=3)
    assert (few.entropy_weight, few.balance_weight) == (0.1, 0.4)
    few = VAT(entropy_weight=0.0).for_few_labels(are_balanced=True, n_features=3)
    assert (few.entropy_weight, few.balance_weight) == (0.0, 0.4)
    assert C2C().for_few_labels(are_balanced=True, n_features=3).space == "response"
    assert C2C(space="link").for_few_labels(are_balanced=True, n_features=3).space == "link"
    few = VAT().for_few_labels(are_balanced=False, n_features=3)
    assert few.get_params() == VAT(gradient_distance=1.0).get_params()


@pytest.mark.parametrize(("counts", "expected"), [((6, 4), 0.4), ((16, 4), "auto")])
def test_balance_is_asked_for_unless_labels_say_otherwise(rng, counts, expected):
    """Six and four of ten may well be of equal classes; sixteen and four may not (p = 0.007)."""
    y = np.repeat([0, 1, -1], [*counts, 30])
    X = rng.normal(size=(len(y), 2))
    seen = []

    class Spy(VAT):
        def value(self, *arguments):
            seen.append(self.balance_weight)
            return super().value(*arguments)

    C2CClassifier(penalty=Spy(), missing_label=-1, **QUICK).fit(X, y)
    assert set(seen) == {expected}


def test_elsewhere_such_settings_are_off(rng):
    X, y = rng.normal(size=(40, 2)), np.arange(40) % 2
    same = {"cv": None, "alpha": 1.0, **QUICK}
    pairs = [
        (VAT(), VAT(entropy_weight=0.0, balance_weight=0.0, gradient_distance=None)),
        (C2C(), C2C(space="link")),
    ]
    for auto, plain in pairs:
        fits = [C2CClassifier(penalty=p, **same).fit(X, y) for p in (auto, plain)]
        np.testing.assert_array_equal(fits[0].coefs_[0], fits[1].coefs_[0])


@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "lbfgs"},
        {"penalty": "jacobian"},
        {"penalty": "ladder"},
        {"penalty": "c2c"},
        {"normalization": "batch"},
        {"dtype": "float64"},
        {"numeric_embedding": "fourier"},
        {"input_scaling": None},
        {"input_scaling": "robust"},
    ],
    ids=str,
)
def test_goes_with_other_settings(blobs, settings):
    X, marked, _ = blobs(8)
    clf = C2CClassifier(**{"penalty": "vat", "missing_label": -1, **QUICK, **settings})
    proba = clf.fit(X, marked).predict_proba(X)
    assert np.isfinite(proba).all()
    assert clf.n_networks_ == 4


def test_rows_apart_are_rows_marked(blobs):
    X, marked, _ = blobs(12)
    clf = C2CClassifier(penalty="vat", missing_label=-1, **QUICK).fit(X, marked)
    apart = C2CClassifier(penalty="vat", **QUICK)
    apart.fit(X[:12], marked[:12], X_unlabeled=X[12:])
    np.testing.assert_array_equal(clf.coefs_[0], apart.coefs_[0])
