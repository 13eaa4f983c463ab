r"""Certificates of bounds from count offsets: the recursion again, in plain NumPy.

Two caps are all that a certificate needs to name: the value of the relaxation (``offsets``) is a
bound for every pair of them. With a *cutoff* u beside them labels are made in forward order as
well (``offset_labels``): each plan costs at least u, or at least as much as the best label of the
last decision, so that the smaller of both is a bound.

Nothing here is shared with the compiled search but the tables of costs (``decisions``).
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import BoolArray, Certificate, FloatArray, IntArray
from optedge.formulations.offloading.balance.retracing import ascending
from optedge.formulations.offloading.costs import decisions
from optedge.formulations.offloading.costs.decisions import Decisions

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem

KIND = "count offsets"
MOST_ENTRIES = 2**25  # of a table
MOST_VECTORS = 2**22  # of offsets, before those without a 0 are left out
MEMORY = 10**9  # bytes, for tables
MOST_LABELS, MOST_IN_ALL = 200_000, 2_000_000  # at a decision, and of all together


def certify(problem: OffloadingProblem, certificate: Certificate) -> float:
    """Return the bound that ``certificate`` proves, rounded safely downwards.

    Parameters
    ----------
    problem
        The instance; its tasks are chains.
    certificate
        Of kind ``"count offsets"`` with the array ``caps`` (2,), whole numbers of at least 0: the
        largest offsets of edges and of clouds. With ``cutoff`` (1,), finite, in the unit of the
        objective, plans below it are looked for as well.

    Raises
    ------
    ValueError
        If the kind is another, a task is no chain, waiting counts in H, an array is missing, of the
        wrong shape, out of its range, or asks for more memory than there is.
    """
    if certificate.kind != KIND:
        raise ValueError(f"this bound needs a certificate {KIND!r}, got {certificate.kind!r}.")
    steps = decisions.make(problem)
    caps = certificate.arrays.get("caps")
    if caps is None or caps.shape != (2,):
        raise ValueError("certificate array 'caps' must have shape (2,).")
    if not (np.isfinite(caps) & (caps >= 0) & (caps == np.floor(caps))).all():
        raise ValueError("certificate array 'caps' must hold whole numbers of at least 0.")
    if reason := why_too_large(steps, (int(caps[0]), int(caps[1]))):
        raise ValueError(f"certificate array 'caps' is out of range: {reason}")
    cutoff = certificate.arrays.get("cutoff")
    if cutoff is not None and (cutoff.shape != (1,) or not np.isfinite(cutoff).all()):
        raise ValueError("certificate array 'cutoff' must have shape (1,) and be finite.")
    relaxed = _Relaxed(steps, (int(caps[0]), int(caps[1])))
    found = relaxed.bound() if cutoff is None else relaxed.searched(float(cutoff[0]))
    return found - _rounding(problem, steps, found)


def make(
    problem: OffloadingProblem,
    steps: Decisions,
    caps: tuple[int, int],
    value: float,
    cutoff: float | None = None,
) -> Certificate:
    """Return the certificate of a bound that a search found, its value less what rounding may do.

    ``value`` is that of the same recursion, done elsewhere: here it is not done again.
    """
    arrays = {"caps": np.array(caps, dtype=np.float64)}
    if cutoff is not None:
        arrays["cutoff"] = np.array([cutoff])
    return Certificate(KIND, value - 3 * _rounding(problem, steps, value), arrays)


def why_too_large(steps: Decisions, caps: tuple[int, int]) -> str | None:
    """Say why a certificate with these caps cannot be valued; None if it can."""
    entries = steps.n_servers
    for tier, cap in zip((1, 2), caps, strict=True):
        g = int((steps.tiers == tier).sum())
        if g * math.log2(cap + 1) > math.log2(MOST_VECTORS):
            return f"offsets of {g} servers up to {cap} are more than {MOST_VECTORS:,}."
        entries *= (cap + 1) ** g - cap**g if g else 1
    if entries > MOST_ENTRIES:
        return f"its tables have {entries:,} entries, more than {MOST_ENTRIES:,}."
    return None


def _rounding(problem: OffloadingProblem, steps: Decisions, value: float) -> float:
    """Return how far rounding may have moved a bound of about ``value``.

    Along a path each decision adds two numbers, and Z is not negative, so that all magnitudes on a
    best path together are at most its value and twice the costs below 0. Entries of the tables are
    some roundings off themselves, relative to what was added up to them.
    """
    known = np.where(np.isfinite(steps.tables), steps.tables, 0.0)
    least, size = known.min(axis=(1, 2)), np.abs(known).max(axis=(1, 2))
    below = -math.fsum(np.minimum(least, 0.0)[steps.table_of])
    shared = math.fsum(size[steps.table_of]) + 2 * abs(problem.data.weights.constant)
    added = (4 * steps.n_decisions + 16) * (abs(value) + 2 * below)
    return 2.0**-53 * (added + 16 * shared)


class _Vectors:
    """Offsets of a group up to a cap and what one more layer makes of them."""

    def __init__(self, servers: IntArray, cap: int) -> None:
        self.servers, self.cap, g = servers, cap, servers.size
        grid = np.indices((cap + 1,) * g).reshape(g, (cap + 1) ** g)
        usable = (grid == 0).any(axis=0) | (g == 0)
        self.number = np.cumsum(usable) - 1
        self.shape = (cap + 1,) * g
        self.all = grid[:, usable]  # (g, n)
        self.apart = self.unevenness(self.all)
        self.moved, self.rises, self.variants = [], [], []
        for x in range(g):
            after = self.all.copy()
            after[x] = np.minimum(after[x] + 1, cap)
            rises = (after > 0).all(axis=0)
            after[:, rises] -= self.all[:, rises] < cap
            self.moved.append(self.index(after))
            self.rises.append(np.flatnonzero(rises))
            self.variants.append(self._fallen(after[:, rises]))

    def _fallen(self, after: IntArray) -> list[IntArray]:
        """Return what vectors are if some of their tops, all combinations, are one less."""
        tops = (after == self.cap) & (self.cap > 0)
        falls = itertools.product((False, True), repeat=len(after))
        kept = [f for f in falls if (tops | ~np.array(f, dtype=bool)[:, None]).any(axis=1).all()]
        return [self.index(after - (tops & np.array(f, dtype=bool)[:, None])) for f in kept[1:]]

    def index(self, vectors: IntArray) -> IntArray:
        """Return the numbers of vectors (g, n), offsets beyond the cap cut to it."""
        capped = np.minimum(vectors, self.cap)
        if not len(capped):
            return np.zeros(vectors.shape[1], dtype=np.int64)
        return np.asarray(self.number[np.ravel_multi_index(tuple(capped), self.shape)])

    def unevenness(self, vectors: IntArray) -> IntArray:
        """Return the sum of differences of vectors (g, n)."""
        pairs = itertools.combinations(vectors, 2)
        return sum((np.abs(x - y) for x, y in pairs), np.zeros(vectors.shape[1], dtype=np.int64))

    def after(self, x: int, table: FloatArray) -> FloatArray:
        """Return the least entries (n, any) that one more layer on the x-th server may lead to."""
        found, rises = table[self.moved[x]], self.rises[x]
        for to in self.variants[x]:
            found[rises] = np.minimum(found[rises], table[to])
        return found


class _Relaxed:
    """The recursion; its tables have the shape (n_servers, edge vectors, cloud vectors)."""

    def __init__(self, steps: Decisions, caps: tuple[int, int]) -> None:
        self.steps = steps
        self.groups = [
            _Vectors(np.flatnonzero(steps.tiers == tier), cap)
            for tier, cap in zip((1, 2), caps, strict=True)
        ]
        edges, clouds = self.groups
        self.charge = steps.balance * (edges.apart[:, None] + clouds.apart)
        self.last = np.tile(self.charge, (steps.n_servers, 1, 1))

    def charged(self, k: int) -> bool:
        """Tell whether Z is added before decision ``k``."""
        return k == self.steps.n_decisions or (self.steps.running and k > 0)

    def tables(self) -> itertools.chain[FloatArray]:
        """Return the tables of all decisions, the first one first, and the last."""
        n, kept = self.steps.n_decisions, MEMORY // self.last.nbytes
        return itertools.chain(ascending(0, n, self.last, self._back, kept), [self.last])

    def bound(self) -> float:
        """Return the value of the relaxation."""
        return float(next(self.tables())[self.steps.home[0], 0, 0])

    def _back(self, k: int, after: FloatArray) -> FloatArray:
        costs, first = self.steps.tables[self.steps.table_of[k]], bool(self.steps.first[k])
        reached = after.copy()
        for x, b in enumerate(self.groups[0].servers):
            reached[b] = self.groups[0].after(x, after[b])
        for x, b in enumerate(self.groups[1].servers):
            reached[b] = self.groups[1].after(x, after[b].T).T
        found, sum_ = np.full_like(after, np.inf), np.empty_like(self.charge)
        for a in [self.steps.home[k]] if first else range(len(after)):
            for b in np.flatnonzero(np.isfinite(costs[a])):
                np.add(reached[b], costs[a, b], out=sum_)
                np.minimum(found[a], sum_, out=found[a])
            if self.charged(k):
                found[a] += self.charge
        if first:
            found[:] = found[self.steps.home[k]]
        return found

    def searched(self, cutoff: float) -> float:
        """Return the cost of the best plan below ``cutoff``; the cutoff if there is none."""
        steps, tables, total = self.steps, self.tables(), 0
        at, cost = np.array([steps.home[0]]), np.zeros(1)
        counts = np.zeros((1, steps.n_servers), dtype=np.int64)
        next(tables)
        for k in range(steps.n_decisions):
            after = next(tables)
            made = [
                self._taken(k, b, at, cost, counts, after, cutoff) for b in range(steps.n_servers)
            ]
            counts, cost = (np.concatenate(x) for x in zip(*made, strict=True))
            at = np.repeat(np.arange(steps.n_servers), [len(x) for _, x in made])
            counts, at, cost = _least(counts, at, cost)
            if not cost.size:
                break
            total += cost.size
            if cost.size > MOST_LABELS or total > MOST_IN_ALL:
                raise ValueError(
                    "certificate array 'cutoff' is out of range: its labels are too many."
                )
        return min(cutoff, float(cost.min(initial=np.inf)))

    def _taken(
        self,
        k: int,
        b: int,
        at: IntArray,
        cost: FloatArray,
        counts: IntArray,
        after: FloatArray,
        cutoff: float,
    ) -> tuple[IntArray, FloatArray]:
        """Return counts above the least and costs of the labels that go on to server ``b``."""
        steps = self.steps
        a = np.full_like(at, steps.home[k]) if steps.first[k] else at
        step = steps.tables[steps.table_of[k]][a, b]
        usable = np.isfinite(step)
        counts, value = counts[usable], cost[usable] + step[usable]
        counts[:, b] += 1
        numbers, apart = [], np.zeros(value.size, dtype=np.int64)
        for group in self.groups:
            if group.servers.size:
                mine = counts[:, group.servers]
                counts[:, group.servers] = mine - mine.min(axis=1, keepdims=True)
            vectors = counts[:, group.servers].T
            numbers.append(group.index(vectors))
            apart += group.unevenness(vectors)
        counts[:, steps.tiers == 0] = 0
        least = value + after[b, numbers[0], numbers[1]]
        if self.charged(k + 1):
            value = value + steps.balance * apart
            capped = self.groups[0].apart[numbers[0]] + self.groups[1].apart[numbers[1]]
            least = least + steps.balance * (apart - capped)
        kept: BoolArray = least < cutoff
        return counts[kept], value[kept]


def _least(
    counts: IntArray, at: IntArray, cost: FloatArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return each state once, with its least cost."""
    if not cost.size:
        return counts, at, cost
    order = np.lexsort((cost, *counts.T, at))
    counts, at, cost = counts[order], at[order], cost[order]
    new = np.append(True, (counts[1:] != counts[:-1]).any(axis=1) | (at[1:] != at[:-1]))
    return counts[new], at[new], cost[new]
