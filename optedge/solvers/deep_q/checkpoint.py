"""A learner in a file: networks, optimiser, memory, generator, so that it goes on as if never left.

The file is an ``.npz`` of plain arrays; text in it is JSON. Nothing in it is executed.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import zipfile
import zlib
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from optedge import disk
from optedge.formulations.base import IntArray
from optedge.formulations.offloading import OffloadingProblem
from optedge.solvers.deep_q.learner import Learner
from optedge.solvers.deep_q.options import DeepQOptions
from optedge.solvers.run import Run

VERSION = 1
#: Options that may differ when learning goes on.
FREE = ("checkpoint", "checkpoint_steps", "resume")
#: What reading a file raises that is no archive of arrays, or half of one.
BROKEN = (
    *(ValueError, TypeError, OSError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


class State(NamedTuple):
    """What the training loop knows beside its learner."""

    curve: list[tuple[float, ...]]
    best: float
    plan: IntArray


def write(
    path: str | os.PathLike[str],
    problem: OffloadingProblem,
    name: str,
    learner: Learner,
    curve: list[tuple[float, ...]],
    best: float,
    run: Run,
) -> None:
    """Write a learner, whole or not at all (a temporary file is renamed)."""
    head = {
        "version": VERSION,
        "solver": name,
        "problem": problem.key,
        "options": _fixed(learner.options),
        "generator": learner.rng.bit_generator.state,
        "steps": learner.steps,
        "updates": learner.updates,
        "adam": learner.online.adam.steps,
        "size": learner.memory.size,
        "head": learner.memory.head,
        "largest": learner.memory.largest,
        "best": best,
        "loss": learner.loss,
    }
    arrays = dict(_arrays(learner))
    arrays["curve"] = np.array(curve)
    arrays["plan"] = problem.encode(run.solution)
    arrays["head"] = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    disk.write_atomic(path, file.getvalue())


def read(
    path: str | os.PathLike[str],
    problem: OffloadingProblem,
    name: str,
    options: DeepQOptions,
    learner: Learner,
) -> State:
    """Fill ``learner`` from a file.

    Raises
    ------
    ValueError
        If the file is no checkpoint, is of another version, problem, solver or other options, or
        has arrays of another shape. The sentence says which.
    """
    arrays = read_arrays(path, "checkpoint")
    head = _head(path, arrays)
    for field, here in (("version", VERSION), ("solver", name), ("problem", problem.key)):
        if head.get(field) != here:
            raise ValueError(f"{path}: {field} is {head.get(field)!r}, here it is {here!r}.")
    theirs = head.get("options", {})
    for field, value in _fixed(options).items():
        if theirs.get(field) != value:
            was = theirs.get(field)
            raise ValueError(f"{path}: option {field} was {was!r}, now it is {value!r}.")
    for field, target in _arrays(learner).items():
        kept = arrays.get(field)
        if kept is None or kept.shape != target.shape or kept.dtype != target.dtype:
            raise ValueError(f"{path}: array {field!r} must have shape {target.shape}.")
        target[...] = kept
    memory = learner.memory
    if memory.sums is not None:  # a tree has sums beside its entries
        memory.sums.set(np.arange(arrays["priorities"].size), arrays["priorities"])
    try:
        learner.rng.bit_generator.state = head["generator"]
        learner.steps, learner.updates = int(head["steps"]), int(head["updates"])
        learner.online.adam.steps, memory.size = int(head["adam"]), int(head["size"])
        memory.head, memory.largest = int(head["head"]), float(head["largest"])
        learner.loss, best = float(head["loss"]), float(head["best"])
        curve, plan = [tuple(row) for row in arrays["curve"].tolist()], arrays["plan"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a whole checkpoint ({error}).") from None
    return State(curve, best, plan)


def _arrays(learner: Learner) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a learner by name; they are its own, not copies."""
    memory, adam = learner.memory, learner.online.adam
    arrays = {
        "online": learner.online.net.parameters,
        "target": learner.target.net.parameters,
        "mean": adam.mean,
        "square": adam.square,
        "states": memory.states,
        "actions": memory.actions,
        "costs": memory.costs,
        "rest": memory.rest,
        "limits": learner.rewards.limits,
        "scale": learner.rewards.scale,
    }
    if memory.sums is not None:
        arrays["priorities"] = memory.sums.weights
    return arrays


def _fixed(options: DeepQOptions) -> dict[str, Any]:
    """Return the options that a learner cannot change on its way."""
    return {k: v for k, v in dataclasses.asdict(options).items() if k not in FREE}


def read_arrays(path: str | os.PathLike[str], kind: str) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an ``.npz`` file by name.

    Raises
    ------
    ValueError
        If it is no such file, or holds objects. The sentence says that it is no ``kind``.
    """
    data = disk.read_limited(path)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except BROKEN as error:
        raise ValueError(f"{path}: not a {kind} ({error}).") from None


def _head(path: str | os.PathLike[str], arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    try:
        head = json.loads(arrays["head"].tobytes())
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path}: not a checkpoint ({error}).") from None
    if not isinstance(head, dict):
        raise ValueError(f"{path}: not a checkpoint.")
    return head
