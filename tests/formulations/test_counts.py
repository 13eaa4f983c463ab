"""A balance Z that is counted once at the end: prices, count vectors, masters, certificates.

The oracle is complete enumeration; the base cases of the DDPQN paper have the optima of the table
in the specification.
"""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from conftest import seeds
from test_offloading_models import plans
from test_weighting import e2, four_subtasks, weighted

import optedge as oe
from optedge.formulations.base import Certificate
from optedge.formulations.offloading import OffloadingProblem, Weighting
from optedge.formulations.offloading.balance import (
    count_certificates,
    count_prices,
    count_rows,
    count_search,
    count_vectors,
    counts,
)
from optedge.papers import ddpqn
from optedge.solvers import count_master

INF = math.inf
FINAL = {"z_mode": "final"}
#: Clients, edges, clouds.
SIZES = ((1, 2, 0), (2, 2, 1), (1, 1, 2), (1, 2, 2), (1, 3, 0), (2, 0, 3), (1, 5, 0), (1, 1, 5))
#: Network, tasks: optimum and Z, final mode.
TABLE = {
    ("alexnet", 1): (-0.029654, 0), ("vgg19", 1): (-0.152768, 0), ("googlenet", 1): (-0.131313, 0),
    ("resnet101", 1): (-0.225163, 6), ("alexnet", 4): (-0.167901, 0), ("vgg19", 4): (-0.620996, 0),
    ("googlenet", 4): (-0.535028, 4), ("resnet101", 4): (-0.933196, 104),
    ("alexnet", 12): (-0.556503, 120), ("vgg19", 12): (-1.883974, 708),
    ("googlenet", 12): (-1.611395, 78), ("resnet101", 12): (-2.960127, 952),
}  # fmt: skip
QUICK = (("alexnet", 1), ("googlenet", 1), ("alexnet", 12))


def drawn(seed):
    """Return some tasks of one or two networks on servers of some tiers, small enough to list."""
    rng = np.random.default_rng([seed, 5])
    sizes = SIZES[seed % len(SIZES)]
    n = sum(sizes)
    room = math.floor(math.log(30_000) / math.log(n - sizes[0] + 1))  # layers in all
    lengths = [int(rng.integers(1, min(room, 5) + 1)), int(rng.integers(1, min(room, 3) + 1))]
    works = [rng.uniform(0.2, 4, k) for k in lengths]
    sends = [rng.uniform(0, 3, k) for k in lengths]
    kinds = [0]
    while len(kinds) < 4 and sum(lengths[k] for k in kinds) + lengths[kinds[-1]] <= room:
        kinds.append(
            int(rng.integers(2)) if room - sum(lengths[k] for k in kinds) >= lengths[1] else 0
        )
        if sum(lengths[k] for k in kinds) > room:
            kinds.pop()
            break
    rates = rng.uniform(0.3, 5, (n, n))
    return OffloadingProblem.chains(
        [works[k] for k in kinds],
        [sends[k] for k in kinds],
        clients=rng.integers(0, sizes[0], len(kinds)),
        speeds_ghz=rng.uniform(0.5, 4, n),
        rates_mb_s=(rates + rates.T) / 2,
        pools=[INF] * n,
        tiers=np.repeat([0, 1, 2], sizes),
        price_per_hour=rng.uniform(0, 3, n),
        price_per_gb=rng.uniform(0, 50, (n, n)),
        first_layer=str(rng.choice(["free", "client"])),
        return_result=bool(rng.integers(2)),
        weights=Weighting(
            z_mode="final", xi=float(rng.choice([0.02, 0.2, 1.0])),
            h_indicators=str(rng.choice(["cost", "benefit"])),
        ),
    )  # fmt: skip


def optimum(problem):
    """Return the least objective of all assignments."""
    return float(problem.costs(np.array(list(plans(problem)))).min())


@pytest.mark.parametrize("seed", seeds(400, 16))
def test_optimum_equals_enumeration(seed):
    """Value and bound are the optimum, whatever tasks, clients and group sizes."""
    problem = drawn(seed)
    best = optimum(problem)
    result = oe.solve(problem, "count-master", seed=seed, moves=20 if seed % 2 else 2000)
    assert result.objective == pytest.approx(best, abs=1e-9)
    assert result.bound == pytest.approx(best, abs=1e-8)
    assert result.bound <= result.objective + 1e-12
    assert result.status == "OPTIMAL"
    proved = oe.verify(result)
    assert proved
    if problem.n_tasks == 1:
        assert proved.verdict == "certified"


@pytest.mark.parametrize("seed", seeds(200, 16))
def test_prices_bound_every_plan(seed):
    """Whatever the prices, kernel and certificate agree and are not above the optimum."""
    problem, rng = drawn(seed), np.random.default_rng(seed)
    data, _ = counts.make(problem)
    prices = np.where(data.group >= 0, rng.normal(0, 2 * data.unit, data.group.size), 0.0)
    n = prices.size
    value = count_prices.bound(data, prices, np.zeros(n), np.zeros(n))
    proof = count_certificates.make(problem, prices)
    assert proof.value <= value <= proof.value + 1e-9
    assert problem.certify(proof) == proof.value <= optimum(problem)


@pytest.mark.parametrize("group_size", [2, 3, 5])
def test_count_minimum_is_exact(group_size):
    """The knapsack of blocks is the least over all counts of a group."""
    rng = np.random.default_rng(group_size)
    total = 4 if group_size == 5 else 6
    data = counts.Counts(
        tables=np.zeros((1, group_size, group_size)), begin=np.array([0, 1]), tasks=np.array([1]),
        homes=np.array([0]), group=np.zeros(group_size, dtype=np.int64),
        sizes=np.array([group_size]), unit=0.7, total=total,
    )  # fmt: skip
    every = np.array(list(itertools.product(range(total + 1), repeat=group_size)))
    every = every[every.sum(axis=1) <= total]
    uneven = counts.unevenness(every, data.group)
    pairs = itertools.combinations(range(group_size), 2)
    assert (uneven == sum(np.abs(every[:, s] - every[:, t]) for s, t in pairs)).all()
    for _ in range(10):
        prices, on = rng.normal(0, 2, group_size), np.zeros(group_size)
        value = count_prices.emptiest(data, 0, prices, on)
        values = 0.7 * uneven - every @ prices
        assert value == pytest.approx(values.min(), abs=1e-12)
        at = int(np.flatnonzero((every == on).all(axis=1))[0])
        assert values[at] == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("seed", seeds(60, 6))
def test_vectors_hold_every_cheap_plan(seed):
    """Each plan of a task within the excess has its counts among the vectors, at no more cost."""
    problem, rng = drawn(seed), np.random.default_rng(seed)
    data, tasks = counts.make(problem)
    prices = np.where(data.group >= 0, rng.normal(0, data.unit, data.group.size), 0.0)
    k = len(tasks) - 1
    layers = int(data.begin[k + 1] - data.begin[k])
    excess = 0.1 * layers
    found = count_vectors.enumerate_class(data, k, prices, excess, 10**6, lambda: False)
    cheapest = {}
    for plan in itertools.product(range(data.group.size), repeat=layers):
        ends = zip([data.homes[k], *plan], plan, strict=False)
        cost = sum(data.tables[data.begin[k] + j][a, b] for j, (a, b) in enumerate(ends))
        on = tuple(
            sum(s == t for t in plan) if data.group[s] >= 0 else 0 for s in range(len(prices))
        )
        cheapest[on] = min(cost, cheapest.get(on, INF))
    priced = {on: cost + float(np.dot(on, prices)) for on, cost in cheapest.items()}
    limit = min(priced.values()) + excess
    known = dict(zip(map(tuple, found.counts.tolist()), found.cost, strict=True))
    assert {on for on, value in priced.items() if value < limit - 1e-9} <= set(known)
    for on, cost in known.items():
        assert cost == pytest.approx(cheapest[on], abs=1e-9)
    chain, cost = count_vectors.cheapest_chain(data, k, found.counts[-1])
    assert cost == pytest.approx(known[tuple(found.counts[-1].tolist())], abs=1e-9)
    on = np.where(data.group >= 0, np.bincount(chain, minlength=data.group.size), 0)
    assert (on == found.counts[-1]).all()


def test_dominance():
    """A vector goes if a cheaper one is nearer than the costs are apart, else it stays."""
    group = np.array([-1, 0, 0])
    vectors = np.array([[0, 1, 1], [0, 2, 0], [0, 4, 0]])  # each 2 from the one before
    cost = np.array([1.0, 1.9, 3.5])
    assert count_vectors.needed(vectors, cost, group, 0.5).tolist() == [True, True, False]
    assert count_vectors.needed(vectors, cost, group, 0.4).tolist() == [True, False, False]
    assert count_vectors.needed(vectors, cost, group, 2.0).tolist() == [True, True, True]


@pytest.mark.parametrize(("xi", "value"), [(0.0, 4), (0.5, 6), (0.75, 6), (1.5, 6)])
def test_fourth_example(xi, value):
    """E4, final mode: 6 at every weight of Z; without a weight dp finds 4."""
    problem = four_subtasks(xi, "final")
    result = oe.solve(problem, "count-master" if xi else "dp")
    assert (result.objective, result.status) == (pytest.approx(value), "OPTIMAL")
    assert oe.verify(result).verdict == "certified"


@pytest.mark.parametrize(
    ("network", "tasks"),
    [pytest.param(*c, marks=() if c in QUICK else pytest.mark.slow) for c in TABLE],
)
def test_base_cases(network, tasks):
    """The optima of the DDPQN paper's base cases with Z at the end, proved."""
    problem = ddpqn.instance(network, tasks, weights=FINAL)
    result = oe.solve(problem, "count-master", moves=30_000, target_gap=1e-9, time_limit=600)
    value, z = TABLE[network, tasks]
    assert result.objective == pytest.approx(value, abs=1e-6)
    assert result.objective - result.bound < 1e-8
    on = np.bincount(result.solution.servers, minlength=problem.n_servers)
    group, _ = counts.groups(problem.tiers)
    assert counts.unevenness(on[None], group)[0] == z
    proved = oe.verify(result)
    assert proved
    assert proved.verdict == ("certified" if tasks == 1 else proved.verdict)


def test_pools_that_bind():
    """With few pools the bound stays one of all plans, and the plan is valued with its waiting."""
    problem = ddpqn.instance("alexnet", 4, weights=FINAL, pools="eosdnn")
    result = oe.solve(problem, "count-master", moves=1000)
    assert result.objective == problem.objective(result.solution)
    assert result.bound == pytest.approx(TABLE["alexnet", 4][0], abs=1e-6)
    assert result.bound <= result.objective


def test_limits_leave_a_bound(monkeypatch):
    """With too few columns, labels or evaluations what is proved stays a bound."""
    monkeypatch.setattr(count_master, "FIRST_COLUMNS", 20)
    problem = ddpqn.instance("alexnet", 4, weights=FINAL)
    optimal = TABLE["alexnet", 4][0]
    for options, budget, limit in (
        ({"most_labels": 100}, None, "labels"),
        ({"most_columns": 40}, None, "columns"),
        ({"most_labels": 1}, None, "labels"),
        ({}, 2, None),
    ):
        result = oe.solve(problem, "count-master", max_evaluations=budget, moves=0, **options)
        assert result.info.get("limit") == limit
        assert -0.2151 < result.bound <= optimal + 1e-6
        assert result.objective >= optimal - 1e-6
        assert result.status == "FEASIBLE"
        assert oe.verify(result)
    alone = ddpqn.instance("alexnet", 1, weights=FINAL)
    result = oe.solve(alone, "count-master", most_labels=5000, moves=0)
    assert result.info["price_bound"] < result.bound < TABLE["alexnet", 1][0] - 1e-6
    assert oe.verify(result).verdict == "certified"
    stopped = oe.solve(alone, "count-master", moves=0, callback=lambda run: run.bound > -1)
    assert stopped.stop_reason == "callback"
    assert oe.verify(stopped)


def test_same_seed_same_result():
    """One seed gives one history of values."""
    problem = ddpqn.instance("alexnet", 12, weights=FINAL)
    first, second = (oe.solve(problem, "count-master", seed=3, moves=2000) for _ in range(2))
    assert first.history["objective"].tolist() == second.history["objective"].tolist()
    assert first.solution.servers.tolist() == second.solution.servers.tolist()


def test_start_is_kept():
    """A start that is optimal is kept."""
    problem = ddpqn.instance("alexnet", 1, weights=FINAL)
    best = oe.solve(problem, "count-master", moves=1000)
    again = oe.solve(problem, "count-master", start=best.solution, moves=0)
    assert again.objective == best.objective
    values = again.history["objective"]
    assert set(values[np.isfinite(values)].tolist()) == {best.objective}


def test_declines():
    """What is not counted at the end, or does not fit, is declined with a sentence."""
    busy = weighted(1, (2, 2), 4, weights={"h_wait": True, "varphi": 0.5})
    for problem, words in (
        (four_subtasks(0.5, "running"), "z_mode is running"),
        (four_subtasks(0.0, "final"), "dp is exact"),
        (busy, "h_wait"),
        (e2(weights=Weighting(**FINAL)), "chains"),
        (ddpqn.instance("vgg19", 1, n_edges=20, weights=FINAL), "do not fit into 63 bits"),
        (ddpqn.instance("vgg19", 1, n_edges=1, n_clouds=1, weights=FINAL), "dp is exact"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            oe.solve(problem, "count-master")
    with pytest.raises(ValueError, match="dp is exact"):
        counts.make(four_subtasks(0.0, "final"))


@pytest.mark.parametrize(
    ("kind", "arrays", "words"),
    [
        ("count prices", {}, "'prices' must have shape"),
        ("count prices", {"prices": np.zeros(3)}, r"'prices' must have shape \(4,\)"),
        ("count prices", {"prices": np.array([0, np.nan, 0, 0])}, "'prices' must be finite"),
        ("count prices", {"prices": np.array([0, 1e308, -1e308, 0])}, "out of range"),
        ("count vectors", {"prices": np.zeros(4)}, "'limit' must have shape"),
        ("count vectors", {"prices": np.zeros(4), "limit": np.array([INF])}, "'limit' must be fin"),
        ("count vectors", {"prices": np.zeros(4), "limit": np.zeros(2)}, "'limit' must have shape"),
    ],
)
def test_malformed_certificates(kind, arrays, words):
    """A certificate with a wrong array is refused with a sentence that names it."""
    problem = four_subtasks(0.5, "final")
    with pytest.raises(ValueError, match=words):
        problem.certify(Certificate(kind, 6.0, arrays))


def test_certificates_of_other_problems():
    """A certificate is refused where it proves nothing: running Z, other kinds, several tasks."""
    running = four_subtasks(0.5, "running")
    bare = Certificate("count prices", 0.0, {"prices": np.zeros(4)})
    with pytest.raises(ValueError, match="z_mode is running"):
        running.certify(bare)
    with pytest.raises(ValueError, match="needs a certificate"):
        count_certificates.certify(four_subtasks(0.5, "final"), Certificate("paths", 0.0, {}))
    several = ddpqn.instance("alexnet", 4, weights=FINAL)
    vectors = {"prices": np.zeros(several.n_servers), "limit": np.zeros(1)}
    with pytest.raises(ValueError, match="one task alone"):
        several.certify(Certificate("count vectors", 0.0, vectors))


def test_certificate_claims_no_more_than_it_finds(monkeypatch):
    """A limit above the optimum proves the optimum, one below it proves the limit."""
    problem = next(p for p in map(drawn, range(8, 400)) if p.n_tasks == 1 and p.n_subtasks > 2)
    best, data = optimum(problem), counts.make(problem)[0]
    prices = np.zeros(data.group.size)
    above = count_certificates.make(problem, prices, best + 0.1)
    below = count_certificates.make(problem, prices, best - 0.1)
    assert above.value == pytest.approx(best, abs=1e-10)
    assert above.value <= best
    assert below.value == pytest.approx(best - 0.1, abs=1e-10)
    monkeypatch.setattr(count_certificates, "MOST_LABELS", 1)
    with pytest.raises(ValueError, match="lets in too many"):
        problem.certify(above)


def test_files_keep_certificates(tmp_path):
    """A saved result is verified after reading."""
    result = oe.solve(four_subtasks(0.5, "final"), "count-master")
    oe.save(result, tmp_path / "r.json")
    assert oe.verify(oe.load(tmp_path / "r.json")).verdict == "certified"


def test_annealing_counts_as_the_problem_does():
    """The value that annealing keeps is the objective of its plan, where no pool binds."""
    problem = drawn(9)
    data, tasks = counts.make(problem)
    of_class = np.zeros(problem.n_tasks, dtype=np.int64)
    for k, members in enumerate(tasks):
        of_class[members] = k
    rng = np.random.default_rng(0)
    best = np.repeat(problem.clients, problem.sizes)
    before = problem.objective(best)
    count_search.anneal(
        data, problem.first, of_class, best.copy(), best, 3000, 0.1, 1e-4, rng
    )  # fmt: skip
    value = count_search.value(data, problem.first, of_class, best)
    assert value == pytest.approx(problem.objective(best), abs=1e-12)
    assert value <= before


def test_rows_of_remainders_cut_no_plan():
    """The master with fixed columns has the value of the plan: its rows cut nothing off."""
    problem = ddpqn.instance("alexnet", 4, weights=dataclasses.replace(ddpqn.WEIGHTS, **FINAL))
    data, _ = counts.make(problem)
    rng = np.random.default_rng(1)
    for _ in range(5):
        codes = rng.integers(1, problem.n_servers, (4, 11))
        on = np.array([np.bincount(row, minlength=problem.n_servers) for row in codes])
        on = np.where(data.group >= 0, on, 0)
        bound = -1.0
        m = count_rows.master(data, on, np.zeros(4), np.zeros(4, dtype=np.int64), bound)
        fixed = dataclasses.replace(m, lower=np.append(np.ones(4), m.lower[4:]))
        found = oe.bridge.solve_arrays(fixed)
        z = int(counts.unevenness(on.sum(axis=0)[None], data.group)[0])
        assert found.objective == pytest.approx(z - bound / data.unit)
