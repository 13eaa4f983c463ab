"""The sum of flow times of an assignment, as a user of a general package would write it.

Plain Python and NumPy, nothing compiled and nothing of this package but the arrays of an instance:
NumPy looks up how long every layer executes and how long its input travels, ``heapq`` holds the
events, each server has a count of idle pools and a queue in order of arrival. Reads chains whose
order is first come, first served, as :mod:`optedge.papers.eosdnn` makes them by default. Times are
compared as they are; the compiled simulator takes those for one that differ by rounding.
"""

from __future__ import annotations

import heapq
from collections import deque

import numpy as np

from optedge.formulations.offloading import OffloadingProblem

END, ARRIVAL = 0, 1  # of events at one time, ends come first


class PlainSimulation:
    """The objective of one instance.

    Parameters
    ----------
    problem
        Chains, first come, first served, no result sent back.

    Raises
    ------
    ValueError
        If the instance is of another kind.
    """

    def __init__(self, problem: OffloadingProblem) -> None:
        if not problem.is_chains or problem.order != "fcfs" or problem.return_result:
            raise ValueError("only chains in order of arrival, without a way back, are simulated.")
        self._layers = np.arange(problem.n_subtasks)
        self._first = problem.first
        self._first_layers = problem.first.tolist()
        self._is_last = (np.append(np.diff(problem.tasks), 1) > 0).tolist()
        self._homes = problem.clients
        self._seconds = problem.work_gcycles[:, None] / problem.speeds_ghz
        with np.errstate(divide="ignore"):
            self._pace = 1.0 / problem.rates_mb_s  # seconds a MB
        np.fill_diagonal(self._pace, 0.0)
        self._read_mb = np.roll(problem.outputs_mb, 1)
        self._read_mb[self._first] = problem.inputs_mb
        self._release = problem.release.tolist()
        self._rank = problem.rank.tolist()
        self._pools = problem.pools.tolist()

    def __call__(self, servers: np.ndarray) -> float:
        """Return the sum of flow times in seconds for the server of each layer."""
        before = np.roll(servers, 1)
        before[self._first] = self._homes
        travel = (self._read_mb * self._pace[before, servers]).tolist()
        execution = self._seconds[self._layers, servers].tolist()
        at = servers.tolist()
        idle = self._pools.copy()
        queues: list[deque[int]] = [deque() for _ in idle]
        rank, is_last = self._rank, self._is_last
        push, pop = heapq.heappush, heapq.heappop

        events = [
            (born + travel[v], ARRIVAL, rank[v], v)
            for born, v in zip(self._release, self._first_layers, strict=True)
        ]
        heapq.heapify(events)
        total = -sum(self._release)
        while events:
            now, kind, _, v = pop(events)
            s = at[v]
            if kind == ARRIVAL:
                if idle[s]:
                    idle[s] -= 1
                    push(events, (now + execution[v], END, rank[v], v))
                else:
                    queues[s].append(v)
                continue
            if queues[s]:  # the pool goes to the layer that has waited longest
                w = queues[s].popleft()
                push(events, (now + execution[w], END, rank[w], w))
            else:
                idle[s] += 1
            if is_last[v]:
                total += now
            else:
                push(events, (now + travel[v + 1], ARRIVAL, rank[v + 1], v + 1))
        return total
