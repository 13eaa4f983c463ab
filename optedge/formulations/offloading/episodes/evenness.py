"""The balance Z of many episodes at once, from the layers on each server."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import IntArray
from optedge.kernels import kernel


class Evenness:
    """Counts layers by server; Z sums their differences within edges and within clouds.

    Parameters
    ----------
    tiers
        Of the servers, ``(n_servers,)``; clients (0) do not count.
    """

    def __init__(self, tiers: IntArray) -> None:
        self._tiers = np.ascontiguousarray(tiers, dtype=np.int64)
        self._counted = (tiers > 0).astype(np.int64)

    @property
    def width(self) -> int:
        """How many numbers :meth:`seen` returns of each row."""
        return 2 * self._counted.size

    def changes(self, counts: IntArray) -> IntArray:
        """Return by how much Z would change with one more layer on each server, as ``counts``."""
        return _changes(self._tiers, counts)

    def add(self, counts: IntArray, servers: IntArray) -> IntArray:
        """Count one more layer on a server in each row, in place; return how Z changes."""
        rows = np.arange(len(servers))
        change = self.changes(counts)[rows, servers]
        counts[rows, servers] += self._counted[servers]
        return np.asarray(change)

    def of(self, counts: IntArray) -> IntArray:
        """Return Z of each row of counts, not normalised."""
        return _apart(self._tiers, counts)

    def seen(self, counts: IntArray) -> npt.NDArray[np.float32]:
        """Return what a learner sees of counts, from 0 to 1, two numbers a server.

        o / (o + 2), with o the layers above the least of the tier; and the change of Z that one
        more layer there would make, from its least to its largest (1/2 where it makes none).
        """
        return _seen(self._tiers, counts)


@kernel
def _changes(tiers: IntArray, counts: IntArray) -> IntArray:
    rows, n = counts.shape
    found = np.zeros((rows, n), np.int64)
    for r in range(rows):
        for s in range(n):
            for t in range(n):
                if s != t and tiers[s] == tiers[t] and tiers[s] > 0:
                    # One more moves s away from those not above it, and nearer to the others.
                    found[r, s] += 1 if counts[r, t] <= counts[r, s] else -1
    return found


@kernel
def _apart(tiers: IntArray, counts: IntArray) -> IntArray:
    rows, n = counts.shape
    found = np.zeros(rows, np.int64)
    for r in range(rows):
        for s in range(n):
            for t in range(s):
                if tiers[s] == tiers[t] and tiers[s] > 0:
                    found[r] += abs(counts[r, s] - counts[r, t])
    return found


@kernel
def _seen(tiers: IntArray, counts: IntArray) -> npt.NDArray[np.float32]:
    rows, n = counts.shape
    seen = np.zeros((rows, 2 * n), np.float32)
    for r in range(rows):
        for s in range(n):
            least, change, others = counts[r, s], 0, 0
            for t in range(n):
                if s != t and tiers[s] == tiers[t]:
                    least = min(least, counts[r, t])
                    change += 1 if counts[r, t] <= counts[r, s] else -1
                    others += 1
            seen[r, n + s] = 0.5
            if tiers[s] > 0:
                above = counts[r, s] - least
                seen[r, s] = above / (above + 2.0)
                if others > 0:
                    seen[r, n + s] = 0.5 + 0.5 * change / others
    return seen
