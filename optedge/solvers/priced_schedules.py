"""Prices on server time and planned schedules, in turn: offloading with a small, certified gap.

Rounds on ever finer grids: dual ascent, valuation of the best prices on fine cells, then schedules
built along the server paths that the prices proposed, and ruined and recreated (``recreation``).
What a part may take is counted in steps, not in seconds, so that runs without a time limit repeat
exactly.
"""

from __future__ import annotations

import dataclasses
import math
import time
from typing import TYPE_CHECKING

import numpy as np

from optedge.formulations.base import Certificate, FloatArray
from optedge.formulations.offloading.prices import (
    ascent,
    certificates,
    classes,
    insertion,
    lattice,
    pricing,
    recreation,
)
from optedge.solvers.result import relative_gap
from optedge.solvers.run import Run

if TYPE_CHECKING:
    from optedge.formulations.offloading.plans.schedule import Schedule
    from optedge.formulations.offloading.prices.ascent import Climb, Grid
    from optedge.formulations.offloading.prices.classes import Classes
    from optedge.formulations.offloading.prices.insertion import Plan
    from optedge.formulations.offloading.prices.recreation import Guide
    from optedge.formulations.offloading.problem import OffloadingProblem

CELL, STEP = 0.7e-9, 6e-9  # seconds of one step of pricing and of insertion, roughly
CHUNK = 0.1  # such seconds between two looks at the clock
FIRST_SEARCH, LEAST_SEARCH, LONGEST_ANNEALING = 0.3, 0.1, 1.0
SHARE, LEAST_SHARE, LESS = 0.4, 0.2, 0.8  # of the time that goes to schedules
ROUND, FEWEST = 0.3, 100  # of what is left, time and evaluations, a part may take; but so many
TRIES = 8  # priced paths of which a task takes the best, in every other annealing
BUILDING, MOST_BUILDS = 0.3, 40  # part of a search that builds plans anew, and how many at most
BUILD_TRIES, WEIGHTS = (10, 40, 160), (0.6, 1.05)  # paths a task tries there; how prices count
TEMPERATURES = (0.003, 0.01, 0.03, 0.1)  # in units of the mean flow time
CLOSED = 0.25  # part of the gap that new prices must close to be certified at once
CLIENT_SHARE = 0.05  # of the priced tasks that use the merged client: more, and it is taken apart
IDLE_ROUNDS = 8  # without any gain, until a run without limits ends


def certify_schedule(problem: OffloadingProblem, run: Run) -> None:
    """Improve a planned schedule and its certified bound until ``run`` is done.

    Parameters
    ----------
    problem
        The instance; its tasks are chains.
    run
        Where schedules are offered and bounds stated, each with its certificate of prices. Its
        ``info`` holds ``rounds``, and ``buckets`` and ``cells`` of the last one.

    Raises
    ------
    ValueError
        If some task is no chain, or prices cannot bound its weighted objective.
    """
    search = _Search(problem, run)
    search.begin()
    proof = _Proof(problem, run, search.own)
    grid = ascent.Grid.first(search.makespan, search.own)
    duals = np.zeros((problem.n_servers, grid.buckets))
    climb: Climb | None = None
    share, idle = SHARE, 0
    while not proof.over():
        run.info.update(rounds=grid.number + 1, buckets=grid.buckets, cells=grid.cells)
        before = run.objective, proof.value
        climb, spent = _ascend(proof, grid, duals, climb)
        dearest = proof.take(climb, grid)
        if proof.over():
            break
        search.improve(proof.guide(climb, grid), max(LEAST_SEARCH, share / (1 - share) * spent))
        better = run.objective < before[0] * (1 - ascent.GAIN)
        share = SHARE if better else max(LEAST_SHARE, LESS * share)
        idle = 0 if better or proof.value > before[1] + 1e-6 * abs(before[1]) else idle + 1
        if idle == IDLE_ROUNDS and run.time_left == math.inf and run.max_evaluations is None:
            break
        duals, grid = proof.next(climb, grid, max(dearest, search.makespan))
        if proof.should_split(climb):
            duals, climb = proof.split(duals), None
    proof.certify()
    if proof.is_last():
        run.stop("time_limit")


def _ascend(
    proof: _Proof, grid: Grid, duals: FloatArray, before: Climb | None
) -> tuple[Climb, float]:
    """Run one round of dual ascent; return its state, and its length in nominal seconds."""
    run, c = proof.run, proof.classes
    laid = lattice.lattice(c, grid.horizon, grid.buckets, grid.cells)
    tables = lattice.store(c, laid)
    climb = ascent.begin(c, duals, grid.theta, before)
    until, left = run.time_left * (1 - ROUND), _may_take(run)
    values, spent, ended = 1, 0.0, False
    while left > 0 and not (ended or proof.over() or run.time_left < until):
        values = min(values, left)
        target = classes.to_seconds(c, run.objective)
        ended, n, work = ascent.climb(c, laid, tables, climb, target, values)
        run.count(n)
        left -= n
        spent += CELL * work
        values = max(1, min(ascent.RETURN, round(CHUNK * n / (CELL * max(work, 1)))))
        reached = classes.to_objective(c, float(climb.numbers[1]))
        if relative_gap(run.objective, reached) <= 0.5 * run.target_gap:
            break
    return climb, spent


def _may_take(run: Run) -> int:
    """Return how many candidates a part may price, of those that are left."""
    return min(run.evaluations_left, max(FEWEST, int(ROUND * run.evaluations_left)))


class _Proof:
    """The best prices so far, and what is certified of them."""

    def __init__(self, problem: OffloadingProblem, run: Run, own: Classes) -> None:
        self.problem, self.run, self.own = problem, run, own
        self.merged = classes.can_merge(problem)
        self.classes = classes.make(problem, merged=True) if self.merged else own
        self.value = -math.inf  # the bound of the best prices, compiled
        self.peak: tuple[FloatArray, Grid] | None = None  # these prices
        self.root: tuple[FloatArray, Grid] | None = None  # those of the first round
        self.best: tuple[FloatArray, Grid, bool] | None = None
        self.certified, self.seconds = -math.inf, 0.0  # and what a certificate takes

    def over(self) -> bool:
        """Tell whether the run should end, leaving time for a last certificate."""
        return self.run.done() or (self.best is not None and self.is_last())

    def is_last(self) -> bool:
        """Tell whether there is time for one more certificate only."""
        return self.run.time_left < 1.5 * self.seconds

    def take(self, climb: Climb, grid: Grid) -> float:
        """Value the best prices of a round on fine cells; certify them where that is worth it.

        Returns the largest price of a class, in seconds.
        """
        c, duals = self.classes, climb.best_duals
        laid = lattice.lattice(c, grid.horizon, grid.buckets, grid.fine_cells)
        slope = np.zeros(duals.shape)
        tables = lattice.store(c, laid)
        seconds, _ = pricing.evaluate(c, laid, duals, tables, slope, False)
        dearest = float(tables.value.max())
        found = classes.to_objective(c, seconds)
        if found <= self.value:
            return dearest
        self.peak = duals.copy(), grid
        self.value, self.best = found, (duals.copy(), grid, self.merged)
        objective = self.run.objective
        small = relative_gap(objective, found) <= self.run.target_gap
        # Of inf >= inf nothing follows: the first prices are always certified.
        closed = found - self.certified >= CLOSED * (objective - self.certified)
        if small or closed or self.certified == -math.inf:
            self.certify()
        return dearest

    def next(self, climb: Climb, grid: Grid, needed: float) -> tuple[FloatArray, Grid]:
        """Return prices and grid of the next round; ``needed`` as for :meth:`Grid.reach`.

        Where an ascent gets stuck depends on the first grids: round 1 makes the buckets of round 0
        half as many again, round 2 halves them. Then it goes on from where it did well; after a
        round that did not, back to the best prices, on buckets that halve theirs.
        """
        if self.root is None:
            self.root = climb.best_duals.copy(), grid
        if grid.number == 1 or self.peak is None or self.peak[1] is not grid:
            duals, best = self.root if grid.number == 1 or self.peak is None else self.peak
            horizon = grid.reach(needed)
            if grid.number > 1 and horizon < grid.horizon:
                horizon = best.horizon
            finer = best.nested(grid.number + 1, horizon)
            return finer.resample(duals, best.horizon), finer
        finer = grid.finer(needed)
        return finer.resample(climb.duals, grid.horizon), finer

    def certify(self) -> None:
        """State the bound of the best prices, if that has not been done."""
        if self.best is None:
            return
        (duals, grid, merged), self.best = self.best, None
        since = time.perf_counter()
        made: Certificate = certificates.make(
            self.problem, duals, grid.horizon, grid.fine_cells, merged=merged
        )
        self.seconds = time.perf_counter() - since
        self.certified = max(self.certified, made.value)
        self.run.raise_bound(made.value, made)

    def should_split(self, climb: Climb) -> bool:
        """Tell whether the merged client matters, so that the relaxation may be weak."""
        if not self.merged:
            return False
        many = np.minimum(climb.n_seen, ascent.SEEN)
        pairs = zip(climb.seen, many.tolist(), self.classes.home.tolist(), strict=True)
        used = sum(int((seen[:n] == home).any(axis=1).sum()) for seen, n, home in pairs)
        return used > CLIENT_SHARE * int(many.sum())

    def split(self, duals: FloatArray) -> FloatArray:
        """Take the merged client apart; return prices for all clients."""
        prices_of_all = self.unmerged(duals)
        if self.peak is not None:
            self.peak = self.unmerged(self.peak[0]), self.peak[1]
        if self.root is not None:
            self.root = self.unmerged(self.root[0]), self.root[1]
        self.merged, self.classes = False, self.own
        return prices_of_all

    def unmerged(self, duals: FloatArray) -> FloatArray:
        """Return prices for all clients where there was one that stood for them."""
        prices_of_all = duals.copy()
        prices_of_all[np.unique(self.own.home)] = duals[self.classes.home[0]]
        return prices_of_all

    def guide(self, climb: Climb, grid: Grid) -> Guide:
        """Return the paths that the prices proposed, and the best prices."""
        c, duals = self.classes, climb.best_duals
        if self.merged:
            duals = self.unmerged(duals)
        width = grid.horizon / grid.buckets
        paid = np.zeros((len(duals), grid.buckets + 1))
        np.cumsum(duals * width, axis=1, out=paid[:, 1:])
        return recreation.Guide(c.of_task, c.home, climb.seen, climb.n_seen, paid, width)


@dataclasses.dataclass
class _Search:
    """The best plan so far, and the search for a better one."""

    problem: OffloadingProblem
    run: Run

    def __post_init__(self) -> None:
        self.own = classes.make(self.problem)
        self.plan: Plan = insertion.empty(self.own)
        self.turn = 0  # annealings so far
        self.steps = {0: 1e-4, TRIES: 1e-3}  # nominal seconds of a move

    @property
    def makespan(self) -> float:
        """The last completion of the best plan in seconds, costs of pairs added to completions."""
        return float(self.plan.ends.max())

    def begin(self) -> None:
        """Find a first plan; there is one, as tasks may stay at home."""
        run, c = self.run, self.own
        none = recreation.no_guide(c)
        order = run.rng.permutation(self.problem.n_tasks)
        recreation.build(c, self.plan, none, order, 1, 0.0, run.rng)
        if run.start is not None:
            self._take(self.problem.schedule(run.start))
        self._offer(self.plan, self.problem.n_tasks)
        self.improve(none, FIRST_SEARCH)

    def _take(self, start: Schedule) -> None:
        """Start from a given schedule if it is feasible and better than the plan."""
        value = self.problem.objective(start)
        if value < self.problem.objective(insertion.to_schedule(self.problem, self.plan)):
            self.plan = insertion.from_schedule(self.problem, self.own, start)

    def _offer(self, plan: Plan, evaluations: int) -> None:
        schedule = insertion.to_schedule(self.problem, plan)
        value = self.problem.objective(schedule)
        self.plan = plan
        self.run.offer(schedule, value, evaluations)

    def improve(self, guide: Guide, seconds: float) -> None:
        """Build anew, then anneal for so many nominal seconds, each time from the best plan."""
        run, c = self.run, self.own
        left = _may_take(run)
        guided = bool(guide.n_seen.any())
        if guided:
            seconds, left = self._build(guide, seconds, left)
        while seconds > 0 and left > 0 and not run.done():
            length = min(LONGEST_ANNEALING, max(0.3, seconds / 5), seconds, run.time_left / 2)
            tries = TRIES if guided and self.turn % 2 else 0
            moves = min(max(20, round(length / self.steps[tries])), 200_000, left)
            plan = insertion.copy(self.plan)
            mean = float((plan.ends - self.problem.release).mean())
            heat = TEMPERATURES[self.turn // 2 % len(TEMPERATURES)] * mean
            old = float(plan.ends.sum())
            found, work = recreation.recreate(c, plan, guide, moves, tries, heat, run.rng)
            self.turn += 1
            self.steps[tries] = max(1e-6, STEP * work / moves)
            seconds -= STEP * work
            left -= moves
            if found < old * (1 - 1e-12):
                self._offer(plan, moves)
            else:
                run.count(moves)

    def _build(self, guide: Guide, seconds: float, left: int) -> tuple[float, int]:
        """Build plans along the prices for a part of the time; return what is left of both."""
        run, c, n = self.run, self.own, self.problem.n_tasks
        until = seconds * (1 - BUILDING)
        for _ in range(MOST_BUILDS):
            if seconds <= until or left < n or run.done():
                break
            plan, weight = insertion.empty(c), float(run.rng.uniform(*WEIGHTS))
            order, tries = run.rng.permutation(n), int(run.rng.choice(BUILD_TRIES))
            found, work = recreation.build(c, plan, guide, order, tries, weight, run.rng)
            seconds -= STEP * work
            left -= n
            if found < float(self.plan.ends.sum()) * (1 - 1e-12):
                self._offer(plan, n)
            else:
                run.count(n)
        return seconds, left
