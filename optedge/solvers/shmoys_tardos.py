"""Rounding of any fractional schedule by slots: Shmoys and Tardos."""

from __future__ import annotations

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.makespan import MakespanProblem
from optedge.solvers.registry import register
from optedge.solvers.rounding import declines_lp, raise_deadline
from optedge.solvers.run import Run


@register(
    "shmoys-tardos",
    problems=(MakespanProblem,),
    kind="approximation",
    guarantee="2 T*, at most 2 times the optimum",
    source="Shmoys, Tardos, Math. Programming 62 (1993)",
    deterministic=True,
    declines=declines_lp,
)
def shmoys_tardos(problem: MakespanProblem, run: Run) -> None:
    """Pour the shares at T* into unit slots, longest task first, and match tasks to slots.

    Works from any fractional schedule, a vertex or not. A server's load grows by at most the
    longest task that has a share of it. Of all matchings one of least total time is taken.
    """
    found = raise_deadline(problem, run)
    if found is not None:
        run.evaluate(round_by_slots(problem.times, found[0]))


def round_by_slots(times: FloatArray, shares: FloatArray) -> IntArray:
    """Return servers (n_tasks,) such that each load is at most its fractional load plus one task.

    Parameters
    ----------
    times
        Seconds, (n_tasks, n_servers).
    shares
        A fractional assignment, (n_tasks, n_servers); rows sum to 1.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    task: list[int] = []
    slot: list[int] = []
    server_of_slot: list[int] = []
    for j in range(shares.shape[1]):
        poured = np.flatnonzero(shares[:, j] > 0)
        if not poured.size:
            continue
        poured = poured[np.argsort(-times[poured, j], kind="stable")]
        filled = np.cumsum(shares[poured, j])
        # A task reaches from the slot where the pouring stood to the one where it ends.
        first = np.floor(np.append(0.0, filled[:-1]) + 1e-9).astype(int)
        last = np.maximum(first, np.ceil(filled - 1e-9).astype(int) - 1)
        base = len(server_of_slot)
        for i, a, b in zip(poured.tolist(), first.tolist(), last.tolist(), strict=True):
            task.extend([i] * (b - a + 1))
            slot.extend(range(base + a, base + b + 1))
        server_of_slot.extend([j] * (int(last.max()) + 1))
    server = np.array(server_of_slot)
    poured_times = times[np.array(task), server[slot]]
    # Weights must not be zero: a sparse matrix would drop them.
    weight: FloatArray = 1.0 + poured_times / (float(poured_times.max()) or 1.0)
    graph = csr_array((weight, (task, slot)), shape=(times.shape[0], server.size))
    rows, columns = min_weight_full_bipartite_matching(graph)
    x = np.empty(times.shape[0], dtype=np.int64)
    x[rows] = server[columns]
    return x
