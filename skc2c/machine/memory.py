"""How freed memory is kept for the next step."""

from functools import cache

import numpy as np

# The most that glibc learns from, 32 MiB with its bookkeeping.
_LARGEST = 2**25 - 2**16


@cache
def keep_freed_memory():
    """Let the C library keep freed memory instead of returning it to the system.

    Steps and blocks allocate the same few arrays again and again. Given back in between, each
    of their pages costs a fault: half of the time of a full-batch evaluation (measured). glibc
    keeps freed memory up to twice the size of the largest array of at most 32 MiB freed so far;
    this frees one, once a process; it is never touched and so costs nothing. With other C
    libraries, or where ``MALLOC_*`` variables set the thresholds, it does nothing.
    """
    np.empty(_LARGEST, dtype=np.uint8)
