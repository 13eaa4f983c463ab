"""Solvers on the cut problem: all of them agree with enumeration and with networkx.

The oracles build their own flow network (DADS with return arcs) or price every assignment.
"""

import dataclasses
import itertools
import math

import networkx as nx
import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

import optedge as oe
from optedge import networks, platforms

INF = math.inf
DIAMOND = ((1,), (2, 3), (4,), (4,), ())
D1 = oe.CutProblem(DIAMOND, [[0, 2, 4, 4, 1], [0, 1, 1, 1, 0.5]], [[9, 3, 2.5, 2.5, 0]], name="D1")
D2 = oe.CutProblem(DIAMOND, [[0, 7, 1, 1, 8], [0, 3, 1, 1, 3]], [[7, 2, 6, 1, 0]], name="D2")
D3 = oe.CutProblem(DIAMOND, [[0, 4, 4, 8, 9], [0, 3, 2, 2, 11]], [[5, 2, 6, 2, 0]], name="D3")
CHAIN_A = oe.CutProblem.chain([[0, 2, 3, 4], [0, 1, 2, 1]], [[6, 3, 1, 0]], name="A")
CHAIN_B = oe.CutProblem.chain([[0, 1, 3, 4], [0, 2, 1, 2]], [[1, 2, 1, 0]], name="B")
THREE = oe.CutProblem(
    DIAMOND,
    [[0, 9, 8, 7, 9], [0, 4, 4, 4, 4], [0, 1, 1, 1, 1]],
    [[2, 1, 1, 1, 0], [8, 6, 3, 3, 0]],
    name="three tiers",
)
EXACT_ON_TWO = ("min-cut", "block-cut", "highs", "enumeration")
EXACT = ("min-cut", "highs", "enumeration")
ALL = (*EXACT_ON_TWO, "neurosurgeon", "edge-only", "cloud-only")


# -------------------------------------------------------------------- oracles


def latency(problem, x):
    """Return the latency of a plan by a loop over layers; a tensor crosses each hop once."""
    total = 0.0
    for v, row in enumerate(problem.successors):
        total += problem.times[x[v], v]
        farthest = max([x[w] for w in row], default=x[v])
        total += sum(problem.sends[k, v] for k in range(x[v], farthest))
    return total


def brute_force(problem):
    """Return the least latency of all assignments of tiers that send nothing back."""
    tiers, n = problem.times.shape
    best = INF
    for rest in itertools.product(range(tiers), repeat=n - 1):
        x = (0, *rest)
        if all(x[v] <= x[w] for v, row in enumerate(problem.successors) for w in row):
            best = min(best, latency(problem, x))
    return best


def networkx_cut(problem):
    """Return the minimum cut of the DADS network that section 3b describes, by networkx."""
    g = nx.DiGraph()
    (device, cloud), (send,) = problem.times.tolist(), problem.sends.tolist()

    def arc(tail, head, capacity):
        if g.has_edge(tail, head):
            capacity += g[tail][head].get("capacity", INF)
        if capacity == INF:
            g.add_edge(tail, head)
            g[tail][head].pop("capacity", None)
        else:
            g.add_edge(tail, head, capacity=capacity)

    arc("s", 0, INF)
    for v, row in enumerate(problem.successors):
        arc("s", v, cloud[v])
        arc(v, "t", device[v])
        if len(row) == 1:
            arc(v, row[0], send[v])
        elif row:
            arc(v, ("sent", v), send[v])
        for w in row:
            if len(row) > 1:
                arc(("sent", v), w, INF)
            arc(w, v, INF)
    return nx.minimum_cut_value(g, "s", "t")


def chain_oracle(problem):
    """Return (cut, latency) of the best cut of a chain by prefix sums; ties to the earliest."""
    (device, cloud), (send,) = problem.times, problem.sends
    last = device.size - 1
    values = [
        device[: i + 1].sum() + cloud[i + 1 :].sum() + (send[i] if i < last else 0.0)
        for i in range(last + 1)
    ]
    return int(np.argmin(values)), min(values)


def random_problem(seed, n=7, tiers=2, kind="real", chain=False):
    """Return a random instance whose numbers are of a kind."""
    rng = np.random.default_rng([seed, n, tiers, 7])
    share = rng.uniform(0.05, 0.7)
    rows = [set() for _ in range(n)]
    for w in range(1, n):
        before = np.flatnonzero(rng.random(w) < share).tolist() or [int(rng.integers(0, w))]
        for v in [w - 1] if chain else before:
            rows[v].add(w)
    shape = (2 * tiers - 1, n)
    numbers = {
        "whole": lambda: rng.integers(0, 7, shape).astype(float),
        "zeros": lambda: rng.integers(0, 2, shape).astype(float),
        "real": lambda: rng.uniform(0, 5, shape),
        "no links": lambda: rng.integers(1, 9, shape).astype(float),
        "free sends": lambda: rng.integers(1, 9, shape).astype(float),
        "nanoseconds": lambda: rng.uniform(0, 5e-9, shape),
        "years": lambda: rng.uniform(0, 1e9, shape),
        "mixed": lambda: 10 ** rng.uniform(-6, 6, shape),
    }[kind]()
    sends = numbers[tiers:]
    if kind == "no links":
        sends[rng.random(sends.shape) < 0.4] = INF
    if kind == "free sends":
        sends[rng.random(sends.shape) < 0.4] = 0
    return oe.CutProblem([sorted(row) for row in rows], numbers[:tiers], sends)


KINDS = ("whole", "zeros", "real", "no links", "free sends", "nanoseconds", "years", "mixed")


def check_exact(problem, solver, optimum):
    """Assert that a solver finds the optimum, proves it, and that the proof can be checked."""
    r = oe.solve(problem, solver, bound=False)
    assert r.objective == pytest.approx(optimum, rel=1e-6, abs=1e-30)
    assert r.objective == pytest.approx(latency(problem, r.solution), rel=1e-12)
    assert (r.status, problem.violations(r.solution)) == ("OPTIMAL", [])
    assert r.bound <= optimum * (1 + 1e-12)
    check = oe.verify(r)
    assert check, check.message
    if solver in ("min-cut", "highs"):
        assert check.verdict == "certified"


# ---------------------------------------------------------------- the optimum


@pytest.mark.parametrize("solver", EXACT_ON_TWO)
@pytest.mark.parametrize(("problem", "optimum"), [(D1, 7.5), (D2, 14), (D3, 21)])
def test_diamonds(problem, optimum, solver):
    """D1, D2 and D3 to the digits: layers 2, 3 and 4 in the cloud, by every exact solver."""
    r = oe.solve(problem, solver)
    assert r.objective == optimum
    assert r.solution.tolist() == [0, 0, 1, 1, 1]
    assert r.status == "OPTIMAL"


@pytest.mark.parametrize("solver", [*EXACT_ON_TWO, "neurosurgeon"])
def test_chains(solver):
    """Chain A costs 7 at cut 2; chain B 6 at cut 0, or at cut 1 that ties with it."""
    a, b = oe.solve(CHAIN_A, solver), oe.solve(CHAIN_B, solver)
    assert (a.objective, a.solution.tolist(), a.status) == (7, [0, 0, 0, 1], "OPTIMAL")
    assert (b.objective, b.status) == (6, "OPTIMAL")
    assert b.solution.tolist() in ([0, 1, 1, 1], [0, 0, 1, 1])


@pytest.mark.parametrize("solver", ["neurosurgeon", "enumeration"])
def test_ties_go_to_the_earliest_cut(solver):
    """Chain B ties at cuts 0 and 1: the earliest is taken by who goes through the cuts."""
    assert oe.solve(CHAIN_B, solver).solution.tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(10))
def test_two_tiers(seed, kind):
    """Flow, blocks, linear program and enumeration are brute force and networkx, in any scale."""
    p = random_problem(seed, 2 + seed % 6, kind=kind)
    optimum = brute_force(p)
    assert networkx_cut(p) == pytest.approx(optimum, rel=1e-9)
    for solver in EXACT_ON_TWO:
        if (solver, kind) != ("highs", "mixed"):
            check_exact(p, solver, optimum)


def test_highs_on_mixed_scales():
    """Over twelve powers of ten highs may leave a gap, but never claims what is not so."""
    for seed in range(20):
        p = random_problem(seed, 2 + seed % 6, kind="mixed")
        optimum = brute_force(p)
        r = oe.solve(p, "highs", bound=False)
        assert optimum * (1 - 1e-12) <= r.objective
        assert r.bound <= optimum
        assert (r.status == "OPTIMAL") == (r.gap <= 1e-6)
        assert oe.verify(r).verdict == "certified"


def test_highs_closes_mixed_scales():
    """Edge-only takes 3e5 s here, the optimum 0.07 s: highs proves it all the same."""
    p = random_problem(3, 5, kind="mixed")
    check_exact(p, "highs", brute_force(p))


def test_highs_finds_the_optimum_of_mixed_scales():
    """Every clean cut takes 4.5e5 s, the optimum 1946.22 s: a solver called exact finds it."""
    p = oe.CutProblem(
        [[1, 2], [3, 4], [], [], []],
        [[0, 8.112448, 1e-4, 454800.7, 0.04971575], [0, 244151.3, 821.87, 3e-5, 2e-6]],
        [[125941.3, 1938.11, 1, 1, 1]],
    )
    check_exact(p, "highs", brute_force(p))


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0, 300.0])
def test_a_slow_middle_tier(seconds):
    """A middle tier ten times slower than the device does not spoil the proof, in any unit."""
    p = oe.CutProblem(
        [[1], []],
        [[0, seconds], [0, 10 * seconds], [0, 10 * seconds]],
        [[seconds, 0], [seconds, 0]],
    )
    for solver in EXACT:
        check_exact(p, solver, seconds)


def test_four_tiers_of_very_different_speed():
    """Times over ten powers of ten, the optimum near one second: proved as anywhere else."""
    p = oe.CutProblem(
        [[1], []],
        [[0.816321821, 0.15407889], [3.51e-3, 3708.7696], [22.82, 1238.76689], [3.4e-6, 41903.1]],
        [[0.225366926, 2.59663920], [1.082e-3, 1220.69027], [219.651493, 1.1e-5]],
    )
    for solver in EXACT:
        check_exact(p, solver, brute_force(p))


@pytest.mark.parametrize("kind", KINDS[:7])
@pytest.mark.parametrize("tiers", [3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_more_tiers(seed, tiers, kind):
    """Flow, linear program and enumeration are brute force on three and four tiers."""
    p = random_problem(seed, 2 + (seed + tiers) % 4, tiers, kind=kind, chain=seed % 2 == 1)
    for solver in EXACT:
        check_exact(p, solver, brute_force(p))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tiers", [3, 4])
def test_chains_of_more_tiers(tiers, kind):
    """A chain on more tiers: the best of all places where to go on, by every exact solver."""
    for seed in range(3):
        p = random_problem(seed, 12, tiers, kind=kind, chain=True)
        cuts = itertools.combinations_with_replacement(range(12), tiers - 1)
        optimum = min(
            latency(p, [sum(v > place for place in places) for v in range(12)]) for places in cuts
        )
        for solver in (*EXACT, "neurosurgeon"):
            r = oe.solve(p, solver, bound=False)
            assert r.objective == pytest.approx(optimum, rel=1e-6, abs=1e-30)
            assert r.bound <= optimum * (1 + 1e-12)


@pytest.mark.parametrize("kind", KINDS[:7])
@pytest.mark.parametrize("seed", range(8))
def test_large_graphs_against_networkx(seed, kind):
    """Up to 70 layers: flow and blocks are the minimum cut of networkx."""
    p = random_problem(seed, 15 + 8 * seed, kind=kind)
    optimum = networkx_cut(p)
    for solver in ("min-cut", "block-cut", *(["highs"] if seed == 2 else [])):
        r = oe.solve(p, solver, bound=False)
        assert r.objective == pytest.approx(optimum, rel=1e-6, abs=1e-30)
        assert r.bound <= optimum * (1 + 1e-9)
        assert r.status == "OPTIMAL"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_chains_by_prefix_sums(seed, kind):
    """On a chain every solver finds what prefix sums find; Neurosurgeon the earliest, proved."""
    p = random_problem(seed, 4 + 9 * seed, kind=kind, chain=True)
    cut, optimum = chain_oracle(p)
    for solver in (*EXACT_ON_TWO, "neurosurgeon"):
        r = oe.solve(p, solver, bound=False)
        assert r.objective == pytest.approx(optimum, rel=1e-6, abs=1e-30)
        assert r.status == "OPTIMAL"
    if kind in ("whole", "zeros", "free sends"):  # sums of whole numbers tie exactly
        assert (r.solution == 0).sum() - 1 == cut


def test_one_layer():
    """An input alone stays, whoever is asked."""
    for tiers in (2, 3):
        p = oe.CutProblem([[]], [[1.0]] * tiers, [[5.0]] * (tiers - 1))
        for solver in ALL:
            if solver == "block-cut" and tiers == 3:
                continue
            r = oe.solve(p, solver)
            assert (r.objective, r.solution.tolist(), r.status) == (1, [0], "OPTIMAL")
        slowest = p.replace(goal="throughput")
        for solver in ("enumeration", "neurosurgeon", "edge-only"):
            assert oe.solve(slowest, solver).objective == 1


@pytest.mark.parametrize("tiers", [2, 3])
def test_the_slowest_stage_of_one_layer(tiers):
    """An input alone has one stage that takes time, for highs too."""
    p = oe.CutProblem([[]], [[1.0]] * tiers, [[5.0]] * (tiers - 1), goal="throughput")
    assert oe.solve(p, "highs").objective == 1


def test_two_layers():
    """The smallest choice: stay for 3 s, or send 1 s and compute 1 s."""
    p = oe.CutProblem([[1], []], [[0, 3], [0, 1]], [[1, 0]])
    for solver in (*EXACT_ON_TWO, "neurosurgeon", "cloud-only"):
        r = oe.solve(p, solver)
        assert (r.objective, r.solution.tolist(), r.status) == (2, [0, 1], "OPTIMAL")
    assert oe.solve(p, "edge-only").objective == 3


def test_several_ends():
    """A network with two outputs: one may stay while the other goes."""
    p = oe.CutProblem([[1], [2, 3], [], []], [[0, 1, 1, 9], [0, 9, 9, 1]], [[9, 1, 0, 0]])
    for solver in EXACT_ON_TWO:
        r = oe.solve(p, solver)
        assert (r.objective, r.solution.tolist()) == (4, [0, 0, 0, 1])


def test_skip_edges():
    """An edge over a block keeps its output alive: it is paid if the block is cut later."""
    p = oe.CutProblem(
        [[1], [2, 4], [3], [4], []], [[0, 1, 1, 1, 9], [0, 5, 5, 5, 1]], [[9, 3, 9, 1, 0]]
    )
    assert brute_force(p) == 8  # everything but the end on the device, both outputs sent
    for solver in EXACT_ON_TWO:
        r = oe.solve(p, solver)
        assert (r.objective, p.crossing(r.solution)) == (8, (1, 3))


def test_no_time_at_all():
    """Where nothing costs anything the optimum is 0 and proved."""
    p = oe.CutProblem(DIAMOND, np.zeros((2, 5)), np.zeros((1, 5)))
    for solver in EXACT_ON_TWO:
        r = oe.solve(p, solver)
        assert (r.objective, r.bound, r.status) == (0, 0, "OPTIMAL")


def test_no_time_in_any_stage():
    """The same of the slowest stage."""
    p = oe.CutProblem(DIAMOND, np.zeros((2, 5)), np.zeros((1, 5)), goal="throughput")
    for solver in ("highs", "enumeration"):
        r = oe.solve(p, solver)
        assert (r.objective, r.bound, r.status) == (0, 0, "OPTIMAL")


def test_an_optimum_of_zero_is_optimal():
    """Where only the optimal plan costs nothing, it is called optimal all the same."""
    for seed in range(40):
        p = random_problem(seed, 3 + seed % 3, 2 + seed % 3, kind="zeros")
        for solver in EXACT:
            assert oe.solve(p, solver, bound=False).status == "OPTIMAL"


@pytest.mark.parametrize("solver", EXACT_ON_TWO)
@pytest.mark.parametrize("long", [1e6, 1e12, 1e20, 1e300])
@pytest.mark.parametrize("where", ["device", "cloud", "send"])
def test_a_large_number_instead_of_inf(where, long, solver):
    """Who writes 1e20 where a layer cannot run or be sent gets the answers all the same."""
    times, sends = D2.times.copy(), D2.sends.copy()
    if where == "device":
        times[0, 4] = long
    elif where == "cloud":
        times[1, [1, 4]] = long
    else:
        sends[0, [0, 2]] = long
    p = oe.CutProblem(DIAMOND, times, sends)
    optimum = {"device": 14, "cloud": 17, "send": 14}[where]
    assert brute_force(p) == optimum
    assert oe.solve(p, solver, bound=False).objective == optimum
    check_exact(p, solver, optimum)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e-6, 1e9, 1e100, 1e300])
def test_any_unit(scale):
    """The unit of time does not matter."""
    for p, optimum in ((D1, 7.5), (D2, 14), (D3, 21)):
        q = p.replace(times=scale * p.times, sends=scale * p.sends)
        for solver in EXACT_ON_TWO:
            r = oe.solve(q, solver, bound=False)
            assert r.solution.tolist() == [0, 0, 1, 1, 1]
            assert r.objective == pytest.approx(scale * optimum, rel=1e-12, abs=0)
            assert r.bound == pytest.approx(scale * optimum, rel=1e-6, abs=0)
            assert oe.verify(r)


# ---------------------------------------------------------------- throughput


@pytest.mark.parametrize("kind", ["whole", "zeros", "real", "no links", "nanoseconds", "years"])
@pytest.mark.parametrize("seed", range(4))
def test_throughput(seed, kind):
    """The slowest stage: highs and enumeration find the least, bounds stay below it."""
    tiers = 2 + seed % 2
    p = random_problem(seed, 7 - tiers, tiers, kind=kind).replace(goal="throughput")
    optimum = INF
    for rest in itertools.product(range(tiers), repeat=p.n_layers - 1):
        x = np.array([0, *rest])
        if not p.violations(x):
            optimum = min(optimum, float(p.stages(x).max()))
    for solver in ("highs", "enumeration"):
        r = oe.solve(p, solver)
        assert r.objective == pytest.approx(optimum, rel=1e-6, abs=1e-30)
        assert r.bound <= optimum * (1 + 1e-9)
        assert r.status == "OPTIMAL"
        assert oe.verify(r)
    for solver in ("neurosurgeon", "edge-only", "cloud-only"):
        r = oe.solve(p, solver)
        assert r.objective >= optimum * (1 - 1e-12)
        assert r.bound <= optimum * (1 + 1e-9)


def test_throughput_is_not_for_flows():
    """A minimum cut and blocks decline the slowest stage, and say who takes it."""
    p = D1.replace(goal="throughput")
    for solver in ("min-cut", "block-cut"):
        with pytest.raises(ValueError, match=f"{solver} declines D1: .* needs highs"):
            oe.solve(p, solver)


def test_blocks_are_for_two_tiers():
    """Blocks decline three tiers with the reason."""
    with pytest.raises(ValueError, match="block-cut declines three tiers: it has 3 tiers"):
        oe.solve(THREE, "block-cut")


# ---------------------------------------------------------------- heuristics


@given(st.integers(0, 10**6), st.sampled_from(["whole", "real", "no links"]))
@examples(60)
def test_neurosurgeon_cuts_at_cut_vertices(seed, kind):
    """It finds the best plan whose cut is at a layer that every path meets, and claims no more."""
    p = random_problem(seed, 2 + seed % 7, kind=kind)
    graph = nx.DiGraph([(v, w) for v, row in enumerate(p.successors) for w in row])
    for v, row in enumerate(p.successors):
        if not row:
            graph.add_edge(v, "end")
    idom = nx.immediate_dominators(graph, 0)
    clean, v = {p.n_layers - 1}, idom["end"]
    while v not in clean - {p.n_layers - 1} and v is not None:
        clean.add(v)
        v = idom.get(v) if v != 0 else None
    layers = np.arange(p.n_layers)
    best = min(p.objective((layers > place).astype(int)) for place in clean)
    r = oe.solve(p, "neurosurgeon", bound=False)
    assert r.objective == pytest.approx(best)
    assert (r.bound == -INF) == (not p.is_chain)
    assert set(p.crossing(r.solution)) <= clean


def test_baselines():
    """Edge-only and cloud-only are what they say; neither proves anything."""
    for p, device, cloud in ((D1, 11, 12.5), (D2, 17, 15), (D3, 25, 23)):
        for solver, value in (("edge-only", device), ("cloud-only", cloud)):
            r = oe.solve(p, solver, bound=False)
            assert (r.objective, r.bound, r.status) == (value, -INF, "FEASIBLE")
    assert oe.solve(THREE, "cloud-only").solution.tolist() == [0, 2, 2, 2, 2]


def test_cloud_only_may_be_impossible():
    """Without a link cloud-only has no solution, and says which output is stuck."""
    p = oe.CutProblem(DIAMOND, D1.times, [[INF, 3, 2.5, 2.5, 0]])
    r = oe.solve(p, "cloud-only")
    assert (r.status, r.objective, r.solution) == ("UNKNOWN", INF, None)
    assert r.info["reason"] == "layer 0: its output cannot cross from tier 0 to tier 1."
    assert oe.verify(r)


def test_no_bandwidth():
    """At 0 bit/s every exact solver leaves everything on the device; cloud-only is impossible."""
    servers = [platforms.Server(speed=1e9), platforms.Server(speed=1e12)]
    line = platforms.Platform.line(servers, [1e6])
    for name in ("alexnet", "googlenet"):
        graph = networks.load(name)
        p = oe.CutProblem.from_network(graph, line, bandwidth=0)
        for solver in (*EXACT_ON_TWO, "neurosurgeon"):
            r = oe.solve(p, solver)
            assert (r.solution == 0).all()
            assert r.status == "OPTIMAL"
            assert r.objective == pytest.approx(graph.flops.sum() / 1e9)
        r = oe.solve(p, "cloud-only")
        assert (r.status, r.solution) == ("UNKNOWN", None)
        assert "cannot cross" in r.info["reason"]


# ---------------------------------------------------------------- the rules of a run


@pytest.mark.parametrize("solver", ALL)
@pytest.mark.parametrize("problem", [D1, CHAIN_B, THREE], ids=lambda p: p.name)
def test_same_result_twice(problem, solver):
    """Nothing here depends on chance: equal solution, bound and history but for its seconds."""
    if solver == "block-cut" and problem is THREE:
        return
    first, second = (oe.solve(problem, solver, seed=k) for k in (0, 1))
    np.testing.assert_array_equal(first.solution, second.solution)
    assert (first.objective, first.bound) == (second.objective, second.bound)
    assert [row[1:] for row in first.history.tolist()] == [
        row[1:] for row in second.history.tolist()
    ]


@pytest.mark.parametrize("most", [1, 2, 3, 5])
@pytest.mark.parametrize("solver", ["enumeration", "neurosurgeon"])
def test_a_budget_allows_no_proof(solver, most):
    """Who has not seen every plan proves nothing, however good the best one is."""
    p = random_problem(4, 7, chain=True)
    r = oe.solve(p, solver, max_evaluations=most, bound=False)
    assert r.evaluations == most
    assert (r.bound, r.status, r.stop_reason) == (-INF, "FEASIBLE", "evaluations")
    full = oe.solve(p, solver, max_evaluations=7, bound=False)
    assert (full.evaluations, full.status, full.stop_reason) == (7, "OPTIMAL", "optimal")


@pytest.mark.parametrize("most", range(1, 8))
@pytest.mark.parametrize("solver", ALL)
def test_no_more_is_priced_than_allowed(solver, most):
    """The evaluations of a run stay within the budget, whoever runs."""
    p = random_problem(11, 8, kind="whole")
    r = oe.solve(p, solver, max_evaluations=most, bound=False)
    assert 1 <= r.evaluations <= most
    assert r.objective < INF
    assert r.bound <= brute_force(p) * (1 + 1e-12)


@pytest.mark.parametrize("most", range(1, 7))
def test_bounds_of_an_unfinished_run(most):
    """On D1, with 6 plans, enumeration claims a bound exactly if it saw all of them."""
    r = oe.solve(D1, "enumeration", max_evaluations=most, bound=False)
    assert r.bound == (7.5 if most == 6 else -INF)


@pytest.mark.parametrize("solver", ["min-cut", "block-cut", "enumeration", "highs"])
@pytest.mark.parametrize("limits", [{"time_limit": 0.0}, {"callback": lambda run: True}])
def test_stopped_runs_are_honest(solver, limits):
    """Without any time, or stopped at once, nothing false is claimed."""
    r = oe.solve(D2, solver, bound=False, **limits)
    assert r.stop_reason in ("time_limit", "callback", "optimal")
    assert r.bound <= 14
    assert r.objective >= 14
    assert oe.verify(r)


@pytest.mark.parametrize("solver", ALL)
def test_target_gap(solver):
    """A wide target lets a run end early; what it returns is within it."""
    r = oe.solve(D2, solver, target_gap=0.5)
    assert r.gap <= 0.5
    assert r.stop_reason in ("target_gap", "optimal")
    assert (r.status == "OPTIMAL") == (r.gap <= 1e-6)


def test_without_attached_bound():
    """``bound=False`` leaves heuristics without a bound; with it the gap is proved."""
    bare, full = oe.solve(D2, "edge-only", bound=False), oe.solve(D2, "edge-only")
    assert (bare.bound, bare.gap, bare.proof) == (-INF, INF, "none")
    assert full.bound == pytest.approx(14, rel=1e-7)
    assert full.gap == pytest.approx(3 / 17)
    assert oe.verify(full).verdict == "certified"
    assert oe.verify(bare).verdict == "no bound"


@pytest.mark.parametrize("solver", ["highs", "min-cut"])
def test_start(solver):
    """A start that is no plan is refused by its violation; a good one does no harm."""
    with pytest.raises(ValueError, match="start: layer 0 is the input"):
        oe.solve(D1, solver, start=[1, 1, 1, 1, 1])
    assert oe.solve(D1, solver, start=[0, 0, 0, 0, 0]).objective == 7.5


def test_throughput_start():
    """The search of the slowest stage begins with the start and ends no worse."""
    p = D1.replace(goal="throughput")
    r = oe.solve(p, "highs", start=np.array([0, 1, 1, 1, 1]))
    found = r.history["objective"]
    assert found[found < INF][0] == 9
    assert r.objective == 3


@pytest.mark.parametrize("solver", ["lpt", "lst", "potts"])
def test_solvers_of_other_problems(solver):
    """A solver that is not made for cuts says so."""
    with pytest.raises(TypeError, match=f"{solver} is not made for CutProblem"):
        oe.solve(D1, solver)


@pytest.mark.parametrize("solver", ["annealing", "local-search", "random"])
@pytest.mark.parametrize("problem", [D1, D2, D3, THREE, CHAIN_A], ids=lambda p: p.name)
def test_searches(problem, solver):
    """Searches find the optimum of five layers, claim no bound, and keep a start."""
    hot = {"start_temperature": 1.0} if solver == "annealing" else {}
    r = oe.solve(problem, solver, max_evaluations=2000, seed=1, bound=False, **hot)
    assert r.objective == pytest.approx(brute_force(problem))
    assert r.bound == -INF
    edge_only = problem.everything_on(0)
    if solver != "random":
        r = oe.solve(problem, solver, start=edge_only, max_evaluations=1, bound=False)
        assert r.objective <= problem.objective(edge_only)


def test_own_heuristic():
    """A function that returns a plan is a solver too, and gets the proved gap."""
    r = oe.solve(D2, lambda problem, run: [0, 0, 1, 1, 1])
    assert (r.objective, r.status) == (14, "OPTIMAL")


def test_options_are_checked():
    """An unknown option is refused, an unknown kind of model too."""
    with pytest.raises(TypeError, match="kind"):
        oe.solve(D1, "highs", speed=3)
    with pytest.raises(ValueError, match="has no model 'throughput'"):
        oe.solve(D1, "highs", kind="throughput")


def test_solvers_are_listed():
    """The table of solvers for a cut holds those of this file."""
    assert set(ALL) <= set(oe.list_solvers(D1)["name"])


# ---------------------------------------------------------------- files and proofs


@pytest.mark.parametrize("solver", ALL)
def test_results_come_back_from_files(tmp_path, solver):
    """Saved and loaded, a result is the same and can be verified again."""
    r = oe.solve(D3.replace(sends=[[INF if solver != "cloud-only" else 5, 2, 6, 2, 0]]), solver)
    oe.save(r, tmp_path / "r.json")
    back = oe.load(tmp_path / "r.json")
    assert (back.objective, back.bound, back.status) == (r.objective, r.bound, r.status)
    assert back.problem.key == r.problem.key
    np.testing.assert_array_equal(back.solution, r.solution)
    assert back.history.tolist() == r.history.tolist()
    assert oe.verify(back) == oe.verify(r)
    assert oe.verify(back).ok


@pytest.mark.parametrize("solver", ["min-cut", "highs"])
@pytest.mark.parametrize("tiers", [2, 3])
def test_tampered_certificates(solver, tiers):
    """Multipliers that were changed prove another bound, and verify notices what is missing."""
    p = random_problem(9, 6, tiers)
    r = oe.solve(p, solver, bound=False)
    optimum = brute_force(p)
    assert oe.verify(r).verdict == "certified"
    for name, array in r.certificate.arrays.items():
        for factor in (0.0, 0.5, 1.01, 100.0):
            changed = {**r.certificate.arrays, name: factor * array}
            lie = dataclasses.replace(r.certificate, arrays=changed)
            check = oe.verify(dataclasses.replace(r, certificate=lie))
            assert check.certified_bound <= optimum * (1 + 1e-12)
            if check.certified_bound < r.bound * (1 - 1e-9):
                assert (check.ok, check.verdict) == (False, "does not prove it")


def test_a_claimed_bound_is_not_believed():
    """A bound above what the certificate proves is refuted, one above the objective anyway."""
    r = oe.solve(D2, "edge-only")
    for bound in (15.0, 17.0, 18.0):
        check = oe.verify(dataclasses.replace(r, bound=bound))
        assert not check
        assert check.verdict == "does not prove it"
    negative = {k: -a - 1 for k, a in r.certificate.arrays.items()}
    lie = dataclasses.replace(r.certificate, arrays=negative)
    with pytest.raises(ValueError, match="must be non-negative and finite"):
        oe.verify(dataclasses.replace(r, certificate=lie))


def test_a_wrong_plan_is_not_believed():
    """A solution that sends data back, or that has another value, is refuted."""
    r = oe.solve(D3, "min-cut")
    check = oe.verify(dataclasses.replace(r, solution=np.array([0, 0, 1, 1, 0]), objective=19.0))
    assert not check
    assert "data go back" in check.message
    assert not oe.verify(dataclasses.replace(r, objective=20.0))


# ---------------------------------------------------------------- studies


def test_compare():
    """All solvers on all kinds of cuts: one row each, SKIPPED with the reason for who declines."""
    slow = D1.replace(goal="throughput", name="slowest")
    study = oe.compare([D1, CHAIN_A, THREE, slow], list(ALL), time_limit=10)
    runs = study.runs.set_index(["instance", "solver"])
    assert len(runs) == 4 * len(ALL)
    skipped = runs[runs.status == "SKIPPED"]
    assert sorted(skipped.index) == [
        ("slowest", "block-cut"),
        ("slowest", "min-cut"),
        ("three tiers", "block-cut"),
    ]
    assert skipped.message.str.contains("declines").all()
    assert not (runs.status == "ERROR").any()
    exact = runs[runs.index.get_level_values("solver").isin(EXACT) & (runs.status != "SKIPPED")]
    assert (exact.status == "OPTIMAL").all()
    assert runs.loc[("D1", "edge-only"), "gap_to_best"] == pytest.approx(3.5 / 11)
    summary = study.summary().set_index("solver")
    assert summary.loc["min-cut", "skipped"] == 1
    assert summary.loc["block-cut", "skipped"] == 2
    assert summary.loc["highs", "solved"] == 4


@pytest.mark.parametrize("name", networks.list_networks())
def test_real_networks(name):
    """On all networks of the zoo flow, blocks and networkx agree, from 0.1 to 100 Mbit/s."""
    device = platforms.Server(speed=1.2e9, streaming=2.7e8, overhead=9e-3)
    cloud = platforms.Server(speed=1.7e10, streaming=1e11, overhead=2e-3)
    line = platforms.Platform.line([device, cloud], [1e6])
    for bandwidth in (1e5, 1e6, 3e6, 1e7, 1e8):
        p = oe.CutProblem.from_network(networks.load(name), line, bandwidth=bandwidth)
        optimum = networkx_cut(p)
        for solver in ("min-cut", "block-cut"):
            r = oe.solve(p, solver, bound=False)
            assert r.objective == pytest.approx(optimum, rel=1e-7)
            assert r.status == "OPTIMAL"
