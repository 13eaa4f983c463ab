r"""Schedules annealed towards a deadline T over pairs of small reduced cost.

With weights :math:`w_j` of the machines (mean 1, from a linear or Lagrangian relaxation) the
reduced cost of a pair is :math:`r_{ij} = w_j p_{ij} - \min_k w_k p_{ik}`, and the energy of a
schedule x is

.. math:: \sum_j \max(0, L_j - T) + \lambda \sum_i r_{i, x_i}.

The first sum alone is flat as soon as a machine keeps within T; the second makes room everywhere,
which later moves use up. A step moves a random task to one of its few machines of least reduced
cost, or exchanges it for a random task there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.kernels import kernel

if TYPE_CHECKING:
    from optedge.formulations.deadlines.instance import Tasks

EXCHANGES = 0.7  # share of the steps that exchange two tasks, where there is one to exchange


class Pull(NamedTuple):
    """Where tasks are drawn to."""

    cost: FloatArray  # (n, m), reduced costs in units of time; inf where a pair is not allowed
    near: IntArray  # (n, width), the machines of each task by cost, least first
    width: IntArray  # (n,), how many of them may be used


class Members(NamedTuple):
    """The tasks of each machine, to be drawn from."""

    task: IntArray  # (m, n)
    size: IntArray  # (m,)
    place: IntArray  # (n,), column of each task in the row of its machine


def make_pull(tasks: Tasks, allowed: BoolArray, weights: FloatArray, width: int) -> Pull:
    """Return the reduced costs, and the ``width`` machines of least cost of each task.

    Parameters
    ----------
    tasks
        The instance.
    allowed
        The pairs that may be used ``(n, m)``, at least one a task.
    weights
        Of the machines ``(m,)``, from 0; their scale does not matter. All 0 count as equal.
    width
        From 1; how many machines a task may move to.
    """
    most = weights.max()
    share = np.maximum(weights, 1e-9 * most) if most > 0 else np.ones_like(weights)
    cost = np.where(allowed, tasks.times * (share / share.mean()), np.inf)
    cost -= cost.min(axis=1, keepdims=True)
    near = np.argsort(cost, axis=1, kind="stable")[:, :width]
    count = np.isfinite(np.take_along_axis(cost, near, axis=1)).sum(axis=1)
    return Pull(cost, np.ascontiguousarray(near), count.astype(np.int64))


@kernel
def cool(
    tasks: Tasks,
    pull: Pull,
    machine: IntArray,
    best: IntArray,
    deadline: int,
    steps: int,
    hot: float,
    cold: float,
    strength: float,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """Anneal a schedule in place until it meets the deadline or the steps are made.

    Parameters
    ----------
    tasks, pull
        The instance, and where its tasks are drawn to.
    machine
        The schedule ``(n,)``, on allowed pairs; it moves.
    best
        Gets the schedule of least makespan that was seen ``(n,)``, the first one included.
    deadline
        T; the ready loads count.
    steps
        At most so many moves are tried.
    hot, cold
        Temperatures at the start and at the end, in units of time, above 0.
    strength
        The factor of the reduced costs.
    rng
        Source of the moves.

    Returns
    -------
    tuple
        The makespan of ``best``, and the moves tried.
    """
    n = machine.size
    members, loads = _members(tasks, machine)
    value = loads.max()
    high = (loads >= value).sum()  # machines that keep the makespan from being a better one
    best[:] = machine
    heat, falls = hot, (cold / hot) ** (1.0 / max(1, steps))
    for step in range(steps):
        if value <= deadline:
            return value, step
        heat *= falls
        i = int(rng.random() * n)
        k, j = machine[i], pull.near[i, int(rng.random() * pull.width[i])]
        if j == k:
            continue
        done_k, done_j = loads[k] - tasks.times[i, k], loads[j] + tasks.times[i, j]
        change = pull.cost[i, j] - pull.cost[i, k]
        g = -1
        if members.size[j] > 0 and rng.random() < EXCHANGES:
            g = members.task[j, int(rng.random() * members.size[j])]
            if pull.cost[g, k] == np.inf:
                continue
            done_k += tasks.times[g, k]
            done_j -= tasks.times[g, j]
            change += pull.cost[g, k] - pull.cost[g, j]
        change *= strength
        change += max(0, done_k - deadline) + max(0, done_j - deadline)
        change -= max(0, loads[k] - deadline) + max(0, loads[j] - deadline)
        if change > 0 and rng.random() >= np.exp(-change / heat):
            continue
        _move(members, machine, i, j)
        if g >= 0:
            _move(members, machine, g, k)
        high += (done_k >= value) + (done_j >= value) - (loads[k] >= value) - (loads[j] >= value)
        loads[k], loads[j] = done_k, done_j
        if high == 0:
            value = loads.max()
            high = (loads >= value).sum()
            best[:] = machine
    return value, steps


@kernel
def _members(tasks: Tasks, machine: IntArray) -> tuple[Members, IntArray]:
    """Return the tasks of each machine, and when it is done with them."""
    n, m = tasks.times.shape
    members = Members(np.empty((m, n), np.int64), np.zeros(m, np.int64), np.empty(n, np.int64))
    loads = tasks.ready.copy()
    for i in range(n):
        j = machine[i]
        loads[j] += tasks.times[i, j]
        members.task[j, members.size[j]] = i
        members.place[i] = members.size[j]
        members.size[j] += 1
    return members, loads


@kernel
def _move(members: Members, machine: IntArray, i: int, j: int) -> None:
    """Give task ``i`` to machine ``j``."""
    k = machine[i]
    members.size[k] -= 1
    last = members.task[k, members.size[k]]
    members.task[k, members.place[i]] = last
    members.place[last] = members.place[i]
    members.task[j, members.size[j]] = i
    members.place[i] = members.size[j]
    members.size[j] += 1
    machine[i] = j
