"""How much a score falls as rows are moved: by noise, or by an attack."""

from numbers import Integral

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import check_scoring

from skc2c.plots.axes import draw_line, open_axes, require_matplotlib
from skc2c.plots.features import numbers, scale_of, unit_name
from skc2c.plots.moved_rows import attacked, noisy
from skc2c.random_streams import streams

# What the size of a perturbation is, for the label of the axis.
_SIZES = {
    "random": "Std of the noise",
    "adversarial": "Length of the attack",
}


class RobustnessDisplay:
    """Score against the size of perturbations of the rows, random or adversarial.

    It is recommended to use `from_estimator` to create a display. All parameters are stored as
    attributes. To compare models, pass the axes of one display to the next.

    Parameters
    ----------
    epsilons : array-like of shape (n_epsilons,)
        Sizes of the perturbations: the standard deviation of random ones in each feature, the
        Euclidean length of adversarial ones.
    scores : array-like of shape (n_epsilons,) or (n_epsilons, n_repeats)
        Scores of the perturbed rows, for each draw of random perturbations.
    kind : {'random', 'adversarial'}, default='random'
        How the rows were perturbed.
    score_name : str, default="Score"
        Label of the vertical axis.
    unit : str, default=""
        What the sizes are measured in, for the label of the axis. If empty, they are in the
        units of the features.
    name : str, default=None
        Name of the model in the legend.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The mean score.
    band_ : matplotlib PolyCollection or None
        One standard deviation of the scores around it; None if there was one draw.
    ax_ : matplotlib Axes
        Axes with the curve.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    RobustnessDisplay.from_estimator : Score and draw an estimator.
    skc2c.inspection.loss_gradient : What an attack climbs along.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skc2c.plots import RobustnessDisplay
    >>> display = RobustnessDisplay([0.0, 0.5, 1.0], [0.97, 0.9, 0.7], score_name="Accuracy")
    >>> display.plot()
    <...>
    >>> plt.show()
    """

    def __init__(self, epsilons, scores, *, kind="random", score_name="Score", unit="", name=None):
        self.epsilons = epsilons
        self.scores = scores
        self.kind = kind
        self.score_name = score_name
        self.unit = unit
        self.name = name

    def plot(self, ax=None, *, name=None, **kwargs):
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on, such as those of the display of another model. If None, a new figure
            is made.
        name : str, default=None
            Name of the model in the legend. If None, it is that of the display.
        **kwargs : dict
            Keyword arguments of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : RobustnessDisplay
            The display itself.
        """
        self.ax_ = open_axes(ax)
        self.figure_ = self.ax_.figure
        scores = np.asarray(self.scores, dtype=np.float64).reshape(len(self.epsilons), -1)
        mean, spread = scores.mean(axis=1), scores.std(axis=1)
        self.line_ = draw_line(self.ax_, self.epsilons, mean, self._style(name), kwargs)
        self.band_ = None
        if scores.shape[1] > 1:
            shade = {"color": self.line_.get_color(), "alpha": 0.2, "linewidth": 0}
            self.band_ = self.ax_.fill_between(self.epsilons, mean - spread, mean + spread, **shade)
        self._dress()
        return self

    def _style(self, name):
        is_random, name = self.kind == "random", self.name if name is None else name
        label = self.kind if name is None else f"{name} ({self.kind})"
        return {
            "marker": "o" if is_random else "s",
            "markersize": 4,
            "linestyle": "-" if is_random else "--",
            "label": label,
        }

    def _dress(self):
        """Labels and the legend; axes that have the other kind on them too say so."""
        ax, own = self.ax_, _SIZES[self.kind]
        unit = f"\n(unit: {self.unit})" if self.unit else ""
        is_alone = ax.get_xlabel().split("\n")[0] in ("", own)
        ax.set_xlabel(f"{own if is_alone else 'Size of the perturbation'} ε{unit}")
        ax.set_ylabel(self.score_name)
        ax.legend(fontsize="small")

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        kind="random",
        epsilons=None,
        scale="std",
        scoring=None,
        sample_weight=None,
        n_repeats=5,
        n_steps=10,
        random_state=None,
        score_name=None,
        name=None,
        ax=None,
        **kwargs,
    ):
        """Score a fitted estimator on perturbed rows, and draw it.

        Parameters
        ----------
        estimator : estimator instance
            Fitted. Any estimator or pipeline for random perturbations; a `C2CClassifier` or
            `C2CRegressor` for adversarial ones.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to perturb. Of a data frame only the numeric columns are perturbed.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets of the rows.
        kind : {'random', 'adversarial'}, default='random'
            How to perturb the rows. Random: by normal noise of standard deviation epsilon in each
            feature. Adversarial: by a vector of Euclidean length epsilon at most, which
            makes the loss of the row large.
        epsilons : array-like of shape (n_epsilons,), default=None
            Sizes of the perturbations, in units of `scale`. If None, eleven from 0 to 1.
        scale : {'std'}, array-like of shape (n_features,) or None, default='std'
            Unit of the perturbation of each feature: its standard deviation over the rows, these
            numbers (0 leaves a feature as it is), or with None the unit of the feature itself. Of
            a data frame, these are the numeric columns.
        scoring : str, callable or None, default=None
            Name of a score, or a scorer ``(estimator, X, y) -> float``. If None, it is the method
            ``score`` of the estimator: accuracy or R2.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the score.
        n_repeats : int, default=5
            How many times random perturbations are drawn. Ignored if they are adversarial.
        n_steps : int, default=10
            Steps of the attack if perturbations are adversarial; with 1 it goes along the gradient
            of the loss at the row.
        random_state : int, RandomState instance or None, default=None
            Draws random perturbations. With an int, models meet the same ones.
        score_name : str, default=None
            Label of the vertical axis. If None, it follows from `scoring`.
        name : str, default=None
            Name of the model in the legend. If None, it is that of its class.
        ax : matplotlib Axes, default=None
            Axes to draw on, such as those of the display of another model. If None, a new figure
            is made.
        **kwargs : dict
            Keyword arguments of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : RobustnessDisplay
            With the numbers as attributes.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If `kind` is ``'adversarial'`` and the estimator is of another library.
        ValueError
            If a parameter is not valid.

        Notes
        -----
        The attack is projected gradient ascent on the negative log-likelihood of the row, with
        steps of length ``2.5 epsilon / n_steps`` from the row itself [1]_. It sees the whole model.
        Another attack may find worse points, so the curve is an upper bound of the score under
        the worst perturbations.

        References
        ----------
        .. [1] A. Madry et al., "Towards deep learning models resistant to adversarial attacks",
           ICLR 2018.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> from skc2c import C2CClassifier
        >>> from skc2c.plots import RobustnessDisplay
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = C2CClassifier(random_state=0).fit(X, y)
        >>> tree = DecisionTreeClassifier(random_state=0).fit(X, y)
        >>> display = RobustnessDisplay.from_estimator(clf, X, y, random_state=0)
        >>> RobustnessDisplay.from_estimator(tree, X, y, random_state=0, ax=display.ax_)
        <...>
        >>> plt.show()
        """
        require_matplotlib()
        _check(estimator, kind, n_repeats, n_steps)
        sizes = _checked_sizes(epsilons)
        unit = scale_of(numbers(X), scale)
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
        scorer = check_scoring(estimator, scoring)
        if kind == "random":
            groups = [noisy(X, sizes, unit, rng) for rng in streams(random_state, n_repeats)]
        else:
            groups = [(attacked(estimator, X, y, size, unit, n_steps) for size in sizes)]
        scores = [[scorer(estimator, rows, y, **weight) for rows in group] for group in groups]
        display = cls(
            sizes,
            np.array(scores).T,
            kind=kind,
            score_name=_score_name(estimator, scoring) if score_name is None else score_name,
            unit=unit_name(scale),
            name=type(estimator).__name__ if name is None else name,
        )
        return display.plot(ax=ax, **kwargs)


def _check(estimator, kind, n_repeats, n_steps):
    if kind not in _SIZES:
        raise ValueError(f"kind must be 'random' or 'adversarial'. Got {kind!r} instead.")
    for name, count in {"n_repeats": n_repeats, "n_steps": n_steps}.items():
        if not (isinstance(count, Integral) and count > 0):
            raise ValueError(f"{name} must be a positive integer. Got {count!r} instead.")
    if kind != "random" and not hasattr(estimator, "_encoded"):
        raise TypeError(
            f"kind={kind!r} needs derivatives, which {type(estimator).__name__} does not give: "
            "estimator must be a C2CClassifier or C2CRegressor. kind='random' takes any estimator. "
            "Of a pipeline pass the last step, pipe[-1], and X as the steps before it make it, "
            "pipe[:-1].transform(X)."
        )


def _checked_sizes(epsilons):
    sizes = np.linspace(0.0, 1.0, 11) if epsilons is None else np.asarray(epsilons)
    is_list = sizes.ndim == 1 and len(sizes) > 0 and sizes.dtype.kind in "fiu"
    if not (is_list and np.isfinite(sizes).all() and (sizes >= 0.0).all()):
        raise ValueError(
            f"epsilons must be a list of finite numbers, none negative. Got {epsilons!r} instead."
        )
    return sizes.astype(np.float64)


def _score_name(estimator, scoring):
    if isinstance(scoring, str):
        words = scoring.replace("neg_", "negative ").replace("_", " ")
        return "R2" if words == "r2" else words[0].upper() + words[1:]
    if scoring is not None:
        return getattr(scoring, "__name__", "Score")
    return "Accuracy" if is_classifier(estimator) else "R2" if is_regressor(estimator) else "Score"
