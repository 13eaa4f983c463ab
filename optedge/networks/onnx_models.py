"""Full-size test models that the onnx package carries, and random weights for them."""

from __future__ import annotations

import importlib.util
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from optedge.disk import MAX_BYTES, write_atomic
from optedge.networks.onnx_files import Source, require
from optedge.networks.onnx_model import OnnxModel, read_model
from optedge.networks.onnx_parts import part, serialised
from optedge.networks.onnx_rules import attribute
from optedge.networks.onnx_run import draw_input, run_onnx


def light_models() -> dict[str, Path]:
    """Return the full-size graphs that the installed onnx package carries as test data.

    AlexNet, VGG19, GoogLeNet (``"inception_v1"``), ResNet50 and others, with weights that nodes
    fill with constants (see :func:`randomise_weights`): real shapes and times, no accuracy.

    Returns
    -------
    dict
        From name, such as ``"resnet50"``, to path; empty if onnx or its test data is missing.
    """
    found = importlib.util.find_spec("onnx")
    places = found.submodule_search_locations if found else None
    folders = [Path(place) / "backend" / "test" / "data" / "light" for place in places or []]
    files = sorted(path for folder in folders for path in folder.glob("light_*.onnx"))
    return {path.stem.removeprefix("light_"): path for path in files}


def randomise_weights(
    model_or_path: Source, out: str | os.PathLike[str] | None = None, seed: int = 0
) -> Any:
    """Return a model with every weight replaced by random numbers, so that outputs tell something.

    Parameters
    ----------
    model_or_path
        An ``.onnx`` file, or an ``onnx.ModelProto``, which is left as it is.
    out
        Where to write the new model; nowhere by default.
    seed
        Of the random numbers.

    Returns
    -------
    onnx.ModelProto
        The same layers, with stored weights. Kernels and matrices are normal with variance 2 over
        the number of inputs that a result sums, factors and variances uniform in 0.5 to 1.5, all
        else normal with deviation 0.1; what feeds a final softmax is scaled such that the softmax
        sees numbers of deviation 1 for some random input. Integers and single numbers stay. An
        open batch is 1.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the model is refused by :func:`from_onnx`, or has weights of more than 2 GiB.
    ImportError
        If the extra ``onnx`` is not installed.
    """
    onnx = require("onnx")
    model = read_model(model_or_path)
    rng = np.random.default_rng(seed)
    random: dict[str, Any] = {}
    places = [(node, t) for node in model.nodes for t in dict.fromkeys(model.weights(node))]
    if sum(model.size_bytes(t) for t in {t for _, t in places}) > MAX_BYTES:
        raise ValueError(f"{model.label}: the weights are larger than 2 GiB.")
    for node, tensor in places:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(model.dtype(tensor))
        shape = model.shape(tensor)
        if tensor not in random and dtype.kind == "f" and math.prod(shape) > 1:
            values = _draw(rng, node, list(node.input).index(tensor), shape)
            random[tensor] = onnx.numpy_helper.from_array(values.astype(dtype), tensor)
    _calm(onnx, model, random, rng)
    built = part(model, model.nodes, [model.input], model.outputs, random)
    if out is not None:
        write_atomic(out, serialised(built, model.label))
    return built


def _draw(rng: np.random.Generator, node: Any, place: int, shape: tuple[int, ...]) -> Any:
    """Return values for input number ``place`` of a node."""
    op = node.op_type
    if (op.endswith("Normalization") and place in (1, 4)) or op in ("Mul", "Div"):
        return rng.uniform(0.5, 1.5, shape)
    values = rng.standard_normal(shape, dtype=np.float32)
    if op in ("Conv", "ConvTranspose") and place == 1:
        summed = math.prod(shape[1:])
    elif op in ("Gemm", "MatMul") and place < 2 and len(shape) > 1:
        turned = op == "Gemm" and attribute(node, "transB" if place else "transA", 0)
        summed = shape[-1] if bool(turned) == bool(place) else shape[-2]
    else:
        return 0.1 * values
    return values * np.float32(math.sqrt(2.0 / summed))


def _calm(onnx: Any, model: OnnxModel, random: dict[str, Any], rng: np.random.Generator) -> None:
    """Scale the weights before a final softmax, which would return a single 1 else."""
    makers = {t: k for k, node in enumerate(model.nodes) for t in node.output}

    def drawn(k: int) -> set[str]:
        return random.keys() & set(model.weights(model.nodes[k]))

    for output in (t for t in model.outputs if t in makers):
        node = model.nodes[makers[output]]
        if node.op_type not in ("Softmax", "LogSoftmax"):
            continue
        logits = before = node.input[0]
        while before in makers and not drawn(makers[before]):
            before = model.nodes[makers[before]].input[0]
        if before not in makers:
            continue
        upto = model.nodes[: makers[logits] + 1]
        built = part(model, upto, [model.input], [logits], random)
        deviation = run_onnx(built, draw_input(model, int(rng.integers(2**31))))[logits].std()
        if np.isfinite(deviation) and deviation > 0:
            for tensor in drawn(makers[before]):
                values = onnx.numpy_helper.to_array(random[tensor])
                scaled = (values / deviation).astype(values.dtype)
                random[tensor] = onnx.numpy_helper.from_array(scaled, tensor)
