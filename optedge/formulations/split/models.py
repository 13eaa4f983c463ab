"""The explicit models of a split: one row a limit (AGG), or one row a bad position (DIS)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.base import power_of_two

if TYPE_CHECKING:
    from optedge.formulations.split.problem import SplitProblem

VISIBLE = 1e-4  # a violated row misses its limit by at least this in `scaled`: HiGHS allows 1e-6
MOST = 1e300  # differences that overflow


def build(problem: SplitProblem, kind: str, relax: bool) -> Any:
    """Return the model of ``split.problem`` as it reads there.

    Parameters
    ----------
    problem
        The instance.
    kind
        ``"agg"`` or ``"dis"``.
    relax
        Whether y may be fractional.

    Returns
    -------
    pyomo.environ.ConcreteModel
        With variables ``y[j]``, the objective ``cost`` (the negated value), the row ``choose`` and
        the rows ``limit[name]`` (``agg``; none where the limit is ``inf``, and ``y[j]`` is fixed at
        0 where a usage is infinite) or ``forbid[j]`` (``dis``).

    Notes
    -----
    A dual is the derivative of the objective by the right-hand side of its row. Since the negated
    value is minimised, that of ``limit[name]`` is minus the price alpha, at most 0; where a copy
    maximises the value instead, it is plus alpha. The duals of ``forbid`` are not unique.
    """
    import pyomo.environ as pyo
    from pyomo.core.expr import LinearExpression

    value, usage = problem.value.tolist(), problem.usage.tolist()
    m = pyo.ConcreteModel(name=f"split, {kind}")
    m.J = pyo.RangeSet(0, problem.n_positions - 1)
    m.y = pyo.Var(
        m.J, domain=pyo.NonNegativeReals if relax else pyo.Binary, doc="1: split at position j"
    )
    m.cost = pyo.Objective(expr=-sum(value[j] * m.y[j] for j in m.J), doc="negated value")
    m.choose = pyo.Constraint(expr=sum(m.y[j] for j in m.J) == 1, doc="one position")
    if kind == "dis":
        m.B = pyo.Set(initialize=np.flatnonzero(~problem.feasible).tolist())
        m.forbid = pyo.Constraint(m.B, rule=lambda m, j: m.y[j] <= 0, doc="it breaks a limit")
        return m

    possible = np.flatnonzero(problem.possible).tolist()
    for j in np.flatnonzero(~problem.possible).tolist():
        m.y[j].fix(0)
    most = {
        name: (c, limit)
        for c, (name, limit) in enumerate(
            zip(problem.limit_names, problem.limits.tolist(), strict=True)
        )
        if math.isfinite(limit)
    }

    def row(m: Any, name: str) -> Any:
        c, limit = most[name]
        used = LinearExpression(  # an object even if every coefficient is 0
            constant=0,
            linear_coefs=[usage[c][j] for j in possible],
            linear_vars=[m.y[j] for j in possible],
        )
        return (None, used, limit)

    m.C = pyo.Set(initialize=list(most))
    m.limit = pyo.Constraint(m.C, rule=row, doc="what may be used of each limit")
    return m


def scaled(problem: SplitProblem) -> tuple[SplitProblem, float]:
    """Return the instance of ``SplitProblem.scaled``, and the unit of its values."""
    unit = power_of_two(float(np.abs(problem.value).max()))
    excess = np.where(np.isinf(problem.limits)[:, None], 0.0, np.clip(problem.excess, -MOST, MOST))
    excess = np.where(np.isinf(problem.usage), np.inf, excess)
    row = np.max(np.abs(excess), axis=1, initial=0.0, where=np.isfinite(excess))[:, None]
    excess = excess / np.where(row > 0, row, 1.0)
    usage = np.where(excess > 0, np.maximum(excess, VISIBLE), excess)
    zeros = np.zeros(problem.n_limits)
    return problem.replace(value=problem.value / unit, usage=usage, limits=zeros), unit
