r"""A schedule by slots: the model ``time`` of chains.

A flow through (layer, server, slot) with waiting arcs, and at most
:math:`K_s` layers in a slot. Rounded ``"down"`` (default) every schedule becomes a flow of no
larger value, so that the model gives a bound; rounded ``"up"`` every flow is a schedule.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import (
    BoolArray,
    FloatArray,
    IntArray,
)
from optedge.formulations.offloading.costs import blocks
from optedge.formulations.offloading.models import schedules

if TYPE_CHECKING:
    from optedge.formulations.offloading.plans.schedule import Schedule
    from optedge.formulations.offloading.problem import OffloadingProblem

Rounding = Literal["down", "up"]
SLOTS = 40  # slots of the default grid, where no grid fits all numbers
ROUND = 1e-9  # numbers this close to a slot are on it


class Grid(NamedTuple):
    """The slots of a time-indexed model."""

    step: float  # seconds of a slot
    usable: BoolArray  # (n_subtasks, n_servers)
    early: IntArray  # (n_subtasks, n_servers), first slot in which the input is there
    late: IntArray  # (n_subtasks, n_servers), last slot of a start
    hold: IntArray  # (n_subtasks, n_servers), slots in which a pool is held
    tail: FloatArray  # (n_subtasks, n_servers), seconds from a start to the completion


def grid(problem: OffloadingProblem, length: float | None, rounding: str) -> Grid:
    """Return the slots: their length, and in which of them each layer may start."""
    plan, value = schedules.best_plan(problem)
    w = schedules.windows(problem, value)
    step = _step(problem, w) if length is None else float(length)
    if not 0 < step < math.inf:
        raise ValueError(f"step must be positive and finite, got {length!r}.")
    if rounding == "up":
        begun = step * _on_grid(problem, plan, problem.schedule(plan).starts, step)
        spent = problem.seconds[np.arange(problem.n_subtasks), plan]
        w = schedules.windows(problem, _flow_time(problem, plan, np.asarray(begun + spent)))
    seconds = np.where(w.usable, problem.seconds, 0.0)
    return Grid(
        step,
        w.usable,
        slots(np.where(w.usable, w.head, 0.0), step, rounding),
        slots(np.where(w.usable, w.latest, 0.0), step, "down"),
        slots(seconds, step, rounding),
        w.tail,
    )


def slots(seconds: npt.ArrayLike, step: float, rounding: str) -> IntArray:
    """Return times in slots, rounded ``"down"`` or ``"up"``; 1e-9 beside a slot is on it."""
    ratio = np.asarray(seconds, dtype=np.float64) / step
    nearest = np.rint(ratio)
    other = np.floor(ratio) if rounding == "down" else np.ceil(ratio)
    on = np.abs(ratio - nearest) <= ROUND * np.maximum(1.0, np.abs(ratio))
    return np.asarray(np.where(on, nearest, other), dtype=np.int64)


def _flow_time(problem: OffloadingProblem, servers: IntArray, ends: FloatArray) -> float:
    """Return the sum of flow times if layers end at ``ends``."""
    done = np.full(problem.n_tasks, -np.inf)
    for v, row in enumerate(problem.successors):
        if not row:
            back = blocks.sending(problem, v, blocks.END)[servers[v], 0]
            done[problem.tasks[v]] = max(done[problem.tasks[v]], ends[v] + back)
    return math.fsum(done - problem.release)


def _step(problem: OffloadingProblem, w: schedules.Windows) -> float:
    """Return the seconds of a slot: all numbers are multiples if that is not too fine."""
    pieces = [problem.seconds[w.usable], problem.release]
    pieces += [w.head[problem.first][w.usable[problem.first]]]
    for v in range(problem.n_subtasks):
        sent = blocks.sending(problem, v)
        pieces.append(sent[np.isfinite(sent)])
    numbers = np.unique(np.concatenate(pieces))
    numbers = numbers[numbers > 0]
    over = (w.latest[w.usable] + w.tail[w.usable]).max()
    horizon = float(over - problem.release.min())
    for parts in range(1, 13):
        delta = float(numbers[0]) / parts
        if horizon <= 4 * SLOTS * delta:
            ratio = numbers / delta
            if (np.abs(ratio - np.rint(ratio)) <= ROUND * ratio).all():
                return delta
    return horizon / SLOTS


def _on_grid(
    problem: OffloadingProblem, servers: IntArray, keys: FloatArray, step: float
) -> IntArray:
    """Return starts in slots, all numbers rounded up, pools taken in the order of ``keys``."""
    starts = np.zeros(problem.n_subtasks, dtype=np.int64)
    arrival = np.zeros(problem.n_subtasks)
    for i, v in enumerate(problem.first.tolist()):
        pace = problem.seconds_per_mb[problem.clients[i], servers[v]]
        arrival[v] = slots(problem.release[i] + problem.inputs_mb[i] * pace, step, "up")
    for v, free in schedules.in_order(problem, servers, keys):
        starts[v] = int(max(arrival[v], free[0]))
        spent = problem.seconds[v, servers[v]]
        heapq.heapreplace(free, float(starts[v] + slots(spent, step, "up")))
        for w in problem.successors[v]:
            sent = problem.outputs_mb[v] * problem.seconds_per_mb[servers[v], servers[w]]
            arrival[w] = max(arrival[w], float(starts[v] + slots(spent + sent, step, "up")))
    return starts


def add(m: Any, problem: OffloadingProblem, relax: bool, step: float | None, rounding: str) -> None:
    """Add the flow of each task through (layer, server, slot), and the pools of each slot."""
    import pyomo.environ as pyo

    g = grid(problem, step, rounding)
    m.step, m.rounding, m.early = g.step, rounding, g.early
    ends = {v for v in range(problem.n_subtasks) if not problem.successors[v]}
    on = [np.flatnonzero(row).tolist() for row in g.usable & (g.early <= g.late)]
    arcs: dict[tuple[int, int, int, int], int] = {}  # start of v on s in t, then to b: arrival
    for v in range(problem.n_subtasks):
        span = slots(
            np.where(g.usable[v], problem.seconds[v], 0.0)[:, None]
            + np.where(np.isfinite(sent := blocks.sending(problem, v)), sent, 0.0),
            g.step,
            rounding,
        )
        for s in on[v]:
            for t in range(g.early[v, s], g.late[v, s] + 1):
                if v in ends:
                    arcs[v, s, s, t] = -1
                    continue
                for b in on[v + 1]:
                    there = max(t + int(span[s, b]), int(g.early[v + 1, b]))
                    if there <= g.late[v + 1, b] and np.isfinite(sent[s, b]):
                        arcs[v, s, b, t] = there

    m.arcs = arcs
    firsts = set(problem.first.tolist())
    nodes = [
        (v, s, t)
        for v in range(problem.n_subtasks)
        for s in on[v]
        for t in range(g.early[v, s], g.late[v, s] + 1)
    ]
    flow_in, flow_out, busy = defaultdict(list), defaultdict(list), defaultdict(list)
    binary = pyo.UnitInterval if relax else pyo.Binary
    m.start = pyo.Var(list(arcs), domain=binary, doc="layer v starts on s in t, then goes to b")
    m.wait = pyo.Var([k for k in nodes if k[2] < g.late[k[:2]]], bounds=(0, 1), doc="waits in t")
    m.enter = pyo.Var([(v, s) for v in firsts for s in on[v]], bounds=(0, 1), doc="input sent to s")
    for (v, s), variable in m.enter.items():
        flow_in[v, s, int(g.early[v, s])].append(variable)
    for (v, s, t), variable in m.wait.items():
        flow_out[v, s, t].append(variable)
        flow_in[v, s, t + 1].append(variable)
    for (v, s, b, t), there in arcs.items():
        flow_out[v, s, t].append(m.start[v, s, b, t])
        if there >= 0:
            flow_in[v + 1, b, there].append(m.start[v, s, b, t])
        for slot in range(t, t + int(g.hold[v, s])):
            busy[s, slot].append(m.start[v, s, b, t])

    m.flow_time = pyo.Objective(
        expr=pyo.quicksum(
            float((t * g.step - problem.release[problem.tasks[v]] + g.tail[v, s]) / m.unit)
            * m.start[v, s, b, t]
            for v, s, b, t in arcs
            if v in ends
        )
    )
    m.leave = pyo.Constraint(
        sorted(firsts), rule=lambda m, v: pyo.quicksum(m.enter[v, s] for s in on[v]) == 1
    )
    m.conserve = pyo.Constraint(
        [k for k in nodes if flow_in[k] or flow_out[k]],
        rule=lambda m, *k: pyo.quicksum(flow_in[k]) == pyo.quicksum(flow_out[k]),
    )
    short = set(schedules.scarce(problem, g.usable))
    m.capacity = pyo.Constraint(
        sorted(k for k in busy if k[0] in short),
        rule=lambda m, s, t: pyo.quicksum(busy[s, t]) <= float(problem.pools[s]),
    )


def fill(problem: OffloadingProblem, m: Any, plan: Schedule) -> None:
    """Write a schedule into the variables; one that the slots have no room for only in part."""
    servers = plan.servers
    if m.rounding == "up":
        starts = _on_grid(problem, servers, plan.starts, m.step)
    else:
        starts = slots(plan.starts, m.step, "down")
    for group in (m.start, m.wait, m.enter):
        for variable in group.values():
            variable.set_value(0)
    there = int(m.early[0, servers[0]])  # the slot in which the input of v arrives
    for v in range(problem.n_subtasks):
        s, t, last = int(servers[v]), int(starts[v]), not problem.successors[v]
        if (v, s) in m.enter:
            m.enter[v, s].set_value(1)
            there = int(m.early[v, s])
        arc = (v, s, s if last else int(servers[v + 1]), t)
        if arc not in m.start:  # worse than the plan that the slots were made for
            return
        m.start[arc].set_value(1)
        for slot in range(there, t):
            m.wait[v, s, slot].set_value(1)
        there = m.arcs[arc]


def size(problem: OffloadingProblem) -> tuple[int, int]:
    """Return about how many rows and columns the model has on the default grid."""
    g = grid(problem, None, "down")
    on = g.usable & (g.early <= g.late)
    length = np.where(on, g.late - g.early + 1, 0)
    ends = np.array([not row for row in problem.successors])
    following = np.append(on[1:].sum(axis=1), 0)
    per_layer = length.sum(axis=1) * np.where(ends, 1, following)
    span = int(g.late[on].max(initial=0)) + 1
    rows = int(length.sum()) + len(schedules.scarce(problem, g.usable)) * span + problem.n_tasks
    return rows, int(per_layer.sum() + length.sum())
