"""Measured seconds of the layers of an ONNX model."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from optedge.disk import MAX_BYTES
from optedge.networks.graph import LayerGraph
from optedge.networks.onnx_files import Source, require
from optedge.networks.onnx_import import default_name, layer_graph, layers
from optedge.networks.onnx_model import OnnxModel, read_model
from optedge.networks.onnx_parts import part, serialised
from optedge.networks.onnx_rules import flops
from optedge.networks.onnx_run import draw_input, execute, session


def profile_onnx(
    path: Source,
    graph: LayerGraph | None = None,
    *,
    repeats: int = 20,
    warmup: int = 3,
    threads: int = 1,
    seed: int = 0,
    batch: int = 1,
) -> LayerGraph:
    """Measure each layer of a model on this machine's CPU with onnxruntime.

    Parameters
    ----------
    path
        An ``.onnx`` file, or an ``onnx.ModelProto``.
    graph
        What :func:`from_onnx` returned for it, folded or not; the folded one by default.
    repeats
        Runs that count; the median over them is taken node by node.
    warmup
        Runs before them that do not count.
    threads
        At most so many threads.
    seed
        Of the random input.
    batch
        Size of the input's first dimension where the model leaves it open.

    Returns
    -------
    LayerGraph
        The graph with ``seconds``, shape ``(n_layers,)``; 0 for the input. A layer into which
        nodes were folded has their sum.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the model is refused by :func:`from_onnx` or by onnxruntime, if the graph is another
        one's, or a number is out of range.
    ImportError
        If the extra ``onnx`` is not installed.

    Notes
    -----
    Graph optimisation is off, so that every node is there to be measured; weights that nodes make
    are computed beforehand, as in a model that stores them. onnxruntime's clock counts
    microseconds. Operators that it runs as several (functions without a kernel of their own) share
    the time of those in proportion to their work.
    """
    for name, value, least in (("repeats", repeats, 1), ("warmup", warmup, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}.")
    model = read_model(path, batch)
    found, groups = _matching(model, graph, default_name(path))
    per_node = _measure(model, repeats, warmup, threads, seed)
    seconds = [float(per_node[group].sum()) for group in groups]
    return found.replace(seconds=np.array(seconds))


def _matching(
    model: OnnxModel, graph: LayerGraph | None, name: str
) -> tuple[LayerGraph, list[list[int]]]:
    """Return the graph and the nodes of each of its layers."""
    for fold in (True, False):
        ours = layer_graph(model, fold, name)
        if graph is None:
            return ours, layers(model, fold)
        same = ours.successors == graph.successors and ours.names == graph.names
        if same and np.array_equal(ours.output_bytes, graph.output_bytes):
            return graph, layers(model, fold)
    raise ValueError(f"graph is not what from_onnx returns for {model.label} and this batch.")


def _measure(
    model: OnnxModel, repeats: int, warmup: int, threads: int, seed: int
) -> npt.NDArray[np.float64]:
    """Return the seconds of each node, shape ``(n_nodes,)``."""
    runtime = require("onnxruntime")
    options = runtime.SessionOptions()
    proto, values = _ready(model)
    options.add_external_initializers(list(values), list(values.values()))
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        data = serialised(proto, model.label)
        loaded = session(data, threads=threads, label=model.label, options=options)
        feed = {model.input: draw_input(model, seed)}
        for _ in range(warmup + repeats):
            execute(loaded, model.outputs, feed, model.label)
        events = json.loads(Path(loaded.end_profiling()).read_bytes())
    return _node_seconds(model, events, repeats, warmup)


def _ready(model: OnnxModel) -> tuple[Any, dict[str, Any]]:
    """Return the model of the layers alone, nodes named by position, and the weights made."""
    onnx = require("onnx")
    read = {t for node in model.nodes for t in node.input} | set(model.outputs)
    made = sorted(read & model.makers.keys())
    if sum(model.size_bytes(t) for t in made) > MAX_BYTES:
        raise ValueError(f"{model.label}: the weights are larger than 2 GiB.")
    values: dict[str, Any] = {}
    if made:
        makers = serialised(part(model, [], [], made), model.label)
        loaded = session(makers, threads=1, label=model.label)
        as_value = require("onnxruntime").OrtValue.ortvalue_from_numpy
        arrays = execute(loaded, made, {}, model.label)
        values = {t: as_value(array) for t, array in zip(made, arrays, strict=True)}
    declared = {}
    for name in made:
        declared[name] = onnx.TensorProto(
            name=name,
            data_type=model.dtype(name),
            dims=model.shape(name),
            data_location=onnx.TensorProto.EXTERNAL,
        )
        # The session is given the values; the place is never looked at.
        declared[name].external_data.add(key="location", value="memory")
    built = part(model, model.nodes, [model.input], model.outputs, declared)
    for k, node in enumerate(built.graph.node):
        node.name = f"layer{k}"
    return built, values


def _node_seconds(
    model: OnnxModel, events: Sequence[dict[str, Any]], repeats: int, warmup: int
) -> npt.NDArray[np.float64]:
    """Return the median seconds of each node from the events of a profile."""
    runs: dict[str, list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            runs.setdefault(event["name"], []).append(event["dur"] / 1e6)
    seconds = np.full(len(model.nodes), np.nan)
    elsewhere = 0.0
    for name, times in runs.items():
        if len(times) != warmup + repeats:
            raise ValueError(
                f"{model.label}: onnxruntime recorded {len(times)} runs of {warmup + repeats}; "
                "its profile is full, take fewer repeats."
            )
        median = float(np.median(times[warmup:]))
        place = re.fullmatch(r"layer(\d+)_kernel_time", name)
        if place:
            seconds[int(place[1])] = median
        else:
            elsewhere += median
    missing = np.flatnonzero(np.isnan(seconds))
    seconds[missing] = 0.0
    heirs = missing if missing.size else np.arange(seconds.size)
    share = np.array([1.0 + (flops(model.nodes[k], model.shape) or 0.0) for k in heirs])
    seconds[heirs] += elsewhere * share / share.sum()
    return seconds
