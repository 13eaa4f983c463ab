"""Servers, links and what they make of the layers of a network."""

import dataclasses
import math

import numpy as np
import pytest

from optedge import networks
from optedge.networks import LayerGraph
from optedge.platforms import Platform, Server, mbit, mbyte, shannon

INF, NAN = math.inf, math.nan
GRAPH = LayerGraph(
    [[1], [2], []],
    flops=[0, 4e9, 1e9],
    parameters=[0, 1e6, 1e9],
    output_bytes=[8, 16, 0],
    types=("input", "conv", "fc"),
    name="tiny",
)


# ---------------------------------------------------------------- servers


def test_layer_seconds_by_hand():
    """Factor * (overhead + the longer of work and streaming of weights); the input takes none."""
    server = Server(speed=2e9, streaming=4e8, overhead=0.5, factor=3.0)
    assert server.layer_seconds(GRAPH).tolist() == [0, 3 * (0.5 + 2), 3 * (0.5 + 10)]
    assert Server(speed=1e9).layer_seconds(GRAPH).tolist() == [0, 4, 1]


def test_a_first_layer_that_computes_is_timed():
    """Only what is called an input costs nothing."""
    graph = GRAPH.replace(types=("conv", "conv", "fc"))
    assert Server(speed=1e9, overhead=1.0).layer_seconds(graph).tolist() == [1, 5, 2]


def test_measured_cycles_over_the_clock():
    """Seconds measured at 3.2 GHz take half as long at 6.4, with overhead and factor as ever."""
    graph = networks.load("vgg19", "linbin403")
    assert Server(clock_ghz=6.4).layer_seconds(graph).sum() == pytest.approx(0.430)
    slow = Server(clock_ghz=3.2, factor=2.0, overhead=0.01)
    assert slow.layer_seconds(graph).sum() == pytest.approx(2 * (0.860 + 24 * 0.01))
    assert slow.layer_seconds(graph)[0] == 0


def test_measured_seconds_as_they_are():
    """A profiled network runs in its measured seconds, times the factor; no clock is needed."""
    graph = LayerGraph([[1], []], [0, 5], [0, 0], [4, 4], seconds=[0.0, 0.25], types=("input", ""))
    assert Server(measured=True, factor=2, overhead=0.1).layer_seconds(graph).tolist() == [0, 0.7]
    with pytest.raises(ValueError, match="has no measured seconds"):
        Server(measured=True).layer_seconds(graph.replace(seconds=None))


def test_what_a_server_cannot_time():
    """A clock needs measured layers, a speed needs FLOPs; the sentence says which is missing."""
    with pytest.raises(ValueError, match="'tiny' has no measured seconds"):
        Server(clock_ghz=3.0).layer_seconds(GRAPH)
    with pytest.raises(ValueError, match="'vgg19' has no FLOPs; give servers by clock_ghz"):
        Server(speed=1e9).layer_seconds(networks.load("vgg19", "linbin403"))
    with pytest.raises(ValueError, match="no measured seconds with a clock"):
        Server(clock_ghz=3.0).layer_seconds(GRAPH.replace(seconds=[0, 1, 1]))


@pytest.mark.parametrize("field", ["speed", "streaming", "factor", "pool"])
@pytest.mark.parametrize("value", [0.0, -1.0, NAN])
def test_positive_numbers(field, value):
    """What divides or scales is positive; the sentence names field and server."""
    with pytest.raises(ValueError, match=f"{field} of server 'pi' must be positive, got"):
        Server(**{"speed": 1.0, field: value}, name="pi")


@pytest.mark.parametrize("field", ["overhead", "power", "dynamic", "price", "memory", "energy"])
@pytest.mark.parametrize("value", [-1e-9, NAN, -INF])
def test_numbers_from_zero(field, value):
    """What adds up or limits is at least 0."""
    with pytest.raises(ValueError, match=f"{field} of server 'pi' must be at least 0, got"):
        Server(speed=1.0, name="pi", **{field: value})
    assert getattr(Server(speed=1.0, **{field: 0.0}), field) == 0


@pytest.mark.parametrize("arguments", [{}, {"speed": 1.0, "clock_ghz": 1.0}])
def test_speed_or_clock(arguments):
    """A server has one of both."""
    with pytest.raises(ValueError, match=r"either speed .*, clock_ghz or measured"):
        Server(**arguments)


@pytest.mark.parametrize("value", [0.0, -3.2, NAN])
def test_clock_range(value):
    """A clock runs forward."""
    with pytest.raises(ValueError, match="clock_ghz of server '' must be positive"):
        Server(clock_ghz=value)


@pytest.mark.parametrize("tier", [-1, 1.0, "cloud"])
def test_tier_is_a_number(tier):
    """Tiers are counted from 0."""
    with pytest.raises(ValueError, match="tier of server '' must be 0, 1"):
        Server(speed=1.0, tier=tier)


def test_servers_are_frozen():
    """A server is changed by copying it."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Server(speed=1.0).speed = 2.0


# ---------------------------------------------------------------- platforms


def test_units():
    """1 Mbit/s is 1e6 bit/s, 1 MB/s eight times as much."""
    assert (mbit(5.85), mbyte(1.5)) == (5.85e6, 12e6)


def test_line():
    """Servers in a line get tiers from 0 on, linked to their neighbours in both directions."""
    servers = [Server(speed=1.0, tier=5), Server(speed=2.0), Server(speed=3.0)]
    p = Platform.line(servers, [10.0, 20.0], name="line")
    assert [s.tier for s in p.servers] == [0, 1, 2]
    assert [s.speed for s in p.servers] == [1, 2, 3]
    assert p.rates.tolist() == [[INF, 10, 0], [10, INF, 20], [0, 20, INF]]
    assert (p.name, p.n_servers, p.tiers) == ("line", 3, ((0,), (1,), (2,)))


def test_send_seconds():
    """8 bit a byte over the rate; no time within a server, never without a link."""
    p = Platform.line([Server(speed=1.0)] * 3, [8e6, 4e6])
    assert p.send_seconds(0, 1, [1e6, 0]).tolist() == [1, 0]
    assert p.send_seconds(2, 1, 1e6) == 2
    assert p.send_seconds(1, 1, [5.0, 1e9]).tolist() == [0, 0]
    assert p.send_seconds(0, 2, [1.0, 2.0]).tolist() == [INF, INF]


def test_tiers_may_hold_many_and_leave_gaps():
    """Servers are grouped by tier, whatever numbers the tiers have."""
    servers = [Server(speed=1.0, tier=t) for t in (3, 0, 3, 7)]
    p = Platform(tuple(servers), np.ones((4, 4)))
    assert p.tiers == ((1,), (0, 2), (3,))


@pytest.mark.parametrize(
    ("servers", "rates", "words"),
    [
        ([], np.zeros((0, 0)), "a platform has at least one"),
        ([Server(speed=1.0)], np.ones((2, 2)), r"rates must have shape \(1, 1\), got \(2, 2\)"),
        ([Server(speed=1.0)] * 2, [1.0, 2.0], r"rates must have shape \(2, 2\), got \(2,\)"),
        ([Server(speed=1.0)] * 2, [[0, -1.0], [1, 0]], r"rates\[0, 1\] must be at least 0"),
        ([Server(speed=1.0)] * 2, [[0, 1.0], [NAN, 0]], r"rates\[1, 0\] must be at least 0"),
    ],
)
def test_bad_platforms(servers, rates, words):
    """A wrong shape and a wrong rate are refused by name."""
    with pytest.raises(ValueError, match=words):
        Platform(tuple(servers), rates)


@pytest.mark.parametrize("uplinks", [[], [1.0, 2.0]])
def test_line_counts_its_uplinks(uplinks):
    """One uplink fewer than servers."""
    with pytest.raises(ValueError, match=f"uplinks must hold 1 rates, got {len(uplinks)}"):
        Platform.line([Server(speed=1.0)] * 2, uplinks)


def test_negative_uplink():
    """A line refuses what a platform refuses."""
    with pytest.raises(ValueError, match=r"rates\[0, 1\] must be at least 0 bit/s, got -2"):
        Platform.line([Server(speed=1.0)] * 2, [-2.0])


def test_the_diagonal_does_not_count():
    """What stands on the diagonal is never used, and nothing outside can change the rates."""
    rates = np.array([[NAN, 1.0], [1.0, -5.0]])
    p = Platform((Server(speed=1.0), Server(speed=1.0, tier=1)), rates)
    rates[0, 1] = 9
    assert p.rates[0, 1] == 1
    with pytest.raises(ValueError, match="read-only"):
        p.rates[0, 1] = 2
    with pytest.raises(ValueError, match="rates must have shape"):
        p.replace(servers=p.servers[:1])


# ---------------------------------------------------------------- rates by a function


def test_rates_by_a_function():
    """Each ordered pair is asked once, none twice; the numbers remain."""
    asked = []

    def rate(a, b):
        asked.append((a.name, b.name))
        return a.power * (1 + b.tier)

    servers = [Server(speed=1.0, tier=t, power=1.0 + t, name=f"s{t}") for t in range(3)]
    p = Platform(tuple(servers), rate)
    assert p.rates.tolist() == [[INF, 2, 3], [2, INF, 6], [3, 6, INF]]
    assert sorted(asked) == [(f"s{a}", f"s{b}") for a in range(3) for b in range(3) if a != b]
    assert p.replace(name="again").rates.tolist() == p.rates.tolist()
    assert len(asked) == 6
    twins = Platform((servers[1], servers[1]), rate)  # two servers, one description
    assert twins.rates[0, 1] == 4
    with pytest.raises(ValueError, match=r"rates\[0, 1\] must be at least 0 bit/s, got -1"):
        Platform(tuple(servers), lambda a, b: -1.0)


def test_shannon_by_hand():
    """1 MHz at signal over noise 3, 1 and 0; interference counts as noise."""
    assert shannon(1e6, 3.0, 0.5, 0.5) == pytest.approx(2e6, rel=1e-15)
    assert shannon(1e6, 3.0, 0.5, 0.5, 1.0) == pytest.approx(1e6, rel=1e-15)
    assert shannon(1e6, 0.0, 0.5, 0.5) == shannon(0.0, 3.0, 0.5, 0.5) == 0
    assert shannon(1e6, 1e-20, 1.0, 1.0) == pytest.approx(1e-14 / math.log(2))  # no rounding to 0


def test_no_power_is_no_link():
    """A rate of 0 from Shannon's formula connects nothing."""
    servers = (Server(speed=1.0, power=0.0), Server(speed=1.0, tier=1, power=2.0))
    p = Platform(servers, lambda a, b: shannon(1e6, a.power, 1.0, 1.0))
    assert p.send_seconds(0, 1, 1.0) == INF
    assert p.send_seconds(1, 0, 1e6) == pytest.approx(8 / math.log2(3))


@pytest.mark.parametrize("name", ["bandwidth_hz", "power_w", "gain", "noise_w", "interference_w"])
@pytest.mark.parametrize("wrong", [-1.0, NAN, INF])
def test_shannon_refuses(name, wrong):
    """Negative and infinite numbers, and a channel without noise, are refused by name."""
    given = {"bandwidth_hz": 1.0, "power_w": 1.0, "gain": 1.0, "noise_w": 1.0}
    with pytest.raises(ValueError, match=f"{name} must be a number of at least 0"):
        shannon(**{**given, name: wrong})
    with pytest.raises(ValueError, match="noise_w must be positive"):
        shannon(**{**given, "noise_w": 0.0})
