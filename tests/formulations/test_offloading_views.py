"""What one can see of an offloading schedule: parts of flow times, shares of tiers, lanes.

Parts are judged by the plain simulator of ``test_simulation``, lanes by counting layers and looking
for overlaps.
"""

import itertools

import numpy as np
import pytest
from conftest import seeds
from test_offloading import BEST_CODE, BEST_SCHEDULE, INF, example_1, example_2, example_2b
from test_simulation import (
    executing,
    plain_run,
    random_codes,
    random_problem,
    sending,
    trace_example,
)

from optedge.formulations.base import Lane
from optedge.formulations.offloading import Schedule

NEAR = {"rel": 0, "abs": 1e-9}
TIERS = ("client", "edge", "cloud")


def some_plans(seed, kind="real", **fields):
    """Yield a random instance with feasible schedules of it."""
    p = random_problem(seed, kind, **fields)
    for code in random_codes(p, seed, 4):
        if p.objective(code) < INF:
            yield p, p.decode(code)


# -------------------------------------------------------------------- parts of flow times


@pytest.mark.parametrize(
    ("problem", "x", "parts"),
    [
        (trace_example(), [1, 1, 1], [[4, 1, 2], [2, 1, 2]]),
        (trace_example(), [1, 0, 1], [[6, 2, 0], [2, 1, 2]]),
        (example_1(), BEST_SCHEDULE, [[6, 2, 0], [4, 2, 0], [8, 4, 2]]),
        (example_1(), BEST_CODE, [[6, 2, 0], [5, 3, 2], [8, 4, 1]]),
        (example_2(), [2] * 6, [[8, 2, 0]]),
        (example_2b(), [1, 1, 1, 2, 2, 2], [[11, 10, 0]]),
        (example_2b(return_result=True), [1, 1, 1, 2, 2, 2], [[11, 14, 0]]),
        (example_2b(release=[5]), [1, 1, 1, 2, 2, 2], [[11, 10, 0]]),
    ],
    ids=["trace", "X2 at home", "E1", "E1 FCFS", "E2", "E2b", "E2b with return", "E2b later"],
)
def test_parts_by_hand(problem, x, parts):
    """The worked examples; in E2b both branches arrive at 16, the lower number leads back."""
    assert problem.delay_split(x).tolist() == parts
    assert problem.flows(x).tolist() == np.sum(parts, axis=1).tolist()


@pytest.mark.parametrize("seed", seeds(60, 12))
def test_parts_sum_to_the_flow_times(seed):
    """Of chains and graphs, with and without return: non-negative, and nothing is left over."""
    for p, plan in some_plans(seed):
        split = p.delay_split(plan)
        assert split.shape == (p.n_tasks, 3)
        assert (split >= 0).all()
        assert split.sum(axis=1) == pytest.approx(p.flows(plan), **NEAR)


def plain_parts(problem, servers):
    """Return the sums of T1, T2 and T3 over the layers of each chain, in rational numbers."""
    run, rows = plain_run(problem, servers), [[0, 0, 0] for _ in range(problem.n_tasks)]
    for v, i in enumerate(problem.tasks.tolist()):
        home = int(problem.clients[i])
        is_first = v == 0 or problem.tasks[v - 1] != i
        a, size = (
            (home, problem.inputs_mb[i])
            if is_first
            else (servers[v - 1], problem.outputs_mb[v - 1])
        )
        rows[i][0] += executing(problem, v, servers[v])
        rows[i][1] += sending(problem, size, a, servers[v])
        rows[i][2] += run.starts[v] - run.arrivals[v]
        if problem.return_result and not problem.successors[v]:
            rows[i][1] += sending(problem, problem.outputs_mb[v], servers[v], home)
    return np.array(rows, dtype=float)


@pytest.mark.parametrize("seed", seeds(60, 12))
@pytest.mark.parametrize("kind", ["sevenths", "tenths"])
def test_parts_of_chains(seed, kind):
    """In a chain the parts are sums over its layers, where several events fall on one time too."""
    for p, plan in some_plans(seed, kind):
        if p.is_chains:
            expected = plain_parts(p, plan.servers.tolist())
            assert p.delay_split(plan) == pytest.approx(expected, **NEAR)


@pytest.mark.parametrize("seed", seeds(40, 8))
def test_without_a_limit_nothing_waits(seed):
    """With K = inf a layer starts when the last of its inputs is there: the way back ends there."""
    for p, _ in some_plans(seed, order="fcfs"):
        free = p.replace(pools=np.full(p.n_servers, INF))
        for code in random_codes(free, seed, 3):
            if free.objective(code) < INF:
                assert free.delay_split(code)[:, 2] == pytest.approx(0, **NEAR)


def test_rounding_is_no_negative_waiting():
    """A start that is early by rounding is forgiven, and counts as no wait."""
    early = Schedule(BEST_SCHEDULE.servers, BEST_SCHEDULE.starts - 1e-10)
    p = example_1()
    assert p.delay_split(early)[0, 2] == 0
    assert p.delay_split(early).sum(axis=1) == pytest.approx(p.flows(early), **NEAR)


# -------------------------------------------------------------------- shares and metrics


def test_shares_by_hand():
    """Two layers of six on the edge; of 60 Gcycles 12."""
    p = example_1()
    assert p.tier_shares(BEST_SCHEDULE) == pytest.approx([0, 1 / 3, 2 / 3])
    assert p.tier_shares(BEST_SCHEDULE, of="work") == pytest.approx([0, 0.2, 0.8])
    assert p.tier_shares([0] * 6).tolist() == [1, 0, 0]
    with pytest.raises(ValueError, match="of must be 'layers' or 'work', got 'time'"):
        p.tier_shares(BEST_SCHEDULE, of="time")


def test_metrics_by_hand():
    """The best schedule of E1; where no cloud exists its share is 0."""
    assert example_1().metrics(BEST_SCHEDULE) == {
        "execution_s": 18,
        "transmission_s": 8,
        "waiting_s": 2,
        "client_share": 0,
        "edge_share": pytest.approx(1 / 3),
        "cloud_share": pytest.approx(2 / 3),
        "makespan_s": 14,
    }
    late = trace_example(release=[5, 0], tiers=[0, 1, 1])
    assert late.metrics([0, 0, 0])["makespan_s"] == 13
    assert late.metrics([0, 0, 0])["cloud_share"] == 0
    assert example_2b(return_result=True).metrics([1, 1, 1, 2, 2, 2])["makespan_s"] == 25


@pytest.mark.parametrize("view", ["delay_split", "tier_shares", "metrics", "lanes"])
def test_infeasible_solutions_are_refused(view):
    """The sentence says which rule is broken."""
    with pytest.raises(ValueError, match="not feasible: layer 0 of task 0 starts at 0 s"):
        getattr(example_1(), view)(Schedule(BEST_SCHEDULE.servers, np.zeros(6)))
    with pytest.raises(ValueError, match=r"not feasible: .* no server 9"):
        getattr(example_1(), view)([9] * 6)


# -------------------------------------------------------------------- lanes


def test_lanes_of_example_1():
    """Edge, cloud, then inputs; the two to the cloud are on their way at once."""
    assert example_1().lanes(BEST_SCHEDULE) == [
        Lane("edge 1", ((2, 4, "0.0"), (6, 2, "0.1")), (0, 0)),
        Lane(
            "cloud 2",
            ((2, 3, "1.0"), (5, 1, "1.1"), (6, 4, "2.0"), (10, 4, "2.1")),
            (1, 1, 2, 2),
        ),
        Lane("client → edge", ((0, 2, "0 → 1"),), (0,), link=True),
        Lane("client → cloud", ((0, 2, "0 → 2"),), (1,), link=True),
        Lane("client → cloud", ((0, 4, "0 → 2"),), (2,), link=True),
    ]


def test_lanes_of_a_module():
    """Branches side by side on two pools, two outputs on their way at once, the result last."""
    found = example_2b(return_result=True).lanes([1, 1, 1, 2, 2, 2])
    assert [(lane.label, lane.bars) for lane in found] == [
        ("edge 1 · pool 0", ((2, 2, "0.0"), (4, 4, "0.1"))),
        ("edge 1 · pool 1", ((4, 4, "0.2"),)),
        ("cloud 2", ((10, 6, "0.3"), (16, 3, "0.4"), (19, 2, "0.5"))),
        ("client → edge", ((0, 2, "0 → 1"),)),
        ("edge → cloud", ((8, 8, "1 → 2"),)),
        ("edge → cloud", ((8, 2, "1 → 2"),)),
        ("cloud → client", ((21, 4, "2 → 0"),)),
    ]


def test_an_output_is_sent_once_a_server():
    """The split of E2 feeds two layers on the cloud: one transfer, besides the input."""
    lanes = [lane for lane in example_2().lanes([1, 2, 2, 2, 2, 2]) if lane.link]
    assert [bar for lane in lanes for bar in lane.bars] == [(0, 1, "0 → 1"), (3, 2, "1 → 2")]


def test_bars_that_overlap_by_rounding_share_a_lane():
    """What a feasible schedule is forgiven takes no second pool, where there is only one."""
    p, starts = example_1(), BEST_SCHEDULE.starts - [0, 1e-9, 0, 1e-9, 0, 0]
    labels = [lane.label for lane in p.lanes(Schedule(BEST_SCHEDULE.servers, starts))]
    assert labels == [lane.label for lane in p.lanes(BEST_SCHEDULE)]


def test_a_task_stays_on_its_pool():
    """Two tasks end a layer at the same time: each goes on in its own lane."""
    p = example_1(pools=[1, 1, 2], rates_mb_s=np.full((3, 3), INF))
    lanes = p.lanes([1, 1, 2, 2, 2, 2])
    assert [lane.label for lane in lanes] == ["edge 1", "cloud 2 · pool 0", "cloud 2 · pool 1"]
    assert [lane.groups for lane in lanes] == [(0, 0), (1, 1), (2, 2)]


@pytest.mark.parametrize("seed", seeds(60, 12))
@pytest.mark.parametrize("kind", ["whole", "real"])
def test_lanes_hold_every_layer_once(seed, kind):
    """No bars of a lane overlap, no server has more lanes than pools, none is empty."""
    for p, plan in some_plans(seed, kind):
        lanes, drawn = p.lanes(plan), {}
        for lane in lanes:
            assert len(lane.groups) == len(lane.bars) > 0
            for (start, length, _), (after, _, _) in itertools.pairwise(lane.bars):
                assert start + length <= after + 1e-6 * p.objective(plan)
        assert lanes == sorted(lanes, key=lambda lane: lane.link)
        order = []
        for lane in [lane for lane in lanes if not lane.link]:
            tier, s = lane.label.split(" · ")[0].split()
            order.append((TIERS.index(tier), int(s)))
            assert p.tiers[int(s)] == TIERS.index(tier)
            for (start, length, label), i in zip(lane.bars, lane.groups, strict=True):
                task, layer = map(int, label.split("."))
                v = int(p.first[task]) + layer
                assert v not in drawn
                drawn[v] = (task, int(s), start, length)
                assert i == task
        for v in range(p.n_subtasks):
            s = plan.servers[v]
            seconds = p.work_gcycles[v] / p.speeds_ghz[s]
            assert drawn[v] == (p.tasks[v], s, plan.starts[v], pytest.approx(seconds))
        assert order == sorted(order)
        assert all(order.count(found) <= p.pools[found[1]] for found in order)


@pytest.mark.parametrize("seed", seeds(40, 8))
def test_links_hold_what_travels(seed):
    """In chains the seconds of all transfers are those of the transmission, task by task."""
    for p, plan in some_plans(seed):
        if p.is_chains:
            sent = np.zeros(p.n_tasks)
            for lane in [lane for lane in p.lanes(plan) if lane.link]:
                np.add.at(sent, list(lane.groups), [length for _, length, _ in lane.bars])
            assert sent == pytest.approx(p.delay_split(plan)[:, 1], **NEAR)


def test_groups_are_one_a_bar():
    """A lane that colours another number of bars than it has is refused."""
    with pytest.raises(ValueError, match=r"lane 'edge 1': groups must hold 1 numbers, .* got 2"):
        Lane("edge 1", ((0, 1, "a"),), groups=(0, 1))
