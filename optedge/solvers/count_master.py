r"""Plans with a final balance Z, exactly: prices, count vectors, and an integer master over them.

A price on the layers of each server gives a bound (``count_prices``). Of every plan better than
the incumbent v each task is within v - bound of its shortest priced chain, so that the count
vectors within this excess are all that matter (``count_vectors``). One task: the best of them is
the optimum. Several tasks: HiGHS picks a vector for each (``count_rows``), first among the few of
least priced cost, for a better incumbent, then among all that are left.
"""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.balance import (
    count_certificates,
    count_prices,
    count_rows,
    count_search,
    count_vectors,
    counts,
)
from optedge.formulations.offloading.balance.count_vectors import Unfinished, Vectors
from optedge.formulations.offloading.costs import paths
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run

FIRST_COLUMNS = 2000  # of the first master, which is there for its plan
FIRST_SHARE = 0.3  # of the time left that it gets
PRUNED_COLUMNS = 15_000  # more are not compared with each other: that takes their square
#: How far the targets of the ascents are above the incumbent, in units of its size. Each is tried
#: from no prices and from the best ones: which target leaves a ridge cannot be told before.
TARGETS = (0.0, 0.005, 0.0, 0.001)
COARSEST = 64  # the first excess that is tried is this part of the gap
EXACT = 1e-9  # relative gap of a master
PROOF_LABELS = 2_000_000  # with more the second enumeration, in NumPy, would take too long


@dataclasses.dataclass(frozen=True, kw_only=True)
class CountMasterOptions(Options):
    """Options of ``count-master``."""

    price_steps: int = option(1200, "steps of the ascent of the prices", low=1)
    moves: int = option(300_000, "moves of each of three annealings for a first plan", low=0)
    most_labels: int = option(20_000_000, "labels of a layer that memory is meant for", low=1)
    most_columns: int = option(25_000, "vectors in the integer master", low=1)


def _unfit(problem: OffloadingProblem, options: CountMasterOptions) -> str | None:
    """Say why counts cannot be enumerated."""
    if reason := counts.why_not(problem):
        return reason
    return count_vectors.why_unpacked(counts.make(problem)[0])


@register(
    "count-master",
    options=CountMasterOptions,
    problems=(OffloadingProblem,),
    kind="exact",
    guarantee="the optimum where no pool is ever busy, or bound and gap at the limits",
    source="ours: Lagrangian prices, enumeration within the gap, integer master by HiGHS",
    declines=_unfit,
)
def count_master(problem: OffloadingProblem, options: CountMasterOptions, run: Run) -> None:
    """Prove the best plan of chains whose balance Z is counted once, at the end.

    Waiting is left out of the bound; plans are valued with it. The bound of the prices is
    certified, and so is the optimum of one task; that of several tasks is found by search.
    """
    search = _Search(problem, options, run)
    search.first_plans()
    if run.done():
        return
    search.price()
    if run.done() or search.gap <= 0:
        return
    if problem.n_tasks == 1:
        search.enumerate_one()
    else:
        search.solve_masters()


class _Pool(NamedTuple):
    """Vectors of all classes, each within ``excess`` of the shortest chain of its class."""

    counts: IntArray  # (V, S)
    cost: FloatArray  # (V,)
    excess: FloatArray  # (V,)
    of_class: IntArray  # (V,)

    def part(self, rows: IntArray) -> _Pool:
        """Return some rows."""
        return _Pool(self.counts[rows], self.cost[rows], self.excess[rows], self.of_class[rows])


class _Search:
    """What the steps share: classes, prices, the bound b, and the best plan without waiting."""

    def __init__(self, problem: OffloadingProblem, options: CountMasterOptions, run: Run) -> None:
        self.problem, self.options, self.run = problem, options, run
        self.data, self.tasks = counts.make(problem)
        self.of_task = np.zeros(problem.n_tasks, dtype=np.int64)
        for k, members in enumerate(self.tasks):
            self.of_task[members] = k
        self.value = math.inf  # of the best plan, waiting left out
        self.bound = -math.inf
        self.prices = np.zeros(problem.n_servers)
        self._too_much = math.inf  # the least excess that had too many labels

    @property
    def gap(self) -> float:
        """What is between the best plan and the bound of the prices."""
        return self.value - self.bound

    def offer(self, servers: IntArray) -> None:
        """Offer a plan, valued with waiting, and keep its value without."""
        value = count_search.value(self.data, self.problem.first, self.of_task, servers)
        self.value = min(self.value, value)
        if self.run.evaluations_left > 0:
            self.run.evaluate(self.problem.decode(servers))

    def first_plans(self) -> None:
        """Offer the start, the shortest paths, and what annealing makes of them."""
        problem, run = self.problem, self.run
        if run.start is not None:
            self.offer(problem.encode(run.start))
        best = paths.shortest(problem).servers
        self.offer(best)
        known = self.data.tables[np.isfinite(self.data.tables)]
        spread = max(float(np.ptp(known)), self.data.unit)
        for _ in range(3 if self.options.moves else 0):
            if run.done():
                return
            x = best.copy()
            count_search.anneal(
                self.data,
                problem.first,
                self.of_task,
                x,
                best,
                self.options.moves,
                0.05 * spread,
                5e-5 * spread,
                run.rng,
            )
        self.offer(best)

    def price(self) -> None:
        """Raise the prices, and state the bound that they prove."""
        best = -math.inf
        for above in TARGETS:
            target = self.value + above * abs(self.value)
            for first in (np.zeros(self.prices.size), self.prices.copy()):
                value = count_prices.ascend(self.data, first, target, self.options.price_steps)
                if value > best:
                    best, self.prices = value, first
        proof = count_certificates.make(self.problem, self.prices)
        self.bound = proof.value
        self.run.info["price_bound"] = proof.value
        self.run.raise_bound(min(proof.value, self.run.objective), proof)

    # ---- one task

    def enumerate_one(self) -> None:
        """Value every count vector of the task within ever more of its shortest chain."""
        excess, reached = self.gap / COARSEST, -math.inf
        while not self.run.done():
            try:
                found = self._vectors(0, min(excess, self.gap))
            except Unfinished:
                self._note_limit()
                break
            self.run.info["vectors"] = found.cost.size
            uneven = counts.unevenness(found.counts, self.data.group)
            values = found.cost + self.data.unit * uneven
            best = int(np.argmin(values))
            if values[best] < self.value:
                self.offer(count_vectors.cheapest_chain(self.data, 0, found.counts[best])[0])
            reached = min(self.bound + excess, self.value)
            if excess >= self.gap:
                break
            excess *= 2.0
        if reached > self.bound:
            self._prove(reached)

    def _prove(self, reached: float) -> None:
        """State the bound up to which vectors were enumerated, with a certificate if it is quick.

        Once only: rounded downwards, a certificate proves no bound that was stated before.
        """
        if self.run.info["labels"] <= PROOF_LABELS:
            proof = count_certificates.make(self.problem, self.prices, reached)
            self.run.raise_bound(proof.value, proof)
        else:
            self.run.raise_bound(min(reached, self.run.objective))

    # ---- several tasks

    def solve_masters(self) -> None:
        """Solve a small master for its plan, then one with every vector that may matter."""
        excess, pool = self._largest_pool(self.gap / COARSEST)
        while pool is not None and len(pool.cost) < FIRST_COLUMNS and not self.run.done():
            if excess >= self.gap or self._too_much < math.inf:
                break
            excess, pool = self._largest_pool(min(2 * excess, self.gap))
        if pool is None:
            return
        reached = self._master(pool, FIRST_COLUMNS, excess, FIRST_SHARE)
        while reached < self.gap and not self.run.done():
            excess, pool = self._largest_pool(self.gap)
            if pool is None or excess <= reached:
                return
            before, reached = reached, self._master(pool, self.options.most_columns, excess)
            if reached <= before:
                self.run.info["limit"] = "columns"
                return

    def _largest_pool(self, excess: float) -> tuple[float, _Pool | None]:
        """Return the pool within the excess, or within as much of it as there is room for."""
        if excess >= self._too_much:
            excess = self._too_much / 1.5
        while not self.run.done() and excess > 1e-9 * self.gap:
            try:
                return excess, self._pool(excess)
            except Unfinished:
                self._note_limit()
                self._too_much = excess
                excess /= 1.5
        return excess, None

    def _note_limit(self) -> None:
        """Tell in the result that labels were the limit, not the clock."""
        if not self.run.stop_reason:
            self.run.info["limit"] = "labels"

    def _vectors(self, k: int, excess: float) -> Vectors:
        found = count_vectors.enumerate_class(
            self.data, k, self.prices, excess, self.options.most_labels, self.run.done
        )
        self.run.info["labels"] = max(self.run.info.get("labels", 0), found.labels)
        return found

    def _pool(self, excess: float) -> _Pool:
        """Return the vectors of all classes within the excess."""
        found = [self._vectors(k, excess) for k in range(len(self.tasks))]
        self.run.info["vectors"] = sum(v.cost.size for v in found)
        return _Pool(
            np.concatenate([v.counts for v in found]),
            np.concatenate([v.cost for v in found]),
            np.concatenate([v.priced - v.priced[0] for v in found]),
            np.repeat(np.arange(len(found)), [v.cost.size for v in found]),
        )

    def _master(self, pool: _Pool, most: int, excess: float, share: float = 1.0) -> float:
        """Solve the master of a pool, of its cheapest columns if there are more than ``most``.

        It gets a share of the time left. Returns the excess up to which every vector was in it:
        plans with another one cost that much more than the bound of the prices, so the bound is
        raised to no more; 0 if its share of the time was not enough.
        """
        from optedge.bridge import solve_arrays

        pool = self._needed(pool)
        if pool.cost.size > most:
            by_excess = np.argsort(pool.excess, kind="stable")
            excess = float(pool.excess[by_excess[most]])
            pool = pool.part(np.sort(by_excess[:most]))
        data, run = self.data, self.run
        run.info["columns"] = pool.cost.size
        columns = pool.cost.size

        def exact(value: float) -> float:
            return self.bound + data.unit * value

        def take(value: float, x: FloatArray) -> None:
            if exact(value) < self.value:
                self.offer(self._plan(pool, np.rint(x[:columns]).astype(np.int64)))

        def raise_bound(value: float) -> None:
            run.raise_bound(min(exact(value), self.bound + excess, self.value))

        gap = max(self.gap, 1e-12)
        solution = solve_arrays(
            count_rows.master(data, pool.counts, pool.cost, pool.of_class, self.bound),
            time_limit=share * run.time_left if math.isfinite(run.time_left) else None,
            target_gap=min(1e-3, max(EXACT, EXACT * abs(self.value) / gap)),
            threads=run.threads,
            on_incumbent=take,
            on_bound=raise_bound,
            should_stop=run.done,
        )
        run.info["nodes"] = run.info.get("nodes", 0) + solution.nodes
        if solution.status == "infeasible":  # no plan of these columns at all
            raise_bound(math.inf)
        elif solution.status != "optimal" and solution.stop_reason != "error":
            if share < 1.0 and solution.stop_reason == "time_limit" and not run.done():
                return 0.0
            run.stop(solution.stop_reason)
        return excess

    def _needed(self, pool: _Pool) -> _Pool:
        """Return the pool without vectors that another of their class stands in for."""
        if pool.cost.size > PRUNED_COLUMNS:
            return pool
        kept = []
        for k in range(len(self.tasks)):
            rows = np.flatnonzero(pool.of_class == k)
            rows = rows[np.argsort(pool.cost[rows], kind="stable")]
            keep = count_vectors.needed(
                pool.counts[rows], pool.cost[rows], self.data.group, self.data.unit
            )
            kept.append(rows[keep])
        return pool.part(np.concatenate(kept))

    def _plan(self, pool: _Pool, uses: IntArray) -> IntArray:
        """Return the servers of a plan in which so many tasks have each vector of the pool."""
        servers = np.zeros(self.problem.n_subtasks, dtype=np.int64)
        left = [iter(members) for members in self.tasks]
        for v in np.flatnonzero(uses).tolist():
            k = int(pool.of_class[v])
            chain, _ = count_vectors.cheapest_chain(self.data, k, pool.counts[v])
            for _ in range(int(uses[v])):
                begin = int(self.problem.first[next(left[k])])
                servers[begin : begin + chain.size] = chain
        return servers
