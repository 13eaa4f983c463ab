"""What the searches with populations share: first codes, pricing in batches, operators on codes.

A population is an array of codes ``(rows, n_decisions)``. Operators treat all rows at once and
draw only from the generator that they are given.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import BoolArray, FloatArray, IntArray
from optedge.solvers.code import (
    offer_code,
    offer_codes,
    option_table,
    random_codes,
    starting_code,
)
from optedge.solvers.run import Run


@dataclasses.dataclass(frozen=True, eq=False)
class Genes:
    """The options of each decision, side by side.

    Parameters
    ----------
    table
        Options in increasing order, shape ``(n_decisions, most)``; zeros behind the last one.
    counts
        How many options each decision has, ``(n_decisions,)``.
    """

    table: IntArray
    counts: IntArray

    @classmethod
    def of(cls, choices: BoolArray) -> Self:
        """Return the options that ``choices`` (n_decisions, n_options) allows."""
        table, counts = option_table(choices)
        if not table.shape[1]:
            table = np.tile(np.arange(choices.shape[1]), (choices.shape[0], 1))
        return cls(table, counts)

    @property
    def movable(self) -> IntArray:
        """The decisions that have more than one option."""
        return np.flatnonzero(self.counts > 1)

    def codes(self, ranks: IntArray) -> IntArray:
        """Return the codes (rows, n_decisions) that take the options of given places."""
        return np.asarray(self.table[np.arange(self.counts.size), ranks])

    def ranks(self, codes: IntArray) -> IntArray:
        """Return the place of each option of ``codes`` in the row of its decision."""
        place = np.zeros((self.counts.size, int(self.table.max()) + 1), np.int64)
        i, k = np.nonzero(np.arange(self.table.shape[1]) < self.counts[:, None])
        place[i, self.table[i, k]] = k
        return place[np.arange(self.counts.size), codes]

    def other(self, i: IntArray, current: IntArray, u: FloatArray) -> IntArray:
        """Return an option of decisions ``i`` other than ``current``, each equally likely.

        Parameters
        ----------
        i, current
            Decisions and the options that they have, of one shape.
        u
            Uniform random numbers of that shape.

        Returns
        -------
        ndarray
            Of the same shape; the current option where there is no other.
        """
        last = self.counts[i] - 1
        drawn = self.table[i, (u * last).astype(np.int64)]
        return np.where(drawn == current, self.table[i, last], drawn)


def price(problem: Any, run: Run, codes: IntArray) -> FloatArray:
    """Price codes with one call and offer the best of them.

    Returns
    -------
    ndarray
        Their costs; fewer than there are codes if the budget of evaluations ends before.
    """
    return offer_codes(problem, run, codes[: run.evaluations_left])


def first_population(problem: Any, run: Run, size: int) -> tuple[IntArray, FloatArray]:
    """Return ``size`` random codes and their costs.

    The run's ``start`` is the first of them. Where none is feasible, the last one is replaced by
    the problem's own rule, if it has one. Fewer are returned if a budget ends before, and a single
    one where every decision has one option.
    """
    if not (problem.choices.sum(axis=1) > 1).any():
        size = 1
    codes, known = random_codes(problem, run.rng, size), np.zeros(0)
    if run.start is not None:
        codes[0] = starting_code(problem, run)
        known = np.array([offer_code(problem, run, codes[0])])
    if len(known) == size or run.done():
        return codes[: len(known)], known
    costs = np.concatenate([known, price(problem, run, codes[len(known) :])])
    if not np.isfinite(costs).any() and run.start is None and not run.done():
        codes[-1] = starting_code(problem, run)
        costs[-1] = offer_code(problem, run, codes[-1])
    return codes[: len(costs)], costs


def generations_within(run: Run, size: int, length: int) -> int:
    """Return how many populations of ``size`` are priced: by the budget, else ``length``."""
    return length if run.max_evaluations is None else -(-run.max_evaluations // size)


# ----------------------------------------------------------------------- operators


def tournament(costs: FloatArray, rng: np.random.Generator, rows: int) -> IntArray:
    """Return the winners of ``rows`` binary tournaments: the cheaper of two, drawn evenly."""
    a, b = rng.integers(costs.size, size=(2, rows))
    return np.asarray(np.where(costs[b] < costs[a], b, a))


def segments(u: FloatArray, n: int) -> BoolArray:
    """Return where closed segments of ``n`` decisions lie, shape ``(rows, n)``.

    Parameters
    ----------
    u
        Uniform random numbers, ``(rows, 2)``: two cut positions of each row, in any order.
    n
        Number of decisions.
    """
    cuts = (u * n).astype(np.int64)
    places = np.arange(n)
    first, last = cuts.min(axis=1)[:, None], cuts.max(axis=1)[:, None]
    return np.asarray((places >= first) & (places <= last))


def cross_pairs(parents: IntArray, rate: float, rng: np.random.Generator) -> IntArray:
    """Return the children of two-point crossover: rows 0 and 1, 2 and 3, ... swap a segment.

    Parameters
    ----------
    parents
        Codes, an even number of rows.
    rate
        Probability that a pair swaps; else both are copied.
    rng
        Source of chance.
    """
    pairs = parents.reshape(-1, 2, parents.shape[1])
    swap = segments(rng.random((len(pairs), 2)), parents.shape[1])
    swap &= (rng.random(len(pairs)) < rate)[:, None]
    return np.where(swap[:, None], pairs[:, ::-1], pairs).reshape(parents.shape)


def mutate(genes: Genes, codes: IntArray, rate: float, rng: np.random.Generator) -> None:
    """Give each decision another of its options with probability ``rate``, in place."""
    row, i = np.nonzero(rng.random(codes.shape) < rate)
    codes[row, i] = genes.other(i, codes[row, i], rng.random(i.size))


def best_rows(costs: FloatArray, count: int) -> npt.NDArray[np.intp]:
    """Return the rows of the ``count`` least costs, the least first; ties to the first rows."""
    return np.argsort(costs, kind="stable")[:count]
