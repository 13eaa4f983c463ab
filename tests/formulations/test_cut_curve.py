"""The bandwidth curve: the lower envelope of all plans, its switches and shadow prices."""

import itertools
import math

import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

import optedge as oe
from optedge import networks
from optedge.formulations.cut.flow import minimum_cut
from optedge.papers import task_migration
from optedge.platforms import Platform, Server, mbit

LOW, HIGH = 1e4, 1e8
NAMES = task_migration.NETWORKS


@pytest.fixture(scope="module")
def curves():
    """Return the curve of each network of the paper, over its nominal bandwidth."""
    return {name: task_migration.curve(name) for name in NAMES}


# -------------------------------------------------------------------- oracle


@st.composite
def networks_and_lines(draw):
    """Draw a small network and two or three servers in a line."""
    n = draw(st.integers(2, 6))
    rows = [set() for _ in range(n)]
    for w in range(1, n):
        for v in draw(st.sets(st.integers(0, w - 1), min_size=1, max_size=2)):
            rows[v].add(w)
    whole = draw(st.booleans())
    number = st.integers(0, 9).map(float) if whole else st.floats(0.01, 9)
    flops = [1e9 * draw(number) for _ in range(n)]
    flops[-1] += 1e9
    sizes = [1e5 * draw(number) for _ in range(n)]
    graph = networks.LayerGraph([sorted(row) for row in rows], flops, np.zeros(n), sizes)
    speeds = draw(st.sampled_from([[1, 20], [1, 1], [1, 5, 50], [1, 0.5, 9]]))
    uplinks = [1e6] + [2e6] * (len(speeds) - 2)
    return graph, Platform.line([Server(speed=1e9 * s) for s in speeds], uplinks)


def lines(graph, platform):
    """Return bits over the first hop and other seconds of every plan, by loops."""
    speeds = [server.speed for server in platform.servers]
    found = []
    for rest in itertools.product(range(len(speeds)), repeat=graph.n_layers - 1):
        x = (0, *rest)
        if any(x[v] > x[w] for v, row in enumerate(graph.successors) for w in row):
            continue
        bits = seconds = 0.0
        for v, row in enumerate(graph.successors):
            seconds += graph.flops[v] / speeds[x[v]]
            size = 8 * graph.output_bytes[v]
            for k in range(x[v], max([x[w] for w in row], default=x[v])):
                if k == 0:
                    bits += size
                else:
                    seconds += size / platform.rates[k, k + 1]
        found.append((bits, seconds))
    return np.array(found)


@given(networks_and_lines())
@examples(60)
def test_the_curve_is_the_envelope(pair):
    """At every bandwidth the curve is the least of all lines c + b / B, for two and three tiers."""
    graph, platform = pair
    curve = oe.CutProblem.bandwidth_curve(graph, platform, LOW, HIGH)
    bits, seconds = lines(graph, platform).T
    rates = np.concatenate([np.geomspace(LOW, HIGH, 40), curve.switches])
    best = (seconds + bits / rates[:, None]).min(axis=1)
    assert curve.latency(rates) == pytest.approx(best, rel=1e-7)
    for x, b, c in zip(curve.tiers, curve.bits, curve.seconds, strict=True):
        p = oe.CutProblem.from_network(graph, platform, bandwidth=1e6)
        assert p.objective(x) == pytest.approx(c + b / 1e6)


@given(networks_and_lines())
@examples(60)
def test_pieces_are_in_order(pair):
    """From low to high bandwidth plans send more and take less besides; switches lie between."""
    curve = oe.CutProblem.bandwidth_curve(*pair, LOW, HIGH)
    pieces = len(curve.bits)
    assert (len(curve.tiers), len(curve.seconds), len(curve.switches)) == (
        pieces,
        pieces,
        pieces - 1,
    )
    assert (np.diff(curve.bits) > 0).all()
    assert (np.diff(curve.seconds) < 0).all()
    assert (np.diff(curve.switches) > 0).all()
    assert ((curve.switches >= LOW) & (curve.switches <= HIGH)).all()
    for k, rate in enumerate(curve.switches):  # both plans cost the same where they meet
        both = curve.seconds[k : k + 2] + curve.bits[k : k + 2] / rate
        assert both[0] == pytest.approx(both[1], rel=1e-9)
    assert curve.piece(curve.switches).tolist() == list(range(1, pieces))


# ------------------------------------------------------------- numbers of notebook 03


def test_alexnet_switches(curves):
    """As the bandwidth falls AlexNet is cut at 0, 2, 8, 11: at 38.93, 1.822 and 0.4877 Mbit/s."""
    curve = curves["alexnet"]
    assert [(x == 0).sum() - 1 for x in curve.tiers] == [11, 8, 2, 0]
    assert curve.switches / 1e6 == pytest.approx([0.4877, 1.822, 38.93], rel=2e-4)
    assert curve.latency(mbit(5.85)) == pytest.approx(0.8827, abs=5e-5)
    assert curve.latency(mbit(1.1)) == pytest.approx(2.2679, abs=5e-5)


def test_googlenet_is_never_cut_inside(curves):
    """Edge-only below 2.5425 Mbit/s, the last layer alone (4096 byte) to 2.6475, then all."""
    curve = curves["googlenet"]
    assert curve.switches / 1e6 == pytest.approx([2.5425, 2.6475], abs=5e-5)
    assert [(x > 0).sum() for x in curve.tiers] == [0, 1, 83]
    assert np.flatnonzero(curve.tiers[1]).tolist() == [83]
    assert curve.bits[1] == 8 * 4096
    rates = np.linspace(2.54e6, 2.65e6, 2000)
    ends = np.minimum(curve.seconds[0], curve.seconds[2] + curve.bits[2] / (0.484 * rates))
    gain = ends - curve.latency(rates)
    assert gain.max() == pytest.approx(1.0494e-3, abs=2e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_curve_is_the_minimum_cut(curves, name):
    """At 60 bandwidths of each network the curve is what the minimum cut says."""
    curve = curves[name]
    for rate in np.geomspace(curve.low, curve.high, 60)[1:-1]:
        problem = task_migration.instance(name, rate)
        best = problem.objective(minimum_cut(problem).tiers)
        assert curve.latency(rate) == pytest.approx(best, rel=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_concave_in_the_inverse_bandwidth(curves, name):
    """Second differences over 1 / B are never positive; the latency rises with 1 / B."""
    curve = curves[name]
    inverse = np.linspace(1 / curve.high, 1 / curve.low, 2001)[1:-1]
    latency = curve.latency(1 / inverse)
    assert (np.diff(latency) >= -1e-12).all()
    assert (np.diff(latency, 2) <= 1e-9).all()
    slopes = np.diff(latency) / np.diff(inverse)
    assert slopes.min() >= curve.bits.min() / 0.484 - 1
    assert slopes.max() <= curve.bits.max() / 0.484 + 1


@pytest.mark.parametrize("name", NAMES)
def test_shadow_price_is_the_derivative(curves, name):
    """What a little more bandwidth changes, in s per Mbit/s, by central differences."""
    curve = curves[name]
    for rate in np.geomspace(curve.low, curve.high, 25)[1:-1]:
        step = 1e-5 * rate
        if curve.piece(rate - step) != curve.piece(rate + step):
            continue
        slope = float(curve.latency(rate + step) - curve.latency(rate - step)) / (2 * step / 1e6)
        assert float(curve.shadow_price(rate)) == pytest.approx(slope, rel=1e-5, abs=1e-7)
    at = curve.shadow_price(curve.switches)
    assert (at <= curve.shadow_price(curve.switches * (1 - 1e-9)) + 1e-12).all()


def test_shadow_price_by_hand():
    """One layer of 1 s or 0.5 s, an input of 1 Mbit: half a second is worth 2 Mbit/s."""
    graph = networks.LayerGraph([[1], []], [0, 1e9], [0, 0], [1.25e5, 0])
    platform = Platform.line([Server(speed=1e9), Server(speed=2e9)], [1.0])
    curve = oe.CutProblem.bandwidth_curve(graph, platform, mbit(0.5), mbit(8))
    assert curve.switches == pytest.approx([2e6])
    assert curve.bits.tolist() == [0, 1e6]
    assert curve.latency([1e6, 2e6, 4e6, 8e6]) == pytest.approx([1, 1, 0.75, 0.625])
    assert curve.shadow_price([1e6, 2e6, 4e6]) == pytest.approx([0, -0.25, -0.0625])
    assert curve.piece([1e6, 2e6, 4e6]).tolist() == [0, 1, 1]


def test_efficiency():
    """Over a nominal rate of which half arrives everything happens at twice the bandwidth."""
    graph = networks.load("alexnet")
    platform = task_migration.platform("alexnet", 1e6)
    curve = oe.CutProblem.bandwidth_curve(graph, platform, 1e5, 1e8)
    half = curve.at_efficiency(0.5)
    assert (half.low, half.high) == (2e5, 2e8)
    assert half.switches == pytest.approx(2 * curve.switches)
    rates = np.geomspace(2.01e5, 1.99e8, 50)
    assert half.latency(rates) == pytest.approx(curve.latency(rates / 2))
    assert half.shadow_price(rates) == pytest.approx(curve.shadow_price(rates / 2) / 2)
    assert half.bits.tolist() == curve.bits.tolist()  # what is sent is the same
    for same in (curve.at_efficiency(1), half.at_efficiency(1)):
        assert same.latency(1e6) == curve.latency(1e6)
        assert same.switches.tolist() == curve.switches.tolist()


def test_table(curves):
    """A row a piece: ranges that join, the layers whose output is sent, its bytes and seconds."""
    curve = curves["alexnet_parallel"]
    table = curve.table()
    assert len(table) == len(curve.bits)
    assert table.from_mbit_s.tolist()[1:] == table.to_mbit_s.tolist()[:-1]
    assert (table.from_mbit_s.iloc[0], table.to_mbit_s.iloc[-1]) == (0.05, 100)
    sizes = networks.load("alexnet_parallel").output_bytes
    for row in table.itertuples():
        assert row.sent_bytes == pytest.approx(sizes[list(row.crossing)].sum())
    assert (16, 20) in table.crossing.tolist()
    assert table.crossing.iloc[0] == ()
    assert table.crossing.iloc[-1] == (0,)


def test_three_tiers():
    """With an edge server between, the curve of the first hop is the minimum cut of three tiers."""
    graph = networks.load("tiny_yolo")
    servers = [Server(speed=1e9), Server(speed=8e9), Server(speed=1e11)]
    platform = Platform.line(servers, [1e6, 8e6])
    curve = oe.CutProblem.bandwidth_curve(graph, platform, 1e5, 1e9)
    used = {int(t) for x in curve.tiers for t in x}
    assert used == {0, 1, 2}
    for rate in np.geomspace(1.01e5, 0.99e9, 40):
        p = oe.CutProblem.from_network(graph, platform, bandwidth=rate)
        assert curve.latency(rate) == pytest.approx(p.objective(minimum_cut(p).tiers), rel=1e-7)


def test_one_piece():
    """Where one plan is best throughout there is no switch."""
    graph = networks.load("googlenet")
    platform = task_migration.platform("googlenet", 1e6)
    curve = oe.CutProblem.bandwidth_curve(graph, platform, 1e4, 1e5)
    assert len(curve.bits) == 1
    assert curve.switches.size == 0
    assert curve.latency([1e4, 1e5]) == pytest.approx([4.0363, 4.0363], abs=1e-4)
    assert curve.shadow_price(5e4) == 0


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 1e6), (-1, 1e6), (1e6, 1e6), (2e6, 1e6), (1e6, math.inf), (math.nan, 1e6)],
)
def test_empty_ranges(low, high):
    """The range must be one, of positive finite bandwidths."""
    graph, platform = networks.load("alexnet"), task_migration.platform("alexnet", 1e6)
    with pytest.raises(ValueError, match="low and high must be 0 < low < high"):
        oe.CutProblem.bandwidth_curve(graph, platform, low, high)


def test_only_the_latency_has_a_curve():
    """The slowest stage is no minimum cut."""
    graph, platform = networks.load("alexnet"), task_migration.platform("alexnet", 1e6)
    with pytest.raises(ValueError, match="one of the latency"):
        oe.CutProblem.bandwidth_curve(graph, platform, 1e5, 1e6, goal="throughput")


@pytest.mark.parametrize("rate", [0.049e6, 100.1e6, math.nan, [1e6, 1e9], -1e6])
def test_outside_of_the_range(curves, rate):
    """What was not computed is not told."""
    for method in ("latency", "shadow_price", "piece"):
        with pytest.raises(ValueError, match="the curve holds from 50000 to 1e"):
            getattr(curves["alexnet"], method)(rate)


@pytest.mark.parametrize("share", [0, -0.5, 1.01, math.nan])
def test_bad_shares(curves, share):
    """No more than all of a rate arrives."""
    with pytest.raises(ValueError, match="share must be above 0 and at most 1"):
        curves["alexnet"].at_efficiency(share)
