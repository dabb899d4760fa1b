import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from skc2c.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()

def step():
    arrays = [np.ones(2**17) for _ in range(8)]

step()
start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_pages_are_not_faulted_in_again():
    usual = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD" and "MALLOC" not in k}
    faults = {}
    for how in ("keep", "return"):
        command = [sys.executable, "-c", FAULTS, how]
        faults[how] = int(subprocess.check_output(command, text=True, env=usual))
    assert faults["keep"] < faults["return"] / 5
