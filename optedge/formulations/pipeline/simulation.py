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
    out: FloatArray | None,
    placed: IntArray,
) -> tuple[float, float]:
    """Simulate a plan; return the latest and the sum of all completions, in seconds.

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
        begin of a plan: its tasks are served to their end, and they alone count.
    out
        Of each task, (n_tasks, 6): START, FINISH on the device, ADMITTED, SENT (start of the
        transmission), SERVED (start in the cloud) and DONE; NaN in the middle three of what never
        leaves its device. None: nothing is written, and the kernel is compiled without that.
    placed
        The devices in the order in which they committed, (n_tasks,).
    """
    # Fields are read once: compiled loops are slow to look into tuples of arrays.
    release, kind, first, table = data.release, data.kind, data.first, data.table
    capacity, link, overtaking, hold = data.capacity, data.link, data.overtaking, data.hold
    n, devices, last_cut = release.size, first.size - 1, table.shape[1] - 1
    ordered = order.size > 0
    at = first[:-1].copy()
    # The next task of each device: when it leaves, and that plus its offset; the end of its link.
    leaves, turn, line = np.zeros(devices), np.full(devices, math.inf), np.zeros(devices)
    ends = np.empty(n)  # completions in the cloud, in the order of service
    # What is on its way to the cloud, from `head` to `tail`: arrival and seconds there, which task.
    arrives, stays, way = np.empty(n), np.empty(n), np.empty(n, np.int64)
    settled, ended, head, tail = 0, 0, 0, 0  # completions that are known, and over
    previous, server, latest, total = 0.0, 0.0, 0.0, 0.0
    for e in range(devices):
        j = at[e]
        if j < first[e + 1]:
            leaves[e] = release[j] + table[kind[j], cuts[j], 0]
            turn[e] = leaves[e] if ordered else leaves[e] + offsets[j]
            if out is not None:
                out[j, START] = release[j]
    count = order.size if ordered else n
    for p in range(count + overtaking):
        more = p < count  # where tasks overtake, what is left in the cloud is served in the end
        admitted = math.inf
        if more:
            e = order[p] if ordered else _first(turn)
            while e < 0 or at[e] == first[e + 1]:  # cuts that a type lacks never end: any device
                e += 1
            placed[p] = e
            j, free = at[e], leaves[e]
            admitted = max(free, previous)
            if out is not None:
                out[j, FINISH] = out[j, DONE] = free
                out[j, ADMITTED] = out[j, SENT] = out[j, SERVED] = np.nan
        if more and cuts[j] == last_cut:
            latest = max(latest, free)
            total += free
        else:
            while overtaking:
                # What arrives by then is served: nobody admitted then overtakes it.
                while head < tail and arrives[head] <= admitted:
                    served = max(arrives[head], server)
                    server = served + stays[head]
                    if out is not None:
                        out[way[head], SERVED], out[way[head], DONE] = served, server
                    ends[settled] = server
                    total += server
                    settled += 1
                    head += 1
                while ended < settled and ends[ended] <= admitted:
                    ended += 1
                if tail - head + settled - ended < capacity:
                    break
                admitted = ends[ended] if ended < settled else arrives[head]
            if not more:
                break
            if not overtaking and settled >= capacity:
                admitted = max(admitted, ends[settled - capacity])
            previous = sent = admitted
            if hold:
                free = admitted
            on_link = table[kind[j], cuts[j], 1]
            if link:
                own = e if link == 1 else 0
                sent = max(admitted, line[own])
                line[own] = sent + on_link
            if out is not None:
                out[j, ADMITTED], out[j, SENT] = admitted, sent
            arrival, in_cloud = sent + on_link, table[kind[j], cuts[j], 2]
            if overtaking:
                place = tail
                while place > head and arrives[place - 1] > arrival:
                    arrives[place], stays[place] = arrives[place - 1], stays[place - 1]
                    if out is not None:
                        way[place] = way[place - 1]
                    place -= 1
                arrives[place], stays[place] = arrival, in_cloud
                if out is not None:
                    way[place] = j
                tail += 1
            else:
                served = max(arrival, server)
                server = served + in_cloud
                if out is not None:
                    out[j, SERVED], out[j, DONE] = served, server
                ends[settled] = server
                total += server
                settled += 1
        at[e] = j = j + 1
        turn[e] = math.inf
        if j < first[e + 1]:
            start = max(free, release[j])
            leaves[e] = start + table[kind[j], cuts[j], 0]
            turn[e] = leaves[e] if ordered else leaves[e] + offsets[j]
            if out is not None:
                out[j, START] = start
    return max(latest, server), total


@kernel
def _first(turn: FloatArray) -> int:
    """Return the device whose turn is the earliest, ties to the lowest; -1 if it never comes."""
    least, chosen = math.inf, -1
    for e in range(turn.size):
        if turn[e] + TIE < least:
            least, chosen = turn[e], e
    return chosen
