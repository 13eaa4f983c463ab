"""Micro-benchmarks of the compiled kernels, of the bound T* and of file reading.

``pytest benchmarks/test_kernels.py --benchmark-only`` prints the table; ``--benchmark-disable``
runs each once, as CI does. Every kernel is called once before it is timed, so that compilation is
outside; instances are of the published setting with 600 tasks, 10 servers, seed 0, and of the
pipeline with 5 devices and 30 frames each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import optedge as oe
from optedge.formulations.makespan_moves import longest_first
from optedge.formulations.makespan_rcmax import rcmax_files
from optedge.papers import edge_learning, task_migration
from optedge.solvers.annealing import _guided, _metropolis, proposed
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


@pytest.fixture(params=["admission", "arrival"])
def pipeline(request: pytest.FixtureRequest) -> oe.PipelineProblem:
    """Return the frames of DarkNet19 on 3G, in both orders of service."""
    return task_migration.pipeline("darknet19", "3G", service=request.param)


@pytest.mark.benchmark(group="10,000 plans of 150 tasks")
def test_replays(benchmark: Any, pipeline: oe.PipelineProblem) -> None:
    """Plans of useful cuts are simulated for their objective alone."""
    rng, n = np.random.default_rng(0), pipeline.n_tasks
    codes = np.zeros((10_000, 2 * n), dtype=np.int64)
    useful = pipeline.data.options[0, : pipeline.data.useful[0]]
    codes[:, :n] = rng.choice(useful, (len(codes), n))
    pipeline.costs(codes[:1])
    values = benchmark(pipeline.costs, codes)
    assert values[0] == pipeline.objective(pipeline.decode(codes[0]))


@pytest.mark.benchmark(group="100,000 proposed moves of 150 tasks")
def test_proposed_moves(benchmark: Any, pipeline: oe.PipelineProblem) -> None:
    """The moves that the pipeline proposes, at a temperature in the middle of a cooling."""
    start = pipeline.start_code()
    best = start.copy()
    before = pipeline.costs(start[None])[0]

    def call(moves: int) -> None:
        x, rng = start.copy(), np.random.default_rng(0)
        proposed(pipeline.data, x, best, before, 1e-3, moves, rng)

    call(1)
    benchmark(call, 100_000)
    assert pipeline.costs(best[None])[0] < before


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
