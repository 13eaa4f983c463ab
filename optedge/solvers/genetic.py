"""A genetic algorithm on codes: tournaments, two-point crossover, mutation, an elite."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.solvers.populations import (
    Genes,
    best_rows,
    cross_pairs,
    first_population,
    generations_within,
    mutate,
    price,
    tournament,
)
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneticOptions(Options):
    """Options of ``genetic``."""

    population: int = option(100, "codes of a generation", low=2)
    generations: int = option(
        650, "generations, the random first one among them, unless max_evaluations is given", low=1
    )
    crossover: float = option(0.8, "probability that two parents swap a segment", low=0, high=1)
    mutation: float | None = option(
        None, "probability that a decision changes; None: 1 / n_decisions", low=0, high=1
    )
    elites: int = option(1, "best parents that take the place of the worst children", low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.elites >= self.population:
            raise ValueError("option elites must be less than population.")


@register(
    "genetic",
    options=GeneticOptions,
    needs=("code",),
    kind="metaheuristic",
    source="Holland 1975; operators as in the baseline of EosDNN",
)
def breed(problem: Any, options: GeneticOptions, run: Run) -> None:
    """Breed random codes by binary tournaments, two-point crossover and mutation.

    Notes
    -----
    EosDNN names its genetic algorithm without parameters: these are ours. As many children as
    parents are priced in each generation; then the best parent replaces the worst child. The
    default length is that of ``pso-ga``, 65 000 candidates.
    """
    generations = generations_within(run, options.population, options.generations)
    evolve(problem, Genes.of(problem.choices), options, run, generations)


def evolve(
    problem: Any, genes: Genes, options: GeneticOptions, run: Run, generations: int
) -> tuple[IntArray, FloatArray]:
    """Return the last of ``generations`` generations and its costs; budgets may end it before."""
    codes, costs = first_population(problem, run, options.population)
    for _ in range(generations - 1):
        if not genes.movable.size or run.done():
            break
        children = offspring(genes, codes, costs, options, run.rng)
        priced = price(problem, run, children)
        if len(priced) < len(children):
            break  # the budget ended within this generation
        kept, lost = best_rows(costs, options.elites), best_rows(-priced, options.elites)
        children[lost], priced[lost] = codes[kept], costs[kept]
        codes, costs = children, priced
    return codes, costs


def offspring(
    genes: Genes,
    codes: IntArray,
    costs: FloatArray,
    options: GeneticOptions,
    rng: np.random.Generator,
) -> IntArray:
    """Return as many children as there are codes."""
    rows, n = codes.shape
    parents = codes[tournament(costs, rng, rows + rows % 2)]
    children = cross_pairs(parents, options.crossover, rng)[:rows]
    mutate(genes, children, 1 / n if options.mutation is None else options.mutation, rng)
    return children
