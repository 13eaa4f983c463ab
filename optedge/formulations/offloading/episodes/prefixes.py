r"""Episodes in which layers wait for each other: a step costs what it adds to the prefix.

With the first k layers placed and simulated alone, let :math:`F_k` be the sum of flow times up to
the last layer of each task beside which none of its other layers runs (a *cut vertex*; in a chain
every layer is one). Step k costs

.. math:: \alpha (F_{k+1} - F_k) + q_k + \xi (Z_{k+1} - Z_k),

with q what pairs of servers cost beside time; running Z is added whole at each step. This adds up
exactly to the objective: a layer that delays earlier ones pays for it, and the delay of a module,
the largest over its branches, is charged where they meet (the *second step* of the DDPQN paper, on
the branches of modules).

Of each server with pools its backlog is seen: the seconds of placed work left on it, by pool, when
the last cut vertex of the task ends. Inside a module also the server that it begins on, and how
long its slowest branch and the one at hand have taken. Seconds x are seen as x / (x + the median
execution time).

Source: the DDPQN paper, section 4, says that waiting belongs to :math:`T_{ij}`, not for whom; waits
charged once and never revised would not add up to Q.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.offloading.costs import blocks, decisions
from optedge.formulations.offloading.episodes import observations
from optedge.formulations.offloading.episodes.base import Batch, Episodes
from optedge.formulations.offloading.episodes.evenness import Evenness
from optedge.formulations.offloading.episodes.observations import Features
from optedge.formulations.offloading.episodes.tracing import (
    cut_vertices,
    look_back,
    prefix,
    try_all,
)

if TYPE_CHECKING:
    from optedge.formulations.offloading.problem import OffloadingProblem


class PrefixEpisodes(Episodes):
    """Episodes of one instance whose steps are valued by simulation.

    Parameters
    ----------
    problem
        Chains or graphs with one last layer, with or without pools and weights.
    context
        Whether every server is tried at every step, so that features hold what it costs at once
        and :meth:`known` knows the waiting: a simulation a server.

    Raises
    ------
    ValueError
        If a task has several last layers, if one that branches may use servers without a
        connection, or if waiting counts in the coordination degree.
    """

    def __init__(self, problem: OffloadingProblem, *, context: bool = False) -> None:
        if reason := why_not(problem):
            raise ValueError(reason)
        self.problem, self._weights = problem, problem.data.weights
        self.n_steps, self.n_servers = problem.n_subtasks, problem.n_servers
        self._is_cut = cut_vertices(problem)
        self._prefixes = [prefix(problem, int(v) + 1) for v in np.flatnonzero(self._is_cut)]
        self._prefix_of = np.cumsum(self._is_cut) - 1
        self._edge_of = {(u, v): e for e, (u, v) in enumerate(problem.edges.tolist())}
        self._evenness = Evenness(problem.tiers)
        self._seen = observations.of_networks([problem])[0]
        self._pace = float(np.median(problem.seconds[problem.allowed]))
        self._pooled = np.isfinite(problem.pools)
        self._chains = problem.is_chains
        self._decisions = decisions.make(problem) if self._chains else None
        self.is_masked = not problem.allowed.all()
        if self._decisions is not None:
            made, index = [self._decisions], self._decisions.table_of[None]
            self._may = decisions.leads_on(made, self._decisions.tables, index)
            self.is_masked = decisions.some_left_out(made, self._may, index)
        widths = (
            self.n_servers,
            self._seen.shape[1],
            self._evenness.width * (self._weights.balance > 0),
            self.n_servers * bool(self._pooled.any()),
            (self.n_servers + 2) * (not self._chains),
            self.n_servers * context,
        )
        self._context = context
        self._ends = np.cumsum(widths)
        self.n_features = int(self._ends[-1])
        # A state holds what is seen, what is allowed, what each server costs at once (pairs and
        # the rest), layers by server, flow times and Z.
        m, d = self.n_servers, self.n_features
        self._mask, self._pairs, self._rest = (slice(d + k * m, d + (k + 1) * m) for k in range(3))
        self._counts, self._width = slice(d + 3 * m, d + 4 * m), d + 4 * m + 2

    @property
    def least_costs(self) -> FloatArray:
        """The least cost of pairs of each step, ``(1, n_steps)``; in graphs without its time."""
        if self._decisions is not None:
            least = self._decisions.tables.min(axis=(1, 2))
            return np.asarray(least[self._decisions.table_of][None])
        w, p = self._weights, self.problem
        least = np.zeros(self.n_steps)
        least[p.first] = w.constant * p.sizes / p.n_subtasks
        if w.weighted:
            least[p.first] += w.entry.min(axis=1)
            np.add.at(least, p.edges[:, 1], w.edge.min(axis=(1, 2)))
            least += w.run.min(axis=1)
        return least[None]

    def begin(self, rows: int, instances: IntArray | None = None) -> Batch:
        """Return so many new episodes; there is one instance."""
        servers = np.zeros((rows, self.n_steps), dtype=np.int64)
        batch = Batch(0, np.zeros((rows, self._width)), servers, np.zeros(rows))
        self._look(batch)
        return batch

    def advance(self, batch: Batch, actions: IntArray) -> FloatArray:
        """Place the next layer of each episode, in place; return what it costs, ``(rows,)``."""
        k, w, states = batch.step, self._weights, batch.states
        before, apart = states[:, -2].copy(), states[:, -1].copy()
        counts = states[:, self._counts].astype(np.int64)
        batch.servers[:, k] = actions
        batch.step = k + 1
        if w.balance > 0:
            change = self._evenness.add(counts, actions)
            states[:, self._counts] = counts
            states[:, -1] += change
        self._look(batch)
        seconds, spent = self._of_pairs(k, batch.servers)
        batch.rest = w.per_second * (states[:, -2] - before - seconds)
        if w.balance > 0:
            batch.rest += w.balance * (states[:, -1] - (0.0 if w.running else apart))
        back = self._way_back(k, actions)
        return np.asarray(spent + w.per_second * (seconds + back) + batch.rest)

    def _of_pairs(self, k: int, servers: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return of step k the seconds without waiting (chains; else 0) and the other costs."""
        p, w, at = self.problem, self._weights, servers[:, k]
        i = int(p.tasks[k])
        seconds = p.seconds[k, at].copy()
        spent = np.zeros(at.size)
        if w.weighted:
            spent += w.run[k, at]
        if k == p.first[i]:
            seconds += blocks.travel(float(p.inputs_mb[i]), p.seconds_per_mb[p.clients[i], at])
            spent += w.constant * p.sizes[i] / p.n_subtasks
            spent += w.entry[i, at] if w.weighted else 0.0
        for u in p.predecessors[k]:
            there = p.seconds_per_mb[servers[:, u], at]
            seconds += blocks.travel(float(p.outputs_mb[u]), there)
            if w.weighted:
                spent += w.edge[self._edge_of[u, k], servers[:, u], at]
        return seconds if self._chains else np.zeros(at.size), spent

    def _way_back(self, k: int, servers: IntArray) -> FloatArray:
        """Return the seconds that the result of a task travels, after its last layer."""
        p = self.problem
        if not p.return_result or p.successors[k]:
            return np.zeros(servers.size)
        home = p.clients[p.tasks[k]]
        return blocks.travel(float(p.outputs_mb[k]), p.seconds_per_mb[servers, home])

    def _look(self, batch: Batch) -> None:
        """Write what is seen, what is allowed and the flow times before step ``batch.step``."""
        p, k, states, m = self.problem, batch.step, batch.states, self.n_servers
        ends = self._ends
        states[:, : ends[1]] = 0.0
        begins_task = k == self.n_steps or k == p.first[p.tasks[k]]
        if k < self.n_steps:
            i = int(p.tasks[k])
            at = np.full(len(states), p.clients[i])
            if not begins_task:
                at = batch.servers[:, p.predecessors[k][0]]
        else:
            at = batch.servers[:, k - 1]
        states[np.arange(len(states)), at] = 1.0
        states[:, ends[0] : ends[1]] = self._seen[k]
        if self._weights.balance > 0:
            counts = states[:, self._counts].astype(np.int64)
            states[:, ends[1] : ends[2]] = self._evenness.seen(counts)
        backlog = np.zeros((len(states), m))
        if k > 0 and (self._is_cut[k - 1] or ends[3] > ends[2]):
            placed = self._prefixes[self._prefix_of[k - 1]]
            after = placed.n_subtasks - 1
            born = -1.0 if not begins_task or k == self.n_steps else float(p.release[p.tasks[k]])
            states[:, -2] = look_back(placed.data, batch.servers, after, born, backlog)
        if ends[3] > ends[2]:
            backlog = np.where(self._pooled, backlog / np.where(self._pooled, p.pools, 1.0), 0.0)
            states[:, ends[2] : ends[3]] = backlog / (backlog + self._pace)
        if not self._chains:
            self._look_inside(batch, k)
        mask = states[:, self._mask]
        mask[:] = 1.0
        if k < self.n_steps and self.is_masked:
            mask[:] = p.allowed[k]
            if self._decisions is not None:
                mask[:] = self._may[self._decisions.table_of[k], at]
        if self._context:
            self._look_ahead(batch, k)

    def _look_ahead(self, batch: Batch, k: int) -> None:
        """Write what each server costs at step ``k``, and show it."""
        states, w = batch.states, self._weights
        shown = states[:, self._ends[4] : self._ends[5]]
        shown[:] = 0.0
        if k == self.n_steps:
            return
        flows = np.repeat(states[:, [-2]], self.n_servers, axis=1)
        if self._is_cut[k]:
            flows = try_all(self._prefixes[self._prefix_of[k]].data, batch.servers)
        servers = batch.servers.copy()
        for s in range(self.n_servers):
            servers[:, k] = s
            seconds, spent = self._of_pairs(k, servers)
            back = self._way_back(k, servers[:, k])
            may = states[:, self._mask.start + s] > 0
            spent = spent + w.per_second * np.where(may, seconds + back, 0.0)
            states[:, self._pairs.start + s] = np.where(may, spent, np.inf)
            ends, seconds = np.where(may, [flows[:, s], seconds], 0.0)
            waits = w.per_second * (ends - states[:, -2] - seconds)
            states[:, self._rest.start + s] = np.where(may, waits, 0.0)
        cost = states[:, self._pairs] + states[:, self._rest]
        cost = np.where(states[:, self._mask] > 0, cost, np.inf)
        above = cost - cost.min(axis=1)[:, None]
        pace = w.per_second * self._pace or 1.0
        with np.errstate(invalid="ignore"):
            shown[:] = np.nan_to_num(above / (above + pace), nan=1.0)

    def _look_inside(self, batch: Batch, k: int) -> None:
        """Write what is seen of the module that layer ``k`` belongs to."""
        p, seen = self.problem, batch.states[:, self._ends[3] : self._ends[4]]
        seen[:] = 0.0
        if k == self.n_steps or k == p.first[p.tasks[k]] or self._is_cut[k - 1]:
            return
        start = int(np.flatnonzero(self._is_cut[:k])[-1])
        rows = np.arange(len(seen))
        seen[rows, batch.servers[:, start]] = 1.0
        spent = {start: np.zeros(rows.size)}
        for v in range(start + 1, k):
            at = batch.servers[:, v]
            arrivals = [
                spent[u]
                + blocks.travel(float(p.outputs_mb[u]), p.seconds_per_mb[batch.servers[:, u], at])
                for u in p.predecessors[v]
            ]
            spent[v] = np.max(arrivals, axis=0) + p.seconds[v, at]
        slowest = np.max(list(spent.values()), axis=0)
        mine = np.max([spent[u] for u in p.predecessors[k]], axis=0)
        seen[:, -2], seen[:, -1] = slowest / (slowest + self._pace), mine / (mine + self._pace)

    def known(
        self, steps: IntArray, states: npt.NDArray[Any]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return what each server costs at once; without ``context`` no waiting, no graphs."""
        m, w = self.n_servers, self._weights
        pairs, rest = states[:, self._pairs], states[:, self._rest]
        if self._decisions is not None and not self._context:
            at = states[:, :m].argmax(axis=1)
            pairs = self._decisions.tables[self._decisions.table_of[steps], at]
        if w.balance == 0:
            return pairs, rest, np.zeros(pairs.shape)
        counts = states[:, self._counts].astype(np.int64)
        change = np.asarray(w.balance * self._evenness.changes(counts))
        if not w.running:
            return pairs, rest + change, np.zeros(pairs.shape)
        return pairs, np.asarray(rest + self.standing(states)[:, None] + change), change

    def standing(self, states: npt.NDArray[Any]) -> FloatArray:
        """Return what the balance of states costs at every step that leaves it so, ``(rows,)``."""
        return np.asarray(self._weights.balance * self._weights.running * states[:, -1])

    def features(self, steps: int | IntArray, states: npt.NDArray[Any]) -> Features:
        """Return what is seen of states before step k, ``(rows, n_features)``."""
        return np.asarray(states[:, : self.n_features], dtype=np.float32)

    def masks(self, steps: int | IntArray, states: npt.NDArray[Any]) -> BoolArray:
        """Return which servers may be chosen, ``(rows, n_servers)``; all at the end."""
        return np.asarray(states[:, self._mask] > 0)


def why_not(problem: OffloadingProblem) -> str | None:
    """Say why a problem has no such episodes; None if it has."""
    ends = np.bincount(problem.tasks, [not row for row in problem.successors])
    if (ends > 1).any():
        return f"task {int(np.argmax(ends > 1))} ends in several layers; episodes need one."
    if not problem.is_pairwise:
        return "waiting counts in the coordination (h_wait): steps have no cost of their own."
    return None if problem.is_chains else _unconnected(problem)


def _unconnected(problem: OffloadingProblem) -> str | None:
    """Say which servers two layers of a task may not use together; None if there are none.

    Branches placed apart on such servers could never meet.
    """
    for i, a in enumerate(problem.first.tolist()):
        used = np.flatnonzero(problem.allowed[a : a + problem.sizes[i]].any(axis=0))
        cut = np.argwhere(np.isinf(problem.seconds_per_mb[np.ix_(used, used)]))
        if cut.size:
            s, t = used[cut[0]].tolist()
            return f"task {i} branches and nothing gets from server {s} to {t}: episodes may stall."
    return None
