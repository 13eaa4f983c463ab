r"""The best plan of each task as if no pool were ever busy: dynamic programming over servers.

For a chain it is a shortest path. With :math:`\pi_0(b)` the seconds until layer 0 has run on b,

.. math:: \pi_j(b) = \min_a \big( \pi_{j-1}(a) + g_{j-1} / v_{ab} \big) + P_j / Q_b .

A graph is a chain of *blocks* between neighbouring cut vertices: the step above is taken from one
to the next with :math:`D(a, b)`, the seconds of the block with its ends on a and b, which is the
largest over its branches of the shortest path in each. A layer with several readers ends such a
branch: its servers are enumerated. Pools only add waiting, so that the sum over tasks is a bound.

A table p of numbers certifies it. Clipped to :math:`\pi_j(b) = \min(p_j(b), \min_a(\pi_{j-1}(a) +
D_j(a, b)))`, rounded downwards, it is at most the seconds of every path, whatever p was.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import Bound, Certificate, FloatArray, IntArray
from optedge.formulations.offloading.costs import block_costs, blocks
from optedge.formulations.offloading.costs.blocks import Block, Branch, Group

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


@dataclasses.dataclass(frozen=True, eq=False)
class Paths:
    """The best plan of each task without waiting.

    Parameters
    ----------
    servers
        The server of each layer, ``(n_subtasks,)``.
    flows
        Its seconds for each task, ``(n_tasks,)``.
    potentials
        The seconds until each cut vertex has run, on each server, group after group,
        ``(n_cut_vertices, n_servers)``.
    exact
        Whether ``flows`` are those of ``servers``. False if a branch has too many layers with
        several readers: then they are lower bounds and the plan is a heuristic one.
    """

    servers: IntArray
    flows: FloatArray
    potentials: FloatArray
    exact: bool

    @property
    def value(self) -> float:
        """The sum of the seconds: a lower bound for every number of pools."""
        return math.fsum(self.flows)


def shortest(problem: OffloadingProblem) -> Paths:
    """Return the best plan of each task and its seconds, without waiting for pools."""
    servers = np.zeros(problem.n_subtasks, dtype=np.int64)
    flows = np.zeros(problem.n_tasks)
    tables, exact = [], True
    for group in blocks.groups(problem):
        steps = [block_costs.stepping(problem, block) for block in group.blocks]
        table, value, route = _route(block_costs.entering(problem, group.members[0]), steps)
        tables.append(table)
        flows[list(group.members)] = value
        exact &= all(block_costs.is_exact(problem, block) for block in group.blocks)
        place(problem, group, route, servers)
    return Paths(servers, flows, np.concatenate(tables), exact)


def _route(first: FloatArray, steps: Sequence[FloatArray]) -> tuple[FloatArray, float, list[int]]:
    """Return the table of least seconds, the root's value, and the servers of a best path.

    There is a path: a task may always stay on its client.
    """
    table = [first]
    for step in steps[:-1]:
        table.append(blocks.least(table[-1], step))
    value = float(blocks.least(table[-1], steps[-1])[0])
    route = [0]
    for ends, step in zip(reversed(table), reversed(steps), strict=True):
        route.append(int(np.argmin(ends + step[:, route[-1]])))
    return np.array(table), value, route[:0:-1]


def place(
    problem: OffloadingProblem, group: Group, route: Sequence[int], servers: IntArray
) -> None:
    """Write the best plan of a group into ``servers``, its cut vertices on those of ``route``."""
    i = group.members[0]
    for k, block in enumerate(group.blocks):
        servers[block.start] = route[k]
        stop = 0 if block.stop == blocks.END else route[k + 1]
        left = block.branches
        if left and problem.weights is not None:
            left = tuple(block_costs.place_branches(problem, block, stop, servers))
        for branch in left:
            _place_branch(problem, block, branch, stop, servers)
    mine = servers[problem.first[i] : problem.first[i] + problem.sizes[i]].copy()
    for other in group.members:
        servers[problem.first[other] : problem.first[other] + problem.sizes[other]] = mine


def _place_branch(
    problem: OffloadingProblem,
    block: Block,
    branch: Branch,
    stop: int,
    servers: IntArray,
) -> None:
    """Choose the servers of a branch, those of the block's ends given."""
    a, best, least_seconds = int(servers[block.start]), None, np.inf
    for fixed in blocks.combinations(problem, branch):
        ends = blocks.ends_of(problem, block, branch, fixed)
        seconds = blocks.leaving(problem, branch, ends, block.stop)[a, stop]
        if seconds < least_seconds:
            best, least_seconds = ends, seconds
    if best is None:  # this route is cut off
        return
    for v in reversed(branch.layers):
        arrival = best[v][a].copy()
        for w in problem.successors[v] or (blocks.END,):
            column = stop if w == block.stop else int(servers[w])
            arrival = np.maximum(arrival, best[v][a] + blocks.sending(problem, v, w)[:, column])
        servers[v] = int(np.argmin(arrival))


def two_step(problem: OffloadingProblem) -> tuple[IntArray, float]:
    """Return the plan that places whole modules first, then the branches inside them.

    Step 1 takes each block for one layer with the work of all its branches and solves the chain;
    step 2 keeps the servers of the cut vertices and places each branch at its best.

    Returns
    -------
    tuple
        The servers, ``(n_subtasks,)``, and the value of step 1, which is the delay (or the weighted
        objective) of nothing: work of parallel branches is added up in it.

    Raises
    ------
    ValueError
        If some task ends in several layers: its last module has no server.

    References
    ----------
    EosDNN, sec. V-A and eq. (8); DDPQN, eqs. (19)-(20), for the weighted objective. Departures: the
    first layers of the branches need not share a server; step 2 is exact.
    """
    servers, total = np.zeros(problem.n_subtasks, dtype=np.int64), 0.0
    for group in blocks.groups(problem):
        if group.blocks[-1].branches:
            raise ValueError(f"task {group.members[0]} ends in several layers; two steps need one.")
        steps = []
        for block in group.blocks[:-1]:
            inside = [v for branch in block.branches for v in branch.layers]
            work = sum(blocks.executing(problem, v) for v in (*inside, block.stop))
            steps.append(block_costs.as_one_layer(problem, block, np.asarray(work)))
        steps.append(block_costs.stepping(problem, group.blocks[-1]))
        _, value, route = _route(block_costs.entering(problem, group.members[0]), steps)
        place(problem, group, route, servers)
        total += len(group.members) * value
    return servers, total


def bound(problem: OffloadingProblem) -> Bound:
    """Return the bound ``DP`` with its certificate."""
    found = shortest(problem)
    proof = certificate(problem, found.potentials)
    return Bound("DP", proof.value, proof, info={"exact": found.exact})


def certificate(problem: OffloadingProblem, potentials: FloatArray) -> Certificate:
    """Return the certificate of a table ``(n_cut_vertices, n_servers)``; ``inf`` counts as 0."""
    table = np.where(np.isfinite(potentials), potentials, 0.0)
    bare = Certificate("paths", 0.0, {"potentials": table})
    return dataclasses.replace(bare, value=certify(problem, bare))


def certify(problem: OffloadingProblem, certificate: Certificate) -> float:
    """Return the bound in seconds that ``certificate`` proves, rounded safely downwards.

    Parameters
    ----------
    problem
        The instance.
    certificate
        Of kind ``"paths"``, with the array ``potentials`` (n_cut_vertices, n_servers): for each
        group of equal tasks, in the order of their first members, a row a cut vertex. Entries of
        servers that nothing reaches do not count.

    Raises
    ------
    ValueError
        If the kind is another one, or the array is missing, of the wrong shape or not finite; if
        waiting counts in the coordination degree.
    """
    if certificate.kind != "paths":
        raise ValueError(f"offloading knows no certificate {certificate.kind!r}.")
    if not problem.is_pairwise:
        raise ValueError("no certificate is known where waiting counts in H (h_wait).")
    every = blocks.groups(problem)
    shape = (sum(len(group.blocks) for group in every), problem.n_servers)
    table = certificate.arrays.get("potentials")
    if table is None or table.shape != shape:
        raise ValueError(f"certificate array 'potentials' must have shape {shape}.")
    if not np.isfinite(table).all():
        raise ValueError("certificate array 'potentials' must be finite.")
    values, row = [], 0
    for group in every:
        # No number of a block takes part in more than this many roundings.
        reach = _below(problem, block_costs.entering(problem, group.members[0]), 8)
        for block in group.blocks:
            layers = sum(len(branch.layers) for branch in block.branches)
            ends = np.where(np.isinf(reach), np.inf, np.minimum(table[row], reach))
            step = _below(problem, block_costs.stepping(problem, block), 8 + 4 * layers)
            reach = np.nextafter(blocks.least(ends, step), -np.inf)
            reach[np.isinf(blocks.least(ends, step))] = np.inf
            row += 1
        values += [float(reach[0])] * len(group.members)
    total = math.fsum(values) - 2.0**-51 * math.fsum(map(abs, values))
    return max(0.0, total) if problem.weights is None else total


def _below(problem: OffloadingProblem, step: FloatArray, roundings: int) -> FloatArray:
    """Return ``step`` less what so many roundings may have added."""
    reached = np.isfinite(step)
    size = block_costs.size(problem, np.where(reached, step, 0.0))
    return np.asarray(np.where(reached, step - size * (roundings * 2.0**-53), np.inf))
