"""Annealing towards deadlines and the rounds made of it: what they may never do, and optima."""

import itertools

import numpy as np
import pytest
from conftest import seeds
from schedules import makespan, random_schedule, random_tasks

import optedge as oe
from optedge.formulations.deadlines.cooling import cool, make_pull
from optedge.formulations.deadlines.incumbents import Descent
from optedge.formulations.deadlines.instance import BIG, Tasks, make_instance
from optedge.formulations.makespan_families import random_rcmax
from optedge.formulations.makespan_rcmax import rcmax_best_known, rcmax_files
from optedge.formulations.makespan_relaxations import solve_lp


def test_pull_by_hand():
    """Two machines, the second worth three times the first: costs, order and missing pairs."""
    tasks = Tasks(
        np.array([[6, 2], [5, BIG]]), np.array([[True, True], [True, False]]), np.zeros(2)
    )
    pull = make_pull(tasks, tasks.allowed, np.array([1.0, 3.0]), 2)
    # Weights of mean 1 are 0.5 and 1.5: task 0 costs 3 on either machine.
    assert pull.cost.tolist() == [[0, 0], [0, np.inf]]
    assert pull.width.tolist() == [2, 1]
    assert pull.near[1, 0] == 0
    assert make_pull(tasks, tasks.allowed, np.array([3.0, 1.0]), 1).near.tolist() == [[1], [0]]


@pytest.mark.parametrize("seed", seeds(80, 10))
def test_cooling_keeps_to_the_mask_and_returns_the_best(seed):
    """Both schedules stay on allowed pairs; the value is that of the best one, never above."""
    rng = np.random.default_rng(seed)
    tasks = random_tasks(rng, int(rng.integers(1, 30)), int(rng.integers(1, 7)))
    machine = random_schedule(rng, tasks.allowed)
    allowed = tasks.allowed & (rng.random(tasks.allowed.shape) < 0.7)
    allowed[np.arange(machine.size), machine] = True
    before, best = makespan(tasks, machine), np.empty_like(machine)
    pull = make_pull(tasks, allowed, rng.random(tasks.ready.size) + 0.01, int(rng.integers(1, 5)))
    deadline = int(rng.integers(0, before + 2))
    value, steps = cool(tasks, pull, machine, best, deadline, 2000, 9.0, 0.1, 0.3, rng)
    assert allowed[np.arange(best.size), best].all()
    assert allowed[np.arange(machine.size), machine].all()
    assert value == makespan(tasks, best) <= before
    assert value <= deadline or steps == 2000
    assert makespan(tasks, machine) >= value


@pytest.mark.parametrize("seed", seeds(40, 5))
def test_descent_reaches_the_optimum_of_small_instances(seed):
    """A few rounds end at what enumeration finds; none makes it worse, none at it moves."""
    rng = np.random.default_rng(seed)
    tasks = random_tasks(rng, 6, 3)
    options = [np.flatnonzero(row) for row in tasks.allowed]
    optimum = min(makespan(tasks, x) for x in itertools.product(*options))
    start = random_schedule(rng, tasks.allowed)
    descent = Descent(tasks, np.ones(3), start, rng)
    values = [descent.makespan]
    for _ in range(8):
        moves = descent.round(optimum)
        assert (moves > 0) == (values[-1] > optimum)
        values.append(descent.makespan)
    assert values == sorted(values, reverse=True)
    assert values[-1] == makespan(tasks, descent.machine) == optimum


def test_descent_is_repeatable_keeps_its_mask_and_takes_offers():
    """Same generator, same schedule; forbidden pairs stay unused; a worse offer is left."""
    problem = random_rcmax("U100a120", 60, 6, 1)
    tasks = make_instance(problem).tasks
    allowed = tasks.allowed & (tasks.times <= 112)
    start = tasks.times.argmin(axis=1)

    def descend():
        descent = Descent(tasks, np.ones(6), start, np.random.default_rng(3), allowed)
        for _ in range(2):
            descent.round(0)
        return descent

    one, two = descend(), descend()
    assert (one.machine == two.machine).all()
    assert one.rounds == 2
    assert allowed[np.arange(60), one.machine].all()
    kept = one.machine.copy()
    one.offer(np.zeros(60, int))
    assert (one.machine == kept).all()
    assert one.makespan == problem.objective(kept) < problem.objective(start)


def test_a_bound_that_is_met_stops_the_descent():
    """Nothing is drawn and nothing counted once the makespan is at the bound."""
    tasks = random_tasks(np.random.default_rng(0), 6, 3)
    start = random_schedule(np.random.default_rng(1), tasks.allowed)
    descent = Descent(tasks, np.ones(3), start, np.random.default_rng(2))
    assert descent.round(descent.makespan) == 0
    assert descent.rounds == 0


@pytest.mark.slow
@pytest.mark.parametrize("path", rcmax_files(hard=True), ids=lambda path: path.stem)
def test_hard_files_within_two_percent(path):
    """Fifteen rounds from the linear program's largest shares end within two percent."""
    problem = oe.read_rcmax(path)
    best, proved = rcmax_best_known(hard=True)[path.stem]
    program = solve_lp(problem)
    instance = make_instance(problem)
    start = program.shares.argmax(axis=1)
    descent = Descent(instance.tasks, program.servers, start, np.random.default_rng(0))
    for _ in range(15):
        descent.round(int(np.ceil(program.value - 1e-6)))
    assert descent.makespan == problem.objective(descent.machine) <= 1.02 * best
    assert descent.makespan >= best or not proved
