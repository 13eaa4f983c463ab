"""Exercises of notebook 03, where to cut a network and why the linear program is integral."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from optedge import networks
from optedge.bridge import solve_model
from optedge.exercises.answers import Refused, guessed, model_optimum, number, same, vector
from optedge.exercises.registry import exercise, prediction
from optedge.formulations.base import FloatArray
from optedge.formulations.cut.problem import CutProblem
from optedge.platforms import mbit
from optedge.solvers.front import solve

WORK_LIMIT = 2.0  # seconds that the cloud may work in exercise 03-2
MOST_BRANCHES = 8


def diamond(branches: int = 2) -> tuple[tuple[int, ...], ...]:
    """Return who reads whom where layer 1 is read by some branches and all by the last layer."""
    middle = tuple(range(2, 2 + branches))
    last = 2 + branches
    return ((1,), middle, *((last,) for _ in middle), ())


def d1() -> CutProblem:
    """Return the instance D1 of the notebook."""
    times = np.array([[0, 2, 4, 4, 1], [0, 1, 1, 1, 0.5]])
    return CutProblem(diamond(), times, np.array([[9, 3, 2.5, 2.5, 0]]))


def every_plan(p: CutProblem) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return all plans of a tiny instance, ``(n_plans, n_layers)``."""
    return np.concatenate(list(p.solutions()))


@prediction("03-p1")
def closed_sets_and_careless_least(guess: Any) -> str:
    """Guess how many sets of the diamond are closed, and the least latency if readers pay each."""
    p = d1()
    plans, (v, w) = every_plan(p), p.edges.T
    careless = [p.stages(x)[:2].sum() + p.sends[0, v] @ (x[w] > x[v]) for x in plans]
    return guessed(guess, len(plans), float(min(careless)))


@prediction("03-p2")
def module_of_the_cut(guess: Any) -> str:
    """Guess the module in which GoogLeNet is cut at 3 Mbit/s."""
    from optedge.papers import task_migration

    p = task_migration.instance("googlenet", mbit(3))
    sent = p.crossing(solve(p, "min-cut", bound=False).solution)
    if sent == (0,) and isinstance(guess, str) and guess.strip().casefold() == "none":
        return ""  # the input is sent: no module is cut
    return guessed(guess, networks.load("googlenet").names[sent[0]])


@exercise("03-1", draw=lambda rng, size: size, trials=MOST_BRANCHES)
def closed_sets(answer: Callable[[int], Any], branches: int) -> str:
    """Write closed_sets(k): how many closed cloud sets a diamond with k branches has."""
    blank = np.zeros((2, branches + 3))
    listed = len(every_plan(CutProblem(diamond(branches), blank, blank[:1])))
    counted = number(answer(branches))
    if counted == listed:
        return ""
    return f"with {branches} branches you count {counted:g}, a list has {listed}"


@exercise("03-2")
def the_row_that_breaks_it(answer: Any) -> str:
    """Find the value of D1's program with at most 2 s of cloud, and of the best plan within it."""
    import pyomo.environ as pyo

    value, best = vector(answer, (2,))
    p = d1()
    plans = [x for x in every_plan(p) if p.stages(x)[1] <= WORK_LIMIT]
    model = p.model()
    cloud = p.times[1].tolist()
    model.limit = pyo.Constraint(expr=sum(cloud[v] * model.p[1, v] for v in model.V) <= WORK_LIMIT)
    if not same(value, solve_model(model).objective, 1e-3):
        return f"{value:g} is not the value of the program with the new row"
    if not same(best, min(p.objective(x) for x in plans), 1e-3):
        return f"the program is right, but {best:g} is not the best plan with at most 2 s of cloud"
    return ""


def tiny_chain(rng: np.random.Generator, size: int) -> CutProblem:
    """Draw a chain of up to six layers behind its input; whole seconds, so that there are ties."""
    n = int(rng.integers(2, 3 + min(size // 3, 5)))
    times, sends = rng.integers(0, 6, (2, n)), rng.integers(0, 8, (1, n))
    if size % 3 == 0:  # a slow device: cuts that all take as long as no cut, or a little longer
        times[0] += times[1]
        times[:, 0] = 0
        busy = times[0].cumsum() + times[1].sum() - times[1].cumsum()
        sends[0] = busy[-1] - busy + rng.integers(0, 2, n)
    times[:, 0] = sends[:, -1] = 0  # the input costs nothing, the answer is not sent
    return CutProblem.chain(times, sends)


def less_time(p: CutProblem) -> Iterator[CutProblem]:
    """List the instances with one entry of the seconds set to 0 or 1."""
    for name in ("times", "sends"):
        array = getattr(p, name)
        for k, v in np.argwhere(array > 0).tolist():
            for digit in (0, 1):
                changed = array.copy()
                changed[k, v] = digit
                if array[k, v] > digit:
                    yield p.replace(**{name: changed})


def smaller_chain(p: CutProblem) -> Iterator[CutProblem]:
    """List the chains with a layer less, or with seconds set to 0 or 1."""
    for v in range(1, p.n_layers if p.n_layers > 2 else 0):
        sends = np.delete(p.sends, v, axis=1)
        sends[:, -1] = 0
        yield CutProblem.chain(np.delete(p.times, v, axis=1), sends)
    yield from less_time(p)


@exercise("03-3", draw=tiny_chain, smaller=smaller_chain, points=2)
def best_cut(answer: Callable[[FloatArray, FloatArray, FloatArray], Any], p: CutProblem) -> str:
    """Write chain_cut(te, tc, tx): the smallest best cut and its latency, equal to the LP."""
    cut, latency = vector(answer(p.times[0], p.times[1], p.sends[0]), (2,))
    layers = np.arange(p.n_layers)
    if cut not in layers:
        return f"there is no cut {cut:g}, cuts go from 0 to {layers[-1]}"
    totals = [p.objective((layers > i).astype(np.int64)) for i in layers]
    least = solve_model(p.model()).objective
    if not same(latency, least):
        return f"you return {latency:g} s, the linear program finds {least:g} s"
    if not same(totals[int(cut)], least):
        return f"cut {cut:g} takes {totals[int(cut)]:g} s, the best one {least:g} s"
    smallest = int(np.argmin(totals))
    return "" if cut == smallest else f"cut {smallest} is as good as {cut:g}, and smaller"


def three_tiers(rng: np.random.Generator, size: int) -> CutProblem:
    """Draw a graph of up to six layers on three tiers, every other with ever faster ones."""
    n = int(rng.integers(2 if size <= 8 else 4, 3 + min(size // 3, 4)))
    reads = [rng.choice(w, int(rng.integers(1, min(w, 2) + 1)), replace=False) for w in range(1, n)]
    successors = tuple(
        tuple(w for w in range(1, n) if v in reads[w - 1].tolist()) for v in range(n)
    )
    times, sends = rng.integers(0, 10, (3, n)), rng.integers(0, 6, (2, n))
    if size % 2 == 0:
        times, sends = rng.integers(0, [[10], [7], [4]], (3, n)), rng.integers(0, 4, (2, n))
    return CutProblem(successors, times.astype(np.float64), sends.astype(np.float64))


def smaller_graph(p: CutProblem) -> Iterator[CutProblem]:
    """List the graphs without their last layer, or with seconds set to 0 or 1."""
    n = p.n_layers - 1
    if n > 1:
        rest = tuple(tuple(w for w in row if w < n) for row in p.successors[:n])
        yield CutProblem(rest, p.times[:, :n], p.sends[:, :n])
    yield from less_time(p)


@exercise("03-4", kind="model", draw=three_tiers, smaller=smaller_graph, points=4)
def three_tier_program(answer: Callable[[CutProblem], Any], p: CutProblem) -> str:
    """Write model(p) for three tiers, without integer variables: its value equals enumeration."""
    import pyomo.environ as pyo

    model = answer(p)
    found = model_optimum(model)
    discrete = [v for v in model.component_data_objects(pyo.Var) if not v.is_continuous()]
    if discrete:
        raise Refused(f"variable {discrete[0].name} is declared integer; none need be")
    best = min(p.objective(x) for x in every_plan(p))
    if same(found, best):
        return ""
    says = "is infeasible" if np.isinf(found) else f"has the value {found:g}"
    return f"your program {says}, the best of all plans takes {best:g} s"
