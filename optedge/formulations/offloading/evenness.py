"""The balance Z of many episodes at once, from the layers on each server."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import IntArray


class Evenness:
    """Counts layers by server; Z sums their differences within edges and within clouds.

    Parameters
    ----------
    tiers
        Of the servers, ``(n_servers,)``; clients (0) do not count.
    """

    def __init__(self, tiers: IntArray) -> None:
        self._counted = (tiers > 0).astype(np.int64)
        self._groups = [np.flatnonzero(tiers == tier) for tier in (1, 2) if (tiers == tier).any()]

    @property
    def width(self) -> int:
        """How many numbers :meth:`seen` returns of each row."""
        return 2 * self._counted.size

    def changes(self, counts: IntArray) -> IntArray:
        """Return by how much Z would change with one more layer on each server, as ``counts``."""
        found = np.zeros(counts.shape, dtype=np.int64)
        for group in self._groups:
            mine = counts[:, group]
            # One more moves a server away from those not above it, and nearer to the others.
            above = mine[:, None, :] > mine[:, :, None]
            found[:, group] = group.size - 1 - 2 * above.sum(axis=2)
        return found

    def add(self, counts: IntArray, servers: IntArray) -> IntArray:
        """Count one more layer on a server in each row, in place; return how Z changes."""
        rows = np.arange(len(servers))
        change = self.changes(counts)[rows, servers]
        counts[rows, servers] += self._counted[servers]
        return np.asarray(change)

    def of(self, counts: IntArray) -> IntArray:
        """Return Z of each row of counts, not normalised."""
        total = np.zeros(len(counts), dtype=np.int64)
        for group in self._groups:
            n = group.size
            total += np.sort(counts[:, group], axis=1) @ (2 * np.arange(n) - n + 1)
        return total

    def seen(self, counts: IntArray) -> npt.NDArray[np.float32]:
        """Return what a learner sees of counts, from 0 to 1, two numbers a server.

        o / (o + 2), with o the layers above the least of the tier; and the change of Z that one
        more layer there would make, from its least to its largest (1/2 where it makes none).
        """
        n = self._counted.size
        seen = np.zeros((len(counts), 2 * n), dtype=np.float32)
        seen[:, n:] = 0.5
        changes = self.changes(counts)
        for group in self._groups:
            above = counts[:, group] - counts[:, group].min(axis=1)[:, None]
            seen[:, group] = above / (above + 2.0)
            most = max(1, group.size - 1)
            seen[:, n + group] = 0.5 + 0.5 * changes[:, group] / most
        return seen
