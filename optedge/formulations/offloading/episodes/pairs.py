"""Episodes: plans built layer by layer, many side by side, and what a learner may see of them.

An episode places all layers of all tasks, task after task; what its steps cost adds up to the
objective of the plan. Episodes run in lockstep: a batch of them is a few arrays, one row each.
Costs of pairs come from tables (``decisions``); where layers wait for each other, a step costs
what it adds to the simulated prefix (``prefixes``).

What is seen of step k, before layer j of a task of L layers is placed, in numbers from 0 to 1:

* the server of the layer before (one-hot);
* of layers j, ..., L - 1 the work and what they read, each over its largest, then zeros;
* (L - j) / L;
* where Z counts, of each edge and cloud :math:`o / (o + 2)`, o its layers above the least of its
  tier: Z depends on nothing else, and these tell 1 from 2 however long the episode is; and how one
  more layer there would change Z;
* with several tasks, the share of steps left; with several networks, which one (one-hot);
* with pools, of each server the seconds of work in its backlog (``prefixes``);
* with ``context``, what each server costs now and if the rest of the task stays there: what a
  policy for instances that it has not seen must know of them.

Source: the DDPQN paper, section 4. Its state holds the server about to be chosen, and shrinks from
layer to layer: the first is left out, and zeros are put in. Counts over N, as one might write them,
differ by 0.002 in 444 steps.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.offloading.costs import decisions
from optedge.formulations.offloading.costs.decisions import Decisions
from optedge.formulations.offloading.episodes.evenness import Evenness

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem

Features = npt.NDArray[np.float32]

MOST_FEATURES = 2**24  # numbers that are made once and kept


@dataclasses.dataclass(eq=False)
class Batch:
    """Episodes in lockstep: ``step`` layers of each are placed.

    Attributes
    ----------
    step
        k, the same for all.
    states
        A row an episode, as its kind of episode keeps them.
    servers
        The plans so far, ``(rows, n_steps)``.
    rest
        What of the last step was no cost of pairs but balance or waiting, ``(rows,)``. Over a whole
        episode it is not negative, where tasks are chains.
    """

    step: int
    states: npt.NDArray[Any]
    servers: IntArray
    rest: FloatArray


class Episodes(abc.ABC):
    """What a learner knows of a problem: states, features, masks, and what a step costs.

    Attributes
    ----------
    n_steps, n_servers, n_features
        Steps of the longest episode, actions, and numbers seen.
    is_masked
        Whether some state has a server that may not be chosen.
    """

    n_steps: int
    n_servers: int
    n_features: int
    is_masked: bool

    @property
    @abc.abstractmethod
    def least_costs(self) -> FloatArray:
        """The least cost of pairs of each step, of each instance, ``(n_instances, n_steps)``."""

    @abc.abstractmethod
    def begin(self, rows: int, instances: IntArray | None = None) -> Batch:
        """Return so many new episodes, of the first instance if it is not told which."""

    @abc.abstractmethod
    def advance(self, batch: Batch, actions: IntArray) -> FloatArray:
        """Place the next layer of each episode, in place; return what it costs, ``(rows,)``."""

    @abc.abstractmethod
    def known(
        self, steps: IntArray, states: npt.NDArray[Any]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return what each server costs at once, as far as it is known without simulation.

        Costs of pairs, the balance added by this step, and by how much it rises for those to come
        (``standing``), each ``(rows, n_servers)``; ``inf`` where a server may not be chosen.
        """

    def standing(self, states: npt.NDArray[Any]) -> FloatArray:
        """Return what the balance of states costs at every step that leaves it so, ``(rows,)``."""
        return np.zeros(len(states))

    @abc.abstractmethod
    def features(self, steps: int | IntArray, states: npt.NDArray[Any]) -> Features:
        """Return what is seen of states before step k, ``(rows, n_features)``."""

    @abc.abstractmethod
    def masks(self, steps: int | IntArray, states: npt.NDArray[Any]) -> BoolArray:
        """Return which servers may be chosen, ``(rows, n_servers)``; all at the end."""


class PairEpisodes(Episodes):
    """Episodes whose costs are costs of pairs, with or without the balance Z.

    Parameters
    ----------
    problems
        Instances with the same number of servers and of edges and clouds: an episode is one of
        them. Their tasks are chains; waiting for pools is left out.
    context
        Whether features hold what servers cost (see the module).

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
        self._may = leads_on(made, self._tables, self._table_of)
        self.is_masked = some_left_out(made, self._may, self._table_of)
        self._seen = seen_of_networks(problems)
        self._context = _context(made, self._tables, offsets) if context else None
        self.n_features = self.n_servers + self._seen.shape[2]
        self.n_features += self._evenness.width * self._counts_matter
        self.n_features += 2 * self.n_servers * context
        self._rows: Features | None = None
        self._rows = self._feature_rows()

    @property
    def step_costs(self) -> FloatArray:
        """Costs of pairs of the first instance, ``(n_steps, n_servers, n_servers)``."""
        return np.asarray(self._tables[self._table_of[0]])

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


def myopic(episodes: Episodes) -> tuple[float, IntArray]:
    """Return value and plan of the episode whose every layer goes where it costs least at once.

    What a step costs is what it adds, balance and waiting included; ties to the lowest server. This
    is the greedy baseline of the DDPQN paper, and the best policy for discount 0.
    """
    every = np.arange(episodes.n_servers)
    batch, total = episodes.begin(every.size), 0.0
    for k in range(episodes.n_steps):
        may = episodes.masks(k, batch.states)[0]
        batch.servers[:, k] = 0
        costs = np.full(every.size, np.inf)
        tried = episodes.begin(int(may.sum()))
        tried.step, tried.states = k, batch.states[may].copy()
        tried.servers = batch.servers[may].copy()
        costs[may] = episodes.advance(tried, every[may])
        best = int(np.argmin(costs))
        row = int(np.flatnonzero(every[may] == best)[0])
        total += float(costs[best])
        batch.step = k + 1
        batch.states[:], batch.servers[:] = tried.states[row], tried.servers[row]
    return total, batch.servers[0]


def seen_of_networks(problems: Sequence[OffloadingProblem]) -> Features:
    """Return what is seen of the layers to come, ``(n_instances, n_steps + 1, width)``.

    Work and inputs of the layers left, the share of layers left, the share of steps left if there
    are several tasks, and which network it is if there are several; zeros at the end.
    """
    longest = max(int(p.sizes.max()) for p in problems)
    steps = max(p.n_subtasks for p in problems)
    several = any(p.n_tasks > 1 for p in problems)
    networks: dict[tuple[bytes, ...], int] = {}
    for p in problems:
        for i in range(p.n_tasks):
            networks.setdefault(_network(p, i), len(networks))
    kinds = len(networks) if len(networks) > 1 else 0
    seen = np.zeros((len(problems), steps + 1, 2 * longest + 1 + several + kinds), np.float32)
    for row, p in zip(seen, problems, strict=True):
        for i in range(p.n_tasks):
            a, size = int(p.first[i]), int(p.sizes[i])
            work = p.work_gcycles[a : a + size] / p.work_gcycles[a : a + size].max()
            reads = _inputs(p, i)
            reads = reads / (reads.max() or 1.0)
            for j in range(size):
                left = size - j
                row[a + j, : 2 * left : 2], row[a + j, 1 : 2 * left : 2] = work[j:], reads[j:]
                row[a + j, 2 * longest] = left / size
                if kinds:
                    row[a + j, 2 * longest + 1 + several + networks[_network(p, i)]] = 1.0
        if several:
            n = p.n_subtasks
            row[:n, 2 * longest + 1] = 1.0 - np.arange(n) / n
    return seen


def _inputs(problem: OffloadingProblem, i: int) -> FloatArray:
    """Return what each layer of task ``i`` reads in MB, of several outputs the largest."""
    a, size = int(problem.first[i]), int(problem.sizes[i])
    reads = [max((problem.outputs_mb[u] for u in problem.predecessors[v]), default=0.0)
             for v in range(a, a + size)]  # fmt: skip
    reads[0] = float(problem.inputs_mb[i])
    return np.array(reads)


def _network(problem: OffloadingProblem, i: int) -> tuple[bytes, ...]:
    """Return what tells the network of a task from others."""
    a, size = int(problem.first[i]), int(problem.sizes[i])
    return problem.work_gcycles[a : a + size].tobytes(), _inputs(problem, i).tobytes()


def leads_on(made: Sequence[Decisions], tables: FloatArray, table_of: IntArray) -> BoolArray:
    """Return which servers may be chosen: those from which the task can be ended."""
    may = np.isfinite(tables)
    for d, index in zip(made, table_of, strict=True):
        for k in range(d.n_decisions - 2, -1, -1):
            if not d.first[k + 1]:
                may[index[k]] &= may[index[k + 1]].any(axis=1)
    return may


def some_left_out(made: Sequence[Decisions], may: BoolArray, table_of: IntArray) -> bool:
    """Tell whether a state that can be reached has a server that may not be chosen."""
    for d, index in zip(made, table_of, strict=True):
        for k in range(d.n_decisions):
            reached = [d.home[k]] if d.first[k] else np.flatnonzero(may[index[k - 1]].any(axis=0))
            if not may[index[k]][reached].all():
                return True
    return False


def _context(
    made: Sequence[Decisions], tables: FloatArray, offsets: IntArray
) -> tuple[Features, Features]:
    """Return, from 0 to 1, what a layer costs on b after a, and the rest of its task on b.

    Both above the least cost of the layer, and measured in the standard deviation of the costs of
    the instance.
    """
    now, stay = np.zeros(tables.shape, np.float32), np.zeros(tables.shape[:2], np.float32)
    for d, at in zip(made, offsets, strict=False):
        mine = tables[at : at + len(d.tables)]
        finite = np.where(np.isfinite(mine), mine, np.nan)
        above = finite - np.nanmin(finite, axis=(1, 2))[:, None, None]
        spread = float(np.nanstd(finite)) or 1.0
        with np.errstate(invalid="ignore"):
            now[at : at + len(mine)] = np.nan_to_num(above / (above + spread), nan=1.0)
        rest = np.zeros(d.n_servers)
        for k in range(d.n_decisions - 1, -1, -1):
            if k + 1 == d.n_decisions or d.first[k + 1]:
                rest = np.zeros(d.n_servers)
            stay[at + d.table_of[k]] = rest / (rest + spread)
            rest = rest + np.nan_to_num(np.diagonal(above[d.table_of[k]]), nan=10 * spread)
    return now, stay
