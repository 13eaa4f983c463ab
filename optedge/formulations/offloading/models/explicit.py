r"""The explicit models of offloading in Pyomo.

``pairs``: every task takes a path through (cut vertex, server); an arc (a, b) costs the seconds of
the block between (``paths``). No pools: the vertices are integral, the value is the bound ``DP``.

``static`` (chains): the same paths, binary, and no more work on a server than its pools can do
before a schedule no worse than a known one is over; so it is a relaxation too. With a ``capacity``
of one's own it is the placement problem with that capacity, which bounds no schedule.

``disjunctive``: a schedule. :math:`x_{vs}`: layer v runs on s; :math:`z_{vsk}`: in pool k of it;
:math:`o_{uv}`: u before v, wherever the two meet; :math:`y_{uv,ab}`: output of u on a goes to v on
b; starts :math:`S_v` and completions :math:`C_i`:

.. math::

   \min \sum_i (C_i - r_i) \quad \text{s.t.} \quad
   S_v \ge S_u + \sum_s \tfrac{P_u}{Q_s} x_{us} + \sum_{a, b} \tfrac{g_u}{v_{ab}} y_{uv,ab},
   \qquad S_v \ge S_u + \tfrac{P_u}{Q_s} - M_{uvs} (3 - o_{uv} - z_{usk} - z_{vsk})

``time`` (chains): a flow through (layer, server, slot) with waiting arcs, and at most
:math:`K_s` layers in a slot. Rounded ``"down"`` (default) every schedule becomes a flow of no
larger value, so that the model gives a bound; rounded ``"up"`` every flow is a schedule.

``balance`` (chains): the paths with the node balance of the weighted objective (see there).

With ``weights`` the arcs of ``pairs`` carry their costs; there are only ``balance``, where Z has a
weight, and ``pairs``, which leaves Z out. The others minimise flow times.

Times in a model are in ``m.unit`` seconds, 1 unless the numbers are very small or large. A weighted
objective is divided by ``m.unit`` too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import power_of_two
from optedge.formulations.offloading.costs import blocks, paths
from optedge.formulations.offloading.models import arcs, balance, disjunctive, schedules, slots

if TYPE_CHECKING:
    from optedge.formulations.offloading.plans.schedule import Schedule
    from optedge.formulations.offloading.problem import OffloadingProblem

KINDS = ("disjunctive", "pairs", "static", "time")
CHAIN_KINDS = ("static", "time")


def kinds(problem: OffloadingProblem) -> tuple[str, ...]:
    """Return the kinds of model that the instance has, the default first.

    None where waiting counts in the coordination degree.
    """
    if problem.weights is not None:
        if not problem.is_pairwise:
            return ()
        uneven = problem.is_chains and problem.data.weights.balance > 0
        return ("balance", "pairs") if uneven else ("pairs",)
    return tuple(k for k in KINDS if problem.is_chains or k not in CHAIN_KINDS)


def unit(problem: OffloadingProblem) -> float:
    """Return the seconds in which models count: 1, or a power of two where 1 would be coarse.

    Of a weighted objective about a thousandth of what a layer may cost: solvers stop 1e-6 away from
    the optimum, however small that is.
    """
    if problem.weights is not None:
        w = problem.weights
        largest = w.phi * (w.theta + w.vartheta + w.eta) + w.varphi + problem.data.weights.balance
        return power_of_two(largest / 1000)
    mean = paths.shortest(problem).value / problem.n_tasks
    return 1.0 if 0.1 <= mean <= 1e4 else power_of_two(mean)


def build(
    problem: OffloadingProblem,
    kind: str,
    relax: bool = False,
    *,
    capacity: npt.ArrayLike | None = None,
    of: Literal["work", "layers"] = "work",
    step: float | None = None,
    rounding: slots.Rounding = "down",
) -> Any:
    """Return the model of a kind.

    Parameters
    ----------
    problem
        The instance.
    kind
        One of :func:`kinds`.
    relax
        Whether binaries are continuous.
    capacity
        For ``static``: what each server may take, ``(n_servers,)``, ``inf`` for no limit.
    of
        What ``capacity`` counts: 1e9 cycles or layers.
    step
        For ``time``: seconds of a slot; the largest on which all numbers lie, if that is not too
        fine, else a fortieth of the horizon.
    rounding
        For ``time``: ``"down"`` for a bound, ``"up"`` for schedules only.

    Raises
    ------
    ValueError
        If the kind needs chains and the instance has other tasks.
    """
    import pyomo.environ as pyo

    if kind not in kinds(problem):
        raise ValueError(f"model {kind!r} is none of {kinds(problem)}, the kinds of this instance.")
    m = pyo.ConcreteModel(name=f"offloading_{kind}")
    m.unit = unit(problem)
    if kind in ("pairs", "static"):
        arcs.add(m, problem, pyo.Binary if kind == "static" and not relax else None)
        if kind == "static":
            arcs.add_capacity(m, problem, capacity, of)
    elif kind == "balance":
        balance.add(m, problem, relax)
    elif kind == "disjunctive":
        disjunctive.add(m, problem, relax)
    else:
        slots.add(m, problem, relax, step, rounding)
    return m


def extract(problem: OffloadingProblem, m: Any) -> Schedule | None:
    """Return the schedule in the variables of a solved model.

    ``pairs``, ``balance`` and ``static`` name servers, and the problem's ``order`` does the rest;
    from the others servers and the order of starts are taken, and the starts computed anew.

    Returns
    -------
    Schedule or None
        None if what stands there is no plan, as in a relaxation.
    """
    if hasattr(m, "S"):
        return _retimed(problem, ((v, s, m.S[v].value or 0.0, x) for (v, s), x in m.x.items()))
    if hasattr(m, "start"):
        return _retimed(problem, ((v, s, t, x) for (v, s, _, t), x in m.start.items()))
    if not hasattr(m, "y"):
        return None
    servers = arcs.extract(problem, m)
    return None if problem.violations(servers) else problem.decode(servers)


def _retimed(
    problem: OffloadingProblem, entries: Iterable[tuple[int, int, float, Any]]
) -> Schedule | None:
    """Return the schedule of (layer, server, start, variable), the largest variable counting."""
    weight = np.zeros(problem.n_subtasks)
    servers, keys = np.zeros(problem.n_subtasks, dtype=np.int64), np.zeros(problem.n_subtasks)
    for v, s, start, variable in entries:
        if (variable.value or 0.0) > weight[v]:
            weight[v], servers[v], keys[v] = variable.value, s, start
    return schedules.retime(problem, servers, keys) if weight.all() else None


def fill(problem: OffloadingProblem, m: Any, x: Schedule | npt.ArrayLike) -> None:
    """Write a solution into the variables of a model."""
    if hasattr(m, "S"):
        disjunctive.fill(problem, m, problem.schedule(x))
    elif hasattr(m, "start"):
        slots.fill(problem, m, problem.schedule(x))
    elif hasattr(m, "D"):
        balance.fill(problem, m, problem.encode(x))
    elif hasattr(m, "y"):
        arcs.fill(problem, m, problem.encode(x))


def size(problem: OffloadingProblem, kind: str) -> tuple[int, int]:
    """Return about how many rows and columns the model of a kind has, without building it."""
    allowed = problem.allowed.sum(axis=1)
    if kind in ("pairs", "static", "balance"):
        cuts = [b.start for g in blocks.groups(problem) for _ in g.members for b in g.blocks]
        columns = int(allowed[problem.first].sum())
        columns += sum(int(allowed[a] * allowed[b]) for a, b in itertools.pairwise(cuts))
        rows = int(allowed[cuts].sum()) + problem.n_tasks
        more = balance.size(problem) if kind == "balance" else (0, 0)
        return rows + more[0], columns + more[1]
    if kind == "disjunctive":
        return disjunctive.size(problem, schedules.windows(problem).usable)
    return slots.size(problem)
