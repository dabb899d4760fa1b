"""Functions that return their value and their way back, made known to autograd.

This is the only tape in the package: elsewhere a derivative is a plain function that goes with
the value it belongs to.
"""

from functools import wraps

from autograd.extend import defvjp_argnums, primitive


def differentiable(function):
    """Make autograd differentiate a function by the way back that it returns.

    Parameters
    ----------
    function : callable
        ``function(*args, **settings) -> (value, back)`` in plain numpy. ``back(g)`` takes
        the gradient with respect to the value and returns a tuple with the gradient with respect
        to each of `args`. An entry may be a function without arguments that computes
        the gradient: it is called only if that argument is traced. Keyword arguments
        are constants.

    Returns
    -------
    function : callable
        ``(*args, **settings) -> value``, which autograd can differentiate once. Its attribute
        ``with_way_back`` is the function that was given.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import grad
    >>> from skc2c.differentiable import differentiable
    >>> @differentiable
    ... def square(x):
    ...     return x * x, lambda g: (2.0 * x * g,)
    >>> float(grad(square)(3.0))
    6.0
    """

    @primitive
    def evaluate(*args, tape, **settings):
        value, back = function(*args, **settings)
        tape.append(back)
        return value

    def way_back(argnums, value, args, kwargs):
        (back,) = kwargs["tape"]
        if len(argnums) == 1:  # the usual case, and in small steps every microsecond counts
            (argnum,) = argnums
            return lambda g: (computed(back(g)[argnum]),)
        return lambda g: _picked(back(g), argnums)

    defvjp_argnums(evaluate, way_back)

    @wraps(function)
    def differentiated(*args, **settings):
        return evaluate(*args, tape=[], **settings)

    differentiated.with_way_back = function
    return differentiated


def _picked(gradients, argnums):
    return tuple(computed(gradients[argnum]) for argnum in argnums)


def computed(entry):
    """Return a gradient, which a way back may have left to be computed on demand."""
    return entry() if callable(entry) else entry
