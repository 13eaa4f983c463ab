"""The minimum cut of the layer graph, by maximum flow (the dual of the linear program).

The capacities of DADS (Hu et al., INFOCOM 2019), with arcs that forbid returning: source side is
the device. SciPy's flow takes 32-bit integers, so capacities are scaled and rounded; the cut found
is valued again in floats, and the flow, as multipliers, proves a bound in floats.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import Certificate, FloatArray, IntArray
from optedge.formulations.cut import certificates
from optedge.networks import dag

if TYPE_CHECKING:
    from optedge.formulations.cut.problem import CutProblem

LARGEST = 2**29  # the flow; twice that is infinite, and the sum of both is below 2**31


@dataclasses.dataclass(frozen=True, eq=False)
class MinimumCut:
    """A cut and the flow that proves it minimal, up to rounding.

    ``tiers`` (n_layers,) is the tier of each layer, ``certificate`` the flow as multipliers.
    """

    tiers: IntArray
    certificate: Certificate


@dataclasses.dataclass(frozen=True, eq=False)
class _Arcs:
    """The arcs of the flow network: nodes p[k, v], q[k, v] for layers read more than once, s, t.

    ``indptr`` and ``indices`` are the sparse matrix, into which ``order`` sorts the capacities as
    `_capacities` lists them; ``single`` and ``many`` are the layers read once and more than once.
    """

    n_nodes: int
    indptr: npt.NDArray[np.int32]
    indices: npt.NDArray[np.int32]
    order: IntArray
    single: IntArray
    many: IntArray


@functools.lru_cache(maxsize=64)
def _network(successors: dag.Successors, n_tiers: int) -> _Arcs:
    n, hops = len(successors), n_tiers - 1
    edges = np.array(
        [(v, w) for v, row in enumerate(successors) for w in row], dtype=np.int64
    ).reshape(-1, 2)
    degree = np.array([len(row) for row in successors])
    many = np.flatnonzero(degree > 1)
    q_of = np.full(n, -1)
    q_of[many] = np.arange(many.size)
    source, sink = hops * (n + many.size), hops * (n + many.size) + 1
    layers = np.arange(n)
    tails, heads = [], []

    def add(tail: IntArray | int, head: IntArray | int, count: int = n) -> None:
        tails.append(np.broadcast_to(tail, count))
        heads.append(np.broadcast_to(head, count))

    add(layers, sink)  # stays on the device
    add(source, (hops - 1) * n + layers)  # runs in the cloud; the input cannot
    for k in range(1, hops):
        add(k * n + layers, (k - 1) * n + layers)  # runs on tier k
    single = np.flatnonzero(degree == 1)
    follower = np.array([successors[v][0] for v in single], dtype=np.int64)
    v, w = edges.T
    branching = np.flatnonzero(degree[v] > 1)
    for k in range(hops):
        p, q = k * n, hops * n + k * many.size
        add(p + single, p + follower, single.size)
        add(p + many, q + q_of[many], many.size)
        add(q + q_of[v[branching]], p + w[branching], branching.size)  # infinite from here on
        add(p + w, p + v, v.size)
        if k + 1 < hops:  # the input is never beyond tier 0
            add(source, np.array([p]), 1)
            add(p + layers, p + n + layers)
    tail, head = np.concatenate(tails), np.concatenate(heads)
    order = np.lexsort((head, tail))
    indptr = np.searchsorted(tail[order], np.arange(sink + 2))
    return _Arcs(
        n_nodes=sink + 1,
        indptr=indptr.astype(np.int32),
        indices=head[order].astype(np.int32),
        order=order,
        single=single,
        many=many,
    )


def _capacities(problem: CutProblem, arcs: _Arcs, weights: FloatArray) -> FloatArray:
    """Return the capacities in seconds, in the order in which `_network` adds the arcs."""
    tiers, hops, n = problem.n_tiers, problem.n_tiers - 1, problem.n_layers
    times = weights[:tiers, None] * problem.times
    with np.errstate(invalid="ignore"):
        sends = np.where(np.isinf(problem.sends), np.inf, weights[tiers:, None] * problem.sends)
    cloud = times[-1].copy()
    cloud[0] = np.inf
    parts = [times[0], cloud, *(times[k] for k in range(1, hops))]
    edges = len(problem.edges)
    branching = edges - arcs.single.size
    for k in range(hops):
        parts += [sends[k, arcs.single], sends[k, arcs.many]]
        parts.append(np.full(branching + edges + (1 + n if k + 1 < hops else 0), np.inf))
    return np.concatenate(parts)


def minimum_cut(problem: CutProblem, weights: FloatArray | None = None) -> MinimumCut:
    """Return a plan that minimises the weighted sum of the stages, and what proves it.

    Parameters
    ----------
    problem
        The instance; for the goal ``"throughput"`` weights must be given.
    weights
        Of the tiers and then of the hops, shape ``(2 * n_tiers - 1,)``; ones by default. Given,
        they sum to 1, and the certificate is one of the throughput.

    Notes
    -----
    Rounding the capacities costs at most ``n_arcs * 2**-29`` of the value, mostly far less: 1e-8
    relative is usual.
    """
    omega = np.ones(2 * problem.n_tiers - 1) if weights is None else weights
    arcs = _network(problem.successors, problem.n_tiers)
    seconds = _capacities(problem, arcs, omega)
    # No flow is larger than the value of a plan; a much better plan asks for finer units.
    known = float(seconds[: problem.n_layers].sum())  # edge-only
    while True:
        flow, tiers, scale = _maximum_flow(problem, arcs, seconds, known)
        value = float(omega @ problem.stages(tiers))
        if not 0 < value < known / 4:
            break
        known = value
    certificate = _certificate(problem, weights, arcs, seconds, flow, scale)
    return MinimumCut(tiers, certificate)


def _maximum_flow(
    problem: CutProblem, arcs: _Arcs, seconds: FloatArray, known: float
) -> tuple[Any, IntArray, float]:
    """Return the flow in units of ``1 / scale`` seconds, the tiers of the cut, and the scale."""
    from scipy import sparse
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    hops, n = problem.n_tiers - 1, problem.n_layers
    scale = LARGEST / known if known > 0 else 1.0
    rounded = np.rint(np.minimum(seconds * scale, 2 * LARGEST)).astype(np.int32)
    capacity = sparse.csr_array(
        (rounded[arcs.order], arcs.indices, arcs.indptr), shape=(arcs.n_nodes, arcs.n_nodes)
    )
    source, sink = arcs.n_nodes - 2, arcs.n_nodes - 1
    flow = maximum_flow(capacity, source, sink).flow
    residual: Any = capacity - flow
    residual.data = (residual.data > 0).astype(np.int8)
    residual.eliminate_zeros()
    stays = np.zeros(arcs.n_nodes, dtype=bool)
    stays[breadth_first_order(residual, source, return_predecessors=False)] = True
    beyond = ~stays[: hops * n].reshape(hops, n)
    return flow, beyond.sum(axis=0).astype(np.int64), scale


def _certificate(
    problem: CutProblem,
    weights: FloatArray | None,
    arcs: _Arcs,
    seconds: FloatArray,
    flow: Any,
    scale: float,
) -> Certificate:
    """Return the flow as multipliers of the rows of the linear program."""
    hops, n = problem.n_tiers - 1, problem.n_layers
    v, w = problem.edges.T
    base = (np.arange(hops) * n)[:, None]

    def between(tail: IntArray, head: IntArray) -> FloatArray:
        found = flow[tail.ravel(), head.ravel()] if tail.size else np.zeros(0)
        return np.asarray(found).reshape(tail.shape) / scale

    forward = between(base + v, base + w)  # what single readers draw, or, if negative, goes back
    spread = np.maximum(0.0, forward)
    if arcs.many.size:
        place = np.full(n, -1)
        place[arcs.many] = np.arange(arcs.many.size)
        branching = np.flatnonzero(place[v] >= 0)
        q = hops * n + (np.arange(hops) * arcs.many.size)[:, None] + place[v[branching]]
        spread[:, branching] = between(q, base + w[branching])
    slack = np.zeros((0, n))
    if hops > 1:  # what the arcs of the middle tiers leave unused
        layers, middle = np.arange(n), seconds[2 * n : (hops + 1) * n].reshape(hops - 1, n)
        slack = middle + between(base[:-1] + layers, base[1:] + layers)
    return certificates.make(
        problem,
        weights,
        no_return=np.maximum(0.0, -forward),
        spread=spread,
        deeper=slack,
    )
