"""Paths of tasks through servers as a polytope: the models ``pairs`` and ``static``."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import (
    Certificate,
    FloatArray,
    IntArray,
)
from optedge.formulations.offloading.costs import block_costs, blocks, paths
from optedge.formulations.offloading.models import schedules

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


def add(m: Any, problem: OffloadingProblem, domain: Any) -> None:
    """Add the path polytope of each task, its arcs named y[i, j, a, b] by the layer j entered."""
    import pyomo.environ as pyo

    cost: dict[tuple[int, int, int, int], float] = {}
    following: dict[tuple[int, int], int] = {}
    for group in blocks.groups(problem):
        steps = _arcs(problem, group)
        for i in group.members:
            following.update({(i, j): k for j, k in itertools.pairwise([*steps, -1])})
            for j, step in steps.items():
                for a, b in np.argwhere(np.isfinite(step)).tolist():
                    cost[i, j, a, b] = float(step[a, b]) / m.unit

    enters, leaves = defaultdict(list), defaultdict(list)
    m.Y = pyo.Set(dimen=4, initialize=list(cost))
    m.y = pyo.Var(m.Y, domain=domain or pyo.NonNegativeReals, doc="layer j on b, before it on a")
    for i, j, a, b in cost:
        enters[i, j, b].append(m.y[i, j, a, b])
        leaves[i, j, a].append(m.y[i, j, a, b])
    m.flow_time = pyo.Objective(expr=pyo.quicksum(cost[key] * m.y[key] for key in cost))
    m.leave = pyo.Constraint(
        pyo.RangeSet(0, problem.n_tasks - 1),
        rule=lambda m, i: pyo.quicksum(leaves[i, 0, int(problem.clients[i])]) == 1,
    )
    before = {(i, k): j for (i, j), k in following.items()}
    nodes = {(i, j, b) for i, j, _, b in cost if following[i, j] >= 0}
    nodes |= {(i, before[i, j], a) for i, j, a, _ in cost if j > 0}
    m.conserve = pyo.Constraint(
        sorted(nodes),
        rule=lambda m, i, j, b: (
            pyo.quicksum(enters[i, j, b]) == pyo.quicksum(leaves[i, following[i, j], b])
        ),
    )


def _arcs(problem: OffloadingProblem, group: blocks.Group) -> dict[int, FloatArray]:
    """Return for each cut vertex (its number in the task) the seconds of the arcs into it."""
    i = group.members[0]
    a, client = int(problem.first[i]), int(problem.clients[i])
    step = np.full((problem.n_servers, problem.n_servers), np.inf)
    step[client] = block_costs.entering(problem, i)
    arcs = {}
    for block in group.blocks:
        arcs[block.start - a] = step
        reached = np.isfinite(step).any(axis=0)
        step = np.where(reached[:, None], block_costs.stepping(problem, block), np.inf)
    arcs[group.blocks[-1].start - a] = arcs[group.blocks[-1].start - a] + step[:, 0]
    return arcs


def add_capacity(
    m: Any, problem: OffloadingProblem, capacity: npt.ArrayLike | None, of: str
) -> None:
    """Add what each server may take; for None what any good schedule leaves it time for."""
    import pyomo.environ as pyo

    if capacity is None:
        w, of = schedules.windows(problem), "work"
        over = float(np.max(np.where(w.usable, w.latest + problem.seconds, 0.0)))
        limits = problem.pools * problem.speeds_ghz * (over - float(w.head.min()))
    else:
        limits = np.broadcast_to(np.asarray(capacity, dtype=np.float64), problem.n_servers)
    size = problem.work_gcycles if of == "work" else np.ones(problem.n_subtasks)
    taken = defaultdict(list)
    for i, j, a, b in m.Y:
        taken[b].append(float(size[problem.first[i] + j]) * m.y[i, j, a, b])
    m.capacity = pyo.Constraint(
        [s for s in taken if math.isfinite(limits[s])],
        rule=lambda m, s: pyo.quicksum(taken[s]) <= float(limits[s]),
    )


def extract(problem: OffloadingProblem, m: Any) -> IntArray:
    """Return the servers on the paths in y, and the best ones inside of blocks."""
    weight: dict[tuple[int, int], FloatArray] = defaultdict(lambda: np.zeros(problem.n_servers))
    for (i, j, _, b), variable in m.y.items():
        weight[i, j][b] += variable.value or 0.0
    servers = np.zeros(problem.n_subtasks, dtype=np.int64)
    for group in blocks.groups(problem):
        a = problem.first[group.members[0]]
        for i in group.members:
            route = [int(np.argmax(weight[i, int(b.start - a)])) for b in group.blocks]
            alone = group._replace(members=(group.members[0],))
            found = np.zeros_like(servers)
            paths.place(problem, alone, route, found)
            size = problem.sizes[i]
            servers[problem.first[i] : problem.first[i] + size] = found[a : a + size]
    return servers


def from_duals(problem: OffloadingProblem, solution: Any, unit: float) -> Certificate:
    """Return the certificate in the duals of the solved model ``pairs``, in units of ``unit``."""
    duals, rows = solution.duals, []
    for group in blocks.groups(problem):
        i, a = group.members[0], problem.first[group.members[0]]
        for block in group.blocks[:-1]:
            keys = [(i, int(block.start - a), b) for b in range(problem.n_servers)]
            root = _dual(duals["leave"], i)
            rows.append([unit * (root + _dual(duals.get("conserve", {}), k)) for k in keys])
        # The last row is the best that the others allow: whatever is too large is clipped.
        rows.append([1e300] * problem.n_servers)
    return paths.certificate(problem, np.array(rows))


def _dual(duals: Mapping[Any, float], key: Any) -> float:
    return float(duals.get(key, 0.0))


def fill(problem: OffloadingProblem, m: Any, servers: IntArray) -> None:
    """Write the servers of a plan into the variables."""
    before = {}
    for group in blocks.groups(problem):
        a = problem.first[group.members[0]]
        cuts = [int(block.start - a) for block in group.blocks]
        before.update({(i, k): j for i in group.members for j, k in itertools.pairwise(cuts)})
    for (i, j, a, b), variable in m.y.items():
        first = problem.first[i]
        at = servers[first + before[i, j]] if j > 0 else problem.clients[i]
        variable.set_value(int(at == a and servers[first + j] == b))
