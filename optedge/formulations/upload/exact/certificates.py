r"""What proves the optimum of the recursion on intervals: which layer goes last in each of them.

The proof is another one than that of ``intervals``, and shares no code with it but that which makes
whole numbers of the instance and finds its segments (``integers``). There are no floats in it.

Let an order of the layers of an interval end with k. Until then its left and right part L, R do not
know of each other; k brings the benefit :math:`\delta_k` when all of t, the time of the interval,
has passed. So the order costs what it costs on L and on R, :math:`t\, \delta_k`, and what layers of
one part pay for the benefit that the other part still lacks. Let concave functions of the upload
time, in pieces (*blocks*) of time and benefit :math:`(t_P, w_P)`, lie above the benefit of every
set of layers of L, and of R. Of each pair of pieces one goes first and pays for the other: at least
:math:`\sum_{P, Q} \min(t_P w_Q, t_Q w_P)` in all. Hence

.. math:: F_{ij} = \min_k \Big( F_{ik} + F_{k+1,j} + t\, \delta_k
   + \textstyle\sum_{P, Q} \min(t_P w_Q, t_Q w_P) \Big)

is a lower bound: all candidates k are tried here. What the certificate saves is the search for the
functions. That of an interval is made of those of its parts for the layer that is said to be last:
their pieces by falling density, then :math:`(t_k, \delta_k)`, joined with those before while
densities do not fall. It is checked to lie above all sets S: sets without k, by what was checked
before. With k, S has at most :math:`\delta_k` more than without, for what a layer adds grows with
the set; that settles densities :math:`\rho \ge \delta_k / t_k`. At the end of each piece of less
density the largest :math:`w(S) - \rho\, t(S)` of all sets is recomputed, in one pass over the
chain. Any claim of a last layer leads to a valid bound or to a function that fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import Certificate
from optedge.formulations.upload.exact import integers, intervals

if TYPE_CHECKING:
    from optedge.formulations.upload.problem import UploadProblem

KIND = "intervals"

_Piece = tuple[int, int]  # time, benefit


def make(found: intervals.IntervalOrder) -> Certificate:
    """Return the certificate of an order found with negative savings raised to 0."""
    last = np.array([k for row in found.lasts for k in row], dtype=np.float64)
    return Certificate(KIND, integers.rounded_down(found.value), {"last": last})


def certify(problem: UploadProblem, certificate: Certificate) -> float:
    """Return the bound that a certificate proves, ``-inf`` if one of its functions is too low.

    It takes plain integers and tries all layers of all intervals: some seconds for 100 layers.

    Raises
    ------
    ValueError
        If the array ``last`` is missing, of another length, or names a layer outside of its
        interval.
    """
    chain = integers.scale(problem, lift=True)
    segments = integers.segments(problem, chain, benefits=False)
    claims = _claims(certificate, [len(s.times) for s in segments])
    usable = [not stays for stays in problem.stays.tolist()]
    least, variable = chain.base, 0
    pieces: list[_Piece] = []
    for segment, last in zip(segments, claims, strict=True):
        checked = _Checked(chain, usable, segment, last)
        found = checked.run()
        if found is None:
            return float("-inf")
        value, own = found
        variable += value + _pairs(pieces, own)
        pieces = _by_density(pieces, own)
        least -= checked.benefit[0, len(segment.times)] * chain.value_unit
    total = sum(chain.seconds) * chain.time_unit
    return integers.rounded_down(total * least + variable * chain.time_unit * chain.value_unit)


def _claims(certificate: Certificate, sizes: list[int]) -> list[dict[tuple[int, int], int]]:
    """Return the last layer of each interval of each segment."""
    last = certificate.arrays.get("last")
    wanted = sum(m * (m + 1) // 2 for m in sizes)
    whole = last is not None and last.shape == (wanted,) and bool((last == np.round(last)).all())
    if last is None or not whole:
        raise ValueError(f"certificate {KIND!r} needs the array 'last' of {wanted} layers.")
    numbers, claims = iter(last.astype(np.int64).tolist()), []
    for m in sizes:
        ends = [(i, i + length) for length in range(1, m + 1) for i in range(m - length + 1)]
        claims.append({(i, j): next(numbers) for i, j in ends})
        for (i, j), k in claims[-1].items():
            if not i <= k < j:
                raise ValueError(f"certificate array 'last': {k} is not among {i} to {j - 1}.")
    return claims


class _Checked:
    """The bounds and functions of all intervals of a segment."""

    def __init__(
        self,
        chain: integers.ExactChain,
        usable: list[bool],
        segment: integers.Segment,
        last: dict[tuple[int, int], int],
    ) -> None:
        self.chain, self.usable, self.last = chain, usable, last
        self.times, m = segment.times, len(segment.times)
        self.ends = [segment.first - 1, *segment.decisions, segment.end]
        every = [(i, j) for i in range(m + 1) for j in range(i, m + 1)]
        self.benefit = {(i, j): self.largest(i, j, (1, 0)) for i, j in every}
        self.pieces: dict[tuple[int, int], list[_Piece]] = {(i, i): [] for i in range(m + 1)}
        self.bound = {(i, i): 0 for i in range(m + 1)}

    def largest(self, i: int, j: int, piece: _Piece) -> int:
        """Return the largest t w(S) - w t(S) of sets of interval i, j, for a piece (t, w)."""
        t, w = piece
        values, savings, seconds = self.chain.values, self.chain.savings, self.chain.seconds
        away = 0  # of sets without the layer before
        here: int | None = None  # of sets with it
        for x in range(self.ends[i] + 1, self.ends[j + 1]):
            best = away if here is None else max(away, here)
            if self.usable[x]:
                linked = away if here is None else max(away, here + t * savings[x - 1])
                away, here = best, linked + t * values[x] - w * seconds[x]
            else:
                away, here = best, None
        return away if here is None else max(away, here)

    def run(self) -> tuple[int, list[_Piece]] | None:
        """Return bound and function of the segment; None if a function is too low."""
        m = len(self.times)
        for (i, j), k in self.last.items():  # shorter intervals first
            t, gain = self.times[k], self._gain(i, j, k)
            pieces = _by_density(self.pieces[i, k], self.pieces[k + 1, j])
            joined = (t, gain)
            while pieces and joined[1] * pieces[-1][0] >= pieces[-1][1] * joined[0]:
                before = pieces.pop()
                joined = before[0] + joined[0], before[1] + joined[1]
            pieces.append(joined)
            if not self._is_above(i, j, pieces, (t, gain)):
                return None
            self.pieces[i, j] = pieces
            self.bound[i, j] = self._least(i, j)
        return self.bound[0, m], self.pieces[0, m]

    def _gain(self, i: int, j: int, k: int) -> int:
        return self.benefit[i, j] - self.benefit[i, k] - self.benefit[k + 1, j]

    def _is_above(self, i: int, j: int, pieces: list[_Piece], layer: _Piece) -> bool:
        """Tell whether no set of the interval has more than the function, for some densities."""
        nothing = sum(self.benefit[x, x] for x in range(i, j + 1))
        for n in range(len(pieces) - 1, -1, -1):
            t, w = pieces[n]
            if w * layer[0] >= layer[1] * t:  # as dense as the layer: what is denser is settled
                return True
            top = t * nothing + sum(t * b - w * a for a, b in pieces[:n])
            if self.largest(i, j, (t, w)) > top:
                return False
        return True

    def _least(self, i: int, j: int) -> int:
        """Return the least candidate, which nobody may undercut."""
        time = sum(self.times[i:j])
        plain = sorted(
            (self.bound[i, k] + self.bound[k + 1, j] + time * self._gain(i, j, k), k)
            for k in range(i, j)
        )
        k = self.last[i, j]
        least = self.bound[i, k] + self.bound[k + 1, j] + time * self._gain(i, j, k)
        least += _pairs(self.pieces[i, k], self.pieces[k + 1, j])
        for value, k in plain:
            if value >= least:  # pairs never pay less than nothing
                break
            room = least - value
            least = value + _pairs(self.pieces[i, k], self.pieces[k + 1, j], room)
        return least


def _by_density(left: list[_Piece], right: list[_Piece]) -> list[_Piece]:
    """Return the pieces of two concave functions, each by falling density, in one such row."""
    row, rest = [], list(reversed(right))
    for t, w in left:
        while rest and rest[-1][1] * t > w * rest[-1][0]:
            row.append(rest.pop())
        row.append((t, w))
    return row + rest[::-1]


def _pairs(left: list[_Piece], right: list[_Piece], room: int | None = None) -> int:
    """Return the sum of the lesser payments of all pairs, or ``room`` once it is as much.

    A piece of the left pays for all pieces of the right that are less dense, and is paid for by
    those that are denser: their time so far.
    """
    paid, time, n = 0, 0, 0
    lacking = sum([w for _, w in right])
    for t, w in left:
        while n < len(right) and right[n][1] * t > w * right[n][0]:
            time += right[n][0]
            lacking -= right[n][1]
            n += 1
        paid += t * lacking + w * time
        if room is not None and paid >= room:
            return room
    return paid
