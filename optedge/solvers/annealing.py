"""Simulated annealing on codes: the Metropolis rule, geometric cooling, restarts."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from optedge.formulations.base import BoolArray, IntArray
from optedge.kernels import apply, gives, guide, kernel, price, start
from optedge.solvers.code import descent, draw_other, first_code, offer_code, option_table
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnnealingOptions(Options):
    """Options of ``annealing``; temperatures are relative to the cost of the first code."""

    start_temperature: float | None = option(
        None, "temperature of the first stage; None: 0.01, or 0.1 where there is no guide", above=0
    )
    end_temperature: float = option(1e-6, "temperature at which a cooling ends", above=0)
    cooling: float = option(0.95, "factor from one stage to the next", above=0, below=1)
    moves: int = option(5_000_000, "moves of one cooling, unless max_evaluations is given", low=1)
    patience: int = option(50, "coolings in a row without a better code; then it ends", low=1)
    polish: bool = option(True, "whether the problem's descent follows each cooling")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.end_temperature > self.first_temperature(True):
            raise ValueError("option end_temperature must not exceed start_temperature.")

    def first_temperature(self, guided: bool) -> float:
        """Return the temperature of the first stage, for a problem with or without a guide."""
        if self.start_temperature is not None:
            return self.start_temperature
        return 1e-2 if guided else 1e-1

    def stages(self, guided: bool = True) -> int:
        """Return the number of temperatures of one cooling."""
        ratio = self.end_temperature / self.first_temperature(guided)
        return 1 + math.ceil(math.log(ratio) / math.log(self.cooling) - 1e-9)


@register(
    "annealing",
    options=AnnealingOptions,
    needs=("code",),
    kind="metaheuristic",
    source="Kirkpatrick, Gelatt, Vecchi, Science 220 (1983)",
)
def anneal(problem: Any, options: AnnealingOptions, run: Run) -> None:
    """Reassign one random decision a move; accept it with probability min(1, exp(-delta / T)).

    Delta is the relative change of the cost or, where the problem gives a ``guide``, of that smooth
    stand-in (makespan: the sum of the 16th powers of the loads); the code of least cost is kept.
    A cooling is followed by the problem's descent; while a budget is left the next cooling starts
    from the best code. With ``max_evaluations`` one cooling uses nine tenths of the budget.
    """
    data, choices = problem.data, problem.choices
    table, counts = option_table(choices)
    best = first_code(problem, run)
    scale = _scale(problem, run, best)
    guided = gives(type(data), guide)
    metropolis, stages = _guided if guided else _metropolis, options.stages(guided)
    budget = options.moves
    if run.max_evaluations is not None:
        budget = run.evaluations_left * 9 // 10 if options.polish else run.evaluations_left
    moves = max(1, budget // stages)
    movable = np.flatnonzero(counts > 1)

    since = 0
    while not run.done() and movable.size and since < options.patience:
        x, before = best.copy(), run.objective
        temperature = options.first_temperature(guided)
        for _ in range(stages):
            left = min(moves, run.evaluations_left)
            while left > 0 and not run.done():
                take = min(left, problem.moves_per_chunk)
                metropolis(data, x, best, movable, table, counts, scale, temperature, take, run.rng)
                offer_code(problem, run, best, take)
                left -= take
            if run.done():
                break
            temperature *= options.cooling
        if options.polish and not run.done():
            _polish(problem, data, best, choices, run)
        since = 0 if run.objective < before else since + 1


def _scale(problem: Any, run: Run, code: IntArray) -> float:
    """Return the cost that temperatures are relative to."""
    if math.isfinite(run.objective):
        return abs(run.objective) or 1.0
    data = problem.data
    cost = abs(_cost(data, code))
    return cost if 0 < cost < math.inf else 1.0


def _polish(problem: Any, data: Any, best: IntArray, choices: BoolArray, run: Run) -> None:
    """Descend from the best code until it is a local optimum or the run is over."""
    local = False
    limit = 2 * problem.moves_per_chunk
    while not local and not run.done():
        take = min(limit, run.evaluations_left)
        priced, local = descent(data, best, choices, take)
        offer_code(problem, run, best, priced)
        if priced == 0 and not local:
            if take < limit:
                return
            limit *= 4


@kernel
def _cost(data: Any, x: IntArray) -> float:
    return price(data, start(data, x), x, 0, x[0])


@kernel
def _metropolis(
    data: Any,
    x: IntArray,
    best: IntArray,
    movable: IntArray,
    table: IntArray,
    counts: IntArray,
    scale: float,
    temperature: float,
    moves: int,
    rng: np.random.Generator,
) -> None:
    """Try ``moves`` moves at one temperature; ``x`` moves on, ``best`` keeps the best code.

    The state is built anew here, so that rounding errors do not add up over chunks.
    """
    state = start(data, x)
    cost = price(data, state, x, 0, x[0])
    best_cost = price(data, start(data, best), best, 0, best[0])
    for _ in range(moves):
        i = movable[int(rng.random() * movable.size)]
        k = draw_other(table, counts, i, x[i], rng)
        candidate = price(data, state, x, i, k)
        worse = candidate - cost
        if worse <= 0.0 or rng.random() < math.exp(-worse / (scale * temperature)):
            apply(data, state, x, i, k)
            cost = candidate
            if cost < best_cost:
                best_cost = cost
                best[:] = x


@kernel
def _guided(
    data: Any,
    x: IntArray,
    best: IntArray,
    movable: IntArray,
    table: IntArray,
    counts: IntArray,
    scale: float,
    temperature: float,
    moves: int,
    rng: np.random.Generator,
) -> None:
    """Do what :func:`_metropolis` does with the problem's stand-in of the cost."""
    state = start(data, x)
    best_cost = price(data, start(data, best), best, 0, best[0])
    for _ in range(moves):
        i = movable[int(rng.random() * movable.size)]
        k = draw_other(table, counts, i, x[i], rng)
        worse = guide(data, state, x, i, k, scale)
        if worse <= 0.0:
            apply(data, state, x, i, k)
            # The cost is asked downhill only, for speed. A step uphill of the stand-in may lower
            # the cost too; the next step down sees that, unless it is undone before.
            cost = price(data, state, x, i, k)
            if cost < best_cost:
                best_cost = cost
                best[:] = x
        elif worse < 40.0 * temperature and rng.random() < math.exp(-worse / temperature):
            apply(data, state, x, i, k)
