"""Figures, with matplotlib; each function takes ``ax=None`` and returns the Axes.

Of one solution (``solutions``), of many runs (``runs``), of networks (``graphs``).
"""

from optedge.plots.graphs import bandwidth, network, roofline
from optedge.plots.runs import convergence, gaps, profile
from optedge.plots.solutions import delay_split, gantt, loads, upload

__all__ = [
    "bandwidth",
    "convergence",
    "delay_split",
    "gantt",
    "gaps",
    "loads",
    "network",
    "profile",
    "roofline",
    "upload",
]
