"""The planned order of the offloading problem against a plain search for gaps.

The oracle reads the raw fields of an instance only, in rational numbers. Where gaps may fit to the
last digit the instances are such that floats are exact: whole work and data, powers of two.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
from conftest import seeds
from test_offloading import BEST_SCHEDULE, example_1, faults
from test_simulation import (
    CLOSE,
    TRACE,
    exact,
    executing,
    inputs_of,
    links,
    plain_flows,
    random_codes,
    random_problem,
    sending,
)

import optedge as oe
from optedge.formulations.offloading import OffloadingProblem

INF = math.inf


def earliest_gap(busy, pools, arrival, length):
    """Return the earliest start from ``arrival`` on at which fewer than ``pools`` layers run.

    ``busy`` holds (start, end) of the layers placed. Only the arrival or some end can be earliest,
    and what runs at a time is most at the start of the gap or at that of a layer within.
    """
    for t in sorted({arrival, *(b for _, b in busy if b > arrival)}):
        looks = [t, *(a for a, _ in busy if t < a < t + length)]
        if all(sum(a <= x < b for a, b in busy) < pools for x in looks):
            return t
    raise AssertionError("after all layers there is a gap")


def plain_plan(problem, servers):
    """Return starts and flow times, None if some data cannot get where it is read."""
    tasks, before = problem.tasks.tolist(), inputs_of(problem)
    start, end = [None] * len(tasks), [None] * len(tasks)
    busy = [[] for _ in problem.pools]
    for i in sorted(range(problem.n_tasks), key=lambda i: (problem.release[i], i)):
        home, birth = problem.clients[i], exact(problem.release[i])
        for v in (v for v, task in enumerate(tasks) if task == i):
            s = servers[v]
            arrival = [end[u] + sending(problem, problem.outputs_mb[u], servers[u], s)
                       for u in before[v]]  # fmt: skip
            if not arrival:
                arrival = [birth + sending(problem, problem.inputs_mb[i], home, s)]
            if INF in arrival:
                return None
            length = executing(problem, v, s)
            start[v] = earliest_gap(busy[s], problem.pools[s], max(arrival), length)
            end[v] = start[v] + length
            busy[s].append((start[v], end[v]))
    return start, plain_flows(problem, servers, end)


def exact_floats(problem):
    """Return the instance with the speeds and rates rounded to powers of two."""
    with np.errstate(divide="ignore"):
        rates = 2.0 ** np.round(np.log2(problem.rates_mb_s))
    speeds = 2.0 ** np.round(np.log2(problem.speeds_ghz))
    return problem.replace(rates_mb_s=rates, speeds_ghz=speeds)


def line(lengths, **fields):
    """Return tasks of one layer at one client."""
    zeros = [[0]] * len(lengths)
    work = [[x] for x in lengths]
    return OffloadingProblem.chains(
        work, zeros, clients=[0] * len(lengths), **{**TRACE, "order": "planned", **fields}
    )


# -------------------------------------------------------------------- values known by hand


def test_example_1():
    """The servers of the best schedule of E1 give it when planned, 28, and 32 by arrival."""
    p = example_1(order="planned")
    plan = p.decode(BEST_SCHEDULE.servers)
    assert plan.starts.tolist() == BEST_SCHEDULE.starts.tolist()
    assert p.flows(plan).tolist() == [8, 6, 14]
    assert p.objective(BEST_SCHEDULE.servers) == 28
    assert p.replace(order="fcfs").objective(BEST_SCHEDULE.servers) == 32


def test_enumeration_of_example_1():
    """Of all planned assignments of E1 the best is the best of all schedules."""
    result = oe.solve(example_1(order="planned"), "enumeration", bound=False)
    assert result.objective == 28


def test_a_layer_fits_into_a_gap():
    """Between 3 and 7 the client is idle while task 0 is away: length 4 fits there, 5 does not."""
    chain = {"rates_mb_s": np.full((3, 3), INF), "order": "planned"}
    for length, begins in ((4, 3), (5, 9)):
        p = OffloadingProblem.chains(
            [[3, 8, 2], [length]], [[0, 0, 0], [0]], clients=[0, 0], **{**TRACE, **chain}
        )
        assert p.decode([0, 1, 0, 0]).starts.tolist() == [0, 3, 7, begins]


def test_a_second_pool_counts():
    """With two pools the third and the fourth layer begin when one of the two before ends."""
    p = line([4, 1, 5, 1], pools=[2, 1, 1])
    assert p.decode([0, 0, 0, 0]).starts.tolist() == [0, 0, 1, 4]


def test_tasks_go_by_release():
    """Who is born first is planned first, of equals the lower number."""
    p = line([2, 2, 2], release=[1, 0, 0])
    assert p.decode([0, 0, 0]).starts.tolist() == [4, 0, 2]


def test_a_layer_shorter_than_a_float_tells():
    """A length that vanishes beside the hour takes no pool, and no schedule breaks by it."""
    p = line([1e-20, 3, 1e-20, 3], release=[5, 5, 5, 5], return_result=True)
    plan = p.decode([0, 0, 0, 0])
    assert plan.starts.tolist() == [5, 5, 8, 8]
    assert p.violations(plan) == []


# -------------------------------------------------------------------- against the oracle


@pytest.mark.parametrize("kind", ["whole", "equal", "real"])
@pytest.mark.parametrize("block", seeds(8, 2))
def test_compiled_is_plain(kind, block):
    """Chains and graphs, pools 1, 2, 3 and inf, births and results: each start is the oracle's."""
    ran = 0
    for seed in range(25 * block, 25 * (block + 1)):
        p = random_problem(seed, kind, max_tasks=6, order="planned")
        p = p if kind == "real" else exact_floats(p)
        for code in random_codes(p, seed, 3):
            found, value = plain_plan(p, code.tolist()), p.costs(code[None])[0]
            if found is None:
                assert value == p.objective(code) == INF
                continue
            starts, flows = found
            plan = p.decode(code)
            assert plan.starts == pytest.approx(np.array(starts, dtype=float), **CLOSE)
            assert value == pytest.approx(float(sum(flows, Fraction(0))), **CLOSE)
            if value < INF:
                assert p.flows(plan) == pytest.approx(np.array(flows, dtype=float), **CLOSE)
            ran += 1
    assert ran > 30


# -------------------------------------------------------------------- laws


@pytest.mark.parametrize("pools", [1, 2, 3])
def test_plans_are_feasible(pools):
    """Long queues of equal numbers on few servers: no pool is taken twice, nothing is early."""
    for seed in range(12):
        p = links(random_problem(seed, "tenths", max_tasks=12, max_layers=6, order="planned"))
        p = p.replace(pools=np.full(p.n_servers, pools))
        for code in random_codes(p, seed, 2):
            plan = p.decode(code)
            assert p.violations(plan) == []
            assert faults(p, plan.servers, plan.starts) == set()
            assert p.costs(code[None])[0] == pytest.approx(p.objective(plan), **CLOSE)


def test_without_a_limit_it_is_by_arrival():
    """Where nothing waits a plan is what happens first come, first served."""
    for seed in range(40):
        p = random_problem(seed, "real", order="planned")
        p = p.replace(pools=np.full(p.n_servers, INF))
        codes = random_codes(p, seed, 4)
        assert p.costs(codes) == pytest.approx(p.replace(order="fcfs").costs(codes), **CLOSE)


def test_the_first_task_never_waits():
    """A chain that is planned first has the flow time that it has alone."""
    for seed in range(40):
        p = links(random_problem(seed, "real", order="planned", return_result=False))
        if not p.is_chains:
            continue
        first = int(np.argmin(p.release))
        code = random_codes(p, seed, 1)[0]
        free = p.replace(pools=np.full(p.n_servers, INF))
        assert p.flows(code)[first] == pytest.approx(free.flows(code)[first], **CLOSE)
