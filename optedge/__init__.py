"""Edge-cloud deep-learning scheduling as explicit optimization models, with proved gaps.

>>> import optedge as oe
>>> p = oe.MakespanProblem([[3, 6], [2, 4], [2, 4], [1, 2]])
>>> r = oe.solve(p, "highs")
>>> r.objective, str(r.status)
(6.0, 'OPTIMAL')

Every name below is imported when it is first used, so that ``import optedge`` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optedge import environment as environment
    from optedge import exercises, learning, networks, online, papers, platforms, plots
    from optedge.bridge import solve_model
    from optedge.checking import check_problem
    from optedge.files import load, save
    from optedge.formulations.accuracy import AccuracyCurve
    from optedge.formulations.base import Bound, Certificate, Problem, array_field
    from optedge.formulations.cut import CutProblem
    from optedge.formulations.makespan import MakespanProblem
    from optedge.formulations.makespan_rcmax import read_rcmax
    from optedge.formulations.offloading import OffloadingProblem, Weighting
    from optedge.formulations.pipeline import PipelineProblem
    from optedge.formulations.split import SplitProblem
    from optedge.formulations.upload import UploadProblem
    from optedge.solvers.deep_q.policy import learn_policy
    from optedge.solvers.front import solve
    from optedge.solvers.registry import Options, list_solvers, option, register
    from optedge.solvers.result import Result, SolverError, Status
    from optedge.solvers.verification import verify
    from optedge.study import compare

_HOME = {
    "AccuracyCurve": "formulations.accuracy",
    "Bound": "formulations.base",
    "Certificate": "formulations.base",
    "CutProblem": "formulations.cut",
    "MakespanProblem": "formulations.makespan",
    "OffloadingProblem": "formulations.offloading",
    "Options": "solvers.registry",
    "PipelineProblem": "formulations.pipeline",
    "Problem": "formulations.base",
    "Result": "solvers.result",
    "SolverError": "solvers.result",
    "SplitProblem": "formulations.split",
    "Status": "solvers.result",
    "UploadProblem": "formulations.upload",
    "Weighting": "formulations.offloading",
    "array_field": "formulations.base",
    "check_problem": "checking",
    "compare": "study",
    "learn_policy": "solvers.deep_q.policy",
    "list_solvers": "solvers.registry",
    "load": "files",
    "option": "solvers.registry",
    "read_rcmax": "formulations.makespan_rcmax",
    "register": "solvers.registry",
    "save": "files",
    "solve": "solvers.front",
    "solve_model": "bridge",
    "verify": "solvers.verification",
}
# ``environment`` needs an extra: it is here by name, but ``from optedge import *`` does without it.
_MODULES = (
    "environment",
    "exercises",
    "learning",
    "networks",
    "online",
    "papers",
    "platforms",
    "plots",
)

__all__ = [
    "AccuracyCurve",
    "Bound",
    "Certificate",
    "CutProblem",
    "MakespanProblem",
    "OffloadingProblem",
    "Options",
    "PipelineProblem",
    "Problem",
    "Result",
    "SolverError",
    "SplitProblem",
    "Status",
    "UploadProblem",
    "Weighting",
    "array_field",
    "check_problem",
    "compare",
    "exercises",
    "learn_policy",
    "learning",
    "list_solvers",
    "load",
    "networks",
    "online",
    "option",
    "papers",
    "platforms",
    "plots",
    "read_rcmax",
    "register",
    "save",
    "solve",
    "solve_model",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "__version__":
        from importlib.metadata import version

        return version("optedge")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
