"""Ant System on codes: ants draw options by pheromone and heuristic, good codes attract."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.solvers.code import decision_order, first_code
from optedge.solvers.populations import Genes, generations_within, price
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run

LEAST = 0.01  # of the best option's heuristic value: no option is out of reach
NEAR_ZERO = 1e-3  # relative cost below which costs are measured from the best one


@dataclasses.dataclass(frozen=True, kw_only=True)
class AntColonyOptions(Options):
    """Options of ``ant-colony``; at first the pheromone is 1 everywhere."""

    ants: int = option(20, "codes drawn in each iteration", low=1)
    iterations: int = option(3250, "iterations, unless max_evaluations is given", low=1)
    alpha: float = option(1.0, "exponent of the pheromone", low=0)
    beta: float = option(2.0, "exponent of the heuristic, where the problem has one", low=0)
    evaporation: float = option(0.2, "share of the pheromone lost in an iteration", low=0, high=1)
    deposit: float | None = option(
        None, "pheromone left by an ant whose cost is the first one; None: 1 / ants", above=0
    )
    floor: float = option(0.005, "least pheromone", above=0, high=1)


@register(
    "ant-colony",
    options=AntColonyOptions,
    needs=("code",),
    kind="metaheuristic",
    source="Ant System: Dorigo, Maniezzo, Colorni, IEEE Trans. SMC-B 26 (1996)",
)
def forage(problem: Any, options: AntColonyOptions, run: Run) -> None:
    r"""Draw codes by pheromone and heuristic; each leaves pheromone on the options that it took.

    Option k of decision i is drawn with probability proportional to
    :math:`\tau_{ik}^\alpha \eta_{ik}^\beta`. After each iteration

    .. math:: \tau \leftarrow (1 - \rho) \tau + \sum_{\text{ants}} Q c_0 / c
       \quad\text{on the options taken,}

    where c is the cost of an ant and c_0 the first one, so that units do not matter.

    Notes
    -----
    The heuristic is the problem's own ``heuristic()`` (n_decisions, n_options; larger is better),
    else the inverse of its ``partial`` along the greedy code, else uniform. The best code is kept,
    but leaves nothing by itself. Costs that are not well above 0 are measured from the best one.
    That the first pheromone is what all ants of an iteration leave is advice of the book. Ours are:
    evaporation 0.2 and a floor of the pheromone (with 0.5 and none, as in the first ant systems,
    all ants soon draw one code), and the length, that of ``pso-ga``, 65 000 candidates.

    References
    ----------
    Dorigo, Maniezzo, Colorni, IEEE Trans. SMC-B 26 (1996); Dorigo, Stuetzle, Ant Colony
    Optimization (MIT Press, 2004), section 3.3.
    """
    genes = Genes.of(problem.choices)
    decided = not genes.movable.size
    if run.start is not None:
        first_code(problem, run)
        if decided:
            return
    if run.done():
        return
    ants = 1 if decided else options.ants
    deposit = 1 / ants if options.deposit is None else options.deposit
    attraction = heuristic(problem, genes) ** options.beta
    pheromone, unit = np.ones(genes.table.shape), 0.0
    for t in range(generations_within(run, ants, options.iterations)):
        if run.done():
            return
        ranks = draw_ranks(pheromone**options.alpha * attraction, run.rng, ants)
        costs = price(problem, run, genes.codes(ranks))
        if decided:
            return
        if t == 0 and run.objective == np.inf and run.start is None and not run.done():
            first_code(problem, run)  # no ant came through: the problem's own rule may
        unit = unit or cost_unit(costs)
        left = deposit * shares(costs, run.objective, unit)
        pheromone *= 1.0 - options.evaporation
        pheromone += trails(ranks[: len(left)], left, pheromone.shape)
        np.maximum(pheromone, options.floor, out=pheromone)


def heuristic(problem: Any, genes: Genes) -> FloatArray:
    """Return how good each option looks, relative to the best one of its decision.

    Returns
    -------
    ndarray
        In the order of ``genes.table``, between ``LEAST`` and 1; 0 where there is no option.
    """
    n, most = genes.table.shape
    values = np.ones((n, int(genes.table.max()) + 1))
    if hasattr(problem, "heuristic"):
        values = np.asarray(problem.heuristic(), dtype=np.float64)
    elif "partial" in problem.offers:
        code = np.zeros(n, dtype=np.int64)
        for i in decision_order(problem):
            increase = problem.partial(code, i)
            code[i] = int(np.argmin(increase))
            if not np.isfinite(increase[code[i]]):
                break  # a dead end of the greedy code: nothing is known from here on
            if increase[code[i]] > 0:
                values[i] = (increase[code[i]] / increase)[: values.shape[1]]
    listed = values[np.arange(n)[:, None], genes.table]
    listed[np.arange(most) >= genes.counts[:, None]] = 0.0
    best = listed.max(axis=1, keepdims=True)
    relative = np.divide(listed, best, out=np.ones_like(listed), where=best > 0)
    return np.where(np.arange(most) < genes.counts[:, None], np.maximum(relative, LEAST), 0.0)


def draw_ranks(weights: FloatArray, rng: np.random.Generator, rows: int) -> IntArray:
    """Return places of options (rows, n_decisions), drawn in proportion to their weights.

    ``weights`` (n_decisions, most) are zero behind the last option of a decision.
    """
    heaps = np.cumsum(weights, axis=1)
    heaps /= heaps[:, -1:]
    u = rng.random((rows, len(weights)))
    ranks = np.zeros(u.shape, dtype=np.int64)
    for heap in heaps.T[:-1]:  # quicker than a search in each row, for up to 100 options or so
        ranks += u >= heap
    return ranks


def cost_unit(costs: FloatArray) -> float:
    """Return what deposits are relative to: the first feasible cost; 0 while there is none."""
    finite = costs[np.isfinite(costs)]
    if not finite.size:
        return 0.0
    return abs(float(finite[0])) or float(np.ptp(finite)) or 1.0


def shares(costs: FloatArray, best: float, unit: float) -> FloatArray:
    """Return unit / cost of each ant, 0 for infeasible ones; see the notes of :func:`forage`."""
    shift = 0.0 if best > NEAR_ZERO * unit else unit - best
    return np.asarray(unit / (costs + shift))


def trails(ranks: IntArray, amounts: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Return the pheromone that ants (rows, n_decisions) leave, ``amounts`` (rows,) each."""
    n, most = shape
    cells = (ranks + np.arange(n) * most).ravel()
    left = np.bincount(cells, np.repeat(amounts, n), n * most)
    return np.asarray(left, dtype=np.float64).reshape(shape)
