"""Search for schedules of the pipeline: the quick simulator, proposed moves, phase policies."""

import itertools

import numpy as np
import pytest
from conftest import seeds
from pipelines import EXAMPLES, brute_force, example, plain_times, random_pipeline, random_plan

import optedge as oe
from optedge.formulations.pipeline import phases
from optedge.formulations.pipeline.simulation import DONE, serve
from optedge.papers import task_migration

VARIANTS = list(
    itertools.product(
        ["delay", "device", "shared"], ["admission", "arrival"], [True, False], [2, np.inf]
    )
)


# --------------------------------------------------------------------- the simulator


@pytest.mark.parametrize("seed", seeds(12, 2))
def test_the_quick_simulator_is_the_whole_one(seed):
    """Without times the ends and the order are those with times, to the last digit, and plain."""
    rng = np.random.default_rng([seed, 11])
    none = np.zeros(0, dtype=np.int64)
    for link, service, hold, capacity in VARIANTS * 2:
        p = random_pipeline(
            rng, tasks=(1, 12), link=link, service=service, hold=hold, capacity=capacity
        )
        n, cuts = p.n_tasks, random_plan(p, rng).cuts
        later = rng.choice([0.0, 1.0, 2.5], n)
        orders, out = np.empty((2, n), dtype=np.int64), np.empty((n, 6))
        whole = serve(p.arrays, cuts, later, none, out, orders[0])
        quick = serve(p.arrays, cuts, later, none, None, orders[1])
        assert quick == whole
        np.testing.assert_array_equal(*orders)
        again = serve(p.arrays, cuts, later, orders[0], None, orders[1])
        assert again == whole
        done = plain_times(p, cuts.tolist(), orders[0].tolist())[:, DONE]
        np.testing.assert_allclose(out[:, DONE], done, atol=1e-9)
        assert whole == pytest.approx((done.max(), done.sum()), abs=1e-9)


# --------------------------------------------------------------------- phase policies


@pytest.mark.parametrize("seed", seeds(20, 5))
def test_plans_of_policies(seed):
    """What is kept are feasible codes of the values told, all different, the best one first met."""
    rng = np.random.default_rng([seed, 12])
    p = random_pipeline(rng, tasks=(2, 12))
    pool = phases.make_pool(p.n_tasks, 4)
    end = p.times(p.first_finished(p.shortest[p.kind])).done.max()
    last = phases.sample(p.data, pool, 0.3 * end, end, bool(seed % 2), 200, rng)
    kept = np.isfinite(pool.values)
    assert kept.any()
    np.testing.assert_array_equal(p.costs(pool.codes[kept]), pool.values[kept])
    assert np.unique(pool.values[kept]).size == kept.sum()
    best = p.decode(pool.codes[pool.values.argmin()])
    assert p.violations(best) == []
    assert last == p.times(best).done.max()


def test_a_deadline_moves_cuts():
    """Before a deadline only cuts that end in time are taken: here one task waits at home."""
    p = oe.PipelineProblem([[0], [0]], [[0, 1, 5], [7, 0, 0]], capacity=2)
    pool = phases.make_pool(2, 1)
    phases.sample(p.data, pool, 8.0, 8.0, False, 50, np.random.default_rng(0))
    assert pool.values[0] == 7
    assert sorted(pool.codes[0, :2]) == [0, 1]


# --------------------------------------------------------------------- the solvers


@pytest.mark.parametrize(("name", "capacity"), EXAMPLES)
def test_optima_of_the_table(name, capacity):
    """The optimum of the table, of both goals and without hold, is found with few evaluations."""
    problem = example(name, capacity)
    variants = (problem, problem.replace(goal="mean delay"), problem.replace(hold=False))
    found = [
        oe.solve(p, "phase-policies", max_evaluations=4000, bound=False).objective for p in variants
    ]
    assert found == pytest.approx(EXAMPLES[name, capacity][3:], abs=1e-12)


@pytest.mark.parametrize("seed", seeds(30, 6))
def test_never_below_the_optimum(seed):
    """On instances of every kind it is the optimum that is found, whatever devices are called."""
    rng = np.random.default_rng([seed, 13])
    p = random_pipeline(rng, tasks=(2, 6), cuts=(2, 4))
    names = rng.permutation(p.n_devices)
    other = p.replace(arrivals=[p.arrivals[e] for e in names], types=[p.types[e] for e in names])
    best = brute_force(p)
    for problem in (p, other):
        r = oe.solve(problem, "phase-policies", max_evaluations=6000, bound=False)
        assert r.objective >= best - 1e-12
        assert r.objective == pytest.approx(best, rel=1e-9)


def test_searches_of_the_paper_s_size():
    """A few thousand evaluations halve what Single Cutting needs, by each of the searches."""
    p = task_migration.pipeline("alexnet", "3G", service="arrival")
    alone = oe.solve(p, "single-cutting", bound=False).objective
    for solver, share in (("phase-policies", 0.45), ("annealing", 0.5)):
        r = oe.solve(p, solver, max_evaluations=30_000, bound=False)
        assert r.evaluations <= 30_000
        assert r.objective < share * alone


def test_a_stop_keeps_the_best():
    """Stopped after the first improvement the plan found until then is returned."""
    p = task_migration.pipeline("alexnet", "3G")
    alone = oe.solve(p, "single-cutting", bound=False).objective
    r = oe.solve(p, "phase-policies", callback=lambda run: run.objective < alone, bound=False)
    assert r.stop_reason == "callback"
    assert r.objective == p.objective(r.solution) < alone


def test_rounds_follow_each_other():
    """Without a budget rounds go on until they no longer help; each tells what its steps found."""
    p = example("Bm", 2)
    r = oe.solve(p, "phase-policies", moves=400, patience=2, bound=False)
    assert (r.stop_reason, r.objective) == ("converged", 11)
    assert len(r.info["rounds"]) >= 2
    for told in r.info["rounds"]:
        assert min(told.values()) >= 11
