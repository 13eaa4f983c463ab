"""Instances and oracles that several test files share.

The oracles read an instance's raw arrays and nothing else of the package: plain loops, complete
enumeration, rational numbers, or scipy's linear programs.
"""

import itertools
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

import optedge as oe
from optedge import cli

INF = math.inf

# The suite's examples are always the same. `HYPOTHESIS_PROFILE=longer pytest -m hypothesis` takes
# all that the tests name, as .ci/run does; `HYPOTHESIS_PROFILE=explore pytest` draws new ones.
SHARES = {"suite": 0.25, "longer": 1.0, "explore": 10.0}
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "suite")
for _name, _share in SHARES.items():
    settings.register_profile(
        _name, deadline=None, derandomize=_name != "explore", max_examples=round(100 * _share)
    )
settings.load_profile(PROFILE)


def examples(count: int) -> settings:
    """Return the settings of a test of ``count`` examples: the longer profile's, others a share."""
    return settings(max_examples=max(10, round(count * SHARES[PROFILE])))


# -------------------------------------------------------------------- processes side by side

# Kernels of one family take a minute to compile: its tests keep to one process, which does so once.
# The contract goes with the slowest of those that it compiles.
FAMILIES = {
    "deadlines": (
        "makespan-exact",
        "makespan_exact",
        "test_counted",
        "test_deadline",
        "test_groups",
        "test_improving",
        "test_incumbents",
        "test_knapsacks",
    ),
    "offloading": (
        "ddpqn",
        "notebook_05",
        "offloading",
        "offset",
        "test_contract",
        "test_counts",
        "test_decisions",
        "test_episodes",
        "test_planning",
        "test_policy",
        "test_prefixes",
        "test_queues",
        "test_simulation",
        "test_upload_building",
        "test_weight",
    ),
    "pipeline": ("notebook_04", "pipeline"),
    "upload": ("notebook_06", "upload"),
}


def family(nodeid: str) -> str:
    """Return what names the tests that keep to the process of this one: a family, or the file."""
    families = [f for f, words in FAMILIES.items() if any(word in nodeid for word in words)]
    return families[0] if families else nodeid.split("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let a process take a whole family at a time, the largest first."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFamily(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return family(nodeid)

    return ByFamily(config, log)


# -------------------------------------------------------------------- worked examples


class Worked(NamedTuple):
    """A row of section 8 of the specification: related servers and the values known by hand."""

    work: list[float]
    speeds: list[float]
    eligible: list[set[int]] | None
    lp: float
    preemptive: float
    deadline: float
    optimum: float
    lpt: float

    def problem(self) -> Any:
        """Return the instance."""
        return related(self.work, self.speeds, self.eligible)


WORKED = {
    **{f"S0 m={m}": Worked([1], [1] * m, None, 1 / m, 1, 1, 1, 1) for m in (1, 3, 5, 10)},
    "S1": Worked([6, 4, 4, 2], [2, 1], None, 16 / 3, 16 / 3, 16 / 3, 6, 6),
    "S2": Worked([8, 6, 4, 3], [2, 1, 1], [{0, 1}, {0, 2}, {1, 2}, {0, 1, 2}], 5.25, 5.25, 6, 6, 6),
    "S3": Worked([3, 3, 2, 2, 2], [1, 1], None, 6, 6, 6, 6, 7),
    "S4": Worked([10, 7, 5], [2, 1], [{0}, {0, 1}, {0, 1}], 22 / 3, 22 / 3, 22 / 3, 7.5, 7.5),
    "C1": Worked(
        [100, 307, 307], [10, 100, 100], [{0, 1, 2}, {1}, {2}], 3.4, 3.4347368, 3.57, 4.07, 4.07
    ),
}


def mask(eligible: Sequence[Iterable[int]], n_servers: int) -> np.ndarray:
    """Return sets of servers as a boolean matrix."""
    return np.array([[j in servers for j in range(n_servers)] for servers in eligible])


def related(
    work: Sequence[float], speeds: Sequence[float], eligible: Sequence[Iterable[int]] | None = None
) -> Any:
    """Return the instance of servers that differ by speed."""
    allowed = None if eligible is None else mask(eligible, len(speeds))
    return oe.MakespanProblem.related(work, speeds, allowed)


def counterexample_c1(m: int) -> Any:
    """Return C1 of section 4.1 (c) with ``m`` servers: the slow first one has the largest share."""
    times = np.full((m, m), INF)
    times[0] = 1.0
    times[0, 0] = 10.0
    filler = {3: 3.07, 10: 1.1 - 0.89 / 9}[m]  # shares (.34, .33, .33), and .11 beside nine .0989
    times[np.arange(1, m), np.arange(1, m)] = filler
    return oe.MakespanProblem(times)


def counterexample_c2() -> Any:
    """Return C2 of section 4.1 (d): pruning does not save the largest-share rounding."""
    eps = 0.01
    x = 1 / 3 + 1 / 300
    times = np.full((9, 7), INF)
    for i in range(3):
        times[i, 0] = 1.0
        times[i, [1 + 2 * i, 2 + 2 * i]] = eps
    times[np.arange(3, 9), np.arange(1, 7)] = 3 * x - eps * (1 - x) / 2
    return oe.MakespanProblem(times)


def random_problem(
    seed: int,
    n: int = 7,
    m: int = 3,
    *,
    missing: float = 0.0,
    integer: bool = False,
    ready: bool = False,
    memory: float = 0.0,
) -> Any:
    """Return a random instance.

    ``missing`` is the share of pairs that cannot be used; ``memory`` is the capacity of all
    servers together over the memory of all tasks, 0 for no memory rows.
    """
    rng = np.random.default_rng([seed, n, m])
    times = rng.integers(1, 10, (n, m)).astype(float) if integer else rng.uniform(1, 9, (n, m))
    away = rng.random((n, m)) < missing
    away[np.arange(n), rng.integers(0, m, n)] = False
    times[away] = INF
    fields: dict[str, Any] = {}
    if ready:
        fields["ready"] = rng.uniform(0, 6, m)
    if memory:
        fields["memory"] = rng.integers(1, 6, n).astype(float)
        room = rng.uniform(0.7, 1.3, m)
        room *= memory * fields["memory"].sum() / room.sum()
        fields["capacity"] = np.maximum(room, fields["memory"].max())
    return oe.MakespanProblem(times, **fields)


@st.composite
def problems(
    draw: Any,
    *,
    max_tasks: int = 5,
    max_servers: int = 4,
    ready: bool = True,
    memory: bool = True,
) -> Any:
    """Draw an instance: whole numbers (ties, zeros), fractions and pairs that cannot be used."""
    n, m = draw(st.integers(1, max_tasks)), draw(st.integers(1, max_servers))
    whole = st.integers(0, 6).map(float)
    number = draw(st.sampled_from([whole, st.floats(0.01, 50)]))
    holes = draw(st.booleans())
    entry = st.one_of(number, number, st.just(INF)) if holes else number
    times = draw(arrays(np.float64, (n, m), elements=entry))
    for i in range(n):
        if not np.isfinite(times[i]).any():
            times[i, draw(st.integers(0, m - 1))] = draw(number)
    fields: dict[str, Any] = {}
    if ready and draw(st.booleans()):
        fields["ready"] = draw(arrays(np.float64, (m,), elements=number))
    if memory and draw(st.booleans()):
        size = draw(arrays(np.float64, (n,), elements=st.integers(0, 5).map(float)))
        room = draw(arrays(np.float64, (m,), elements=st.integers(1, 9).map(float)))
        # Construction refuses a task that fits on none of its servers.
        fits = np.where(np.isfinite(times), room, -1.0).max(axis=1)
        fields |= {"memory": np.minimum(size, fits), "capacity": room}
    return oe.MakespanProblem(times, **fields)


# -------------------------------------------------------------------- oracles


def plain_loads(problem: Any, x: Sequence[int]) -> list[float]:
    """Return when each server is done, by a loop."""
    loads = [float(r) for r in problem.ready]
    for i, j in enumerate(x):
        loads[j] += float(problem.times[i, j])
    return loads


def plain_makespan(problem: Any, x: Sequence[int]) -> float:
    """Return the makespan by a loop; ``inf`` if a pair cannot be used or memory is exceeded."""
    if problem.memory is not None:
        used = [0.0] * problem.times.shape[1]
        for i, j in enumerate(x):
            used[j] += float(problem.memory[i])
        if any(u > p + 1e-9 * max(1.0, p) for u, p in zip(used, problem.capacity, strict=True)):
            return INF
    return max(plain_loads(problem, x))


def all_plans(problem: Any) -> Iterator[tuple[int, ...]]:
    """Return every assignment to reachable servers, whether memory allows it or not."""
    return itertools.product(*[np.flatnonzero(np.isfinite(row)).tolist() for row in problem.times])


def brute_force(problem: Any) -> float:
    """Return the optimum by complete enumeration; ``inf`` if there is no solution."""
    return min(plain_makespan(problem, x) for x in all_plans(problem))


def usable(problem: Any) -> np.ndarray:
    """Return the pairs that are reachable and whose memory fits."""
    pairs = np.isfinite(problem.times)
    if problem.memory is not None:
        pairs = pairs & (problem.memory[:, None] <= problem.capacity[None, :])
    return pairs


def lp_oracle(problem: Any, deadline: float = INF, *, preemptive: bool = False) -> float:
    """Return the linear relaxation over the pairs that end by ``deadline``, by scipy's linprog."""
    n, m = problem.times.shape
    allowed = usable(problem) & (problem.ready + problem.times <= deadline)
    if not allowed.any(axis=1).all():
        return INF
    task, server = np.nonzero(allowed)
    k = np.arange(task.size)
    times = problem.times[task, server]
    blocks = [np.zeros((m, task.size + 1))]
    blocks[0][server, k] = times
    blocks[0][:, -1] = -1
    right = [-problem.ready]
    if preemptive:
        own = np.zeros((n, task.size + 1))
        own[task, k] = problem.ready[server] + times
        own[:, -1] = -1
        blocks.append(own)
        right.append(np.zeros(n))
    if problem.memory is not None:
        room = np.zeros((m, task.size + 1))
        room[server, k] = problem.memory[task]
        blocks.append(room)
        right.append(problem.capacity)
    assign = np.zeros((n, task.size + 1))
    assign[task, k] = 1
    found = linprog(
        np.append(np.zeros(task.size), 1.0),
        A_ub=np.concatenate(blocks),
        b_ub=np.concatenate(right),
        A_eq=assign,
        b_eq=np.ones(n),
        method="highs",
    )
    assert found.status in (0, 2), found.message
    return float(found.fun) if found.status == 0 else INF


def deadline_oracle(problem: Any) -> float:
    """Return T* = min over all breakpoints e of max(W(e), e), every one of them solved."""
    ends = np.unique((problem.ready + problem.times)[usable(problem)])
    return min(max(lp_oracle(problem, float(e)), float(e)) for e in ends)


def exact_dual(problem: Any, arrays: dict[str, Any]) -> Fraction | float:
    """Return what the multipliers of a certificate prove, in rational numbers.

    The weak duality formula of ``makespan_certificates``, read from its docstring; ``inf`` if a
    task has no pair left. A threshold takes part as there: the next longer pair is the other case.
    """
    n, m = problem.times.shape
    w = [Fraction(float(v)) for v in arrays["servers"]]
    s = [Fraction(float(v)) for v in arrays.get("tasks", [0.0] * n)]
    mu = [Fraction(float(v)) for v in arrays.get("memory", [0.0] * m)]
    threshold = float(arrays["threshold"][0]) if "threshold" in arrays else INF
    r = [Fraction(float(v)) for v in problem.ready]
    total = sum((w[j] * r[j] for j in range(m)), Fraction(0))
    pairs, later = usable(problem), INF
    if problem.memory is not None:
        total -= sum(mu[j] * Fraction(float(problem.capacity[j])) for j in range(m))
    empty = False
    for i in range(n):
        costs = []
        q = Fraction(0) if problem.memory is None else Fraction(float(problem.memory[i]))
        for j in np.flatnonzero(pairs[i]):
            v = Fraction(float(problem.times[i, j]))
            end = float(problem.ready[j] + problem.times[i, j])
            if end <= threshold:
                costs.append(w[j] * v + s[i] * (r[j] + v) + mu[j] * q)
            else:
                later = min(later, end)
        empty = empty or not costs
        total += min(costs, default=Fraction(0))
    proved: Fraction | float = INF if empty else total / (sum(w) + sum(s))
    return min(proved, later if math.isinf(later) else Fraction(later))


def no_exchange_helps(problem: Any, x: Sequence[int]) -> bool:
    """Tell whether no shift from, and no swap with, some busiest server shortens both servers."""
    x = list(x)
    loads = plain_loads(problem, x)
    top = max(loads)
    for k in [j for j, load in enumerate(loads) if load >= top * (1 - 1e-12)]:
        if not any(_helps(problem, x, y, k, loads) for y in _exchanges(problem, x, k)):
            return True
    return False


def _exchanges(problem: Any, x: list[int], k: int) -> Iterator[list[int]]:
    pairs = usable(problem)
    for i in [i for i, j in enumerate(x) if j == k]:
        for j in range(problem.times.shape[1]):
            if j != k and pairs[i, j]:
                yield [*x[:i], j, *x[i + 1 :]]
        for g, j in enumerate(x):
            if j != k and pairs[i, j] and pairs[g, k]:
                y = list(x)
                y[i], y[g] = j, k
                yield y


def _helps(problem: Any, x: list[int], y: list[int], k: int, loads: list[float]) -> bool:
    after = plain_loads(problem, y)
    touched = {k} | {y[i] for i in range(len(x)) if x[i] != y[i]}
    shorter = max(after[j] for j in touched) < loads[k] * (1 - 1e-9)
    return shorter and plain_makespan(problem, y) < INF


# -------------------------------------------------------------------- fixtures


@pytest.fixture
def s1() -> Any:
    """Return S1: four tasks, two servers, optimum 6, linear bound 16/3, list rule 6."""
    return WORKED["S1"].problem()


@pytest.fixture
def short_of_memory() -> Any:
    """Return an instance whose first three tasks need 12 MB of the 9 MB on servers 1 and 2."""
    times = np.array([[INF, 2.0, 3.0], [INF, 4.0, 1.0], [INF, 1.0, 1.0], [5.0, 5.0, 5.0]])
    return oe.MakespanProblem(
        times, memory=[4.0, 4.0, 4.0, 1.0], capacity=[9.0, 5.0, 4.0], name="too little memory"
    )


def seeds(count: int, quick: int) -> list[Any]:
    """Return seeds for a parametrised test: the first are run always, all by the longer suite."""
    rest = [pytest.param(k, marks=pytest.mark.slow) for k in range(quick, count)]
    return [*range(quick), *rest]


def run_command(monkeypatch, capsys, *arguments):
    """Run the command line in this process; return exit code, output and error output."""
    monkeypatch.setattr(sys, "argv", ["optedge", *map(str, arguments)])
    code = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = stop.code or 0
    captured = capsys.readouterr()
    return code, captured.out, captured.err
