r"""The explicit models of the upload plan in Pyomo: a line of the layers, or places.

``ordering`` is a line of the layers.

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

With a negative saving M would run away: there is ``position`` alone then.

``position`` is for teaching: the sum as it is read, place by place. :math:`x_{jk} = 1` sends layer
j as number k, :math:`y_{jk} = 1` executes it on its server until that is sent, :math:`p_{jk}` j and
j + 1; :math:`D_k` is the delay meanwhile, :math:`q_{jk}` the same if j is sent then, else 0:

.. math::

   \min \ &\textstyle\sum_{j, k} t_j q_{jk}, \qquad
   \textstyle\sum_k x_{jk} = 1, \quad \sum_j x_{jk} = 1, \\
   &D_k = \textstyle\sum_j A_j - \sum_j a_j y_{jk} - \sum_j s_j p_{jk}, \qquad
   y_{jk} \le \textstyle\sum_{l < k} x_{jl}, \\
   &p_{jk} \le y_{jk}, \quad p_{jk} \le y_{j+1, k}, \quad
   p_{jk} \ge y_{jk} + y_{j+1, k} - 1, \\
   &q_{jk} \ge D_k - D^{max} (1 - x_{jk}), \quad q_{jk} \ge D^{min} x_{jk} .

Layers of size 0 may be executed at all places. :math:`D^{max}` is the delay before the first upload
and :math:`D^{min}` that after all. The product of place and delay makes it weak: of the variable
part of the paper's example, 1153, it proves 421.75 without integrality, and ``ordering`` 1122.32.
Under forced use it is exact if no saving is negative.
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
    if problem.is_supermodular:
        return ("ordering", "position")
    return ("position",) if problem.use == "best" else ()


def size(problem: UploadProblem, kind: str) -> tuple[int, int]:
    """Return about how many rows and columns the model of a kind has."""
    m, n = problem.layers.size, problem.n_layers
    if kind == "position":
        return m * (2 * m + 4 * n), m * (2 * m + 2 * n)
    return m * (m - 1) * (m - 2) // 3 + 3 * problem.n_layers, m * m // 2 + 2 * problem.n_layers


def used_layers(problem: UploadProblem) -> BoolArray:
    """Return the largest set of layers that serves queries best once all are uploaded, ``(n,)``."""
    return evaluation.best_set(problem.values, problem.savings, ~problem.stays)


def build(problem: UploadProblem, kind: str, relax: bool) -> Any:
    """Return the model of a kind."""
    return _places(problem, relax) if kind == "position" else _line(problem, relax)


def _line(problem: UploadProblem, relax: bool) -> Any:
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


def _places(problem: UploadProblem, relax: bool) -> Any:
    import pyomo.environ as pyo

    a, s, t = (row.tolist() for row in (problem.values, problem.savings, problem.seconds))
    most, least = problem.base_delay - _free_benefit(problem), problem.least_delay
    m = pyo.ConcreteModel(name="upload_position")
    m.J = pyo.Set(initialize=problem.layers.tolist())
    m.K = pyo.RangeSet(0, problem.layers.size - 1)
    m.U = pyo.Set(initialize=np.flatnonzero(~problem.stays).tolist())
    m.S = pyo.Set(initialize=np.flatnonzero(problem.savings != 0).tolist())
    whole = pyo.UnitInterval if relax else pyo.Binary
    m.x = pyo.Var(m.J, m.K, domain=whole, doc="which layer is sent at which place")
    # Without a negative saving the best shares of y and p are whole anyway.
    m.y = pyo.Var(m.U, m.K, domain=pyo.UnitInterval if problem.is_supermodular else whole)
    m.p = pyo.Var(m.S, m.K, bounds=(0, 1), doc="a layer and the next one are both executed")
    m.D = pyo.Var(m.K, bounds=(least, most), doc="delay of a query meanwhile")
    m.q = pyo.Var(m.J, m.K, bounds=(0, most), doc="that delay, for the layer that is sent")

    m.delay = pyo.Objective(expr=pyo.quicksum(t[j] * m.q[j, k] for j in m.J for k in m.K))
    m.once = pyo.Constraint(m.J, rule=lambda m, j: pyo.quicksum(m.x[j, k] for k in m.K) == 1)
    m.taken = pyo.Constraint(m.K, rule=lambda m, k: pyo.quicksum(m.x[j, k] for j in m.J) == 1)
    m.meanwhile = pyo.Constraint(
        m.K,
        rule=lambda m, k: (
            m.D[k]
            == problem.base_delay
            - pyo.quicksum(a[j] * m.y[j, k] for j in m.U)
            - pyo.quicksum(s[j] * m.p[j, k] for j in m.S)
        ),
    )
    m.sent = pyo.Constraint(
        m.J,
        m.K,
        rule=lambda m, j, k: m.y[j, k] <= pyo.quicksum(m.x[j, h] for h in range(k)),
    )
    m.first = pyo.Constraint(m.S, m.K, rule=lambda m, j, k: m.p[j, k] <= m.y[j, k])
    m.second = pyo.Constraint(m.S, m.K, rule=lambda m, j, k: m.p[j, k] <= m.y[j + 1, k])
    m.both = pyo.Constraint(
        m.S, m.K, rule=lambda m, j, k: m.p[j, k] >= m.y[j, k] + m.y[j + 1, k] - 1
    )
    m.pays = pyo.Constraint(
        m.J, m.K, rule=lambda m, j, k: m.q[j, k] >= m.D[k] - most * (1 - m.x[j, k])
    )
    m.at_least = pyo.Constraint(m.J, m.K, rule=lambda m, j, k: m.q[j, k] >= least * m.x[j, k])
    return m


def _free_benefit(problem: UploadProblem) -> float:
    """Return what layers of size 0 are worth from the beginning, s."""
    return float(evaluation.best_benefit(problem.values, problem.savings, problem.is_free))


def extract(problem: UploadProblem, model: Any) -> plans.UploadPlan | None:
    """Return the plan whose order a solved model holds; None if it holds fractions."""
    order = _places_of(model) if hasattr(model, "x") else _order_of_pairs(problem, model)
    return None if order is None else coding.plan_of_order(problem, order)


def _places_of(model: Any) -> list[int] | None:
    shares = {(j, k): float(model.x[j, k].value) for j, k in model.x}
    if any(min(share, 1 - share) > INTEGRAL for share in shares.values()):
        return None
    taken = {k: j for (j, k), share in shares.items() if share > 0.5}
    return [taken[k] for k in sorted(taken)]


def _order_of_pairs(problem: UploadProblem, model: Any) -> list[int] | None:
    later = dict.fromkeys(problem.layers.tolist(), 0)
    for i, j in model.pairs:
        share = float(model.before[i, j].value)
        if min(share, 1 - share) > INTEGRAL:
            return None
        later[j if share > 0.5 else i] += 1
    used = used_layers(problem)
    return sorted(later, key=lambda j: (not used[j], later[j]))


def fill(problem: UploadProblem, model: Any, x: plans.UploadPlan) -> None:
    """Write the order of a plan into the variables, each layer switched on when it helps."""
    order = [j for part in x.partitions for j in sorted(part) if problem.seconds[j] > 0]
    if hasattr(model, "x"):
        _fill_places(problem, model, order)
    else:
        _fill_line(problem, model, order)


def _fill_places(problem: UploadProblem, model: Any, order: list[int]) -> None:
    usable = problem.is_free.copy()
    for k, sent in enumerate(order):
        used = evaluation.best_set(problem.values, problem.savings, usable)
        delay = problem.base_delay - evaluation.forced_benefit(
            problem.values, problem.savings, used
        )
        model.D[k].set_value(delay, skip_validation=True)
        for j in model.U:
            model.y[j, k].set_value(float(used[j]))
        for j in model.S:
            model.p[j, k].set_value(float(used[j] and used[j + 1]))
        for j in model.J:
            model.x[j, k].set_value(float(j == sent))
            model.q[j, k].set_value(delay if j == sent else 0.0, skip_validation=True)
        usable[sent] = True


def _fill_line(problem: UploadProblem, model: Any, order: list[int]) -> None:
    used = used_layers(problem)
    order = sorted(order, key=lambda j: not used[j])  # stable: what is never used goes last
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
