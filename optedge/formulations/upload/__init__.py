"""The upload plan: in which order to send layers so that queries are fast while they upload.

Begin with ``problem``: the instance, its maths, and all that can be asked of it; ``derived`` holds
what follows from its fields, ``building`` makes it of networks. ``plans`` is what a solution is,
``evaluation`` what a set of uploaded layers is worth. ``exact`` holds the optimum and its proof,
``heuristics`` the rules of the papers. ``bounds`` need no search, ``models`` are the explicit
models, ``coding`` what metaheuristics search, ``moves`` how they get from one order to the next.
"""

from optedge.formulations.upload.plans import UploadPlan
from optedge.formulations.upload.problem import UploadProblem

__all__ = ["UploadPlan", "UploadProblem"]
