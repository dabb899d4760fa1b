"""Networks that learn from rows without a label are trained on leading principal components."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import draw_network
from scipy import sparse
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from skc2c import C2C, VAT, C2CClassifier
from skc2c.estimators import scaled_rows
from skc2c.estimators.scaled_rows import Scaled
from skc2c.network.input_scaling import standard_scaling
from skc2c.network.principal_components import PrincipalComponents, leading_components

# Fits are too short to settle.
pytestmark = pytest.mark.filterwarnings("ignore:.*has collapsed")

QUICK = {"hidden_layer_sizes": (8,), "max_iter": 3, "missing_label": -1, "random_state": 0}


@pytest.fixture
def correlated(rng):
    """Rows of so many features, most of whose variance is in a few directions, and marked y."""

    def make(n=150, D=30):
        strength = 0.8 ** np.arange(D)
        X = (rng.normal(size=(n, D)) * strength) @ np.linalg.qr(rng.normal(size=(D, D)))[0].T
        y = (X[:, 0] > 0.0).astype(int)
        return X, np.where(np.arange(n) < 20, y, -1)

    return make


@pytest.mark.parametrize("n", [150, 12], ids=["more rows", "fewer rows than features"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_components_are_those_of_scikit_learn(correlated, n, share):
    Z, _ = correlated(n)
    center, directions = leading_components(Z, np.ones(n), share, 1)
    pca = PCA(share, svd_solver="full").fit(Z)
    assert_allclose(center, pca.mean_, atol=1e-12)
    assert directions.shape[1] == pca.n_components_
    assert_allclose(np.abs(np.sum(directions * pca.components_.T, axis=0)), 1.0, rtol=1e-8)


def test_there_are_at_least_so_many_components(correlated):
    Z, _ = correlated()
    few = leading_components(Z, np.ones(len(Z)), 0.5, 1)[1].shape[1]
    assert few < 7
    assert leading_components(Z, np.ones(len(Z)), 0.5, 7)[1].shape == (30, 7)
    # There are no more than rows differ in.
    assert leading_components(Z[:4], np.ones(4), 0.5, 7)[1].shape == (30, 3)


@pytest.mark.parametrize("n", [60, 10])
def test_a_row_of_weight_two_counts_as_two(correlated, n):
    Z, _ = correlated(n)
    weight = 1.0 + np.arange(n) % 2
    center, directions = leading_components(Z, weight, 0.8, 1)
    again = np.repeat(Z, weight.astype(int), axis=0)
    center_again, directions_again = leading_components(again, np.ones(len(again)), 0.8, 1)
    assert_allclose(center, center_again, atol=1e-12)
    assert_allclose(subspace_angles(directions, directions_again), 0.0, atol=1e-6)


def test_signs_do_not_depend_on_rounding(correlated):
    Z, _ = correlated()
    _, directions = leading_components(Z, np.ones(len(Z)), 0.9, 1)
    largest = np.abs(directions).argmax(axis=0)
    assert (directions[largest, np.arange(directions.shape[1])] > 0.0).all()


def components_of(X, k):
    scaling = standard_scaling(X, np.ones(len(X)))
    return PrincipalComponents(
        scaling, *leading_components(scaling.transform(X), np.ones(len(X)), 0.1, k)
    )


def test_rows_are_scaled_and_projected(correlated):
    X, _ = correlated()
    components = components_of(X, 6)
    Z = components.scaling.transform(X)
    expected = PCA(6, svd_solver="full").fit_transform(Z)
    assert components.n_out == 6
    assert_allclose(np.abs(components.transform(X)), np.abs(expected), rtol=1e-6, atol=1e-9)


def test_sparse_rows_are_projected_as_dense_ones_are(correlated):
    """Zeros stay zeros in the scaling, as the features have a mean of zero already."""
    X, _ = correlated()
    X = np.concatenate([X, -X]) * (np.abs(np.concatenate([X, X])) > 0.1)
    components = components_of(X, 6)
    components = replace(components, scaling=replace(components.scaling, center=np.zeros(30)))
    found = components.transform(sparse.csr_matrix(X))
    assert type(found) is np.ndarray
    assert_allclose(found, components.transform(X), atol=1e-12)


def test_a_network_of_components_is_one_of_scaled_rows(correlated, rng):
    X, _ = correlated()
    components = components_of(X, 6)
    network, theta, _ = draw_network(rng, (5, 4), D=6, K=2)
    whole, unfolded = components.unfold(network, np.append(theta, [7.0, 8.0]))
    assert whole.layer_units == (30, 5, 4, 2)
    assert_allclose(
        whole.forward(unfolded[:-2], components.scaling.transform(X)),
        network.forward(theta, components.transform(X)),
        rtol=1e-8,
    )
    assert_allclose(unfolded[-2:], [7.0, 8.0])


def kernel_rank(clf):
    """In how many directions of the scaled features the networks look."""
    return np.linalg.matrix_rank(clf.coefs_[0].astype(float), tol=1e-5)


@pytest.fixture
def broad(rng):
    """40 features of which 90 % of the variance is in fewer than 30 directions."""
    D = 40
    mixture = np.linalg.qr(rng.normal(size=(D, D)))[0]
    X = (rng.normal(size=(300, D)) * 0.96 ** np.arange(D)) @ mixture
    return X, np.where(np.arange(300) < 20, np.arange(300) % 2, -1)


def n_leading(X, fewest=20):
    Z = standard_scaling(X, np.ones(len(X))).transform(X)
    return max(fewest, PCA(0.9, svd_solver="full").fit(Z).n_components_)


@pytest.mark.parametrize("penalty", ["vat", "c2c"])
def test_a_fit_looks_along_the_leading_components_of_all_rows(broad, penalty):
    X, marked = broad
    k = n_leading(X)
    assert 20 < k < 40
    wide = QUICK | {"hidden_layer_sizes": (50,)}
    clf = C2CClassifier(penalty=penalty, alpha=1.0, **wide).fit(X, marked)
    assert clf.coefs_[0].shape == (40, 200)
    assert kernel_rank(clf) == k
    components = leading_components(
        standard_scaling(X, np.ones(300)).transform(X), np.ones(300), 0.9, 1
    )[1]
    outside = clf.coefs_[0] - components @ (components.T @ clf.coefs_[0])
    assert np.abs(outside).max() < 1e-5


def test_a_fit_looks_along_at_least_twenty(correlated):
    X, marked = correlated(300, 30)
    clf = C2CClassifier(penalty="vat", alpha=1.0, **QUICK).fit(X, marked)
    assert n_leading(X, fewest=1) < 20
    assert kernel_rank(clf) == 20


@pytest.mark.parametrize(("penalty", "radius"), [("vat", 0.25), ("c2c", 0.37)])
def test_radius_is_one_number_in_proportion_to_the_components(broad, penalty, radius):
    """Of vat it is a length, of c2c a standard deviation along each component."""
    X, marked = broad
    clf = C2CClassifier(penalty=penalty, alpha=1.0, **QUICK).fit(X, marked)
    Z, k = standard_scaling(X, np.ones(300)).transform(X), n_leading(X)
    extent = np.sqrt(PCA(k).fit(Z).explained_variance_.sum() * 299 / 300)
    natural = 1.0 if penalty == "vat" else 1.0 / np.sqrt(k)
    assert isinstance(clf.epsilon_, float)
    assert clf.epsilon_ == pytest.approx(radius * extent * natural, rel=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"input_scaling": "standard"},
        {"input_scaling": None},
        {"epsilon": np.ones(40)},
        {"numeric_embedding": "fourier"},
        {"cv": None},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_what_refers_to_single_features_keeps_them(broad, settings):
    X, marked = broad
    wide = QUICK | {"hidden_layer_sizes": (50,)} | settings
    clf = C2CClassifier(penalty="vat", alpha=1.0, **wide).fit(X, marked)
    assert kernel_rank(clf) >= 40


def test_sparse_rows_are_left_as_they_are(broad):
    X, marked = broad
    X = sparse.csr_matrix(np.where(np.abs(X) > 1.0, X, 0.0))
    wide = QUICK | {"hidden_layer_sizes": (50,)}
    clf = C2CClassifier(penalty="vat", alpha=1.0, **wide).fit(X, marked)
    assert kernel_rank(clf) == 40


def test_too_many_rows_are_transformed_batch_by_batch(broad, monkeypatch):
    X, marked = broad
    fits = []
    for most in (2**26, 0):
        monkeypatch.setattr(scaled_rows, "_MOST_IN_MEMORY", most)
        fits.append(C2CClassifier(penalty="vat", alpha=1.0, **QUICK).fit(X, marked))
    assert_allclose(fits[0].coefs_[0], fits[1].coefs_[0], atol=1e-4)


def test_further_rows_may_come_apart_and_in_single_precision(broad):
    X, marked = (array.astype(np.float32) for array in broad)
    y = marked[:20].astype(int)
    settings = QUICK | {"missing_label": None}
    clf = C2CClassifier(penalty="vat", alpha=1.0, **settings)
    clf.fit(X[:20], y, X_unlabeled=X[20:])
    assert clf.coefs_[0].dtype == np.float32
    together = C2CClassifier(penalty="vat", alpha=1.0, **QUICK).fit(X, marked.astype(int))
    assert_allclose(clf.predict_proba(X), together.predict_proba(X), atol=1e-3)


def distances_seen(X, marked, **settings):
    """The values of `gradient_distance` that VAT has in training."""
    seen = set()

    class Spy(VAT):
        def value(self, *arguments):
            seen.add(self.gradient_distance)
            return super().value(*arguments)

    C2CClassifier(penalty=Spy(), alpha=1.0, **QUICK, **settings).fit(X, marked)
    return seen


@pytest.mark.parametrize(("D", "distance"), [(2, 1.0), (20, 1.0), (25, 1.25)])
def test_distance_of_the_gradient_goes_with_the_number_of_features(rng, D, distance):
    X = np.column_stack([rng.normal(size=(60, D)), np.ones(60)])
    marked = np.where(np.arange(60) < 10, np.arange(60) % 2, -1)
    assert distances_seen(X, marked, input_scaling="standard") == {distance}


def test_distance_is_left_alone_where_rows_are_sparse(broad):
    X, marked = broad
    rows = sparse.csr_matrix(np.where(np.abs(X) > 1.0, X, 0.0))
    assert distances_seen(rows, marked) == {"auto"}


def test_only_a_far_gradient_needs_dense_rows():
    assert VAT().takes_sparse
    assert VAT(gradient_distance=None).takes_sparse
    assert not VAT(gradient_distance=2.0).takes_sparse


def test_distance_is_left_alone_where_it_is_given_or_rows_are_sparse():
    for n_features, given, expected in [(60, 2.0, 2.0), (60, None, None), (None, "auto", "auto")]:
        few = VAT(gradient_distance=given).for_few_labels(True, n_features)
        assert few.gradient_distance == expected
    assert C2C().for_few_labels(True, 60).space == "response"


@pytest.mark.parametrize("D", [30, 300], ids=["more rows", "fewer rows than features"])
def test_rows_that_are_all_the_same_have_no_directions(D):
    X = np.ones((60, D))
    marked = np.where(np.arange(60) < 20, np.arange(60) % 2, -1)
    clf = C2CClassifier(penalty="vat", alpha=1.0, **QUICK).fit(X, marked)
    assert_allclose(clf.predict_proba(X), clf.predict_proba(X[:1]).repeat(60, axis=0))


def test_components_do_not_depend_on_the_number_of_threads(broad):
    X, marked = broad
    fits = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            fits.append(C2CClassifier(penalty="vat", alpha=1.0, **QUICK).fit(X, marked))
    assert_array_equal(fits[0].coefs_[0], fits[1].coefs_[0])


def test_rows_are_held_if_they_are_few_numbers(correlated, monkeypatch):
    X, _ = correlated()
    rows = Scaled(X, components_of(X, 6), np.dtype("float32"))
    monkeypatch.setattr(scaled_rows, "_MOST_IN_MEMORY", 150 * 6)
    monkeypatch.setattr(scaled_rows, "_CHUNK", 64)
    assert_array_equal(scaled_rows.in_memory(rows), rows[np.arange(150)])
    monkeypatch.setattr(scaled_rows, "_MOST_IN_MEMORY", 150 * 6 - 1)
    assert scaled_rows.in_memory(rows) is rows


def test_further_rows_are_projected_once_for_all_steps(broad, monkeypatch):
    """For radius and training: not for each fit, let alone for each batch."""
    X, marked = broad
    n_projected, transform = [], PrincipalComponents.transform

    def counting(components, X):
        n_projected.append(len(X))
        return transform(components, X)

    monkeypatch.setattr(PrincipalComponents, "transform", counting)
    settings = QUICK | {"max_iter": 30}
    C2CClassifier(penalty="vat", alpha=1.0, **settings).fit(X, marked)
    assert sum(n_projected) < 2.5 * len(X)


def test_components_are_those_of_weighted_rows(broad):
    """Two labelled rows outweigh all others."""
    X, marked = broad
    weight = np.where(np.arange(300) < 2, 1e9, 1.0)
    clf = C2CClassifier(penalty="vat", alpha=1.0, **QUICK).fit(X, marked, sample_weight=weight)
    Z = standard_scaling(X, weight).transform(X)
    _, directions = leading_components(Z, weight, 0.9, 20)
    outside = clf.coefs_[0] - directions @ (directions.T @ clf.coefs_[0])
    assert np.abs(outside).max() < 1e-4
