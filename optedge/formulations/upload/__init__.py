"""The upload plan: in which order to send layers so that queries are fast while they upload.

Begin with ``problem``: the instance, its maths, and all that can be asked of it. ``plans`` is what
a solution is, ``evaluation`` what a set of uploaded layers is worth.
``integers`` scales an instance to whole numbers without rounding; ``intervals`` finds the best
order on them in polynomial time, ``estimates`` does so in compiled floats, ``certificates`` proves
it by another argument, ``subsets`` does so by brute force. ``bounds`` need no search,
``models`` are the explicit models, ``coding`` what metaheuristics search, ``moves`` how they get
from one order to the next. The heuristics: ``merging`` is LMU, ``paths`` IONN, ``efficiency``
recursive efficiency, ``blocks`` Sidney's decomposition; ``runs`` finds the densest run of layers
for three of them.
"""

from optedge.formulations.upload.plans import UploadPlan
from optedge.formulations.upload.problem import UploadProblem

__all__ = ["UploadPlan", "UploadProblem"]
