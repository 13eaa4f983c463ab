"""Tasks as chains of blocks between cut vertices, and the seconds of each block."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray
from optedge.networks import dag

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem

END = -1  # the end of a task, after all its layers
MOST_COMBINATIONS = 4096  # servers of the layers with several readers that are tried in one branch


class Branch(NamedTuple):
    """Layers of a block that hang together."""

    layers: tuple[int, ...]  # in topological order
    shared: tuple[int, ...]  # those with several readers whose servers are enumerated
    exact: bool  # whether these are all of them


class Block(NamedTuple):
    """What lies between one cut vertex and the next."""

    start: int
    stop: int  # END after the last one
    direct: bool  # whether stop reads start itself
    branches: tuple[Branch, ...]


class Group(NamedTuple):
    """Tasks that are alike, release aside; the blocks are those of the first one."""

    members: tuple[int, ...]
    blocks: tuple[Block, ...]


def groups(problem: OffloadingProblem) -> list[Group]:
    """Return the groups of tasks with the same graph, numbers and client."""
    found: dict[tuple[object, ...], list[int]] = {}
    for i, (a, size) in enumerate(zip(problem.first, problem.sizes, strict=True)):
        rows = tuple(tuple(w - a for w in row) for row in problem.successors[a : a + size])
        numbers = (problem.work_gcycles[a : a + size], problem.outputs_mb[a : a + size])
        data = tuple(x.tobytes() for x in numbers)
        key = (rows, *data, float(problem.inputs_mb[i]), int(problem.clients[i]))
        found.setdefault(key, []).append(i)
    return [Group(tuple(same), _blocks(problem, same[0])) for same in found.values()]


def _blocks(problem: OffloadingProblem, i: int) -> tuple[Block, ...]:
    """Return the blocks of task ``i``, the last of which goes to its end."""
    a, size = int(problem.first[i]), int(problem.sizes[i])
    rows = tuple(tuple(w - a for w in row) for row in problem.successors[a : a + size])
    cuts = [a + v for v in dag.cut_vertices(rows)]
    blocks = []
    for start, stop in itertools.pairwise([*cuts, a + size]):
        inside = range(start + 1, stop)
        last = stop == a + size
        direct = not problem.successors[start] if last else stop in problem.successors[start]
        branches = tuple(_branch(problem, layers) for layers in _components(problem, inside))
        blocks.append(Block(start, END if last else stop, direct, branches))
    return tuple(blocks)


def _components(problem: OffloadingProblem, inside: range) -> list[tuple[int, ...]]:
    """Return the connected components of the layers inside a block."""
    label = {v: v for v in inside}
    for v in inside:
        for w in problem.successors[v]:
            if w in label and label[w] != label[v]:
                old, new = label[w], label[v]
                label.update({u: new for u, name in label.items() if name == old})
    return [tuple(v for v in inside if label[v] == name) for name in sorted(set(label.values()))]


def _branch(problem: OffloadingProblem, layers: tuple[int, ...]) -> Branch:
    several = [v for v in layers if len(problem.successors[v]) > 1]
    shared: list[int] = []
    combinations = 1
    for v in several:
        combinations *= int(problem.allowed[v].sum())
        if combinations > MOST_COMBINATIONS:
            break
        shared.append(v)
    return Branch(layers, tuple(shared), len(shared) == len(several))


# ------------------------------------------------------------------ seconds of steps


def sending(problem: OffloadingProblem, v: int, stop: int | None = None) -> FloatArray:
    """Return the seconds from the end of layer ``v`` on a until its output is on b, (a, b).

    For ``stop=END`` there is one column: the way to the client if results return, else 0.
    """
    if stop == END and not problem.return_result:
        return np.zeros((problem.n_servers, 1))
    seconds = travel(float(problem.outputs_mb[v]), problem.seconds_per_mb)
    return seconds[:, [problem.clients[problem.tasks[v]]]] if stop == END else seconds


def travel(size_mb: float, pace: FloatArray) -> FloatArray:
    """Return ``size_mb * pace``, ``inf`` where nothing gets through, whatever the size."""
    reached = np.isfinite(pace)
    return np.asarray(np.where(reached, size_mb * np.where(reached, pace, 0.0), np.inf))


def executing(problem: OffloadingProblem, v: int) -> FloatArray:
    """Return the seconds of layer ``v`` on each server; ``inf`` where it may not run."""
    return np.asarray(np.where(problem.allowed[v], problem.seconds[v], np.inf))


def entering(problem: OffloadingProblem, i: int) -> FloatArray:
    """Return the seconds until the first layer of task ``i`` has run on each server."""
    sent = travel(float(problem.inputs_mb[i]), problem.seconds_per_mb[problem.clients[i]])
    return np.asarray(sent + executing(problem, int(problem.first[i])))


def least(ends: FloatArray, step: FloatArray) -> FloatArray:
    """Return the least of ``ends[..., a] + step[a, b]`` over a."""
    return np.asarray((ends[..., :, None] + step).min(axis=-2))


def block_seconds(problem: OffloadingProblem, block: Block) -> FloatArray:
    """Return D(a, b): from the end of ``start`` on a to the end of ``stop`` on b."""
    start, stop = block.start, block.stop
    width = 1 if stop == END else problem.n_servers
    arrival = np.full((problem.n_servers, width), -np.inf)
    if block.direct:
        arrival = sending(problem, start, stop)
    for branch in block.branches:
        best = np.full_like(arrival, np.inf)
        for fixed in combinations(problem, branch):
            ends = ends_of(problem, block, branch, fixed)
            best = np.minimum(best, leaving(problem, branch, ends, stop))
        arrival = np.maximum(arrival, best)
    return arrival if stop == END else np.asarray(arrival + executing(problem, stop))


def combinations(problem: OffloadingProblem, branch: Branch) -> Iterator[dict[int, int]]:
    """Yield the servers of the shared layers of a branch."""
    servers = [np.flatnonzero(problem.allowed[v]).tolist() for v in branch.shared]
    for chosen in itertools.product(*servers):
        yield dict(zip(branch.shared, chosen, strict=True))


def ends_of(
    problem: OffloadingProblem, block: Block, branch: Branch, fixed: Mapping[int, int]
) -> dict[int, FloatArray]:
    """Return the least seconds from the end of ``start`` on a to that of each layer on b."""
    ends: dict[int, FloatArray] = {}
    for v in branch.layers:
        arrival = np.full((problem.n_servers, problem.n_servers), -np.inf)
        for u in problem.predecessors[v]:
            step = sending(problem, u)
            arrival = np.maximum(arrival, step if u == block.start else least(ends[u], step))
        ends[v] = arrival + executing(problem, v)
        if v in fixed:
            ends[v][:, np.arange(problem.n_servers) != fixed[v]] = np.inf
    return ends


def leaving(
    problem: OffloadingProblem, branch: Branch, ends: Mapping[int, FloatArray], stop: int
) -> FloatArray:
    """Return the seconds until all that a branch hands over has arrived."""
    last = [v for v in branch.layers if (stop in problem.successors[v]) or _is_end(problem, v)]
    steps = [least(ends[v], sending(problem, v, stop)) for v in last]
    return np.asarray(np.max(steps, axis=0))


def _is_end(problem: OffloadingProblem, v: int) -> bool:
    return not problem.successors[v]
