"""Two ONNX models from one: what runs on the device, and what runs beyond."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from optedge.disk import write_atomic
from optedge.networks.graph import LayerGraph
from optedge.networks.onnx_files import Source, require
from optedge.networks.onnx_import import home_layers, layer_graph, layers
from optedge.networks.onnx_model import OnnxModel, read_model
from optedge.networks.onnx_parts import part, serialised


def cut_onnx(
    path: Source,
    cut: npt.ArrayLike,
    front: str | os.PathLike[str],
    back: str | os.PathLike[str],
    *,
    batch: int = 1,
    fold: bool = True,
) -> tuple[str, ...]:
    """Cut a model in two such that running one after the other is running the whole.

    Parameters
    ----------
    path
        An ``.onnx`` file, or an ``onnx.ModelProto``.
    cut
        The tier of each layer of ``from_onnx(path, batch=batch, fold=fold)``, shape
        ``(n_layers,)``: 0 in the front, 1 in the back, never falling along an edge, layer 0 (the
        input) in the front; a solution of a cut problem with two tiers. Or the number of a cut
        vertex: that layer and all before it are the front.
    front, back
        Files to write: both are complete, or none is touched.
    batch
        Size of the input's first dimension where the model leaves it open; fixed in the halves.
    fold
        Whether the numbers of layers are those of the folded graph.

    Returns
    -------
    tuple of str
        The tensors that cross, each once: the outputs of the front and the inputs of the back, in
        this order. Outputs of the whole that the front makes cross too, since the back hands out
        all of them; so does the network's input where the back reads it.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If the model is refused by :func:`from_onnx`, the cut has the wrong shape, other entries
        than 0 and 1, falls along an edge, or is no cut vertex; if the files are the same; if a
        half is larger than 2 GiB.
    ImportError
        If the extra ``onnx`` is not installed.

    Notes
    -----
    A half without layers is a model that hands its inputs on: the front if everything but the
    input is in the back (``cut=0``), the back if all is in the front. Weights, and the nodes that
    make them, go where they are read, into both halves if need be; they are no inputs. Shapes in
    the halves are fixed.
    """
    targets = [Path(front).resolve(), Path(back).resolve()]
    taken = [*targets, *([Path(path).resolve()] if isinstance(path, str | os.PathLike) else [])]
    if len(set(taken)) < len(taken):
        raise ValueError("front and back must be two files, and other ones than the model.")
    model = read_model(path, batch)
    tiers = _tiers(layer_graph(model, fold), cut)
    groups = layers(model, fold)
    beyond = {k for v, group in enumerate(groups) if tiers[v] for k in group}
    home = home_layers(model, groups)
    late = [node for k, node in enumerate(model.nodes) if k in beyond]
    read = {t for node in late for t in node.input} | set(model.outputs)
    crossing = tuple(t for t in _in_order(model) if t in read and not tiers[home[t]])
    early = [node for k, node in enumerate(model.nodes) if k not in beyond]
    halves = [
        _half(model, "front", early, [model.input], crossing),
        _half(model, "back", late, crossing, model.outputs),
    ]
    _write_together(list(zip(targets, halves, strict=True)))
    return crossing


def _tiers(graph: LayerGraph, cut: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the tier of each layer, checked."""
    n = graph.n_layers
    given = np.asarray(cut)
    if given.dtype.kind not in "biu":
        raise ValueError("cut must hold integers: a tier for each layer, or one layer's number.")
    if given.ndim == 0:
        v = int(given)
        if v not in graph.cut_vertices:
            known = ", ".join(map(str, graph.cut_vertices[:30]))
            raise ValueError(f"cut: layer {v} is no cut vertex; those are {known}.")
        return (np.arange(n) > v).astype(np.int64)
    if given.shape != (n,):
        raise ValueError(f"cut must have shape ({n},), a tier for each layer, got {given.shape}.")
    tiers = given.astype(np.int64)
    if not np.isin(tiers, (0, 1)).all():
        v = int(np.flatnonzero(~np.isin(tiers, (0, 1)))[0])
        raise ValueError(
            f"cut[{v}] ({graph.names[v]}) must be 0 or 1, got {tiers[v]}; cut three tiers one hop "
            "at a time."
        )
    if tiers[0]:
        raise ValueError("cut[0] must be 0: the input is born in the front.")
    for v, row in enumerate(graph.successors):
        for w in row:
            if tiers[v] > tiers[w]:
                raise ValueError(
                    f"cut: layer {w} ({graph.names[w]}) is in the front and reads layer {v} "
                    f"({graph.names[v]}) in the back; the back must be closed under successors."
                )
    return tiers


def _in_order(model: OnnxModel) -> Iterable[str]:
    yield model.input
    for node in model.nodes:
        yield from (t for t in node.output if t)


def _half(
    model: OnnxModel,
    name: str,
    nodes: Sequence[Any],
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> bytes:
    """Return a half, checked and serialised."""
    onnx = require("onnx")
    built = part(model, nodes, inputs, outputs, suffix=f", {name}")
    data = serialised(built, f"{model.label}, {name}")
    try:
        onnx.checker.check_model(data)
    except onnx.checker.ValidationError as error:
        text = " ".join(str(error).split())
        raise ValueError(f"{model.label}: the {name} would be no valid model: {text}") from None
    return data


def _write_together(files: Sequence[tuple[Path, bytes]]) -> None:
    """Write files such that all of them are new and whole, or none is touched."""
    moves = [(path, path.with_name(f".optedge-{secrets.token_hex(8)}.tmp")) for path, _ in files]
    for path, _ in files:
        if path.exists() and not path.is_file():
            raise ValueError(f"{path}: not a file; it cannot be replaced.")
    undo: list[tuple[Path, Path | None]] = []
    try:
        for (_, temporary), (_, data) in zip(moves, files, strict=True):
            write_atomic(temporary, data)
        for path, temporary in moves:
            kept = None
            if path.exists():
                kept = path.with_name(f".optedge-{secrets.token_hex(8)}.tmp")
                os.replace(path, kept)
            undo.append((path, kept))
            os.replace(temporary, path)
    except BaseException:
        for path, kept in reversed(undo):
            path.unlink(missing_ok=True)
            if kept is not None:
                os.replace(kept, path)
        for _, temporary in moves:
            temporary.unlink(missing_ok=True)
        raise
    for _, kept in undo:
        if kept is not None:
            kept.unlink(missing_ok=True)
