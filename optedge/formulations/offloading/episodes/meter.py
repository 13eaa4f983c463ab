"""What single layers of a growing plan take: seconds, and with weights energy, cost, balance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.costs.pair_costs import balance_unit
from optedge.formulations.offloading.episodes.evenness import Evenness

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


class Meter:
    """What the layers of a plan take, read while it grows.

    Parameters
    ----------
    problem
        The instance.
    """

    def __init__(self, problem: OffloadingProblem) -> None:
        self._problem = problem
        self._edge = {(int(u), int(v)): e for e, (u, v) in enumerate(problem.edges)}
        self._known: dict[tuple[int, int, int], dict[str, float]] = {}
        self._unit = balance_unit(problem) if problem.weights is not None else 0.0
        self._evenness = Evenness(problem.tiers)
        self._counts = np.zeros((1, problem.n_servers), dtype=np.int64)  # layers on each server

    def read(self, servers: IntArray) -> dict[str, Any]:
        """Return T, and with weights E, U, H and Z, of the last of the layers placed."""
        p, v = self._problem, len(servers) - 1
        if len(p.predecessors[v]) > 1:
            found = self._measure(servers)
        else:  # a learner comes by here often
            key = (v, read_from(p, v, servers)[0][0], int(servers[v]))
            if key not in self._known:
                self._known[key] = self._measure(servers)
            found = self._known[key]
        if p.weights is None:
            return dict(found)
        return {**found, "Z": self._unit * self._balance(int(servers[v]), v)}

    def _measure(self, servers: IntArray) -> dict[str, float]:
        p = self._problem
        found = {"T": self._seconds(servers)}
        if p.weights is None:
            return found
        whole, own = self._amounts(servers)
        hats = [
            np.asarray((x - shift) / scale if scale > 0 else 0.0)
            for x, (shift, scale) in zip(own, p.pairs.standards, strict=True)
        ]
        return {**found, "E": whole[1], "U": whole[2], "H": float(p.weights.coordination(*hats))}

    def _seconds(self, servers: IntArray) -> float:
        p, v = self._problem, len(servers) - 1
        b, sources = servers[v], read_from(p, v, servers)
        if len(sources) > 1:
            return float(p.seconds[v, b])
        a, size_mb = sources[0]
        return float(p.seconds[v, b] + size_mb * p.seconds_per_mb[a, b])

    def _amounts(self, servers: IntArray) -> tuple[list[float], list[float]]:
        """Return seconds, joules and dollars of the last layer: all, and those that H is made of.

        As ``OffloadingProblem.indicators``: a layer that reads several others pays for each
        transmission, and its coordination is that of its execution.
        """
        p, v = self._problem, len(servers) - 1
        b, reads = servers[v], p.predecessors[v]
        whole, own = [], []
        for x in p.pairs.raw:
            run = float(x.run[v, b])
            sent = [float(x.edge[self._edge[u, v], servers[u], b]) - run for u in reads]
            total = run + math.fsum(sent) if reads else float(x.entry[p.tasks[v], b])
            whole.append(total)
            own.append(run if len(reads) > 1 else total)
        return whole, own

    def _balance(self, b: int, v: int) -> int:
        """Return what layer ``v`` on ``b`` adds to Z, not normalised."""
        if v == 0:
            self._counts[:] = 0  # a new episode
        change = self._evenness.add(self._counts, np.array([b]))
        running = self._problem.data.weights.running
        return int((self._evenness.of(self._counts) if running else change)[0])


def read_from(
    problem: OffloadingProblem, v: int, servers: IntArray | FloatArray
) -> list[tuple[int, float]]:
    """Return the servers that a layer reads from, and how many MB."""
    if problem.predecessors[v]:
        return [(int(servers[u]), float(problem.outputs_mb[u])) for u in problem.predecessors[v]]
    i = int(problem.tasks[v])
    return [(int(problem.clients[i]), float(problem.inputs_mb[i]))]
