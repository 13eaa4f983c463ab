"""What ``makespan-exact`` does by turns with a deadline that prices leave open.

Dives look for a schedule within the deadline, and groups of machines go on from where they end; a
complete tree looks for one or for the proof that there is none. Where the makespan known is farther
above, dives half way and a search that brings down the best schedule narrow the gap from above.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optedge.formulations.deadlines import dives, tree
from optedge.formulations.deadlines.prices import MET, OPEN, REFUTED

if TYPE_CHECKING:
    from optedge.formulations.base import IntArray
    from optedge.formulations.deadlines.root import Root
    from optedge.solvers.makespan_exact import Climb

ALL = 1 << 60
GROUPS = 20  # evaluations at most before the clock is looked at: groups vary
AFTER_A_DIVE = 60  # evaluations of groups that go on from where it ended


class Search:
    """One of the searches below a root; ``spent`` are evaluations of prices, or what takes as long.

    The one that has spent least for its share goes next.
    """

    def __init__(self, climb: Climb, root: Root) -> None:
        self.climb, self.root = climb, root
        self.spent = 0

    def share(self) -> float:
        """Return its share of the time, relative to the others."""
        return 1.0

    def last(self) -> bool:
        """Tell whether this deadline alone is between the bound and the makespan known."""
        return self.climb.known == self.root.deadline + 1

    def fits(self) -> bool:
        """Tell whether there is anything to do."""
        return True

    def go_on(self, evaluations: int) -> int | None:
        """Search on for about so long; return a deadline if it is refuted."""
        raise NotImplementedError


class Branching(Search):
    """The complete tree, a slice of it at a time."""

    def __init__(self, climb: Climb, root: Root) -> None:
        super().__init__(climb, root)
        self.rest = climb.rest(root)
        self.tree = tree.make_tree(self.rest.tasks)
        tree.plant(self.tree, self.rest.tasks.allowed, self.rest.prices)

    def share(self) -> float:
        """Return as much as dives have, more where a refutation of this deadline is the end."""
        return 4.0 if self.last() else 2.0

    def fits(self) -> bool:
        """Tell whether nodes are left."""
        return not tree.exhausted(self.tree)

    def go_on(self, evaluations: int) -> int | None:
        """Look at nodes; return the deadline if none is left."""
        climb, info = self.climb, self.climb.started.info
        rest, nodes = self.rest, int(self.tree.state[tree.SEEN])
        status = tree.search(
            rest.tasks,
            self.root.deadline,
            self.tree,
            climb.options.steps,
            0.0,
            evaluations,
            ALL,
            rest.space,
            rest.schedule,
            climb.started.rng,
        )
        info["nodes"] += int(self.tree.state[tree.SEEN]) - nodes
        self.spent += climb.spend(rest.space)
        if status == MET:
            climb.offer(rest.whole(), "tree")
        if status != REFUTED:
            return None
        info["deadlines"]["tree"] += 1
        climb.started.raise_bound(climb.instance.bound(self.root.deadline))
        return self.root.deadline


class Shaking(Search):
    """Local search in the given data, where units do not see all differences."""

    def go_on(self, evaluations: int) -> int | None:
        """Search on, for longer than few ``evaluations`` take; nothing is refuted."""
        self.spent += self.climb.shake()
        return None


class Lowering(Search):
    """The best schedule is brought down by one unit after the other.

    Rounds of annealing and shared pairs, and groups of machines, take turns: those that have gained
    more for what they spent have more of them.
    """

    def __init__(self, climb: Climb, root: Root) -> None:
        super().__init__(climb, root)
        self.aimed, self.owed = (ALL, 0), 0.0  # at a deadline, as the groups' so many-th aim
        self.costs, self.gains = [0.0, 0.0], [1, 1]  # of rounds, of groups

    def share(self) -> float:
        """Return little where one unit is left: the others look for no less."""
        return 0.15 if self.last() else 1.0

    def go_on(self, evaluations: int) -> int | None:
        """Make a round, or let groups share; nothing is refuted."""
        climb, known = self.climb, self.climb.known
        who = 0 if self.costs[0] / self.gains[0] <= self.costs[1] / self.gains[1] else 1
        cost = self._share(evaluations) if who else self._round(evaluations)
        self.costs[who] += cost
        self.gains[who] += climb.known < known
        self.owed += cost
        whole = int(self.owed)
        self.owed -= whole
        self.spent += whole
        climb.started.count(whole)
        return None

    def _round(self, evaluations: int) -> float:
        climb = self.climb
        rounds, pairs = climb.rounds, climb.problem.times.size
        rounds.offer(climb.best)
        most = climb.moves_left()
        moves = rounds.round(self.root.deadline, most)
        climb.offer(rounds.machine, "rounds")
        return moves / pairs

    def _share(self, evaluations: int) -> float:
        climb, groups = self.climb, self.climb.groups
        before, aim = groups.spent, max(self.root.deadline, climb.known - 1)
        if (aim, groups.aims) != self.aimed:
            groups.aim(climb.best, aim, self.root.prices, climb.space)
            self.aimed = aim, groups.aims
        if groups.go_on(min(evaluations, GROUPS)):
            climb.offer(groups.machine, "groups")
        return groups.spent - before


class Diving(Search):
    """Dives, one after the other."""

    by = "dive"

    def __init__(self, climb: Climb, root: Root) -> None:
        super().__init__(climb, root)
        self.plunge()

    def plunge(self) -> None:
        """Set up dives from the root."""
        self.rest = self.climb.rest(self.root)
        self.dive = dives.make_dive(self.rest.tasks)
        self.under_way = False

    def share(self) -> float:
        """Return more than the others have: what a deadline is worth shows in dives."""
        return 2.0

    def go_on(self, evaluations: int) -> int | None:
        """Dive on; dives refute nothing."""
        climb, deadline = self.climb, self.root.deadline
        rest, rng = self.rest, climb.started.rng
        if not self.under_way:
            dives.begin(self.dive, rest.tasks.allowed, rest.prices, rng)
            climb.started.info["dives"] += 1
        status = dives.dive_on(
            rest.tasks, deadline, self.dive, evaluations, rest.space, rest.schedule, rng
        )
        self.spent += climb.spend(rest.space)
        self.under_way = status == OPEN
        if status == MET:
            climb.offer(rest.whole(), self.by)
        elif status == REFUTED:
            allowed = self.root.allowed
            near = climb.improve(allowed, rest.packed(allowed), deadline, self.by)
            if climb.known > deadline:
                self._share(near)
        return None

    def _share(self, near: IntArray) -> None:
        """Let groups go on from where a dive ended."""
        climb, groups = self.climb, self.climb.groups
        before = groups.spent
        groups.aim(near, self.root.deadline, self.root.prices, climb.space)
        groups.go_on(AFTER_A_DIVE)
        climb.offer(groups.machine, self.by + ", groups")
        spent = int(groups.spent - before)
        self.spent += spent
        climb.started.count(spent)


class DivingHalfway(Diving):
    """Dives at a deadline half way up to the makespan known, from a root of its own."""

    by = "upper"

    def __init__(self, climb: Climb, below: Root) -> None:
        super().__init__(climb, below)
        self.below = below

    def _halfway(self) -> int:
        return (self.below.deadline + self.climb.known) // 2

    def fits(self) -> bool:
        """Tell whether a deadline lies between."""
        return self._halfway() > self.below.deadline

    def go_on(self, evaluations: int) -> int | None:
        """Dive on; return the deadline if its root refutes it."""
        climb = self.climb
        if self.root is not self.below and climb.known > self.root.deadline:
            return super().go_on(evaluations)
        before = climb.started.evaluations
        self.root = climb.root(self._halfway(), self.below.prices, 2, self.by)
        self.spent += climb.started.evaluations - before
        if self.root.status == OPEN:
            self.plunge()
        if self.root.status != REFUTED:
            return None
        climb.started.info["deadlines"]["upper"] += 1
        climb.refuted(self.root.deadline, self.root.stages)
        return self.root.deadline
