"""Pictures of networks, of cuts and of bandwidth curves."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.patches import FancyArrowPatch

import optedge as oe
from optedge import networks
from optedge.networks import LayerGraph
from optedge.networks.drawing import layout
from optedge.papers import task_migration

DIAMOND = LayerGraph(
    [[1], [2, 3], [4], [4], []],
    *np.ones((3, 5)),
    names=("in", "a", "b", "c", "d"),
    types=("input", "conv", "conv", "pool", "add"),
    name="diamond",
)


@pytest.fixture(autouse=True)
def closed():
    """Close the figures of a test."""
    yield
    plt.close("all")


def edges_of(ax):
    """Return the lines of the edges: (width, colour) of each."""
    return [
        (p.get_linewidth(), p.get_edgecolor()) for p in ax.patches if isinstance(p, FancyArrowPatch)
    ]


def legend(ax):
    """Return the words of the legend."""
    return [text.get_text() for text in ax.get_legend().get_texts()]


# ---------------------------------------------------------------- places


def test_layout_by_hand():
    """Columns by the longest path from the input; in one, layers stand apart by 1, centred."""
    place = layout(DIAMOND)
    assert place[:, 0].tolist() == [0, 1, 2, 2, 3]
    assert sorted(place[2:4, 1].tolist()) == [-0.5, 0.5]
    assert place[[0, 1, 4], 1].tolist() == [0, 0, 0]


@given(st.integers(0, 10**6), st.integers(1, 12))
@examples(50)
def test_no_two_layers_in_one_place(seed, n):
    """Every edge goes to the right, and no layer hides another."""
    rng = np.random.default_rng(seed)
    rows = [[] for _ in range(n)]
    for w in range(1, n):
        for v in sorted(set(rng.integers(0, w, 2).tolist())):
            rows[v].append(w)
    place = layout(LayerGraph(rows, *np.ones((3, n))))
    assert len({tuple(p) for p in place.tolist()}) == n
    assert all(place[w, 0] > place[v, 0] for v, row in enumerate(rows) for w in row)
    for x in set(place[:, 0].tolist()):
        column = np.sort(place[place[:, 0] == x, 1])
        assert np.diff(column).tolist() == [1] * (len(column) - 1)
        assert column.sum() == pytest.approx(0)


@pytest.mark.parametrize("name", networks.list_networks())
def test_layout_of_real_networks(name):
    """The longest path goes through the whole picture; chains lie on a line."""
    g = networks.load(name)
    place = layout(g)
    if g.is_chain:
        assert place.tolist() == [[v, 0] for v in range(g.n_layers)]
    assert place[0].tolist() == [0, 0]
    assert place[-1, 0] == place[:, 0].max()
    assert place[-1, 1] == 0


# ---------------------------------------------------------------- networks


def test_a_network_by_kind():
    """A dot a layer, an edge a line, a colour a kind of layer, names beside small networks."""
    ax = oe.plots.network(DIAMOND)
    assert len(edges_of(ax)) == 5
    assert legend(ax) == ["input", "conv", "pool", "add"]
    assert [len(c.get_offsets()) for c in ax.collections] == [1, 2, 1, 1]
    assert sorted(t.get_text() for t in ax.texts) == ["a", "b", "c", "d", "in"]
    assert ax.get_title() == "diamond"
    assert ax.get_xlabel()


def test_a_cut_is_drawn_heavy():
    """Coloured by tier; what crosses is heavier than what does not."""
    ax = oe.plots.network(DIAMOND, [0, 0, 1, 1, 1])
    widths = sorted(width for width, _ in edges_of(ax))
    assert widths[3] == widths[4] > widths[2]
    assert len({colour for _, colour in edges_of(ax)}) == 2
    assert legend(ax) == ["device", "cloud", "sent"]


def test_a_solution_can_be_drawn():
    """What a solver returns is what the picture takes; three tiers have three names."""
    p = oe.CutProblem(DIAMOND.successors, np.ones((3, 5)), np.ones((2, 5)))
    assert "sent" not in legend(oe.plots.network(DIAMOND, p.everything_on(0)))
    ax = oe.plots.network(DIAMOND, [0, 0, 1, 1, 2])
    assert legend(ax) == ["device", "edge", "cloud", "sent"]
    four = oe.plots.network(DIAMOND, [0, 1, 2, 2, 3])
    assert legend(four) == ["tier 0", "tier 1", "tier 2", "tier 3", "sent"]


@pytest.mark.parametrize("tiers", [[0, 1], [[0, 0, 1, 1, 1]], 3])
def test_tiers_of_another_network(tiers):
    """One tier a layer."""
    with pytest.raises(ValueError, match=r"tiers must have shape \(5,\)"):
        oe.plots.network(DIAMOND, tiers)


@pytest.mark.parametrize("name", ["googlenet", "resnet101", "alexnet_parallel"])
def test_large_networks_are_drawn(name):
    """All edges and layers are there; names only where there is room for them."""
    g = networks.load(name)
    _, given_ax = plt.subplots()
    ax = oe.plots.network(g, ax=given_ax)
    assert ax is given_ax
    assert len(edges_of(ax)) == g.n_edges
    assert sum(len(c.get_offsets()) for c in ax.collections) == g.n_layers
    assert len(ax.texts) == (g.n_layers if g.n_layers <= 30 else 0)
    ax.figure.canvas.draw()


def test_one_layer_is_drawn():
    """An input alone is a picture too."""
    g = LayerGraph([[]], [0], [0], [1], name="alone")
    ax = oe.plots.network(g)
    ax.figure.canvas.draw()
    assert legend(ax) == ["layer"]


# ---------------------------------------------------------------- curves


def test_a_bandwidth_curve_is_drawn():
    """Thin lines of plans, the least latency thick, a dot at each switch, a log axis."""
    curve = task_migration.curve("alexnet")
    _, given_ax = plt.subplots()
    ax = oe.plots.bandwidth(curve, given_ax)
    assert ax is given_ax
    assert ax.get_xscale() == "log"
    assert "Mbit/s" in ax.get_xlabel()
    envelopes = [line for line in ax.lines if len(line.get_xdata()) > 100]
    thick = max(envelopes, key=lambda line: line.get_linewidth())
    assert len(envelopes) >= len(curve.bits) + 1
    assert thick.get_ydata() == pytest.approx(curve.latency(1e6 * thick.get_xdata()))
    dots = [line for line in ax.lines if list(line.get_xdata()) == list(curve.switches / 1e6)]
    assert len(dots) == 1
    for line in envelopes:
        assert (line.get_ydata() >= thick.get_ydata() - 1e-9).all()
    ax.figure.canvas.draw()


def test_a_curve_without_switch_is_drawn():
    """One plan throughout: a flat line is the thick one, no dot."""
    graph, platform = networks.load("googlenet"), task_migration.platform("googlenet", 1e6)
    ax = oe.plots.bandwidth(oe.CutProblem.bandwidth_curve(graph, platform, 1e4, 1e5))
    thick = max(ax.lines, key=lambda line: (len(line.get_xdata()) > 100, line.get_linewidth()))
    assert thick.get_ydata() == pytest.approx(np.full(len(thick.get_ydata()), 4.0363), abs=1e-4)
    ax.figure.canvas.draw()


def test_a_cut_in_a_gantt_chart():
    """Device, hop and cloud are lanes of the chart."""
    p = oe.CutProblem([[1], []], [[0, 3], [0, 1]], [[1, 0]])
    ax = oe.plots.gantt(p, np.array([0, 1]))
    assert len(ax.get_yticklabels()) == 3
