"""The offloading problem: construction, the worked examples, schedules and files.

Schedules are judged by a checker of its own and improved by a search over all of them; both read
raw fields only. Assignments are priced by the plain simulator of ``test_simulation``.
"""

import dataclasses
import functools
import itertools
import json
import math
import pickle
import re

import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st
from test_simulation import (
    CLOSE,
    NUMBERS,
    TRACE,
    links,
    plain_choices,
    plain_value,
    random_codes,
    random_problem,
    ranks,
)

import optedge as oe
from optedge import networks, platforms
from optedge.formulations.offloading import OffloadingProblem, Schedule

INF = math.inf


def example_1(**fields):
    """Return E1 of the specification."""
    return OffloadingProblem.chains(
        [[8, 4], [12, 4], [16, 16]],
        [[4, 8], [2, 2], [4, 2]],
        clients=[0, 0, 0],
        **{**TRACE, **fields},
    )


BEST_CODE = [1, 1, 2, 1, 2, 2]  # the best by FCFS, 31
BEST_SCHEDULE = Schedule([1, 1, 2, 2, 2, 2], [2, 6, 2, 5, 6, 10])  # ends 8, 6, 14: 28

MODULE = ((1, 2), (4,), (3,), (4,), (5,), ())  # split, a1, b1, b2, concat, tail


def example_2(**fields):
    """Return E2: a module of two branches, then a tail, without a limit of pools."""
    module = {
        "work_gcycles": [4, 8, 4, 16, 4, 4],
        "outputs_mb": [4, 2, 4, 2, 4, 1],
        "tasks": [0] * 6,
        "inputs_mb": [2],
        "clients": [0],
        "pools": [INF] * 3,
    }
    return OffloadingProblem(MODULE, **{**TRACE, **module, **fields})


def example_2b(**fields):
    """Return E2b: dearer links, more data."""
    return example_2(
        rates_mb_s=[[0, 4, 1], [4, 0, 1], [1, 1, 0]],
        work_gcycles=[4, 8, 8, 24, 12, 8],
        outputs_mb=[8, 8, 2, 4, 8, 4],
        inputs_mb=[8],
        **fields,
    )


# -------------------------------------------------------------------- oracles


def faults(problem, servers, starts):
    """Return the rules that a schedule breaks: "server", "link", "early", "full".

    Plain loops over layers; a difference of 1e-6 of the longest time counts as none.
    """
    n, found, choices = problem.n_subtasks, set(), plain_choices(problem)
    rates, tasks = problem.rates_mb_s, problem.tasks.tolist()
    ends = [starts[v] + problem.work_gcycles[v] / problem.speeds_ghz[servers[v]] for v in range(n)]
    slack = 1e-6 * max(ends)

    def there(time, size, a, b):
        if a != b and rates[a, b] == 0:
            return INF
        return time if a == b else time + size / rates[a, b]

    for v in range(n):
        if servers[v] not in choices[v]:
            found.add("server")
        before = [u for u in range(n) if v in problem.successors[u]]
        arrivals = [there(ends[u], problem.outputs_mb[u], servers[u], servers[v]) for u in before]
        if not before:
            i = tasks[v]
            home = int(problem.clients[i])
            arrivals = [there(problem.release[i], problem.inputs_mb[i], home, servers[v])]
        elif INF in arrivals:
            found.add("link")
        if INF not in arrivals and starts[v] < max(arrivals) - slack:
            found.add("early")
        running = sum(
            servers[u] == servers[v] and starts[u] <= starts[v] + slack < ends[u] - slack
            for u in range(n)
        )
        if running > problem.pools[servers[v]]:
            found.add("full")
    return found


WORDS = {
    "server": "may not use server",
    "link": "nothing gets from server",
    "early": "before its input is there",
    "full": "pools",
}


def named(sentences):
    """Return which rules some sentences name."""
    rules = [[rule for rule, words in WORDS.items() if words in line] for line in sentences]
    assert all(len(rule) == 1 for rule in rules)
    return {rule[0] for rule in rules}


def best_of_all(problem):
    """Return the least sum of flow times over all schedules of chains, and such a schedule.

    Any schedule is no worse if its layers, taken in the order of their starts, each take the pool
    that is free first: so all such sequences are searched, and cut off by what the tasks need
    without waiting.
    """
    n, m = problem.n_subtasks, problem.n_servers
    tasks, choices, rates = problem.tasks.tolist(), plain_choices(problem), problem.rates_mb_s
    after = [v + 1 if problem.successors[v] else None for v in range(n)]
    spent = (problem.work_gcycles[:, None] / problem.speeds_ghz).tolist()

    def sends(size, a, b):
        if a == b:
            return 0.0
        return size / rates[a, b] if rates[a, b] > 0 else INF

    @functools.cache
    def rest(v, a, begins):
        """Return the least time from the moment that what layer v reads stands at server a."""
        size = problem.inputs_mb[tasks[v]] if begins else problem.outputs_mb[v - 1]
        return min(
            sends(size, a, b) + spent[v][b] + (rest(after[v], b, False) if after[v] else 0.0)
            for b in choices[v]
        )

    best = [INF, None]

    def search(states, pools, plan, paid):
        # states: of each open task (next layer, where and since when its data stand, release)
        bound = paid + sum(t + rest(v, a, begins) - r for v, a, t, r, begins in states)
        if bound >= best[0] - 1e-9:
            return
        if not states:
            best[:] = [paid, dict(plan)]
            return
        for k, (v, a, t, r, begins) in enumerate(states):
            size = problem.inputs_mb[tasks[v]] if begins else problem.outputs_mb[v - 1]
            for b in choices[v]:
                start = max(t + sends(size, a, b), pools[b][0])
                if start == INF:
                    continue
                end = start + spent[v][b]
                left = states[:k] + states[k + 1 :]
                if after[v]:
                    left = [*left, (after[v], b, end, r, False)]
                free = sorted([*pools[b][1:], end])
                more = 0.0 if after[v] else end - r
                rows = [*pools[:b], free, *pools[b + 1 :]]
                search(left, rows, [*plan, (v, (b, start))], paid + more)

    firsts = [tasks.index(i) for i in range(problem.n_tasks)]
    states = [
        (v, int(c), float(r), float(r), True)
        for v, c, r in zip(firsts, problem.clients, problem.release, strict=True)
    ]
    pools = [[0.0] * int(min(problem.pools[s], n)) for s in range(m)]
    search(states, pools, [], 0.0)
    servers, starts = zip(*(best[1][v] for v in range(n)), strict=True)
    return best[0], Schedule(servers, starts)


# -------------------------------------------------------------------- construction


def two_tasks(**fields):
    """Return two chains of two layers, or what is wrong with them."""
    right = {
        "successors": ((1,), (), (3,), ()),
        "work_gcycles": [4, 4, 4, 8],
        "outputs_mb": [2, 0, 2, 0],
        "tasks": [0, 0, 1, 1],
        "inputs_mb": [2, 2],
        "clients": [0, 0],
        **TRACE,
    }
    return OffloadingProblem(**{**right, **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"work_gcycles": [4, 0, 4, 8]}, r"work_gcycles\[1\] must be positive"),
        ({"work_gcycles": [4, 4, -1, 8]}, r"work_gcycles\[2\] is negative"),
        ({"work_gcycles": [4, 4, 4, np.nan]}, r"work_gcycles\[3\] is NaN"),
        ({"work_gcycles": [4, INF, 4, 8]}, r"work_gcycles\[1\] is infinite"),
        ({"work_gcycles": [4, 4, 4]}, r"must have shape \(n_subtasks,\) = \(3,\), got \(4,\)"),
        ({"work_gcycles": 4}, r"work_gcycles must have shape \(n_subtasks,\)"),
        ({"work_gcycles": []}, r"work_gcycles must have shape .* non-empty"),
        ({"outputs_mb": [2, -1, 2, 0]}, r"outputs_mb\[1\] is negative"),
        ({"outputs_mb": [2, INF, 2, 0]}, r"outputs_mb\[1\] is infinite"),
        ({"outputs_mb": [2, 0, 2]}, r"outputs_mb must have shape \(n_subtasks,\) = \(4,\)"),
        ({"inputs_mb": [2, -2]}, r"inputs_mb\[1\] is negative"),
        ({"inputs_mb": [2, np.nan]}, r"inputs_mb\[1\] is NaN"),
        ({"inputs_mb": [2, 2, 2]}, r"must have shape \(n_tasks,\) = \(3,\), got \(2,\)"),
        ({"inputs_mb": []}, r"inputs_mb must have shape .* non-empty"),
        ({"pools": [1, 0, 1]}, r"pools\[1\] must be positive"),
        ({"pools": [1, 1.5, 1]}, r"pools\[1\] must be a whole number or inf"),
        ({"pools": [0.5, 1, 1]}, r"pools\[0\] must be a whole number or inf"),
        ({"pools": [1, 1, np.nan]}, r"pools\[2\] is NaN"),
        ({"pools": [1, -1, 1]}, r"pools\[1\] is negative"),
        ({"pools": [1, 1]}, r"pools must have shape \(n_servers,\) = \(3,\), got \(2,\)"),
        ({"speeds_ghz": [1, 0, 4]}, r"speeds_ghz\[1\] must be positive"),
        ({"speeds_ghz": [1, 2, -4]}, r"speeds_ghz\[2\] is negative"),
        ({"speeds_ghz": [1, INF, 4]}, r"speeds_ghz\[1\] is infinite"),
        ({"speeds_ghz": [np.nan, 2, 4]}, r"speeds_ghz\[0\] is NaN"),
        ({"speeds_ghz": [1, 2]}, r"must have shape \(n_servers, n_servers\) = \(2, 2\)"),
        ({"rates_mb_s": [[0, 2, 1], [2, 0, -2], [1, 2, 0]]}, r"rates_mb_s\[1, 2\] is negative"),
        ({"rates_mb_s": [[0, 2, 1], [2, 0, 2], [np.nan, 2, 0]]}, r"rates_mb_s\[2, 0\] is NaN"),
        ({"rates_mb_s": [[0, 2, 1]]}, r"rates_mb_s must have shape .* = \(3, 3\), got \(1, 3\)"),
        ({"rates_mb_s": [0, 2, 1]}, r"rates_mb_s must have shape \(n_servers, n_servers\)"),
        ({"tiers": [0, 1, 3]}, r"tiers\[2\] must be 0, 1 or 2, got 3"),
        ({"tiers": [0, -1, 2]}, r"tiers\[1\] is negative"),
        ({"tiers": [1, 1, 2]}, r"clients\[0\]: server 0 is no client"),
        ({"tiers": ["client", "edge", "cloud"]}, r"tiers must be an array of numbers"),
        ({"clients": [0, 1]}, r"clients\[1\]: server 1 is no client"),
        ({"clients": [3, 0]}, r"clients\[0\]: server 3 is no client"),
        ({"clients": [0, -1]}, r"clients\[1\] is negative"),
        ({"clients": [0]}, r"clients must have shape \(n_tasks,\) = \(2,\), got \(1,\)"),
        ({"release": [0, -1]}, r"release\[1\] is negative"),
        ({"release": [np.nan, 0]}, r"release\[0\] is NaN"),
        ({"release": [0, INF]}, r"release\[1\] is infinite"),
        ({"release": [0]}, r"release must have shape \(n_tasks,\) = \(2,\), got \(1,\)"),
        ({"tasks": [0, 1, 0, 1]}, r"tasks must be 0, \.\.\., 0, 1, .* without a gap"),
        ({"tasks": [1, 1, 0, 0]}, r"tasks must be 0, \.\.\., 0, 1"),
        ({"tasks": [0, 0, 0, 0]}, r"tasks must be 0, \.\.\., 0, 1"),
        ({"tasks": [1, 1, 1, 1]}, r"tasks must be 0, \.\.\., 0, 1"),
        ({"tasks": [0, 0, 1]}, r"tasks must have shape \(n_subtasks,\) = \(4,\), got \(3,\)"),
        ({"tasks": [0, 0, 1, -1]}, r"tasks\[3\] is negative"),
        pytest.param({"tasks": [0, 0, 2, 2]}, r"tasks must be 0, \.\.\., 0, 1"),
        pytest.param({"tasks": [0, 0, 1, 2]}, r"tasks must be 0, \.\.\., 0, 1"),
        pytest.param({"tasks": [0, 0, 1, 10**15]}, r"tasks must be 0, \.\.\., 0, 1"),
        ({"successors": ((1,), (0,), (3,), ())}, r"task 0: successors: a cycle, 0 -> 1 -> 0"),
        ({"successors": ((1,), (), (3,), (3,))}, r"task 1: successors: a cycle"),
        ({"successors": ((1,), (), (), ())}, r"task 1: .* have no predecessor"),
        ({"successors": ((), (), (3,), ())}, r"task 0: .* have no predecessor"),
        ({"successors": ((1,), (2,), (3,), ())}, r"task 0: .*there is no layer 2"),
        ({"successors": ((1,), (), (3,), (0,))}, r"task 1: .*there is no layer"),
        ({"successors": ((1,), (), (9,), ())}, r"task 1: .*there is no layer"),
        ({"successors": ((1, 1), (), (3,), ())}, r"task 0: .*a layer is named twice"),
        ({"successors": ((1.5,), (), (3,), ())}, r"task 0: .*is no layer number"),
        ({"successors": ((1,), (), (3,))}, r"successors must hold 4 rows, got 3"),
        pytest.param({"successors": (("1",), (), (3,), ())}, r"successors"),
        pytest.param({"successors": (1, (), (3,), ())}, r"successors"),
        pytest.param({"successors": None}, r"successors"),
        ({"order": "lifo"}, r"order must be one of \('fcfs', .*'planned'\), got 'lifo'"),
        ({"order": 0}, r"order must be one of"),
        ({"first_layer": "edge"}, r"first_layer must be one of \('free', 'client'\), got 'edge'"),
        ({"name": 3}, r"name must be a string"),
        pytest.param({"clients": [0, 0.7]}, r"clients"),
        pytest.param({"tiers": [0, 1, 1.9]}, r"tiers"),
        pytest.param({"tasks": [0, 0, 1, 1.9]}, r"tasks"),
    ],
)
def test_bad_input_is_refused(fields, message):
    """The sentence names the entry that is wrong, and what was expected."""
    with pytest.raises(ValueError, match=message):
        two_tasks(**fields)


@pytest.mark.parametrize("field", ["foreign_clients", "return_result"])
def test_switches_are_true_or_false(field):
    """A word is no switch: "no" would mean yes."""
    with pytest.raises(ValueError, match=field):
        two_tasks(**{field: "no"})


@pytest.mark.parametrize(
    ("work", "data", "message"),
    [
        ([[1, 1]], [[1]], r"data_mb\[0\] must hold 2 or 3 numbers"),
        ([[1], [1, 1]], [[1], [1, 1, 1, 1]], r"data_mb\[1\] must hold 2 or 3 numbers"),
        ([[1], [1]], [[1]], r"data_mb must hold 2 tasks, got 1"),
        pytest.param([[1], []], [[1], []], r"work_gcycles|data_mb"),
        pytest.param([], [], r"work_gcycles|data_mb"),
    ],
)
def test_bad_chains_are_refused(work, data, message):
    """Each layer of a chain has work and an input, and each chain has a layer."""
    with pytest.raises(ValueError, match=message):
        OffloadingProblem.chains(work, data, clients=[0] * len(work), **TRACE)


def test_chains_are_graphs():
    """The short form of chains gives the arrays of the long one, with or without a result."""
    p = OffloadingProblem.chains([[4, 4], [4, 8]], [[2, 2], [2, 2, 0]], clients=[0, 0], **TRACE)
    assert p.key == two_tasks().key
    assert p.is_chains
    assert not example_2().is_chains
    assert (p.n_tasks, p.n_subtasks, p.n_servers) == (2, 4, 3)


def test_release_is_zero_if_left_out():
    """No release dates are release dates of zero."""
    assert two_tasks().key == two_tasks(release=[0, 0]).key == two_tasks(release=None).key
    assert two_tasks(release=[0, 1]).key != two_tasks().key


def test_arrays_are_copied_and_frozen():
    """Neither the caller's array nor anybody else can change an instance later."""
    work = np.array([4.0, 4, 4, 8])
    p = two_tasks(work_gcycles=work)
    work[0] = 9
    assert p.work_gcycles[0] == 4
    for field in dataclasses.fields(p):
        value = getattr(p, field.name)
        if isinstance(value, np.ndarray):
            with pytest.raises(ValueError, match="read-only"):
                value[0] = 2
    with pytest.raises(ValueError, match="read-only"):
        p.allowed[0, 0] = False
    with pytest.raises(dataclasses.FrozenInstanceError):
        p.order = "strict"
    with pytest.raises(ValueError, match="read-only"):
        BEST_SCHEDULE.starts[0] = 1


@pytest.mark.parametrize("name", ["seconds", "seconds_per_mb"])
def test_derived_arrays_are_frozen(name):
    """What is computed from the fields cannot be written either, before or after a simulation."""
    with pytest.raises(ValueError, match="read-only"):
        getattr(two_tasks(), name)[0, 1] = 9


def test_key_tells_data_from_name():
    """Instances have the same key exactly if all but the name is equal."""
    p = two_tasks(name="one")
    assert p.key == two_tasks(name="other").key
    changed = [
        p.replace(successors=((1,), (), (3,), ()), pools=[1, 1, INF]),
        p.replace(order="strict"),
        p.replace(first_layer="client"),
        p.replace(foreign_clients=True),
        p.replace(return_result=True),
        p.replace(outputs_mb=[2, 1, 2, 0]),
    ]
    assert len({p.key, *(q.key for q in changed)}) == 7


def test_pickle_round_trip():
    """An instance that went to another process is the same, and still frozen."""
    p = example_2b(name="E2b")
    q = pickle.loads(pickle.dumps(p))
    assert (q.key, q.name, q.successors) == (p.key, "E2b", MODULE)
    assert q.costs([[1, 1, 1, 2, 2, 2]]) == p.costs([[1, 1, 1, 2, 2, 2]]) == 21
    with pytest.raises(ValueError, match="read-only"):
        q.rates_mb_s[0, 0] = 1


@pytest.mark.parametrize("kind", NUMBERS)
def test_choices(kind):
    """Own client, edges and clouds; where the input gets for first layers; never none."""
    for seed in range(40):
        p = random_problem(seed, kind)
        rows = [np.flatnonzero(row).tolist() for row in p.choices]
        assert rows == plain_choices(p)
        home = p.clients[p.tasks]
        assert p.choices[np.arange(p.n_subtasks), home].all()
        assert p.objective(home) < INF


def test_first_layers_at_the_client():
    """With ``first_layer="client"`` only the first layer has to stay where its task is born."""
    p = two_tasks(first_layer="client")
    assert p.choices.sum(axis=1).tolist() == [1, 3, 1, 3]
    assert p.violations([1, 1, 0, 1]) == ["layer 0 of task 0 may not use server 1."]


def test_the_diagonal_of_rates_does_not_count():
    """Whatever rate a server has to itself, nothing has to travel there."""
    values = set()
    for own in (0, 1, 1e-9, INF):
        rates = np.array(TRACE["rates_mb_s"], dtype=float)
        np.fill_diagonal(rates, own)
        values.add(tuple(example_1(rates_mb_s=rates).costs([BEST_CODE, [2] * 6])))
    assert values == {(31, 42)}


def test_from_network():
    """Tasks of one network get its layers without the input, and clients in turn."""
    graph = networks.load("alexnet", "linbin403")
    servers = [
        platforms.Server(clock_ghz=clock, tier=tier, pool=pool)
        for clock, tier, pool in [(1, 0, 1), (2, 0, 1), (4, 1, 2), (8, 2, INF)]
    ]
    rates = np.full((4, 4), 8e6)  # 1 MB/s
    p = OffloadingProblem.from_network(graph, platforms.Platform(servers, rates), 3)
    n = graph.n_layers - 1
    assert (p.n_tasks, p.n_subtasks) == (3, 3 * n)
    assert p.is_chains
    assert p.clients.tolist() == [0, 1, 0]
    assert p.pools.tolist() == [1, 1, 2, INF]
    total = float(graph.work_gcycles.sum())
    sent = 3 * graph.output_bytes[0] / 1e6
    assert p.objective([3] * 3 * n) == pytest.approx(3 * total / 8 + sent)
    # Tasks 0 and 2 take turns at client 0, layer by layer.
    turns = (2 * total - float(graph.work_gcycles[-1])) + total / 2 + 2 * total
    assert p.objective(p.clients[p.tasks]) == pytest.approx(turns)


# -------------------------------------------------------------------- worked examples


def test_example_1():
    """E1: 31 is the best of all 729 assignments by FCFS, with a wait of 1 and one of 2."""
    p = example_1()
    codes = np.array(list(itertools.product(range(3), repeat=6)))
    values = p.costs(codes)
    assert values.tolist() == [plain_value(p, code.tolist()) for code in codes]
    assert values.min() == p.objective(BEST_CODE) == 31
    assert [p.objective([s] * 6) for s in range(3)] == [144, 75, 42]
    plan = p.decode(BEST_CODE)
    ends = plan.starts + p.work_gcycles / p.speeds_ghz[plan.servers]
    waits = plan.starts - p.arrivals(plan.servers, ends)
    assert sorted(waits.tolist()) == [0, 0, 0, 0, 1, 2]


def test_example_1_has_a_better_schedule():
    """The cloud does well to take the short layer before the one that came first: 28, not 31."""
    p = example_1()
    assert p.violations(BEST_SCHEDULE) == []
    assert p.objective(BEST_SCHEDULE) == 28
    assert p.flows(BEST_SCHEDULE).tolist() == [8, 6, 14]
    assert p.objective(BEST_SCHEDULE.servers) > 28
    value, plan = best_of_all(p)
    assert value == p.objective(plan) == 28
    assert faults(p, plan.servers, plan.starts) == set()


@pytest.mark.parametrize("order", ["fcfs", "priority", "planned"])
def test_example_1_without_a_limit(order):
    """Without waiting E1 costs 25, the bound of the tasks one by one, whatever the order."""
    p = example_1(pools=[INF] * 3, order=order)
    values = p.costs(np.array(list(itertools.product(range(3), repeat=6))))
    assert values.min() == 25


def test_example_2():
    """E2: the whole module on the cloud, 10, is the best of all 729 placements."""
    p = example_2()
    codes = np.array(list(itertools.product(range(3), repeat=6)))
    values = p.costs(codes)
    assert values.min() == p.objective([2] * 6) == 10
    assert values.tolist() == [plain_value(p, code.tolist()) for code in codes]


def test_example_2b():
    """E2b: 21 with split, a1 and b1 on the edge; all on the cloud is 22."""
    p = example_2b()
    codes = np.array(list(itertools.product(range(3), repeat=6)))
    values = p.costs(codes)
    assert values.min() == p.objective([1, 1, 1, 2, 2, 2]) == 21
    assert p.objective([2] * 6) == 22
    assert values.tolist() == [plain_value(p, code.tolist()) for code in codes]


def test_one_pool_serialises_branches():
    """Branches on one client run side by side only if it has two pools."""
    assert example_2().objective([0] * 6) == 4 + 20 + 4 + 4
    assert example_2(pools=[2, 1, 1]).objective([0] * 6) == 32
    assert example_2(pools=[1, 1, 1]).objective([0] * 6) == 40


# -------------------------------------------------------------------- schedules


@pytest.mark.parametrize("kind", NUMBERS)
def test_every_decoded_schedule_is_feasible(kind):
    """The package and the checker agree that what a code means breaks no rule."""
    ran = 0
    for seed in range(60):
        p = random_problem(seed, kind)
        for code in random_codes(p, seed, 3):
            if p.costs(code[None])[0] == INF:
                continue
            plan = p.decode(code)
            assert p.violations(code) == p.violations(plan) == []
            assert faults(p, plan.servers, plan.starts) == set()
            assert p.encode(plan).tolist() == code.tolist()
            assert p.objective(plan) == p.objective(code) == pytest.approx(p.costs([code])[0])
            ran += 1
    assert ran > 60


@pytest.mark.parametrize("block", range(4))
def test_broken_schedules(block):
    """Moved starts and servers: the package names the rules that the checker finds broken."""
    seen = set()
    for seed in range(40 * block, 40 * (block + 1)):
        p = random_problem(seed, "whole", return_result=False)
        r = np.random.default_rng(seed)
        for code in random_codes(p, seed, 4):
            if r.random() < 0.4:
                code[r.integers(0, code.size)] = r.integers(0, p.n_servers)
            good = p.costs(code[None])[0] < INF
            starts = p.decode(code).starts if good else r.uniform(0, 9, code.size)
            moved = starts + (r.random(code.size) < 0.3) * r.choice([-1, -0.01, 0.01, 1, 3])
            x = Schedule(code, moved)
            rules, found = faults(p, x.servers, x.starts), p.violations(x)
            if rules & {"server", "link"}:  # times mean nothing then
                rules &= {"server", "link"}
            assert named(found) == rules - ({"link"} if "server" in rules else set()) or (
                named(found) == rules
            )
            assert (p.objective(x) == INF) >= bool(rules)
            seen |= rules
    assert seen == {"server", "link", "early", "full"}


def test_later_starts_stay_feasible():
    """With every start doubled, and pools without end, data come early: nothing is broken."""
    for seed in range(30):
        p = links(random_problem(seed, "real", return_result=False))
        p = p.replace(pools=np.full(p.n_servers, INF))
        code = random_codes(p, seed, 1)[0]
        plan = p.decode(code)
        later = Schedule(code, plan.starts + p.rank * plan.starts.max())
        assert p.violations(later) == []
        assert faults(p, later.servers, later.starts) == set()
        assert p.objective(later) >= p.objective(code)


@pytest.mark.parametrize(
    ("servers", "starts", "sentences"),
    [
        ([0, 0, 0, 0], [0, 4, 8, 12], []),
        (
            [0, 0, 0, 0],
            [0, 3, 8, 12],
            [
                "layer 1 of task 0 starts at 3 s, before its input is there at 4 s.",
                r"server 0 runs 2 layers at 3.* s, it has 1 pools.",
            ],
        ),
        (
            [1, 0, 0, 0],
            [0.5, 3.5, 8, 12],
            ["layer 0 of task 0 starts at 0.5 s, before its input is there at 1 s."],
        ),
        ([0, 0, 0, 0], [0, 4, 4, 12], [r"server 0 runs 2 layers at 4.* s, it has 1 pools."]),
        ([0, 0, 0, 0], [-1, 4, 8, 12], ["layer 0 of task 0 starts at -1 s, .* at 0 s."]),
        ([1, 0, 0, 0], [1, 3.5, 8, 12], ["layer 1 of task 0 starts at 3.5 s, .* at 4 s."]),
        ([0, 0, 0, 0], [0, 4, 8], ["a schedule holds 4 finite starts."]),
        ([0, 0, 0, 0], [[0, 4, 8, 12]], ["a schedule holds 4 finite starts."]),
        ([0, 0, 0, 0], [0, 4, 8, np.nan], ["a schedule holds 4 finite starts."]),
        ([0, 0, 0, 0], [0, 4, 8, INF], ["a schedule holds 4 finite starts."]),
        ([0, 0, 0], [0, 4, 8], [r"a solution names 4 servers, got shape \(3,\)."]),
        ([[0, 0, 0, 0]], [0, 4, 8, 12], [r"a solution names 4 servers, got shape \(1, 4\)."]),
        ([0, 0, 3, 0], [0, 4, 8, 12], ["layer 0 of task 1: there is no server 3."]),
        ([0, -1, 0, 0], [0, 4, 8, 12], ["layer 1 of task 0: there is no server -1."]),
        ([0, 3, 0, 0], [0, 4, 8, 12], ["layer 1 of task 0 may not use server 3."]),
        (
            [0, 3, 3, 0],
            [0, 4, 8, 12],
            ["layer 1 of task 0 may not use server 3.", "layer 0 of task 1 may not use server 3."],
        ),
        (
            [2, 2, 0, 0],
            [0, 4, 8, 12],
            ["layer 0 of task 0 may not use server 2."],  # its input does not get there
        ),
        ([0, 2, 0, 0], [0, 4, 8, 12], ["layer 1 of task 0: nothing gets from server 0 to .* 2."]),
    ],
)
def test_sentences_on_schedules(servers, starts, sentences):
    """Each broken rule has a sentence with the layer or the server, and the objective is inf."""
    p = two_tasks()
    if any(s in (2, 3) for s in np.ravel(servers)) and "no server" not in sentences[0]:
        p = two_tasks(  # a second client, and no link from client to cloud
            speeds_ghz=[1, 2, 4, 1],
            rates_mb_s=[[0, 2, 0, 1], [2, 0, 2, 2], [0, 2, 0, 0], [1, 2, 0, 0]],
            pools=[1] * 4,
            tiers=[0, 1, 2, 0],
        )
    x = Schedule(servers, starts)
    found = p.violations(x)
    assert len(found) == len(sentences)
    for line, words in zip(found, sentences, strict=True):
        assert re.fullmatch(words, line)
    assert p.objective(x) == (28 if not sentences else INF)


def test_all_faults_of_a_schedule_are_named():
    """Three layers too early and two servers too full are five sentences."""
    p = two_tasks()
    found = p.violations(Schedule([0, 1, 0, 1], [0, 1, 0, 1]))
    assert len(found) == 4
    assert named(found) == {"early", "full"}


@pytest.mark.parametrize(
    ("starts", "words"),
    [
        ([0, 1, 2], "server 0 runs 3 layers at 2 s, it has 1 pools."),
        ([0, 3, 8], "server 0 runs 2 layers at 3 s, it has 1 pools."),
    ],
)
def test_the_time_of_an_overfull_pool(starts, words):
    """The sentence gives a time at which that many layers do run."""
    p = OffloadingProblem.chains([[4], [4], [4]], [[0], [0], [0]], clients=[0, 0, 0], **TRACE)
    assert p.violations(Schedule([0, 0, 0], starts)) == [words]


def test_codes_outside_are_refused():
    """No memory is read for a server that does not exist, and a foreign client is worth nothing."""
    p = two_tasks()
    for codes in ([[0, 0, 0, p.n_servers]], [[0, 0, 0, -1]], [[0, 0, 0]], [0, 0, 0, 0]):
        with pytest.raises(ValueError, match="codes"):
            p.costs(codes)


@pytest.mark.parametrize("x", [[0, 0, 0], [[0, 0, 0, 0]], [], None, ["a"] * 4])
def test_what_is_no_assignment(x):
    """Anything but four integers is refused with a sentence."""
    p = two_tasks()
    assert len(p.violations(x)) == 1
    assert "a solution names 4 servers" in p.violations(x)[0]
    assert p.objective(x) == INF


def test_an_assignment_of_floats():
    """Of floats the sentence says that integers are wanted; the shape is right."""
    (sentence,) = two_tasks().violations([0.0, 0.0, 0.0, 0.0])
    assert "integer" in sentence


def test_a_schedule_takes_no_half_servers():
    """Servers 0.9 are not rounded down to 0."""
    with pytest.raises(ValueError, match="servers"):
        Schedule([0.9, 0, 0, 0], [0, 4, 8, 12])


def test_no_connection_is_named():
    """An assignment over a missing link has a sentence for each edge, and is worth nothing."""
    p = two_tasks(rates_mb_s=[[0, 2, 0], [2, 0, 2], [0, 2, 0]])
    assert p.violations([0, 2, 0, 2]) == [
        "layer 1 of task 0: nothing gets from server 0 to server 2.",
        "layer 1 of task 1: nothing gets from server 0 to server 2.",
    ]
    assert p.objective([0, 2, 0, 2]) == p.costs([[0, 2, 0, 2]])[0] == INF
    assert p.violations([1, 2, 1, 2]) == []


def test_no_way_back_is_named():
    """If results return, a last layer whence nothing gets home breaks a rule."""
    p = two_tasks(rates_mb_s=[[0, 2, 0], [2, 0, 2], [0, 2, 0]], return_result=True)
    assert p.objective([1, 2, 1, 2]) == p.costs([[1, 2, 1, 2]])[0] == INF
    assert p.violations([1, 2, 1, 2]) != []


def test_foreign_clients():
    """Another user's device is forbidden unless the field allows it."""
    servers = {
        "speeds_ghz": [1, 2, 4, 5],
        "rates_mb_s": np.ones((4, 4)),
        "pools": [1] * 4,
        "tiers": [0, 1, 2, 0],
    }
    p = two_tasks(**servers, clients=[0, 3])
    assert p.violations([3, 1, 3, 3]) == ["layer 0 of task 0 may not use server 3."]
    assert p.objective([3, 1, 3, 3]) == INF
    assert p.replace(foreign_clients=True).objective([3, 1, 3, 3]) < INF


def test_rounding_of_starts_is_forgiven():
    """Starts that are early by rounding, or overlap by it, are right; by 1e-6 they are wrong."""
    p = two_tasks()
    exact = np.array([0, 4, 8, 12], dtype=float)
    assert p.violations(Schedule([0] * 4, exact * (1 - 1e-12))) == []
    assert p.violations(Schedule([0] * 4, exact * (1 + 1e-12))) == []
    assert len(p.violations(Schedule([0] * 4, exact - [0, 1e-6, 0, 0]))) == 2


def test_late_tasks_have_no_more_slack():
    """At 1.7e9 s on the clock a layer may not begin a second before its task is born."""
    born = 1.7e9
    p = OffloadingProblem.chains([[4]], [[0]], clients=[0], release=[born], **TRACE)
    early = Schedule([0], [born - 1])
    assert p.objective(p.decode([0])) == 4
    assert p.violations(early) != []


# -------------------------------------------------------------------- the best schedule


def tiny(seed, kind="whole", **fields):
    """Return an instance of at most three chains of two layers, every server connected."""
    r = np.random.default_rng(seed)
    sizes = r.integers(1, 3, r.integers(2, 4))
    number = (lambda k: r.integers(1, 7, k)) if kind == "whole" else (lambda k: r.uniform(1, 7, k))
    rates = r.integers(1, 5, (3, 3))
    return OffloadingProblem.chains(
        [number(k) for k in sizes],
        [number(k) for k in sizes],
        **{
            "clients": np.zeros(len(sizes)),
            "speeds_ghz": [1, 2, 3],
            "rates_mb_s": np.maximum(rates, rates.T),
            "pools": [1, 1, 1],
            "tiers": [0, 1, 2],
            "release": r.integers(0, 3, len(sizes)),
            **fields,
        },
    )


@pytest.mark.parametrize("kind", ["whole", "real"])
def test_more_pools_never_raise_the_optimum(kind):
    """Over all schedules a further pool cannot hurt, and no assignment beats the best schedule."""
    for seed in range(8):
        p = tiny(seed, kind)
        codes = np.array(list(itertools.product(range(3), repeat=p.n_subtasks)))
        values = []
        for pools in ([1, 1, 1], [1, 2, 1], [1, 2, 2], [INF] * 3):
            q = p.replace(pools=pools)
            value, plan = best_of_all(q)
            assert q.violations(plan) == []
            assert faults(q, plan.servers, plan.starts) == set()
            assert q.objective(plan) == pytest.approx(value, **CLOSE)
            for order in ("fcfs", "priority", "strict", "planned"):
                assert value <= q.replace(order=order).costs(codes).min() + 1e-9
            values.append(value)
        assert values == pytest.approx(sorted(values, reverse=True), **CLOSE)
        assert values[-1] == pytest.approx(q.costs(codes).min(), **CLOSE)


# -------------------------------------------------------------------- solvers and files


def test_enumeration_proves_nothing():
    """All codes of E1 give 31; as a schedule of 28 exists, that is no optimum."""
    p = example_1()
    result = oe.solve(p, "enumeration", bound=False)
    assert result.objective == 31
    assert result.status == oe.Status.FEASIBLE
    assert result.proof == "none"
    assert result.bound <= 28
    assert isinstance(result.solution, Schedule)
    assert result.solution.servers.tolist() == BEST_CODE
    assert oe.verify(result)


@given(st.integers(0, 10**6))
@examples(15)
def test_enumeration_is_the_best_code(seed):
    """On tiny instances of any order it returns the least value of all codes, by the oracle."""
    p = random_problem(seed, "whole", max_tasks=2, max_layers=2)
    result = oe.solve(p, "enumeration", bound=False)
    every = itertools.product(*plain_choices(p))
    assert result.objective == pytest.approx(min(plain_value(p, x) for x in every), rel=1e-9)
    assert result.status == oe.Status.FEASIBLE
    assert oe.verify(result)


@pytest.mark.parametrize("order", ["fcfs", "priority", "strict", "planned"])
def test_random(order):
    """Draws of allowed servers: a feasible schedule, the same for the same seed."""
    p = example_1(order=order)
    results = [oe.solve(p, "random", seed=s, max_evaluations=300, bound=False) for s in (1, 1, 2)]
    for result in results:
        assert result.status == oe.Status.FEASIBLE
        assert p.violations(result.solution) == []
        assert result.objective == p.objective(result.solution) >= 28
        assert faults(p, result.solution.servers, result.solution.starts) == set()
        assert oe.verify(result)
    assert results[0].solution.servers.tolist() == results[1].solution.servers.tolist()


def test_random_on_graphs():
    """With missing links and graphs a draw may have no value; what is found is feasible."""
    for seed in range(10):
        p = random_problem(seed, "real")
        result = oe.solve(p, "random", seed=seed, max_evaluations=200)
        if result.solution is None:
            assert result.status == oe.Status.UNKNOWN
            continue
        assert result.objective == pytest.approx(
            plain_value(p, result.solution.servers.tolist()), rel=1e-9
        )
        assert oe.verify(result)


@given(st.integers(0, 10**6), st.sampled_from(list(NUMBERS)))
@examples(30)
def test_save_and_load(tmp_path_factory, seed, kind):
    """A problem comes back from its file to the last digit, infinite entries included."""
    path = tmp_path_factory.mktemp("offloading") / "p.json"
    problem = random_problem(seed, kind)
    oe.save(problem.replace(name="tasks"), path)
    back = oe.load(path)
    assert (back.key, back.name) == (problem.key, "tasks")
    assert back.successors == problem.successors
    assert ranks(back) == ranks(problem)
    code = random_codes(problem, seed, 1)
    assert back.costs(code).tolist() == problem.costs(code).tolist()


@pytest.mark.parametrize("solver", ["random", "enumeration"])
def test_results_save_and_load(tmp_path, solver):
    """A result comes back with its schedule, and what it claims can be verified."""
    options = {"seed": 3, "max_evaluations": 100} if solver == "random" else {}
    result = oe.solve(example_2b(), solver, **options)
    oe.save(result, tmp_path / "r.json")
    back = oe.load(tmp_path / "r.json")
    assert isinstance(back.solution, Schedule)
    assert back.solution.servers.tolist() == result.solution.servers.tolist()
    assert back.solution.starts.tolist() == result.solution.starts.tolist()
    assert (back.objective, back.status) == (result.objective, result.status)
    assert back.problem.key == result.problem.key
    assert oe.verify(back)
    assert oe.verify(back).objective == result.objective


def test_a_forged_schedule_is_found_out(tmp_path):
    """A file whose starts were moved states a value that it does not have."""
    path = tmp_path / "r.json"
    oe.save(oe.solve(example_1(), "enumeration"), path)
    content = json.loads(path.read_text())
    text = path.read_text()
    starts = content["solution"]["starts"]["data"]
    forged = text.replace(json.dumps(starts, separators=(",", ":")), json.dumps([0.0] * 6))
    forged = forged.replace(json.dumps(starts), json.dumps([0.0] * 6))
    assert forged != text
    path.write_text(forged)
    check = oe.verify(oe.load(path))
    assert not check.ok
    assert any("before its input is there" in line for line in check.violations)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("successors", [[1], [], [3], [9], [5], []], "task 1: .*there is no layer"),
        ("successors", [[1], [0], [3], [], [5], []], "task 0: successors: a cycle"),
        ("pools", [1, 0, 1], r"pools\[1\] must be positive"),
        ("pools", [1, 1], "n_servers"),
        ("tasks", [0, 1, 0, 1, 2, 2], "tasks must be 0"),
        ("clients", [0, 0, 1], r"clients\[2\]: server 1 is no client"),
        ("order", "lifo", "order: .lifo."),
        ("rates_mb_s", "fast", "rates_mb_s"),
    ],
)
def test_broken_files_are_refused(tmp_path, field, value, words):
    """The sentence names the file and the field that is wrong."""
    path = tmp_path / "e1.json"
    oe.save(example_1(), path)
    content = json.loads(path.read_text())
    assert field in content
    path.write_text(json.dumps(content | {field: value}))
    with pytest.raises(ValueError, match=words) as error:
        oe.load(path)
    assert "e1.json" in str(error.value)
