r"""The explicit model of the upload plan in Pyomo: a line of the layers, ``ordering``.

U are the layers that are used in the end, T is their upload time; :math:`\delta_{ij} = 1` puts i
before j (i < j), :math:`E_j` is when layer j is switched on, :math:`M_j` when j and j + 1 both are:

.. math::

   \min \ &\textstyle\sum_j a_j E_j + \sum_j s_j M_j + \text{constant}, \\
   &T \ge E_j \ge t_j + \textstyle\sum_i t_i \, [i \text{ before } j], \qquad
     M_j \ge E_j, \quad M_j \ge E_{j+1}, \\
   &0 \le \delta_{ij} + \delta_{jk} - \delta_{ik} \le 1 \quad (i < j < k).

The sum is the variable part: what is earned late, times how late. A layer may be switched on after
it was sent, which is best use. Layers of size 0 have an E and no :math:`\delta`. What is used by
no best set of all layers is in no best set of fewer (the benefit is supermodular): it is sent last,
where it costs only the constant. Rows :math:`\sum_A t_j E_j \ge (t(A)^2 + \sum_A t_j^2) / 2` for
sets A would add nothing, for those of E, times :math:`t_j` and summed over A, imply them.

With a negative saving M would run away: there is no model then.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.base import BoolArray
from optedge.formulations.upload import coding, evaluation, plans

if TYPE_CHECKING:
    from optedge.formulations.upload.problem import UploadProblem

INTEGRAL = 1e-4


def kinds(problem: UploadProblem) -> tuple[str, ...]:
    """Return the kinds of model that state the instance."""
    return ("ordering",) if problem.is_supermodular else ()


def size(problem: UploadProblem) -> tuple[int, int]:
    """Return about how many rows and columns the model has."""
    m = problem.layers.size
    return m * (m - 1) * (m - 2) // 3 + 3 * problem.n_layers, m * m // 2 + 2 * problem.n_layers


def used_layers(problem: UploadProblem) -> BoolArray:
    """Return the largest set of layers that serves queries best once all are uploaded, ``(n,)``."""
    return evaluation.best_set(problem.values, problem.savings, ~problem.stays)


def build(problem: UploadProblem, relax: bool) -> Any:
    """Return the model of the line of layers."""
    import pyomo.environ as pyo

    used, t = used_layers(problem), problem.seconds.tolist()
    line = [j for j in problem.layers.tolist() if used[j]]
    total = sum(t[j] for j in line)
    m = pyo.ConcreteModel(name="upload_ordering")
    m.U = pyo.Set(initialize=np.flatnonzero(used).tolist())
    m.S = pyo.Set(initialize=np.flatnonzero(used[:-1] & used[1:] & (problem.savings > 0)).tolist())
    m.pairs = pyo.Set(dimen=2, initialize=list(itertools.combinations(line, 2)))
    m.before = pyo.Var(m.pairs, domain=pyo.UnitInterval if relax else pyo.Binary)
    m.E = pyo.Var(m.U, bounds=lambda m, j: (t[j], total), doc="when a layer is switched on")
    m.M = pyo.Var(m.S, bounds=(0, total), doc="when a layer and the next one both are")

    a, s = problem.values.tolist(), problem.savings.tolist()
    m.delay = pyo.Objective(
        expr=pyo.quicksum(a[j] * m.E[j] for j in m.U)
        + pyo.quicksum(s[j] * m.M[j] for j in m.S)
        + problem.total_seconds * problem.least_delay
    )

    def precedes(i: int, j: int) -> Any:
        return m.before[i, j] if i < j else 1 - m.before[j, i]

    m.sent = pyo.Constraint(
        line,
        rule=lambda m, j: (
            m.E[j] >= t[j] + pyo.quicksum(t[i] * precedes(i, j) for i in line if i != j)
        ),
    )
    m.first = pyo.Constraint(m.S, rule=lambda m, j: m.M[j] >= m.E[j])
    m.second = pyo.Constraint(m.S, rule=lambda m, j: m.M[j] >= m.E[j + 1])
    m.transitive = pyo.Constraint(
        list(itertools.combinations(line, 3)),
        rule=lambda m, i, j, k: (0, m.before[i, j] + m.before[j, k] - m.before[i, k], 1),
    )
    return m


def extract(problem: UploadProblem, model: Any) -> plans.UploadPlan | None:
    """Return the plan whose order the pairs of a solved model give; None if they are fractions."""
    later = dict.fromkeys(problem.layers.tolist(), 0)
    for i, j in model.pairs:
        share = float(model.before[i, j].value)
        if min(share, 1 - share) > INTEGRAL:
            return None
        later[j if share > 0.5 else i] += 1
    used = used_layers(problem)
    return coding.plan_of_order(problem, sorted(later, key=lambda j: (not used[j], later[j])))


def fill(problem: UploadProblem, model: Any, x: plans.UploadPlan) -> None:
    """Write the order of a plan into the variables, each layer switched on when it helps."""
    order = [j for part in x.partitions for j in sorted(part) if problem.seconds[j] > 0]
    used = used_layers(problem)
    order.sort(key=lambda j: not used[j])  # stable: what is never used goes last
    plan = coding.plan_of_order(problem, order)
    on, ends = plan.active_after, problem.upload_ends(plan)
    assert on is not None
    place = {j: k for k, j in enumerate(order)}
    for i, j in model.pairs:
        model.before[i, j].set_value(float(place[i] < place[j]))
    for j in model.U:
        model.E[j].set_value(min(float(ends[on[j]]), model.E[j].ub), skip_validation=True)
    for j in model.S:
        model.M[j].set_value(max(model.E[j].value, model.E[j + 1].value), skip_validation=True)
