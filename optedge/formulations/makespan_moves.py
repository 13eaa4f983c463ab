"""Compiled pricing, moves and list rule of the makespan problem.

The state of an assignment ``x`` is an array of shape ``(2, n_servers)``: when each server is done
(its ready time included) and the memory used on it. Prices are exact makespans; where memory is
exceeded a price is finite and larger than any makespan, so that a search finds its way back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.kernels import apply, descend, guide, kernel, overload, price, start

if TYPE_CHECKING:
    from optedge.formulations.makespan import MakespanProblem

SLACK = 1e-9  # relative excess of memory that counts as rounding


class MakespanData(NamedTuple):
    """The arrays of an instance: times are ``inf`` where a pair cannot be used."""

    times: FloatArray  # (n_tasks, n_servers), s
    ready: FloatArray  # (n_servers,), s
    memory: FloatArray  # (n_tasks,), zeros without memory rows
    capacity: FloatArray  # (n_servers,), with SLACK added; empty without memory rows
    charge: float  # s, added to the price where any memory is exceeded
    overrun: float  # s per unit of memory exceeded


def make_data(problem: MakespanProblem) -> MakespanData:
    """Return the arrays of ``problem``, of the same types with and without memory."""
    times = np.where(problem.eligible, problem.times, np.inf)
    memory, capacity, charge, overrun = np.zeros(problem.n_tasks), np.zeros(0), 0.0, 0.0
    if problem.memory is not None and problem.room is not None:
        memory, capacity = problem.memory, problem.room
        longest = np.where(problem.eligible, problem.times, 0).max(axis=1).sum()
        charge = float(2 * (longest + problem.ready.max())) or 1.0
        overrun = charge / float(memory[memory > 0].min(initial=np.inf)) or 1.0
    for array in (times, memory, capacity):  # one type for numba, whatever is given
        array.setflags(write=False)
    return MakespanData(times, problem.ready, memory, capacity, charge, overrun)


@kernel
def costs(data: MakespanData, codes: IntArray) -> FloatArray:
    """Return the makespan of each row of ``codes`` (k, n_tasks); ``inf`` if infeasible."""
    n, m = data.times.shape
    values = np.empty(codes.shape[0])
    load, used = np.empty(m), np.empty(m)
    for row in range(codes.shape[0]):
        load[:] = data.ready
        used[:] = 0.0
        for i in range(n):
            j = codes[row, i]
            load[j] += data.times[i, j]
            used[j] += data.memory[i]
        values[row] = load.max()
        if data.capacity.size:
            for j in range(m):
                if used[j] > data.capacity[j]:
                    values[row] = np.inf
    return values


@overload(start, MakespanData)
def _start(data: MakespanData, x: IntArray) -> FloatArray:
    state = np.zeros((2, data.ready.size))
    for j in range(data.ready.size):
        state[0, j] = data.ready[j]
    for i in range(x.size):
        state[0, x[i]] += data.times[i, x[i]]
        state[1, x[i]] += data.memory[i]
    return state


@overload(price, MakespanData)
def _price(data: MakespanData, state: FloatArray, x: IntArray, i: int, k: int) -> float:
    j = x[i]
    worst = 0.0
    if j == k:  # the cost as it stands: a loop without branches
        for s in range(data.ready.size):
            worst = max(worst, state[0, s])
    else:
        worst = max(state[0, j] - data.times[i, j], state[0, k] + data.times[i, k])
        for s in range(data.ready.size):
            if s != j and s != k and state[0, s] > worst:
                worst = state[0, s]
    if data.capacity.size:
        over = 0.0
        for s in range(data.ready.size):
            used = state[1, s]
            if j != k:
                if s == j:
                    used -= data.memory[i]
                elif s == k:
                    used += data.memory[i]
            over += max(0.0, used - data.capacity[s])
        if over > 0.0:
            worst += data.charge + data.overrun * over
    return float(worst)


@overload(guide, MakespanData)
def _guide(
    data: MakespanData, state: FloatArray, x: IntArray, i: int, k: int, scale: float
) -> float:
    """Change of the sum over servers of (done / scale)^16, and of the memory exceeded."""
    j = x[i]
    if j == k:
        return 0.0
    unit = 1.0 / scale
    left, more = state[0, j] - data.times[i, j], state[0, k] + data.times[i, k]
    change = _power16(left * unit) + _power16(more * unit)
    change -= _power16(state[0, j] * unit) + _power16(state[0, k] * unit)
    if data.capacity.size:
        q = data.memory[i]
        over = max(0.0, state[1, j] - q - data.capacity[j]) - max(
            0.0, state[1, j] - data.capacity[j]
        )
        over += max(0.0, state[1, k] + q - data.capacity[k]) - max(
            0.0, state[1, k] - data.capacity[k]
        )
        change += over * data.overrun / scale
    return float(change)


@kernel
def _power16(value: float) -> float:
    square = value * value
    fourth = square * square
    eighth = fourth * fourth
    return eighth * eighth


@overload(apply, MakespanData)
def _apply(data: MakespanData, state: FloatArray, x: IntArray, i: int, k: int) -> None:
    j = x[i]
    state[0, j] -= data.times[i, j]
    state[0, k] += data.times[i, k]
    state[1, j] -= data.memory[i]
    state[1, k] += data.memory[i]
    x[i] = k


@overload(descend, MakespanData)
def _descend(
    data: MakespanData, state: FloatArray, x: IntArray, choices: BoolArray, limit: int
) -> tuple[int, bool]:
    """Shift or swap tasks of a busiest server until no such move shortens both servers.

    The other server is tried in the order of load, least first; of one pair of servers the best
    shift or swap is taken.
    """
    m = data.ready.size
    load, used = state[0], state[1]
    member, count = _members(x, m)
    tried = np.empty(m, np.bool_)
    priced, looked = 0, 0
    while True:
        k = int(np.argmax(load))
        tried[:] = False
        tried[k] = True
        moved = False
        for _ in range(m - 1):
            j = -1
            for s in range(m):
                if not tried[s] and (j < 0 or load[s] < load[j]):
                    j = s
            tried[j] = True
            # With few servers a task most looks price nothing, and yet take time.
            looked += m + count[k]
            if priced + count[k] * (count[j] + 1) > limit or looked // 8 - m > limit:
                return priced, False
            a, b, tried_here = _best_exchange(data, load, used, member, count, k, j)
            priced += tried_here
            if a >= 0:
                if count[j] == member.shape[1]:
                    member = _wider(member)
                _exchange(data, load, used, x, member, count, k, j, a, b)
                moved = True
                break
        if not moved:
            return priced, True


@kernel
def _members(x: IntArray, m: int) -> tuple[IntArray, IntArray]:
    """Return the tasks of each server, (m, width) with room to spare, and their numbers (m,)."""
    count = np.zeros(m, np.int64)
    for j in x:
        count[j] += 1
    member = np.empty((m, 2 * count.max() + 8), np.int64)
    count[:] = 0
    for i in range(x.size):
        member[x[i], count[x[i]]] = i
        count[x[i]] += 1
    return member, count


@kernel
def _wider(member: IntArray) -> IntArray:
    wide = np.empty((member.shape[0], 2 * member.shape[1]), np.int64)
    for j in range(member.shape[0]):
        for a in range(member.shape[1]):  # an assignment of slices takes seconds to compile
            wide[j, a] = member[j, a]
    return wide


@kernel
def _best_exchange(
    data: MakespanData,
    load: FloatArray,
    used: FloatArray,
    member: IntArray,
    count: IntArray,
    k: int,
    j: int,
) -> tuple[int, int, int]:
    """Return the places of the tasks whose exchange shortens servers ``k`` and ``j`` most.

    The second place is -1 for a shift from ``k`` to ``j``, the first -1 if nothing helps; last,
    the number of exchanges priced.
    """
    best, a_best, b_best, priced = load[k] * (1 - 1e-13), -1, -1, 0
    for a in range(count[k]):
        i = member[k, a]
        if data.times[i, j] == np.inf:
            continue
        priced += count[j] + 1
        rest_k, more_j = load[k] - data.times[i, k], load[j] + data.times[i, j]
        fits = not data.capacity.size or used[j] + data.memory[i] <= data.capacity[j]
        value = max(rest_k, more_j)
        if value < best and fits:
            best, a_best, b_best = value, a, -1
        for b in range(count[j]):
            g = member[j, b]
            value = max(rest_k + data.times[g, k], more_j - data.times[g, j])
            if value < best:
                if data.capacity.size:
                    extra = data.memory[i] - data.memory[g]
                    if used[j] + extra > data.capacity[j] or used[k] - extra > data.capacity[k]:
                        continue
                best, a_best, b_best = value, a, b
    return a_best, b_best, priced


@kernel
def _exchange(
    data: MakespanData,
    load: FloatArray,
    used: FloatArray,
    x: IntArray,
    member: IntArray,
    count: IntArray,
    k: int,
    j: int,
    a: int,
    b: int,
) -> None:
    """Carry out what :func:`_best_exchange` found; every array is brought up to date."""
    i = member[k, a]
    x[i] = j
    load[k] -= data.times[i, k]
    load[j] += data.times[i, j]
    used[k] -= data.memory[i]
    used[j] += data.memory[i]
    if b < 0:
        count[k] -= 1
        member[k, a] = member[k, count[k]]
        member[j, count[j]] = i
        count[j] += 1
        return
    g = member[j, b]
    x[g] = k
    load[j] -= data.times[g, j]
    load[k] += data.times[g, k]
    used[j] -= data.memory[g]
    used[k] += data.memory[g]
    member[k, a], member[j, b] = g, i


@kernel
def earliest_completion(data: MakespanData, order: IntArray) -> IntArray:
    """Place the tasks in ``order`` (n_tasks,), each where it is done first; ties: lowest index.

    Returns the servers ``(n_tasks,)``, -1 for a task whose memory fits nowhere any more.
    """
    n, m = data.times.shape
    load, used = data.ready.copy(), np.zeros(m)
    x = np.full(n, -1, np.int64)
    for i in order:
        best = np.inf
        for j in range(m):
            done = load[j] + data.times[i, j]
            if done < best:
                if data.capacity.size and used[j] + data.memory[i] > data.capacity[j]:
                    continue
                best, x[i] = done, j
        if x[i] >= 0:
            load[x[i]] += data.times[i, x[i]]
            used[x[i]] += data.memory[i]
    return x


def longest_first(problem: MakespanProblem) -> IntArray:
    """Return the assignment of the list rule: largest task first, each to its earliest completion.

    Holds -1 where the memory left is too small for a task.
    """
    return earliest_completion(problem.data, np.argsort(-problem.sizes, kind="stable"))


def longest_first_makespan(problem: MakespanProblem) -> float:
    """Return the makespan of :func:`longest_first`; ``inf`` if memory stops it."""
    x = longest_first(problem)
    return float(problem.costs(x[None])[0]) if (x >= 0).all() else np.inf
