"""Episodes whose steps cost what pairs of servers do, from tables, with or without balance Z."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.offloading.costs import decisions
from optedge.formulations.offloading.episodes import observations
from optedge.formulations.offloading.episodes.base import Batch, Episodes
from optedge.formulations.offloading.episodes.evenness import Evenness
from optedge.formulations.offloading.episodes.observations import Features

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem

MOST_FEATURES = 2**24  # numbers that are made once and kept


class PairEpisodes(Episodes):
    """Episodes whose costs are costs of pairs, with or without the balance Z.

    Parameters
    ----------
    problems
        Instances with the same number of servers and of edges and clouds: an episode is one of
        them. Their tasks are chains; waiting for pools is left out.
    context
        Whether features hold what servers cost (``observations``).

    Raises
    ------
    ValueError
        If the instances do not fit together, or a task branches.
    """

    def __init__(self, problems: Sequence[OffloadingProblem], *, context: bool = False) -> None:
        made = [decisions.make(p) for p in problems]
        if not made:
            raise ValueError("problems must hold one instance or more.")
        first = made[0]
        for i, d in enumerate(made):
            same = np.array_equal(d.tiers, first.tiers) and d.running == first.running
            if not same or (d.balance > 0) != (first.balance > 0):
                raise ValueError(f"instance {i}: other tiers of servers, or another use of Z.")
        self.decisions, self.n_servers = made, first.n_servers
        self.lengths = np.array([d.n_decisions for d in made])
        self.n_steps = int(self.lengths.max())
        self._balances = np.array([d.balance for d in made])
        self._counts_matter, self._running = bool((self._balances > 0).any()), first.running
        self._evenness = Evenness(first.tiers)
        self._tables = np.concatenate([d.tables for d in made])
        offsets = np.cumsum([0, *(len(d.tables) for d in made)])
        pad = [(0, self.n_steps - d.n_decisions) for d in made]
        self._table_of = np.array(
            [np.pad(d.table_of, w) + at for d, w, at in zip(made, pad, offsets, strict=False)]
        )
        self._home = np.array([np.pad(d.home, w) for d, w in zip(made, pad, strict=True)])
        self._first = np.array([np.pad(d.first, w) for d, w in zip(made, pad, strict=True)])
        self._may = decisions.leads_on(made, self._tables, self._table_of)
        self.is_masked = decisions.some_left_out(made, self._may, self._table_of)
        self._seen = observations.of_networks(problems)
        self._context = observations.of_costs(made, self._tables, offsets) if context else None
        self.n_features = self.n_servers + self._seen.shape[2]
        self.n_features += self._evenness.width * self._counts_matter
        self.n_features += 2 * self.n_servers * context
        self._rows: Features | None = None
        self._rows = self._feature_rows()

    @property
    def table_index(self) -> IntArray:
        """Which table each instance uses at each step, ``(n_instances, n_steps)``."""
        return np.asarray(self._table_of)

    @property
    def tables(self) -> FloatArray:
        """Costs of pairs in all tables, ``(n_tables, n_servers, n_servers)``; ``inf``: never."""
        return self._tables

    @property
    def least_costs(self) -> FloatArray:
        """The least cost of pairs of each step, of each instance, ``(n_instances, n_steps)``."""
        return np.asarray(self._tables.min(axis=(1, 2))[self._table_of])

    def begin(self, rows: int, instances: IntArray | None = None) -> Batch:
        """Return so many new episodes, of the first instance if it is not told which."""
        width = 2 + self.n_servers * self._counts_matter
        states = np.zeros((rows, width), dtype=np.int64)
        if instances is not None:
            states[:, 0] = instances
        states[:, 1] = self._home[states[:, 0], 0]
        servers = np.zeros((rows, self.n_steps), dtype=np.int64)
        return Batch(0, states, servers, np.zeros(rows))

    def advance(self, batch: Batch, actions: IntArray) -> FloatArray:
        """Place the next layer of each episode, in place; return what it costs, ``(rows,)``."""
        k, states, which = batch.step, batch.states, batch.states[:, 0]
        cost = self._tables[self._table_of[which, k], states[:, 1], actions]
        if self._counts_matter:
            counts = states[:, 2:]
            apart = self._evenness.add(counts, actions)
            if self._running:
                apart = self._evenness.of(counts)
            batch.rest = self._balances[which] * apart
            cost = cost + batch.rest
        batch.servers[:, k] = actions
        batch.step = k + 1
        at = actions
        if k + 1 < self.n_steps:
            at = np.where(self._first[which, k + 1], self._home[which, k + 1], actions)
        states[:, 1] = at
        return np.asarray(cost)

    def known(
        self, steps: IntArray, states: npt.NDArray[Any]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return what each server costs at once: pairs, balance, and the rise of the balance."""
        which = states[:, 0]
        pairs = self._tables[self._table_of[which, steps], states[:, 1]]
        if not self._counts_matter:
            none = np.zeros(pairs.shape)
            return pairs, none, none
        balance: FloatArray = self._balances[which, None]
        change: FloatArray = balance * self._evenness.changes(states[:, 2:]).astype(np.float64)
        if not self._running:
            return pairs, change, np.zeros(pairs.shape)
        return pairs, np.asarray(self.standing(states)[:, None] + change), change

    def standing(self, states: npt.NDArray[Any]) -> FloatArray:
        """Return what the balance of states costs at every step that leaves it so, ``(rows,)``."""
        if not (self._counts_matter and self._running):
            return np.zeros(len(states))
        return np.asarray(self._balances[states[:, 0]] * self._evenness.of(states[:, 2:]))

    def features(self, steps: int | IntArray, states: npt.NDArray[Any]) -> Features:
        """Return what is seen of states before step k, ``(rows, n_features)``."""
        which, at = states[:, 0], states[:, 1]
        if self._rows is not None:
            place = (which * (self.n_steps + 1) + steps) * self.n_servers + at
            return np.asarray(self._rows[place])
        return self._made(steps, states)

    def _feature_rows(self) -> Features | None:
        """Return the features of all states, if they are few."""
        shape = (len(self.decisions), self.n_steps + 1, self.n_servers)
        if self._counts_matter or math.prod(shape) * self.n_features > MOST_FEATURES:
            return None
        which, steps, at = (x.ravel() for x in np.indices(shape))
        return self._made(steps, np.column_stack([which, at]))

    def _made(self, steps: int | IntArray, states: npt.NDArray[Any]) -> Features:
        which, at = states[:, 0], states[:, 1]
        m, rows = self.n_servers, np.arange(len(states))
        seen = np.zeros((len(states), self.n_features), dtype=np.float32)
        seen[rows, at] = 1.0
        shown = self._seen[which, steps]
        seen[:, m : m + shown.shape[1]] = shown
        end = m + shown.shape[1]
        if self._counts_matter:
            seen[:, end : end + 2 * m] = self._evenness.seen(states[:, 2:])
            end += 2 * m
        if self._context is not None:
            ended = np.asarray(steps) >= self.lengths[which]
            table = self._table_of[which, np.minimum(steps, self.n_steps - 1)]
            now, stay = self._context
            seen[:, end : end + m] = np.where(ended, 0.0, now[table, at].T).T
            seen[:, end + m :] = np.where(ended, 0.0, stay[table].T).T
        return seen

    def masks(self, steps: int | IntArray, states: npt.NDArray[Any]) -> BoolArray:
        """Return which servers may be chosen, ``(rows, n_servers)``; all at the end."""
        table = self._table_of[states[:, 0], np.minimum(steps, self.n_steps - 1)]
        may = self._may[table, states[:, 1]]
        return np.asarray(np.where(np.asarray(steps) >= self.lengths[states[:, 0]], True, may.T).T)
