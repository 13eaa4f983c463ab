"""Exercises of notebook 08, what a learnt policy is worth."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from statistics import NormalDist
from typing import Any

import numpy as np

from optedge.exercises import contests
from optedge.exercises.answers import Refused, guessed, number, same, vector
from optedge.exercises.registry import exercise, prediction
from optedge.formulations.base import FloatArray
from optedge.formulations.offloading.costs.decisions import Decisions, discount_bias
from optedge.formulations.offloading.problem import OffloadingProblem

EARLY = 0.9  # what the saving of the two steps costs
PUBLISHED, CURE = 0.8, 0.99  # discounts
MOST_LAYERS, MOST_SERVERS = 60, 20  # of a counterexample
SAMPLES = 20_000
BUDGET = 1000  # plans of an agent on one instance


def two_steps(between: int = 0) -> Decisions:
    """Return the two steps of the notebook, with free layers between saving and return."""
    tables = np.full((2 + between, 2, 2), 9.0)
    tables[0] = np.inf
    tables[0, 0] = [0, EARLY]  # from the phone
    tables[1:-1, [0, 1], [0, 1]] = 0  # a free layer stays where it is
    tables[-1] = [[9, 1], [0, 9]]
    n = len(tables)
    return Decisions(
        tables,
        np.arange(n),
        home=np.zeros(n, dtype=np.int64),
        first=np.arange(n) == 0,
        tiers=np.array([0, 1]),
        balance=0.0,
        running=False,
    )


def followed(d: Decisions, discount: float) -> float:
    """Return what the best policy for a discount costs, undiscounted."""
    return d.cost(d.follow(d.q_values(discount)))


def switch(d: Decisions) -> float:
    """Return the least discount from which on the best policy is that of discount 1."""
    low, high, best = 0.0, 1.0, followed(d, 1)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if same(followed(d, middle), best) else (middle, high)
    return high


@prediction("08-p1")
def cost_by_discount(guess: Any) -> str:
    """Guess what the best plan for the discounts .8, .89, .91 and .95 costs."""
    return guessed(guess, *(followed(two_steps(), d) for d in (PUBLISHED, 0.89, 0.91, 0.95)))


@prediction("08-p2")
def cases_missed(guess: Any) -> str:
    """Guess in how many of the 16 cases discount .8 misses the optimum, and .99."""
    from optedge.papers import ddpqn

    plain = {"phi": 1.0, "varphi": 0.0, "xi": 0.0}
    cases = [
        ddpqn.instance(network, data_unit=unit, weights=weights)
        for network in ddpqn.NETWORKS
        for unit in ("MB", "Mb")
        for weights in (plain, {"xi": 0.0})
    ]
    missed = [sum(discount_bias(p, d).bias > 1e-9 for p in cases) for d in (PUBLISHED, CURE)]
    return guessed(guess, *missed)


@exercise("08-1")
def where_the_plan_switches(answer: Any) -> str:
    """Find the discount at which the plan switches, and with a free layer in between."""
    found = vector(answer, (2,))
    for value, truth, which in zip(
        found, (switch(two_steps()), switch(two_steps(1))), ("first", "second"), strict=True
    ):
        if not same(value, truth, 1e-3):
            return f"the {which} one, {value:g}, is too {'large' if value > truth else 'small'}"
    return ""


@dataclasses.dataclass(frozen=True, eq=False)
class Chain:
    """What each step from a server to the next one costs, and a discount."""

    costs: FloatArray  # (n_layers, n_servers, n_servers)
    discount: float


def random_chain(rng: np.random.Generator, size: int) -> Chain:
    """Draw up to four layers on up to three servers; some moves are impossible, staying is not."""
    n, m = int(rng.integers(1, 2 + min(size // 3, 3))), int(rng.integers(1, 2 + min(size // 2, 2)))
    costs = rng.integers(0, 10, (n, m, m)).astype(float)
    if size > 6:
        costs[rng.random((n, m, m)) < 0.15] = np.inf
        costs[:, 0, 0] = rng.integers(0, 10, n)
    costs[0, 1:] = np.inf  # the phone is server 0
    return Chain(costs, float(rng.choice([0, 0.5, 0.8, 1])))


def smaller_steps(c: Chain) -> Iterator[Chain]:
    """List the chains without a layer or the last server, with another discount, or a cost of 1."""
    n, m = c.costs.shape[:2]
    for k in range(1, n):
        yield Chain(np.delete(c.costs, k, axis=0), c.discount)
    if m > 1:
        yield Chain(c.costs[:, :-1, :-1], c.discount)
    if 0 < c.discount < 1:
        yield Chain(c.costs, 1.0)
    for k, a, b in np.argwhere(np.isfinite(c.costs) & (c.costs > 1)).tolist():
        costs = c.costs.copy()
        costs[k, a, b] = 1
        yield Chain(costs, c.discount)


def least_of_all_plans(costs: FloatArray) -> float:
    """Return the least cost of a plan, by trying all."""
    n, m = costs.shape[:2]
    plans = np.array(list(itertools.product(range(m), repeat=n)))
    before = np.concatenate([np.zeros((len(plans), 1), dtype=np.int64), plans[:, :-1]], axis=1)
    return float(costs[np.arange(n), before, plans].sum(axis=1).min())


@exercise("08-2", draw=random_chain, smaller=smaller_steps, points=2)
def q_table(answer: Callable[[FloatArray, float], Any], c: Chain) -> str:
    """Write table(c, discount), the exact Q: its Bellman residual is 0, its value enumeration."""
    q = vector(answer(c.costs, c.discount), c.costs.shape, infinite=True)
    if c.discount == 1 and not same(float(q[0, 0].min()), least_of_all_plans(c.costs)):
        truth = least_of_all_plans(c.costs)
        return f"the least value is {q[0, 0].min():g}, the least cost of all plans {truth:g}"
    for k in reversed(range(len(q))):
        then = q[k + 1].min(axis=1) if k + 1 < len(q) else np.zeros(len(q[k]))
        dead = np.isinf(then)
        target = c.costs[k] + np.where(dead, np.inf, c.discount * np.where(dead, 0, then))
        wrong = np.argwhere(~np.isclose(q[k], target, rtol=1e-6, atol=1e-6))
        if wrong.size:
            a, b = wrong[0].tolist()
            end = "" if k + 1 == len(q) else f" with what follows in your Q[{k + 1}]"
            return f"Q[{k}, {a}, {b}] is {q[k, a, b]:g}, it should be {target[a, b]:g}{end}"
    return ""


@dataclasses.dataclass(frozen=True, eq=False)
class Estimates:
    """How many unit normals, how two sets of them are correlated, and a seed."""

    m: int
    rho: float
    seed: int


def estimates(rng: np.random.Generator, size: int) -> Estimates:
    """Draw the cases of the hint with one and with two sets of estimates."""
    m = (2, 3, 11, 100)[(size - 1) % 4]
    return Estimates(m, 1.0 if size <= 4 else float(rng.integers(1, 9)) / 10, size)


def mean_of_largest(m: int) -> float:
    """Return the mean of the largest of ``m`` standard normals, by quadrature."""
    x = np.linspace(-8, 8, 2001)
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    below = np.array([NormalDist().cdf(t) for t in x])
    return float(np.trapezoid(x * m * density * below ** (m - 1), x))


@exercise("08-3", draw=estimates, trials=8, points=2)
def bias_of_the_largest(answer: Callable[..., Any], e: Estimates) -> str:
    """Simulate bias(m, rho, rng): one estimate chooses the largest of m, another one values it."""
    found = number(answer(e.m, e.rho, np.random.default_rng(e.seed)))
    truth = e.rho * mean_of_largest(e.m)
    if abs(found - truth) <= 8 / math.sqrt(SAMPLES):
        return ""
    return f"you return {found:.3f}, the mean is {truth:.3f}"


@exercise("08-4", kind="counterexample", points=2)
def wrong_at_the_cure(answer: Any) -> str:
    """Find a chain of three layers or more whose optimum discount .99 misses."""
    if not isinstance(answer, OffloadingProblem):
        raise Refused(f"an OffloadingProblem is expected, got {type(answer).__name__}")
    p = answer
    if p.n_tasks != 1 or not 3 <= p.n_subtasks <= MOST_LAYERS or p.n_servers > MOST_SERVERS:
        return (
            f"one task of 3 to {MOST_LAYERS} layers on at most {MOST_SERVERS} servers is asked "
            f"for, got {p.n_tasks}, {p.n_subtasks} and {p.n_servers}"
        )
    try:
        found = discount_bias(p, CURE)
    except ValueError as error:
        raise Refused(str(error).rstrip(".")) from error
    if found.bias > 1e-9 * max(1.0, abs(found.optimum)):
        return ""
    return f"discount {CURE:g} reaches the optimum {found.optimum:g} of this chain"


def myopic_traps(rng: np.random.Generator, size: int) -> contests.Batch:
    """Draw ten chains of five layers on four servers: to go far early is dear, and pays."""
    made = []
    for _ in range(10):
        made.append(
            OffloadingProblem.chains(
                [rng.integers(1, 10, 5)],
                [rng.integers(1, 10, 5)],
                clients=[0],
                speeds_ghz=[1, *rng.integers(2, 9, 3)],
                rates_mb_s=np.ones((4, 4)),
                pools=[np.inf] * 4,
                tiers=[0, 1, 1, 2],
            )
        )
    return contests.Batch(tuple(made))


@exercise("08-5", draw=myopic_traps, smaller=contests.one_alone, trials=1, points=4)
def own_agent(answer: Callable[..., Any], hidden: contests.Hidden) -> str:
    """Write f(problem, run), an agent: feasible, and in the mean not worse than 'myopic'."""
    return contests.worse_than("myopic", answer, hidden, BUDGET)
