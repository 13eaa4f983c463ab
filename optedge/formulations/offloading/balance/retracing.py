"""Tables of a backward recursion in forward order, in little memory: kept in part, made again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from optedge.formulations.base import FloatArray

Back = Callable[[int, FloatArray], FloatArray]


def ascending(
    start: int, stop: int, last: FloatArray, back: Back, kept: int
) -> Iterator[FloatArray]:
    """Yield the tables from ``start`` up to the one before ``stop``.

    The first comes after the whole recursion: who wants no other can stop there. About ``kept``
    tables are held at a time (at least a few, and more by the logarithm of their number if that is
    very small). Where not all fit, some are held and the gaps between them are made again.

    Parameters
    ----------
    start, stop
        Which tables.
    last
        Table number ``stop``.
    back
        ``back(k, table k + 1)`` returns table k.
    kept
        How many tables fit into memory.
    """
    n = stop - start
    every = 1 if n <= kept else math.ceil(n / max(2, kept // 2))
    held, table = [(stop, last)], last
    for k in range(stop - 1, start - 1, -1):
        table = back(k, table)
        if (k - start) % every == 0:
            held.append((k, table))
    while len(held) > 1:
        k, table = held.pop()
        yield table
        following, after = held[-1]
        if following > k + 1:
            yield from ascending(k + 1, following, after, back, kept - len(held))
