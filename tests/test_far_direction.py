"""The direction of VAT as a gradient far from the row, against nested autograd."""

import autograd
import autograd.numpy as anp
import numpy as np
import oracles
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import LIKELIHOODS, draw_network

from skc2c import VAT, C2CClassifier
from skc2c.network import Members
from skc2c.penalties.perturbations import from_afar, gaussian, normalize
from skc2c.random_streams import MemberStreams

CATEGORICAL = LIKELIHOODS["log_loss"]


def divergence(h, near):
    """Of the class probabilities, summed over the rows, in plain autograd."""
    p, q = (z - anp.log(anp.sum(anp.exp(z), axis=1, keepdims=True)) for z in (h, near))
    return anp.sum(anp.exp(p) * (p - q))


def expected_direction(network, theta, X, start, epsilon, distance):
    """The gradient with respect to the unit perturbation u, x + epsilon u, at distance times it."""

    def at(u):
        far = oracles.forward(network.layer_units, network.activation, theta, X + epsilon * u)
        return divergence(network.forward(theta, X), far)

    g = autograd.grad(at)(distance * start)
    return g / np.linalg.norm(g, axis=1, keepdims=True)


@pytest.mark.parametrize("epsilon", [0.7, np.array([0.7, 0.3, 1.4, 0.0])], ids=["number", "array"])
@pytest.mark.parametrize("distance", [0.5, 4.0])
def test_direction_is_the_gradient_at_a_far_point(rng, epsilon, distance):
    network, theta, X = draw_network(rng, (6, 5))
    penalty = VAT(gradient_distance=distance)
    probe = penalty.probe(network, CATEGORICAL, theta, X, None, epsilon, np.random.default_rng(3))
    free = np.asarray(epsilon) > 0.0
    start = gaussian(np.random.default_rng(3), X.shape, free, X.dtype)
    start = normalize(start, start)
    u = expected_direction(network, theta, X, start, epsilon, distance)
    assert_allclose(probe.near - X, epsilon * u, rtol=1e-6, atol=1e-12)
    assert_array_equal(probe.clean, X)


def test_close_to_the_row_it_is_one_power_iteration():
    """Near the minimum of the divergence its gradient is the Fisher information times dx."""
    rng = np.random.default_rng(0)
    network, theta, X = draw_network(rng, (6, 5))
    exact, close = (
        penalty.probe(network, CATEGORICAL, theta, X, None, 1.0, np.random.default_rng(3)).near
        for penalty in (VAT(), VAT(gradient_distance=1e-5))
    )
    assert_allclose(close, exact, atol=1e-3)


def test_where_the_output_does_not_move_the_direction_is_random(rng):
    network, theta, X = draw_network(rng, (6, 5))
    probe = VAT(gradient_distance=3.0).probe(
        network, CATEGORICAL, np.zeros_like(theta), X, None, 2.0, rng
    )
    assert_allclose(np.linalg.norm(probe.near - X, axis=1), 2.0)


def test_each_perturbation_has_a_direction_of_its_own(rng):
    network, theta, X = draw_network(rng, (6, 5))
    penalty = VAT(n_perturbations=2, gradient_distance=3.0)
    near = penalty.probe(network, CATEGORICAL, theta, X, None, 2.0, rng).near
    first, second = near.reshape(2, *X.shape)
    assert_allclose(np.linalg.norm(first - X, axis=1), 2.0)
    assert (np.abs(first - second).max(axis=1) > 1e-3).all()


@pytest.mark.parametrize("normalization", [None, "batch"])
def test_members_look_where_each_would_alone(rng, normalization):
    members = Members((4, 6, 3), "tanh", normalization=normalization, k=2)
    theta, X = rng.normal(size=members.size), rng.normal(size=(14, 4))
    penalty = VAT(gradient_distance=3.0)
    streams = MemberStreams([np.random.default_rng(i) for i in range(2)])
    found = penalty.probe(members, CATEGORICAL, theta, X, None, 2.0, streams).near
    for i in range(2):
        own = slice(7 * i, 7 * (i + 1))
        stream = MemberStreams([np.random.default_rng(i)])
        alone = members.single, CATEGORICAL, members.each(theta)[i], X[own], None, 2.0, stream
        assert_allclose(found[own], penalty.probe(*alone).near, rtol=1e-9)


def test_float32_stays_float32(rng):
    network, theta, X = draw_network(rng, (6, 5))
    theta, X = theta.astype("f4"), X.astype("f4")
    linearization = network.linearize(theta, X)

    def linearize(dx):
        assert dx.dtype == np.float32
        return network.linearize(theta, X + dx)

    def slope(h, far):
        assert {h.dtype, far.dtype} == {np.dtype("f4")}
        return CATEGORICAL.kl_and_gradients(h, far)[1]

    for epsilon in (0.7, np.full(4, 0.7)):
        dx = from_afar(rng, linearization, linearize, slope, epsilon, 3.0)
        assert dx.dtype == np.float32


@pytest.mark.parametrize("value", [0.0, -1.0, "far"])
def test_distance_must_be_positive(value):
    clf = C2CClassifier(penalty=VAT(gradient_distance=value))
    with pytest.raises(ValueError, match="gradient_distance"):
        clf.fit([[0.0], [1.0]], [0, 1])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_it_trains_with_either_solver(rng, solver):
    X = rng.normal(size=(200, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    penalty = VAT(gradient_distance=3.0)
    clf = C2CClassifier(penalty=penalty, epsilon=0.1, alpha=1.0, cv=None, solver=solver)
    assert clf.set_params(random_state=0, l2=0.0).fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize("distance", [0.0, -1.0])
def test_a_distance_of_zero_is_none(distance):
    X, y = np.eye(4), np.array([0, 0, 1, 1])
    settings = {"cv": None, "max_iter": 1, "epsilon": 0.1}
    C2CClassifier((3,), penalty=VAT(gradient_distance=0.5), **settings).fit(X, y)
    with pytest.raises(ValueError, match=r"gradient_distance.*in the range \(0.*, inf\)"):
        C2CClassifier((3,), penalty=VAT(gradient_distance=distance), **settings).fit(X, y)
