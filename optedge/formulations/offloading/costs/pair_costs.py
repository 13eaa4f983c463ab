"""The weighted objective in tables: what each pair of servers costs a layer, constants included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray

if TYPE_CHECKING:
    from optedge.formulations.offloading.costs.weighting import Weighting
    from optedge.formulations.offloading.problem import OffloadingProblem

SAME = 1e-12  # relative difference of the largest and the least value of what does not vary


class Indicators(NamedTuple):
    """One indicator of all pairs; ``inf`` where a pair is not allowed."""

    entry: FloatArray  # (n_tasks, S), of the first layer, read from the client
    edge: FloatArray  # (n_edges, S, S), of the layer that is read by, its execution included
    run: FloatArray  # (n_subtasks, S), of the execution alone

    def map(self, shift: float, scale: float) -> Indicators:
        """Return (X - shift) / scale everywhere; 0 if ``scale`` is."""
        if scale == 0:
            return Indicators(*(np.where(np.isfinite(x), 0.0, np.inf) for x in self))
        return Indicators(*((x - shift) / scale for x in self))


class Pairs(NamedTuple):
    """Delay (s), energy (J) and cost ($) of all pairs, and how each is standardised."""

    raw: tuple[Indicators, Indicators, Indicators]
    standards: tuple[tuple[float, float], ...]  # shift and scale; a scale of 0: it does not vary


def measure(problem: OffloadingProblem) -> Pairs:
    """Return the indicators of all pairs, without waiting."""
    w = weighting_of(problem)
    raw = _indicators(problem, w)
    if w.standards is not None:
        shifts, scales = w.standards[::2], w.standards[1::2]
        return Pairs(raw, tuple(zip(shifts, scales, strict=True)))
    return Pairs(raw, tuple(_standard(w, x) for x in raw))


def _indicators(
    problem: OffloadingProblem, w: Weighting
) -> tuple[Indicators, Indicators, Indicators]:
    run = np.where(problem.allowed, problem.seconds, np.inf)
    v, u = problem.edges.T  # v is read by u
    first, home = problem.first, problem.clients
    into = _sending(problem, problem.inputs_mb[:, None], home)
    sent = _sending(problem, problem.outputs_mb[v, None, None], slice(None))
    sent = sent + np.where(problem.allowed[v], 0.0, np.inf)[:, :, None]
    entries = _spent(problem, w, into, problem.inputs_mb[:, None], home, run[first])
    edges = _spent(
        problem, w, sent, problem.outputs_mb[v, None, None], slice(None), run[u][:, None, :]
    )
    alone = _spent(problem, w, np.zeros_like(run), np.zeros((1, 1)), np.zeros(1, np.int64), run)
    delay, energy, cost = (Indicators(*x) for x in zip(entries, edges, alone, strict=True))
    return delay, energy, cost


def _sending(problem: OffloadingProblem, size_mb: FloatArray, a: IntArray | slice) -> FloatArray:
    """Return the seconds that sizes travel from servers ``a``; ``inf`` without a connection."""
    pace = problem.seconds_per_mb[a]
    return np.asarray(np.where(np.isfinite(pace), _times(size_mb, pace), np.inf))


def _spent(
    problem: OffloadingProblem,
    w: Weighting,
    sent: FloatArray,
    size_mb: FloatArray,
    a: IntArray | slice,
    run: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return delay, energy and cost of what travels from servers ``a``, then runs."""
    is_client = problem.tiers == 0
    watt = np.where(is_client, w.client_watt, w.idle_watt)
    radio = np.where(is_client[:, None] != is_client, w.radio_watt, 0.0)
    hourly, per_gb = np.zeros(problem.n_servers), np.zeros_like(radio)
    if problem.price_per_hour is not None:
        hourly = problem.price_per_hour
    if problem.price_per_gb is not None:
        per_gb = problem.price_per_gb * (1 - np.eye(problem.n_servers))
    energy = _times(radio[a], sent) + _times(watt, run)
    bought = np.where(np.isfinite(sent), size_mb / 1000 * per_gb[a], np.inf)
    return sent + run, energy, bought + _times(hourly / 3600, run)


def _times(factor: FloatArray, amount: FloatArray) -> FloatArray:
    """Return the product; ``inf`` where the amount is, whatever the factor."""
    finite = np.isfinite(amount)
    return np.asarray(np.where(finite, factor * np.where(finite, amount, 0.0), np.inf))


def _standard(w: Weighting, x: Indicators) -> tuple[float, float]:
    """Return shift and scale of an indicator; a scale of 0 if it does not vary."""
    values = np.concatenate([x.entry.ravel(), x.edge.ravel()])
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    if w.standardisation == "max":
        return 0.0, high
    if high - low <= SAME * high:
        return low, 0.0
    return (0.0, float(values.std())) if w.standardisation == "std" else (low, high - low)


def weighting_of(problem: OffloadingProblem) -> Weighting:
    """Return the weights of a problem that has some; ValueError if it has none."""
    if problem.weights is None:
        raise ValueError("the problem has no weights: its objective is the sum of flow times.")
    return problem.weights


def of_module(problem: OffloadingProblem, start: int, seconds: FloatArray) -> FloatArray:
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
    sent = _sending(problem, size_mb, slice(None))
    sent = sent + np.where(problem.allowed[start], 0.0, np.inf)[:, None]
    raw = _spent(problem, w, sent, size_mb, slice(None), seconds[None, :])
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


def make(problem: OffloadingProblem) -> WeightData:
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


def balance_unit(problem: OffloadingProblem) -> float:
    """Return by what Z is multiplied so that it is normalised; 0 where it is always 0."""
    w = weighting_of(problem)
    most = max(int((problem.tiers == 1).sum()), int((problem.tiers == 2).sum()))
    if most < 2:
        return 0.0
    return 1.0 / (problem.n_subtasks * (most - 1)) if w.z_normalised else 1.0


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
