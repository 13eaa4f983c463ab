"""Models of some nodes of an ONNX model, with the constants that they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optedge.disk import MAX_BYTES
from optedge.networks.onnx_files import load_external, require
from optedge.networks.onnx_model import OnnxModel

_IR_VERSION = 4  # from which on weights need not be listed as inputs


def part(
    model: OnnxModel,
    nodes: Sequence[Any],
    inputs: Sequence[str],
    outputs: Sequence[str],
    given: Mapping[str, Any] | None = None,
    suffix: str = "",
) -> Any:
    """Return the ``onnx.ModelProto`` of some nodes, complete with weights and what makes them.

    Parameters
    ----------
    model
        The whole.
    nodes
        Some of ``model.nodes``, in their order.
    inputs, outputs
        Tensors of the whole that the part reads and returns.
    given
        Constants of the whole to be stored instead of made or copied.
    suffix
        Added to the name of the graph.

    Raises
    ------
    ValueError
        If the part is larger than the 2 GiB that the format allows, or external data are missing.
    """
    onnx, given, graph = require("onnx"), given or {}, model.proto.graph
    read = {t for node in nodes for t in node.input if t} | set(outputs)
    used = read - given.keys()
    makers = []
    for node in reversed(graph.node):
        if any(t in used and t in model.makers for t in node.output):
            makers.append(node)
            used.update(node.input)
    stored = [t for t in graph.initializer if t.name in used and t.name not in given]
    if sum(model.size_bytes(t.name) for t in stored) > MAX_BYTES:
        raise ValueError(f"{model.label}{suffix}: the weights are larger than 2 GiB.")

    built = onnx.ModelProto(
        ir_version=max(_IR_VERSION, model.proto.ir_version), producer_name="optedge"
    )
    built.opset_import.extend(model.proto.opset_import)
    built.graph.name = graph.name + suffix
    built.graph.node.extend([*reversed(makers), *nodes])
    built.graph.input.extend(model.info(t) for t in inputs)
    built.graph.output.extend(model.info(t) for t in outputs)
    built.graph.initializer.extend(stored)
    for tensor in built.graph.initializer:
        load_external(onnx, tensor, model.label, model.folder)
    built.graph.initializer.extend(given[t] for t in given if t in read)
    built.graph.sparse_initializer.extend(
        t for t in graph.sparse_initializer if t.values.name in used
    )
    return built


def serialised(built: Any, label: str) -> bytes:
    """Return the bytes of a model's file; ValueError if it is larger than the format allows."""
    if built.ByteSize() > require("onnx").checker.MAXIMUM_PROTOBUF:
        raise ValueError(f"{label}: the model is larger than the 2 GB that the format allows.")
    return bytes(built.SerializeToString())
