"""Exercises of notebook 07, whether ants beat a list rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optedge.exercises import contests
from optedge.exercises.answers import Refused, guessed, same, vector
from optedge.exercises.drawing import all_makespans, all_totals, best_makespan
from optedge.exercises.registry import exercise, prediction
from optedge.formulations.makespan import MakespanProblem
from optedge.online import schedule
from optedge.papers.cloud_edge import window_instance
from optedge.solvers.atsa import HEURISTICS

Q = 5.0  # of the deposit, as in the notebook
FACTOR = 1.9
MOST_TASKS = 6  # of a counterexample: everything can be tried
BUDGET = 1200  # candidates of an ant colony in one window


def a1() -> MakespanProblem:
    """Return the instance A1 of the notebook."""
    return MakespanProblem(np.array([[2, 4], [3, 6], [4, 8], [5, 10]]), name="A1")


def _minimisers(p: MakespanProblem) -> tuple[float, float, float]:
    """Return least total, its makespan and the least makespan, by trying everything."""
    totals, makespans = all_totals(p), all_makespans(p)
    return float(totals.min()), float(makespans[totals.argmin()]), float(makespans.min())


@prediction("07-p1")
def total_and_makespan(guess: Any) -> str:
    """Guess the makespan where the total time of A1 is least, and the least makespan."""
    _, of_least_total, least = _minimisers(a1())
    return guessed(guess, of_least_total, least)


@prediction("07-p2")
def ants_above_fcfs(guess: Any) -> str:
    """Guess which heuristic leads ants above FCFS on the draw of 200 tasks."""
    p = window_instance()
    level = schedule(p, "fcfs", bound=False).makespan
    runs = {h: schedule(p, ("atsa", {"heuristic": h}), bound=False) for h in HEURISTICS}
    return guessed(guess, ", ".join(h for h, run in runs.items() if run.makespan > level))


@exercise("07-1")
def ready_times_of_a1(answer: Any) -> str:
    """Say the bound and the optimum of A1 if its first node is free at 3 s."""
    p = a1().replace(ready=np.array([3.0, 0.0]))
    bound, optimum = vector(answer, (2,))
    for value, truth, what in (
        (bound, p.bound("LP").value, "bound"),
        (optimum, best_makespan(p), "optimum"),
    ):
        if not same(value, truth, 1e-3):
            return f"the {what}, {value:g}, is too {'large' if value > truth else 'small'}"
    return ""


@exercise("07-2")
def deposits_of_both(answer: Any) -> str:
    """Say what both assignments of A1 are given, by both rules of the deposit."""
    given = vector(answer, (2, 2))
    total, makespan, best = _minimisers(a1())
    makespans = all_makespans(a1())
    other = float(all_totals(a1())[makespans == best].min())
    truth = Q / np.array([[total, other], [makespan, best]])
    for k, rule in enumerate(("total", "makespan")):
        for value, right, which in zip(
            given[k], truth[k], ("least total", "least makespan"), strict=True
        ):
            if not same(value, right, 5e-3):
                return (
                    f"by the {rule} the assignment of {which} is given another amount than "
                    f"{value:g}"
                )
    return ""


@exercise("07-3", kind="counterexample", points=2)
def total_time_misleads(answer: Any) -> str:
    """Find times on two nodes where the total-time minimiser is 1.9 times the optimum."""
    try:
        p = MakespanProblem(answer)
    except (ValueError, TypeError) as error:
        raise Refused(str(error).rstrip(".")) from error
    n, m = p.times.shape
    if m != 2 or n > MOST_TASKS:
        raise Refused(f"two nodes and at most {MOST_TASKS} tasks are allowed, got {m} and {n}")
    totals, makespans = all_totals(p), all_makespans(p)
    least = totals <= totals.min() * (1 + 1e-12)
    misled = float(makespans[least].min())  # the best of equal totals
    if misled >= FACTOR * makespans.min() * (1 - 1e-9) and misled > 0:
        return ""
    return f"the least total has makespan {misled:g}, the optimum is {makespans.min():g}"


def windows(rng: np.random.Generator, size: int) -> contests.Batch:
    """Draw 10 windows of up to 12 tasks on up to four nodes, some of which are busy at first."""
    made = []
    for _ in range(10):
        n, m = int(rng.integers(4, 13)), int(rng.integers(2, 5))
        work, speeds = rng.integers(1, 10, n), rng.integers(1, 7, m)
        made.append(MakespanProblem.related(work, speeds, ready=rng.integers(0, 3, m)))
    return contests.Batch(tuple(made))


@exercise("07-4", draw=windows, smaller=contests.one_alone, trials=1, points=4)
def own_ant(answer: Callable[..., Any], hidden: contests.Hidden) -> str:
    """Write ant(problem, run), an ant colony: feasible, in the mean not worse than 'fcfs'."""
    return contests.worse_than("fcfs", answer, hidden, BUDGET)
