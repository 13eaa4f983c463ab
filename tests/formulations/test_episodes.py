"""Episodes whose steps cost what pairs of servers do: costs, features, masks, batches of rows.

Features are judged entry by entry by plain loops over the fields of an instance.
"""

import itertools

import numpy as np
import pytest
from conftest import seeds
from test_offloading_paths import e2
from test_weighting import SC, e3, four_subtasks, weighted

import optedge as oe
from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.costs import decisions
from optedge.formulations.offloading.episodes.base import Batch, myopic
from optedge.formulations.offloading.episodes.pairs import PairEpisodes
from optedge.formulations.offloading.episodes.prefixes import PrefixEpisodes

INF = np.inf


def two_kinds(**fields):
    """Return two tasks of different networks, two edges and a cloud, with Z."""
    return OffloadingProblem.chains(
        [[2.0, 4.0, 1.0], [3.0, 6.0]],
        [[4.0, 8.0, 2.0], [5.0, 10.0]],
        clients=[0, 0],
        speeds_ghz=[1, 2, 3, 8],
        rates_mb_s=np.full((4, 4), 5.0),
        pools=[INF] * 4,
        **{"tiers": [0, 1, 1, 2], "weights": oe.Weighting(), **fields},
    )


def rollout(episodes, plans, instances=None):
    """Return the batch after these plans, and what each step cost."""
    plans = np.asarray(plans)
    batch = episodes.begin(len(plans), instances)
    return batch, [episodes.advance(batch, plans[:, k]) for k in range(plans.shape[1])]


def allowed_plans(episodes, rng, rows, instances=None):
    """Return random plans within the masks, and all that was seen and allowed on the way."""
    batch, seen, may = episodes.begin(rows, instances), [], []
    while True:
        seen.append(episodes.features(batch.step, batch.states))
        may.append(episodes.masks(batch.step, batch.states))
        if batch.step == episodes.n_steps:
            return batch.servers, np.array(seen), np.array(may)
        drawn = np.where(may[-1], rng.random(may[-1].shape), -1.0)
        episodes.advance(batch, drawn.argmax(axis=1))


# -------------------------------------------------------------------- costs


@pytest.mark.parametrize("mode", ["running", "final"])
@pytest.mark.parametrize("seed", seeds(20, 4))
def test_steps_add_up_to_the_objective(seed, mode):
    """Of several tasks and clients, with and without Z, results back home or not."""
    for xi, back in itertools.product((0.0, 0.7), (False, True)):
        given = {"xi": xi, "z_mode": mode}
        p = weighted(seed, (3, 2, 4), 6, weights=given, return_result=back, pools=INF)
        episodes = PairEpisodes([p])
        plans, _, _ = allowed_plans(episodes, np.random.default_rng(seed), 20)
        batch, costs = rollout(episodes, plans)
        values = [p.objective(plan) for plan in plans]
        assert sum(costs) == pytest.approx(values, rel=0, abs=1e-9)
        assert np.array_equal(batch.servers, plans)


def test_third_example_all_plans():
    """All 27 plans of E3 side by side: the values of the specification."""
    p, plans = e3(), list(itertools.product(range(3), repeat=3))
    _, costs = rollout(PairEpisodes([p]), plans)
    total = sum(costs)
    assert plans[np.argmin(total)] == (1, 1, 1)
    assert (total.min(), total.max()) == pytest.approx((0.034741, 0.571524), abs=5.1e-7)


@pytest.mark.parametrize(
    ("mode", "plan", "value"),
    [("running", (1, 2, 1, 1), 7), ("running", (1, 1, 1, 1), 9), ("final", (1, 1, 2, 2), 6)],
)
def test_fourth_example_step_by_step(mode, plan, value):
    """E4 with xi = 0.5: Z is charged after each decision, or as it changes."""
    p = four_subtasks(0.5, mode)
    batch, costs = rollout(PairEpisodes([p]), [plan])
    assert sum(costs)[0] == pytest.approx(value)
    spent = [[5, 1, 2, 3][s] for s in plan]
    apart = [abs(plan[:k].count(1) - plan[:k].count(2)) for k in range(5)]
    rest = apart[1:] if mode == "running" else np.diff(apart)
    assert np.ravel(costs) == pytest.approx(np.add(spent, np.multiply(0.5, rest)))
    assert batch.rest[0] == pytest.approx(0.5 * rest[-1])


def test_only_balance_and_waiting_are_the_rest():
    """Without Z nothing is left beside the costs of pairs, which are those of the tables."""
    p = e3(**SC)
    episodes = PairEpisodes([p])
    batch, costs = rollout(episodes, [[1, 2, 2], [0, 0, 1]])
    assert not batch.rest.any()
    steps = decisions.make(p)
    assert sum(costs) == pytest.approx([steps.cost(np.array(x)) for x in ([1, 2, 2], [0, 0, 1])])
    assert np.array_equal(episodes.tables[episodes.table_index[0]], steps.tables[steps.table_of])


# -------------------------------------------------------------------- batches


@pytest.mark.parametrize("seed", seeds(20, 4))
def test_rows_of_a_batch_are_episodes_of_their_own(seed):
    """Costs, features, masks and plans are those of one row at a time; instances too."""
    problems = [
        weighted(k, sizes, 6, pools=INF) for k, sizes in ((seed, (3, 2)), (seed + 50, (4, 1)))
    ]
    episodes = PairEpisodes(problems, context=True)
    which = np.array([0, 1, 1, 0, 1])
    plans, seen, may = allowed_plans(episodes, np.random.default_rng(seed), which.size, which)
    _, costs = rollout(episodes, plans, which)
    for r, i in enumerate(which):
        row = episodes.begin(1, np.array([i]))
        for k in range(episodes.n_steps + 1):
            assert np.array_equal(episodes.features(k, row.states)[0], seen[k, r])
            assert np.array_equal(episodes.masks(k, row.states)[0], may[k, r])
            if k < episodes.n_steps:
                assert episodes.advance(row, plans[r, k : k + 1])[0] == costs[k][r]


def test_rows_at_different_steps():
    """States of several steps are read at once, as a sample of past transitions is."""
    p = two_kinds()
    episodes = PairEpisodes([p], context=True)
    batch, states = episodes.begin(1), []
    for action in (1, 3, 0, 2, 2):
        states.append(batch.states[0].copy())
        episodes.advance(batch, np.array([action]))
    steps = np.array([4, 0, 2, 1])
    rows = np.array(states)[steps]
    for read in (episodes.features, episodes.masks):
        alone = [read(int(k), states[k][None])[0] for k in steps]
        assert np.array_equal(read(steps, rows), alone)


# -------------------------------------------------------------------- features


def plain_features(p, servers, *, networks=1):
    """Return what is seen after these servers were chosen, by loops; networks as numbered."""
    m, k, n = p.n_servers, len(servers), p.n_subtasks
    longest = max(p.sizes.tolist())
    tasks = p.tasks.tolist()
    if k == n:
        at, left = servers[-1], []
    else:
        begins = k == 0 or tasks[k] != tasks[k - 1]
        at = int(p.clients[tasks[k]]) if begins else servers[-1]
        left = [v for v in range(k, n) if tasks[v] == tasks[k]]
    seen = [float(s == at) for s in range(m)]
    pairs = [0.0] * (2 * longest)
    if left:
        mine = [v for v in range(n) if tasks[v] == tasks[k]]
        reads = {v: p.outputs_mb[v - 1] for v in mine[1:]} | {mine[0]: p.inputs_mb[tasks[k]]}
        for j, v in enumerate(left):
            pairs[2 * j] = p.work_gcycles[v] / max(p.work_gcycles[u] for u in mine)
            pairs[2 * j + 1] = reads[v] / max(reads.values())
    seen += pairs
    seen.append(len(left) / len(mine) if left else 0.0)
    if p.n_tasks > 1:
        seen.append((n - k) / n)
    if networks > 1:
        seen += [float(bool(left) and tasks[k] == i) for i in range(networks)]
    if p.weights is not None and p.weights.xi > 0:
        offsets, changes = zip(*(plain_evenness(p, servers, s) for s in range(m)), strict=True)
        seen += [*offsets, *changes]
    return seen


def plain_evenness(p, servers, s):
    """Return o / (o + 2), and how one more layer on s changes Z from its least to its largest."""
    tier = [t for t in range(p.n_servers) if p.tiers[t] == p.tiers[s] > 0]
    counts = {t: list(servers).count(t) for t in tier}
    if not tier:
        return 0.0, 0.5
    above = counts[s] - min(counts.values())
    now, then = (
        sum(abs(c[a] - c[b]) for a, b in itertools.combinations(tier, 2))
        for c in (counts, {**counts, s: counts[s] + 1})
    )
    others = len(tier) - 1
    return above / (above + 2), 0.5 + (0.5 * (then - now) / others if others else 0.0)


def test_features_of_the_third_example():
    """One-hot server, (work, input) of the layers left, share left: d = m + 2 L + 1 numbers."""
    episodes = PairEpisodes([e3()])
    assert episodes.n_features == 3 + 2 * 3 + 1
    batch = episodes.begin(1)
    expected = [
        [1, 0, 0, 0.25, 0.5, 0.5, 0.25, 1.0, 1.0, 1.0],
        [0, 1, 0, 0.5, 0.25, 1.0, 1.0, 0, 0, 2 / 3],
        [0, 0, 1, 1.0, 1.0, 0, 0, 0, 0, 1 / 3],
        [0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
    ]
    for k, row in enumerate(expected):
        seen = episodes.features(k, batch.states)
        assert seen.dtype == np.float32
        assert seen[0] == pytest.approx(row)
        if k < 3:
            episodes.advance(batch, np.array([[1, 2, 2][k]]))


@pytest.mark.parametrize("xi", [0.0, 0.2])
def test_features_of_two_networks(xi):
    """Two tasks of different length: zeros behind the shorter, steps left, which network, Z."""
    p = two_kinds(weights=oe.Weighting(xi=xi))
    episodes, rng = PairEpisodes([p]), np.random.default_rng(5)
    assert episodes.n_features == 4 + 6 + 1 + 1 + 2 + 2 * 4 * (xi > 0)
    plans, seen, _ = allowed_plans(episodes, rng, 8)
    for r, k in itertools.product(range(8), range(p.n_subtasks + 1)):
        assert seen[k, r] == pytest.approx(plain_features(p, plans[r, :k].tolist(), networks=2))


def test_offsets_tell_counts_apart():
    """What Z depends on is seen: one layer more on an edge changes it, however long the episode."""
    p = two_kinds()
    episodes = PairEpisodes([p])
    seen = set()
    for plan in ((1, 1, 1, 1), (1, 1, 2, 1), (2, 1, 1, 1), (1, 2, 2, 1), (3, 3, 3, 1)):
        batch, _ = rollout(episodes, [plan])
        seen.add(tuple(np.round(episodes.features(4, batch.states)[0, -8:], 6)))
    expected = set()
    for a, b in ((4, 0), (2, 0), (0, 0), (1, 0)):
        row = [0, a / (a + 2), b / (b + 2), 0, 0.5, 1.0, 1.0 if a == b else 0.0, 0.5]
        expected.add(tuple(np.round(np.float32(row), 6)))
    assert seen == expected


@pytest.mark.parametrize("seed", seeds(20, 4))
def test_features_are_shares(seed):
    """All numbers are finite, from 0 to 1, with context and without, to the end of the episode."""
    p = weighted(seed, (3, 2), 5, pools=INF)
    for context in (False, True):
        episodes = PairEpisodes([p], context=context)
        _, seen, _ = allowed_plans(episodes, np.random.default_rng(seed), 10)
        assert seen.shape[2] == episodes.n_features
        assert ((seen >= 0) & (seen <= 1)).all()
        assert (seen[..., :5].sum(axis=2) == 1).all()
        assert not seen[-1, :, 5 : 5 + 2 * 3 + 2].any()


def test_context_tells_what_servers_cost():
    """Above the least cost, in standard deviations: 0 for the cheapest, 1 where one may not run."""
    p = e3(**SC).replace(rates_mb_s=[[0, 10, 0.5], [10, 0, 0.5], [0.5, 0, 0]])
    episodes, steps = PairEpisodes([p], context=True), decisions.make(p)
    batch = episodes.begin(1)
    finite = steps.tables[np.isfinite(steps.tables)]
    entry = steps.tables[0, 0]
    above = entry - entry.min()
    seen = episodes.features(0, batch.states)[0, -6:]
    assert seen[:3] == pytest.approx(above / (above + finite.std()), abs=1e-6)
    floors = [t[np.isfinite(t)].min() for t in steps.tables]
    rest = sum(np.diagonal(steps.tables[j]) - floors[j] for j in (1, 2))
    assert seen[3:] == pytest.approx(rest / (rest + finite.std()), abs=1e-6)
    episodes.advance(batch, np.array([2]))
    assert episodes.features(1, batch.states)[0, -5] == 1.0  # from 2 nothing gets to 1


# -------------------------------------------------------------------- masks


@pytest.mark.parametrize("seed", seeds(20, 4))
def test_masks_are_where_tables_are_finite(seed):
    """Other clients and missing connections are left out; at the end all servers are allowed."""
    rates = np.random.default_rng(seed).uniform(1, 4, (6, 6))
    rates[3, 4] = rates[0, 5] = 0.0
    p = weighted(
        seed, (2, 3), 6, pools=INF, first_layer="free", foreign_clients=False, return_result=False
    ).replace(clients=[0, 1], rates_mb_s=rates)
    episodes = PairEpisodes([p])
    plans, _, may = allowed_plans(episodes, np.random.default_rng(seed), 30)
    for r, k in itertools.product(range(30), range(p.n_subtasks)):
        home = int(p.clients[p.tasks[k]])
        a = home if k in p.first else int(plans[r, k - 1])
        connected = (rates[a] > 0) | (np.arange(6) == a)
        expected = connected & ((p.tiers > 0) | (np.arange(6) == home))
        assert may[k, r].tolist() == expected.tolist()
    assert may[-1].all()


# -------------------------------------------------------------------- several instances


def test_instances_of_different_length():
    """The shorter one is padded; the sum over its own steps is its objective."""
    short, long = e3(**SC), e3(**SC)
    long = OffloadingProblem.chains(
        [[2.3, 4.6, 9.2, 1.0]], [np.array([8, 4, 16, 2]) / 8],
        **{f: getattr(long, f) for f in (
            "clients", "speeds_ghz", "rates_mb_s", "pools", "tiers", "price_per_hour",
            "price_per_gb", "weights",
        )},
    )  # fmt: skip
    episodes = PairEpisodes([short, long])
    assert episodes.lengths.tolist() == [3, 4]
    assert episodes.n_features == 3 + 2 * 4 + 1 + 2
    assert episodes.table_index.shape == (2, 4)
    batch, costs = rollout(episodes, [[1, 2, 2], [1, 2, 2]], np.array([0, 1]))
    assert sum(costs)[0] == pytest.approx(short.objective([1, 2, 2]), abs=1e-12)
    assert not episodes.features(3, batch.states)[0, 3:].any()
    last = episodes.advance(batch, np.array([0, 2]))
    assert sum(costs)[1] + last[1] == pytest.approx(long.objective([1, 2, 2, 2]), abs=1e-12)
    first = episodes.features(0, episodes.begin(2, np.array([0, 1])).states)
    assert first[:, -2:].tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: [e2()], "decisions one after the other need tasks that are chains"),
        (lambda: [e3(h_wait=True)], "waiting counts in the coordination"),
        (
            lambda: [two_kinds(), two_kinds(weights=oe.Weighting(xi=0))],
            "instance 1: other tiers of servers, or another use of Z",
        ),
        (
            lambda: [two_kinds(), two_kinds(weights=oe.Weighting(z_mode="final"))],
            "instance 1: other tiers of servers, or another use of Z",
        ),
        (lambda: [two_kinds(), e3(xi=0.2)], "instance 1: other tiers of servers"),
    ],
    ids=["branches", "waiting in H", "another Z", "another mode", "other servers"],
)
def test_refusals(make, words):
    """What does not fit is named."""
    with pytest.raises(ValueError, match=words):
        PairEpisodes(make())


# -------------------------------------------------------------------- dead ends, the myopic plan


def test_no_server_is_a_dead_end():
    """With results due back home, no layer goes where the task could not be ended from."""
    rates = np.full((4, 4), 5.0)
    rates[2, [0, 1, 3]] = 0.0  # much gets to server 2 and nothing out of it
    p = two_kinds(return_result=True).replace(rates_mb_s=rates)
    for episodes in (PairEpisodes([p]), PrefixEpisodes(p.replace(pools=[1] * 4))):
        assert episodes.is_masked
        plans, _, may = allowed_plans(episodes, np.random.default_rng(1), 40)
        assert not may[:-1, :, 2].any()
        assert may[:-1, :, [0, 1, 3]].all()
        assert np.isfinite(sum(rollout(episodes, plans)[1])).all()
        assert np.isfinite(myopic(episodes)[0])


def followed(p, episodes):
    """Return the myopic plan by pricing whole plans: what the objective grows by, ties lowest."""
    plan, spent = [], 0.0
    for k in range(p.n_subtasks):
        grown = np.full(p.n_servers, INF)
        for s in range(p.n_servers):
            batch = episodes.begin(1)
            costs = [episodes.advance(batch, np.array([b]))[0] for b in plan]
            if episodes.masks(k, batch.states)[0, s]:
                grown[s] = sum(costs) + episodes.advance(batch, np.array([s]))[0] - spent
        plan.append(int(np.argmin(np.round(grown, 12))))
        spent += grown[plan[-1]]
    return plan


@pytest.mark.parametrize("kind", ["pairs", "prefixes"])
@pytest.mark.parametrize("seed", seeds(20, 3))
def test_myopic_plan(seed, kind):
    """Its value is the objective of its plan, and each step is the least of all servers."""
    pools = INF if kind == "pairs" else 1
    p = weighted(seed, (3, 2), 5, pools=pools, order="fcfs", weights={"xi": 0.3})
    episodes = PairEpisodes([p]) if kind == "pairs" else PrefixEpisodes(p)
    value, plan = myopic(episodes)
    assert plan.tolist() == followed(p, episodes)
    assert value == pytest.approx(p.objective(plan), abs=1e-9)
    r = oe.solve(p, "myopic", bound=False)
    assert r.objective == pytest.approx(value, abs=1e-9)
    assert r.solution.servers.tolist() == plan.tolist()


def test_no_instance():
    """Episodes need something to play."""
    with pytest.raises(ValueError, match="problems must hold one instance or more"):
        PairEpisodes([])


@pytest.mark.parametrize("mode", ["running", "final"])
@pytest.mark.parametrize("seed", seeds(20, 3))
def test_what_is_known_of_a_step(seed, mode):
    """Costs of pairs and balance of every server are what advance charges; so is standing Z."""
    p = weighted(seed, (3, 2), 6, pools=INF, weights={"xi": 0.7, "z_mode": mode})
    episodes, rng = PairEpisodes([p]), np.random.default_rng(seed)
    batch = episodes.begin(1)
    for k in range(p.n_subtasks):
        states, servers = batch.states.copy(), batch.servers.copy()
        pairs, rest, rise = episodes.known(np.array([k]), states)
        before = episodes.standing(states)
        may = episodes.masks(k, states)[0]
        for s in np.flatnonzero(may):
            tried = Batch(k, states.copy(), servers.copy(), np.zeros(1))
            cost = episodes.advance(tried, np.array([s]))
            assert cost == pytest.approx(pairs[0, s] + rest[0, s], abs=1e-12)
            assert tried.rest == pytest.approx(rest[0, s], abs=1e-12)
            assert episodes.standing(tried.states) == pytest.approx(before + rise[0, s], abs=1e-12)
        episodes.advance(batch, np.array([rng.choice(np.flatnonzero(may))]))
