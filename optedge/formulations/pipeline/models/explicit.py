r"""The explicit models of the pipeline in Pyomo.

Task j has :math:`a_{ji}, \tau_{ji}, c_{ji}` seconds on its device, on the link and in the cloud for
cut i; edge-only is cut N; k is the task that follows j on its device. Times: :math:`s_j, f_j` start
and finish on the device, A admission, U start of the transmission, D completion in the cloud.

``position``: :math:`q_{jip}` puts j with cut i at place p of the order of admission, :math:`z_j`
keeps it on its device, :math:`o_{jp} = \sum_i q_{jip}`:

.. math::

   &\textstyle\sum_{i, p} q_{jip} + z_j = 1, \qquad
     1 \ge \sum_j o_{jp} \ge \sum_j o_{j, p+1}, \\
   &s_j \ge r_j, \quad f_j = s_j + \textstyle\sum_{i, p} a_{ji} q_{jip} + a_{jN} z_j, \quad
     s_k \ge f_j, \\
   &A_p \ge f_j - M (1 - o_{jp}), \quad A_p \ge A_{p-1}, \quad A_p \ge D_{p-C}, \quad
     s_k \ge A_p - M (1 - o_{jp}) \ \text{(hold)}, \\
   &U_p \ge A_p, \quad U_p \ge U_{p-1} + \tau_{p-1} \ \text{(shared)}, \quad
     U_p \ge U_o + \tau_o - M (2 - e_o - e_p) \ \text{(device e, } o < p), \\
   &D_p \ge U_p + \tau_p + c_p, \quad D_p \ge D_{p-1} + c_p, \\
   &T \ge D_n, \; T \ge f_j \quad \text{or} \quad
     \mathrm{fin}_j \ge D_p - M (1 - o_{jp}), \; \mathrm{fin}_j \ge f_j .

A place that nobody takes repeats the times before it. Two families of rows only tighten: ``alone``
counts a task's own link and cloud in the last line, and ``no_earlier`` admits nobody before its
device can be done with it. Tasks of a device are admitted in order of
arrival, as they are committed: of j before k at most one of "j from p on" and "k up to p".

``disjunctive`` (no slot ever lacks: :math:`C \ge n`): cuts :math:`x_{ji}`, starts :math:`b_j` in
the cloud, and a line of all tasks, :math:`o_{jk} = 1` for j before k, with
:math:`o_{jk} + o_{ki} + o_{ij} \le 2`. For every pair

.. math::

   A_k \ge A_j - M', \quad b_k \ge b_j + c_j - M', \quad
   U_k \ge U_j + \tau_j - M' \ \text{(shared)}, \qquad
   M' = M (1 - o_{jk} + x_{jN} + x_{kN}),

beside :math:`b_j \ge U_j + \tau_j`, and :math:`s_k \ge A_j` with hold. The order of admissions must
be there: the cloud serves in it, and a long transmission that is served late is admitted late.

**Which kinds are exact.** Every time is a non-decreasing function of the others, so that the least
values of the rows are those of the simulator. ``position`` needs service in the order of places:
service by admission, or a shared link (or that of the only device), where transmissions follow
each other in that order. Served by order of arrival on other links, there is ``disjunctive`` only,
without the rows of A, and for the makespan only: if everybody is admitted when he leaves his
device, which the order of commitment by first finished does for all at once, arrivals are least;
and of all orders in the cloud that by arrival ends first. For the mean delay some other order may
be better than the one that arrivals dictate: there is no model.

**Big numbers.** Every M is the latest value of what is on the right less the earliest of what is on
the left (``windows``). The latest are those of plans no worse than a known one: the models leave
out what is worse.

**Left out without loss.** Cuts that another one dominates (``windows``), in service by admission.
Place p for a task with more than n - 1 - p later ones on its device: places are filled from the
front, and those later ones come behind it or take none. Of devices with equal tasks, d before e,
the first task of d is admitted (in the line: stands) before that of e: exchanging the names of two
such devices changes no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optedge.formulations.base import power_of_two
from optedge.formulations.pipeline import windows
from optedge.formulations.pipeline.models import ordering, positions

if TYPE_CHECKING:
    from optedge.formulations.pipeline.problem import PipelinePlan, PipelineProblem

MODELS: dict[str, Any] = {"position": positions, "disjunctive": ordering}


def kinds(problem: PipelineProblem) -> tuple[str, ...]:
    """Return the kinds of model that state the instance exactly, the default first."""
    roomy = problem.capacity >= problem.n_tasks
    if windows.in_order(problem):
        return ("position", "disjunctive") if roomy else ("position",)
    return ("disjunctive",) if roomy and problem.goal == "makespan" else ()


def build(problem: PipelineProblem, kind: str, relax: bool) -> Any:
    """Return the model of a kind."""
    import pyomo.environ as pyo

    m = pyo.ConcreteModel(name=f"pipeline_{kind}")
    MODELS[kind].add(m, problem, windows.make(problem), relax)
    return m


def of(model: Any) -> Any:
    """Return the module that built a model."""
    return positions if hasattr(model, "q") else ordering


def extract(problem: PipelineProblem, model: Any) -> PipelinePlan | None:
    """Return the plan in the variables of a solved model; None if they are fractions."""
    plan: PipelinePlan | None = of(model).extract(problem, model)
    return plan


def scaled(problem: PipelineProblem) -> tuple[PipelineProblem, float]:
    """Return the instance in units near one, and the unit in seconds (a power of two)."""
    size = float(windows.latencies(problem).mean())
    if 0.1 <= size <= 1e3:
        return problem, 1.0
    unit = power_of_two(size)
    arrivals = tuple(tuple(r / unit for r in row) for row in problem.arrivals)
    return problem.replace(arrivals=arrivals, chains=problem.chains / unit), unit
