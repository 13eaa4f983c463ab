"""Tasks that arrive over time: windows, each scheduled by any registered solver.

>>> import optedge as oe
>>> p = oe.MakespanProblem.related([2, 1, 1, 3], [1, 2])
>>> r = oe.online.schedule(p, "lpt", arrivals=[0, 0.5, 1, 4], window=2)
>>> r.nodes.tolist(), r.ends.tolist(), r.makespan
([1, 0, 0, 1], [1.5, 1.5, 5.0, 5.5], 5.5)
"""

from optedge.online.arrivals import poisson
from optedge.online.outcome import Outcome
from optedge.online.windows import schedule

__all__ = ["Outcome", "poisson", "schedule"]
