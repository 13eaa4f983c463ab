"""Greedy, everything on one tier, two steps and merged decisions of the offloading problem.

The greedy oracle keeps a list of pools in rational numbers and reads raw fields only; instances are
such that floats are exact, so that ties are the same.
"""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from conftest import random_problem as random_makespan
from conftest import seeds
from test_offloading import example_1, example_2, example_2b
from test_planning import exact_floats
from test_simulation import (
    CLOSE,
    TRACE,
    exact,
    executing,
    inputs_of,
    links,
    plain_choices,
    random_problem,
    ranks,
    sending,
)

import optedge as oe
from optedge.formulations.offloading import OffloadingProblem
from optedge.formulations.offloading.simulation import greedy
from optedge.solvers.pre_pso import Merged

INF = math.inf
SERVERS = {  # a client, two edges, a cloud; one MB a second everywhere
    "speeds_ghz": [1, 2, 4, 8],
    "rates_mb_s": np.ones((4, 4)),
    "pools": [1, 1, 1, 1],
    "tiers": [0, 1, 1, 2],
}


def plain_greedy(problem, choices):
    """Return the greedy code and the ends of all options at each step, (layer, {server: end}).

    The code is None if some layer has no way left.
    """
    tasks, before, rank = problem.tasks.tolist(), inputs_of(problem), ranks(problem)
    pools = [[] for _ in range(problem.n_servers)]  # when each pool in use is free
    code, end, steps = [None] * len(tasks), [None] * len(tasks), []
    for v in sorted(rank, key=rank.get):
        home, options, done = int(problem.clients[tasks[v]]), {}, {}
        for s in choices[v]:
            arrival = [end[u] + sending(problem, problem.outputs_mb[u], code[u], s)
                       for u in before[v]]  # fmt: skip
            if not arrival:
                birth = exact(problem.release[tasks[v]])
                arrival = [birth + sending(problem, problem.inputs_mb[tasks[v]], home, s)]
            free = Fraction(0) if len(pools[s]) < problem.pools[s] else min(pools[s])
            options[s] = max(*arrival, free) + executing(problem, v, s)
            back = Fraction(0)
            if problem.return_result and not problem.successors[v]:
                back = sending(problem, problem.outputs_mb[v], s, home)
            done[s] = options[s] + back
        steps.append((v, done))
        s = min(done, key=lambda s: (done[s], s))
        if done[s] == INF:
            return None, steps
        code[v], end[v] = s, options[s]
        if len(pools[s]) == problem.pools[s]:
            pools[s].remove(min(pools[s]))
        pools[s].append(end[v])
    return code, steps


def one_end(problem):
    """Return the instance with every other end of a task read by its last layer."""
    last = np.append(problem.first[1:], problem.n_subtasks)[problem.tasks] - 1
    rows = problem.successors
    return problem.replace(
        successors=tuple(
            row if row or v == last[v] else (int(last[v]),) for v, row in enumerate(rows)
        )
    )


# -------------------------------------------------------------------- greedy


def test_greedy_by_hand():
    """Of four equal layers two take the cloud, then an edge ends first, then the other edge."""
    p = OffloadingProblem.chains([[8]] * 4, [[1]] * 4, clients=[0] * 4, **SERVERS)
    r = oe.solve(p, "greedy")
    assert r.solution.servers.tolist() == [3, 2, 3, 3]
    # The cloud would be done at 2, 3, 4, 5, the fast edge at 3 and 5, the slow one at 5.
    assert r.solution.starts.tolist() == [1, 1, 2, 3]
    assert r.objective == 2 + 3 + 3 + 4


def test_greedy_goes_layer_by_layer():
    """First layers of all tasks come before second ones: E1 gives 31, its best by arrival."""
    p = example_1()
    assert p.decision_order.tolist() == [0, 2, 4, 1, 3, 5]
    assert oe.solve(p, "greedy", bound=False).objective == 31


@pytest.mark.parametrize("kind", ["whole", "equal"])
@pytest.mark.parametrize("block", seeds(8, 2))
def test_greedy_is_plain(kind, block):
    """Every option of every step, and the code, on chains and graphs with all fields drawn."""
    ran = 0
    for seed in range(25 * block, 25 * (block + 1)):
        p = exact_floats(random_problem(seed, kind))
        code, steps = plain_greedy(p, plain_choices(p))
        decided = np.zeros(p.n_subtasks, dtype=np.int64)
        for v, done in steps:
            wanted = np.full(p.n_servers, INF)
            wanted[list(done)] = [float(x) for x in done.values()]
            assert p.partial(decided, v) == pytest.approx(wanted, **CLOSE)
            decided[v] = int(np.argmin(wanted))
        r = oe.solve(p, "greedy", bound=False)
        if code is None:
            assert r.solution is None
            continue
        assert greedy.place(p).tolist() == code
        if r.solution is not None:
            assert r.solution.servers.tolist() == code
            ran += 1
        else:
            assert p.costs([code])[0] == INF
    assert ran > 15


def test_searches_start_from_the_best_simple_plan():
    """It is feasible whatever link is missing, and no worse than greedy and any one tier."""
    for seed in range(40):
        p = random_problem(seed, "whole")
        value = p.costs(p.start_code()[None])[0]
        assert value < INF
        for name in ("greedy", "all-client", "all-edge", "all-cloud"):
            assert value <= oe.solve(p, name, bound=False).objective


# -------------------------------------------------------------------- one tier


@pytest.mark.parametrize(("name", "value"), [("client", 144), ("edge", 75), ("cloud", 42)])
def test_one_tier_of_example_1(name, value):
    """The specification's values of E1 with everything on one server."""
    r = oe.solve(example_1(), f"all-{name}", bound=False)
    assert r.objective == value
    assert "reason" not in r.info


def test_a_tier_is_shared():
    """Layers go to the edge of the two where they end first; the cloud is left alone."""
    p = OffloadingProblem.chains([[8]] * 4, [[1]] * 4, clients=[0] * 4, **SERVERS)
    r = oe.solve(p, "all-edge", bound=False)
    assert r.solution.servers.tolist() == [2, 1, 2, 2]
    assert oe.solve(p, "all-cloud", bound=False).solution.servers.tolist() == [3] * 4


def test_one_tier_is_greedy_there():
    """On random instances the plan is the oracle's with the tier's servers only."""
    for seed in range(40):
        p = exact_floats(links(random_problem(seed, "whole", first_layer="free")))
        for tier, name in enumerate(("client", "edge", "cloud")):
            r = oe.solve(p, f"all-{name}", bound=False)
            mine = np.flatnonzero(p.tiers == tier).tolist()
            if not mine:
                assert r.solution is None
                assert r.info["reason"] == f"no server is of tier {tier} ({name})."
                continue
            own = [[int(p.clients[i])] for i in p.tasks]
            code, _ = plain_greedy(p, own if tier == 0 else [mine] * p.n_subtasks)
            assert r.solution.servers.tolist() == code


def test_what_must_stay_at_home_stays():
    """First layers bound to their clients stay there, the rest goes; the reason tells which."""
    r = oe.solve(example_1(first_layer="client"), "all-cloud", bound=False)
    assert r.solution.servers.tolist() == [0, 2, 0, 2, 0, 2]
    assert r.info["reason"].startswith("3 of 6 layers stay on their clients, the first is layer 0")
    assert "reason" not in oe.solve(example_1(first_layer="client"), "all-client").info


def test_a_tier_that_nothing_reaches():
    """Without a link between client and cloud all is left at home, or the break is told."""
    rates = np.array([[0, 2, 0], [2, 0, 2], [0, 2, 0]])
    r = oe.solve(example_1(rates_mb_s=rates), "all-cloud", bound=False)
    assert r.solution is None
    assert "nothing gets from server 0 to server 2" in r.info["reason"]


# -------------------------------------------------------------------- two steps


def test_two_steps_of_the_examples():
    """E2: 12 in the first step, then 10. E2b: 24, then 22, where the best plan has 21."""
    r = oe.solve(example_2(), "two-step", bound=False)
    assert (r.info["step_1_value_of_no_plan"], r.objective) == (12, 10)
    r = oe.solve(example_2b(), "two-step", bound=False)
    assert (r.info["step_1_value_of_no_plan"], r.objective) == (24, 22)
    assert oe.solve(example_2b(), "dp").objective == 21


def test_two_steps_are_not_below_the_best():
    """Without waiting they cost no less than dp, and in chains the same."""
    dearer = 0
    for seed in range(40):
        p = links(random_problem(seed, "real", max_layers=8, return_result=False))
        p = p.replace(pools=np.full(p.n_servers, INF), order="fcfs")
        p = one_end(p)
        best = oe.solve(p, "dp").objective
        found = oe.solve(p, "two-step", bound=False).objective
        assert found >= best * (1 - 1e-9)
        dearer += found > best * (1 + 1e-9)
        if p.is_chains:
            assert found == pytest.approx(best, rel=1e-9)
    assert dearer > 0


def test_two_steps_need_one_end():
    """A task that ends in two layers has a last module without a server: it is declined."""
    p = OffloadingProblem(
        ((1, 2), (), ()), [1] * 3, [1] * 3, [0] * 3, inputs_mb=[1], clients=[0], **TRACE
    )
    with pytest.raises(ValueError, match=r"two-step declines .*task 0 ends in several layers"):
        oe.solve(p, "two-step")


# -------------------------------------------------------------------- merged decisions


def test_what_is_merged():
    """A chain is one decision, or pairs; the branch of two layers of a module, concat and tail."""
    chain = OffloadingProblem.chains(
        [[1] * 5, [1] * 2], [[1] * 5, [1] * 2], clients=[0, 0], **TRACE
    )
    assert chain.merged_decisions().tolist() == [0] * 5 + [1] * 2
    assert chain.merged_decisions(once=True).tolist() == [0, 0, 1, 1, 2, 3, 3]
    assert example_2().merged_decisions().tolist() == [0, 1, 2, 2, 3, 3]


def test_contraction_leaves_no_edge():
    """No edge between two groups has a group with one way out and one with one way in."""
    for seed in range(30):
        p = random_problem(seed, max_layers=8)
        groups = p.merged_decisions()
        edges = {(int(groups[v]), int(groups[w])) for v, w in p.edges if groups[v] != groups[w]}
        ways_out, ways_in = ([e[k] for e in edges] for k in (0, 1))
        assert not any(ways_out.count(a) == ways_in.count(b) == 1 for a, b in edges)


def test_pre_pso_finds_the_best_merged_plan():
    """Of all plans of E2b with one server a group it finds the best."""
    p = example_2b()
    groups = p.merged_decisions()
    codes = np.array(list(itertools.product(range(3), repeat=4)))[:, groups]
    r = oe.solve(p, "pre-pso", max_evaluations=3000, bound=False)
    assert r.objective == p.costs(codes).min()
    assert r.evaluations == 3000
    assert r.info["decisions"] == 4
    assert all(len(set(r.solution.servers[groups == k].tolist())) == 1 for k in range(4))


def test_a_bound_first_layer_binds_the_chain():
    """What is merged with a layer of the client stays there; pairs leave the rest free."""
    p = example_1(first_layer="client")
    r = oe.solve(p, "pre-pso", bound=False)
    assert (r.objective, r.evaluations) == (144, 1)
    bound = {**TRACE, "first_layer": "client"}
    long = OffloadingProblem.chains([[4] * 3], [[1] * 3], clients=[0], **bound)
    r = oe.solve(long, "pre-pso", once=True, max_evaluations=300, bound=False)
    assert r.solution.servers.tolist() == [0, 0, 2]


@pytest.mark.parametrize("most", [1, 2, 7, 333])
def test_pre_pso_keeps_a_start_and_its_budget(most):
    """A start that is no merged plan is kept as it is, and every candidate counts."""
    p = example_1()
    start = p.decode([1, 1, 2, 1, 2, 2])
    r = oe.solve(p, "pre-pso", start=start, max_evaluations=most, bound=False)
    assert r.evaluations == most
    assert r.objective <= 31
    assert r.history["objective"][0] == 31


def test_pre_pso_where_no_draw_is_feasible():
    """Where links are missing the problem's own first plan is tried."""
    p = example_2(rates_mb_s=np.zeros((3, 3)))
    r = oe.solve(p, "pre-pso", max_evaluations=200, bound=False)
    assert r.solution.servers.tolist() == [0] * 6


def test_decisions_without_a_common_option():
    """Groups that have no option left give a reason instead of a plan."""
    makespan = random_makespan(1, 3, 2)
    assert "merges" not in makespan.offers
    with pytest.raises(TypeError, match="pre-pso is not made for MakespanProblem"):
        oe.solve(makespan, "pre-pso")
    two = oe.MakespanProblem([[1, INF], [INF, 1]])
    assert not Merged(two, np.array([0, 0])).choices.any()
    assert Merged(two, np.array([0, 1])).choices.tolist() == [[True, False], [False, True]]
