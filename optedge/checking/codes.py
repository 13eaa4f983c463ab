"""Solutions and their codes: costs against the evaluator, the rules and moves of searches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from optedge import kernels
from optedge.checking.compared import above, alike, same, wrong_value
from optedge.formulations.base import IntArray, Problem
from optedge.formulations.base.contract import wrong_choices
from optedge.solvers.code import code_costs, decision_order, descent, random_codes

CODES = 20  # random codes that are tried


def check_codes(problem: Any, known: list[Any], rng: np.random.Generator) -> Iterator[str]:
    """Yield what is wrong with costs, objective, violations, decode and encode of random codes."""
    if "code" not in problem.offers:
        return
    wrong = wrong_choices(problem)
    if wrong:
        yield wrong
        return
    codes = random_codes(problem, rng, CODES)
    codes.setflags(write=False)
    together = code_costs(problem, codes)
    kept = []
    for code, cost in zip(codes, together, strict=True):
        x = problem.decode(code)
        told = _wrong_code(problem, code, cost, x) or wrong_value(problem, x)
        if told:
            yield told
            return
        kept.append((x, float(problem.objective(x))))
        if math.isfinite(cost):
            told = _wrong_encode(problem, x, cost)
            if told:
                yield told
                return
            known.append(x)
    for x, value in kept:
        if not same(problem.objective(x), value):
            yield f"decode: {x!r} changed its value after other codes were decoded."
            return


def _wrong_code(problem: Any, code: Any, cost: float, x: Any) -> str | None:
    """Say where the cost of a code depends on others, or is not the objective of its decode."""
    alone = code_costs(problem, code[None])[0]
    if not same(alone, cost):
        return f"costs of {code.tolist()}: {cost:g} among others, {alone:g} alone."
    value = problem.objective(x)
    if isinstance(value, float | int | np.number) and not same(float(value), cost):
        if math.isnan(value) or value == -math.inf:
            return None  # told better by who looks at values
        return f"costs says {cost:g} for {code.tolist()}, objective of its decode is {value:g}."
    return None


def _wrong_encode(problem: Any, x: Any, value: float) -> str | None:
    """Say where the code of a solution is no code, or means a worse solution."""
    if type(problem).encode is Problem.encode and type(problem).decode is not Problem.decode:
        return None  # it has none, and says so to who asks
    code = np.asarray(problem.encode(x))
    told = _no_code(problem, code, "encode")
    if told:
        return f"{told} It stands for {x!r}."
    again = code_costs(problem, code[None])[0]
    if above(again, value):
        return f"encode: the code of {x!r} costs {again:g}, the solution {value:g}."
    return None


def _no_code(problem: Any, code: Any, origin: str) -> str | None:
    """Say why an array is no code of the problem."""
    choices = np.asarray(problem.choices)
    if code.shape != choices.shape[:1] or code.dtype.kind not in "iu":
        return (
            f"{origin} must return {choices.shape[0]} integers, got {code.dtype} of shape "
            f"{code.shape}."
        )
    inside = (code >= 0) & (code < choices.shape[1])
    inside[inside] = choices[np.flatnonzero(inside), code[inside]]
    if not inside.all():
        i = int(np.argmin(inside))
        return f"{origin} gives decision {i} the option {code[i]}, which choices does not allow."
    return None


def check_rules(problem: Any, known: list[Any], rng: np.random.Generator) -> Iterator[str]:
    """Yield what is wrong with the rules that guide searches: ``partial`` and ``start_code``."""
    if "code" not in problem.offers or wrong_choices(problem):
        return
    choices = np.asarray(problem.choices)
    if hasattr(problem, "start_code"):
        code = problem.start_code()
        told = None if code is None else _no_code(problem, np.asarray(code), "start_code")
        if told:
            yield told
    if "partial" not in problem.offers:
        return
    order = decision_order(problem)
    if sorted(order) != list(range(len(choices))):
        yield f"decision_order must list all {len(choices)} decisions once, got {order}."
        return
    code = random_codes(problem, rng, 1)[0]
    for i in order:
        increase = np.asarray(problem.partial(code.copy(), i))
        if increase.shape != choices.shape[1:] or np.isnan(increase).any():
            yield (
                f"partial must return {choices.shape[1]} numbers, got {increase} for decision {i}."
            )
            return
        forbidden = np.flatnonzero(np.isfinite(increase) & ~choices[i])
        if forbidden.size:
            k = forbidden[0]
            yield f"partial prices option {k} of decision {i}, which choices does not allow."
            return


def check_moves(problem: Any, known: list[Any], rng: np.random.Generator) -> Iterator[str]:
    """Yield what is wrong with moves priced by difference: whole codes are the measure."""
    if "code" not in problem.offers or wrong_choices(problem):
        return
    data, choices = problem.data, problem.choices
    if not kernels.gives(type(data), kernels.price):
        return
    x = random_codes(problem, rng, 1)[0]
    state = kernels.start(data, x)
    for _ in range(CODES):
        i = int(rng.integers(len(x)))
        k = int(rng.choice(np.flatnonzero(choices[i])))
        moved, before = x.copy(), x.copy()
        moved[i] = k
        priced, exact = kernels.price(data, state, x, i, k), code_costs(problem, moved[None])[0]
        if not same(priced, exact):
            yield f"price: decision {i} of {x.tolist()} set to {k} is {priced:g}, costs {exact:g}."
            return
        if not alike(x, before):
            yield f"price: decision {i} set to {k} changed the code {before.tolist()}."
            return
        kernels.apply(data, state, x, i, k)
        if not alike(x, moved):
            yield f"apply: decision {i} set to {k} gave {x.tolist()}."
            return
    if kernels.gives(type(data), kernels.propose):
        yield from _check_proposals(problem, x, state, rng)
    before = code_costs(problem, x[None])[0]
    descent(data, x, choices, 1000)
    after = code_costs(problem, x[None])[0]
    if above(after, before) or _no_code(problem, x, "descend"):
        yield f"descend: from a code of {before:g} to {x.tolist()}, which costs {after:g}."


def _check_proposals(
    problem: Any, x: IntArray, state: Any, rng: np.random.Generator
) -> Iterator[str]:
    """Yield what is wrong with moves that the problem proposes; ``x`` and ``state`` move on."""
    data = problem.data
    for k in range(CODES):
        before, cost = x.copy(), code_costs(problem, x[None])[0]
        priced = kernels.propose(data, state, x, rng)
        if not alike(x, before):
            yield f"propose changed the code {before.tolist()}."
            return
        taken = bool(k % 2) and np.isfinite(priced)
        kernels.settle(data, state, x, taken)
        exact = code_costs(problem, x[None])[0]
        if not same(priced if taken else cost, exact) or not (taken or alike(x, before)):
            yield f"settle: {before.tolist()} became {x.tolist()}, which costs {exact:g}."
            return
        if not same(kernels.price(data, state, x, 0, x[0]), exact):
            yield f"settle left a state that does not fit the code {x.tolist()}."
            return
