"""Parameters that take a name from a table, or an object with settings of its own."""


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
    if not isinstance(value, base):
        is_name = isinstance(value, str) or value is None
        if not is_name or value not in table:
            raise ValueError(f"{_allowed(table, base, parameter)} Got {value!r} instead.")
        value = table[value]()
    value._validate_params()
    return value


def _allowed(table, base, parameter):
    """Say what the parameter may be."""
    names, kind = [name for name in table if name is not None], f"a {base.__name__} object"
    choices = f"{names}, {kind} or None" if None in table else f"{names} or {kind}"
    return f"The '{parameter}' parameter must be one of {choices}."
