r"""What the explicit models know beforehand: useful cuts, a known plan, when things may happen.

A cut is left out where another needs no more seconds anywhere; edge-only needs no link and no
cloud. Where the cloud serves in order of admission every time is a non-decreasing function of these
seconds, so that some optimal plan does without it.

Latest times hold in every plan no worse than a known one, of value :math:`\bar T`. Of the makespan
all is done by :math:`\bar T`. Of the mean delay of n tasks, each of which needs at least
:math:`l_j = \min_i (a_i + \tau_i + c_i)`, task j is done by
:math:`r_j + l_j + n \bar T - \sum_k l_k`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray

if TYPE_CHECKING:
    from optedge.formulations.pipeline.problem import PipelinePlan, PipelineProblem

SLACK = 1e-7  # relative: how much worse than the known plan a plan may be


class Windows(NamedTuple):
    """Which cuts the models keep, and bounds on times, in seconds."""

    options: list[list[int]]  # of each task, edge-only last
    start: FloatArray  # (n_tasks,), earliest on the device
    latest_start: FloatArray  # (n_tasks,)
    finish: FloatArray  # (n_tasks,), earliest on the device
    latest_finish: FloatArray  # (n_tasks,)
    latest: FloatArray  # (n_tasks,), latest completion
    end: float  # of everything


def in_order(problem: PipelineProblem) -> bool:
    """Tell whether the cloud serves in order of admission.

    On a shared link it does so anyway, as on the link of the only device: transmissions follow each
    other in the order of admission, no arrival is before the one ahead of it, and ties go by
    admission.
    """
    if problem.service == "admission" or problem.link == "shared":
        return True
    return problem.link == "device" and is_single(problem)


def is_single(problem: PipelineProblem) -> bool:
    """Tell whether one device has all tasks."""
    return max(map(len, problem.arrivals)) == problem.n_tasks


def replacements(problem: PipelineProblem) -> IntArray:
    """Return the cut that does at least as well in place of each one, ``(n_types, n_cuts)``.

    A cut that is to be kept stands for itself, as does one that a type does not have.
    """
    types, cuts = problem.chains.shape[:2]
    found = np.tile(np.arange(cuts), (types, 1))
    if not in_order(problem):
        return found
    for t in range(types):
        rows = problem.chains[t]
        for i in range(cuts - 1):
            no_worse = (rows <= rows[i]).all(axis=1) & np.isfinite(rows[:, 0])
            # Of equal cuts the first is kept, but edge-only, the last, before all.
            equal = (rows == rows[i]).all(axis=1) & (np.arange(cuts) > i)
            equal[-1] = False
            better = np.flatnonzero(no_worse & ~equal & (np.arange(cuts) != i))
            if np.isfinite(rows[i, 0]) and better.size:
                found[t, i] = better[-1]
        for _ in range(cuts):  # what stands for another cut may itself have been left out
            found[t] = found[t, found[t]]
    return found


def known_plan(problem: PipelineProblem) -> PipelinePlan:
    """Return the best of: every cut for all (edge-only where a type lacks it), the shortest."""
    last = problem.n_cuts - 1
    every = [np.where(problem.options[:, i], i, last) for i in range(problem.n_cuts)]
    plans = [problem.first_finished(c) for c in (*every, problem.shortest[problem.kind])]
    # One device after the other keeps the rest at home: a mixture where the cloud is crowded.
    for e in range(problem.n_devices):
        cuts = np.where(problem.device <= e, problem.shortest[problem.kind], last)
        plans.append(problem.first_finished(cuts))
    values = [problem.objective(x) for x in plans]
    return plans[int(np.argmin(values))]


def latencies(problem: PipelineProblem) -> FloatArray:
    """Return the least seconds that each task needs alone, ``(n_tasks,)``."""
    return np.asarray(problem.chains.sum(axis=2).min(axis=1)[problem.kind])


def make(problem: PipelineProblem, upper: float | None = None) -> Windows:
    """Return the windows of plans of value at most ``upper``, by default that of a known plan."""
    upper = problem.objective(known_plan(problem)) if upper is None else upper
    instead = replacements(problem)
    options = [
        [i for i in np.flatnonzero(row).tolist() if instead[t, i] == i]
        for row, t in zip(problem.options, problem.kind, strict=True)
    ]
    n, release, least = problem.n_tasks, problem.release, latencies(problem)
    room = SLACK * max(upper, float(release.max() + least.max()))
    if problem.goal == "makespan":
        latest = np.full(n, upper + room)
    else:
        latest = release + least + max(0.0, n * (upper + room) - float(least.sum()))
    on_device = problem.chains[problem.kind, :, 0]
    quickest = np.array([on_device[j, o].min() for j, o in enumerate(options)])
    start, latest_start = release.copy(), latest - least
    for a, b in zip(problem.first[:-1].tolist(), problem.first[1:].tolist(), strict=True):
        for j in range(a + 1, b):
            start[j] = max(start[j], start[j - 1] + quickest[j - 1])
        for j in range(b - 2, a - 1, -1):
            latest_start[j] = min(latest_start[j], latest_start[j + 1] - quickest[j])
    latest_finish = latest.copy()
    later = np.flatnonzero(problem.device[1:] == problem.device[:-1])
    latest_finish[later] = np.minimum(latest[later], latest_start[later + 1])
    return Windows(
        options,
        start,
        latest_start,
        start + quickest,
        latest_finish,
        latest,
        float(latest.max()),
    )


def alike(problem: PipelineProblem) -> list[tuple[int, int]]:
    """Return pairs of devices with equal tasks, each with the next one like it."""
    before: dict[tuple[object, object], int] = {}
    pairs = []
    for e, row in enumerate(problem.arrivals):
        if row:
            kinds = tuple(problem.kind[problem.first[e] : problem.first[e + 1]].tolist())
            if (row, kinds) in before:
                pairs.append((before[row, kinds], e))
            before[row, kinds] = e
    return pairs


def keep_options(problem: PipelineProblem, x: PipelinePlan) -> PipelinePlan:
    """Return a plan no worse than ``x`` without the cuts that are left out."""
    return type(x)(replacements(problem)[problem.kind, x.cuts], x.order)


def renamed(problem: PipelineProblem, x: PipelinePlan, rank: IntArray) -> PipelinePlan:
    """Return the plan with devices of equal tasks exchanged so that their ranks rise.

    Parameters
    ----------
    problem
        The instance.
    x
        A plan.
    rank
        Of each device, ``(n_devices,)``; those like each other are put in its order.
    """
    name = np.arange(problem.n_devices)
    chains: dict[int, list[int]] = {}
    head: dict[int, int] = {}
    for d, e in alike(problem):
        head[e] = head.get(d, d)
        chains.setdefault(head[e], [head[e]]).append(e)
    for group in chains.values():
        for new, old in zip(group, sorted(group, key=lambda e: rank[e]), strict=True):
            name[old] = new
    cuts = np.array(x.cuts)
    first = problem.first
    for old, new in enumerate(name.tolist()):
        cuts[first[new] : first[new + 1]] = x.cuts[first[old] : first[old + 1]]
    return type(x)(cuts, name[x.order])
