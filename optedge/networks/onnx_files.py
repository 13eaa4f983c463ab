"""ONNX files: read, checked, and made light for the analysis."""

from __future__ import annotations

import contextlib
import importlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from optedge.disk import read_limited
from optedge.networks.onnx_shapes import SMALL

#: Path of a file, or an ``onnx.ModelProto``.
Source = str | os.PathLike[str] | Any


def require(package: str) -> Any:
    """Import a package of the extra ``onnx``; ImportError naming the extra if it is missing."""
    try:
        return importlib.import_module(package)
    except ImportError:
        raise ImportError(
            f'ONNX models need the package {package}: pip install "optedge[onnx]".'
        ) from None


def describe(node: Any) -> str:
    """Return how a message calls a node: operator and name, or its first output."""
    op = node.op_type if node.op_type.isidentifier() else repr(node.op_type)
    if node.name:
        return f"{op} node {node.name!r}"
    return f"the {op} node that makes {next(iter(node.output), '')!r}"


def load_proto(onnx: Any, source: Source) -> tuple[Any, str, str]:
    """Return a model that is ours to change, what to call it, and its folder."""
    proto = onnx.ModelProto()
    if isinstance(source, onnx.ModelProto):
        proto.CopyFrom(source)
        return proto, f"model {source.graph.name!r}", ""
    label = os.fspath(source)
    try:
        proto.ParseFromString(read_limited(label))
    except ValueError as error:
        raise ValueError(f"{label}: {error}") from None
    except require("google.protobuf.message").DecodeError:
        raise ValueError(f"{label}: not an ONNX model, or a damaged one.") from None
    if not all(isinstance(text, str) for text in _texts(proto)):
        raise ValueError(f"{label}: a damaged ONNX model: a name in it is no text.")
    return proto, label, str(Path(label).resolve().parent)


def _texts(proto: Any) -> Iterator[Any]:
    """Yield the names in a model; those that are no UTF-8 come as bytes."""
    graph = proto.graph
    yield graph.name
    yield from (entry.domain for entry in proto.opset_import)
    yield from (value.name for value in (*graph.input, *graph.output, *graph.initializer))
    for node in graph.node:
        yield from (node.op_type, node.domain, node.name, *node.input, *node.output)
        yield from (a.name for a in node.attribute)


@contextlib.contextmanager
def one_line(onnx: Any, label: str) -> Iterator[None]:
    """Turn the errors of onnx into a ValueError of one line that names the file."""
    try:
        yield
    except (
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
        RuntimeError,
        UnicodeDecodeError,
    ) as error:
        text = " ".join(str(error).split("==>")[0].split())
        raise ValueError(f"{label}: not a valid ONNX model: {text[:300]}") from None


def refuse_operators(onnx: Any, proto: Any, label: str) -> None:
    """Refuse control flow and operators that the standard does not have."""
    versions = {o.domain or "ai.onnx": o.version for o in proto.opset_import}
    version = versions.get("ai.onnx", 0)
    for node in proto.graph.node:
        if any(a.type in (a.GRAPH, a.GRAPHS) for a in node.attribute):
            raise ValueError(
                f"{label}: {describe(node)} is control flow; only plain graphs of layers are read."
            )
        if node.domain not in ("", "ai.onnx"):
            raise ValueError(
                f"{label}: {describe(node)} is of the domain {node.domain!r}; only operators of "
                "the standard domain are known."
            )
        if version and not onnx.defs.has(node.op_type):
            raise ValueError(
                f"{label}: {describe(node)}: the domain 'ai.onnx' has no such operator."
            )


def skeleton_of(onnx: Any, proto: Any, label: str, folder: str) -> Any:
    """Return the model with its large weights as inputs: light, and with the same shapes."""
    graph = proto.graph
    light = onnx.ModelProto(ir_version=proto.ir_version)
    light.opset_import.extend(proto.opset_import)
    light.graph.name = graph.name
    light.graph.node.extend(graph.node)
    light.graph.input.extend(graph.input)
    light.graph.output.extend(graph.output)
    light.graph.value_info.extend(graph.value_info)
    declared = {i.name for i in graph.input}
    stored = [(t.name, t) for t in graph.initializer]
    stored += [(t.values.name, t) for t in graph.sparse_initializer]
    for name, tensor in stored:
        if any(d < 0 for d in tensor.dims):
            raise ValueError(f"{label}: weight {name!r} has the shape {list(tensor.dims)}.")
        dense = isinstance(tensor, onnx.TensorProto)
        if dense and math.prod(tensor.dims) <= SMALL:
            copy = light.graph.initializer.add()
            copy.CopyFrom(tensor)
            load_external(onnx, copy, label, folder)
        elif name not in declared:
            dtype = tensor.data_type if dense else tensor.values.data_type
            light.graph.input.append(
                onnx.helper.make_tensor_value_info(name, dtype, list(tensor.dims))
            )
    return light


def load_external(onnx: Any, tensor: Any, label: str, folder: str) -> None:
    """Read the data of a tensor into it if they stand in a file of their own."""
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return
    try:
        require("onnx.external_data_helper").load_external_data_for_tensor(tensor, folder)
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        text = " ".join(str(error).split())
        raise ValueError(
            f"{label}: the external data of weight {tensor.name!r} cannot be read: {text[:200]}"
        ) from None
    tensor.data_location = onnx.TensorProto.DEFAULT
    del tensor.external_data[:]
