"""HiGHS on the explicit model of a problem: exact, or the bound of a relaxation."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from optedge.formulations.base import Problem
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run


@dataclasses.dataclass(frozen=True, kw_only=True)
class HighsOptions(Options):
    """Options of ``highs``."""

    kind: str | None = option(None, "which explicit model; None: the problem's first kind")


def _too_large(problem: Problem, options: HighsOptions) -> str | None:
    rows, columns = problem.model_size(options.kind)
    if max(rows, columns) <= problem.largest_model:
        return None
    return f"its model would have {_count(rows)} rows and {_count(columns)} columns."


def _count(number: int) -> str:
    return f"{number / 1e6:.1f}M" if number >= 10**6 else f"{number / 1e3:.0f}k"


@register(
    "highs",
    options=HighsOptions,
    needs=("model",),
    kind="exact",
    guarantee="the optimum, or its bound and gap at the time limit",
    source="HiGHS (Huangfu and Hall 2018) on the problem's Pyomo model",
    deterministic=True,
    declines=_too_large,
)
def solve_explicit_model(problem: Problem, options: HighsOptions, run: Run) -> None:
    """Build the Pyomo model, hand it to HiGHS once, and offer what it finds.

    Every incumbent is extracted and valued by the problem. Linear kinds give a bound with the
    certificate in their duals, and a solution where the vertex is one.
    """
    from optedge.bridge import compile_model, solve_model

    kind = problem.check_kind(options.kind)
    inner, unit = problem.scaled()
    model = inner.model(kind)
    compiled = compile_model(model)
    if compiled.arrays.maximise and kind == problem.kinds[0]:  # others may be duals
        name = type(problem).__name__
        raise ValueError(f"the model {kind!r} of {name} is maximised; objectives are minimised.")
    run.info["model_seconds"] = run.seconds
    linear = not compiled.arrays.integer.any()

    def take(objective: float, values: Any) -> None:
        compiled.load(values)
        _offer_extracted(inner, model, run)

    def raise_bound(value: float) -> None:
        run.raise_bound(unit * value)

    if run.start is not None:
        run.evaluate(run.start)
        if not linear:
            inner.fill(model, run.start)
    if run.done():
        return
    solution = solve_model(
        compiled,
        time_limit=run.time_left if math.isfinite(run.time_left) else None,
        target_gap=run.target_gap,
        threads=run.threads,
        start=run.start is not None and not linear,
        on_incumbent=None if linear else take,
        on_bound=None if linear else raise_bound,
        should_stop=run.done,
    )
    run.info["nodes"] = solution.nodes
    if solution.status == "infeasible":
        run.declare_infeasible(problem.explain(solution.conflict))
    elif linear:
        if solution.status == "optimal":
            _offer_extracted(inner, model, run)
        _take_relaxation(problem, kind, solution, unit, run)
    else:
        if solution.status in ("optimal", "feasible"):
            _offer_extracted(inner, model, run)
        if math.isfinite(solution.bound):
            run.raise_bound(unit * solution.bound)
    if solution.stop_reason not in ("optimal", "error"):
        run.stop(solution.stop_reason)


def _offer_extracted(problem: Problem, model: Any, run: Run) -> None:
    """Value the solution that stands in the variables; one that breaks a rule is refused.

    Raises
    ------
    ValueError
        If the problem cannot read its own model: the sentence names a variable without a value.
    """
    try:
        x = problem.extract(model)
    except (TypeError, ValueError) as error:
        from pyomo.core import Var

        unset = next((v.name for v in model.component_data_objects(Var) if v.value is None), None)
        why = f"the model leaves {unset} without a value" if unset else str(error)
        raise ValueError(f"{type(problem).__name__}.extract failed: {why}.") from error
    if x is not None and run.evaluate(x) == math.inf:
        run.refuse(x)


def _take_relaxation(problem: Problem, kind: str, solution: Any, unit: float, run: Run) -> None:
    """Raise the bound of a solved linear model by what its duals prove."""
    if solution.status == "optimal":
        certificate = problem.dual_certificate(kind, solution, unit)
        if certificate is None:
            run.raise_bound(unit * solution.objective)
        else:
            run.raise_bound(certificate.value, certificate)
        run.info["relaxation"] = unit * solution.objective
