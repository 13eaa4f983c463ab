"""Figures: each draws on the axes it is given and shows what it should."""

from __future__ import annotations

import html
import io
import re

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from uploads import worked_example

import optedge as oe
from optedge import learning
from optedge.formulations.base import Lane
from optedge.formulations.upload import UploadPlan
from optedge.statistics import anytime_gaps, performance_profile

P = oe.MakespanProblem([[3, 6], [2, 4], [2, 4], [1, 2]], ready=[0.0, 1.0], name="small")
EDGE = {
    "speeds_ghz": [1, 2],
    "rates_mb_s": [[0, 2], [2, 0]],
    "pools": [1, 1],
    "tiers": [0, 1],
}


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


class Lanes(oe.Problem):
    """A problem that is nothing but a chart."""

    def __init__(self, lanes, is_time=False):
        self.__dict__.update(shown=lanes, objective_is_time=is_time)

    def lanes(self, x):
        """Return what was given."""
        return self.shown

    def objective(self, x):
        """Return a number."""
        return 28.0


def written(ax):
    """Return all words that are really drawn, as an SVG file holds them."""
    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        ax.figure.savefig(file, format="svg")
    return [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)<", file.getvalue())]


def test_gantt_of_groups():
    """Bars of a task share a colour in all lanes; links are shaded, a repeated label is dropped."""
    ax = oe.plots.gantt(
        Lanes(
            [
                Lane("edge 1", ((2, 4, "0.0"), (6, 8, "2.0")), (0, 2)),
                Lane("link", ((0, 2, "a"),), (0,), link=True),
                Lane("link", ((0, 2, "b"),), (2,), link=True),
            ]
        ),
        None,
        bound={"DP": 25.0, "none": -np.inf},
    )
    one, two, three = ([tuple(c) for c in bars.get_facecolors()] for bars in ax.collections)
    assert one[0] == two[0] != one[1] == three[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["edge 1", "link"]
    assert [patch.get_y() for patch in ax.patches] == [0.5, 1.5]
    assert ax.lines[:] == []
    assert ax.get_xlim() == (0, pytest.approx(14, rel=0.02))
    assert ax.get_xlabel() == "time (s)"
    legend = ax.get_legend()
    assert legend.get_title().get_text() == "objective 28 s, DP 25 s"
    assert [t.get_text() for t in legend.get_texts()] == ["task 0", "task 2"]


def test_gantt_of_what_waits():
    """Waits are pale and hatched, groups have their own word, many rows of one label are thin."""
    lane = Lane("queue", ((0, 2, "0"), (2, 4, "1")), (0, 1), True, (False, True), "device")
    cloud = Lane("cloud", ((0, 6, "0"),), (0,), grouped_by="device")
    ax = oe.plots.gantt(Lanes([lane] * 6 + [cloud]), None)
    working, waiting = ax.collections[:2]
    assert (working.get_hatch(), waiting.get_hatch()) == (None, "//////")
    assert waiting.get_facecolors()[0, 3] < working.get_facecolors()[0, 3]
    legend = [t.get_text() for t in ax.get_legend().get_texts()]
    assert legend == ["device 0", "device 1", "waits"]
    assert [patch.get_height() for patch in ax.patches] == [0.5] * 6
    assert ax.get_ylim() == (3.5, -0.5)
    with pytest.raises(ValueError, match="lane 'q': waiting must hold 1 truth values, one a bar"):
        Lane("q", ((0, 1, "0"),), waiting=(True, False))


def test_gantt_of_many_tasks_names_none():
    """Beyond ten tasks the legend would be longer than the chart: words alone stand above."""
    lane = Lane("edge 1", tuple((float(k), 1.0, "") for k in range(11)), tuple(range(11)))
    ax = oe.plots.gantt(Lanes([lane]), None, bound=25.0)
    assert ax.get_legend() is None
    assert ax.get_title() == "objective 28 s, bound 25 s"
    assert len({tuple(c) for c in ax.collections[0].get_facecolors()}) == 11


def test_gantt_of_groups_on_the_time_axis():
    """An objective that is a time is a line, as without groups."""
    ax = oe.plots.gantt(Lanes([Lane("edge 1", ((2, 4, "0"),), (0,))], True), None, bound=25.0)
    assert [line.get_xdata()[0] for line in ax.lines] == [28, 25]
    legend = [t.get_text() for t in ax.get_legend().get_texts()]
    assert legend == ["objective 28 s", "bound 25 s", "task 0"]


def test_labels_of_bars_that_are_too_short():
    """A label wider than its bar is not drawn, and is again where the figure is larger."""
    bars = ((0.0, 90.0, "wide"), (90.0, 3.0, "tight"), (93.0, 0.1, "hidden"))
    ax = oe.plots.gantt(Lanes([Lane("edge 1", bars, (0, 1, 2))]), None)
    words = written(ax)
    assert "wide" in words
    assert not {"tight", "hidden"} & set(words)
    ax.figure.set_size_inches(20, 2)
    words = written(ax)
    assert {"wide", "tight"} <= set(words)
    assert "hidden" not in words


def test_gantt_of_an_offloading_schedule():
    """The sum of flow times is told in words; every layer and transfer is a bar."""
    p = oe.OffloadingProblem.chains([[4, 4], [4]], [[2, 2], [2]], clients=[0, 0], **EDGE)
    ax = oe.plots.gantt(p, [1, 1, 1], bound=9.0)
    assert ax.get_legend().get_title().get_text() == "sum of flow times 12 s, bound 9 s"
    boxes = [path.get_extents() for c in ax.collections for path in c.get_paths()]
    assert sorted((b.x0, b.x1) for b in boxes) == [(0, 1), (0, 1), (1, 3), (3, 5), (5, 7)]
    assert {"edge 1", "client → edge", "0.0", "1.0", "0 → 1"} <= set(written(ax))


def test_thin_bars_keep_their_colour():
    """The white edge between bars would hide a bar that is thinner than it."""
    bars = ((0.0, 90.0, "0.0"), (90.0, 0.1, "1.0"))
    ax = oe.plots.gantt(Lanes([Lane("edge 1", bars, (0, 1))]), None)
    fill, edge = ax.collections[0].get_facecolors(), ax.collections[0].get_edgecolors()
    assert edge[0, :3].tolist() == [1, 1, 1]
    assert edge[1].tolist() == fill[1].tolist() != fill[0].tolist()


def test_delay_split_stacks_means():
    """Means over the tasks: execution, transmission, waiting, one on top of the other."""
    p = oe.OffloadingProblem.chains([[4, 4], [4]], [[2, 2], [2]], clients=[0, 0], **EDGE)
    solutions = {"all on the edge": [1, 1, 1], "mixed": [1, 0, 1]}
    ax = oe.plots.delay_split(p, solutions)
    heights = [[bar.get_height() for bar in bars] for bars in ax.containers]
    assert heights == [[3, 4], [1, 1.5], [2, 1]]
    assert [bar.get_y() for bar in ax.containers[2]] == [4, 5.5]
    assert [t.get_text() for t in ax.texts] == ["6", "6.5"]
    assert ax.get_ylabel() == "mean flow time of a task (s)"
    assert {*solutions, "execution", "transmission", "waiting"} <= set(written(ax))


def test_delay_split_of_several_instances():
    """Each label may have its own instance; one that has none is named."""
    p = oe.OffloadingProblem.chains([[4, 4], [4]], [[2, 2], [2]], clients=[0, 0], **EDGE)
    problems = {"one pool": p, "two pools": p.replace(pools=[1, 2])}
    plans = {label: [1, 1, 1] for label in problems}
    _, given = plt.subplots()
    ax = oe.plots.delay_split(problems, plans, given)
    assert ax is given
    assert [bar.get_height() for bar in ax.containers[2]] == [2, 0]
    with pytest.raises(ValueError, match="solution 'other' has no instance"):
        oe.plots.delay_split(problems, {"other": [1, 1, 1]})
    with pytest.raises(ValueError, match="no solution to draw"):
        oe.plots.delay_split(p, {})


def test_upload_is_a_staircase_over_the_areas_that_it_costs():
    """Delays between uploads; a bar and an area a partition of the first plan; sums are named."""
    p = worked_example()
    plans = {"best": p.plan_of_order([2, 1, 0, 3]), "pairs": UploadPlan(((3, 2), (0, 1)))}
    _, given = plt.subplots()
    ax = oe.plots.upload(p, plans, given, names="ABCD")
    assert ax is given
    best, pairs = ax.lines[:2]
    assert best.get_xdata().tolist()[:-1] == [0, 10, 25, 31, 44]
    assert best.get_ydata().tolist() == [63, 54, 39, 31, 21, 21]
    assert pairs.get_xdata().tolist()[:-1] == [0, 23, 44]
    assert pairs.get_ydata().tolist() == [63, 44, 21, 21]
    boxes = [path.get_extents() for c in ax.collections for path in c.get_paths()]
    areas = [b.width * b.height for b in boxes if b.y0 == 0]
    assert sum(areas) == pytest.approx(p.objective(plans["best"]))
    assert sorted(b.x0 for b in boxes if b.y0 < 0) == [0, 10, 25, 31]
    legend = [t.get_text() for t in ax.get_legend().get_texts()]
    assert legend == ["best: 2077 s²", "pairs: 2373 s²"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("upload time (s)", "system delay (s)")
    assert {*"ABCD", "sent"} <= set(written(ax))


def test_upload_of_one_plan_above_a_bound():
    """One plan needs no label; the area of the bound is that up to the last upload."""
    p = worked_example()
    steps = [0, 6, 44, 60], [63, 40, 21, 20]
    ax = oe.plots.upload(p, p.plan_of_order([2, 1, 0, 3]), bound=steps)
    bound = ax.lines[1]
    assert bound.get_xdata().tolist() == [0, 6, 10, 25, 31, 44]
    assert bound.get_ydata().tolist() == [63, 40, 40, 40, 40, 21]
    legend = [t.get_text() for t in ax.get_legend().get_texts()]
    assert legend[:2] == ["sum of system delay: 2077 s²", "lower bound: 1898 s²"]
    assert any(c.get_hatch() == "////" for c in ax.collections)
    assert {"0", "1", "2", "3"} <= set(written(ax))


def test_upload_leaves_out_what_takes_no_time():
    """Layers of size 0 are no bar, and a plan without uploads is a line."""
    p = worked_example().replace(upload_times=[0, 15, 0, 13])
    ax = oe.plots.upload(p, p.plan_of_order([1, 3]))
    assert len(ax.collections) == 4
    empty = p.replace(upload_times=[0, 0, 0, 0])
    ax = oe.plots.upload(empty, empty.plan_of_order([]))
    assert ax.lines[0].get_ydata().tolist() == [63, 21, 21]


@pytest.mark.parametrize(
    ("plans", "fields", "message"),
    [
        ({}, {}, "no plan to draw"),
        ({"short": UploadPlan(((0, 1),))}, {}, "plan 'short': layer 2 is never uploaded"),
        (UploadPlan(((0, 1),)), {}, "^layer 2 is never uploaded"),
        (None, {"names": "AB"}, "names must name 4 layers, got 2"),
        (None, {"bound": 3}, "two rows of numbers"),
        (None, {"bound": ([0, 1], [3])}, "as many seconds as delays"),
        (None, {"bound": ([1, 2], [3, 3])}, "rise from 0"),
    ],
)
def test_upload_refuses(plans, fields, message):
    """What cannot be drawn is told."""
    p = worked_example()
    plans = p.plan_of_order([2, 1, 0, 3]) if plans is None else plans
    with pytest.raises(ValueError, match=message):
        oe.plots.upload(p, plans, **fields)


def test_refutation_packs_prices_against_all_tasks():
    """By hand: in 5 s the servers finish 10 and 4 of 16 units of work; 2 are short."""
    p = oe.MakespanProblem([[3, 6], [2, 4], [2, 4], [1, 2]])
    _, given = plt.subplots()
    ax = oe.plots.refutation(p, 5, [6, 4, 4, 2], given)
    assert ax is given
    hatched = [c for c in ax.collections if c.get_hatch()]
    ends = [path.get_extents() for c in ax.collections for path in c.get_paths()]
    rows = [[(b.x0, b.x1) for b in ends if b.y0 == pytest.approx(k - 0.4)] for k in range(3)]
    assert (rows[0][0][0], rows[0][-1][1]) == (0, 10)
    assert rows[1] == [(10, 14), (14, 16)]  # the second is what is short
    assert rows[2] == [(0, 6), (6, 10), (10, 14), (14, 16)]
    assert [c.get_paths()[0].get_extents().x0 for c in hatched] == [14]
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        "server 0: 10",
        "server 1: 4",
        "all tasks: 16",
    ]
    assert ax.get_title() == "2 of 16 cannot be packed: no schedule ends by 5 s"
    assert ax.get_xlabel() == "price"
    assert {"task 0", "task 3"} <= set(written(ax))


def test_refutation_that_fails_says_that_it_is_open():
    """Nothing is hatched; ready times take room, a pair that may not be used none."""
    p = oe.MakespanProblem([[3, np.inf], [2, 4], [2, 4]], ready=[0.5, 1.0])
    ax = oe.plots.refutation(p, 5.5, [3, 2, 2])
    assert [t.get_text() for t in ax.get_yticklabels()][:2] == ["server 0: 5", "server 1: 2"]
    assert (
        ax.get_title() == "0 more than 7 can be packed: whether a schedule ends by 5.5 s stays open"
    )
    assert not any(c.get_hatch() for c in ax.collections)


@pytest.mark.parametrize("factor", [1.0, 0.1, 1e9 / 7])
def test_refutation_at_a_deadline_that_schedules_meet(factor):
    """Knapsacks of any data are those by hand: 3 and 4 s do not fit into 6."""
    times = np.array([[2, np.inf, 8], [0, 3, 5], [3, np.inf, 4], [4, 4, 0]])
    p = oe.MakespanProblem(factor * times, ready=factor * np.array([2.0, 2.0, 0.0]))
    ax = oe.plots.refutation(p, factor * 8.01, [6, 2, 4, 8])
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels == ["server 0: 16", "server 1: 8", "server 2: 14", "all tasks: 20"]


@pytest.mark.parametrize(
    ("deadline", "prices", "message"),
    [
        (5, [1, 2, 3], r"prices must have shape \(4,\), got \(3,\)"),
        (5, [1, 2, -3, 4], "whole numbers from 0, got -3 for task 2"),
        (5, [1, 2.5, 3, 4], "whole numbers from 0, got 2.5 for task 1"),
        (5, [1, 2, 3, np.nan], "whole numbers from 0, got nan for task 3"),
        (5, [0, 0, 0, 0], "sum to 1 at least and 2\\^30 at most, got 0"),
        (5, [2**30, 1, 0, 0], "sum to 1 at least and 2\\^30 at most"),
        (0.5, [1, 2, 3, 4], "server 1 is ready at 1 s, after the deadline"),
        (np.inf, [1, 2, 3, 4], "deadline must be finite"),
    ],
)
def test_refutation_refuses(deadline, prices, message):
    """What cannot be drawn is told."""
    with pytest.raises(ValueError, match=message):
        oe.plots.refutation(P, deadline, prices)


def test_refutation_declines_memory_rows():
    """The knapsacks know nothing of memory."""
    packed = P.replace(memory=[1, 1, 1, 1], capacity=[3, 3])
    with pytest.raises(ValueError, match="memory rows"):
        oe.plots.refutation(packed, 5, [1, 1, 1, 1])


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


def runs_of(*rows, columns=("shares", "dormancy", "up", "mixed")):
    """Return a table of runs."""
    return pd.DataFrame(rows, columns=list(columns))


def test_accuracy_over_bytes():
    """Points are means of runs, labelled p, filled on the front; nothing sent stands left."""
    table = runs_of(
        ("even", 0.0, 2e6, 0.9),
        ("even", 0.0, 4e6, 1.0),
        ("even", 0.5, 1e6, 0.96),
        ("even", 1.0, 0.0, 0.8),
        ("sorted", 0.5, 1e6, 0.7),
        ("sorted", 0.0, 3e6, 0.8),
    )
    _, given = plt.subplots()
    ax = oe.plots.accuracy_over_bytes(table, given, raw={"raw": 8e6})
    assert ax is given
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    at = [(line.get_xdata()[0], pytest.approx(line.get_ydata()[0])) for line in dots]
    assert at[1:] == [(1, 0.96), (3, 0.95), (1, 0.7), (3, 0.8)]
    assert at[0] == (pytest.approx(0.2), 0.8)  # nothing sent, a fifth of the least upload
    full = [line.get_markerfacecolor() != "white" for line in dots]
    assert full == [True, True, False, True, True]
    bars = ax.containers[0].lines[2][0].get_segments()
    assert [segment[:, 1].tolist() for segment in bars][-1] == pytest.approx([0.9, 1.0])
    words = written(ax)
    assert {"p = 1", "0.5", "even", "sorted", "raw "} <= set(words)
    other = oe.plots.accuracy_over_bytes(table.rename(columns={"shares": "split"}), curves="split")
    assert len(other.containers) == 2
    assert ax.get_xscale() == "log" and "MB" in ax.get_xlabel()


def test_accuracy_over_bytes_when_nothing_is_sent():
    """All shares 1, or none: the axis needs a place for 0, or none."""
    ax = oe.plots.accuracy_over_bytes(runs_of(("even", 1.0, 0.0, 0.8)))
    assert "0" in written(ax)
    ax = oe.plots.accuracy_over_bytes(runs_of(("even", 0.0, 2e6, 0.8)))
    assert not [t for t in ax.texts if t.get_text() == "0" and t.get_va() == "top"]


def test_learning_curves():
    """Means over seeds with their range; a method with one step is a point."""
    rows = [("a", 0, 10, 0.4), ("a", 1, 10, 0.2), ("a", 0, 20, 0.1), ("a", 1, 20, 0.0)]
    rows += [("b", 0, 20, 0.3), ("b", 1, 20, 0.5), ("b", 1, 10, np.nan)]
    table = runs_of(*rows, columns=("method", "seed", "step", "error"))
    ax = oe.plots.learning_curves(table)
    assert ax.lines[0].get_xdata().tolist() == [10, 20]
    assert ax.lines[0].get_ydata() == pytest.approx([0.3, 0.05])
    band = ax.collections[0].get_paths()[0].vertices
    assert {tuple(point) for point in band} == {(10, 0.2), (10, 0.4), (20, 0.0), (20, 0.1)}
    ((point, _, bars),) = [box.lines for box in ax.containers]
    assert point.get_xydata().tolist() == [[20, 0.4]]
    assert bars[0].get_segments()[0][:, 1] == pytest.approx([0.3, 0.5])
    assert ax.get_yscale() == "log" and 0 < ax.get_ylim()[0] < 0.2
    legend = ax.get_legend()
    assert [t.get_text() for t in legend.get_texts()] == ["a", "b"]
    assert legend.get_title().get_text() == "mean and range of 2 seeds"
    ax = oe.plots.learning_curves(table.assign(error=0.0), plt.subplots()[1])
    assert ax.get_yscale() == "linear"


def test_learning_curves_of_runs():
    """The history of a run that was traced is a table of this form."""
    runs = [learning.train("prototypes", seed=k, steps=20, trace=True) for k in (0, 1)]
    frames = [
        run.frame().assign(method="iid", seed=run.seed, error=lambda row: 1 - row["cloud_accuracy"])
        for run in runs
    ]
    ax = oe.plots.learning_curves(pd.concat(frames))
    assert ax.lines[0].get_xdata().tolist() == [10, 20]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="up"), r"lacks columns \['up'\]; it needs"),
        (lambda table: table.assign(dormancy="mean"), "dormancy must hold shares, got 'mean'"),
        (lambda table: table.assign(dormancy=np.nan), "no row to draw"),
        (lambda table: table.assign(up=-1.0), "up must be at least 0 byte, got -1"),
    ],
)
def test_tables_refused(change, message):
    """What cannot be drawn is told."""
    table = runs_of(("even", 0.0, 2e6, 0.9))
    with pytest.raises(ValueError, match=message):
        oe.plots.accuracy_over_bytes(change(table))
    with pytest.raises(ValueError, match=r"lacks columns \['method'"):
        oe.plots.learning_curves(table)
