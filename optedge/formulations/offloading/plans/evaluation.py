"""From an assignment to its schedule, and what a schedule is worth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray
from optedge.formulations.offloading.plans import indicators
from optedge.formulations.offloading.plans.schedule import Schedule
from optedge.formulations.offloading.simulation import simulate

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


def schedule(problem: OffloadingProblem, x: Schedule | npt.ArrayLike) -> Schedule:
    """Return the schedule that an assignment means; a schedule is returned as it is."""
    if isinstance(x, Schedule):
        return x
    servers = np.asarray(x)
    if servers.shape != (problem.n_subtasks,):
        raise ValueError(f"servers must have shape ({problem.n_subtasks},), got {servers.shape}.")
    if not ((servers >= 0) & (servers < problem.n_servers)).all():
        raise ValueError(f"servers must be 0 to {problem.n_servers - 1}.")
    return Schedule(servers, simulate.starts(problem, servers))


def flows(problem: OffloadingProblem, plan: Schedule) -> FloatArray:
    """Return the flow time of each task in seconds, ``(n_tasks,)``."""
    ends = plan.starts + problem.seconds[np.arange(problem.n_subtasks), plan.servers]
    done = ends
    if problem.return_result:
        last = np.array([not row for row in problem.successors])
        home = problem.clients[problem.tasks]
        back = problem.sending(problem.outputs_mb, plan.servers, home)
        done = np.where(last, ends + back, ends)
    completion = np.full(problem.n_tasks, -np.inf)
    np.maximum.at(completion, problem.tasks, done)
    return np.asarray(completion - problem.release)


def objective(problem: OffloadingProblem, x: Schedule | npt.ArrayLike) -> float:
    """Return the sum of the flow times in seconds or the weighted objective; ``inf`` if broken."""
    if problem.violations(x):
        return math.inf
    plan = problem.schedule(x)
    total = math.fsum(problem.flows(plan))
    return total if problem.weights is None else indicators.value(problem, plan, total)
