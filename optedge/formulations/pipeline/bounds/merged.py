r"""Virtual cuts: groups of cuts of a type, each replaced by its least seconds in every part.

A task that takes a cut of a group could only be done sooner with :math:`\min a_i`,
:math:`\min \tau_i`, :math:`\min c_i` of the group and a latency :math:`l = \min (\tau_i + c_i)`:
whatever refutes a time for virtual cuts refutes it for the real ones, however they are grouped.

A good grouping promises little that no real cut keeps. A virtual cut promises, against a real cut
i, :math:`(a_i - a)^+ / E + (l_i - l)^+ / C + (c_i - c)^+` seconds of the E devices, the C slots and
the cloud; what it promises beyond the nearest real cut is its loss, and the two groups whose union
loses least are merged first.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray

if TYPE_CHECKING:
    from optedge.formulations.pipeline.problem import PipelineProblem

MOST = 14  # virtual cuts of a type, edge-only included, unless less than TINY is lost
TINY = 0.01  # of the seconds that one task may take if all are to be done by the known end


class Cuts(NamedTuple):
    """Virtual cuts of all types, ``(n,)`` each, in seconds."""

    kind: IntArray
    device: FloatArray
    link: FloatArray
    cloud: FloatArray
    alone: tuple[Fraction, ...]  # from admission to completion at least, exactly
    stays: np.ndarray  # whether it is edge-only


def separate(problem: PipelineProblem) -> FloatArray:
    """Return the labels of no merging at all, ``(n_types, n_cuts)``."""
    types, cuts = problem.chains.shape[:2]
    return np.tile(np.arange(cuts, dtype=np.float64), (types, 1))


def make(problem: PipelineProblem, labels: FloatArray) -> Cuts:
    """Return the virtual cuts of types that some task has; equal labels make a group."""
    found = []
    for t in np.unique(problem.kind).tolist():
        has = np.isfinite(problem.chains[t, :, 0])
        for label in np.unique(labels[t, has]):
            group = np.flatnonzero(has & (labels[t] == label))
            rows = problem.chains[t, group]
            alone = min(Fraction(x) + Fraction(y) for x, y in rows[:, 1:].tolist())
            stays = bool(group[-1] == problem.n_cuts - 1)
            found.append((t, *rows.min(axis=0).tolist(), alone, stays))
    kind, device, link, cloud, alones, stay = zip(*found, strict=True)
    return Cuts(
        np.array(kind, dtype=np.int64),
        np.array(device),
        np.array(link),
        np.array(cloud),
        alones,
        np.array(stay),
    )


def grouped(problem: PipelineProblem, end: float, most: int = MOST) -> FloatArray:
    """Return labels of a grouping that loses little, ``(n_types, n_cuts)``.

    Parameters
    ----------
    problem
        The instance.
    end
        Seconds within which all is done, about.
    most
        Virtual cuts of a type that may be left.
    """
    labels = separate(problem)
    share = end / problem.n_tasks
    slots = min(problem.capacity, problem.n_tasks)
    for t in np.unique(problem.kind).tolist():
        real = np.flatnonzero(np.isfinite(problem.chains[t, :-1, 0]))
        rows = problem.chains[t, real]
        # Seconds of devices, of the link and the cloud as latency, of the cloud as work.
        weight = np.array([1 / np.count_nonzero(np.diff(problem.first)), 1 / slots, 1.0])
        points = np.column_stack([rows[:, 0], rows[:, 1] + rows[:, 2], rows[:, 2]]) * weight
        groups = [[i] for i in range(real.size)]
        while len(groups) > 1:
            best, pair = math.inf, (0, 0)
            for i in range(len(groups)):
                for j in range(i):
                    least = points[groups[i] + groups[j]].min(axis=0)
                    loss = float(np.maximum(points - least, 0).sum(axis=1).min())
                    if loss < best:
                        best, pair = loss, (i, j)
            if len(groups) < most and best > TINY * share:
                break
            i, j = pair
            groups[j] += groups.pop(i)
        for label, group in enumerate(groups):
            labels[t, real[group]] = label
        labels[t, -1] = problem.n_cuts
    return labels


def main_latencies(problem: PipelineProblem, end: float) -> list[float]:
    """Return latencies of useful cuts in seconds, a twentieth apart, rounded down.

    Useful is a cut that no other one of its type beats on the device and in latency; of those, the
    latencies that are long enough to be seen on a grid and short enough to repeat before ``end``.
    """
    found: list[float] = []
    for t in np.unique(problem.kind).tolist():
        rows = problem.chains[t]
        points = np.column_stack([rows[:, 0], rows[:, 1] + rows[:, 2]])
        for i in np.flatnonzero(np.isfinite(rows[:-1, 0])).tolist():
            no_worse = (points <= points[i]).all(axis=1)
            if (no_worse & (points < points[i]).any(axis=1)).any():
                continue
            latency = float(points[i, 1]) * (1 - 1e-12)
            seen = 0.02 * end < latency < 0.25 * end
            if seen and all(abs(latency - other) > 0.05 * other for other in found):
                found.append(latency)
    return found


def fitting_step(step: float, latencies: list[float]) -> float:
    """Return a step near the wanted one of which latencies are just above multiples.

    What floors lose of the latencies counts relative to the step, in 200 steps that are tried.
    """
    if not latencies:
        return step
    tried = step * np.linspace(0.88, 1.12, 241)
    lost = np.zeros(tried.size)
    for latency in latencies:
        lost += latency - np.floor(latency / tried) * tried
    exact = [latency / k * (1 - 1e-12) for latency in latencies for k in _counts(latency, step)]
    for candidate in exact:
        rest = sum(x - math.floor(x / candidate) * candidate for x in latencies)
        tried, lost = np.append(tried, candidate), np.append(lost, rest)
    return float(tried[lost.argmin()])


def _counts(latency: float, step: float) -> range:
    return range(max(1, math.ceil(latency / step / 1.12)), math.floor(latency / step / 0.88) + 1)
