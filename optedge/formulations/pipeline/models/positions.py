"""Who is admitted at which place: the model ``position``; ``explicit`` states it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.base import IntArray
from optedge.formulations.pipeline import windows

if TYPE_CHECKING:
    from optedge.formulations.pipeline.problem import PipelinePlan, PipelineProblem


def _later(problem: PipelineProblem) -> IntArray:
    """Return how many tasks follow each one on its device, ``(n_tasks,)``."""
    return np.asarray(problem.first[problem.device + 1] - 1 - np.arange(problem.n_tasks))


def add(m: Any, problem: PipelineProblem, w: windows.Windows, relax: bool) -> None:
    """Add places q, z, times on the devices s, f and those of each place A, U, D."""
    import pyomo.environ as pyo

    n, edge = problem.n_tasks, problem.n_cuts - 1
    binary = pyo.UnitInterval if relax else pyo.Binary
    last_place = n - 1 - _later(problem)
    m.J, m.P = pyo.RangeSet(0, n - 1), pyo.RangeSet(0, n - 1)
    m.Q = pyo.Set(
        dimen=3,
        initialize=[
            (j, i, p) for j in m.J for i in w.options[j][:-1] for p in range(int(last_place[j]) + 1)
        ],
    )
    m.q = pyo.Var(m.Q, domain=binary, doc="task j is cut at i and admitted at place p")
    m.z = pyo.Var(m.J, domain=binary, doc="task j stays on its device")
    times_of(m, problem, w)
    first = float(w.finish.min())
    for name, doc in (("A", "admission"), ("U", "transmission"), ("D", "completion")):
        if name != "U" or problem.link != "delay":
            m.add_component(name, pyo.Var(m.P, bounds=(first, w.end), doc=f"{doc} at place p"))

    cuts = [w.options[j][:-1] for j in m.J]
    m.on = pyo.Expression(
        m.J,
        m.P,
        rule=lambda m, j, p: (
            pyo.quicksum(m.q[j, i, p] for i in cuts[j]) if p <= last_place[j] else 0.0
        ),
    )
    m.assign = pyo.Constraint(
        m.J, rule=lambda m, j: pyo.quicksum(m.on[j, p] for p in m.P) + m.z[j] == 1
    )
    m.filled = pyo.Expression(m.P, rule=lambda m, p: pyo.quicksum(m.on[j, p] for j in m.J))
    m.place = pyo.Constraint(m.P, rule=lambda m, p: m.filled[p] <= 1)
    m.from_the_front = pyo.Constraint(range(1, n), rule=lambda m, p: m.filled[p] <= m.filled[p - 1])

    chosen: list[list[tuple[int, int, int]]] = [[] for _ in m.J]
    for k in m.Q:
        chosen[k[0]].append(k)

    def spent(j: int, part: int) -> Any:
        seconds = problem.chains[problem.kind[j], :, part]
        sent = pyo.quicksum(float(seconds[k[1]]) * m.q[k] for k in chosen[j])
        return sent + float(seconds[edge]) * m.z[j]

    parts = [[spent(j, part) for part in range(3)] for j in m.J]
    on_device(m, problem, parts)
    _add_places(m, problem, w)
    _add_order(m, problem)
    _add_goal(m, problem, w, parts)


def times_of(m: Any, problem: PipelineProblem, w: windows.Windows) -> None:
    """Add start s and finish f of each task on its device."""
    import pyomo.environ as pyo

    def bounds(low: Any, high: Any) -> Any:
        return lambda m, j: (float(low[j]), max(float(low[j]), float(high[j])))

    m.s = pyo.Var(m.J, bounds=bounds(w.start, w.latest_start), doc="start on the device")
    m.f = pyo.Var(m.J, bounds=bounds(w.finish, w.latest_finish), doc="finish on the device")


def on_device(m: Any, problem: PipelineProblem, parts: list[list[Any]]) -> None:
    """Add what a device asks for: one task at a time, in order of arrival."""
    import pyomo.environ as pyo

    m.on_device = pyo.Constraint(m.J, rule=lambda m, j: m.f[j] == m.s[j] + parts[j][0])
    m.one_at_a_time = pyo.Constraint(followers(problem), rule=lambda m, j, k: m.s[k] >= m.f[j])


def followers(problem: PipelineProblem) -> list[tuple[int, int]]:
    """Return each task with the next one of its device."""
    same = np.flatnonzero(problem.device[1:] == problem.device[:-1])
    return [(j, j + 1) for j in same.tolist()]


def _add_places(m: Any, problem: PipelineProblem, w: windows.Windows) -> None:
    """Add admission, transmission and service at each place."""
    import pyomo.environ as pyo

    n, slots = problem.n_tasks, problem.arrays.capacity
    first, chains, kind = float(w.finish.min()), problem.chains, problem.kind
    at: list[list[tuple[int, int, int]]] = [[] for _ in m.P]
    for k in m.Q:
        at[k[2]].append(k)

    def total(p: int, part: int, device: int | None = None) -> Any:
        return pyo.quicksum(
            float(chains[kind[k[0]], k[1], part]) * m.q[k]
            for k in at[p]
            if device is None or problem.device[k[0]] == device
        )

    m.admit = pyo.Constraint(
        m.J,
        m.P,
        rule=lambda m, j, p: (
            m.A[p] >= m.f[j] - max(0.0, float(w.latest_finish[j]) - first) * (1 - m.on[j, p])
        ),
    )
    m.no_earlier = pyo.Constraint(
        m.P,
        rule=lambda m, p: (
            m.A[p]
            >= pyo.quicksum(
                float(w.start[j] + chains[kind[j], i, 0]) * m.q[j, i, p] for j, i, _ in at[p]
            )
        ),
    )
    m.in_turn = pyo.Constraint(range(1, n), rule=lambda m, p: m.A[p] >= m.A[p - 1])
    m.slots = pyo.Constraint(range(slots, n), rule=lambda m, p: m.A[p] >= m.D[p - slots])
    if problem.hold:
        m.hold = pyo.Constraint(
            followers(problem),
            m.P,
            rule=lambda m, j, k, p: (
                m.s[k] >= m.A[p] - (w.end - float(w.start[k])) * (1 - m.on[j, p])
            ),
        )
    sent = m.A if problem.link == "delay" else m.U
    _add_link(m, problem, w, total)
    m.arrive = pyo.Constraint(m.P, rule=lambda m, p: m.D[p] >= sent[p] + total(p, 1) + total(p, 2))
    m.serve = pyo.Constraint(range(1, n), rule=lambda m, p: m.D[p] >= m.D[p - 1] + total(p, 2))


def _add_link(m: Any, problem: PipelineProblem, w: windows.Windows, total: Any) -> None:
    """Add that transmissions on a link with capacity do not overlap; nothing without one."""
    import pyomo.environ as pyo

    n, first = problem.n_tasks, float(w.finish.min())
    if problem.link != "delay":
        m.send = pyo.Constraint(m.P, rule=lambda m, p: m.U[p] >= m.A[p])
    if problem.link == "shared":
        m.line = pyo.Constraint(
            range(1, n), rule=lambda m, p: m.U[p] >= m.U[p - 1] + total(p - 1, 1)
        )
    elif problem.link == "device":
        sizes = np.diff(problem.first).tolist()
        m.here = pyo.Expression(
            range(problem.n_devices),
            m.P,
            rule=lambda m, e, p: pyo.quicksum(
                m.on[j, p] for j in range(problem.first[e], problem.first[e + 1])
            ),
        )
        m.line = pyo.Constraint(
            [(e, o, p) for e, k in enumerate(sizes) if k > 1 for p in m.P for o in range(p)],
            rule=lambda m, e, o, p: (
                m.U[p]
                >= m.U[o] + total(o, 1, e) - (w.end - first) * (2 - m.here[e, o] - m.here[e, p])
            ),
        )


def _add_order(m: Any, problem: PipelineProblem) -> None:
    """Add that tasks of a device are admitted in their order, and devices alike in theirs."""
    import pyomo.environ as pyo

    pairs = [(j, k) for j in m.J for k in m.J if j < k and problem.device[j] == problem.device[k]]
    m.first_come = pyo.Constraint(
        pairs,
        m.P,
        rule=lambda m, j, k, p: (
            pyo.quicksum(m.on[j, o] for o in m.P if o >= p)
            + pyo.quicksum(m.on[k, o] for o in m.P if o <= p)
            <= 1
        ),
    )

    def tasks(e: int) -> range:
        return range(int(problem.first[e]), int(problem.first[e + 1]))

    m.alike = pyo.Constraint(
        windows.alike(problem),
        m.P,
        rule=lambda m, d, e, p: (
            pyo.quicksum(m.on[j, p] for j in tasks(e))
            <= pyo.quicksum(m.on[j, o] for j in tasks(d) for o in range(p))
        ),
    )


def _add_goal(m: Any, problem: PipelineProblem, w: windows.Windows, parts: Any) -> None:
    import pyomo.environ as pyo

    n = problem.n_tasks
    if problem.goal == "makespan":
        m.T = pyo.Var(bounds=(0, w.end), doc="makespan")
        m.makespan = pyo.Objective(expr=m.T)
        m.all_done = pyo.Constraint(expr=m.D[n - 1] <= m.T)
        m.alone = pyo.Constraint(m.J, rule=lambda m, j: m.s[j] + sum(parts[j]) <= m.T)
        return
    early = problem.release + windows.latencies(problem)
    m.fin = pyo.Var(
        m.J, bounds=lambda m, j: (float(early[j]), float(w.latest[j])), doc="completion"
    )
    m.mean_delay = pyo.Objective(
        expr=(pyo.quicksum(m.fin[j] for j in m.J) - float(problem.release.sum())) / n
    )
    m.alone = pyo.Constraint(m.J, rule=lambda m, j: m.fin[j] >= m.s[j] + sum(parts[j]))
    m.done = pyo.Constraint(
        m.J,
        m.P,
        rule=lambda m, j, p: m.fin[j] >= m.D[p] - (w.end - float(early[j])) * (1 - m.on[j, p]),
    )


def extract(problem: PipelineProblem, m: Any) -> PipelinePlan | None:
    """Return the plan in the variables of a solved model; None if they are fractions."""
    from optedge.formulations.pipeline.problem import PipelinePlan

    cuts = np.full(problem.n_tasks, problem.n_cuts - 1)
    place = np.full(problem.n_tasks, -1)
    for (j, i, p), variable in m.q.items():
        value = variable.value or 0.0
        if abs(value - round(value)) > 1e-4:
            return None
        if value > 0.5:
            cuts[j], place[j] = i, p
    order: list[int] = []
    for j in sorted(np.flatnonzero(place >= 0).tolist(), key=lambda j: int(place[j])):
        e = int(problem.device[j])
        # Those before it that stay must leave the device first.
        ahead = j - int(problem.first[e]) + 1 - order.count(e)
        order += [e] * ahead
    for e, size in enumerate(np.diff(problem.first).tolist()):
        order += [e] * (size - order.count(e))
    return PipelinePlan(cuts, np.array(order))


def fill(problem: PipelineProblem, m: Any, x: PipelinePlan) -> None:
    """Write a plan into the variables; one with cuts that are left out is first improved."""
    x = windows.keep_options(problem, x)
    times = problem.times(x)
    committed = committed_tasks(problem, x)
    sent = [j for j in committed if np.isfinite(times.admitted[j])]
    rank = np.full(problem.n_devices, problem.n_tasks)
    for p, j in reversed(list(enumerate(sent))):
        rank[problem.device[j]] = p
    x = windows.renamed(problem, x, rank)
    times = problem.times(x)
    sent = [j for j in committed_tasks(problem, x) if np.isfinite(times.admitted[j])]
    place = {j: p for p, j in enumerate(sent)}
    for (j, i, p), variable in m.q.items():
        variable.set_value(int(x.cuts[j] == i and place.get(j) == p))
    for j in m.J:
        m.z[j].set_value(int(j not in place))
        m.s[j].set_value(float(times.start[j]), skip_validation=True)
        m.f[j].set_value(float(times.finish[j]), skip_validation=True)
    _fill_places(problem, m, x, sent)
    if problem.goal == "makespan":
        m.T.set_value(float(times.done.max()), skip_validation=True)
    else:
        for j in m.J:
            m.fin[j].set_value(float(times.done[j]), skip_validation=True)


def _fill_places(problem: PipelineProblem, m: Any, x: PipelinePlan, sent: list[int]) -> None:
    times, slots = problem.times(x), problem.arrays.capacity
    admitted, begun, done = [], [], []
    for p in m.P:
        if p < len(sent):
            j = sent[p]
            admitted.append(float(times.admitted[j]))
            begun.append(float(times.sent[j]))
            done.append(float(times.done[j]))
            continue
        # A place that nobody takes: the last times once more.
        before = float(m.A[p].lb) if p == 0 else max(admitted[-1], m.A[p].lb)
        admitted.append(max(before, done[p - slots]) if p >= slots else before)
        line = 0.0
        if problem.link == "shared" and 0 < p == len(sent):
            seconds = problem.chains[problem.kind[sent[-1]], x.cuts[sent[-1]], 1]
            line = begun[-1] + float(seconds)
        elif p > 0 and problem.link == "shared":
            line = begun[-1]
        begun.append(max(admitted[-1], line))
        done.append(max(begun[-1], done[-1] if p else 0.0))
    for p in m.P:
        m.A[p].set_value(admitted[p], skip_validation=True)
        m.D[p].set_value(done[p], skip_validation=True)
        if problem.link != "delay":
            m.U[p].set_value(begun[p], skip_validation=True)


def committed_tasks(problem: PipelineProblem, x: PipelinePlan) -> list[int]:
    """Return the tasks in the order in which a plan commits them."""
    at = problem.first[:-1].tolist()
    found = []
    for e in x.order.tolist():
        found.append(at[e])
        at[e] += 1
    return found


def size(problem: PipelineProblem) -> tuple[int, int]:
    """Return about how many rows and columns the model has, all cuts counted."""
    n, sizes = problem.n_tasks, np.diff(problem.first)
    per_pair = int((sizes * (sizes - 1)).sum()) // 2
    rows = n * n * (2 + problem.hold) + n * per_pair + 8 * n
    if problem.link == "device":
        rows += problem.n_devices * n * (n - 1) // 2
    return rows, n * n * (problem.n_cuts - 1) + 7 * n
