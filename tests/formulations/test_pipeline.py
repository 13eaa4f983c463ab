"""The pipeline problem: examples by hand, the simulator, what is refused."""

import math
import re

import numpy as np
import pytest
from conftest import seeds
from pipelines import (
    ARRIVALS,
    EXAMPLES,
    A,
    B,
    brute_force,
    example,
    plain_times,
    random_pipeline,
    random_plan,
)

from optedge.formulations.pipeline import PipelinePlan, PipelineProblem

INF = math.inf


# -------------------------------------------------------------------- the table of section 7


@pytest.mark.parametrize(("name", "capacity"), EXAMPLES)
def test_rules_of_the_table(name, capacity):
    """Single-cutting, cloud-only and edge-only have the makespan and mean delay of the table."""
    problem = example(name, capacity)
    mean = problem.replace(goal="mean delay")
    rules = (problem.shortest[0], 0, problem.n_cuts - 1)
    for cut, values in zip(rules, EXAMPLES[name, capacity], strict=False):
        plan = problem.first_finished(cut)
        assert (problem.objective(plan), mean.objective(plan)) == pytest.approx(values, abs=1e-12)


@pytest.mark.parametrize(("name", "capacity"), EXAMPLES)
def test_optima_of_the_table(name, capacity):
    """The best of all cuts and orders is the optimum of the table."""
    problem = example(name, capacity)
    variants = (problem, problem.replace(goal="mean delay"), problem.replace(hold=False))
    found = [brute_force(p) for p in variants]
    assert found == pytest.approx(EXAMPLES[name, capacity][3:], abs=1e-12)


@pytest.mark.parametrize("link", ["device", "shared"])
@pytest.mark.parametrize("name", ARRIVALS)
def test_links_keep_the_optima(name, link):
    """With hold the least makespan is the same on every link."""
    assert brute_force(example(name, 2, link=link)) == EXAMPLES[name, 2][3]


def test_replays_of_the_specification():
    """The four optimal replays, and two whose times are followed by hand."""
    cases = (
        ("A2", 2, [0, 0, 1, 1], [1, 3, 1, 3], 11),
        ("B2", 2, [0, 0, 1, 1], [0, 3, 1, 3], 9),
        ("B1", 1, [0, 0, 0, 0], [0, 2, 0, 3], 17),
        ("Bm", 1, [0, 0, 1, 1], [0, 3, 2, 2], 13),
    )
    for name, capacity, order, cuts, makespan in cases:
        assert example(name, capacity).objective(PipelinePlan(cuts, order)) == makespan
    b2 = example("B2", 2)
    by_hand = b2.times(PipelinePlan([0, 3, 1, 3], [0, 0, 1, 1]))
    assert by_hand.done.tolist() == [6, 8, 9, 9]
    assert by_hand.served[[0, 2]].tolist() == [1, 6]
    cut = b2.times(b2.first_finished(b2.shortest[0]))
    assert (sorted(cut.admitted), sorted(cut.done)) == ([0, 0, 6, 11], [6, 11, 16, 21])


# -------------------------------------------------------------------- the simulator


@pytest.mark.parametrize("seed", seeds(20, 4))
@pytest.mark.parametrize("service", ["admission", "arrival"])
@pytest.mark.parametrize("link", ["delay", "device", "shared"])
def test_times_are_those_of_the_specification(link, service, seed):
    """The compiled simulator gives the times of a plain one, with hold and without it."""
    rng = np.random.default_rng([seed, 1])
    for _ in range(30):
        problem = random_pipeline(rng, tasks=(1, 14), devices=(1, 5), link=link, service=service)
        plan = random_plan(problem, rng)
        expected = plain_times(problem, plan.cuts.tolist(), plan.order.tolist())
        np.testing.assert_allclose(np.transpose(problem.times(plan)), expected, atol=1e-9)
        done, release = expected[:, 5], np.concatenate([*map(np.array, problem.arrivals)])
        value = done.max() if problem.goal == "makespan" else np.mean(done - release)
        assert problem.objective(plan) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("seed", seeds(10, 3))
def test_a_shared_link_keeps_the_order_of_admission(seed):
    """One transmission at a time arrives in the order of admission: both services are one."""
    rng = np.random.default_rng([seed, 2])
    for _ in range(30):
        problem = random_pipeline(rng, tasks=(2, 12), link="shared", service="arrival")
        plan = random_plan(problem, rng)
        other = problem.replace(service="admission").times(plan)
        np.testing.assert_array_equal(problem.times(plan), other)


@pytest.mark.parametrize("seed", seeds(10, 3))
def test_first_finished_is_the_rule_of_the_specification(seed):
    """The next task to leave its device commits, ties to the lowest device; replay agrees."""
    rng = np.random.default_rng([seed, 3])
    for _ in range(40):
        problem = random_pipeline(rng, tasks=(1, 12), devices=(1, 5))
        cuts = random_plan(problem, rng).cuts
        order = by_the_rule(problem, cuts.tolist())
        plan = problem.first_finished(cuts)
        assert plan.order.tolist() == order
        assert plan.cuts.tolist() == cuts.tolist()


def by_the_rule(problem, cuts):
    """Return the order of steps 1 and 2, each step replayed from the start."""
    left = [len(row) for row in problem.arrivals]
    first = np.cumsum([0, *left])
    order = []
    while any(left):
        ready = []
        for e in range(len(left)):
            if left[e]:
                done = plain_times(problem, cuts, fill_up(problem, [*order, e]))
                ready.append((done[first[e] + order.count(e), 1], e))
        best = min(f for f, _ in ready)
        chosen = next(e for f, e in ready if f <= best + 1e-12)
        order.append(chosen)
        left[chosen] -= 1
    return order


def fill_up(problem, begun):
    """Return a whole order that begins as given."""
    rest = [e for e, row in enumerate(problem.arrivals) for _ in range(len(row) - begun.count(e))]
    return [*begun, *rest]


def test_offsets_delay_the_turn():
    """A large offset lets the other device go first."""
    problem = example("B2", 1)
    assert problem.first_finished(0).order.tolist() == [0, 0, 1, 1]
    assert problem.first_finished(0, [9, 0, 0, 0]).order.tolist() == [1, 1, 0, 0]


# -------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("arrivals", "chains", "fields", "told"),
    [
        (3, B, {}, "arrivals must hold a row of seconds for each device"),
        ([3, 4], B, {}, "arrivals must hold a row of seconds for each device"),
        ([], B, {}, "arrivals must hold at least one task"),
        ([[], []], B, {}, "arrivals must hold at least one task"),
        ([[0], [-1]], B, {}, r"arrivals\[1\]\[0\] must be a number of seconds, got -1"),
        ([[0, INF]], B, {}, r"arrivals\[0\]\[1\] must be a number of seconds, got inf"),
        ([[math.nan]], B, {}, r"arrivals\[0\]\[0\] must be a number of seconds, got nan"),
        ([[0, 2, 1]], B, {}, r"arrivals\[0\] must rise, entry 2 is 1"),
        ([[0]], [1, 2, 3], {}, "chains must"),
        ([[0]], [[1, 2], [3, 0]], {}, "chains must hold three seconds a cut"),
        ([[0]], [[0, INF, 1], [INF, 0, 0]], {}, "every cut of type 0 is infinite, edge-only too"),
        (
            [[0]],
            [[2, 1, 1], [1, 1, 1], [3, 0, 0]],
            {},
            "device may not fall .* 2 at cut 0 and 1 at",
        ),
        ([[0]], [[0, 1, 1], [1, 1, 2], [3, 0, 0]], {}, "cloud may not rise .* 1 at cut 0 and 2 at"),
        ([["a"]], B, {}, "arrivals must hold a row of seconds for each device"),
        ([[0]], B, {"types": [[0.5]]}, "types must hold a row of whole numbers"),
        ([[0]], [[0, 1, 1], [3, 1, 0]], {}, "the last cut of type 0 is edge-only"),
        ([[0]], [[0, 1, 1], [INF, 0, 0]], {}, "the last cut of type 0 is edge-only"),
        ([[0]], [[0, -1, 1], [3, 0, 0]], {}, "chains"),
        ([[0]], [[0, math.nan, 1], [3, 0, 0]], {}, "chains"),
        ([[0]], B, {"types": [[0, 0]]}, "types must have as many entries in each row as arrivals"),
        ([[0]], B, {"types": [[1]]}, r"types\[0\]\[0\]: there is no type 1"),
        ([[0]], B, {"capacity": 0}, "capacity must be a whole number from 1, or inf, got 0"),
        ([[0]], B, {"capacity": 1.5}, "capacity must be a whole number from 1, or inf, got 1.5"),
        ([[0]], B, {"link": "wire"}, "link must be one of .*'device'.*, got 'wire'"),
        ([[0]], B, {"service": "lifo"}, "service must be one of .*'arrival'.*, got 'lifo'"),
        ([[0]], B, {"goal": "energy"}, "goal must be one of .*'mean delay'.*, got 'energy'"),
        ([[0]], B, {"hold": 1}, "hold must be True or False, got 1"),
    ],
)
def test_bad_input_is_refused(arrivals, chains, fields, told):
    """One sentence names the entry that is wrong."""
    with pytest.raises(ValueError, match=told):
        PipelineProblem(arrivals, chains, **fields)


def test_violations():
    """A sentence for each rule that a plan breaks; its objective is infinite."""
    problem = PipelineProblem([[0, 0], [0]], [A, [[0, 1, 1], [INF, 0, 0], [1, 1, 1], [9, 0, 0]]],
                              types=[[0, 1], [0]])  # fmt: skip
    cases = (
        ([0, 0, 0], "a solution is a PipelinePlan, got list"),
        (PipelinePlan([0, 0], [0, 0, 1]), r"cuts must hold 3 integers, got shape \(2,\)"),
        (PipelinePlan([0, 0, 0], [0, 0]), r"order must hold 3 integers, got shape \(2,\)"),
        (PipelinePlan([0, 0, 4], [0, 0, 1]), "task 2: there is no cut 4"),
        (PipelinePlan([0, 1, 0], [0, 0, 1]), "task 1: its type has no cut 1"),
        (PipelinePlan([0, 0, 0], [0, 1, 1]), "order names device 0 1 times, it has 2 tasks"),
        (PipelinePlan([0, 0, 0], [0, 0, 7]), "order names device 1 0 times, it has 1 tasks"),
    )
    for plan, told in cases:
        assert any(re.search(told, line) for line in problem.violations(plan))
        assert problem.objective(plan) == INF
    assert problem.violations(PipelinePlan([0, 0, 0], [1, 0, 0])) == []
