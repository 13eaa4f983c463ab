"""A strong search for many devices that share a cloud: policies with phases, then annealing."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from optedge.formulations.base import IntArray
from optedge.formulations.pipeline import PipelineProblem
from optedge.formulations.pipeline.phases import make_pool, sample
from optedge.solvers.annealing import proposed
from optedge.solvers.code import first_code, offer_code
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run

#: Deadlines of three passes of drawing, relative to the end of the best plan, and the share of the
#: policies that each has.
PASSES = ((0.25, 1.0, 0.15), (0.6, 1.05, 0.15), (0.93, 1.04, 0.7))
KEPT = (24, 12)  # plans kept of policies of one cut a phase, and of those with patterns
SHARES = (0.5, 0.25, 0.25)  # of the moves, after each of which a quarter of the plans is kept
DRAW_CHUNK = 2000  # policies that are drawn between two looks at the clock
POOLS, MOST = 10, 8  # pools of policies in a round; nearly all plans of one lie in one basin
REHEATS = 4  # times that a plan is warmed up and cooled again
STAGES = 40  # least number of temperatures of a cooling
MOVES, CHUNKS = 4_000_000, 1200  # a round has the lesser of so many evaluations or chunks

Plan = tuple[float, IntArray]  # objective and code


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhasePolicyOptions(Options):
    """Options of ``phase-policies``.

    Temperatures are relative to the best objective so far divided by the number of tasks.
    """

    moves: int | None = option(
        None, "evaluations of one round, unless max_evaluations is given (a minute of them)", low=8
    )
    drawn: float = option(
        0.3,
        "share of a pool's evaluations that draws policies, of each of two kinds",
        above=0,
        below=0.5,
    )
    hot: float = option(0.5, "first temperature of a search from Single Cutting", above=0)
    cold: float = option(0.1, "first temperature of a search from a policy's plan", above=0)
    end: float = option(0.005, "last temperature", above=0)
    patience: int = option(5, "rounds in a row without a better plan; then it ends", low=1)


@register(
    "phase-policies",
    options=PhasePolicyOptions,
    problems=(PipelineProblem,),
    kind="metaheuristic",
    source="own",
)
def search_phases(problem: PipelineProblem, options: PhasePolicyOptions, run: Run) -> None:
    """Anneal plans of simple policies cold and Single Cutting hot; cool the best ones again.

    A round has three starts, a sixth of its evaluations each: policies with phases, Single Cutting
    (or the ``start``), a single policy. Policies are drawn at random
    (``formulations.pipeline.phases``), with ever narrower deadlines, ten pools of them; the best 8
    plans of each are annealed cold, in three heats of which a quarter of the plans goes on. The
    last start draws once more and anneals the best plan alone. From Single Cutting annealing begins
    hot. The better two of the three plans found are then warmed up and cooled four times each, and
    the best one four times again as long as that helps. Rounds follow each other while a budget is
    left; with ``max_evaluations`` there is one.
    """
    first = first_code(problem, run)
    since = 0
    while not run.done() and since < options.patience:
        before, budget = run.objective, _evaluations(problem, options, run)
        plans = []
        moves = max(1, budget // 6)
        pools = [_from_policies(problem, options, run, moves // POOLS, MOST) for _ in range(POOLS)]
        plans.append(min(pools, key=_value))
        plans.append(_anneal(problem, run, first, options.hot, options.end, moves))
        plans.append(_from_policies(problem, options, run, moves, 1))
        told = dict(zip(("policies", "hot", "policy"), [value for value, _ in plans], strict=True))
        moves = max(1, budget // (8 * REHEATS))
        plans = sorted(plans, key=_value)[:2]
        best = min((_reheated(problem, options, run, plan, moves) for plan in plans), key=_value)
        plan, better = best, True
        while better and not run.done():
            plan = _reheated(problem, options, run, best, 2 * moves)
            better, best = plan[0] < best[0], min(best, plan, key=_value)
        run.info.setdefault("rounds", []).append({**told, "best": best[0]})
        since = 0 if run.objective < before else since + 1


def _value(plan: Plan) -> float:
    return plan[0]


def _reheated(
    problem: PipelineProblem, options: PhasePolicyOptions, run: Run, plan: Plan, moves: int
) -> Plan:
    """Warm a plan up and cool it again, some times in a row; return the best."""
    best = plan
    for _ in range(REHEATS):
        plan = _anneal(problem, run, plan[1], options.cold, options.end, moves)
        best = min(best, plan, key=_value)
    return best


def _evaluations(problem: PipelineProblem, options: PhasePolicyOptions, run: Run) -> int:
    """Return how many evaluations a round has."""
    if run.max_evaluations is not None:
        return run.evaluations_left
    if options.moves is not None:
        return options.moves
    return min(MOVES, CHUNKS * problem.moves_per_chunk)


def _from_policies(
    problem: PipelineProblem, options: PhasePolicyOptions, run: Run, budget: int, most: int
) -> Plan:
    """Draw policies, anneal the best plans, at ``most`` so many, and return what comes of them."""
    began, draws = run.evaluations, max(1, int(budget * options.drawn))
    pool = [
        plan
        for cyclic, kept in enumerate(KEPT)
        for plan in _drawn(problem, run, bool(cyclic), kept, draws)
    ]
    if not pool:  # stopped before the first
        code = problem.start_code()
        return float(problem.costs(code[None])[0]), code
    pool = sorted(pool, key=_value)[:most]
    left = budget - (run.evaluations - began)
    for share in SHARES:
        moves = max(1, int(share * left) // len(pool))
        pool = [_anneal(problem, run, x, options.cold, options.end, moves) for _, x in pool]
        pool = sorted(pool, key=_value)[: max(1, len(pool) // 4)]
    return pool[0]


def _drawn(problem: PipelineProblem, run: Run, cyclic: bool, kept: int, draws: int) -> list[Plan]:
    """Draw policies in passes, the deadlines ever nearer to the end of the best; return plans."""
    end = problem.times(run.solution).done.max()
    pool = make_pool(problem.n_tasks, kept)
    for low, high, share in PASSES:
        left = math.ceil(share * draws)
        early, late = low * end, high * end
        while left > 0 and not run.done():
            take = min(left, DRAW_CHUNK, run.evaluations_left)
            last = sample(problem.data, pool, early, late, cyclic, take, run.rng)
            offer_code(problem, run, pool.codes[int(pool.values.argmin())], take)
            end, left = min(end, last), left - take
    order = np.argsort(pool.values, kind="stable")
    return [(float(pool.values[k]), pool.codes[k]) for k in order if pool.values[k] < math.inf]


def _anneal(
    problem: PipelineProblem, run: Run, code: IntArray, first: float, last: float, moves: int
) -> Plan:
    """Cool from one temperature to another with moves of the problem; return the best plan."""
    x, best = code.copy(), code.copy()
    value = float(problem.costs(code[None])[0])
    scale = run.objective / problem.n_tasks or 1.0
    chunk = max(1, min(problem.moves_per_chunk, moves // STAGES))
    done = 0
    while done < moves and not run.done():
        take = min(chunk, moves - done, run.evaluations_left)
        heat = first * (last / first) ** (done / moves)
        proposed(problem.data, x, best, scale, heat, take, run.rng)
        value = offer_code(problem, run, best, take)
        done += take
    return value, best
