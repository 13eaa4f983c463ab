"""The makespan exactly: deadlines in whole numbers, refuted from the linear bound upwards."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.deadlines import dives, tree
from optedge.formulations.deadlines.certificates import prices_certificate
from optedge.formulations.deadlines.groups import Groups
from optedge.formulations.deadlines.improving import improve
from optedge.formulations.deadlines.incumbents import Descent
from optedge.formulations.deadlines.instance import Instance, declined, instances
from optedge.formulations.deadlines.knapsacks import MOST_BYTES
from optedge.formulations.deadlines.prices import EVALUATIONS, OPEN, REFUTED, Space, make_space
from optedge.formulations.deadlines.rest import Rest, make_rest
from optedge.formulations.deadlines.root import (
    MOST_SLICES,
    SLICE,
    Root,
    first_deadline,
    leap,
    try_deadline,
)
from optedge.formulations.makespan import LP_BOUNDS_UP_TO, MakespanProblem
from optedge.formulations.makespan_certificates import weights_certificate
from optedge.formulations.makespan_moves import longest_first
from optedge.formulations.makespan_prices import prices_bound
from optedge.formulations.makespan_relaxations import solve_lp
from optedge.solvers.code import descent, option_table
from optedge.solvers.deadline_searches import (
    Branching,
    Diving,
    DivingHalfway,
    Lowering,
    Search,
    Shaking,
)
from optedge.solvers.local_search import rounds
from optedge.solvers.registry import Options, option, register

if TYPE_CHECKING:
    from optedge.solvers.run import Run

LOOK = 0.05  # seconds between two looks at the clock, about
GROWTH = 1.05  # of the slices
PAIRS, HEAT = 20, 0.001  # pairs of machines, a machine, that share tasks after a failed search
ALL = 1 << 60
MOVES_PER_SECOND = 4e6  # of annealing, with as long a time for pairs, at least
FINE_BYTES = 1 << 23  # of the rows of a knapsack where units are fine and lists serve
KICK = 4  # tasks drawn anew before each descent in the given data
MOST_MOVES, MOVES = 1 << 22, 2000  # of a turn of such descents, in all and for each pair
MOVES_A_PAIR = 200  # that count as an evaluation of prices
MANY = 16  # deadlines left, from where on they are not searched one by one
CELLS_PER_SECOND = 8e8  # of the tables of a certificate, at least
CERTIFYING = 0.1  # of the time left, at most


@dataclasses.dataclass(frozen=True, kw_only=True)
class MakespanExactOptions(Options):
    """Options of ``makespan-exact``."""

    steps: int = option(tree.STEPS, "subgradient steps a node of the complete tree", low=1)
    slice: int = option(300, "evaluations of prices before another search has its turn", low=1)
    dives: bool = option(True, "whether dives look for a schedule within the deadline")
    upper: bool = option(True, "whether dives try a deadline half way up to the incumbent")


def _declines(problem: MakespanProblem, options: Any) -> str | None:
    return declined(problem)


@register(
    "makespan-exact",
    problems=(MakespanProblem,),
    options=MakespanExactOptions,
    kind="exact",
    guarantee="the optimum; where data have no common unit, within info['tolerance'] seconds of it",
    source="deadlines by prices of the assignment rows: Martello, Soumis, Toth 1997, with dives",
    declines=_declines,
)
def makespan_exact(problem: MakespanProblem, options: MakespanExactOptions, run: Run) -> None:
    """Refute one deadline after the other, until one is met.

    Times become whole multiples of a unit (``formulations.deadlines.instance``): where the data
    have none, or one that is too small, of a coarse unit first and then of finer ones, each from
    where the last one ended; local search then works in the given data beside the rest. The linear
    relaxation gives the first deadline. Prices of the tasks refute it, which a certificate proves;
    or what they leave is searched, in turns: by dives, from whose ends groups of machines go on; by
    a complete tree; from above by dives at a deadline half way up to the incumbent, and by rounds
    of annealing, shared pairs and groups that bring the incumbent down. Where many deadlines are
    left they are tried in strides, which double with each that a search refutes. What the tree
    refutes has no certificate: the proof is then ``"search"``. Evaluations are prices that are
    tried.

    ``run.info`` holds ``unit`` and ``tolerance`` in seconds, ``deadlines`` (refuted at the root, by
    the tree, from above), ``nodes`` of the tree, ``dives`` and ``found_by``.
    """
    Climb(problem, options, run).run()


class Climb:
    """One instance: everything below ``deadline`` is refuted, ``known`` units are reached."""

    def __init__(self, problem: MakespanProblem, options: MakespanExactOptions, run: Run) -> None:
        self.problem, self.options, self.started = problem, options, run
        self.known = ALL
        self.best: IntArray = np.zeros(0, np.int64)
        self.evaluated = 0.0  # seconds of an evaluation, about
        self.pending: list[tuple[int, IntArray | None]] = []  # refuted, not yet certified

    def run(self) -> None:
        """Climb in one unit after the other, finer each time, until the run is done."""
        run = self.started
        if run.start is not None:
            run.evaluate(run.start)
        listed = longest_first(self.problem)
        run.evaluate(listed)
        if run.done():
            return
        run.info.update(deadlines={"root": 0, "tree": 0, "upper": 0}, nodes=0, dives=0)
        run.info["found_by"] = "list rule"
        weights, prices = self._weights(), None
        for instance in instances(self.problem):
            self.instance: Instance = instance
            run.info.update(unit=instance.unit, tolerance=instance.tolerance)
            self.best = run.solution.copy()
            self.known = instance.makespan(self.best)
            deadline, prices = self._first(weights, prices)
            if not instance.exact and not run.done():
                self.shake()
            bytes_of_rows = MOST_BYTES if instance.exact else FINE_BYTES
            self.space = make_space(instance.tasks, instance.longest, bytes_of_rows)
            self.rounds = Descent(instance.tasks, weights, self.best, run.rng)
            self.groups = Groups(instance.tasks, self.space.rows, run.rng)
            prices = self._climb(deadline, prices)
            self._certify()
            if run.done():
                return

    # ---- the start

    def _weights(self) -> FloatArray:
        """Return weights of the machines, which are a bound, from the linear relaxation."""
        problem, run = self.problem, self.started
        if int(problem.eligible.sum()) <= LP_BOUNDS_UP_TO:
            limit = run.time_left if math.isfinite(run.time_left) else None
            try:
                lp = solve_lp(problem, time_limit=limit)
            except TimeoutError:
                run.stop("time_limit")
                return np.ones(problem.n_servers)
            certificate = weights_certificate(problem, lp.servers, lp.memory)
            weights = lp.servers
            self._descend(np.argmax(lp.shares, axis=1), "rounding")
        else:
            found = prices_bound(problem)
            assert found.certificate is not None
            certificate, weights = found.certificate, found.certificate.arrays["servers"]
        run.raise_bound(certificate.value, certificate)
        return weights

    def _first(self, weights: FloatArray, prices: FloatArray | None) -> tuple[int, FloatArray]:
        """Return the first deadline that nothing has refuted, and prices to start with."""
        instance, run = self.instance, self.started
        deadline, start, line = first_deadline(instance, weights)
        if deadline > 0 and instance.bound(deadline - 1) > run.bound:
            self.refuted(deadline - 1, line)
        # In rounded units even a schedule that takes longer may meet what the bound excludes.
        while instance.bound(deadline) <= run.bound:
            deadline = max(deadline + 1, int(run.bound / instance.unit) - 1)
        return deadline, start if prices is None else prices

    # ---- solutions and bounds

    def _descend(self, machine: IntArray, by: str) -> tuple[IntArray, IntArray]:
        """Descend from a schedule in the given data; offer it and what comes of it."""
        run, problem = self.started, self.problem
        better = machine.copy()
        descent(problem.data, better, problem.choices, problem.moves_per_chunk)
        for x in (machine, better):
            if run.offer(x, problem.objective(x), 0):
                run.info["found_by"] = by
        return machine, better

    def offer(self, machine: IntArray, by: str) -> None:
        """Do the same, and value both in units."""
        for x in self._descend(machine, by):
            makespan = self.instance.makespan(x)
            if makespan < self.known:
                self.known, self.best = makespan, x.copy()

    def shake(self) -> int:
        """Search locally in the given data, in which units do not see all differences.

        Returns how many evaluations of prices that counts as.
        """
        problem, run = self.problem, self.started
        x = run.solution.copy()
        table, counts = option_table(problem.choices)
        moves = min(MOST_MOVES, MOVES * problem.times.size)
        rounds(problem.data, x, problem.choices, table, counts, KICK, ALL, moves, run.rng)
        self.offer(x, "local search")
        return max(1, moves // (MOVES_A_PAIR * problem.times.size))

    def refuted(self, deadline: int, stages: IntArray | None) -> None:
        """State that every schedule takes longer; a certificate, if there is one, follows later."""
        self.started.raise_bound(self.instance.bound(deadline))
        # The latest that one line refutes stays: where many lines cost too much, it is certified.
        plain = [p for p in self.pending if p[1] is not None and len(p[1]) == 1]
        self.pending = [*plain[-1:], (deadline, stages)]

    def _certify(self) -> None:
        """Make a certificate of the last deadlines that were refuted by prices, if time allows."""
        pending, self.pending = self.pending, []
        for deadline, stages in reversed(pending):
            if stages is None:
                continue
            cells = CERTIFYING * CELLS_PER_SECOND * self.started.time_left
            certificate = prices_certificate(
                self.problem, self.instance, deadline, stages, most_cells=cells
            )
            if certificate is not None:
                self.started.raise_bound(certificate.value, certificate)
                return

    def over(self, deadline: int) -> bool:
        """Tell whether to leave a deadline: met, or the run is done."""
        return self.known <= deadline or self.started.done()

    # ---- deadlines

    def _climb(self, deadline: int, prices: FloatArray) -> FloatArray:
        """Refute deadlines from ``deadline`` on until all below the incumbent are.

        Returns the last prices.
        """
        run, below, stride, first = self.started, deadline - 1, 1, prices
        if not self.instance.exact:
            stride = max(1, (self.known - below) // MANY)
        while not self.over(below + 1):
            deadline = below + max(1, min(stride, self.known - below - 1))
            root = self.root(deadline, prices, MOST_SLICES, "root")
            if root.status == OPEN and prices is not first and not self.over(deadline):
                # Prices that refuted the one before may lie in a valley; the first do not.
                again = self.root(deadline, first, MOST_SLICES, "root")
                root = again if again.status != OPEN or again.excess < root.excess else root
            prices = root.prices
            if root.status == REFUTED:
                if root.excess < 0 and self.known - deadline > MANY:
                    root = leap(self.instance, root, self.space, self.known - 1)
                run.info["deadlines"]["root"] += 1
                self.refuted(root.deadline, root.stages)
                below = root.deadline
            elif root.status == OPEN and not self.over(deadline):
                self._certify()
                above = self._open_deadline(root)
                if above is None:
                    break
                if above > deadline:
                    below = above - 1
                    stride *= 2 if self.known - below > MANY else 1
                else:
                    stride = max(1, stride // 2)
        return prices

    def root(self, deadline: int, prices: FloatArray, slices: int, by: str) -> Root:
        """Try a deadline by prices alone; packed sets are repaired and improved in between."""
        run, counted, began = self.started, 0, self.started.seconds

        def budget(evaluations: int) -> int:
            nonlocal counted, began
            if evaluations > counted:
                self.evaluated = (run.seconds - began) / (evaluations - counted)
                run.count(evaluations - counted)
            counted, began = evaluations, run.seconds
            return 0 if self.over(deadline) else self._chunk(SLICE)

        def between(root: Root) -> bool:
            budget(root.evaluations)
            if counted > SLICE and not run.done():
                self.improve(root.allowed, self.space.packed, deadline, by)
            return self.over(deadline)

        root = try_deadline(
            self.instance,
            deadline,
            prices,
            self.space,
            between=between,
            most_slices=slices,
            budget=budget,
        )
        budget(root.evaluations)
        if root.schedule is not None:
            self.offer(root.schedule, by)
        return root

    def moves_left(self) -> int:
        """Return how many moves of annealing, and as long for pairs, the time left allows."""
        left = MOVES_PER_SECOND * min(self.started.time_left, ALL / MOVES_PER_SECOND)
        return int(left) + 1

    def improve(self, allowed: BoolArray, packed: BoolArray, deadline: int, by: str) -> IntArray:
        """Make a schedule of what the knapsacks packed last, and bring it down to the deadline."""
        tasks, rng = self.instance.tasks, self.started.rng
        machine = dives.repaired(tasks, allowed, packed, rng)
        steps = PAIRS * tasks.ready.size
        found = improve(tasks, allowed, machine, deadline, rng, steps=steps, heat=HEAT)
        self.offer(found.machine, by + ", shared in pairs")
        return found.machine

    def _open_deadline(self, root: Root) -> int | None:
        """Search by turns, the least used first; return the next deadline, or None at the end."""
        deadline, run = root.deadline, self.started
        searches: list[Search] = [Branching(self, root), Lowering(self, root)]
        if not self.instance.exact:
            searches.insert(0, Shaking(self, root))
        if self.options.dives:
            searches.insert(0, Diving(self, root))
        if self.options.upper:
            searches.append(DivingHalfway(self, root))
        spend = float(self.options.slice)
        while not self.over(deadline):
            fit = [s for s in searches if s.fits()]
            if not fit:
                return None
            turn = min(fit, key=lambda s: s.spent / s.share())
            most, before = turn.spent + int(spend), turn.spent
            while turn.spent < most and turn.fits() and not self.over(deadline):
                refuted = turn.go_on(self._chunk(most - turn.spent))
                if refuted is not None:
                    return refuted + 1
            turn.spent = max(turn.spent, before + 1)
            spend *= GROWTH
        return None if run.stop_reason or self.known <= deadline else deadline

    def _chunk(self, most: int) -> int:
        """Return how many evaluations to spend before the clock is looked at again."""
        quick = LOOK / self.evaluated if self.evaluated > 0 else 1
        return max(1, min(most, self.started.evaluations_left, int(quick)))

    def rest(self, root: Root) -> Rest:
        """Return what a root leaves open, with scratch memory."""
        return make_rest(self.instance.tasks, root.allowed, root.prices, self.space.rows)

    def spend(self, space: Space) -> int:
        """Count the evaluations made in ``space`` since it was last asked; return their number."""
        spent = int(space.counts[EVALUATIONS])
        space.counts[EVALUATIONS] = 0
        self.started.count(spent)
        return spent
