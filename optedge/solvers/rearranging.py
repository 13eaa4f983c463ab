"""The paper's simulated annealing rearranging: literal, and with a rule that can reject."""

from __future__ import annotations

import dataclasses

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.makespan import MakespanProblem
from optedge.formulations.makespan_moves import MakespanData, longest_first
from optedge.kernels import kernel
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run

RULES = ("metropolis", "threshold", "literal")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RearrangingOptions(Options):
    """Options of ``sa-rearranging``; temperatures are relative to the first makespan."""

    variant: str | None = option(
        None,
        "shorthand: published = literal, corrected = metropolis",
        choices=("published", "corrected"),
    )
    acceptance: str | None = option(None, "rule for worsening moves (metropolis)", choices=RULES)
    rounds: int = option(60, "rounds over all tasks (the paper's RoundLimit)", low=1)
    start_temperature: float = option(0.003, "metropolis: temperature of the first round", above=0)
    end_temperature: float = option(1e-4, "metropolis: temperature of the last round", above=0)
    tp: float = option(
        -1.0, "threshold: a worsening move is taken with probability exp(tp)", below=0
    )
    ra: float = option(1.01, "threshold: tp is multiplied by this after each such move", above=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.variant is not None and self.acceptance is not None:
            raise TypeError("give variant or acceptance, not both: variant is shorthand for it.")
        if self.acceptance is None:
            rule = "literal" if self.variant == "published" else "metropolis"
            object.__setattr__(self, "acceptance", rule)
            object.__setattr__(self, "variant", None)  # so that the options can be given again


def _declines(problem: MakespanProblem, options: RearrangingOptions) -> str | None:
    return "its moves do not respect memory." if problem.memory is not None else None


@register(
    "sa-rearranging",
    options=RearrangingOptions,
    problems=(MakespanProblem,),
    kind="heuristic",
    source="Huang et al. 2018, Algorithm 2",
    declines=_declines,
)
def rearrange(problem: MakespanProblem, options: RearrangingOptions, run: Run) -> None:
    """Try every task on every server, round after round, at a falling temperature.

    ``literal`` is the published rule: a worsening move is accepted if exp(Tp) > U(0, 1) with
    Tp > 0, that is always, so that after one round every task sits on the last server (one it
    cannot use makes the schedule infeasible); the last schedule is returned, not the best.
    ``threshold`` reads it as the prose does, "the probability falls after each accepted worsening":
    probability exp(Tp) with Tp < 0, whatever the loss, and Tp times Ra > 1 after each.
    ``metropolis`` accepts with probability min(1, exp(-delta / T)), delta relative to the first
    makespan. Both use allowed servers only, accept moves that
    change nothing, and keep the best schedule. The first schedule is the list rule, largest task
    first (the pseudo-code sorts the other way and keeps the last improving server).
    """
    x = longest_first(problem)
    first = float(problem.costs(x[None])[0])
    rule = RULES.index(options.acceptance or "")
    literal = options.acceptance == "literal"
    if not literal:
        run.offer(x, first, int(problem.eligible.sum()))
    ratio = options.end_temperature / options.start_temperature
    best, tp = x.copy(), options.tp
    for sweep in range(options.rounds):
        if run.done():
            break
        temperature = options.start_temperature * ratio ** (sweep / options.rounds)
        heat = max(temperature * first, 1e-300)
        order = run.rng.permutation(problem.n_tasks)
        budget = run.evaluations_left
        priced, tp = _sweep(
            problem.data, x, best, order, rule, heat, tp, options.ra, budget, run.rng
        )
        if literal:
            run.count(priced)
        else:
            run.offer(best, float(problem.costs(best[None])[0]), priced)
    if literal:
        run.offer(x, float(problem.costs(x[None])[0]), 0)


@kernel
def _sweep(
    data: MakespanData,
    x: IntArray,
    best: IntArray,
    order: IntArray,
    rule: int,
    temperature: float,
    tp: float,
    ra: float,
    budget: int,
    rng: np.random.Generator,
) -> tuple[int, float]:
    """Try each task of ``order`` on each server; return the moves priced, and the new ``tp``.

    At most ``budget`` moves are priced. ``x`` moves on, ``best`` keeps the best schedule. Rules: 0
    Metropolis, 1 threshold, 2 literal.
    """
    cost, best_cost = _makespan(data, x), _makespan(data, best)
    priced = 0
    load = _loads(data, x)
    for i in order:
        for j in range(load.size):
            k = x[i]
            if rule != 2 and (j == k or data.times[i, j] == np.inf):
                continue
            if priced == budget:
                return priced, tp
            priced += 1
            value = cost
            if j != k:
                value = max(load[k] - data.times[i, k], load[j] + data.times[i, j])
                for s in range(load.size):
                    if s != j and s != k:
                        value = max(value, load[s])
            accepted = value <= cost or rule == 2
            if not accepted and rule == 0:
                accepted = rng.random() < np.exp((cost - value) / temperature)
            elif not accepted and rng.random() < np.exp(tp):
                accepted = True
                tp *= ra
            if accepted and j != k:
                x[i] = j
                # Infinite loads cannot be undone by subtraction.
                if data.times[i, j] == np.inf or load[k] == np.inf:
                    load = _loads(data, x)
                else:
                    load[k] -= data.times[i, k]
                    load[j] += data.times[i, j]
                cost = value if value < np.inf else load.max()
                if cost < best_cost:
                    best_cost = cost
                    best[:] = x
    return priced, tp


@kernel
def _loads(data: MakespanData, x: IntArray) -> FloatArray:
    load = data.ready.copy()
    for i in range(x.size):
        load[x[i]] += data.times[i, x[i]]
    return load


@kernel
def _makespan(data: MakespanData, x: IntArray) -> float:
    return float(_loads(data, x).max())
