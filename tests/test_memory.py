"""Freed memory is kept for the next step."""

import os
import platform
import subprocess
import sys

import pytest

from skc2c.machine import memory
from skc2c.machine.memory import keep_freed_memory

# Both counts are those of one process, so that nothing else differs between them. The file is run
# alone: the package around it would be imported for seconds.
FAULTS = """
import resource
import runpy
import sys
import numpy as np

keep_freed_memory = runpy.run_path(sys.argv[1])["keep_freed_memory"]

def faults():
    start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        arrays = [np.ones(2**17) for _ in range(8)]
        del arrays
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start

faults()
before = faults()
keep_freed_memory()
faults()
print(before, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_pages_are_not_faulted_in_again():
    usual = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD" and "MALLOC" not in k}
    command = [sys.executable, "-c", FAULTS, memory.__file__]
    before, after = map(int, subprocess.check_output(command, text=True, env=usual).split())
    if before < 10_000:
        pytest.skip(f"only {before} faults without it: this allocator keeps what is freed anyway")
    assert after < before / 5


def test_it_is_done_once_a_process():
    keep_freed_memory.cache_clear()
    keep_freed_memory()
    keep_freed_memory()
    assert keep_freed_memory.cache_info().misses == 1
    assert keep_freed_memory.cache_info().hits == 1
