"""Which features the output depends on: root mean squared derivatives."""

import numpy as np

from skc2c.fitted_function import opened
from skc2c.inspection import jacobian
from skc2c.plots.axes import open_axes, require_matplotlib
from skc2c.plots.features import checked_names, names_of_features, row_parts, scale_of, unit_name

# Height of a figure in inches: of what is there without a bar, and of each row of bars.
_FRAME, _ROW = 1.0, 0.27


class SensitivityDisplay:
    """Root mean squared derivative of the output with respect to each feature.

    It is recommended to use `from_estimator` to create a display. All parameters are stored as
    attributes.

    Parameters
    ----------
    sensitivity : array-like of shape (n_features,) or (n_outputs, n_features)
        Root mean square over the rows of the derivative of each output.
    feature_names : array-like of str of shape (n_features,), default=None
        If None, they are x0, x1, ...
    output_names : array-like of str of shape (n_outputs,), default=None
        If None, they are 0, 1, ...
    unit : str, default=""
        What the derivatives are taken per, for the label of the axis, such as
        ``"std of the feature"``. If empty, it is the unit of each feature.
    name : str, default=None
        Name of the model, for a legend.

    Attributes
    ----------
    bars_ : list of matplotlib BarContainer
        One, or one for each output.
    ax_ : matplotlib Axes
        Axes with the bars.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    SensitivityDisplay.from_estimator : Measure and draw a fitted estimator.
    skc2c.inspection.jacobian : The derivatives at every row.

    Notes
    -----
    The bar of a feature is the root of the sum over the outputs of their mean squared
    derivatives. The sum of its square over the features is the mean of ``||J||_F^2``, which is
    what the ``'jacobian'`` penalty charges at an epsilon of 1 in the same units.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skc2c.plots import SensitivityDisplay
    >>> display = SensitivityDisplay([0.2, 1.5, 0.7], feature_names=["age", "bmi", "sex"])
    >>> display.plot()
    <...>
    >>> plt.show()
    """

    def __init__(self, sensitivity, *, feature_names=None, output_names=None, unit="", name=None):
        self.sensitivity = sensitivity
        self.feature_names = feature_names
        self.output_names = output_names
        self.unit = unit
        self.name = name

    def plot(self, ax=None, *, by_output=False, max_features=20, name=None, **kwargs):
        """Draw the bars, the longest on top.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made, whose height suits the number of
            features.
        by_output : bool, default=False
            Whether to draw a bar for each output. If not, there is one for each feature, of all
            outputs together.
        max_features : int or None, default=20
            How many features to draw at most, the most sensitive ones; None for all.
        name : str, default=None
            Name of the model in the legend. If None, it is that of the display.
        **kwargs : dict
            Keyword arguments of `matplotlib.axes.Axes.barh`.

        Returns
        -------
        display : SensitivityDisplay
            The display itself.
        """
        values = np.atleast_2d(np.asarray(self.sensitivity, dtype=np.float64))
        joint = np.sqrt((values**2).sum(axis=0))
        order = np.argsort(-joint, kind="stable")[:max_features]
        rows = values[:, order] if by_output else joint[None, order]
        height = _FRAME + _ROW * len(order) * max(1.0, 0.4 * len(rows))
        self.ax_ = open_axes(ax, figsize=(6.4, max(height, 2.0)))
        self.figure_ = self.ax_.figure
        self.bars_ = self._draw(
            rows, self._labels(rows, self.name if name is None else name), kwargs
        )
        names = names_of_features(None, None, self.feature_names, values.shape[1])
        self._dress([names[i] for i in order], values.shape[1])
        return self

    def _labels(self, rows, name):
        """Labels for the legend: of outputs, of the model, or of both."""
        if len(rows) == 1:
            return [name]
        given = range(len(rows)) if self.output_names is None else self.output_names
        outputs = checked_names(given, len(rows), "output_names")
        return outputs if name is None else [f"{name}: {output}" for output in outputs]

    def _draw(self, rows, labels, kwargs):
        thickness = 0.8 / len(rows)
        offsets = thickness * (np.arange(len(rows)) - (len(rows) - 1) / 2)
        places = np.arange(rows.shape[1])
        return [
            self.ax_.barh(places + offset, row, **{"height": thickness, "label": label, **kwargs})
            for row, offset, label in zip(rows, offsets, labels, strict=True)
        ]

    def _dress(self, names, n_features):
        """Ticks, labels and the legend."""
        ax, per = self.ax_, f"\n(per {self.unit})" if self.unit else ""
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.set_xlim(left=0.0)
        ax.set_xlabel(f"RMS derivative of the output{per}")
        if len(names) < n_features:
            ax.set_ylabel(f"{len(names)} of {n_features} features")
        if any(not bars.get_label().startswith("_") for bars in self.bars_):
            ax.legend(loc="lower right", fontsize="small", ncols=1 + len(self.bars_) // 8)

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        space="link",
        scale="std",
        feature_names=None,
        output_names=None,
        name=None,
        ax=None,
        **kwargs,
    ):
        """Measure a fitted estimator on given rows, and draw it.

        Parameters
        ----------
        estimator : C2CClassifier, C2CRegressor or C2CAutoencoder
            Fitted. Of a pipeline pass the last step, and rows as the steps before it make them.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows over which the mean is taken.
        space : {'link', 'response'}, default='link'
            Whether to differentiate the output of the network, which is the log-odds for classes,
            or the mean response: the probabilities.
        scale : {'std'}, array-like of shape (n_features,) or None, default='std'
            What derivatives are taken per: the standard deviation of the feature over the rows,
            these numbers, or with None the unit of the feature itself. Features in different
            units can be compared with ``'std'`` only.
        feature_names : array-like of str of shape (n_features,), default=None
            If None, they are those seen in fit, those of the columns of X, or x0, x1, ...
        output_names : array-like of str of shape (n_outputs,), default=None
            If None, they are the classes, or 0, 1, ...
        name : str, default=None
            Name of the model, for a legend.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is made.
        **kwargs : dict
            Keyword arguments of `plot`, and through it of `matplotlib.axes.Axes.barh`.

        Returns
        -------
        display : SensitivityDisplay
            With the numbers as attributes.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If the estimator is of another library, whose derivatives are not known.
        ValueError
            If `space`, `scale` or the number of names is not valid.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_iris
        >>> from skc2c import C2CClassifier
        >>> from skc2c.plots import SensitivityDisplay
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> clf = C2CClassifier(max_iter=30, random_state=0).fit(X, y)
        >>> SensitivityDisplay.from_estimator(clf, X, by_output=True)
        <...>
        >>> plt.show()
        """
        require_matplotlib()
        _, rows = opened(estimator, X)
        squares = [(jacobian(estimator, part, space) ** 2).sum(axis=0) for part in row_parts(X)]
        unit = scale_of(rows, scale)
        sensitivity = unit * np.sqrt(sum(squares) / len(rows))
        if output_names is None:
            output_names = _names_of_outputs(estimator, len(sensitivity))
        display = cls(
            sensitivity,
            feature_names=names_of_features(estimator, X, feature_names, rows.shape[1]),
            output_names=checked_names(output_names, len(sensitivity), "output_names"),
            unit=unit_name(scale),
            name=name,
        )
        return display.plot(ax=ax, **kwargs)


def _names_of_outputs(estimator, n_outputs):
    """Classes, if there is an output for each of them."""
    classes = getattr(estimator, "classes_", ())
    return classes if len(classes) == n_outputs else range(n_outputs)
