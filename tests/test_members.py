"""k networks side by side are the k networks one after another."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import HIDDEN
from periodic_embedding import PeriodicEmbedding

from skc2c.network import ACTIVATIONS, Members, Network
from skc2c.network.fourier_features import FourierFeatures
from skc2c.network.input_scaling import InputScaling

everywhere = pytest.mark.parametrize("activation", ACTIVATIONS)
depths = pytest.mark.parametrize("hidden", HIDDEN)

N, D, OUT, K = 5, 4, 3, 3  # rows of each member, features, outputs, members
FRONTS = {
    "none": (),
    "fourier": (FourierFeatures(n_features=D, columns=(3, 1), frequencies=(0.25, 0.6)),),
    "embedding": (PeriodicEmbedding(n_features=D, columns=(2, 0), n_frequencies=3, n_functions=2),),
    "scaling and embedding": (
        InputScaling(center=np.array([0.3, 0.0, 0.1, 1.0]), scale=np.array([1.0, 2.5, 0.0, 0.7])),
        PeriodicEmbedding(n_features=D, columns=(2, 0), n_frequencies=3, n_functions=2),
    ),
}
fronts = pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)


class Stack:
    """Members, and arrays of which each member has its part."""

    def __init__(self, rng, hidden=(6, 5), activation="tanh", front=(), k=K):
        self.members = Members((D, *hidden, OUT), activation, front, k=k)
        self.single = Network((D, *hidden, OUT), activation, front)
        self.k = k
        self.theta = 0.5 * rng.normal(size=self.members.size)
        self.X = self.rows(rng, D)

    def rows(self, rng, width, copies=1):
        """Copies outermost, then members, then rows."""
        return rng.normal(size=(copies * self.k * N, width))

    def theta_of(self, i, theta=None):
        theta = self.theta if theta is None else theta
        return theta[i * self.single.size : (i + 1) * self.single.size]

    def of(self, i, array):
        """The rows of member i, copy after copy."""
        return array.reshape(-1, self.k, N, *array.shape[1:])[:, i].reshape(-1, *array.shape[1:])

    def assert_rows(self, found, function, rtol=1e-12):
        """`found` is, for each member, what the function of its number gives."""
        for i in range(self.k):
            assert_allclose(self.of(i, found), function(i), rtol=rtol, atol=1e-13)


def assert_member_gradients(stack, together, alone, theta=None):
    """The gradient of a sum over members is that of each, one after the other."""
    gradient = autograd.grad(together)(stack.theta)
    assert gradient.shape == stack.theta.shape
    for i in range(stack.k):
        own = autograd.grad(lambda theta, i=i: alone(i, theta))(stack.theta_of(i))
        assert_allclose(stack.theta_of(i, gradient), own, rtol=1e-10, atol=1e-12)


@everywhere
@depths
def test_forward_and_tangents_are_those_of_single_networks(rng, activation, hidden):
    check_passes(Stack(rng, hidden, activation), rng)


@fronts
def test_forward_and_tangents_through_a_front(rng, front):
    check_passes(Stack(rng, front=front), rng)


def check_passes(stack, rng):
    members, single, theta, X = stack.members, stack.single, stack.theta, stack.X
    mix_h, mix = stack.rows(rng, OUT), rng.normal(size=(2, stack.k * N, OUT))
    V = rng.normal(size=(2, *X.shape))
    stack.assert_rows(
        members.forward(theta, X), lambda i: single.forward(stack.theta_of(i), stack.of(i, X))
    )

    def own(i, theta, X):
        V_i = np.stack([stack.of(i, direction) for direction in V])
        return single.tangent(theta, X, V_i)

    h, dh = members.tangent(theta, X, V)
    stack.assert_rows(h, lambda i: own(i, stack.theta_of(i), stack.of(i, X))[0])
    for m in range(2):
        stack.assert_rows(dh[m], lambda i, m=m: own(i, stack.theta_of(i), stack.of(i, X))[1][m])
    one = members.tangent(theta, X, V[0])[1]
    assert_allclose(one, dh[0], rtol=1e-12, atol=1e-14)

    def together(theta, X):
        h, dh = members.tangent(theta, X, V)
        return anp.sum(h * mix_h) + anp.sum(dh * mix)

    def alone(i, theta, X):
        h, dh = own(i, theta, X)
        mix_i = np.stack([stack.of(i, part) for part in mix])
        return anp.sum(h * stack.of(i, mix_h)) + anp.sum(dh * mix_i)

    assert_member_gradients(
        stack,
        lambda theta: together(theta, X),
        lambda i, theta: alone(i, theta, stack.of(i, X)),
    )
    stack.assert_rows(
        autograd.grad(together, 1)(theta, X),
        lambda i: autograd.grad(alone, 2)(i, stack.theta_of(i), stack.of(i, X)),
        rtol=1e-10,
    )


@everywhere
@depths
def test_copies_go_through_with_their_members(rng, activation, hidden):
    check_copies(Stack(rng, hidden, activation), rng)


@fronts
def test_copies_go_through_a_front(rng, front):
    check_copies(Stack(rng, front=front), rng)


def check_copies(stack, rng):
    """Clean rows of all members, then perturbed ones; the clean ones may be known."""
    members, single, theta = stack.members, stack.single, stack.theta
    rows, mix = stack.rows(rng, D, copies=3), stack.rows(rng, OUT, copies=3)
    n = stack.k * N
    known = members.linearize(theta, rows[:n])

    def alone(i, theta):
        return single.forward(theta, stack.of(i, rows))

    for linearization in (None, known):
        h = members.forward(theta, rows, linearization, n)
        stack.assert_rows(h, lambda i: alone(i, stack.theta_of(i)))

        def together(theta, linearization=linearization):
            return anp.sum(members.forward(theta, rows, linearization, n) * mix)

        assert_member_gradients(
            stack, together, lambda i, theta: anp.sum(alone(i, theta) * stack.of(i, mix))
        )


@everywhere
@depths
def test_linearization_is_that_of_single_networks(rng, activation, hidden):
    check_linearization(Stack(rng, hidden, activation), rng)


@fronts
def test_linearization_through_a_front(rng, front):
    check_linearization(Stack(rng, front=front), rng)


def check_linearization(stack, rng):
    V, U = stack.rows(rng, D), stack.rows(rng, OUT)
    found = stack.members.linearize(stack.theta, stack.X)
    alone = [
        stack.single.linearize(stack.theta_of(i), stack.of(i, stack.X)) for i in range(stack.k)
    ]
    assert found.n_features == D
    stack.assert_rows(found.h, lambda i: alone[i].h)
    stack.assert_rows(found.jvp(V), lambda i: alone[i].jvp(stack.of(i, V)))
    stack.assert_rows(found.vjp(U), lambda i: alone[i].vjp(stack.of(i, U)))


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@depths
@pytest.mark.parametrize("seeded", [False, True])
def test_jacobians_are_those_of_single_networks(rng, activation, hidden, seeded):
    check_jacobians(Stack(rng, hidden, activation), rng, seeded)


@fronts
@pytest.mark.parametrize("seeded", [False, True])
def test_jacobians_through_a_front(rng, front, seeded):
    check_jacobians(Stack(rng, front=front), rng, seeded)


def check_jacobians(stack, rng, seeded):
    members, single, theta, X = stack.members, stack.single, stack.theta, stack.X
    seeds = rng.normal(size=(stack.k * N, 2, OUT)) if seeded else None
    mix = rng.normal(size=(stack.k * N, 2 if seeded else OUT, D))
    scale = np.array([1.0, 0.0, 0.3, 2.0])

    def own(i, name, theta, *rest):
        seeds_i = None if seeds is None else stack.of(i, seeds)
        return getattr(single, name)(theta, stack.of(i, X), *rest, seeds_i)

    stack.assert_rows(
        members.jacobian(theta, X, seeds), lambda i: own(i, "jacobian", stack.theta_of(i))
    )
    stack.assert_rows(
        members.squared_jacobian(theta, X, scale, seeds),
        lambda i: own(i, "squared_jacobian", stack.theta_of(i), scale),
    )
    assert_member_gradients(
        stack,
        lambda theta: anp.sum(members.jacobian(theta, X, seeds) * mix),
        lambda i, theta: anp.sum(own(i, "jacobian", theta) * stack.of(i, mix)),
    )
    assert_member_gradients(
        stack,
        lambda theta: anp.sum(members.squared_jacobian(theta, X, scale, seeds) * mix[:, 0, 0]),
        lambda i, theta: anp.sum(
            own(i, "squared_jacobian", theta, scale) * stack.of(i, mix)[:, 0, 0]
        ),
    )


def of_everything(members, theta, X, V):
    """A number that depends on all that members compute."""
    known = members.linearize(autograd.tracer.getval(theta), X)
    h, dh = members.tangent(theta, X, V)
    h = h + members.forward(theta, X, known)
    J = members.jacobian(theta, X)
    return (
        anp.sum(h * h)
        + anp.sum(dh**2)
        + anp.sum(J * J)
        + anp.sum(members.squared_jacobian(theta, X, 0.7))
    )


@fronts
def test_parameters_that_follow_are_not_the_members(rng, front):
    """Theta may go on with the parameters of a penalty: their gradient here is zero."""
    stack = Stack(rng, front=front)
    longer = np.concatenate([stack.theta, rng.normal(size=7)])
    V = stack.rows(rng, D)
    gradient = autograd.grad(lambda theta: of_everything(stack.members, theta, stack.X, V))(longer)
    expected = autograd.grad(lambda theta: of_everything(stack.members, theta, stack.X, V))(
        stack.theta
    )
    assert_array_equal(gradient[: stack.members.size], expected)
    assert_array_equal(gradient[stack.members.size :], np.zeros(7))


@everywhere
def test_float32_stays_float32(rng, activation):
    for front in FRONTS.values():
        stack = Stack(rng, activation=activation, front=front)
        theta, X, V = (a.astype(np.float32) for a in (stack.theta, stack.X, stack.rows(rng, D)))

        def total(theta, stack=stack, X=X, V=V):
            value = of_everything(stack.members, theta, X, V)
            assert autograd.tracer.getval(value).dtype == np.float32
            return value

        assert autograd.grad(total)(theta).dtype == np.float32
        known = stack.members.linearize(theta, X)
        arrays = known.h, known.jvp(V), known.vjp(known.h)
        assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


@everywhere
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_member_does_not_notice_who_stands_beside(rng, activation, dtype):
    """Not even in the last bit: a fit does not depend on which fits run along with it."""
    shapes = [(13, (1, 1)), (64, (4, 7, 1)), (50, (4, 6, 5, 3)), (200, (17, 100, 2))]
    for n, units in shapes:
        networks = {k: Members(units, activation, k=k) for k in (1, 2, 3)}
        theta = 0.5 * rng.normal(size=networks[3].size).astype(dtype)
        X = rng.normal(size=(3 * n, units[0])).astype(dtype)
        h = {k: one.forward(theta[: one.size], X[: k * n]) for k, one in networks.items()}
        assert_array_equal(h[2], h[3][: 2 * n])
        assert_array_equal(h[1], h[3][:n])
        # Nor in another place, with other numbers after it.
        swapped = networks[2].forward(
            np.concatenate([theta[networks[2].size :], theta[: networks[1].size]]),
            np.concatenate([X[2 * n :], X[:n]]),
        )
        assert_array_equal(swapped[n:], h[1])


@everywhere
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_of_a_member_do_not_notice_either(rng, activation, dtype):
    """With copies of its rows, and with tangents."""
    for n, units in [(13, (1, 1)), (64, (4, 7, 1)), (50, (4, 6, 5, 3)), (200, (17, 100, 2))]:
        networks = {k: Members(units, activation, k=k) for k in (1, 2, 3)}
        theta = 0.5 * rng.normal(size=networks[3].size).astype(dtype)
        X, V, W = rng.normal(size=(3, 3, n, units[0])).astype(dtype)
        mix = rng.normal(size=(3, 3, n, units[-1])).astype(dtype)
        found = {}
        for k, members in networks.items():
            X_k, V_k, W_k = (a[:k].reshape(k * n, -1) for a in (X, V, W))
            mix_k = mix[:, :k].reshape(3, k * n, -1)

            def total(theta, members=members, X=X_k, V=V_k, W=W_k, mix=mix_k):
                h, dh = members.tangent(theta, X, V)
                near = members.forward(theta, anp.concatenate([X, W]), n=len(X))
                near = anp.reshape(near, (2, *h.shape))
                return anp.sum(h * mix[0]) + anp.sum(dh * mix[1]) + anp.sum(near * mix[1:])

            found[k] = autograd.grad(total)(theta[: members.size])
        assert_array_equal(found[2], found[3][: networks[2].size])
        assert_array_equal(found[1], found[3][: networks[1].size])


@pytest.mark.parametrize("name", ["fourier", "embedding"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_member_with_a_front_does_not_notice_either(rng, name, dtype):
    networks = {k: Members((D, 20, 2), "tanh", FRONTS[name], k=k) for k in (2, 3)}
    theta = rng.normal(size=networks[3].size).astype(dtype)
    X = rng.normal(size=(3 * 50, D)).astype(dtype)
    two, three = (net.forward(theta[: net.size], X[: k * 50]) for k, net in networks.items())
    assert_array_equal(two, three[:100])


@fronts
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_members_start_as_single_networks_do(front, dtype):
    members, single = Members((D, 6, 2), "relu", front, k=3), Network((D, 6, 2), "relu", front)
    theta = members.initialize([np.random.default_rng(seed) for seed in (3, 1, 2)], dtype)
    alone = [single.initialize(np.random.default_rng(seed), dtype) for seed in (3, 1, 2)]
    assert theta.dtype == dtype
    assert_array_equal(theta, np.concatenate(alone))


@fronts
def test_weight_decay_acts_on_the_kernels_of_each(front):
    members, single = Members((D, 6, 2), "relu", front, k=3), Network((D, 6, 2), "relu", front)
    vector = np.zeros(members.size + 4)
    assert members.decayed(vector).shape == (3, single.n_weights)
    members.decayed(vector)[1:] = [[2.0], [3.0]]
    expected = np.zeros((3, single.size))
    single.decayed(expected[1])[...] = 2.0
    single.decayed(expected[2])[...] = 3.0
    assert_array_equal(vector, np.concatenate([expected.ravel(), np.zeros(4)]))


def test_each_is_a_view_of_the_members_parts():
    members = Members((2, 1), "relu", k=3)
    vector = np.arange(11.0)  # with two parameters of a penalty
    assert_array_equal(members.each(vector), np.arange(9.0).reshape(3, 3))
    members.each(vector)[2] = 0.0
    assert_array_equal(vector, [0, 1, 2, 3, 4, 5, 0, 0, 0, 9, 10])


@pytest.mark.parametrize("kept", [[0], [2], [2, 0], [0, 1, 2]])
@pytest.mark.parametrize("n_further", [0, 2])
def test_picked_members_are_the_ones_asked_for_and_can_be_joined_again(kept, n_further):
    members = Members((2, 1), "relu", k=3)
    vector = np.arange(9.0 + 3 * n_further)
    expected = [vector[3 * i : 3 * i + 3] for i in kept]
    expected += [vector[9 + n_further * i : 9 + n_further * (i + 1)] for i in kept]
    picked = members.pick(vector, kept)
    assert_array_equal(picked, np.concatenate(expected))
    rest = [i for i in range(3) if i not in kept]
    vectors = [picked, members.pick(vector, rest)]
    order = [(kept + rest).index(i) for i in range(3)]
    assert_array_equal(members.joined(vectors, order), vector)
    picked[...] = -1.0  # a copy
    assert_array_equal(vector, np.arange(9.0 + 3 * n_further))


@fronts
def test_sizes_are_those_of_the_single_network(front):
    members, single = Members((D, 6, 2), "relu", front, k=3), Network((D, 6, 2), "relu", front)
    assert members.single == single
    assert members.size == 3 * single.size
    for name in ("n_features", "n_outputs", "n_weights", "widest"):
        assert getattr(members, name) == getattr(single, name)
    assert (members.n_members, single.n_members) == (3, 1)


def test_members_behind_their_front_see_what_comes_out_of_it(rng):
    stack = Stack(rng, front=FRONTS["fourier"])
    behind = stack.members.behind
    (waves,) = stack.members.front
    assert isinstance(behind, Members)
    assert (behind.k, behind.size, behind.n_features) == (K, stack.members.size, waves.n_out)
    features, _ = waves.evaluate(None, stack.X)
    h = stack.members.forward(stack.theta, stack.X)
    assert_array_equal(behind.forward(stack.theta, features), h)


def test_members_of_one_shape_are_equal_and_hashable():
    one, same = (Members((2, 3), "relu", k=2) for _ in range(2))
    assert one == same
    assert len({one, same}) == 1
    assert one != Members((2, 3), "relu", k=3)
    assert one != Network((2, 3), "relu")


def test_a_single_member_is_a_network(rng):
    stack = Stack(rng, k=1)
    single, members, theta, X = stack.single, stack.members, stack.theta, stack.X
    V = stack.rows(rng, D)
    found, expected = (of_everything(one, theta, X, V) for one in (members, single))
    assert_allclose(found, expected, rtol=1e-12)
