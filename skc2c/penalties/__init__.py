"""What roughness costs: one file a penalty, and the table of their names.

To add a penalty: subclass `Penalty` in a file of its own, with a ``name``.
"""

from skc2c.named_objects import named_classes, named_object
from skc2c.penalties.c2c import C2C
from skc2c.penalties.jacobian import Jacobian
from skc2c.penalties.ladder import Ladder
from skc2c.penalties.noise import Noise
from skc2c.penalties.penalty import NoPenalty, Penalty
from skc2c.penalties.perturbations import adversarial, check_epsilon, gaussian
from skc2c.penalties.probes import Outputs, Probe
from skc2c.penalties.vat import VAT

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

PENALTIES = named_classes(__name__, Penalty)


def make_penalty(penalty):
    """Return the penalty object that a name, None or an object stands for; see `named_object`."""
    return named_object(penalty, PENALTIES, Penalty, "penalty")
