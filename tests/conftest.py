"""Settings for all tests: one BLAS thread, so that timing and rounding are repeatable."""

import gc
import os
import runpy
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

# Before numpy loads its BLAS; worker processes inherit it.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["MPLBACKEND"] = "agg"  # no windows

import numpy as np
import pytest
from spared import spare_lookups
from threadpoolctl import threadpool_limits

threadpool_limits(1)

spare_lookups()


def pytest_collection_finish():
    """Spare the garbage collector the tests that wait: it would walk through all of them again."""
    gc.collect()
    gc.freeze()
    # Most of what a fit makes goes with its last reference: to look for the rest less often is
    # cheaper, and makes no test of memory more lenient.
    gc.set_threshold(20_000)


EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def in_another_process():
    """Call a function in a process that has imported nothing but what it was asked for before.

    It is the same one for all tests, as it takes two seconds to import scikit-learn.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result()


@pytest.fixture
def brief_by_default(monkeypatch):
    """Several networks are trained for nine steps at most, where it is left to the fit."""
    from skc2c.estimators import candidates, cross_assembly

    monkeypatch.setattr(cross_assembly, "_ENDS", (3, 9))
    monkeypatch.setattr(candidates, "_LONGEST", (9, 9))


@pytest.fixture
def drawn_once(pyplot, monkeypatch):
    """Figures are drawn once when they are saved, not a first time for nothing but their layout."""
    from matplotlib.figure import Figure

    savefig = Figure.savefig

    def save(figure, *arguments, **settings):
        if figure.get_layout_engine() is not None:
            figure.get_layout_engine().execute(figure)
            figure.set_layout_engine("none")
        savefig(figure, *arguments, **settings)

    monkeypatch.setattr(Figure, "savefig", save)


@pytest.fixture
def run_example(drawn_once, tmp_path, monkeypatch, capsys):
    """Run a script of the examples in its fast form: what it prints, and the picture it saves."""

    def run(name):
        script, picture = EXAMPLES / f"plot_{name}.py", tmp_path / "picture.png"
        monkeypatch.setattr(sys, "argv", [str(script), "--output", str(picture), "--fast"])
        runpy.run_path(str(script), run_name="__main__")
        return capsys.readouterr().out, picture

    return run


@pytest.fixture
def pyplot():
    """Matplotlib, which is optional; figures are closed afterwards."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    yield pyplot
    pyplot.close("all")
