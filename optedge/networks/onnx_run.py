"""Run ONNX models and halves of them on one thread, without rewriting them first."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from optedge.networks.onnx_files import Source, require
from optedge.networks.onnx_model import OnnxModel, read_model

Array = npt.NDArray[Any]


def run_onnx(
    path: Source, inputs: npt.ArrayLike | Mapping[str, npt.ArrayLike], *, threads: int = 1
) -> dict[str, Array]:
    """Run a model with onnxruntime on the CPU.

    Graph optimisation is off, so that a model and its halves compute the same numbers.

    Parameters
    ----------
    path
        An ``.onnx`` file, or an ``onnx.ModelProto``.
    inputs
        The array of the only input, or arrays by name.
    threads
        At most so many threads.

    Returns
    -------
    dict
        The outputs by name, in the order of the model.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If onnxruntime cannot load the model, or the inputs do not fit it.
    ImportError
        If the extra ``onnx`` is not installed.
    """
    label = path if isinstance(path, str | os.PathLike) else "the model"
    loaded = session(path, threads=threads, label=str(label))
    expected = [value.name for value in loaded.get_inputs()]
    if not isinstance(inputs, Mapping):
        if len(expected) != 1:
            raise ValueError(f"{label}: has the inputs {expected}; give arrays by name.")
        inputs = {expected[0]: inputs}
    if set(inputs) != set(expected):
        raise ValueError(f"{label}: has the inputs {expected}, got {list(inputs)}.")
    names = [value.name for value in loaded.get_outputs()]
    feed = {name: np.asarray(value) for name, value in inputs.items()}
    return dict(zip(names, execute(loaded, names, feed, str(label)), strict=True))


def run_halves(
    front: Source,
    back: Source,
    inputs: npt.ArrayLike | Mapping[str, npt.ArrayLike],
    *,
    threads: int = 1,
) -> dict[str, Array]:
    """Run the two models of :func:`cut_onnx` one after the other, and return what the second does.

    Parameters
    ----------
    front, back
        The halves: what the first returns is what the second reads.
    inputs, threads
        As in :func:`run_onnx`.
    """
    return run_onnx(back, run_onnx(front, inputs, threads=threads), threads=threads)


def random_input(path: Source, *, batch: int = 1, seed: int = 0) -> Array:
    """Return an input that a model takes: normal numbers, bytes of 0 to 255, or integers 0 and 1.

    Parameters
    ----------
    path
        An ``.onnx`` file, or an ``onnx.ModelProto``.
    batch
        Size of the first dimension where the model leaves it open.
    seed
        Of the random numbers.
    """
    return draw_input(read_model(path, batch), seed)


def draw_input(model: OnnxModel, seed: int) -> Array:
    """Return a random input of a model that was read."""
    rng = np.random.default_rng(seed)
    dtype = require("onnx").helper.tensor_dtype_to_np_dtype(model.dtype(model.input))
    shape = model.shape(model.input)
    if dtype.kind in "bi" or (dtype.kind == "u" and dtype.itemsize > 1):
        return rng.integers(0, 2, shape).astype(dtype)
    if dtype.kind == "u":
        return rng.integers(0, 256, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def session(source: Source | bytes, *, threads: int, label: str, options: Any = None) -> Any:
    """Return an ``onnxruntime.InferenceSession`` on the CPU with graph optimisation off."""
    runtime = require("onnxruntime")
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ValueError(f"threads must be a positive integer, got {threads!r}.")
    options = options or runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised, and need not be printed too
    if isinstance(source, str | os.PathLike):
        source = os.fspath(source)
        os.stat(source)  # FileNotFoundError
    elif not isinstance(source, bytes):
        source = source.SerializeToString()
    try:
        return runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no other common base
        raise ValueError(f"{label}: cannot be loaded: {_one_line(error)}") from None


def execute(loaded: Any, names: Sequence[str], feed: Mapping[str, Array], label: str) -> list[Any]:
    """Run a session; ValueError of one line if it cannot."""
    try:
        return list(loaded.run(list(names), dict(feed)))
    except Exception as error:  # onnxruntime's errors have no other common base
        raise ValueError(f"{label}: cannot run: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
