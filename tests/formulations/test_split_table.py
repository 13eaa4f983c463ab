"""Costs of every split: hand-made chains, ends, waiting, energy, links, and the problems made."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from optedge import networks
from optedge.formulations.queues import UnitWarning, mm1_wait, mmc_wait
from optedge.formulations.split import SplitProblem, residual_bytes, split_problem, split_table
from optedge.networks.graph import LayerGraph
from optedge.papers.cloud_edge import resnet34
from optedge.platforms import Platform, Server

# Three layers: 1, 2 and 3 MAC; 1, 0 and 10 weights; maps of 3, 2 and 1 float32 after an input of 5.
CHAIN = LayerGraph(
    successors=((1,), (2,), (3,), ()),
    flops=[0, 2, 4, 6],
    parameters=[0, 1, 0, 10],
    output_bytes=[20, 12, 8, 4],
    types=("input", "conv", "conv", "fc"),
    name="three",
)


def pool(*nodes, cloud=12.0, rate=8.0):
    """Return nodes and a cloud of that many MAC/s; every link has one rate in bit/s."""
    servers = [*nodes, Server(speed=2 * cloud, tier=1)]
    rates = np.zeros((len(servers), len(servers)))
    rates[:-1, -1] = rates[-1, :-1] = rate
    return Platform(tuple(servers), rates)


ONE = pool(Server(speed=4.0))  # 2 MAC/s


def test_every_part_by_hand():
    """A node of 2 MAC/s, a cloud of 12, 1 byte/s: all parts of all positions."""
    table = split_table(CHAIN, ONE)
    np.testing.assert_array_equal(table.work, [0, 1, 3, 6])
    np.testing.assert_array_equal(table.memory, [0, 4 + 12, 16 + 8, 24 + 40 + 4])
    np.testing.assert_array_equal(table.execution, [[0, 0.5, 1.5, 3]])
    np.testing.assert_allclose(table.cloud, [0.5, 5 / 12, 0.25, 0])
    np.testing.assert_array_equal(table.upload, [[20, 12, 8, 4]])
    np.testing.assert_array_equal(table.wait, [[0, 0, 0, 0]])
    np.testing.assert_allclose(table.latency, [20.5, 12 + 11 / 12, 9.75, 7])
    assert (table.energy == 0).all()
    assert table.stable.all()
    with pytest.raises(ValueError, match="read-only"):
        table.work[0] = 1


def test_a_flop_is_half_a_mac():
    """The network of the paper at F MAC/s takes work/F seconds, with a server of 2 F FLOP/s."""
    platform = pool(Server(speed=2 * 4e10), cloud=4e11, rate=math.inf)
    table = split_table(resnet34(), platform)
    np.testing.assert_allclose(table.execution[0], table.work / 4e10, rtol=1e-14)
    assert table.work[-1] == 3_644_493_824
    assert table.cloud[0] == pytest.approx(3_644_493_824 / 4e11)


def test_both_ends_work():
    """Position 0: nothing on the nodes; N: nothing in the cloud, scores sent or not."""
    node = Server(speed=4.0, power=3.0, dynamic=0.1)
    table = split_table(CHAIN, pool(node), arrival_rate=0.3, n_tasks=5)
    assert table.memory[0] == table.work[0] == table.execution[0, 0] == table.wait[0, 0] == 0
    assert table.energy[0, 0] == table.utilisation[0] == 0
    assert table.sent[0] == 20
    assert table.cloud[-1] == 0
    assert table.sent[-1] == 4
    assert split_table(CHAIN, pool(node), last="free").upload[0, -1] == 0


def test_weights_and_maps_may_have_other_sizes():
    """Two byte a weight; maps as the graph says; what is sent may be given."""
    table = split_table(CHAIN, ONE, weight_bytes=2, sent_bytes=[5, 12, 8, 0])
    np.testing.assert_array_equal(table.memory, [0, 14, 22, 46])
    np.testing.assert_array_equal(table.upload[0], [5, 12, 8, 0])


# ---------------------------------------------------------------- waiting


def test_waiting_in_a_shared_queue_and_in_own_ones():
    """Two equal nodes: M/M/2 with all arrivals, or M/M/1 with half of them each."""
    platform = pool(Server(speed=4.0), Server(speed=4.0))
    shared = split_table(CHAIN, platform, arrival_rate=0.5)
    own = split_table(CHAIN, platform, arrival_rate=0.5, waiting="mm1")
    for j in (1, 2, 3):
        mu = 2 / shared.work[j]
        assert shared.wait[1, j] == pytest.approx(mmc_wait(0.5, mu, 2))
        assert own.wait[1, j] == pytest.approx(mm1_wait(0.25, mu))
    np.testing.assert_allclose(shared.utilisation, 0.5 * shared.work / 4)
    np.testing.assert_allclose(own.utilisation, shared.utilisation)


def test_literal_waiting_warns_and_is_negligible():
    """Eq. (12) as printed: one factor of the work in MAC short."""
    own = split_table(CHAIN, ONE, arrival_rate=0.25, waiting="mm1")
    with pytest.warns(UnitWarning):
        literal = split_table(CHAIN, ONE, arrival_rate=0.25, waiting="literal")
    np.testing.assert_allclose(literal.wait[0, 1:] * own.work[1:], own.wait[0, 1:])


def test_unstable_positions_are_infeasible():
    """0.7 tasks/s of 1.5 s do not fit on one node: infinite wait, whatever is maximised."""
    for aim in ("depth", "delay"):
        problem = split_problem(CHAIN, ONE, aim=aim, arrival_rate=0.7)
        np.testing.assert_array_equal(problem.feasible, [True, True, False, False])
        assert np.isfinite(problem.value).all()
    table = split_table(CHAIN, ONE, arrival_rate=2 / 3)
    assert table.utilisation[2] == pytest.approx(1)
    assert not table.stable[3] and math.isinf(table.latency[3])


@examples(40)
@given(
    flops=st.lists(st.floats(0.01, 100), min_size=1, max_size=6),
    arrivals=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    nodes=st.integers(1, 4),
)
def test_monotone_parts(flops, arrivals, nodes):
    """Memory, work and energy grow with the position; the wait with position and arrivals."""
    n = len(flops)
    graph = LayerGraph(
        (*((j + 1,) for j in range(n)), ()), [0, *flops], [0] * (n + 1), np.arange(n + 1.0)
    )
    platform = pool(*(Server(speed=50.0, power=1.0) for _ in range(nodes)))
    low, high = (split_table(graph, platform, arrival_rate=rate) for rate in sorted(arrivals))
    for table in (low, high):
        assert (np.diff(table.memory) >= 0).all()
        assert (np.diff(table.work) >= 0).all()
        assert (np.diff(table.energy, axis=1) >= 0).all()
        waits = table.wait[0][np.isfinite(table.wait[0])]
        assert (np.diff(waits) >= -1e-12).all()
        assert (np.isinf(table.wait[0]) == ~table.stable).all()
    assert (low.wait <= high.wait).all()


# ---------------------------------------------------------------- energy, nodes, links


def test_energy_by_hand():
    """Power x Z/F + w Z F per task: a coefficient per MAC^2 is four times that per FLOP^2."""
    node = Server(speed=4.0, power=3.0, dynamic=0.1 / 4)
    table = split_table(CHAIN, pool(node), n_tasks=2)
    np.testing.assert_allclose(table.energy[0], 2 * (3 * table.work / 2 + 0.1 * table.work * 2))


def test_tasks_are_shared_by_speed_or_equally():
    """Nodes of 2 and 6 MAC/s: a quarter and three quarters of the tasks, or half each."""
    platform = pool(Server(speed=4.0, power=1.0), Server(speed=12.0, power=1.0))
    by_speed = split_table(CHAIN, platform, n_tasks=8).energy[:, -1]
    equally = split_table(CHAIN, platform, n_tasks=8, sharing="equal").energy[:, -1]
    np.testing.assert_allclose(by_speed, [2 * 3, 6 * 1])
    np.testing.assert_allclose(equally, [4 * 3, 4 * 1])
    table = split_table(CHAIN, platform)
    np.testing.assert_allclose(table.latency, table.latencies[0])  # the slow node
    assert (table.mean_latency <= table.latency).all()


def test_the_least_memory_counts():
    """Every node holds the front, so 0.8 of the smallest memory is the limit."""
    platform = pool(Server(speed=4.0, memory=30.0), Server(speed=4.0, memory=1e9))
    problem = split_problem(CHAIN, platform)
    assert problem.limit_names == ("memory",)
    assert problem.limits == pytest.approx([24e-6])
    np.testing.assert_array_equal(problem.feasible, [True, True, True, False])
    np.testing.assert_array_equal(
        split_problem(CHAIN, platform, usable_memory=0.5).feasible, [True, False, False, False]
    )


def test_relay_takes_the_lower_rate():
    """Node to master 4 bit/s, master to cloud 16: min(WH, L) = 4, eq. (15)."""
    line = Platform.line([Server(speed=4.0), Server(speed=1.0), Server(speed=24.0)], [4, 16])
    np.testing.assert_array_equal(split_table(CHAIN, line).upload[0], [40, 24, 16, 8])


def test_without_a_link_only_the_last_position_is_left():
    """Nothing can be sent: only N, which sends nothing, is feasible."""
    problem = split_problem(CHAIN, pool(Server(speed=4.0), rate=0.0), last="free")
    assert "link" in problem.limit_names
    np.testing.assert_array_equal(problem.feasible, [False, False, False, True])


def test_terminal_uplink_is_added_everywhere():
    """Samples of 2 bit/s and 8 bit: 4 s at every position."""
    plain, with_uplink = (
        split_table(CHAIN, ONE, samples=s, upload_bits=8.0) for s in (None, [2.0, 2.0])
    )
    np.testing.assert_allclose(with_uplink.latency - plain.latency, 4.0)


def test_deadline_holds_a_task_or_all():
    """The literal eq. (22) sums the delay over the tasks."""
    each = split_problem(CHAIN, ONE, deadline=10.0, n_tasks=3)
    np.testing.assert_array_equal(each.feasible, [False, False, True, True])
    total = split_problem(CHAIN, ONE, deadline=30.0, n_tasks=3, latency="total")
    np.testing.assert_array_equal(total.feasible, each.feasible)
    assert total.limit_names == ("latency",)


# ---------------------------------------------------------------- networks with branches


def test_residual_tensors_of_resnet34():
    """Clean cuts at 7 and 13; a whole map more at 20; at 8 the smaller of input and projection."""
    extra = residual_bytes(networks.load("resnet34")) / 4
    assert (extra[[0, 1, 7, 13, 33, 34]] == 0).all()
    assert extra[20] == 50_176
    assert extra[8] == 100_352
    assert (extra[1::2] == 0).all(), "odd positions are ends of blocks"


def test_branches_are_kept_but_not_sent():
    """Projections add memory and work at 8, 16, 28; what is sent stays the map of the chain."""
    graph, platform = networks.load("resnet34"), pool(Server(speed=8e10))
    drop, add = (split_table(graph, platform, side=side) for side in ("drop", "add"))
    np.testing.assert_array_equal(add.sent, drop.sent)
    np.testing.assert_array_equal(np.flatnonzero(np.diff(add.work - drop.work)), [7, 15, 27])
    skip = split_table(graph, platform, skip=True)
    np.testing.assert_array_equal(skip.sent - drop.sent, residual_bytes(graph))
    assert skip.sent[20] == 2 * drop.sent[20]


def test_a_chain_has_no_residual_tensors():
    """``skip`` changes nothing there."""
    graph = networks.load("vgg16")
    assert graph.is_chain
    platform = pool(Server(speed=8e10))
    np.testing.assert_array_equal(
        split_table(graph, platform, skip=True).sent, split_table(graph, platform).sent
    )


# ---------------------------------------------------------------- problems


@pytest.mark.parametrize(
    ("aim", "value"),
    [
        ("depth", [0, 1, 2, 3]),
        ("work", [0, 1e-9, 3e-9, 6e-9]),
        ("delay", [-20.5, -12 - 11 / 12, -9.75, -7]),
        ("energy", [0, -0.5, -1.5, -3]),
        ("upload", [-20e-6, -12e-6, -8e-6, -4e-6]),
    ],
)
def test_aims(aim, value):
    """What is maximised, in GMAC, s, J and MB."""
    problem = split_problem(CHAIN, pool(Server(speed=4.0, power=1.0)), aim=aim)
    assert isinstance(problem, SplitProblem)
    np.testing.assert_allclose(problem.value, value)
    assert problem.feasible.all(), "no limit is finite"
    assert problem.name == "three"


def test_weighted_aim():
    """Each part over its largest value, times its weight."""
    platform = pool(Server(speed=4.0, power=1.0))
    weights = {"delay": 2.0, "energy": 1.0, "upload": 0.0}
    problem = split_problem(CHAIN, platform, aim="weighted", weights=weights, name="mixed")
    expected = -2 * np.array([20.5, 12 + 11 / 12, 9.75, 7]) / 20.5 - np.array([0, 0.5, 1.5, 3]) / 3
    np.testing.assert_allclose(problem.value, expected)
    assert problem.name == "mixed"


def test_limits_stand_in_order_and_equal_energy_rows_once():
    """Memory, latency, energy (one row for equal nodes), stability."""
    node = Server(speed=4.0, power=1.0, memory=1e3, energy=5.0)
    other = Server(speed=4.0, power=2.0, memory=1e3, energy=5.0, name="hot")
    options = {"deadline": 1e3, "arrival_rate": 0.1}
    same = split_problem(CHAIN, pool(node, node), **options)
    assert same.limit_names == ("memory", "latency", "energy", "stability")
    mixed = split_problem(CHAIN, pool(node, node, other), **options)
    assert mixed.limit_names[2:4] == ("energy of node 0", "energy of hot")
    np.testing.assert_allclose(mixed.limits, [8e-4, 1e3, 5, 5, 1])
    twins = split_problem(CHAIN, pool(other, dataclasses.replace(other, energy=6.0)))
    assert twins.limit_names == ("memory", "energy of node 0", "energy of node 1")


def test_example_p_d():
    """ResNet-34 with 18.9 MB: 13; LP 13.674618 from positions 0 and 15, 0.904406 per MB."""
    platform = pool(Server(speed=8e10, memory=18.9e6))
    problem = split_problem(resnet34(), platform)
    assert -problem.position_costs.min() == 13
    report = problem.relaxation()
    assert report.value == pytest.approx(13.674618, abs=5e-6)
    assert report.y[[0, 15]] == pytest.approx([0.0883588, 0.9116412], abs=1e-6)
    minimum = problem.minimise_dual()
    assert minimum.theta == pytest.approx(13.674618, abs=5e-7)
    assert minimum.alpha == pytest.approx([0.904406], abs=5e-7)
    assert problem.hull_positions("memory") == (0, *range(15, 29), 34)
    work = split_problem(resnet34(), platform, aim="work")
    assert work.minimise_dual().theta == pytest.approx(1.530361, abs=5e-7)
    assert -work.position_costs.min() == pytest.approx(1.447477, abs=5e-7)


def test_table_frame_has_a_row_a_position():
    """Units stand in the names of the columns."""
    frame = split_table(CHAIN, ONE).frame()
    assert len(frame) == 4
    assert frame["latency (s)"].iloc[3] == 7
    assert frame["work (GMAC)"].iloc[3] == 6e-9


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"waiting": "mm2"}, "waiting must be one of mmc, mm1, literal"),
        ({"sharing": "fair"}, "sharing must be one of"),
        ({"last": "all"}, "last must be one of"),
        ({"latency": "sum"}, "latency must be one of"),
        ({"usable_memory": 1.2}, r"usable_memory must be in \(0, 1\]"),
        ({"deadline": 0.0}, "deadline must be in"),
        ({"n_tasks": math.inf}, "n_tasks must be in"),
        ({"weight_bytes": 0.0}, "weight_bytes must be in"),
        ({"arrival_rate": -1.0}, "arrival_rate must be finite and at least 0"),
        ({"sent_bytes": [1, 2]}, "sent_bytes must hold 4 finite numbers"),
        ({"sent_bytes": [1, 2, 3, -1]}, "sent_bytes must hold 4"),
        ({"samples": [0.0]}, "samples"),
        ({"aim": "profit"}, "aim must be depth"),
        ({"weights": {"delay": 1.0}}, "weights go with aim 'weighted'"),
        ({"aim": "weighted"}, "weights go with aim 'weighted'"),
        ({"aim": "weighted", "weights": {"memory": 1.0}}, "weights: delay, energy, upload"),
    ],
)
def test_wrong_options_are_refused(options, words):
    """The sentence names the option and what it may be."""
    with pytest.raises(ValueError, match=words):
        split_problem(CHAIN, ONE, **options)


def test_platform_and_network_must_fit():
    """One cloud above the nodes; layer 0 an input; dynamic energy needs a speed."""
    with pytest.raises(ValueError, match="one cloud"):
        split_table(CHAIN, Platform((Server(speed=1.0),), [[0.0]]))
    clouds = (Server(speed=1.0), Server(speed=1.0, tier=1), Server(speed=1.0, tier=1))
    with pytest.raises(ValueError, match="one cloud"):
        split_table(CHAIN, Platform(clouds, np.ones((3, 3))))
    with pytest.raises(ValueError, match="layer 0"):
        split_table(CHAIN.replace(flops=[1, 2, 4, 6]), ONE)
    measured = networks.load("alexnet", "linbin403")
    line = Platform.line([Server(clock_ghz=1.0, dynamic=1.0), Server(clock_ghz=3.0)], [1e6])
    with pytest.raises(ValueError, match="give it by its speed"):
        split_table(measured, line)


def test_measured_networks_work_too():
    """Servers by their clock: seconds are cycles over the clock; weights count in the memory."""
    measured = networks.load("alexnet", "linbin403")
    line = Platform.line([Server(clock_ghz=1.0), Server(clock_ghz=3.0)], [1e6])
    table = split_table(measured, line)
    assert table.execution[0, -1] == pytest.approx(measured.work_gcycles[1:].sum())
    assert table.cloud[0] == pytest.approx(table.execution[0, -1] / 3)
    held = 4 * measured.parameters + measured.output_bytes
    assert table.memory.tolist() == pytest.approx((np.cumsum(held) - held[0]).tolist())
