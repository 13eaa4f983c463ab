"""A schedule that gets better round by round: annealing towards deadlines, and shared pairs.

A round aims at a deadline between a proved bound and the makespan known, mostly one below it, by
turns farther down: what cannot be met still draws the loads together, and schedules met on the way
count. It anneals (:mod:`.cooling`), then lets pairs of machines share their tasks anew
(:mod:`.improving`). Rounds without success get longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.formulations.deadlines.cooling import cool, make_pull
from optedge.formulations.deadlines.improving import improve, loads_of

if TYPE_CHECKING:
    from optedge.formulations.deadlines.instance import Tasks


class Climate(NamedTuple):
    """How a round anneals; temperatures in units of time."""

    hot: float
    cold: float
    strength: float  # of the reduced costs


# Measured on the hard files of the benchmark: near values want little strength, correlated tasks
# and small makespans more of it; long and narrow cooling helps all of them.
CLIMATES = (
    Climate(0.6, 0.25, 0.3),
    Climate(0.6, 0.25, 0.1),
    Climate(0.6, 0.25, 0.6),
    Climate(1.5, 0.08, 0.03),
)
WIDTH = 6  # machines that a task may move to
FIRST_STEPS, MOST_STEPS, LONGER = 200_000, 30_000_000, 1.35
DEPTHS = (0.0, 0.5, 0.0, 0.125)  # of a round's deadline, as shares of the way down to the bound
# A pair of machines costs as much time as so many moves, and more for every unit of the deadline.
PAIR_MOVES, MOVES_A_UNIT = 60, 0.25
GRAINS = 20_000  # of a makespan: a unit far below one is too fine to be a temperature


class Descent:
    """Rounds of search from one schedule downwards.

    Parameters
    ----------
    tasks
        The instance.
    weights
        Of the machines ``(m,)``, such as the multipliers of their rows in the linear relaxation.
    machine
        The schedule to begin with ``(n,)``; it is left alone.
    rng
        Source of the moves: the same generator, bounds and number of rounds give the same schedule.
    allowed
        The pairs that may be used ``(n, m)``; all of the instance by default. The pairs of
        ``machine`` must be among them.

    Attributes
    ----------
    machine
        The best schedule known.
    makespan
        Its makespan in units; it never grows.
    rounds
        How many were made.
    """

    def __init__(
        self,
        tasks: Tasks,
        weights: FloatArray,
        machine: IntArray,
        rng: np.random.Generator,
        allowed: BoolArray | None = None,
    ) -> None:
        self._tasks, self._rng = tasks, rng
        self._allowed = tasks.allowed if allowed is None else allowed
        self._pull = make_pull(tasks, self._allowed, weights, WIDTH)
        self._steps = float(FIRST_STEPS)
        self.machine = machine.copy()
        self.makespan = int(loads_of(tasks, machine).max())
        self.rounds = 0

    def offer(self, machine: IntArray) -> None:
        """Go on from another schedule ``(n,)`` if it is better; it must be on allowed pairs."""
        value = int(loads_of(self._tasks, machine).max())
        if value < self.makespan:
            self.machine, self.makespan = machine.copy(), value

    def round(self, bound: int, most_steps: int = MOST_STEPS) -> int:
        """Search once below the makespan known; return the moves it may have taken.

        Parameters
        ----------
        bound
            No schedule has a smaller makespan: nothing is done once the makespan is at it.
        """
        if self.makespan <= bound:
            return 0
        before = self.makespan
        steps = int(min(self._steps, most_steps))
        depth = DEPTHS[self.rounds % len(DEPTHS)]
        deadline = before - max(1, int(depth * (before - bound)))
        climate = CLIMATES[self.rounds // 2 % len(CLIMATES)]
        moving = self._cooled(deadline, climate, steps)
        deadline = min(deadline, self.makespan)
        shared = improve(
            self._tasks,
            self._allowed,
            moving if self.rounds % 2 == 0 else self.machine,
            deadline,
            self._rng,
            steps=max(1, int(steps / (PAIR_MOVES + MOVES_A_UNIT * deadline))),
        )
        self.offer(shared.machine)
        self.rounds += 1
        if self.makespan == before:
            self._steps = min(LONGER * self._steps, MOST_STEPS)
        return steps

    def _cooled(self, deadline: int, climate: Climate, steps: int) -> IntArray:
        """Anneal; keep the best schedule on the way, and return the last."""
        moving, best = self.machine.copy(), self.machine.copy()
        grain = max(1.0, deadline / GRAINS)
        cool(
            self._tasks,
            self._pull,
            moving,
            best,
            deadline,
            steps,
            climate.hot * grain,
            climate.cold * grain,
            climate.strength,
            self._rng,
        )
        self.offer(best)
        return moving
