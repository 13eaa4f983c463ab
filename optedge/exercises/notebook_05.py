"""Exercises of notebook 05, what a price on a server proves."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from optedge.bridge import solve_model
from optedge.exercises import contests
from optedge.exercises.answers import Refused, guessed, number, same, vector
from optedge.exercises.registry import exercise, prediction
from optedge.formulations.base import FloatArray
from optedge.formulations.offloading.problem import OffloadingProblem

RATES = ((np.inf, 2, 1), (2, np.inf, 2), (1, 2, np.inf))
FACTOR = 1.9
BUDGET = 1000  # candidates of a heuristic on one instance


def chains(work: Any, data: Any, **fields: Any) -> OffloadingProblem:
    """Return tasks born at client 0, beside an edge server and a cloud: those of the notebook."""
    servers: dict[str, Any] = {"speeds_ghz": [1, 2, 4], "rates_mb_s": RATES, "pools": [1, 1, 1]}
    fields = servers | {"tiers": [0, 1, 2], "clients": [0] * len(work)} | fields
    return OffloadingProblem.chains(work, data, **fields)


def e1() -> OffloadingProblem:
    """Return the instance E1 of the notebook."""
    return chains([[8, 4], [12, 4], [16, 16]], [[4, 8], [2, 2], [4, 2]])


@prediction("05-p1")
def sums_of_two_plans(guess: Any) -> str:
    """Guess the sum of flow times with all on the edge, and with X's second layer at home."""
    xy = chains([[4, 4], [4]], [[2, 2], [2]])
    return guessed(guess, *(xy.objective(np.array(x)) for x in ([1, 1, 1], [1, 0, 1])))


@prediction("05-p2")
def least_sum_of_e1(guess: Any) -> str:
    """Guess whether 31 is the least sum of flow times of E1, or what is."""
    p = e1()
    every = np.array(list(itertools.product(range(3), repeat=6)))
    best = solve_model(p.model("disjunctive")).objective
    is_least = same(best, float(p.costs(every).min()))
    return guessed(guess, True) if is_least else guessed(guess, best)


def whole_seconds(p: OffloadingProblem, i: int, horizon: int = 24) -> FloatArray:
    """Return all schedules of a task of two layers alone that start at whole seconds.

    Returns
    -------
    array
        One row each: server, start and end of the first layer, then of the second.
    """
    v, found = int(p.first[i]), []
    home, pace = int(p.clients[i]), p.seconds_per_mb
    for a, b in itertools.product(range(p.n_servers), repeat=2):
        lasts, then = p.seconds[v, a], p.seconds[v + 1, b]
        moved = lasts + p.outputs_mb[v] * pace[a, b]
        for t in np.arange(np.ceil(p.inputs_mb[i] * pace[home, a]), horizon):
            for u in np.arange(np.ceil(t + moved), horizon - then + 1):
                found.append((a, t, t + lasts, b, u, u + then))
    return np.array(found)


def proved_by(price: float, start: float, stop: float) -> float:
    """Return the bound that a price of the cloud's seconds from ``start`` to ``stop`` proves."""
    p, total = e1(), 0.0
    for i in range(p.n_tasks):
        a, t, t_end, b, u, u_end = whole_seconds(p, i).T
        charged = (a == 2) * np.clip(np.minimum(t_end, stop) - np.maximum(t, start), 0, None)
        charged += (b == 2) * np.clip(np.minimum(u_end, stop) - np.maximum(u, start), 0, None)
        total += float((u_end + price * charged).min())
    return total - price * (stop - start)


@exercise("05-1")
def two_other_prices(answer: Any) -> str:
    """Say which bound a price of 2 during [4, 6) proves, and which one of 1 during [4, 8)."""
    bounds = vector(answer, (2,))
    truths = proved_by(2, 4, 6), proved_by(1, 4, 8)
    for value, truth, which in zip(bounds, truths, ("first", "second"), strict=True):
        if not same(value, truth):
            return f"the {which} bound, {value:g}, is too {'large' if value > truth else 'small'}"
    return ""


@exercise("05-2", kind="counterexample", points=2)
def slower_with_a_pool(answer: Any) -> str:
    """Find work of two tasks such that a second pool makes dispatching 1.9 times as slow."""
    work = vector(answer, (2, 2))
    try:
        one = chains(work.tolist(), [[0, 0], [0, 0]])
    except ValueError as error:
        raise Refused(str(error).rstrip(".")) from error
    x = np.array([1, 0, 1, 0])
    before, after = one.objective(x), one.replace(pools=[1, 2, 1]).objective(x)
    if after >= FACTOR * before * (1 - 1e-9):
        return ""
    return f"{before:g} s with one pool, {after:g} s with two: {after / before:.4g} times"


def tiny_tasks(rng: np.random.Generator, size: int) -> OffloadingProblem:
    """Draw up to three tasks of up to three layers; later, every other is a trap for the greedy."""
    n, m = int(rng.integers(1, 2 + min(size // 5, 2))), int(rng.integers(1, 2 + min(size // 2, 2)))
    layers = rng.integers(1, 2 + min(size // 3, 2), n)
    rates = rng.integers(1, 5, (m, m)).astype(float)
    work, data = rng.integers(1, 17, (n, 3)), rng.integers(0, 9, (n, 3))
    speeds = rng.integers(1, 6, m)
    if size > 5 and size % 2 == 0:  # a short first layer, and little to send before it
        work, data = rng.integers([1, 12, 12], [4, 17, 17], (n, 3)), rng.integers(2, 4, (n, 3))
        data[:, 1:] += 4
        layers, speeds, rates = np.maximum(layers, 2), 4 * speeds, np.ones((m, m))
        speeds[0] = 1
    return OffloadingProblem.chains(
        [row[:k] for row, k in zip(work, layers, strict=True)],
        [row[:k] for row, k in zip(data, layers, strict=True)],
        clients=[0] * n,
        speeds_ghz=speeds,
        rates_mb_s=np.maximum(rates, rates.T),
        pools=[1] * m,
        tiers=np.arange(m),
    )


def smaller_tasks(p: OffloadingProblem) -> Iterator[OffloadingProblem]:
    """List the instances of one task alone, without a last layer, or with a number set to 1."""
    for i in range(p.n_tasks if p.n_tasks > 1 else 0):
        yield _tasks(p, [i])
    if p.n_tasks == 1 and p.n_subtasks > 1:
        yield _tasks(p, [0], layers=p.n_subtasks - 1)
    for name in ("work_gcycles", "inputs_mb", "outputs_mb", "speeds_ghz"):
        array = getattr(p, name)
        for i in np.flatnonzero(array > 1).tolist():
            yield p.replace(**{name: np.where(np.arange(array.size) == i, 1.0, array)})


def _tasks(p: OffloadingProblem, kept: list[int], layers: int | None = None) -> OffloadingProblem:
    """Return the instance of some tasks, with their first layers only."""
    spans = [slice(p.first[i], p.first[i] + (layers or p.sizes[i])) for i in kept]
    data = [[p.inputs_mb[i], *p.outputs_mb[span]] for i, span in zip(kept, spans, strict=True)]
    servers = ("speeds_ghz", "rates_mb_s", "pools", "tiers")
    return OffloadingProblem.chains(
        [p.work_gcycles[span] for span in spans],
        data,
        clients=p.clients[kept],
        **{name: getattr(p, name) for name in servers},
    )


def alone(p: OffloadingProblem, i: int) -> float:
    """Return the least seconds of a task alone, by trying all servers of all its layers."""
    v, k = int(p.first[i]), int(p.sizes[i])
    plans = np.array(list(itertools.product(range(p.n_servers), repeat=k)))
    before = np.concatenate([np.full((len(plans), 1), p.clients[i]), plans[:, :-1]], axis=1)
    read = np.array([p.inputs_mb[i], *p.outputs_mb[v : v + k - 1]])
    seconds = p.seconds[np.arange(v, v + k), plans] + read * p.seconds_per_mb[before, plans]
    return float(seconds.sum(axis=1).min())


@exercise("05-3", draw=tiny_tasks, smaller=smaller_tasks, points=2)
def each_alone(answer: Callable[[OffloadingProblem], Any], p: OffloadingProblem) -> str:
    """Write least(p), the sum of the best plans of each task alone: it equals enumeration."""
    found, truth = number(answer(p)), sum(alone(p, i) for i in range(p.n_tasks))
    if same(found, truth):
        return ""
    return f"you return {found:g} s, all plans of each task tried alone give {truth:g} s"


def three_tasks(rng: np.random.Generator, size: int) -> contests.Batch:
    """Draw 20 instances of three tasks of two layers on the servers of the notebook."""
    work = 4 * rng.integers(1, 5, (20, 3, 2))
    data = 2 * rng.integers(1, 5, (20, 3, 2))
    made = (chains(w.tolist(), g.tolist()) for w, g in zip(work, data, strict=True))
    return contests.Batch(tuple(made))


@exercise("05-4", draw=three_tasks, smaller=contests.one_alone, trials=1, points=4)
def own_heuristic(answer: Callable[..., Any], hidden: contests.Hidden) -> str:
    """Write f(problem, run), a heuristic: feasible, and in the mean not worse than 'greedy'."""
    return contests.worse_than("greedy", answer, hidden, BUDGET)
