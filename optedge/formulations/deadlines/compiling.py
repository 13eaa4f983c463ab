"""What lets numba compile less: plain loops, and numbers of one type.

A slice assignment takes half a second to compile. A constant is a type of its own, so that a kernel
called with one is compiled once more for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from optedge.formulations.base import BoolArray
from optedge.kernels import kernel


@kernel
def copy_line(source: Any, target: Any) -> None:
    """Copy ``source`` ``(n,)`` into ``target``."""
    for i in range(source.size):
        target[i] = source[i]


@kernel
def copy_pairs(source: BoolArray, target: BoolArray) -> None:
    """Copy ``source`` ``(n, m)`` into ``target``."""
    n, m = source.shape
    for i in range(n):
        for j in range(m):
            target[i, j] = source[i, j]


@kernel
def number(constant: int) -> Any:
    """Return ``constant`` as any other whole number: the type forgets its value."""
    return np.int64(constant)
