"""The compiled simulator: devices, links, a queue with slots, one cloud server.

Tasks are committed one at a time: of the next tasks of all devices the one that leaves its device
first, or as an order says. From its admission to its completion in the cloud a task holds a slot.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.kernels import kernel

if TYPE_CHECKING:
    from optedge.formulations.pipeline.problem import PipelineProblem

LINKS = ("delay", "device", "shared")
TIE = 1e-12  # seconds that two devices may differ by and count as finished together

#: Columns of what :func:`serve` writes about a task.
START, FINISH, ADMITTED, SENT, SERVED, DONE = range(6)


class PipelineData(NamedTuple):
    """The arrays of an instance; tasks are numbered device by device, in order of arrival."""

    release: FloatArray  # (n_tasks,), s
    kind: IntArray  # (n_tasks,), row of the table
    first: IntArray  # (n_devices + 1,), first task of each device
    table: FloatArray  # (n_types, n_cuts, 3), s on the device, on the link, in the cloud
    capacity: int  # slots
    link: int  # index in LINKS
    overtaking: bool  # whether the cloud serves in order of arrival there
    hold: bool  # whether a task that waits for a slot keeps its device


def make_data(problem: PipelineProblem) -> PipelineData:
    """Return the arrays of ``problem``."""
    n = problem.n_tasks
    return PipelineData(
        problem.release,
        problem.kind,
        problem.first,
        problem.chains,
        int(min(problem.capacity, n)),
        LINKS.index(problem.link),
        problem.service == "arrival",
        problem.hold,
    )


@kernel
def serve(
    data: PipelineData,
    cuts: IntArray,
    offsets: FloatArray,
    order: IntArray,
    out: FloatArray,
    placed: IntArray,
) -> None:
    """Write the times of every task of a plan into ``out`` (n_tasks, 6).

    Parameters
    ----------
    data
        The instance.
    cuts
        Cut of each task, (n_tasks,).
    offsets
        Seconds added to the time at which a task leaves its device, (n_tasks,): the least sum is
        committed first, ties to the lowest device. Not used if there is an order.
    order
        The device that commits, one after the other, (n_tasks,); empty for none. Fewer are the
        begin of a plan: the times of its tasks, served to their end, are written.
    out
        START, FINISH on the device, ADMITTED, SENT (start of the transmission), SERVED (start in
        the cloud) and DONE; NaN in the middle three of what never leaves its device.
    placed
        The devices in the order in which they committed, (n_tasks,).
    """
    devices = data.first.size - 1
    last_cut = data.table.shape[1] - 1
    at = data.first[:-1].copy()
    free, line = np.zeros(devices), np.zeros(devices)
    ends = np.zeros(data.release.size)  # completions in the cloud, in the order of service
    waiting = np.empty(data.release.size, np.int64)  # admitted, place in the service still open
    settled, waits, previous, server = 0, 0, 0.0, 0.0
    for p in range(order.size if order.size else data.release.size):
        e = order[p] if order.size else _next_device(data, at, free, cuts, offsets)
        placed[p] = e
        j = at[e]
        at[e] += 1
        seconds = data.table[data.kind[j], cuts[j]]
        out[j, START] = max(free[e], data.release[j])
        finish = out[j, START] + seconds[0]
        out[j, FINISH], free[e] = finish, finish
        if cuts[j] == last_cut:
            out[j, ADMITTED] = out[j, SENT] = out[j, SERVED] = np.nan
            out[j, DONE] = finish
            continue
        admitted = max(finish, previous)
        if data.overtaking:
            settled, waits, server = _settle(
                data, cuts, out, waiting, ends, settled, waits, server, admitted
            )
            while True:  # until a slot is free
                held = waits
                k = settled - 1
                while k >= 0 and ends[k] > admitted:
                    held += 1
                    k -= 1
                if held < data.capacity:
                    break
                if k + 1 == settled:  # nobody else comes before the next completion
                    settled, waits, server = _serve_one(
                        data, cuts, out, waiting, ends, settled, waits, server
                    )
                admitted = max(admitted, ends[k + 1])
                settled, waits, server = _settle(
                    data, cuts, out, waiting, ends, settled, waits, server, admitted
                )
        elif settled >= data.capacity:
            admitted = max(admitted, ends[settled - data.capacity])
        previous = admitted
        out[j, ADMITTED] = admitted
        if data.hold:
            free[e] = admitted
        sent = admitted
        if data.link:
            own = e if data.link == 1 else 0
            sent = max(admitted, line[own])
            line[own] = sent + seconds[1]
        out[j, SENT] = sent
        if data.overtaking:
            waiting[waits] = j
            waits += 1
        else:
            out[j, SERVED] = max(sent + seconds[1], server)
            server = out[j, SERVED] + seconds[2]
            out[j, DONE] = server
            ends[settled] = server
            settled += 1
    _settle(data, cuts, out, waiting, ends, settled, waits, server, math.inf)


@kernel
def _next_device(
    data: PipelineData, at: IntArray, free: FloatArray, cuts: IntArray, offsets: FloatArray
) -> int:
    """Return the device whose next task has the least finish plus offset, ties to the lowest."""
    best, chosen = math.inf, -1
    for e in range(at.size):
        j = at[e]
        if j < data.first[e + 1]:
            value = max(free[e], data.release[j])
            value += data.table[data.kind[j], cuts[j], 0] + offsets[j]
            if chosen < 0 or value < best - TIE:
                best, chosen = value, e
    return chosen


@kernel
def _settle(
    data: PipelineData,
    cuts: IntArray,
    out: FloatArray,
    waiting: IntArray,
    ends: FloatArray,
    settled: int,
    waits: int,
    server: float,
    until: float,
) -> tuple[int, int, float]:
    """Serve what arrives in the cloud by ``until``: nobody admitted then overtakes it."""
    while waits:
        first = _earliest(data, cuts, out, waiting, waits)
        j = waiting[first]
        if out[j, SENT] + data.table[data.kind[j], cuts[j], 1] > until:
            break
        settled, waits, server = _serve_one(data, cuts, out, waiting, ends, settled, waits, server)
    return settled, waits, server


@kernel
def _earliest(
    data: PipelineData, cuts: IntArray, out: FloatArray, waiting: IntArray, waits: int
) -> int:
    """Return the place of what arrives first, ties to what was admitted first."""
    first, best = 0, math.inf
    for k in range(waits):
        j = waiting[k]
        arrives = out[j, SENT] + data.table[data.kind[j], cuts[j], 1]
        if arrives < best:
            first, best = k, arrives
    return first


@kernel
def _serve_one(
    data: PipelineData,
    cuts: IntArray,
    out: FloatArray,
    waiting: IntArray,
    ends: FloatArray,
    settled: int,
    waits: int,
    server: float,
) -> tuple[int, int, float]:
    """Let the cloud serve what arrives first."""
    first = _earliest(data, cuts, out, waiting, waits)
    j = waiting[first]
    seconds = data.table[data.kind[j], cuts[j]]
    out[j, SERVED] = max(out[j, SENT] + seconds[1], server)
    server = out[j, SERVED] + seconds[2]
    out[j, DONE] = server
    ends[settled] = server
    for k in range(first, waits - 1):
        waiting[k] = waiting[k + 1]
    return settled + 1, waits - 1, server
