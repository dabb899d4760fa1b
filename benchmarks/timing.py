"""Measuring rivals side by side: interleaved runs, and ratios taken pair by pair."""

import os
import platform
import time
from collections import deque
from importlib.metadata import version

import numpy as np


def seconds(run):
    """How long one call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def processor_seconds(run):
    """How much time of the processor one call takes, whatever else the machine does."""
    start = time.process_time()
    run()
    return time.process_time() - start


def interleave(contestants, rounds):
    """Time every contestant once a round, A B C, B C A, ...

    A round starts a third further on than the one before, so that nobody is always first.

    Parameters
    ----------
    contestants : dict of callable
        Each returns the seconds it took, in whatever unit of work.
    rounds : int
        After one more to warm up, which does not count.

    Returns
    -------
    times : dict of ndarray of shape (rounds,)
    """
    order, times = deque(contestants), {key: [] for key in contestants}
    for _ in range(rounds + 1):
        for key in order:
            times[key].append(contestants[key]())
        order.rotate(-len(order) // 3)
    return {key: np.array(values[1:]) for key, values in times.items()}


def spread(values, form="{:.3g}"):
    """Median, and between brackets minimum and maximum."""
    low, middle, high = (form.format(f(values)) for f in (np.min, np.median, np.max))
    return f"{middle} [{low}, {high}]"


def log_slope(x, y):
    """Slope of log y against log x by least squares."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def markdown(header, rows):
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def environment(packages):
    """What the figures were measured with, as lines of Markdown."""
    found = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"Python {platform.python_version()}, {found}; {os.cpu_count()} cores, {_processor()}."


def _processor():
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":")[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor()
