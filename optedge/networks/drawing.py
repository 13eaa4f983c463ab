"""A picture of a layer graph: from left to right by the longest distance from the input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.networks.graph import LayerGraph

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABELLED = 30  # layers of a graph whose names are still written
TIERS = ("device", "edge", "cloud")


def layout(graph: LayerGraph) -> npt.NDArray[np.float64]:
    """Return a place for each layer, shape ``(n_layers, 2)``.

    x is the number of edges on the longest path from the input; layers of equal x stand apart by
    1, in the order of the mean height of what they read, centred.
    """
    depth = np.zeros(graph.n_layers)
    for v, row in enumerate(graph.successors):
        for w in row:
            depth[w] = max(depth[w], depth[v] + 1)
    height = np.zeros(graph.n_layers)
    for level in range(int(depth.max()) + 1):
        column = np.flatnonzero(depth == level)
        wish = [-np.mean([height[u] for u in graph.predecessors[v]] or [0.0]) for v in column]
        order = column[np.argsort(wish, kind="stable")]
        height[order] = (len(order) - 1) / 2 - np.arange(len(order))
    return np.column_stack([depth, height])


def draw(graph: LayerGraph, tiers: npt.ArrayLike | None = None, ax: Axes | None = None) -> Axes:
    """Draw the layers of a network, coloured by kind or by the tier that runs them.

    Parameters
    ----------
    graph
        The network.
    tiers
        The tier of each layer, ``(n_layers,)``; tensors that cross a hop are drawn heavy. None
        colours the layers by their type.
    ax
        Where to draw; a new figure by default.
    """
    from matplotlib.patches import FancyArrowPatch

    place = layout(graph)
    if ax is None:
        import matplotlib.pyplot as plt

        width = float(np.clip(2 + 0.22 * place[:, 0].max(), 6, 16))
        tall = float(np.clip(1.8 + 0.5 * np.ptp(place[:, 1]), 2.2, 6))
        ax = plt.subplots(figsize=(width, tall), layout="constrained")[1]
    tier = None if tiers is None else np.asarray(tiers)
    if tier is not None and tier.shape != (graph.n_layers,):
        raise ValueError(f"tiers must have shape ({graph.n_layers},), got {tier.shape}.")

    for v, row in enumerate(graph.successors):
        for w in row:
            crosses = tier is not None and tier[v] != tier[w]
            jump = place[w, 0] - place[v, 0]
            bend = 0.0 if jump <= 1 else -0.25 if place[v, 1] >= 0 else 0.25
            ax.add_patch(
                FancyArrowPatch(
                    tuple(place[v]),
                    tuple(place[w]),
                    arrowstyle="-",
                    connectionstyle=f"arc3,rad={bend}",
                    color="C3" if crosses else "0.6",
                    linewidth=2.2 if crosses else 0.8,
                    zorder=2 if crosses else 1,
                )
            )
    groups: dict[Any, list[int]] = {}
    for v in range(graph.n_layers):
        groups.setdefault(graph.types[v] if tier is None else int(tier[v]), []).append(v)
    size = 60 if graph.n_layers <= LABELLED else 26
    for k, key in enumerate(groups if tier is None else sorted(groups)):
        members = groups[key]
        label = (key or "layer") if tier is None else _tier_name(key, int(tier.max()))
        x, y = place[members].T
        ax.scatter(x, y, s=size, color=f"C{k % 10}", label=label, zorder=3)
    if tier is not None and np.ptp(tier) > 0:
        ax.plot([], [], color="C3", linewidth=2.2, label="sent")
    if graph.n_layers <= LABELLED:
        for v, (x, y) in enumerate(place):
            up = y >= 0
            ax.annotate(
                graph.names[v],
                (x, y),
                (0, 7 if up else -7),
                textcoords="offset points",
                fontsize=7,
                rotation=35 if up else -35,
                ha="left",
                va="bottom" if up else "top",
            )
    low, high = place[:, 1].min(), place[:, 1].max()
    ax.set_xlim(-0.8, place[:, 0].max() + 1.2)
    space = 1.6 if graph.n_layers <= LABELLED else 1.0
    ax.set_ylim(low - space, high + space)
    ax.set_yticks([])
    ax.set_xlabel("layers from the input, longest path")
    ax.spines[["left", "right", "top"]].set_visible(False)
    ax.set_title(graph.name)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    return ax


def _tier_name(tier: int, last: int) -> str:
    names = ("device", "cloud") if last <= 1 else TIERS if last == 2 else ()
    return names[tier] if names else f"tier {tier}"
