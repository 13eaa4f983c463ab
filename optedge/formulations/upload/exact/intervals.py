r"""The best order of upload in polynomial time: a recursion on intervals of the chain.

Let w(S) be the benefit of the usable set S under best use, t(S) its upload time, both on whole
numbers. The variable part of an order is :math:`\sum_k t_k (w(N) - w(S_{k-1}))`. For an interval of
layers, take the one that is uploaded last, k. Until then the layers left and right of it do not
know of each other, for no saving jumps over a missing layer; with k comes the benefit
:math:`\delta_k = w(\text{all}) - w(\text{left}) - w(\text{right})`, at the end. Orders of the two
sides are merged block by block: a *block* is a run of an order that is sent in one piece, of
benefit w and time t, and blocks go by falling density w / t.

Why this is exact if no saving is negative:

* w is supermodular, :math:`w(S \cup A) \ge w(S) + w(A) - w(S \cap A)`. Let A be a set of largest
  density :math:`\rho = w(A) / t(A)`. Moving A to the front of an order, all else as it was, changes
  :math:`\sum_k t_k w(S_{k-1})` by at least :math:`\rho \left[ \sum_{k \notin A} t_k
  t(A \setminus S_{k-1}) - \sum_{k \in A} t_k t(S_{k-1} \setminus A) \right] = 0`, for both sums
  run over the pairs "i in A after k not in A"; here :math:`w(S \cap A) \le \rho\, t(S \cap A)` and
  :math:`w(S) - w(S \cap A) \le w(S \cup A) - w(A) \le \rho\, t(S \setminus A)` as no set is denser.
  So some optimal order begins with A. The rest has the benefit :math:`w(\cdot \cup A) - w(A)`,
  which is supermodular: repeat.
* In an optimal order these are equalities, so a prefix of it has density :math:`\rho`, and joining
  neighbouring runs while densities do not fall gives such a decomposition (Sidney's) of it.
* Of two independent parts, a densest set lies in one of them (densities of unions are means). So
  optimal orders of the parts, merged block by block, are optimal for the union, and what merging
  costs is :math:`\sum_{P, Q} \min(t_P w_Q, t_Q w_P)` over the blocks P of one and Q of the other.

With a negative saving the value is that of the order found, and proves nothing.

Source: own; the decomposition is that of Sidney 1975, its use for supermodular benefits as in
Fokkink, Lidbetter, Vegh, "On submodular search and machine scheduling", 2019.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from optedge.formulations.upload.exact import estimates, integers

if TYPE_CHECKING:
    from optedge.formulations.upload.problem import UploadProblem

FEW_LAYERS = 40  # up to which whole numbers alone take some hundredths of a second


class Block(NamedTuple):
    """A run of an order that is sent in one piece: time, benefit, and its layers in turn.

    The recursion leaves its layers out: they follow from what is uploaded last.
    """

    time: int
    benefit: int
    layers: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class IntervalOrder:
    """What the recursion finds.

    Parameters
    ----------
    constant, variable
        The two parts of the sum of system delay, in the numbers that the recursion ran on: upload
        time times least delay, and what the order exceeds it by.
    order
        The layers whose upload takes time, in the order of upload.
    blocks
        Time in seconds, benefit in seconds and layers of each block; densities fall.
    lasts
        For each segment the place of the layer that is uploaded last in each interval, shorter
        intervals first, those of one length from left to right.
    exact
        Whether no saving was negative: then no plan has a smaller ``value``.
    """

    constant: Fraction
    variable: Fraction
    order: tuple[int, ...]
    blocks: tuple[tuple[Fraction, Fraction, tuple[int, ...]], ...]
    lasts: tuple[tuple[int, ...], ...]
    exact: bool

    @property
    def value(self) -> Fraction:
        """The sum of system delay, constant and variable part."""
        return self.constant + self.variable


class Stopped(Exception):
    """The recursion was asked to stop."""


def best_order(
    problem: UploadProblem, *, lift: bool = False, stop: Callable[[], bool] = lambda: False
) -> IntervalOrder:
    """Return the order that the recursion finds, and its value without rounding.

    Parameters
    ----------
    problem
        The instance.
    lift
        Whether negative savings count as 0: the value is a lower bound then, whatever they are.
    stop
        Asked now and then whether to give up.

    Raises
    ------
    Stopped
        If ``stop`` said so.
    """
    chain = integers.scale(problem, lift=lift)
    part, total, least = 0, 0, chain.base
    blocks: list[Block] = []
    lasts = []
    for segment in integers.segments(problem, chain):
        m = len(segment.times)
        cost, last = _recursion(segment.times, segment.benefits, stop)
        own = _order(segment, last)
        part += cost + (_merging(blocks, own, None) or 0)
        blocks = _merged(blocks, own)
        total += sum(segment.times)
        least -= segment.benefits[0][m] * chain.value_unit
        ends = ((i, i + size) for size in range(1, m + 1) for i in range(m - size + 1))
        lasts.append(tuple(last[i][j] for i, j in ends))
    return IntervalOrder(
        total * chain.time_unit * least,
        part * chain.value_unit * chain.time_unit,
        tuple(j for b in blocks for j in b[2]),
        tuple((b[0] * chain.time_unit, b[1] * chain.value_unit, b[2]) for b in blocks),
        tuple(lasts),
        all(s >= 0 for s in chain.savings),
    )


def quick_order(
    problem: UploadProblem,
    *,
    most: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[int, ...]:
    """Return the order that the recursion finds in compiled floats; it proves nothing.

    Parameters
    ----------
    problem
        The instance.
    most
        Layers of a segment, at most; longer ones are cut (:func:`integers.parted`) and the order is
        that of a heuristic. None for no limit.
    stop
        Asked now and then whether to give up.

    Raises
    ------
    Stopped
        If ``stop`` said so.
    """
    chain = integers.scale(problem, lift=False)
    if most is not None:
        chain = integers.parted(problem, chain, most)
    blocks: list[Block] = []
    for segment in integers.segments(problem, chain):
        if len(segment.times) <= FEW_LAYERS:
            _, last = _recursion(segment.times, segment.benefits, stop)
        else:
            found = estimates.Estimates(segment.times, segment.benefits).run(stop)
            if found is None:
                raise Stopped
            last = found.tolist()
        blocks = _merged(blocks, _order(segment, last))
    return tuple(j for b in blocks for j in b.layers)


def longest(problem: UploadProblem) -> int:
    """Return how many layers the longest segment has whose upload takes time."""
    chain = integers.scale(problem, lift=True)
    return max((len(s.times) for s in integers.segments(problem, chain, benefits=False)), default=0)


def _order(segment: integers.Segment, last: list[list[int]]) -> list[Block]:
    """Return the blocks of a segment, for given last layers of its intervals."""
    wanted = [(0, len(segment.times))]
    for i, j in wanted:  # grows while it is read
        if i < j:
            wanted += [(i, last[i][j]), (last[i][j] + 1, j)]
    made: dict[tuple[int, int], list[Block]] = {}
    for i, j in reversed(wanted):
        made[i, j] = []
        if i < j:
            k, w = last[i][j], segment.benefits
            block = Block(
                segment.times[k], w[i][j] - w[i][k] - w[k + 1][j], (segment.decisions[k],)
            )
            made[i, j] = _appended(_merged(made[i, k], made[k + 1, j]), block)
    return made[0, len(segment.times)]


def _recursion(
    times: list[int], table: list[list[int]], stop: Callable[[], bool]
) -> tuple[int, list[list[int]]]:
    """Return the least variable part of one segment and the last layer of each interval.

    On long chains floats first say which layers may be last at all (``estimates``).
    """
    m = len(times)
    before = [0, *itertools.accumulate(times)]
    cost = [[0] * (m + 1) for _ in range(m + 1)]
    last = [[0] * (m + 1) for _ in range(m + 1)]
    blocks: list[list[list[Block]]] = [[[] for _ in range(m + 1)] for _ in range(m + 1)]
    floats = estimates.Estimates(times, table) if m > FEW_LAYERS else None
    if floats and not floats.fits:
        floats = None
    for length in range(1, m + 1):
        chosen = floats.survivors(length) if floats else None
        for i in range(m - length + 1):
            if stop():
                raise Stopped
            j = i + length
            whole, most = before[j] - before[i], table[i][j]
            costs = [
                (cost[i][k] + cost[k + 1][j] + whole * (most - table[i][k] - table[k + 1][j]), k)
                for k in (chosen[i] if chosen else range(i, j))
            ]
            least: int | None = None
            # Those that promise most first: few others need to be merged then.
            for value, k in sorted(costs):
                if least is None or value < least:  # merging never costs less than nothing
                    room = None if least is None else least - value
                    extra = _merging(blocks[i][k], blocks[k + 1][j], room)
                    if extra is not None:
                        least, last[i][j] = value + extra, k
            assert least is not None
            k = last[i][j]
            block = Block(times[k], most - table[i][k] - table[k + 1][j])
            cost[i][j] = least
            blocks[i][j] = _appended(_merged(blocks[i][k], blocks[k + 1][j]), block)
        if floats:
            ends = [(i, i + length) for i in range(m - length + 1)]
            floats.put(length, [cost[i][j] for i, j in ends], [blocks[i][j] for i, j in ends])
    return cost[0][m], last


def _merging(left: list[Block], right: list[Block], room: int | None) -> int | None:
    """Return what merging two lists by falling density costs; None once it is ``room`` or more.

    This is where the recursion spends its time: each block is unpacked once.
    """
    if not left or not right:
        return 0
    value, i, j, ends = 0, 0, 0, (len(left), len(right))
    rest_left, rest_right = sum([b[1] for b in left]), sum([b[1] for b in right])
    (t, w, _), (u, v, _) = left[0], right[0]
    while True:
        if w * u >= v * t:
            value += t * rest_right
            rest_left -= w
            i += 1
            if i == ends[0]:
                break
            t, w, _ = left[i]
        else:
            value += u * rest_left
            rest_right -= v
            j += 1
            if j == ends[1]:
                break
            u, v, _ = right[j]
        if room is not None and value >= room:
            return None
    return None if room is not None and value >= room else value


def _merged(left: list[Block], right: list[Block]) -> list[Block]:
    """Return the blocks of two lists by falling density; of equal ones the left one first."""
    out, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        p, q = left[i], right[j]
        if p[1] * q[0] >= q[1] * p[0]:
            out.append(p)
            i += 1
        else:
            out.append(q)
            j += 1
    return out + left[i:] + right[j:]


def _appended(blocks: list[Block], last: Block) -> list[Block]:
    """Return the blocks with one more, joined with those before while its density is no less."""
    while blocks and last[1] * blocks[-1][0] >= blocks[-1][1] * last[0]:
        joined = blocks.pop()
        last = Block(joined[0] + last[0], joined[1] + last[1], joined[2] + last[2])
    return [*blocks, last]
