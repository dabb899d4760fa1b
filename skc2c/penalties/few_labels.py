"""How strong a penalty is where labels are few."""

from typing import NamedTuple


class FewLabels(NamedTuple):
    """How strong a penalty is where it is to spread few labels over many rows.

    Attributes
    ----------
    alpha : float
        Strength.
    radius : float
        Length of a perturbation, as a part of the root mean squared distance of the rows from their
        mean.
    """

    alpha: float
    radius: float
