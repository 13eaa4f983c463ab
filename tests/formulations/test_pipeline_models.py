"""The explicit models, the bound and the labels of the pipeline against brute force."""

import itertools
import math

import numpy as np
import pytest
from conftest import seeds
from pipelines import EXAMPLES, B, brute_force, example, random_pipeline, random_plan

import optedge as oe
from optedge.bridge import compile_model
from optedge.formulations.base import Certificate
from optedge.formulations.pipeline import PipelinePlan, PipelineProblem, labels, windows
from optedge.solvers import dp

FIELDS = list(
    itertools.product(
        ["delay", "device", "shared"], ["admission", "arrival"], [True, False],
        ["makespan", "mean delay"],
    )
)  # fmt: skip


def solved(problem, kind):
    """Return the optimum of a model and the objective of the plan in it."""
    model = problem.model(kind)
    solution = oe.solve_model(model, time_limit=60)
    assert solution.status == "optimal"
    return solution.objective, problem.objective(problem.extract(model))


@pytest.mark.parametrize(("name", "capacity"), EXAMPLES)
def test_models_of_the_table(name, capacity):
    """Both models have the optima of section 7, and the plans in them too."""
    problem = example(name, capacity)
    variants = (problem, problem.replace(goal="mean delay"), problem.replace(hold=False))
    for p, optimum in zip(variants, EXAMPLES[name, capacity][3:], strict=True):
        assert p.kinds == ("position", "disjunctive")[: 1 + (capacity >= p.n_tasks)]
        for kind in p.kinds:
            assert solved(p, kind) == pytest.approx((optimum, optimum), abs=1e-5)


@pytest.mark.parametrize("seed", seeds(6, 1))
@pytest.mark.parametrize(("link", "service", "hold", "goal"), FIELDS)
def test_models_are_brute_force(link, service, hold, goal, seed):
    """Every kind that an instance has finds the least objective of all plans; bounds are below."""
    rng = np.random.default_rng([seed, 77])
    for capacity in (1, 2, math.inf):
        problem = random_pipeline(
            rng, tasks=(1, 5), cuts=(2, 5), link=link, service=service, hold=hold, goal=goal,
            capacity=capacity,
        )  # fmt: skip
        best = brute_force(problem)
        assert problem.bound("task").value <= best
        for kind in problem.kinds:
            assert solved(problem, kind) == pytest.approx((best, best), abs=1e-5)
            relaxed = oe.solve_model(problem.model(kind, relax=True))
            assert relaxed.objective <= best + 1e-6


def test_kinds():
    """Positions need service in their order, orders need slots, arrival needs the makespan."""
    both = ("position", "disjunctive")
    cases = (
        ({}, both),
        ({"capacity": 3}, ("position",)),
        ({"goal": "mean delay"}, both),
        ({"service": "arrival"}, ("disjunctive",)),
        ({"service": "arrival", "capacity": 3}, ()),
        ({"service": "arrival", "goal": "mean delay"}, ()),
        ({"service": "arrival", "goal": "mean delay", "link": "device"}, ()),
        ({"service": "arrival", "goal": "mean delay", "link": "shared"}, both),
    )
    for fields, kinds in cases:
        assert example("B2", 4).replace(**fields).kinds == kinds
    alone = example("B1", 4, service="arrival", link="device", goal="mean delay")
    assert alone.kinds == both
    with pytest.raises(ValueError, match="has no model 'disjunctive'"):
        example("B2", 1).model("disjunctive")
    with pytest.raises(ValueError, match="has no explicit model"):
        example("B2", 1, service="arrival").model()


def test_admissions_belong_to_the_orders():
    """What is served late is admitted late: without that the long transmission would be early."""
    chain = [[[0, 10, 1], [99, 0, 0]], [[1, 1, 1], [99, 0, 0]]]
    problem = PipelineProblem([[0], [0]], chain, types=[[0], [1]], goal="mean delay")
    assert brute_force(problem) == 7.5  # done at 3 and 12; sent at 0 the long one were done at 11
    for kind in problem.kinds:
        assert solved(problem, kind) == pytest.approx((7.5, 7.5))


@pytest.mark.parametrize("seed", seeds(12, 2))
def test_filled_plans_hold_in_the_models(seed):
    """A plan no worse than the known one breaks no row, devices alike or not, and comes back."""
    rng = np.random.default_rng([seed, 78])
    for link, service, hold in itertools.product(
        ("delay", "device", "shared"), ("admission", "arrival"), (True, False)
    ):
        problem = random_pipeline(
            rng, tasks=(2, 6), cuts=(2, 5), link=link, service=service, hold=hold
        )
        if rng.random() < 0.5:
            problem = problem.replace(arrivals=[problem.arrivals[0] or (0,)] * 2, types=None)
        known = windows.known_plan(problem)
        drawn = [random_plan(problem, rng) for _ in range(20)]
        for kind in problem.kinds:
            for plan in [known, *drawn]:
                if problem.objective(plan) <= problem.objective(known):
                    check_filled(problem, kind, plan)


def check_filled(problem, kind, plan):
    """Assert that a filled model is feasible and worth what the plan in it is, or less."""
    model = problem.model(kind)
    compiled = compile_model(model)
    problem.fill(model, plan)
    values, arrays = compiled.start(), compiled.arrays
    assert (values >= arrays.lower - 1e-6).all()
    assert (values <= arrays.upper + 1e-6).all()
    rows = arrays.matrix @ values
    assert (rows >= arrays.row_lower - 1e-6).all()
    assert (rows <= arrays.row_upper + 1e-6).all()
    value = arrays.cost @ values + arrays.offset
    assert value == pytest.approx(problem.objective(problem.extract(model)), abs=1e-6)
    assert value <= problem.objective(plan) + 1e-6


def test_model_sizes_are_near():
    """The size that is foretold is above that of the model, by less than half."""
    chain = [[0, 8, 4], [2, 6, 3], [5, 1, 1], [9, 0, 0]]  # nobody dominates anybody
    arrivals = [[0, 1, 2], [0, 2, 4]]
    for link, kind in itertools.product(("delay", "device", "shared"), ("position", "disjunctive")):
        problem = PipelineProblem(arrivals, chain, link=link)
        rows, columns = compile_model(problem.model(kind)).arrays.matrix.shape
        told = problem.model_size(kind)
        assert rows <= told[0] <= 1.5 * rows
        assert columns <= told[1] <= 1.5 * columns


def test_cuts_that_another_dominates():
    """A cut that is nowhere better is replaced; where tasks overtake all are kept."""
    chain = [[0, 6, 5], [0, 7, 5], [1, 6, 5], [3, 1, 1], [3, 1, 1], [9, 1, 0], [9, 0, 0]]
    problem = PipelineProblem([[0]], chain)
    assert windows.replacements(problem).tolist() == [[0, 0, 0, 3, 3, 6, 6]]
    assert windows.make(problem).options == [[0, 3, 6]]
    assert windows.make(problem.replace(service="arrival")).options == [list(range(7))]


@pytest.mark.parametrize(
    "problem",
    [
        example("B2", 1),
        example("B3", 2, link="device", hold=False, goal="mean delay"),
        example("Bm", 4, service="arrival"),
        example("Bm", 2, service="arrival"),
        PipelineProblem([[0, 3e-5], [1e-5, 4e-5]], 1e-5 * np.array(B), capacity=2),
    ],
    ids=["plain", "link", "overtaking", "no model", "tiny seconds"],
)
def test_the_parts_agree(problem):
    """Objective, model, bound and copies describe one problem."""
    assert oe.check_problem(problem) == []


# -------------------------------------------------------------------- the bound of tasks


def test_bound_of_single_tasks():
    """The latest arrival and the least latency; the mean of the latencies; certified."""
    problem = example("Bm", 2)
    bound = problem.bound("task")
    assert (bound.value, problem.certify(bound.certificate)) == (10, 10)
    assert problem.replace(goal="mean delay").bound("task").value == 6
    with pytest.raises(ValueError, match="knows no certificate 'rows'"):
        problem.certify(Certificate("rows", 1.0, {}))
    with pytest.raises(ValueError, match="'task' holds no arrays"):
        problem.certify(Certificate("task", 1.0, {"x": np.ones(1)}))


# -------------------------------------------------------------------- labels


@pytest.mark.parametrize("capacity", [1, 2])
def test_labels_of_the_table(capacity):
    """On the one device of B1 the solver proves the optima of section 7."""
    problem = example("B1", capacity)
    variants = (problem, problem.replace(goal="mean delay"), problem.replace(hold=False))
    for p, optimum in zip(variants, EXAMPLES["B1", capacity][3:], strict=True):
        result = oe.solve(p, "dp")
        assert (result.status.name, result.objective) == ("OPTIMAL", optimum)
        assert result.info["labels"] <= 13
        assert result.info["dropped"] == 0


@pytest.mark.parametrize("seed", seeds(400, 60))
def test_labels_are_brute_force(seed):
    """The best of one device; with two labels kept a plan and a bound around it."""
    rng = np.random.default_rng([seed, 79])
    problem = random_pipeline(rng, tasks=(1, 6), devices=(1, 2))
    if labels.why_not(problem):
        assert (problem.service, problem.link) == ("arrival", "delay")
        return
    best = brute_force(problem)
    plan, bound = labels.best(problem)
    assert (problem.objective(plan), bound.value) == pytest.approx((best, best), abs=1e-9)
    plan, bound = labels.best(problem, most=2)
    assert bound.value <= best + 1e-9
    assert problem.objective(plan) >= best - 1e-9


def test_a_stopped_recursion():
    """What is known is returned, with the bound of single tasks."""
    plan, bound = labels.best(example("B1", 1), stop=lambda: True)
    assert isinstance(plan, PipelinePlan)
    assert bound.name == "task"


def test_labels_follow_one_device():
    """Two devices, and tasks that overtake, are declined."""
    for problem, told in (
        (example("B2", 1), "2 devices have tasks; labels follow those of one"),
        (example("B1", 1, service="arrival"), "a task may overtake others"),
    ):
        with pytest.raises(ValueError, match=told):
            oe.solve(problem, "dp")
        with pytest.raises(ValueError, match=told):
            labels.best(problem)
    assert PipelineProblem in dp.by_paths.registry
