"""The explicit models of a cut in Pyomo, in the order of the formula in ``cut.problem``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import IntArray, power_of_two
from optedge.formulations.cut import flow, positions

if TYPE_CHECKING:
    from optedge.formulations.cut.problem import CutProblem


def build(problem: CutProblem, kind: str, relax: bool) -> Any:
    """Return the model of a kind, ``"latency"`` or ``"throughput"``."""
    import pyomo.environ as pyo

    t, s = problem.times.tolist(), problem.sends.tolist()
    n, last = problem.n_layers, problem.n_tiers - 1
    feeding = [v for v in range(n) if problem.successors[v]]
    domain = pyo.Binary if kind == "throughput" and not relax else pyo.NonNegativeReals

    m = pyo.ConcreteModel(name=f"cut_{kind}")
    m.V = pyo.RangeSet(0, n - 1)
    m.K = pyo.RangeSet(1, last)
    m.A = pyo.Set(dimen=2, initialize=list(map(tuple, problem.edges.tolist())))
    m.F = pyo.Set(initialize=feeding)
    m.p = pyo.Var(m.K, m.V, domain=domain, bounds=(0, 1), doc="1: on tier k or beyond")
    m.q = pyo.Var(m.K, m.F, bounds=(0, 1), doc="1: read on tier k or beyond")
    for k in m.K:
        m.p[k, 0].fix(0)  # the input is born on the device

    def on_tier(k: int, v: int) -> Any:
        return (m.p[k, v] if k > 0 else 1) - (m.p[k + 1, v] if k < last else 0)

    def crosses(k: int, v: int) -> Any:
        return m.q[k, v] - m.p[k, v]

    busy = [sum(t[k][v] * on_tier(k, v) for v in m.V if t[k][v]) for k in range(last + 1)]
    sent = [
        sum(s[k - 1][v] * crosses(k, v) for v in feeding if 0 < s[k - 1][v] < math.inf) for k in m.K
    ]
    if kind == "latency":
        m.latency = pyo.Objective(expr=sum(busy) + sum(sent))
    else:
        m.z = pyo.Var(domain=pyo.NonNegativeReals, doc="slowest stage, s")
        m.slowest = pyo.Objective(expr=m.z)
        m.stage = pyo.ConstraintList()
        for seconds in busy + sent:
            m.stage.add(seconds <= m.z)

    m.no_return = pyo.Constraint(m.K, m.A, rule=lambda m, k, v, w: m.p[k, v] <= m.p[k, w])
    m.spread = pyo.Constraint(m.K, m.A, rule=lambda m, k, v, w: m.p[k, w] <= m.q[k, v])
    m.stay = pyo.Constraint(m.K, m.F, rule=lambda m, k, v: m.p[k, v] <= m.q[k, v])
    if last > 1:
        m.deeper = pyo.Constraint(
            pyo.RangeSet(1, last - 1), m.V, rule=lambda m, k, v: m.p[k + 1, v] <= m.p[k, v]
        )
    blocked = [(k + 1, v) for k in range(last) for v in feeding if math.isinf(s[k][v])]
    if blocked:
        m.no_link = pyo.Constraint(blocked, rule=lambda m, k, v: m.q[k, v] <= m.p[k, v])
    return m


def extract(problem: CutProblem, model: Any) -> IntArray:
    """Return the tier of each layer: how many positions p are above 1/2."""
    x = np.zeros(problem.n_layers, dtype=np.int64)
    for (_, v), variable in model.p.items():
        x[v] += (variable.value or 0.0) > 0.5
    return x


def fill(problem: CutProblem, model: Any, x: npt.ArrayLike) -> None:
    """Write the tiers ``x`` into the variables of ``model``."""
    tier, reach = np.asarray(x), problem.reach(x)
    for (k, v), variable in model.p.items():
        if not variable.fixed:
            variable.set_value(int(tier[v] >= k))
    for (k, v), variable in model.q.items():
        variable.set_value(int(reach[v] >= k))
    if hasattr(model, "z"):
        model.z.set_value(float(problem.stages(x).max()))


def scaled(problem: CutProblem) -> tuple[CutProblem, float]:
    """Return the instance in units of a good plan, without numbers that no better plan uses."""
    tiers = problem.n_tiers
    stages = np.full(2 * tiers - 1, 1.0 / (2 * tiers - 1))
    near = flow.minimum_cut(problem, None if problem.goal == "latency" else stages).tiers
    known = min(problem.objective(x) for x in (near, positions.best_single_cut(problem)))
    if not known > 0:
        return problem, 1.0
    unit = power_of_two(known)
    times = np.minimum(problem.times, 4 * known)
    sends = np.where(np.isinf(problem.sends), np.inf, np.minimum(problem.sends, 4 * known))
    return problem.replace(times=times / unit, sends=sends / unit), unit
