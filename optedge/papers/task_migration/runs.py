"""Delays that several parts share, each simulated once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from optedge.formulations.base import FloatArray
from optedge.formulations.pipeline import PipelineProblem
from optedge.papers.task_migration.instances import FRAMES, NETWORKS, pipeline
from optedge.solvers.front import solve
from optedge.solvers.result import Result

#: Name in tables to solver and options; S-Q by each way to read its rule.
METHODS: dict[str, tuple[str, dict[str, str]]] = {
    "C-O": ("cloud-only", {}),
    "E-O": ("edge-only", {}),
    "S-C": ("single-cutting", {}),
    "S-Q": ("queueing", {"rule": "paper"}),
    "S-Q running": ("queueing", {"rule": "running"}),
    "S-Q finish": ("queueing", {"rule": "finish"}),
}
#: Methods that the paper names, and its columns of table 1.
COLUMNS = {
    "C-O": "cloud_only",
    "E-O": "edge_only",
    "S-C": "single_cutting",
    "S-Q": "scheduling_queuing",
}
#: How they are drawn: curves that lie on each other can be told apart.
STYLES = {"C-O": "s:", "E-O": "o-", "S-C": "v--", "S-Q": "o-"}
#: Searches whose best schedule stands beside the policies.
SEARCHES = ("annealing", "phase-policies")
#: Share of a number within which two totals count as equal: the profile is fitted, not measured.
NEAR = 0.1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Runs:
    """How much is run, and what has been run already.

    Parameters
    ----------
    frames
        Frames of each device.
    devices
        Numbers of devices in figures 4 and 5, rising.
    crowds
        Numbers of devices in the sweep of the discussion, rising.
    bandwidths
        Nominal Mbit/s in figures 6 and 7, rising.
    draws
        Profiles next to the fitted one on which S-Q is simulated: they tell how stable it is.
    networks
        Some of ``NETWORKS``, for the part ``excess``.
    evaluations
        Candidates that each search prices there.
    time_limit
        Seconds after which a search ends before; None for no limit.
    """

    frames: int = FRAMES
    devices: Sequence[int] = (1, 2, 3, 4, 5)
    crowds: Sequence[int] = (5, 10, 15, 20, 30, 40)
    bandwidths: Sequence[float] = (0, 0.5, 1, 1.5, *range(2, 13))
    draws: int = 20
    networks: Sequence[str] = NETWORKS
    evaluations: int = 60_000
    time_limit: float | None = None
    _done: dict[tuple[str, str], Result] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for name in ("frames", "draws", "evaluations"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive integer, got {value!r}.")
        for name, least in (("devices", 2), ("crowds", 2), ("bandwidths", 3)):
            values = list(getattr(self, name))
            if len(values) < least or values != sorted(set(values)):
                raise ValueError(f"{name} must be at least {least} rising numbers, got {values}.")

    def problem(self, network: str, uplink: str | float, **fields: Any) -> PipelineProblem:
        """Return an instance with as many frames a device as all others have."""
        return pipeline(network, uplink, frames=self.frames, **fields)

    def result(self, problem: PipelineProblem, method: str) -> Result:
        """Return what one of ``METHODS`` does."""
        solver, options = METHODS[method]
        return self._run(problem, method, solver, bound=False, **options)

    def delay(self, problem: PipelineProblem, method: str) -> float:
        """Return the total delay of a method in seconds, ``inf`` if it has no plan."""
        return float(self.result(problem, method).objective)

    def delays(self, problem: PipelineProblem) -> dict[str, float]:
        """Return the total delay of each of ``METHODS``."""
        return {method: self.delay(problem, method) for method in METHODS}

    def searched(self, problem: PipelineProblem) -> Result:
        """Return the best schedule that policies and searches find."""
        limit = math.inf if self.time_limit is None else self.time_limit
        budget = {"time_limit": limit, "max_evaluations": self.evaluations, "bound": False}
        found = [self._run(problem, s, s, **budget) for s in SEARCHES]
        found += [self.result(problem, method) for method in METHODS]
        return min(found, key=lambda result: result.objective)

    def nearby(self, problem: PipelineProblem, method: str, share: float = 1e-3) -> FloatArray:
        """Return the delays of a method where the profile is a little different.

        Every time is multiplied by a number of its own that differs from 1 by up to ``share``, all
        drawn anew ``draws`` times from one seed.
        """
        rng = np.random.default_rng(0)
        scales = 1 + share * rng.uniform(-1, 1, (self.draws, *problem.chains.shape))
        return np.array(
            [self.delay(problem.replace(chains=problem.chains * s), method) for s in scales]
        )

    def _run(self, problem: PipelineProblem, name: str, solver: str, **options: Any) -> Result:
        key = (problem.key, name)
        if key not in self._done:
            result = solve(problem, solver, seed=0, **options)
            if result.stop_reason == "interrupted":
                raise KeyboardInterrupt
            self._done[key] = result
        return self._done[key]


def shown(values: dict[str, float], unit: str = "s", digits: int = 1) -> str:
    """Return delays as a claim shows them: one number if all agree."""
    texts = {name: f"{value:.{digits}f}" for name, value in values.items()}
    if len(set(texts.values())) == 1:
        return f"{next(iter(texts.values()))} {unit}".rstrip()
    return ", ".join(f"{text} {unit}".rstrip() + f" ({name})" for name, text in texts.items())


def span(values: Any) -> tuple[float, float]:
    """Return the least and the largest of some ratios, to two digits behind the point."""
    listed = [float(v) for v in values]
    return round(min(listed), 2), round(max(listed), 2)
