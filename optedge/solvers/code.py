"""What the solvers that search codes share: drawing options, and a code to start from."""

from __future__ import annotations

from typing import Any

import numpy as np

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.kernels import descend, kernel, start
from optedge.solvers.run import Run


def option_table(choices: BoolArray) -> tuple[IntArray, IntArray]:
    """Return which options each decision has, for :func:`draw_option`.

    Parameters
    ----------
    choices
        True where a decision may take an option, (n_decisions, n_options).

    Returns
    -------
    tuple
        The options of each decision side by side, (n_decisions, most options), with no columns
        where every decision may take every option; and their numbers, (n_decisions,).
    """
    counts = choices.sum(axis=1).astype(np.int64)
    if choices.all():
        return np.zeros((choices.shape[0], 0), np.int64), counts
    table = np.zeros((choices.shape[0], int(counts.max())), np.int64)
    decision, taken = np.nonzero(choices)
    place = np.arange(decision.size) - np.repeat(np.cumsum(counts) - counts, counts)
    table[decision, place] = taken
    return table, counts


@kernel
def draw_option(table: IntArray, counts: IntArray, i: int, rng: Any) -> int:
    """Return an option of decision ``i``, each equally likely."""
    k = int(rng.random() * counts[i])
    return table[i, k] if table.shape[1] else k


@kernel
def descent(data: Any, x: IntArray, choices: BoolArray, limit: int) -> tuple[int, bool]:
    """Descend from ``x`` in place; return the moves priced and whether ``x`` is locally optimal."""
    return descend(data, start(data, x), x, choices, limit)


@kernel
def draw_other(table: IntArray, counts: IntArray, i: int, current: int, rng: Any) -> int:
    """Return an option of decision ``i`` other than ``current``, each equally likely."""
    last = counts[i] - 1
    k = int(rng.random() * last)
    if table.shape[1]:
        return int(table[i, last] if table[i, k] == current else table[i, k])
    return last if k == current else k


def random_codes(problem: Any, rng: np.random.Generator, rows: int) -> IntArray:
    """Return codes (rows, n_decisions) whose decisions are drawn evenly among their options."""
    table, counts = option_table(problem.choices)
    drawn = (rng.random((rows, counts.size)) * counts).astype(np.int64)
    return table[np.arange(counts.size), drawn] if table.shape[1] else drawn


def decision_order(problem: Any) -> list[int]:
    """Return the order in which ``partial`` wants decisions to be taken: by number by default."""
    order = getattr(problem, "decision_order", range(problem.choices.shape[0]))
    return [int(i) for i in order]


def place_in_order(problem: Any) -> IntArray | None:
    """Return the code whose every decision takes the option of least ``partial`` cost.

    Ties go to the lowest option; None if some decision has no option left.
    """
    code = np.zeros(problem.choices.shape[0], dtype=np.int64)
    for i in decision_order(problem):
        increase = problem.partial(code, i)
        code[i] = int(np.argmin(increase))
        if not np.isfinite(increase[code[i]]):
            return None
    return code


def first_code(problem: Any, run: Run) -> IntArray:
    """Return a code to start a search from (:func:`starting_code`), and offer it."""
    code = starting_code(problem, run)
    offer_code(problem, run, code)
    return code


def starting_code(problem: Any, run: Run) -> IntArray:
    """Return a code to start a search from.

    The run's ``start`` if there is one; else the problem's ``start_code``, where it has such a rule
    of its own; else the greedy code, else a random one.
    """
    code: IntArray | None = None
    if run.start is not None:
        code = problem.encode(run.start)
    elif hasattr(problem, "start_code"):
        code = problem.start_code()
    elif "partial" in problem.offers:
        code = place_in_order(problem)
    if code is None:
        code = random_codes(problem, run.rng, 1)[0]
    return code


def code_costs(problem: Any, codes: IntArray) -> FloatArray:
    """Return the cost of each row of ``codes`` (k, n_decisions), as the problem prices it.

    Raises
    ------
    ValueError
        If the problem does not return a number a code.
    """
    costs = np.asarray(problem.costs(codes), dtype=np.float64)
    if costs.shape != (len(codes),):
        name, got = type(problem).__name__, costs.shape
        raise ValueError(f"{name}.costs must return an array of {len(codes)} costs, got {got}.")
    if np.isnan(costs).any():
        code = codes[int(np.isnan(costs).argmax())].tolist()
        raise ValueError(f"{type(problem).__name__}.costs returned NaN for the code {code}.")
    return costs


def offer_code(problem: Any, run: Run, code: IntArray, evaluations: int = 1) -> float:
    """Price one code exactly, offer its solution, and return its cost."""
    return float(offer_codes(problem, run, code[None], evaluations)[0])


def offer_codes(
    problem: Any, run: Run, codes: IntArray, evaluations: int | None = None
) -> FloatArray:
    """Price codes with one call, offer the solution of the best of them, and return their costs.

    ``evaluations`` is how many candidates count as priced: as many as there are codes for None.
    """
    costs = code_costs(problem, codes)
    best, priced = int(np.argmin(costs)), len(codes) if evaluations is None else evaluations
    if costs[best] < run.objective:
        run.offer(problem.decode(codes[best]), float(costs[best]), priced, code=codes[best])
    else:
        run.count(priced)
    return costs
