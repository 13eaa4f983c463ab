"""How many pools of each server are taken when: a step function in time for each, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.kernels import kernel


class Timetable(NamedTuple):
    """How many pools of each server are taken when: a step function in time."""

    times: FloatArray  # (S, .), where it changes
    used: IntArray  # (S, .), from there on
    size: IntArray  # (S,)


@kernel
def blank(n_servers: int, layers: int) -> Timetable:
    """Return the timetable of idle servers, with room for so many layers on each."""
    room = 2 * layers + 4
    return Timetable(
        np.empty((n_servers, room)),
        np.empty((n_servers, room), np.int64),
        np.zeros(n_servers, np.int64),
    )


@kernel
def first_fit(
    times: FloatArray, used: IntArray, size: int, pool: float, arrival: float, seconds: float
) -> float:
    """Return the earliest start from ``arrival`` on that finds a pool free for so many seconds."""
    i, high = 0, size
    while i < high:  # the first change after the arrival
        middle = (i + high) // 2
        if times[middle] <= arrival:
            i = middle + 1
        else:
            high = middle
    i -= 1
    start = arrival
    while True:
        while i >= 0 and used[i] >= pool:  # the last entry is always 0
            i += 1
            start = times[i]
        end = start + seconds
        i += 1
        while i < size and times[i] < end and used[i] < pool:
            i += 1
        if i >= size or times[i] >= end:
            return start


@kernel
def occupy(
    times: FloatArray, used: IntArray, size: int, start: float, end: float, change: int
) -> int:
    """Take a pool of a server from ``start`` to ``end`` (``change`` 1) or give it back (-1).

    In the row of the server, in one pass; an entry that changes nothing is left out. Returns the
    new size of the row.
    """
    if end <= start:  # so short beside the hour that a float does not show it
        return size
    i, high = 0, size
    while i < high:  # the first change that is not before the start
        middle = (i + high) // 2
        if times[middle] < start:
            i = middle + 1
        else:
            high = middle
    j = i  # the first that is not before the end
    while j < size and times[j] < end:
        j += 1
    before = used[i - 1] if i > 0 else 0
    last = used[j - 1] if j > 0 else 0
    a, head = i, 1  # a change at the start is new, stays, or vanishes; so at the end
    if i < size and times[i] == start:
        head = 0 if used[i] + change != before else -1
        a = i if head == 0 else i + 1
    b, tail = j, 1
    if j < size and times[j] == end:
        tail = 0 if used[j] != last + change else -1
        b = j if tail == 0 else j + 1
    if head + tail > 0:
        for k in range(size - 1, b - 1, -1):
            times[k + head + tail], used[k + head + tail] = times[k], used[k]
    if head == 1:
        for k in range(j - 1, a - 1, -1):
            times[k + 1], used[k + 1] = times[k], used[k] + change
        times[i], used[i] = start, before + change
    else:
        for k in range(a, j):
            times[k + head], used[k + head] = times[k], used[k] + change
    if head + tail < 0:
        for k in range(b, size):
            times[k + head + tail], used[k + head + tail] = times[k], used[k]
    if tail == 1:
        times[j + head], used[j + head] = end, last
    return size + head + tail
