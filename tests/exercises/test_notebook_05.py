"""Exercises of notebook 05: right answers, and those that are typically wrong."""

import itertools

import numpy as np
import pytest
from conftest import seeds
from trying import guess_right, guess_wrong, right, wrong

from optedge.formulations.offloading import Schedule

EVERY = np.array(list(itertools.product(range(3), repeat=6)))


def least(p, *, moves=True, own=False):
    """Add the least seconds until each layer has run on each server, task by task."""
    total = 0.0
    for i in range(p.n_tasks):
        v = p.first[i]
        ready = p.inputs_mb[i] * p.seconds_per_mb[p.clients[i]] + p.seconds[v]
        for v in range(p.first[i] + 1, p.first[i] + p.sizes[i]):
            moved = p.outputs_mb[v - 1] * p.seconds_per_mb
            ready = (ready[:, None] + moves * moved).min(axis=0) + p.seconds[v]
        total += ready[p.clients[i]] if own else ready.min()
    return total


def myopic(p):
    """Place each layer where it ends earliest."""
    total = 0.0
    for i in range(p.n_tasks):
        at, now, read = p.clients[i], 0.0, p.inputs_mb[i]
        for v in range(p.first[i], p.first[i] + p.sizes[i]):
            ends = now + read * p.seconds_per_mb[at] + p.seconds[v]
            at, now, read = ends.argmin(), ends.min(), p.outputs_mb[v]
        total += now
    return total


def best_dispatching(p, run):
    """Try all assignments."""
    return EVERY[p.costs(EVERY).argmin()]


def planned(p, run):
    """Return the starts, too."""
    q = p.replace(order="planned")
    return q.schedule(EVERY[q.costs(EVERY).argmin()])


def spendthrift(p, run):
    """Price more candidates than there are."""
    for x in np.tile(EVERY, (2, 1)):
        run.evaluate(x)
    return run.solution


def test_predictions():
    """The sums are 12 and 13."""
    guess_right("05-p1", (12, 13))
    guess_wrong("05-p1", (10, 12), "you said 10, 12; it is 12, 13")


@pytest.mark.slow
def test_prediction_of_the_plan():
    """The best planned sum is 28: its oracle is a model, whose kernels take long to compile."""
    guess_right("05-p2", 28)
    guess_wrong("05-p2", True, "you said True; it is 28")
    guess_wrong("05-p2", 25, "it is 28")


def test_values():
    """05-1 is 27, and 27 with the longer price; sums without the refund are refused."""
    right("05-1", (27, 27))
    wrong("05-1", (31, 27), "the first bound, 31, is too large")
    wrong("05-1", (27, 31), "the second bound, 31, is too large")
    wrong("05-1", (25, 25), "the first bound, 25, is too small")
    wrong("05-1", 27, "an array of shape (2,) is expected")


def test_counterexamples():
    """A long second layer just before a short one counts; the notebook's and faulty ones do not."""
    right("05-2", [[2, 0.001], [1.9, 1000]])
    wrong("05-2", [[16, 8], [12, 16]], "s with one pool")
    wrong("05-2", [[2, 1000], [1.9, 0.001]], "s with one pool")
    wrong("05-2", [[2, 0], [1.9, 1000]], "work_gcycles[1] must be positive")
    wrong("05-2", [2, 1, 2, 1000], "an array of shape (2, 2) is expected")


@pytest.mark.parametrize("seed", seeds(25, 3))
def test_functions(seed):
    """The dynamic program equals enumeration; all assignments are not worse than greedy ones."""
    right("05-3", least, seed)
    right("05-4", planned if seed % 2 else best_dispatching, seed)


@pytest.mark.parametrize("seed", seeds(12, 1))
def test_wrong_functions(seed):
    """Free moves, greed, plans for one server and faulty solutions meet an instance."""
    wrong("05-3", lambda p: least(p, moves=False), "all plans of each task tried alone", seed)
    wrong("05-3", lambda p: least(p, own=True), "all plans of each task tried alone", seed)
    wrong("05-3", myopic, "all plans of each task tried alone", seed)
    wrong("05-4", lambda p, run: [0] * 6, "that of 'greedy'", seed)
    wrong("05-4", lambda p, run: run.rng.integers(0, 3, 6), "that of 'greedy'", seed)
    wrong("05-4", lambda p, run: [3] * 6, "there is no server 3", seed)
    wrong("05-4", lambda p, run: Schedule([1] * 6, [0] * 6), "not yet", seed)
    wrong("05-4", spendthrift, "candidates, 1000 are allowed", seed)
