"""Exercises of notebook 04: right answers, and those that are typically wrong."""

import pytest
from conftest import seeds
from trying import guess_right, guess_wrong, right, wrong

import optedge as oe
from optedge.formulations.pipeline import PipelinePlan


def passing(tau, v, w):
    """List the later cuts that send for longer and still arrive before the cloud is free."""
    return [i for i in range(v + 1, len(tau)) if tau[i] > tau[v] and w[i] >= 0]


def searched(p, run):
    """Start from the best of three policies, then change one cut at a time."""
    plans = [p.first_finished(p.n_cuts - 1)]
    plans += [oe.solve(p, "queueing", rule=r, bound=False).solution for r in ("finish", "best-of")]
    best = min(plans, key=p.objective)
    for _ in range(100):
        cuts = best.cuts.copy()
        cuts[run.rng.integers(p.n_tasks)] = run.rng.integers(p.n_cuts)
        changed = p.first_finished(cuts)
        best = changed if run.evaluate(changed) <= p.objective(best) else best
    return best


def best_of_rules(p, run):
    """Return the best plan of all policies."""
    return oe.solve(p, "queueing", rule="best-of", bound=False).solution


def spendthrift(p, run):
    """Price more candidates than allowed."""
    for _ in range(1001):
        run.evaluate(p.first_finished(0))
    return run.solution


def test_predictions():
    """All in the cloud takes 21 s; looking makes 11 s of 10."""
    guess_right("04-p1", 21)
    guess_wrong("04-p1", 6, "it is 21")
    guess_right("04-p2", (10, 11))
    guess_wrong("04-p2", (10, 6), "you said 10, 6; it is 10, 11")


def test_values():
    """A2 takes 14 s with one slot and 13 s with two."""
    right("04-1", (14, 13))
    wrong("04-1", (16, 13), "with 1 slot, 16 s is too large")
    wrong("04-1", (14, 11), "with 2 slots, 11 s is too small")
    wrong("04-1", 13, "an array of shape (2,) is expected")


def test_counterexamples():
    """A short first transmission and a long second one count; the notebook's and faulty ones no."""
    right("04-3", [[0, 1, 20], [0, 20, 20], [90, 0, 0]])
    wrong("04-3", [[0, 2, 3], [2, 3, 3], [6, 0, 0]], "10 s, looking at the queue 11 s")
    wrong("04-3", [[0, 20, 20], [0, 1, 20], [90, 0, 0]], "looking at the queue")
    wrong("04-3", [[2, 0, 3], [0, 3, 3], [6, 0, 0]], "later cuts have at least as much")
    wrong("04-3", [[0, 2, 3], [2, 3, 3], [6, 1, 0]], "the last cut of type 0 is edge-only")
    wrong("04-3", [[0, 2, 3], [2, 3, 3]], "an array of shape (3, 3) is expected")


@pytest.mark.parametrize("seed", seeds(25, 2))
def test_functions(seed):
    """The test is one about transmissions; a search and the best policy are not worse than one."""
    right("04-2", passing, seed)
    right("04-4", searched if seed % 2 else best_of_rules, seed)


@pytest.mark.parametrize("seed", seeds(25, 1))
def test_wrong_functions(seed):
    """Ties, earlier cuts, late arrivals; trivial plans, faulty ones and too many candidates."""
    lax = [
        lambda tau, v, w: [i for i in range(v + 1, len(tau)) if tau[i] >= tau[v] and w[i] >= 0],
        lambda tau, v, w: [i for i in range(len(tau)) if tau[i] > tau[v] and w[i] >= 0],
        lambda tau, v, w: [i for i in range(v + 1, len(tau)) if tau[i] > tau[v]],
    ]
    for answer in lax:
        wrong("04-2", answer, "pass", seed)
    wrong("04-2", lambda tau, v, w: 3, "a list of cuts is expected", seed)
    for cut in (0, -1):
        wrong("04-4", lambda p, run, cut=cut: [range(p.n_cuts)[cut]] * p.n_tasks, "of", seed)
    wrong("04-4", lambda p, run: [9] * p.n_tasks, "task 0: there is no cut 9", seed)
    wrong("04-4", lambda p, run: [0.5] * p.n_tasks, "a whole number is expected", seed)
    alone = lambda p, run: oe.solve(p, "single-cutting", bound=False).solution  # noqa: E731
    wrong("04-4", alone, "that of 'queueing'", seed)
    backwards = lambda p, run: PipelinePlan([0] * p.n_tasks, [0] * p.n_tasks)  # noqa: E731
    wrong("04-4", backwards, "order names device", seed)
    wrong("04-4", spendthrift, "candidates, 1000 are allowed", seed)
