"""The weighted objective in tables: what compiled code adds up, constants included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.costs.pair_costs import (
    Indicators,
    balance_unit,
    sending,
    spent,
    weighting_of,
)

if TYPE_CHECKING:
    from optedge.formulations.offloading.costs.weighting import Weighting
    from optedge.formulations.offloading.derived import DerivedData


def of_module(problem: DerivedData, start: int, seconds: FloatArray) -> FloatArray:
    """Return the objective of a layer that stands for a whole module, on each pair, (S, S).

    Parameters
    ----------
    problem
        With weights.
    start
        The layer whose output the module reads.
    seconds
        Execution of all its layers together on each server, ``(n_servers,)``; ``inf`` where one of
        them may not run.
    """
    w = weighting_of(problem)
    size_mb = problem.outputs_mb[start] * np.ones((1, 1))
    sent = sending(problem, size_mb, slice(None))
    sent = sent + np.where(problem.allowed[start], 0.0, np.inf)[:, None]
    raw = spent(problem, w, sent, size_mb, slice(None), seconds[None, :])
    none = np.full((1, 1), np.inf)
    hats = [
        Indicators(none, x, none).map(*standard).edge
        for x, standard in zip(raw, problem.pairs.standards, strict=True)
    ]
    # The shift of every layer's delay stands in the constant.
    found = problem.data.weights.per_second * _known(raw[0]) + _pair_costs(w, *hats)
    return np.where(np.isfinite(hats[0]), found, np.inf)


class WeightData(NamedTuple):
    """The weighted objective as numbers; ``weighted`` False stands for the sum of flow times.

    Entries of pairs that are not allowed are 0: such a plan is refused elsewhere.
    """

    weighted: bool
    per_second: float  # of flow time
    constant: float
    entry: FloatArray  # (n_tasks, S), costs of pairs
    edge: FloatArray  # (n_edges, S, S)
    run: FloatArray  # (n_subtasks, S), of layers that read several others; else 0
    balance: float  # of one unit of Z
    running: bool
    tiers: IntArray  # (S,)
    waits: bool  # whether waiting counts in H: then the following are filled in
    delay: FloatArray  # (2,), shift and scale
    h: FloatArray  # (6,), weight of H, root, 1 if of benefits, weights of Y
    entry_energy: FloatArray  # (n_tasks, S), standardised, and so on
    entry_cost: FloatArray
    edge_energy: FloatArray
    edge_cost: FloatArray
    run_energy: FloatArray
    run_cost: FloatArray


def make(problem: DerivedData) -> WeightData:
    """Return the objective of ``problem`` in tables."""
    n = problem.n_subtasks
    none, none3 = np.zeros((0, 0)), np.zeros((0, 0, 0))
    bare = WeightData(
        weighted=False,
        per_second=1.0,
        constant=0.0,
        entry=none,
        edge=none3,
        run=none,
        balance=0.0,
        running=False,
        tiers=problem.tiers,
        waits=False,
        delay=np.zeros(2),
        h=np.zeros(6),
        entry_energy=none,
        entry_cost=none,
        edge_energy=none3,
        edge_cost=none3,
        run_energy=none,
        run_cost=none,
    )
    if problem.weights is None:
        return bare
    w = problem.weights
    raw, standards = problem.pairs
    hats = [x.map(*s) for x, s in zip(raw, standards, strict=True)]
    shift, scale = standards[0]
    per_second = w.phi * w.theta / scale if scale > 0 else 0.0
    several = np.array([len(row) > 1 for row in problem.predecessors])
    tables = [_pair_costs(w, *parts) for parts in zip(*hats, strict=True)]
    edge = tables[1]
    into = several[problem.edges[:, 1]]
    if into.any():  # the execution of these stands in ``run``, once
        reader = problem.edges[into, 1]
        sent = [_known(x.edge[into]) - _known(x.run[reader])[:, None, :] for x in hats[1:]]
        spent = w.phi * (w.vartheta * sent[0] + w.eta * sent[1])
        edge[into] = np.where(np.isfinite(hats[0].edge[into]), spent, 0.0)
    return bare._replace(
        weighted=True,
        per_second=per_second,
        constant=-per_second * shift * n,
        entry=tables[0],
        edge=edge,
        run=np.where(several[:, None], tables[2], 0.0),
        balance=w.xi * balance_unit(problem),
        running=w.z_mode == "running",
        **(_waiting_tables(w, hats, standards[0]) if w.h_wait and w.varphi > 0 else {}),
    )


def _pair_costs(
    w: Weighting, delay: FloatArray, energy: FloatArray, cost: FloatArray
) -> FloatArray:
    """Return the cost of pairs beside the delay in the sum; 0 where a pair is not allowed."""
    t, e, u = _known(delay), _known(energy), _known(cost)
    spent = w.phi * (w.vartheta * e + w.eta * u)
    if not w.h_wait:
        spent = spent - w.varphi * w.coordination(t, e, u)
    return np.where(np.isfinite(delay), spent, 0.0)


def _known(x: FloatArray) -> FloatArray:
    return np.where(np.isfinite(x), x, 0.0)


def _waiting_tables(
    w: Weighting, hats: list[Indicators], delay: tuple[float, float]
) -> dict[str, Any]:
    _, energy, cost = (Indicators(*(_known(part) for part in x)) for x in hats)
    return {
        "waits": True,
        "delay": np.array(delay),
        "h": np.array(
            [w.varphi, w.coupling_root, float(w.h_indicators == "benefit"), *w.h_weights],
            dtype=np.float64,
        ),
        "entry_energy": energy.entry,
        "entry_cost": cost.entry,
        "edge_energy": energy.edge,
        "edge_cost": cost.edge,
        "run_energy": energy.run,
        "run_cost": cost.run,
    }
