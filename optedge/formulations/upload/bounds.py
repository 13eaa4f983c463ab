r"""Lower bounds on the sum of system delay, without search and without rounding.

All of them add the constant part, upload time times the least delay, and hold under forced use too,
which never beats best use. They run on whole numbers.

* ``envelope``: after u seconds the benefit is at most that of the least concave function above the
  benefits of all sets. Without a negative saving its pieces are Sidney's blocks, and sending block
  after block costs at most twice as much.
* ``staircase``: after u seconds the benefit is at most that of the best set of upload time u.
* ``LP``: the model of the line of layers without integrality. Its rows grow with the cube of the
  layers: it is among the bounds of at most ``MOST["LP"]`` layers. ``problem.model(relax=True)``
  builds it for more. With a negative saving it is that of the model of places.
* ``interval DP``: the optimum itself if no saving is negative; else such savings count as 0, which
  makes no plan dearer. For more layers in a row than ``MOST["interval DP"]`` it takes so long that
  it is left to the solver ``interval-dp``.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import BoolArray, Bound, FloatArray
from optedge.formulations.upload.exact import certificates, integers, intervals

if TYPE_CHECKING:
    from optedge.formulations.upload.problem import UploadProblem

QUICK_LAYERS = 100  # for which the recursion on intervals takes less than a second
MOST = {"LP": 25, "interval DP": 200}  # layers; these take about a second and five
MOST_POINTS = 10_000  # of a staircase at one layer; beyond, neighbours are joined

_Point = tuple[int, int]  # upload time, benefit


def names(problem: UploadProblem) -> tuple[str, ...]:
    """Return the bounds of an instance."""
    every = ("envelope", "staircase", *(("LP",) if problem.kinds else ()), "interval DP")
    return tuple(name for name in every if why_not(problem, name) is None)


def cheap(problem: UploadProblem) -> tuple[str, ...]:
    """Return the bound that is attached unasked."""
    return ("interval DP",) if intervals.longest(problem) <= QUICK_LAYERS else ("staircase",)


def why_not(problem: UploadProblem, name: str) -> str | None:
    """Say why a bound is left out; None if it is not."""
    if name == "LP" and problem.layers.size > MOST[name]:
        rows = problem.model_size()[0]
        return (
            f"the bound LP is for at most {MOST[name]} layers that take time to upload: here are "
            f"{problem.layers.size}, and {rows:,} rows; problem.model(relax=True) builds them."
        )
    if name == "interval DP" and (m := intervals.longest(problem)) > MOST[name]:
        return (
            f"the bound interval DP is for at most {MOST[name]} layers in a row, here are {m}: "
            "the solver interval-dp computes it under a time limit."
        )
    return None


def compute(problem: UploadProblem, name: str) -> Bound:
    """Return a bound on the sum of system delay."""
    if name == "envelope":
        return Bound(name, integers.rounded_down(envelope(problem)))
    if name == "staircase":
        area, joined = staircase(problem)
        return Bound(name, integers.rounded_down(area), info={"joined": joined})
    found = intervals.best_order(problem, lift=True)
    proof = certificates.make(found)
    return Bound(name, proof.value, proof, info={"blocks": len(found.blocks)})


def envelope(problem: UploadProblem) -> Fraction:
    """Return the area above the concave envelope of benefits, constant part included."""
    chain = integers.scale(problem, lift=False)
    has_server = ~problem.stays
    best = _highest(chain, has_server, (1, 0))
    corners, todo = [(0, 0)], [best]
    while todo:
        (u, b), (v, c) = corners[-1], todo[-1]
        between = _highest(chain, has_server, (v - u, c - b))
        if (between[1] - b) * (v - u) > (c - b) * (between[0] - u):
            todo.append(between)
        else:
            corners.append(todo.pop())
    top = best[1]
    doubled = sum((v - u) * (2 * top - b - c) for (u, b), (v, c) in itertools.pairwise(corners))
    least = chain.base - top * chain.value_unit
    area = Fraction(doubled, 2) * chain.value_unit
    return chain.time_unit * (sum(chain.seconds) * least + area)


def _highest(chain: integers.ExactChain, usable: BoolArray, piece: _Point) -> _Point:
    """Return time and benefit of a set with the largest t benefit - w time, (t, w) given."""
    t, w = piece
    away = (0, 0, 0)  # score, time and benefit of the best set without the layer before
    here: tuple[int, int, int] | None = None  # with it
    for x, (seconds, value) in enumerate(zip(chain.seconds, chain.values, strict=True)):
        best = away if here is None else max(away, here)
        if not usable[x]:
            away, here = best, None
            continue
        score, time, benefit = away
        if here is not None:
            saving = chain.savings[x - 1]
            score, time, benefit = max(away, (here[0] + t * saving, here[1], here[2] + saving))
        away = best
        here = (score + t * value - w * seconds, time + seconds, benefit + value)
    _, time, benefit = away if here is None else max(away, here)
    return time, benefit


def staircase(problem: UploadProblem, most: int = MOST_POINTS) -> tuple[Fraction, int]:
    """Return the area below the stairs, constant part included, and how often points were joined.

    Parameters
    ----------
    problem, most
        As in :func:`stairs`.
    """
    chain = integers.scale(problem, lift=False)
    steps, joined = _best_sets(problem, chain, most)
    total, best = sum(chain.seconds), steps[-1][1]
    ends = [u for u, _ in steps[1:]] + [total]
    area = sum((end - u) * (best - b) for (u, b), end in zip(steps, ends, strict=True))
    least = chain.base - best * chain.value_unit
    return total * chain.time_unit * least + area * chain.time_unit * chain.value_unit, joined


def stairs(problem: UploadProblem, most: int = MOST_POINTS) -> tuple[FloatArray, FloatArray]:
    """Return from when on no delay is below which one, seconds both, ``(k,)``.

    Parameters
    ----------
    problem
        The instance.
    most
        Points kept at a layer. Of more, pairs are joined to the time of one and the benefit of the
        other, whichever is better: the bound gets weaker, not wrong.
    """
    chain = integers.scale(problem, lift=False)
    steps, _ = _best_sets(problem, chain, most)
    seconds = [float(u * chain.time_unit) for u, _ in steps]
    delays = [integers.rounded_down(chain.base - b * chain.value_unit) for _, b in steps]
    return np.array(seconds), np.array(delays)


def _best_sets(
    problem: UploadProblem, chain: integers.ExactChain, most: int
) -> tuple[list[_Point], int]:
    """Return upload time and benefit of the best sets, and how often points were joined."""
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
    return _frontier([*off, *on]), joined


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
