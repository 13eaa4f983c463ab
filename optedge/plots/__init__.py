"""Figures, with matplotlib; each function takes ``ax=None`` and returns the Axes.

Of one solution (``solutions``), of many runs (``runs``), of networks (``graphs``), of learning
(``training``), of a proof (``refutations``).
"""

from optedge.plots.graphs import bandwidth, network, roofline
from optedge.plots.refutations import refutation
from optedge.plots.runs import convergence, gaps, profile
from optedge.plots.solutions import delay_split, gantt, loads, upload
from optedge.plots.training import accuracy_over_bytes, learning_curves

__all__ = [
    "accuracy_over_bytes",
    "bandwidth",
    "convergence",
    "delay_split",
    "gantt",
    "gaps",
    "learning_curves",
    "loads",
    "network",
    "profile",
    "refutation",
    "roofline",
    "upload",
]
