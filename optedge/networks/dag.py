"""Directed acyclic graphs of layers: checks, predecessors, cut vertices, monotone assignments.

A graph is a tuple of successor tuples; vertices are numbered in topological order and vertex 0 is
the only source, so that every vertex is reached from it.
"""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

Successors = tuple[tuple[int, ...], ...]


def checked_successors(
    successors: Iterable[Iterable[int]], label: Sequence[str] | None = None
) -> Successors:
    """Return the graph, if it is one that we take.

    Parameters
    ----------
    successors
        For each layer the numbers of the layers that read its output.
    label
        What to call each layer in messages; ``"layer 3"`` by default.

    Raises
    ------
    ValueError
        If a successor does not exist or is named twice, if there is a cycle, if the numbers are
        in no topological order, or if more than one layer has no predecessor.
    """
    try:
        rows = [list(row) for row in successors]
    except TypeError:
        raise ValueError("successors must be a list of lists of layer numbers.") from None
    graph = tuple(tuple(_integer(w, v) for w in row) for v, row in enumerate(rows))
    n = len(graph)
    if n == 0:
        raise ValueError("successors must hold at least one layer.")

    def name(v: int) -> str:
        return f"layer {v} ({label[v]})" if label and label[v] else f"layer {v}"

    for v, row in enumerate(graph):
        for w in row:
            if not 0 <= w < n:
                raise ValueError(f"successors of {name(v)}: there is no layer {w}.")
        if len(set(row)) < len(row):
            raise ValueError(f"successors of {name(v)}: a layer is named twice in {list(row)}.")
    backward = [(v, w) for v, row in enumerate(graph) for w in row if w <= v]
    if backward:
        order = sorted_order(graph)  # refuses a cycle
        v, w = backward[0]
        raise ValueError(
            f"successors: {name(w)} reads {name(v)}, which has a larger number; number the layers "
            f"in topological order, such as {_few(order)}."
        )
    fed = {w for row in graph for w in row}
    sources = [v for v in range(n) if v not in fed]
    if len(sources) > 1:
        raise ValueError(
            f"successors: {' and '.join(name(v) for v in sources[:3])} have no predecessor; a "
            "network has one source, its input."
        )
    return graph


def _integer(w: object, v: int) -> int:
    import operator

    try:
        return operator.index(w)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"successors of layer {v}: {w!r} is no layer number.") from None


def _few(numbers: Sequence[int]) -> str:
    shown = ", ".join(str(k) for k in numbers[:8])
    return shown + (", ..." if len(numbers) > 8 else "")


def sorted_order(successors: Sequence[Sequence[int]] | Mapping[int, Sequence[int]]) -> list[int]:
    """Return the vertices in a topological order, those of small number first where it is open.

    Raises
    ------
    ValueError
        If there is a cycle; the sentence lists it.
    """
    import heapq

    rows = dict(successors) if isinstance(successors, Mapping) else dict(enumerate(successors))
    sorter: graphlib.TopologicalSorter[int] = graphlib.TopologicalSorter({v: () for v in rows})
    for v, row in rows.items():
        for w in row:
            sorter.add(w, v)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        raise ValueError(f"successors: a cycle, {' -> '.join(map(str, error.args[1]))}.") from None
    ready, order = list(sorter.get_ready()), []
    heapq.heapify(ready)
    while ready:
        v = heapq.heappop(ready)
        order.append(v)
        sorter.done(v)
        for w in sorter.get_ready():
            heapq.heappush(ready, w)
    return order


def edge_array(successors: Successors) -> npt.NDArray[np.int64]:
    """Return all edges (v, w), shape ``(n_edges, 2)``, sorted by v."""
    pairs = [(v, w) for v, row in enumerate(successors) for w in row]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def is_chain(successors: Successors) -> bool:
    """Tell whether every vertex but the last has one successor, the next one."""
    return all(row == (v + 1,) for v, row in enumerate(successors[:-1]))


def predecessors(successors: Successors) -> Successors:
    """Return for each vertex those that it reads, in increasing order."""
    rows: list[list[int]] = [[] for _ in successors]
    for v, row in enumerate(successors):
        for w in row:
            rows[w].append(v)
    return tuple(tuple(row) for row in rows)


def cut_vertices(successors: Successors) -> tuple[int, ...]:
    """Return the vertices on every path from the source to the end, the source included.

    Where several vertices have no successor, they feed one end that costs nothing and is not
    counted. O(V + E): in topological order a vertex is one exactly if no edge jumps over it.
    """
    n, furthest, found = len(successors), 0, []
    for v, row in enumerate(successors):
        if furthest <= v:
            found.append(v)
        furthest = max(furthest, *row) if row else n if v < n - 1 else furthest
    return tuple(found)


def monotone_assignments(successors: Successors, n_values: int) -> Iterator[list[int]]:
    """Yield every assignment of 0..n_values-1 that never falls along an edge; vertex 0 gets 0.

    With two values these are the sets closed under successors that a minimum cut chooses from.
    The list that is yielded changes with the next one.
    """
    before = predecessors(successors)
    n = len(successors)
    values = [0] * n
    v = n - 1
    yield values
    while v > 0:
        if values[v] == n_values - 1:
            v -= 1
            continue
        values[v] += 1
        for w in range(v + 1, n):
            values[w] = max(values[u] for u in before[w])
        yield values
        v = n - 1
