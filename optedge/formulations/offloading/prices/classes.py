r"""Classes of identical tasks: what prices and insertions know of chains, as arrays.

Tasks of one class have the same layers, input, birth and client, so they have the same price. If
layers may run anywhere, the clients can be *merged*: all tasks are given one client, as fast and as
well connected as the best of them, with the pools of all. Every schedule of the true instance is
one of the merged (a layer on the client just ends earlier), hence what bounds the second bounds the
first; and there are fewer classes.

A weighted objective is a constant plus :math:`\alpha` times (flow times plus costs of pairs in
seconds). With :math:`h_j(a)`, the least cost of the layers after j, which is on a, a move from a to
b is charged :math:`q(a, b) + h_{j+1}(b) - h_j(a) \ge 0` and a task the constant :math:`\min_a
(q(a) + h_0(a))`: every path costs the same as before, and the cheapest one nothing. The balance Z,
which is never negative, is left out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


class Classes(NamedTuple):
    """Chains of K classes, on S servers, padded to the longest of J layers."""

    of_task: IntArray  # (n_tasks,), the class of each task
    counts: FloatArray  # (K,), tasks in it
    layers: IntArray  # (K,)
    home: IntArray  # (K,), client
    release: FloatArray  # (K,), s
    seconds: FloatArray  # (K, J, S), execution
    allowed: BoolArray  # (K, J, S)
    entry: FloatArray  # (K, S), when the input can be there; inf if never
    travel: FloatArray  # (K, J, S, S), into layer j from its predecessor's server; inf if never
    leave: FloatArray  # (K, S), after the last layer: the way back of the result, or 0
    entry_cost: FloatArray  # (K, S), s, not negative: what the first layer costs beside its time
    move_cost: FloatArray  # (K, J, S, S), s, not negative: layer j, after its predecessor
    unit: float  # of the objective, in a second
    constant: float  # the objective is this, plus unit times (completion - release + costs)
    better: BoolArray  # (K, S, S), whether the first stands in for the second if as cheap
    pools: FloatArray  # (S,), at most the tasks that may use the server


def can_merge(problem: OffloadingProblem) -> bool:
    """Tell whether merging the clients is worth it: several, and no layer is bound to its own."""
    several = np.unique(problem.clients).size > 1
    free = problem.first_layer == "free" and not problem.foreign_clients
    return several and free and problem.weights is None


def make(problem: OffloadingProblem, *, merged: bool = False) -> Classes:
    """Return the classes of ``problem``, with one client for all if ``merged``.

    Raises
    ------
    ValueError
        If a task is no chain, if the weighted objective gives time no weight or is no sum over
        pairs, or if ``merged`` is asked where clients are not alike (foreign clients, weights).
    """
    if not problem.is_chains:
        raise ValueError("prices on server time need tasks that are chains, some task branches.")
    if merged and (problem.foreign_clients or problem.weights is not None):
        raise ValueError(
            "clients cannot be merged where layers may run on foreign clients, or under weights."
        )
    if problem.weights is not None and (reason := why_unpriced(problem)):
        raise ValueError(reason)
    n_servers = problem.n_servers
    speeds, pools = problem.speeds_ghz.copy(), problem.pools.copy()
    pace, homes = problem.seconds_per_mb.copy(), problem.clients.copy()
    clients = np.unique(problem.clients)
    if merged:
        best = clients[np.argmax(speeds[clients])]
        pace[best], pace[:, best] = pace[clients].min(axis=0), pace[:, clients].min(axis=1)
        pace[best, best] = 0.0
        pools[best] = pools[clients].sum()
        homes[:] = best

    keys: dict[tuple[object, ...], int] = {}
    of_task = np.array(
        [keys.setdefault(_key(problem, i, homes), len(keys)) for i in range(problem.n_tasks)]
    )
    first_of = np.array([int(np.flatnonzero(of_task == k)[0]) for k in range(len(keys))])
    layers = problem.sizes[first_of]
    shape = (len(keys), int(layers.max()), n_servers)
    seconds, allowed = np.zeros(shape), np.zeros(shape, dtype=bool)
    entry, leave = np.zeros((shape[0], n_servers)), np.zeros((shape[0], n_servers))
    travel = np.zeros((*shape, n_servers))
    for k, i in enumerate(first_of.tolist()):
        a, size, home = int(problem.first[i]), int(layers[k]), int(homes[i])
        seconds[k, :size] = problem.work_gcycles[a : a + size, None] / speeds
        for member in np.flatnonzero(of_task == k) if merged else [i]:
            at = int(problem.first[member])
            usable = problem.allowed[at : at + size].copy()
            if merged:
                own = int(problem.clients[member])
                usable[:, home] = usable[:, own]
                usable[:, clients[clients != home]] = False
            allowed[k, :size] |= usable
        entry[k] = problem.release[i] + _sending(float(problem.inputs_mb[i]), pace[home])
        for j in range(1, size):
            travel[k, j] = _sending(float(problem.outputs_mb[a + j - 1]), pace)
        if problem.return_result:
            leave[k] = _sending(float(problem.outputs_mb[a + size - 1]), pace[:, home])
    counts = np.bincount(of_task).astype(np.float64)
    entry_cost, move_cost, unit, constant = _pair_costs(problem, first_of, counts, allowed)
    users = counts @ allowed.any(axis=1)
    bare = Classes(
        of_task=of_task,
        counts=counts,
        layers=layers,
        home=homes[first_of],
        release=problem.release[first_of],
        seconds=seconds,
        allowed=allowed,
        entry=entry,
        travel=travel,
        leave=leave,
        entry_cost=entry_cost,
        move_cost=move_cost,
        unit=unit,
        constant=constant,
        better=np.zeros((shape[0], n_servers, n_servers), dtype=bool),
        pools=np.minimum(pools, users),
    )
    return bare._replace(better=np.array([_better(bare, k) for k in range(shape[0])]))


def why_unpriced(problem: OffloadingProblem) -> str | None:
    """Say why prices on server time cannot bound the objective; None if they can."""
    if not problem.is_chains:
        return "prices on server time are made for chains; contract the modules."
    if not problem.is_pairwise:
        return "with h_wait the coordination of a layer depends on its waiting: no prices bound it."
    if problem.weights is not None and problem.data.weights.per_second == 0:
        return "the weights give time no weight, so that pools cost nothing; dp is exact then."
    return None


def to_seconds(c: Classes, objective: float) -> float:
    """Return an objective as flow times plus costs, in seconds."""
    return (objective - c.constant) / c.unit


def to_objective(c: Classes, seconds: float) -> float:
    """Return flow times plus costs in seconds as an objective."""
    return c.constant + c.unit * seconds


def _pair_costs(
    problem: OffloadingProblem, first_of: IntArray, counts: FloatArray, allowed: BoolArray
) -> tuple[FloatArray, FloatArray, float, float]:
    """Return costs of entries and of moves in seconds, the unit and the constant."""
    n_classes, layers, n_servers = allowed.shape
    entry_cost = np.zeros((n_classes, n_servers))
    move_cost = np.zeros((n_classes, layers, n_servers, n_servers))
    if problem.weights is None:
        return entry_cost, move_cost, 1.0, 0.0
    w, constant = problem.data.weights, [problem.data.weights.constant]
    connected = np.isfinite(problem.seconds_per_mb)
    for k, i in enumerate(first_of.tolist()):
        size = int(problem.sizes[i])
        rest = np.zeros(n_servers)  # least cost of the layers to come
        for j in range(size - 1, 0, -1):
            cost = w.edge[problem.data.feeds_from[problem.first[i] + j - 1]]
            usable = allowed[k, j - 1][:, None] & allowed[k, j] & connected
            onwards = np.where(usable, cost + rest, np.inf)
            least = onwards.min(axis=1)
            rest = np.where(np.isfinite(least), least, 0.0)
            more = np.where(usable, onwards - rest[:, None], 0.0)
            move_cost[k, j] = np.maximum(0.0, more) / w.per_second
        total = np.where(allowed[k, 0], w.entry[i] + rest, np.inf)
        least_of_all = float(total.min())
        entry_cost[k] = np.where(allowed[k, 0], (total - least_of_all) / w.per_second, 0.0)
        constant.append(float(counts[k]) * least_of_all)
    return entry_cost, move_cost, w.per_second, math.fsum(constant)


def _key(problem: OffloadingProblem, i: int, homes: IntArray) -> tuple[object, ...]:
    """Return what two tasks must share to be of one class."""
    a = int(problem.first[i])
    rows = slice(a, a + int(problem.sizes[i]))
    outputs = problem.outputs_mb[rows if problem.return_result else slice(a, rows.stop - 1)]
    numbers = float(problem.inputs_mb[i]), float(problem.release[i])
    return problem.work_gcycles[rows].tobytes(), outputs.tobytes(), *numbers, int(homes[i])


def _sending(size: float, pace: FloatArray) -> FloatArray:
    """Return the seconds that ``size`` MB travel; nothing takes none where there is a link."""
    return size * pace if size > 0 else np.where(np.isfinite(pace), 0.0, np.inf)


def _better(c: Classes, k: int) -> BoolArray:
    """Return which server is in no layer slower, less allowed or worse connected than which."""
    n = int(c.layers[k])
    seconds, allowed, travel = c.seconds[k, :n], c.allowed[k, :n], c.travel[k, 1:n]
    servers = range(len(c.pools))
    found = np.zeros((len(servers), len(servers)), dtype=bool)
    for s in servers:
        for q in servers:
            others = [a for a in servers if a not in (s, q) and allowed[:, a].any()]
            costs = c.move_cost[k, 1:n]
            stays = costs[:, [q, s, q], [q, q, s]].min(axis=1, initial=np.inf)
            found[s, q] = (
                s != q
                and bool((allowed[:, s] >= allowed[:, q]).all())
                and bool((seconds[:, s] <= seconds[:, q]).all())
                and bool(c.entry[k, s] <= c.entry[k, q])
                and bool(c.leave[k, s] <= c.leave[k, q])
                and bool((travel[:, others, s] <= travel[:, others, q]).all())
                and bool((travel[:, s, others] <= travel[:, q, others]).all())
                and bool(c.entry_cost[k, s] <= c.entry_cost[k, q])
                and bool((costs[:, others, s] <= costs[:, others, q]).all())
                and bool((costs[:, s, others] <= costs[:, q, others]).all())
                and bool((costs[:, s, s] <= stays).all())
            )
    return found
