"""The lower bounds of the pipeline: below every plan, certified, and refused when tampered with."""

import dataclasses
import math

import numpy as np
import pytest
from conftest import seeds
from pipelines import EXAMPLES, brute_force, example, plans, random_pipeline, random_plan

import optedge as oe
from optedge.bridge import solve_arrays
from optedge.formulations.base import Certificate
from optedge.formulations.pipeline import PipelineProblem
from optedge.formulations.pipeline.bounds import ends, grid, merged, openers, refuting
from optedge.papers.task_migration import pipeline

STEPS = (0.25, 0.5, 0.9)
INF = math.inf


def few_plans(rng, **fields):
    """Return a random instance of at most 1500 plans, and the least objective of all of them."""
    while True:
        problem = random_pipeline(rng, tasks=(2, 6), cuts=(2, 4), **fields)
        sizes = [len(row) for row in problem.arrivals]
        orders = math.factorial(problem.n_tasks) / math.prod(map(math.factorial, sizes))
        if orders * np.prod(problem.options.sum(axis=1).astype(float)) <= 1500:
            return problem, brute_force(problem)


def latencies(problem):
    """Return 0, for no openers, and every latency of a cut that sends, rounded down."""
    sent = problem.chains[:, :-1]
    found = (sent[:, :, 1] + sent[:, :, 2])[np.isfinite(sent[:, :, 0])]
    return [0.0, *np.unique((1 - 1e-12) * found[found > 0]).tolist()]


def relaxations(problem, end):
    """Yield a relaxation for every step, grouping of cuts and length of windows that fits."""
    for step in STEPS:
        for threshold in latencies(problem):
            if threshold and openers.why_not(problem, threshold, end, step):
                continue
            yield refuting.Relaxation(step, merged.separate(problem), threshold)
        yield refuting.Relaxation(step, merged.grouped(problem, end, 2))


# --------------------------------------------------------------------------- below every plan


@pytest.mark.parametrize("seed", seeds(12, 1))
def test_bounds_are_below_the_best_plan(seed):
    """All bounds without search of random instances of every kind; the certificates prove them."""
    rng = np.random.default_rng([seed, 1])
    for _ in range(8):
        problem, best = few_plans(rng)
        for name, value in problem.bounds().items():
            assert value <= best * (1 + 1e-12), (name, problem)
            certificate = problem.bound(name).certificate
            if certificate is None:
                assert (name, value) == ("grid", 0)
            else:
                assert problem.certify(certificate) == value


@pytest.mark.parametrize("seed", seeds(6, 1))
def test_no_end_is_refuted_that_a_plan_meets(seed):
    """Whatever the step, the groups of cuts and the windows; earlier ends often are refuted."""
    rng = np.random.default_rng([seed, 2])
    refuted = 0
    for k in range(4):
        hold = {"hold": True, "service": "admission", "capacity": int(rng.integers(1, 3))}
        problem, best = few_plans(rng, goal="makespan", **(hold if k % 2 else {}))
        if best == 0:
            continue
        for relaxation in relaxations(problem, best):
            late = best * (1 + 1e-9)
            assert refuting.attempt(problem, relaxation, late).certificate is None, relaxation
        for relaxation in relaxations(problem, 0.8 * best):
            found = refuting.attempt(problem, relaxation, 0.8 * best).certificate
            if found is not None:
                refuted += 1
                assert problem.certify(found) == found.value <= 0.8 * best
    assert refuted > 0


def dense_plan(problem, rng):
    """Return a plan of mostly one cut, in which who is finished first is admitted first."""
    usual = rng.integers(problem.n_cuts)
    rare = random_plan(problem, rng).cuts
    use = problem.options[:, usual] & (rng.random(problem.n_tasks) < 0.8)
    return problem.first_finished(np.where(use, usual, rare))


def counted(problem, plan, rows, number, threshold):
    """Return the program of a grid with the counts of a plan: in all, completed, of openers."""
    arrays = grid.arrays(problem, rows)
    times, points = problem.times(plan), rows.times * rows.unit + 1e-9
    admitted = np.where(np.isnan(times.admitted), times.finish, times.admitted)
    lower, upper = arrays.lower.copy(), arrays.upper.copy()
    upper[upper == 2 * problem.n_tasks] = problem.n_tasks

    def fix(columns, when):
        values = (when[:, None] <= points).sum(axis=0)
        assert (values[columns == -1] == 0).all()
        lower[columns[columns >= 0]] = upper[columns[columns >= 0]] = values[columns >= 0]

    taken = problem.chains[problem.kind, plan.cuts]
    for i in range(rows.cuts.device.size):
        cut = [rows.cuts.device[i], rows.cuts.link[i], rows.cuts.cloud[i]]
        mine = (problem.kind == rows.cuts.kind[i]) & (taken == cut).all(axis=1)
        mine &= (plan.cuts == problem.n_cuts - 1) == rows.cuts.stays[i]
        fix(rows.admitted[i], admitted[mine])
        fix(rows.completed[i], times.done[mine])
    if number is not None:
        long = (taken[:, 1] + taken[:, 2] >= threshold) & (plan.cuts < problem.n_cuts - 1)
        opened, closes = [], -INF
        for a in np.sort(admitted[long]):
            if a >= closes:
                opened.append(a)
                closes = a + threshold
        fix(number.opened, np.array(opened))
        lower[number.column] = upper[number.column] = len(opened)
        upper[number.missing] = 0
    room = 1e-7  # HiGHS calls infeasible what crosses by 1e-9
    row_lower, row_upper = arrays.row_lower - room, arrays.row_upper + room
    return dataclasses.replace(
        arrays, lower=lower, upper=upper, row_lower=row_lower, row_upper=row_upper
    )


@pytest.mark.parametrize("seed", seeds(5, 1))
def test_every_plan_satisfies_the_rows(seed):
    """With the counts of any plan fixed the program of its end has a solution, if openers too."""
    rng = np.random.default_rng([seed, 7])
    with_openers = 0
    for k in range(30):
        fields = {"hold": True, "service": "admission", "capacity": int(rng.integers(1, 4))}
        problem = random_pipeline(rng, (3, 24), (1, 4), (2, 5), **(fields if k % 3 else {}))
        if any(len(np.unique(chain, axis=0)) < len(chain) for chain in problem.chains):
            continue  # equal cuts cannot be told apart here
        plan = dense_plan(problem, rng) if k % 2 else random_plan(problem, rng)
        end, step = float(np.nanmax(problem.times(plan).done)), rng.choice([0.25, 0.5, 0.9, 1.0])
        for threshold in latencies(problem) if end > 0 else ():
            if threshold and openers.why_not(problem, threshold, end, step):
                continue
            rows = grid.make(problem, end, step, merged.separate(problem))
            number = openers.add(problem, rows, threshold) if threshold else None
            with_openers += threshold > 0
            found = solve_arrays(counted(problem, plan, rows, number, threshold))
            assert found.status == "optimal", (problem, plan, step, threshold)
    assert with_openers > 10


@pytest.mark.parametrize(
    ("name", "capacity"),
    [pytest.param(*e, marks=[pytest.mark.slow] * (e[0] in ("B1", "Bm"))) for e in EXAMPLES],
)
def test_bounds_of_the_worked_examples(name, capacity):
    """The bounds of section 7 are below its optima, for both services, with and without hold."""
    *_, makespan, delay, apart = EXAMPLES[name, capacity]
    for fields, best in (({}, makespan), ({"goal": "mean delay"}, delay), ({"hold": False}, apart)):
        problem = example(name, capacity, **fields)
        assert max(problem.bounds().values()) <= best + 1e-9
        if not fields:
            for relaxation in relaxations(problem, best):
                assert refuting.attempt(problem, relaxation, best + 1e-9).certificate is None
    overtaking = example(name, capacity, service="arrival")
    assert max(overtaking.bounds().values()) <= min(map(overtaking.objective, plans(overtaking)))


@pytest.mark.parametrize("service", ["admission", pytest.param("arrival", marks=pytest.mark.slow)])
def test_bounds_of_the_published_size(service):
    """No plan at hand is below any bound, and the bounds are as good as they were measured."""
    rng = np.random.default_rng(3)
    least = {"alexnet": (19.87, 19.7), "tiny_yolo": (54.08, 52.5), "darknet19": (45.06, 45.3)}
    for network, (assignment, in_time) in least.items():
        problem = pipeline(network, "3G", service=service)
        bounds = problem.bounds()
        assert bounds["assignment"] >= assignment
        assert bounds["grid"] >= in_time
        plans = [random_plan(problem, rng) for _ in range(3)]
        plans += [problem.first_finished(i) for i in range(problem.n_cuts)]
        assert max(bounds.values()) <= min(map(problem.objective, plans))


def test_bounds_by_hand():
    """Two tasks of latency 8 and one slot: the ceiling; what no device has time for: the rest."""
    slow_home = [[0, 5, 3], [100, 0, 0]]
    one_slot = PipelineProblem([[0, 0, 0]], slow_home, capacity=1)
    assert one_slot.bound("ceiling").value == pytest.approx(24)  # the best there is
    assert brute_force(one_slot) == 24
    at_home = PipelineProblem([[0, 0, 2]], [[INF, 0, 0], [4, 0, 0]])
    assert at_home.bounds() == pytest.approx(
        dict(task=6, ceiling=12, assignment=12, grid=12), rel=3e-3
    )
    no_time = PipelineProblem([[0, 0]], [[0, 0, 0], [1, 0, 0]])
    assert set(no_time.bounds().values()) == {0}


# ------------------------------------------------------------------------------- certificates


def certificates():
    """Return instances with a certificate each: assignment, grid of both goals, openers."""
    problem = example("A2", 1)
    relaxation = refuting.Relaxation(0.25, merged.separate(problem), 6.0)
    opened = refuting.attempt(problem, relaxation, 11.0).certificate
    late = problem.replace(goal="mean delay")
    return {
        "assignment": (problem, problem.bound("assignment").certificate),
        "grid": (problem, problem.bound("grid").certificate),
        "openers": (problem, opened),
        "mean delay": (late, late.bound("grid").certificate),
    }


@pytest.mark.parametrize("kind", ["assignment", "grid", "openers", "mean delay"])
def test_tampered_certificates_prove_less(kind):
    """Other multipliers prove something below the optimum, and a later end proves nothing."""
    problem, certificate = certificates()[kind]
    best, rng = brute_force(problem), np.random.default_rng(5)
    y = certificate.arrays["multipliers"]
    for other in (0 * y, -y, 3 * y, y * rng.uniform(0, 2, y.shape), rng.normal(size=y.shape)):
        changed = {**certificate.arrays, "multipliers": other}
        assert problem.certify(Certificate(certificate.kind, best, changed)) <= best
    if kind in ("grid", "openers"):
        for end in (best, 2 * best):
            rows = {**certificate.arrays, "end": np.array([end])}
            assert _refused_or_nothing(problem, rows)


def _refused_or_nothing(problem, arrays):
    try:
        return problem.certify(Certificate("grid", 1.0, arrays)) == 0
    except ValueError as error:
        return "must hold finite" in str(error)


def test_openers_must_cover_every_number():
    """A range of numbers that is left out is not refuted."""
    problem, certificate = certificates()["openers"]
    assert problem.certify(certificate) == certificate.value > 0
    spans, y = certificate.arrays["openers"], certificate.arrays["multipliers"]
    for k in range(len(spans)):
        arrays = dict(certificate.arrays)
        arrays["openers"], arrays["multipliers"] = np.delete(spans, k, 0), np.delete(y, k, 0)
        assert problem.certify(Certificate("grid", 1.0, arrays)) == 0
    last = spans.copy()
    last[np.argmax(spans[:, 1]), 1] -= 1
    arrays = {**certificate.arrays, "openers": last}
    assert problem.certify(Certificate("grid", 1.0, arrays)) == 0


@pytest.mark.parametrize("kind", ["assignment", "grid", "openers", "mean delay"])
def test_malformed_certificates_are_refused(kind):
    """Every array of another shape, missing or not finite, is named."""
    problem, certificate = certificates()[kind]
    for name, array in certificate.arrays.items():
        if name == "threshold":
            continue  # without it, it is one of another kind
        for wrong in (None, array[..., :-1], array[None], array * np.nan):
            arrays = {**certificate.arrays, name: wrong}
            if wrong is None:
                del arrays[name]
            with pytest.raises(ValueError, match=f"'{name}'|'multipliers'"):
                problem.certify(Certificate(certificate.kind, 1.0, arrays))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(step=[1e-9]), "at most 2000 steps"),
        (dict(end=[-1.0]), "must be above 0"),
        (dict(threshold=[0.3]), "shorter than 2 steps"),
        (dict(threshold=[50.0]), "does not fit"),
    ],
)
def test_grids_that_make_no_sense_are_refused(changes, message):
    """Too many steps, an end before the start, windows that do not fit the grid."""
    problem, certificate = certificates()["openers"]
    arrays = certificate.arrays | {name: np.array(value) for name, value in changes.items()}
    with pytest.raises(ValueError, match=message):
        problem.certify(Certificate("grid", 1.0, arrays))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(hold=False), "devices that hold"),
        (dict(service="arrival"), "order of admission"),
        (dict(capacity=4), "fewer slots than tasks"),
        (dict(goal="mean delay"), "the makespan only"),
    ],
)
def test_openers_only_where_they_hold(fields, message):
    """Windows of openers need hold, order, and slots that can run out."""
    _, certificate = certificates()["openers"]
    with pytest.raises(ValueError, match=message):
        example("A2", 1).replace(**fields).certify(certificate)


def test_kinds_of_another_goal_are_refused():
    """Counts do not bound the mean delay."""
    problem, certificate = certificates()["assignment"]
    with pytest.raises(ValueError, match="knows no certificate 'assignment'"):
        problem.replace(goal="mean delay").certify(certificate)
    with pytest.raises(ValueError, match="'ceiling' holds no arrays"):
        problem.certify(Certificate("ceiling", 1.0, {"multipliers": np.zeros(3)}))


# ------------------------------------------------------------------------------ virtual cuts


def test_groups_keep_types_and_edge_only_apart():
    """Nearly equal cuts are merged, of each type alone; edge-only stays, an absent cut is none."""
    near = [[0, 6, 4], [2, 3, 3], [2.001, 3, 2.999], [5, 1, 1], [9, 0, 0]]
    other = [[INF, 0, 0], [1, 5, 2], [1, 5, 1.99], [2, 2, 1], [7, 0, 0]]
    problem = PipelineProblem([[0, 0], [0]], [near, other], types=[[0, 1], [1]], capacity=1)
    labels = merged.grouped(problem, 12.0, 4)
    cuts = merged.make(problem, labels)
    assert labels[0, 1] == labels[0, 2] not in labels[0, [0, 3, 4]]
    assert cuts.kind.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert cuts.stays.sum() == 2
    assert (cuts.device[1], cuts.cloud[1]) == (2, 2.999)


def test_fitting_steps():
    """A step divides the latencies that it can, and is otherwise near the wanted one."""
    step = merged.fitting_step(0.9, [6.0, 3.0, 9.0])
    assert step == pytest.approx(1.0)
    assert step < 1
    assert merged.fitting_step(0.9, []) == 0.9


# -------------------------------------------------------------------------------- the solver


def test_openers_leave_fewer_tasks():
    """With windows of the longest latency fewer tasks fit before an end than without."""
    problem = pipeline("darknet19", "3G", devices=3, frames=8, capacity=4)
    threshold = merged.main_latencies(problem, 25.6)[0]
    opened = ends.chosen(problem, 25.6, 45, threshold)
    plain = dataclasses.replace(opened, threshold=0.0)
    fewer, more = (refuting.attempt(problem, r, 22.0).tasks for r in (opened, plain))
    assert fewer < more - 0.05


@pytest.mark.slow
def test_time_grid_raises_the_bound():
    """The stages only rise; the last bound is certified, and no larger one is."""
    problem = pipeline("darknet19", "3G", devices=3, frames=8, capacity=4)
    options = dict(count_seconds=0.0, steps=45, opener_steps=45, close=0.005)
    result = oe.solve(problem, "time-grid", **options)
    raised = [stage["bound"] for stage in result.info["stages"]]
    assert raised == sorted(raised)
    assert {stage["name"] for stage in result.info["stages"]} == {"grid", "latency", "openers"}
    assert result.bound > max(problem.bound(name).value for name in problem.cheap_bounds)
    assert result.info["threshold"] in merged.main_latencies(problem, result.objective)
    check = oe.verify(result)
    assert (check.verdict, check.certified_bound) == ("certified", result.bound)
    assert not oe.verify(dataclasses.replace(result, bound=1.01 * result.bound))


def test_time_grid_counts_whole_tasks():
    """Branch and bound on counts proves the optimum of A2 with two slots, without a certificate."""
    result = oe.solve(example("A2", 2), "time-grid", openers=False, steps=10)
    assert result.bound == pytest.approx(11, rel=1e-5)
    assert oe.verify(result).verdict == "search, not certified"


def test_time_grid_of_the_mean_delay():
    """Finer grids raise the bound of the mean delay."""
    problem = example("A2", 1, goal="mean delay")
    result = oe.solve(problem, "time-grid", steps=320)
    assert problem.bound("grid").value < result.bound <= 10.5
    assert oe.verify(result).verdict == "certified"


def test_time_grid_stops_when_told():
    """A callback ends the search; what was proved before stays, with its certificate."""
    problem = pipeline("alexnet", "3G", devices=3, frames=6, capacity=4)
    result = oe.solve(problem, "time-grid", callback=lambda run: run.bound > 0, bound=False)
    assert result.stop_reason == "callback"
    assert result.bound == problem.bound("assignment").value
    assert oe.verify(result).verdict == "certified"
