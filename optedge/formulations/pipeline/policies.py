"""Policies that look at one task at a time: Single Cutting and Scheduling with Queuing.

Single Cutting gives each task the cut of least latency, as if it were alone. Scheduling with
Queuing looks at the next task of a device again whenever the cloud has got more to do: one that
would wait there may run more layers on its device in the meantime.

Source: Zhang et al., WCMC 2022, algorithms 1 and 2. Departures: the listings contradict the text;
with the base cut v, ``paper`` follows equations (2) and (3), ``running`` the listing, which changes
what it compares with as it goes, and ``finish`` is our own.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.pipeline.simulation import (
    ADMITTED,
    DONE,
    FINISH,
    TIE,
    PipelineData,
    serve,
)
from optedge.kernels import kernel

if TYPE_CHECKING:
    from optedge.formulations.pipeline.problem import PipelinePlan, PipelineProblem

#: Rules that a task which would wait in the cloud chooses its cut by.
RULES = ("paper", "running", "finish")


def single_cutting(problem: PipelineProblem) -> PipelinePlan:
    """Return the plan in which every task has the cut of least latency, alone."""
    return problem.first_finished(problem.shortest[problem.kind])


def queueing(problem: PipelineProblem, rule: str = "paper") -> PipelinePlan:
    r"""Return the plan of Scheduling with Queuing.

    Let task j start at s, the cloud be done with all that it admitted at t, and v be the cut of
    least latency; the task would wait :math:`w_i = t - s - a_i - \tau_i` with cut i. Where
    :math:`w_v > 0` another cut may be taken. Of the next tasks of all devices the one that leaves
    its device first is committed, and the cuts of the others are looked at again.

    Parameters
    ----------
    problem
        The instance.
    rule
        ``"paper"``: of the later cuts with :math:`0 \le w_i < w_v` and
        :math:`w_v - w_i > a_i - a_v` that of least :math:`w_i + a_i`; since the difference of
        waits is that of :math:`a + \tau`, these are the cuts that send for longer, and that which
        sends longest wins. ``"running"``: the same test against the last cut that passed it.
        ``"finish"``: of all cuts the one that is done first. Ties go to the smallest cut.

    Raises
    ------
    ValueError
        If there is no such rule.
    """
    from optedge.formulations.pipeline.problem import PipelinePlan

    if rule not in RULES:
        raise ValueError(f"rule must be one of {RULES}, got {rule!r}.")
    cuts = problem.shortest[problem.kind]
    order = np.empty(problem.n_tasks, dtype=np.int64)
    _queue(problem.arrays, problem.shortest, RULES.index(rule), cuts, order)
    return PipelinePlan(cuts, order)


@kernel
def _queue(data: PipelineData, base: IntArray, rule: int, cuts: IntArray, order: IntArray) -> None:
    """Write the cuts of all tasks and the order of the devices.

    What is committed is served anew for each task: that is quicker than a state handed around.
    """
    out, placed = np.empty((cuts.size, 6)), np.empty(cuts.size, np.int64)
    at, free = data.first[:-1].copy(), np.zeros(data.first.size - 1)
    last, until = data.table.shape[1] - 1, 0.0
    for p in range(cuts.size):
        best, device, cut = math.inf, -1, 0
        for e in range(at.size):
            j = at[e]
            if j == data.first[e + 1]:
                continue
            begin, table = max(free[e], data.release[j]), data.table[data.kind[j]]
            v = base[data.kind[j]]
            if v < last and until - begin - table[v, 0] - table[v, 1] > TIE:
                v = _choose(table, v, until - begin, rule)
            finish = begin + table[v, 0]
            if device < 0 or finish < best - TIE:
                best, device, cut = finish, e, v
        task = at[device]
        cuts[task], order[p] = cut, device
        at[device] += 1
        serve(data, cuts, free, order[: p + 1], out, placed)
        held = data.hold and cut < last
        free[device] = out[task, ADMITTED] if held else out[task, FINISH]
        until = _cloud_end(data, cuts, at, out)


@kernel
def _cloud_end(data: PipelineData, cuts: IntArray, at: IntArray, out: FloatArray) -> float:
    """Return when the cloud is done with what is committed: the tasks of each device before at."""
    end = 0.0
    for e in range(at.size):
        for j in range(data.first[e], at[e]):
            if cuts[j] < data.table.shape[1] - 1:
                end = max(end, out[j, DONE])
    return end


@kernel
def _choose(table: FloatArray, v: int, ahead: float, rule: int) -> int:
    """Return the cut of a task that would wait with cut ``v``.

    ``ahead`` is how long after its start the cloud is done with what it has admitted, ``rule`` an
    index in ``RULES``.
    """
    chosen, least = v, math.inf
    if rule == 2:
        for i in range(table.shape[0]):
            last = i == table.shape[0] - 1
            own = table[i, 0] + table[i, 1]
            done = own if last else max(ahead, own) + table[i, 2]
            if done < least - TIE:
                chosen, least = i, done
        return chosen
    base_wait = ahead - table[v, 0] - table[v, 1]
    wait, spent = base_wait, 0.0  # of the last cut that passed, for the listing
    for i in range(v + 1, table.shape[0]):
        now, more = ahead - table[i, 0] - table[i, 1], table[i, 0] - table[v, 0]
        if rule == 1:
            if now >= -TIE and now < wait - TIE and wait - now > spent + TIE:
                chosen, wait, spent = i, now, more
        elif (
            now >= -TIE
            and now < base_wait - TIE
            and base_wait - now > more + TIE
            and now + table[i, 0] < least - TIE
        ):
            chosen, least = i, now + table[i, 0]
    return chosen
