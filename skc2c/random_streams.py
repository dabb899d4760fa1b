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
