"""Exercises of notebook 04, whether looking at the queue helps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from optedge.exercises import contests
from optedge.exercises.answers import Refused, guessed, same, vector, whole
from optedge.exercises.registry import exercise, prediction
from optedge.formulations.base import IntArray
from optedge.formulations.pipeline import PipelinePlan, PipelineProblem
from optedge.solvers.front import solve

#: Seconds on the device, on the link and in the cloud of each cut of chains A and B.
A = ((0, 6, 4), (2, 3, 3), (5, 1, 1), (9, 0, 0))
B = ((0, 1, 5), (1, 2, 3), (4, 1, 2), (8, 0, 0))
FACTOR = 1.4
BUDGET = 1000  # candidates of a policy on one instance


def instance(chain: Any, slots: int = 1, devices: int = 2) -> PipelineProblem:
    """Return two tasks on each device, all there at time 0."""
    return PipelineProblem(((0.0, 0.0),) * devices, np.array(chain), capacity=slots)


def makespan(problem: PipelineProblem, solver: str) -> float:
    """Return the makespan of a policy in seconds."""
    return float(solve(problem, solver, bound=False).objective)


@prediction("04-p1")
def all_in_the_cloud(guess: Any) -> str:
    """Guess the makespan of B2 if each task has the cut that is best for it alone."""
    b2 = instance(B, slots=2)
    return guessed(guess, makespan(b2, "single-cutting"))


@prediction("04-p2")
def with_and_without_looking(guess: Any) -> str:
    """Guess the makespans of Single Cutting and with Queuing: two tasks, one device, one slot."""
    p = instance([(0, 2, 3), (2, 3, 3), (6, 0, 0)], devices=1)
    return guessed(guess, makespan(p, "single-cutting"), makespan(p, "queueing"))


@exercise("04-1")
def one_slot_and_two(answer: Any) -> str:
    """Say what Single Cutting makes of two devices with two tasks of chain A, 1 slot and 2."""
    values = vector(answer, (2,))
    for slots, value in zip((1, 2), values, strict=True):
        truth = makespan(instance(A, slots), "single-cutting")
        if not same(value, truth):
            word = "large" if value > truth else "small"
            return f"with {slots} slot{'s' * (slots > 1)}, {value:g} s is too {word}"
    return ""


@dataclasses.dataclass(frozen=True, eq=False)
class State:
    """What the rule looks at: a chain, its base cut, when the task starts, when the cloud is done.

    Parameters
    ----------
    a, tau
        Seconds on the device and on the link of each cut, the last one edge-only.
    v
        The cut of least latency.
    ahead
        Seconds from the start of the task until the cloud is done with what it has admitted.
    """

    a: IntArray
    tau: IntArray
    v: int
    ahead: int

    @property
    def waits(self) -> IntArray:
        """Seconds that the task would wait in the cloud with each cut; negative: it comes late."""
        return self.ahead - self.a - self.tau

    def passing(self) -> list[int]:
        """Return the cuts that pass the published test."""
        w, a, v = self.waits, self.a, self.v
        later = range(v + 1, a.size) if w[v] > 0 else range(0)
        return [i for i in later if 0 <= w[i] < w[v] and w[v] - w[i] > a[i] - a[v]]


def state(rng: np.random.Generator, size: int) -> State:
    """Draw a state with up to six cuts, whole seconds, so that there are ties."""
    n = int(rng.integers(2, 3 + min(size // 3, 4)))
    a = np.concatenate([[0], rng.integers(0, 3, n - 1).cumsum()])
    tau = np.append(rng.integers(0, 7, n - 1), 0)
    v = int(rng.integers(0, (n + 1) // 2))
    ahead = int(a[v] + tau[v] + rng.integers(0, 3 + min(size, 10)))
    return State(a, tau, v, ahead)


def smaller_state(p: State) -> Iterator[State]:
    """List the states with a cut less, or with a second less on the link or in the cloud."""
    for i in range(1, p.a.size - 1):
        if i != p.v:
            kept = np.arange(p.a.size) != i
            yield State(p.a[kept], p.tau[kept], p.v - (i < p.v), p.ahead)
    for i in np.flatnonzero(p.tau).tolist():
        yield State(p.a, p.tau - (np.arange(p.tau.size) == i), p.v, p.ahead)
    if p.ahead > 0:
        yield State(p.a, p.tau, p.v, p.ahead - 1)


@exercise("04-2", draw=state, smaller=smaller_state, trials=60, points=2)
def what_the_rule_may_choose(answer: Callable[..., Any], p: State) -> str:
    """Write passing(tau, v, w): the cuts that pass the published test, without the edge times."""
    found = answer(p.tau.copy(), p.v, p.waits)
    if not isinstance(found, Sequence | set | frozenset | np.ndarray):
        raise Refused(f"a list of cuts is expected, got {type(found).__name__}")
    listed = list(found)
    cuts = sorted(set(whole(listed, (len(listed),)).tolist())) if listed else []
    truth = p.passing()
    return "" if cuts == truth else f"you list {cuts}, the test lets {truth} pass"


@exercise("04-3", kind="counterexample", points=2)
def looking_makes_it_worse(answer: Any) -> str:
    """Find three cuts with which the published rule is 1.4 times as slow as not looking."""
    chain = vector(answer, (3, 3))
    if (np.diff(chain[:, 0]) < 0).any() or (np.diff(chain[:, 2]) > 0).any():
        raise Refused("later cuts have at least as much on the device, and at most as much above")
    try:
        p = instance(chain, devices=1)
    except ValueError as error:
        raise Refused(str(error).rstrip(".")) from error
    alone, looking = makespan(p, "single-cutting"), makespan(p, "queueing")
    if looking >= FACTOR * alone * (1 - 1e-9) and alone > 0:
        return ""
    return f"Single Cutting takes {alone:g} s, looking at the queue {looking:g} s"


def small_crowds(rng: np.random.Generator, size: int) -> contests.Batch:
    """Draw 20 instances of two or three devices with two tasks each, whole seconds."""
    made = []
    for _ in range(20):
        n, devices = int(rng.integers(3, 5)), int(rng.integers(2, 4))
        a = np.concatenate([[0], rng.integers(1, 4, n - 1).cumsum()])
        a[-1] += rng.integers(3, 7)  # else edge-only is hard to beat
        tau = np.append(rng.integers(1, 4, n - 1), 0)
        c = np.concatenate([rng.integers(1, 3, n - 1)[::-1].cumsum()[::-1] + 1, [0]])
        arrivals = tuple((0.0, float(rng.integers(0, 3))) for _ in range(devices))
        slots = int(rng.integers(1, 4))
        made.append(PipelineProblem(arrivals, np.column_stack([a, tau, c]), capacity=slots))
    return contests.Batch(tuple(made))


def as_plan(p: PipelineProblem, x: Any) -> PipelinePlan:
    """Return a plan as it is, and cuts with the order: who is ready first."""
    if isinstance(x, PipelinePlan):
        return x
    cuts = whole(x, (p.n_tasks,))
    wrong = np.flatnonzero((cuts < 0) | (cuts >= p.n_cuts))
    if wrong.size:
        raise Refused(f"task {wrong[0]}: there is no cut {cuts[wrong[0]]}")
    return p.first_finished(cuts)


@exercise("04-4", draw=small_crowds, smaller=contests.one_alone, trials=1, points=4)
def own_policy(answer: Callable[..., Any], hidden: contests.Hidden) -> str:
    """Write f(problem, run), a policy: feasible, in the mean not worse than the rule 'finish'."""
    return contests.worse_than(
        "queueing", lambda p, run: as_plan(p, answer(p, run)), hidden, BUDGET, rule="finish"
    )
