"""The networks that ship with the package, against their published totals."""

import networkx as nx
import numpy as np
import pytest

from optedge import networks

# Section 6 of the specification: N, edges, cut vertices, input side, GFLOP of multiply-adds, of
# all layers, parameters.
ZOO = {
    "alexnet": (11, 11, 12, 224, 1.4284, 1.4292, 61_100_840),
    "alexnet_parallel": (25, 32, 2, 227, 1.4488, 1.4561, 60_965_224),
    "tiny_yolo": (15, 15, 16, 416, 6.9710, 6.9768, 15_861_773),
    "darknet19": (25, 25, 26, 224, 5.5820, 5.5851, 20_842_376),
    "resnet18": (31, 39, 13, 224, 3.6281, 3.6307, 11_689_512),
    "resnet34": (55, 71, 21, 224, 7.3275, 7.3307, 21_797_672),
    "resnet101": (140, 173, 38, 224, 15.6028, 15.6136, 44_549_160),
    "vgg16": (21, 21, 22, 224, 30.9405, 30.9467, 138_357_544),
    "vgg19": (24, 24, 25, 224, 39.2641, 39.2702, 143_667_240),
    "googlenet": (83, 110, 21, 224, 3.1653, 3.1886, 6_998_552),
    "mobilenet_v2": (64, 74, 35, 224, 0.6015, 0.6018, 3_504_872),
}
# README of the data set: layers, edges, clock, seconds, Gcycles, output; and the weights.
LINBIN403 = {
    "alexnet": (11, 10, 3.2, 2.154, 6.8928, 3.14, 62_378_344),
    "vgg19": (24, 23, 3.2, 0.860, 2.752, 73.9, 143_667_240),
    "googlenet": (83, 109, 2.9, 0.086936855, 0.252117, 50.9953, 6_998_552),
    "resnet101": (136, 168, 2.9, 0.387246768, 1.123016, 178.031067, 44_549_160),
}


def test_names():
    """Eleven networks and four measured ones, in alphabetical order."""
    assert networks.list_networks() == sorted(ZOO)
    assert networks.list_networks("linbin403") == sorted(LINBIN403)


@pytest.mark.parametrize("name", ZOO)
def test_totals(name):
    """Layers, edges, cut vertices, work, parameters and input, as the table has them."""
    g = networks.load(name)
    n, edges, cuts, side, products, everything, parameters = ZOO[name]
    assert g.name == name
    assert (g.n_layers - 1, g.n_edges, len(g.cut_vertices)) == (n, edges, cuts)
    multiplies = np.isin(g.types, ["conv", "dwconv", "fc"])
    assert round(g.flops[multiplies].sum() / 1e9, 4) == products
    assert round(g.flops.sum() / 1e9, 4) == everything
    assert g.parameters.sum() == parameters
    assert g.output_bytes[0] == 4 * 3 * side * side
    assert (g.types[0], g.flops[0], g.parameters[0]) == ("input", 0, 0)
    assert g.seconds is None
    assert g.is_chain == (edges == n and cuts == n + 1)


@pytest.mark.parametrize("name", ZOO)
def test_cut_vertices_by_networkx(name):
    """The cut vertices are the dominators of the last layer."""
    g = networks.load(name)
    rows = nx.DiGraph((v, w) for v, row in enumerate(g.successors) for w in row)
    idom, v = nx.immediate_dominators(rows, 0), g.n_layers - 1
    found = {0, v}
    while v != 0:
        v = idom[v]
        found.add(v)
    assert g.cut_vertices == tuple(sorted(found))
    assert [v for v in rows if rows.out_degree(v) == 0] == [g.n_layers - 1]


@pytest.mark.parametrize("name", LINBIN403)
@pytest.mark.parametrize(("unit", "factor"), [("MB", 1e6), ("Mb", 1e6 / 8)])
def test_measured(name, unit, factor):
    """Sums of the README in both readings of the sizes; the input goes before the first layer."""
    g = networks.load(name, "linbin403", data_unit=unit)
    n, edges, clock, seconds, cycles, output, parameters = LINBIN403[name]
    assert (g.n_layers, g.n_edges) == (n + 1, edges + 1)
    assert g.clock_ghz == clock
    assert g.seconds.sum() == pytest.approx(seconds, rel=1e-8)
    assert g.work_gcycles.sum() == pytest.approx(cycles, rel=1e-6)
    assert g.output_bytes[1:].sum() == pytest.approx(factor * output, rel=1e-6)
    assert g.output_bytes[0] == pytest.approx(0.6 * factor)
    assert (g.types[0], g.seconds[0], g.successors[0]) == ("input", 0, (1,))
    assert not g.flops.any()
    assert g.parameters.sum() == parameters
    assert g.is_chain == (name in ("alexnet", "vgg19"))


# Three single blocks by hand: a bias, or scale and shift of a norm, for every output channel.
BLOCKS = {
    ("googlenet", "inception_conv_3a"): {
        "1/1x1_s1": 192 * 64 + 64,
        "2/1x1_s1": 192 * 96 + 96,
        "2/3x3_s1": 9 * 96 * 128 + 128,
        "3/1x1_s1": 192 * 16 + 16,
        "3/5x5_s1": 25 * 16 * 32 + 32,
        "4/1x1_s1": 192 * 32 + 32,
    },
    ("resnet101", "res3a_branch"): {
        "1": 256 * 512 + 2 * 512,
        "2a": 256 * 128 + 2 * 128,
        "2b": 9 * 128 * 128 + 2 * 128,
        "2c": 128 * 512 + 2 * 512,
    },
    ("resnet101", "res4q_branch"): {
        "1": 0,
        "2a": 1024 * 256 + 2 * 256,
        "2b": 9 * 256 * 256 + 2 * 256,
        "2c": 256 * 1024 + 2 * 1024,
    },
}


@pytest.mark.parametrize(("name", "block"), BLOCKS)
def test_weights_of_single_blocks(name, block):
    """The two tables of a network number layers differently: three blocks counted by hand."""
    g = networks.load(name, "linbin403")
    found = {
        label.removeprefix(block): weights
        for label, weights in zip(g.names, g.parameters.tolist(), strict=True)
        if label.startswith(block)
    }
    assert found == BLOCKS[name, block]


def test_weights_of_modules_and_stages():
    """GoogLeNet has the weights of the zoo between cut vertices, ResNet-101 in each stage.

    ResNet-101 is cut before an addition in one table and after it in the other.
    """
    ours, zoo = (networks.load("googlenet", s).contracted() for s in ("linbin403", "zoo"))
    assert ours.parameters.tolist() == zoo.parameters.tolist()
    ours, zoo = (networks.load("resnet101", s) for s in ("linbin403", "zoo"))
    for stage in ("res2", "res3", "res4", "res5"):
        here, there = (
            sum(n for label, n in zip(g.names, g.parameters, strict=True) if stage in label)
            for g in (ours, zoo)
        )
        assert here == there > 0


def test_weights_of_published_tables():
    """Sizes in MiB are whole numbers of weights: convolutions and layers by hand, no norm rows."""
    alexnet = networks.load("alexnet", "linbin403").parameters
    assert alexnet[:4].tolist() == [0, 11 * 11 * 3 * 96 + 96, 0, 25 * 96 * 256 + 256]
    assert alexnet[-1] == 4096 * 1000 + 1000
    vgg, computed = (networks.load("vgg19", s).parameters for s in ("linbin403", "zoo"))
    assert vgg.tolist() == computed.tolist()


def test_measured_corrections():
    """The repaired edges of the data set: module 4b of GoogLeNet, three typos of ResNet-101."""
    googlenet = networks.load("googlenet", "linbin403").successors
    assert googlenet[32] == (33, 34, 36, 38)
    assert [googlenet[v] for v in range(33, 40)] == [
        (40,),
        (35,),
        (40,),
        (37,),
        (40,),
        (39,),
        (40,),
    ]
    resnet = networks.load("resnet101", "linbin403").successors
    assert (resnet[84], resnet[97], resnet[104]) == ((85,), (98,), (105,))
    assert resnet[3] == (4, 7)
    assert resnet[131] == (132, 135)


@pytest.mark.parametrize("name", LINBIN403)
@pytest.mark.parametrize("size", [0, 0.15, 3])
def test_input_size(name, size):
    """The input that the data set does not tell is an option, in the unit of the sizes."""
    g = networks.load(name, "linbin403", input_size=size, data_unit="Mb")
    assert g.output_bytes[0] == pytest.approx(size * 1e6 / 8)
    assert g.output_bytes[1] == networks.load(name, "linbin403", data_unit="Mb").output_bytes[1]


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("lenet",), {}, "zoo has no network 'lenet'; it has alexnet, alexnet_parallel"),
        (("resnet18", "linbin403"), {}, "linbin403 has no network 'resnet18'; it has alexnet"),
        (("../dnn/alexnet",), {}, "zoo has no network"),
        (("",), {}, "zoo has no network ''"),
        (("alexnet", "keras"), {}, "no source 'keras'; the sources are zoo, linbin403"),
        (("alexnet", "linbin403"), {"data_unit": "GB"}, "data_unit must be 'MB' or 'Mb', got 'GB'"),
        (("alexnet", "linbin403"), {"input_size": -1}, r"output_bytes\[0\] \(input\) must be"),
        (("alexnet", "linbin403"), {"input_size": np.nan}, r"output_bytes\[0\]"),
    ],
)
def test_unknown_things(arguments, options, words):
    """An unknown network, source or unit is refused with the choices."""
    with pytest.raises(ValueError, match=words):
        networks.load(*arguments, **options)
    if arguments[-1] == "keras":
        with pytest.raises(ValueError, match=words):
            networks.list_networks("keras")


@pytest.mark.parametrize(
    ("source", "option", "words"),
    [
        ("zoo", "data_unit", "source 'zoo' has no option 'data_unit'"),
        ("zoo", "input_size", "source 'zoo' has no option 'input_size'"),
        ("linbin403", "bits", r"load\(\) got an unexpected keyword argument 'bits'"),
    ],
)
def test_unknown_options(source, option, words):
    """An option that a source does not have is named."""
    with pytest.raises(TypeError, match=words):
        networks.load("alexnet", source, **{option: "MB"})


def test_loaded_twice():
    """What is loaded twice is equal and cannot be changed in between."""
    first = networks.load("vgg16")
    with pytest.raises(ValueError, match="read-only"):
        first.flops[1] = 0
    assert networks.load("vgg16").flops.tolist() == first.flops.tolist()
