"""The tensors that go around a cut inside a block: what a network with branches sends besides."""

from __future__ import annotations

import numpy as np

from optedge.formulations.base import FloatArray
from optedge.networks.graph import LayerGraph


def residual_bytes(graph: LayerGraph) -> FloatArray:
    """Return the byte that each position sends besides its map, as tensors go around the cut.

    Parameters
    ----------
    graph
        A network with branches. Its positions are those of ``graph.weighted_chain()``.

    Returns
    -------
    ndarray
        Shape ``(N + 1,)``. Layers without weights behind the cut run on the node if they can.
        Layers with weights on other branches (projections) run there or in the cloud, all of
        them, whichever sends less.

    Notes
    -----
    ResNet-34: 0 at the ends of blocks (7, 13), a whole map at 20; at 8 the smaller of the block's
    input and its projection. The paper sends the map only.
    """
    numbered = graph.replace(names=tuple(str(v) for v in range(graph.n_layers)))
    positions = [int(text) for text in numbered.weighted_chain().names]
    weighted = set(np.flatnonzero(graph.parameters > 0).tolist())
    unweighted = set(range(graph.n_layers)) - weighted
    ancestors: list[set[int]] = []  # of each layer, itself included
    for v in range(graph.n_layers):
        ancestors.append({v}.union(*(ancestors[u] for u in graph.predecessors[v])))

    def around(cut: int, movable: set[int]) -> float:
        """Return what goes around the cut if the movable layers that can do so run before it."""
        here = set(ancestors[cut])
        for w in sorted(movable - here):
            if here.issuperset(graph.predecessors[w]):
                here.add(w)
        crossing = (u for u in here if cut not in ancestors[u])
        return float(
            sum(graph.output_bytes[u] for u in crossing if not here.issuperset(graph.successors[u]))
        )

    def beside(cut: int) -> set[int]:
        return unweighted | {v for v in weighted if cut not in ancestors[v]}

    return np.array([min(around(v, unweighted), around(v, beside(v))) for v in positions])
