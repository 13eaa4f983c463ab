"""The arrays that compiled simulations read and write, and what they share: links, ties, pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.costs import weight_tables
from optedge.formulations.offloading.costs.weight_tables import WeightData
from optedge.kernels import kernel

if TYPE_CHECKING:
    from optedge.formulations.offloading.derived import DerivedData

#: How an assignment becomes a schedule; the number of each is its place.
ORDERS = ("fcfs", "priority", "strict", "planned")
FCFS, PRIORITY, STRICT, PLANNED = range(4)

SAME = 1e-12  # relative: times that differ by less are one
FEW = 16  # so many pools stay sorted; more are a heap

#: Numbers that count from 0 in four bytes: compiled code need not ask whether they are negative.
Places = npt.NDArray[np.uint32]


class ChainData(NamedTuple):
    """Those arrays of an instance that tell all if its tasks are chains, served as they come."""

    seconds: FloatArray
    pace: FloatArray
    outputs: FloatArray
    inputs: FloatArray
    release: FloatArray
    clients: IntArray
    first: IntArray
    rank: IntArray
    returns: bool


class SimulationData(NamedTuple):
    """The arrays of an instance."""

    seconds: FloatArray  # (n_subtasks, n_servers), execution
    pace: FloatArray  # (n_servers, n_servers), s per MB; inf without connection, 0 at home
    outputs: FloatArray  # (n_subtasks,), MB
    inputs: FloatArray  # (n_tasks,), MB
    release: FloatArray  # (n_tasks,), s
    clients: IntArray  # (n_tasks,)
    tasks: IntArray  # (n_subtasks,)
    first: IntArray  # (n_tasks,), first layer
    reads: IntArray  # (n_subtasks,), number of predecessors
    reads_from: IntArray  # (n_subtasks + 1,), where the predecessors of each layer begin
    read: IntArray  # (n_edges,), predecessors
    feeds_from: IntArray  # (n_subtasks + 1,), where the successors of each layer begin
    feeds: IntArray  # (n_edges,), successors
    rank: IntArray  # (n_subtasks,)
    by_rank: IntArray  # (n_subtasks,), the layers in the order of rank
    by_release: IntArray  # (n_tasks,), the tasks in the order of release, then of number
    pools: IntArray  # (n_servers,)
    order: int
    returns: bool
    chains: bool  # whether every task is a chain
    chain: ChainData
    weights: WeightData  # of the objective


class Workspace(NamedTuple):
    """What the simulation of chains writes to: made once for many assignments."""

    begins: FloatArray  # (n_subtasks,), start of each layer, whichever simulation finds it
    free_from: Places  # (n_servers + 1,), where the pools of each server stand in ``free_at``
    free_at: FloatArray  # (n_pools,), when each pool is free
    limit: FloatArray  # (n_servers,), up to when an arrival is at the time of the last one there
    top: IntArray  # (n_servers,), the highest rank among arrivals of one time
    spent: FloatArray  # (n_subtasks,), seconds that each layer executes
    sent: FloatArray  # (n_subtasks,), seconds to the next layer of a chain
    at: Places  # (n_subtasks,), the servers
    done: FloatArray  # (n_tasks,), when the last layer served of each task ends
    due: FloatArray  # (n_leaves,), arrival of the next layer of each task; a power of two
    layer: Places  # (n_leaves,), which layer that is
    first: Places  # (2 * n_leaves,), tree of the tasks: the children of k are 2 k and 2 k + 1


@kernel
def pool_places(pools: IntArray, most: int) -> Places:
    """Return where the pools of each server begin in one array, ``(n_servers + 1,)``.

    A server with pools for ``most`` layers, as many as there can be at one time, has none there: at
    it nothing ever waits.
    """
    free_from = np.zeros(pools.size + 1, np.uint32)
    for s in range(pools.size):
        free_from[s + 1] = free_from[s] + (pools[s] if pools[s] < most else 0)
    return free_from


@kernel
def workspace(data: SimulationData) -> Workspace:
    """Return the arrays that a simulation of ``data`` writes to."""
    n, m = data.seconds.shape
    tasks = data.first.size
    free_from = pool_places(data.pools, tasks)
    leaves = 1
    while leaves < tasks:
        leaves *= 2
    return Workspace(
        np.zeros(n),
        free_from,
        np.zeros(free_from[m]),
        np.zeros(m),
        np.zeros(m, np.int64),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n, np.uint32),
        np.zeros(tasks),
        np.zeros(leaves),
        np.zeros(leaves, np.uint32),
        np.zeros(2 * leaves, np.uint32),
    )


def make_data(problem: DerivedData) -> SimulationData:
    """Return the arrays of ``problem``."""
    n = problem.n_subtasks
    counts = np.array([len(row) for row in problem.successors], dtype=np.int64)
    reads = np.array([len(row) for row in problem.predecessors], dtype=np.int64)
    data = SimulationData(
        seconds=problem.seconds,
        pace=problem.seconds_per_mb,
        outputs=problem.outputs_mb,
        inputs=problem.inputs_mb,
        release=problem.release,
        clients=problem.clients,
        tasks=problem.tasks,
        first=problem.first,
        reads=reads,
        reads_from=np.concatenate([[0], np.cumsum(reads)]).astype(np.int64),
        read=np.array([u for row in problem.predecessors for u in row], dtype=np.int64),
        feeds_from=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        feeds=np.ascontiguousarray(problem.edges[:, 1]),
        rank=problem.rank,
        by_rank=np.argsort(problem.rank),
        by_release=np.argsort(problem.release, kind="stable"),
        pools=np.minimum(problem.pools, n).astype(np.int64),
        order=ORDERS.index(problem.order),
        returns=problem.return_result,
        chains=problem.is_chains,
        chain=ChainData(
            problem.seconds,
            problem.seconds_per_mb,
            problem.outputs_mb,
            problem.inputs_mb,
            problem.release,
            problem.clients,
            problem.first,
            problem.rank,
            problem.return_result,
        ),
        weights=weight_tables.make(problem),
    )
    for value in (*data, *data.chain, *data.weights):
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    return data


@kernel
def send(data: SimulationData, size: float, a: int, b: int) -> float:
    """Return the seconds that ``size`` MB travel from server ``a`` to server ``b``."""
    return travel(data.pace, size, a, b)


@kernel
def travel(pace: FloatArray, size: float, a: int, b: int) -> float:
    """Do what :func:`send` does; to hand over all the arrays costs more than a multiplication."""
    if a == b:
        return 0.0
    if pace[a, b] == np.inf:
        return np.inf
    return float(size * pace[a, b])


@kernel
def same_until(time: float) -> float:
    """Return the latest time that counts as the same as ``time``."""
    return time + SAME * max(abs(time), 1e-9)


@kernel
def occupy_first(free_at: FloatArray, a: int, b: int, end: float) -> None:
    """Keep the pool of ``free_at[a:b]`` that is free first, which stands at ``a``, until ``end``.

    Few pools are sorted, without a branch that would be guessed wrong; many are a heap.
    """
    if b - a <= FEW:
        for k in range(a + 1, b):
            other = free_at[k]
            free_at[k - 1] = min(other, end)
            end = max(other, end)
        free_at[b - 1] = end
        return
    k, size = 0, b - a
    while True:
        child = 2 * k + 1
        if child >= size:
            break
        if child + 1 < size and free_at[a + child + 1] < free_at[a + child]:
            child += 1
        if free_at[a + child] >= end:
            break
        free_at[a + k] = free_at[a + child]
        k = child
    free_at[a + k] = end
