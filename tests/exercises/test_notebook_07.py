"""Exercises of notebook 07: right answers, and those that are typically wrong."""

import numpy as np
import pytest
from conftest import seeds
from trying import guess_right, guess_wrong, right, wrong


def ants(beta=5, ready=True):
    """Return ants that look at when a node would be done; without ready times, if told so."""

    def ant(p, run):
        trail, best, least = np.ones(p.times.shape), None, np.inf
        for _ in range(8):
            tours = []
            for _ in range(8):
                load, x = p.ready * ready, []
                for i in range(p.n_tasks):
                    weight = trail[i] / (load + p.times[i]) ** beta
                    x.append(run.rng.choice(p.n_servers, p=weight / weight.sum()))
                    load = load + p.times[i] * (np.arange(p.n_servers) == x[-1])
                value = run.evaluate(x)
                tours.append((value, x))
                if value < least:
                    best, least = x, value
            trail *= 0.5
            for value, x in tours:
                trail[np.arange(p.n_tasks), x] += 1 / value
        return best

    return ant


def fastest(p, run):
    """Give everything to the node where it takes least time, as the published deposit wants."""
    return p.times.argmin(axis=1)


def spendthrift(p, run):
    """Price more candidates than there are."""
    for _ in range(1201):
        run.evaluate([0] * p.n_tasks)
    return [0] * p.n_tasks


def test_predictions():
    """Makespan 14 where the total is least, 10 at best; 1/time leads ants above FCFS."""
    guess_right("07-p1", (14, 10))
    guess_wrong("07-p1", (14, 14), "it is 14, 10")
    guess_wrong("07-p1", None, "no guess yet")
    guess_right("07-p2", "inverse_et")
    guess_wrong("07-p2", "memory", "inverse_et")


def test_values():
    """07-1 is 34/3 and 12; 07-2 is .357, .278 by the total and .357, .5 by the makespan."""
    right("07-1", (34 / 3, 12))
    right("07-1", (11.333, 12))
    wrong("07-1", (28 / 3, 10), "the bound, 9.33333, is too small")
    wrong("07-1", (34 / 3, 13), "the optimum, 13, is too large")
    wrong("07-1", 12, "an array of shape (2,) is expected")
    right("07-2", [[5 / 14, 5 / 18], [5 / 14, 5 / 10]])
    right("07-2", [[0.357, 0.278], [0.357, 0.5]])
    wrong("07-2", [[5 / 14, 5 / 10], [5 / 14, 5 / 10]], "by the total the assignment of least make")
    wrong(
        "07-2", [[1 / 14, 1 / 18], [1 / 14, 1 / 10]], "by the total the assignment of least total"
    )
    wrong("07-2", [[5 / 14, 5 / 18], [5 / 14, 5 / 18]], "by the makespan the assignment of least m")
    wrong("07-2", [0.357, 0.278, 0.357, 0.5], "an array of shape (2, 2) is expected")


def test_counterexamples():
    """Nearly equal nodes: all tasks go to the one that is a bit faster."""
    right("07-3", [[1, 1.01], [1, 1.01]])
    right("07-3", [[1, 1.05]] * 6)
    wrong("07-3", [[2, 4], [3, 6], [4, 8], [5, 10]], "makespan 14, the optimum is 10")
    wrong("07-3", [[1, 1], [1, 1]], "the least total has makespan 1, the optimum is 1")
    wrong("07-3", [[1, 1.01, 1.01]] * 3, "two nodes and at most 6 tasks are allowed, got 3 and 3")
    wrong("07-3", [[1, -1]], "times[0, 1] is negative")
    wrong("07-3", [[0, 0], [0, 0]], "the optimum is 0")


@pytest.mark.parametrize("seed", seeds(25, 2))
def test_ants(seed):
    """Ants that look at completion are not worse than FCFS, with and without ready times."""
    right("07-4", ants(ready=seed % 2 == 0), seed)


@pytest.mark.parametrize("seed", seeds(25, 2))
def test_wrong_ants(seed):
    """Everything on the fastest node, turns, chance, faulty or costly ones meet an instance."""
    wrong("07-4", fastest, "that of 'fcfs'", seed)
    wrong("07-4", lambda p, run: np.arange(p.n_tasks) % p.n_servers, "that of 'fcfs'", seed)
    wrong("07-4", lambda p, run: run.rng.integers(p.n_servers, size=p.n_tasks), "of 'fcfs'", seed)
    wrong("07-4", lambda p, run: [p.n_servers] * p.n_tasks, "there is no server", seed)
    wrong("07-4", spendthrift, "your function prices 1201 candidates, 1200 are allowed", seed)
