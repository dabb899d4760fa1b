"""Puts into the class docstrings of the estimators what they have in common."""

import re
import textwrap
from functools import partial
from inspect import signature

from skc2c.estimators.docstring_parts import PARTS
from skc2c.network import ACTIVATIONS
from skc2c.penalties import PENALTIES
from skc2c.solvers import SOLVERS


def shared_docstrings(cls):
    """Class decorator: put parts for lines ``{part}``, and names for ``{kind_names}``.

    The default of a parameter is put for ``{parameter_default}``.
    """
    for documented in (cls, cls.fit):
        if documented.__doc__ is not None:  # python -OO strips docstrings
            text = re.sub(r"^( *)\{(\w+)\}$", _part, documented.__doc__, flags=re.MULTILINE)
            text = re.sub(r"\{(\w+)_default\}", partial(_default, cls), text)
            documented.__doc__ = re.sub(r"\{(\w+)_names\}", _names, text)
    return cls


def _part(match):
    return textwrap.indent(PARTS[match[2]].strip(), match[1])


def _default(cls, match):
    return repr(signature(cls).parameters[match[1]].default)


def _names(match):
    table = {"activation": ACTIVATIONS, "penalty": PENALTIES, "solver": SOLVERS}[match[1]]
    return f"{{{', '.join(repr(name) for name in table if name is not None)}}}"
