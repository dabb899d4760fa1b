"""Displays: pictures of fitted models, in scikit-learn's convention; they need matplotlib.

Each is made by ``from_estimator``, which computes and draws, or from numbers that are there
already. ``plot`` draws again, on other axes or in another style.
"""

from skc2c.plots.loss_curve import LossCurveDisplay
from skc2c.plots.robustness import RobustnessDisplay
from skc2c.plots.sensitivity import SensitivityDisplay
from skc2c.plots.spectrum import SpectrumDisplay

__all__ = ["LossCurveDisplay", "RobustnessDisplay", "SensitivityDisplay", "SpectrumDisplay"]
