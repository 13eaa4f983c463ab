"""Check that the parts of a problem class say the same: the tests that every new class needs.

The evaluator, the codes, the explicit model, the bounds and the compiled moves describe one
problem. Here they are held against each other on one small instance.
"""

from __future__ import annotations

import copy
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from optedge import kernels
from optedge.formulations.base import Problem
from optedge.solvers.code import code_costs, random_codes
from optedge.solvers.enumeration import enumerate_codes
from optedge.solvers.registry import find_solver

CODES = 20  # random codes that are tried
MOST_LISTED = 5000  # codes of an instance that is enumerated too
LARGEST = 5000  # rows or columns of a model that is solved too
SECONDS = 10.0


def check_problem(problem: Problem, *, seed: int = 0) -> list[str]:
    """Hold the parts of a problem against each other, on one instance.

    Parameters
    ----------
    problem
        A small instance (up to about ten decisions), so that enumeration and model can be solved.
    seed
        Of the random codes.

    Returns
    -------
    list of str
        A sentence for each contradiction; empty if there is none. Checked are: costs of codes
        against the objective of what they decode to, violations against the objective, ``encode``,
        the explicit models (linear, ``extract``, ``fill``, the optimum against enumeration), every
        bound and its certificate, moves priced by difference, files and copies.

    Examples
    --------
    >>> import optedge as oe
    >>> oe.check_problem(oe.MakespanProblem([[3, 6], [2, 4], [2, 4], [1, 2]]))
    []
    """
    told: list[str] = []
    known: list[Any] = []  # solutions that are feasible
    for check in (_codes, _moves, _models, _bounds, _copies):
        try:
            told.extend(check(problem, known, np.random.default_rng(seed)))
        except Exception as error:  # what a user's method raises is the finding
            told.append(f"{check.__name__[1:]}: {type(error).__name__}: {error}")
    return told


def _same(a: float, b: float, tolerance: float = 1e-6) -> bool:
    return a == b or abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))


def _codes(problem: Any, known: list[Any], rng: np.random.Generator) -> Iterator[str]:
    """Yield what is wrong with costs, objective, violations, decode and encode of random codes."""
    if "code" not in problem.offers:
        return
    choices = np.asarray(problem.choices)
    if choices.dtype != bool or choices.ndim != 2:
        yield f"choices must be a matrix of bool, got {choices.dtype} of shape {choices.shape}."
        return
    stuck = np.flatnonzero(~choices.any(axis=1))
    if stuck.size:
        yield f"choices: decision {stuck[0]} has no option."
        return
    codes = random_codes(problem, rng, CODES)
    codes.setflags(write=False)
    together = code_costs(problem, codes)
    for code, cost in zip(codes, together, strict=True):
        alone = code_costs(problem, code[None])[0]
        if not _same(alone, cost):
            yield f"costs of {code.tolist()}: {cost:g} among others, {alone:g} alone."
            return
        x = problem.decode(code)
        value, violations = problem.objective(x), problem.violations(x)
        if not _same(value, cost):
            yield f"costs says {cost:g} for {code.tolist()}, objective of its decode is {value:g}."
            return
        if math.isfinite(value) == bool(violations):
            yield f"the objective of {x!r} is {value:g}, its violations are {violations}."
            return
        if math.isfinite(value):
            known.append(x)
            again = code_costs(problem, np.asarray(problem.encode(x))[None])[0]
            if not again <= value + 1e-6 * max(1.0, abs(value)):
                yield f"encode: the code of {x!r} costs {again:g}, the solution {value:g}."
                return


def _moves(problem: Any, known: list[Any], rng: np.random.Generator) -> Iterator[str]:
    """Yield what is wrong with moves priced by difference: whole codes are the measure."""
    if "code" not in problem.offers or not kernels.gives(type(problem.data), kernels.price):
        return
    data, choices = problem.data, problem.choices
    x = random_codes(problem, rng, 1)[0]
    state = kernels.start(data, x)
    for _ in range(CODES):
        i = int(rng.integers(len(x)))
        k = int(rng.choice(np.flatnonzero(choices[i])))
        moved = x.copy()
        moved[i] = k
        priced, exact = kernels.price(data, state, x, i, k), code_costs(problem, moved[None])[0]
        if not _same(priced, exact):
            yield f"price: decision {i} of {x.tolist()} set to {k} is {priced:g}, costs {exact:g}."
            return
        kernels.apply(data, state, x, i, k)
        if (x != moved).any():
            yield f"apply: decision {i} set to {k} gave {x.tolist()}."
            return


def _models(problem: Any, known: list[Any], rng: np.random.Generator) -> Iterator[str]:
    """Yield what is wrong with the first model (evaluator, enumeration), or not linear at all."""
    from optedge.bridge import compile_model, solve_model

    for kind in problem.kinds:
        if max(compile_model(problem.model(kind)).arrays.matrix.shape) > LARGEST:
            return
    if not problem.kinds:
        return
    inner, unit = problem.scaled()
    model = inner.model(inner.kinds[0])
    found = solve_model(model, time_limit=SECONDS)
    best = min((problem.objective(x) for x in known), default=math.inf)
    if found.status == "infeasible":
        if known:
            yield f"the model is infeasible, but {known[0]!r} is feasible."
        return
    x = inner.extract(model)
    if x is None or found.status != "optimal":
        return
    value, claimed = problem.objective(x), unit * found.objective
    if not _same(value, claimed):
        why = problem.violations(x)
        yield f"the model's optimum is {claimed:g}, the objective of its solution {value:g}. {why}"
    if claimed > best + 1e-6 * max(1.0, abs(best)):
        yield f"the model's optimum is {claimed:g}, but a solution of {best:g} exists."
    known.append(x)
    yield from _filled(problem, inner, unit, x)  # a model may leave out what is not optimal
    listed = _enumerated(problem)
    if listed is not None and not _same(listed, claimed):
        yield f"the model's optimum is {claimed:g}, enumeration finds {listed:g}."


def _filled(problem: Any, inner: Any, unit: float, x: Any) -> Iterator[str]:
    """Say what is wrong with the variables that ``fill`` writes for solution ``x``."""
    from optedge.bridge import compile_model

    model = inner.model(inner.kinds[0])
    compiled = compile_model(model)
    inner.fill(model, x)
    values = compiled.start()
    unset = np.flatnonzero(np.isnan(values))
    if unset.size:
        yield f"fill leaves {compiled.columns[unset[0]].name} unset."
        return
    arrays = compiled.arrays
    rows = arrays.matrix @ values
    wrong = (rows < arrays.row_lower - 1e-6) | (rows > arrays.row_upper + 1e-6)
    if wrong.any():
        yield f"fill: {x!r} breaks the row {compiled.rows[int(wrong.argmax())].name} of the model."
        return
    value, exact = unit * float(arrays.cost @ values + arrays.offset), problem.objective(x)
    if not _same(value, exact):
        yield f"fill: the model values {x!r} at {value:g}, the objective is {exact:g}."
    back = inner.extract(model)
    if back is not None and not _same(problem.objective(back), exact):
        yield f"extract after fill returns a solution of {problem.objective(back):g}: {exact:g}."


def _enumerated(problem: Any) -> float | None:
    """Return the optimum by listing all codes; None where there are too many of them."""
    solver = find_solver("enumeration")
    if not solver.accepts(problem) or not problem.complete_code:
        return None
    if hasattr(problem, "choices"):
        codes = math.prod(problem.choices.sum(axis=1).tolist())
    else:
        codes = problem.count_solutions(MOST_LISTED)
    if codes > MOST_LISTED:
        return None
    from optedge.solvers.run import Run

    run = Run(problem)
    enumerate_codes(problem, run)
    return run.objective


def _bounds(problem: Any, known: list[Any], rng: np.random.Generator) -> Iterator[str]:
    """Yield what is wrong with a bound: a solution below it, or a certificate that proves less."""
    best = min((problem.objective(x) for x in known), default=math.inf)
    for name in problem.bound_names:
        bound = problem.bound(name)
        if not bound.value <= best + 1e-9 * max(1.0, abs(best)):
            yield f"the bound {name} is {bound.value:g}, but a solution of {best:g} exists."
        if bound.certificate is not None:
            proved = problem.certify(bound.certificate)
            if not proved >= bound.certificate.value - 1e-12 * abs(bound.certificate.value):
                claimed = bound.certificate.value
                yield f"the certificate of the bound {name} proves {proved:g}, not {claimed:g}."


def _copies(problem: Any, known: list[Any], rng: np.random.Generator) -> Iterator[str]:
    """Yield what copies and files lose of the instance and its solutions."""
    from optedge.files import load, save

    copies = {"replace()": problem.replace(), "copy.deepcopy()": copy.deepcopy(problem)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.json"
        save(problem, path)
        copies["a file"] = load(path)
    for how, other in copies.items():
        if other.key != problem.key:
            yield f"a copy by {how} is another instance."
        for x in known[:1]:
            if not _same(other.objective(x), problem.objective(x)):
                yield f"a copy by {how} values a solution differently."
