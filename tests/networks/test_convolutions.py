"""Layer shapes: the corrected formulas, every number of ResNet-34, and the roofline."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optedge import networks, plots
from optedge.networks.convolutions import Convolution, chain
from optedge.papers.cloud_edge import resnet34
from optedge.platforms import Server

# cloud_edge.md 3.1: layers, MAC each, weights each, map each.
LAYERS = [
    ((1, 1), 118_013_952, 9_408, 802_816),
    ((2, 7), 115_605_504, 36_864, 200_704),
    ((8, 8), 57_802_752, 73_728, 100_352),
    ((9, 15), 115_605_504, 147_456, 100_352),
    ((16, 16), 57_802_752, 294_912, 50_176),
    ((17, 27), 115_605_504, 589_824, 50_176),
    ((28, 28), 57_802_752, 1_179_648, 25_088),
    ((29, 33), 115_605_504, 2_359_296, 25_088),
    ((34, 34), 512_000, 512_000, 1000),
]
# Position, MAC, weights and map elements up to it, float32 MB.
SUMS = [
    (1, 118_013_952, 9_408, 802_816, 3.249),
    (7, 811_646_976, 230_592, 2_007_040, 8.951),
    (8, 869_449_728, 304_320, 2_107_392, 9.647),
    (13, 1_447_477_248, 1_041_600, 2_609_152, 14.603),
    (14, 1_563_082_752, 1_189_056, 2_709_504, 15.594),
    (20, 2_198_913_024, 3_990_720, 3_060_736, 28.206),
    (21, 2_314_518_528, 4_580_544, 3_110_912, 30.766),
    (27, 3_008_151_552, 8_119_488, 3_411_968, 46.126),
    (33, 3_643_981_824, 21_095_616, 3_562_496, 98.632),
    (34, 3_644_493_824, 21_607_616, 3_563_496, 100.684),
]


def test_first_layer_of_resnet34_by_hand():
    """(224 - 7 + 6)/2 + 1 = 112.5 is rounded down; the padding is 3."""
    conv1 = Convolution(7, 3, 64, 224, stride=2, padding=3)
    assert conv1.size == 112
    assert conv1.weights == 7 * 7 * 3 * 64 == 9408
    assert conv1.mac == 112**2 * 9408
    assert conv1.elements == 802_816
    assert conv1.elements_in == 150_528


def test_fully_connected_is_a_convolution_of_one_pixel():
    """512 inputs to 10 classes: 5120 weights, used once each."""
    fc = Convolution.fully_connected(512, 10)
    assert (fc.size, fc.mac, fc.weights, fc.elements) == (1, 5120, 5120, 10)


@given(
    kernel=st.integers(1, 7),
    size=st.integers(1, 40),
    stride=st.integers(1, 4),
    padding=st.integers(0, 3),
)
def test_size_is_the_number_of_places_of_the_kernel(kernel, size, stride, padding):
    """Eq. (8) with the floor counts the places from 0 on, a stride apart, that fit."""
    if kernel > size + 2 * padding:
        with pytest.raises(ValueError, match="exceeds the padded input"):
            Convolution(kernel, 1, 1, size, stride, padding)
        return
    places = range(0, size + 2 * padding - kernel + 1, stride)
    assert Convolution(kernel, 1, 1, size, stride, padding).size == len(places)


@pytest.mark.parametrize(
    ("field", "value"),
    [("kernel", 0), ("channels_in", -1), ("size_in", 2.5), ("stride", True), ("padding", -1)],
)
def test_shapes_that_are_none_are_refused(field, value):
    """The sentence names the field."""
    shape = {"kernel": 3, "channels_in": 1, "channels_out": 1, "size_in": 8, field: value}
    with pytest.raises(ValueError, match=f"^{field} must be an integer"):
        Convolution(**shape)


def test_numpy_integers_are_integers():
    """Shapes may come out of arrays; they are kept as plain integers."""
    layer = Convolution(np.int64(3), 1, 2, np.int32(8), padding=1)
    assert layer == Convolution(3, 1, 2, 8, padding=1)
    assert type(layer.kernel) is int


# ---------------------------------------------------------------- chains


def test_chain_has_an_input_and_doubles_the_macs():
    """FLOP = 2 MAC; byte = bytes_per_element x map; layer 0 is the input tensor."""
    layers = [Convolution(3, 1, 2, 8, padding=1), Convolution.fully_connected(32, 5)]
    graph = chain(layers, bytes_per_element=2, name="tiny")  # a pool of 2 x 2 between the two
    assert graph.is_chain
    assert graph.types == ("input", "conv", "fc")
    np.testing.assert_array_equal(graph.flops, [0, 2 * 64 * 18, 2 * 160])
    np.testing.assert_array_equal(graph.parameters, [0, 18, 160])
    np.testing.assert_array_equal(graph.output_bytes, [2 * 64, 2 * 128, 2 * 5])


def test_layers_beside_the_chain_are_added():
    """A projection adds work and weights at its layer, its map only if asked for."""
    layers = [Convolution(3, 4, 8, 8, stride=2, padding=1)]
    beside = {1: [Convolution(1, 4, 8, 8, stride=2)]}
    plain, added, kept = (
        chain(layers),
        chain(layers, beside=beside),
        chain(layers, beside=beside, beside_maps=False),
    )
    assert added.flops[1] - plain.flops[1] == 2 * 16 * 32
    assert added.parameters[1] - plain.parameters[1] == 32
    assert added.output_bytes[1] == 2 * plain.output_bytes[1]
    np.testing.assert_array_equal(kept.output_bytes, plain.output_bytes)
    np.testing.assert_array_equal(kept.flops, added.flops)


@pytest.mark.parametrize(
    ("layers", "options", "words"),
    [
        ([], {}, "at least one layer"),
        ([Convolution(1, 1, 1, 4), Convolution(1, 2, 1, 4)], {}, "layer 2 reads 32 numbers"),
        ([Convolution(1, 1, 1)], {"beside": {2: []}}, "beside: there is no layer 2"),
        ([Convolution(1, 1, 1)], {"bytes_per_element": 0}, "bytes_per_element must be positive"),
        ([Convolution(1, 1, 1)], {"names": ("a", "b")}, "names must hold 2 strings"),
    ],
)
def test_chains_that_are_none_are_refused(layers, options, words):
    """The sentence names what does not fit."""
    with pytest.raises(ValueError, match=words):
        chain(layers, **options)


# ---------------------------------------------------------------- ResNet-34


@pytest.mark.parametrize(("span", "mac", "weights", "elements"), LAYERS)
def test_each_layer_of_resnet34(span, mac, weights, elements):
    """Every row of the first table of the specification."""
    graph = resnet34()
    for j in range(span[0], span[1] + 1):
        assert graph.flops[j] == 2 * mac
        assert graph.parameters[j] == weights
        assert graph.output_bytes[j] == 4 * elements


@pytest.mark.parametrize(("j", "mac", "weights", "elements", "megabyte"), SUMS)
def test_sums_of_resnet34(j, mac, weights, elements, megabyte):
    """Every row of the second table; the input tensor is not counted."""
    graph = resnet34()
    assert graph.flops[: j + 1].sum() == 2 * mac
    assert graph.parameters[: j + 1].sum() == weights
    assert graph.output_bytes[1 : j + 1].sum() == 4 * elements
    assert 4e-6 * (weights + elements) == pytest.approx(megabyte, abs=5e-4)


def test_resnet34_with_ten_classes_and_projections():
    """5120 weights for 10 classes; projections: 3.6638 GMAC, 21 779 648 weights."""
    small = resnet34(classes=10)
    assert small.flops[34] == 2 * 5120
    assert small.parameters[34] == 5120
    assert small.output_bytes[34] == 40
    plain, full = resnet34(), resnet34(projection=True)
    at = [8, 16, 28]
    np.testing.assert_array_equal((full.parameters - plain.parameters)[at], [8192, 32768, 131072])
    np.testing.assert_array_equal((full.flops - plain.flops)[at], [2 * 6_422_528] * 3)
    np.testing.assert_array_equal(full.output_bytes[at], 2 * plain.output_bytes[at])
    assert full.flops.sum() / 2e9 == pytest.approx(3.6638, abs=5e-5)
    assert full.parameters.sum() == 21_779_648
    without = resnet34(projection=True, maps=False)
    np.testing.assert_array_equal(without.output_bytes, plain.output_bytes)


@pytest.mark.parametrize("projection", [False, True])
def test_resnet34_agrees_with_the_zoo(projection):
    """MACs, maps and names are those of the stored network; it also counts norms and the bias."""
    ours = resnet34(projection=projection)
    zoo = networks.load("resnet34").weighted_chain("add" if projection else "drop")
    np.testing.assert_array_equal(ours.flops, zoo.flops)
    np.testing.assert_array_equal(ours.output_bytes, zoo.output_bytes)
    assert ours.names == zoo.names
    channels = np.array([64] * 7 + [128] * 8 + [256] * 12 + [512] * 6)
    norms = np.concatenate([[0], 2 * channels, [1000]])
    if projection:
        norms[[8, 16, 28]] *= 2
    np.testing.assert_array_equal(ours.parameters + norms, zoo.parameters)


# ---------------------------------------------------------------- the roofline


def test_roofline_stands_on_the_roof():
    """Slope = byte/s left of the ridge 1.19e9/2.74e8, flat at the speed right of it."""
    graph = networks.load("googlenet")
    server = Server(speed=1.19e9, streaming=2.74e8, name="Raspberry Pi")
    ax = plots.roofline(graph, server)
    points = np.vstack([np.asarray(dots.get_offsets()) for dots in ax.collections])
    assert len(points) == (graph.flops > 0).sum()
    np.testing.assert_allclose(points[:, 1], np.minimum(1.19e9, 2.74e8 * points[:, 0]))
    assert graph.types[-1] == "fc"
    traffic = 4 * graph.parameters[-1] + graph.output_bytes[-1] + 4 * 1024
    assert np.isclose(points[:, 0], graph.flops[-1] / traffic).any()
    assert any("4.34 FLOP/byte" in text.get_text() for text in ax.get_legend().get_texts())
    assert "FLOP/byte" in ax.get_xlabel() and "FLOP/s" in ax.get_ylabel()
    plt.close("all")


@pytest.mark.parametrize("server", [Server(clock_ghz=1.0), Server(speed=1e9)])
def test_roofline_needs_both_rates(server):
    """A server without a speed, or with an unlimited memory, has no ridge."""
    with pytest.raises(ValueError, match="finite speed and streaming"):
        plots.roofline(networks.load("resnet18"), server)
