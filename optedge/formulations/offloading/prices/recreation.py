"""The search for planned schedules: built along priced paths, then ruined and recreated.

Prices on server time propose server paths. A schedule is built task by task: of some proposed paths
each takes the one with the least completion plus priced work, where it fits in now, so that it
leaves alone what others need more. Then a few tasks at a time are taken out and put back, freely,
along their own path with a free window, along a proposed path, or along the best of some, with
annealing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.prices.classes import Classes
from optedge.formulations.offloading.prices.insertion import Plan, all_options, book, idle, insert
from optedge.formulations.offloading.simulation.timetable import Timetable
from optedge.kernels import kernel

FREE, WINDOW = 0.25, 0.40  # of the insertions go anywhere; from there up to here: a free window
FEW, MANY = 3, 8  # tasks that a move takes out at most (half of all at most), as a rule and
LARGE = 20  # every so many moves
LIGHT, HEAVY = 0.8, 1.05  # how much of its price work counts


class Guide(NamedTuple):
    """Server paths that prices propose, for each class of them, and the prices."""

    of_task: IntArray  # (n_tasks,), the class of each task there
    home: IntArray  # (K,), the client that stands in for the task's own
    seen: IntArray  # (K, ., J)
    n_seen: IntArray  # (K,)
    paid: FloatArray  # (S, B + 1), price of working from 0 to the end of each bucket
    width: float  # s, of a bucket


def no_guide(c: Classes) -> Guide:
    """Return a guide that proposes nothing."""
    n_classes, layers, n_servers = c.seconds.shape
    none = np.zeros((n_classes, 1, layers), np.int64)
    counts = np.zeros(n_classes, np.int64)
    return Guide(c.of_task, c.home, none, counts, np.zeros((n_servers, 2)), 1.0)


@kernel
def _work_price(guide: Guide, s: int, time: float) -> float:
    """Return the price of working on server ``s`` from 0 to ``time``."""
    last = guide.paid.shape[1] - 1
    x = time / guide.width
    b = int(x)
    if b >= last:
        return float(guide.paid[s, last])
    return float(guide.paid[s, b] + (guide.paid[s, b + 1] - guide.paid[s, b]) * (x - b))


@kernel
def _take_path(
    c: Classes, guide: Guide, task: int, pick: float, options: IntArray, counts: IntArray
) -> None:
    """Let a task go along one of the proposed paths, the one at ``pick`` in [0, 1)."""
    k, m = c.of_task[task], guide.of_task[task]
    path = guide.seen[m, int(pick * min(guide.n_seen[m], guide.seen.shape[1]))]
    for j in range(c.layers[k]):
        options[j, 0] = c.home[k] if path[j] == guide.home[m] else path[j]
        counts[j] = 1


@kernel
def insert_best(
    c: Classes,
    plan: Plan,
    table: Timetable,
    guide: Guide,
    task: int,
    tries: int,
    weight: float,
    rng: np.random.Generator,
    options: IntArray,
    counts: IntArray,
) -> int:
    """Plan ``task`` along the best of ``tries`` proposed paths; the timetable is read only.

    The best has the least completion plus ``weight`` times its priced work. One in four times, and
    if nothing is proposed, the first try goes anywhere. Returns how many steps were tried.
    """
    k = c.of_task[task]
    servers, starts = plan.servers[task].copy(), plan.starts[task].copy()
    least, end, work = np.inf, np.inf, 0
    for t in range(tries):
        if guide.n_seen[guide.of_task[task]] == 0 or (t == 0 and rng.random() < FREE):
            all_options(c, k, options, counts)
        else:
            _take_path(c, guide, task, rng.random(), options, counts)
        work += insert(c, plan, table, task, options, counts)
        score = plan.ends[task]
        if score == np.inf:
            continue
        for j in range(c.layers[k]):
            s, start = plan.servers[task, j], plan.starts[task, j]
            spent = _work_price(guide, s, start + c.seconds[k, j, s]) - _work_price(guide, s, start)
            score += weight * spent
        work += 4 * c.layers[k]
        if score < least:
            least, end = score, plan.ends[task]
            servers[:], starts[:] = plan.servers[task], plan.starts[task]
    if end == np.inf:  # none of the paths is open
        all_options(c, k, options, counts)
        return work + insert(c, plan, table, task, options, counts)
    plan.servers[task], plan.starts[task], plan.ends[task] = servers, starts, end
    return work


@kernel
def build(
    c: Classes,
    plan: Plan,
    guide: Guide,
    order: IntArray,
    tries: int,
    weight: float,
    rng: np.random.Generator,
) -> tuple[float, int]:
    """Plan the tasks in ``order``, each by :func:`insert_best`.

    Returns the sum of completions, and the steps tried.
    """
    table = idle(c)
    options = np.zeros(c.allowed.shape[1:], np.int64)
    counts = np.zeros(c.allowed.shape[1], np.int64)
    work = 0
    for task in order:
        work += insert_best(c, plan, table, guide, task, tries, weight, rng, options, counts)
        if plan.ends[task] == np.inf:
            return np.inf, work
        book(c, plan, table, task, 1)
    return float(plan.ends.sum()), work


@kernel
def _draw_options(
    c: Classes,
    plan: Plan,
    guide: Guide,
    task: int,
    rng: np.random.Generator,
    options: IntArray,
    counts: IntArray,
) -> bool:
    """Draw where a task may go: anywhere, its own path with a free window, or a priced path.

    Returns whether it may go anywhere.
    """
    k = c.of_task[task]
    n, chance = c.layers[k], rng.random()
    all_options(c, k, options, counts)
    if chance < FREE or guide.n_seen[guide.of_task[task]] == 0:
        return True
    if chance < WINDOW:
        a = int(rng.random() * n)
        b = a + 1 + int(rng.random() * n)
        for j in range(n):
            if not a <= j < b:
                options[j, 0], counts[j] = plan.servers[task, j], 1
        return False
    _take_path(c, guide, task, rng.random(), options, counts)
    return False


@kernel
def recreate(
    c: Classes,
    plan: Plan,
    guide: Guide,
    moves: int,
    tries: int,
    temperature: float,
    rng: np.random.Generator,
) -> tuple[float, int]:
    """Ruin and recreate ``plan`` so many times, with annealing from ``temperature`` (s) to 0.

    With ``tries`` each task goes back by :func:`insert_best`, with 0 as one draw allows. The plan
    becomes the best one met. Returns its sum of completions, and the steps tried.
    """
    n = c.of_task.size
    table = idle(c)
    for task in range(n):
        book(c, plan, table, task, 1)
    options = np.zeros(c.allowed.shape[1:], np.int64)
    counts = np.zeros(c.allowed.shape[1], np.int64)
    old = Plan(plan.servers.copy(), plan.starts.copy(), plan.ends.copy())
    best = Plan(plan.servers.copy(), plan.starts.copy(), plan.ends.copy())
    order = np.arange(n)
    cost = plan.ends.sum()
    least, work = cost, 0
    for move in range(moves):
        many = min(MANY, max(2, n // 2)) if tries > 0 or move % LARGE == 0 else FEW
        weight = LIGHT + (HEAVY - LIGHT) * rng.random()
        out = 1 + int(rng.random() * min(n, many))
        for i in range(out):
            other = i + int(rng.random() * (n - i))
            order[i], order[other] = order[other], order[i]
            task = order[i]
            old.servers[task], old.starts[task] = plan.servers[task], plan.starts[task]
            old.ends[task] = plan.ends[task]
            book(c, plan, table, task, -1)
        change = 0.0
        for i in range(out):
            task = order[i]
            if tries > 0:
                work += insert_best(
                    c, plan, table, guide, task, tries, weight, rng, options, counts
                )
            else:
                free = _draw_options(c, plan, guide, task, rng, options, counts)
                work += insert(c, plan, table, task, options, counts)
                if plan.ends[task] == np.inf and not free:
                    all_options(c, c.of_task[task], options, counts)
                    work += insert(c, plan, table, task, options, counts)
            book(c, plan, table, task, 1)
            change += plan.ends[task] - old.ends[task]
        heat = temperature * (1.0 - move / moves)
        if change <= 0.0 or rng.random() * heat < heat * np.exp(-change / max(heat, 1e-300)):
            cost += change
            if cost < least * (1 - 1e-12):
                least = cost
                best.servers[:], best.starts[:], best.ends[:] = (
                    plan.servers, plan.starts, plan.ends,
                )  # fmt: skip
            continue
        for i in range(out):
            task = order[i]
            book(c, plan, table, task, -1)
            plan.servers[task], plan.starts[task] = old.servers[task], old.starts[task]
            plan.ends[task] = old.ends[task]
        for i in range(out):
            book(c, plan, table, order[i], 1)
    plan.servers[:], plan.starts[:], plan.ends[:] = best.servers, best.starts, best.ends
    return float(plan.ends.sum()), work
