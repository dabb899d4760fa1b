"""The course of a fit: the loss and what is added to it, and the loss of rows left out."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skc2c.plots.axes import count_along, draw_line, open_axes, require_matplotlib

# Parts of a history that are drawn, with their labels and styles.
_PARTS = {
    "objective": ("objective", {"linestyle": "-"}),
    "loss": ("loss", {"linestyle": "-"}),
    "penalty": ("penalty", {"linestyle": "--"}),
    "l2": ("weight decay", {"linestyle": ":"}),
    "validation_loss": ("validation loss", {"linestyle": "-."}),
    "oob_loss": ("out-of-fold loss", {"linestyle": "-", "marker": "o"}),
}
_SCORE = {"linestyle": "-.", "color": "0.4"}


class LossCurveDisplay:
    """Course of a fit: loss, penalty, weight decay, and the loss of rows that were left out.

    It is recommended to use `from_estimator` to create a display. All parameters are stored as
    attributes. To compare fits, pass the axes of one display to the next.

    Parameters
    ----------
    history : dict of array-like of shape (n_iterations,)
        Values after each iteration, in nats a row: ``"loss"``, ``"penalty"``, ``"l2"`` and their
        sum ``"objective"``, which is drawn if no other part of it is given;
        ``"validation_loss"`` and ``"oob_loss"`` of rows that were left out, NaN where it was not
        measured; ``"validation_score"``, which is drawn on an axis of its own.
    chosen : int, default=None
        After which iteration the parameters that were kept stood. If None, nothing is marked.
    name : str, default=None
        Name of the fit, which the labels in the legend begin with.

    Attributes
    ----------
    lines_ : dict of str to matplotlib Line2D
        The curves that were drawn, by the names in `history`.
    chosen_line_ : matplotlib Line2D or None
        The vertical line that marks the chosen iteration.
    ax_ : matplotlib Axes
        Axes with the curves.
    score_ax_ : matplotlib Axes or None
        Axes with the validation score, on the right; None if there is none.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    LossCurveDisplay.from_estimator : Draw the course of a fitted estimator's fit.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skc2c.plots import LossCurveDisplay
    >>> history = {"loss": [1.0, 0.5, 0.3], "penalty": [0.01, 0.05, 0.04]}
    >>> LossCurveDisplay(history, chosen=3).plot()
    <...>
    >>> plt.show()
    """

    def __init__(self, history, *, chosen=None, name=None):
        self.history = history
        self.chosen = chosen
        self.name = name

    def plot(self, ax=None, *, parts=None, name=None, **kwargs):
        """Draw the curves; those that are zero throughout are left out.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on, such as those of the display of another fit. If None, a new figure is
            made.
        parts : list of str, default=None
            Which entries of `history` to draw. If None, all but ``"objective"``, unless there is
            nothing else.
        name : str, default=None
            Name of the fit in the legend. If None, it is that of the display.
        **kwargs : dict
            Keyword arguments of `matplotlib.axes.Axes.plot`, for every curve.

        Returns
        -------
        display : LossCurveDisplay
            The display itself.

        Raises
        ------
        ValueError
            If an entry of `parts` is not in `history`.
        """
        parts = self._parts(parts)
        self.ax_ = open_axes(ax)
        self.figure_ = self.ax_.figure
        name = self.name if name is None else name
        prefix = "" if name is None else f"{name}: "
        self.lines_ = {
            part: self._draw(self.ax_, part, f"{prefix}{_PARTS[part][0]}", _PARTS[part][1], kwargs)
            for part in parts
            if part in _PARTS and np.any(self.history[part])
        }
        self.score_ax_ = _right_axes(self.ax_) if "validation_score" in parts else None
        if self.score_ax_ is not None:
            arguments = f"{prefix}validation score", _SCORE, kwargs
            line = self._draw(self.score_ax_, "validation_score", *arguments)
            self.lines_["validation_score"] = line
        self._dress(prefix)
        return self

    def _parts(self, parts):
        known = [part for part in (*_PARTS, "validation_score") if part in self.history]
        if parts is None:
            apart = [part for part in known if part != "objective"]
            return apart if {"loss", "penalty", "l2"} & set(apart) else known
        unknown = [part for part in parts if part not in known]
        if unknown:
            raise ValueError(f"parts must be among {known}. Got {unknown}.")
        return list(parts)

    def _draw(self, ax, part, label, style, kwargs):
        values = np.asarray(self.history[part], dtype=np.float64)
        places = np.flatnonzero(~np.isnan(values))
        style = {"label": label, "markersize": 5, **style}
        return draw_line(ax, places + 1, values[places], style, kwargs)

    def _dress(self, prefix):
        """The mark of what was chosen, scales, labels and one legend for both axes."""
        ax, self.chosen_line_ = self.ax_, None
        if self.chosen is not None:
            style = {"color": "0.75", "linewidth": 1.2, "zorder": 1}
            self.chosen_line_ = ax.axvline(self.chosen, label=f"{prefix}chosen", **style)
        # Those of other fits on the same axes have their say.
        is_log = all(np.min(line.get_ydata(), initial=0.0) >= 0.0 for line in ax.lines)
        ax.set_yscale("log" if is_log else "linear")
        count_along(ax.xaxis)
        ax.set_xlabel("Iteration")
        ax.set_ylabel("Loss")
        self._write_legend()

    def _write_legend(self):
        """One legend; that of two axes stands above them, where neither draws."""
        if self.score_ax_ is None:
            self.ax_.legend(fontsize="small")
            return
        handles, labels = self.ax_.get_legend_handles_labels()
        more_handles, more_labels = self.score_ax_.get_legend_handles_labels()
        above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2}
        entries = handles + more_handles, labels + more_labels
        self.ax_.legend(*entries, fontsize="small", **above)

    @classmethod
    def from_estimator(cls, estimator, *, name=None, ax=None, **kwargs):
        """Draw the course of the fit of a fitted estimator.

        Parameters
        ----------
        estimator : estimator instance
            Fitted: a `C2CClassifier`, `C2CRegressor` or `C2CAutoencoder`, or an `MLPClassifier` or
            `MLPRegressor` of scikit-learn, whose loss has the weight decay in it. Of a
            pipeline pass the last step.
        name : str, default=None
            Name of the fit, which the labels in the legend begin with. If None, they do
            without.
        ax : matplotlib Axes, default=None
            Axes to draw on, such as those of the display of another fit. If None, a new figure is
            made.
        **kwargs : dict
            Keyword arguments of `plot`, and through it of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : LossCurveDisplay
            With the numbers as attributes.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If the estimator keeps no curve of its fit.

        Notes
        -----
        With several networks, the curves are means over the networks with the largest weight in
        the prediction. They go on to the end of the last training cycle that was tried; the chosen
        end, at `n_iter_`, is marked. A loss of held-out rows is that of validation rows if
        `scoring` is None, the loss out of fold if there are folds. The losses of a regressor are
        those of the standardised targets.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_iris
        >>> from skc2c import C2CClassifier
        >>> from skc2c.plots import LossCurveDisplay
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = C2CClassifier(random_state=0).fit(X, y)
        >>> LossCurveDisplay.from_estimator(clf)
        <...>
        >>> plt.show()
        """
        require_matplotlib()
        check_is_fitted(estimator)
        history = _history(estimator)
        return cls(history, chosen=_chosen(estimator, history), name=name).plot(ax=ax, **kwargs)


def _history(estimator):
    """The course of a fit as a display takes it."""
    history = getattr(estimator, "history_", None)
    if history is None:
        history = {"objective": getattr(estimator, "loss_curve_", None)}
        if history["objective"] is None:
            raise TypeError(
                f"{type(estimator).__name__} keeps no curve of its fit: it has neither history_ "
                "nor loss_curve_. Of a pipeline pass the last step, pipe[-1]; with "
                "solver='lbfgs', the networks of scikit-learn have none."
            )
        scores = getattr(estimator, "validation_scores_", None)
        history |= {} if scores is None else {"validation_score": scores}
    elif "validation_score" in history and estimator.scoring is None:
        history = dict(history)
        history["validation_loss"] = np.negative(history.pop("validation_score"))
    return history


def _chosen(estimator, history):
    """After which iteration the parameters that were kept stood; None if that is the last."""
    n_iterations = len(history["objective"])
    if "oob_loss" in history:
        return estimator.n_iter_
    losses = history.get("validation_loss", np.negative(history.get("validation_score", [])))
    # Of a fit that goes on from another, only the last has held-out rows to choose by.
    own = losses[-estimator.n_iter_ :] if len(losses) else losses
    return n_iterations - len(own) + int(np.argmin(own)) + 1 if len(own) else None


def _right_axes(ax):
    """The axes that share the horizontal one and have a vertical one on the right."""
    twins = [
        other
        for other in ax.get_shared_x_axes().get_siblings(ax)
        if other is not ax and other.get_position().bounds == ax.get_position().bounds
    ]
    right = twins[0] if twins else ax.twinx()
    right.set_ylabel("Validation score")
    return right
