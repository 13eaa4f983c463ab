"""ONNX: what is counted, what is refused, what is measured, and halves that equal the whole."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import run_command as run

from optedge import networks

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
runtime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
TensorProto, helper, numpy_helper = onnx.TensorProto, onnx.helper, onnx.numpy_helper

LIGHT = networks.light_models()
needs_light = pytest.mark.skipif(not LIGHT, reason="this onnx package carries no light models")
FLOAT = TensorProto.FLOAT


# --------------------------------------------------------------------------- helpers


def node(op, inputs, outputs, **attributes):
    """Return a node; tensors are words in a string, "-" is an input left out."""
    names = ["" if word == "-" else word for word in inputs.split()]
    return helper.make_node(op, names, outputs.split(), **attributes)


def build(nodes, shape, weights=None, outputs="y", *, opset=17, dtype=FLOAT, ir=8, inputs=()):
    """Return a model of the input x; weights are arrays, or shapes to be filled with ones."""
    stored = [
        numpy_helper.from_array(w if isinstance(w, np.ndarray) else np.ones(w, np.float32), name)
        for name, w in (weights or {}).items()
    ]
    graph = helper.make_graph(
        nodes,
        "built",
        [helper.make_tensor_value_info("x", dtype, shape), *inputs],
        [helper.make_empty_tensor_value_info(name) for name in outputs.split()],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
    found = onnx.shape_inference.infer_shapes(model, data_prop=True)
    del model.graph.output[:]
    model.graph.output.extend(found.graph.output)  # the checker wants declared outputs
    return model


def saved(model, folder, name="model.onnx"):
    """Write a model and return its path."""
    path = folder / name
    path.write_bytes(model.SerializeToString())
    return path


def ints(*values):
    """Return an int64 array."""
    return np.array(values, dtype=np.int64)


def normal(*shape, seed=0):
    """Return normal float32 numbers."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def assert_halves(path, cut, folder, x, **options):
    """Cut, run both halves, compare with the whole bit by bit; return what crosses."""
    front, back = folder / "front.onnx", folder / "back.onnx"
    crossing = networks.cut_onnx(path, cut, front, back, **options)
    assert crossing == tuple(o.name for o in onnx.load(front).graph.output)
    assert crossing == tuple(i.name for i in onnx.load(back).graph.input)
    assert len(set(crossing)) == len(crossing)
    whole, halves = networks.run_onnx(path, x), networks.run_halves(front, back, x)
    assert list(whole) == list(halves)
    for name, values in whole.items():
        np.testing.assert_array_equal(halves[name], values)
    return crossing


@pytest.fixture
def passing_folder(tmp_path):
    """Return a folder for large files that is removed at once."""
    yield tmp_path
    shutil.rmtree(tmp_path)


# ------------------------------------------------------------------ operators, by hand

UINT8 = TensorProto.UINT8
SCALES = {"s": np.float32(0.1), "z": np.uint8(0)}
SCALES = {name: np.array(value) for name, value in SCALES.items()}

#: name: (nodes, input shape, weights, FLOP, parameters, bytes of y, kind), more arguments of build.
CASES = {
    # 4 x 4 results a channel, 4 channels, each 3 * 3 * 3 multiply-adds
    "conv": (
        [node("Conv", "x w b", "y", pads=[1, 1, 1, 1], strides=[2, 2])],
        [1, 3, 8, 8],
        {"w": (4, 3, 3, 3), "b": (4,)},
        2 * 64 * 27,
        112,
        256,
        "conv",
    ),
    # the kernel of 3 reaches over 5: 2 x 2 results, 6 channels of 2 inputs each
    "grouped and dilated conv": (
        [node("Conv", "x w", "y", group=2, dilations=[2, 2])],
        [1, 4, 6, 6],
        {"w": (6, 2, 3, 3)},
        2 * 24 * 18,
        108,
        96,
        "conv",
    ),
    "depthwise conv": (
        [node("Conv", "x w", "y", group=4)],
        [1, 4, 5, 5],
        {"w": (4, 1, 3, 3)},
        2 * 36 * 9,
        36,
        144,
        "dwconv",
    ),
    "conv with auto_pad SAME": (
        [node("Conv", "x w", "y", auto_pad="SAME_UPPER", strides=[2, 2])],
        [1, 1, 7, 7],
        {"w": (2, 1, 3, 3)},
        2 * 32 * 9,
        18,
        128,
        "conv",
    ),
    "conv in one dimension": (
        [node("Conv", "x w", "y")],
        [2, 2, 10],
        {"w": (3, 2, 4)},
        2 * 42 * 8,
        24,
        168,
        "conv",
    ),
    "transposed conv": (
        [node("ConvTranspose", "x w", "y", strides=[2, 2])],
        [1, 2, 3, 3],
        {"w": (2, 5, 2, 2)},
        2 * 18 * 20,
        40,
        720,
        "convtranspose",
    ),
    "gemm, transB": (
        [node("Gemm", "x w b", "y", transB=1)],
        [2, 3],
        {"w": (5, 3), "b": (5,)},
        2 * 2 * 3 * 5,
        20,
        40,
        "fc",
    ),
    "gemm, transA": (
        [node("Gemm", "x w", "y", transA=1)],
        [3, 2],
        {"w": (3, 5)},
        2 * 2 * 3 * 5,
        15,
        40,
        "fc",
    ),
    "batched matmul with a weight": (
        [node("MatMul", "x w", "y")],
        [2, 4, 3],
        {"w": (3, 5)},
        2 * 40 * 3,
        15,
        160,
        "fc",
    ),
    "matmul with a vector": (
        [node("MatMul", "x w", "y")],
        [4, 3],
        {"w": (3,)},
        2 * 4 * 3,
        3,
        16,
        "fc",
    ),
    "matmul of activations": (
        [node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "x t", "y")],
        [2, 4, 3],
        {},
        2 * 32 * 3,
        0,
        128,
        "matmul",
    ),
    "maxpool": (
        [node("MaxPool", "x", "y", kernel_shape=[3, 3], strides=[2, 2])],
        [1, 2, 7, 7],
        {},
        18 * 9,
        0,
        72,
        "maxpool",
    ),
    "maxpool, ceil": (
        [node("MaxPool", "x", "y", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)],
        [1, 1, 5, 5],
        {},
        9 * 4,
        0,
        36,
        "maxpool",
    ),
    "avgpool": (
        [node("AveragePool", "x", "y", kernel_shape=[2, 2])],
        [1, 2, 3, 3],
        {},
        8 * 4,
        0,
        32,
        "avgpool",
    ),
    "global avgpool": (
        [node("GlobalAveragePool", "x", "y")],
        [1, 2, 3, 3],
        {},
        18,
        0,
        8,
        "avgpool",
    ),
    "lrn": ([node("LRN", "x", "y", size=5)], [1, 6, 2, 2], {}, 24 * 13, 0, 96, "lrn"),
    "batchnorm": (
        [node("BatchNormalization", "x s b m v", "y")],
        [1, 3, 2, 2],
        {"s": (3,), "b": (3,), "m": (3,), "v": (3,)},
        24,
        12,
        48,
        "batchnorm",
    ),
    "layer norm": (
        [node("LayerNormalization", "x s b", "y")],
        [2, 3],
        {"s": (3,), "b": (3,)},
        42,
        6,
        24,
        "layernormalization",
    ),
    "relu": ([node("Relu", "x", "y")], [2, 3], {}, 6, 0, 24, "relu"),
    "clip": (
        [node("Clip", "x low high", "y")],
        [2, 3],
        {"low": np.array(0, np.float32), "high": np.array(6, np.float32)},
        6,
        0,
        24,
        "clip",
    ),
    "prelu": ([node("PRelu", "x w", "y")], [2, 3], {"w": (3,)}, 6, 3, 24, "prelu"),
    "add of a bias": ([node("Add", "x b", "y")], [2, 3], {"b": (3,)}, 6, 3, 24, "add"),
    "add that widens": ([node("Add", "x b", "y")], [1, 3], {"b": (4, 3)}, 12, 12, 48, "add"),
    "sum of three": ([node("Sum", "x x x", "y")], [2, 3], {}, 12, 0, 24, "add"),
    "mean of two": ([node("Mean", "x x", "y")], [2, 3], {}, 12, 0, 24, "mean"),
    "softmax": ([node("Softmax", "x", "y")], [2, 3], {}, 30, 0, 24, "softmax"),
    "reduction": ([node("ReduceMean", "x", "y", axes=[1])], [2, 3], {}, 6, 0, 8, "reducemean"),
    "concat": ([node("Concat", "x x", "y", axis=1)], [2, 3], {}, 0, 0, 48, "concat"),
    "reshape": ([node("Reshape", "x n", "y")], [2, 3], {"n": ints(3, 2)}, 0, 0, 24, "reshape"),
    "flatten": ([node("Flatten", "x", "y")], [2, 3, 4], {}, 0, 0, 96, "flatten"),
    "identity": ([node("Identity", "x", "y")], [2, 3], {}, 0, 0, 24, "identity"),
    "dropout, its mask unused": ([node("Dropout", "x", "y mask")], [2, 3], {}, 0, 0, 24, "dropout"),
    "slice": (
        [node("Slice", "x a b", "y")],
        [4, 3],
        {"a": ints(1), "b": ints(3)},
        0,
        0,
        24,
        "slice",
    ),
    "pad": ([node("Pad", "x p", "y")], [2, 3], {"p": ints(0, 1, 0, 1)}, 0, 0, 40, "pad"),
    "nearest resize": (
        [node("Resize", "x - k", "y")],
        [1, 1, 2, 2],
        {"k": np.array([1, 1, 2, 2], np.float32)},
        0,
        0,
        64,
        "resize",
    ),
    "linear resize": (
        [node("Resize", "x - k", "y", mode="linear")],
        [1, 1, 2, 2],
        {"k": np.array([1, 1, 2, 2], np.float32)},
        128,
        0,
        64,
        "resize",
    ),
    "cast to half": (
        [node("Cast", "x", "y", to=TensorProto.FLOAT16)],
        [2, 3],
        {},
        0,
        0,
        12,
        "cast",
    ),
    "quantize": (
        [node("QuantizeLinear", "x s z", "y")],
        [2, 3],
        SCALES,
        6,
        0,
        6,
        "quantizelinear",
    ),
    "where": (
        [node("Where", "c x b", "y")],
        [2, 3],
        {"c": np.array([True, False, True]), "b": (3,)},
        6,
        3,
        24,
        "where",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_work_weights_and_output_of_an_operator(case):
    """Each equals the number calculated by hand."""
    nodes, shape, weights, flops, parameters, size, kind = CASES[case]
    graph = networks.from_onnx(build(nodes, shape, weights), fold=False)
    assert graph.flops.sum() == flops
    assert graph.parameters.sum() == parameters
    assert graph.output_bytes[0] == 4 * math.prod(shape)
    assert graph.output_bytes[-1] == size
    assert graph.types[0] == "input" and graph.types[-1] == kind
    assert graph.n_layers == len(nodes) + 1


def test_quantized_operators():
    """The integer twins count as the float ones; weights of 8 bits are weights, scales are few."""
    w = np.ones((4, 2, 3, 3), np.uint8)
    conv = build(
        [node("QLinearConv", "x s z w s z s z", "y")],
        [1, 2, 5, 5],
        {"w": w, **SCALES},
        dtype=UINT8,
    )
    graph = networks.from_onnx(conv)
    assert (graph.flops[1], graph.output_bytes[1], graph.types[1]) == (2 * 36 * 18, 36, "conv")
    assert graph.parameters[1] == 72 + 2  # scale and zero point, each once
    product = build(
        [node("MatMulInteger", "x w", "y")],
        [2, 3],
        {"w": np.ones((3, 5), np.uint8)},
        dtype=UINT8,
    )
    graph = networks.from_onnx(product)
    assert (graph.flops[1], graph.parameters[1], graph.output_bytes[1]) == (60, 15, 40)


def test_an_embedding_is_a_weight():
    """The table that numbers choose from counts; the numbers are the input."""
    model = build([node("Gather", "w x", "y")], [1, 4], {"w": (10, 3)}, dtype=TensorProto.INT64)
    graph = networks.from_onnx(model)
    assert (graph.parameters[1], graph.output_bytes[0], graph.output_bytes[1]) == (30, 32, 48)


# ------------------------------------------------------------------------ structure


def block(last="Relu"):
    """Return a model: conv, norm, activation, dropout; then two branches that join."""
    nodes = [
        node("Conv", "x w b", "c", name="conv", pads=[1, 1, 1, 1]),
        node("BatchNormalization", "c s s s s", "n"),
        node(last, "n", "r"),
        node("Dropout", "r", "d"),
        node("Conv", "d u", "left", name="left"),
        node("MaxPool", "d", "right", kernel_shape=[1, 1]),
        node("Add", "left right", "sum"),
        node("Relu", "sum", "y"),
    ]
    weights = {"w": normal(4, 3, 3, 3), "b": (4,), "s": (4,), "u": normal(4, 4, 1, 1)}
    return build(nodes, [1, 3, 6, 6], weights)


def test_folding_joins_elementwise_successors():
    """Norm, activation and dropout join their convolution, the last activation the addition."""
    graph = networks.from_onnx(block(), name="block")
    assert graph.name == "block"
    assert graph.names == ("x", "conv", "left", "MaxPool_6", "Add_7")
    assert graph.types == ("input", "conv", "conv", "maxpool", "add")
    assert graph.successors == ((1,), (2, 3), (4,), (4,), ())
    assert graph.flops.tolist() == [0, 2 * 144 * 27 + 288 + 144, 2 * 144 * 4, 144, 288]
    assert graph.parameters.tolist() == [0, 108 + 4 + 4, 16, 0, 0]
    assert graph.cut_vertices == (0, 1, 4)
    whole = networks.from_onnx(block(), fold=False)
    assert whole.n_layers == 9
    assert whole.flops.sum() == graph.flops.sum()
    assert whole.parameters.sum() == graph.parameters.sum()
    assert whole.names[:4] == ("x", "conv", "BatchNormalization_2", "Relu_3")


@pytest.mark.parametrize(
    ("nodes", "weights", "outputs", "n_layers"),
    [
        ([node("Relu", "x", "y")], {}, "y", 2),  # the input takes nothing in
        ([node("MaxPool", "x", "a", kernel_shape=[1]), node("Relu", "a", "y")], {}, "y", 2),
        # an output of the whole stays an output of a layer
        ([node("MaxPool", "x", "a", kernel_shape=[1]), node("Relu", "a", "y")], {}, "a y", 3),
        # read twice
        (
            [
                node("MaxPool", "x", "a", kernel_shape=[1]),
                node("Sigmoid", "a", "s"),
                node("Mul", "a s", "y"),
            ],
            {},
            "y",
            4,
        ),
        # more elements than before
        (
            [node("MaxPool", "x", "a", kernel_shape=[1]), node("Add", "a b", "y")],
            {"b": (5, 2, 3)},
            "y",
            3,
        ),
    ],
)
def test_when_nothing_is_folded(nodes, weights, outputs, n_layers):
    """Only what reads one layer alone, is its only reader and keeps its size is folded."""
    assert networks.from_onnx(build(nodes, [1, 2, 3], weights, outputs)).n_layers == n_layers


def test_weights_may_be_made_by_nodes():
    """What depends on no input is a weight: initializers, constants, and nodes of those."""
    made = [
        node("ConstantOfShape", "k", "w"),
        helper.make_node("Constant", [], ["b0"], value=numpy_helper.from_array(normal(4, 1))),
        node("Squeeze", "b0 one", "b"),
        node("Conv", "x w b", "y"),
    ]
    model = build(made, [1, 3, 3, 3], {"k": ints(4, 3, 3, 3), "one": ints(1)})
    graph = networks.from_onnx(model)
    assert graph.n_layers == 2
    assert graph.parameters.tolist() == [0, 108 + 4]


def test_weights_that_are_listed_as_inputs_and_shared():
    """In old files every weight is an input too; a shared one counts once."""
    nodes = [node("MatMul", "x w", "a"), node("MatMul", "a w", "y")]
    listed = helper.make_tensor_value_info("w", FLOAT, [3, 3])
    model = build(nodes, [2, 3], {"w": (3, 3)}, opset=9, ir=3, inputs=[listed])
    graph = networks.from_onnx(model)
    assert graph.parameters.tolist() == [0, 9, 0]
    assert graph.names[0] == "x"


def test_what_leads_nowhere_is_dropped():
    """Dead nodes and inputs that nobody reads are no part of the network."""
    unused = helper.make_tensor_value_info("unused", FLOAT, [7])
    nodes = [node("Relu", "x", "y"), node("Sigmoid", "x", "dead"), node("Tanh", "unused", "dead2")]
    assert networks.from_onnx(build(nodes, [2, 3], inputs=[unused])).n_layers == 2


def test_several_outputs_that_are_used(tmp_path):
    """A layer's output is all that is used of it; a mask crosses the cut if it is read there."""
    nodes = [
        node("Split", "x", "a b", axis=1),
        node("Relu", "a", "ra"),
        node("Concat", "ra b", "c", axis=1),
        node("Dropout", "c", "d mask"),
        node("Cast", "mask", "m", to=FLOAT),
        node("Add", "d m", "y"),
    ]
    model = build(nodes, [2, 6], opset=13)
    graph = networks.from_onnx(model, fold=False)
    assert graph.output_bytes.tolist() == [48, 48, 24, 48, 48 + 12, 48, 48]
    path = saved(model, tmp_path)
    x = normal(2, 6)
    cut = assert_halves(path, [0, 0, 0, 0, 0, 1, 1], tmp_path, x, fold=False)
    assert cut == ("d", "mask")
    assert assert_halves(path, [0, 0, 1, 1, 1, 1, 1], tmp_path, x, fold=False) == ("a", "b")


@pytest.mark.parametrize("op", ["GroupNormalization", "MeanVarianceNormalization"])
def test_norms_that_onnx_has_no_shapes_for(op):
    """They keep the shape of their input."""
    group = op == "GroupNormalization"
    norm = node(op, "a s s" if group else "a", "b", **({"num_groups": 2} if group else {}))
    nodes = [node("MaxPool", "x", "a", kernel_shape=[2, 2]), node("Relu", "b", "y")]
    model = build([nodes[0], node("Relu", "a", "y")], [1, 4, 6, 6], {"s": (4,)}, opset=21, ir=10)
    del model.graph.node[:]
    model.graph.node.extend([nodes[0], norm, nodes[1]])
    graph = networks.from_onnx(model)
    assert graph.types == ("input", "maxpool")
    assert graph.flops[1] == 4 * 25 * (4 + (7 if group else 5) + 1)
    assert networks.profile_onnx(model, repeats=2).seconds[1] > 0


def flattening():
    """Return what exporters write for x.view(x.size(0), -1), with an open batch."""
    nodes = [
        node("Conv", "x w", "c"),
        node("Shape", "c", "shape"),
        node("Gather", "shape zero", "n"),
        node("Unsqueeze", "n axis", "n1"),
        node("Div", "minus one", "rest"),
        node("Concat", "n1 rest", "to", axis=0),
        node("Reshape", "c to", "flat"),
        node("Gemm", "flat v", "y", transB=1),
    ]
    weights = {
        "w": normal(2, 3, 3, 3),
        "v": normal(5, 18),
        "zero": np.array(0),
        "axis": ints(0),
        "minus": ints(-1),
        "one": ints(1),
    }
    return build(nodes, ["batch", 3, 5, 5], weights)


@pytest.mark.parametrize("batch", [1, 4])
def test_arithmetic_on_shapes_is_no_layer(tmp_path, batch):
    """Once the batch is fixed, what asks for shapes is a constant, in the halves too."""
    graph = networks.from_onnx(flattening(), batch=batch)
    assert graph.types == ("input", "conv", "fc")
    assert graph.flops.tolist() == [0, batch * 2 * 18 * 27, batch * 2 * 5 * 18]
    assert graph.parameters.tolist() == [0, 54, 90]
    assert graph.output_bytes.tolist() == [batch * 300, batch * 72, batch * 20]
    path = saved(flattening(), tmp_path)
    x = networks.random_input(path, batch=batch)
    assert x.shape == (batch, 3, 5, 5)
    assert assert_halves(path, 1, tmp_path, x, batch=batch) == ("flat",)
    unfolded = networks.from_onnx(path, batch=batch, fold=False)
    assert unfolded.types == ("input", "conv", "reshape", "fc")
    assert assert_halves(path, 1, tmp_path, x, batch=batch, fold=False) == ("c",)


@pytest.mark.parametrize("first", ["N", None, 0])
def test_an_open_batch_is_set(first):
    """A name, nothing and zero all mean that the batch is open."""
    assert networks.from_onnx(build([node("Relu", "x", "y")], [first, 2]), batch=3).output_bytes[
        1
    ] == pytest.approx(24)


def test_functions_of_the_model_are_expanded():
    """A function that comes with the model is replaced by its nodes."""
    body = helper.make_function(
        "own",
        "Twice",
        ["a"],
        ["b"],
        [node("Relu", "a", "t"), node("Add", "t t", "b")],
        [helper.make_opsetid("", 17)],
    )
    graph = helper.make_graph(
        [helper.make_node("Twice", ["x"], ["y"], domain="own")],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, [2])],
        [helper.make_tensor_value_info("y", FLOAT, [2])],
    )
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=sets, functions=[body], ir_version=8)
    assert networks.from_onnx(model, fold=False).types == ("input", "relu", "add")


def test_the_given_model_is_left_alone():
    """A model that was handed over is not changed."""
    model = flattening()
    before = model.SerializeToString()
    networks.from_onnx(model, batch=2)
    networks.randomise_weights(model)
    assert model.SerializeToString() == before


def test_external_data(tmp_path):
    """Weights in a file of their own are read where they are needed, and only there."""
    path, x = tmp_path / "model.onnx", normal(1, 3, 6, 6)
    expected = networks.run_onnx(block(), x)["y"]
    onnx.save(block(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert repr(networks.from_onnx(path, name="")) == repr(networks.from_onnx(block(), name=""))
    assert_halves(path, 1, tmp_path, x)
    np.testing.assert_array_equal(
        networks.run_halves(tmp_path / "front.onnx", tmp_path / "back.onnx", x)["y"], expected
    )
    assert networks.profile_onnx(path, repeats=1).seconds.sum() > 0
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ValueError, match=r"model\.onnx: the external data of weight 'w'"):
        networks.from_onnx(path)


# ------------------------------------------------------------------------ refusals


def control_flow():
    """Return a model with an If."""
    inner = helper.make_graph(
        [node("Relu", "x", "inner")],
        "inner",
        [],
        [helper.make_tensor_value_info("inner", FLOAT, [2])],
    )
    branch = helper.make_node(
        "If", ["c"], ["y"], name="choose", then_branch=inner, else_branch=inner
    )
    return build([branch], [2], {"c": np.array(True)})


def custom():
    """Return a model with a node of a foreign domain."""
    foreign = helper.make_node("Fancy", ["x"], ["y"], name="odd", domain="com.acme")
    model = build([node("Relu", "x", "y")], [2])
    model.graph.node[0].CopyFrom(foreign)
    model.opset_import.append(helper.make_opsetid("com.acme", 1))
    return model


def misspelt():
    """Return a model with an operator that the standard does not have."""
    model = build([node("Relu", "x", "y")], [2])
    model.graph.node[0].op_type = "Rely"
    return model


def misfit():
    """Return a model whose matrix has too many rows."""
    model = build([node("MatMul", "x w", "y")], [2, 3], {"w": (3, 5)})
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(normal(4, 5), "w"))
    return model


OTHER = helper.make_tensor_value_info("other", FLOAT, [2, 3])


def enormous():
    """Return a model whose weights would take 40 GB if they were made."""
    nodes = [node("ConstantOfShape", "k", "w"), node("MatMul", "x w", "y")]
    return build(nodes, [1, 100_000], {"k": ints(100_000, 100_000)})


def test_sizes_are_checked_before_memory_is_taken(tmp_path):
    """A small file can describe large weights: it is read, but nothing makes them."""
    model = enormous()
    assert networks.from_onnx(model).parameters[1] == 1e10
    for function in (networks.profile_onnx, networks.randomise_weights):
        with pytest.raises(ValueError, match="the weights are larger than 2 GiB"):
            function(model)


REFUSED = {
    "open height": (
        build([node("Relu", "x", "y")], [1, 3, "height", 4]),
        r"dimension 2 \(height\) of input 'x' is open; fix it",
    ),
    "unknown width": (
        build([node("Relu", "x", "y")], [1, 3, 4, None]),
        r"dimension 3 of input 'x' is open; fix it",
    ),
    "a shape that depends on values": (
        build([node("NonZero", "x", "y")], [2, 3]),
        r"the shape of tensor 'y' cannot be found",
    ),
    "two inputs": (
        build([node("Add", "x other", "y")], [2, 3], inputs=[OTHER]),
        r"has the inputs 'x', 'other'; a network needs one source",
    ),
    "no input": (
        build([node("Relu", "w", "y")], [2], {"w": (2,)}),
        r"no node reads an input",
    ),
    "an operator without a rule": (
        build([helper.make_node("Det", ["x"], ["y"], name="volume")], [2, 3, 3]),
        r"Det node 'volume': there is no rule for the work",
    ),
    "control flow": (control_flow(), r"If node 'choose' is control flow"),
    "a foreign domain": (custom(), r"Fancy node 'odd' is of the domain 'com.acme'"),
    "an operator that is none": (
        misspelt(),
        r"the Rely node that makes 'y': the domain 'ai.onnx' has no such operator",
    ),
    "random weights": (
        build([node("RandomNormal", "", "w", shape=[2]), node("Add", "x w", "y")], [2]),
        r"the RandomNormal node that makes 'w' draws at random",
    ),
    "shapes that do not fit": (
        misfit(),
        r"not a valid ONNX model: .*MatMul",
    ),
    "strings": (
        build([node("Identity", "x", "y")], [2], dtype=TensorProto.STRING),
        r"tensor 'x' holds strings",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused(tmp_path, case):
    """One sentence names the file and the tensor or node; a cut leaves nothing behind."""
    model, words = REFUSED[case]
    with pytest.raises(ValueError, match=words):
        networks.from_onnx(model)
    path = saved(model, tmp_path, "bad.onnx")
    with pytest.raises(ValueError, match=rf"bad\.onnx: .*{words}") as caught:
        networks.cut_onnx(path, 0, tmp_path / "front.onnx", tmp_path / "back.onnx")
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["bad.onnx"]


def test_files_that_are_no_models(tmp_path):
    """Garbage, an empty file, half a model, no file."""
    good = block().SerializeToString()
    for data in (b"this is no model", b"", good[: len(good) // 2], bytes(range(256)), good[:-1]):
        path = tmp_path / "broken.onnx"
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"broken\.onnx: "):
            networks.from_onnx(path)
    with pytest.raises(FileNotFoundError, match=r"absent\.onnx"):
        networks.from_onnx(tmp_path / "absent.onnx")
    with pytest.raises(FileNotFoundError, match=r"absent\.onnx"):
        networks.run_onnx(tmp_path / "absent.onnx", 0)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_raise_nothing_but_value_errors(tmp_path, seed):
    """Whatever bytes change: a graph, or a sentence of one line."""
    rng = np.random.default_rng(seed)
    good, path = block().SerializeToString(), tmp_path / "damaged.onnx"
    for _ in range(60):
        data = bytearray(good)
        for _ in range(rng.integers(1, 5)):
            data[rng.integers(len(data))] = rng.integers(256)
        path.write_bytes(data)
        try:
            networks.from_onnx(path)
        except ValueError as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error)


def test_wrong_batches():
    """A batch is a positive integer, and a fixed one stays."""
    model = build([node("Relu", "x", "y")], [2, 3])
    assert networks.from_onnx(model).output_bytes[1] == 24
    assert networks.from_onnx(model, batch=2).output_bytes[1] == 24
    with pytest.raises(ValueError, match="batch is fixed at 2 by input 'x', got 3"):
        networks.from_onnx(model, batch=3)
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="batch must be a positive integer"):
            networks.from_onnx(model, batch=wrong)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_extra_is_named(monkeypatch, tmp_path, package):
    """Without the packages the message says what to install."""
    path = saved(block(), tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf'{package}: pip install "optedge\[onnx\]"'):
        if package == "onnx":
            networks.from_onnx(path)
        else:
            networks.profile_onnx(path)


def test_networks_are_light():
    """Neither onnx nor onnxruntime is loaded before it is used."""
    code = (
        "import sys, optedge.networks as n; n.light_models(); n.load('vgg19');"
        "sys.exit(any(m in sys.modules for m in ('onnx', 'onnxruntime')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ----------------------------------------------------------------------------- cuts


@pytest.fixture
def block_file(tmp_path):
    """Return the path of the small model with two branches."""
    return saved(block(), tmp_path, "block.onnx")


@pytest.mark.parametrize(
    ("cut", "crossing"),
    [
        (0, ("x",)),
        (1, ("d",)),
        (4, ("y",)),
        ([0, 0, 0, 1, 1], ("d", "left")),
        ([False, False, True, False, True], ("d", "right")),
        ([0, 0, 0, 0, 1], ("left", "right")),
    ],
)
def test_halves_equal_the_whole(tmp_path, block_file, cut, crossing):
    """What crosses, crosses once; also where a half has no layers."""
    assert assert_halves(block_file, cut, tmp_path, normal(1, 3, 6, 6)) == crossing
    assert sorted(os.listdir(tmp_path)) == ["back.onnx", "block.onnx", "front.onnx"]


def test_weights_go_where_they_are_read(tmp_path, block_file):
    """A half has no weight that it does not use, and weights are no inputs."""
    networks.cut_onnx(block_file, 1, tmp_path / "front.onnx", tmp_path / "back.onnx")
    for half, names in (("front", {"w", "b", "s"}), ("back", {"u"})):
        graph = onnx.load(tmp_path / f"{half}.onnx").graph
        assert {t.name for t in graph.initializer} == names
        assert len(graph.input) == 1
    whole = networks.from_onnx(block_file)
    front = networks.from_onnx(tmp_path / "front.onnx")
    back = networks.from_onnx(tmp_path / "back.onnx")
    assert front.flops.sum() + back.flops.sum() == whole.flops.sum()
    assert front.names[1] == "conv" and front.output_bytes[-1] == back.output_bytes[0]


def test_the_input_and_early_outputs_cross_too(tmp_path):
    """The back gets the network's input if it reads it, and hands out what the front made."""
    nodes = [node("Relu", "x", "a"), node("MatMul", "a w", "b"), node("Add", "b x", "y")]
    path = saved(build(nodes, [3, 3], {"w": normal(3, 3)}, "a y"), tmp_path)
    x = normal(3, 3)
    assert assert_halves(path, [0, 0, 0, 1], tmp_path, x, fold=False) == ("x", "a", "b")
    assert assert_halves(path, [0, 0, 0, 0], tmp_path, x, fold=False) == ("a", "y")


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        ([0, 1, 0, 1, 1], r"layer 2 \(left\) is in the front and reads layer 1 \(conv\)"),
        ([0, 0, 1], r"cut must have shape \(5,\), a tier for each layer, got \(3,\)"),
        ([[0, 0, 0, 1, 1]], r"cut must have shape"),
        ([1, 1, 1, 1, 1], r"cut\[0\] must be 0"),
        ([0, 0, 1, 2, 2], r"cut\[3\] \(MaxPool_6\) must be 0 or 1, got 2"),
        ([0, 0, 0.5, 1, 1], r"cut must hold integers"),
        (2, r"layer 2 is no cut vertex; those are 0, 1, 4\."),
        (-1, r"layer -1 is no cut vertex"),
        ("conv", r"cut must hold integers"),
    ],
)
def test_wrong_cuts_write_nothing(tmp_path, block_file, cut, words):
    """A cut that is none is refused before anything is written."""
    with pytest.raises(ValueError, match=words):
        networks.cut_onnx(block_file, cut, tmp_path / "front.onnx", tmp_path / "back.onnx")
    assert os.listdir(tmp_path) == ["block.onnx"]


def test_wrong_places_write_nothing(tmp_path, block_file):
    """The model is never overwritten; a folder is no file; old halves stay if a new one fails."""
    front, back = tmp_path / "front.onnx", tmp_path / "back.onnx"
    for pair in ((front, front), (block_file, back), (front, block_file)):
        with pytest.raises(ValueError, match="front and back must be two files"):
            networks.cut_onnx(block_file, 1, *pair)
    with pytest.raises(FileNotFoundError):
        networks.cut_onnx(block_file, 1, front, tmp_path / "absent" / "back.onnx")
    back.mkdir()
    with pytest.raises(ValueError, match=r"back\.onnx: not a file"):
        networks.cut_onnx(block_file, 1, front, back)
    assert sorted(os.listdir(tmp_path)) == ["back.onnx", "block.onnx"]


def test_a_failing_rename_restores_both(tmp_path, block_file, monkeypatch):
    """If the second file cannot be put in place, the first is as it was."""
    front, back = tmp_path / "front.onnx", tmp_path / "back.onnx"
    front.write_bytes(b"old front")
    rename = os.replace

    def failing(source, target):
        if str(target) == str(back):
            raise PermissionError("no")
        rename(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(PermissionError):
        networks.cut_onnx(block_file, 1, front, back)
    assert front.read_bytes() == b"old front"
    assert sorted(os.listdir(tmp_path)) == ["block.onnx", "front.onnx"]


def test_running_says_what_does_not_fit(tmp_path, block_file):
    """Inputs of another name, number or shape are refused in a sentence."""
    with pytest.raises(ValueError, match=r"has the inputs \['x'\], got \['z'\]"):
        networks.run_onnx(block_file, {"z": normal(1)})
    with pytest.raises(ValueError, match=r"block\.onnx: cannot run"):
        networks.run_onnx(block_file, normal(1, 3, 5, 5))
    with pytest.raises(ValueError, match=r"broken\.onnx: cannot be loaded"):
        (tmp_path / "broken.onnx").write_bytes(b"garbage")
        networks.run_onnx(tmp_path / "broken.onnx", 0)
    with pytest.raises(ValueError, match="threads must be a positive integer"):
        networks.run_onnx(block_file, normal(1, 3, 6, 6), threads=0)
    networks.cut_onnx(block_file, [0, 0, 0, 0, 1], tmp_path / "f.onnx", tmp_path / "b.onnx")
    with pytest.raises(ValueError, match="give arrays by name"):
        networks.run_onnx(tmp_path / "b.onnx", normal(1, 4, 6, 6))


# -------------------------------------------------------------------------- profiles


def test_profile_measures_every_layer(block_file):
    """Seconds of folded nodes are summed into their layer; the input takes none."""
    graph = networks.profile_onnx(block_file, repeats=5, warmup=1)
    assert graph.seconds.shape == (5,)
    assert graph.seconds[0] == 0 and (graph.seconds >= 0).all() and graph.seconds.sum() > 0
    assert graph.names == networks.from_onnx(block_file).names
    unfolded = networks.from_onnx(block_file, fold=False)
    measured = networks.profile_onnx(block_file, unfolded, repeats=5)
    assert measured.n_layers == 9 and measured.seconds.sum() > 0


def test_profile_of_operators_that_run_as_several():
    """An operator without a kernel of its own gets the time of what it is made of."""
    nodes = [
        node("HardSwish", "x", "g"),
        node("MaxPool", "g", "y", kernel_shape=[2, 2]),
    ]
    model = build(nodes, [1, 4, 64, 64])
    seconds = networks.profile_onnx(model, repeats=5).seconds
    assert seconds[1] > 0 and seconds[2] > 0


def test_profile_refuses_what_does_not_fit(block_file):
    """Numbers out of range, and the graph of another model."""
    for wrong in ({"repeats": 0}, {"warmup": -1}, {"threads": 0}, {"repeats": 2.5}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
            networks.profile_onnx(block_file, **wrong)
    with pytest.raises(ValueError, match="graph is not what from_onnx returns"):
        networks.profile_onnx(block_file, networks.load("vgg19"))


# ---------------------------------------------------------------- the networks of onnx

#: Multiply-adds from the literature. The light AlexNet takes 224 pixels instead of 227, and pools
#: of the light GoogLeNet round down: both need a little less.
PUBLISHED = {"bvlc_alexnet": 0.72e9, "vgg19": 19.6e9, "inception_v1": 1.5e9, "resnet50": 4.1e9}
ZOO = {"bvlc_alexnet": "alexnet_parallel", "vgg19": "vgg19", "inception_v1": "googlenet"}
NETWORKS = [pytest.param(name, marks=needs_light) for name in PUBLISHED]


def counted(path):
    """Count multiply-adds and weights another way: run the model and look at every tensor.

    A weight of a convolution is used once at every place of the output, one of a matrix once in
    every row, whatever groups, pads and strides are; only the arrays that onnxruntime returns and
    the weight arrays themselves are used.
    """
    model = onnx.load(path)
    given = {t.name: numpy_helper.to_array(t).shape for t in model.graph.initializer}
    (data,) = (i for i in model.graph.input if i.name not in given)
    del model.graph.output[:]
    model.graph.output.extend(
        helper.make_tensor_value_info(t, FLOAT, None)
        for n in model.graph.node
        for t in n.output[:1]
    )
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    x = np.zeros([d.dim_value for d in data.type.tensor_type.shape.dim], np.float32)
    names = [o.name for o in session.get_outputs()]
    arrays = dict(zip(names, session.run(names, {data.name: x}), strict=True))
    shapes = given | {name: array.shape for name, array in arrays.items()}
    weights = {t.name for t in model.graph.initializer if t.data_type == FLOAT}
    makers = ("ConstantOfShape", "Unsqueeze")
    weights |= {t for n in model.graph.node if n.op_type in makers for t in n.output}
    macs, read = 0, set()
    for n in model.graph.node:
        if n.op_type in ("Conv", "Gemm"):
            places = shapes[n.output[0]][2:] if n.op_type == "Conv" else shapes[n.output[0]][:1]
            macs += math.prod(shapes[n.input[1]]) * math.prod(places)
        if n.op_type not in makers:
            read |= weights.intersection(n.input)
    return macs, sum(math.prod(shapes[t]) for t in read)


@pytest.mark.parametrize("name", NETWORKS)
def test_work_and_weights_of_known_networks(name):
    """Multiply-adds are within 1 % of another counter, near the literature; weights are equal."""
    graph = networks.from_onnx(LIGHT[name])
    heavy = np.isin(graph.types, ("conv", "dwconv", "fc"))
    whole = networks.from_onnx(LIGHT[name], fold=False)
    exact = whole.flops[np.isin(whole.types, ("conv", "dwconv", "fc"))].sum() / 2
    macs, weights = counted(LIGHT[name])
    assert exact == macs
    assert graph.flops[heavy].sum() / 2 == pytest.approx(macs, rel=0.01)
    assert 0.9 * PUBLISHED[name] < macs < 1.005 * PUBLISHED[name]
    assert graph.parameters.sum() == weights
    assert graph.n_layers > len(graph.cut_vertices) > 10 or graph.is_chain
    assert graph.output_bytes[0] == 4 * 3 * 224 * 224 and graph.types[-1] == "fc"


@pytest.mark.parametrize("name", [pytest.param(n, marks=needs_light) for n in ZOO])
def test_folded_networks_look_like_those_of_the_package(name):
    """The same layers, edges and weights, as far as the architectures agree."""
    graph, zoo = networks.from_onnx(LIGHT[name]), networks.load(ZOO[name])
    assert graph.parameters.sum() == zoo.parameters.sum()
    if name == "bvlc_alexnet":  # the package has the groups as layers of their own
        return
    assert graph.successors == zoo.successors
    assert graph.types == zoo.types
    np.testing.assert_array_equal(graph.parameters, zoo.parameters)
    if name == "vgg19":
        np.testing.assert_array_equal(graph.output_bytes, zoo.output_bytes)
        assert graph.flops.sum() == pytest.approx(zoo.flops.sum(), rel=1e-3)


@needs_light
@pytest.mark.parametrize("name", sorted(LIGHT))
def test_every_light_model_is_read(name):
    """All of them become connected graphs with one source and one end."""
    graph = networks.from_onnx(LIGHT[name])
    assert graph.cut_vertices[0] == 0 and graph.cut_vertices[-1] == graph.n_layers - 1
    assert (graph.output_bytes > 0).all()
    assert graph.flops.sum() == networks.from_onnx(LIGHT[name], fold=False).flops.sum()


@pytest.fixture(scope="module")
def randomised(tmp_path_factory):
    """Return a function from the name of a light model to its file with random weights."""
    folder, made = tmp_path_factory.mktemp("weights"), {}

    def path(name):
        if name not in made:
            made[name] = folder / f"{name}.onnx"
            networks.randomise_weights(LIGHT[name], made[name], seed=1)
        return made[name]

    yield path
    shutil.rmtree(folder)


@needs_light
@pytest.mark.parametrize(
    "name",
    ["inception_v1", pytest.param("resnet50", marks=pytest.mark.slow), "squeezenet", "shufflenet"],
)
def test_random_weights_make_outputs_tell_something(randomised, name):
    """Layers are the same, the outputs spread over the classes and depend on the input."""
    path = randomised(name)
    graph, light = networks.from_onnx(path), networks.from_onnx(LIGHT[name])
    assert graph.successors == light.successors
    np.testing.assert_array_equal(graph.flops, light.flops)
    np.testing.assert_array_equal(graph.parameters, light.parameters)
    (a,) = networks.run_onnx(path, networks.random_input(path, seed=1)).values()
    (b,) = networks.run_onnx(path, networks.random_input(path, seed=2)).values()
    assert a.sum() == pytest.approx(1, abs=1e-4)
    assert -(a * np.log(a)).sum() > 4  # nats, of 6.9 at most
    assert np.abs(a - b).max() > 1e-4


def test_random_weights_repeat():
    """The same seed draws the same weights."""
    one, two, other = (networks.randomise_weights(block(), seed=s) for s in (3, 3, 4))
    assert one == two and one != other


CUTS = [("inception_v1", "first"), ("inception_v1", "module")]
LONGER = [("inception_v1", "quarter"), ("inception_v1", "last"), ("bvlc_alexnet", "quarter")]
LONGER += [("resnet50", "first"), ("resnet50", "module"), ("resnet50", "last")]
CUTS += [pytest.param(*cut, marks=pytest.mark.slow) for cut in LONGER]


@needs_light
@pytest.mark.parametrize(("name", "where"), CUTS)
def test_halves_of_known_networks(randomised, passing_folder, name, where):
    """Both run, and their output is that of the whole, bit by bit."""
    path = randomised(name)
    graph = networks.from_onnx(path)
    if where == "module":  # inside a module of branches
        spots = [v for v in range(graph.n_layers) if v not in graph.cut_vertices]
        v = spots[len(spots) // 2]
        cut = (np.arange(graph.n_layers) > v).astype(int)
    else:
        index = {"first": 0, "quarter": len(graph.cut_vertices) // 4, "last": -1}[where]
        cut = graph.cut_vertices[index]
    crossing = assert_halves(path, cut, passing_folder, networks.random_input(path))
    if where == "module":
        assert len(crossing) > 1
        late = [v for v, row in enumerate(graph.successors) if not cut[v] and cut[list(row)].any()]
        assert len(crossing) == len(late)
    else:
        assert len(crossing) == 1
    if where == "first":
        assert crossing == (graph.names[0],)


@needs_light
@pytest.mark.parametrize("seed", range(3))
def test_any_closed_set_can_be_cut(randomised, passing_folder, seed):
    """Random sets closed under successors, several branches at a time."""
    path, rng = randomised("inception_v1"), np.random.default_rng(seed)
    graph = networks.from_onnx(path)
    cut = (rng.random(graph.n_layers) < 0.02).astype(int)
    cut[0] = 0
    for v, row in enumerate(graph.successors):
        cut[list(row)] |= cut[v]
    crossing = assert_halves(path, cut, passing_folder, networks.random_input(path, seed=seed))
    sizes = [
        graph.output_bytes[v]
        for v, row in enumerate(graph.successors)
        if not cut[v] and cut[list(row)].any()
    ]
    shapes = {i.name: i for i in onnx.load(passing_folder / "back.onnx").graph.input}
    sent = [math.prod(d.dim_value for d in shapes[t].type.tensor_type.shape.dim) for t in crossing]
    assert 4 * sum(sent) == sum(sizes)


@needs_light
def test_light_weights_stay_light(tmp_path):
    """Nodes that make weights go into the halves as nodes: a cut VGG19 has a few kilobytes."""
    path = LIGHT["vgg19"]
    graph = networks.from_onnx(path)
    assert_halves(path, graph.types.index("fc") - 1, tmp_path, networks.random_input(path))
    assert sum((tmp_path / f).stat().st_size for f in os.listdir(tmp_path)) < 50_000


@pytest.mark.slow
@needs_light
@pytest.mark.parametrize("cut", [0, 8, 24])
def test_halves_of_vgg19(randomised, passing_folder, cut):
    """With 575 MB of random weights, too."""
    path = randomised("vgg19")
    assert len(assert_halves(path, cut, passing_folder, networks.random_input(path))) == 1


@needs_light
@pytest.mark.parametrize("name", ["inception_v1", "bvlc_alexnet"])
def test_profile_of_known_networks(name):
    """Convolutions and dense layers take most of the time; weights are no layers."""
    graph = networks.profile_onnx(LIGHT[name], repeats=3, warmup=1)
    assert (graph.seconds >= 0).all() and graph.seconds[0] == 0
    heavy = np.isin(graph.types, ("conv", "fc"))
    assert graph.seconds[heavy].sum() > 0.3 * graph.seconds.sum() > 0


# ---------------------------------------------------------------------- command line


def test_import_saves_the_layers(monkeypatch, capsys, tmp_path, block_file):
    """A summary is printed; the file is a network again."""
    out = tmp_path / "block.json"
    code, text, _ = run(monkeypatch, capsys, "import", block_file, "--out", out)
    assert code == 0
    assert "layers       5" in text and "edges        5" in text and "parameters   132" in text
    assert "cut vertices 3" in text and "seconds" not in text
    assert repr(networks.read_json(out)) == repr(networks.from_onnx(block_file))
    out = tmp_path / "block.csv"
    code, text, _ = run(
        monkeypatch, capsys, "import", block_file, "--out", out, "--profile", "--no-fold"
    )
    assert code == 0 and "seconds" in text
    graph = networks.read_csv(out)
    assert graph.n_layers == 9 and graph.seconds.sum() > 0


def test_import_refuses_in_one_line(monkeypatch, capsys, tmp_path, block_file):
    """Bad files and endings: one line, code 2, nothing written, no traceback."""
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"garbage")
    before = sorted(os.listdir(tmp_path))
    for file, out, words in (
        (broken, "g.json", "broken.onnx: not an ONNX model"),
        (tmp_path / "absent.onnx", "g.json", "absent.onnx"),
        (block_file, "g.txt", "the ending must be .json or .csv"),
    ):
        code, text, err = run(monkeypatch, capsys, "import", file, "--out", tmp_path / out)
        assert code == 2
        assert err.startswith("optedge: ") and words in err
        assert len(err.strip().splitlines()) == 1 and "Traceback" not in text + err
    monkeypatch.setitem(sys.modules, "onnx", None)
    code, _, err = run(monkeypatch, capsys, "import", block_file, "--out", tmp_path / "g.json")
    assert code == 2 and 'pip install "optedge[onnx]"' in err
    assert sorted(os.listdir(tmp_path)) == before
