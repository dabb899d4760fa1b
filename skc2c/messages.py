"""Warnings that point at the user's line."""

import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import joblib
import sklearn

# What stands between a user's line and ours: a pipeline, a search, a worker.
_ON_THE_WAY = tuple(
    str(Path(file).parent) for file in (__file__, sklearn.__file__, joblib.__file__)
)


def warn(message, category=UserWarning):
    """Warn, with the line outside this package and scikit-learn that led here.

    Parameters
    ----------
    message : str
    category : type, default=UserWarning
    """
    warnings.warn(message, category, stacklevel=_levels_to_user())


@contextmanager
def about(argument):
    """Put the name of an argument in front of errors: scikit-learn's checks call each one X or y.

    Parameters
    ----------
    argument : str
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        # Not of its own class, which may take other arguments than a text.
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"{argument}: {error}") from error


def is_called_from(module):
    """Whether a function of a module, given by its name, is among those that led here."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") != module:
        frame = frame.f_back
    return frame is not None


def _levels_to_user():
    """How many frames above `warn` the user's line is."""
    frame, level = sys._getframe(2), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_ON_THE_WAY):
        frame, level = frame.f_back, level + 1
    return level
