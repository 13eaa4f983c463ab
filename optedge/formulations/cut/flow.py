"""The minimum cut of the layer graph, by maximum flow (the dual of the linear program).

The capacities of DADS (Hu et al., INFOCOM 2019), with arcs that forbid returning: source side is
the device. SciPy's flow takes 32-bit integers, so capacities are scaled and rounded; the cut found
is valued again in floats, and the flow, as multipliers of the rows, proves a bound in floats.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import Certificate, FloatArray, IntArray
from optedge.formulations.cut import certificates
from optedge.networks import dag

if TYPE_CHECKING:
    from optedge.formulations.cut.problem import CutProblem

LARGEST = 2**29  # the flow; twice that is infinite, and the sum of both is below 2**31
CLOSE = 2e-7  # relative: a flow that misses the value of a plan by more is improved
PASSES = 8


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

    ``indptr`` and ``indices`` are the sparse matrix, each arc beside its reverse, and ``place``
    tells where in it the capacities stand that `_capacities` lists. ``single`` and ``many`` are the
    layers read once and more than once; ``forward`` and ``backward`` (n_hops, n_edges) are the
    places of the arcs that carry what crosses for an edge, and what must not return.
    """

    n_nodes: int
    indptr: npt.NDArray[np.int32]
    indices: npt.NDArray[np.int32]
    place: IntArray
    single: IntArray
    many: IntArray
    forward: IntArray
    backward: IntArray


@functools.lru_cache(maxsize=64)
def _network(successors: dag.Successors, n_tiers: int) -> _Arcs:
    n, hops = len(successors), n_tiers - 1
    edges = dag.edge_array(successors)
    degree = np.array([len(row) for row in successors])
    single, many = np.flatnonzero(degree == 1), np.flatnonzero(degree > 1)
    q_of = np.full(n, -1)
    q_of[many] = np.arange(many.size)
    source, sink = hops * (n + many.size), hops * (n + many.size) + 1
    layers = np.arange(n)
    tails: list[IntArray] = []
    heads: list[IntArray] = []

    def add(tail: IntArray | int, head: IntArray | int, count: int = n) -> None:
        tails.append(np.broadcast_to(np.asarray(tail, dtype=np.int64), count))
        heads.append(np.broadcast_to(np.asarray(head, dtype=np.int64), count))

    add(layers, sink)  # stays on the device
    add(source, (hops - 1) * n + layers)  # runs in the cloud; the input cannot
    for k in range(1, hops):
        add(k * n + layers, (k - 1) * n + layers)  # runs on tier k
    follower = np.array([successors[v][0] for v in single], dtype=np.int64)
    v, w = edges.T
    branching = degree[v] > 1
    carrier, against = [], []
    for k in range(hops):
        p, q = k * n, hops * n + k * many.size
        add(p + single, p + follower, single.size)
        add(p + many, q + q_of[many], many.size)
        add(q + q_of[v[branching]], p + w[branching], int(branching.sum()))  # infinite from here
        add(p + w, p + v, v.size)
        carrier.append(np.where(branching, q + q_of[v], p + v) * (sink + 1) + p + w)
        against.append((p + w) * (sink + 1) + p + v)
        if k + 1 < hops:  # the input is never beyond tier 0
            add(source, p, 1)
            add(p + layers, p + n + layers)
    tail, head = np.concatenate(tails), np.concatenate(heads)
    listed, backward = tail * (sink + 1) + head, head * (sink + 1) + tail
    every = np.unique(np.concatenate([listed, backward]))  # sorted by tail, then by head
    from_, to = np.divmod(every, sink + 1)
    return _Arcs(
        n_nodes=sink + 1,
        indptr=np.searchsorted(from_, np.arange(sink + 2)).astype(np.int32),
        indices=to.astype(np.int32),
        place=np.searchsorted(every, listed),
        single=single,
        many=many,
        forward=np.searchsorted(every, np.array(carrier)).reshape(hops, len(edges)),
        backward=np.searchsorted(every, np.array(against)).reshape(hops, len(edges)),
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
    One flow in rounded units misses the minimum by a part in 1e8 or so. Where it misses by more
    than ``CLOSE``, as with a device a million times slower than the cloud, flows are sent one after
    the other through what is left of the capacities, in units as fine as what is missing; these are
    rounded down, so that no capacity is exceeded.
    """
    omega = np.ones(2 * problem.n_tiers - 1) if weights is None else weights
    arcs = _network(problem.successors, problem.n_tiers)
    capacity = np.zeros(arcs.indices.size)
    capacity[arcs.place] = _capacities(problem, arcs, omega)
    source = slice(*arcs.indptr[arcs.n_nodes - 2 : arcs.n_nodes])

    best = problem.everything_on(0)
    value = known = float(omega[0] * problem.times[0].sum())  # no flow is larger
    proofs = []
    for rounding, passes in ((np.rint, 1), (np.floor, PASSES)):
        flow, missing = np.zeros(capacity.size), known
        for _ in range(passes):
            if not missing > CLOSE / 10 * value:
                break
            extra, tiers = _augment(problem, arcs, capacity - flow, missing, rounding)
            flow += extra
            found = float(omega @ problem.stages(tiers))
            if found <= value:
                best, value = tiers, found
            missing = value - float(flow[source].sum())
        proofs.append(_certificate(problem, weights, arcs, flow))
        if value - proofs[-1].value <= CLOSE * value:
            break
    return MinimumCut(best, max(proofs, key=lambda proof: proof.value))


def _augment(
    problem: CutProblem,
    arcs: _Arcs,
    residual: FloatArray,
    missing: float,
    rounding: Callable[[FloatArray], FloatArray],
) -> tuple[FloatArray, IntArray]:
    """Return a maximum flow through rounded residual capacities, and the tiers of its cut."""
    from scipy import sparse
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    hops, n, shape = problem.n_tiers - 1, problem.n_layers, (arcs.n_nodes, arcs.n_nodes)
    scale = LARGEST / missing
    rounded = rounding(np.clip(residual, 0.0, 2 * missing) * scale).astype(np.int32)
    network = sparse.csr_array((rounded, arcs.indices, arcs.indptr), shape=shape)
    source, sink = arcs.n_nodes - 2, arcs.n_nodes - 1
    flow = maximum_flow(network, source, sink).flow.data
    left = rounded - flow > 0
    ends = np.cumsum(left)
    indptr = np.concatenate([[0], ends])[arcs.indptr].astype(np.int32)
    open_ = sparse.csr_array((left[left].astype(np.int8), arcs.indices[left], indptr), shape=shape)
    stays = np.zeros(arcs.n_nodes, dtype=bool)
    stays[breadth_first_order(open_, source, return_predecessors=False)] = True
    beyond = ~stays[: hops * n].reshape(hops, n)
    return flow / scale, beyond.sum(axis=0).astype(np.int64)


def _certificate(
    problem: CutProblem, weights: FloatArray | None, arcs: _Arcs, flow: FloatArray
) -> Certificate:
    """Return the flow as multipliers of the rows of the linear program.

    Where a layer has one reader, what flows against the edge belongs to ``no_return``.
    """
    return certificates.make(
        problem, weights, no_return=flow[arcs.backward], spread=flow[arcs.forward]
    )
