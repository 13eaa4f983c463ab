"""The best order of upload by all subsets: exact whatever the savings are, for few layers.

V(S) is the least sum of system delay from the moment on when S is usable: V(all) = 0, and V(S) is
the least of t_j g(S) + V(S + j) over the layers j that are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge import kernels
from optedge.formulations.base import IntArray
from optedge.formulations.upload.evaluation import best_benefit

if TYPE_CHECKING:
    from optedge.formulations.upload.problem import UploadProblem

MEMORY_MB = 200
CHUNK = 1 << 16  # subsets between two looks at the clock: some hundredths of a second
MOST_LAYERS = 24  # 24 * 2^24 sums take seconds, each further layer doubles them


def why_not(problem: UploadProblem, memory_mb: float = MEMORY_MB) -> str | None:
    """Say why the table is not made for an instance; None if it fits."""
    m = problem.layers.size
    needed = 8 * 2.0**m / 1e6
    if m > MOST_LAYERS or needed > memory_mb:
        return (
            f"{m} layers take time to upload: a table of 2^{m} subsets needs {needed:,.1f} MB; at "
            f"most {MOST_LAYERS} layers and {memory_mb:g} MB are allowed."
        )
    return None


class Stopped(Exception):
    """The table was not finished, as asked."""


def best_order(
    problem: UploadProblem,
    memory_mb: float = MEMORY_MB,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[float, IntArray]:
    """Return the least sum of system delay under best use, and the order that has it.

    Parameters
    ----------
    problem
        The instance; at most ``MOST_LAYERS`` layers take time to upload.
    memory_mb
        Memory that the table may take.
    stop
        Asked every ``CHUNK`` subsets whether to give up.

    Raises
    ------
    ValueError
        If the table does not fit; nothing was reserved then.
    Stopped
        If ``stop`` said so.
    """
    if reason := why_not(problem, memory_mb):
        raise ValueError(reason)
    data = (
        problem.values,
        problem.savings,
        problem.seconds,
        problem.base_delay,
        problem.is_free,
        problem.layers,
    )
    table = np.empty(1 << problem.layers.size)
    table[-1] = 0.0
    for end in range(table.size - 1, 0, -CHUNK):
        if stop():
            raise Stopped
        _fill(*data, table, max(0, end - CHUNK), end)
    order = np.empty(problem.layers.size, dtype=np.int64)
    _read(*data, table, order)
    return float(table[0]), order


@kernels.kernel
def _fill(
    values: Any,
    savings: Any,
    seconds: Any,
    base: float,
    free: Any,
    layers: Any,
    table: Any,
    first: int,
    end: int,
) -> None:
    """Fill subsets ``first`` to ``end - 1`` of the table; those from ``end`` on stand."""
    m = layers.size
    usable = free.copy()
    for subset in range(end - 1, first - 1, -1):
        for i in range(m):
            usable[layers[i]] = (subset >> i) & 1 == 1
        delay = base - best_benefit(values, savings, usable)
        least = np.inf
        for i in range(m):
            if not usable[layers[i]]:
                least = min(least, seconds[layers[i]] * delay + table[subset | (1 << i)])
        table[subset] = least


@kernels.kernel
def _read(
    values: Any,
    savings: Any,
    seconds: Any,
    base: float,
    free: Any,
    layers: Any,
    table: Any,
    order: Any,
) -> None:
    """Write the best order: the same sums again, one of them is equal."""
    m, subset = layers.size, 0
    usable = free.copy()
    for place in range(m):
        for i in range(m):
            usable[layers[i]] = (subset >> i) & 1 == 1
        delay = base - best_benefit(values, savings, usable)
        for i in range(m):
            after = table[subset | (1 << i)]
            if not usable[layers[i]] and seconds[layers[i]] * delay + after == table[subset]:
                order[place] = layers[i]
                subset |= 1 << i
                break
