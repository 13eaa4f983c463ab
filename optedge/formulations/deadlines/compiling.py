"""What lets numba compile less: a slice assignment takes it half a second, a plain loop little."""

from __future__ import annotations

from typing import Any

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
