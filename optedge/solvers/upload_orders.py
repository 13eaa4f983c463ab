"""Exact orders of upload: by intervals of the chain in polynomial time, and by all subsets."""

from __future__ import annotations

import dataclasses

from optedge.formulations.upload import UploadProblem
from optedge.formulations.upload.exact import certificates, estimates, intervals, subsets
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run

ROUNDING = 1e-12  # relative; far above that of the table of subsets


@dataclasses.dataclass(frozen=True, kw_only=True)
class IntervalDpOptions(Options):
    """Options of ``interval-dp``."""

    proof: bool = option(True, "whether to prove the order in whole numbers; floats only if not")
    memory_mb: int = option(estimates.MEMORY_MB, "memory for the blocks of all intervals", low=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SubsetDpOptions(Options):
    """Options of ``subset-dp``."""

    memory_mb: int = option(subsets.MEMORY_MB, "memory for the table", low=1)


@register(
    "interval-dp",
    options=IntervalDpOptions,
    problems=(UploadProblem,),
    kind="exact",
    guarantee="the optimum if no saving is negative; else a plan and a bound",
    source="own: the last upload splits the chain, sides merge by density (Sidney 1975)",
    deterministic=True,
)
def interval_dp(problem: UploadProblem, options: IntervalDpOptions, run: Run) -> None:
    """Find an order in floats, then prove it in whole numbers, without rounding.

    With ``proof=False`` the first part stands alone: its plan is priced by the problem, nothing is
    claimed. Of few layers (``intervals.FEW_LAYERS``) the proof alone is as quick. With a negative
    saving the order is that of a heuristic, and the bound that of a run in which such savings count
    as 0. A chain whose blocks might need more memory than allowed is cut into shorter ones, without
    a proof. ``run.info["note"]`` says what was left out.
    """
    m, most = intervals.longest(problem), estimates.most_layers(options.memory_mb)
    whole = m <= most
    if options.proof and whole and m <= intervals.FEW_LAYERS and problem.is_supermodular:
        _prove(problem, run)
        return
    try:
        order = intervals.quick_order(problem, most=None if whole else most, stop=run.done)
    except intervals.Stopped:
        return
    run.evaluate(problem.plan_of_order(order))
    if not whole:
        run.info["note"] = (
            f"blocks of {m} layers may need {estimates.needed_mb(m):,.0f} MB, {options.memory_mb} "
            f"are allowed: the chain was cut where it saves least, into at most {most} layers, "
            "without a proof."
        )
    elif not problem.is_supermodular:
        run.info["note"] = "a saving is negative: the order is that of a heuristic."
    if options.proof and whole and run.gap > run.target_gap:
        _prove(problem, run)


def _prove(problem: UploadProblem, run: Run) -> None:
    """Run the recursion in whole numbers; its value is a bound, and its order as good."""
    try:
        found = intervals.best_order(problem, lift=True, stop=run.done)
    except intervals.Stopped:
        if run.solution is not None:
            run.info["note"] = "stopped before its proof in whole numbers ended."
        return
    run.info["blocks"] = len(found.blocks)
    if problem.is_supermodular:
        run.evaluate(problem.plan_of_order(found.order))
    proof = certificates.make(found)
    run.raise_bound(proof.value, proof)


@register(
    "subset-dp",
    options=SubsetDpOptions,
    problems=(UploadProblem,),
    kind="exact",
    guarantee="the optimum under best use; under forced use if no saving is negative",
    source="Held, Karp 1962; Bellman 1962",
    deterministic=True,
)
def subset_dp(problem: UploadProblem, options: SubsetDpOptions, run: Run) -> None:
    """Fill the table of all subsets; too large a one is not begun, ``interval-dp`` runs instead.

    ``run.info["note"]`` says so then.
    """
    if run.done():
        return
    if reason := subsets.why_not(problem, options.memory_mb):
        interval_dp(problem, IntervalDpOptions(), run)
        more = run.info.get("note", "")
        run.info["note"] = f"{reason} interval-dp ran instead. {more}".rstrip()
        return
    try:
        value, order = subsets.best_order(problem, options.memory_mb, run.done)
    except subsets.Stopped:
        return
    run.evaluate(problem.plan_of_order(order))
    run.raise_bound(value * (1.0 - ROUNDING))
