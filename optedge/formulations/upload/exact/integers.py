"""An instance in whole numbers: floats are dyadic, so a power of two scales them without rounding.

What is computed on these numbers is exact for the arrays as they are stored.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optedge.formulations.upload.problem import UploadProblem


@dataclasses.dataclass(frozen=True)
class ExactChain:
    """Values, savings and upload times as whole numbers.

    Parameters
    ----------
    values, savings, seconds
        As in the problem, ``(n,)``, ``(n - 1,)`` and ``(n,)``, in their units.
    value_unit, time_unit
        Seconds that 1 stands for in the first two and in the last.
    base
        Delay of a query while nothing is uploaded, s.
    """

    values: list[int]
    savings: list[int]
    seconds: list[int]
    value_unit: Fraction
    time_unit: Fraction
    base: Fraction


def scale(problem: UploadProblem, *, lift: bool) -> ExactChain:
    """Return the instance in whole numbers.

    Parameters
    ----------
    problem
        The instance.
    lift
        Whether negative savings are raised to 0. No set of layers is worth less then, so that every
        plan costs at most what it costs in the instance: the optimum is a lower bound.
    """
    rows = (
        problem.client_times,
        problem.server_times,
        problem.sends_in,
        problem.sends_out,
        problem.hops,
    )
    unit = _unit([x for row in rows for x in row.tolist()])
    client, server, to, back, hop = (_scaled(row.tolist(), unit) for row in rows)
    values = [
        0 if stays else a - c - i - o
        for a, c, i, o, stays in zip(client, server, to, back, problem.stays, strict=True)
    ]
    savings = [
        back[j] + to[j + 1] - hop[j + 1] if linked else 0
        for j, linked in enumerate(problem.is_linked)
    ]
    seconds = problem.seconds.tolist()
    time_unit = _unit(seconds)
    return ExactChain(
        values,
        # The problem counts what is negative within rounding as 0.
        [max(s, 0) if lift or problem.savings[j] >= 0 else s for j, s in enumerate(savings)],
        _scaled(seconds, time_unit),
        unit,
        time_unit,
        sum(client) * unit,
    )


@dataclasses.dataclass(frozen=True)
class Segment:
    """A run of layers that save nothing with those outside of it.

    Parameters
    ----------
    first, end
        Its layers are ``first`` to ``end - 1``.
    decisions
        Those of them whose upload takes time, ``(m,)``.
    times
        Their upload times, ``(m,)``.
    benefits
        For i, j up to m the benefit W[i][j] of decisions i to j - 1 and of all layers of size 0
        between decisions i - 1 and j, when these two are not usable, ``(m + 1, m + 1)``.
    """

    first: int
    end: int
    decisions: list[int]
    times: list[int]
    benefits: list[list[int]]


def segments(problem: UploadProblem, chain: ExactChain, *, benefits: bool = True) -> list[Segment]:
    """Return the parts of an instance that do not know of each other, with or without benefits."""
    found, first, free = [], 0, problem.is_free.tolist()
    for end in range(1, problem.n_layers + 1):
        if end == problem.n_layers or chain.savings[end - 1] == 0:
            if not problem.stays[first:end].all():
                decisions = [j for j in range(first, end) if chain.seconds[j]]
                times = [chain.seconds[j] for j in decisions]
                table = _benefits(chain, free, decisions, first, end) if benefits else []
                found.append(Segment(first, end, decisions, times, table))
            first = end
    return found


def parted(problem: UploadProblem, chain: ExactChain, most: int) -> ExactChain:
    """Return a chain without the savings at some places, so that segments are short.

    Parameters
    ----------
    problem, chain
        The instance, and its numbers.
    most
        Layers of a segment whose upload takes time, at most. Longer ones are cut in the middle half
        where the saving is least.
    """
    savings = list(chain.savings)
    todo = [segment.decisions for segment in segments(problem, chain, benefits=False)]
    while todo:
        decisions = todo.pop()
        m = len(decisions)
        if m > most:
            middle = range(max(1, m // 4), max(2, m - m // 4))
            cut = min(middle, key=lambda k: savings[decisions[k] - 1])
            savings[decisions[cut] - 1] = 0
            todo += [decisions[:cut], decisions[cut:]]
    return dataclasses.replace(chain, savings=savings)


def _benefits(
    chain: ExactChain, free: list[bool], decisions: list[int], first: int, end: int
) -> list[list[int]]:
    """Return the benefits of a segment."""
    m = len(decisions)
    starts, table = [first - 1, *decisions], [[0] * (m + 1) for _ in range(m + 1)]
    for i in range(m + 1):
        off, j = 0, i
        on: int | None = None  # of a plan whose last layer so far is on its server
        for x in range(starts[i] + 1, end):
            best = off if on is None else max(off, on)
            if j < m and x == decisions[j]:
                table[i][j] = best
                j += 1
            if free[x] or chain.seconds[x]:
                linked = off if on is None else max(off, on + chain.savings[x - 1])
                on = chain.values[x] + linked
            else:
                on = None
            off = best
        table[i][m] = off if on is None else max(off, on)
    return table


def _unit(numbers: Sequence[float]) -> Fraction:
    """Return the largest number that divides all of ``numbers``; 1 if all are 0."""
    ratios = [x.as_integer_ratio() for x in numbers]
    denominator = max(q for _, q in ratios)  # powers of two: the largest is a multiple of all
    return Fraction(math.gcd(*(p * (denominator // q) for p, q in ratios)) or 1, denominator)


def _scaled(numbers: Sequence[float], unit: Fraction) -> list[int]:
    ratios = (x.as_integer_ratio() for x in numbers)
    return [p * unit.denominator // (q * unit.numerator) for p, q in ratios]


def rounded_down(value: Fraction) -> float:
    """Return the largest float that is not above ``value``."""
    near = float(value)
    return near if Fraction(near) <= value else math.nextafter(near, -math.inf)
