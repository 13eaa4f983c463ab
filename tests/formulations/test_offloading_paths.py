"""Offloading without pools: dynamic programs, two steps, the bound DP and its certificate.

The oracle enumerates all servers and follows the longest path, from the fields of the instance.
"""

import itertools
import math

import numpy as np
import pytest
from conftest import examples, seeds
from hypothesis import given
from hypothesis import strategies as st

import optedge as oe
from optedge.formulations.base import Certificate
from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.costs import blocks, paths
from optedge.solvers import dp

INF = math.inf
MODULE = ((1, 2), (4,), (3,), (4,), (5,), ())
THREE = {"speeds_ghz": [1, 2, 4], "tiers": [0, 1, 2]}
RATES = [[0, 2, 1], [2, 0, 2], [1, 2, 0]]
SLOW = [[0, 4, 1], [4, 0, 1], [1, 1, 0]]


def e1(**fields):
    """Return three chains of the specification: DP 25, best schedule 28, best FCFS 31."""
    return OffloadingProblem.chains(
        [[8, 4], [12, 4], [16, 16]],
        [[4, 8], [2, 2], [4, 2]],
        **{"clients": [0, 0, 0], "rates_mb_s": RATES, "pools": [1, 1, 1], **THREE, **fields},
    )


def e2(**fields):
    """Return an inception module of the specification: 10, step 1 says 12."""
    return OffloadingProblem(
        MODULE, [4, 8, 4, 16, 4, 4], [4, 2, 4, 2, 4, 1], [0] * 6, [2], [0],
        **{"rates_mb_s": RATES, "pools": [INF] * 3, **THREE, **fields},
    )  # fmt: skip


def e2b(**fields):
    """Return the module in which two steps lose: 21, step 1 says 24, after step 2 22."""
    return OffloadingProblem(
        MODULE, [4, 8, 8, 24, 12, 8], [8, 8, 2, 4, 8, 4], [0] * 6, [8], [0],
        **{"rates_mb_s": SLOW, "pools": [INF] * 3, **THREE, **fields},
    )  # fmt: skip


# -------------------------------------------------------------------- oracle and instances


def send(problem, size, a, b):
    """Return the seconds that ``size`` MB travel."""
    rate = INF if a == b else problem.rates_mb_s[a, b]
    return INF if rate == 0 else size / rate


def may_run(problem, v, s):
    """Tell whether layer ``v`` may run on ``s``."""
    i = problem.tasks[v]
    home, first = problem.clients[i], v == 0 or problem.tasks[v - 1] != i
    if first and problem.first_layer == "client" and s != home:
        return False
    return problem.tiers[s] != 0 or s == home or problem.foreign_clients


def unlimited(problem, servers, i):
    """Return the flow time of task ``i`` if no layer waits."""
    mine = [v for v in range(len(servers)) if problem.tasks[v] == i]
    arrival = {v: -INF for v in mine}
    home = problem.clients[i]
    arrival[mine[0]] = send(problem, problem.inputs_mb[i], home, servers[mine[0]])
    done = 0.0
    for v in mine:
        end = arrival[v] + problem.work_gcycles[v] / problem.speeds_ghz[servers[v]]
        for w in problem.successors[v]:
            there = end + send(problem, problem.outputs_mb[v], servers[v], servers[w])
            arrival[w] = max(arrival[w], there)
        if not problem.successors[v]:
            back = send(problem, problem.outputs_mb[v], servers[v], home)
            done = max(done, end + (back if problem.return_result else 0.0))
    return done


def brute_force(problem):
    """Return the sum over tasks of the least flow time without waiting."""
    total = 0.0
    for i in range(len(problem.inputs_mb)):
        mine = [v for v in range(len(problem.tasks)) if problem.tasks[v] == i]
        servers = np.zeros(len(problem.tasks), dtype=int)
        best = INF
        every = range(len(problem.speeds_ghz))
        for chosen in itertools.product(*[[s for s in every if may_run(problem, v, s)]
                                          for v in mine]):  # fmt: skip
            servers[mine] = chosen
            best = min(best, unlimited(problem, servers, i))
        total += best
    return total


def random_problem(seed, sizes=(3, 2), servers=3, *, graph=False, pools=2, whole=False, **fields):
    """Return a random instance: two tiers of clients and others, some links missing."""
    rng = np.random.default_rng([seed, len(sizes), servers, graph])

    def numbers(low, high, *shape):
        drawn = rng.uniform(low, high, shape)
        return np.ceil(drawn) if whole else drawn

    rows, base = [], 0
    for size in sizes:
        local = [set() for _ in range(size)]
        for w in range(1, size):
            before = [w - 1]
            if graph:
                before = rng.choice(w, size=min(w, int(rng.integers(1, 4))), replace=False)
            for v in before:
                local[int(v)].add(w)
        rows += [tuple(base + w for w in sorted(row)) for row in local]
        base += size
    clients = 1 if servers < 4 else 2
    tiers = np.array([0] * clients + [1 + k % 2 for k in range(servers - clients)])
    rates = numbers(0.2, 4, servers, servers)
    rates = np.triu(rates, 1) + np.triu(rates, 1).T
    cut = np.triu(rng.random((servers, servers)) < 0.15, 1)
    rates[cut | cut.T] = 0.0
    speeds = numbers(0.3, 1.5, servers) if not whole else 2.0 ** rng.integers(0, 3, servers)
    if whole:
        rates = np.where(rates > 0, 2.0 ** (rng.integers(-1, 2, ()) + 0 * rates), 0.0)
    choice = {
        "first_layer": str(rng.choice(["free", "client"])),
        "foreign_clients": bool(rng.random() < 0.3),
        "return_result": bool(rng.random() < 0.5),
        "release": numbers(0, 3, len(sizes)) if rng.random() < 0.5 else None,
        "pools": rng.integers(1, pools + 1, servers) if pools < INF else [INF] * servers,
    }
    return OffloadingProblem(
        tuple(rows),
        4 * numbers(0.1, 2, base) if whole else numbers(0.1, 4, base),
        numbers(0, 3, base),
        np.repeat(np.arange(len(sizes)), sizes),
        numbers(0, 3, len(sizes)),
        rng.integers(0, clients, len(sizes)),
        speeds_ghz=speeds,
        rates_mb_s=rates,
        tiers=tiers,
        **{**choice, **fields},
    )


# -------------------------------------------------------------------- known values


@pytest.mark.parametrize(("problem", "value"), [(e1(), 25), (e2(), 10), (e2b(), 21)])
def test_examples_of_the_specification(problem, value):
    """The dynamic program finds the values that the specification states."""
    found = paths.shortest(problem)
    assert found.value == pytest.approx(value, rel=1e-14)
    assert found.exact
    unlimited_pools = problem.replace(pools=[INF] * 3)
    assert unlimited_pools.objective(found.servers) == pytest.approx(value, rel=1e-14)
    assert paths.bound(problem).value == pytest.approx(value, rel=1e-13)


def test_the_plan_of_the_second_module():
    """Split, a1 and b1 on the edge, the rest in the cloud: one of the best plans."""
    assert e2b().objective(np.array([1, 1, 1, 2, 2, 2])) == 21


@pytest.mark.parametrize(("problem", "first", "second"), [(e2(), 12, 10), (e2b(), 24, 22)])
def test_two_steps_of_the_specification(problem, first, second):
    """Two steps reach 10 of 10 and 22 of 21, and step 1 is the value of nothing."""
    servers, value = paths.two_step(problem)
    assert value == first
    assert problem.objective(servers) == second


def test_groups_are_computed_once():
    """Tasks that differ by release only share a row of potentials a layer."""
    work, data = [[1, 2]] * 4, [[1, 1]] * 4
    fields = {"rates_mb_s": RATES, "pools": [1] * 3, **THREE}
    problem = OffloadingProblem.chains(
        work, data, clients=[0] * 4, release=[0.0, 1.0, 2.0, 3.0], **fields
    )
    assert [group.members for group in blocks.groups(problem)] == [(0, 1, 2, 3)]
    assert paths.shortest(problem).potentials.shape == (2, 3)


# -------------------------------------------------------------------- against enumeration


@pytest.mark.parametrize("seed", seeds(150, 40))
@pytest.mark.parametrize("graph", [False, True])
def test_dynamic_program_is_enumeration(seed, graph):
    """Chains and graphs, rules and missing links: the sum of the best flow times."""
    sizes, servers = ((5, 2), 3) if seed % 3 else ((3, 3, 1), 4)
    problem = random_problem(seed, sizes, servers, graph=graph)
    found = paths.shortest(problem)
    expected = brute_force(problem)
    assert found.exact
    assert found.value == pytest.approx(expected, rel=1e-12)
    free = problem.replace(pools=[INF] * problem.n_servers)
    assert free.objective(found.servers) == pytest.approx(expected, rel=1e-12)
    assert np.allclose(free.flows(found.servers), found.flows)
    assert expected * (1 - 1e-12) <= paths.bound(problem).value <= expected * (1 + 1e-15)


@pytest.mark.parametrize("seed", seeds(40, 15))
def test_two_steps_are_a_restriction(seed):
    """Whatever module is placed first, its plan is no better than the dynamic program's."""
    problem = random_problem(seed, (6, 4), graph=True, pools=INF)
    alone = [sum(1 for v in range(a, a + n) if not problem.successors[v])
             for a, n in zip(problem.first, problem.sizes, strict=True)]  # fmt: skip
    last = problem.n_subtasks - 1
    if max(alone) > 1:
        with pytest.raises(ValueError, match="ends in several layers"):
            paths.two_step(problem)
        rows = [*problem.successors]
        for a, n in zip(problem.first, problem.sizes, strict=True):
            for v in range(a, a + n - 1):
                rows[v] = rows[v] or (int(a + n - 1),)
        problem = problem.replace(successors=tuple(rows))
    assert not problem.successors[last]
    servers, _ = paths.two_step(problem)
    assert problem.objective(servers) >= paths.shortest(problem).value * (1 - 1e-12)


def test_too_many_shared_layers_give_a_bound_only(monkeypatch):
    """Where not all servers can be enumerated, the value is a bound and says so."""
    monkeypatch.setattr(blocks, "MOST_COMBINATIONS", 2)
    weaker = 0
    for seed in range(60):
        problem = random_problem(seed, (6,), 3, graph=True, pools=INF, first_layer="free")
        found, expected = paths.shortest(problem), brute_force(problem)
        assert found.value <= expected * (1 + 1e-12)
        if found.exact:
            assert found.value == pytest.approx(expected, rel=1e-12)
        weaker += not found.exact
        if not problem.violations(found.servers):
            assert problem.objective(found.servers) >= found.value * (1 - 1e-12)
    assert weaker > 0


# -------------------------------------------------------------------- the certificate


@examples(200)
@given(st.integers(0, 30), st.booleans(), st.data())
def test_any_table_proves_at_most_the_optimum(seed, graph, data):
    """Clipped potentials are feasible: no array claims more than the least flow times."""
    problem = random_problem(seed, (4, 2), graph=graph)
    found = paths.shortest(problem)
    number = st.one_of(st.floats(-1e3, 1e3), st.floats(-1e300, 1e300), st.just(1e308))
    shape = found.potentials.shape
    size = shape[0] * shape[1]
    table = np.array(data.draw(st.lists(number, min_size=size, max_size=size))).reshape(shape)
    certificate = Certificate("paths", 0.0, {"potentials": table})
    assert paths.certify(problem, certificate) <= found.value * (1 + 1e-15)


def test_what_is_no_certificate_is_refused():
    """Kind, shape and numbers are checked."""
    problem = e1()
    table = paths.shortest(problem).potentials
    for kind, arrays, message in (
        ("flow", {"potentials": table}, "knows no certificate"),
        ("paths", {}, "must have shape"),
        ("paths", {"potentials": table[:-1]}, "must have shape"),
        ("paths", {"potentials": np.where(table > 3, np.nan, table)}, "must be finite"),
    ):
        with pytest.raises(ValueError, match=message):
            paths.certify(problem, Certificate(kind, 0.0, arrays))


def test_rounding_is_safe_on_long_chains():
    """The certified value of a long chain is below the exact sum, and close to it."""
    from fractions import Fraction

    rng = np.random.default_rng(3)
    work, outputs = rng.uniform(0.1, 1, 400), rng.uniform(0, 1, 400)
    problem = OffloadingProblem.chains(
        [work], [outputs], clients=[0], rates_mb_s=[[0]], pools=[1], speeds_ghz=[1.0], tiers=[0]
    )
    exact = sum(map(Fraction, work.tolist()))
    value = paths.bound(problem).value
    assert Fraction(value) <= exact
    assert value >= float(exact) * (1 - 1e-12)


# -------------------------------------------------------------------- the solver


def test_solver_bounds_and_solves():
    """Pools that never bind: optimal; else the plan is simulated and the bound stands."""
    free = oe.solve(e1(pools=[3, 3, 3]), "dp")
    assert free.objective == pytest.approx(25)
    assert free.status == oe.Status.OPTIMAL
    bound = oe.solve(e1(), "dp", bound=False)
    assert bound.bound == pytest.approx(25)
    assert bound.objective == e1().objective(bound.solution) >= 28
    assert bound.certificate is not None
    assert paths.certify(e1(), bound.certificate) == bound.bound


def test_a_task_may_always_stay():
    """Without a single link everything runs at home, whatever the result does."""
    problem = OffloadingProblem.chains(
        [[1, 1]], [[1, 1]], clients=[0], rates_mb_s=np.zeros((3, 3)), pools=[1] * 3, **THREE
    )
    for returns in (False, True):
        result = oe.solve(problem.replace(return_result=returns), "dp")
        assert (result.objective, result.status) == (2.0, oe.Status.OPTIMAL)
        assert result.solution.servers.tolist() == [0, 0]


def test_other_problems_can_join():
    """The solver takes the classes that have a dynamic program, and no others."""
    assert OffloadingProblem in dp.by_paths.registry
    with pytest.raises(TypeError, match="not made for MakespanProblem"):
        oe.solve(oe.MakespanProblem([[1.0]]), "dp")
    with pytest.raises(TypeError, match="no dynamic program"):
        dp.by_paths(oe.MakespanProblem([[1.0]]), bool)
