"""Layer graphs and their structure: checks, cut vertices, contraction, merging, weighted chains."""

import itertools

import networkx as nx
import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from optedge import networks
from optedge.networks import LayerGraph, dag

DIAMOND = ((1,), (2, 3), (4,), (4,), ())


def graph(successors=DIAMOND, **fields):
    """Return a network of layers that all have work 1, 2, ..."""
    n = len(successors)
    sizes = np.arange(1.0, n + 1)
    given = {"flops": sizes, "parameters": 10 * sizes, "output_bytes": 100 * sizes}
    return LayerGraph(successors, **(given | fields))


@st.composite
def successors(draw, max_layers=9):
    """Draw a graph with one source, in topological order."""
    n = draw(st.integers(1, max_layers))
    rows = [set() for _ in range(n)]
    for w in range(1, n):
        for v in draw(st.sets(st.integers(0, w - 1), min_size=1, max_size=3)):
            rows[v].add(w)
    return tuple(tuple(sorted(row)) for row in rows)


def as_networkx(rows):
    """Return the graph for networkx, every end joined to one that costs nothing."""
    g = nx.DiGraph()
    g.add_nodes_from(range(len(rows)))
    g.add_edges_from((v, w) for v, row in enumerate(rows) for w in row)
    g.add_edges_from((v, "end") for v, row in enumerate(rows) if not row)
    return g


def dominators(rows):
    """Return the layers on every path from the input to the end, by networkx."""
    g = as_networkx(rows)
    idom = nx.immediate_dominators(g, 0)
    found, v = [], idom["end"]
    while v != 0:
        found.append(v)
        v = idom[v]
    return tuple(sorted({0, *found}))


# ---------------------------------------------------------------- construction


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"flops": [1.0]}, r"flops must have shape \(5,\), got \(1,\)"),
        ({"flops": [[1.0] * 5]}, r"flops must have shape \(5,\)"),
        ({"flops": ["a"] * 5}, "flops must be an array of numbers"),
        ({"parameters": [1, 1, -1, 1, 1]}, r"parameters\[2\] \(layer 2\) must be .* got -1"),
        ({"output_bytes": [1, np.nan, 1, 1, 1]}, r"output_bytes\[1\] .* got nan"),
        ({"seconds": [1, 1, 1, np.inf, 1]}, r"seconds\[3\] .* must be finite"),
        ({"seconds": [1, 1]}, r"seconds must have shape \(5,\)"),
        ({"names": ("a", "b")}, "names must hold 5 strings, got 2"),
        ({"types": ("a",) * 6}, "types must hold 5 strings, got 6"),
        ({"clock_ghz": 0.0}, "clock_ghz must be positive, got 0"),
        ({"clock_ghz": -2.9}, "clock_ghz must be positive"),
        ({"clock_ghz": np.nan}, "clock_ghz must be positive"),
        ({"clock_ghz": np.inf}, "clock_ghz must be positive"),
        ({"successors": [[1], [0], [], [], []]}, "a cycle, 0 -> 1 -> 0"),
        ({"successors": [[1], [2], [3], [4], [2]]}, "a cycle, 2 -> 3 -> 4 -> 2"),
        ({"successors": [[1], [1], [3], [4], []]}, "a cycle, 1 -> 1"),
        ({"successors": [[2], [2], [3], [4], []]}, "layer 0 .* and layer 1 .* no predecessor"),
        ({"successors": [[], [], [], [], []]}, "have no predecessor"),
        ({"successors": [[1], [2], [3], [9], []]}, r"layer 3 .*: there is no layer 9"),
        ({"successors": [[1], [2], [3], [-4], []]}, "there is no layer -4"),
        ({"successors": [[1], [2], [3], [4.0], []]}, r"layer 3: 4\.0 is no layer number"),
        ({"successors": [[1], [2], [3], [None], []]}, "layer 3: None is no layer number"),
        ({"successors": [[1], [2], [3, 3], [4], []]}, "layer 2 .*: a layer is named twice"),
        ({"successors": [[2], [3], [1], [4], []]}, r"larger number.*such as 0, 2, 1, 3, 4"),
    ],
)
def test_bad_input_is_refused(fields, words):
    """The sentence names the layer and the field that is wrong."""
    with pytest.raises(ValueError, match=words):
        graph(**fields)


def test_names_of_layers_stand_in_messages():
    """Where layers have names they are told beside the number."""
    with pytest.raises(ValueError, match=r"flops\[1\] \(conv1\) must be finite"):
        graph([[1], []], flops=[0, -1], names=("data", "conv1"))
    with pytest.raises(ValueError, match=r"layer 0 \(data\) and layer 1 \(conv1\) have no"):
        graph([[], []], names=("data", "conv1"))


@pytest.mark.parametrize("field", ["flops", "parameters", "output_bytes"])
def test_only_seconds_may_be_missing(field):
    """None is allowed for seconds alone."""
    with pytest.raises(ValueError, match=field):
        graph(**{field: None})


def test_empty_network():
    """A network has a layer."""
    with pytest.raises(ValueError, match="at least one layer"):
        LayerGraph([], [], [], [])


def test_defaults_and_totals():
    """Layers are numbered where they have no names; counts and totals stand in the repr."""
    g = graph(name="diamond")
    assert (g.n_layers, g.n_edges, g.is_chain) == (5, 5, False)
    assert g.names == ("layer 0", "layer 1", "layer 2", "layer 3", "layer 4")
    assert g.types == ("",) * 5
    assert g.predecessors == ((), (0,), (1,), (1,), (2, 3))
    assert repr(g) == "LayerGraph('diamond': 5 layers, 5 edges, 1.5e-08 GFLOP, 150 parameters)"
    assert graph([[1], [2], []]).is_chain
    assert graph([[]]).is_chain


def test_arrays_are_copied_and_frozen():
    """Nobody changes a network later; replace makes another one, checked again."""
    work = np.ones(5)
    g = graph(flops=work)
    work[0] = 7
    assert g.flops[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        g.flops[0] = 2
    assert g.replace(flops=2 * g.flops).flops.sum() == 10
    with pytest.raises(ValueError, match="flops must have shape"):
        g.replace(flops=[1, 2])


def test_work_in_cycles():
    """Measured seconds times the clock; without one of both there is no such thing."""
    g = graph(seconds=[0, 1, 2, 3, 4], clock_ghz=2.5)
    assert g.work_gcycles.tolist() == [0, 2.5, 5, 7.5, 10]
    for other in (g.replace(clock_ghz=None), g.replace(seconds=None)):
        with pytest.raises(ValueError, match="no measured seconds with a clock"):
            _ = other.work_gcycles


# ---------------------------------------------------------------- structure


@given(successors())
@examples(300)
def test_cut_vertices_are_dominators(rows):
    """A layer is a cut vertex exactly if it is on every path from the input to the end."""
    assert dag.cut_vertices(rows) == dominators(rows)


@given(successors(max_layers=7))
@examples(60)
def test_cut_vertices_by_all_paths(rows):
    """The same by listing the paths."""
    g = as_networkx(rows)
    on_all = set.intersection(*(set(path) for path in nx.all_simple_paths(g, 0, "end")))
    assert set(dag.cut_vertices(rows)) == on_all - {"end"}


@pytest.mark.parametrize(
    ("rows", "cuts"),
    [
        (DIAMOND, (0, 1, 4)),
        ([[]], (0,)),
        ([[1], [2], []], (0, 1, 2)),
        ([[1, 2], [2], []], (0, 2)),
        ([[1], [2, 3], [], []], (0, 1)),
        ([[1], [2], [3, 4], [4], []], (0, 1, 2, 4)),
        ([[1, 4], [2], [3], [4], []], (0, 4)),
        ([[1, 2, 3], [], [], []], (0,)),
    ],
)
def test_cut_vertices_by_hand(rows, cuts):
    """Chains, branches, skip edges, and several ends."""
    assert graph(rows).cut_vertices == cuts


@given(successors(max_layers=7), st.integers(1, 3))
@examples(60)
def test_monotone_assignments(rows, values):
    """Every assignment that never falls along an edge comes once; nothing else does."""
    listed = [tuple(x) for x in dag.monotone_assignments(rows, values)]
    every = itertools.product(range(values), repeat=len(rows))
    wanted = {
        x
        for x in every
        if x[0] == 0 and all(x[v] <= x[w] for v, row in enumerate(rows) for w in row)
    }
    assert len(listed) == len(set(listed))
    assert set(listed) == wanted


@given(successors(), st.randoms(use_true_random=False))
@examples(60)
def test_sorted_order(rows, random):
    """Any numbering is brought into a topological order, small numbers first where it is open."""
    names = list(range(len(rows)))
    random.shuffle(names)
    mixed = {names[v]: [names[w] for w in row] for v, row in enumerate(rows)}
    order = dag.sorted_order(mixed)
    assert sorted(order) == sorted(names)
    assert all(order.index(v) < order.index(w) for v, row in mixed.items() for w in row)
    g = nx.DiGraph((v, w) for v, row in mixed.items() for w in row)
    g.add_nodes_from(mixed)
    assert order == list(nx.lexicographical_topological_sort(g))


def test_sorted_order_of_a_cycle():
    """The sentence lists the cycle."""
    with pytest.raises(ValueError, match="a cycle, 7 -> 9 -> 7"):
        dag.sorted_order({7: [9], 9: [7], 1: []})


# ---------------------------------------------------------------- merging


def test_merged_by_hand():
    """Sums of work, weights and seconds; name, type and output of the last layer."""
    g = graph(
        seconds=[0, 1, 2, 3, 4],
        names=("in", "a", "b", "c", "d"),
        types=("input", "conv", "conv", "conv", "add"),
        name="diamond",
        clock_ghz=3.0,
    )
    h = g.merged([[4, 2, 3], [0], [1]])
    assert h.successors == ((1,), (2,), ())
    assert h.flops.tolist() == [1, 2, 3 + 4 + 5]
    assert h.parameters.tolist() == [10, 20, 120]
    assert h.seconds.tolist() == [0, 1, 9]
    assert h.output_bytes.tolist() == [100, 200, 500]
    assert (h.names, h.types) == (("in", "a", "d"), ("input", "conv", "add"))
    assert (h.name, h.clock_ghz) == ("diamond", 3.0)


def test_merged_keeps_edges_between_groups():
    """Edges between groups stay, once each; those inside vanish."""
    rows = [[1, 3], [2, 4], [3, 4], [5], [5], []]
    h = graph(rows)
    assert h.merged([[v] for v in range(6)]).successors == h.successors
    with pytest.raises(ValueError, match=r"layer 2 .* is read by layer 4 outside"):
        h.merged([[0], [1], [2, 3], [4], [5]])
    assert h.merged([[0], [1], [2], [3, 4, 5]]).successors == ((1, 3), (2, 3), (3,), ())


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([[0], [1, 2, 3]], "every layer exactly once"),
        ([[0], [1, 2, 3], [3, 4]], "every layer exactly once"),
        ([[0], [1, 2, 3], [4, 5]], "every layer exactly once"),
        ([[0], [1, 2, 3], [-1]], "every layer exactly once"),
        ([[0], [1, 2], [3], [4]], r"layer 1 \(layer 1\) is read by layer 3 outside"),
        ([[0, 4], [1], [2], [3]], r"layer 0 \(layer 0\) is read by layer 1 outside"),
        ([[0], [1], [2, 3], [4]], r"layer 2 \(layer 2\) is read by layer 4 outside"),
    ],
)
def test_merged_refuses(groups, words):
    """A layer in no group or two, or an inner layer that is read from outside."""
    with pytest.raises(ValueError, match=words):
        graph().merged(groups)


def test_merged_refuses_an_empty_group():
    """A group has a layer."""
    with pytest.raises(ValueError, match="group"):
        graph().merged([[0], [1, 2, 3], [4], []])


@given(successors())
@examples(100)
def test_contracted_is_a_chain(rows):
    """Between cut vertices lies one module; nothing is lost, and clean cuts send the same."""
    g = graph(rows)
    h = g.contracted()
    assert h.is_chain
    assert h.flops.sum() == g.flops.sum()
    assert h.parameters.sum() == g.parameters.sum()
    ends = [*g.cut_vertices, *([] if g.cut_vertices[-1] == len(rows) - 1 else [len(rows) - 1])]
    assert h.names == tuple(f"layer {v}" for v in ends)
    assert h.output_bytes.tolist() == g.output_bytes[ends].tolist()
    assert h.contracted().names == h.names


@pytest.mark.parametrize("source", ["zoo", "linbin403"])
def test_contracted_networks(source):
    """Every network becomes a chain of its cut vertices with the same totals."""
    for name in networks.list_networks(source):
        g = networks.load(name, source)
        h = g.contracted()
        assert h.is_chain
        assert h.n_layers == len(g.cut_vertices)
        assert h.flops.sum() == pytest.approx(g.flops.sum())
        if g.seconds is not None:
            assert h.work_gcycles.sum() == pytest.approx(g.work_gcycles.sum())


@pytest.mark.parametrize(("name", "units"), [("googlenet", 20), ("resnet101", 37)])
def test_contracted_units(name, units):
    """Measured GoogLeNet has 20 units and the input, ResNet-101 has 37."""
    assert networks.load(name, "linbin403").contracted().n_layers == units + 1


# ---------------------------------------------------------------- weighted chains

# Section 3.1 of the cloud-edge specification: first and last position, MAC, weights, outputs.
RESNET34 = [
    (1, 1, 118_013_952, 9_408, 802_816),
    (2, 7, 115_605_504, 36_864, 200_704),
    (8, 8, 57_802_752, 73_728, 100_352),
    (9, 15, 115_605_504, 147_456, 100_352),
    (16, 16, 57_802_752, 294_912, 50_176),
    (17, 27, 115_605_504, 589_824, 50_176),
    (28, 28, 57_802_752, 1_179_648, 25_088),
    (29, 33, 115_605_504, 2_359_296, 25_088),
    (34, 34, 512_000, 512_000, 1000),
]


def test_resnet34_has_34_weighted_layers():
    """MAC, weights (without folded bias and norm) and outputs of section 3.1, layer by layer."""
    chain = networks.load("resnet34").weighted_chain()
    assert chain.is_chain
    assert chain.n_layers == 35
    assert chain.output_bytes[0] == 4 * 3 * 224 * 224
    for first, last, mac, weights, outputs in RESNET34:
        for v in range(first, last + 1):
            assert chain.flops[v] == 2 * mac
            assert 4 * outputs == chain.output_bytes[v]
            # A bias, or scale and shift of the norm: one or two numbers a channel.
            channels = (
                1000 if v == 34 else {56: 64, 28: 128, 14: 256, 7: 512}.get(_side(outputs), 64)
            )
            assert chain.parameters[v] - weights in (channels, 2 * channels)
    assert chain.flops.sum() == 2 * 3_644_493_824


def _side(outputs):
    return {200_704: 56, 100_352: 28, 50_176: 14, 25_088: 7}.get(outputs, 112)


def test_resnet34_with_projections():
    """Adding the three shortcut convolutions at layers 8, 16 and 28 gives 3.6638 GMAC."""
    net = networks.load("resnet34")
    plain, full = net.weighted_chain(), net.weighted_chain("add")
    assert full.flops.sum() / 2e9 == pytest.approx(3.6638, abs=5e-5)
    assert np.flatnonzero(full.flops - plain.flops).tolist() == [8, 16, 28]
    assert (full.flops - plain.flops)[[8, 16, 28]].tolist() == [2 * 6_422_528] * 3
    assert full.parameters.sum() == net.parameters.sum() == 21_797_672
    assert (full.output_bytes - plain.output_bytes)[[8, 16, 28]].tolist() == [
        4 * 100_352,
        4 * 50_176,
        4 * 25_088,
    ]


@pytest.mark.parametrize(
    ("name", "layers"), [("vgg16", 16), ("vgg19", 19), ("resnet18", 18), ("resnet101", 101)]
)
def test_names_count_weighted_layers(name, layers):
    """The number in the name of a network is that of its weighted layers."""
    chain = networks.load(name).weighted_chain()
    assert chain.n_layers == layers + 1
    assert (chain.parameters[1:] > 0).all()


def test_weighted_chain_keeps_totals():
    """With ``"add"`` no weight is lost, in any network."""
    for name in networks.list_networks():
        g = networks.load(name)
        assert g.weighted_chain("add").parameters.sum() == g.parameters.sum()


def test_weighted_chain_refuses():
    """A network without weights has no such chain; sides are two words."""
    with pytest.raises(ValueError, match="has no layer with parameters"):
        graph(parameters=np.zeros(5)).weighted_chain()
    with pytest.raises(ValueError, match="side must be 'drop' or 'add', got 'keep'"):
        graph().weighted_chain("keep")
