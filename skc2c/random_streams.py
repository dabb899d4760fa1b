"""From scikit-learn's ``random_state`` to independent numpy generators."""

import numpy as np
from sklearn.utils import check_random_state


def streams(random_state, n):
    """Independent random generators.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        An instance is advanced. None seeds from the operating system: the global random
        state is neither read nor changed.
    n : int
        How many.

    Returns
    -------
    generators : list of numpy.random.Generator
    """
    entropy = None
    if random_state is not None:
        entropy = check_random_state(random_state).randint(2**31 - 1, size=4).tolist()
    return [np.random.default_rng(seed) for seed in np.random.SeedSequence(entropy).spawn(n)]


class MemberStreams(np.random.Generator):
    """The generators of several networks that are trained side by side.

    Perturbations are drawn from each member's own stream, so that they do not depend on who is
    trained beside it. Used as an ordinary generator, it is that of the first member.

    Parameters
    ----------
    streams : list of numpy.random.Generator
    """

    def __init__(self, streams):
        super().__init__(streams[0].bit_generator)
        self.streams = streams


def state_of(rng):
    """The state of a generator as a plain record of strings and integers."""
    return rng.bit_generator.state


def restored(state):
    """A generator that goes on from such a record."""
    rng = np.random.default_rng(0)
    rng.bit_generator.state = state
    return rng


def advance_with(random_state, copy):
    """Bring an instance that a user passed to where a copy of it is."""
    if isinstance(random_state, np.random.RandomState):
        random_state.set_state(copy.get_state())
