"""A checked ONNX model: one input, every shape known, layers told from weights.

What depends on no input of the graph is a weight: initializers, ``Constant`` nodes and whole
sub-graphs of them (``ConstantOfShape``, ``Unsqueeze``, ...). So is what depends on the input's
shape alone, since shapes are fixed here. What leads to no output is dropped.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

from optedge.networks.onnx_files import (
    Source,
    describe,
    load_proto,
    one_line,
    refuse_operators,
    require,
    skeleton_of,
)
from optedge.networks.onnx_rules import SETTINGS
from optedge.networks.onnx_shapes import RANDOM, known_shapes


@dataclasses.dataclass(frozen=True, eq=False)
class OnnxModel:
    """What the import, the profile and the cut know of a model.

    Parameters
    ----------
    proto
        The ``onnx.ModelProto``: functions inlined, batch fixed, shape queries answered.
    label
        What messages call it.
    folder
        Where its external data are; empty if it came from memory.
    input
        Name of the input tensor.
    outputs
        Names of the output tensors.
    nodes
        The nodes that compute from the input, in topological order.
    makers
        Constant tensors that nodes make, to those nodes.
    initializers
        Constant tensors that are stored, by name.
    shapes, dtypes
        Shape and ``TensorProto`` data type of every tensor, by name.
    """

    proto: Any
    label: str
    folder: str
    input: str
    outputs: tuple[str, ...]
    nodes: tuple[Any, ...]
    makers: dict[str, Any]
    initializers: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, int]

    def is_constant(self, tensor: str) -> bool:
        """Tell whether a tensor is a weight or a setting: it depends on no input."""
        return tensor in self.initializers or tensor in self.makers

    def reads(self, node: Any) -> list[str]:
        """Return the tensors that a node reads and that depend on the input, each once."""
        return list(dict.fromkeys(t for t in node.input if t and not self.is_constant(t)))

    def weights(self, node: Any) -> list[str]:
        """Return the constants that a node computes with; shapes, axes and limits are none."""
        onnx = require("onnx")
        never = (onnx.TensorProto.INT64, onnx.TensorProto.BOOL, onnx.TensorProto.STRING)
        read = node.input[:1] if node.op_type in SETTINGS else node.input
        return [t for t in read if t and self.is_constant(t) and self.dtype(t) not in never]

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Return the shape of a tensor; ValueError naming it if it is not known."""
        if tensor not in self.shapes:
            raise ValueError(
                f"{self.label}: the shape of tensor {tensor!r} cannot be found without running "
                "the model; export it with fixed shapes."
            )
        return self.shapes[tensor]

    def dtype(self, tensor: str) -> int:
        """Return the data type of a tensor; ValueError naming it if it is not known."""
        self.shape(tensor)
        return self.dtypes[tensor]

    def size_bytes(self, tensor: str) -> int:
        """Return the bytes of a tensor; ValueError if it holds strings."""
        onnx = require("onnx")
        dtype = self.dtype(tensor)
        if dtype == onnx.TensorProto.STRING:
            raise ValueError(f"{self.label}: tensor {tensor!r} holds strings, which have no size.")
        name = onnx.TensorProto.DataType.Name(dtype)
        bits = 8 * onnx.helper.tensor_dtype_to_np_dtype(dtype).itemsize
        bits = {"INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4, "INT2": 2, "UINT2": 2}.get(name, bits)
        return math.ceil(math.prod(self.shape(tensor)) * int(bits) / 8)

    def info(self, tensor: str) -> Any:
        """Return name, type and shape of a tensor as the graph of another model declares them."""
        helper = require("onnx").helper
        return helper.make_tensor_value_info(tensor, self.dtype(tensor), self.shape(tensor))


def read_model(source: Source, batch: int = 1) -> OnnxModel:
    """Read, check and analyse a model.

    Parameters
    ----------
    source
        Path of an ``.onnx`` file, or an ``onnx.ModelProto``, which is left as it is.
    batch
        Size of the input's first dimension where the model leaves it open (a name, none, or 0).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a valid model, has control flow, an operator of another domain, not exactly
        one input, or a shape that is not fixed; the sentence names file and node or tensor.
    ImportError
        If the extra ``onnx`` is not installed.
    """
    onnx = require("onnx")
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise ValueError(f"batch must be a positive integer, got {batch!r}.")
    proto, label, folder = load_proto(onnx, source)
    if proto.functions:
        with one_line(onnx, label):
            proto = require("onnx.inliner").inline_local_functions(proto)
    refuse_operators(onnx, proto, label)
    graph = proto.graph
    skeleton = skeleton_of(onnx, proto, label, folder)
    with one_line(onnx, label):
        onnx.checker.check_model(skeleton)
    live = _live_nodes(graph)
    name = _only_input(graph, live, label)
    _fix_batch(skeleton, proto, name, batch, label)
    with one_line(onnx, label):
        shapes, dtypes = known_shapes(skeleton, proto)

    initializers = {t.name: t for t in graph.initializer}
    initializers |= {t.values.name: t for t in graph.sparse_initializer}
    makers: dict[str, Any] = {}
    nodes = []
    for node in _live_nodes(graph):
        if all(t in initializers or t in makers for t in node.input if t):
            if node.op_type.startswith(RANDOM):
                raise ValueError(f"{label}: {describe(node)} draws at random; it is no weight.")
            makers |= dict.fromkeys((t for t in node.output if t), node)
        else:
            nodes.append(node)
    outputs = tuple(output.name for output in graph.output)
    return OnnxModel(
        proto, label, folder, name, outputs, tuple(nodes), makers, initializers, shapes, dtypes
    )


# ----------------------------------------------------------------------------- steps


def _live_nodes(graph: Any) -> list[Any]:
    """Return the nodes that lead to an output, in the order of the file."""
    wanted = {output.name for output in graph.output}
    live: list[Any] = []
    for node in reversed(graph.node):
        if wanted.intersection(t for t in node.output if t):
            live.append(node)
            wanted.update(node.input)
    return live[::-1]


def _only_input(graph: Any, live: Iterable[Any], label: str) -> str:
    stored = {t.name for t in graph.initializer} | {t.values.name for t in graph.sparse_initializer}
    read = {t for node in live for t in node.input} | {output.name for output in graph.output}
    names = [i.name for i in graph.input if i.name not in stored and i.name in read]
    if not names:
        raise ValueError(f"{label}: no node reads an input; a network needs one source.")
    if len(names) > 1:
        listed = ", ".join(repr(name) for name in names)
        raise ValueError(f"{label}: has the inputs {listed}; a network needs one source.")
    return str(names[0])


def _fix_batch(skeleton: Any, proto: Any, name: str, batch: int, label: str) -> None:
    """Set an open first dimension of the input; refuse any other open one."""
    entry = next(i for i in skeleton.graph.input if i.name == name)
    kind = entry.type.tensor_type
    if not entry.type.HasField("tensor_type") or not kind.HasField("shape"):
        raise ValueError(f"{label}: input {name!r} is no tensor with a shape; fix its shape.")
    opened = False
    for k, dim in enumerate(kind.shape.dim):
        if dim.HasField("dim_value") and dim.dim_value > 0:
            if k == 0 and batch not in (1, dim.dim_value):
                raise ValueError(
                    f"{label}: batch is fixed at {dim.dim_value} by input {name!r}, got {batch}."
                )
            continue
        if k > 0:
            text = f" ({dim.dim_param})" if dim.dim_param else ""
            raise ValueError(
                f"{label}: dimension {k}{text} of input {name!r} is open; fix it, for example "
                "with onnx.tools.update_model_dims."
            )
        dim.dim_value = batch
        opened = True
    # What was declared for an open batch no longer holds; shape inference finds it again.
    for declared in (skeleton.graph.value_info, skeleton.graph.output):
        for value in declared:
            dims = value.type.tensor_type.shape.dim
            if opened or any(not d.HasField("dim_value") or d.dim_value <= 0 for d in dims):
                value.type.tensor_type.ClearField("shape")
    for k, value in enumerate(proto.graph.input):
        if value.name == name:
            proto.graph.input[k].CopyFrom(entry)
