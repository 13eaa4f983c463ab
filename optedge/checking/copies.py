"""Copies and files: what they lose of an instance and its solutions."""

from __future__ import annotations

import copy
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from optedge.checking.compared import same
from optedge.files import load, save


def check_copies(problem: Any, known: list[Any], rng: np.random.Generator) -> Iterator[str]:
    """Yield what is lost: the instance is another one, or values a solution differently."""
    for field in dataclasses.fields(problem):
        value = getattr(problem, field.name)
        if isinstance(value, np.ndarray | list) and "axes" not in field.metadata:
            yield f"the field {field.name} holds an array: declare it with oe.array_field."
            return
        raw = not isinstance(value, np.ndarray) or value.flags.writeable
        if "axes" in field.metadata and raw and value is not None:
            yield (
                f"the field {field.name} was not checked: a __post_init__ of your own must call "
                "super().__post_init__()."
            )
            return
    copies = {"replace()": problem.replace(), "copy.deepcopy()": copy.deepcopy(problem)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.json"
        save(problem, path)
        copies["a file"] = load(path)
    for how, other in copies.items():
        if other.key != problem.key:
            yield f"a copy by {how} is another instance."
        for x in known[:1]:
            if not same(other.objective(x), problem.objective(x)):
                yield f"a copy by {how} values a solution differently."
