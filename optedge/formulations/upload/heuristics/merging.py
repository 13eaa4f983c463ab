"""LMU, layer merging uploading: the principles of EosDNN on which partitions to send, and when.

1. A layer that stays at the client is never sent; stretches between such layers are apart.
2. Principle 3, merge: while a part of its stretch has negative LDA* (what it earns on its own), the
   first such part is joined with a neighbour: of those joins whose LDA* is positive that of larger
   ELDA* (LDA* a second), the later one of equals; if none is, the later one (:func:`merged`).
3. Principle 1, order: the part of largest ELDA given what was sent goes next, of all tasks, a task
   divided by the size of its input; the first of equals.
4. Principle 4, split: of that part the run of largest positive ELDA is sent first, and so on; of
   equals the shortest, then the first. What is left goes at once.
5. Principle 2, layers of size 0 are sent before all. Under forced use they are held back until the
   turn of the piece that they were picked in, unless they are executed at once: ``zero_rule``.

Departures from the paper: the two conditions of algorithm 2, lines 9 to 11, are garbled, the text
counts; an LDA* of 0 is not negative. Layers of size 0 "under merged layer with LDA* > 0", it says,
are executed directly (``zero_rule="paper"``), which lets queries get slower; by default that is
done as far as it makes no query slower (``"safe"``). ``"alone"`` executes those at once that were
picked on their own, whatever they do.

Source: Xue et al., "EosDNN", principles 1-4, algorithm 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import BoolArray
from optedge.formulations.upload import evaluation
from optedge.formulations.upload.heuristics import runs
from optedge.formulations.upload.plans import UploadPlan

if TYPE_CHECKING:
    from optedge.formulations.upload.problem import UploadProblem

ZERO_RULES = ("safe", "paper", "alone")


def plan(problem: UploadProblem, zero_rule: str = "safe") -> UploadPlan:
    """Return the plan of LMU.

    Parameters
    ----------
    problem
        The instance.
    zero_rule
        Which layers of size 0 are executed at once: of those whose part earns something alone the
        best set, ``"safe"``, or all, ``"paper"``; or those picked with no other, ``"alone"``.
    """
    parts = merged(problem)
    pieces = [piece for part in in_order(problem, parts) for piece in part]
    if zero_rule == "alone":
        groups = [piece for piece in pieces if problem.is_free[piece].all()]
    else:
        groups = [part for part in parts if problem.tda(part) > runs.noise(problem)]
    at_once = problem.mask(j for group in groups for j in group if problem.is_free[j])
    if zero_rule == "safe":
        at_once = evaluation.best_set(problem.values, problem.savings, at_once)
    return _sent_first(problem, pieces, at_once)


def merged(problem: UploadProblem) -> list[list[int]]:
    """Return the parts after merging, in chain order."""
    out = []
    for first, end in runs.stretches(problem):
        parts = [[j] for j in range(first, end)]
        gains = [problem.tda(part) for part in parts]
        while len(parts) > 1:
            k = next((k for k, gain in enumerate(gains) if gain < -runs.noise(problem)), None)
            if k is None:
                break
            left, gain = _best_join(problem, parts, k)
            parts[left : left + 2] = [parts[left] + parts[left + 1]]
            gains[left : left + 2] = [gain]
        out += parts
    return out


def _best_join(problem: UploadProblem, parts: list[list[int]], k: int) -> tuple[int, float]:
    """Return the first of the two parts to be joined, one of which is part ``k``, and the LDA*."""
    lefts = [left for left in (k, k - 1) if 0 <= left < len(parts) - 1]  # the later one first
    joins = [parts[left] + parts[left + 1] for left in lefts]
    gains = [problem.tda(join) for join in joins]
    earning = [i for i, gain in enumerate(gains) if gain > runs.noise(problem)]
    dense = [runs.density(problem, gains[i], problem.seconds[joins[i]].sum()) for i in earning]
    best = earning[runs.first_of_largest(dense)] if earning else 0
    return lefts[best], gains[best]


def in_order(problem: UploadProblem, parts: list[list[int]]) -> list[list[list[int]]]:
    """Return the pieces of each part in the order of upload, parts by falling ELDA."""
    usable, waiting, out = np.zeros(problem.n_layers, dtype=bool), list(parts), []
    alone = {part[0]: problem.tda(part) for part in parts}
    seconds = {part[0]: problem.seconds[part].sum() for part in parts}
    links, sizes = np.append(problem.savings, 0.0), problem.input_sizes[problem.chain]
    while waiting:
        dense = []
        for part in waiting:
            first, last = part[0], part[-1]
            gain = alone[first]
            if first > 0 and usable[first - 1]:
                gain += links[first - 1]
            if last + 1 < usable.size and usable[last + 1]:
                gain += links[last]
            dense.append(runs.density(problem, gain, seconds[first]) / sizes[first])
        part = waiting.pop(runs.first_of_largest(dense))
        out.append(_split(problem, part, usable))
    return out


def _split(problem: UploadProblem, part: list[int], usable: BoolArray) -> list[list[int]]:
    """Return the pieces of a part in the order of upload; ``usable`` is brought up to date."""
    pieces, left = [], part
    while left:
        run = runs.densest(problem, usable, left, True).layers if len(left) > 1 else []
        pieces.append(run or left)
        usable[pieces[-1]] = True
        left = [j for j in left if not usable[j]]
    return pieces


def _sent_first(problem: UploadProblem, pieces: list[list[int]], at_once: BoolArray) -> UploadPlan:
    """Return the plan that sends layers of size 0 before all, and holds back those not wanted."""
    free = np.flatnonzero(problem.is_free).tolist()
    parts = [free] if free else []
    on = np.full(problem.n_layers, -1, dtype=np.int64)
    for piece in pieces:
        if timed := [j for j in piece if not problem.is_free[j]]:
            parts.append(timed)
        on[piece] = len(parts) - 1
    on[at_once] = 0
    return UploadPlan(tuple(map(tuple, parts)), on)
