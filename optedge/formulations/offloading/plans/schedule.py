"""What a schedule is, and which rules one breaks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray, IntArray

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem

SLACK = 1e-9  # of the length of a schedule: differences of times up to this are rounding


@dataclasses.dataclass(frozen=True, eq=False)
class Schedule:
    """Server and start of every layer.

    Parameters
    ----------
    servers
        Shape ``(n_subtasks,)``.
    starts
        Seconds, shape ``(n_subtasks,)``.
    """

    servers: IntArray
    starts: FloatArray

    def __post_init__(self) -> None:
        for name, dtype in (("servers", np.int64), ("starts", np.float64)):
            array = np.array(getattr(self, name), dtype=dtype)
            if dtype is np.int64 and np.any(array != np.asarray(self.servers)):
                raise ValueError("servers must be integers.")
            array.setflags(write=False)
            object.__setattr__(self, name, array)


def broken(problem: OffloadingProblem, x: Schedule | npt.ArrayLike) -> list[str]:
    """Return a sentence for each rule that a schedule, or an assignment, breaks."""
    servers = np.asarray(x.servers if isinstance(x, Schedule) else x)
    n = problem.n_subtasks
    if servers.shape != (n,):
        return [f"a solution names {n} servers, got shape {servers.shape}."]
    if not np.issubdtype(servers.dtype, np.integer):
        return [f"a solution names {n} servers by integers, got {servers.dtype}."]
    outside = np.flatnonzero((servers < 0) | (servers >= problem.n_servers))
    if outside.size:
        return [f"{_called(problem, outside[0])}: there is no server {servers[outside[0]]}."]
    found = _broken_places(problem, servers)
    if found or not isinstance(x, Schedule):
        return found
    if x.starts.shape != (n,) or not np.isfinite(x.starts).all():
        return [f"a schedule holds {n} finite starts."]
    ends = x.starts + problem.seconds[np.arange(n), servers]
    slack = SLACK * max(1e-9, float(ends.max() - problem.release.min()))
    arrival = problem.arrivals(servers, ends)
    found = [
        f"{_called(problem, v)} starts at {x.starts[v]:.9g} s, before its input is there at "
        f"{arrival[v]:.9g} s."
        for v in np.flatnonzero(x.starts < arrival - slack)
    ]
    return found + _overfull(problem, x, ends, slack)


def _called(problem: OffloadingProblem, v: Any) -> str:
    return f"layer {problem.layer[v]} of task {problem.tasks[v]}"


def _broken_places(problem: OffloadingProblem, servers: IntArray) -> list[str]:
    """Return which layers may not be where they are, or cannot get what they read."""
    pace, edges = problem.seconds_per_mb, problem.edges
    found = [
        f"{_called(problem, v)} may not use server {servers[v]}."
        for v in np.flatnonzero(~problem.allowed[np.arange(problem.n_subtasks), servers])
    ]
    v, w = edges.T
    found += [
        f"{_called(problem, b)}: nothing gets from server {servers[a]} to server {servers[b]}."
        for a, b in edges[np.isinf(pace[servers[v], servers[w]])].tolist()
    ]
    if problem.return_result:
        last = np.array([not row for row in problem.successors])
        found += [
            f"{_called(problem, v)}: nothing gets from server {servers[v]} back to its client."
            for v in np.flatnonzero(last & np.isinf(pace[servers, problem.clients[problem.tasks]]))
        ]
    return found


def _overfull(
    problem: OffloadingProblem, plan: Schedule, ends: FloatArray, slack: float
) -> list[str]:
    """Return which servers run more layers at a time than they have pools."""
    found = []
    for s in range(problem.n_servers):
        mine = np.flatnonzero(plan.servers == s)
        if mine.size <= problem.pools[s]:
            continue
        # Ends come before starts of the same time; what overlaps by rounding does not.
        times = np.concatenate([plan.starts[mine] + slack, ends[mine]])
        steps = np.concatenate([np.ones(mine.size), -np.ones(mine.size)])
        order = np.lexsort((steps, times))
        running = np.cumsum(steps[order])
        peak = int(np.argmax(running))
        if running[peak] > problem.pools[s]:
            found.append(
                f"server {s} runs {int(running[peak])} layers at "
                f"{plan.starts[mine[order[peak]]]:.9g} s, it has {problem.pools[s]:g} pools."
            )
    return found
