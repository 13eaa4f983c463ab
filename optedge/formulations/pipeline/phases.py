"""Policies with phases, drawn at random: where good plans of many tasks are found quickly.

Good plans are simple: for a while most tasks take the same cut, then another one, and the last
ones take cuts that end in time. A policy has one to three phases, by time or by the number of the
task on its device. In a phase the cuts follow a cyclic pattern of up to :data:`CYCLE` entries,
shifted from device to device. A task that would wait for its admission longer than the phase has
patience takes the phase's second cut. A task that would end after the deadline takes the cut of
longest way to the cloud that does not; if there is none it stays on its device.

What a policy sees is an estimate, by which only cuts are chosen: links without a limit, and where
the cloud serves in order of arrival nobody waits there but for the work admitted before. The plan
of the cuts is then simulated as it is.

Source: ``migration.md`` 9.1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.pipeline.moves import CodeData, open_state, simulate
from optedge.kernels import kernel

PHASES, CYCLE = 3, 12
CLOSE = 1e-5  # relative: plans whose ends differ by less are taken for the same


class Policy(NamedTuple):
    """One policy; a number in [0, 1) stands for a useful cut of whatever type a task is."""

    switches: FloatArray  # (PHASES,), when a phase ends: s, or number of the task; rising
    by_time: BoolArray  # (1,), which of them
    pattern: FloatArray  # (PHASES, CYCLE), cuts
    length: IntArray  # (PHASES,), how much of the pattern is used
    second: FloatArray  # (PHASES,), cut of who would wait too long
    patience: FloatArray  # (PHASES,), s
    deadline: FloatArray  # (1,), s


class Pool(NamedTuple):
    """The best plans that were drawn."""

    codes: IntArray  # (n_kept, 2 * n_tasks)
    values: FloatArray  # (n_kept,), inf where there is none yet


def make_pool(n_tasks: int, kept: int) -> Pool:
    """Return a pool without plans."""
    return Pool(np.zeros((kept, 2 * n_tasks), dtype=np.int64), np.full(kept, math.inf))


@kernel
def sample(
    data: CodeData,
    pool: Pool,
    early: float,
    late: float,
    cyclic: bool,
    draws: int,
    rng: np.random.Generator,
) -> float:
    """Draw policies and put the plans of the best into the pool; return the end of the best plan.

    Parameters
    ----------
    data
        The instance.
    pool
        What was found before.
    early, late
        Range of the deadlines, s.
    cyclic
        Whether phases have patterns and may go by the number of the task; else one cut and time.
    draws
        How many policies.
    rng
        Source of chance.
    """
    n = data.device.size
    policy = Policy(
        np.zeros(PHASES),
        np.ones(1, np.bool_),
        np.zeros((PHASES, CYCLE)),
        np.ones(PHASES, np.int64),
        np.zeros(PHASES),
        np.zeros(PHASES),
        np.zeros(1),
    )
    state = open_state(np.zeros(2 * n, np.int64))
    codes, values = pool.codes, pool.values
    best, end = math.inf, math.inf
    for k in range(values.size):
        best = min(best, values[k])
    for _ in range(draws):
        _draw(data, policy, early, late, cyclic, rng)
        _follow(data, policy, state.code[:n])
        value, last = simulate(data, state)
        if value < best:
            best, end = value, last
        worst, new = 0, True
        for k in range(values.size):
            new = new and abs(values[k] - value) > CLOSE * abs(value)
            worst = k if values[k] > values[worst] else worst
        if new and value < values[worst]:
            values[worst] = value
            codes[worst] = state.code
    return end


@kernel
def _draw(
    data: CodeData,
    policy: Policy,
    early: float,
    late: float,
    cyclic: bool,
    rng: np.random.Generator,
) -> None:
    """Draw a policy in place."""
    first = data.tasks.first
    longest = 0
    for e in range(first.size - 1):
        longest = max(longest, first[e + 1] - first[e])
    phases = 1 + int(rng.random() * PHASES)
    policy.by_time[0] = not cyclic or rng.random() < 0.5
    for q in range(PHASES):
        end = rng.random() * (late if policy.by_time[0] else longest)
        policy.switches[q] = end if q < phases - 1 else math.inf
        for k in range(q, 0, -1):  # rising
            if policy.switches[k] < policy.switches[k - 1]:
                larger = policy.switches[k - 1]
                policy.switches[k - 1] = policy.switches[k]
                policy.switches[k] = larger
        policy.length[q] = 1 + int(rng.random() * CYCLE) if cyclic else 1
        main, other, third = rng.random(), rng.random(), rng.random()
        for k in range(policy.length[q]):
            u = rng.random()
            policy.pattern[q, k] = main if k == 0 or u < 0.5 else (other if u < 0.85 else third)
        policy.second[q] = rng.random() if rng.random() < 0.5 else 0.9999999
        policy.patience[q] = rng.random() * 0.06 * late if rng.random() < 0.6 else math.inf
    policy.deadline[0] = early + (late - early) * rng.random()


@kernel
def _follow(data: CodeData, policy: Policy, cuts: IntArray) -> None:
    """Write the cuts that the policy gives, one task after the other: who finishes first."""
    release, kind, first = data.tasks.release, data.tasks.kind, data.tasks.first
    table, overtaking, hold = data.tasks.table, data.tasks.overtaking, data.tasks.hold
    options, useful = data.options, data.useful
    switches, by_time, deadline = policy.switches, policy.by_time[0], policy.deadline[0]
    devices, last_cut = first.size - 1, table.shape[1] - 1
    at, free = first[:-1].copy(), np.zeros(devices)
    slots = np.zeros(data.tasks.capacity)  # when each is free
    slot, previous, server = 0, 0.0, 0.0
    for _ in range(release.size):
        finish, e, cut = math.inf, -1, 0
        for d in range(devices):
            j = at[d]
            if j == first[d + 1]:
                continue
            t, start = kind[j], max(free[d], release[j])
            q, number = 0, j - first[d]
            while (start if by_time else number) >= switches[q]:
                q += 1
            u = policy.pattern[q, (number + d * (policy.length[q] // 2)) % policy.length[q]]
            i = options[t, int(u * useful[t])]
            if i < last_cut:
                leaves = start + table[t, i, 0]
                if max(previous, slots[slot]) - leaves > policy.patience[q]:
                    i = options[t, int(policy.second[q] * useful[t])]
            if i < last_cut:
                ready = max(start + table[t, i, 0], previous, slots[slot]) + table[t, i, 1]
                if max(ready, server) + table[t, i, 2] > deadline:
                    i, longest = last_cut, -1.0
                    for r in range(useful[t]):
                        k = options[t, r]
                        way = table[t, k, 1] + table[t, k, 2]
                        ready = max(start + table[t, k, 0], previous, slots[slot]) + table[t, k, 1]
                        fits = max(ready, server) + table[t, k, 2] <= deadline
                        if k < last_cut and fits and way > longest:
                            i, longest = k, way
            leaves = start + table[t, i, 0]
            if e < 0 or leaves < finish:
                finish, e, cut = leaves, d, i
        j = at[e]
        cuts[j] = cut
        at[e] += 1
        free[e] = finish
        if cut < last_cut:
            previous = max(finish, previous, slots[slot])
            if hold:
                free[e] = previous
            on_link, in_cloud = table[kind[j], cut, 1], table[kind[j], cut, 2]
            if overtaking:
                server = max(server, previous) + in_cloud
                slots[slot] = max(previous + on_link + in_cloud, server)
                for k in range(slots.size):
                    slot = k if slots[k] < slots[slot] else slot
            else:
                server = max(previous + on_link, server) + in_cloud
                slots[slot] = server
                slot = (slot + 1) % slots.size
