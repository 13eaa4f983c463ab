r"""A schedule by orders in pools: the model ``disjunctive``.

:math:`x_{vs}`: layer v runs on s; :math:`z_{vsk}`: in pool k of it;
:math:`o_{uv}`: u before v, wherever the two meet; :math:`y_{uv,ab}`: output of u on a goes to v on
b; starts :math:`S_v` and completions :math:`C_i`:

.. math::

   \min \sum_i (C_i - r_i) \quad \text{s.t.} \quad
   S_v \ge S_u + \sum_s \tfrac{P_u}{Q_s} x_{us} + \sum_{a, b} \tfrac{g_u}{v_{ab}} y_{uv,ab},
   \qquad S_v \ge S_u + \tfrac{P_u}{Q_s} - M_{uvs} (3 - o_{uv} - z_{usk} - z_{vsk})
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

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

ROUND = 1e-9  # relative: ends this close to a start are before it


def _meetings(problem: OffloadingProblem, usable: BoolArray) -> dict[tuple[int, int], list[int]]:
    """Return the pairs u < v that no path orders, with the scarce servers that both may use."""
    reached = [0] * problem.n_subtasks  # bit sets
    for u in reversed(range(problem.n_subtasks)):
        for w in problem.successors[u]:
            reached[u] |= reached[w] | 1 << w
    found: dict[tuple[int, int], list[int]] = {}
    for s in schedules.scarce(problem, usable):
        for u, v in itertools.combinations(np.flatnonzero(usable[:, s]).tolist(), 2):
            if not reached[u] >> v & 1:
                found.setdefault((u, v), []).append(s)
    return found


def _pools(problem: OffloadingProblem, usable: BoolArray) -> dict[int, int]:
    """Return how many pools of each scarce server count."""
    return {
        s: int(min(problem.pools[s], usable[:, s].sum())) for s in schedules.scarce(problem, usable)
    }


def add(m: Any, problem: OffloadingProblem, relax: bool) -> None:
    """Add servers x, pools z, orders o, transfers y, starts S and completions C."""
    import pyomo.environ as pyo

    w, n = schedules.windows(problem), problem.n_subtasks
    head, tail = w.head / m.unit, w.tail / m.unit
    seconds, pools = problem.seconds / m.unit, _pools(problem, w.usable)
    earliest = np.where(w.usable, head, np.inf).min(axis=1)
    last = np.where(w.usable, w.latest / m.unit, -np.inf).max(axis=1)
    on = [np.flatnonzero(row).tolist() for row in w.usable]
    binary = pyo.UnitInterval if relax else pyo.Binary
    sends = {v: blocks.sending(problem, v) / m.unit for v in range(n)}

    m.I, m.V = pyo.RangeSet(0, problem.n_tasks - 1), pyo.RangeSet(0, n - 1)
    m.X = pyo.Set(dimen=2, initialize=[(v, s) for v in m.V for s in on[v]])
    m.Z = pyo.Set(
        dimen=3,
        initialize=[(v, s, k) for v, s in m.X for k in range(pools.get(s, 0)) if pools[s] > 1],
    )
    edges = [(u, v) for u in m.V for v in problem.successors[u]]
    m.E = pyo.Set(dimen=2, initialize=edges)
    m.Y = pyo.Set(
        dimen=4,
        initialize=[
            (u, v, a, b) for u, v in edges for a in on[u] for b in on[v] if sends[u][a, b] < np.inf
        ],
    )
    m.x = pyo.Var(m.X, domain=binary, doc="layer v runs on s")
    m.z = pyo.Var(m.Z, domain=binary, doc="layer v runs in pool k of s")
    m.y = pyo.Var(m.Y, bounds=(0, 1), doc="from u on a to v on b")
    m.S = pyo.Var(m.V, bounds=lambda m, v: (float(earliest[v]), float(last[v])), doc="start")
    m.C = pyo.Var(m.I, domain=pyo.NonNegativeReals, doc="completion")
    m.flow_time = pyo.Objective(
        expr=pyo.quicksum(m.C[i] - float(problem.release[i]) / m.unit for i in m.I)
    )

    m.assign = pyo.Constraint(m.V, rule=lambda m, v: pyo.quicksum(m.x[v, s] for s in on[v]) == 1)
    m.sent = pyo.Constraint(
        [(u, v, a) for u, v in edges for a in on[u]],
        rule=lambda m, u, v, a: (
            m.x[u, a] == pyo.quicksum(m.y[u, v, a, b] for b in on[v] if (u, v, a, b) in m.Y)
        ),
    )
    m.received = pyo.Constraint(
        [(u, v, b) for u, v in edges for b in on[v]],
        rule=lambda m, u, v, b: (
            m.x[v, b] == pyo.quicksum(m.y[u, v, a, b] for a in on[u] if (u, v, a, b) in m.Y)
        ),
    )

    def total(numbers: FloatArray, v: int) -> Any:
        return pyo.quicksum(float(numbers[v, s]) * m.x[v, s] for s in on[v])

    m.arrive = pyo.Constraint(
        m.E,
        rule=lambda m, u, v: (
            m.S[v]
            >= m.S[u]
            + total(seconds, u)
            + pyo.quicksum(
                float(sends[u][a, b]) * m.y[u, v, a, b]
                for a in on[u]
                for b in on[v]
                if (u, v, a, b) in m.Y
            )
        ),
    )
    m.no_earlier = pyo.Constraint(m.V, rule=lambda m, v: m.S[v] >= total(head, v))
    m.complete = pyo.Constraint(
        m.V, rule=lambda m, v: m.C[int(problem.tasks[v])] >= m.S[v] + total(tail, v)
    )
    _add_orders(m, problem, w.usable, pools, binary, last, earliest)


def _add_orders(
    m: Any,
    problem: OffloadingProblem,
    usable: BoolArray,
    pools: Mapping[int, int],
    binary: Any,
    last: FloatArray,
    earliest: FloatArray,
) -> None:
    """Add who goes first where two layers meet in a pool; equal pools are used in their order."""
    import pyomo.environ as pyo

    m.pooled = pyo.Constraint(
        sorted({(v, s) for v, s, _ in m.Z}),
        rule=lambda m, v, s: pyo.quicksum(m.z[v, s, k] for k in range(pools[s])) == m.x[v, s],
    )
    m.next_pool = pyo.Constraint(
        [(v, s, k) for v, s, k in m.Z if k > 0],
        rule=lambda m, v, s, k: (
            m.z[v, s, k] <= pyo.quicksum(m.z[u, s, k - 1] for u in range(v) if usable[u, s])
        ),
    )
    pairs = _meetings(problem, usable)
    m.O = pyo.Set(dimen=2, initialize=list(pairs))
    m.o = pyo.Var(m.O, domain=binary, doc="u before v where they meet in a pool")

    def within(v: int, s: int, k: int) -> Any:
        return m.x[v, s] if pools[s] == 1 else m.z[v, s, k]

    def disjunction(m: Any, u: int, v: int, s: int, k: int) -> Any:
        spent = float(problem.seconds[u, s]) / m.unit
        big = max(0.0, float(last[u]) + spent - float(earliest[v]))
        first = m.o[u, v] if u < v else 1 - m.o[v, u]
        return m.S[v] >= m.S[u] + spent - big * (3 - first - within(u, s, k) - within(v, s, k))

    both = [
        (*way, s, k)
        for (u, v), servers in pairs.items()
        for s in servers
        for k in range(pools[s])
        for way in ((u, v), (v, u))
    ]
    m.disjunction = pyo.Constraint(both, rule=disjunction)


def fill(problem: OffloadingProblem, m: Any, plan: Schedule) -> None:
    """Write a schedule into the variables."""
    servers, starts = plan.servers, plan.starts
    ends = starts + problem.seconds[np.arange(problem.n_subtasks), servers]
    for (v, s), variable in m.x.items():
        variable.set_value(int(servers[v] == s))
    for (u, v, a, b), variable in m.y.items():
        variable.set_value(int(servers[u] == a and servers[v] == b))
    for (u, v), variable in m.o.items():
        variable.set_value(int(starts[u] < starts[v] or (starts[u] == starts[v] and u < v)))
    for v in m.V:
        m.S[v].set_value(float(starts[v]) / m.unit)
    done = problem.flows(plan) + problem.release
    for i in m.I:
        m.C[i].set_value(float(done[i]) / m.unit)
    pool = _pool_of(problem, servers, starts, ends)
    for (v, s, k), variable in m.z.items():
        variable.set_value(int(servers[v] == s and pool[v] == k))


def _pool_of(
    problem: OffloadingProblem, servers: IntArray, starts: FloatArray, ends: FloatArray
) -> IntArray:
    """Return the pool of each layer; pools are numbered by the least layer that they run."""
    pool = np.zeros(problem.n_subtasks, dtype=np.int64)
    for s in range(problem.n_servers):
        mine = np.flatnonzero(servers == s)
        free: list[tuple[float, int]] = [(-math.inf, k) for k in range(mine.size)]
        for v in mine[np.lexsort((ends[mine], starts[mine]))].tolist():
            # The pool that was free last, so that no more pools than needed are used.
            fits = [f for f in free if f[0] <= starts[v] + ROUND * abs(starts[v])]
            chosen = max(fits or [min(free)], key=lambda f: (f[0], -f[1]))
            free[free.index(chosen)] = (float(ends[v]), chosen[1])
            pool[v] = chosen[1]
        first = {k: int(mine[pool[mine] == k].min()) for k in set(pool[mine].tolist())}
        rank = {k: r for r, k in enumerate(sorted(first, key=first.__getitem__))}
        pool[mine] = [rank[k] for k in pool[mine].tolist()]
    return pool


def size(problem: OffloadingProblem, usable: BoolArray) -> tuple[int, int]:
    """Return rows and columns of ``disjunctive``; layers of a task count as ordered."""
    pools, counts = _pools(problem, usable), usable.sum(axis=1)
    v, w = problem.edges.T
    meets, orders = 0, np.zeros((problem.n_tasks, problem.n_tasks))
    for s, k in pools.items():
        mine = np.bincount(problem.tasks, usable[:, s], problem.n_tasks)
        meets += k * int(mine.sum() ** 2 - (mine**2).sum())
        orders = np.maximum(orders, np.outer(mine, mine))
    z = sum(k * int(usable[:, s].sum()) for s, k in pools.items() if k > 1)
    rows = meets + z + int((counts[v] + counts[w] + 1).sum()) + 3 * problem.n_subtasks
    pairs = int(np.triu(orders, 1).sum())
    columns = int(counts.sum() + (counts[v] * counts[w]).sum()) + z + pairs + problem.n_subtasks
    return rows, columns + problem.n_tasks
