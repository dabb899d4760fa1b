"""From random_state to independent generators."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skc2c.random_streams import MemberStreams, advance_with, restored, state_of, streams


def draws(generators):
    return [generator.random(5) for generator in generators]


@pytest.mark.parametrize("seed", [0, 7, np.int64(3)])
def test_the_same_seed_gives_the_same_streams(seed):
    assert_array_equal(draws(streams(seed, 3)), draws(streams(seed, 3)))


def test_streams_differ_from_each_other_and_from_other_seeds():
    found = draws(streams(0, 3)) + draws(streams(1, 3))
    assert len(np.unique(found)) == 30


def test_the_first_streams_do_not_depend_on_how_many_there_are():
    assert_array_equal(draws(streams(0, 5))[:3], draws(streams(0, 3)))


def test_none_seeds_from_the_operating_system_and_leaves_the_global_state():
    before = pickle.dumps(np.random.get_state())
    assert len(np.unique(draws(streams(None, 2) + streams(None, 2)))) == 20
    assert pickle.dumps(np.random.get_state()) == before


def test_an_instance_is_advanced():
    instance = np.random.RandomState(0)
    first, second = (draws(streams(instance, 1)) for _ in range(2))
    assert not np.array_equal(first, second)
    assert_array_equal(first, draws(streams(np.random.RandomState(0), 1)))


def test_a_bad_random_state_is_refused():
    with pytest.raises(ValueError, match="'x' cannot be used to seed"):
        streams("x", 1)


def test_a_generator_goes_on_from_its_state():
    (generator,) = streams(0, 1)
    generator.random(3)
    state = pickle.loads(pickle.dumps(state_of(generator)))
    expected = generator.random(5), generator.permutation(9), generator.standard_normal(5)
    going_on = restored(state)
    found = going_on.random(5), going_on.permutation(9), going_on.standard_normal(5)
    for one, other in zip(found, expected, strict=True):
        assert_array_equal(one, other)


def test_the_generators_of_members_are_that_of_the_first_to_who_knows_no_better():
    generators = streams(0, 3)
    expected = np.random.default_rng()
    expected.bit_generator.state = state_of(generators[0])
    members = MemberStreams(generators)
    assert members.streams == generators
    assert_array_equal(members.random(5), expected.random(5))


def test_an_instance_is_brought_to_where_its_copy_is():
    instance, copy = np.random.RandomState(0), np.random.RandomState(0)
    copy.random(3)
    expected = np.random.RandomState(0).random(5)[3:]
    advance_with(instance, copy)
    assert_array_equal(instance.random(2), expected)
    for nothing in (None, 3):
        advance_with(nothing, nothing)
