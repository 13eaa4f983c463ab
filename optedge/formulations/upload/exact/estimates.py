r"""The recursion on intervals in compiled floats: quick, and within a proved error.

It serves twice. Alone it finds an order, whose value the problem then computes. Beside the run in
whole numbers (``intervals``) it says which layers cannot be the last of an interval: of the others,
few as a rule, whole numbers decide.

**Error.** Let t be the upload time of an interval, W its benefit and :math:`u = 2^{-53}`. With
times, benefits and blocks that are whole numbers rounded once, what a candidate costs is off by at
most :math:`(4m + 40)\, u\, t\, W`, m the number of layers: all that is added or multiplied is at
most t, W or t W; the time is a sum of m numbers; a rest of benefit is what at most m subtractions
leave, each off by 2u W; merging adds at most m products, t W in all; and where rounding decides
which of two blocks goes first, their products differ by :math:`4u` of themselves. A part of the sum
over blocks is off by no more, so that a sum may be given up half way. ``slack`` is larger than
twice that. If t W of the whole chain is below :math:`2^{52}` nothing is rounded at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from optedge import kernels
from optedge.formulations.base import FloatArray, IntArray

MEMORY_MB = 500
EXACT_BITS = 52
MOST_BITS = 480  # of times and of benefits: their products stay far below 2^1024


def needed_mb(m: int) -> float:
    """Return the memory in MB that m layers may take, at most, in floats and whole numbers.

    Blocks of all intervals are kept, at most as many as the interval has layers: 24 bytes each,
    beside some tables.
    """
    return (4.0 * m * (m + 1) * (m + 2) + 300.0 * (m + 1) ** 2) / 1e6


def most_layers(memory_mb: float) -> int:
    """Return for how many layers so much memory suffices; at least 1."""
    m = 1
    while needed_mb(m + 1) <= memory_mb:
        m += 1
    return m


class Tables(NamedTuple):
    """What the kernels work on; intervals by their ends, blocks by their place.

    Parameters
    ----------
    times
        Of the m layers.
    benefits, costs, gains
        Of each interval, ``(m + 1, m + 1)``: as in ``intervals``, and the benefit of its blocks.
    last, first, count
        Of each interval: its last layer, its first block, how many it has.
    block_times, block_benefits
        Of all blocks; the pages of memory that nobody writes to are not taken.
    """

    times: Any
    benefits: Any
    costs: Any
    gains: Any
    last: Any
    first: Any
    count: Any
    block_times: Any
    block_benefits: Any


class Estimates:
    """Costs of candidates for the last layer of an interval, shorter intervals first.

    Parameters
    ----------
    times
        Upload times of the m layers.
    benefits
        Benefit of each interval, ``(m + 1, m + 1)``, as in ``intervals``.

    Attributes
    ----------
    slack
        By how much two candidates must differ, as a share of t W, to be told apart.
    fits
        Whether the numbers are small enough for floats. If not, they are shifted and ``slack`` does
        not stand: an order may be found all the same.
    """

    def __init__(self, times: list[int], benefits: list[list[int]]) -> None:
        m = len(times)
        whole, most = sum(times), max(map(max, benefits))
        exact = (whole * most).bit_length() <= EXACT_BITS
        self.slack = 0.0 if exact else (8 * m + 128) * 2.0**-53
        self.fits = max(whole, most).bit_length() <= MOST_BITS
        ends = (m + 1, m + 1)
        room = m * (m + 1) * (m + 2) // 6
        self.tables = Tables(
            _floats([times], whole)[0],
            _floats(benefits, most),
            np.zeros(ends),
            np.zeros(ends),
            np.zeros(ends, dtype=np.int64),
            np.zeros(ends, dtype=np.int64),
            np.zeros(ends, dtype=np.int64),
            np.empty(room),
            np.empty(room),
        )
        self.end = 0

    def survivors(self, length: int) -> list[list[int]]:
        """Return which layers may be the last of each interval of a length.

        Costs and blocks of all shorter intervals must stand (:meth:`put`).
        """
        found = np.empty((len(self.tables.times) - length + 1, length))
        _weigh(length, self.slack, self.tables, found)
        rows, x = [], self.tables
        for i, row in enumerate(found):
            if self.slack == 0:
                rows.append([i + int(row.argmin())])
                continue
            j = i + length
            near = row.min() + self.slack * x.times[i:j].sum() * x.benefits[i, j]
            rows.append((i + np.flatnonzero(row <= near)).tolist())
        return rows

    def put(
        self, length: int, costs: list[int], blocks: Sequence[Sequence[tuple[int, int, Any]]]
    ) -> None:
        """Write the costs and blocks of all intervals of a length, each number rounded once."""
        x = self.tables
        for i, (cost, run) in enumerate(zip(costs, blocks, strict=True)):
            j, begin, end = i + length, self.end, self.end + len(run)
            x.costs[i, j], x.first[i, j], x.count[i, j] = float(cost), begin, len(run)
            x.gains[i, j] = float(sum([w for _, w, _ in run]))
            x.block_times[begin:end] = [float(t) for t, _, _ in run]
            x.block_benefits[begin:end] = [float(w) for _, w, _ in run]
            self.end = end

    def run(self, stop: Callable[[], bool]) -> IntArray | None:
        """Run the recursion in floats; return the last layer of each interval.

        None if ``stop``, which is asked after each length, said so.
        """
        for length in range(1, len(self.tables.times) + 1):
            if stop():
                return None
            found: FloatArray = np.empty((len(self.tables.times) - length + 1, length))
            _weigh(length, 0.0, self.tables, found)
            self.end = _settle(length, self.end, self.tables, found)
        return np.asarray(self.tables.last)


def _floats(rows: list[list[int]], largest: int) -> FloatArray:
    """Return rows of numbers, each rounded once; shifted if the largest is very large."""
    shift = max(0, largest.bit_length() - MOST_BITS)
    return np.array([[float(x >> shift if shift else x) for x in row] for row in rows])


@kernels.kernel
def _weigh(length: int, slack: float, tables: Tables, found: Any) -> None:
    """Write what each candidate costs, ``(intervals, length)``; inf once it is known to lose."""
    times, benefits, costs, gains, _, first, count, block_times, block_benefits = tables
    for i in range(found.shape[0]):
        j = i + length
        time = 0.0
        for k in range(i, j):
            time += times[k]
        margin = slack * time * benefits[i, j]
        begin = i
        for k in range(i, j):
            gain = benefits[i, j] - benefits[i, k] - benefits[k + 1, j]
            found[i, k - i] = costs[i, k] + costs[k + 1, j] + time * gain
            if found[i, k - i] < found[i, begin - i]:
                begin = k
        least = np.inf
        for step in range(length):
            k = i + (begin - i + step) % length  # neighbours of the most promising come next
            value, limit = found[i, k - i], least + margin
            p, q = first[i, k], first[k + 1, j]
            p_end, q_end = p + count[i, k], q + count[k + 1, j]
            if p < p_end and q < q_end:
                left, right = gains[i, k], gains[k + 1, j]
                t, w, u, v = block_times[p], block_benefits[p], block_times[q], block_benefits[q]
                while value <= limit:
                    if w * u >= v * t:
                        value += t * right
                        left -= w
                        p += 1
                        if p == p_end:
                            break
                        t, w = block_times[p], block_benefits[p]
                    else:
                        value += u * left
                        right -= v
                        q += 1
                        if q == q_end:
                            break
                        u, v = block_times[q], block_benefits[q]
            found[i, k - i] = value if value <= limit else np.inf
            least = min(least, value)


@kernels.kernel
def _settle(
    length: int,
    end: int,
    tables: Tables,
    found: Any,
) -> int:
    """Take the cheapest candidates and write their blocks; return where the next ones begin."""
    times, benefits, costs, gains, last, first, count, block_times, block_benefits = tables
    for i in range(found.shape[0]):
        j = i + length
        k = i
        for x in range(i, j):
            if found[i, x - i] < found[i, k - i]:
                k = x
        costs[i, j], last[i, j], first[i, j] = found[i, k - i], k, end
        p, q = first[i, k], first[k + 1, j]
        p_end, q_end = p + count[i, k], q + count[k + 1, j]
        b = end
        while p < p_end or q < q_end:
            if q == q_end or (
                p < p_end
                and block_benefits[p] * block_times[q] >= block_benefits[q] * block_times[p]
            ):
                block_times[b], block_benefits[b] = block_times[p], block_benefits[p]
                p += 1
            else:
                block_times[b], block_benefits[b] = block_times[q], block_benefits[q]
                q += 1
            b += 1
        time, gain = times[k], benefits[i, j] - benefits[i, k] - benefits[k + 1, j]
        gains[i, j] = gains[i, k] + gains[k + 1, j] + gain
        while b > end and gain * block_times[b - 1] >= block_benefits[b - 1] * time:
            b -= 1
            time += block_times[b]
            gain += block_benefits[b]
        block_times[b], block_benefits[b] = time, gain
        count[i, j] = b + 1 - end
        end = b + 1
    return end
