"""Compiled moves of the pipeline: prices of single decisions, and moves that keep what is good.

A plan that is nearly good has the right numbers of cuts in nearly the right places. So the moves
that annealing is given exchange the cuts of two tasks, take a task out and put it back elsewhere,
or copy a stretch of another device; new cuts come from the useful ones. Levels go with the cuts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.pipeline.simulation import PipelineData, serve
from optedge.kernels import apply, kernel, overload, price, propose, settle, start

#: Of all moves, the share up to which each kind reaches: a stretch, a cut, an exchange, a task
#: taken out and put back, a level; two cuts at once are the rest.
STRETCH, ONE, EXCHANGE, REINSERT, LEVEL = 0.08, 0.31, 0.59, 0.77, 0.86
ANY = 0.1  # share of new cuts that are drawn from all of them, useful or not


class CodeData(NamedTuple):
    """The arrays of an instance, and what its codes mean."""

    tasks: PipelineData
    seconds: FloatArray  # (n_levels,), s
    mean: bool  # whether the mean delay counts, else the makespan
    released: float  # s, sum of all arrivals
    device: IntArray  # (n_tasks,)
    options: IntArray  # (n_types, n_cuts), the cuts of each type, useful ones first
    useful: IntArray  # (n_types,), how many are
    allowed: IntArray  # (n_types,), how many there are


class Search(NamedTuple):
    """The plan that a search is at, and room to work in."""

    code: IntArray  # (2 * n_tasks,)
    offsets: FloatArray  # (n_tasks,), s
    touched: IntArray  # what the proposed move changes, from entry 1 on; entry 0: how many
    order: IntArray  # empty: there is none
    placed: IntArray  # (n_tasks,)


@kernel
def all_values(data: CodeData, rows: IntArray, values: FloatArray) -> None:
    """Write the objective of each code into ``values``."""
    if not len(rows):
        return
    state = open_state(rows[0])
    for r in range(len(rows)):
        state.code[:] = rows[r]
        values[r], _ = simulate(data, state)


@kernel
def open_state(x: IntArray) -> Search:
    """Return the state of code ``x``."""
    n = x.size // 2
    return Search(
        x.copy(),
        np.empty(n),
        np.zeros(4 * n + 2, np.int64),
        np.zeros(0, np.int64),
        np.empty(n, np.int64),
    )


@kernel
def simulate(data: CodeData, state: Search) -> tuple[float, float]:
    """Return the objective of the plan in the state, and when it ends."""
    code, offsets, seconds = state.code, state.offsets, data.seconds
    n = offsets.size
    for j in range(n):
        offsets[j] = seconds[code[n + j]]
    last, total = serve(data.tasks, code[:n], offsets, state.order, None, state.placed)
    return (total - data.released) / n if data.mean else last, last


@overload(start, CodeData)
def _start(data: CodeData, x: IntArray) -> Search:
    return open_state(x)


@overload(price, CodeData)
def _price(data: CodeData, state: Search, x: IntArray, i: int, k: int) -> float:
    state.code[i] = k
    value, _ = simulate(data, state)
    state.code[i] = x[i]
    return value


@overload(apply, CodeData)
def _apply(data: CodeData, state: Search, x: IntArray, i: int, k: int) -> None:
    x[i] = state.code[i] = k


@overload(settle, CodeData)
def _settle(data: CodeData, state: Search, x: IntArray, taken: bool) -> None:
    code, touched = state.code, state.touched
    for t in range(1, touched[0] + 1):
        i = touched[t]
        if taken:
            x[i] = code[i]
        else:
            code[i] = x[i]
    touched[0] = 0


@overload(propose, CodeData)
def _propose(data: CodeData, state: Search, x: IntArray, rng: np.random.Generator) -> float:
    code, touched, device, first = state.code, state.touched, data.device, data.tasks.first
    n = device.size
    j, u = int(rng.random() * n), rng.random()
    a, b = first[device[j]], first[device[j] + 1]
    if u < STRETCH:
        _copy_stretch(x, code, touched, device, first, j, rng)
    elif ONE <= u < EXCHANGE:
        other = int(rng.random() * n) if rng.random() < 0.3 else a + int(rng.random() * (b - a))
        if rng.random() < 0.5:  # near in time
            c, d = first[device[other]], first[device[other] + 1]
            other = min(d - 1, max(c, c + (j - a) + int(rng.random() * 7) - 3))
        _change(code, touched, j, x[other])
        _change(code, touched, other, x[j])
        _change(code, touched, n + j, x[n + other])
        _change(code, touched, n + other, x[n + j])
    elif EXCHANGE <= u < REINSERT:
        other = a + int(rng.random() * (b - a))
        step = 1 if other > j else -1
        for k in range(j, other, step):
            _change(code, touched, k, x[k + step])
            _change(code, touched, n + k, x[n + k + step])
        _change(code, touched, other, x[j])
        _change(code, touched, n + other, x[n + j])
    elif REINSERT <= u < LEVEL:
        level = int(rng.random() * data.seconds.size)
        if x[n + j] > 0 and rng.random() < 0.6:
            level = 0
        _change(code, touched, n + j, level)
    elif u >= LEVEL:
        other = int(rng.random() * n)
        _change(code, touched, other, _draw_cut(data, other, rng))
    if touched[0] == 0 or u < ONE or u >= LEVEL:
        for _ in range(3):
            _change(code, touched, j, _draw_cut(data, j, rng))
            if touched[0]:
                break
    return simulate(data, state)[0]


@kernel
def _change(code: IntArray, touched: IntArray, i: int, k: int) -> None:
    """Set decision ``i`` of the proposed code to ``k``, and note that."""
    if code[i] != k:
        code[i] = k
        touched[0] += 1
        touched[touched[0]] = i


@kernel
def _draw_cut(data: CodeData, j: int, rng: np.random.Generator) -> int:
    """Return a cut for task ``j``, mostly a useful one."""
    kind = data.tasks.kind[j]
    count = data.allowed[kind] if rng.random() < ANY else data.useful[kind]
    return int(data.options[kind, int(rng.random() * count)])


@kernel
def _copy_stretch(
    x: IntArray,
    code: IntArray,
    touched: IntArray,
    device: IntArray,
    first: IntArray,
    j: int,
    rng: np.random.Generator,
) -> None:
    """Let some tasks from ``j`` on do as those of another device, or as task ``j``."""
    n, b = device.size, first[device[j] + 1]
    end = min(b, j + 2 + int(rng.random() * 7))
    if rng.random() < 0.4:
        for k in range(j + 1, end):
            _change(code, touched, k, x[j])
        return
    e = device[int(rng.random() * n)]
    shift = first[e] - first[device[j]] + int(rng.random() * 5) - 2
    for k in range(j, end):
        other = min(first[e + 1] - 1, max(first[e], k + shift))
        _change(code, touched, k, x[other])
        _change(code, touched, n + k, x[n + other])
