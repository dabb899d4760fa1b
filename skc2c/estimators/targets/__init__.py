"""What y is: how it is encoded for training, and how outputs become predictions again."""

from skc2c.estimators.targets.classes import (
    ClassTargets,
    announced_targets,
    class_targets,
    codes_of,
)
from skc2c.estimators.targets.reals import RealTargets, fitted_targets, real_targets
from skc2c.estimators.targets.targets import Known, Targets, Units

__all__ = [
    "ClassTargets",
    "Known",
    "RealTargets",
    "Targets",
    "Units",
    "announced_targets",
    "class_targets",
    "codes_of",
    "fitted_targets",
    "real_targets",
]
