"""The weighted objective of one plan, compiled from tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.costs.weighting import NOTHING
from optedge.kernels import kernel

if TYPE_CHECKING:
    from optedge.formulations.offloading.simulation.arrays import SimulationData


@kernel
def weigh(data: SimulationData, servers: IntArray, begins: FloatArray, flows: float) -> float:
    """Return the objective of a plan whose flow times sum to ``flows`` seconds."""
    w = data.weights
    if not w.weighted or flows == np.inf:
        return flows
    total = w.constant + w.per_second * flows
    for i in range(data.first.size):
        total += w.entry[i, servers[data.first[i]]]
    for v in range(servers.size):
        for e in range(data.feeds_from[v], data.feeds_from[v + 1]):
            total += w.edge[e, servers[v], servers[data.feeds[e]]]
        total += w.run[v, servers[v]]
    if w.balance > 0.0:
        total += w.balance * unevenness(w.tiers, servers, w.running)
    if w.waits:
        total -= _waiting_coordination(data, servers, begins)
    return float(total)


@kernel
def unevenness(tiers: IntArray, servers: IntArray, running: bool) -> float:
    """Return Z: differences of layer counts between edges and between clouds, not normalised.

    Of all layers, or summed over the counts after each of them (``running``), in the order of the
    array: task by task.
    """
    counts = np.zeros(tiers.size, np.int64)
    apart, total = 0, 0
    for v in range(servers.size):
        s = servers[v]
        if tiers[s] > 0:
            for other in range(tiers.size):  # one more here moves it away from those not above
                if other != s and tiers[other] == tiers[s]:
                    apart += 1 if counts[other] <= counts[s] else -1
            counts[s] += 1
        total += apart
    return float(total if running else apart)


@kernel
def _coordination(h: FloatArray, delay: float, energy: float, cost: float) -> float:
    """Return H as ``Weighting.coordination`` does."""
    if h[2] > 0.0:
        delay, energy, cost = 1.0 - delay, 1.0 - energy, 1.0 - cost
    delay = 0.0 if delay < NOTHING else delay
    energy = 0.0 if energy < NOTHING else energy
    cost = 0.0 if cost < NOTHING else cost
    total = delay + energy + cost
    if total == 0.0:
        return 0.0
    product = (delay / total) * (energy / total) * (cost / total)
    coupling = 3.0 * (np.sqrt(product) if h[1] == 2.0 else np.cbrt(product))
    return float(np.sqrt(coupling * (h[3] * delay + h[4] * energy + h[5] * cost)))


@kernel
def _waiting_coordination(data: SimulationData, servers: IntArray, begins: FloatArray) -> float:
    """Return the weighted sum of H where waiting counts in the delay."""
    w = data.weights
    shift, scale = w.delay[0], w.delay[1]
    since = np.zeros(servers.size)  # when what a layer reads was sent; has arrived, if several
    for i in range(data.first.size):
        since[data.first[i]] = data.release[i]
    energy, cost = w.run_energy.copy(), w.run_cost.copy()
    for i in range(data.first.size):
        v = data.first[i]
        for s in range(cost.shape[1]):  # copying rows would compile numba's error texts too
            energy[v, s], cost[v, s] = w.entry_energy[i, s], w.entry_cost[i, s]
    for v in range(servers.size):
        a = servers[v]
        end = begins[v] + data.seconds[v, a]
        for e in range(data.feeds_from[v], data.feeds_from[v + 1]):
            u = data.feeds[e]
            b = servers[u]
            if data.reads[u] == 1:
                since[u] = end
                energy[u, b], cost[u, b] = w.edge_energy[e, a, b], w.edge_cost[e, a, b]
            else:
                there = end
                if a != b:
                    there += data.outputs[v] * data.pace[a, b]
                since[u] = max(since[u], there)
    total = 0.0
    for v in range(servers.size):
        s = servers[v]
        delay = 0.0
        if scale > 0.0:
            delay = (begins[v] + data.seconds[v, s] - since[v] - shift) / scale
        total += _coordination(w.h, delay, energy[v, s], cost[v, s])
    return float(w.h[0] * total)
