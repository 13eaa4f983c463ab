"""How many pools of each server are taken when: a step function in time for each, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.classes import Classes
from optedge.kernels import kernel


class Timetable(NamedTuple):
    """How many pools of each server are taken when: a step function in time."""

    times: FloatArray  # (S, .), where it changes
    used: IntArray  # (S, .), from there on
    size: IntArray  # (S,)


@kernel
def idle(c: Classes) -> Timetable:
    """Return the timetable of idle servers, with room for all tasks."""
    n_servers = c.pools.size
    room = 2 * int((c.counts * c.layers).sum()) + 4
    return Timetable(
        np.zeros((n_servers, room)),
        np.zeros((n_servers, room), np.int64),
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
def split(table: Timetable, s: int, time: float) -> int:
    """Return the entry of server ``s`` that begins at ``time``, made if need be."""
    times, used, size = table.times[s], table.used[s], table.size[s]
    i, high = 0, size
    while i < high:  # the first change that is not before
        middle = (i + high) // 2
        if times[middle] < time:
            i = middle + 1
        else:
            high = middle
    if i == size or times[i] != time:
        for k in range(size, i, -1):
            times[k], used[k] = times[k - 1], used[k - 1]
        times[i] = time
        used[i] = used[i - 1] if i > 0 else 0
        table.size[s] += 1
    return i


@kernel
def join(table: Timetable, s: int, i: int) -> None:
    """Remove an entry that changes nothing."""
    times, used = table.times[s], table.used[s]
    if used[i] == (used[i - 1] if i > 0 else 0):
        for k in range(i, table.size[s] - 1):
            times[k], used[k] = times[k + 1], used[k + 1]
        table.size[s] -= 1
