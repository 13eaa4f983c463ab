"""The makespan problem: construction, evaluation, models, and what metaheuristics get."""

import dataclasses
import pickle
import re

import numpy as np
import pytest
from conftest import (
    INF,
    WORKED,
    all_plans,
    brute_force,
    counterexample_c1,
    counterexample_c2,
    examples,
    lp_oracle,
    plain_loads,
    plain_makespan,
    problems,
    random_problem,
    usable,
)
from hypothesis import given
from hypothesis import strategies as st

import optedge as oe
from optedge import kernels

TIMES = [[1.0, 4.0], [2.0, INF], [3.0, 1.0]]

KINDS = [  # shape and kind of data of the instances that models are checked on
    {},
    {"missing": 0.4},
    {"ready": True, "missing": 0.2},
    {"memory": 1.1},
    {"memory": 1.25, "missing": 0.3, "ready": True, "integer": True},
]
TINY = [
    *[(seed, fields) for seed in range(2) for fields in KINDS],
    *[pytest.param(seed, fields, marks=pytest.mark.slow) for seed in (2, 3) for fields in KINDS],
    (0, {"n": 1, "m": 1}),
    (1, {"n": 1, "m": 4, "ready": True}),
    (2, {"n": 4, "m": 1}),
    (3, {"n": 2, "m": 6, "missing": 0.5}),
]


def tiny(seed, fields):
    """Return one of the instances listed above, 5 tasks on 3 servers by default."""
    return random_problem(seed, **{"n": 5, "m": 3, **fields})


# ---------------------------------------------------------------- construction


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"times": [1.0, 2.0]}, r"times must have shape \(n_tasks, n_servers\).*\(2,\)"),
        ({"times": np.zeros((0, 3))}, r"times must have shape .* non-empty, got \(0, 3\)"),
        ({"times": np.zeros((2, 0))}, r"times must have shape .* non-empty"),
        ({"times": np.zeros((2, 2, 2))}, r"times must have shape"),
        ({"times": 3.0}, r"times must have shape"),
        ({"times": [[1, 2], [3]]}, r"times must be an array of numbers"),
        ({"times": [["a", "b"]]}, r"times must be an array of numbers"),
        ({"times": [[1, 2 + 3j]]}, r"times must be an array of numbers"),
        ({"times": [[1, 2], [3, np.nan]]}, r"times\[1, 1\] is NaN"),
        ({"times": [[1, 2], [-3, 4]]}, r"times\[1, 0\] is negative"),
        ({"times": [[-INF, 2], [3, 4]]}, r"times\[0, 0\] is infinite"),
        ({"times": [[1, 2], [INF, INF]]}, r"task 1 can use no server"),
        ({"times": [[INF, INF]] * 3}, r"tasks 0, 1 and 2 can use no server"),
        ({"times": [[INF]] * 9}, r"tasks 0, 1, 2, 3, 4 and 4 more can use no server"),
        ({"ready": [0.0, 0.0, 0.0]}, r"ready must have shape \(n_servers,\).*\(3,\)"),
        ({"ready": 1.0}, r"ready must have shape \(n_servers,\)"),
        ({"ready": [[0.0, 0.0]]}, r"ready must have shape \(n_servers,\)"),
        ({"ready": [0.0, -1.0]}, r"ready\[1\] is negative"),
        ({"ready": [INF, 0.0]}, r"ready\[0\] is infinite"),
        ({"ready": [np.nan, 0.0]}, r"ready\[0\] is NaN"),
        ({"memory": [1, 1, 1]}, r"capacity is missing"),
        ({"capacity": [1, 1]}, r"memory is missing"),
        ({"memory": [1, 1], "capacity": [1, 1]}, r"memory must have shape \(n_tasks,\).*\(2,\)"),
        ({"memory": [1, 1, 1], "capacity": [1]}, r"capacity must have shape \(n_servers,\)"),
        ({"memory": [1, -1, 1], "capacity": [1, 1]}, r"memory\[1\] is negative"),
        ({"memory": [1, INF, 1], "capacity": [1, 1]}, r"memory\[1\] is infinite"),
        ({"memory": [1, 1, 1], "capacity": [1, np.nan]}, r"capacity\[1\] is NaN"),
        ({"memory": [9, 1, 1], "capacity": [3, 4]}, r"memory: .*task 0 .*capacity"),
        # Server 1 has the room but task 1 cannot reach it.
        ({"memory": [1, 5, 1], "capacity": [4, 9]}, r"memory: .*task 1 .*capacity"),
        ({"work": [1.0, 2.0]}, r"work must have shape \(n_tasks,\).*\(2,\)"),
        ({"work": [1.0, np.nan, 2.0]}, r"work\[1\] is NaN"),
        ({"work": [1.0, -2.0, 2.0]}, r"work\[1\] is negative"),
        ({"name": 7}, r"name must be a string"),
    ],
)
def test_bad_input_is_refused(fields, message):
    """Construction says which entry of which array is wrong."""
    with pytest.raises(ValueError, match=message):
        oe.MakespanProblem(**{"times": TIMES, **fields})


def test_replace_validates_again():
    """A changed copy goes through the same checks and leaves the original alone."""
    p = oe.MakespanProblem(TIMES, ready=[1.0, 2.0], name="small")
    q = p.replace(times=2 * p.times)
    assert (q.times[0, 1], p.times[0, 1], q.name) == (8.0, 4.0, "small")
    np.testing.assert_array_equal(q.ready, [1.0, 2.0])
    with pytest.raises(ValueError, match=r"ready\[0\] is negative"):
        p.replace(ready=-p.ready)


def test_data_are_copied_and_read_only():
    """Neither the caller's array nor the problem's can change the instance afterwards."""
    times = np.array(TIMES)
    p = oe.MakespanProblem(times, memory=[1, 1, 1], capacity=[2, 2], work=[3, 2, 1])
    times[0, 0] = 99.0
    assert p.times[0, 0] == 1.0
    for array in (p.times, p.ready, p.memory, p.capacity, p.work, p.eligible, p.choices):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        p.ready = np.ones(2)


def test_defaults():
    """Servers are free at 0, and tasks are sized by their least time unless work is given."""
    p = oe.MakespanProblem(TIMES)
    np.testing.assert_array_equal(p.ready, [0.0, 0.0])
    np.testing.assert_array_equal(p.sizes, [1.0, 2.0, 1.0])
    np.testing.assert_array_equal(p.replace(work=[7, 8, 9]).sizes, [7, 8, 9])
    assert (p.n_tasks, p.n_servers, p.memory, p.capacity) == (3, 2, None, None)


def test_equal_data_have_equal_keys():
    """The key depends on every array and not on the name; the label is the name if there is one."""
    p = oe.MakespanProblem(TIMES)
    assert p.key == oe.MakespanProblem(np.array(TIMES), name="other").key
    others = [
        p.replace(times=2 * p.times),
        p.replace(ready=[0, 1]),
        p.replace(memory=[1, 1, 1], capacity=[9, 9]),
        p.replace(memory=[1, 1, 1], capacity=[9, 8]),
        p.replace(work=[1, 2, 3]),
    ]
    assert len({p.key, *(q.key for q in others)}) == 6
    assert p.replace(name="mine").label == "mine"
    assert p.key[:8] in p.label


def test_a_pickled_copy_is_the_same_instance():
    """Workers get equal data, read-only as before, whatever was computed before."""
    p = random_problem(0, memory=1.3, ready=True)
    p.bounds(), p.costs(np.zeros((1, 7), dtype=int))
    q = pickle.loads(pickle.dumps(p))
    assert q.key == p.key
    assert q.bounds() == p.bounds()
    for array in (q.times, q.ready, q.memory, q.capacity, q.eligible, *q.data[:4]):
        assert not array.flags.writeable


# ---------------------------------------------------------------- related servers


def test_related_servers():
    """Times are work over speed, inf where not eligible; the list rules sort by the work."""
    p = oe.MakespanProblem.related(
        [6, 3], [2, 1], [[True, True], [False, True]], ready=[0, 1], name="two"
    )
    np.testing.assert_array_equal(p.times, [[3.0, 6.0], [INF, 3.0]])
    np.testing.assert_array_equal(p.sizes, [6.0, 3.0])
    assert (p.name, p.ready.tolist()) == ("two", [0.0, 1.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [1, 0]), "speeds"),
        (([1, 2], [1, -3]), "speeds"),
        (([1, 2], [1, np.nan]), "speeds"),
        (([1, 2], [[1, 2]]), "speeds"),
        (([1, 2], 3.0), "speeds"),
        (([[1, 2]], [1, 2]), "work|times"),
        (([1, -2], [1, 2]), "negative"),
        (([1, 2], [1, 2], [[False, False], [True, True]]), "task 0 can use no server"),
        # Neither may be stretched over the other axis in silence.
        (([1, 2, 3], [1, 1, 1], [True, False, True]), "eligible"),
        (([1, 2, 3], [1, 1], [[True, False]]), "eligible"),
    ],
)
def test_bad_related_servers_are_refused(arguments, message):
    """Speeds must be positive and the eligibility a matrix of tasks and servers."""
    with pytest.raises(ValueError, match=message):
        oe.MakespanProblem.related(*arguments)


# ---------------------------------------------------------------- evaluation


def test_values_by_hand():
    """Tasks 0 and 1 keep server 0 busy for 3 s, task 2 server 1 for 1 s, after the ready times."""
    p = oe.MakespanProblem(TIMES, ready=[0.5, 4.0])
    np.testing.assert_array_equal(p.loads([0, 0, 1]), [3.5, 5.0])
    assert p.objective([0, 0, 1]) == p.objective(np.array([0, 0, 1], dtype=np.int32)) == 5.0
    assert p.violations([0, 0, 1]) == []
    # An idle server that is still busy with earlier work counts.
    assert p.objective([0, 0, 0]) == 6.5
    assert p.replace(ready=[0.0, 9.0]).objective([0, 0, 0]) == 9.0


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([0, 0], "3 integers"),
        ([[0, 0, 1]], "3 integers"),
        ([0.0, 0.0, 1.0], "3 integers"),
        ([True, False, True], "3 integers"),
        (["a", "b", "c"], "3 integers"),
        ([0, 0, 2], "task 2: there is no server 2"),
        ([0, -1, 0], "task 1: there is no server -1"),
        ([0, 1, 1], "task 1 cannot use the server chosen"),
        ([1, 0, 1], "server 1: memory short by 1"),
    ],
)
def test_infeasible_solutions(x, message):
    """An infeasible solution is worth inf and a sentence says what is wrong with it."""
    p = oe.MakespanProblem(TIMES, memory=[2.0, 1.0, 3.0], capacity=[5.0, 4.0])
    assert p.objective(x) == INF
    assert any(message in sentence for sentence in p.violations(x))


def test_every_violation_is_told():
    """A pair that cannot be used and two servers that overflow are three sentences."""
    p = oe.MakespanProblem(np.where(np.eye(4, 2) > 0, INF, 1), memory=[1] * 4, capacity=[1, 1])
    assert len(p.violations([0, 0, 1, 1])) == 3


def test_metrics_by_hand():
    """Figures 5 and 6 of the paper: idle servers count, of equally busy servers the fuller one."""
    p = oe.MakespanProblem([[4, 4, 4], [1, 1, 1], [3, 3, 3]])
    found = p.metrics([0, 1, 1])
    assert found == {"loads_std": pytest.approx(np.std([4, 4, 0])), "tasks_on_busiest": 2.0}


@given(problems(), st.data())
def test_objective_is_the_largest_load(problem, data):
    """The evaluator agrees with a plain loop on every assignment, feasible or not."""
    n, m = problem.times.shape
    x = data.draw(st.lists(st.integers(0, m - 1), min_size=n, max_size=n))
    expected = plain_makespan(problem, x)
    assert problem.objective(x) == pytest.approx(expected, rel=1e-12)
    assert (problem.violations(x) == []) == (expected < INF)
    np.testing.assert_allclose(problem.loads(x), plain_loads(problem, x), rtol=1e-12)


# ---------------------------------------------------------------- worked examples


@pytest.mark.parametrize("name", WORKED)
def test_worked_optimum(name):
    """Enumeration, HiGHS and the list rule give the values of section 8."""
    row = WORKED[name]
    p = row.problem()
    assert oe.solve(p, "highs", bound=False).objective == pytest.approx(row.optimum, rel=1e-7)
    assert oe.solve(p, "lpt").objective == pytest.approx(row.lpt, rel=1e-7)
    if p.n_tasks * p.n_servers < 40:
        assert brute_force(p) == pytest.approx(row.optimum, rel=1e-12)
        assert oe.solve(p, "enumeration").objective == pytest.approx(row.optimum, rel=1e-12)


@pytest.mark.parametrize(
    ("problem", "optimum"),
    [
        (counterexample_c1(3), 4.07),
        (counterexample_c1(10), 2.0011111),
        (counterexample_c2(), 1.0166833),
    ],
)
def test_optima_of_the_counterexamples(problem, optimum):
    """C1 with 3 and 10 servers and C2 have the optima of section 4.1."""
    assert brute_force(problem) == pytest.approx(optimum, rel=1e-6)
    assert oe.solve(problem, "highs", bound=False).objective == pytest.approx(optimum, rel=1e-6)


def test_c1_duals_by_hand():
    """The multipliers of section 3.2: w = (1, 10, 10)/21 and u, from the model and its dual."""
    p = counterexample_c1(3)
    w, u = np.array([1, 10, 10]) / 21, np.array([10 / 21, 1.4619048, 1.4619048])
    v = oe.solve_model(p.model("lp"))
    assert v.objective == pytest.approx(3.4)
    assert [v.duals["capacity"][j] for j in range(3)] == pytest.approx(-w)
    assert [v.duals["assign"][i] for i in range(3)] == pytest.approx(u)
    assert [v.values["x"][0, j] for j in range(3)] == pytest.approx([0.34, 0.33, 0.33])
    dual = oe.solve_model(p.model("dual"))
    assert dual.objective == pytest.approx(3.4)
    assert [dual.values["w"][j] for j in range(3)] == pytest.approx(w)
    assert [dual.values["u"][i] for i in range(3)] == pytest.approx(u)


# ---------------------------------------------------------------- models


@pytest.mark.parametrize(("seed", "fields"), TINY)
def test_models_against_enumeration(seed, fields):
    """Both integer models have the optimum of enumeration; the linear ones bound it, and agree."""
    p = tiny(seed, fields)
    best = brute_force(p)
    assert best < INF
    for kind in (None, "assignment", "pruned"):
        v = oe.solve_model(p.model(kind))
        assert v.objective == pytest.approx(best, rel=1e-7)
    lp, dual = (oe.solve_model(p.model(kind)).objective for kind in ("lp", "dual"))
    assert lp == pytest.approx(lp_oracle(p), rel=1e-7)
    assert dual == pytest.approx(lp, rel=1e-7)
    pruned = oe.solve_model(p.model("pruned", relax=True)).objective
    assert oe.solve_model(p.model(relax=True)).objective == pytest.approx(lp, rel=1e-7)
    assert lp * (1 - 1e-7) <= pruned <= best * (1 + 1e-7)


@pytest.mark.parametrize(("seed", "fields"), TINY)
def test_extract_and_fill(seed, fields):
    """What fill writes, extract reads; the model values a solution as the problem does."""
    import pyomo.environ as pyo

    p = tiny(seed, fields)
    m = p.model()
    plans = [x for x in all_plans(p) if plain_makespan(p, x) < INF]
    for x in plans[:: max(1, len(plans) // 5)]:
        p.fill(m, np.array(x))
        assert p.extract(m).tolist() == list(x)
        assert pyo.value(m.makespan) == pytest.approx(plain_makespan(p, x))
        rows = m.component_data_objects(pyo.Constraint, active=True)
        assert all(row.lslack() >= -1e-9 and row.uslack() >= -1e-9 for row in rows)


def test_a_model_can_be_changed(s1):
    """A student's own constraint shows in the optimum: at most one task on the fast server."""
    m = s1.model()
    m.quota = _quota(m)
    v = oe.solve_model(m)
    x = s1.extract(m)
    assert (x == 0).sum() <= 1
    assert v.objective == pytest.approx(s1.objective(x)) == pytest.approx(10.0)


def _quota(m):
    import pyomo.environ as pyo

    return pyo.Constraint(expr=sum(m.x[i, 0] for i in m.I) <= 1)


def test_the_model_names_what_the_formula_names():
    """Variables x and C, rows capacity, assign and memory; no variable for an unusable pair."""
    p = oe.MakespanProblem(TIMES, memory=[5, 1, 1], capacity=[5, 2])
    m = p.model()
    assert set(m.x) == {(0, 0), (1, 0), (2, 0), (2, 1)}
    assert (len(m.capacity), len(m.assign), len(m.memory)) == (2, 3, 2)
    assert all(v.is_binary() for v in m.x.values())
    assert not any(v.is_binary() for v in p.model(relax=True).x.values())
    assert not hasattr(oe.MakespanProblem(TIMES).model(), "memory")
    pruned = oe.MakespanProblem([[1.0, 9.0], [2.0, 2.0]]).model("pruned")
    assert set(pruned.x) == {(0, 0), (1, 0), (1, 1)}  # the list rule needs 2 s


@pytest.mark.parametrize("kind", ["assignment", "lp", "dual"])
@pytest.mark.parametrize("fields", [{}, {"missing": 0.4, "ready": True}, {"memory": 1.3}])
def test_model_size(kind, fields):
    """The size told beforehand is the size of the compiled model."""
    from optedge.bridge import compile_model

    p = random_problem(3, 6, 4, **fields)
    compiled = compile_model(p.model(kind))
    rows, columns = p.model_size(kind)
    if kind == "dual" and p.memory is not None:
        columns += p.n_servers  # the prices of memory
    assert (rows, columns) == (len(compiled.rows), len(compiled.columns))


def test_unknown_kind(s1):
    """An unknown model is refused and the choices are named."""
    for call in (s1.model, s1.model_size):
        with pytest.raises(ValueError, match=r"'qap'.*assignment.*pruned.*lp.*dual"):
            call("qap")


def test_a_split_task_is_no_solution():
    """A fractional optimum is not read as a solution, even if it is nearly whole."""
    p = counterexample_c1(3)
    m = p.model("lp")
    assert p.extract(m) is None  # no values yet
    oe.solve_model(m)
    assert p.extract(m) is None
    p.fill(m, np.array([1, 1, 2]))
    m.x[0, 1].set_value(0.9)
    m.x[0, 2].set_value(0.1)
    assert p.extract(m) is None


def test_start_of_the_search():
    """The solution that fill wrote is the first incumbent of the search."""
    p = random_problem(5, 30, 5)
    x = np.zeros(30, dtype=int)
    m = p.model()
    p.fill(m, x)
    seen = []
    oe.solve_model(m, start=True, on_incumbent=lambda value, _: seen.append(value))
    assert seen[0] == pytest.approx(p.objective(x))


def test_pruned_copy():
    """Pairs that alone overrun the deadline, ready time included, are gone; equality stays."""
    p = oe.MakespanProblem(TIMES, ready=[0.0, 1.0])
    np.testing.assert_array_equal(p.pruned(3.0).times, [[1, INF], [2, INF], [3, 1]])
    np.testing.assert_array_equal(p.pruned(5.0).times, TIMES)
    with pytest.raises(ValueError, match="tasks 1 and 2 can use no server"):
        p.pruned(1.5)


# ---------------------------------------------------------------- what metaheuristics get


@given(problems())
@examples(60)
def test_costs_of_all_codes(problem):
    """Codes are solutions: the compiled costs are the objective, inf where infeasible."""
    plans = np.array(list(all_plans(problem)))[:300]
    costs = problem.costs(plans)
    expected = [plain_makespan(problem, x) for x in plans.tolist()]
    np.testing.assert_allclose(costs, expected, rtol=1e-12)
    decoded = problem.decode(plans[0])
    assert decoded is not plans[0]
    assert problem.encode(decoded).tolist() == plans[0].tolist()


def test_choices():
    """A task may choose the servers that it reaches and that have memory for it."""
    p = oe.MakespanProblem(TIMES, memory=[5, 1, 1], capacity=[5, 2])
    np.testing.assert_array_equal(p.choices, [[True, False], [True, False], [True, True]])


@given(problems(max_tasks=4))
@examples(60)
def test_partial_is_the_completion_time(problem):
    """partial(x, i) is when task i is done on each server, behind the tasks placed before it."""
    n, m = problem.times.shape
    for x in list(all_plans(problem))[:20]:
        for i in range(n):
            found = problem.partial(np.array(x), i)
            for k in range(m):
                done = problem.ready[k] + sum(problem.times[g, k] for g in range(i) if x[g] == k)
                expected = done + problem.times[i, k] if usable(problem)[i, k] else INF
                if problem.memory is not None:
                    used = sum(problem.memory[g] for g in range(i) if x[g] == k)
                    if used + problem.memory[i] > problem.capacity[k] * (1 + 1e-9):
                        expected = INF
                assert found[k] == pytest.approx(expected)


def test_memory_is_filled_to_the_brim_alike():
    """0.1 + 0.2 fits into 0.3 for the evaluator, the list rules, the moves and enumeration."""
    p = oe.MakespanProblem([[1, 9], [1, 9]], memory=[0.1, 0.2], capacity=[0.3, 0.3])
    assert p.objective([0, 0]) == 2.0
    assert p.costs([[0, 0]])[0] == 2.0
    for solver in ("enumeration", "lpt", "greedy", "highs", "local-search"):
        r = oe.solve(p, solver, max_evaluations=500 if solver == "local-search" else None)
        assert r.objective == 2.0, solver


def test_what_rounding_lets_pass_is_allowed_everywhere():
    """A solution without violations is worth at least every bound, and costs the same as code."""
    p = oe.MakespanProblem([[1.0, 10.0]], memory=[1 + 1e-10], capacity=[1.0, 2.0])
    value = p.objective([0])
    assert p.costs([[0]])[0] == value
    assert max(p.bounds().values()) <= value


def test_explain_names_servers_and_shortage(short_of_memory):
    """The reason of an infeasible instance names the servers and how much is missing."""
    assert short_of_memory.explain([]) == "servers 1 and 2: memory short by 3."
    one = oe.MakespanProblem([[1, 1], [1, INF], [1, INF]], memory=[1, 2, 2.5], capacity=[3, 9])
    assert one.explain([]) == "server 0: memory short by 1.5."


def test_explain_always_says_something():
    """If only whole tasks do not fit, the sentence does not end in an empty list."""
    p = oe.MakespanProblem(np.ones((3, 2)), memory=[2, 2, 2], capacity=[3, 3])
    assert not re.search(r":\s*$", p.explain([]))


@pytest.mark.parametrize("short", [False, True])
def test_guide_is_the_change_of_the_sum_of_16th_powers(short):
    """Annealing's stand-in: sum of (done / scale)^16, plus what memory is exceeded."""
    memory = dict(memory=[2.0, 1.0, 3.0, 2.0], capacity=[3.0, 4.0, 3.0]) if short else {}
    p = oe.MakespanProblem(
        np.random.default_rng(0).uniform(1, 9, (4, 3)), ready=[0, 2, 1], **memory
    )
    scale = 11.0

    def stand_in(x):
        value = ((p.loads(x) / scale) ** 16).sum()
        if short:
            used = np.bincount(x, p.memory, 3)
            value += np.maximum(0, used - p.room).sum() * p.data.overrun / scale
        return value

    x = np.array([0, 1, 2, 0])
    state = kernels.start(p.data, x)
    for i in range(4):
        for k in range(3):
            y = x.copy()
            y[i] = k
            change = kernels.guide(p.data, state, x, i, k, scale)
            assert change == pytest.approx(stand_in(y) - stand_in(x), rel=1e-9, abs=1e-12)
