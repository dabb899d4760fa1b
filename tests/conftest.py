"""Settings for all tests: one BLAS thread, so that timing and rounding are repeatable."""

import os

# Before numpy loads its BLAS; worker processes inherit it.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["MPLBACKEND"] = "agg"  # no windows

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

threadpool_limits(1)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def pyplot():
    """Matplotlib, which is optional; figures are closed afterwards."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    yield pyplot
    pyplot.close("all")
