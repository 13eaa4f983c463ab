"""Compiled pricing of codes: the tier that each layer wishes.

A code gives each layer the tier that it wishes to be on at least; decoding puts a layer on that
tier or on the farthest of those that it reads. So every code is a plan, and one change moves the
cut through the whole graph. The state of a search is room to work in, shape ``(2, n_layers)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.kernels import apply, kernel, overload, price, start

if TYPE_CHECKING:
    from optedge.formulations.cut.problem import CutProblem


class CutData(NamedTuple):
    """The arrays of an instance; a send without a link costs more than any plan."""

    times: FloatArray  # (n_tiers, n_layers), s
    sends: FloatArray  # (n_tiers - 1, n_layers), s
    first: IntArray  # (n_layers + 1,), where the predecessors of each layer begin
    before: IntArray  # (n_edges,), predecessors
    slowest: bool  # whether the slowest stage counts


def make_data(problem: CutProblem) -> CutData:
    """Return the arrays of ``problem``."""
    finite = np.isfinite(problem.sends)
    charge = 2 * float(problem.times.sum() + problem.sends[finite].sum()) or 1.0
    sends = np.where(finite, problem.sends, charge)
    order = np.lexsort((problem.edges[:, 0], problem.edges[:, 1]))
    counts = np.bincount(problem.edges[:, 1], minlength=problem.n_layers)
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    before = np.ascontiguousarray(problem.edges[order, 0])
    for array in (sends, first, before):
        array.setflags(write=False)
    return CutData(problem.times, sends, first, before, problem.goal == "throughput")


def decode(problem: CutProblem, codes: IntArray) -> IntArray:
    """Return the tiers of each row of ``codes`` (k, n_layers)."""
    plans = np.array(codes, dtype=np.int64)
    for v, w in problem.edges[np.argsort(problem.edges[:, 1], kind="stable")].tolist():
        np.maximum(plans[:, w], plans[:, v], out=plans[:, w])
    return plans


@kernel
def _value(data: CutData, state: IntArray, x: IntArray, i: int, k: int) -> float:
    """Return the value of code ``x`` with decision ``i`` changed to ``k``."""
    tiers, n = data.times.shape
    tier, reach = state[0], state[1]
    for v in range(n):
        t = k if v == i else x[v]
        for e in range(data.first[v], data.first[v + 1]):
            t = max(t, tier[data.before[e]])
        tier[v] = t
        reach[v] = t
        for e in range(data.first[v], data.first[v + 1]):
            reach[data.before[e]] = max(reach[data.before[e]], t)
    stages = np.zeros(2 * tiers - 1)
    for v in range(n):
        stages[tier[v]] += data.times[tier[v], v]
        for hop in range(tier[v], reach[v]):
            stages[tiers + hop] += data.sends[hop, v]
    return float(stages.max() if data.slowest else stages.sum())


@overload(start, CutData)
def _start(data: CutData, x: IntArray) -> IntArray:
    return np.zeros((2, x.size), dtype=np.int64)


@overload(price, CutData)
def _price(data: CutData, state: IntArray, x: IntArray, i: int, k: int) -> float:
    return _value(data, state, x, i, k)


@overload(apply, CutData)
def _apply(data: CutData, state: IntArray, x: IntArray, i: int, k: int) -> None:
    x[i] = k
