"""In how many directions, and how much, the output changes: eigenvalues at every row."""

import numpy as np

from skc2c.fitted_function import opened
from skc2c.inspection import jacobian
from skc2c.network.blocks import outputs
from skc2c.plots.axes import count_along, draw_line, open_axes, require_matplotlib
from skc2c.plots.features import row_parts, scale_of, unit_name

_MATRICES = {"jacobian": "J'J", "fisher": "J'FJ (Fisher)"}
# The vertical axis ends at this part of the largest number on it.
_LOWEST = 1e-6


class SpectrumDisplay:
    """Eigenvalues of J'J, or of the Fisher information, over rows.

    J is the Jacobian of the output of the network with respect to the row, F the Fisher
    information of the output distribution with respect to that output. The eigenvalues are what
    penalties press down: their sum over J'J that of random ``'c2c'`` and of ``'jacobian'``, the
    largest of J'J that of adversarial ``'c2c'`` and ``'jacobian'``, the largest of J'FJ that of
    ``'vat'`` and the sum of these that of random ``'vat'``.

    It is recommended to use `from_estimator` to create a display. All parameters are stored as
    attributes. To compare models, pass the axes of one display to the next.

    Parameters
    ----------
    eigenvalues : array-like of shape (n_samples, n_eigenvalues)
        Of each row, the largest first.
    kind : {'jacobian', 'fisher'}, default='jacobian'
        Of which matrix they are.
    unit : str, default=""
        Unit of the features, for the label of the axis. If empty, it is that of each
        feature.
    name : str, default=None
        Name of the model in the legend.

    Attributes
    ----------
    line_ : matplotlib Line2D
        Medians over the rows. If there is one eigenvalue a row: these in ascending order.
    band_ : matplotlib PolyCollection or None
        Between two quantiles over the rows; None if there is one eigenvalue a row.
    ax_ : matplotlib Axes
        Axes with the curve.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    SpectrumDisplay.from_estimator : Measure and draw a fitted estimator.
    skc2c.inspection.jacobian : The Jacobian at every row.
    skc2c.inspection.fisher_information : The Fisher information at every row.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skc2c.plots import SpectrumDisplay
    >>> display = SpectrumDisplay([[3.0, 0.5, 0.1], [2.0, 1.0, 0.2]])
    >>> display.plot()
    <...>
    >>> plt.show()
    """

    def __init__(self, eigenvalues, *, kind="jacobian", unit="", name=None):
        self.eigenvalues = eigenvalues
        self.kind = kind
        self.unit = unit
        self.name = name

    def plot(self, ax=None, *, quantiles=(0.05, 0.95), name=None, **kwargs):
        """Draw the eigenvalues by their rank; if there is one a row, by the share of rows.

        The legend has the means over the rows of their sum and of the largest. What is less than
        a millionth of the largest number is below the axes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on, such as those of the display of another model. If None, a new figure
            is made.
        quantiles : tuple of float, default=(0.05, 0.95)
            Of the rows, between which a band is drawn around the median.
        name : str, default=None
            Name of the model in the legend. If None, it is that of the display.
        **kwargs : dict
            Keyword arguments of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : SpectrumDisplay
            The display itself.
        """
        values = np.asarray(self.eigenvalues, dtype=np.float64)
        self.ax_ = open_axes(ax)
        self.figure_ = self.ax_.figure
        style = {"label": self._label(values, self.name if name is None else name)}
        if values.shape[1] == 1:
            self._draw_one(values[:, 0], style, kwargs)
        else:
            self._draw_several(values, quantiles, style | {"marker": "o"}, kwargs)
        self.ax_.set_yscale("log")
        unit = f"\n(per squared {self.unit})" if self.unit else ""
        self.ax_.set_ylabel(f"Eigenvalue of {_MATRICES[self.kind]}{unit}")
        low, high = self.ax_.get_ylim()
        self.ax_.set_ylim(bottom=max(low, _LOWEST * high), auto=True)
        self.ax_.legend(fontsize="small")
        return self

    def _label(self, values, name):
        prefix = "" if name is None else f"{name}: "
        if values.shape[1] == 1:
            return f"{prefix}mean {_short(values.mean())}"
        total, largest = _short(values.sum(axis=1).mean()), _short(values[:, 0].mean())
        return f"{prefix}sum {total}, largest {largest}"

    def _draw_one(self, values, style, kwargs):
        share = (np.arange(len(values)) + 0.5) / len(values)
        self.line_ = draw_line(self.ax_, share, np.sort(values), style, kwargs)
        self.band_ = None
        self.ax_.set_xlabel("Share of rows with a smaller eigenvalue")

    def _draw_several(self, values, quantiles, style, kwargs):
        low, middle, high = np.quantile(values, [quantiles[0], 0.5, quantiles[1]], axis=0)
        # A zero, of a matrix that has a lower rank at every row, has no place on a log axis.
        shown = high > 0.0
        rank = np.arange(1, values.shape[1] + 1)[shown]
        self.line_ = draw_line(self.ax_, rank, middle[shown], style, kwargs)
        shade = {"color": self.line_.get_color(), "alpha": 0.2, "linewidth": 0}
        self.band_ = self.ax_.fill_between(rank, low[shown], high[shown], **shade)
        count_along(self.ax_.xaxis)
        self.ax_.set_xlabel("Rank of the eigenvalue")

    @classmethod
    def from_estimator(
        cls, estimator, X, *, kind="jacobian", scale="std", name=None, ax=None, **kwargs
    ):
        """Measure a fitted estimator on given rows, and draw it.

        Parameters
        ----------
        estimator : C2CClassifier, C2CRegressor or C2CAutoencoder
            Fitted. Of a pipeline pass the last step, and rows as the steps before it make them.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows at which the eigenvalues are computed.
        kind : {'jacobian', 'fisher'}, default='jacobian'
            Whether to take the eigenvalues of J'J or those of J'FJ.
        scale : {'std'}, array-like of shape (n_features,) or None, default='std'
            What derivatives are taken per: the standard deviation of the feature over the rows,
            these numbers, or with None the unit of the feature itself.
        name : str, default=None
            Name of the model in the legend. If None, it is that of its class.
        ax : matplotlib Axes, default=None
            Axes to draw on, such as those of the display of another model. If None, a new figure
            is made.
        **kwargs : dict
            Keyword arguments of `plot`, and through it of `matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : SpectrumDisplay
            With the numbers as attributes: as many eigenvalues for each row as there are outputs
            or features, whichever are fewer. All others are zero.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If the estimator is of another library, whose derivatives are not known.
        ValueError
            If `kind` or `scale` is not valid.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.datasets import load_iris
        >>> from skc2c import C2CClassifier
        >>> from skc2c.plots import SpectrumDisplay
        >>> X, y = load_iris(return_X_y=True)
        >>> settings = {"cv": None, "random_state": 0}
        >>> rough = C2CClassifier(penalty=None, **settings).fit(X, y)
        >>> smooth = C2CClassifier(penalty="jacobian", alpha=0.1, **settings).fit(X, y)
        >>> display = SpectrumDisplay.from_estimator(rough, X, name="no penalty")
        >>> SpectrumDisplay.from_estimator(smooth, X, name="jacobian", ax=display.ax_)
        <...>
        >>> plt.show()
        """
        require_matplotlib()
        if kind not in _MATRICES:
            raise ValueError(f"kind must be 'jacobian' or 'fisher'. Got {kind!r} instead.")
        _, rows = opened(estimator, X)
        unit, of_part = scale_of(rows, scale), _EIGENVALUES[kind]
        display = cls(
            np.concatenate([of_part(estimator, part, unit) for part in row_parts(X)]),
            kind=kind,
            unit=unit_name(scale),
            name=type(estimator).__name__ if name is None else name,
        )
        return display.plot(ax=ax, **kwargs)


def _short(value):
    """Two digits, without an exponent where that is short too."""
    return f"{float(f'{value:.2g}'):g}"


def _of_jacobian(estimator, X, unit):
    """Eigenvalues of J'J: the squared singular values of J."""
    return _squared_singular_values(jacobian(estimator, X) * unit)


def _of_fisher(estimator, X, unit):
    """Eigenvalues of J'FJ: those of R J with R'R = F, which has as few rows as J."""
    function, rows = opened(estimator, X)
    h = outputs(function.network, function.theta, rows)
    values, vectors = np.linalg.eigh(function.likelihood.fisher_matrix(h))
    root = np.sqrt(_above_rounding(values, values[:, -1:]))[:, :, None] * vectors.mT
    return _squared_singular_values(root @ (jacobian(estimator, X) * unit))


_EIGENVALUES = {"jacobian": _of_jacobian, "fisher": _of_fisher}


def _squared_singular_values(matrices):
    """In descending order."""
    values = np.linalg.svd(matrices, compute_uv=False)
    return _above_rounding(values, values[:, :1]) ** 2


def _above_rounding(values, largest):
    """Values of each row, with zero for those that are rounding errors of the largest."""
    return np.where(values > values.shape[1] * np.finfo(values.dtype).eps * largest, values, 0.0)
