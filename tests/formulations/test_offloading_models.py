"""The explicit models of offloading against enumeration of servers and orders."""

import itertools
import math

import numpy as np
import pytest
from conftest import seeds
from test_offloading_paths import (
    INF,
    e1,
    e2,
    e2b,
    may_run,
    random_problem,
    send,
)

import optedge as oe
from optedge.formulations.offloading import OffloadingProblem, Schedule
from optedge.formulations.offloading.costs import paths
from optedge.formulations.offloading.models import arcs, explicit, schedules

TOLERANCE = 1e-6


# -------------------------------------------------------------------- oracle


def plans(problem):
    """Yield every assignment whose outputs get where they are read."""
    n, every = len(problem.tasks), range(len(problem.speeds_ghz))
    for x in itertools.product(*[[s for s in every if may_run(problem, v, s)] for v in range(n)]):
        if all(
            send(problem, 1.0, x[v], x[w]) < INF for v in range(n) for w in problem.successors[v]
        ) and all(
            send(problem, 1.0, problem.clients[problem.tasks[v]], x[v]) < INF
            for v in range(n)
            if v == 0 or problem.tasks[v] != problem.tasks[v - 1]
        ):
            yield x


def brute_force(problem):
    """Return the least sum of flow times of all semi-active schedules.

    Layers are appended, predecessors first, to the pool of their server that is free first, in
    every order; partial schedules that cannot be better are left.
    """
    n = len(problem.tasks)
    before = [[u for u in range(n) if v in problem.successors[u]] for v in range(n)]
    best = [INF]

    def back(v, s):
        if not problem.return_result or problem.successors[v]:
            return 0.0
        return send(problem, problem.outputs_mb[v], s, problem.clients[problem.tasks[v]])

    def flow(x, ends):
        done = [-INF] * len(problem.inputs_mb)
        for v, end in ends.items():
            done[problem.tasks[v]] = max(done[problem.tasks[v]], end + back(v, x[v]))
        return sum(max(0.0, d - r) for d, r in zip(done, problem.release, strict=True))

    def extend(x, ends, free):
        if flow(x, ends) >= best[0]:
            return
        if len(ends) == n:
            best[0] = flow(x, ends)
        for v in range(n):
            if v in ends or any(u not in ends for u in before[v]):
                continue
            i = problem.tasks[v]
            arrival = [
                ends[u] + send(problem, problem.outputs_mb[u], x[u], x[v]) for u in before[v]
            ] or [
                problem.release[i]
                + send(problem, problem.inputs_mb[i], problem.clients[i], x[v])
            ]  # fmt: skip
            pools = sorted(free[x[v]])
            end = max(*arrival, pools[0]) + problem.work_gcycles[v] / problem.speeds_ghz[x[v]]
            extend(x, {**ends, v: end}, {**free, x[v]: [*pools[1:], end]})

    for x in plans(problem):
        pools = {s: [-INF] * int(min(k, n)) for s, k in enumerate(problem.pools)}
        extend(x, {}, pools)
    return best[0]


def solve(problem, kind, relax=False, **options):
    """Return the solution of the model and the model."""
    model = explicit.build(problem, kind, relax, **options)
    solution = oe.solve_model(model, time_limit=60)
    assert solution.status == "optimal"
    return solution.objective * model.unit, model


def check(problem, schedule):
    """Assert that a schedule is one, and return its value."""
    assert isinstance(schedule, Schedule)
    assert problem.violations(schedule) == []
    return problem.objective(schedule)


# -------------------------------------------------------------------- examples


def test_examples_of_the_specification():
    """E1: 25 without pools, 28 with; E2 10; E2b 21."""
    values = {kind: solve(e1(), kind)[0] for kind in explicit.kinds(e1())}
    assert values["pairs"] == pytest.approx(25)
    assert values["disjunctive"] == values["time"] == pytest.approx(28)
    assert brute_force(e1()) == 28
    assert 25 - TOLERANCE <= values["static"] <= 28 + TOLERANCE
    for problem, value in ((e2(), 10), (e2b(), 21)):
        assert explicit.kinds(problem) == ("disjunctive", "pairs")
        for kind in explicit.kinds(problem):
            assert solve(problem, kind)[0] == pytest.approx(value)


def test_the_schedule_of_the_first_example():
    """The optimal schedule has ends 8, 6 and 14; by arrival the best is 31."""
    for kind in ("disjunctive", "time"):
        _, model = solve(e1(), kind)
        plan = explicit.extract(e1(), model)
        assert check(e1(), plan) == pytest.approx(28)
    codes = np.array(list(itertools.product(range(3), repeat=6)))
    assert e1().costs(codes).min() == 31
    assert schedules.best_plan(e1())[1] >= 31


# -------------------------------------------------------------------- pairs and static


@pytest.mark.parametrize("seed", seeds(200, 50))
def test_pairs_are_the_dynamic_program(seed):
    """The linear program has the value of the dynamic program, and a vertex of zeros and ones."""
    problem = random_problem(seed, (4, 3, 2), 3 + seed % 3, graph=seed % 2 == 1)
    value, model = solve(problem, "pairs")
    found = paths.shortest(problem)
    assert value == pytest.approx(found.value, rel=1e-7)
    numbers = np.array([v.value for v in model.y.values()])
    assert np.minimum(np.abs(numbers), np.abs(numbers - 1)).max() < TOLERANCE
    plan = explicit.extract(problem, model)
    assert check(problem, plan) >= value * (1 - TOLERANCE)
    free = problem.replace(pools=[INF] * problem.n_servers)
    assert free.objective(plan.servers) == pytest.approx(found.value, rel=1e-7)


@pytest.mark.parametrize("seed", seeds(20, 8))
def test_duals_of_pairs_certify(seed):
    """The duals are potentials: their certificate proves the value."""
    problem = random_problem(seed, (4, 3), 4, graph=seed % 2 == 1)
    model = explicit.build(problem, "pairs")
    certificate = arcs.from_duals(problem, oe.solve_model(model), model.unit)
    value = paths.shortest(problem).value
    assert certificate.value == pytest.approx(value, rel=1e-6)
    assert certificate.value <= value * (1 + 1e-15)


@pytest.mark.parametrize("seed", seeds(30, 10))
def test_static_capacity(seed):
    """A capacity never makes it cheaper, and the placement respects it; enumeration agrees."""
    problem = random_problem(seed, (2, 2), foreign_clients=True)
    lower = paths.shortest(problem).value
    free = problem.replace(pools=[INF] * problem.n_servers)
    values = [
        free.objective(np.array(x))
        for x in plans(problem)
        if (np.bincount(x, minlength=3) <= [2, 1, 2]).all()
    ]
    if min(values, default=INF) == INF:
        model = explicit.build(problem, "static", capacity=[2, 1, 2], of="layers")
        assert oe.solve_model(model).status == "infeasible"
        return
    value, model = solve(problem, "static", capacity=[2, 1, 2], of="layers")
    assert value >= lower * (1 - TOLERANCE)
    assert solve(problem, "static", True, capacity=[2, 1, 2], of="layers")[0] <= value * (
        1 + TOLERANCE
    )
    assert value == pytest.approx(min(values), rel=1e-6)
    plan = explicit.extract(problem, model)
    assert (np.bincount(plan.servers, minlength=3) <= [2, 1, 2]).all()


# -------------------------------------------------------------------- schedules


@pytest.mark.parametrize("seed", seeds(60, 15))
def test_schedules_are_enumeration(seed):
    """Servers, orders and starts: models, bounds and plans stand in their order."""
    graph = seed % 3 == 2
    sizes = [(2, 2), (3, 1), (1, 2, 1), (4,), (2, 1, 1)][seed % 5]
    pools = 1 if seed % 2 else 2
    problem = random_problem(seed, sizes, graph=graph, pools=pools)
    best = brute_force(problem)
    value, model = solve(problem, "disjunctive")
    assert value == pytest.approx(best, rel=1e-5)
    assert check(problem, explicit.extract(problem, model)) == pytest.approx(best, rel=1e-6)
    slack = TOLERANCE * best
    assert paths.bound(problem).value <= best * (1 + 1e-12)
    assert solve(problem, "disjunctive", relax=True)[0] <= best + slack
    codes = np.array(list(plans(problem)))
    assert best <= problem.costs(codes).min() * (1 + 1e-12)
    if graph and not problem.is_chains:
        return
    assert paths.bound(problem).value - slack <= solve(problem, "static")[0] <= best + slack
    below, model = solve(problem, "time")
    assert below <= best + slack
    assert check(problem, explicit.extract(problem, model)) >= best - slack
    above, model = solve(problem, "time", rounding="up")
    assert above >= best - slack
    assert best - slack <= check(problem, explicit.extract(problem, model)) <= above + slack
    assert solve(problem, "time", relax=True)[0] <= below + slack


@pytest.mark.parametrize("seed", range(8))
def test_a_fitting_grid_is_exact(seed):
    """Where all numbers are multiples of the slot, both roundings are the optimum."""
    problem = random_problem(seed, (2, 2), whole=True, pools=1)
    best = brute_force(problem)
    assert solve(problem, "time")[0] == pytest.approx(best, rel=1e-6)
    assert solve(problem, "time", rounding="up")[0] == pytest.approx(best, rel=1e-6)


def test_a_finer_grid_is_closer():
    """Slots of a tenth leave less between the roundings than slots of one."""
    problem = random_problem(4, (2, 2), pools=1)
    gaps = [
        solve(problem, "time", step=step, rounding="up")[0] - solve(problem, "time", step=step)[0]
        for step in (1.0, 0.1)
    ]
    assert 0 <= gaps[1] < gaps[0]
    with pytest.raises(ValueError, match="step must be positive"):
        explicit.build(problem, "time", step=0.0)


@pytest.mark.parametrize("seed", seeds(40, 12))
def test_retiming_starts_no_later(seed):
    """Any schedule, retimed by its own starts, is a schedule and no worse."""
    problem = random_problem(seed, (4, 3, 3), 4, graph=seed % 2 == 1)
    rng = np.random.default_rng(seed)
    for _ in range(20):
        drawn = [rng.choice(np.flatnonzero(row)) for row in problem.allowed]
        if problem.violations(np.array(drawn)):
            continue
        plan = problem.decode(drawn)
        again = schedules.retime(problem, plan.servers, plan.starts)
        assert (again.starts <= plan.starts + 1e-9).all()
        assert check(problem, again) <= problem.objective(plan) * (1 + 1e-12)
        shuffled = schedules.retime(problem, plan.servers, rng.random(problem.n_subtasks))
        assert check(problem, shuffled) >= paths.bound(problem).value


def test_starts_of_a_big_m_are_not_passed_on():
    """A solution whose starts are too early or too late is timed anew."""
    problem = e1()
    _, model = solve(problem, "disjunctive")
    for v in model.V:
        model.S[v].set_value(model.S[v].value * (1 + 1e-7) - 1e-6)
    assert check(problem, explicit.extract(problem, model)) == pytest.approx(28, rel=1e-12)


# -------------------------------------------------------------------- in and out


@pytest.mark.parametrize("seed", seeds(30, 10))
def test_what_is_filled_in_is_feasible_and_comes_back(seed):
    """A plan written into a model satisfies its rows, has its value and is read again."""
    problem = random_problem(seed, (2, 3, 2), graph=seed % 3 == 2)
    servers, value = schedules.best_plan(problem)
    plan = problem.decode(servers)
    for kind, rounding in itertools.product(explicit.kinds(problem), ("down", "up")):
        model = explicit.build(problem, kind, rounding=rounding)
        explicit.fill(problem, model, plan)
        violated = [
            row.name
            for row in model.component_data_objects(oe_constraint())
            if row.slack() < -1e-6 * max(1.0, value)
        ]
        assert not violated
        outside = [v.name for v in model.component_data_objects(oe_variable())
                   if v.value is not None and not v.lb - 1e-6 <= v.value
                   <= (INF if v.ub is None else v.ub + 1e-6)]  # fmt: skip
        assert not outside
        again = explicit.extract(problem, model)
        if kind != "pairs" or problem.is_chains:  # inside of blocks it takes the best
            assert (again.servers == plan.servers).all()
        if kind != "time":  # layers of one slot may change places
            assert check(problem, again) <= value * (1 + 1e-9) or kind == "pairs"
        if kind == "disjunctive":
            assert model.flow_time() * model.unit == pytest.approx(value)


def oe_constraint():
    """Return Pyomo's class of rows."""
    import pyomo.environ as pyo

    return pyo.Constraint


def oe_variable():
    """Return Pyomo's class of variables."""
    import pyomo.environ as pyo

    return pyo.Var


@pytest.mark.parametrize("graph", [False, True])
def test_sizes_are_those_of_the_models(graph):
    """The size said beforehand is that of the model, to a factor of three and a few rows."""
    problem = random_problem(2, (4, 4, 3), 4, graph=graph)
    for kind in explicit.kinds(problem):
        model = explicit.build(problem, kind)
        for said, built in zip(
            explicit.size(problem, kind), (model.nconstraints(), model.nvariables()), strict=True
        ):
            assert built / 3 - 10 <= said <= 3 * built + 30


def test_the_size_of_a_published_instance():
    """Twelve chains of 11 layers on 14 servers: about 800k rows."""
    tiers = [0] * 4 + [1] * 5 + [2] * 5
    table = [[1, 10, 0.5], [10, 10, 5], [0.5, 5, 5]]
    problem = OffloadingProblem.chains(
        [np.linspace(0.1, 1, 11)] * 12,
        [np.linspace(1, 0.1, 11)] * 12,
        clients=[i % 4 for i in range(12)],
        rates_mb_s=[[table[a][b] for b in tiers] for a in tiers],
        speeds_ghz=np.concatenate([[1, 1, 2, 2], np.linspace(4, 18, 5), np.linspace(40, 120, 5)]),
        pools=[1] * 4 + [2] * 5 + [8] * 5,
        tiers=tiers,
    )
    rows, columns = explicit.size(problem, "disjunctive")
    assert 750_000 < rows < 900_000
    assert columns < 50_000


@pytest.mark.parametrize("factor", [1e-7, 1e6])
def test_units_of_very_small_and_large_numbers(factor):
    """Numbers far from one are counted in another unit, and the optimum scales."""
    problem = e1()
    other = problem.replace(work_gcycles=problem.work_gcycles * factor,
                            rates_mb_s=problem.rates_mb_s / factor)  # fmt: skip
    assert explicit.unit(problem) == 1
    assert explicit.unit(other) != 1
    for kind in ("pairs", "disjunctive", "time"):
        expected = 25 if kind == "pairs" else 28
        assert solve(other, kind)[0] == pytest.approx(expected * factor, rel=1e-6)


def test_kinds_that_need_chains():
    """Graphs have no static and no time-indexed model."""
    for kind in ("static", "time", "wrong"):
        with pytest.raises(ValueError, match="the kinds of this instance"):
            explicit.build(e2(), kind)
    assert math.isfinite(explicit.size(e1(), "time")[0])
