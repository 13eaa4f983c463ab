"""A heap of events in two arrays, their times and their layers, compiled."""

from __future__ import annotations

from optedge.formulations.base import FloatArray, IntArray
from optedge.kernels import kernel


@kernel
def push(times: FloatArray, items: IntArray, count: int, time: float, item: int) -> int:
    """Enter an event into a heap of ``count``; return the new count."""
    k = count
    while k > 0:
        parent = (k - 1) // 2
        if times[parent] <= time:
            break
        times[k], items[k] = times[parent], items[parent]
        k = parent
    times[k], items[k] = time, item
    return count + 1


@kernel
def pop(times: FloatArray, items: IntArray, count: int) -> int:
    """Remove the first event of a heap (read it before); return the new count."""
    count -= 1
    time, item = times[count], items[count]
    k = 0
    while True:
        child = 2 * k + 1
        if child >= count:
            break
        if child + 1 < count and times[child + 1] < times[child]:
            child += 1
        if times[child] >= time:
            break
        times[k], items[k] = times[child], items[child]
        k = child
    times[k], items[k] = time, item
    return count
