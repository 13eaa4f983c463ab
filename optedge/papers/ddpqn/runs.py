"""Runs that several figures share, each made once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from optedge.formulations.offloading import OffloadingProblem
from optedge.papers.ddpqn.instances import NETWORKS, instance
from optedge.solvers.front import solve
from optedge.solvers.result import Result

#: The networks on which the paper compares learners.
LEARNT = ("alexnet", "googlenet", "resnet101")
#: Delay, energy and cost alone: no coordination, no balance. Learners differ here.
SC = {"phi": 1.0, "varphi": 0.0, "xi": 0.0}
EXACT_SECONDS = 20.0  # of a proof, if no limit is given
ROWS = 16  # episodes side by side
STEPS_PER_UPDATE = 4  # the paper: 1, which takes four times as long


@dataclasses.dataclass(frozen=True, kw_only=True)
class Runs:
    """How much is run, and what has been run already.

    Parameters
    ----------
    seeds
        Runs of each of the eight learners that figures 4 and 5 compare.
    others
        Runs of learners in the other figures.
    steps
        Transitions that each learner makes; an update follows every fourth of them.
    time_limit
        Seconds of a run. None: 20 of an exact solver; learners end by their steps alone, so that
        equal seeds give equal tables.
    networks
        Some of ``NETWORKS``; figures 4 and 5 take those of ``LEARNT`` among them.
    curves
        Networks of the sweeps (figure 3), of figure 6 and of the learner in figures 7, 12, 13; None
        for the first of ``networks``.
    tasks
        Numbers of tasks in figure 6, at least three.
    """

    seeds: int = 5
    others: int = 2
    steps: int = 5000
    time_limit: float | None = None
    networks: Sequence[str] = NETWORKS
    curves: Sequence[str] | None = None
    tasks: Sequence[int] = (1, 2, 3, 4)
    _done: dict[tuple[Any, ...], Result] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for name in ("seeds", "others", "steps"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive integer, got {value!r}.")
        if self.curves is None:
            object.__setattr__(self, "curves", tuple(self.networks)[:1])
        for name, least in (("networks", 1), ("curves", 1), ("tasks", 3)):
            if len(set(getattr(self, name))) < least:
                raise ValueError(f"{name} must be at least {least} different ones.")

    @property
    def learnt(self) -> tuple[str, ...]:
        """The networks on which learners are compared."""
        found = tuple(name for name in self.networks if name in LEARNT)
        return found or tuple(self.networks)

    def problem(self, network: str, n_tasks: int = 1, **fields: Any) -> OffloadingProblem:
        """Return an instance with the published weights if no others are given."""
        return instance(network, n_tasks, **fields)

    def exact(self, problem: OffloadingProblem) -> Result:
        """Return the proved optimum: by paths without Z, by offsets with its running sum."""
        weights = problem.data.weights
        solver = "dp"
        if weights.balance > 0:
            solver = "offset-dp" if weights.running else "count-master"
        seconds = EXACT_SECONDS if self.time_limit is None else self.time_limit
        return self._run(problem, solver, 0, {"time_limit": seconds})

    def myopic(self, problem: OffloadingProblem) -> Result:
        """Return the plan of the greedy baseline."""
        return self._run(problem, "myopic", 0, {"bound": False})

    def learn(
        self, problem: OffloadingProblem, solver: str = "ddpqn", seed: int = 0, **options: Any
    ) -> Result:
        """Return a run of a learner with the published numbers, but for ``options``."""
        limits = {
            "bound": False,
            "time_limit": math.inf if self.time_limit is None else self.time_limit,
            "preset": "paper",
            "max_steps": self.steps,
            "rows": ROWS,
            "steps_per_update": STEPS_PER_UPDATE,
            "explore_steps": max(1, self.steps // 3),
        }
        return self._run(problem, solver, seed, {**limits, **options})

    def _run(
        self, problem: OffloadingProblem, solver: str, seed: int, limits: dict[str, Any]
    ) -> Result:
        from threadpoolctl import threadpool_limits

        key = (problem.key, solver, seed, *sorted(limits.items()))
        if key not in self._done:
            # Products of small matrices take many times as long with two threads on a busy machine.
            with threadpool_limits(1):
                result = solve(problem, solver, seed=seed, **limits)
            if result.stop_reason == "interrupted":
                raise KeyboardInterrupt
            self._done[key] = result
        return self._done[key]
