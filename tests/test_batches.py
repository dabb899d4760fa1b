"""How rows are dealt: which, in what order, and from where a deal goes on."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skc2c.data.batches import Deal, Dealer, MemberDealer

sizes = pytest.mark.parametrize("size", [1, 3, 10])
shuffles = pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])


def rows_of(batch, n=10):
    """A batch as an array of rows, whether it is a slice or not."""
    return np.arange(n)[batch]


def one_pass(dealer):
    parts = [dealer.next()]
    while not dealer.is_at_end:
        parts.append(dealer.next())
    return parts


def generator(shuffle, seed=0):
    return np.random.default_rng(seed) if shuffle else None


# ------------------------------------------------------------------------------ one dealer


@sizes
@shuffles
def test_a_pass_covers_the_rows_once(size, shuffle):
    dealer = Dealer(10, size, generator(shuffle))
    for _ in range(3):
        parts = [rows_of(batch) for batch in one_pass(dealer)]
        assert len(parts) == dealer.n_batches
        assert {len(part) for part in parts[:-1]} <= {size}
        assert 1 <= len(parts[-1]) <= size
        assert_array_equal(np.sort(np.concatenate(parts)), np.arange(10))


def test_rows_are_shuffled_anew_for_each_pass(rng):
    dealer = Dealer(100, 7, rng)
    first, second = (np.concatenate(one_pass(dealer)) for _ in range(2))
    assert (first != second).any()
    assert (first != np.arange(100)).any()


def test_in_order_batches_are_slices():
    """Of which rows are views."""
    assert one_pass(Dealer(10, 4)) == [slice(0, 4), slice(4, 8), slice(8, 10)]


@sizes
@shuffles
@pytest.mark.parametrize("n_dealt", [0, 1, 2, 5])
def test_it_goes_on_from_a_state(size, shuffle, n_dealt):
    """In the middle of a pass too, with a generator that is where it was."""
    dealer = Dealer(10, size, generator(shuffle))
    for _ in range(n_dealt):
        dealer.next()
    state = pickle.loads(pickle.dumps(dealer.state()))
    other = Dealer(10, size, pickle.loads(pickle.dumps(dealer.rng)))
    other.restore(state)
    for _ in range(25):
        assert_array_equal(rows_of(other.next()), rows_of(dealer.next()))


def test_a_state_does_not_change_as_dealing_goes_on(rng):
    dealer = Dealer(10, 3, rng)
    dealer.next()
    state = dealer.state()
    before = pickle.dumps(state)
    for _ in range(9):
        dealer.next()
    assert pickle.dumps(state) == before


# --------------------------------------------------------------------------------- members

ROWS = [np.arange(0, 10), np.arange(100, 115), np.arange(200, 212)]


def members(size=3, shuffle=True, n=10, **settings):
    rngs = [np.random.default_rng(i) for i in range(3)] if shuffle else None
    return MemberDealer(ROWS, n, size, rngs, **settings)


@sizes
@shuffles
def test_each_member_is_dealt_rows_of_its_own(size, shuffle):
    dealer = members(size, shuffle)
    for _ in range(3):
        parts = one_pass(dealer)
        assert {part.shape for part in parts[:-1]} <= {(3, size)}
        for own, dealt in zip(ROWS, np.concatenate(parts, axis=1), strict=True):
            assert np.isin(dealt, own).all()
            assert len(np.unique(dealt)) == 10
    assert len(parts) == dealer.n_batches


def test_rows_that_a_pass_leaves_out_are_others_in_the_next():
    dealer = members()
    passes = [np.concatenate(one_pass(dealer), axis=1)[1] for _ in range(12)]
    assert_array_equal(np.unique(passes), ROWS[1])
    assert len({tuple(sorted(own)) for own in passes}) > 6


def test_in_order_a_member_has_its_first_rows():
    dealt = np.concatenate(one_pass(members(shuffle=False)), axis=1)
    assert_array_equal(dealt, [rows[:10] for rows in ROWS])


def test_a_member_is_dealt_the_same_whoever_is_beside_it():
    together = members()
    alone = MemberDealer([ROWS[1]], 10, 3, [np.random.default_rng(1)])
    for _ in range(9):
        assert_array_equal(together.next()[1:2], alone.next())


@pytest.mark.parametrize("period", [1, 2, 3])
def test_a_period_leaves_steps_out(period):
    usual, every_so_many = members(), members(period=period)
    for step in range(20):
        batch = every_so_many.next()
        if step % period == 0:
            assert_array_equal(batch, usual.next())
        else:
            assert batch is None


@shuffles
@pytest.mark.parametrize("period", [1, 2])
@pytest.mark.parametrize("n_dealt", [0, 1, 2, 5])
def test_members_go_on_from_a_state_some_of_them_or_all(shuffle, period, n_dealt):
    dealer = members(shuffle=shuffle, period=period)
    for _ in range(n_dealt):
        dealer.next()
    for kept in ([0, 1, 2], [2, 0], [1]):
        rngs = pickle.loads(pickle.dumps(dealer.rngs))
        rngs = rngs and [rngs[i] for i in kept]
        fewer = MemberDealer([ROWS[i] for i in kept], 10, 3, rngs, period)
        fewer.restore(pickle.loads(pickle.dumps(dealer.state_of(kept))))
        usual = members(shuffle=shuffle, period=period)
        for _ in range(n_dealt):
            usual.next()
        for _ in range(20):
            found, expected = fewer.next(), usual.next()
            assert (found is None) == (expected is None)
            if found is not None:
                assert_array_equal(found, expected[kept])


@shuffles
@pytest.mark.parametrize("n_dealt", [0, 1, 5])
def test_states_of_some_members_make_up_that_of_all(shuffle, n_dealt):
    dealer = members(shuffle=shuffle, period=2)
    for _ in range(n_dealt):
        dealer.next()
    state = dealer.state()
    joined = MemberDealer.joined([dealer.state_of([2, 0]), dealer.state_of([1])], [1, 2, 0])
    assert_array_equal(joined.pop("order"), state.pop("order"))
    assert joined == state


# ------------------------------------------------------------------------- several dealers


def deal(shuffle, seed=0):
    """Ten rows in three batches, with seven others in batches of two."""
    return Deal(
        [Dealer(10, 4, generator(shuffle, seed)), Dealer(7, 2, generator(shuffle, seed + 1))]
    )


@shuffles
def test_an_epoch_is_a_pass_over_the_first_rows(shuffle):
    dealt = deal(shuffle)
    assert dealt.n_batches == 3
    for _ in range(4):
        first = [rows_of(batches[0]) for batches in dealt.epoch()]
        assert len(first) == 3
        assert_array_equal(np.sort(np.concatenate(first)), np.arange(10))


@shuffles
def test_the_others_go_on_pass_after_pass(shuffle):
    """Four epochs of three batches are three passes of four."""
    dealt = deal(shuffle)
    others = [rows_of(batches[1]) for _ in range(4) for batches in dealt.epoch()]
    assert [len(rows) for rows in others] == [2, 2, 2, 1] * 3
    for i in range(0, 12, 4):
        assert_array_equal(np.sort(np.concatenate(others[i : i + 4])), np.arange(7))


@shuffles
@pytest.mark.parametrize("n_dealt", [0, 1, 2, 3, 4, 7])
def test_a_deal_goes_on_from_a_state_in_the_middle_of_an_epoch(shuffle, n_dealt):
    """What is left of the epoch comes first."""
    usual, dealt = deal(shuffle), deal(shuffle)
    batches = (b for _ in range(20) for b in dealt.epoch())
    for _ in range(n_dealt):
        next(batches)
    states = pickle.loads(pickle.dumps(dealt.state()))
    restored = deal(shuffle, seed=77)
    for dealer, other in zip(restored.dealers, dealt.dealers, strict=True):
        dealer.rng = pickle.loads(pickle.dumps(other.rng))
    restored.restore(states)
    expected = [b for _ in range(4) for b in usual.epoch()][n_dealt:]
    n_epochs = 4 - n_dealt // 3
    found = [b for _ in range(n_epochs) for b in restored.epoch()]
    assert len(found) == len(expected)
    for pair, expected_pair in zip(found, expected, strict=True):
        for batch, expected_batch in zip(pair, expected_pair, strict=True):
            assert_array_equal(rows_of(batch), rows_of(expected_batch))
