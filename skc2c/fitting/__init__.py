"""Fits: a plan goes in, a record comes out. One network, or several chosen out of fold."""

from skc2c.fitting.cross_plan import Candidate, CrossPlan
from skc2c.fitting.ends import End, loss_of, losses_of, out_of_fold
from skc2c.fitting.one import Fit, Plan, Streams, fit
from skc2c.fitting.problems import Batchwise, FullBatch
from skc2c.fitting.several import CrossFit, cross_fit

__all__ = [
    "Batchwise",
    "Candidate",
    "CrossFit",
    "CrossPlan",
    "End",
    "Fit",
    "FullBatch",
    "Plan",
    "Streams",
    "cross_fit",
    "fit",
    "loss_of",
    "losses_of",
    "out_of_fold",
]
