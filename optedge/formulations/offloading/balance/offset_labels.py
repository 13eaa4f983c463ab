r"""Plans from their first decision on, guided by the tables of ``offsets``: exact, or a beam.

A *label* is a state with its true offsets: server, counts of edges and clouds above the least of
their group, and the least cost g of a plan that leads there. With the table of the relaxation,
:math:`g + V` is at most the cost of every plan that goes through it, so that a label may be left
out if that is no better than a known plan (the *cutoff*). If all others fit into memory, what is
left is the optimum, or there is no plan better than the cutoff. If not, only labels of least
:math:`g + V` are kept: a beam, whose plans are good ones.

Source: ours; forward and backward dynamic programming with bounds as Morin, Marsten 1976.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.balance.offsets import Moves, Offsets
from optedge.kernels import kernel

ShortInts = npt.NDArray[np.int32]


class Labels:
    """The labels of one decision after the other.

    Parameters
    ----------
    relaxed
        The relaxation.
    cutoff
        Plans that cost as much are not looked for; ``inf`` for all.
    width
        How many labels are kept.
    """

    def __init__(self, relaxed: Offsets, cutoff: float, width: int) -> None:
        d = relaxed.decisions
        self.relaxed, self.cutoff, self.width = relaxed, cutoff, width
        self.offsets = np.zeros((1, d.n_servers), dtype=np.int32)
        self.at = d.home[:1].astype(np.int64)
        self.cost = np.zeros(1)
        self.trail: list[tuple[ShortInts, ShortInts]] = []
        self.total = self.most = 0
        self.complete = True  # whether all labels fitted
        both = (relaxed.edges, relaxed.clouds)
        self._groups = (
            np.array([2, 0, 1])[d.tiers],
            np.array([group.cap for group in both]),
            np.concatenate([group.rank for group in both]),
            np.concatenate([group.apart for group in both]),
            np.array([x.size for group in both for x in (group.rank, group.apart)]),
        )

    def step(self, k: int, after: FloatArray) -> None:
        """Take decision ``k``; ``after`` is the table of the next one."""
        r, d = self.relaxed, self.relaxed.decisions
        room = self.at.size * d.n_servers
        slots = np.full(1 << (2 * room).bit_length(), -1, dtype=np.int32)
        offsets, at = np.empty((room, d.n_servers), np.int32), np.empty(room, np.int64)
        cost, least, parent = np.empty(room), np.empty(room), np.empty(room, np.int32)
        n = _expand(
            self.offsets,
            self.at,
            self.cost,
            d.tables[d.table_of[k]],
            int(d.home[k]) if d.first[k] else -1,
            after,
            *self._groups,
            d.balance if r.charged(k + 1) else 0.0,
            self.cutoff,
            slots,
            offsets,
            at,
            cost,
            least,
            parent,
        )
        keep = np.arange(n)
        if n > self.width:
            self.complete = False
            keep = np.sort(np.argsort(least[:n], kind="stable")[: self.width])
        self.offsets, self.at, self.cost = offsets[keep], at[keep], cost[keep]
        self.trail.append((parent[keep], self.at.astype(np.int32)))
        self.total, self.most = self.total + keep.size, max(self.most, keep.size)

    def best(self) -> tuple[IntArray, float] | None:
        """Return the best plan and its cost once all decisions are taken; None if none is left."""
        if not self.cost.size:
            return None
        i = int(np.argmin(self.cost))
        value, plan = float(self.cost[i]), np.zeros(len(self.trail), dtype=np.int64)
        for k in range(len(self.trail) - 1, -1, -1):
            parent, at = self.trail[k]
            plan[k], i = at[i], int(parent[i])
        return plan, value


class RelaxedPath:
    """The best path of the relaxation, and what it does not pay for.

    Parameters
    ----------
    relaxed
        The relaxation.
    """

    def __init__(self, relaxed: Offsets) -> None:
        d = relaxed.decisions
        self.relaxed = relaxed
        self.plan: list[int] = []
        self.unpaid = [0.0, 0.0]  # differences of counts, of edges and of clouds
        self._at = int(d.home[0])
        self._state = [0, 0]
        self._counts = [np.zeros(g.servers.size, np.int64) for g in (relaxed.edges, relaxed.clouds)]

    def step(self, k: int, after: FloatArray) -> None:
        """Take decision ``k``; ``after`` is the table of the next one."""
        r, d = self.relaxed, self.relaxed.decisions
        a = int(d.home[k]) if d.first[k] else self._at
        n_inner, best = r.clouds.apart.size, (np.inf, 0, [0, 0])
        for b in np.flatnonzero(np.isfinite(d.tables[d.table_of[k], a])).tolist():
            for e in _following(r.edges, b, self._state[0]):
                for c in _following(r.clouds, b, self._state[1]):
                    value = float(d.tables[d.table_of[k], a, b] + after[b, e * n_inner + c])
                    if value < best[0]:
                        best = (value, b, [e, c])
        _, self._at, self._state = best
        self.plan.append(self._at)
        for i, group in enumerate((r.edges, r.clouds)):
            self._counts[i] += group.servers == self._at
            if r.charged(k + 1):
                apart = np.abs(self._counts[i][:, None] - self._counts[i]).sum() / 2
                self.unpaid[i] += float(apart - group.apart[self._state[i]])


def _following(group: Moves, b: int, vector: int) -> list[int]:
    """Return what a vector may become after one more layer on ``b``."""
    at = np.flatnonzero(group.servers == b)
    if not at.size:
        return [vector]
    s = int(at[0])
    of = slice(group.more_at[s], group.more_at[s + 1])
    more = group.more_to[of][group.more_of[of] == vector]
    return [int(group.first[s, vector]), *more.tolist()]


@kernel
def _expand(
    offsets: ShortInts,
    at: IntArray,
    cost: FloatArray,
    table: FloatArray,
    home: int,
    after: FloatArray,
    group_of: IntArray,
    caps: IntArray,
    ranks: IntArray,
    apart: FloatArray,
    sizes: IntArray,
    z: float,
    cutoff: float,
    slots: ShortInts,
    to_offsets: ShortInts,
    to_at: IntArray,
    to_cost: FloatArray,
    to_least: FloatArray,
    parent: ShortInts,
) -> int:
    """Write the labels after a decision, the best of each state; return how many there are.

    ``group_of`` tells clients (2) from edges (0) and clouds (1), of which ``ranks`` and ``apart``
    hold the numbers of vectors by their digits and f, those of edges first; ``sizes`` are those of
    both for edges, then for clouds. ``z`` is what a unit of Z costs now, 0 if it is not added.
    ``slots`` is a hash table, full of -1, with a power of 2 of places.
    """
    n_servers = table.shape[0]
    own, made = np.empty(n_servers, np.int32), 0
    number, truly = np.zeros(3, np.int64), np.zeros(3, np.int64)
    before, before_apart = np.zeros(3, np.int64), np.zeros(3, np.int64)
    for i in range(at.size):
        a = home if home >= 0 else at[i]
        for b in range(-1, n_servers):  # -1: the label itself
            if b >= 0 and not table[a, b] < np.inf:
                continue
            for s in range(n_servers):
                own[s] = offsets[i, s]
            for x in range(2):
                number[x], truly[x] = before[x], before_apart[x]
                if b >= 0 and group_of[b] != x:
                    continue
                digits, truly[x] = _one_more(own, x, b, group_of, caps)
                number[x] = ranks[x * sizes[0] + digits]
            if b < 0:
                for x in range(2):
                    before[x], before_apart[x] = number[x], truly[x]
                continue
            value = cost[i] + table[a, b]
            least = value + after[b, number[0] * sizes[3] + number[1]]
            if z > 0.0:  # the table holds what Z costs with capped offsets
                paid = apart[number[0]] + apart[sizes[1] + number[1]]
                value += z * (truly[0] + truly[1])
                least += z * (truly[0] + truly[1] - paid)
            if not least < cutoff:
                continue
            place = _place(slots, own, b, to_offsets, to_at)
            j = slots[place]
            if j < 0:  # the first label of its state
                j = made
                made += 1
                slots[place] = j
                for s in range(n_servers):
                    to_offsets[j, s] = own[s]
                to_at[j], to_cost[j] = b, np.inf
            if value < to_cost[j]:
                to_cost[j], to_least[j], parent[j] = value, least, i
    return made


@kernel
def _one_more(
    own: ShortInts, x: int, b: int, group_of: IntArray, caps: IntArray
) -> tuple[int, int]:
    """Count one more layer on ``b``, a server of group ``x``, into the offsets; none if it is -1.

    Returns the capped offsets of the group as digits of one number, and f of the true ones.
    """
    n_servers = own.size
    if b >= 0:
        own[b] += 1
        least_count = own[b]
        for s in range(n_servers):
            if group_of[s] == x and own[s] < least_count:
                least_count = own[s]
        for s in range(n_servers):
            if group_of[s] == x:
                own[s] -= least_count
    digits, base, differences = 0, 1, 0
    for s in range(n_servers):
        if group_of[s] == x:
            digits += base * (own[s] if own[s] < caps[x] else caps[x])
            base *= caps[x] + 1
            for t in range(s):
                if group_of[t] == x:
                    differences += abs(own[s] - own[t])
    return digits, differences


@kernel
def _place(slots: ShortInts, own: ShortInts, b: int, to_offsets: ShortInts, to_at: IntArray) -> int:
    """Return where in the hash table the label of these offsets on ``b`` stands, or would."""
    places = slots.size - 1
    mixed = b + 1
    for s in range(own.size):
        mixed = (mixed ^ int(own[s])) * 1099511628211
    place = (mixed ^ (mixed >> 29)) & places
    while True:
        j = slots[place]
        if j < 0:
            return int(place)
        same = to_at[j] == b
        for s in range(own.size):
            same = same and to_offsets[j, s] == own[s]
        if same:
            return int(place)
        place = (place + 1) & places
