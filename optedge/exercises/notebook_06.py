"""Exercises of notebook 06, in which order to upload."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from optedge.exercises.answers import Refused, differs, guessed, number, same, whole
from optedge.exercises.drawing import fewer
from optedge.exercises.registry import exercise, prediction
from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.upload import UploadPlan, UploadProblem
from optedge.formulations.upload.problem import Use

NAMES = "ABCD"
TAIL = 6.0  # seconds after the last upload that count too, as in the paper's example
FACTOR = 1.2


#: Rows: seconds at the client, on the server, in, out, from server to server, and of the upload.
FOUR = ((12, 19, 17, 15), (3, 5, 4, 4), (3, 2, 3, 1), (2, 3, 1, 2), (0,) * 4, (6, 15, 10, 13))
HELD_BACK = ((5, 5), (1, 1), (1, 4), (4, 1), (0, 0), (1, 2))


def instance(rows: Any, use: Use = "best") -> UploadProblem:
    """Return the instance of six rows, as above."""
    client, server, to, back, hops, seconds = np.array(rows, dtype=np.float64)
    return UploadProblem(client, server, to, back, hops, seconds, use=use)


def four_layers() -> UploadProblem:
    """Return the example of the paper: layers A to D on one server."""
    return instance(FOUR)


def held_back() -> UploadProblem:
    """Return two layers that help together, and harm alone if they must be used."""
    return instance(HELD_BACK, use="forced")


def all_orders(p: UploadProblem) -> tuple[IntArray, FloatArray]:
    """Return every order of the layers that take time, and what each costs: up to six layers."""
    m = p.layers.size
    listed = list(itertools.permutations(range(m)))
    places = np.array(listed, dtype=np.int64).reshape(len(listed), m)
    return p.layers[np.argsort(places, axis=1)], p.costs(places)


@prediction("06-p1")
def first_of_the_best_order(guess: Any) -> str:
    """Guess which layer the best order of A to D sends first."""
    orders, costs = all_orders(four_layers())
    return guessed(guess, NAMES[orders[costs.argmin(), 0]])


@prediction("06-p2")
def one_by_one_or_together(guess: Any) -> str:
    """Guess what two layers cost if used when sent: first, second; and if sent together."""
    p = held_back()
    plans = [UploadPlan(((0,), (1,))), UploadPlan(((0, 1),))]
    return guessed(guess, *map(p.ssd, plans))


@exercise("06-1")
def sorted_once(answer: Any) -> str:
    """Say what the order costs, with its tail, that is sorted once by gain per second."""
    p = four_layers()
    order = np.argsort(-p.values / p.seconds, kind="stable")
    return differs(answer, p.ssd(p.plan_of_order(order), TAIL))


@dataclasses.dataclass(frozen=True, eq=False)
class Gains:
    """What layers are worth: all that a query needs to know.

    Parameters
    ----------
    base
        Delay of a query while nothing is uploaded.
    a, s
        Values of the layers, ``(n,)``, and savings of neighbours, ``(n - 1,)``.
    """

    base: float
    a: IntArray
    s: IntArray

    def best_benefits(self) -> IntArray:
        """Return for every set of usable layers, as bits, the benefit of its best subset."""
        n = self.a.size
        on = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1
        best: IntArray = on @ self.a + (on[:, :-1] & on[:, 1:]) @ self.s
        for j in range(n):
            without = np.arange(1 << n) & ~(1 << j)
            best = np.maximum(best, best[without])
        return best


def gains(rng: np.random.Generator, size: int) -> Gains:
    """Draw up to seven layers, whole numbers; many layers harm alone."""
    n = int(rng.integers(1, 3 + min(size // 3, 5)))
    a, s = rng.integers(-8, 5, n), rng.integers(0, 9, n - 1)
    drawn = Gains(0.0, a, s)
    return dataclasses.replace(drawn, base=float(drawn.best_benefits().max() + rng.integers(1, 9)))


def smaller_gains(p: Gains) -> Iterator[Gains]:
    """List the instances with a layer less, or with a saving of 0."""
    for j in range(p.a.size if p.a.size > 1 else 0):
        yield Gains(p.base, np.delete(p.a, j), np.delete(p.s, min(j, p.s.size - 1)))
    for j in np.flatnonzero(p.s).tolist():
        yield Gains(p.base, p.a, np.where(np.arange(p.s.size) == j, 0, p.s))


@exercise("06-2", draw=gains, smaller=smaller_gains, points=2)
def best_use(answer: Callable[..., Any], p: Gains) -> str:
    """Write g(base, a, s, usable): the delay of a query that makes the best of usable layers."""
    for usable, benefit in enumerate(p.best_benefits().tolist()):
        layers = [j for j in range(p.a.size) if (usable >> j) & 1]
        value, truth = (
            number(answer(p.base, p.a.copy(), p.s.copy(), list(layers))),
            p.base - benefit,
        )
        if not same(value, truth):
            return f"with layers {layers} usable you say {value:g}, the best use takes {truth:g}"
    return ""


def greedy_orders(p: UploadProblem) -> list[tuple[int, ...]]:
    """Return the orders that take the largest gain per second, found anew, each time; all ties."""
    orders: list[tuple[int, ...]] = [()]
    for _ in range(p.layers.size):
        longer = []
        for sent in orders:
            rates = {j: p.elda([j], sent) for j in p.layers.tolist() if j not in sent}
            most = max(rates.values())
            longer += [(*sent, j) for j, rate in rates.items() if same(rate, most, 1e-9)]
        orders = longer
    return orders


@exercise("06-3", kind="counterexample", points=2)
def greedy_loses(answer: Any) -> str:
    """Find three layers where greedy, recomputed, is 20 % above the optimum."""
    if not isinstance(answer, UploadProblem):
        raise Refused(f"an oe.UploadProblem is expected, got {type(answer).__name__}")
    p = answer.replace(use="best")
    if p.n_layers != 3 or p.layers.size != 3 or p.chain.any():
        raise Refused("three layers of one network are allowed, and each must take time to upload")
    if not p.is_supermodular:
        raise Refused("no saving may be negative")
    least = float(all_orders(p)[1].min())
    greedy = min(p.objective(p.plan_of_order(order)) for order in greedy_orders(p))
    if greedy >= FACTOR * least * (1 - 1e-9) and greedy > 0:
        return ""
    return f"greedy costs {greedy:g}, the optimum {least:g}"


def short_chains(rng: np.random.Generator, size: int) -> UploadProblem:
    """Draw up to six layers on one server, whole numbers; in late draws some have size 0."""
    n = int(rng.integers(1, 3 + min(size // 4, 4)))
    data = rng.integers(0, 8, n + 1)
    seconds = rng.integers(1, 9, n) * (rng.random(n) < (0.8 if size > 20 else 1.0))
    client, server = rng.integers(1, 13, n), rng.integers(0, 4, n)
    return instance([client, server, data[:-1], data[1:], np.zeros(n), seconds])


def shorter(p: UploadProblem) -> Iterator[UploadProblem]:
    """List the instances with fewer layers."""
    rows = [p.client_times, p.server_times, p.sends_in, p.sends_out, p.hops, p.upload_times]
    for kept in fewer(p.n_layers):
        yield instance(np.array(rows)[:, kept])


@exercise("06-4", draw=short_chains, smaller=shorter, trials=40, points=4)
def own_optimum(answer: Callable[..., Any], p: UploadProblem) -> str:
    """Write f(problem) that returns a best order of the layers whose upload takes time."""
    m = p.layers.size
    order = whole(answer(p), (m,))
    if sorted(order.tolist()) != p.layers.tolist():
        raise Refused(f"each of the layers {p.layers.tolist()} is sent once, got {order.tolist()}")
    value, least = p.objective(p.plan_of_order(order)), float(all_orders(p)[1].min())
    return "" if same(value, least) else f"your order costs {value:g}, the optimum is {least:g}"
