"""The event simulator of the offloading problem against a plain one in rational numbers.

The oracle keeps a sorted list of events, reads the raw fields of an instance only, and takes every
number for the decimal that it is printed as: times that are equal on paper are equal here, and the
compiled simulator has to see them as equal through the rounding of floats.
"""

import bisect
import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from conftest import examples, seeds
from hypothesis import given
from hypothesis import strategies as st

from optedge import networks
from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.simulation import arrays, chains, first_come, simulate

INF = math.inf
CLOSE = {"rel": 1e-9, "abs": 1e-9}
TRACE = {
    "speeds_ghz": [1, 2, 4],
    "rates_mb_s": [[0, 2, 1], [2, 0, 2], [1, 2, 0]],
    "pools": [1, 1, 1],
    "tiers": [0, 1, 2],
}


# -------------------------------------------------------------------- the oracle


class Trace(NamedTuple):
    """What happened: for each layer arrival, start and end; for each task its flow time."""

    arrivals: list
    starts: list
    ends: list
    flows: list


def exact(value):
    """Return the decimal number that a float is printed as."""
    return value if math.isinf(value) else Fraction(repr(float(value)))


def sending(problem, size, a, b):
    """Return the seconds from server a to server b; ``inf`` if they are not connected."""
    rate = problem.rates_mb_s[a, b]
    if a == b or rate == INF:
        return Fraction(0)
    return INF if rate == 0 else exact(size) / exact(rate)


def executing(problem, v, s):
    """Return the seconds of a layer on a server."""
    return exact(problem.work_gcycles[v]) / exact(problem.speeds_ghz[s])


def ranks(problem):
    """Return the rank of each layer: all first layers first, then all second ones."""
    tasks = problem.tasks.tolist()
    order = sorted(range(len(tasks)), key=lambda v: (v - tasks.index(tasks[v]), tasks[v]))
    return {v: k for k, v in enumerate(order)}


def inputs_of(problem):
    """Return for each layer those that it reads."""
    n = len(problem.successors)
    return [[u for u in range(n) if v in problem.successors[u]] for v in range(n)]


def plain_run(problem, servers, rank=None):
    """Return what happens under an assignment, None if some data cannot get where it is read.

    Section 2 of the specification: events in the order of time; of those at one time completions
    come first, then arrivals by rank, then pools are filled.
    """
    n, tasks = len(servers), problem.tasks.tolist()
    rank = rank or ranks(problem)
    before = inputs_of(problem)
    events = []  # (time, 0 for a completion and 1 for an arrival, rank, layer), sorted
    arrival, start, end = [None] * n, [None] * n, [None] * n
    free = problem.pools.tolist()
    waiting = {s: [] for s in range(len(free))}
    turn = {s: sorted((v for v in range(n) if servers[v] == s), key=rank.get) for s in waiting}

    def next_at(s):
        if problem.order == "strict":
            return turn[s][0] if turn[s] and turn[s][0] in waiting[s] else None
        key = {"fcfs": lambda v: (arrival[v], rank[v]), "priority": rank.get}[problem.order]
        return min(waiting[s], key=key, default=None)

    for i, home in enumerate(problem.clients.tolist()):
        v = tasks.index(i)
        away = sending(problem, problem.inputs_mb[i], home, servers[v])
        if away == INF:
            return None
        bisect.insort(events, (exact(problem.release[i]) + away, 1, rank[v], v))
    while events:
        now = events[0][0]
        while events and events[0][0] == now:
            _, arrives, _, v = events.pop(0)
            if arrives:
                arrival[v] = now
                waiting[servers[v]].append(v)
                continue
            free[servers[v]] += 1
            for w in problem.successors[v]:
                if any(end[u] is None or end[u] > now for u in before[w]):
                    continue  # it reads a layer that has not ended
                there = [
                    end[u] + sending(problem, problem.outputs_mb[u], servers[u], servers[w])
                    for u in before[w]
                ]
                if INF in there:
                    return None
                event = (max(there), 1, rank[w], w)
                if event not in events:  # two predecessors may end at one time
                    bisect.insort(events, event)
        for s in waiting:
            while free[s] > 0 and (v := next_at(s)) is not None:
                waiting[s].remove(v)
                turn[s].remove(v)
                free[s] -= 1
                start[v], end[v] = now, now + executing(problem, v, s)
                bisect.insort(events, (end[v], 0, rank[v], v))
    return Trace(arrival, start, end, plain_flows(problem, servers, end))


def plain_flows(problem, servers, end):
    """Return the flow time of each task: to its last layer, or to its result at the client."""
    flows = []
    for i, home in enumerate(problem.clients.tolist()):
        done = []
        for v in np.flatnonzero(problem.tasks == i).tolist():
            back = Fraction(0)
            if problem.return_result and not problem.successors[v]:
                back = sending(problem, problem.outputs_mb[v], servers[v], home)
            done.append(end[v] + back)
        flows.append(max(done) - exact(problem.release[i]))
    return flows


def plain_value(problem, servers):
    """Return the sum of flow times as the oracle has it; ``inf`` without a connection."""
    run = plain_run(problem, servers)
    return INF if run is None else float(sum(run.flows))


def plain_choices(problem):
    """Return for each layer the servers it may use: own client, edges, clouds, where data gets."""
    rows = []
    for v, i in enumerate(problem.tasks.tolist()):
        home, is_first = int(problem.clients[i]), v == 0 or problem.tasks[v - 1] != i
        row = [
            s
            for s, tier in enumerate(problem.tiers.tolist())
            if tier > 0 or s == home or problem.foreign_clients
        ]
        if is_first:
            row = [s for s in row if s == home or problem.rates_mb_s[home, s] > 0]
            row = [home] if problem.first_layer == "client" else row
        rows.append(row)
    return rows


# -------------------------------------------------------------------- random instances

NUMBERS = {  # how work, data, speeds and rates are drawn
    "whole": (lambda r, k: r.integers(1, 7, k), lambda r, k: r.integers(1, 4, k)),
    "equal": (lambda r, k: np.full(k, 6), lambda r, k: r.integers(1, 4, k)),
    "tenths": (lambda r, k: r.integers(1, 9, k) / 10, lambda r, k: r.integers(1, 4, k) / 10),
    "sevenths": (lambda r, k: r.integers(1, 9, k), lambda r, k: 7 * r.integers(1, 3, k)),
    "real": (lambda r, k: r.uniform(0.01, 5, k), lambda r, k: r.uniform(0.3, 9, k)),
}


def random_problem(seed, kind="whole", max_tasks=4, max_layers=5, **fields):
    """Return a random instance: chains or graphs, missing links, zero data, pools 1, 2, 3, inf."""
    r = np.random.default_rng([seed, *kind.encode()])
    amounts, paces = NUMBERS[kind]
    sizes = r.integers(1, max_layers + 1, r.integers(1, max_tasks + 1))
    n, k = int(sizes.sum()), len(sizes)
    rows = [set() for _ in range(n)]
    chains = r.random() < 0.5
    for a, size in zip(np.cumsum(sizes) - sizes, sizes, strict=True):
        for w in range(1, size):
            before = [w - 1]
            if not chains:
                before = np.flatnonzero(r.random(w) < 0.4).tolist() or [int(r.integers(0, w))]
            for v in before:
                rows[a + v].add(int(a + w))
    tiers = np.repeat([0, 1, 2], r.integers([1, 0, 0], [4, 3, 3]))
    m = len(tiers)
    rates = paces(r, m * m).astype(float).reshape(m, m)
    rates[r.random((m, m)) < 0.1] = INF
    rates[r.random((m, m)) < r.choice([0, 0.1, 0.3])] = 0
    if r.random() < 0.5:
        rates = np.minimum(rates, rates.T)

    def data(count):
        return np.where(r.random(count) < 0.3, 0, amounts(r, count))

    drawn = {
        "successors": tuple(tuple(sorted(row)) for row in rows),
        "work_gcycles": amounts(r, n),
        "outputs_mb": data(n),
        "tasks": np.repeat(np.arange(k), sizes),
        "inputs_mb": data(k),
        "clients": r.integers(0, (tiers == 0).sum(), k),
        "speeds_ghz": paces(r, m),
        "rates_mb_s": rates,
        "pools": r.choice([1, 1, 2, 3, INF], m),
        "tiers": tiers,
        "release": None if r.random() < 0.5 else data(k),
        "order": str(r.choice(["fcfs", "priority", "strict"])),
        "first_layer": str(r.choice(["free", "free", "client"])),
        "foreign_clients": bool(r.random() < 0.3),
        "return_result": bool(r.random() < 0.3),
    }
    return OffloadingProblem(**{**drawn, **fields})


def random_codes(problem, seed, count):
    """Return assignments to allowed servers, some of them to few servers: queues are long there."""
    r = np.random.default_rng(seed)
    codes = np.empty((count, problem.n_subtasks), dtype=np.int64)
    for k in range(count):
        liked = r.integers(0, problem.n_servers)
        for v, row in enumerate(plain_choices(problem)):
            codes[k, v] = liked if liked in row and r.random() < 0.7 * (k % 2) else r.choice(row)
    return codes


def ranked(problem, rank):
    """Return the arrays of the compiled simulator with another rank."""
    by_rank = np.argsort(rank)
    for array in (rank, by_rank):
        array.setflags(write=False)  # as the others are: no second compilation
    chain = problem.data.chain._replace(rank=rank)
    return problem.data._replace(rank=rank, by_rank=by_rank, chain=chain)


def links(problem):
    """Return the instance with every missing link replaced by a slow one."""
    return problem.replace(rates_mb_s=np.where(problem.rates_mb_s == 0, 1, problem.rates_mb_s))


def agrees(problem, code):
    """Assert that the compiled simulator does what the oracle does; return whether it can run."""
    run = plain_run(problem, code.tolist())
    value = problem.costs(code[None])[0]
    if run is None:
        assert value == problem.objective(code) == INF
        return False
    assert value == pytest.approx(float(sum(run.flows)), **CLOSE)
    plan = problem.decode(code)
    assert plan.starts == pytest.approx(np.array(run.starts, dtype=float), **CLOSE)
    if value < INF:
        assert problem.objective(plan) == pytest.approx(value, **CLOSE)
        assert problem.flows(plan) == pytest.approx(np.array(run.flows, dtype=float), **CLOSE)
    ends = np.array(run.ends, dtype=float)
    arrivals = np.array(run.arrivals, dtype=float)
    assert problem.arrivals(code, ends) == pytest.approx(arrivals, **CLOSE)
    return True


# -------------------------------------------------------------------- values known by hand


def trace_example(**fields):
    """Return tasks X and Y of the worked example."""
    return OffloadingProblem.chains(
        [[4, 4], [4]], [[2, 2], [2]], clients=[0, 0], **{**TRACE, **fields}
    )


def test_trace_example():
    """All on the edge: X1 1-3, Y1 waits till 3, X2 waits till 5, 12 in all; X2 at home: 13."""
    p = trace_example()
    assert p.decode([1, 1, 1]).starts.tolist() == [1, 5, 3]
    assert p.objective([1, 1, 1]) == plain_value(p, [1, 1, 1]) == 12
    assert p.decode([1, 0, 1]).starts.tolist() == [1, 4, 3]
    assert p.objective([1, 0, 1]) == plain_value(p, [1, 0, 1]) == 13


def test_a_second_pool_ends_the_waiting():
    """With two pools on the edge X is done at 5 and Y at 3."""
    p = trace_example(pools=[1, 2, 1])
    assert p.decode([1, 1, 1]).starts.tolist() == [1, 3, 1]
    assert p.flows([1, 1, 1]).tolist() == [5, 3]


@pytest.mark.parametrize(
    ("order", "release", "starts", "value"),
    [
        ("fcfs", [0, 2, 1], [0, 5, 4], 13),
        ("priority", [0, 2, 1], [0, 4, 6], 14),
        ("strict", [0, 2, 1], [0, 4, 6], 14),
        ("fcfs", [3, 2, 1], [4, 2, 1], 8),
        ("priority", [3, 2, 1], [4, 2, 1], 8),
        ("strict", [3, 2, 1], [3, 7, 9], 20),
    ],
)
def test_orders_by_hand(order, release, starts, value):
    """Lengths 4, 2, 1 on one server: by arrival, by rank among those there, by rank alone."""
    p = OffloadingProblem.chains(
        [[4], [2], [1]], [[0], [0], [0]], clients=[0, 0, 0], release=release, order=order, **TRACE
    )
    assert p.decode([0, 0, 0]).starts.tolist() == starts
    assert p.objective([0, 0, 0]) == plain_value(p, [0, 0, 0]) == value


def test_completions_come_before_arrivals():
    """At t = 2 a pool gets free and a layer arrives: it starts at once, nothing waits."""
    p = OffloadingProblem.chains([[2], [1]], [[0], [0]], clients=[0, 0], release=[0, 2], **TRACE)
    assert p.decode([0, 0]).starts.tolist() == [0, 2]


def test_arrivals_of_one_time_go_by_rank():
    """At t = 3 task 0 ends its first layer, task 2 is born: ranks 3 and 2, task 2 goes first."""
    p = OffloadingProblem.chains(
        [[3, 1], [1], [1]], [[0, 0], [0], [0]], clients=[0, 0, 0], release=[0, 9, 3], **TRACE
    )
    assert p.decode([0, 0, 0, 0]).starts.tolist() == [0, 4, 9, 3]


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_rounding_makes_no_order(scale):
    """0.1 + 0.2 is 0.3 although floats differ: of two arrivals then the rank decides."""
    p = OffloadingProblem.chains(
        [[5 * scale], [scale]],
        [[0.2 * scale], [0]],
        clients=[0, 0],
        release=[0.1 * scale, 0.3 * scale],
        **{**TRACE, "speeds_ghz": [1, 1, 1], "rates_mb_s": np.ones((3, 3))},
    )
    later = p.replace(release=[0.1 * scale, 0.3 * scale * (1 - 1e-9)])
    first = p.replace(rates_mb_s=np.full((3, 3), INF))
    assert p.decode([1, 1]).starts == pytest.approx([0.3 * scale, 5.3 * scale])
    assert later.decode([1, 1]).starts == pytest.approx([1.3 * scale, 0.3 * scale])
    assert first.decode([1, 1]).starts == pytest.approx([0.1 * scale, 5.1 * scale])


def test_a_join_waits_for_its_last_input():
    """Of the diamond's two branches the slow one decides; each output is sent for itself."""
    p = OffloadingProblem(
        ((1, 2), (3,), (3,), ()),
        [1, 2, 8, 1],
        [2, 4, 6, 0],
        [0, 0, 0, 0],
        inputs_mb=[0],
        clients=[0],
        **TRACE,
    )
    # 0: 0-1; 1 on the edge: arrives 2, ends 3, sends 2 s; 2 on the cloud: arrives 3, ends 5.
    assert p.decode([0, 1, 2, 2]).starts.tolist() == [0, 2, 3, 5]
    assert p.objective([0, 1, 2, 2]) == 5.25
    assert p.decode([0, 1, 2, 0]).starts.tolist() == [0, 2, 3, 11]


def test_the_result_returns():
    """Sending 2 MB home from the edge takes 1 s, from the cloud 2 s; at home nothing."""
    p = OffloadingProblem.chains([[4]], [[2, 2]], clients=[0], **TRACE)
    back = p.replace(return_result=True)
    assert [p.objective([s]) for s in range(3)] == [4, 3, 3]
    assert [back.objective([s]) for s in range(3)] == [4, 4, 5]


def test_every_end_returns():
    """A task with two ends is done when both results are home, not when the last layer ends."""
    p = OffloadingProblem(
        ((1, 2), (), ()),
        [1, 4, 6],
        [0, 8, 0],
        [0, 0, 0],
        inputs_mb=[0],
        clients=[0],
        return_result=True,
        **TRACE,
    )
    assert p.objective([0, 1, 1]) == 1 + 2 + 4
    assert p.replace(return_result=False).objective([0, 1, 1]) == 1 + 2 + 3


def test_no_connection():
    """Without a link the value is infinite even if nothing is sent; at home nothing is needed."""
    p = OffloadingProblem.chains(
        [[4, 4]], [[0, 0]], clients=[0], **{**TRACE, "rates_mb_s": np.zeros((3, 3))}
    )
    assert p.costs([[0, 0], [0, 1], [1, 1], [0, 2]]).tolist() == [8, INF, INF, INF]
    assert [plain_value(p, x) for x in ([0, 0], [0, 1])] == [8, INF]


# -------------------------------------------------------------------- against the oracle


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("block", seeds(4, 1))
def test_compiled_is_plain(kind, block):
    """Every kind of number, graph, order and option: each start is that of the oracle."""
    ran = 0
    for seed in range(35 * block, 35 * (block + 1)):
        p = random_problem(seed, kind)
        for code in random_codes(p, seed, 4):
            ran += agrees(p, code)
    assert ran > 70


@given(st.integers(0, 10**6), st.sampled_from(list(NUMBERS)), st.data())
@examples(60)
def test_compiled_is_plain_on_drawn_plans(seed, kind, data):
    """Small instances and plans that are shrunk when they fail."""
    p = random_problem(seed, kind, max_tasks=3, max_layers=3)
    code = np.array([data.draw(st.sampled_from(row)) for row in plain_choices(p)])
    agrees(p, code)


@pytest.mark.parametrize("order", ["fcfs", "priority", "strict"])
@pytest.mark.parametrize("pools", [1, 2, 3])
def test_long_queues(order, pools):
    """Twelve tasks of equal layers on two servers: ties at nearly every event."""
    for seed in range(4):
        p = random_problem(seed, "equal", max_tasks=12, max_layers=6, order=order)
        p = links(p).replace(pools=np.full(p.n_servers, pools), first_layer="free")
        r = np.random.default_rng(seed)
        for code in random_codes(p, seed, 2):
            busy = np.where(r.random(code.size) < 0.8, p.clients[p.tasks], code)
            assert agrees(p, busy)


@pytest.mark.parametrize("kind", ["whole", "tenths", "real"])
def test_given_ranks(kind):
    """Any numbering that grows along the graph may be the rank, not only layer by layer."""
    for seed in range(30):
        p = links(random_problem(seed, kind))
        r = np.random.default_rng(seed)
        keys = r.permutation(p.n_tasks)[p.tasks]  # task after task
        rank = np.argsort(np.lexsort((np.arange(p.n_subtasks), keys)))
        data = ranked(p, rank)
        for code in random_codes(p, seed, 3):
            run = plain_run(p, code.tolist(), dict(enumerate(rank.tolist())))
            work = arrays.workspace(data)
            value = simulate.simulate(data, code, work)
            assert work.begins == pytest.approx(np.array(run.starts, dtype=float), **CLOSE)
            assert value == pytest.approx(float(sum(run.flows)), **CLOSE)


RESNET_SERVERS = {
    "speeds_ghz": np.concatenate(
        [np.linspace(1.1, 2.3, 4), np.linspace(4.2, 18.3, 5), np.linspace(40, 120, 5)]
    ),
    "rates_mb_s": np.array([[0, 10, 0.5], [10, 10, 5], [0.5, 5, 5]])[
        np.ix_(*[np.repeat([0, 1, 2], [4, 5, 5])] * 2)
    ],
    "pools": np.repeat([1, 2, 8], [4, 5, 5]),
    "tiers": np.repeat([0, 1, 2], [4, 5, 5]),
    "clients": np.arange(12) % 4,
}


def resnet_tasks(shape):
    """Return twelve ResNet-101 tasks of 136 layers, as graphs or in one line."""
    net = networks.load("resnet101", "linbin403")
    n = net.n_layers - 1  # without the input
    rows = [tuple(w - 1 for w in row) for row in net.successors[1:]]
    if shape == "chain":
        rows = [(v + 1,) if v + 1 < n else () for v in range(n)]
    return OffloadingProblem(
        tuple(tuple(w + n * i for w in row) for i in range(12) for row in rows),
        np.tile(net.work_gcycles[1:], 12),
        np.tile(net.output_bytes[1:] / 1e6, 12),
        np.repeat(np.arange(12), n),
        inputs_mb=np.full(12, net.output_bytes[0] / 1e6),
        **RESNET_SERVERS,
    )


@pytest.mark.parametrize("shape", ["chain", "graph"])
@pytest.mark.parametrize("plan", ["one edge", "random"])
def test_twelve_resnets(shape, plan):
    """1632 layers of twelve equal tasks, full of ties: all starts agree with the oracle."""
    p = resnet_tasks(shape)
    assert p.n_subtasks == 1632
    assert p.is_chains == (shape == "chain")
    code = random_codes(p, 7, 1)[0]
    if plan == "one edge":
        code[:] = 5
    assert agrees(p, code)


def test_chains_are_served_as_graphs_are():
    """The quick simulation of chains has the starts and values of the other one, bit by bit."""
    served = gave_up = waited = 0
    for kind in NUMBERS:
        for seed in range(60):
            p = random_problem(seed, kind, max_tasks=12, order="fcfs")
            if not p.is_chains:
                continue
            p = p if seed % 3 else p.replace(pools=np.full(p.n_servers, 1 + seed % 4))
            quick, plain = (arrays.workspace(p.data) for _ in range(2))
            for code in random_codes(p, seed, 6):
                value = chains.serve_chains(p.data.chain, code, quick)
                expected = first_come.serve(p.data, code, plain.begins)
                if value == chains.GAVE_UP:
                    gave_up += 1
                    assert simulate.simulate(p.data, code, quick) == expected
                else:
                    assert value == expected
                    served += 1
                if not np.isin(p.rates_mb_s, 0).any():
                    assert quick.begins.tolist() == plain.begins.tolist()
                    ends = plain.begins + p.seconds[np.arange(p.n_subtasks), code]
                    waited += (plain.begins > p.arrivals(code, ends)).any()
    assert served > 10 * gave_up > 0
    assert waited > 100


def test_many_pools_are_a_heap():
    """Forty tasks on a server with 17 to 30 pools: more than are kept sorted, fewer than tasks."""
    r = np.random.default_rng(0)
    for pools in (17, 18, 30):
        work = [r.integers(1, 9, 3).astype(float) for _ in range(40)]
        p = OffloadingProblem.chains(
            work,
            [r.integers(0, 3, 3) for _ in range(40)],
            clients=[0] * 40,
            release=r.integers(0, 5, 40),
            **{**TRACE, "pools": [1, pools, 2]},
        )
        code = np.where(r.random(120) < 0.9, 1, 2)
        assert agrees(p, code)
        assert (p.decode(code).starts > p.decode(code).starts.min()).any()


@pytest.mark.parametrize("order", ["fcfs", "priority", "strict", "planned"])
@pytest.mark.filterwarnings("ignore:overflow")
def test_numbers_beyond_floats(order):
    """Times that overflow have an infinite value, whichever simulation meets them."""
    p = OffloadingProblem.chains(
        [[1e300, 1e300], [1, 1]],
        [[1, 1], [1, 1]],
        clients=[0, 0],
        order=order,
        **{**TRACE, "speeds_ghz": [1e-9, 1e-9, 1e-9]},
    )
    assert p.costs([[0, 0, 0, 0], [1, 1, 1, 1]]).tolist() == [INF, INF]


# -------------------------------------------------------------------- laws


def test_three_parts_are_the_flow():
    """In chains execution, sending and waiting of all layers add up to the flow times."""
    for seed in range(60):
        p = links(random_problem(seed, "real", return_result=False))
        if not p.is_chains:
            continue
        code = random_codes(p, seed, 2)[1]
        plan = p.decode(code)
        total = end = 0.0
        for v, i in enumerate(p.tasks.tolist()):
            s = code[v]
            begins = v == p.tasks.tolist().index(i)
            a = p.clients[i] if begins else code[v - 1]
            size = p.inputs_mb[i] if begins else p.outputs_mb[v - 1]
            sent = 0.0 if a == s else size / p.rates_mb_s[a, s]
            spent = p.work_gcycles[v] / p.speeds_ghz[s]
            waits = plan.starts[v] - (p.release[i] if begins else end) - sent
            end = plan.starts[v] + spent
            assert waits >= -1e-9
            total += spent + sent + waits
        assert total == pytest.approx(math.fsum(p.flows(plan)), **CLOSE)
        assert total == pytest.approx(p.objective(code), **CLOSE)


@pytest.mark.parametrize("order", ["fcfs", "priority"])
def test_without_a_limit_nothing_waits(order):
    """With pools without end, or one for each layer, every layer starts when it arrives."""
    for seed in range(40):
        p = links(random_problem(seed, "real", order=order))
        p = p.replace(pools=np.full(p.n_servers, INF))
        many = p.replace(pools=np.full(p.n_servers, p.n_subtasks))
        single = p.replace(pools=np.ones(p.n_servers))
        for code in random_codes(p, seed, 2):
            plan = p.decode(code)
            run = plain_run(p, code.tolist())
            assert run.starts == run.arrivals
            ends = plan.starts + p.work_gcycles / p.speeds_ghz[code]
            assert plan.starts == pytest.approx(p.arrivals(code, ends), **CLOSE)
            assert many.objective(code) == p.objective(code) <= single.objective(code) + 1e-9


def test_one_task_in_a_line_never_waits():
    """The layers of one chain follow each other: pools and order do not matter."""
    for seed in range(30):
        p = links(random_problem(seed, "real", max_tasks=1))
        if not p.is_chains:
            continue
        code = random_codes(p, seed, 1)[0]
        values = {
            p.replace(pools=np.full(p.n_servers, k), order=order).objective(code)
            for k in (1, 3, INF)
            for order in ("fcfs", "priority", "strict", "planned")
        }
        assert len(values) == 1


def test_batch_is_single():
    """Many rows at once, in any order, have the values of the rows alone; nothing is left over."""
    for seed in range(40):
        p = random_problem(seed, "whole")
        codes = random_codes(p, seed, 9)
        values = p.costs(codes)
        single = np.array([p.objective(code) for code in codes])
        assert values[np.isfinite(values)] == pytest.approx(single[np.isfinite(values)], rel=1e-12)
        assert (np.isinf(values) == np.isinf(single)).all()
        assert values.tolist() == [p.costs(code[None])[0] for code in codes]
        assert p.costs(codes[::-1]).tolist() == values[::-1].tolist()
        assert p.costs(np.asfortranarray(codes)).tolist() == values.tolist()
        assert p.costs(codes.astype(np.int32).tolist()).tolist() == values.tolist()
    assert p.costs(codes[:0]).shape == (0,)


def permuted(problem, order):
    """Return the instance with its tasks in another order, and where each layer went."""
    parts = [np.flatnonzero(problem.tasks == i) for i in order]
    moved = np.concatenate(parts)
    where = np.argsort(moved)
    return problem.replace(
        successors=tuple(tuple(int(where[w]) for w in problem.successors[v]) for v in moved),
        work_gcycles=problem.work_gcycles[moved],
        outputs_mb=problem.outputs_mb[moved],
        tasks=np.repeat(np.arange(len(order)), [len(part) for part in parts]),
        inputs_mb=problem.inputs_mb[order],
        clients=problem.clients[order],
        release=problem.release[order],
    ), moved


@pytest.mark.parametrize("kind", ["whole", "real"])
def test_permuted_tasks(kind):
    """Tasks in another order with their old ranks: the same starts, ties included."""
    for seed in range(40):
        p = links(random_problem(seed, kind))
        order = np.random.default_rng(seed).permutation(p.n_tasks)
        q, moved = permuted(p, order)
        data = ranked(q, p.data.rank[moved])
        for code in random_codes(p, seed, 3):
            work = arrays.workspace(data)
            value = simulate.simulate(data, code[moved], work)
            assert value == pytest.approx(p.objective(code), **CLOSE)
            assert work.begins == pytest.approx(p.decode(code).starts[moved], **CLOSE)
            if kind == "real" and p.order == "fcfs" and (p.release > 0).all():
                assert q.objective(code[moved]) == pytest.approx(p.objective(code), **CLOSE)


@pytest.mark.parametrize("factor", [1e-6, 0.5, 3, 1e6])
def test_scaled_amounts(factor):
    """All work, data and release dates times a factor: all times too; so do slower machines."""
    for seed in range(25):
        p = links(random_problem(seed, "tenths"))
        q = p.replace(
            work_gcycles=factor * p.work_gcycles,
            outputs_mb=factor * p.outputs_mb,
            inputs_mb=factor * p.inputs_mb,
            release=factor * p.release,
        )
        r = p.replace(
            speeds_ghz=p.speeds_ghz / factor,
            rates_mb_s=p.rates_mb_s / factor,
            release=factor * p.release,
        )
        for code in random_codes(p, seed, 2):
            starts = factor * p.decode(code).starts
            for other in (q, r):
                assert other.decode(code).starts == pytest.approx(starts, rel=1e-9)
                assert other.objective(code) == pytest.approx(factor * p.objective(code), rel=1e-9)


def test_strict_runs_by_rank_and_always_ends():
    """Under strict a server starts its layers in the order of rank, whatever the assignment."""
    for seed in range(40):
        p = links(random_problem(seed, "whole", order="strict", return_result=False))
        for code in random_codes(p, seed, 3):
            starts = p.decode(code).starts
            assert p.objective(code) < INF
            for s in range(p.n_servers):
                mine = sorted(np.flatnonzero(code == s), key=ranks(p).get)
                assert (np.diff(starts[mine]) >= 0).all()


def test_no_pool_idles_while_a_layer_waits():
    """By arrival or by priority a layer waits only while all pools of its server are taken."""
    for seed in range(40):
        p = links(random_problem(seed, "whole"))
        if p.order == "strict":
            continue
        for code in random_codes(p, seed, 3):
            starts = p.decode(code).starts
            ends = starts + p.work_gcycles / p.speeds_ghz[code]
            arrivals = p.arrivals(code, ends)
            for v in np.flatnonzero(starts > arrivals + 1e-6).tolist():
                there = code == code[v]
                for t in np.unique(np.append(ends, arrivals[v])):
                    if arrivals[v] <= t < starts[v] - 1e-6:
                        busy = there & (starts <= t + 1e-6) & (ends > t + 1e-6)
                        assert busy.sum() == p.pools[code[v]]


def test_more_pools_may_hurt():
    """A second pool on the edge lets the long layer reach the cloud first: 23 for 16 by FCFS."""
    p = OffloadingProblem.chains(
        [[2, 1], [1, 10]],
        [[0, 0], [0, 0]],
        clients=[0, 0],
        **{**TRACE, "speeds_ghz": [1, 1, 1]},
    )
    assert p.objective([1, 2, 1, 2]) == plain_value(p, [1, 2, 1, 2]) == 3 + 13
    more = p.replace(pools=[1, 2, 1])
    assert more.objective([1, 2, 1, 2]) == plain_value(more, [1, 2, 1, 2]) == 12 + 11
