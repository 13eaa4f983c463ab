"""Episodes whose layers wait for each other: costs of steps against the simulated objective."""

import itertools

import numpy as np
import pytest
from conftest import INF, seeds
from test_episodes import allowed_plans, rollout, two_kinds
from test_offloading_models import plans
from test_offloading_paths import MODULE, RATES, THREE, e1, random_problem
from test_weighting import COMBINATIONS, e2, module, weighted

from optedge.formulations.offloading import OffloadingProblem, Weighting
from optedge.formulations.offloading.episodes.base import Batch
from optedge.formulations.offloading.episodes.pairs import PairEpisodes
from optedge.formulations.offloading.episodes.prefixes import PrefixEpisodes
from optedge.formulations.offloading.simulation.arrays import ORDERS

LINKED = np.array([[9, 2, 1, 3], [2, 9, 4, 1], [1, 4, 9, 2], [3, 1, 2, 9.0]])


def crowded(seed, order, *, with_weights=True, graph=False):
    """Return two or three tasks that wait for pools, born at different times."""
    options = {**COMBINATIONS[(5 * seed) % len(COMBINATIONS)], "h_wait": False, "xi": 0.4}
    sizes, fields = ((3, 2), (2, 2, 2))[seed % 2], {}
    if graph:  # every branch meets again, and every server is linked
        sizes, fields = (4, 3), {"foreign_clients": True}
    rng = np.random.default_rng([seed, 9])
    fields |= {"order": order, "release": rng.uniform(0, 2, len(sizes)) * (seed % 3)}
    p = weighted(seed, sizes, 4, weights=options, **fields)
    p = p.replace(pools=[1, 1, 2, 1])
    if graph:
        branches = ((1, 2), (3,), (3,), (), (5, 6), (6,), ())
        p = p.replace(successors=branches, rates_mb_s=LINKED)
    return p if with_weights else p.replace(weights=None)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", seeds(30, 3))
def test_steps_add_up_to_the_objective(seed, order):
    """Pools, releases, several clients, branches, results back home, with weights and without."""
    waits = 0
    for graph, heavy in itertools.product((False, True), repeat=2):
        p = crowded(seed, order, with_weights=heavy, graph=graph)
        episodes = PrefixEpisodes(p)
        rows, seen, may = allowed_plans(episodes, np.random.default_rng(seed), 12)
        batch, costs = rollout(episodes, rows)
        assert sum(costs) == pytest.approx(p.costs(rows), rel=0, abs=1e-9)
        assert [p.objective(x) for x in rows[:3]] == pytest.approx(list(sum(costs)[:3]), abs=1e-9)
        assert np.array_equal(batch.servers, rows)
        assert ((seen >= 0) & (seen <= 1)).all()
        assert seen.shape[2] == episodes.n_features
        assert may[-1].all()
        waits += (p.costs(rows) > p.replace(pools=[INF] * 4).costs(rows) + 1e-6).sum()
    assert waits > 0


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("seed", seeds(30, 4))
def test_least_costs_and_the_rest(seed, graph):
    """No step costs pairs less than stated, and what is left over an episode is not negative."""
    p = crowded(seed, ORDERS[seed % 4], graph=graph, with_weights=seed % 5 > 0)
    episodes = PrefixEpisodes(p)
    rows, _, _ = allowed_plans(episodes, np.random.default_rng(seed), 60)
    batch, rest = episodes.begin(len(rows)), np.zeros(len(rows))
    for k in range(p.n_subtasks):
        pairs = episodes.advance(batch, rows[:, k]) - batch.rest
        assert (pairs >= episodes.least_costs[0, k] - 1e-9).all()
        rest += batch.rest
    assert (rest >= -1e-9).all()
    assert episodes.least_costs.shape == (1, p.n_subtasks)


@pytest.mark.parametrize("mode", ["running", "final"])
@pytest.mark.parametrize("seed", seeds(20, 3))
def test_known_where_nothing_waits(seed, mode):
    """With pools enough, pairs and rest are what a step costs, as in episodes of pairs."""
    p = weighted(seed, (3, 2), 5, pools=INF, weights={"xi": 0.6, "z_mode": mode}, order="fcfs")
    episodes, others = PrefixEpisodes(p), PairEpisodes([p])
    rows, seen, may = allowed_plans(episodes, np.random.default_rng(seed), 5)
    other_seen, other_may = (np.zeros_like(x) for x in (seen, may))
    batch, same = episodes.begin(5), others.begin(5)
    for k in range(p.n_subtasks):
        other_seen[k], other_may[k] = others.features(k, same.states), others.masks(k, same.states)
        states, servers = batch.states.copy(), batch.servers.copy()
        steps = np.full(5, k)
        pairs, rest, rise = episodes.known(steps, states)
        for known, there in zip(others.known(steps, same.states), (pairs, rest, rise), strict=True):
            assert there == pytest.approx(known, abs=1e-9)
        before = episodes.standing(states)
        assert before == pytest.approx(others.standing(same.states), abs=1e-12)
        for s in np.flatnonzero(may[k].all(axis=0)):
            tried = Batch(k, states.copy(), servers.copy(), np.zeros(5))
            cost = episodes.advance(tried, np.full(5, s))
            assert cost == pytest.approx(pairs[:, s] + rest[:, s], abs=1e-9)
            assert tried.rest == pytest.approx(rest[:, s], abs=1e-9)
            after = episodes.standing(tried.states)
            assert after == pytest.approx(before + rise[:, s], abs=1e-12)
        cost, there = (e.advance(b, rows[:, k]) for e, b in ((episodes, batch), (others, same)))
        assert cost == pytest.approx(there, abs=1e-9)
    assert np.array_equal(may[:-1], other_may[:-1])
    assert np.array_equal(seen[:-1], other_seen[:-1])


def test_who_delays_pays():
    """Who makes earlier layers wait is charged their delay; the sum is that of the flow times."""
    p = OffloadingProblem.chains(
        [[4.0], [1.0]], [[0.0], [0.0]], clients=[0, 0], speeds_ghz=[1, 1],
        rates_mb_s=np.full((2, 2), INF), pools=[1, 1], tiers=[0, 1], release=[1.0, 0.0],
        order="fcfs",
    )  # fmt: skip
    batch, costs = rollout(PrefixEpisodes(p), [[1, 1], [1, 0], [0, 0]])
    assert costs[0].tolist() == [4, 4, 4]
    assert costs[1].tolist() == [1, 1, 1]
    late = p.replace(release=[0.5, 0.0])
    batch, costs = rollout(PrefixEpisodes(late), [[1, 1]])
    assert [c[0] for c in costs] == [4, 1.5]
    assert batch.rest[0] == 0.5


def test_backlog_is_seen():
    """Of each server with pools the seconds of work left, by pool, over themselves and a median."""
    p = OffloadingProblem.chains(
        [[6.0], [2.0]], [[0.0], [0.0]], clients=[0, 0], speeds_ghz=[1, 2, 2],
        rates_mb_s=np.full((3, 3), INF), pools=[1, 2, INF], tiers=[0, 1, 2], release=[0, 1.0],
    )  # fmt: skip
    pace = float(np.median(p.seconds))
    for server, left in ((0, 5.0), (1, 1.0), (2, 0.0)):  # 6 s, or 3 s on one of two pools
        episodes = PrefixEpisodes(p)
        batch = episodes.begin(1)
        assert not episodes.features(0, batch.states)[0, -3:].any()
        episodes.advance(batch, np.array([server]))
        expected = np.zeros(3)
        expected[server] = left / (left + pace)
        assert episodes.features(1, batch.states)[0, -3:] == pytest.approx(expected)


def test_first_example_of_offloading():
    """E1: all plans telescope to their simulated values; the best is 31."""
    p = e1()
    rows = np.array(list(plans(p)))[::7]
    _, costs = rollout(PrefixEpisodes(p), rows)
    assert sum(costs) == pytest.approx(p.costs(rows))


@pytest.mark.parametrize("lengths", [(1, 2), (1, 1, 2)])
def test_a_module_is_charged_where_it_ends(lengths):
    """Inside no time is charged, at the concatenation the slowest branch; all plans add up."""
    p = module(3, lengths, xi=0.3)
    episodes = PrefixEpisodes(p)
    rows = np.array(list(plans(p)))
    rows = rows[:: 1 + len(rows) // 200]
    _, costs = rollout(episodes, rows)
    assert sum(costs) == pytest.approx(p.costs(rows), abs=1e-9)
    bare = p.replace(weights=None)
    _, seconds = rollout(PrefixEpisodes(bare), rows)
    assert not np.any(seconds[1:-1])
    assert (seconds[-1] > 0).all()


def test_inside_a_module():
    """Where it began, its slowest branch so far, and the branch at hand, in seconds."""
    p = OffloadingProblem(
        MODULE,
        [1.0] * 6,
        [2.0] * 6,
        [0] * 6,
        [0.0],
        [0],
        rates_mb_s=RATES,
        pools=[INF] * 3,
        **THREE,
    )
    episodes = PrefixEpisodes(p)
    batch, pace = episodes.begin(1), float(np.median(p.seconds))
    for s in (1, 2, 1, 1):
        episodes.advance(batch, np.array([s]))
    # Layer 1 on server 2: 1 s there and 0.25 s; layers 2 and 3 on server 1: half a second each.
    seen = episodes.features(4, batch.states)[0, -5:]
    assert seen == pytest.approx([0, 1, 0, 1.25 / (1.25 + pace), 1.25 / (1.25 + pace)], abs=1e-6)
    again = episodes.begin(1)
    for s in (1, 2, 1):
        episodes.advance(again, np.array([s]))
    seen = episodes.features(3, again.states)[0, -2:]
    assert seen == pytest.approx([1.25 / (1.25 + pace), 0.5 / (0.5 + pace)], abs=1e-6)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: random_problem(0, (3,), graph=True).replace(successors=((1, 2), (), ())),
            "task 0 ends in several layers; episodes need one",
        ),
        (
            lambda: two_kinds().replace(weights=Weighting(h_wait=True)),
            "waiting counts in the coordination",
        ),
        (
            lambda: e2().replace(rates_mb_s=[[0, 2, 1], [2, 0, 0], [1, 2, 0]]),
            "task 0 branches and nothing gets from server 1 to 2",
        ),
    ],
    ids=["several ends", "waiting in H", "no link"],
)
def test_refusals(make, words):
    """What has no such episodes is named."""
    with pytest.raises(ValueError, match=words):
        PrefixEpisodes(make())
