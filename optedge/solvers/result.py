"""What a solver run returns, and the words for how it ended."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import Certificate, Problem

#: One row at each improvement of the incumbent or of the bound.
HISTORY = np.dtype([("seconds", "f8"), ("evaluations", "i8"), ("objective", "f8"), ("bound", "f8")])

OPTIMAL_GAP = 1e-6


class SolverError(RuntimeError):
    """A solver contradicted the problem: a wrong value, or a bound above its own solution."""


class Status(enum.StrEnum):
    """What is known of an instance after a run."""

    OPTIMAL = "OPTIMAL"  #: a solution with a proved gap of at most 1e-6
    FEASIBLE = "FEASIBLE"  #: a solution
    INFEASIBLE = "INFEASIBLE"  #: proved to have none
    UNKNOWN = "UNKNOWN"  #: neither


def relative_gap(objective: float, bound: float) -> float:
    """Return (objective - bound) / max(abs(objective), abs(bound), 1e-9); inf without either."""
    if not (math.isfinite(objective) and math.isfinite(bound)):
        return math.inf
    return max(0.0, objective - bound) / max(abs(objective), abs(bound), 1e-9)


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """The outcome of one run of one solver on one instance.

    Parameters
    ----------
    problem
        The instance.
    solver, seed, options
        What was run: the solver's name, its seed and its options.
    status
        :class:`Status` (a string, such as ``"OPTIMAL"``).
    stop_reason
        ``"optimal"``, ``"target_gap"``, ``"infeasible"``, ``"time_limit"``, ``"evaluations"``,
        ``"converged"``, ``"callback"`` or ``"interrupted"``.
    objective
        Exact value of ``solution``, computed by the problem; ``inf`` without a solution.
    bound
        Largest proved lower bound; ``-inf`` without one.
    proof
        Where the bound comes from: ``"certificate"``, ``"search"`` (branch and bound, or
        enumeration: nothing small proves it) or ``"none"``.
    solution
        As the problem documents it; None without one.
    certificate
        What proves a bound without a solver; with ``proof == "search"`` that bound is lower.
    runtime
        Seconds of the solver itself, without compilation and without attached bounds.
    evaluations
        Candidates priced, whole or by difference.
    history
        Structured array ``(seconds, evaluations, objective, bound)``, a row an improvement.
    info
        Further facts; always ``compile_seconds`` and ``bound_seconds``.
    """

    problem: Problem
    solver: str
    status: Status
    stop_reason: str
    objective: float
    bound: float
    proof: str
    solution: Any
    certificate: Certificate | None
    runtime: float
    evaluations: int
    seed: int
    options: Mapping[str, Any]
    history: npt.NDArray[np.void]
    info: Mapping[str, Any]

    @property
    def gap(self) -> float:
        """(objective - bound) / max(abs(objective), abs(bound), 1e-9); ``inf`` without a bound."""
        return relative_gap(self.objective, self.bound)

    def __repr__(self) -> str:
        return (
            f"Result({self.solver} on {self.problem.label}: {self.status}, "
            f"objective {self.objective:.6g}, bound {self.bound:.6g}, gap {self.gap:.2%}, "
            f"{self.runtime:.2f} s, {self.stop_reason})"
        )
