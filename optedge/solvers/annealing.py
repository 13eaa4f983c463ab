"""Simulated annealing on codes: the Metropolis rule, geometric cooling, restarts."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from optedge.formulations.base import BoolArray, IntArray
from optedge.kernels import apply, gives, guide, kernel, price, propose, settle, start
from optedge.solvers.code import descent, draw_other, first_code, offer_code, option_table
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run

#: What a move is, and the defaults: first and last temperature, moves of one cooling. A problem
#: whose data give ``propose`` simulates whole plans: moves are dear, and few make sense when hot.
DEFAULTS = {
    "single": (1e-1, 1e-6, 5_000_000),
    "guided": (1e-2, 1e-6, 5_000_000),
    "proposed": (1e-2, 5e-5, 500_000),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnnealingOptions(Options):
    """Options of ``annealing``; temperatures are relative to the cost of the first code.

    None stands for a default that depends on what a move is (``DEFAULTS``).
    """

    start_temperature: float | None = option(None, "temperature of the first stage", above=0)
    end_temperature: float | None = option(None, "temperature at which a cooling ends", above=0)
    cooling: float = option(0.95, "factor from one stage to the next", above=0, below=1)
    moves: int | None = option(None, "moves of one cooling, unless max_evaluations is given", low=1)
    patience: int = option(50, "coolings in a row without a better code; then it ends", low=1)
    polish: bool = option(True, "whether the problem's descent follows each cooling")

    def __post_init__(self) -> None:
        super().__post_init__()
        first, last = self.temperatures("guided")
        if last > first:
            raise ValueError("option end_temperature must not exceed start_temperature.")

    def temperatures(self, move: str) -> tuple[float, float]:
        """Return the temperatures of the first and the last stage, for moves of a kind."""
        first, last, _ = DEFAULTS[move]
        first = first if self.start_temperature is None else self.start_temperature
        if self.end_temperature is not None:
            return first, self.end_temperature
        return first, min(last, first) if move == "proposed" else last

    def stages(self, move: str = "guided") -> int:
        """Return the number of temperatures of one cooling."""
        first, last = self.temperatures(move)
        return 1 + math.ceil(math.log(last / first) / math.log(self.cooling) - 1e-9)


@register(
    "annealing",
    options=AnnealingOptions,
    needs=("code",),
    kind="metaheuristic",
    source="Kirkpatrick, Gelatt, Vecchi, Science 220 (1983)",
)
def anneal(problem: Any, options: AnnealingOptions, run: Run) -> None:
    """Reassign one random decision a move; accept it with probability min(1, exp(-delta / T)).

    Where the problem proposes moves of its own (``propose``) those are taken instead. Delta is the
    relative change of the cost or, where the problem gives a ``guide``, of that smooth stand-in
    (makespan: the sum of the 16th powers of the loads); the code of least cost is kept. A cooling
    is followed by the problem's descent; while a budget is left the next cooling starts from the
    best code. With ``max_evaluations`` one cooling uses nine tenths of the budget.
    """
    data, choices = problem.data, problem.choices
    table, counts = option_table(choices)
    best = first_code(problem, run)
    scale = _scale(problem, run, best)
    move = "guided" if gives(type(data), guide) else "single"
    if gives(type(data), propose):
        move = "proposed"
    sweep, stages = SWEEPS[move], options.stages(move)
    budget = DEFAULTS[move][2] if options.moves is None else options.moves
    if run.max_evaluations is not None:
        budget = run.evaluations_left * 9 // 10 if options.polish else run.evaluations_left
    moves = max(1, budget // stages)
    movable = np.flatnonzero(counts > 1)
    drawn = () if move == "proposed" else (movable, table, counts)

    since = 0
    while not run.done() and movable.size and since < options.patience:
        x, before = best.copy(), run.objective
        temperature = options.temperatures(move)[0]
        for _ in range(stages):
            left = min(moves, run.evaluations_left)
            while left > 0 and not run.done():
                take = min(left, problem.moves_per_chunk)
                sweep(data, x, best, *drawn, scale, temperature, take, run.rng)
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


@kernel
def proposed(
    data: Any,
    x: IntArray,
    best: IntArray,
    scale: float,
    temperature: float,
    moves: int,
    rng: np.random.Generator,
) -> None:
    """Do what :func:`_metropolis` does with the problem's own moves.

    Parameters
    ----------
    data
        Of a problem that gives ``propose`` and ``settle``.
    x
        The code that the search is at, ``(n_decisions,)``; moves on.
    best
        The best code so far, ``(n_decisions,)``; replaced by better ones.
    scale, temperature
        Their product, in units of the cost, is what worse candidates are accepted by.
    moves
        How many candidates are priced.
    rng
        Source of chance.
    """
    state = start(data, x)
    cost = price(data, state, x, 0, x[0])
    best_cost = price(data, start(data, best), best, 0, best[0])
    for _ in range(moves):
        candidate = propose(data, state, x, rng)
        worse = candidate - cost
        taken = worse <= 0.0 or rng.random() < math.exp(-worse / (scale * temperature))
        settle(data, state, x, taken)
        if taken:
            cost = candidate
            if cost < best_cost:
                best_cost = cost
                best[:] = x


#: The compiled sweep over moves of each kind; where the problem proposes none, over the options.
SWEEPS: dict[str, Any] = {"single": _metropolis, "guided": _guided, "proposed": proposed}
