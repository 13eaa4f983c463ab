"""PSO-GA: a swarm on codes whose steps are mutation and crossover with the best codes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.solvers.genetic import GeneticOptions, evolve
from optedge.solvers.populations import Genes, generations_within, price, segments
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run

DRAWS = 9  # uniform numbers of one step: r1, r2, r3, position, option, two cuts, two cuts


@dataclasses.dataclass(frozen=True, kw_only=True)
class PsoGaOptions(Options):
    """Options of ``pso-ga``."""

    particles: int = option(100, "codes of the swarm", low=2)
    iterations: int = option(600, "steps of the swarm, unless max_evaluations is given", low=1)
    generations: int = option(50, "of the genetic algorithm that makes the swarm; 1: random", low=1)
    w_max: float = option(0.8, "probability of a mutation far from the best code", low=0, high=1)
    w_min: float = option(0.2, "probability of a mutation at the best code", low=0, high=1)
    own_first: float = option(0.9, "crossover with the particle's best, at first", low=0, high=1)
    own_last: float = option(0.2, "crossover with the particle's best, at last", low=0, high=1)
    all_first: float = option(0.4, "crossover with the swarm's best, at first", low=0, high=1)
    all_last: float = option(0.9, "crossover with the swarm's best, at last", low=0, high=1)
    sync: bool = option(True, "whether the swarm's best changes between iterations only")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.w_min > self.w_max:
            raise ValueError("option w_min must not exceed w_max.")

    def lengths(self, run: Run) -> tuple[int, int]:
        """Return the numbers of generations and of iterations, scaled to a budget together."""
        total = self.generations + self.iterations
        scaled = generations_within(run, self.particles, total)
        generations = max(1, scaled * self.generations // total)
        return generations, max(0, scaled - generations)


@register(
    "pso-ga",
    options=PsoGaOptions,
    needs=("code",),
    kind="metaheuristic",
    source="EosDNN, Algorithm 1 and eqs. (11)-(18)",
)
def swarm(problem: Any, options: PsoGaOptions, run: Run) -> None:
    r"""Mutate each particle, cross it with its own best code and with the best of the swarm.

    A step is :math:`A` = mutated :math:`H` with probability w, :math:`B` = :math:`A` crossed with
    the particle's best with probability eps1, :math:`C` = :math:`B` crossed with the swarm's best
    with probability eps2. Over the iterations eps1 falls and eps2 rises linearly. A best code is
    replaced by a strictly better one. The swarm begins as the last population of ``genetic``.

    Notes
    -----
    Printed and corrected: (16) has d(H - 1.01) in a denominator, here d - 1.01 (:func:`inertia`);
    (14) drops the index of the particle's best; Algorithm 1 has no loop over the iterations and
    takes the first particle only. It replaces the swarm's best within an iteration: ``sync=False``;
    the default does so between iterations, so that a whole swarm is priced at once. The paper
    does not say how the genetic algorithm is set: as ``genetic``, 50 generations. A mutation picks
    among the decisions that have another option. particles x (generations + iterations) candidates
    are priced, whether a step changed them or not; ``max_evaluations`` scales both lengths.
    """
    genes = Genes.of(problem.choices)
    generations, iterations = options.lengths(run)
    breeding = GeneticOptions(population=options.particles)
    codes, costs = evolve(problem, genes, breeding, run, generations)
    if not genes.movable.size or len(codes) < options.particles:
        return
    own, own_costs = codes.copy(), costs.copy()
    leader = int(np.argmin(costs))
    best, best_cost = codes[leader].copy(), float(costs[leader])

    for t in range(iterations):
        if run.done():
            return
        late = t / max(1, iterations - 1)
        eps1 = options.own_first + late * (options.own_last - options.own_first)
        eps2 = options.all_first + late * (options.all_last - options.all_first)
        u = run.rng.random((options.particles, DRAWS))
        a = 0  # the particles before this one have taken their step
        while a < options.particles and run.evaluations_left:
            w = inertia(distance(codes[a:], best), options.w_min, options.w_max)
            moved = step(genes, codes[a:], own[a:], best, u[a:], w, eps1, eps2)
            if options.sync:
                priced = price(problem, run, moved)
            else:
                priced = price_until_below(best_cost, problem, run, moved)
            codes[a : a + len(priced)] = moved[: len(priced)]
            better = a + np.flatnonzero(priced < own_costs[a : a + len(priced)])
            own[better], own_costs[better] = codes[better], priced[better - a]
            leader = int(np.argmin(priced))
            if priced[leader] < best_cost:
                best, best_cost = moved[leader].copy(), float(priced[leader])
            a += len(priced)


def price_until_below(limit: float, problem: Any, run: Run, codes: IntArray) -> FloatArray:
    """Price one code after the other until one costs less than ``limit``; return their costs."""
    costs: list[float] = []
    for code in codes[: run.evaluations_left]:
        costs.append(float(price(problem, run, code[None])[0]))
        if costs[-1] < limit:
            break
    return np.array(costs)


def distance(codes: IntArray, best: IntArray) -> FloatArray:
    """Return the share of the decisions in which each code differs from ``best``, (rows,)."""
    return np.asarray((codes != best).mean(axis=1))


def inertia(d: FloatArray, w_min: float, w_max: float) -> FloatArray:
    r"""Return the probability of a mutation at distance ``d`` (0 to 1) from the best code.

    .. math:: w = w_{max} - (w_{max} - w_{min}) \exp \frac{d}{d - 1.01}
    """
    return np.asarray(w_max - (w_max - w_min) * np.exp(d / (d - 1.01)))


def step(
    genes: Genes,
    codes: IntArray,
    own: IntArray,
    best: IntArray,
    u: FloatArray,
    w: FloatArray,
    eps1: float,
    eps2: float,
) -> IntArray:
    """Return where particles go.

    Parameters
    ----------
    genes
        The options of each decision.
    codes, own
        The particles and the best code of each, ``(rows, n_decisions)``.
    best
        The best code of the swarm, ``(n_decisions,)``.
    u
        Uniform random numbers, ``(rows, DRAWS)``.
    w, eps1, eps2
        Probabilities of a mutation ``(rows,)`` and of the two crossovers.
    """
    codes, n = codes.copy(), codes.shape[1]
    row = np.flatnonzero(u[:, 0] < w)
    i = genes.movable[(u[row, 3] * genes.movable.size).astype(np.int64)]
    codes[row, i] = genes.other(i, codes[row, i], u[row, 4])
    taken = segments(u[:, 5:7], n) & (u[:, 1] < eps1)[:, None]
    codes = np.where(taken, own, codes)
    taken = segments(u[:, 7:9], n) & (u[:, 2] < eps2)[:, None]
    return np.where(taken, best, codes)
