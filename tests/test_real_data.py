"""The packaged benchmark set and the published size, end to end; minutes in all."""

from __future__ import annotations

import math

import pytest

import optedge as oe
from optedge.formulations.makespan_rcmax import rcmax_best_known, rcmax_files
from optedge.papers import edge_learning

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("path", rcmax_files(), ids=lambda path: path.stem)
def test_no_bound_above_and_no_value_below_the_best_known(path):
    """Bounds, rounding and searches agree with the published optima of the whole set."""
    problem = oe.read_rcmax(path)
    known, proved = rcmax_best_known()[path.stem]
    bounds = problem.bounds()
    assert max(bounds.values()) <= known
    # Certified values: the duals that they come from are exact to HiGHS' tolerance only.
    assert bounds["LP"] <= bounds["preemptive"] * (1 + 1e-6) <= bounds["T*"] * (1 + 2e-6)
    for solver in ("lst", "shmoys-tardos"):
        result = oe.solve(problem, solver)
        assert known <= result.objective <= 2 * bounds["T*"]
        assert oe.verify(result).verdict == "certified"
    result = oe.solve(problem, "local-search", max_evaluations=20_000_000)
    assert result.objective >= known or not proved
    assert result.objective <= 1.15 * known, "twenty million moves end within 15 percent"


@pytest.mark.parametrize("name", ["212", "614"])
def test_highs_proves_integer_optima(name):
    """Whole makespans round the bound up: the optimum is proved, and named 'search'."""
    path = next(p for p in rcmax_files() if p.stem == name)
    result = oe.solve(oe.read_rcmax(path), "highs", time_limit=300)
    assert result.status == "OPTIMAL"
    assert result.objective == rcmax_best_known()[name][0]
    assert oe.verify(result).verdict == "search, not certified"


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_published_size_within_a_thousandth_of_a_percent(stage):
    """600 tasks on 10 servers: a counted budget of local search ends within 0.001 % of T*."""
    problem = edge_learning.instance(stage, 600, seed=1)
    result = oe.solve(problem, "local-search", max_evaluations=1_000_000_000, time_limit=math.inf)
    assert result.gap <= 1e-5
    assert oe.verify(result)


def test_large_instances_are_declined_by_size_and_solved_without_a_linear_program():
    """Three million pairs: no program is built; the list rule has a certified gap below 1 %."""
    problem = edge_learning.instance(3, 12_000, n_servers=250)
    for solver in ("lst", "highs"):
        with pytest.raises(ValueError, match=r"declines .* 3(\.0)?M columns"):
            oe.solve(problem, solver)
    result = oe.solve(problem, "lpt")
    assert result.gap < 0.01
    assert oe.verify(result).verdict == "certified"
