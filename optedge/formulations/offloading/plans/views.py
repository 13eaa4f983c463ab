"""What one can see of a schedule: where the time of each task goes, who works, lanes of a chart.

All functions take a feasible solution, a :class:`Schedule` or an assignment, and refuse any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray, Lane
from optedge.formulations.offloading.plans.schedule import SLACK, Schedule

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem

TIERS = ("client", "edge", "cloud")
SAME = 1e-12  # of the end of a task: what arrives within it arrives at the same time


class _Plan(NamedTuple):
    """A feasible schedule with what follows from it."""

    schedule: Schedule
    ends: FloatArray  # (n_subtasks,), s
    slack: float  # s; bars that overlap by less touch


def _feasible(problem: OffloadingProblem, x: Schedule | npt.ArrayLike) -> _Plan:
    wrong = problem.violations(x)
    if wrong:
        raise ValueError(f"the solution is not feasible: {wrong[0]}")
    plan = problem.schedule(x)
    ends = plan.starts + problem.seconds[np.arange(problem.n_subtasks), plan.servers]
    return _Plan(plan, ends, SLACK * max(1e-9, float(ends.max() - problem.release.min())))


# -------------------------------------------------------------------- numbers


def delay_split(problem: OffloadingProblem, x: Schedule | npt.ArrayLike) -> FloatArray:
    """Return what the flow time of each task is made of, ``(n_tasks, 3)`` in seconds.

    Execution, transmission and waiting along the critical path: traced back from the layer that
    ends last through the predecessor whose output arrived last, of several the one of lowest
    number. In a chain that is all layers, and the columns are the sums of T1, T2 and T3 of
    "EosDNN", eqs. (1)-(5). What lies before the release counts nowhere; with ``return_result`` the
    way back is transmission.

    The columns sum to the flow time, but for the rounding of starts that a feasible schedule is
    forgiven: a layer that starts before its input by that much has not waited.
    """
    plan, ends, _ = _feasible(problem, x)
    servers, pace = plan.servers, problem.seconds_per_mb
    split = np.zeros((problem.n_tasks, 3))
    for i, (a, size) in enumerate(zip(problem.first, problem.sizes, strict=True)):
        home = problem.clients[i]
        final = np.array([v for v in range(a, a + size) if not problem.successors[v]])
        back = np.zeros(final.size)
        if problem.return_result:
            back = problem.outputs_mb[final] * pace[servers[final], home]
        k = _last(ends[final] + back)
        v, split[i, 1] = int(final[k]), back[k]
        while v != a:
            before = np.array(problem.predecessors[v])
            sent = problem.outputs_mb[before] * pace[servers[before], servers[v]]
            k = _last(ends[before] + sent)
            split[i] += ends[v] - plan.starts[v], sent[k], plan.starts[v] - (ends[before] + sent)[k]
            v = int(before[k])
        sent = problem.inputs_mb[i] * pace[home, servers[a]]
        waited = plan.starts[a] - (problem.release[i] + sent)
        split[i] += ends[a] - plan.starts[a], sent, waited
    return np.maximum(split, 0.0)


def _last(times: FloatArray) -> int:
    """Return the first of the latest times."""
    latest = times.max()
    return int(np.flatnonzero(times >= latest - SAME * abs(latest))[0])


def tier_shares(
    problem: OffloadingProblem,
    x: Schedule | npt.ArrayLike,
    of: Literal["layers", "work"] = "layers",
) -> FloatArray:
    """Return the share of clients, edges and clouds in the layers, or in their work, ``(3,)``."""
    if of not in ("layers", "work"):
        raise ValueError(f"of must be 'layers' or 'work', got {of!r}.")
    tiers = problem.tiers[_feasible(problem, x).schedule.servers]
    weights = problem.work_gcycles if of == "work" else np.ones(problem.n_subtasks)
    return np.asarray(np.bincount(tiers, weights, minlength=3) / weights.sum())


def metrics(problem: OffloadingProblem, x: Schedule | npt.ArrayLike) -> dict[str, float]:
    """Return sums of :func:`delay_split` over the tasks, shares of layers, and the last end.

    ``execution_s``, ``transmission_s``, ``waiting_s``; ``client_share``, ``edge_share``,
    ``cloud_share``; ``makespan_s``, the time at which the last task is done.
    """
    plan = _feasible(problem, x).schedule
    parts = delay_split(problem, plan).sum(axis=0).tolist()
    found = dict(zip(("execution_s", "transmission_s", "waiting_s"), parts, strict=True))
    shares = tier_shares(problem, plan).tolist()
    found |= {f"{tier}_share": share for tier, share in zip(TIERS, shares, strict=True)}
    return {**found, "makespan_s": float((problem.release + problem.flows(plan)).max())}


# -------------------------------------------------------------------- lanes


class _Bar(NamedTuple):
    start: float  # s
    length: float  # s
    label: str
    task: int


def lanes(problem: OffloadingProblem, x: Schedule | npt.ArrayLike) -> list[Lane]:
    """Return the lanes of a Gantt chart: pools that run something, then what is sent.

    Clients, edges and clouds from top to bottom, of each server as many pools as layers run at a
    time; bars are labelled "task.layer". Below, grouped by the tiers that they go between, the
    transfers that take time, labelled "from → to" (servers): they do not contend, a group has as
    many lanes as transfers are on their way at a time. An output that several layers read on one
    server is sent once.
    """
    plan = _feasible(problem, x)
    starts, servers = plan.schedule.starts, plan.schedule.servers
    found = []
    for s in np.lexsort((np.arange(problem.n_servers), problem.tiers)).tolist():
        mine = [
            _Bar(
                float(starts[v]),
                float(plan.ends[v] - starts[v]),
                f"{problem.tasks[v]}.{problem.layer[v]}",
                int(problem.tasks[v]),
            )
            for v in np.flatnonzero(servers == s)
        ]
        rows, name = _packed(mine, plan.slack), f"{TIERS[problem.tiers[s]]} {s}"
        for k, row in enumerate(rows):
            found.append(_lane(name if len(rows) == 1 else f"{name} · pool {k}", row))
    links: dict[tuple[int, int], list[_Bar]] = {}
    for a, b, bar in _transfers(problem, plan):
        links.setdefault((int(problem.tiers[a]), int(problem.tiers[b])), []).append(bar)
    for a, b in sorted(links):
        for row in _packed(links[a, b], plan.slack):
            found.append(_lane(f"{TIERS[a]} → {TIERS[b]}", row, link=True))
    return found


def _transfers(problem: OffloadingProblem, plan: _Plan) -> Iterable[tuple[int, int, _Bar]]:
    """Yield what takes time to send, and the servers that it goes between."""
    servers, home = plan.schedule.servers.tolist(), problem.clients.tolist()
    tasks, inputs = problem.tasks.tolist(), problem.inputs_mb
    reads = {(v, servers[w]) for v, w in problem.edges.tolist()}
    if problem.return_result:
        reads |= {(v, home[tasks[v]]) for v, row in enumerate(problem.successors) if not row}
    first = enumerate(problem.first.tolist())
    sent = [(i, home[i], servers[v], problem.release[i], inputs[i]) for i, v in first]
    sent += [
        (tasks[v], servers[v], b, plan.ends[v], problem.outputs_mb[v]) for v, b in sorted(reads)
    ]
    for i, a, b, start, size in sent:
        length = float(size * problem.seconds_per_mb[a, b])
        if length > 0:
            yield a, b, _Bar(float(start), length, f"{a} → {b}", i)


def _packed(bars: list[_Bar], slack: float) -> list[list[_Bar]]:
    """Return rows of bars that do not overlap: as many as there are bars at a time, no more.

    By start, each on a free row, a new one if there is none: best that where the same task was
    last, else that which was free last.
    """
    rows: list[list[_Bar]] = []
    ends: list[float] = []
    for bar in sorted(bars, key=lambda bar: (bar.start, bar.task)):
        free = [k for k, end in enumerate(ends) if end <= bar.start + slack]
        if free:
            k = max(free, key=lambda k: (rows[k][-1].task == bar.task, ends[k]))
        else:
            k = len(rows)
            rows.append([])
            ends.append(-np.inf)
        rows[k].append(bar)
        ends[k] = max(ends[k], bar.start + bar.length)
    return rows


def _lane(label: str, row: list[_Bar], link: bool = False) -> Lane:
    bars = tuple((bar.start, bar.length, bar.label) for bar in row)
    return Lane(label, bars, groups=tuple(bar.task for bar in row), link=link)
