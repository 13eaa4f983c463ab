"""The pipeline's policies, its cuts of a network, and its codes.

The oracle of the policies is plain Python of section 3c of the specification, with dictionaries
and lists; the table of section 7 is asserted to the last digit.
"""

import itertools

import numpy as np
import pytest
from conftest import INF, seeds

import optedge as oe
from optedge import networks
from optedge.formulations.pipeline import PipelinePlan
from optedge.formulations.pipeline.construction import network_cuts
from optedge.formulations.pipeline.policies import RULES, queueing
from optedge.papers import task_migration
from optedge.platforms import Platform, Server

CHAIN_A = [[0, 6, 4], [2, 3, 3], [5, 1, 1], [9, 0, 0]]
CHAIN_B = [[0, 1, 5], [1, 2, 3], [4, 1, 2], [8, 0, 0]]
ARRIVALS = {
    "A2": [[0, 0], [0, 0]],
    "B2": [[0, 0], [0, 0]],
    "B1": [[0, 1, 2, 3]],
    "B3": [[0], [0], [0]],
    "Bm": [[0, 3], [1, 4]],
}
#: Instance, slots; makespan and mean delay of single-cutting, queueing (paper, running, finish),
#: cloud-only and edge-only.
TABLE = [
    ("A2", 1, (14, 10.5), (14, 10.5), (14, 10.5), (14, 10.5), (40, 25), (18, 13.5)),
    ("A2", 2, (13, 10), (13, 10), (13, 10), (13, 10), (24, 17), (18, 13.5)),
    ("A2", 20, (13, 10), (13, 10), (13, 10), (13, 10), (22, 16), (18, 13.5)),
    ("B2", 1, (24, 15), (21, 13.5), (17, 11), (15, 9.5), (24, 15), (16, 12)),
    ("B2", 2, (21, 13.5), (15, 10.5), (13, 9.25), (14, 9), (21, 13.5), (16, 12)),
    ("B2", 20, (21, 13.5), (15, 10.5), (12, 9), (14, 9), (21, 13.5), (16, 12)),
    ("B1", 1, (24, 13.5), (21, 12), (17, 10), (17, 10), (24, 13.5), (32, 18.5)),
    ("B1", 2, (21, 12), (15, 9), (13, 8), (13, 8), (21, 12), (32, 18.5)),
    ("B3", 1, (18, 12), (16, 11), (12, 9), (9, 23 / 3), (18, 12), (8, 8)),
    ("B3", 2, (16, 11), (12, 9), (10, 8), (8, 22 / 3), (16, 11), (8, 8)),
    ("B3", 20, (16, 11), (12, 9), (10, 8), (8, 22 / 3), (16, 11), (8, 8)),
    ("Bm", 1, (24, 13), (21, 11.5), (19, 10.5), (16, 8.5), (24, 13), (17, 10.5)),
    ("Bm", 2, (21, 11.5), (15, 8.5), (13, 7.75), (15, 7.75), (21, 11.5), (17, 10.5)),
]
POLICIES = [
    ("single-cutting", {}),
    *(("queueing", {"rule": rule}) for rule in RULES),
    ("cloud-only", {}),
    ("edge-only", {}),
]


def example(name, slots, **fields):
    """Return an instance of the table."""
    chain = CHAIN_A if name[0] == "A" else CHAIN_B
    return oe.PipelineProblem(ARRIVALS[name], chain, capacity=slots, **fields)


def drawn(rng, **fields):
    """Draw a small instance of any variant, with small integers, so that ties are frequent."""
    cuts = rng.integers(2, 6)
    chains = rng.integers(0, 7, (rng.integers(1, 3), cuts, 3)).astype(float)
    chains[:, -1, 1:] = 0
    chains[:, :, 0] = np.sort(chains[:, :, 0], axis=1)
    chains[:, :, 2] = -np.sort(-chains[:, :, 2], axis=1)
    rows = [np.sort(rng.integers(0, 9, rng.integers(1, 5))).tolist() for _ in range(3)]
    variant = {
        "types": [rng.integers(0, len(chains), len(row)).tolist() for row in rows],
        "capacity": int(rng.integers(1, 5)),
        "link": str(rng.choice(["delay", "device", "shared"])),
        "service": str(rng.choice(["admission", "arrival"])),
        "hold": bool(rng.integers(2)),
        "goal": str(rng.choice(["makespan", "mean delay"])),
    }
    return oe.PipelineProblem(rows, chains, **{**variant, **fields})


# --------------------------------------------------------------------- policies


@pytest.mark.parametrize(("name", "slots", "values"), [(n, c, v) for n, c, *v in TABLE])
def test_the_table_of_the_specification(name, slots, values):
    """Every policy has the makespan and the mean delay that were found by hand and by search."""
    for (solver, options), expected in zip(POLICIES, values, strict=True):
        for goal, value in zip(("makespan", "mean delay"), expected, strict=True):
            r = oe.solve(example(name, slots, goal=goal), solver, bound=False, **options)
            assert r.objective == pytest.approx(value, rel=1e-12), (solver, options, goal)


def queueing_by_hand(problem, rule):
    """Return cuts by task and the order of devices, for delay links and service by admission."""
    chains, last = problem.chains, problem.n_cuts - 1
    left = {e: list(range(*problem.first[e : e + 2])) for e in range(problem.n_devices)}
    free, ends, previous, cloud = dict.fromkeys(left, 0.0), [], 0.0, 0.0
    cuts, order = {}, []
    while any(left.values()):
        offers = []
        for e in [e for e in left if left[e]]:
            j = left[e][0]
            a, tau, c = chains[problem.kind[j]].T
            s = max(free[e], problem.release[j])
            wait = [cloud - s - a[i] - tau[i] for i in range(last + 1)]
            v = int((a + tau + c).argmin())
            i = v
            if wait[v] > 0 and v < last:
                i = chosen_by_hand(rule, v, a, tau, c, wait, cloud - s)
            offers.append((s + a[i], e, i))
        f, e, i = min(offers)
        j = left[e].pop(0)
        cuts[j], free[e] = i, f
        order.append(e)
        if i < last:
            _, tau, c = chains[problem.kind[j], i]
            slot = ends[-int(problem.capacity)] if len(ends) >= problem.capacity else 0
            previous = max(f, previous, slot)
            free[e] = previous if problem.hold else f
            cloud = max(previous + tau, cloud) + c
            ends.append(cloud)
    return [cuts[j] for j in range(problem.n_tasks)], order


def chosen_by_hand(rule, v, a, tau, c, wait, ahead):
    """Return the cut of a task that would wait."""
    last = len(a) - 1
    if rule == "finish":
        done = [max(ahead, a[i] + tau[i]) + c[i] for i in range(last)] + [a[last]]
        return done.index(min(done))
    later = [i for i in range(v + 1, last + 1) if wait[i] >= 0]
    if rule == "paper":
        fit = [i for i in later if wait[i] < wait[v] and wait[v] - wait[i] > a[i] - a[v]]
        return min(fit, key=lambda i: (wait[i] + a[i], i), default=v)
    chosen, least, spent = v, wait[v], a[v]
    for i in later:
        if wait[i] < least and least - wait[i] > spent - a[v]:
            chosen, least, spent = i, wait[i], a[i]
    return chosen


@pytest.mark.parametrize("seed", seeds(40, 10))
def test_queueing_is_what_the_specification_says(seed):
    """The compiled rules take the cuts and the order of plain Python, ties included."""
    rng = np.random.default_rng(seed)
    for rule in RULES:
        p = drawn(rng, link="delay", service="admission")
        x = queueing(p, rule)
        assert (x.cuts.tolist(), x.order.tolist()) == queueing_by_hand(p, rule)


def test_queueing_sees_what_is_in_transit():
    """A cloud that serves in order of arrival has tasks to come too: the third one sees two."""
    chain = [[0, 1, 5], [9, 0, 0]]
    for service in ("admission", "arrival"):
        p = oe.PipelineProblem([[0]] * 3, chain, capacity=3, service=service)
        x = queueing(p, "finish")  # done in the cloud at 6, 11 and 16, at home at 9
        assert x.cuts.tolist() == [0, 1, 1]
        assert p.times(x).done.tolist() == [6, 9, 9]
    slow = [[0, 1, 5], [13, 0, 0]]
    p = oe.PipelineProblem([[0]] * 3, slow, capacity=3, service="arrival")
    assert queueing(p, "finish").cuts.tolist() == [0, 0, 1]


def test_the_best_of_the_rules():
    """It is no worse than Single Cutting and each rule; on 4G AlexNet a rule helps."""
    p = frames("alexnet", "4G")
    value = {
        rule: oe.solve(p, "queueing", rule=rule, bound=False).objective
        for rule in (*RULES, "best-of")
    }
    alone = oe.solve(p, "single-cutting", bound=False).objective
    assert value["best-of"] == min(alone, *(value[rule] for rule in RULES)) < alone
    worse = frames("darknet19", "3G")
    assert oe.solve(worse, "queueing", rule="running", bound=False).objective > 120
    best = oe.solve(worse, "queueing", rule="best-of", bound=False)
    assert best.objective == oe.solve(worse, "single-cutting", bound=False).objective
    assert best.evaluations == 4


def test_unknown_rules_are_refused():
    """The sentence lists the rules."""
    with pytest.raises(ValueError, match="rule must be one of"):
        queueing(example("B2", 1), "fastest")
    with pytest.raises(ValueError, match="best-of"):
        oe.solve(example("B2", 1), "queueing", rule="fastest")


def test_a_type_without_cloud_only_is_told():
    """Where a type lacks the first cut, cloud-only says whose."""
    p = oe.PipelineProblem([[0], [0]], [[INF, 0, 0], [1, 1, 1], [3, 0, 0]])
    r = oe.solve(p, "cloud-only", bound=False)
    assert r.solution is None
    assert r.info["reason"] == "task 0: its type has no cut 0."


# --------------------------------------------------------------------- networks


def frames(network, uplink, devices=5, count=30):
    """Return the instance of the paper: frames every tenth of a second."""
    arrivals = [[k / 10 for k in range(count)] for _ in range(devices)]
    where = task_migration.platform(network, uplink)
    return oe.PipelineProblem.from_network(networks.load(network), where, arrivals)


@pytest.mark.parametrize("uplink", ["3G", "4G"])
@pytest.mark.parametrize("network", task_migration.NETWORKS)
def test_the_cuts_of_a_network_have_the_seconds_of_plans(network, uplink):
    """Device, link and cloud add up to the latency of a plan; the least is the minimum cut."""
    cut = task_migration.instance(network, uplink)
    graph, where = networks.load(network), task_migration.platform(network, uplink)
    plans, seconds = network_cuts(graph, where)
    for x, row in zip(plans, seconds, strict=True):
        assert cut.violations(x) == []
        assert row.sum() == pytest.approx(cut.objective(x), rel=1e-12)
        assert row[0] == pytest.approx(cut.times[0, x == 0].sum(), rel=1e-12)
    assert seconds.sum(axis=1).min() == pytest.approx(oe.solve(cut, "min-cut").objective, rel=1e-9)
    np.testing.assert_array_equal(plans[0], cut.everything_on(1))
    np.testing.assert_array_equal(plans[-1], cut.everything_on(0))
    assert (np.diff(seconds[:, 0]) >= 0).all()
    assert (np.diff(seconds[:, 2]) <= 0).all()
    if cut.is_chain:
        assert len(plans) == graph.n_layers
    else:
        inner = seconds[1:-1]
        assert not any(
            (np.delete(seconds, k + 1, 0) <= row).all(1).any() for k, row in enumerate(inner)
        )


def test_alexnet_of_the_profile():
    """Section 6 of the specification: the best cut alone, and what the policies make of it."""
    p = frames("alexnet", "4G")
    assert p.n_cuts == 12
    assert p.shortest.tolist() == [2]
    assert p.chains[0, 2].sum() == pytest.approx(0.8827, abs=5e-5)
    done = {s: oe.solve(p, s, bound=False).objective for s in ("cloud-only", "edge-only")}
    assert done["edge-only"] == pytest.approx(88.9, abs=0.05)
    assert done["cloud-only"] == pytest.approx(28.5, abs=0.1)
    assert oe.solve(p, "single-cutting", bound=False).objective == pytest.approx(24.5, abs=0.05)


def test_networks_without_a_link():
    """At bandwidth 0 all but edge-only are out of reach."""
    graph, where = networks.load("alexnet"), task_migration.platform("alexnet", "4G")
    p = oe.PipelineProblem.from_network(graph, where, [[0.0, 0.0]], bandwidth=0, capacity=1)
    assert p.options.sum(axis=1).tolist() == [1, 1]
    assert p.name == "alexnet"
    r = oe.solve(p, "single-cutting", bound=False)
    assert r.objective == pytest.approx(2 * p.chains[0, -1, 0], rel=1e-12)


def test_platforms_of_three_tiers_are_refused():
    """The sentence says how many there are."""
    servers = [Server(speed=1e9 * 4**k, tier=k) for k in range(3)]
    with pytest.raises(ValueError, match="two tiers, devices and cloud; the platform has 3"):
        oe.PipelineProblem.from_network(
            networks.load("alexnet"), Platform.line(servers, [1e7, 1e7]), [[0.0]]
        )


# --------------------------------------------------------------------- codes


@pytest.mark.parametrize("seed", seeds(20, 3))
def test_codes_of_every_variant(seed):
    """Costs, moves, decode and encode agree; encode gives back every order that levels give."""
    rng = np.random.default_rng(seed)
    p = drawn(rng)
    assert oe.check_problem(p, seed=seed) == []
    n, levels = p.n_tasks, p.data.seconds.size
    for _ in range(20):
        code = np.concatenate([rng.integers(0, p.n_cuts, n), rng.integers(0, levels, n)])
        x = p.decode(code)
        again = p.encode(x)
        np.testing.assert_array_equal(p.decode(again).order, x.order)
        assert (again[n:] <= code[n:]).all(), "the levels are the least"


def test_levels_reach_every_order_of_few_tasks():
    """On an example with four tasks all plans have a code, the optimum too."""
    p = example("Bm", 2)
    orders = set(itertools.permutations([0, 0, 1, 1]))
    cuts = itertools.product(range(4), repeat=4)
    plans = [PipelinePlan(*plan) for plan in itertools.product(cuts, orders)]
    codes = np.array([p.encode(x) for x in plans])
    for x, code in zip(plans, codes, strict=True):
        np.testing.assert_array_equal(p.decode(code).order, x.order)
    assert p.costs(codes).min() == 11


def test_levels_do_not_reach_every_order():
    """Why enumerating codes proves nothing: this order needs levels between those of the grid."""
    p = oe.PipelineProblem([[0] * 3] * 3, CHAIN_B, capacity=1)
    x = PipelinePlan([3, 0, 0, 0, 0, 2, 0, 2, 3], [0, 2, 1, 0, 1, 2, 1, 0, 2])
    near = p.decode(p.encode(x))
    assert p.violations(near) == []
    assert near.order.tolist() != x.order.tolist()
    np.testing.assert_array_equal(near.cuts, x.cuts)
    assert not p.complete_code


def test_codes_out_of_range_are_refused():
    """The sentence says whether it is a cut or a level."""
    p = example("B3", 1)
    with pytest.raises(ValueError, match="cuts are 0 to 3"):
        p.costs([[4, 0, 0, 0, 0, 0]])
    with pytest.raises(ValueError, match="levels are 0 to 9"):
        p.costs([[0, 0, 0, 0, -1, 0]])
    with pytest.raises(ValueError, match=r"shape \(k, 6\)"):
        p.costs([[0, 0, 0]])
    assert p.costs(np.zeros((0, 6), dtype=np.int64)).shape == (0,)


def test_levels_without_any_seconds():
    """Where nothing takes time the grid has a unit all the same."""
    p = oe.PipelineProblem([[0, 1]], np.zeros((2, 3)))
    assert np.isfinite(p.data.seconds).all()
    assert oe.check_problem(p) == []


def test_a_search_beats_the_policies():
    """On the instance of the paper with a slow link it finds what no rule does."""
    p = frames("alexnet", "3G")
    alone = oe.solve(p, "single-cutting", bound=False).objective
    assert p.costs(p.start_code()[None])[0] == alone
    r = oe.solve(p, "local-search", max_evaluations=60_000, bound=False)
    assert r.objective < 0.8 * alone
