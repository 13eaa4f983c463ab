"""Models and bounds against the evaluator and against enumeration."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from optedge.checking.compared import above, least, same, wrong_value
from optedge.solvers.enumeration import enumerate_codes
from optedge.solvers.registry import find_solver
from optedge.solvers.run import Run

MOST_LISTED = 5000  # codes of an instance that is enumerated too
LARGEST = 5000  # rows or columns of a model that is solved too
SECONDS = 10.0


def check_enumeration(problem: Any, known: list[Any], rng: np.random.Generator) -> Iterator[str]:
    """Yield what is wrong with the best of all codes, which the other checks then know."""
    best = _best_listed(problem)
    if best is not None and best.solution is not None:
        told = wrong_value(problem, best.solution)
        if told:
            yield told
            return
        value = float(problem.objective(best.solution))
        if not same(value, best.objective):
            yield f"enumeration finds {best.objective:g}, the objective of its solution {value:g}."
            return
        known.append(best.solution)


def _best_listed(problem: Any) -> Run | None:
    """Return the run that listed everything; None where there is too much of it."""
    if not find_solver("enumeration").accepts(problem):
        return None
    if hasattr(problem, "solutions"):
        many = problem.count_solutions(MOST_LISTED)
    else:
        many = math.prod(np.asarray(problem.choices).sum(axis=1).tolist())
    if not 0 < many <= MOST_LISTED:
        return None
    run = Run(problem)
    enumerate_codes(problem, run)
    return run


def check_model(problem: Any, known: list[Any], rng: np.random.Generator) -> Iterator[str]:
    """Yield what is wrong with the first model, or with a kind that is not linear at all."""
    from optedge.bridge import compile_model, solve_model

    for kind in problem.kinds:
        arrays = compile_model(problem.model(kind)).arrays
        if arrays.maximise and kind == problem.kinds[0]:  # others may be duals
            yield f"the model {kind!r} is maximised; objectives are minimised."
            return
        if max(arrays.matrix.shape) > LARGEST:
            return
    if not problem.kinds:
        return
    inner, unit = problem.scaled()
    model = inner.model(inner.kinds[0])
    found = solve_model(model, time_limit=SECONDS)
    if found.status == "infeasible":
        if known:
            yield f"the model is infeasible, but {known[0]!r} is feasible."
        return
    if found.status == "unbounded":
        yield "the model is unbounded: a row or the bound of a variable is missing."
        return
    if found.status == "optimal":
        yield from _solved(problem, known, model, unit, found)
        yield from _relaxed(inner, found.objective)


def _solved(problem: Any, known: list[Any], model: Any, unit: float, found: Any) -> Iterator[str]:
    """Yield where the solution of the solved model contradicts the evaluator or other solutions."""
    from optedge.bridge import compile_model

    inner = problem.scaled()[0]
    claimed, best = unit * found.objective, least(problem, known)
    if above(claimed, best):
        yield f"the model's optimum is {claimed:g}, but a solution of {best:g} exists."
    x = inner.extract(model)
    if x is None:
        if compile_model(model).arrays.integer.any():
            yield "extract returns None for the solved model."
        return
    told = wrong_value(problem, x)
    if told:
        yield told
    value = problem.objective(x)
    if not same(value, claimed):
        why = " ".join(["", *problem.violations(x)])
        yield f"the model's optimum is {claimed:g}, its solution's objective {value:g}.{why}"
        return
    if told:
        return
    known.append(x)
    yield from _filled(problem, inner, unit, x)  # a model may leave out what is not optimal
    listed = _best_listed(problem) if problem.complete_code else None
    if listed is not None and not same(listed.objective, claimed):
        yield f"the model's optimum is {claimed:g}, enumeration finds {listed.objective:g}."


def _relaxed(inner: Any, optimum: float) -> Iterator[str]:
    """Yield what is wrong with the model without integrality."""
    from optedge.bridge import compile_model, solve_model

    relaxed = compile_model(inner.model(inner.kinds[0], relax=True))
    if relaxed.arrays.integer.any():
        name = relaxed.columns[int(relaxed.arrays.integer.argmax())].name
        yield f"model: with relax=True the variable {name} is still an integer."
        return
    found = solve_model(relaxed, time_limit=SECONDS)
    if found.status == "infeasible" or above(found.objective, optimum):
        yield f"model: with relax=True its optimum rises from {optimum:g} to {found.objective:g}."


def _filled(problem: Any, inner: Any, unit: float, x: Any) -> Iterator[str]:
    """Say what is wrong with the variables that ``fill`` writes for solution ``x``."""
    from optedge.bridge import compile_model

    model = inner.model(inner.kinds[0])
    compiled = compile_model(model)
    inner.fill(model, x)
    values, arrays = compiled.start(), compiled.arrays
    unset = np.flatnonzero(np.isnan(values))
    if unset.size:
        yield f"fill leaves {compiled.columns[unset[0]].name} unset."
        return
    outside = (values < arrays.lower - 1e-6) | (values > arrays.upper + 1e-6)
    outside |= arrays.integer & (np.abs(values - np.rint(values)) > 1e-6)
    if outside.any():
        j = int(outside.argmax())
        yield f"fill sets {compiled.columns[j].name} to {values[j]:g}, outside of its domain."
        return
    rows = arrays.matrix @ values
    scale = 1e-6 * np.maximum(1.0, abs(arrays.matrix) @ np.abs(values))
    wrong = (rows < arrays.row_lower - scale) | (rows > arrays.row_upper + scale)
    if wrong.any():
        yield f"fill: {x!r} breaks the row {compiled.rows[int(wrong.argmax())].name} of the model."
        return
    value, exact = unit * float(arrays.cost @ values + arrays.offset), problem.objective(x)
    if not same(value, exact):
        yield f"fill: the model values {x!r} at {value:g}, the objective is {exact:g}."
    back = inner.extract(model)
    if back is not None and not same(problem.objective(back), exact):
        got = problem.objective(back)
        yield f"extract after fill returns a solution of {got:g} for one of {exact:g}."


def check_bounds(problem: Any, known: list[Any], rng: np.random.Generator) -> Iterator[str]:
    """Yield what is wrong with a bound: a solution below it, or a certificate that proves less."""
    best = least(problem, known)
    for name in problem.bound_names:
        bound = problem.bound(name)
        if above(bound.value, best, 1e-9):
            yield f"the bound {name} is {bound.value:g}, but a solution of {best:g} exists."
        if bound.certificate is None:
            continue
        proved = problem.certify(bound.certificate)
        claimed = max(bound.value, bound.certificate.value)
        if above(claimed, proved, 1e-12):
            yield f"the certificate of the bound {name} proves {proved:g}, not {claimed:g}."
        if above(proved, best, 1e-9):
            yield f"the certificate of the bound {name} proves {proved:g}: {best:g} exists."
    unknown = [name for name in problem.cheap_bounds if name not in problem.bound_names]
    if unknown:
        yield f"cheap_bounds names {unknown[0]!r}, which is none of bound_names."
