"""Micro-benchmarks of the compiled kernels, of the bound T* and of file reading.

``pytest benchmarks/test_kernels.py --benchmark-only`` prints the table; ``--benchmark-disable``
runs each once, as CI does. Every kernel is called once before it is timed, so that compilation is
outside; all instances are of the published setting with 600 tasks, 10 servers, seed 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import optedge as oe
from optedge.formulations.makespan_moves import longest_first
from optedge.formulations.makespan_rcmax import rcmax_files
from optedge.papers import edge_learning
from optedge.solvers.annealing import _guided, _metropolis
from optedge.solvers.code import descent, option_table, random_codes

MOVES = 1_000_000
STAGES = tuple(edge_learning.STAGES)


@pytest.fixture(scope="module", params=STAGES, ids=lambda stage: f"stage{stage}")
def problem(request: pytest.FixtureRequest) -> oe.MakespanProblem:
    """One instance of each stage."""
    return edge_learning.instance(request.param, 600, seed=0)


@pytest.mark.benchmark(group="costs of 1000 codes")
def test_costs(benchmark: Any, problem: oe.MakespanProblem) -> None:
    """A batch is priced as the problem prices its solutions."""
    codes = random_codes(problem, np.random.default_rng(0), 1000)
    problem.costs(codes[:1])
    values = benchmark(problem.costs, codes)
    assert values[0] == pytest.approx(problem.objective(codes[0]), rel=1e-12)


@pytest.mark.benchmark(group="one descent from the list rule")
def test_descent(benchmark: Any, problem: oe.MakespanProblem) -> None:
    """A descent ends in a local optimum that is no worse than its start."""
    start = longest_first(problem)
    descent(problem.data, start.copy(), problem.choices, 1)
    last: list[Any] = []

    def fresh() -> tuple[tuple[Any, ...], dict[str, Any]]:
        last[:] = [start.copy()]
        return (problem.data, last[0], problem.choices, 1 << 60), {}

    moves, local = benchmark.pedantic(descent, setup=fresh, rounds=100)
    benchmark.extra_info["moves"] = moves
    assert local
    assert problem.objective(last[0]) <= problem.objective(start)


@pytest.mark.benchmark(group="a million annealing moves")
@pytest.mark.parametrize("sweep", [_guided, _metropolis], ids=["guided", "on the cost"])
def test_annealing_moves(benchmark: Any, problem: oe.MakespanProblem, sweep: Any) -> None:
    """The moves of one temperature never lose the best code."""
    table, counts = option_table(problem.choices)
    movable = np.flatnonzero(counts > 1)
    start = longest_first(problem)
    before = problem.objective(start)
    best = start.copy()

    def call(moves: int) -> None:
        x, rng = start.copy(), np.random.default_rng(0)
        sweep(problem.data, x, best, movable, table, counts, before, 1e-5, moves, rng)

    call(1)
    benchmark(call, MOVES)
    assert problem.objective(best) <= before


@pytest.mark.benchmark(group="bound T*")
def test_deadline_bound(benchmark: Any, problem: oe.MakespanProblem) -> None:
    """T* is at least the LP bound and at most the list rule's makespan."""

    def fresh() -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (problem.replace(), "T*"), {}  # a bound is computed once an instance

    bound = benchmark.pedantic(lambda p, name: p.bound(name), setup=fresh, rounds=5)
    benchmark.extra_info["linear programs"] = bound.info["linear_programs"]
    makespan = problem.objective(longest_first(problem))
    assert problem.bound("LP").value * (1 - 1e-9) <= bound.value <= makespan


@pytest.mark.benchmark(group="files")
def test_load_json(benchmark: Any, problem: oe.MakespanProblem, tmp_path: Path) -> None:
    """A saved instance comes back equal."""
    path = tmp_path / "problem.json"
    oe.save(problem, path)
    assert benchmark(oe.load, path).key == problem.key


@pytest.mark.benchmark(group="files")
def test_read_rcmax(benchmark: Any) -> None:
    """The largest packaged benchmark file is read whole."""
    path = next(p for p in rcmax_files() if p.stem == "1309")
    assert benchmark(oe.read_rcmax, path).times.shape == (500, 10)
