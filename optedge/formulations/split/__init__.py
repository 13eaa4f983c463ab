"""Where to split a network under limits of memory, delay and energy."""

from optedge.formulations.split.dual import DualMinimum, Priced
from optedge.formulations.split.problem import SplitProblem
from optedge.formulations.split.relaxation import KktReport

__all__ = ["DualMinimum", "KktReport", "Priced", "SplitProblem"]
