"""The arrays of a problem class: their types, how a class declares them, how they are checked."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def array_field(
    *axes: str,
    dtype: type = np.float64,
    infinite: bool = False,
    negative: bool = False,
    default: Any = dataclasses.MISSING,
) -> Any:
    """Declare an array of a problem class.

    Parameters
    ----------
    *axes
        Names of the axes, e.g. ``"n_tasks", "n_servers"``; arrays that share an axis must agree
        on its length.
    dtype
        Type that the entries are cast to.
    infinite, negative
        Whether entries may be ``inf`` or below zero.
    default
        Value where the field is left out; None is allowed only if it is the default.
    """
    metadata = {"axes": axes, "dtype": dtype, "infinite": infinite, "negative": negative}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def checked(field: dataclasses.Field[Any], value: Any, lengths: dict[str, int]) -> Any:
    """Return ``value`` as the read-only array that ``field`` declares."""
    name, axes = field.name, field.metadata["axes"]
    try:
        array = np.array(value, dtype=field.metadata["dtype"])
        if array.dtype.kind == "i" and np.any(array != np.asarray(value)):
            raise ValueError("some are no integers")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of numbers: {error}.") from None
    wanted = f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"
    if array.ndim != len(axes) or array.size == 0:
        raise ValueError(f"{name} must have shape {wanted} and be non-empty, got {array.shape}.")
    for axis, length in zip(axes, array.shape, strict=True):
        if lengths.setdefault(axis, length) != length:
            expected = tuple(lengths.get(a, "any") for a in axes)
            raise ValueError(f"{name} must have shape {wanted} = {expected}, got {array.shape}.")
    for wrong, what in (
        (np.isnan(array), "is NaN"),
        (np.isneginf(array) if field.metadata["infinite"] else np.isinf(array), "is infinite"),
        (array < 0 if not field.metadata["negative"] else np.zeros(1, bool), "is negative"),
    ):
        if wrong.any():
            index = [int(k) for k in np.argwhere(wrong)[0]]
            raise ValueError(f"{name}{index} {what}.")
    array.setflags(write=False)
    return array


def power_of_two(size: float) -> float:
    """Return the power of two nearest to ``size``; 1 for 0 and inf. Dividing by it is exact."""
    return 2.0 ** round(math.log2(size)) if 0 < size < math.inf else 1.0
