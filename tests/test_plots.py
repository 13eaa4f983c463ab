"""Figures: each draws on the axes it is given and shows what it should."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

import optedge as oe
from optedge.statistics import anytime_gaps, performance_profile

P = oe.MakespanProblem([[3, 6], [2, 4], [2, 4], [1, 2]], ready=[0.0, 1.0], name="small")


@pytest.fixture(scope="module")
def study():
    """Return a study with proved, unproved, failed and skipped runs."""

    def nothing(problem, run):
        return None

    packed = P.replace(memory=[1, 1, 1, 1], capacity=[3, 3], name="packed")
    return oe.compare(
        [P, packed], ["highs", "lpt", "random", "lst", nothing], seeds=3, max_evaluations=50
    )


@pytest.fixture(autouse=True)
def closed():
    """Close the figures of a test."""
    yield
    plt.close("all")


def test_gantt_shows_every_task_on_its_server():
    """A bar a task: length its time, the first one from the ready time of its server."""
    ax = oe.plots.gantt(P, np.array([0, 1, 0, 1]), bound=5.0)
    boxes = [path.get_extents() for c in ax.collections for path in c.get_paths()]
    assert sorted((b.x0, b.x1) for b in boxes) == [(0, 3), (1, 5), (3, 5), (5, 7)]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["server 0", "server 1"]
    assert [line.get_xdata()[0] for line in ax.lines] == [7, 5]
    assert ax.get_xlabel() == "time (s)"


@pytest.mark.parametrize("name", ["gaps", "convergence", "profile"])
def test_study_plots_take_and_return_axes(study, name):
    """Every plot of a study draws where it is told and labels both axes it needs."""
    _, given = plt.subplots()
    ax = getattr(oe.plots, name)(study, given)
    assert ax is given
    assert ax.get_xlabel()
    assert getattr(oe.plots, name)(study) is not given
    ax.figure.canvas.draw()


def test_gaps_counts_runs_without_solution(study):
    """A solver that never finds anything is not silently left out."""
    labels = [t.get_text() for t in oe.plots.gaps(study).get_yticklabels()]
    assert "nothing (6 without solution)" in labels


def test_loads_draws_one_bar_a_server():
    """Heights are the loads."""
    ax = oe.plots.loads(P, np.array([0, 1, 0, 1]), bound=5.0)
    assert [bar.get_height() for bar in ax.patches] == [5, 7]


def test_convergence_without_a_solution_says_so(study):
    """There is nothing to draw then."""
    with pytest.raises(ValueError, match="no run found a solution"):
        oe.plots.convergence([r for r in study.results if r.solver == "nothing"])


def test_anytime_gaps_are_steps_from_infinity(study):
    """Before the first solution inf, then the gap of the incumbent, never rising."""
    result = next(r for r in study.results if r.solver == "random")
    grid = np.array([0.0, *result.history["seconds"], 1e3])
    gaps = anytime_gaps([result], np.sort(grid), result.bound)[0]
    assert gaps[-1] == pytest.approx(result.gap)
    assert (np.diff(gaps[np.isfinite(gaps)]) <= 1e-15).all()


def test_performance_profile_is_an_empirical_distribution(study):
    """Shares agree with SciPy's ECDF; runs without a solution count in the total."""
    from scipy.stats import ecdf

    drawn = oe.compare(P, [("random", {"draws": 1})], seeds=40)
    ((factors, shares),) = performance_profile(drawn).values()
    reference = ecdf((drawn.runs["objective"] / drawn.runs["best_bound"]).to_numpy()).cdf
    assert len(set(factors)) > 2
    for factor in set(factors):
        reached = shares[factors <= factor * (1 + 1e-12)].max()
        assert reached == pytest.approx(reference.evaluate(factor * (1 + 1e-12)))
    assert performance_profile(study)["nothing"][0].size == 0
