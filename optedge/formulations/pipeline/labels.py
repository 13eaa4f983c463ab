r"""The tasks of one device one after the other: exact dynamic programming over labels.

A *label* is what a choice of cuts for the first tasks leaves behind: when the device is free, the
last admission (which matters without hold only), when the link is free, the last C completions in
the cloud, and the value so far: the latest completion, or the sum of delays. Every cut of the next
task extends it by the rules of the simulator. All of them are non-decreasing, so that a label is
left out if another is nowhere larger. What lies before the device is free counts as then: nothing
can be admitted earlier. A label that cannot lead to less than a known plan is left out too.

If more than ``MOST`` labels are left those of the least bound stay, and the bound of the whole is
the least of those that went.

Source: ``migration.md`` 3d; dominance as in Bellman's multi-label recursions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import Bound, FloatArray, IntArray
from optedge.formulations.pipeline import windows
from optedge.formulations.pipeline.bounds import named as bounds
from optedge.kernels import kernel

if TYPE_CHECKING:
    from optedge.formulations.pipeline.problem import PipelinePlan, PipelineProblem

MOST = 10_000  # labels that are kept after a task
CLOSE = 1e-9  # relative: what a plan must be better by
FREE, ADMITTED, LINE, VALUE, ENDS = range(5)  # columns; completions from ENDS on, the last at -1


def why_not(problem: PipelineProblem) -> str | None:
    """Return a sentence if labels do not fit the instance."""
    if not windows.is_single(problem):
        busy = sum(map(bool, problem.arrivals))
        return f"{busy} devices have tasks; labels follow those of one."
    if not windows.in_order(problem):
        return "a task may overtake others on its way to the cloud; labels keep their order."
    return None


def best(
    problem: PipelineProblem, stop: Callable[[], bool] = lambda: False, most: int = MOST
) -> tuple[PipelinePlan, Bound]:
    """Return the best plan of one device, and the bound that the labels prove.

    Parameters
    ----------
    problem
        An instance for which :func:`why_not` has nothing to say.
    stop
        Asked after every task; if it says so, a known plan is returned with the bound ``task``.
    most
        Labels kept after a task. The plan is optimal if all fit: ``info["dropped"]`` is then 0.

    Raises
    ------
    ValueError
        If labels do not fit the instance.
    """
    reason = why_not(problem)
    if reason:
        raise ValueError(reason)
    known = windows.known_plan(problem)
    upper = problem.objective(known) * (1 + CLOSE)
    w = windows.make(problem)
    labels = np.zeros((1, ENDS + _slots(problem)))
    trail: list[tuple[IntArray, IntArray]] = []
    least_dropped, dropped, largest = np.inf, 0, 1
    for k in range(problem.n_tasks):
        if stop():
            return known, bounds.of_tasks(problem)
        labels, parents, cuts = _extended(problem, labels, k, w.options[k])
        least = _bounds(problem, w, labels, k + 1)
        keep = np.flatnonzero(least <= upper)
        keep = keep[np.argsort(labels[keep].sum(axis=1), kind="stable")]
        keep = keep[undominated(labels[keep])]
        largest = max(largest, keep.size)
        if keep.size > most:
            keep = keep[np.argsort(least[keep], kind="stable")]
            least_dropped = min(least_dropped, float(least[keep[most]]))
            dropped += keep.size - most
            keep = keep[:most]
        labels = labels[keep]
        trail.append((parents[keep], cuts[keep]))
    plan = _traced(problem, trail, labels) if labels.size else known
    plan = min(plan, known, key=problem.objective)
    value = min(problem.objective(plan), least_dropped)
    return plan, Bound("labels", value, info={"labels": largest, "dropped": dropped})


def _slots(problem: PipelineProblem) -> int:
    """Return how many of the last completions matter."""
    slots = problem.arrays.capacity
    return slots if slots < problem.n_tasks else 1


def _extended(
    problem: PipelineProblem, labels: FloatArray, k: int, options: list[int]
) -> tuple[FloatArray, IntArray, IntArray]:
    """Return every label with every cut of task ``k``, the label it came from, and the cut."""
    found = []
    binds = problem.arrays.capacity < problem.n_tasks
    for i in options:
        on_device, on_link, in_cloud = problem.chains[problem.kind[k], i]
        new = labels.copy()
        finish = np.maximum(labels[:, FREE], problem.release[k]) + on_device
        new[:, FREE] = done = finish
        if i < problem.n_cuts - 1:
            admitted = np.maximum(finish, labels[:, ADMITTED])
            if binds:
                admitted = np.maximum(admitted, labels[:, ENDS])
            new[:, FREE if problem.hold else ADMITTED] = admitted
            sent = admitted
            if problem.link != "delay":
                sent = np.maximum(admitted, labels[:, LINE])
                new[:, LINE] = sent + on_link
            done = np.maximum(sent + on_link, labels[:, -1]) + in_cloud
            new[:, ENDS:-1] = labels[:, ENDS + 1 :]
            new[:, -1] = done
        if problem.goal == "makespan":
            new[:, VALUE] = np.maximum(labels[:, VALUE], done)
        else:
            new[:, VALUE] += done - problem.release[k]
        found.append(new)
    every = np.concatenate(found)
    if k + 1 < problem.n_tasks:
        every[:, FREE] = np.maximum(every[:, FREE], problem.release[k + 1])
    for column in (ADMITTED, LINE, *range(ENDS, every.shape[1])):
        every[:, column] = np.maximum(every[:, column], every[:, FREE])
    parents = np.tile(np.arange(len(labels)), len(options))
    return every, parents, np.repeat(np.array(options), len(labels))


def _bounds(problem: PipelineProblem, w: windows.Windows, labels: FloatArray, k: int) -> FloatArray:
    """Return a lower bound on the objective of each label with tasks ``k`` and on open."""
    quickest, alone = w.finish - w.start, windows.latencies(problem)
    value, start = labels[:, VALUE].copy(), labels[:, FREE].copy()
    for j in range(k, problem.n_tasks):
        start = np.maximum(start, problem.release[j])
        if problem.goal == "makespan":
            value = np.maximum(value, start + alone[j])
        else:
            value += start + alone[j] - problem.release[j]
        start = start + quickest[j]
    return value if problem.goal == "makespan" else value / problem.n_tasks


def _traced(
    problem: PipelineProblem, trail: list[tuple[IntArray, IntArray]], labels: FloatArray
) -> PipelinePlan:
    """Return the plan of the best label."""
    from optedge.formulations.pipeline.problem import PipelinePlan

    at, chosen = int(labels[:, VALUE].argmin()), []
    for parents, cuts in reversed(trail):
        chosen.append(int(cuts[at]))
        at = int(parents[at])
    return PipelinePlan(np.array(chosen[::-1]), problem.device)


@kernel
def undominated(rows: FloatArray) -> npt.NDArray[np.int64]:
    """Return the rows that no earlier row is nowhere larger than, (n,); sorted by rising sums."""
    kept = np.empty(rows.shape[0], np.int64)
    n = 0
    for a in range(rows.shape[0]):
        free = True
        for b in range(n):
            row, worse = kept[b], False
            for c in range(rows.shape[1]):
                if rows[row, c] > rows[a, c]:
                    worse = True
                    break
            if not worse:
                free = False
                break
        if free:
            kept[n] = a
            n += 1
    return kept[:n]
