"""Who comes before whom: the model ``disjunctive``; ``explicit`` states it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.base import IntArray
from optedge.formulations.pipeline import windows
from optedge.formulations.pipeline.models import positions

if TYPE_CHECKING:
    from optedge.formulations.pipeline.problem import PipelinePlan, PipelineProblem


def add(m: Any, problem: PipelineProblem, w: windows.Windows, relax: bool) -> None:
    """Add cuts x, orders o, and the times s, f, A, U, b of each task."""
    import pyomo.environ as pyo

    n, edge = problem.n_tasks, problem.n_cuts - 1
    binary = pyo.UnitInterval if relax else pyo.Binary
    m.J = pyo.RangeSet(0, n - 1)
    m.X = pyo.Set(dimen=2, initialize=[(j, i) for j in m.J for i in w.options[j]])
    m.x = pyo.Var(m.X, domain=binary, doc="task j is cut at i")
    positions.times_of(m, problem, w)
    for name, doc in (("A", "admission"), ("U", "transmission"), ("b", "start in the cloud")):
        bounds = {j: (float(w.finish[j]), max(float(w.finish[j]), float(w.latest[j]))) for j in m.J}
        m.add_component(name, pyo.Var(m.J, bounds=_rule(bounds), doc=doc))
    m.assign = pyo.Constraint(
        m.J, rule=lambda m, j: pyo.quicksum(m.x[j, i] for i in w.options[j]) == 1
    )

    def spent(j: int, part: int) -> Any:
        seconds = problem.chains[problem.kind[j], :, part]
        return pyo.quicksum(float(seconds[i]) * m.x[j, i] for i in w.options[j])

    parts = [[spent(j, part) for part in range(3)] for j in m.J]
    positions.on_device(m, problem, parts)
    m.admit = pyo.Constraint(m.J, rule=lambda m, j: m.A[j] >= m.f[j])
    m.send = pyo.Constraint(m.J, rule=lambda m, j: m.U[j] >= m.A[j])
    m.arrive = pyo.Constraint(m.J, rule=lambda m, j: m.b[j] >= m.U[j] + parts[j][1])
    if problem.hold:
        m.hold = pyo.Constraint(positions.followers(problem), rule=lambda m, j, k: m.s[k] >= m.A[j])
    _add_order(m, problem)
    _add_disjunctions(m, problem, w, parts, edge)
    if problem.goal == "makespan":
        m.T = pyo.Var(bounds=(0, w.end), doc="makespan")
        m.makespan = pyo.Objective(expr=m.T)
        m.done = pyo.Constraint(m.J, rule=lambda m, j: m.b[j] + parts[j][2] <= m.T)
    else:
        done = pyo.quicksum(m.b[j] + parts[j][2] for j in m.J)
        m.mean_delay = pyo.Objective(expr=(done - float(problem.release.sum())) / n)
        m.done = pyo.Constraint(m.J, rule=lambda m, j: m.b[j] + parts[j][2] <= float(w.latest[j]))


def _rule(bounds: dict[int, tuple[float, float]]) -> Any:
    return lambda m, j: bounds[j]


def _add_order(m: Any, problem: PipelineProblem) -> None:
    """Add the order o of all tasks: a line, with tasks of a device and devices alike in theirs."""
    import pyomo.environ as pyo

    n = problem.n_tasks
    m.O = pyo.Set(dimen=2, initialize=list(itertools.combinations(range(n), 2)))
    m.o = pyo.Var(m.O, domain=m.x[next(iter(m.X))].domain, doc="task j comes before k")

    def before(j: int, k: int) -> Any:
        return m.o[j, k] if j < k else 1 - m.o[k, j]

    m.line_up = pyo.Constraint(
        [t for j, k, i in itertools.combinations(range(n), 3) for t in ((j, k, i), (j, i, k))],
        rule=lambda m, j, k, i: before(j, k) + before(k, i) + before(i, j) <= 2,
    )
    if windows.in_order(problem):
        same = [(j, k) for j, k in m.O if problem.device[j] == problem.device[k]]
        m.first_come = pyo.Constraint(same, rule=lambda m, j, k: m.o[j, k] == 1)
    m.alike = pyo.Constraint(
        windows.alike(problem),
        rule=lambda m, d, e: m.o[int(problem.first[d]), int(problem.first[e])] == 1,
    )


def _add_disjunctions(
    m: Any, problem: PipelineProblem, w: windows.Windows, parts: list[list[Any]], edge: int
) -> None:
    """Add that of two tasks that are sent the first is admitted, sent and served first."""
    import pyomo.environ as pyo

    pairs = [(j, k) for j in m.J for k in m.J if j != k]

    def after(j: int, k: int) -> Any:
        """Return what must not be before what: the big number for k before j, or one that stays."""
        big = max(0.0, float(w.latest[j] - w.finish[k]))
        first = m.o[j, k] if j < k else 1 - m.o[k, j]
        return big * (1 - first + m.x[j, edge] + m.x[k, edge])

    if windows.in_order(problem):
        m.in_turn = pyo.Constraint(pairs, rule=lambda m, j, k: m.A[k] >= m.A[j] - after(j, k))
    m.serve = pyo.Constraint(
        pairs, rule=lambda m, j, k: m.b[k] >= m.b[j] + parts[j][2] - after(j, k)
    )
    if problem.link == "shared":
        m.line = pyo.Constraint(
            pairs, rule=lambda m, j, k: m.U[k] >= m.U[j] + parts[j][1] - after(j, k)
        )
    elif problem.link == "device":
        own = [(j, k) for j, k in pairs if j < k and problem.device[j] == problem.device[k]]

        def line(m: Any, j: int, k: int) -> Any:
            big = max(0.0, float(w.latest[j] - w.finish[k]))
            stays = m.x[j, edge] + m.x[k, edge]
            return m.U[k] >= m.U[j] + parts[j][1] - big * stays

        m.line = pyo.Constraint(own, rule=line)


def extract(problem: PipelineProblem, m: Any) -> PipelinePlan | None:
    """Return the plan in the variables of a solved model; None if they are fractions."""
    from optedge.formulations.pipeline.problem import PipelinePlan

    cuts = np.zeros(problem.n_tasks, dtype=np.int64)
    for (j, i), variable in m.x.items():
        value = variable.value or 0.0
        if abs(value - round(value)) > 1e-4:
            return None
        if value > 0.5:
            cuts[j] = i
    if not windows.in_order(problem):
        return problem.first_finished(cuts)
    ahead = np.zeros(problem.n_tasks)
    for (j, k), variable in m.o.items():
        value = variable.value or 0.0
        if abs(value - round(value)) > 1e-4:
            return None
        ahead[k if value > 0.5 else j] += 1
    return PipelinePlan(cuts, problem.device[np.argsort(ahead, kind="stable")])


def _line(problem: PipelineProblem, x: PipelinePlan) -> IntArray:
    """Return the rank of each task: of commitment, or of service where that is by arrival."""
    if windows.in_order(problem):
        line = np.array(positions.committed_tasks(problem, x))
    else:
        times = problem.times(x)
        served = np.where(np.isnan(times.served), times.done, times.served)
        line = np.lexsort((times.done, served))
    rank = np.empty(problem.n_tasks, dtype=np.int64)
    rank[line] = np.arange(problem.n_tasks)
    return rank


def fill(problem: PipelineProblem, m: Any, x: PipelinePlan) -> None:
    """Write a plan into the variables; one with cuts that are left out is first improved."""
    x = windows.keep_options(problem, x)
    rank = _line(problem, x)
    firsts = np.minimum(problem.first[:-1], problem.n_tasks - 1)
    x = windows.renamed(problem, x, rank[firsts])
    times, rank = problem.times(x), _line(problem, x)
    for (j, i), variable in m.x.items():
        variable.set_value(int(x.cuts[j] == i))
    for (j, k), variable in m.o.items():
        variable.set_value(int(rank[j] < rank[k]))
    for j in m.J:
        stays = bool(np.isnan(times.admitted[j]))
        m.s[j].set_value(float(times.start[j]), skip_validation=True)
        m.f[j].set_value(float(times.finish[j]), skip_validation=True)
        for name, values in (("A", times.admitted), ("U", times.sent), ("b", times.served)):
            value = float(times.done[j] if stays else values[j])
            getattr(m, name)[j].set_value(value, skip_validation=True)
    if problem.goal == "makespan":
        m.T.set_value(float(times.done.max()), skip_validation=True)


def size(problem: PipelineProblem) -> tuple[int, int]:
    """Return about how many rows and columns the model has, all cuts counted."""
    n = problem.n_tasks
    links = 1 + windows.in_order(problem) + (problem.link == "shared")
    rows = n * (n - 1) * (n - 2) // 3 + (links * n + 1) * (n - 1) + 9 * n
    return rows + n * (n - 1) // 2, n * (n - 1) // 2 + n * problem.n_cuts + 6 * n
