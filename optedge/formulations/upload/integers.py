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
