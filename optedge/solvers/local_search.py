"""Iterated local search on codes, with the neighbourhood of the problem."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from optedge.formulations.base import BoolArray, IntArray
from optedge.kernels import apply, descend, kernel, price, start
from optedge.solvers.code import descent, draw_option, first_code, offer_code, option_table
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run

ENDLESS = 1 << 60


@dataclasses.dataclass(frozen=True, kw_only=True)
class LocalSearchOptions(Options):
    """Options of ``local-search``."""

    strength: int = option(4, "decisions drawn anew before each further descent", low=1)
    descents: int | None = option(None, "descents in all; None: until a budget ends", low=1)
    patience: int = option(
        1_000_000, "descents in a row without a better code; then it ends", low=1
    )


@register(
    "local-search",
    options=LocalSearchOptions,
    needs=("code",),
    kind="metaheuristic",
    guarantee="a local optimum, if not cut off",
    source="iterated local search: Lourenco, Martin, Stuetzle 2003",
)
def search_locally(problem: Any, options: LocalSearchOptions, run: Run) -> None:
    """Descend; draw a few decisions anew, descend again, and keep what is no worse.

    The descent is the problem's own (makespan: shifts and swaps with a busiest server), or else
    single reassignments. It starts from ``start``, or from a rule of the problem.
    """
    data, choices = problem.data, problem.choices
    table, counts = option_table(choices)
    best = first_code(problem, run)
    left = ENDLESS if options.descents is None else options.descents
    local, since = False, 0
    chunk = 20_000  # early looks at the clock serve short limits; the sizes never depend on time
    while not run.done() and left > 0:
        limit = min(chunk, run.evaluations_left)
        last = limit < chunk
        if local:
            finished, priced = rounds(
                data, best, choices, table, counts, options.strength, left, limit, run.rng
            )
        else:
            priced, local = descent(data, best, choices, limit)
            finished = int(local)
        left -= finished
        before = run.objective
        offer_code(problem, run, best, priced)
        since = 0 if run.objective < before else since + finished
        if since >= options.patience:
            return
        if finished == 0 and last:
            run.stop("evaluations")  # what is left is too little for one more step
        chunk = min(2 * chunk, 2 * problem.moves_per_chunk) if finished else 4 * chunk


@kernel
def rounds(
    data: Any,
    best: IntArray,
    choices: BoolArray,
    table: IntArray,
    counts: IntArray,
    strength: int,
    most: int,
    limit: int,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """Do up to ``most`` rounds within ``limit`` priced moves; return both numbers.

    ``best`` is replaced by any code that costs no more. A descent that the limit cuts off is
    dropped.
    """
    x = best.copy()
    state = start(data, x)
    cost = price(data, state, x, 0, x[0])
    done, priced = 0, 0
    # Beside its moves a round takes time for its code; where few moves exist, that is all.
    while done < most and done * x.size // 2 <= limit:
        for _ in range(strength):
            i = int(rng.random() * x.size)
            apply(data, state, x, i, draw_option(table, counts, i, rng))
        spent, local = descend(data, state, x, choices, limit - priced)
        priced += spent
        if not local or priced == limit:
            break
        done += 1
        priced += 1
        candidate = price(data, state, x, 0, x[0])
        if candidate <= cost:
            cost = candidate
            best[:] = x
        else:
            x[:] = best
            state = start(data, x)
    return done, priced
