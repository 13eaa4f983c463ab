"""The solver ``offset-dp``: published base cases, proofs, limits and what it declines."""

import numpy as np
import pytest
from conftest import INF, seeds

import optedge as oe
from optedge.formulations.offloading import Weighting
from optedge.papers import ddpqn

SLOW = pytest.mark.slow
#: Network, tasks, optimum, sum of Z over the decisions: the table of the specification.
RUNNING = [
    ("alexnet", 1, 0.203863, 44),
    ("vgg19", 1, 0.088149, 90),
    ("googlenet", 1, 0.080045, 74),
    ("resnet101", 1, 0.024216, 156),
    pytest.param("alexnet", 4, 0.147804, 186, marks=SLOW),
    pytest.param("vgg19", 4, -0.330911, 454, marks=SLOW),
    pytest.param("googlenet", 4, -0.271423, 358, marks=SLOW),
    pytest.param("resnet101", 4, -0.606609, 808, marks=SLOW),
    pytest.param("alexnet", 12, -0.051900, 788, marks=SLOW),
    pytest.param("vgg19", 12, -1.528962, 1508, marks=SLOW),
    pytest.param("googlenet", 12, -1.315250, 1164, marks=SLOW),
    pytest.param("resnet101", 12, -2.401294, 2632, marks=SLOW),
]
#: The same with sizes in megabit, where the specification states a value.
MEGABIT = [("alexnet", 0.237531), ("vgg19", -1.606327), ("googlenet", -1.406128),
           ("resnet101", -3.008360)]  # fmt: skip
BENEFIT = {"h_indicators": "benefit", "coupling_root": 3}


def chains(seed=0, *, pools=INF, **weights):
    """Return two chains on a client, three edges and two clouds."""
    rng = np.random.default_rng(seed)
    rates = rng.uniform(1, 8, (6, 6))
    return oe.OffloadingProblem.chains(
        [rng.uniform(1, 9, 3), rng.uniform(1, 9, 2)],
        [rng.uniform(0.1, 3, 3), rng.uniform(0.1, 3, 2)],
        clients=[0, 0],
        speeds_ghz=rng.uniform(1, 9, 6),
        rates_mb_s=(rates + rates.T) / 2,
        pools=[pools] * 6,
        tiers=[0, 1, 1, 1, 2, 2],
        price_per_hour=rng.uniform(0, 3, 6),
        weights=Weighting(**weights),
    )


def total_unevenness(p, servers):
    """Return the sum over decisions of all differences of counts within a tier."""
    counts, total = np.zeros(p.n_servers, dtype=int), 0
    for s in servers:
        counts[s] += 1
        for tier in (1, 2):
            mine = counts[p.tiers == tier]
            total += int(np.abs(mine[:, None] - mine).sum()) // 2
    return total


@pytest.mark.parametrize(("network", "n", "optimum", "z"), RUNNING)
def test_running_base_cases(network, n, optimum, z):
    """All twelve optima of the specification are found, proved, and certified in NumPy."""
    p = ddpqn.instance(network, n)
    r = oe.solve(p, "offset-dp")
    assert r.status == oe.Status.OPTIMAL
    assert r.objective == pytest.approx(optimum, abs=1e-6)
    assert total_unevenness(p, r.solution.servers) == z
    assert r.certificate.kind == "count offsets"
    assert oe.verify(r).verdict == "certified"


@pytest.mark.slow
@pytest.mark.parametrize(("network", "optimum"), MEGABIT)
def test_sizes_in_megabit(network, optimum):
    """Twelve tasks with the other unit: proved as well."""
    r = oe.solve(ddpqn.instance(network, 12, data_unit="Mb"), "offset-dp")
    assert r.status == oe.Status.OPTIMAL
    assert r.objective == pytest.approx(optimum, abs=1e-6)
    assert oe.verify(r)


@pytest.mark.parametrize(
    ("network", "optimum"),
    [("alexnet", -1.754001), pytest.param("resnet101", -6.738530, marks=SLOW)],
)
def test_benefits_of_one_task(network, optimum):
    """Indicators of benefit: better than 1 s of annealing (ResNet101: -6.7347), and proved."""
    r = oe.solve(ddpqn.instance(network, weights=BENEFIT), "offset-dp")
    assert r.status == oe.Status.OPTIMAL
    assert r.objective == pytest.approx(optimum, abs=1e-6)
    assert oe.verify(r).verdict == "certified"


@pytest.mark.parametrize("mode", ["running", "final"])
@pytest.mark.parametrize("seed", seeds(60, 3))
def test_optimal_without_pools(seed, mode):
    """The optimum of enumeration, whether Z counts after each decision or once."""
    p = chains(seed, z_mode=mode, xi=0.05 * (1 + seed % 20))
    expected = oe.solve(p, "enumeration").objective
    r = oe.solve(p, "offset-dp")
    assert r.status == oe.Status.OPTIMAL
    assert r.objective == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert r.bound <= expected + 1e-14
    assert oe.verify(r).verdict == "certified"


@pytest.mark.parametrize("seed", seeds(30, 3))
def test_pools_leave_a_bound(seed):
    """With one pool a server the value without waiting bounds, and plans are valued with it."""
    p = chains(seed, pools=1)
    least = oe.solve(p, "enumeration").objective
    r = oe.solve(p, "offset-dp")
    free = oe.solve(p.replace(pools=[INF] * 6), "offset-dp").objective
    assert r.bound == pytest.approx(free, rel=1e-8)
    assert r.bound <= least + 1e-12
    assert least - 1e-12 <= r.objective
    assert r.objective == p.objective(r.solution)
    assert oe.verify(r).verdict == "certified"


def test_rounds_are_told():
    """Caps, states, and a row a round with bounds that do not fall."""
    r = oe.solve(ddpqn.instance("alexnet"), "offset-dp")
    rows = r.info["rounds"]
    assert rows[0]["caps"] == [0, 0]
    assert rows[-1]["caps"] == r.info["caps"]
    found = [row["bound"] for row in rows]
    assert found == sorted(found)
    assert all(row["bound"] <= r.objective <= row["value"] for row in rows)
    assert rows[-1]["complete"]
    edges, clouds = ((cap + 1) ** 5 - cap**5 for cap in r.info["caps"])
    assert r.info["states"] == 11 * edges * clouds


def test_limited_it_still_bounds():
    """Without caps and with one label: a plan, a certified bound below it, and an end."""
    p = ddpqn.instance("alexnet", 4)
    r = oe.solve(p, "offset-dp", max_cap=0, max_labels=1)
    assert r.status == oe.Status.FEASIBLE
    assert r.bound < 0.147804 < r.objective
    assert oe.verify(r).verdict == "certified"
    more = oe.solve(p, "offset-dp", max_cap=1, max_labels=200)
    assert r.bound < more.bound <= 0.147804 + 1e-6 <= more.objective + 2e-6 < r.objective


def test_it_can_be_stopped():
    """A callback ends it between two tables, with what was found; a start is kept."""
    p = ddpqn.instance("alexnet", 12)
    start = np.zeros(p.n_subtasks, dtype=int)
    asked = []
    r = oe.solve(
        p, "offset-dp", start=start, callback=lambda run: asked.append(0) or len(asked) > 9
    )
    assert (r.stop_reason, len(asked)) == ("callback", 10)
    assert r.objective == pytest.approx(p.objective(start))
    assert r.bound == p.bound("DP").value


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (ddpqn.instance("googlenet", modules="dag"), "tasks that are chains"),
        (ddpqn.instance(weights={"h_wait": True}), "h_wait"),
        (ddpqn.instance(weights={"xi": 0.0}), "Z has no weight, .*: the solver dp is exact"),
        (ddpqn.instance(weights=None), "Z has no weight"),
        (ddpqn.instance(n_edges=1, n_clouds=1), "nothing to compare"),
    ],
)
def test_what_it_declines(problem, words):
    """Each with a sentence."""
    with pytest.raises(ValueError, match=f"offset-dp declines .*{words}"):
        oe.solve(problem, "offset-dp")
