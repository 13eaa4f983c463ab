"""Prices on server time under the weighted objective, against schedules that are enumerated."""

import itertools

import numpy as np
import pytest
from conftest import seeds

import optedge as oe
from optedge.formulations.base import Certificate
from optedge.formulations.offloading import OffloadingProblem, Schedule
from optedge.formulations.offloading.costs.weighting import Weighting
from optedge.formulations.offloading.prices import certificates, classes, lattice, pricing

CHOICES = ({}, {"coupling_root": 3}, {"h_indicators": "benefit"}, {"standardisation": "std"})


def small(seed, **fields):
    """Return three short chains on two clients, an edge and a cloud of one pool each."""
    rng = np.random.default_rng(seed)
    layers = rng.permutation([2, 1, 1])
    rates = rng.uniform(1, 4, (4, 4))
    rates[0, 1] = rates[1, 0] = 0
    given = {
        "clients": rng.integers(0, 2, 3),
        "speeds_ghz": [1, 1.5, 4, 8],
        "rates_mb_s": rates,
        "pools": [1, 1, 1, 1],
        "tiers": [0, 0, 1, 2],
        "release": rng.choice([0.0, 0.3], 3),
        "price_per_hour": rng.uniform(0, 3, 4),
        "price_per_gb": rng.uniform(0, 1, (4, 4)),
        "weights": Weighting(xi=0.0, **CHOICES[seed % len(CHOICES)]),
    }
    work = [rng.uniform(0.5, 3, n) for n in layers]
    return OffloadingProblem.chains(
        work, [rng.uniform(0.2, 2, n) for n in layers], **(given | fields)
    )


def optimum(problem):
    """Return the least objective over all servers and all orders in which layers are placed."""
    n, best = problem.n_subtasks, np.inf
    orders = [
        order
        for order in itertools.permutations(range(n))
        if all(order.index(v) < order.index(w) for v, w in problem.edges)
    ]
    for servers in itertools.product(*[np.flatnonzero(row) for row in problem.allowed]):
        x = np.array(servers)
        if problem.violations(x):
            continue
        for order in orders:
            plan = Schedule(x, one_by_one(problem, x, order))
            best = min(best, problem.objective(plan))
    return best


def one_by_one(problem, servers, order):
    """Return starts: each layer in turn as early as its input and the layers before it allow."""
    starts, free = np.zeros(problem.n_subtasks), np.zeros(problem.n_servers)
    ends = np.zeros(problem.n_subtasks)
    for v in order:
        s, i = servers[v], problem.tasks[v]
        if v == problem.first[i]:
            a, ready, size = problem.clients[i], problem.release[i], problem.inputs_mb[i]
        else:
            a, ready, size = servers[v - 1], ends[v - 1], problem.outputs_mb[v - 1]
        ready = ready + (0.0 if a == s else size / problem.rates_mb_s[a, s])
        starts[v] = max(ready, free[s])
        ends[v] = free[s] = starts[v] + problem.work_gcycles[v] / problem.speeds_ghz[s]
    return starts


@pytest.mark.parametrize("seed", seeds(12, 3))
def test_bound_and_schedule_hold_the_optimum_between_them(seed):
    """The certified bound is at most the enumerated optimum, the schedule at least, both close."""
    problem = small(seed)
    best = optimum(problem)
    result = oe.solve(problem, "lagrangian", max_evaluations=4000, seed=0)
    size = abs(best) + 1
    assert result.bound <= best + 1e-9 * size
    assert best <= result.objective + 1e-9 * size
    assert result.objective == pytest.approx(problem.objective(result.solution), rel=1e-12)
    check = oe.verify(result)
    assert check, check.message
    assert problem.bounds()["DP"] <= result.bound + 1e-9 * size


def test_gap_closes():
    """Where the relaxation is tight, prices prove the enumerated optimum to 0.1 per cent."""
    closed = 0
    for seed in range(3):
        result = oe.solve(small(seed), "lagrangian", max_evaluations=6000, target_gap=1e-3)
        closed += result.gap <= 1e-3
    assert closed >= 2


@pytest.mark.parametrize("seed", seeds(30, 6))
def test_compiled_price_is_the_certified_one(seed):
    """The compiled bound of random prices equals the one in NumPy, costs of pairs included."""
    rng = np.random.default_rng(seed)
    problem = small(seed)
    c = classes.make(problem)
    assert (c.entry_cost >= 0).all()
    assert (c.move_cost >= 0).all()
    assert c.move_cost.max() > 0
    duals = rng.exponential(1.0, (4, 6)) * rng.integers(0, 2, 6)
    laid = lattice.lattice(c, 9.0, 6, 40)
    slope = np.zeros(duals.shape)
    for every in (True, False):
        value, _ = pricing.evaluate(c, laid, duals, lattice.store(c, laid), slope, every)
        safe = certificates.value(c, duals, 9.0, 40)
        assert safe <= value <= safe + 1e-6


@pytest.mark.parametrize("theta", [0.5, 1e-6])
@pytest.mark.parametrize("seed", seeds(20, 2))
def test_any_prices_bound_any_plan(seed, theta):
    """Random prices prove no more than any random plan costs, however little a second weighs."""
    rng = np.random.default_rng(seed)
    problem = small(seed, weights=Weighting(xi=0.0, theta=theta))
    arrays = {
        "duals": rng.exponential(2.0, (4, 8)),
        "horizon": np.array([rng.uniform(2, 20)]),
        "cells": np.array([16.0]),
        "merged": np.array([0.0]),
    }
    proved = problem.certify(Certificate("server prices", 0.0, arrays))
    codes = np.array([[rng.choice(np.flatnonzero(row)) for row in problem.allowed]] * 1)
    codes = np.concatenate([codes, [problem.clients[problem.tasks]]])
    costs = problem.costs(codes)
    assert (costs[np.isfinite(costs)] >= proved).all()
    assert proved <= optimum(problem)


def test_costs_of_pairs_are_those_of_the_objective():
    """Constant, unit and costs of pairs give back the objective of every plan."""
    problem = small(5)
    c = classes.make(problem)
    for servers in itertools.product(*[np.flatnonzero(row) for row in problem.allowed]):
        x = np.array(servers)
        if problem.violations(x):
            continue
        total = float(problem.flows(x).sum())
        for i, k in enumerate(c.of_task):
            path = x[problem.tasks == i]
            total += c.entry_cost[k, path[0]]
            total += sum(c.move_cost[k, j, path[j - 1], path[j]] for j in range(1, len(path)))
        assert classes.to_objective(c, total) == pytest.approx(problem.objective(x), abs=1e-12)
        assert classes.to_seconds(c, problem.objective(x)) == pytest.approx(total, abs=1e-9)


def test_balance_only_adds():
    """With Z the bound without it stays one."""
    problem = small(2, weights=Weighting(xi=0.5, z_normalised=False))
    result = oe.solve(problem, "lagrangian", max_evaluations=2000)
    assert result.bound <= optimum(problem) + 1e-9
    assert oe.verify(result)


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        (Weighting(h_wait=True), "depends on its waiting"),
        (Weighting(theta=0.0), "give time no weight"),
    ],
)
def test_what_prices_cannot_bound_is_declined(weights, match):
    """Waiting inside H, or time without weight, is declined in a sentence."""
    with pytest.raises(ValueError, match=match):
        oe.solve(small(0, weights=weights), "lagrangian")
    with pytest.raises(ValueError, match=match):
        classes.make(small(0, weights=weights))
    with pytest.raises(ValueError, match="merged"):
        classes.make(small(0), merged=True)
