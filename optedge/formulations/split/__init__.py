"""Where to split a network under limits of memory, delay and energy."""

from optedge.formulations.split.construction import split_problem, split_table
from optedge.formulations.split.dual import DualMinimum, Priced
from optedge.formulations.split.problem import SplitProblem
from optedge.formulations.split.relaxation import KktReport
from optedge.formulations.split.residual import residual_bytes
from optedge.formulations.split.table import Aim, SplitTable

__all__ = [
    "Aim",
    "DualMinimum",
    "KktReport",
    "Priced",
    "SplitProblem",
    "SplitTable",
    "residual_bytes",
    "split_problem",
    "split_table",
]
