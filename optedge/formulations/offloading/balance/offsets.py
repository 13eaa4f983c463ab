r"""Running node balance: dynamic programming over count offsets, a bound that rises with its caps.

Z depends on differences of counts only, so what is to come depends on the decision k, the server a
before, and for edges and clouds each the *offsets* of their counts above the least of the group.
Good plans stay near balance. With a cap R all offsets from R on are one, the *top*: an R that
stands for "R or more". Let f be the sum of differences of a group, a top taken as R, and

.. math:: V_k(a, e, c) = \min_b \big( c_k(a, b) + x (f(e') + f(c')) + V_{k+1}(b, e', c') \big),

x what a unit of Z costs and (e', c') the offsets after one more layer on b. If the least count
rises, exact offsets fall by one, and a top becomes R - 1 or stays the top, whichever is cheaper.
f grows with every offset beyond R, so :math:`V_0` is a lower bound for all caps, and the optimum
once no offset of a best plan is cut. Where Z is added once at the end, so it is here.

Source: ours; Z is that of the DDPQN paper, eq. (12). Clients do not count in it. Waiting for pools
is left out: with pools that bind the value is still a bound.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading.costs.decisions import Decisions
from optedge.kernels import kernel

MOST_VECTORS = 2**22  # of offsets, before those without a 0 are left out
#: Numbers of vectors. That they have no sign saves a test at each use, and makes loops short.
Numbers = npt.NDArray[np.uint32]
BLOCK = 512  # pairs of offsets that are worked on at a time: they stay in the nearest cache


class Moves(NamedTuple):
    """Offsets of one group of servers up to a cap, and what one more layer makes of them."""

    servers: IntArray  # (g,)
    cap: int
    vectors: IntArray  # (n, g), the least of each is 0
    rank: IntArray  # number of a vector by its digits to the base cap + 1
    apart: FloatArray  # (n,), f
    first: Numbers  # (g, n), the vector after one more layer; a top stays the top
    more_of: Numbers  # the same where tops may fall: vectors, those of the first server first,
    more_to: Numbers  # and what they may become as well;
    more_at: IntArray  # (g + 1,), where those of each server begin


def count(n_servers: int, cap: int) -> int:
    """Return the number of vectors of offsets."""
    return (cap + 1) ** n_servers - cap**n_servers if n_servers else 1


def moves(servers: IntArray, cap: int) -> Moves:
    """Return the offsets of a group; with a cap of 0 all are one, and Z of the group is left out.

    Raises
    ------
    ValueError
        If there are too many of them to be written down.
    """
    g = servers.size
    if (cap + 1) ** g > MOST_VECTORS:
        raise ValueError(f"a cap of {cap} on offsets of {g} servers gives too many vectors.")
    base = (cap + 1) ** np.arange(g, dtype=np.int64)
    vectors = np.arange((cap + 1) ** g)[:, None] // base % (cap + 1)
    if g > 0:
        vectors = vectors[vectors.min(axis=1) == 0]
    rank = np.zeros((cap + 1) ** g, dtype=np.int64)
    rank[vectors @ base] = np.arange(len(vectors))
    pairs = vectors[:, :, None] - vectors[:, None, :]
    first, more = np.zeros((g, len(vectors)), dtype=np.uint32), []
    for s in range(g):
        after = vectors.copy()
        after[:, s] = np.minimum(after[:, s] + 1, cap)
        rises = np.flatnonzero(after.min(axis=1) > 0)
        tops = vectors[rises] == cap
        after[rises] -= ~tops
        first[s] = rank[after @ base]
        of, to = rises, after[rises]
        for t in range(g):
            falls = to[:, t] == cap
            falls[: rises.size] &= tops[:, t]
            lower = to[falls]
            lower[:, t] -= 1
            of, to = np.concatenate([of, of[falls]]), np.concatenate([to, lower])
        of, to = of[rises.size :], rank[to[rises.size :] @ base]
        order = np.argsort(of, kind="stable")
        more.append((of[order], to[order]))
    return Moves(
        servers=servers,
        cap=cap,
        vectors=vectors,
        rank=rank,
        apart=np.abs(pairs).sum(axis=(1, 2)) / 2,
        first=first,
        more_of=np.concatenate([np.zeros(0, np.int64), *(of for of, _ in more)]).astype(np.uint32),
        more_to=np.concatenate([np.zeros(0, np.int64), *(to for _, to in more)]).astype(np.uint32),
        more_at=np.cumsum([0, *(of.size for of, _ in more)]).astype(np.int64),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Offsets:
    """The relaxation of a problem with one cap on the offsets of edges and one on those of clouds.

    A table V is flat in the pairs of offsets, ``(n_servers, n_edge_vectors * n_cloud_vectors)``.
    It holds what Z costs in the state itself, so that a step adds nothing but a cost of servers.
    """

    decisions: Decisions
    caps: tuple[int, int]

    @functools.cached_property
    def edges(self) -> Moves:
        """Offsets of the edges."""
        return moves(np.flatnonzero(self.decisions.tiers == 1), self.caps[0])

    @functools.cached_property
    def clouds(self) -> Moves:
        """Offsets of the clouds."""
        return moves(np.flatnonzero(self.decisions.tiers == 2), self.caps[1])

    @functools.cached_property
    def clients(self) -> IntArray:
        """The servers that do not count in Z."""
        return np.flatnonzero(self.decisions.tiers == 0)

    @functools.cached_property
    def charge(self) -> FloatArray:
        """What Z costs in each pair of offsets."""
        both = self.edges.apart[:, None] + self.clouds.apart
        return np.asarray(self.decisions.balance * both.ravel())

    def charged(self, k: int) -> bool:
        """Tell whether Z is added before decision ``k``, which may be that after the last."""
        return k == self.decisions.n_decisions or (self.decisions.running and k > 0)

    def last(self) -> FloatArray:
        """Return the table after the last decision."""
        return np.tile(self.charge, (self.decisions.n_servers, 1))

    def back(self, k: int, after: FloatArray) -> FloatArray:
        """Return the table of decision ``k`` from that of the next."""
        d, found = self.decisions, np.empty_like(after)
        charge = self.charge if self.charged(k) else np.zeros_like(self.charge)
        home = int(d.home[k]) if d.first[k] else -1
        table = d.tables[d.table_of[k]]
        _back(after, table, home, charge, self.clients, self.edges, self.clouds, found)
        return found

    def root(self, first: FloatArray) -> float:
        """Return the bound in the table of the first decision: all offsets are 0."""
        return float(first[self.decisions.home[0], 0])


def bytes_of(decisions: Decisions, caps: tuple[int, int]) -> int:
    """Return the size of one table."""
    sizes = [int((decisions.tiers == tier).sum()) for tier in (1, 2)]
    pairs = count(sizes[0], caps[0]) * count(sizes[1], caps[1])
    return 8 * decisions.n_servers * pairs


@kernel
def _lower(to: FloatArray, x: FloatArray) -> None:
    for i in range(to.size):
        to[i] = x[i] if x[i] < to[i] else to[i]


@kernel
def _take(to: FloatArray, x: FloatArray, which: IntArray) -> None:
    for i in range(to.size):
        to[i] = x[which[i]]


@kernel
def _least(
    to: FloatArray,
    x: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    cost: tuple[float, float, float, float],
) -> None:
    """Lower ``to`` by four rows plus their costs: so few that all stay in registers."""
    x0, x1, x2, x3 = x
    c0, c1, c2, c3 = cost
    for i in range(to.size):
        t0, t1, t2, t3 = c0 + x0[i], c1 + x1[i], c2 + x2[i], c3 + x3[i]
        t0 = t0 if t0 < t1 else t1
        t2 = t2 if t2 < t3 else t3
        t0 = t0 if t0 < t2 else t2
        to[i] = t0 if t0 < to[i] else to[i]


@kernel
def _back(
    after: FloatArray,
    table: FloatArray,
    home: int,
    charge: FloatArray,
    clients: IntArray,
    edges: Moves,
    clouds: Moves,
    found: FloatArray,
) -> None:
    """Write the table of a decision; ``home`` is the client of a first layer, else -1.

    Offsets of edges are worked on in blocks: ``reached`` holds what is to come after each server
    was taken, then a row of costs is added for every server before.
    """
    n_servers, n_pairs = after.shape
    n_inner = clouds.apart.size
    n_outer = n_pairs // n_inner
    rows = max(1, BLOCK // n_inner)
    reached = np.zeros((n_servers, rows * n_inner))
    cost, of = np.empty(n_servers + 4), np.empty(n_servers + 4, np.int64)
    at = edges.more_at.copy()
    for start in range(0, n_outer, rows):
        stop = min(n_outer, start + rows)
        low, n = start * n_inner, (stop - start) * n_inner
        for b in clients:
            to, x = reached[b], after[b, low : low + n]
            for i in range(n):
                to[i] = x[i]
        for s in range(edges.servers.size):
            b = edges.servers[s]
            for e in range(start, stop):
                r = int(edges.first[s, e]) * n_inner
                to, x = reached[b, (e - start) * n_inner :], after[b, r : r + n_inner]
                for i in range(n_inner):
                    to[i] = x[i]
            while at[s] < edges.more_at[s + 1] and edges.more_of[at[s]] < stop:
                i = (int(edges.more_of[at[s]]) - start) * n_inner
                r = int(edges.more_to[at[s]]) * n_inner
                _lower(reached[b, i : i + n_inner], after[b, r : r + n_inner])
                at[s] += 1
        for s in range(clouds.servers.size):
            b = clouds.servers[s]
            for e in range(stop - start):
                to = reached[b, e * n_inner : (e + 1) * n_inner]
                x = after[b, low + e * n_inner : low + (e + 1) * n_inner]
                _take(to, x, clouds.first[s])
                for m in range(clouds.more_at[s], clouds.more_at[s + 1]):
                    i, lower = clouds.more_of[m], x[clouds.more_to[m]]
                    to[i] = lower if lower < to[i] else to[i]
        for a in range(n_servers):
            if home >= 0 and a != home:
                continue
            m = 0
            for b in range(n_servers):
                if table[a, b] < np.inf:
                    cost[m], of[m] = table[a, b], b
                    m += 1
            while m % 4 != 0:
                cost[m], of[m] = np.inf, 0
                m += 1
            to, z = found[a, low : low + n], charge[low : low + n]
            for i in range(n):
                to[i] = np.inf
            for g in range(0, m, 4):
                _least(
                    to,
                    (reached[of[g]], reached[of[g + 1]], reached[of[g + 2]], reached[of[g + 3]]),
                    (cost[g], cost[g + 1], cost[g + 2], cost[g + 3]),
                )
            for i in range(n):
                to[i] += z[i]
    if home >= 0:
        for a in range(n_servers):
            if a != home:
                to, x = found[a], found[home]
                for i in range(n_pairs):
                    to[i] = x[i]
