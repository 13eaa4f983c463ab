"""An ONNX model as a graph of layers."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from optedge.networks.graph import LayerGraph
from optedge.networks.onnx_files import Source, describe
from optedge.networks.onnx_model import OnnxModel, read_model
from optedge.networks.onnx_rules import FOLDABLE, flops, kind


def from_onnx(
    path: Source, *, batch: int = 1, name: str | None = None, fold: bool = True
) -> LayerGraph:
    """Return the layers of an ONNX model with their work, weights and output sizes.

    Parameters
    ----------
    path
        An ``.onnx`` file, or an ``onnx.ModelProto``.
    batch
        Size of the input's first dimension where the model leaves it open; a fixed one stays.
    name
        Of the network; by default that of the file, or of the graph.
    fold
        Whether activations, norms, dropout, additions of constants, casts, reshapes and
        transpositions join the layer before, as they do in the networks of the package. They do
        if they read that layer alone, nobody else reads it, and the number of elements stays;
        their work and weights are added, and the output is theirs. The input takes none.
        Without, every node is a layer.

    Returns
    -------
    LayerGraph
        Layer 0 is the input tensor, named as it is. Layers are called by their node, or
        ``Conv_7`` for the seventh node that computes; ``flops`` count 2 a multiply-add (bias
        excluded), 1 an element-wise result; ``parameters`` the elements of weights (of those that
        layers share, at the first that reads them); ``output_bytes`` the outputs that are used,
        in their data types.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a valid model, has control flow, an operator without a rule, not exactly one
        input, or a shape that is not fixed. The sentence names file, and node or tensor.
    ImportError
        If the extra ``onnx`` is not installed.

    Notes
    -----
    Weights are what depends on no input: initializers (also those listed as inputs), ``Constant``
    nodes, and sub-graphs of nodes that read nothing else. Work of operators: the module
    ``optedge.networks.onnx_rules``.
    """
    return layer_graph(read_model(path, batch), fold, default_name(path, name))


def default_name(path: Source, name: str | None = None) -> str:
    """Return the name given, else that of the file or graph."""
    if name is not None:
        return name
    if hasattr(path, "graph"):
        return str(path.graph.name)
    return os.path.splitext(os.path.basename(os.fspath(path)))[0]


def layer_graph(model: OnnxModel, fold: bool, name: str = "") -> LayerGraph:
    """Return the layers of a model that was read."""
    groups = layers(model, fold)
    home = home_layers(model, groups)
    successors: list[set[int]] = [set() for _ in range(len(groups))]
    used: set[str] = set(model.outputs)
    for node in model.nodes:
        reader = home[next(t for t in node.output if t)]
        for tensor in model.reads(node):
            used.add(tensor)
            if home[tensor] != reader:
                successors[home[tensor]].add(reader)
    for tensor in used:
        model.shape(tensor)  # refuses what is not known

    counted: set[str] = set()
    work, weights = np.zeros(len(groups)), np.zeros(len(groups))
    sizes = np.zeros(len(groups))
    sizes[0] = model.size_bytes(model.input)
    names, types = [model.input], ["input"]
    for v, group in enumerate(groups[1:], start=1):
        for k in group:
            node = model.nodes[k]
            work[v] += _work(model, node)
            new = [t for t in dict.fromkeys(model.weights(node)) if t not in counted]
            weights[v] += sum(math.prod(model.shape(t)) for t in new)
            counted.update(new)
        last = model.nodes[group[-1]]
        sizes[v] = sum(model.size_bytes(t) for t in last.output if t in used)
        first = model.nodes[group[0]]
        names.append(first.name or f"{first.op_type}_{group[0] + 1}")
        types.append(kind(first, model.shape, model.is_constant))
    return LayerGraph(
        successors=tuple(tuple(sorted(row)) for row in successors),
        flops=work,
        parameters=weights,
        output_bytes=sizes,
        names=tuple(names),
        types=tuple(types),
        name=name,
    )


def layers(model: OnnxModel, fold: bool) -> list[list[int]]:
    """Return the positions of the nodes of each layer; layer 0, the input, has none."""
    groups: list[list[int]] = [[]]
    readers: dict[str, list[int]] = {}
    for k, node in enumerate(model.nodes):
        for tensor in model.reads(node):
            readers.setdefault(tensor, []).append(k)
    home = {model.input: 0}
    for k, node in enumerate(model.nodes):
        before = {home[t] for t in model.reads(node)}
        v = before.pop() if len(before) == 1 else 0
        if fold and v > 0 and _joins(model, groups[v][-1], k, readers):
            groups[v].append(k)
        else:
            v = len(groups)
            groups.append([k])
        home |= dict.fromkeys((t for t in node.output if t), v)
    return groups


def home_layers(model: OnnxModel, groups: Sequence[Sequence[int]]) -> dict[str, int]:
    """Return the layer that makes each tensor that depends on the input."""
    home = {model.input: 0}
    for v, group in enumerate(groups):
        for k in group:
            home |= dict.fromkeys((t for t in model.nodes[k].output if t), v)
    return home


def _joins(model: OnnxModel, last: int, k: int, readers: dict[str, list[int]]) -> bool:
    """Tell whether node k may join the layer whose last node is ``last``."""
    node = model.nodes[k]
    used = [t for t in model.nodes[last].output if t in readers or t in model.outputs]
    return (
        node.op_type in FOLDABLE
        and set(model.reads(node)) == set(used)
        and not set(used) & set(model.outputs)
        and all(readers[t] == [k] for t in used)
        and sum(math.prod(model.shape(t)) for t in used) == math.prod(model.shape(node.output[0]))
    )


def _work(model: OnnxModel, node: Any) -> float:
    found = flops(node, model.shape)
    if found is None:
        raise ValueError(
            f"{model.label}: {describe(node)}: there is no rule for the work of this operator."
        )
    return found
