"""What roughness costs: one file a penalty, and the table of their names.

To add a penalty: subclass `Penalty` in a file of its own and add a line to ``PENALTIES``.
"""

from skc2c.penalties.jacobian import Jacobian
from skc2c.penalties.ladder import Ladder
from skc2c.penalties.nearby import C2C, VAT
from skc2c.penalties.noise import Noise
from skc2c.penalties.penalty import NoPenalty, Penalty
from skc2c.penalties.perturbations import adversarial, check_epsilon, gaussian
from skc2c.penalties.probes import Outputs, Probe

__all__ = [
    "C2C",
    "PENALTIES",
    "VAT",
    "Jacobian",
    "Ladder",
    "NoPenalty",
    "Noise",
    "Outputs",
    "Penalty",
    "Probe",
    "adversarial",
    "check_epsilon",
    "gaussian",
    "make_penalty",
]

PENALTIES = {
    "c2c": C2C,
    "jacobian": Jacobian,
    "vat": VAT,
    "ladder": Ladder,
    "noise": Noise,
    None: NoPenalty,
}


def make_penalty(penalty):
    """The penalty object that a name, None or an object stands for.

    Parameters
    ----------
    penalty : str, Penalty or None

    Returns
    -------
    penalty : Penalty
        With valid parameters.

    Raises
    ------
    ValueError
        If the name is unknown or a parameter of the object is not allowed.
    """
    if not isinstance(penalty, Penalty):
        if not (penalty is None or isinstance(penalty, str)) or penalty not in PENALTIES:
            names = [name for name in PENALTIES if name is not None]
            raise ValueError(
                f"The 'penalty' parameter must be one of {names}, a Penalty object or None. "
                f"Got {penalty!r} instead."
            )
        penalty = PENALTIES[penalty]()
    penalty._validate_params()
    return penalty
