"""Parameters that take a name from a table, or an object with settings of its own."""

import sys
from importlib import import_module
from pkgutil import iter_modules


def named_classes(package, base, attribute="name"):
    """Return the table of a package: the classes in its files that have a name.

    Parameters
    ----------
    package : str
        Its full name; it may be in the middle of being imported.
    base : type
        Only subclasses count.
    attribute : str, default="name"
        Where a class has its name. Whether it inherits one does not matter.

    Returns
    -------
    table : dict
        From names to classes, file by file in the order of the alphabet.
    """
    names = [file.name for file in iter_modules(sys.modules[package].__path__)]
    modules = [import_module(f"{package}.{name}") for name in names]
    return {
        vars(kind)[attribute]: kind
        for module in modules
        for kind in vars(module).values()
        if _is_of(module, kind, base) and attribute in vars(kind)
    }


def _is_of(module, kind, base):
    """Whether this is a subclass that the module itself defines."""
    is_subclass = isinstance(kind, type) and issubclass(kind, base)
    return is_subclass and kind.__module__ == module.__name__


def named_object(value, table, base, parameter):
    """Return the object that the value of a parameter stands for.

    Parameters
    ----------
    value : str, None or object of type `base`
        None is allowed only if the table has it.
    table : dict
        From names to subclasses of `base`.
    base : type
    parameter : str
        Name of the parameter, for the message of an error.

    Returns
    -------
    made : object of type `base`
        With valid settings.

    Raises
    ------
    ValueError
        If the name is unknown or a setting of the object is not allowed.
    """
    if isinstance(value, base):
        value._validate_params()
        return value
    is_name = isinstance(value, str) or value is None
    if not is_name or value not in table:
        raise ValueError(f"{_allowed(table, base, parameter)} Got {value!r} instead.")
    return table[value]()


def _allowed(table, base, parameter):
    """Say what the parameter may be."""
    names, kind = [name for name in table if name is not None], f"a {base.__name__} object"
    choices = f"{names}, {kind} or None" if None in table else f"{names} or {kind}"
    return f"The '{parameter}' parameter must be one of {choices}."
