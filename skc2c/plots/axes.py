"""Axes to draw on, and the styles of what is drawn there."""


def require_matplotlib():
    """Raise an ImportError that says what to install, before anything is computed."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise ImportError(
            "Displays need matplotlib: pip install 'skc2c[plots]'.", name=error.name
        ) from error


def open_axes(ax, **figure):
    """The axes given, or those of a new figure.

    Parameters
    ----------
    ax : matplotlib Axes or None
    **figure : dict
        Settings of a new figure.

    Returns
    -------
    ax : matplotlib Axes
    """
    require_matplotlib()
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained", **figure)[1] if ax is None else ax


def line_style(defaults, given):
    """Defaults of a line that keywords replace, also by another name of the same property."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return normalize_kwargs(defaults, Line2D) | normalize_kwargs(given, Line2D)


def draw_line(ax, x, y, defaults, given):
    """Draw one line, and return it."""
    (line,) = ax.plot(x, y, **line_style(defaults, given))
    return line


def count_along(axis):
    """Put ticks of an axis at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True))
