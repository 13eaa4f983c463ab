"""The weighted objective of offloading: against formulas in loops, enumeration and known values.

The oracle reads the fields of an instance and the starts of a plan, nothing else of the package.
"""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from conftest import seeds
from test_offloading_models import oe_constraint, plans
from test_offloading_paths import INF, MODULE, THREE, e2, e2b, may_run, random_problem, send

import optedge as oe
from optedge.formulations.base import Certificate
from optedge.formulations.offloading import OffloadingProblem, Schedule, Weighting
from optedge.formulations.offloading.costs import paths
from optedge.formulations.offloading.models import explicit
from optedge.formulations.offloading.simulation.weighing import unevenness

SC = {"phi": 1.0, "varphi": 0.0, "xi": 0.0}
OPTIONS = {
    "standardisation": ("min-max", "max", "std"),
    "coupling_root": (2, 3),
    "h_indicators": ("cost", "benefit"),
    "h_wait": (False, True),
    "z_mode": ("running", "final"),
    "z_normalised": (False, True),
}
COMBINATIONS = [
    dict(zip(OPTIONS, values, strict=True)) for values in itertools.product(*OPTIONS.values())
]


# -------------------------------------------------------------------- instances


def e3(**weights):
    """Return the example of the specification: one task, three layers, three servers."""
    per_gb = [[0, 0.16, 0.8], [0.16, 0, 0.8], [0.8, 0.8, 0]]
    return OffloadingProblem.chains(
        [[2.3, 4.6, 9.2]],
        [np.array([8, 4, 16]) / 8],
        clients=[0],
        speeds_ghz=[2.3, 10, 80],
        rates_mb_s=[[0, 10, 0.5], [10, 0, 0.5], [0.5, 0.5, 0]],
        pools=[INF] * 3,
        tiers=[0, 1, 2],
        price_per_hour=[0, 2.2, 1.0],
        price_per_gb=per_gb,
        weights=Weighting(**{"xi": 0.0, **weights}),
    )


def four_subtasks(xi, mode, costs=(5, 1, 2, 3), tiers=(0, 1, 1, 2)):
    """Return E4: four equal layers that cost what the server says, beside Z."""
    dearest = float(max(costs))
    return OffloadingProblem.chains(
        [[1.0] * 4],
        [[0.0] * 4],
        clients=[0],
        speeds_ghz=1 / np.array(costs, dtype=float),
        rates_mb_s=np.full((len(costs),) * 2, INF),
        pools=[INF] * len(costs),
        tiers=tiers,
        weights=Weighting(
            theta=1, vartheta=0, eta=0, phi=dearest, varphi=0, xi=xi,
            standardisation="max", z_mode=mode, z_normalised=False,
        ),
    )  # fmt: skip


def weighted(seed, sizes=(3, 2), servers=5, *, weights=None, **fields):
    """Return a random instance with prices and weights."""
    rng = np.random.default_rng([seed, 77])
    given = dict(zip(("theta", "vartheta", "eta"), rng.dirichlet([1, 1, 1]).tolist(), strict=True))
    given |= {"h_weights": tuple(rng.dirichlet([2, 2, 2]).tolist()), **(weights or {})}
    return random_problem(
        seed,
        sizes,
        servers,
        **{
            "price_per_hour": rng.uniform(0, 3, servers) * (rng.random(servers) < 0.7),
            "price_per_gb": rng.uniform(0, 50, (servers, servers)),
            "weights": Weighting(**given),
            **fields,
        },
    )


def module(seed, lengths=(1, 2), **weights):
    """Return a module with a branch of each length between a split and a concatenation."""
    rng = np.random.default_rng([seed, *lengths])
    rows, stop = [[]], 1 + sum(lengths)
    for length in lengths:
        start = len(rows)
        rows[0].append(start)
        rows += [[v + 1 if v + 1 < start + length else stop] for v in range(start, start + length)]
    rows.append([])
    per_gb = rng.uniform(0, 2, (3, 3))
    rates = rng.uniform(0.5, 4, (3, 3))
    return OffloadingProblem(
        tuple(map(tuple, rows)), rng.uniform(1, 9, stop + 1), rng.uniform(0.05, 0.6, stop + 1),
        [0] * (stop + 1), [rng.uniform(0.5, 4)], [0], speeds_ghz=[1, 2, 4], tiers=[0, 1, 2],
        rates_mb_s=(rates + rates.T) / 2, pools=[INF] * 3, price_per_gb=per_gb,
        price_per_hour=[0, 2, 9], weights=Weighting(**{"xi": 0.0, **weights}),
    )  # fmt: skip


# -------------------------------------------------------------------- oracle


def run_seconds(p, v, s):
    """Return T1."""
    return p.work_gcycles[v] / p.speeds_ghz[s]


def spent(p, w, size, a, b):
    """Return T, E, U of sending ``size`` MB from a to b."""
    if a == b:
        return np.zeros(3)
    seconds = send(p, size, a, b)
    one_client = (p.tiers[a] == 0) != (p.tiers[b] == 0)
    per_gb = 0.0 if p.price_per_gb is None else p.price_per_gb[a, b]
    return np.array([seconds, w.radio_watt * seconds if one_client else 0.0, size / 1000 * per_gb])


def executed(p, w, v, s):
    """Return T, E, U of running layer v on s."""
    seconds = run_seconds(p, v, s)
    watt = w.client_watt if p.tiers[s] == 0 else w.idle_watt
    hourly = 0.0 if p.price_per_hour is None else p.price_per_hour[s]
    return np.array([seconds, watt * seconds, seconds * hourly / 3600])


def is_first(p, v):
    """Tell whether v is the first layer of its task."""
    return v == 0 or p.tasks[v - 1] != p.tasks[v]


def reachable(p, v, s):
    """Tell whether layer v may run on s, its input included if it is the first."""
    home = p.clients[p.tasks[v]]
    return may_run(p, v, s) and not (is_first(p, v) and send(p, 1.0, home, s) == INF)


def constants(p, w):
    """Return shift and scale of the three indicators over all allowed (layer, a, b)."""
    every, found = range(len(p.speeds_ghz)), []
    for v in range(len(p.tasks)):
        for b in every:
            if is_first(p, v) and reachable(p, v, b):
                home = p.clients[p.tasks[v]]
                sent = spent(p, w, p.inputs_mb[p.tasks[v]], home, b)
                found.append(sent + executed(p, w, v, b))
            for u in range(len(p.tasks)):
                if v not in p.successors[u] or not reachable(p, v, b):
                    continue
                for a in every:
                    if reachable(p, u, a) and send(p, 1.0, a, b) < INF:
                        sent = spent(p, w, p.outputs_mb[u], a, b)
                        found.append(sent + executed(p, w, v, b))
    low, high = np.min(found, axis=0), np.max(found, axis=0)
    if w.standardisation == "max":
        return np.zeros(3), high
    if w.standardisation == "std":
        mean = sum(found) / len(found)
        return np.zeros(3), np.sqrt(sum((x - mean) ** 2 for x in found) / len(found))
    return low, high - low


def hats(x, standard):
    """Return standardised indicators."""
    shift, scale = standard
    return [(x[k] - shift[k]) / scale[k] if scale[k] > 0 else 0.0 for k in range(3)]


def coordination(w, x):
    """Return H by the printed formula, or of benefits; what is 0 but for rounding is 0."""
    x = [1 - k if w.h_indicators == "benefit" else k for k in x]
    x = [0.0 if k < 1e-12 else k for k in x]
    if sum(x) == 0:
        return 0.0
    coupling = 3 * (math.prod(x) / sum(x) ** 3) ** (1 / w.coupling_root)
    return math.sqrt(coupling * sum(a * b for a, b in zip(w.h_weights, x, strict=True)))


def balance(p, servers, w):
    """Return Z of the options, by counting after each decision."""
    pairs = [
        (s, t)
        for s, t in itertools.combinations(range(len(p.tiers)), 2)
        if p.tiers[s] == p.tiers[t] > 0
    ]
    counts, total, last = [0] * len(p.tiers), 0, 0
    for s in servers:
        counts[s] += 1
        last = sum(abs(counts[a] - counts[b]) for a, b in pairs)
        total += last
    z = total if w.z_mode == "running" else last
    most = max(int((p.tiers == 1).sum()), int((p.tiers == 2).sum()))
    if w.z_normalised:
        return z / (len(servers) * (most - 1)) if most > 1 else 0.0
    return float(z)


def layers(p, w, servers, starts):
    """Return T (with waiting), E, U of each layer, and what H reads, shapes (n, 3)."""
    whole, seen = [], []
    for v, s in enumerate(servers):
        before = [u for u in range(v) if v in p.successors[u]]
        end = starts[v] + run_seconds(p, v, s)
        own = executed(p, w, v, s)
        if is_first(p, v):
            i = p.tasks[v]
            sent, since = spent(p, w, p.inputs_mb[i], p.clients[i], s), p.release[i]
        else:
            each = [spent(p, w, p.outputs_mb[u], servers[u], s) for u in before]
            ends = [starts[u] + run_seconds(p, u, servers[u]) for u in before]
            sent, since = sum(each), ends[0]
            if len(before) > 1:
                since = max(e + x[0] for e, x in zip(ends, each, strict=True))
        x = own + sent
        h = own if len(before) > 1 else x
        x[0] = end - since
        whole.append(x)
        seen.append(np.array([x[0], h[1], h[2]]) if w.h_wait else h.copy())
        if not w.h_wait and len(before) < 2:
            seen[-1][0] = (own + sent)[0]
    return np.array(whole), np.array(seen)


def plain(p, servers, starts, standard=None):
    """Return Q of a plan from the formulas of the specification."""
    w = p.weights
    standard = constants(p, w) if standard is None else standard
    whole, seen = layers(p, w, servers, starts)
    ends = [starts[v] + run_seconds(p, v, s) for v, s in enumerate(servers)]
    flows = 0.0
    for i in range(len(p.inputs_mb)):
        last = [v for v in range(len(servers)) if p.tasks[v] == i and not p.successors[v]]
        back = {v: send(p, p.outputs_mb[v], servers[v], p.clients[i]) for v in last}
        flows += max(ends[v] + (back[v] if p.return_result else 0.0) for v in last) - p.release[i]
    sums = [flows, whole[:, 1].sum(), whole[:, 2].sum()]
    n, total = len(servers), 0.0
    for k, weight in enumerate((w.theta, w.vartheta, w.eta)):
        shift, scale = standard[0][k], standard[1][k]
        total += w.phi * weight * ((sums[k] - n * shift) / scale if scale > 0 else 0.0)
    total -= w.varphi * sum(coordination(w, hats(x, standard)) for x in seen)
    return total + w.xi * balance(p, servers, w)


def best_of(problem):
    """Return the least cost of all assignments."""
    codes = np.array(list(plans(problem)))
    return float(problem.costs(codes).min())


def draw(problem, rng, count):
    """Return random feasible assignments."""
    found = [np.array(problem.clients[problem.tasks])]
    while len(found) <= count:
        code = np.array([rng.choice(np.flatnonzero(row)) for row in problem.allowed])
        if rng.random() < 0.1:  # where few links are left
            code = np.full(code.size, code[0])
        if np.isfinite(problem.costs(code[None])[0]):
            found.append(code)
    return np.array(found[1:])


# -------------------------------------------------------------------- examples


@pytest.mark.parametrize(
    ("weights", "best", "value", "worst", "most"),
    [
        (SC, (1, 2, 2), 0.155442, None, None),
        ({}, (1, 1, 1), 0.034741, (0, 0, 0), 0.571524),
        ({"coupling_root": 3}, (1, 1, 1), -0.009608, (0, 0, 0), 0.571524),
        ({"h_indicators": "benefit"}, (1, 2, 2), -0.348351, (0, 2, 0), 0.425039),
        (
            {"h_indicators": "benefit", "coupling_root": 3},
            (1, 2, 2), -0.488212, (0, 2, 0), 0.334480,
        ),
    ],
)  # fmt: skip
def test_third_example(weights, best, value, worst, most):
    """All 27 plans of E3: the best, the worst, and the dynamic program."""
    p = e3(**weights)
    codes = list(itertools.product(range(3), repeat=3))
    values = p.costs(np.array(codes))
    assert values == pytest.approx([p.objective(np.array(c)) for c in codes], rel=1e-12, abs=1e-14)
    assert codes[np.argmin(values)] == best
    assert values.min() == pytest.approx(value, abs=5.1e-7)
    if worst is not None:
        assert codes[np.argmax(values)] == worst
        assert values.max() == pytest.approx(most, abs=5.1e-7)
    for solver in ("dp", "highs"):
        r = oe.solve(p, solver)
        assert (tuple(r.solution.servers), r.status) == (best, oe.Status.OPTIMAL)
        assert oe.verify(r).verdict == "certified"


def test_third_example_in_numbers():
    """E3: the ranges of T, E and U, the second best, and the best delay."""
    p = e3(**SC)
    expected = [(0.0575, 8.0), (0.575, 280.8), (0, 0.002162)]
    for (low, high), (shift, scale) in zip(expected, p.pairs.standards, strict=True):
        assert (shift, shift + scale) == pytest.approx((low, high), abs=5e-7)
    values = sorted(p.costs(np.array(list(itertools.product(range(3), repeat=3)))))
    assert values[1] == pytest.approx(0.207620, abs=5.1e-7)
    flow = p.replace(weights=None)
    assert flow.objective([1, 2, 2]) == paths.shortest(flow).value == pytest.approx(1.5025)


@pytest.mark.parametrize(
    ("xi", "mode", "value", "plan"),
    [
        (0.0, "running", 4, (1, 1, 1, 1)),
        (0.5, "running", 7, (1, 2, 1, 1)),
        (0.5, "final", 6, (1, 1, 2, 2)),
        (0.75, "running", 7.5, (1, 2, 1, 2)),
        (0.75, "final", 6, (1, 1, 2, 2)),
        (1.5, "running", 9, None),
        (1.5, "final", 6, (1, 1, 2, 2)),
    ],
)
def test_fourth_example(xi, mode, value, plan):
    """E4: Z in both modes, by enumeration and by the model of counts."""
    p = four_subtasks(xi, mode)
    assert best_of(p) == pytest.approx(value, rel=1e-14)
    if plan is not None:
        assert p.objective(np.array(plan)) == pytest.approx(value, rel=1e-14)
    r = oe.solve(p, "highs")
    assert (r.status, r.objective) == (oe.Status.OPTIMAL, pytest.approx(value))


# -------------------------------------------------------------------- the value of a plan


@pytest.mark.parametrize("graph", [False, True])
def test_every_option_is_the_formula(graph):
    """Compiled costs, NumPy value and loops agree: all options, orders, pools that bind."""
    rng = np.random.default_rng(8)
    for k, options in enumerate(COMBINATIONS):
        order = ("fcfs", "priority", "planned")[k % 3]
        pools = INF if k % 5 == 0 else 1
        sizes, servers = ((4, 3), 5) if k % 2 else ((3, 2, 2), 6)
        p = weighted(k, sizes, servers, graph=graph, pools=pools, order=order, weights=options)
        codes = draw(p, rng, 3)
        standard = constants(p, p.weights)
        for code, cost in zip(codes, p.costs(codes), strict=True):
            plan = p.decode(code)
            expected = plain(p, code, plan.starts, standard)
            assert cost == pytest.approx(expected, rel=1e-10, abs=1e-11)
            assert p.objective(plan) == pytest.approx(expected, rel=1e-10, abs=1e-11)


@pytest.mark.parametrize("seed", seeds(20, 4))
def test_a_planned_schedule_is_valued_as_it_stands(seed):
    """Starts later than need be cost what they wait."""
    options = COMBINATIONS[5 * seed % len(COMBINATIONS)]
    p = weighted(seed, (3, 2), graph=seed % 2 == 1, weights=options)
    (code,) = draw(p, np.random.default_rng(seed), 1)
    plan = p.decode(code)
    late = Schedule(plan.servers, plan.starts + 0.5 * np.arange(1, 6)[p.layer])
    assert p.violations(late) == [] or p.pools.min() < INF
    late = Schedule(plan.servers, late.starts + 100 * p.tasks)  # one task after the other
    if p.violations(late) == []:
        assert p.objective(late) == pytest.approx(plain(p, code, late.starts), rel=1e-10)


@pytest.mark.parametrize("graph", [False, True])
def test_indicators_add_up(graph):
    """Delay, energy, cost and coordination of each layer are those of the loops."""
    for seed in range(6):
        p = weighted(seed, (4, 3), graph=graph, pools=1, weights={"h_wait": seed % 2 == 0})
        (code,) = draw(p, np.random.default_rng(seed), 1)
        plan, found = p.decode(code), p.indicators(code)
        whole, seen = layers(p, p.weights, code, plan.starts)
        standard = constants(p, p.weights)
        assert found["seconds"] == pytest.approx(whole[:, 0], abs=1e-12)
        assert found["joule"] == pytest.approx(whole[:, 1])
        assert found["dollar"] == pytest.approx(whole[:, 2])
        expected = [coordination(p.weights, hats(x, standard)) for x in seen]
        assert found["coordination"] == pytest.approx(expected, abs=1e-7)  # roots of rounding
        if not graph and not p.return_result:
            assert math.fsum(found["seconds"]) == pytest.approx(math.fsum(p.flows(code)))
    with pytest.raises(ValueError, match="the problem has no weights"):
        p.replace(weights=None).indicators(code)


def test_what_does_not_vary_does_not_count():
    """One server, numbers that differ by rounding only: no hat is blown up."""
    for standardisation in OPTIONS["standardisation"]:
        p = OffloadingProblem.chains(
            [[0.1, 0.1, 0.1]], [[0.0] * 3], clients=[0], speeds_ghz=[0.3], rates_mb_s=[[0.0]],
            pools=[1], tiers=[0], weights=Weighting(standardisation=standardisation),
        )  # fmt: skip
        value = p.objective(np.zeros(3, dtype=int))
        expected = 3 * 0.6 * 0.8 if standardisation == "max" else 0.0  # T and E are their largest
        assert value == pytest.approx(expected, abs=1e-9)


def test_z_by_hand():
    """Counts of edges and clouds apart; clients do not count."""
    tiers = np.array([0, 1, 1, 1, 2, 2])
    servers = np.array([1, 0, 4, 1, 2])  # Z after each: 2, 2, 3, 5, 5
    assert unevenness(tiers, servers, False) == 5
    assert unevenness(tiers, servers, True) == 17
    p = four_subtasks(1.0, "final")
    codes = np.array(list(itertools.product(range(4), repeat=4)))
    for mode in ("running", "final"):
        w = dataclasses.replace(p.weights, z_mode=mode)
        found = [unevenness(p.tiers, c, mode == "running") for c in codes]
        assert found == [balance(p, c, w) for c in codes]


@pytest.mark.parametrize("seed", range(4))
def test_order_of_tasks(seed):
    """Without pools and with Z at the end it does not matter which task is called first."""
    rng = np.random.default_rng(seed)
    work = [rng.uniform(1, 5, n) for n in (2, 3, 1)]
    data = [rng.uniform(0, 2, n) for n in (2, 3, 1)]
    fields = {
        "clients": [0] * 3, "speeds_ghz": [1, 2, 2.5, 4], "tiers": [0, 1, 1, 2], "pools": [INF] * 4,
        "rates_mb_s": np.full((4, 4), 2.0), "weights": Weighting(z_mode="final"),
    }  # fmt: skip
    p = OffloadingProblem.chains(work, data, **fields)
    turn = rng.permutation(3)
    q = OffloadingProblem.chains([work[i] for i in turn], [data[i] for i in turn], **fields)
    for code in draw(p, rng, 5):
        there = np.concatenate([code[p.tasks == i] for i in turn])
        assert q.objective(there) == pytest.approx(p.objective(code), rel=1e-12)
    assert q.bound("DP").value == pytest.approx(p.bound("DP").value, rel=1e-9)


# -------------------------------------------------------------------- dynamic program and bound


@pytest.mark.parametrize("seed", seeds(100, 16))
def test_dynamic_program_is_enumeration_of_chains(seed):
    """Without pools and Z: the best plan, certified; with them a bound of every plan."""
    options = COMBINATIONS[7 * seed % len(COMBINATIONS)] | {"h_wait": False}
    p = weighted(seed, (3, 2), 4, pools=INF, weights={**options, "xi": 0.0})
    expected = best_of(p)
    found = paths.shortest(p)
    assert found.exact
    assert p.objective(found.servers) == pytest.approx(expected, rel=1e-9, abs=1e-11)
    r = oe.solve(p, "dp")
    assert r.status == oe.Status.OPTIMAL
    assert r.bound == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert r.bound <= expected + 1e-14
    assert oe.verify(r).verdict == "certified"
    busy = p.replace(pools=[1] * 4, weights=dataclasses.replace(p.weights, xi=0.5))
    assert busy.bound("DP").value <= best_of(busy) + 1e-14


@pytest.mark.parametrize("kept", ["theta", "vartheta", "eta", "varphi"])
@pytest.mark.parametrize("graph", [False, True])
def test_weights_of_nought(kept, graph):
    """With one term alone, delay without weight too, the dynamic program stays exact."""
    names = ("theta", "vartheta", "eta", "varphi", "xi")
    for seed in range(3):
        p = weighted(seed, (4,), 3, graph=graph, pools=INF,
                     weights=dict.fromkeys(names, 0.0) | {kept: 1.0})  # fmt: skip
        bound, expected = paths.bound(p), best_of(p)
        assert bound.value <= expected + 1e-12
        if bound.info["exact"]:
            assert bound.value == pytest.approx(expected, rel=1e-9, abs=1e-9)


def branches_are_paths(p):
    """Tell whether every layer that lies in no chain of its own is a split or a merge."""
    return all(
        len(p.predecessors[v]) == 1 and len(p.successors[v]) <= 1
        for v in range(p.n_subtasks)
        if not is_cut(p, v)
    )


def is_cut(p, v):
    """Tell whether all paths of v's task go through v."""
    return not any(u < v < w for u in range(p.n_subtasks) for w in p.successors[u]) and not any(
        u < v and not p.successors[u] and p.tasks[u] == p.tasks[v] for u in range(v)
    )


@pytest.mark.parametrize("seed", seeds(120, 24))
def test_dynamic_program_of_graphs(seed):
    """Exact where branches are paths, and says so; else a bound that no plan is below."""
    options = COMBINATIONS[5 * seed % len(COMBINATIONS)] | {"h_wait": False}
    p = weighted(seed, (5,), 3, graph=True, pools=INF, weights={**options, "xi": 0.0})
    expected = best_of(p)
    bound = paths.bound(p)
    assert bound.value <= expected + 1e-12 * (1 + abs(expected))
    assert bound.info["exact"] or not branches_are_paths(p)
    if bound.info["exact"]:
        assert bound.value == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert p.objective(paths.shortest(p).servers) == pytest.approx(expected, abs=1e-10)
    r = oe.solve(p, "highs", kind="pairs")
    assert r.bound <= expected + 1e-12 * (1 + abs(expected))
    if r.status == oe.Status.OPTIMAL:
        assert r.objective == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_both_kinds_of_graphs_occur():
    """The seeds above hold exact values and bounds only."""
    exact = {
        paths.bound(
            weighted(k, (5,), 3, graph=True, pools=INF, weights={"xi": 0.0})
        ).info["exact"]
        for k in range(24)
    }  # fmt: skip
    assert exact == {True, False}


@pytest.mark.parametrize("make", [e2, e2b])
@pytest.mark.parametrize("phi", [1.0, 0.6])
def test_modules_of_the_specification(make, phi):
    """E2 and E2b with weights and prices: all 729 plans, and two steps that are no better."""
    p = make(
        weights=Weighting(phi=phi, varphi=1 - phi, xi=0.0),
        price_per_hour=[0, 2.2, 1.0],
        price_per_gb=np.full((3, 3), 0.5),
    )
    expected = best_of(p)
    found = paths.shortest(p)
    assert found.exact
    assert found.value == pytest.approx(expected, rel=1e-12)
    assert p.objective(found.servers) == pytest.approx(expected, rel=1e-12)
    assert p.objective(paths.two_step(p)[0]) >= expected - 1e-12


def test_two_steps_of_a_chain_are_one():
    """Without modules step 1 is the dynamic program, constants included."""
    for seed in range(4):
        p = weighted(seed, (4, 2), 4, pools=INF, weights={"xi": 0.0})
        servers, value = paths.two_step(p)
        assert value == pytest.approx(paths.shortest(p).value, rel=1e-12)
        assert p.objective(servers) == pytest.approx(value, rel=1e-12)


def cheapest_branches(p, lengths):
    """Return the best value of plans whose branches are each on their cheapest weighted path."""
    w, standard = p.weights, constants(p, p.weights)
    stop, every = len(p.tasks) - 1, range(3)
    weights = (w.phi * w.theta, w.phi * w.vartheta, w.phi * w.eta)
    scale = [k / s if s > 0 else 0.0 for k, s in zip(weights, standard[1], strict=True)]

    def layer(u, v, a, b):
        x = spent(p, w, p.outputs_mb[u], a, b) + executed(p, w, v, b)
        return float(np.dot(scale, x)) - w.varphi * coordination(w, hats(x, standard))

    starts = np.cumsum([1, *lengths])[:-1]
    found = []
    for a, b in itertools.product(every, repeat=2):
        plan = [a]
        for start, length in zip(starts, lengths, strict=True):
            ways = {}
            for way in itertools.product(every, repeat=length):
                at = [(0, a), *zip(range(start, start + length), way, strict=True)]
                cost = sum(layer(u, v, x, y) for (u, x), (v, y) in itertools.pairwise(at))
                sent = spent(p, w, p.outputs_mb[at[-1][0]], way[-1], b)
                ways[way] = cost + float(np.dot(scale, sent))
            plan += min(ways, key=ways.get)
        found.append([*plan, b])
    assert len(found[0]) == stop + 1
    return float(p.costs(np.array(found)).min())


@pytest.mark.parametrize("varphi", [0.0, 0.2])
def test_the_cheapest_path_of_each_branch_is_not_enough(varphi):
    """The slower branch alone is delay: Pareto sets are exact where cheapest paths miss."""
    missed = 0
    for seed in range(30):
        lengths = [(1, 1), (1, 2), (2, 2)][seed % 3]
        p = module(seed, lengths, varphi=varphi)
        expected = best_of(p)
        found = paths.shortest(p)
        assert found.exact
        assert found.value == pytest.approx(expected, rel=1e-10, abs=1e-12)
        assert p.objective(found.servers) == pytest.approx(expected, rel=1e-10, abs=1e-12)
        naive = cheapest_branches(p, lengths)
        assert naive >= expected - 1e-10
        missed += naive > expected + 1e-6
    assert 0 < missed < 30


# -------------------------------------------------------------------- certificates


@pytest.mark.parametrize("seed", range(8))
def test_disturbed_tables_prove_no_more(seed):
    """Whatever stands in a certificate, it proves at most the optimum."""
    rng = np.random.default_rng(seed)
    options = COMBINATIONS[11 * seed % len(COMBINATIONS)] | {"h_wait": False, "xi": 0.0}
    p = weighted(seed, (3, 2), 4, graph=seed % 2 == 1, pools=INF, weights=options)
    found, expected = paths.shortest(p), best_of(p)
    for size in (1e-15, 1e-9, 1e-3, 1.0, 1e9, 1e300):
        table = np.where(np.isfinite(found.potentials), found.potentials, 0.0)
        table = table + size * rng.normal(size=table.shape)
        value = p.certify(Certificate("paths", 0.0, {"potentials": table}))
        assert value <= expected + 1e-13 * (1 + abs(expected))


def test_waiting_in_h_has_no_bound():
    """Neither bound, model, dynamic program nor certificate: each says so in a sentence."""
    p = e3(h_wait=True)
    assert (p.bound_names, p.kinds, p.bounds()) == ((), (), {})
    for solver in ("dp", "lagrangian"):
        with pytest.raises(ValueError, match=f"{solver} declines .*h_wait"):
            oe.solve(p, solver)
    with pytest.raises(TypeError, match="highs is not made for OffloadingProblem"):
        oe.solve(p, "highs")
    with pytest.raises(ValueError, match="has no explicit model"):
        p.model()
    table = paths.shortest(e3()).potentials
    with pytest.raises(ValueError, match="no certificate is known where waiting counts"):
        p.certify(Certificate("paths", 0.0, {"potentials": table}))
    r = oe.solve(p, "enumeration")
    assert (r.bound, r.status) == (-INF, oe.Status.FEASIBLE)
    assert r.objective == pytest.approx(e3().objective(r.solution))  # nothing waits here
    assert e3(h_wait=True, varphi=0.0).bound_names == ("DP",)


# -------------------------------------------------------------------- models


def relaxation(p):
    """Return the value of the linear relaxation of the model of counts."""
    model = p.model("balance", relax=True)
    return oe.solve_model(model).objective * model.unit


@pytest.mark.parametrize("mode", OPTIONS["z_mode"])
@pytest.mark.parametrize("seed", seeds(30, 4))
def test_balance_is_enumeration(seed, mode):
    """Without pools the model of counts finds the optimum; with pools it bounds."""
    sizes, servers = [((3,), 6), ((2, 2), 5)][seed % 2]
    options = {"z_mode": mode, "z_normalised": seed % 4 > 1, "xi": 0.3}
    p = weighted(seed, sizes, servers, pools=INF, weights=options)
    assert p.kinds == ("balance", "pairs")
    expected = best_of(p)
    r = oe.solve(p, "highs")
    assert r.status == oe.Status.OPTIMAL
    assert r.objective == pytest.approx(expected, rel=1e-6, abs=1e-9)
    relaxed = relaxation(p)
    assert p.bound("DP").value - 1e-7 <= relaxed <= expected + 1e-7
    busy = p.replace(pools=[1] * servers)
    least = best_of(busy)
    r = oe.solve(busy, "highs")
    assert r.bound <= least + 1e-7
    assert r.objective >= least - 1e-12
    assert (r.status == oe.Status.OPTIMAL) == (r.gap <= 1e-6)


@pytest.mark.parametrize("mode", OPTIONS["z_mode"])
def test_the_relaxation_spreads_layers_evenly(mode):
    """Alike edges share every layer in the linear program: Z vanishes, its bound says nothing."""
    p = four_subtasks(10.0, mode, costs=(5, 1, 1, 3))
    assert relaxation(p) == pytest.approx(4)
    assert p.bound("DP").value == pytest.approx(4)
    # A first layer on an edge is 10 by then; the one cloud costs 12.
    assert best_of(p) == pytest.approx(12 if mode == "running" else 4)
    unlike = four_subtasks(10.0, mode)  # edges of 1 and 2: the program pays half of each
    assert relaxation(unlike) == pytest.approx(6)


def test_kinds_of_weighted_problems():
    """Only models that are valid: none that minimises flow times."""
    assert e3().kinds == ("pairs",)
    assert four_subtasks(1.0, "final").kinds == ("balance", "pairs")
    assert four_subtasks(1.0, "final", (5, 1, 3), (0, 1, 2)).kinds == ("pairs",)  # Z is always 0
    assert e2(weights=Weighting()).kinds == ("pairs",)
    for kind in ("disjunctive", "static", "time"):
        with pytest.raises(ValueError, match=f"has no model '{kind}'"):
            four_subtasks(1.0, "final").model(kind)


@pytest.mark.parametrize("seed", range(4))
def test_pairs_claim_no_more_than_they_prove(seed):
    """With pools that bind or with Z the linear program is a bound, and only then an optimum."""
    p = weighted(seed, (2, 2, 2), 3, pools=1, weights={"xi": 0.0})
    least = best_of(p)
    r = oe.solve(p, "highs")
    assert oe.verify(r).verdict == "certified"
    assert r.bound <= least + 1e-12
    assert least - 1e-12 <= r.objective
    assert (r.status == oe.Status.OPTIMAL) == (r.objective - r.bound <= 1e-6 * abs(r.objective))
    with_z = four_subtasks(0.5, "running")
    r = oe.solve(with_z, "highs", kind="pairs")
    assert (r.status, r.objective) == (oe.Status.FEASIBLE, pytest.approx(9))
    assert r.bound == pytest.approx(4)


@pytest.mark.parametrize("mode", OPTIONS["z_mode"])
def test_a_plan_in_the_model_of_counts(mode):
    """What is filled in keeps every row, has its value, and comes back; the size is said."""
    p = weighted(3, (3, 2), 6, pools=INF, weights={"z_mode": mode})
    model = p.model("balance")
    said, built = p.model_size("balance"), (model.nconstraints(), model.nvariables())
    assert all(b / 3 - 10 <= s <= 3 * b + 30 for s, b in zip(said, built, strict=True))
    for code in draw(p, np.random.default_rng(0), 3):
        p.fill(model, code)
        broken = [r.name for r in model.component_data_objects(oe_constraint())
                  if r.slack() < -1e-9]  # fmt: skip
        assert broken == []
        assert model.flow_time() * model.unit == pytest.approx(p.objective(code))
        assert explicit.extract(p, model).servers.tolist() == code.tolist()


# -------------------------------------------------------------------- fields and files


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        *[({name: -0.1}, f"{name} must be a number of at least 0, got -0.1")
          for name in ("theta", "vartheta", "eta", "phi", "varphi", "xi", "client_watt",
                       "idle_watt", "radio_watt")],
        ({"xi": math.nan}, "xi must be a number of at least 0, got nan"),
        ({"phi": INF}, "phi must be a number of at least 0, got inf"),
        ({"eta": "much"}, "eta must be a number of at least 0, got 'much'"),
        ({"eta": True}, "eta must be a number"),
        ({"h_weights": (0.5, 0.5)}, "h_weights must hold 3 numbers, got 2"),
        ({"h_weights": (0.5, -1.0, 0.5)}, r"h_weights\[1\] must be a number of at least 0"),
        ({"standardisation": "z-score"}, "standardisation must be one of .*, got 'z-score'"),
        ({"h_weights": 0.5}, "h_weights must hold 3 numbers, got 0.5"),
        ({"coupling_root": 4}, r"coupling_root must be one of \(2, 3\), got 4"),
        ({"h_indicators": "both"}, "h_indicators must be one of"),
        ({"z_mode": "mean"}, "z_mode must be one of"),
        ({"h_wait": 1}, "h_wait must be True or False, got 1"),
        ({"z_normalised": None}, "z_normalised must be True or False"),
    ],
)  # fmt: skip
def test_bad_weights(fields, words):
    """What is out of range is named."""
    with pytest.raises(ValueError, match=words):
        Weighting(**fields)


def test_bad_fields_of_a_weighted_problem():
    """Prices and weights are checked like every field."""
    p = e3()
    for fields, words in (
        ({"weights": {"xi": 1}}, "weights must be a Weighting or None"),
        ({"price_per_hour": [1, 2]}, "price_per_hour must have shape"),
        ({"price_per_hour": [0, -1, 2]}, r"price_per_hour\[1\] is negative"),
        ({"price_per_gb": np.full((3, 3), np.nan)}, r"price_per_gb\[0, 0\] is NaN"),
        ({"price_per_gb": [1, 2, 3]}, "price_per_gb must have shape"),
    ):
        with pytest.raises(ValueError, match=words):
            p.replace(**fields)


def test_files_and_identity(tmp_path):
    """Weights are saved, read, replaced, and part of the identity; the objective has no unit."""
    p = e3(coupling_root=3, h_weights=(0.2, 0.3, 0.5), z_mode="final")
    oe.save(p, tmp_path / "p.json")
    q = oe.load(tmp_path / "p.json")
    assert (q.key, q.weights) == (p.key, p.weights)
    assert q.objective([1, 2, 1]) == p.objective([1, 2, 1])
    result = oe.solve(p, "dp")
    oe.save(result, tmp_path / "r.json")
    assert oe.verify(oe.load(tmp_path / "r.json")).verdict == "certified"
    other = p.replace(weights=dataclasses.replace(p.weights, xi=0.7))
    plain_one = p.replace(weights=None)
    assert len({p.key, other.key, plain_one.key, p.replace(price_per_hour=None).key}) == 4
    assert p.replace(name="same").key == p.key
    assert (p.unit, plain_one.unit) == ("", "s")
    assert plain_one.objective([1, 2, 2]) == pytest.approx(1.5025)


def test_numbers_of_other_types(tmp_path):
    """Equal weights are equal, and can be saved, whatever type of number they came as."""
    p = e3(phi=1.0, varphi=0.5, coupling_root=3)
    q = e3(phi=1, varphi=np.float32(0.5), coupling_root=np.int64(3), h_weights=[0.33, 0.33, 0.34])
    assert (q.key, repr(q.weights)) == (p.key, repr(p.weights))
    oe.save(q, tmp_path / "q.json")
    assert oe.load(tmp_path / "q.json").key == p.key


def test_prices_may_be_left_out():
    """Without prices the cost is 0 and does not vary."""
    p = e3().replace(price_per_hour=None, price_per_gb=None)
    assert p.indicators([1, 2, 2])["dollar"].tolist() == [0, 0, 0]
    assert p.pairs.standards[2] == (0, 0)
    assert (len(MODULE), set(THREE)) == (6, {"speeds_ghz", "tiers"})
    assert plain(p, [1, 2, 2], p.decode([1, 2, 2]).starts) == pytest.approx(p.objective([1, 2, 2]))
