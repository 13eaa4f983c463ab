"""Runs that several figures share, each made once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from optedge.formulations.base import Problem
from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.upload import UploadProblem
from optedge.papers.eosdnn.instances import NETWORKS, instance
from optedge.solvers.front import solve
from optedge.solvers.result import Result, relative_gap

#: What every search may price: 100 particles, 50 generations and 600 iterations.
EVALUATIONS = 100 * (50 + 600)
CERTIFIED = 2e-3  # gap at which a certified run ends


@dataclasses.dataclass(frozen=True, kw_only=True)
class Runs:
    """How much is run, and what has been run already.

    Parameters
    ----------
    seeds
        Runs of each method with chance that figure 16 is about.
    others
        Runs of each other method with chance in its table.
    evaluations
        Candidates that each search prices.
    time_limit
        Seconds of a certified run; it ends at a gap of 0.2 % before.
    networks
        Some of ``NETWORKS``, for figures 12, 15 and 16 and the tiers.
    n_tasks
        Tasks of each instance but those of figure 17.
    first_layer
        As in :func:`instance`; figure 18 shows both.
    curves
        Networks of figures 17 and 18, one run of each method a point.
    tasks
        Numbers of tasks in figure 17, at least three.
    clients
        Numbers of clients in figure 18, at least two; those that divide ``n_tasks`` deal fairly.
    """

    seeds: int = 5
    others: int = 1
    evaluations: int = EVALUATIONS
    time_limit: float = 5.0
    networks: Sequence[str] = NETWORKS
    n_tasks: int = 12
    first_layer: Literal["free", "client"] = "free"
    curves: Sequence[str] = ("alexnet",)
    tasks: Sequence[int] = (4, 8, 12, 16, 20)
    clients: Sequence[int] = (2, 4, 6, 12)
    _done: dict[tuple[str, str, str, int], Result] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for name in ("seeds", "others", "evaluations", "n_tasks"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive integer, got {value!r}.")
        for name, least in (("networks", 1), ("curves", 1), ("tasks", 3), ("clients", 2)):
            if len(set(getattr(self, name))) < least:
                raise ValueError(f"{name} must be at least {least} different ones.")

    def problem(self, network: str, n_tasks: int | None = None, **where: Any) -> OffloadingProblem:
        """Return an instance of as many tasks as the figures have."""
        n_tasks = self.n_tasks if n_tasks is None else n_tasks
        return instance(network, n_tasks, **{"first_layer": self.first_layer, **where})

    def certified(self, problem: OffloadingProblem) -> Result:
        """Return a schedule with a certified bound, by prices on the time of servers."""
        limits = {"time_limit": self.time_limit, "target_gap": CERTIFIED}
        return self._run(problem, "lagrangian", 0, limits)

    def search(self, problem: OffloadingProblem, solver: str, seed: int = 0) -> Result:
        """Return what a method finds with ``evaluations`` candidates, however long it takes."""
        limits = {
            "time_limit": math.inf,
            "max_evaluations": self.evaluations,
            "bound": False,
        }
        return self._run(problem, solver, seed, limits)

    def upload(self, problem: UploadProblem, solver: str, **options: Any) -> Result:
        """Return the plan of a method without chance, beside the proved optimum as its bound."""
        return self._run(problem, solver, 0, {"bound": True}, options)

    def _run(
        self,
        problem: Problem,
        solver: str,
        seed: int,
        limits: dict[str, Any],
        options: Mapping[str, Any] = MappingProxyType({}),
    ) -> Result:
        key = (problem.key, solver, repr(sorted(options.items())), seed)
        if key not in self._done:
            result = solve(problem, solver, seed=seed, **limits, **options)
            if result.stop_reason == "interrupted":
                raise KeyboardInterrupt
            self._done[key] = result
        return self._done[key]

    def measured(self, problem: OffloadingProblem, result: Result) -> dict[str, float]:
        """Return a delay as a table shows it: beside the certified bound, with the proved gap."""
        bound = self.certified(problem).bound
        return {
            "delay (s)": result.objective,
            "bound (s)": bound,
            "proved gap": relative_gap(result.objective, bound),
        }
