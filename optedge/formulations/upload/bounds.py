r"""Lower bounds on the sum of system delay, without search and without rounding.

All of them add the constant part, upload time times the least delay, and hold under forced use too,
which never beats best use. They run on whole numbers; negative savings count as 0 there, which
makes no plan dearer.

* ``envelope``: the benefit grows no faster than along the blocks of the decomposition, whose
  densities fall: :math:`\sum_k t_k (r_k - w_k / 2)`, :math:`r_k` the benefit not yet earned before
  block k. Sending block after block costs at most twice as much.
* ``staircase``: after u seconds the benefit is at most that of the best set of upload time u.
* ``interval DP``: the optimum itself if no saving is negative.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import TYPE_CHECKING

from optedge.formulations.base import Bound
from optedge.formulations.upload import certificates, integers, intervals

if TYPE_CHECKING:
    from optedge.formulations.upload.problem import UploadProblem

QUICK_LAYERS = 100  # for which the table of intervals takes about two seconds
MOST_POINTS = 10_000  # of a staircase at one layer; beyond, neighbours are joined

_Point = tuple[int, int]  # upload time, benefit


def compute(problem: UploadProblem, name: str) -> Bound:
    """Return a bound on the sum of system delay."""
    if name == "staircase":
        area, joined = staircase(problem)
        return Bound(name, integers.rounded_down(area), info={"joined": joined})
    found = intervals.best_order(problem, lift=True)
    if name == "envelope":
        return Bound(name, integers.rounded_down(envelope(found)))
    proof = certificates.make(found)
    return Bound(name, proof.value, proof, info={"blocks": len(found.blocks)})


def envelope(found: intervals.IntervalOrder) -> Fraction:
    """Return the envelope over the blocks of the recursion, constant part included."""
    value, rest = found.constant, sum((w for _, w, _ in found.blocks), Fraction(0))
    for time, benefit, _ in found.blocks:
        value += time * (rest - benefit / 2)
        rest -= benefit
    return value


def staircase(problem: UploadProblem, most: int = MOST_POINTS) -> tuple[Fraction, int]:
    """Return the staircase bound, constant part included, and how often points were joined.

    Parameters
    ----------
    problem
        The instance.
    most
        Points kept at a layer. Of more, pairs are joined to the time of one and the benefit of the
        other, whichever is better: the bound gets weaker, not wrong.
    """
    chain = integers.scale(problem, lift=True)
    off: list[_Point] = [(0, 0)]
    on: list[_Point] = []
    joined = 0
    for j in range(problem.n_layers):
        t, a, s = chain.seconds[j], chain.values[j], chain.savings[j - 1] if j else 0
        before = _frontier([*off, *on])
        if not problem.stays[j]:
            after = [(u + t, b + a) for u, b in off] + [(u + t, b + a + s) for u, b in on]
            on = _frontier(after)
        else:
            on = []
        off = before
        while len(off) > most or len(on) > most:
            off, on = (_thinned(points) if len(points) > most else points for points in (off, on))
            joined += 1
    steps = _frontier([*off, *on])
    total, best = sum(chain.seconds), steps[-1][1]
    ends = [u for u, _ in steps[1:]] + [total]
    area = sum((end - u) * (best - b) for (u, b), end in zip(steps, ends, strict=True))
    least = chain.base - best * chain.value_unit
    return total * chain.time_unit * least + area * chain.time_unit * chain.value_unit, joined


def _frontier(points: list[_Point]) -> list[_Point]:
    """Return the points of which no other has as little time and as much benefit; both rise."""
    kept: list[_Point] = []
    for u, b in sorted(points, key=lambda p: (p[0], -p[1])):
        if not kept or b > kept[-1][1]:
            kept.append((u, b))
    return kept


def _thinned(points: list[_Point]) -> list[_Point]:
    pairs = itertools.zip_longest(points[::2], points[1::2])
    return [(first[0], (second or first)[1]) for first, second in pairs]
