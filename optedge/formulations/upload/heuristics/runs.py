"""Runs of neighbouring layers that earn most a second of upload: what the heuristics pick.

A run is what lies between two of the layers that are up for choice, both included; layers in
between that are usable already, or not up for choice, are left out. Densities (gain a second) that
agree in twelve digits count as equal, and gains below a 10^-12-th of the delay of a query as none:
equal ones differ by rounding, on which no order should hang.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from optedge import kernels
from optedge.formulations.base import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from optedge.formulations.upload.problem import UploadProblem

DIGITS = 1e-12


class Pick(NamedTuple):
    """A run: its layers, rising, and its density; no layers if there is no run."""

    layers: list[int]
    density: float


#: From the usable layers (n_layers,), those up for choice, and whether the run must be a part of
#: them that gains something, to the run.
Picker = Callable[[BoolArray, list[int], bool], Pick]


def stretches(problem: UploadProblem) -> Iterator[tuple[int, int]]:
    """Yield first layer and end of the stretches of linked layers that have servers."""
    starts = np.flatnonzero(np.append(True, ~problem.is_linked)).tolist()
    for first, end in zip(starts, [*starts[1:], problem.n_layers], strict=True):
        if not problem.stays[first]:
            yield first, end


def noise(problem: UploadProblem) -> float:
    """Return the largest gain that counts as none, s."""
    return DIGITS * problem.base_delay


def density(problem: UploadProblem, gain: float, seconds: float) -> float:
    """Return gain a second; without upload time ``inf`` if it is not negative, else ``-inf``."""
    gain = 0.0 if abs(gain) <= noise(problem) else gain
    if seconds > 0:
        return gain / seconds
    return np.inf if gain >= 0 else -np.inf


def first_of_largest(densities: Sequence[float]) -> int:
    """Return the place of the first of those that agree with the largest in twelve digits."""
    return int(_tied(np.array(densities))[0])


def _tied(densities: FloatArray) -> IntArray:
    top = densities.max()
    least = top - DIGITS * abs(top) if np.isfinite(top) else top
    return np.flatnonzero(densities >= least)


def densest(problem: UploadProblem, usable: BoolArray, layers: list[int], part: bool) -> Pick:
    """Return the run of largest ELDA; of equals the shortest, then the first.

    Parameters
    ----------
    problem
        The instance.
    usable
        What is executed, ``(n_layers,)``.
    layers
        Those up for choice, rising, none of them usable.
    part
        Whether the run must leave some of them, and its LDA be positive.
    """
    gains, times = _forced_gains(
        problem.values, problem.savings, problem.seconds, usable, np.array(layers, dtype=np.int64)
    )
    return _chosen(problem, layers, gains, times, part, longest=False)


def densest_at_best(
    problem: UploadProblem, usable: BoolArray, layers: list[int], part: bool
) -> Pick:
    """Return the run by which the benefit under best use grows most a second.

    As :func:`densest`; but if it may hold all layers, the longest of equal ones is taken.
    """
    gains, times = _best_gains(
        problem.values, problem.savings, problem.seconds, usable, np.array(layers, dtype=np.int64)
    )
    return _chosen(problem, layers, gains, times, part, longest=not part)


def _chosen(
    problem: UploadProblem,
    layers: list[int],
    gains: FloatArray,
    times: FloatArray,
    part: bool,
    longest: bool,
) -> Pick:
    """Return the densest of the runs between two layers, whose gains (m, m) are given."""
    wanted = np.triu(np.ones(gains.shape, dtype=bool))
    gains[np.abs(gains) <= noise(problem)] = 0.0
    if part:
        wanted &= gains > 0
        wanted[0, -1] = False
    if not wanted.any():
        return Pick([], -np.inf)
    first, last = np.nonzero(wanted)
    gain, time = gains[wanted], times[wanted]
    dense = np.where(gain >= 0, np.inf, -np.inf)
    np.divide(gain, time, out=dense, where=time > 0)
    tied = _tied(dense)
    sizes = (last - first)[tied]
    k = tied[np.argmax(sizes) if longest else np.argmin(sizes)]
    return Pick(layers[first[k] : last[k] + 1], float(dense[k]))


@kernels.kernel
def _forced_gains(
    values: FloatArray,
    savings: FloatArray,
    seconds: FloatArray,
    usable: BoolArray,
    layers: IntArray,
) -> Any:
    """Return LDA and upload time of the runs between any two of ``layers``, both (m, m)."""
    m = layers.size
    gains, times = np.zeros((m, m)), np.zeros((m, m))
    for x in range(m):
        gain, time = 0.0, 0.0
        for y in range(x, m):
            j = layers[y]
            gain += values[j]
            if j > 0 and (usable[j - 1] or (y > x and layers[y - 1] == j - 1)):
                gain += savings[j - 1]
            if j + 1 < values.size and usable[j + 1]:
                gain += savings[j]
            time += seconds[j]
            gains[x, y], times[x, y] = gain, time
    return gains, times


@kernels.kernel
def _best_gains(
    values: FloatArray,
    savings: FloatArray,
    seconds: FloatArray,
    usable: BoolArray,
    layers: IntArray,
) -> Any:
    """Return the growth of the benefit under best use, and upload times, both (m, m)."""
    m, n = layers.size, values.size
    gains, times = np.zeros((m, m)), np.zeros((m, m))
    # What usable layers from j on earn, layer j - 1 being at the client or on its server.
    rest_off, rest_on = np.zeros(n + 1), np.zeros(n + 1)
    for j in range(n - 1, -1, -1):
        rest_off[j] = rest_on[j] = rest_off[j + 1]
        if usable[j]:
            rest_off[j] = max(rest_off[j], values[j] + rest_on[j + 1])
            saving = savings[j - 1] if j else 0.0
            rest_on[j] = max(rest_on[j], values[j] + saving + rest_on[j + 1])
    first_off, first_on = 0.0, -np.inf  # of the layers before the run, by the last one
    j = 0
    for x in range(m):
        while j < layers[x]:
            first_off, first_on = _one_more(values, savings, usable[j], j, first_off, first_on)
            j += 1
        off, on, time, y = first_off, first_on, 0.0, x
        for i in range(j, layers[m - 1] + 1):
            chosen = i == layers[y]
            off, on = _one_more(values, savings, usable[i] or chosen, i, off, on)
            if chosen:
                time += seconds[i]
                whole = max(off + rest_off[i + 1], on + rest_on[i + 1])
                gains[x, y], times[x, y] = whole - rest_off[0], time
                y += 1
    return gains, times


@kernels.kernel
def _one_more(
    values: FloatArray, savings: FloatArray, there: bool, j: int, off: float, on: float
) -> tuple[float, float]:
    """Return the benefits with layer j at the client and on its server, from those before it."""
    if not there:
        return max(off, on), -np.inf
    return max(off, on), values[j] + (max(off, on + savings[j - 1]) if j else 0.0)


def nested(pick: Picker, layers: list[int], usable: BoolArray) -> Iterator[list[int]]:
    """Split a run by the rule that picked it, and parts of it by the same rule, down to the last.

    Parameters
    ----------
    pick
        The rule; a part that it finds nothing in is not split.
    layers
        The run, rising.
    usable
        What is executed before, ``(n_layers,)``; the run is added, in place.

    Yields
    ------
    list of int
        The pieces in the order of upload.
    """
    open_parts = [layers]
    while open_parts:
        left = [j for j in open_parts[-1] if not usable[j]]
        if part := pick(usable, left, True).layers if len(left) > 1 else []:
            open_parts.append(part)
            continue
        open_parts.pop()
        if left:
            usable[left] = True
            yield left
